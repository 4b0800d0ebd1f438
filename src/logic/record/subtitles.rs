//! Who spoke when, as WebVTT (W3C WebVTT: The Web Video Text Tracks Format).

use std::fmt::Write;

use super::manifest::Manifest;

/// The name of the subtitles among the files of a recording.
pub const SUBTITLES: &str = "speakers.vtt";

/// One cue for every span of speech, with the speaker's name as its voice.
pub fn subtitles(manifest: &Manifest) -> String {
    let mut text = String::from("WEBVTT\n");
    let mut spans: Vec<_> = manifest.speech.iter().collect();
    spans.sort_by_key(|span| span.from_ms);
    for span in spans.iter().filter(|span| span.to_ms > span.from_ms) {
        let name = escaped(manifest.name_of(span.member));
        let (from, to) = (clock(span.from_ms), clock(span.to_ms));
        // Writing to a text does not fail.
        let _ = write!(text, "\n{from} --> {to}\n<v {name}>{name}</v>\n");
    }
    text
}

/// §3.3: hours may have more digits than two.
fn clock(at_ms: u64) -> String {
    let (seconds, milliseconds) = (at_ms / 1_000, at_ms % 1_000);
    let (minutes, hours) = (seconds / 60 % 60, seconds / 3_600);
    format!(
        "{hours:02}:{minutes:02}:{:02}.{milliseconds:03}",
        seconds % 60
    )
}

/// §4.1: what would be read as markup or as the end of a cue.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            letter if letter.is_control() => text.push(' '),
            letter => text.push(letter),
        }
    }
    text
}

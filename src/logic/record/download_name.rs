//! By which name a file of a recording is saved: where it is from and when, not how the node calls it.

use std::fmt::Write;

use super::manifest::Manifest;

/// Characters of a member's or a room's name that are kept.
const PART_CHARACTERS_MAX: usize = 60;
const MS_PER_DAY: i64 = 86_400_000;
const MS_PER_MINUTE: i64 = 60_000;

/// The name under which to save the file of that name: room, time (UTC), and whose and what it is.
pub fn download_name(manifest: &Manifest, file: &str) -> String {
    let mut name = part(&manifest.room);
    // Writing to a text does not fail.
    let _ = write!(name, " {}", when(manifest.began_unix_ms));
    for track in &manifest.tracks {
        if let Some(index) = track.files.iter().position(|one| one.name == file) {
            let source = match file.split('-').collect::<Vec<_>>().as_slice() {
                [_, _, source @ .., _] => source.join(" "),
                _ => String::new(),
            };
            let _ = write!(name, " {} {source}", part(manifest.name_of(track.member)));
            if track.files.len() > 1 {
                let _ = write!(name, " {}", index + 1);
            }
        }
    }
    if let Some((_, extension)) = file.rsplit_once('.') {
        let _ = write!(name, ".{extension}");
    }
    name
}

/// What every file system takes.
fn part(text: &str) -> String {
    let plain = |letter: char| match letter {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => '-',
        letter if letter.is_control() => '-',
        letter => letter,
    };
    let text: String = text.chars().map(plain).take(PART_CHARACTERS_MAX).collect();
    text.trim_matches(['.', ' ']).to_owned()
}

/// `2026-11-21 14-05`, in UTC: a colon is not for file names.
fn when(unix_ms: i64) -> String {
    let (year, month, day) = date(unix_ms.div_euclid(MS_PER_DAY));
    let minutes = unix_ms.rem_euclid(MS_PER_DAY) / MS_PER_MINUTE;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}-{:02}",
        minutes / 60,
        minutes % 60
    )
}

/// The date that many days after 1970-01-01, in the Gregorian calendar. Years are taken to begin in
/// March, so that the day of a leap year is their last.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / (DAYS_PER_ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (
        era * 400 + year + i64::from(month <= 2),
        month,
        day_of_month,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn dates_are_the_calendar_s() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_778, (2026, 11, 21)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (-1, (1969, 12, 31)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }

    #[test]
    fn a_name_says_where_when_who_and_what() {
        let manifest: Manifest = serde_json::from_value(json!({
            "id": "a1", "room": "../Café: Nord", "beganUnixMs": 20_778 * MS_PER_DAY + 50_700_000,
            "beganRoomMs": 0,
            "members": [{"member": "0000000000002", "name": "Ada\n/root"}],
            "tracks": [{
                "track": 1, "member": "0000000000002", "source": "screenAudio", "gaps": [],
                "files": [
                    {"name": "track-1-screen-audio-1.webm", "codec": "opus", "atMs": 0,
                        "durationMs": 0, "bytes": 0},
                    {"name": "track-1-screen-audio-2.webm", "codec": "opus", "atMs": 9,
                        "durationMs": 0, "bytes": 0},
                ],
            }],
            "speech": [],
        }))
        .unwrap();
        for (file, expected) in [
            ("room.webm", "-Café- Nord 2026-11-21 14-05.webm"),
            ("manifest.json", "-Café- Nord 2026-11-21 14-05.json"),
            (
                "track-1-screen-audio-2.webm",
                "-Café- Nord 2026-11-21 14-05 Ada--root screen audio 2.webm",
            ),
        ] {
            assert_eq!(download_name(&manifest, file), expected);
        }
    }
}

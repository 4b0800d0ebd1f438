//! What of an offer WHIP and WHEP take: all of it or nothing (RFC 9725 §4.4.3).

use crate::logic::forward::codec::{Codec, MediaKind};
use crate::media::sdp::{AnswerError, OutlinedLine, Refusal, SEATS_MAX, outline};
use crate::protocol::client::Source;

use super::Way;

/// An offer that will be answered in full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// As the node is to read it.
    pub(super) sdp: String,
    /// Which m-line carries what.
    pub(super) publishes: Vec<(Source, String)>,
    /// Pairs of m-lines to view on.
    pub(super) seats: usize,
    /// There is an m-line to hear on.
    pub(super) hears: bool,
    /// What can be decoded of pictures; nothing without an m-line for one.
    pub(super) decodes: Vec<Codec>,
}

impl Accepted {
    /// Whether there is an m-line for sound and one for a picture.
    pub(super) fn has_both(&self) -> bool {
        self.hears && !self.decodes.is_empty()
    }

    /// The same without a picture: its m-line is answered `inactive`, so that no player waits for a
    /// frame.
    pub(super) fn without_picture(self) -> Accepted {
        Accepted {
            sdp: without_picture(&self.sdp),
            ..self
        }
    }
}

/// Why an offer is not answered; each says so in a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no session description, or too long a one.
    Malformed(String),
    /// Something in it cannot be had here.
    Unacceptable(String),
    /// Another offer of the same client could do: it lacks a codec that is spoken here.
    NoCodec(String),
}

/// Checks an offer.
///
/// # Errors
/// Why it cannot be answered in full.
pub(super) fn check(way: Way, sdp: &str) -> Result<Accepted, Refused> {
    let lines = outline(sdp).map_err(refused)?;
    if let Some((index, why)) = first_refused(&lines) {
        let why_text = format!("M-line {index} cannot be taken: {why}.");
        return Err(match why {
            Refusal::NoCodec => Refused::NoCodec(why_text),
            _ => Refused::Unacceptable(why_text),
        });
    }
    match way {
        Way::Whip => publisher(sdp, &lines),
        Way::Whep => viewer(sdp, &lines),
    }
}

fn refused(error: AnswerError) -> Refused {
    let text = format!("The offer cannot be answered: {error}.");
    match error {
        AnswerError::NothingUsable(Refusal::NoCodec) => Refused::NoCodec(text),
        AnswerError::NothingUsable(_) | AnswerError::Setup(_) | AnswerError::TooManySeats => {
            Refused::Unacceptable(text)
        }
        _ => Refused::Malformed(text),
    }
}

fn first_refused(lines: &[OutlinedLine]) -> Option<(usize, Refusal)> {
    let mut lines = lines.iter().enumerate();
    lines.find_map(|(index, line)| Some((index, line.kind.err()?)))
}

/// RFC 9725 §4.2 (`sendonly`, or `sendrecv`, which is answered `recvonly`) and §4.4.2 (one of a kind).
fn publisher(sdp: &str, lines: &[OutlinedLine]) -> Result<Accepted, Refused> {
    let mut publishes: Vec<(Source, String)> = Vec::new();
    for line in lines {
        if !line.sends {
            return Err(unacceptable("A publisher's m-lines are sendonly."));
        }
        let source = match line.kind {
            Ok(MediaKind::Audio) => Source::Microphone,
            _ => Source::Camera,
        };
        if publishes.iter().any(|(other, _)| *other == source) {
            let why = "There can be one audio and one video m-line, not two of a kind.";
            return Err(unacceptable(why));
        }
        if line.mid.is_empty() {
            return Err(unacceptable("Every m-line needs an a=mid."));
        }
        publishes.push((source, line.mid.clone()));
    }
    Ok(Accepted {
        sdp: sdp.to_owned(),
        publishes,
        seats: 0,
        hears: false,
        decodes: Vec::new(),
    })
}

/// The draft's §4.2: `recvonly`, or `sendrecv`, which is answered `sendonly`.
fn viewer(sdp: &str, lines: &[OutlinedLine]) -> Result<Accepted, Refused> {
    if !lines.iter().all(|line| line.receives) {
        return Err(unacceptable("A viewer's m-lines are recvonly."));
    }
    let of = |kind| lines.iter().filter(|line| line.kind == Ok(kind)).count();
    let seats = of(MediaKind::Audio).max(of(MediaKind::Video));
    if seats > usize::from(SEATS_MAX) {
        let why = format!("There can be at most {SEATS_MAX} m-lines of a kind.");
        return Err(Refused::Unacceptable(why));
    }
    let pictures = lines.iter();
    let pictures = pictures.filter(|line| line.kind == Ok(MediaKind::Video));
    let decodes = pictures.flat_map(|line| line.codecs.clone()).collect();
    let sdp = match lines.iter().any(|line| line.sends) {
        true => as_receiver(sdp),
        false => sdp.to_owned(),
    };
    Ok(Accepted {
        sdp,
        publishes: Vec::new(),
        seats,
        hears: of(MediaKind::Audio) > 0,
        decodes,
    })
}

fn unacceptable(why: &str) -> Refused {
    Refused::Unacceptable(why.to_owned())
}

/// The same offer with every m-line `recvonly`: said once for all, before the first.
fn as_receiver(sdp: &str) -> String {
    let mut text = String::with_capacity(sdp.len() + 16);
    let mut is_said = false;
    for line in sdp.lines().map(str::trim_end) {
        if line.starts_with("m=") && !is_said {
            text.push_str("a=recvonly\r\n");
            is_said = true;
        }
        if !matches!(line, "a=sendrecv" | "a=recvonly") {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    text
}

/// The same offer with every m-line of a picture `inactive`.
fn without_picture(sdp: &str) -> String {
    let mut text = String::with_capacity(sdp.len() + 16);
    let mut is_picture = false;
    for line in sdp.lines().map(str::trim_end) {
        let is_direction = matches!(line, "a=sendrecv" | "a=recvonly");
        if line.starts_with("m=") {
            is_picture = line.starts_with("m=video");
        }
        if !(is_picture && is_direction) {
            text.push_str(line);
            text.push_str("\r\n");
        }
        if is_picture && line.starts_with("m=") {
            text.push_str("a=inactive\r\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FFMPEG: &str =
        include_str!("../../../../tests/fixtures/offers/ffmpeg-9.0.2-whip-active.sdp");
    const PASSIVE: &str =
        include_str!("../../../../tests/fixtures/offers/ffmpeg-9.0.2-whip-passive.sdp");
    const AIORTC: &str = include_str!("../../../../tests/fixtures/offers/aiortc-1.16-view.sdp");
    const SEATS: &str = include_str!("../../../../tests/fixtures/offers/chromium-156-seats-8.sdp");

    fn accepted(sdp: &str) -> Accepted {
        let (sdp, publishes) = (sdp.to_owned(), Vec::new());
        Accepted {
            sdp,
            publishes,
            seats: 1,
            hears: false,
            decodes: Vec::new(),
        }
    }

    #[test]
    fn a_publisher_sends_one_of_each_kind() {
        let expected = Accepted {
            publishes: vec![
                (Source::Microphone, "0".to_owned()),
                (Source::Camera, "1".to_owned()),
            ],
            seats: 0,
            ..accepted(FFMPEG)
        };
        assert_eq!(check(Way::Whip, FFMPEG), Ok(expected));
        let both = FFMPEG.replace("sendonly", "sendrecv");
        assert!(check(Way::Whip, &both).is_ok());
    }

    #[test]
    fn what_cannot_be_had_in_full_is_refused() {
        let direction = |way| FFMPEG.replace("a=sendonly", way);
        let two = FFMPEG.replace(
            "m=video 9 UDP/TLS/RTP/SAVPF 106 105",
            "m=audio 9 UDP/TLS/RTP/SAVPF 106 105",
        );
        let two = two.replace("H264/90000", "opus/48000/2");
        for (way, sdp, kind) in [
            (Way::Whip, "not sdp".to_owned(), "malformed"),
            (
                Way::Whip,
                FFMPEG.replace("a=fingerprint", "a=x"),
                "malformed",
            ),
            (Way::Whip, direction("a=recvonly"), "unacceptable"),
            (Way::Whip, direction("a=inactive"), "unacceptable"),
            (Way::Whip, two, "unacceptable"),
            (Way::Whip, PASSIVE.to_owned(), "unacceptable"),
            (
                Way::Whip,
                FFMPEG.replace("H264/90000", "H265/90000"),
                "codec",
            ),
            (Way::Whep, direction("a=sendonly"), "unacceptable"),
            (Way::Whep, direction("a=inactive"), "unacceptable"),
            (Way::Whep, SEATS.to_owned(), "unacceptable"),
        ] {
            let refused = check(way, &sdp).unwrap_err();
            let is_right = match &refused {
                Refused::Malformed(_) => kind == "malformed",
                Refused::Unacceptable(_) => kind == "unacceptable",
                Refused::NoCodec(_) => kind == "codec",
            };
            assert!(is_right, "{refused:?} is not {kind}");
        }
    }

    #[test]
    fn an_offer_can_be_read_without_its_picture() {
        let session = FFMPEG
            .replace("a=sendonly\r\n", "")
            .replace("m=audio", "a=recvonly\r\nm=audio");
        for sdp in [FFMPEG.replace("a=sendonly", "a=recvonly"), session] {
            let accepted = check(Way::Whep, &sdp).unwrap();
            assert_eq!(
                (accepted.seats, &accepted.decodes[..]),
                (1, &[Codec::H264][..])
            );
            let lines = outline(&accepted.without_picture().sdp).unwrap();
            let receives: Vec<_> = lines
                .iter()
                .map(|line| (line.kind, line.receives))
                .collect();
            let expected = [(Ok(MediaKind::Audio), true), (Ok(MediaKind::Video), false)];
            assert_eq!(receives, expected);
        }
    }

    #[test]
    fn a_viewer_who_would_send_too_only_receives() {
        for sdp in [
            FFMPEG.replace("a=sendonly", "a=recvonly"),
            FFMPEG.replace("a=sendonly", "a=sendrecv"),
            FFMPEG.replace("a=sendonly", "a=x"),
        ] {
            let accepted = check(Way::Whep, &sdp).unwrap();
            assert_eq!(accepted.seats, 1);
            let lines = outline(&accepted.sdp).unwrap();
            assert!(lines.iter().all(|line| line.receives && !line.sends));
        }
        assert!(check(Way::Whep, AIORTC).is_ok());
    }
}

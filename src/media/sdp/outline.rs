//! What an offer asks for, line by line, before anybody answers it.

use super::answer::Offer;
use super::error::{AnswerError, Refusal};
use crate::logic::forward::codec::{Codec, MediaKind};

/// One m-line of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlinedLine {
    /// Its name; empty if it has none.
    pub mid: String,
    /// What it carries, or why it would be answered with port 0.
    pub kind: Result<MediaKind, Refusal>,
    /// In which codecs.
    pub codecs: Vec<Codec>,
    /// The client sends on it.
    pub sends: bool,
    /// The client receives on it.
    pub receives: bool,
}

/// The m-lines of an offer in its order.
///
/// # Errors
/// What makes the whole offer unanswerable, too many seats aside.
pub fn outline(offer: &str) -> Result<Vec<OutlinedLine>, AnswerError> {
    let offer = Offer::read(offer)?;
    let lines = offer.lines.iter().map(|line| {
        let direction = line.usable.as_ref().map(|usable| usable.direction);
        OutlinedLine {
            mid: line.mid.to_owned(),
            kind: line
                .usable
                .as_ref()
                .map(|usable| usable.kind)
                .map_err(|why| *why),
            codecs: line.usable.as_ref().map_or_else(
                |_| Vec::new(),
                |usable| usable.payload_types().codecs().collect(),
            ),
            sends: direction.is_ok_and(|direction| direction.sends()),
            receives: direction.is_ok_and(|direction| direction.receives()),
        }
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_line_is_told_with_its_direction() {
        let ffmpeg = include_str!("../../../tests/fixtures/offers/ffmpeg-9.0.2-whip-active.sdp");
        let told = |offer: &str| -> Vec<(String, Result<MediaKind, Refusal>, bool, bool)> {
            let lines = outline(offer).unwrap().into_iter();
            lines
                .map(|line| (line.mid, line.kind, line.sends, line.receives))
                .collect()
        };
        let audio = ("0".to_owned(), Ok(MediaKind::Audio), true, false);
        let video = ("1".to_owned(), Ok(MediaKind::Video), true, false);
        assert_eq!(told(ffmpeg), [audio.clone(), video]);
        let without = ffmpeg.replace("H264/90000", "H265/90000");
        let refused = ("1".to_owned(), Err(Refusal::NoCodec), false, false);
        assert_eq!(told(&without), [audio, refused]);
        let both = ffmpeg.replace("a=sendonly", "a=sendrecv");
        assert!(told(&both).iter().all(|line| line.2 && line.3));
    }
}

//! Which m-line and simulcast layer an SSRC belongs to.
//!
//! Browsers name a stream by mid and rid extensions only until the first receiver report, so what
//! was once learnt is kept through every later offer (RFC 9143 §9.2, RFC 8852).

use crate::logic::forward::codec::{PayloadMeaning, PayloadTypes};
use crate::media::sdp::{Line, Negotiated, PublishLine};

/// SSRCs remembered per connection. When full, the one learnt first is forgotten.
const SSRCS_MAX: usize = 64;

/// What a received SSRC is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The m-line, by its place in the offer.
    pub line: usize,
    /// The simulcast layer, by its place among the line's rids; 0 without simulcast.
    pub layer: u8,
    /// It carries retransmissions of the layer.
    pub rtx: bool,
}

/// What a packet says of itself, besides its SSRC.
#[derive(Debug, Clone, Copy, Default)]
pub struct Labels<'a> {
    /// The mid extension.
    pub mid: Option<&'a [u8]>,
    /// The rid extension.
    pub rid: Option<&'a [u8]>,
    /// The repaired-rid extension.
    pub repaired_rid: Option<&'a [u8]>,
    /// The payload type.
    pub payload_type: u8,
}

/// The received SSRCs of one connection.
#[derive(Debug, Default)]
pub struct Bindings {
    known: Vec<(u32, Binding)>,
}

impl Bindings {
    /// What is known of an SSRC.
    pub fn get(&self, ssrc: u32) -> Option<Binding> {
        self.known
            .iter()
            .find(|(known, _)| *known == ssrc)
            .map(|&(_, binding)| binding)
    }

    /// Learns what an unknown SSRC is, from its labels, from the SSRCs that the offer names, or
    /// from a payload type that only one line has. `None`: nothing tells.
    pub fn learn(
        &mut self,
        ssrc: u32,
        labels: Labels<'_>,
        negotiated: &Negotiated,
    ) -> Option<Binding> {
        let binding = by_labels(labels, negotiated)
            .or_else(|| self.by_offer(ssrc, negotiated))
            .or_else(|| {
                // A mid that says something else is not overruled by a guess.
                let unnamed = labels.mid.is_none();
                unnamed.then(|| by_payload_type(labels.payload_type, negotiated))?
            })?;
        if self.known.len() == SSRCS_MAX {
            self.known.remove(0);
        }
        self.known.push((ssrc, binding));
        Some(binding)
    }

    /// Forgets the SSRCs of lines that were stopped: their places may go to other lines.
    pub fn keep_lines(&mut self, negotiated: &Negotiated) {
        let lines = &negotiated.lines;
        let is_line = |binding: &Binding| matches!(lines.get(binding.line), Some(Line::Publish(_)));
        self.known.retain(|(_, binding)| is_line(binding));
    }

    /// The offer names it as a stream of a line without simulcast, or (Firefox) as the
    /// retransmissions of a layer whose media SSRC is known.
    fn by_offer(&self, ssrc: u32, negotiated: &Negotiated) -> Option<Binding> {
        publish_lines(negotiated).find_map(|(index, line)| {
            let position = line
                .streams
                .iter()
                .position(|s| s.media == ssrc || s.rtx == Some(ssrc))?;
            let stream = line.streams[position];
            let rtx = stream.rtx == Some(ssrc);
            let layer = match self.get(stream.media) {
                Some(media) if rtx => media.layer,
                _ if line.rids.is_empty() => 0,
                // One stream per layer, in the order of the layers.
                _ if line.rids.len() == line.streams.len() => position as u8,
                _ => return None,
            };
            Some(Binding {
                line: index,
                layer,
                rtx,
            })
        })
    }
}

fn by_labels(labels: Labels<'_>, negotiated: &Negotiated) -> Option<Binding> {
    let mid = labels.mid?;
    let (index, line) = publish_lines(negotiated).find(|(_, line)| line.mid.as_bytes() == mid)?;
    let rtx = is_rtx(&line.payload_types, labels.payload_type);
    if line.rids.is_empty() {
        return Some(Binding {
            line: index,
            layer: 0,
            rtx,
        });
    }
    let rid = if rtx {
        labels.repaired_rid.or(labels.rid)
    } else {
        labels.rid
    }?;
    let layer = line.rids.iter().position(|known| known.as_bytes() == rid)?;
    Some(Binding {
        line: index,
        layer: layer as u8,
        rtx,
    })
}

fn by_payload_type(payload_type: u8, negotiated: &Negotiated) -> Option<Binding> {
    let mut lines = publish_lines(negotiated).filter(|(_, line)| {
        line.rids.is_empty() && line.payload_types.meaning(payload_type).is_some()
    });
    let (line, only) = lines.next()?;
    let rtx = is_rtx(&only.payload_types, payload_type);
    lines.next().is_none().then_some(Binding {
        line,
        layer: 0,
        rtx,
    })
}

fn is_rtx(payload_types: &PayloadTypes, payload_type: u8) -> bool {
    matches!(
        payload_types.meaning(payload_type),
        Some(PayloadMeaning::Rtx(_))
    )
}

fn publish_lines(negotiated: &Negotiated) -> impl Iterator<Item = (usize, &PublishLine)> {
    negotiated
        .lines
        .iter()
        .enumerate()
        .filter_map(|(index, line)| match line {
            Line::Publish(line) if line.active => Some((index, line)),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::media::sdp::{LocalSide, answer};

    const FIREFOX: &str =
        include_str!("../../tests/fixtures/offers/firefox-esr-153-life-1-first.sdp");
    const CHROMIUM: &str =
        include_str!("../../tests/fixtures/offers/chromium-156-life-1-first.sdp");
    const GSTREAMER: &str = include_str!("../../tests/fixtures/offers/gstreamer-1.22-vp8.sdp");

    fn negotiated(offer: &str) -> Negotiated {
        let local = LocalSide {
            ufrag: "ufrag",
            password: "a password of many letters",
            fingerprint: "00",
            candidates: &[],
            tcp_candidates: &[],
            restarts: 0,
        };
        answer(offer, &local, None, &mut StdRng::seed_from_u64(1))
            .unwrap()
            .1
    }

    fn labels<'a>(
        mid: &'a str,
        rid: &'a str,
        repaired_rid: &'a str,
        payload_type: u8,
    ) -> Labels<'a> {
        let some = |text: &'a str| Some(text.as_bytes()).filter(|bytes| !bytes.is_empty());
        Labels {
            mid: some(mid),
            rid: some(rid),
            repaired_rid: some(repaired_rid),
            payload_type,
        }
    }

    fn binding(line: usize, layer: u8, rtx: bool) -> Option<Binding> {
        Some(Binding { line, layer, rtx })
    }

    #[test]
    fn the_extensions_say_which_line_and_layer() {
        let negotiated = negotiated(CHROMIUM);
        let cases = [
            (labels("0", "", "", 111), binding(0, 0, false)),
            (labels("1", "q", "", 96), binding(1, 0, false)),
            (labels("1", "f", "", 96), binding(1, 2, false)),
            (labels("1", "", "h", 97), binding(1, 1, true)),
            (labels("2", "", "", 97), binding(2, 0, true)),
            (labels("1", "x", "", 96), None),
            (labels("1", "", "", 96), None),
            (labels("9", "", "", 96), None),
        ];
        for (index, (labels, expected)) in cases.into_iter().enumerate() {
            let mut bindings = Bindings::default();
            let ssrc = 1000 + index as u32;
            assert_eq!(
                bindings.learn(ssrc, labels, &negotiated),
                expected,
                "{labels:?}"
            );
            assert_eq!(bindings.get(ssrc), expected, "what was learnt is kept");
        }
    }

    #[test]
    fn retransmissions_of_a_layer_are_found_by_the_offers_groups() {
        let negotiated = negotiated(FIREFOX);
        let mut bindings = Bindings::default();
        let media = labels("1", "f", "", 120);
        assert_eq!(
            bindings.learn(956_818_574, media, &negotiated),
            binding(1, 2, false)
        );
        let unnamed = labels("", "", "", 124);
        assert_eq!(
            bindings.learn(3_402_676_868, unnamed, &negotiated),
            binding(1, 2, true)
        );
    }

    #[test]
    fn who_names_nothing_is_known_by_the_offer_or_by_a_payload_type_of_one_line() {
        let negotiated = negotiated(GSTREAMER);
        let lines: Vec<_> = publish_lines(&negotiated)
            .map(|(index, line)| (index, line.clone()))
            .collect();
        for (index, line) in lines {
            let codec = line.payload_types.codecs().next().unwrap();
            let payload_type = line.payload_types.media(codec).unwrap();
            let learnt =
                Bindings::default().learn(7, labels("", "", "", payload_type), &negotiated);
            assert_eq!(learnt, binding(index, 0, false));
        }
        assert_eq!(
            Bindings::default().learn(7, labels("", "", "", 5), &negotiated),
            None
        );
    }

    #[test]
    fn ffmpeg_names_its_streams_in_the_offer_alone() {
        let offer = include_str!("../../tests/fixtures/offers/ffmpeg-9.0.2-whip-active.sdp");
        let negotiated = negotiated(offer);
        let mut bindings = Bindings::default();
        for (ssrc, payload_type, expected) in [
            (562_520_849, 111, binding(0, 0, false)),
            (562_520_850, 106, binding(1, 0, false)),
            (562_520_851, 105, binding(1, 0, true)),
            (7, 106, binding(1, 0, false)),
            (8, 96, None),
        ] {
            let unnamed = labels("", "", "", payload_type);
            let learnt = bindings.learn(ssrc, unnamed, &negotiated);
            assert_eq!(learnt, expected, "{ssrc}");
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let negotiated = negotiated(CHROMIUM);
        let mut bindings = Bindings::default();
        for ssrc in 0..=SSRCS_MAX as u32 {
            bindings.learn(ssrc, labels("0", "", "", 111), &negotiated);
        }
        assert_eq!(bindings.known.len(), SSRCS_MAX);
        assert_eq!(bindings.get(0), None, "the one learnt first gave way");
    }
}

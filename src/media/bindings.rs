//! Which m-line and simulcast layer an SSRC belongs to.
//!
//! Browsers name a stream by mid and rid extensions only until the first receiver report, so what
//! was once learnt is kept through every later offer (RFC 9143 §9.2, RFC 8852).

use crate::logic::forward::codec::{PayloadMeaning, PayloadTypes};
use crate::media::sdp::{Negotiated, PublishLine};

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

    /// The SSRCs that carry retransmissions of a layer.
    pub fn ssrc_of(&self, wanted: Binding) -> Option<u32> {
        self.known
            .iter()
            .rev()
            .find(|(_, binding)| *binding == wanted)
            .map(|&(ssrc, _)| ssrc)
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
            .or_else(|| by_payload_type(labels.payload_type, negotiated))?;
        if self.known.len() == SSRCS_MAX {
            self.known.remove(0);
        }
        self.known.push((ssrc, binding));
        Some(binding)
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
            crate::media::sdp::Line::Publish(line) if line.active => Some((index, line)),
            _ => None,
        })
}

//! One incoming packet: a borrowed view of its header, and the facts about it that every leg shares.

use super::codec::Codec;
use super::extension::{Extension, ExtensionIds};
use super::keyframe;
use super::timestamp::SenderClock;
use super::vp8::Vp8Descriptor;

/// Bytes of the fixed header (RFC 3550 §5.1).
pub(super) const FIXED_HEADER: usize = 12;
/// `defined by profile` of one-byte extensions (RFC 8285 §4.2).
pub(super) const ONE_BYTE_PROFILE: u16 = 0xBEDE;
/// `defined by profile` of two-byte extensions (RFC 8285 §4.3), with its `appbits` at zero.
pub(super) const TWO_BYTE_PROFILE: u16 = 0x1000;
/// Id that ends the parsing of one-byte extensions (RFC 8285 §4.2).
const STOP_ID: u8 = 15;

/// A track that someone publishes, as its room numbers them. A track whose sequence numbers start
/// anew (a new SSRC) is a new one; a number is never used again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u32);

/// An RTP packet (RFC 3550 §5.1) in the buffer it came in, already decrypted.
#[derive(Debug, Clone, Copy)]
pub struct RtpView<'a> {
    /// What the payload is, by the sender's numbering.
    pub payload_type: u8,
    /// The last packet of a picture, or the first of a talk spurt.
    pub marker: bool,
    /// Counts the packets of an SSRC.
    pub sequence: u16,
    /// When the payload was captured, in the codec's clock.
    pub timestamp: u32,
    /// Which stream of the sender.
    pub ssrc: u32,
    /// What is sent, without padding; empty in a packet of padding alone.
    pub payload: &'a [u8],
    /// Bytes before the payload.
    pub header_len: usize,
    extensions: ExtensionBlock<'a>,
}

#[derive(Debug, Clone, Copy)]
enum ExtensionBlock<'a> {
    OneByte(&'a [u8]),
    TwoByte(&'a [u8]),
}

impl<'a> RtpView<'a> {
    /// Reads the header; `None` if the packet is not version 2 or shorter than it says.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        let fixed: &[u8; FIXED_HEADER] = packet.first_chunk()?;
        if fixed[0] >> 6 != 2 {
            return None;
        }
        let after_sources = FIXED_HEADER + 4 * usize::from(fixed[0] & 0x0f);
        let (extensions, header_len) = if fixed[0] & 0x10 != 0 {
            extension_block(packet, after_sources)?
        } else {
            (ExtensionBlock::OneByte(&[]), after_sources)
        };
        let payload_end = if fixed[0] & 0x20 != 0 {
            packet.len().checked_sub(padding(packet)?)?
        } else {
            packet.len()
        };
        Some(Self {
            payload_type: fixed[1] & 0x7f,
            marker: fixed[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload: packet.get(header_len..payload_end)?,
            header_len,
            extensions,
        })
    }

    /// The header extensions in their order, by the sender's ids. Ends early at one that is cut off.
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions(self.extensions)
    }

    /// The value of the first extension with this id.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.extensions()
            .find(|&(found, _)| found == id)
            .map(|(_, value)| value)
    }
}

fn extension_block(packet: &[u8], at: usize) -> Option<(ExtensionBlock<'_>, usize)> {
    let head: &[u8; 4] = packet.get(at..)?.first_chunk()?;
    let body = at + 4;
    let end = body + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
    let bytes = packet.get(body..end)?;
    let block = match u16::from_be_bytes([head[0], head[1]]) {
        ONE_BYTE_PROFILE => ExtensionBlock::OneByte(bytes),
        // The low four bits are for the application (RFC 8285 §4.3).
        profile if profile & 0xfff0 == TWO_BYTE_PROFILE => ExtensionBlock::TwoByte(bytes),
        _ => ExtensionBlock::OneByte(&[]),
    };
    Some((block, end))
}

/// The last byte counts the padding, itself included (RFC 3550 §5.1).
fn padding(packet: &[u8]) -> Option<usize> {
    packet
        .last()
        .map(|&count| usize::from(count))
        .filter(|&count| count > 0)
}

/// The header extensions of one packet: see [`RtpView::extensions`].
#[derive(Debug, Clone, Copy)]
pub struct Extensions<'a>(ExtensionBlock<'a>);

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (id, value, rest) = match self.0 {
                ExtensionBlock::OneByte(bytes) => {
                    let (&head, rest) = bytes.split_first()?;
                    if head == 0 {
                        self.0 = ExtensionBlock::OneByte(rest);
                        continue;
                    }
                    let (id, length) = (head >> 4, usize::from(head & 0x0f) + 1);
                    if id == STOP_ID {
                        return None;
                    }
                    let (value, rest) = rest.split_at_checked(length)?;
                    (id, value, ExtensionBlock::OneByte(rest))
                }
                ExtensionBlock::TwoByte(bytes) => {
                    let (&id, rest) = bytes.split_first()?;
                    if id == 0 {
                        self.0 = ExtensionBlock::TwoByte(rest);
                        continue;
                    }
                    let (&length, rest) = rest.split_first()?;
                    let (value, rest) = rest.split_at_checked(usize::from(length))?;
                    (id, value, ExtensionBlock::TwoByte(rest))
                }
            };
            self.0 = rest;
            return Some((id, value));
        }
    }
}

/// Where a packet belongs, as its receiver knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The track.
    pub track: TrackId,
    /// The simulcast layer: 0 is the lowest; 0 for a track without layers, and for audio.
    pub layer: u8,
    /// What the payload type stands for.
    pub codec: Codec,
    /// The sequence number, extended to 64 bits by the receiving side of this layer.
    pub sequence: u64,
    /// The latest sender report of this layer, if any came yet.
    pub clock: Option<SenderClock>,
}

/// What is known about one packet: gathered once, read by every leg of the track.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Where it belongs.
    pub origin: Origin,
    /// The publisher's timestamp.
    pub timestamp: u32,
    /// The publisher's marker.
    pub marker: bool,
    /// The payload, without padding.
    pub payload: &'a [u8],
    /// A decoder can start here.
    pub starts_key_frame: bool,
    /// The VP8 payload descriptor, if it is VP8.
    pub vp8: Option<Vp8Descriptor>,
    /// Height of the picture in pixels, where a key frame says it (VP8).
    pub height: Option<u16>,
    extensions: [Option<&'a [u8]>; Extension::ALL.len()],
}

impl<'a> Facts<'a> {
    /// Gathers the facts about a packet; `ids` are those of the publisher's m-line.
    ///
    /// ```
    /// # use motet::logic::forward::{codec::Codec, extension::ExtensionIds};
    /// # use motet::logic::forward::packet::{Facts, Origin, RtpView, TrackId};
    /// let packet = [0x80, 111, 0, 7, 0, 0, 3, 192, 0, 0, 0, 1, 0xfc];
    /// let view = RtpView::parse(&packet).unwrap();
    /// let origin = Origin { track: TrackId(1), layer: 0, codec: Codec::Opus, sequence: 7, clock: None };
    /// let facts = Facts::gather(&view, origin, &ExtensionIds::default());
    /// assert_eq!((facts.timestamp, facts.payload), (960, &[0xfc][..]));
    /// ```
    pub fn gather(view: &RtpView<'a>, origin: Origin, ids: &ExtensionIds) -> Self {
        let mut extensions = [None; Extension::ALL.len()];
        for (id, value) in view.extensions() {
            if let Some(meaning) = ids.meaning(id) {
                extensions[meaning as usize] = Some(value);
            }
        }
        let vp8 = match origin.codec {
            Codec::Vp8 => Vp8Descriptor::parse(view.payload),
            _ => None,
        };
        let starts_key_frame = keyframe::starts_key_frame(origin.codec, view.payload);
        Self {
            origin,
            timestamp: view.timestamp,
            marker: view.marker,
            payload: view.payload,
            starts_key_frame,
            vp8,
            height: match vp8 {
                Some(descriptor) if starts_key_frame => descriptor.height(view.payload),
                _ => None,
            },
            extensions,
        }
    }

    /// The value of a header extension, as the publisher sent it.
    pub fn extension(&self, extension: Extension) -> Option<&'a [u8]> {
        self.extensions[extension as usize]
    }

    /// How loud this packet is (RFC 6464): 0 is loudest, 127 silence.
    pub fn audio_level(&self) -> Option<u8> {
        let value = self.extension(Extension::AudioLevel)?;
        value.first().map(|byte| byte & 0x7f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::logic::forward::publisher::extension_ids;
    use crate::logic::forward::red;
    use crate::logic::forward::vp8::Vp8Patch;

    /// The first byte, what follows the fixed header; the payload.
    type Case<'a> = (u8, &'a [u8], Option<&'a [u8]>);
    /// An extension's id and value.
    type Found<'a> = (u8, &'a [u8]);

    const HEAD: [u8; 12] = [0x80, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = HEAD.to_vec();
        packet[0] = first;
        packet.extend_from_slice(rest);
        packet
    }

    #[test]
    fn a_plain_packet_is_read() {
        let bytes = packet(0x80, &[1, 2, 3]);
        let view = RtpView::parse(&bytes).unwrap();
        assert_eq!((view.payload_type, view.marker), (96, true));
        assert_eq!((view.sequence, view.timestamp, view.ssrc), (0x1234, 9, 7));
        assert_eq!((view.payload, view.header_len), (&[1, 2, 3][..], 12));
        assert_eq!(view.extensions().count(), 0);
    }

    #[test]
    fn sources_extensions_and_padding_are_no_payload() {
        let cases: &[Case<'_>] = &[
            (0x81, &[0, 0, 0, 1, 5], Some(&[5])),
            (0x82, &[0, 0, 0, 1, 5], None),
            (0xa0, &[5, 0, 0, 3], Some(&[5])),
            (0xa0, &[0, 0, 3], Some(&[])),
            (0xa0, &[5, 0, 0, 5], None),
            (0xa0, &[5, 0], None),
            (0xa0, &[], None),
            (0x90, &[0xbe, 0xde, 0, 1, 0x10, 1, 0, 0, 5], Some(&[5])),
            (0x90, &[0xbe, 0xde, 0, 2, 0x10, 1, 0, 0, 5], None),
            (0x90, &[0xbe, 0xde, 0], None),
            (0x90, &[0xab, 0xcd, 0, 1, 0x10, 1, 0, 0, 5], Some(&[5])),
            (0x40, &[5], None),
        ];
        for &(first, rest, payload) in cases {
            let bytes = packet(first, rest);
            let view = RtpView::parse(&bytes);
            assert_eq!(
                view.map(|view| view.payload),
                payload,
                "{first:02x} {rest:02x?}"
            );
        }
        assert!(RtpView::parse(&HEAD[..11]).is_none());
    }

    #[test]
    fn both_forms_of_extensions_are_read() {
        let one: &[u8] = &[0xbe, 0xde, 0, 2, 0x10, 7, 0, 0x31, 1, 2, 0, 0];
        let two: &[u8] = &[0x10, 0x05, 0, 2, 16, 1, 7, 0, 3, 2, 1, 2];
        let stopped: &[u8] = &[0xbe, 0xde, 0, 1, 0x10, 7, 0xf0, 0x30];
        let cut_off: &[u8] = &[0xbe, 0xde, 0, 1, 0x10, 7, 0x33, 1];
        let foreign: &[u8] = &[0xab, 0xcd, 0, 1, 0x10, 7, 0, 0];
        let cases: &[(&[u8], &[Found<'_>])] = &[
            (one, &[(1, &[7]), (3, &[1, 2])]),
            (two, &[(16, &[7]), (3, &[1, 2])]),
            (stopped, &[(1, &[7])]),
            (cut_off, &[(1, &[7])]),
            (foreign, &[]),
        ];
        for &(rest, expected) in cases {
            let bytes = packet(0x90, rest);
            let found: Vec<_> = RtpView::parse(&bytes).unwrap().extensions().collect();
            assert_eq!(found, expected, "{rest:02x?}");
        }
    }

    #[test]
    fn facts_know_extensions_by_meaning() {
        let mut ids = ExtensionIds::default();
        ids.set(Extension::AudioLevel, 1);
        ids.set(Extension::Mid, 4);
        let bytes = packet(0x90, &[0xbe, 0xde, 0, 1, 0x10, 0x80 | 30, 0x30, 1, 0xfc]);
        let origin = Origin {
            track: TrackId(1),
            layer: 0,
            codec: Codec::Opus,
            sequence: 7,
            clock: None,
        };
        let facts = Facts::gather(&RtpView::parse(&bytes).unwrap(), origin, &ids);
        assert_eq!(facts.audio_level(), Some(30));
        assert_eq!(facts.extension(Extension::Mid), None);
        assert!(facts.starts_key_frame && facts.vp8.is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Half of the cases have a sound fixed header, so that what follows is reached.
        #[test]
        fn no_bytes_do_harm(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..120),
            sound in any::<bool>(),
        ) {
            if let (true, Some(first)) = (sound, bytes.first_mut()) {
                *first = 0x80 | *first & 0x10;
            }
            let Some(view) = RtpView::parse(&bytes) else {
                return Ok(());
            };
            prop_assert!(view.header_len + view.payload.len() <= bytes.len());
            for codec in Codec::ALL {
                let origin = Origin { track: TrackId(1), layer: 0, codec, sequence: 0, clock: None };
                let facts = Facts::gather(&view, origin, &extension_ids());
                if let Some(at) = red::primary(facts.payload).map(|primary| primary.at) {
                    prop_assert!(usize::from(at) <= facts.payload.len());
                }
                if let Some(descriptor) = facts.vp8 {
                    let mut copy = facts.payload.to_vec();
                    Vp8Patch::default().apply(&descriptor, &mut copy);
                    prop_assert_eq!(copy.len(), facts.payload.len());
                }
            }
        }
    }
}

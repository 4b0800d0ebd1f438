//! Writes outgoing packets: the viewer's header in front of the publisher's payload.

use super::extension::{Extension, ExtensionIds};
use super::leg::{LegConfig, Outgoing, Resend};
use super::packet::{FIXED_HEADER, Facts, ONE_BYTE_PROFILE, TWO_BYTE_PROFILE};

/// Highest id that one-byte extensions can have (RFC 8285 §4.2).
const ONE_BYTE_ID_MAX: u8 = 14;
/// Extensions of the publisher that a viewer gets too. The others are about the publisher's own
/// connection.
const PASSED_ON: [Extension; 3] = [
    Extension::AudioLevel,
    Extension::AbsCaptureTime,
    Extension::DependencyDescriptor,
];
/// Of the capture time the timestamp alone is passed on: the offset after it is between the clocks of
/// the publisher's capture and of its reports, and a viewer gets reports by the node's clock.
const CAPTURE_TIMESTAMP: usize = 8;
const MOST_EXTENSIONS: usize = PASSED_ON.len() + 3;

/// What is written anew into every packet that leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp<'a> {
    /// The packet's number among all that the connection sends.
    pub transport_sequence: Option<u16>,
    /// When it leaves: the low 24 bits of 6.18 fixed-point seconds.
    pub abs_send_time: Option<u32>,
    /// The m-line, for receivers that cannot know the SSRC.
    pub mid: Option<&'a [u8]>,
}

/// Appends the outgoing form of a packet to `out`, and returns the length of its header.
pub fn write(
    out: &mut Vec<u8>,
    config: &LegConfig,
    outgoing: &Outgoing,
    facts: &Facts<'_>,
    stamp: &Stamp<'_>,
) -> usize {
    let header = Header {
        payload_type: outgoing.payload_type,
        marker: outgoing.marker,
        sequence: outgoing.sequence as u16,
        timestamp: outgoing.timestamp,
        ssrc: config.ssrc,
    };
    let header_len = header.write(out, config, facts, stamp);
    write_payload(out, outgoing, facts);
    header_len
}

/// Appends a retransmission (RFC 4588 §4) to `out`, and returns the length of its header. `facts`
/// are those of the publisher's packet that `resend` names. Nothing is written, and `None`
/// returned, if the leg has no SSRC for retransmissions.
pub fn write_rtx(
    out: &mut Vec<u8>,
    config: &LegConfig,
    resend: &Resend,
    facts: &Facts<'_>,
    stamp: &Stamp<'_>,
) -> Option<usize> {
    let header = Header {
        payload_type: resend.rtx_payload_type,
        marker: resend.outgoing.marker,
        sequence: resend.rtx_sequence as u16,
        timestamp: resend.outgoing.timestamp,
        ssrc: config.rtx_ssrc?,
    };
    let header_len = header.write(out, config, facts, stamp);
    // The original sequence number, before the original payload (RFC 4588 §4).
    out.extend_from_slice(&(resend.outgoing.sequence as u16).to_be_bytes());
    write_payload(out, &resend.outgoing, facts);
    Some(header_len)
}

fn write_payload(out: &mut Vec<u8>, outgoing: &Outgoing, facts: &Facts<'_>) {
    let start = out.len();
    let payload = facts.payload.get(usize::from(outgoing.payload_at)..);
    out.extend_from_slice(payload.unwrap_or_default());
    if let Some(descriptor) = &facts.vp8 {
        outgoing.vp8.apply(descriptor, &mut out[start..]);
    }
}

struct Header {
    payload_type: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
}

impl Header {
    fn write(
        &self,
        out: &mut Vec<u8>,
        config: &LegConfig,
        facts: &Facts<'_>,
        stamp: &Stamp<'_>,
    ) -> usize {
        let start = out.len();
        let transport_sequence = stamp.transport_sequence.map(u16::to_be_bytes);
        let send_time = stamp.abs_send_time.map(u32::to_be_bytes);
        let mut list = ExtensionList::new(&config.extensions);
        if let Some(bytes) = &transport_sequence {
            list.add(Extension::TransportSequence, bytes);
        }
        if let Some(bytes) = &send_time {
            list.add(Extension::AbsSendTime, &bytes[1..]);
        }
        if let Some(mid) = stamp.mid {
            list.add(Extension::Mid, mid);
        }
        for extension in PASSED_ON {
            let value = match facts.extension(extension) {
                Some(value) if extension == Extension::AbsCaptureTime => {
                    value.get(..CAPTURE_TIMESTAMP)
                }
                value => value,
            };
            if let Some(value) = value {
                list.add(extension, value);
            }
        }
        out.extend_from_slice(&self.fixed(list.count > 0));
        list.write(out);
        out.len() - start
    }

    fn fixed(&self, extended: bool) -> [u8; FIXED_HEADER] {
        let mut bytes = [0; FIXED_HEADER];
        bytes[0] = 0x80 | u8::from(extended) << 4;
        bytes[1] = self.payload_type & 0x7f | u8::from(self.marker) << 7;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// The extensions of one packet, before the form that fits them all is known.
struct ExtensionList<'a> {
    ids: &'a ExtensionIds,
    entries: [(u8, &'a [u8]); MOST_EXTENSIONS],
    count: usize,
    /// One does not fit the one-byte form (RFC 8285 §4.2).
    two_byte: bool,
}

impl<'a> ExtensionList<'a> {
    fn new(ids: &'a ExtensionIds) -> Self {
        Self {
            ids,
            entries: [(0, &[]); MOST_EXTENSIONS],
            count: 0,
            two_byte: false,
        }
    }

    /// Adds one, unless the viewer does not know it or it is longer than any form can say.
    fn add(&mut self, extension: Extension, value: &'a [u8]) {
        let known = self.ids.get(extension).filter(|_| value.len() <= 255);
        if let (Some(id), Some(entry)) = (known, self.entries.get_mut(self.count)) {
            *entry = (id, value);
            self.count += 1;
            self.two_byte |= id > ONE_BYTE_ID_MAX || !(1..=16).contains(&value.len());
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        let profile = if self.two_byte {
            TWO_BYTE_PROFILE
        } else {
            ONE_BYTE_PROFILE
        };
        out.extend_from_slice(&profile.to_be_bytes());
        let length_at = out.len();
        out.extend_from_slice(&[0; 2]);
        for (id, value) in &self.entries[..self.count] {
            let length = value.len() as u8;
            if self.two_byte {
                out.extend_from_slice(&[*id, length]);
            } else {
                out.push(id << 4 | (length - 1));
            }
            out.extend_from_slice(value);
        }
        let bytes = out.len() - length_at - 2;
        let words = bytes.div_ceil(4);
        out.resize(out.len() + words * 4 - bytes, 0);
        out[length_at..length_at + 2].copy_from_slice(&(words as u16).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rtc_shared::marshal::Unmarshal;
    use rtp::Packet;

    use super::*;
    use crate::logic::forward::codec::{Codec, MediaKind, PayloadTypes};
    use crate::logic::forward::packet::{Origin, RtpView, TrackId};
    use crate::logic::forward::vp8::Vp8Patch;

    const DESCRIPTOR: [u8; 40] = [7; 40];

    fn ids(first: u8) -> ExtensionIds {
        let mut ids = ExtensionIds::default();
        for (index, extension) in Extension::ALL.into_iter().enumerate() {
            ids.set(extension, first + index as u8);
        }
        ids
    }

    fn config(first_id: u8) -> LegConfig {
        LegConfig {
            kind: MediaKind::Video,
            ssrc: 0x0102_0304,
            rtx_ssrc: Some(0x0506_0708),
            payload_types: PayloadTypes::default(),
            extensions: ids(first_id),
        }
    }

    /// A publisher's packet with these extensions (two-byte form, ids from 1).
    fn published(extensions: &[(Extension, &[u8])], payload: &[u8]) -> Vec<u8> {
        let mut block = Vec::new();
        for (extension, value) in extensions {
            let id = ids(1).get(*extension).unwrap();
            block.extend_from_slice(&[id, value.len() as u8]);
            block.extend_from_slice(value);
        }
        block.resize(block.len().next_multiple_of(4), 0);
        let mut packet = vec![0x90, 100, 0, 9, 0, 0, 0, 9, 0, 0, 0, 9, 0x10, 0];
        packet.extend_from_slice(&(block.len() as u16 / 4).to_be_bytes());
        packet.extend_from_slice(&block);
        packet.extend_from_slice(payload);
        packet
    }

    fn facts(packet: &[u8]) -> Facts<'_> {
        let origin = Origin {
            track: TrackId(1),
            layer: 0,
            codec: Codec::Vp8,
            sequence: 9,
            clock: None,
        };
        Facts::gather(&RtpView::parse(packet).unwrap(), origin, &ids(1))
    }

    fn outgoing() -> Outgoing {
        Outgoing {
            payload_type: 120,
            marker: true,
            sequence: 0x1_fffe,
            timestamp: 0xdead_beef,
            vp8: Vp8Patch {
                picture_id: 0x1234,
                ..Vp8Patch::default()
            },
            payload_at: 0,
        }
    }

    fn read(packet: &[u8]) -> Packet {
        Packet::unmarshal(&mut bytes::Bytes::copy_from_slice(packet)).unwrap()
    }

    const STAMP: Stamp<'static> = Stamp {
        transport_sequence: Some(0xa1b2),
        abs_send_time: Some(0xff_0a0b0c),
        mid: None,
    };

    #[test]
    fn another_reader_finds_what_was_written() {
        let packet = published(
            &[
                (Extension::Mid, b"0"),
                (Extension::Rid, b"h"),
                (Extension::TransportSequence, &[9, 9]),
                (Extension::AudioLevel, &[1]),
                (Extension::AbsCaptureTime, &[3; 16]),
            ],
            &[0x90, 0x80, 0x81, 0x02, 0x10, 5],
        );
        let mut out = vec![0xee];
        let length = write(&mut out, &config(3), &outgoing(), &facts(&packet), &STAMP);
        let found = read(&out[1..]);
        let header = &found.header;
        assert_eq!((header.payload_type, header.marker), (120, true));
        assert_eq!((header.sequence_number, header.ssrc), (0xfffe, 0x0102_0304));
        assert_eq!(header.timestamp, 0xdead_beef);
        assert_eq!(header.extension_profile, ONE_BYTE_PROFILE);
        let of = |extension| header.get_extension(config(3).extensions.get(extension).unwrap());
        assert_eq!(
            of(Extension::TransportSequence).as_deref(),
            Some(&[0xa1, 0xb2][..])
        );
        assert_eq!(
            of(Extension::AbsSendTime).as_deref(),
            Some(&[0x0a, 0x0b, 0x0c][..])
        );
        assert_eq!(of(Extension::AudioLevel).as_deref(), Some(&[1][..]));
        // Without the offset to a clock that the viewer does not know.
        assert_eq!(of(Extension::AbsCaptureTime).as_deref(), Some(&[3; 8][..]));
        assert_eq!((of(Extension::Mid), of(Extension::Rid)), (None, None));
        assert_eq!(&found.payload[..], &[0x90, 0x80, 0x92, 0x34, 0x10, 5]);
        assert_eq!(&out[1 + length..], &found.payload[..]);
    }

    #[test]
    fn the_two_byte_form_is_used_where_one_byte_cannot_say_it() {
        let long: &[(Extension, &[u8])] = &[(Extension::DependencyDescriptor, &DESCRIPTOR)];
        let short: &[(Extension, &[u8])] = &[(Extension::DependencyDescriptor, &[7; 16])];
        let empty: &[(Extension, &[u8])] = &[(Extension::DependencyDescriptor, &[])];
        let cases = [
            (1, short, ONE_BYTE_PROFILE),
            (1, long, TWO_BYTE_PROFILE),
            (1, empty, TWO_BYTE_PROFILE),
            (16, short, TWO_BYTE_PROFILE),
        ];
        for (first_id, extensions, profile) in cases {
            let packet = published(extensions, &[0x10, 0]);
            let mut out = Vec::new();
            let config = config(first_id);
            write(&mut out, &config, &outgoing(), &facts(&packet), &STAMP);
            let found = read(&out);
            assert_eq!(found.header.extension_profile, profile);
            for (extension, value) in extensions {
                let id = config.extensions.get(*extension).unwrap();
                assert_eq!(found.header.get_extension(id).as_deref(), Some(*value));
            }
            let own = RtpView::parse(&out).unwrap();
            assert_eq!(
                (own.payload, own.header_len),
                (&[0x10, 0][..], out.len() - 2)
            );
        }
    }

    #[test]
    fn a_viewer_without_extensions_gets_none() {
        let packet = published(&[(Extension::AudioLevel, &[1])], &[0x10, 0]);
        let bare = LegConfig {
            extensions: ExtensionIds::default(),
            ..config(1)
        };
        let mut out = Vec::new();
        assert_eq!(
            write(&mut out, &bare, &outgoing(), &facts(&packet), &STAMP),
            12
        );
        assert!(!read(&out).header.extension);
    }

    #[test]
    fn the_mid_is_written_when_asked() {
        let packet = published(&[], &[0x10, 0]);
        let stamp = Stamp {
            mid: Some(b"seat"),
            ..Stamp::default()
        };
        let mut out = Vec::new();
        write(&mut out, &config(1), &outgoing(), &facts(&packet), &stamp);
        let id = config(1).extensions.get(Extension::Mid).unwrap();
        assert_eq!(
            read(&out).header.get_extension(id).as_deref(),
            Some(&b"seat"[..])
        );
    }

    #[test]
    fn part_of_a_payload_can_be_left_out() {
        let packet = published(&[], &[111, 8, 9]);
        let mut facts = facts(&packet);
        facts.vp8 = None;
        let out_of_red = Outgoing {
            payload_at: 1,
            ..outgoing()
        };
        let mut out = Vec::new();
        write(&mut out, &config(1), &out_of_red, &facts, &Stamp::default());
        assert_eq!(&read(&out).payload[..], &[8, 9]);
    }

    #[test]
    fn a_retransmission_carries_the_number_of_what_was_lost() {
        let packet = published(&[], &[0x90, 0x80, 0x81, 0x02, 0x11]);
        let resend = Resend {
            track: TrackId(1),
            layer: 0,
            sequence: 9,
            outgoing: outgoing(),
            rtx_payload_type: 121,
            rtx_sequence: 0x7_0003,
        };
        let mut out = Vec::new();
        let length = write_rtx(&mut out, &config(1), &resend, &facts(&packet), &STAMP).unwrap();
        let found = read(&out);
        assert_eq!(
            (found.header.payload_type, found.header.sequence_number),
            (121, 3)
        );
        assert_eq!(
            (found.header.ssrc, found.header.timestamp),
            (0x0506_0708, 0xdead_beef)
        );
        assert_eq!(
            &found.payload[..],
            &[0xff, 0xfe, 0x90, 0x80, 0x92, 0x34, 0x11]
        );
        assert_eq!(out.len() - length, found.payload.len());
        let without = LegConfig {
            rtx_ssrc: None,
            ..config(1)
        };
        out.clear();
        assert_eq!(
            write_rtx(&mut out, &without, &resend, &facts(&packet), &STAMP),
            None
        );
        assert!(out.is_empty());
    }
}

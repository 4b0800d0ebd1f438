//! Writes outgoing packets: the viewer's header in front of the publisher's payload.

use super::extension::Extension;
use super::leg::{LegConfig, Outgoing, Resend};
use super::packet::{FIXED_HEADER, Facts, ONE_BYTE_PROFILE, TWO_BYTE_PROFILE};

/// Highest id that one-byte extensions can have (RFC 8285 §4.2).
const ONE_BYTE_ID_MAX: u8 = 14;
/// Octets of the original sequence number in front of a retransmitted payload (RFC 4588 §4).
const OSN: usize = 2;
/// Extensions of the publisher that a viewer gets too. The others are about the publisher's own
/// connection.
const PASSED_ON: [Extension; 5] = [
    Extension::AudioLevel,
    Extension::VideoOrientation,
    Extension::AbsCaptureTime,
    Extension::DependencyDescriptor,
    Extension::PlayoutDelay,
];
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
    out.reserve(OSN);
    let header_len = header.write(out, config, facts, stamp);
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
        let mut list = ExtensionList::default();
        let mut add = |extension, value: Option<&[u8]>| {
            if let (Some(id), Some(value)) = (config.extensions.get(extension), value) {
                list.add(id, value);
            }
        };
        add(
            Extension::TransportSequence,
            transport_sequence.as_ref().map(<[u8; 2]>::as_slice),
        );
        add(
            Extension::AbsSendTime,
            send_time.as_ref().map(|bytes| &bytes[1..]),
        );
        add(Extension::Mid, stamp.mid);
        for extension in PASSED_ON {
            add(extension, facts.extension(extension));
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
#[derive(Default)]
struct ExtensionList<'a> {
    entries: [(u8, &'a [u8]); MOST_EXTENSIONS],
    count: usize,
    /// One does not fit the one-byte form (RFC 8285 §4.2).
    two_byte: bool,
}

impl<'a> ExtensionList<'a> {
    /// Adds one, unless it is longer than any form can say.
    fn add(&mut self, id: u8, value: &'a [u8]) {
        if let (Some(entry), true) = (self.entries.get_mut(self.count), value.len() <= 255) {
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

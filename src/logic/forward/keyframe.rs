//! Where a decoder can start: key frames told from their first packet.

use super::codec::Codec;
use super::vp8::Vp8Descriptor;

/// Whether this payload is the first of a key frame, or of the parameter sets right before one.
/// Every packet of audio is such a start.
pub fn starts_key_frame(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus | Codec::Red => true,
        Codec::Vp8 => {
            Vp8Descriptor::parse(payload).is_some_and(|found| found.starts_key_frame(payload))
        }
        Codec::Vp9 => vp9(payload).unwrap_or(false),
        Codec::H264 | Codec::H264Main | Codec::H264High => h264(payload).unwrap_or(false),
        Codec::Av1 => av1(payload).unwrap_or(false),
    }
}

/// RFC 9628 §4.2: the beginning (`B`) of a picture that is not inter-predicted (`P`), in the lowest
/// spatial layer.
fn vp9(payload: &[u8]) -> Option<bool> {
    let mut bytes = payload.iter().copied();
    let flags = bytes.next()?;
    let (has_picture_id, predicted) = (flags & 0x80 != 0, flags & 0x40 != 0);
    let (has_layers, begins) = (flags & 0x20 != 0, flags & 0x08 != 0);
    if predicted || !begins {
        return Some(false);
    }
    if has_picture_id && bytes.next()? & 0x80 != 0 {
        bytes.next()?;
    }
    let spatial = if has_layers {
        (bytes.next()? >> 1) & 7
    } else {
        0
    };
    Some(spatial == 0)
}

const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_STAP_A: u8 = 24;
const NAL_FU_A: u8 = 28;

/// RFC 6184 §5.4: a single unit, an aggregate or the first fragment of one.
fn h264(payload: &[u8]) -> Option<bool> {
    let (&head, body) = payload.split_first()?;
    match head & 0x1f {
        NAL_STAP_A => Some(aggregate_has_start(body)),
        NAL_FU_A => {
            let (&fragment, slice) = body.split_first()?;
            Some(fragment & 0x80 != 0 && unit_is_start(fragment & 0x1f, slice))
        }
        kind => Some(unit_is_start(kind, body)),
    }
}

/// RFC 6184 §5.7.1: units behind 16-bit lengths.
fn aggregate_has_start(mut body: &[u8]) -> bool {
    while let Some((length, rest)) = body.split_first_chunk::<2>() {
        let Some((unit, rest)) = rest.split_at_checked(u16::from_be_bytes(*length).into()) else {
            return false;
        };
        let Some((&head, slice)) = unit.split_first() else {
            return false;
        };
        if unit_is_start(head & 0x1f, slice) {
            return true;
        }
        body = rest;
    }
    false
}

/// A sequence parameter set, or the first slice of an IDR picture: its `first_mb_in_slice` is 0,
/// which Exp-Golomb writes as a single one bit.
fn unit_is_start(kind: u8, body: &[u8]) -> bool {
    match kind {
        NAL_SPS => true,
        NAL_IDR => body.first().is_some_and(|byte| byte & 0x80 != 0),
        _ => false,
    }
}

const OBU_SEQUENCE_HEADER: u8 = 1;
const OBU_TEMPORAL_DELIMITER: u8 = 2;

/// AV1 RTP payload format §4.4: `N` starts a coded video sequence; so does a sequence header.
fn av1(payload: &[u8]) -> Option<bool> {
    let (&aggregation, mut rest) = payload.split_first()?;
    let (continues, count) = (aggregation & 0x80 != 0, usize::from(aggregation >> 4 & 3));
    if aggregation & 0x08 != 0 {
        return Some(true);
    }
    if continues {
        return Some(false);
    }
    let mut index = 1;
    loop {
        // The last element of a counted packet has no length in front.
        let element = if count == index {
            rest
        } else {
            let (length, after) = leb128(rest)?;
            let (element, after) = after.split_at_checked(length)?;
            rest = after;
            element
        };
        match (element.first()? >> 3) & 0x0f {
            OBU_SEQUENCE_HEADER => return Some(true),
            OBU_TEMPORAL_DELIMITER if count != index => index += 1,
            _ => return Some(false),
        }
    }
}

/// An unsigned little-endian base-128 number (AV1 bitstream §4.10.5), here of at most four bytes.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_packet_of_a_key_frame_is_a_start() {
        let cases: &[(Codec, &[u8], bool)] = &[
            (Codec::Opus, &[0xfc], true),
            (Codec::Vp8, &[0x10, 0x00], true),
            (Codec::Vp8, &[0x10, 0x01], false),
            (Codec::Vp8, &[0x00, 0x00], false),
            (Codec::Vp8, &[0x11, 0x00], false),
            (Codec::Vp8, &[0x90, 0x80, 0x81, 0x02, 0x10], true),
            (Codec::Vp8, &[0x90, 0x80, 0x81, 0x02, 0x11], false),
            (Codec::Vp8, &[0x90, 0x80, 0x81], false),
            (Codec::Vp8, &[], false),
            (Codec::Vp9, &[0x88, 0x05], true),
            (Codec::Vp9, &[0x88], false),
            (Codec::Vp9, &[0xc8, 0x05], false),
            (Codec::Vp9, &[0x80, 0x05], false),
            (Codec::Vp9, &[0xa8, 0x81, 0x05, 0x00], true),
            (Codec::Vp9, &[0xa8, 0x81, 0x05, 0x03], false),
            (Codec::H264, &[0x67, 0x42], true),
            (Codec::H264, &[0x65, 0x88], true),
            (Codec::H264, &[0x65, 0x40], false),
            (Codec::H264, &[0x41, 0x9a], false),
            (
                Codec::H264,
                &[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce],
                true,
            ),
            (
                Codec::H264,
                &[0x78, 0, 2, 0x09, 0xf0, 0, 2, 0x65, 0x88],
                true,
            ),
            (
                Codec::H264,
                &[0x78, 0, 2, 0x09, 0xf0, 0, 2, 0x41, 0x9a],
                false,
            ),
            (Codec::H264, &[0x78, 0, 9, 0x67], false),
            (Codec::H264, &[0x78, 0, 0, 0, 0], false),
            (Codec::H264, &[0x7c, 0x85, 0x88], true),
            (Codec::H264, &[0x7c, 0x05, 0x88], false),
            (Codec::H264, &[0x7c, 0x81, 0x9a], false),
            (Codec::Av1, &[0x18, 0x0a], true),
            (Codec::Av1, &[0x10, 0x0a, 0x0b], true),
            (Codec::Av1, &[0x10, 0x32], false),
            (Codec::Av1, &[0x90, 0x0a], false),
            (Codec::Av1, &[0x20, 0x02, 0x12, 0x00, 0x0a, 0x0b], true),
            (Codec::Av1, &[0x00, 0x02, 0x12, 0x00, 0x01, 0x0a], true),
            (Codec::Av1, &[0x00, 0x02, 0x12, 0x00, 0x01, 0x32], false),
            (Codec::Av1, &[0x00, 0xff, 0xff, 0xff, 0xff], false),
            (Codec::Av1, &[], false),
        ];
        for &(codec, payload, expected) in cases {
            assert_eq!(
                starts_key_frame(codec, payload),
                expected,
                "{codec:?} {payload:02x?}"
            );
        }
    }
}

//! Redundant audio (RFC 2198): the primary block, for viewers that do not know RED.

/// The newest block of a RED payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Primary {
    /// Payload type of the block, by the publisher's numbering.
    pub payload_type: u8,
    /// All blocks have that payload type.
    pub uniform: bool,
    /// Offset of the block in the payload; it reaches to the end.
    pub at: u16,
}

/// Finds the primary block; `None` if the payload is shorter than its headers say.
pub fn primary(payload: &[u8]) -> Option<Primary> {
    let mut headers = payload;
    let mut redundant = 0;
    let mut redundant_type = None;
    let mut uniform = true;
    // F set: a four-byte header of a redundant block with a 10-bit length follows (RFC 2198 §3).
    while let Some(header) = headers
        .first_chunk::<4>()
        .filter(|head| head[0] & 0x80 != 0)
    {
        let payload_type = header[0] & 0x7f;
        uniform &= *redundant_type.get_or_insert(payload_type) == payload_type;
        redundant += usize::from(u16::from_be_bytes([header[2] & 0x03, header[3]]));
        headers = &headers[4..];
    }
    let (&last, blocks) = headers.split_first()?;
    if last & 0x80 != 0 || redundant > blocks.len() {
        return None;
    }
    Some(Primary {
        payload_type: last,
        uniform: uniform && redundant_type.is_none_or(|found| found == last),
        at: u16::try_from(payload.len() - blocks.len() + redundant).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_block_is_the_last() {
        let found = |payload_type, uniform, at| {
            Some(Primary {
                payload_type,
                uniform,
                at,
            })
        };
        let cases: &[(&[u8], Option<Primary>)] = &[
            (&[111, 1, 2, 3], found(111, true, 1)),
            (&[111], found(111, true, 1)),
            (&[0x80 | 111, 0, 0, 2, 111, 9, 9, 1, 2], found(111, true, 7)),
            (
                &[0x80 | 109, 0, 0, 2, 111, 9, 9, 1, 2],
                found(111, false, 7),
            ),
            (
                &[0x80 | 111, 0, 0, 1, 0x80 | 111, 0, 0, 1, 111, 8, 9, 1],
                found(111, true, 11),
            ),
            (&[0x80 | 111, 0, 0, 3, 111, 9, 9], None),
            (&[0x80 | 111, 0, 0], None),
            (&[0x80 | 111, 0, 0, 0], None),
            (&[], None),
        ];
        for &(payload, expected) in cases {
            assert_eq!(primary(payload), expected, "{payload:02x?}");
        }
    }
}

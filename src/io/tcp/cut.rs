//! Cuts what was read from a TCP connection into the datagrams that it carries.

use motet_turn::stream::{Deframer, StreamError};
use motet_turn::stun::Message;

use crate::ids::StreamKind;
use crate::io::streams::Frames;

/// What a datagram behind its length may have, like one that comes over UDP.
const DATAGRAM_BYTES_MAX: usize = 2_048;
/// Bytes of the length before a datagram (RFC 4571 §2).
const LENGTH_LEN: usize = 2;
/// The shortest STUN message: a header.
const STUN_LEN_MIN: u8 = 20;

/// What the first bytes of a connection without TLS say: STUN as it is begins with the type of a
/// request, of which the highest in use is 9; behind a length of two bytes it is 20 bytes or longer.
/// `None` until there are enough.
pub(super) fn kind_of(first: &[u8]) -> Option<StreamKind> {
    match first {
        [0, second, ..] if *second < STUN_LEN_MIN => Some(StreamKind::Turn),
        [_, _, ..] => Some(StreamKind::Ice),
        _ => None,
    }
}

/// Takes bytes as they come and gives back whole datagrams.
#[derive(Debug)]
pub(super) enum Cutter {
    /// STUN and ChannelData tell their length themselves.
    Turn(Deframer),
    /// Everything has its length before it.
    Ice(Lengths),
}

impl Cutter {
    /// For a connection of that kind.
    pub(super) fn new(kind: StreamKind) -> Self {
        match kind {
            StreamKind::Turn | StreamKind::TurnInTls => Self::Turn(Deframer::new()),
            StreamKind::Ice => Self::Ice(Lengths::default()),
        }
    }

    /// What is whole with these bytes.
    ///
    /// # Errors
    /// [`StreamError`] if something else comes; it stays so.
    pub(super) fn cut(&mut self, bytes: &[u8]) -> Result<Frames, StreamError> {
        let mut frames = Frames::default();
        match self {
            Self::Turn(deframer) => {
                deframer.push(bytes);
                while let Some(frame) = deframer.next_frame()? {
                    frames.push(frame);
                }
            }
            Self::Ice(lengths) => lengths.cut(bytes, &mut frames)?,
        }
        Ok(frames)
    }
}

/// Datagrams behind their lengths.
#[derive(Debug, Default)]
pub(super) struct Lengths {
    /// Less than one datagram.
    rest: Vec<u8>,
    has_begun: bool,
}

impl Lengths {
    fn cut(&mut self, bytes: &[u8], frames: &mut Frames) -> Result<(), StreamError> {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = self.rest[at..].first_chunk::<LENGTH_LEN>() {
            let length = usize::from(u16::from_be_bytes(*length));
            if length > DATAGRAM_BYTES_MAX {
                return Err(StreamError::TooLong(length));
            }
            let start = at + LENGTH_LEN;
            let Some(datagram) = self.rest.get(start..start + length) else {
                break;
            };
            // Whoever has something to say here begins with a check (RFC 6544 §4.4).
            if !self.has_begun && Message::parse(datagram).is_err() {
                return Err(StreamError::NotAFrame);
            }
            self.has_begun = true;
            frames.push(datagram);
            at = start + length;
        }
        self.rest.drain(..at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use motet_turn::stun::{BINDING_REQUEST, USERNAME, Writer};

    use super::*;

    fn check() -> Vec<u8> {
        let mut bytes = vec![];
        Writer::new(&mut bytes, BINDING_REQUEST, &[1; 12]).attribute(USERNAME, b"a:b");
        bytes
    }

    fn framed(datagram: &[u8]) -> Vec<u8> {
        let length = (datagram.len() as u16).to_be_bytes();
        [&length[..], datagram].concat()
    }

    #[test]
    fn the_second_byte_tells_a_length_from_a_type() {
        for (first, expected) in [
            (&[][..], None),
            (&[0], None),
            (&[1], None),
            (&[0, 1], Some(StreamKind::Turn)),
            (&[0, 3, 0, 8], Some(StreamKind::Turn)),
            (&[0, 9], Some(StreamKind::Turn)),
            (&[0, 20, 0, 1], Some(StreamKind::Ice)),
            (&[0, 108, 0, 1], Some(StreamKind::Ice)),
            (&[1, 4, 0, 1], Some(StreamKind::Ice)),
        ] {
            assert_eq!(kind_of(first), expected, "{first:?}");
        }
    }

    #[test]
    fn datagrams_come_out_whatever_the_pieces() {
        let datagrams = [check(), vec![0x16; 1_200], vec![], vec![0x80; 7]];
        let bytes: Vec<u8> = datagrams.iter().flat_map(|one| framed(one)).collect();
        for piece in [1, 2, 3, 50, 5_000] {
            let mut cutter = Cutter::new(StreamKind::Ice);
            let mut found = vec![];
            for piece in bytes.chunks(piece) {
                let frames = cutter.cut(piece).unwrap();
                found.extend(frames.iter().map(<[u8]>::to_vec));
            }
            assert_eq!(found, datagrams, "pieces of {piece}");
        }
    }

    #[test]
    fn what_is_no_datagram_ends_it() {
        let mut cutter = Cutter::new(StreamKind::Ice);
        let error = cutter.cut(&framed(&[0x16; 30])).unwrap_err();
        assert_eq!(error, StreamError::NotAFrame, "no check comes first");
        let mut cutter = Cutter::new(StreamKind::Ice);
        assert!(!cutter.cut(&framed(&check())).unwrap().is_empty());
        let error = cutter.cut(&[0x08, 0x01]).unwrap_err();
        assert_eq!(error, StreamError::TooLong(2_049));
    }
}

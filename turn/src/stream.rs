//! Frames of a TCP or TLS stream: STUN messages and ChannelData padded to four bytes
//! (RFC 8489 §6.2.2, RFC 8656 §12.5). Pure: bytes in, frames out.

use crate::stun::{HEADER_LEN, MAGIC_COOKIE};

/// The longest frame that is taken; a stream that announces more is ended. Well above a STUN
/// message or a media packet, far below the 64 KiB that the format allows.
pub const FRAME_BYTES_MAX: usize = 16 * 1024;

/// Bytes that tell how long a frame is, and that it may be one.
const PREFIX_LEN: usize = 8;

/// The stream carries something else, and cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// Neither STUN nor ChannelData begins here.
    #[error("neither STUN nor ChannelData")]
    NotAFrame,
    /// The frame is announced with this many bytes, more than [`FRAME_BYTES_MAX`].
    #[error("a frame of {0} bytes")]
    TooLong(usize),
}

/// Takes bytes as they come and gives back whole frames. Holds less than one frame and what was
/// pushed last.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    taken: usize,
}

impl Deframer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what was read. Take all frames out before the next bytes are pushed: nothing else
    /// bounds what is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, with its padding, or `None` until more bytes come.
    ///
    /// # Errors
    ///
    /// [`StreamError`] if what comes next is no frame; it stays so.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, StreamError> {
        let rest = &self.buffer[self.taken..];
        let Some(len) = frame_len(rest)? else {
            return Ok(None);
        };
        if rest.len() < len {
            return Ok(None);
        }
        self.taken += len;
        Ok(Some(&self.buffer[self.taken - len..self.taken]))
    }

    /// Bytes that wait for the rest of their frame.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.taken
    }
}

/// How long the frame at the start of `bytes` is, as soon as that can be told.
fn frame_len(bytes: &[u8]) -> Result<Option<usize>, StreamError> {
    let Some(first) = bytes.first() else {
        return Ok(None);
    };
    let Some(header) = bytes.first_chunk::<4>() else {
        return if first >> 6 < 2 {
            Ok(None)
        } else {
            Err(StreamError::NotAFrame)
        };
    };
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let len = match first >> 6 {
        0 => stun_len(bytes, len)?,
        1 => Some(4 + len.next_multiple_of(4)),
        _ => return Err(StreamError::NotAFrame),
    };
    match len {
        Some(len) if len > FRAME_BYTES_MAX => Err(StreamError::TooLong(len)),
        len => Ok(len),
    }
}

/// A STUN message counts in fours and carries the cookie; what does not is not waited for.
fn stun_len(bytes: &[u8], len: usize) -> Result<Option<usize>, StreamError> {
    if !len.is_multiple_of(4) {
        return Err(StreamError::NotAFrame);
    }
    let Some(prefix) = bytes.first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    if prefix[4..] != MAGIC_COOKIE {
        return Err(StreamError::NotAFrame);
    }
    Ok(Some(HEADER_LEN + len))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::stun::{BINDING_REQUEST, USERNAME, Writer};

    fn stun(value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![];
        Writer::new(&mut bytes, BINDING_REQUEST, b"transaction!").attribute(USERNAME, value);
        bytes
    }

    fn channel_data(payload: &[u8]) -> Vec<u8> {
        let header = crate::channel_data::header(0x4001, payload.len()).unwrap();
        let mut bytes = [&header[..], payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn what_is_no_frame_ends_the_stream() {
        let mut without_cookie = stun(b"a");
        without_cookie[4] = 0;
        for (bytes, error) in [
            (&b"\x80"[..], StreamError::NotAFrame),
            (b"\xC0\0\0\0", StreamError::NotAFrame),
            (b"\x16\x03\x01\x02", StreamError::NotAFrame),
            (b"GET / HTTP/1.1\r\n", StreamError::TooLong(21_540)),
            (&[0, 1, 0, 3], StreamError::NotAFrame),
            (&without_cookie, StreamError::NotAFrame),
            (&[0x40, 0, 0x40, 0], StreamError::TooLong(16_388)),
        ] {
            let mut deframer = Deframer::new();
            deframer.push(bytes);
            let found = deframer.next_frame().map(|frame| frame.map(<[u8]>::len));
            assert_eq!(found, Err(error), "{bytes:?}");
            assert_eq!(deframer.next_frame(), Err(error), "it stays so");
        }
    }

    proptest! {
        #[test]
        fn frames_come_out_whatever_the_pieces(
            payloads in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 1..20),
            piece in 1usize..300,
        ) {
            let frames: Vec<Vec<u8>> = payloads
                .iter()
                .map(|(is_stun, payload)| if *is_stun { stun(payload) } else { channel_data(payload) })
                .collect();
            let mut deframer = Deframer::new();
            let mut found = vec![];
            for piece in frames.concat().chunks(piece) {
                deframer.push(piece);
                while let Some(frame) = deframer.next_frame().unwrap() {
                    found.push(frame.to_vec());
                }
            }
            prop_assert_eq!(found, frames);
            prop_assert_eq!(deframer.pending(), 0);
        }

        #[test]
        fn any_bytes_are_survived_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..2_000), piece in 1usize..99) {
            let mut deframer = Deframer::new();
            'stream: for piece in bytes.chunks(piece) {
                deframer.push(piece);
                loop {
                    match deframer.next_frame() {
                        Ok(Some(frame)) => prop_assert!(frame.len() <= FRAME_BYTES_MAX && frame.len() % 4 == 0),
                        Ok(None) => break,
                        Err(_) => break 'stream,
                    }
                }
                prop_assert!(deframer.pending() < FRAME_BYTES_MAX);
            }
        }
    }
}

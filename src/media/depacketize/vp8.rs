//! VP8 (RFC 7741).

use super::{Broken, Format, PictureFormat};
use crate::logic::forward::vp8::Vp8Descriptor;

/// What follows the frame tag of a key frame (RFC 6386 §9.1).
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// Frames of VP8.
#[derive(Debug)]
pub(super) struct Vp8;

impl Format for Vp8 {
    fn add(&mut self, payload: &[u8], first: bool, data: &mut Vec<u8>) -> Result<(), Broken> {
        let descriptor = Vp8Descriptor::parse(payload).ok_or(Broken)?;
        if descriptor.starts_frame != first {
            return Err(Broken);
        }
        let partition = payload
            .get(usize::from(descriptor.length)..)
            .ok_or(Broken)?;
        data.extend_from_slice(partition);
        Ok(())
    }

    fn end(&mut self, data: &mut Vec<u8>) -> Result<(bool, Option<PictureFormat>), Broken> {
        let is_key = data.first().ok_or(Broken)? & 1 == 0;
        if !is_key {
            return Ok((false, None));
        }
        let head: &[u8; 10] = data.first_chunk().ok_or(Broken)?;
        if head[3..6] != START_CODE {
            return Err(Broken);
        }
        // The upper two bits are a scale that nobody uses.
        let size = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]) & 0x3fff;
        let format = PictureFormat {
            width: size(6),
            height: size(8),
            private: Vec::new(),
        };
        Ok((true, Some(format)))
    }
}

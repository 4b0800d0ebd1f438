//! VP9 (RFC 9628).

use super::bits::Bits;
use super::{Broken, Format, PictureFormat};

/// Reference indices in one descriptor (RFC 9628 §4.2).
const REFERENCES_MAX: usize = 3;
/// Layers of one picture: three bits say which.
const LAYERS_MAX: usize = 8;
/// What begins the header of a key frame (VP9 bitstream §6.2).
const SYNC_CODE: u32 = 0x49_8342;

/// Frames of VP9; the layers of one picture become one superframe.
#[derive(Debug, Default)]
pub(super) struct Vp9 {
    key: bool,
    /// Where each layer's frame begins.
    layers: Vec<usize>,
    /// The last packet ended a layer's frame.
    ended: bool,
}

/// What the payload descriptor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Descriptor {
    predicted: bool,
    begins: bool,
    ends: bool,
    spatial: u8,
    length: usize,
}

impl Format for Vp9 {
    fn add(&mut self, payload: &[u8], first: bool, data: &mut Vec<u8>) -> Result<(), Broken> {
        let descriptor = Descriptor::parse(payload).ok_or(Broken)?;
        if first {
            self.key = !descriptor.predicted && descriptor.spatial == 0;
            self.layers.clear();
            self.ended = true;
        }
        // A layer begins exactly where the one before it ended.
        if descriptor.begins != self.ended || self.layers.len() > LAYERS_MAX {
            return Err(Broken);
        }
        if descriptor.begins {
            self.layers.push(data.len());
        }
        self.ended = descriptor.ends;
        data.extend_from_slice(payload.get(descriptor.length..).ok_or(Broken)?);
        Ok(())
    }

    fn end(&mut self, data: &mut Vec<u8>) -> Result<(bool, Option<PictureFormat>), Broken> {
        if !self.ended || self.layers.len() > LAYERS_MAX {
            return Err(Broken);
        }
        let format = match self.key {
            true => picture_format(data)?,
            false => None,
        };
        if self.layers.len() > 1 {
            put_superframe_index(&self.layers, data);
        }
        Ok((format.is_some(), format))
    }
}

impl Descriptor {
    /// RFC 9628 §4.2.
    fn parse(payload: &[u8]) -> Option<Self> {
        let &flags = payload.first()?;
        let has = |bit: u8| flags & bit != 0;
        let (predicted, flexible) = (has(0x40), has(0x10));
        let mut at = 1;
        if has(0x80) {
            let long = payload.get(at)? & 0x80 != 0;
            at += if long { 2 } else { 1 };
        }
        let mut spatial = 0;
        if has(0x20) {
            spatial = payload.get(at)? >> 1 & 7;
            at += if flexible { 1 } else { 2 };
        }
        if predicted && flexible {
            let more = |offset: &usize| payload.get(at + offset).is_some_and(|byte| byte & 1 != 0);
            let references = 1 + (0..REFERENCES_MAX).take_while(more).count();
            if references > REFERENCES_MAX {
                return None;
            }
            at += references;
        }
        if has(0x02) {
            at += structure_length(payload.get(at..)?)?;
        }
        Some(Self {
            predicted,
            begins: has(0x08),
            ends: has(0x04),
            spatial,
            length: at,
        })
    }
}

/// Bytes of a scalability structure (RFC 9628 §4.2.1).
fn structure_length(bytes: &[u8]) -> Option<usize> {
    let &head = bytes.first()?;
    let layers = usize::from(head >> 5) + 1;
    let mut at = 1;
    if head & 0x10 != 0 {
        at += 4 * layers;
    }
    if head & 0x08 != 0 {
        let pictures = *bytes.get(at)?;
        at += 1;
        for _ in 0..pictures {
            at += 1 + usize::from(bytes.get(at)? >> 2 & 3);
        }
    }
    Some(at)
}

/// The size in the uncompressed header of a key frame of profile 0 (VP9 bitstream §6.2); nothing if
/// it is another frame, whatever its descriptor says: some senders call every frame independent.
fn picture_format(data: &[u8]) -> Result<Option<PictureFormat>, Broken> {
    let mut bits = Bits::new(data);
    let marker = bits.take(2)?;
    let profile = bits.take(1)? | bits.take(1)? << 1;
    if marker != 2 || profile != 0 {
        return Err(Broken);
    }
    let (shows_existing, is_inter) = (bits.flag()?, bits.flag()?);
    bits.skip(2);
    if shows_existing || is_inter {
        return Ok(None);
    }
    if bits.take(24)? != SYNC_CODE {
        return Err(Broken);
    }
    // Colour space, and the range of its values.
    bits.skip(4);
    let width = bits.take(16)? + 1;
    let height = bits.take(16)? + 1;
    Ok(Some(PictureFormat {
        width: width.try_into().map_err(|_| Broken)?,
        height: height.try_into().map_err(|_| Broken)?,
        private: Vec::new(),
    }))
}

/// VP9 bitstream annex B: the sizes of the frames, between two equal markers.
fn put_superframe_index(begins: &[usize], data: &mut Vec<u8>) {
    let ends = begins.iter().skip(1).copied().chain([data.len()]);
    let sizes: Vec<u32> = begins
        .iter()
        .zip(ends)
        .map(|(begin, end)| (end - begin) as u32)
        .collect();
    let marker = 0xc0 | 3 << 3 | (begins.len() - 1) as u8;
    data.push(marker);
    for size in sizes {
        data.extend_from_slice(&size.to_le_bytes());
    }
    data.push(marker);
}

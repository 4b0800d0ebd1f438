//! Many files with a track each into one with all of them.

use std::collections::VecDeque;
use std::io::{self, Read, Seek};

use super::ebml::{big_endian, children};
use super::element;
use super::head::TrackEntry;
use super::muxer::{Block, Muxer};
use super::reader::{Reader, StoredFrame};
use crate::logic::forward::codec::Codec;
use crate::media::verdict::Patch;

/// A file on its way into another.
#[derive(Debug)]
pub struct Part<F> {
    reader: Reader<F>,
    offset_ms: u64,
    frames: VecDeque<StoredFrame>,
}

impl<F: Read + Seek> Part<F> {
    /// A finished file of one track, whose beginning is that long after the other's.
    ///
    /// # Errors
    /// Those of the file, or `InvalidData`.
    pub fn new(file: F, offset_ms: u64) -> io::Result<Self> {
        Ok(Self {
            reader: Reader::open(file)?,
            offset_ms,
            frames: VecDeque::new(),
        })
    }

    /// When its next frame is; nothing at its end.
    fn next_ms(&mut self) -> io::Result<Option<u64>> {
        while self.frames.is_empty() {
            match self.reader.next_cluster()? {
                Some(frames) => self.frames.extend(frames),
                None => return Ok(None),
            }
        }
        let next = self.frames.front();
        Ok(next.map(|frame| frame.at_ms.saturating_add(self.offset_ms)))
    }
}

/// Whether the result is `webm`, or Matroska beyond it.
pub fn is_web<F: Read + Seek>(parts: &[Part<F>]) -> bool {
    let codec = |part: &Part<F>| entry(part.reader.entry()).map(|entry| entry.codec);
    parts.iter().all(|part| codec(part) != Some(Codec::H264))
}

/// Writes one file of all parts, in the order of time; each part is a track. `write` gets what is to be
/// appended, about a cluster at a time. Then follows what is to be written over the head.
///
/// # Errors
/// Those of the parts and of `write`.
pub fn merge<F: Read + Seek>(
    mut parts: Vec<Part<F>>,
    began_unix_ms: i64,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Vec<Patch>> {
    let entries: Option<Vec<_>> = parts
        .iter()
        .map(|part| entry(part.reader.entry()))
        .collect();
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a track of another kind");
    let mut out = Vec::new();
    let mut muxer = Muxer::new(&entries.ok_or_else(invalid)?, began_unix_ms, &mut out);
    loop {
        let mut next: Option<(u64, usize)> = None;
        for (index, part) in parts.iter_mut().enumerate() {
            if let Some(at_ms) = part.next_ms()? {
                next = next.into_iter().chain([(at_ms, index)]).min();
            }
        }
        let Some((at_ms, track)) = next else {
            break;
        };
        if let Some(frame) = parts[track].frames.pop_front() {
            let block = Block {
                track,
                at_ms,
                key: frame.key,
                data: &frame.data,
            };
            muxer.write(&block, &mut out);
        }
        if !out.is_empty() {
            write(&out)?;
            out.clear();
        }
    }
    let patches = muxer.finish(&mut out);
    write(&out)?;
    Ok(patches)
}

/// A track's description, read back.
fn entry(content: &[u8]) -> Option<TrackEntry> {
    let value = |wanted| {
        let mut found = children(content).filter(|(id, _)| *id == wanted);
        found.next().map(|(_, value)| value)
    };
    let codec = match value(element::CODEC_ID)? {
        b"A_OPUS" => Codec::Opus,
        b"V_VP8" => Codec::Vp8,
        b"V_VP9" => Codec::Vp9,
        b"V_MPEG4/ISO/AVC" => Codec::H264,
        b"V_AV1" => Codec::Av1,
        _ => return None,
    };
    let video = value(element::VIDEO).unwrap_or_default();
    let side = |wanted| {
        let mut found = children(video).filter(|(id, _)| *id == wanted);
        found
            .next()
            .map_or(0, |(_, value)| big_endian(value) as u16)
    };
    let private = match codec {
        Codec::Opus => &[],
        _ => value(element::CODEC_PRIVATE).unwrap_or_default(),
    };
    Some(TrackEntry {
        codec,
        width: side(element::PIXEL_WIDTH),
        height: side(element::PIXEL_HEIGHT),
        private: private.to_vec(),
        name: String::from_utf8_lossy(value(element::NAME).unwrap_or_default()).into_owned(),
    })
}

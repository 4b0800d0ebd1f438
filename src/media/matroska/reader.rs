//! Reads the files that [`Muxer`](super::Muxer) wrote, one cluster at a time.

use std::io::{self, Read, Seek, SeekFrom};

use super::ebml::{Head, big_endian, children};
use super::element;

/// The most that is read of what stands before the first cluster, in bytes.
const HEAD_MAX: u64 = 1 << 20;
/// The most that is read of a cluster, in bytes: more is no cluster of ours.
const CLUSTER_MAX: u64 = 64 << 20;

/// A frame as it is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFrame {
    /// In milliseconds from the beginning of the file.
    pub at_ms: u64,
    /// A decoder can start here.
    pub key: bool,
    /// The frame.
    pub data: Vec<u8>,
}

/// Reads a finished file with one track.
#[derive(Debug)]
pub struct Reader<F> {
    file: F,
    /// The next element of the segment.
    at: u64,
    /// The content of the file's only track entry.
    entry: Vec<u8>,
}

impl<F: Read + Seek> Reader<F> {
    /// Reads up to the first cluster.
    ///
    /// # Errors
    /// Those of the file, or `InvalidData`.
    pub fn open(file: F) -> io::Result<Self> {
        let mut reader = Self {
            file,
            at: 0,
            entry: Vec::new(),
        };
        let (ebml, content) = reader.head_at(0)?;
        reader.at = content + ebml.size.ok_or_else(invalid)?;
        let (segment, content) = reader.head_at(reader.at)?;
        if (ebml.id, segment.id) != (element::EBML, element::SEGMENT) {
            return Err(invalid());
        }
        reader.at = content;
        while reader.entry.is_empty() {
            let (head, content) = reader.head_at(reader.at)?;
            let size = head
                .size
                .filter(|size| *size <= HEAD_MAX)
                .ok_or_else(invalid)?;
            if head.id == element::TRACKS {
                let tracks = reader.read(content, size)?;
                let mut entries = children(&tracks).filter(|(id, _)| *id == element::TRACK_ENTRY);
                reader.entry = entries.next().ok_or_else(invalid)?.1.to_vec();
            }
            reader.at = content + size;
        }
        Ok(reader)
    }

    /// What describes the track, but for its numbers: as it stands in the file.
    pub(super) fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// The frames of the next cluster; nothing at the end.
    ///
    /// # Errors
    /// Those of the file.
    pub fn next_cluster(&mut self) -> io::Result<Option<Vec<StoredFrame>>> {
        let Ok((head, content)) = self.head_at(self.at) else {
            return Ok(None);
        };
        let size = head.size.filter(|size| *size <= CLUSTER_MAX);
        let Some(size) = size.filter(|_| head.id == element::CLUSTER) else {
            return Ok(None);
        };
        let cluster = self.read(content, size)?;
        self.at = content + size;
        let mut cluster_ms = 0;
        let mut frames = Vec::new();
        for (id, content) in children(&cluster) {
            match id {
                element::TIMESTAMP => cluster_ms = big_endian(content),
                element::SIMPLE_BLOCK => frames.extend(frame(content, cluster_ms)),
                _ => {}
            }
        }
        Ok(Some(frames))
    }

    fn head_at(&mut self, at: u64) -> io::Result<(Head, u64)> {
        let bytes = self.read(at, Head::LENGTH_MAX as u64)?;
        let head = Head::read(&bytes).ok_or_else(invalid)?;
        Ok((head, at + head.length as u64))
    }

    fn read(&mut self, at: u64, length: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Of the only track of a file: its number is one byte.
fn frame(block: &[u8], cluster_ms: u64) -> Option<StoredFrame> {
    let (head, data) = block.split_first_chunk::<4>()?;
    let relative = i16::from_be_bytes([head[1], head[2]]);
    Some(StoredFrame {
        at_ms: cluster_ms.saturating_add_signed(relative.into()),
        key: head[3] & 0x80 != 0,
        data: data.to_vec(),
    })
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a file of ours")
}

//! Finishes a file whose writer was interrupted.

use std::io::{self, Read, Seek, SeekFrom};

use super::ebml::{Head, big_endian};
use super::element;
use super::head::{self, Places};
use super::index::{Index, Seen};
use crate::media::verdict::{Repair, Verdict};

/// The most that is read of what stands before the first cluster, in bytes.
const HEAD_MAX: u64 = 1 << 20;
/// The most that is read of a block, in bytes: element, track, time and flags.
const BLOCK_HEAD_MAX: usize = Head::LENGTH_MAX + 12;

/// Says what a file of [`Muxer`](super::Muxer) needs. It may have ended anywhere: whole clusters
/// are kept.
///
/// # Errors
/// Those of `file`.
pub fn repair(file: &mut (impl Read + Seek)) -> io::Result<Verdict> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut reader = Reader { file, length };
    let Some((places, size)) = reader.head()? else {
        return Ok(Verdict::Empty);
    };
    if size.is_some_and(|size| places.segment.checked_add(size) == Some(length)) {
        return Ok(Verdict::Whole);
    }
    let mut index = Index::new(&places.pictures);
    let mut keep = places.clusters;
    while let Some(end) = reader.cluster(&places, keep, &mut index)? {
        keep = end;
    }
    if keep == places.clusters {
        return Ok(Verdict::Empty);
    }
    let mut append = Vec::new();
    let patches = index.finish(&places, keep, &mut append);
    Ok(Verdict::Repair(Repair {
        keep,
        append,
        patches,
        duration_ms: index.duration_ms(),
    }))
}

struct Reader<'a, F> {
    file: &'a mut F,
    length: u64,
}

impl<F: Read + Seek> Reader<'_, F> {
    /// Up to `length` bytes from there.
    fn read(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::with_capacity(length);
        let limit = length as u64;
        self.file.by_ref().take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The beginning of the element there, if all of it is in the file.
    fn element(&mut self, at: u64) -> io::Result<Option<(Head, u64)>> {
        let bytes = self.read(at, Head::LENGTH_MAX)?;
        let whole = Head::read(&bytes).and_then(|head| {
            let end = at
                .checked_add(head.length as u64)?
                .checked_add(head.size?)?;
            (end <= self.length).then_some((head, end))
        });
        Ok(whole)
    }

    /// Reads what stands before the first cluster: its places, and the segment's size.
    fn head(&mut self) -> io::Result<Option<(Places, Option<u64>)>> {
        let Some((ebml, segment_at)) = self.element(0)? else {
            return Ok(None);
        };
        let bytes = self.read(segment_at, Head::LENGTH_MAX)?;
        let Some(segment) = Head::read(&bytes).filter(|head| head.id == element::SEGMENT) else {
            return Ok(None);
        };
        if ebml.id != element::EBML {
            return Ok(None);
        }
        let content = segment_at + segment.length as u64;
        let mut places = Places {
            segment: content,
            info: 0,
            tracks: 0,
            pictures: Vec::new(),
            clusters: content,
        };
        while places.clusters < content + HEAD_MAX {
            let Some((head, end)) = self.element(places.clusters)? else {
                break;
            };
            match head.id {
                element::INFO => places.info = places.clusters,
                element::TRACKS if end - places.clusters <= HEAD_MAX => {
                    places.tracks = places.clusters;
                    let inside = places.clusters + head.length as u64;
                    let tracks = self.read(inside, (end - inside) as usize)?;
                    places.pictures = head::pictures(&tracks, inside);
                }
                element::SEEK_HEAD | element::VOID => {}
                _ => break,
            }
            places.clusters = end;
        }
        let is_whole = places.info > content && places.tracks > content;
        Ok(is_whole.then_some((places, segment.size)))
    }

    /// Takes the cluster there into the index; says where it ends, if it is one and whole.
    fn cluster(&mut self, places: &Places, at: u64, index: &mut Index) -> io::Result<Option<u64>> {
        let Some((head, end)) = self.element(at)? else {
            return Ok(None);
        };
        if head.id != element::CLUSTER {
            return Ok(None);
        }
        let content = at + head.length as u64;
        let mut cluster_ms = 0;
        let mut next = content;
        while next < end {
            let length = BLOCK_HEAD_MAX.min((end - next) as usize);
            let bytes = self.read(next, length)?;
            let Some((child, size)) = Head::read(&bytes).and_then(|head| Some((head, head.size?)))
            else {
                return Ok(None);
            };
            let inside = bytes.get(child.length..).unwrap_or_default();
            match child.id {
                element::TIMESTAMP if size <= 8 => {
                    cluster_ms = big_endian(inside.get(..size as usize).unwrap_or_default());
                }
                element::SIMPLE_BLOCK => {
                    if let Some((track, relative_ms, key)) = block_head(inside) {
                        index.see(Seen {
                            track,
                            at_ms: cluster_ms.saturating_add_signed(relative_ms.into()),
                            key,
                            cluster: at - places.segment,
                            relative: next - content,
                        });
                    }
                }
                _ => {}
            }
            next = next
                .saturating_add(child.length as u64)
                .saturating_add(size);
        }
        Ok((next == end).then_some(end))
    }
}

/// Track, time in its cluster and whether it is a key frame (RFC 9559 §10.2).
fn block_head(bytes: &[u8]) -> Option<(u64, i16, bool)> {
    // A track's number is written like a size: as if behind an id of one byte.
    let length = bytes.first()?.leading_zeros() as usize + 1;
    let number = big_endian(bytes.get(..length)?) & ((1u64 << (7 * length).min(63)) - 1);
    let rest: &[u8; 3] = bytes.get(length..)?.first_chunk()?;
    let relative = i16::from_be_bytes([rest[0], rest[1]]);
    Some((number, relative, rest[2] & 0x80 != 0))
}

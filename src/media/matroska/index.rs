//! Where a file can be entered, and how long it is: gathered block by block.

use std::collections::BTreeMap;

use super::ebml::{put_master, put_uint};
use super::element;
use super::head::Places;
use crate::media::verdict::Patch;

/// A block by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its track's number.
    pub(super) track: u64,
    /// Its time in milliseconds.
    pub(super) at_ms: u64,
    /// A decoder can start here.
    pub(super) key: bool,
    /// Where its cluster begins, from the content of the segment.
    pub(super) cluster: u64,
    /// Where it is in the content of its cluster.
    pub(super) relative: u64,
}

/// What is known of the blocks of a file.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The pictures among the tracks, if any.
    pictures: Vec<u64>,
    cues: Vec<Seen>,
    /// By track: the time of the last block, and how long after the one before it came.
    last: BTreeMap<u64, (u64, u64)>,
}

impl Index {
    /// Of a file in which these tracks, by number, are pictures.
    pub(super) fn new(pictures: Vec<u64>) -> Self {
        Self {
            pictures,
            ..Self::default()
        }
    }

    /// Takes a block into account. A file with pictures is entered at their key frames, one
    /// without at any cluster.
    pub(super) fn see(&mut self, seen: Seen) {
        let (last, _) = self
            .last
            .get(&seen.track)
            .copied()
            .unwrap_or((seen.at_ms, 0));
        let step = seen.at_ms.saturating_sub(last);
        self.last.insert(seen.track, (seen.at_ms, step));
        let is_entry = if self.pictures.is_empty() {
            self.cues
                .last()
                .is_none_or(|cue| cue.cluster != seen.cluster)
        } else {
            seen.key && self.pictures.contains(&seen.track)
        };
        if is_entry {
            self.cues.push(seen);
        }
    }

    /// When the last block ends, in milliseconds: it is believed to be as long as the one before it.
    pub(super) fn duration_ms(&self) -> u64 {
        let ends = self.last.values().map(|(last, step)| last + step);
        ends.max().unwrap_or(0)
    }

    /// What is to be appended to a file whose clusters end at `end`, and then written over its head.
    pub(super) fn finish(&self, places: &Places, end: u64, out: &mut Vec<u8>) -> Vec<Patch> {
        let before = out.len();
        let cues = (!self.cues.is_empty()).then_some(end);
        if cues.is_some() {
            put_master(out, element::CUES, |out| {
                for cue in &self.cues {
                    put_master(out, element::CUE_POINT, |out| put_cue(out, cue));
                }
            });
        }
        let end = end + (out.len() - before) as u64;
        places.patches(cues, self.duration_ms(), end)
    }
}

fn put_cue(out: &mut Vec<u8>, cue: &Seen) {
    put_uint(out, element::CUE_TIME, cue.at_ms);
    put_master(out, element::CUE_TRACK_POSITIONS, |out| {
        put_uint(out, element::CUE_TRACK, cue.track);
        put_uint(out, element::CUE_CLUSTER_POSITION, cue.cluster);
        put_uint(out, element::CUE_RELATIVE_POSITION, cue.relative);
    });
}

//! Where a file can be entered, and how long it is: gathered block by block.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use super::ebml::{put_master, put_uint};
use super::element;
use super::head::{Known, Picture, Places};
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
    by_track: BTreeMap<u64, Pace>,
}

/// How the blocks of a track follow each other, in milliseconds.
#[derive(Debug)]
struct Pace {
    /// The last one.
    at: u64,
    /// How long after the one before it that came.
    step: u64,
    /// The least of those, but for none at all.
    shortest: Option<NonZeroU64>,
}

impl Index {
    /// Of a file in which these tracks are pictures.
    pub(super) fn new(pictures: &[Picture]) -> Self {
        Self {
            pictures: pictures.iter().map(|picture| picture.track).collect(),
            ..Self::default()
        }
    }

    /// Takes a block into account. A file with pictures is entered at their key frames, one
    /// without at any cluster.
    pub(super) fn see(&mut self, seen: Seen) {
        let pace = self.by_track.entry(seen.track).or_insert(Pace {
            at: seen.at_ms,
            step: 0,
            shortest: None,
        });
        pace.step = seen.at_ms.saturating_sub(pace.at);
        pace.at = seen.at_ms;
        let steps = pace.shortest.into_iter().chain(NonZeroU64::new(pace.step));
        pace.shortest = steps.min();
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
        let ends = self.by_track.values().map(|pace| pace.at + pace.step);
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
        let shortest = |track| self.by_track.get(track).and_then(|pace| pace.shortest);
        places.patches(&Known {
            cues,
            duration_ms: self.duration_ms(),
            shortest_ms: self.pictures.iter().map(shortest).collect(),
            end: end + (out.len() - before) as u64,
        })
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

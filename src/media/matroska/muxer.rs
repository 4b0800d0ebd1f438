//! Frames into bytes.

use super::ebml::{self, put_uint};
use super::element;
use super::head::{Places, TrackEntry, put_head};
use super::index::{Index, Seen};
use crate::logic::forward::codec::MediaKind;
use crate::media::verdict::Patch;

/// A cluster holds no more than this, in milliseconds.
const CLUSTER_MS_MAX: u64 = 1_000;
/// A cluster holds no more than about this, in bytes: it is kept in memory until it is whole.
const CLUSTER_BYTES_MAX: usize = 4 << 20;
/// A cluster is ended early for a key frame if it holds at least this, in milliseconds.
const CLUSTER_MS_MIN: u64 = 250;
/// "A decoder can start here", in the flags of a block (RFC 9559 §10.2).
const KEY: u8 = 0x80;

/// One frame of a track.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// The track by its place in the list, from 0.
    pub track: usize,
    /// When it is shown or heard, in milliseconds from the beginning of the file; never before the
    /// one that was written before it.
    pub at_ms: u64,
    /// A decoder can start here.
    pub key: bool,
    /// As its codec mapping has it.
    pub data: &'a [u8],
}

/// Writes one file. What it writes is appended to `out`, to be appended to the file.
#[derive(Debug)]
pub struct Muxer {
    places: Places,
    pictures: Vec<bool>,
    index: Index,
    /// Bytes of the file so far, without the cluster that is open.
    written: u64,
    cluster: Option<Cluster>,
    /// The newest block.
    at_ms: u64,
}

#[derive(Debug)]
struct Cluster {
    at_ms: u64,
    content: Vec<u8>,
}

impl Muxer {
    /// Begins a file of these tracks at `began_ms` (Unix time, milliseconds).
    pub fn new(tracks: &[TrackEntry], began_ms: i64, out: &mut Vec<u8>) -> Self {
        let before = out.len();
        let mut head = Vec::new();
        let places = put_head(&mut head, tracks, began_ms);
        out.append(&mut head);
        let is_picture = |track: &TrackEntry| track.codec.kind() == MediaKind::Video;
        let pictures: Vec<bool> = tracks.iter().map(is_picture).collect();
        let index = Index::new(&places.pictures);
        Self {
            places,
            pictures,
            index,
            written: (out.len() - before) as u64,
            cluster: None,
            at_ms: 0,
        }
    }

    /// Adds a frame. One of a track that does not exist is left out.
    pub fn write(&mut self, block: &Block<'_>, out: &mut Vec<u8>) {
        let Some(&is_picture) = self.pictures.get(block.track) else {
            return;
        };
        let at_ms = block.at_ms.max(self.at_ms);
        self.at_ms = at_ms;
        if self.is_full(at_ms, block.key && is_picture, block.data.len()) {
            self.flush(out);
        }
        let segment = self.places.segment;
        let position = self.written - segment;
        let cluster = self.cluster.get_or_insert_with(|| Cluster::new(at_ms));
        self.index.see(Seen {
            track: block.track as u64 + 1,
            at_ms,
            key: block.key,
            cluster: position,
            relative: cluster.content.len() as u64,
        });
        cluster.put(block, at_ms);
    }

    fn is_full(&self, at_ms: u64, is_entry: bool, bytes: usize) -> bool {
        let Some(cluster) = &self.cluster else {
            return false;
        };
        let held = at_ms - cluster.at_ms;
        held >= CLUSTER_MS_MAX
            || is_entry && held >= CLUSTER_MS_MIN
            || cluster.content.len() + bytes > CLUSTER_BYTES_MAX
    }

    /// Ends the cluster that is open: what came until now is in `out`.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(cluster) = self.cluster.take() {
            let before = out.len();
            ebml::put(out, element::CLUSTER, &cluster.content);
            self.written += (out.len() - before) as u64;
        }
    }

    /// Bytes of the file so far, without what [`Muxer::flush`] would add.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How long the file is so far, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.index.duration_ms()
    }

    /// Ends the file: what is to be written over its head once `out` is appended, in that order.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Vec<Patch> {
        self.flush(out);
        self.index.finish(&self.places, self.written, out)
    }
}

impl Cluster {
    fn new(at_ms: u64) -> Self {
        let mut content = Vec::new();
        put_uint(&mut content, element::TIMESTAMP, at_ms);
        Self { at_ms, content }
    }

    fn put(&mut self, block: &Block<'_>, at_ms: u64) {
        // Below a cluster's length, and thus far below what 16 bits hold.
        let relative = (at_ms - self.at_ms) as i16;
        let mut head = Vec::with_capacity(8);
        // The track's number is written like a size (RFC 9559 §10.2).
        ebml::put_size(&mut head, block.track as u64 + 1);
        head.extend_from_slice(&relative.to_be_bytes());
        head.push(if block.key { KEY } else { 0 });
        ebml::put_parts(
            &mut self.content,
            element::SIMPLE_BLOCK,
            &[&head, block.data],
        );
    }
}

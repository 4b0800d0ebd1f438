//! What stands before the first cluster: what kind of file it is, and its tracks.

use std::num::NonZeroU64;

use super::ebml::{self, big_endian, children, places, put, put_master, put_uint, put_void};
use super::element;
use crate::logic::forward::codec::{Codec, MediaKind};
use crate::media::verdict::Patch;

/// Bytes left for the seek head: three entries with positions in full, and a gap.
const SEEK_SPACE: usize = 80;
/// Bytes of the duration, or of what stands in its place.
const DURATION_LEN: usize = 11;
/// Bytes of id and size of the information, whose content is always of the same length, below 127.
const INFO_HEAD_LEN: u64 = 5;
/// Bytes of how short a picture stands, or of what is in its place.
const PICTURE_DURATION_LEN: usize = 12;
/// Bytes of the timestamp scale, which comes before the duration.
const SCALE_LEN: usize = 7;
/// Nanoseconds in the unit of all times.
const TIMESTAMP_SCALE: u64 = 1_000_000;
/// What a decoder of Opus must hear before it is right, in nanoseconds (RFC 7845 §4.6).
const OPUS_PRE_ROLL: u64 = 80_000_000;
/// 2001-01-01 in seconds of Unix time: where Matroska's dates begin (RFC 8794 §7.6).
const DATE_EPOCH: i64 = 978_307_200;

/// A track of a file. Its number is its place in the list, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackEntry {
    /// What is in it; anything but RED.
    pub codec: Codec,
    /// Width in pixels; 0 for sound.
    pub width: u16,
    /// Height in pixels; 0 for sound.
    pub height: u16,
    /// What a decoder must know beforehand: `avcC` of H264, `av1C` of AV1; empty for the others.
    pub private: Vec<u8>,
    /// For people.
    pub name: String,
}

/// `matroska` if one of the tracks is not allowed in `webm`.
pub fn doc_type(tracks: &[TrackEntry]) -> &'static str {
    let is_web = |track: &TrackEntry| track.codec.family() != Codec::H264;
    match tracks.iter().all(is_web) {
        true => "webm",
        false => "matroska",
    }
}

/// Where the things at the head are, from the beginning of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The content of the segment; what it says of places counts from here.
    pub(super) segment: u64,
    /// The information.
    pub(super) info: u64,
    /// The tracks.
    pub(super) tracks: u64,
    /// The tracks that are pictures.
    pub(super) pictures: Vec<Picture>,
    /// The first cluster.
    pub(super) clusters: u64,
}

/// A track of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    /// Its number.
    pub(super) track: u64,
    /// Where there is space to say how short one picture stands, if there is.
    pub(super) duration: Option<u64>,
}

/// Writes the head of a file that was begun at that time (Unix time, milliseconds).
pub(super) fn put_head(out: &mut Vec<u8>, tracks: &[TrackEntry], began_ms: i64) -> Places {
    put_master(out, element::EBML, |out| put_ebml(out, doc_type(tracks)));
    ebml::put_id(out, element::SEGMENT);
    out.extend_from_slice(&ebml::UNKNOWN_SIZE);
    let segment = out.len() as u64;
    let mut places = Places {
        segment,
        info: segment + SEEK_SPACE as u64,
        tracks: 0,
        pictures: Vec::new(),
        clusters: 0,
    };
    out.resize(out.len() + SEEK_SPACE, 0);
    put_master(out, element::INFO, |out| put_info(out, began_ms));
    places.tracks = out.len() as u64;
    let mut entries = Vec::new();
    for (number, track) in (1..).zip(tracks) {
        put_master(&mut entries, element::TRACK_ENTRY, |out| {
            put_track(out, number, track)
        });
    }
    put(out, element::TRACKS, &entries);
    places.pictures = pictures(&entries, (out.len() - entries.len()) as u64);
    places.clusters = out.len() as u64;
    let seek_head = places.seek_head(None);
    out[segment as usize..][..SEEK_SPACE].copy_from_slice(&seek_head);
    places
}

/// The tracks of pictures in the content of the tracks, which begins there.
pub(super) fn pictures(tracks: &[u8], inside: u64) -> Vec<Picture> {
    let mut pictures = Vec::new();
    for (_, entry) in places(tracks).filter(|(id, _)| *id == element::TRACK_ENTRY) {
        let content = &tracks[entry.inside..entry.end];
        let value = |wanted| {
            let mut found = children(content).filter(|(id, _)| *id == wanted);
            found.next().map(|(_, value)| big_endian(value))
        };
        let is_picture = value(element::TRACK_TYPE) == Some(track_type(MediaKind::Video));
        let Some(track) = value(element::TRACK_NUMBER).filter(|_| is_picture) else {
            continue;
        };
        let mut spaces = places(content).filter(|(id, place)| {
            matches!(*id, element::VOID | element::DEFAULT_DURATION)
                && place.end - place.at == PICTURE_DURATION_LEN
        });
        let space = spaces.next();
        let duration = space.map(|(_, place)| inside + (entry.inside + place.at) as u64);
        pictures.push(Picture { track, duration });
    }
    pictures
}

fn put_ebml(out: &mut Vec<u8>, doc_type: &str) {
    put_uint(out, element::EBML_VERSION, 1);
    put_uint(out, element::EBML_READ_VERSION, 1);
    put_uint(out, element::EBML_MAX_ID_LENGTH, 4);
    put_uint(out, element::EBML_MAX_SIZE_LENGTH, 8);
    put(out, element::DOC_TYPE, doc_type.as_bytes());
    put_uint(out, element::DOC_TYPE_VERSION, 4);
    put_uint(out, element::DOC_TYPE_READ_VERSION, 2);
}

fn put_info(out: &mut Vec<u8>, began_ms: i64) {
    put_uint(out, element::TIMESTAMP_SCALE, TIMESTAMP_SCALE);
    put_void(out, DURATION_LEN);
    let date = (began_ms - DATE_EPOCH * 1_000).saturating_mul(1_000_000);
    put(out, element::DATE_UTC, &date.to_be_bytes());
    put(out, element::MUXING_APP, b"Motet");
    put(out, element::WRITING_APP, b"Motet");
}

fn put_track(out: &mut Vec<u8>, number: u64, track: &TrackEntry) {
    put_uint(out, element::TRACK_NUMBER, number);
    put_uint(out, element::TRACK_UID, number);
    let kind = track.codec.kind();
    put_uint(out, element::TRACK_TYPE, track_type(kind));
    put_uint(out, element::FLAG_LACING, 0);
    put(out, element::LANGUAGE, b"und");
    if !track.name.is_empty() {
        put(out, element::NAME, track.name.as_bytes());
    }
    put(out, element::CODEC_ID, codec_id(track.codec).as_bytes());
    match kind {
        MediaKind::Audio => put_sound(out),
        MediaKind::Video => put_picture(out, track),
    }
}

fn put_sound(out: &mut Vec<u8>) {
    put(out, element::CODEC_PRIVATE, &crate::media::ogg::opus_head());
    put_uint(out, element::CODEC_DELAY, 0);
    put_uint(out, element::SEEK_PRE_ROLL, OPUS_PRE_ROLL);
    put_master(out, element::AUDIO, |out| {
        put(out, element::SAMPLING_FREQUENCY, &48_000_f32.to_be_bytes());
        put_uint(out, element::CHANNELS, 2);
    });
}

fn put_picture(out: &mut Vec<u8>, track: &TrackEntry) {
    // How short a picture stands is known at the end.
    put_void(out, PICTURE_DURATION_LEN);
    if !track.private.is_empty() {
        put(out, element::CODEC_PRIVATE, &track.private);
    }
    put_master(out, element::VIDEO, |out| {
        put_uint(out, element::PIXEL_WIDTH, track.width.into());
        put_uint(out, element::PIXEL_HEIGHT, track.height.into());
    });
}

/// RFC 9559 §5.1.4.1.3.
fn track_type(kind: MediaKind) -> u64 {
    match kind {
        MediaKind::Video => 1,
        MediaKind::Audio => 2,
    }
}

/// The Matroska codec mappings (draft-ietf-cellar-codec).
fn codec_id(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus | Codec::Red => "A_OPUS",
        Codec::Vp8 => "V_VP8",
        Codec::Vp9 => "V_VP9",
        Codec::H264 | Codec::H264Main | Codec::H264High => "V_MPEG4/ISO/AVC",
        Codec::Av1 => "V_AV1",
    }
}

/// What is known of a file when it ends.
#[derive(Debug)]
pub(super) struct Known {
    /// Where the cues are, if there are any.
    pub(super) cues: Option<u64>,
    /// How long it is, in milliseconds.
    pub(super) duration_ms: u64,
    /// The shortest that one picture stands, for each of [`Places::pictures`], in milliseconds.
    pub(super) shortest_ms: Vec<Option<NonZeroU64>>,
    /// Where it ends.
    pub(super) end: u64,
}

impl Places {
    /// The seek head and what fills its space; without cues, none are announced.
    fn seek_head(&self, cues: Option<u64>) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEEK_SPACE);
        put_master(&mut out, element::SEEK_HEAD, |out| {
            let places = [
                (element::INFO, Some(self.info)),
                (element::TRACKS, Some(self.tracks)),
                (element::CUES, cues),
            ];
            for (id, at) in places {
                if let Some(at) = at {
                    put_master(out, element::SEEK, |out| {
                        put(out, element::SEEK_ID, &id.to_be_bytes());
                        put(
                            out,
                            element::SEEK_POSITION,
                            &(at - self.segment).to_be_bytes(),
                        );
                    });
                }
            }
        });
        let left = SEEK_SPACE - out.len();
        put_void(&mut out, left);
        out
    }

    /// What is to be written over the head of a file that ends at `end`. The segment's size comes last:
    /// a file that has one has all the rest.
    pub(super) fn patches(&self, known: &Known) -> Vec<Patch> {
        let mut duration = Vec::with_capacity(DURATION_LEN);
        put(
            &mut duration,
            element::DURATION,
            &(known.duration_ms as f64).to_be_bytes(),
        );
        let info_content = self.info + INFO_HEAD_LEN;
        let mut patches = vec![Patch {
            at: info_content + SCALE_LEN as u64,
            bytes: duration,
        }];
        for (picture, shortest_ms) in self.pictures.iter().zip(&known.shortest_ms) {
            if let (Some(at), Some(ms)) = (picture.duration, shortest_ms) {
                let mut bytes = Vec::with_capacity(PICTURE_DURATION_LEN);
                let ns = ms.get().saturating_mul(TIMESTAMP_SCALE);
                put(&mut bytes, element::DEFAULT_DURATION, &ns.to_be_bytes());
                patches.push(Patch { at, bytes });
            }
        }
        patches.push(Patch {
            at: self.segment,
            bytes: self.seek_head(known.cues),
        });
        patches.push(Patch {
            at: self.segment - ebml::FULL_SIZE_LEN as u64,
            bytes: ebml::full_size(known.end - self.segment).to_vec(),
        });
        patches
    }
}

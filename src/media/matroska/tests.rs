#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use proptest::prelude::*;

use super::ebml::{Head, big_endian, children};
use super::*;
use crate::logic::forward::codec::Codec;
use crate::media::verdict::{Patch, Repair, Verdict};

const SOUND: usize = 0;
const PICTURE: usize = 1;
/// 2026-01-02 03:04:05 UTC.
const BEGAN_MS: i64 = 1_767_323_045_000;

fn entry(codec: Codec) -> TrackEntry {
    TrackEntry {
        codec,
        width: 640,
        height: 360,
        private: Vec::new(),
        name: "someone".into(),
    }
}

/// Sound every 20 ms, a picture every 40 ms, a key frame every two seconds.
fn blocks(frames: u64) -> impl Iterator<Item = Block<'static>> {
    (0..frames)
        .flat_map(|frame| {
            let sound = Block {
                track: SOUND,
                at_ms: frame * 20,
                key: true,
                data: &[0xfc, 0xff, 0xfe],
            };
            let picture = Block {
                track: PICTURE,
                at_ms: frame * 20,
                key: frame % 100 == 0,
                data: &[0x55; 300],
            };
            [Some(sound), (frame % 2 == 0).then_some(picture)]
        })
        .flatten()
}

fn apply(file: &mut [u8], patches: &[Patch]) {
    for patch in patches {
        let at = patch.at as usize;
        file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
    }
}

fn file(tracks: &[TrackEntry], blocks: impl Iterator<Item = Block<'static>>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut muxer = Muxer::new(tracks, BEGAN_MS, &mut out);
    for block in blocks {
        muxer.write(&block, &mut out);
    }
    let patches = muxer.finish(&mut out);
    apply(&mut out, &patches);
    out
}

fn both(frames: u64) -> Vec<u8> {
    file(&[entry(Codec::Opus), entry(Codec::Vp8)], blocks(frames))
}

/// A block by track, time and whether it is a key frame.
type Place = (u64, u64, bool);

/// What a reader finds: every check of the structure is made on the way.
#[derive(Debug, Default, PartialEq)]
struct Found {
    doc_type: String,
    duration_ms: f64,
    tracks: Vec<Vec<(u32, Vec<u8>)>>,
    /// By cluster: its time and its blocks by track, time and flag.
    clusters: Vec<(u64, Vec<Place>)>,
    /// Time, track, and the block that is at that place.
    cues: Vec<(u64, u64, Place)>,
}

fn list(content: &[u8]) -> Vec<(u32, Vec<u8>)> {
    children(content)
        .map(|(id, value)| (id, value.to_vec()))
        .collect()
}

fn value(content: &[u8], id: u32) -> Vec<u8> {
    let mut found = children(content).filter(|(found, _)| *found == id);
    found
        .next()
        .unwrap_or_else(|| panic!("no {id:x}"))
        .1
        .to_vec()
}

fn block_at(cluster: &[u8], relative: usize, cluster_ms: u64) -> Place {
    let head = Head::read(&cluster[relative..]).unwrap();
    assert_eq!(head.id, element::SIMPLE_BLOCK);
    let block = &cluster[relative + head.length..];
    let at = cluster_ms + big_endian(&block[1..3]);
    (u64::from(block[0] & 0x7f), at, block[3] & 0x80 != 0)
}

fn read(file: &[u8]) -> Found {
    let mut found = Found::default();
    let ebml = Head::read(file).unwrap();
    let segment_at = ebml.length + ebml.size.unwrap() as usize;
    found.doc_type =
        String::from_utf8(value(&file[ebml.length..segment_at], element::DOC_TYPE)).unwrap();
    let segment = Head::read(&file[segment_at..]).unwrap();
    let content = &file[segment_at + segment.length..];
    assert_eq!(segment.id, element::SEGMENT);
    assert_eq!(segment.size, Some(content.len() as u64));
    let mut at = 0;
    let mut places = Vec::new();
    while at < content.len() {
        let head = Head::read(&content[at..]).unwrap();
        let inside = &content[at + head.length..][..head.size.unwrap() as usize];
        places.push((head.id, at));
        match head.id {
            element::INFO => {
                let duration = value(inside, element::DURATION);
                found.duration_ms = f64::from_be_bytes(duration.try_into().unwrap());
            }
            element::TRACKS => {
                found.tracks = children(inside).map(|(_, entry)| list(entry)).collect();
            }
            element::CLUSTER => {
                let at_ms = big_endian(&value(inside, element::TIMESTAMP));
                let mut blocks = Vec::new();
                let mut next = 0;
                while next < inside.len() {
                    let head = Head::read(&inside[next..]).unwrap();
                    if head.id == element::SIMPLE_BLOCK {
                        blocks.push(block_at(inside, next, at_ms));
                    }
                    next += head.length + head.size.unwrap() as usize;
                }
                assert_eq!(next, inside.len());
                found.clusters.push((at_ms, blocks));
            }
            element::CUES => found.cues = cues(content, inside),
            element::SEEK_HEAD | element::VOID => {}
            other => panic!("{other:x}"),
        }
        at += head.length + head.size.unwrap() as usize;
    }
    let seek_head = Head::read(content).unwrap();
    let sought = &content[seek_head.length..][..seek_head.size.unwrap() as usize];
    for (_, seek) in children(sought) {
        let id = big_endian(&value(seek, element::SEEK_ID)) as u32;
        let at = big_endian(&value(seek, element::SEEK_POSITION)) as usize;
        assert!(places.contains(&(id, at)), "{id:x} is not at {at}");
    }
    found
}

fn cues(segment: &[u8], cues: &[u8]) -> Vec<(u64, u64, Place)> {
    let cue = |(_, point): (u32, &[u8])| {
        let at_ms = big_endian(&value(point, element::CUE_TIME));
        let positions = value(point, element::CUE_TRACK_POSITIONS);
        let number = |id| big_endian(&value(&positions, id));
        let cluster_at = number(element::CUE_CLUSTER_POSITION) as usize;
        let head = Head::read(&segment[cluster_at..]).unwrap();
        assert_eq!(head.id, element::CLUSTER);
        let inside = &segment[cluster_at + head.length..];
        let cluster_ms = big_endian(&value(inside, element::TIMESTAMP));
        let relative = number(element::CUE_RELATIVE_POSITION) as usize;
        (
            at_ms,
            number(element::CUE_TRACK),
            block_at(inside, relative, cluster_ms),
        )
    };
    children(cues).map(cue).collect()
}

#[test]
fn every_frame_is_there_at_its_time_and_in_order() {
    let found = read(&both(251));
    let blocks: Vec<_> = found
        .clusters
        .iter()
        .flat_map(|(_, blocks)| blocks.clone())
        .collect();
    let written: Vec<_> = self::blocks(251)
        .map(|block| (block.track as u64 + 1, block.at_ms, block.key))
        .collect();
    assert_eq!(blocks, written);
    assert_eq!(
        found.duration_ms, 5_040.0,
        "the last picture is as long as the one before"
    );
}

#[test]
fn clusters_are_short_and_begin_at_key_frames() {
    let found = read(&both(500));
    let times: Vec<_> = found.clusters.iter().map(|(at_ms, _)| *at_ms).collect();
    assert_eq!(times[..6], [0, 1_000, 2_000, 3_000, 4_000, 5_000]);
    for (at_ms, blocks) in &found.clusters {
        assert!(blocks.iter().all(|(_, at, _)| at - at_ms < 1_000));
    }
    let irregular = (0..100).map(|frame| Block {
        track: 0,
        at_ms: frame * 40,
        key: frame == 0 || frame == 16,
        data: &[1],
    });
    let found = read(&file(&[entry(Codec::Vp9)], irregular));
    let times: Vec<_> = found.clusters.iter().map(|(at_ms, _)| *at_ms).collect();
    assert_eq!(times, [0, 640, 1_640, 2_640, 3_640]);
}

#[test]
fn cues_lead_to_every_key_frame_of_a_picture() {
    let found = read(&both(500));
    let expected: Vec<_> = (0..5)
        .map(|key| (key * 2_000, 2, (2, key * 2_000, true)))
        .collect();
    assert_eq!(found.cues, expected);
}

#[test]
fn cues_lead_to_every_cluster_where_there_is_only_sound() {
    let sound = blocks(200).filter(|block| block.track == SOUND);
    let found = read(&file(&[entry(Codec::Opus)], sound));
    let expected: Vec<_> = (0..4)
        .map(|cue| (cue * 1_000, 1, (1, cue * 1_000, true)))
        .collect();
    assert_eq!(found.cues, expected);
}

#[test]
fn the_head_says_what_is_in_the_file() {
    for (codec, id, doc_type) in [
        (Codec::Vp8, "V_VP8", "webm"),
        (Codec::Vp9, "V_VP9", "webm"),
        (Codec::Av1, "V_AV1", "webm"),
        (Codec::H264, "V_MPEG4/ISO/AVC", "matroska"),
    ] {
        let private = vec![1, 2, 3];
        let picture = TrackEntry {
            private,
            ..entry(codec)
        };
        let found = read(&file(&[entry(Codec::Opus), picture], blocks(10)));
        assert_eq!(found.doc_type, doc_type);
        let of = |track: usize, id| {
            let mut values = found.tracks[track].iter().filter(|(found, _)| *found == id);
            values.next().map(|(_, value)| value.clone())
        };
        assert_eq!(of(0, element::CODEC_ID).unwrap(), b"A_OPUS");
        assert!(
            of(0, element::CODEC_PRIVATE)
                .unwrap()
                .starts_with(b"OpusHead")
        );
        assert_eq!(of(1, element::CODEC_ID).unwrap(), id.as_bytes());
        assert_eq!(of(1, element::CODEC_PRIVATE).unwrap(), [1, 2, 3]);
        let video = of(1, element::VIDEO).unwrap();
        assert_eq!(big_endian(&value(&video, element::PIXEL_WIDTH)), 640);
        assert_eq!(big_endian(&value(&video, element::PIXEL_HEIGHT)), 360);
    }
}

/// Without it ffmpeg guesses a mean, and finds pictures that stand for less to be at one time.
#[test]
fn the_head_says_how_short_a_picture_stands() {
    let pictures = |times: &'static [u64]| {
        times.iter().map(|&at_ms| Block {
            track: 0,
            at_ms,
            key: at_ms == 0,
            data: &[1],
        })
    };
    let cases: [(&'static [u64], Option<u64>); 5] = [
        (&[0, 40, 80, 120], Some(40)),
        (&[0, 66, 91, 200, 1_500], Some(25)),
        (&[0, 1, 3, 90_000], Some(1)),
        (&[0, 0, 33, 33], Some(33)),
        (&[0], None),
    ];
    for (times, expected) in cases {
        let found = read(&file(&[entry(Codec::Vp8)], pictures(times)));
        assert_eq!(stands_ms(&found, 0), expected, "{times:?}");
    }
    let found = read(&both(100));
    assert_eq!(stands_ms(&found, SOUND), None);
    assert_eq!(stands_ms(&found, PICTURE), Some(40));
}

/// What a track says of how short a picture stands, in milliseconds.
fn stands_ms(found: &Found, track: usize) -> Option<u64> {
    let mut values = found.tracks[track].iter();
    let (_, ns) = values.find(|(id, _)| *id == element::DEFAULT_DURATION)?;
    assert_eq!(big_endian(ns) % 1_000_000, 0);
    Some(big_endian(ns) / 1_000_000)
}

#[test]
fn times_never_go_back_and_a_long_pause_fits() {
    let times = [5, 3, 70_000, 69_000, 4_000_000];
    let blocks = times.map(|at_ms| Block {
        track: 0,
        at_ms,
        key: true,
        data: &[1],
    });
    let found = read(&file(&[entry(Codec::Opus)], blocks.into_iter()));
    let written: Vec<_> = found
        .clusters
        .iter()
        .flat_map(|(_, blocks)| blocks.iter().map(|(_, at, _)| *at))
        .collect();
    assert_eq!(written, [5, 5, 70_000, 70_000, 4_000_000]);
}

#[test]
fn a_frame_of_no_track_is_left_out_and_a_file_without_frames_is_whole() {
    let stray = Block {
        track: 3,
        at_ms: 0,
        key: true,
        data: &[1],
    };
    let found = read(&file(&[entry(Codec::Opus)], [stray].into_iter()));
    assert_eq!((found.clusters.len(), found.cues.len()), (0, 0));
}

fn repaired(cut: &[u8], repair: &Repair) -> Vec<u8> {
    let mut file = cut[..repair.keep as usize].to_vec();
    file.extend_from_slice(&repair.append);
    apply(&mut file, &repair.patches);
    file
}

#[test]
fn a_finished_file_needs_no_repair() {
    assert_eq!(repair(&mut Cursor::new(both(100))).unwrap(), Verdict::Whole);
}

#[test]
fn a_file_that_was_not_finished_becomes_what_it_would_have_been() {
    let mut out = Vec::new();
    let tracks = [entry(Codec::Opus), entry(Codec::Vp8)];
    let mut muxer = Muxer::new(&tracks, BEGAN_MS, &mut out);
    for block in blocks(500) {
        muxer.write(&block, &mut out);
    }
    muxer.flush(&mut out);
    let Verdict::Repair(repair) = repair(&mut Cursor::new(&out)).unwrap() else {
        panic!("it was not finished");
    };
    assert_eq!(repair.duration_ms, muxer.duration_ms());
    assert_eq!(repaired(&out, &repair), both(500));
}

#[test]
fn an_end_that_was_interrupted_is_made_again() {
    let whole = both(300);
    let mut out = Vec::new();
    let tracks = [entry(Codec::Opus), entry(Codec::Vp8)];
    let mut muxer = Muxer::new(&tracks, BEGAN_MS, &mut out);
    for block in blocks(300) {
        muxer.write(&block, &mut out);
    }
    let patches = muxer.finish(&mut out);
    for done in 0..patches.len() {
        let mut interrupted = out.clone();
        apply(&mut interrupted, &patches[..done]);
        let Verdict::Repair(repair) = repair(&mut Cursor::new(&interrupted)).unwrap() else {
            panic!("{done} of {} were done", patches.len());
        };
        assert_eq!(repaired(&interrupted, &repair), whole, "{done}");
    }
}

#[test]
fn files_are_merged_in_the_order_of_time_each_as_a_track() {
    let sound = file(
        &[entry(Codec::Opus)],
        blocks(150).filter(|block| block.track == SOUND),
    );
    let avcc = TrackEntry {
        private: vec![1, 66],
        ..entry(Codec::H264)
    };
    let moved = |block: Block<'static>| Block { track: 0, ..block };
    let picture = blocks(150)
        .filter(|block| block.track == PICTURE)
        .map(moved);
    let picture = file(std::slice::from_ref(&avcc), picture);
    let parts = vec![
        Part::new(Cursor::new(&sound), 1_010).unwrap(),
        Part::new(Cursor::new(&picture), 0).unwrap(),
    ];
    assert!(!is_web(&parts));
    let mut merged = Vec::new();
    let write = |bytes: &[u8]| {
        merged.extend_from_slice(bytes);
        Ok(())
    };
    let patches = merge(parts, BEGAN_MS, write).unwrap();
    apply(&mut merged, &patches);
    let found = read(&merged);
    let mut expected: Vec<_> = blocks(150)
        .map(|block| match block.track {
            SOUND => (block.at_ms + 1_010, 1, true),
            _ => (block.at_ms, 2, block.key),
        })
        .collect();
    expected.sort();
    let all = found.clusters.iter().flat_map(|(_, blocks)| blocks);
    let all: Vec<_> = all
        .map(|&(track, at_ms, key)| (at_ms, track, key))
        .collect();
    assert_eq!(all, expected);
    assert_eq!(found.duration_ms, 4_010.0);
    assert_eq!(found.doc_type, "matroska");
    let alone = read(&picture).tracks.remove(0);
    let id = element::CODEC_PRIVATE;
    let private = |entry: &[(u32, Vec<u8>)]| entry.iter().find(|(found, _)| *found == id).cloned();
    assert_eq!(private(&found.tracks[1]), private(&alone));
    assert_eq!(found.cues.len(), 2, "the key frames");
}

#[test]
fn what_is_no_file_of_ours_is_not_merged() {
    for bytes in [&b""[..], b"no", &both(5)[..40]] {
        assert!(Part::new(Cursor::new(bytes), 0).is_err());
    }
}

proptest! {
    /// Wherever a file ends: what is left of it is whole, and lacks at most the cluster that was cut.
    #[test]
    fn a_file_that_ends_anywhere_opens_after_repair(frames in 1u64..400, at in 0.0..1.0f64) {
        let whole = both(frames);
        let cut = &whole[..(whole.len() as f64 * at) as usize];
        let all = read(&whole);
        match repair(&mut Cursor::new(cut)).unwrap() {
            Verdict::Whole => prop_assert!(false, "it was cut"),
            Verdict::Empty => {
                let first = all.clusters[0].1.len() * 310;
                prop_assert!(cut.len() < 600 + first);
            }
            Verdict::Repair(repair) => {
                let file = repaired(cut, &repair);
                let found = read(&file);
                let kept = found.clusters.len();
                prop_assert_eq!(&found.clusters[..], &all.clusters[..kept]);
                prop_assert!(cut.len() - repair.keep as usize <= 100 * 320 || kept == all.clusters.len());
                prop_assert_eq!(super::repair(&mut Cursor::new(file)).unwrap(), Verdict::Whole);
            }
        }
    }

    #[test]
    fn any_damage_is_read_without_harm(frames in 1u64..60, at in 0usize..600, bytes in prop::collection::vec(any::<u8>(), 1..20)) {
        let mut file = both(frames);
        let end = (at + bytes.len()).min(file.len());
        let at = at.min(end);
        file[at..end].copy_from_slice(&bytes[..end - at]);
        repair(&mut Cursor::new(file)).unwrap();
        repair(&mut Cursor::new(bytes)).unwrap();
    }

    /// Wherever the damage is, and whenever the manifest says that the file began.
    #[test]
    fn any_damaged_file_is_repaired_and_merged_without_harm(
        frames in 1u64..60,
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 1..20),
        began_ms in prop_oneof![0u64..10_000, any::<u64>()],
    ) {
        let sound = blocks(frames).filter(|block| block.track == SOUND);
        let mut file = file(&[entry(Codec::Opus)], sound);
        let at = at.index(file.len());
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
        repair(&mut Cursor::new(&file)).unwrap();
        if let Ok(part) = Part::new(Cursor::new(&file), began_ms) {
            let _ = merge(vec![part], BEGAN_MS, |_| Ok(()));
        }
    }
}

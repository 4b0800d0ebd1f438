#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use super::*;
use crate::logic::forward::codec::Codec;
use crate::logic::record::manifest::Layout;
use crate::media::depacketize::PictureFormat;
use crate::media::verdict::Verdict;
use crate::media::{matroska, ogg};

const ADA: MemberId = MemberId(1);
const BOB: MemberId = MemberId(2);

/// Does what a recorder wants with files in memory.
#[derive(Default)]
struct Disk {
    files: BTreeMap<String, Vec<u8>>,
    open: Vec<String>,
}

impl Disk {
    fn execute(&mut self, commands: &mut Vec<FileCommand>) {
        for command in commands.drain(..) {
            match command {
                FileCommand::Open { name } => {
                    assert!(
                        self.files.insert(name.clone(), Vec::new()).is_none(),
                        "{name}"
                    );
                    self.open.push(name);
                }
                FileCommand::Append { name, bytes } => {
                    assert!(self.open.contains(&name), "{name}");
                    self.files.get_mut(&name).unwrap().extend(bytes);
                }
                FileCommand::Patch { name, patch } => {
                    assert!(self.open.contains(&name), "{name}");
                    let at = patch.at as usize;
                    let file = self.files.get_mut(&name).unwrap();
                    file[at..at + patch.bytes.len()].copy_from_slice(&patch.bytes);
                }
                FileCommand::Close { name } => self.open.retain(|other| *other != name),
                FileCommand::Replace { name, bytes } => {
                    self.files.insert(name, bytes);
                }
            }
        }
    }

    fn manifest(&self) -> Manifest {
        serde_json::from_slice(&self.files[MANIFEST]).unwrap()
    }

    fn is_whole(&self, name: &str) -> bool {
        let mut file = Cursor::new(&self.files[name]);
        match name.ends_with(".ogg") {
            true => ogg::repair(&mut file).unwrap() == Verdict::Whole,
            false => matroska::repair(&mut file).unwrap() == Verdict::Whole,
        }
    }
}

struct Bench {
    now: Instant,
    recorder: Recorder,
    disk: Disk,
    commands: Vec<FileCommand>,
}

impl Bench {
    fn new(ogg: bool, limits: RecorderLimits) -> Self {
        let manifest = Manifest {
            id: "r".into(),
            room: "../choir".into(),
            began_unix_ms: 1_767_323_045_000,
            began_room_ms: 7,
            duration_ms: None,
            ended: None,
            layout: Layout::Both,
            room_file: None,
            members: Vec::new(),
            tracks: Vec::new(),
            speech: Vec::new(),
        };
        let mut commands = Vec::new();
        let recorder = Recorder::new(manifest, ogg, limits, &mut commands);
        let mut bench = Self {
            now: Instant::now(),
            recorder,
            disk: Disk::default(),
            commands,
        };
        bench.disk.execute(&mut bench.commands);
        bench
    }

    fn say(&mut self, word: Word) -> Option<RecordingEnd> {
        let ended = self.recorder.handle(self.now, word, &mut self.commands);
        self.disk.execute(&mut self.commands);
        ended
    }

    fn track(&mut self, track: u32, member: MemberId, source: Source) {
        let name = format!("<{member}>");
        self.say(Word::Track {
            track,
            member,
            name,
            source,
        });
    }

    fn sound(&mut self, track: u32, at_ms: u64) -> Option<RecordingEnd> {
        let frame = TrackFrame {
            at_ms,
            key: true,
            codec: Codec::Opus,
            data: vec![0xfc, 0xff, 0xfe],
            format: None,
        };
        self.say(Word::Frame { track, frame })
    }

    /// `private` marks the format; nothing: no key frame.
    fn picture(&mut self, track: u32, at_ms: u64, codec: Codec, private: Option<&[u8]>) {
        let format = private.map(|private| PictureFormat {
            width: 640,
            height: 360,
            private: private.to_vec(),
        });
        let frame = TrackFrame {
            at_ms,
            key: format.is_some(),
            codec,
            data: vec![7; 1_000],
            format,
        };
        self.say(Word::Frame { track, frame });
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.recorder.handle_timeout(self.now, &mut self.commands);
        self.disk.execute(&mut self.commands);
    }

    fn end(&mut self, at_ms: u64) {
        let why = RecordingEnd::Stopped;
        assert_eq!(self.say(Word::End { at_ms, why }), Some(why));
        assert!(self.disk.open.is_empty());
    }

    fn names(&self) -> Vec<&str> {
        let names = self.disk.files.keys().map(String::as_str);
        names.filter(|name| name.starts_with("track")).collect()
    }
}

#[test]
fn every_track_gets_a_file_and_the_manifest_says_where_it_belongs() {
    let mut bench = Bench::new(false, RecorderLimits::default());
    bench.track(1, ADA, Source::Microphone);
    bench.track(2, ADA, Source::Camera);
    for frame in 0..100 {
        bench.sound(1, 500 + frame * 20);
        let private: Option<&[u8]> = (frame % 50 == 0).then_some(&[]);
        bench.picture(2, 700 + frame * 20, Codec::Vp8, private);
    }
    bench.end(3_000);
    assert_eq!(
        bench.names(),
        ["track-1-microphone-1.webm", "track-2-camera-1.webm"]
    );
    assert!(bench.names().iter().all(|name| bench.disk.is_whole(name)));
    let manifest = bench.disk.manifest();
    assert_eq!(manifest, *bench.recorder.manifest());
    assert_eq!(
        (manifest.duration_ms, manifest.ended),
        (Some(3_000), Some(RecordingEnd::Stopped))
    );
    assert_eq!(manifest.members.len(), 1);
    let [sound, picture] = &manifest.tracks[..] else {
        panic!()
    };
    let told = |track: &TrackRecord| {
        let file = &track.files[0];
        (
            file.codec.clone(),
            file.at_ms,
            file.duration_ms,
            file.width,
            file.bytes,
        )
    };
    let size = |name: &str| bench.disk.files[name].len() as u64;
    let bytes = size("track-1-microphone-1.webm");
    assert_eq!(told(sound), ("opus".into(), 500, 2_000, None, bytes));
    let bytes = size("track-2-camera-1.webm");
    assert_eq!(told(picture), ("vp8".into(), 700, 2_000, Some(640), bytes));
}

#[test]
fn a_picture_begins_with_a_key_frame_and_another_format_with_another_file() {
    let mut bench = Bench::new(false, RecorderLimits::default());
    bench.track(1, ADA, Source::Screen);
    bench.picture(1, 0, Codec::H264, None);
    assert!(bench.names().is_empty());
    bench.picture(1, 20, Codec::H264, Some(&[1]));
    bench.picture(1, 40, Codec::H264, None);
    bench.picture(1, 60, Codec::H264, Some(&[1]));
    bench.picture(1, 80, Codec::H264, Some(&[2]));
    bench.picture(1, 100, Codec::Vp9, Some(&[]));
    bench.end(200);
    let names = [
        "track-1-screen-1.mkv",
        "track-1-screen-2.mkv",
        "track-1-screen-3.webm",
    ];
    assert_eq!(bench.names(), names);
    assert!(names.iter().all(|name| bench.disk.is_whole(name)));
    let began: Vec<_> = bench.disk.manifest().tracks[0]
        .files
        .iter()
        .map(|file| file.at_ms)
        .collect();
    assert_eq!(began, [20, 80, 100]);
}

#[test]
fn files_that_are_full_are_followed_by_others_at_a_key_frame() {
    let limits = RecorderLimits {
        file_ms: 1_000,
        ..RecorderLimits::default()
    };
    let mut bench = Bench::new(true, limits);
    bench.track(1, ADA, Source::Camera);
    bench.track(2, BOB, Source::ScreenAudio);
    for frame in 0..150 {
        let private: Option<&[u8]> = (frame % 60 == 0).then_some(&[]);
        bench.picture(1, frame * 20, Codec::Vp8, private);
        bench.sound(2, frame * 20);
    }
    bench.end(3_000);
    let names = [
        "track-1-camera-1.webm",
        "track-1-camera-2.webm",
        "track-1-camera-3.webm",
        "track-2-screen-audio-1.ogg",
        "track-2-screen-audio-2.ogg",
        "track-2-screen-audio-3.ogg",
    ];
    assert_eq!(bench.names(), names);
    assert!(names.iter().all(|name| bench.disk.is_whole(name)));
    let manifest = bench.disk.manifest();
    let lengths = |track: usize| -> Vec<_> {
        let files = manifest.tracks[track].files.iter();
        files.map(|file| (file.at_ms, file.duration_ms)).collect()
    };
    assert_eq!(lengths(0), [(0, 1_200), (1_200, 1_200), (2_400, 600)]);
    assert_eq!(lengths(1), [(0, 1_000), (1_000, 1_000), (2_000, 1_000)]);
}

#[test]
fn what_came_is_in_the_file_within_half_a_second() {
    let mut bench = Bench::new(false, RecorderLimits::default());
    bench.track(1, ADA, Source::Microphone);
    bench.sound(1, 0);
    let name = "track-1-microphone-1.webm";
    let before = bench.disk.files[name].len();
    bench.wait(499);
    assert_eq!(bench.disk.files[name].len(), before);
    bench.wait(1);
    assert!(bench.disk.files[name].len() > before);
    let mut file = Cursor::new(&bench.disk.files[name]);
    assert!(matches!(
        matroska::repair(&mut file).unwrap(),
        Verdict::Repair(_)
    ));
}

#[test]
fn gaps_have_a_place_and_a_cause() {
    let mut bench = Bench::new(false, RecorderLimits::default());
    bench.track(1, ADA, Source::Microphone);
    bench.say(Word::Absent {
        track: 1,
        cause: GapCause::Lost,
    });
    bench.sound(1, 100);
    bench.sound(1, 120);
    bench.say(Word::Absent {
        track: 1,
        cause: GapCause::Muted,
    });
    bench.sound(1, 5_000);
    bench.end(6_000);
    let gap = Gap {
        from_ms: 120,
        to_ms: 5_000,
        cause: GapCause::Muted,
    };
    assert_eq!(
        bench.disk.manifest().tracks[0].gaps,
        [gap],
        "none before the first frame"
    );
}

#[test]
fn who_spoke_when_is_in_the_manifest_and_in_subtitles() {
    let mut bench = Bench::new(false, RecorderLimits::default());
    bench.track(1, ADA, Source::Microphone);
    bench.track(2, BOB, Source::Microphone);
    for (at_ms, members) in [
        (1_000, vec![ADA]),
        (2_500, vec![BOB, ADA]),
        (4_000, vec![BOB]),
    ] {
        bench.say(Word::Speakers { at_ms, members });
    }
    bench.end(3_723_004);
    let speech: Vec<_> = bench
        .disk
        .manifest()
        .speech
        .iter()
        .map(|span| (span.member, span.from_ms, span.to_ms))
        .collect();
    assert_eq!(speech, [(ADA, 1_000, 4_000), (BOB, 2_500, 3_723_004)]);
    let expected = "WEBVTT\n\
        \n00:00:01.000 --> 00:00:04.000\n<v &lt;0000000000001&gt;>&lt;0000000000001&gt;</v>\n\
        \n00:00:02.500 --> 01:02:03.004\n<v &lt;0000000000002&gt;>&lt;0000000000002&gt;</v>\n";
    assert_eq!(
        String::from_utf8_lossy(&bench.disk.files[SUBTITLES]),
        expected
    );
}

#[test]
fn a_recording_that_is_too_long_ends() {
    let limits = RecorderLimits {
        recording_ms: 1_000,
        ..RecorderLimits::default()
    };
    let mut bench = Bench::new(false, limits);
    bench.track(1, ADA, Source::Microphone);
    assert_eq!(bench.sound(1, 1_000), None);
    assert_eq!(bench.sound(1, 1_020), Some(RecordingEnd::Limit));
    assert_eq!(bench.disk.manifest().ended, Some(RecordingEnd::Limit));
    assert!(bench.disk.is_whole("track-1-microphone-1.webm"));
}

#[test]
fn a_recording_of_too_many_files_or_tracks_ends() {
    let limits = RecorderLimits {
        files: 3,
        ..RecorderLimits::default()
    };
    let mut bench = Bench::new(false, limits);
    bench.track(1, ADA, Source::Camera);
    for (number, codec) in [Codec::Vp8, Codec::Vp9, Codec::Vp8].into_iter().enumerate() {
        bench.picture(1, number as u64 * 20, codec, Some(&[]));
        assert_eq!(bench.disk.manifest().ended, None);
    }
    bench.picture(1, 60, Codec::Vp9, Some(&[]));
    assert_eq!(bench.disk.manifest().ended, Some(RecordingEnd::Limit));
    assert_eq!(bench.disk.manifest().files(), 3);
    let mut bench = Bench::new(false, limits);
    for track in 1..=3 {
        bench.track(track, ADA, Source::Microphone);
    }
    assert_eq!(bench.disk.manifest().ended, None);
    bench.track(4, ADA, Source::Microphone);
    assert_eq!(bench.disk.manifest().ended, Some(RecordingEnd::Limit));
}

#[test]
fn a_manifest_is_written_when_a_file_begins_and_when_it_is_old() {
    let mut bench = Bench::new(false, RecorderLimits::default());
    assert!(bench.disk.manifest().tracks.is_empty());
    bench.track(1, ADA, Source::Microphone);
    bench.sound(1, 0);
    assert_eq!(
        bench.disk.manifest().tracks[0].files.len(),
        1,
        "or nobody would repair it"
    );
    bench.say(Word::Speakers {
        at_ms: 5,
        members: vec![ADA],
    });
    bench.wait(9_000);
    assert!(bench.disk.manifest().speech.is_empty());
    bench.wait(1_000);
    assert_eq!(bench.disk.manifest().speech.len(), 1);
}

#[test]
fn what_is_whole_and_no_ogg_can_be_merged() {
    for (ogg, why, awaits) in [
        (false, RecordingEnd::Stopped, true),
        (false, RecordingEnd::Interrupted, true),
        (false, RecordingEnd::DiskFull, false),
        (true, RecordingEnd::Stopped, false),
    ] {
        let mut bench = Bench::new(ogg, RecorderLimits::default());
        bench.track(1, ADA, Source::Microphone);
        assert!(!bench.recorder.manifest().awaits_merge());
        bench.sound(1, 0);
        assert!(!bench.recorder.manifest().awaits_merge(), "it goes on");
        bench.say(Word::End { at_ms: 20, why });
        assert_eq!(bench.recorder.manifest().awaits_merge(), awaits);
    }
}

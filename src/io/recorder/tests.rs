#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use super::*;
use crate::ids::MemberId;
use crate::logic::forward::codec::Codec;
use crate::logic::record::manifest::{Layout, Manifest};
use crate::logic::record::storage::Share;
use crate::media::recording::TrackFrame;
use crate::protocol::client::Source;
use crate::protocol::server::RecordingEnd;

const PATIENCE: Duration = Duration::from_secs(20);

/// A recorder with the shard that it reports to.
struct Bench {
    recorder: RecorderHandle,
    reports: tokio::sync::mpsc::Receiver<ShardCommand>,
    _shard: Sender<ShardCommand>,
    data: tempfile::TempDir,
}

impl Bench {
    fn new(limits: &Limits) -> Self {
        let data = tempfile::tempdir().unwrap();
        let lock = DataLock::take(data.path()).unwrap();
        let recorder = RecorderHandle::start((data.path(), lock), 0, limits).unwrap();
        let (shard, reports) = tokio::sync::mpsc::channel(100);
        recorder.report_to(&shard);
        Self {
            recorder,
            reports,
            _shard: shard,
            data,
        }
    }

    /// Begins a recording of a room, with a track of sound.
    fn begin(&self, id: &str) {
        let manifest = Manifest {
            id: id.to_owned(),
            room: format!("room of {id}"),
            began_unix_ms: 0,
            began_room_ms: 0,
            duration_ms: None,
            ended: None,
            layout: Layout::Both,
            room_file: None,
            members: Vec::new(),
            tracks: Vec::new(),
            speech: Vec::new(),
        };
        let manifest = Box::new(manifest);
        let ogg = false;
        self.say(id, Word::Begin { manifest, ogg });
        self.say(
            id,
            Word::Track {
                track: 1,
                member: MemberId(1),
                name: "Ada".to_owned(),
                source: Source::Microphone,
            },
        );
    }

    fn say(&self, id: &str, word: Word) {
        self.recorder.record(id.into(), word);
    }

    fn sound(&self, id: &str, number: u64, bytes: usize) {
        let frame = TrackFrame {
            at_ms: number * 20,
            key: true,
            codec: Codec::Opus,
            data: vec![7; bytes],
            format: None,
        };
        self.say(id, Word::Frame { track: 1, frame });
    }

    fn reported(&mut self) -> (String, RecordingEnd) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.reports.try_recv() {
                Ok(ShardCommand::RecordingFailed { recording, why, .. }) => {
                    return (recording, why);
                }
                Ok(_) => {}
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
            assert!(Instant::now() < deadline, "nothing is reported");
        }
    }

    fn manifest(&self, id: &str) -> Option<Manifest> {
        let found = self.recorder.store.find(&format!("room of {id}"), id);
        found.map(|(manifest, _)| manifest)
    }

    /// The manifest, once that is true of it.
    fn once(&self, id: &str, is_so: impl Fn(&Manifest) -> bool) -> Manifest {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(manifest) = self.manifest(id).filter(&is_so) {
                return manifest;
            }
            assert!(Instant::now() < deadline, "{:?}", self.manifest(id));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_recorder_that_fails_is_told_and_goes_on() {
    let mut bench = Bench::new(&Limits::default());
    bench.begin("a");
    bench.begin("b");
    for number in 0..20 {
        bench.sound("a", number, 100);
        bench.sound("b", number, 100);
    }
    let failure = Job::Panic(Some("a".into()));
    bench.recorder.jobs.send(failure).unwrap();
    assert_eq!(bench.reported(), ("a".to_owned(), RecordingEnd::NodeFailed));
    let repaired = bench.once("a", |manifest| manifest.ended.is_some());
    assert_eq!(repaired.ended, Some(RecordingEnd::NodeFailed));
    assert_eq!(repaired.tracks.len(), 1, "what there was is kept");
    // Another one goes on, and a new one begins; until the thread fails at work on none of them.
    bench.begin("c");
    bench.sound("c", 0, 100);
    bench.sound("b", 20, 100);
    bench.recorder.jobs.send(Job::Panic(None)).unwrap();
    let mut told = [bench.reported(), bench.reported()];
    told.sort();
    let expected = ["b", "c"].map(|id| (id.to_owned(), RecordingEnd::NodeFailed));
    assert_eq!(told, expected);
    bench.begin("d");
    bench.sound("d", 0, 100);
    let why = RecordingEnd::Stopped;
    bench.say("d", Word::End { at_ms: 20, why });
    bench.once("d", |manifest| manifest.ended == Some(why));
    bench.recorder.finish();
    assert_eq!(bench.recorder.backlog.bytes(), 0, "nothing waits");
}

#[test]
fn recordings_end_when_all_are_as_large_as_they_may_be() {
    let limits = Limits {
        recordings_bytes: Share::Bytes(300_000),
        recordings_free_bytes: 0,
        recordings_free_percent: 0,
        ..Limits::default()
    };
    let mut bench = Bench::new(&limits);
    bench.begin("a");
    let deadline = Instant::now() + PATIENCE;
    let mut number = 0;
    while bench.recorder.capacity.lacks().is_none() {
        bench.sound("a", number, 1_000);
        number += 1;
        std::thread::sleep(Duration::from_millis(1));
        assert!(
            Instant::now() < deadline,
            "{} bytes",
            bench.recorder.store.bytes()
        );
    }
    assert_eq!(bench.reported(), ("a".to_owned(), RecordingEnd::Limit));
    let ended = bench.once("a", |manifest| manifest.ended.is_some());
    assert_eq!(ended.ended, Some(RecordingEnd::Limit));
    assert!(ended.tracks[0].files[0].duration_ms > 1_000);
    bench.begin("b");
    assert_eq!(bench.reported(), ("b".to_owned(), RecordingEnd::Limit));
    assert!(bench.manifest("b").is_none(), "not even a folder");
    // Until one is removed.
    let (_, folder) = bench.recorder.store.find("room of a", "a").unwrap();
    bench.recorder.store.remove(&folder).unwrap();
    while bench.recorder.capacity.lacks().is_some() {
        assert!(Instant::now() < deadline, "there is space again");
        std::thread::sleep(Duration::from_millis(20));
    }
    bench.begin("c");
    bench.once("c", |_| true);
    bench.recorder.finish();
}

#[test]
fn a_disk_that_is_nearly_full_takes_no_recording() {
    let limits = Limits {
        recordings_free_bytes: u64::MAX,
        ..Limits::default()
    };
    let mut bench = Bench::new(&limits);
    bench.begin("a");
    assert_eq!(bench.reported(), ("a".to_owned(), RecordingEnd::DiskFull));
    assert_eq!(
        bench.recorder.capacity().lacks(),
        Some(RecordingEnd::DiskFull)
    );
    bench.recorder.finish();
}

#[test]
fn what_another_node_writes_is_not_repaired() {
    let bench = Bench::new(&Limits::default());
    bench.begin("a");
    (0..100).for_each(|number| bench.sound("a", number, 100));
    let begun = bench.once("a", |manifest| !manifest.tracks.is_empty());
    assert_eq!(begun.ended, None);
    // One that could not lock the folder.
    let other = RecorderHandle::start(
        (bench.data.path(), DataLock::default()),
        1,
        &Limits::default(),
    );
    let other = other.unwrap();
    std::thread::sleep(Duration::from_millis(300));
    other.finish();
    assert_eq!(bench.manifest("a").unwrap().ended, None);
    bench.recorder.finish();
    let ended = bench.manifest("a").unwrap();
    assert_eq!(ended.ended, Some(RecordingEnd::Interrupted));
    assert!(ended.tracks[0].files[0].duration_ms >= 1_980, "{ended:?}");
}

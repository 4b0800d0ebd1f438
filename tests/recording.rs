//! A room is recorded: real frames from a client of another make, files on a real disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use motet::media::matroska::repair;
use motet::media::ogg;
use motet::media::verdict::Verdict;
use motet::protocol::server::{RecordingEnd, ServerMessage};
use rtp::codec::vp8::Vp8Payloader;
use rtp::header::Header;
use rtp::packet::Packet;
use rtp::packetizer::Payloader;
use serde_json::{Value, json};
use tempfile::TempDir;
use webrtc::media_stream::track_local::TrackLocal;

mod common;
#[path = "../examples/support/mod.rs"]
mod support;

use support::{Client, OPUS, Part, VP8};

const PATIENCE: Duration = Duration::from_secs(20);
const ROOM: &str = "studio";
/// A picture of 320x180 at 20 frames a second, with a key frame every second, by libvpx.
const PICTURE: &[u8] = include_bytes!("fixtures/recording/picture.ivf");
const FPS: u32 = 20;
/// 20 ms of silence.
const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_holds_every_frame_at_its_time_and_everyone_knows_of_it() {
    let studio = Studio::open(&[]);
    let mut ada = studio.enter("Ada", Loss::None).await;
    let (status, begun) = studio.post(&json!({})).await;
    assert_eq!(status, 201, "{begun}");
    let id = begun["id"].as_str().unwrap().to_owned();
    assert_eq!(ada.hear_of_recording().await, (Some(id.clone()), None));
    assert_eq!(
        studio.post(&json!({})).await.0,
        409,
        "it is recorded already"
    );
    let late = studio.enter("Bob", Loss::Everything).await;
    let ServerMessage::Joined { recording, .. } = &late.client.joined else {
        unreachable!("it joined");
    };
    assert_eq!(recording.as_ref().map(|sign| &sign.id), Some(&id));

    tokio::time::sleep(Duration::from_secs(4)).await;
    let status = studio.delete(&format!("/{id}")).await;
    assert_eq!(status, 204);
    assert_eq!(
        ada.hear_of_recording().await,
        (None, Some(RecordingEnd::Stopped))
    );
    assert_eq!(studio.delete("").await, 404, "it is not recorded any more");
    let one = studio
        .http
        .get(studio.url(&format!("/{id}")))
        .send()
        .await
        .unwrap();
    assert_eq!(one.json::<Value>().await.unwrap()["id"], json!(id));
    let none = studio.http.get(studio.url("/0")).send().await.unwrap();
    assert_eq!(none.status().as_u16(), 404);

    let manifest = studio.ended().await;
    assert_eq!(manifest["ended"], "stopped");
    assert_eq!(manifest["room"], ROOM);
    assert_eq!(manifest["members"][0]["name"], "Ada");
    let duration = manifest["durationMs"].as_u64().unwrap();
    assert!((4_000..6_000).contains(&duration), "{duration}");
    let picture = studio.file(&manifest, "camera");
    let sound = studio.file(&manifest, "microphone");
    assert_eq!(
        (
            picture.record["width"].as_u64(),
            picture.record["height"].as_u64()
        ),
        (Some(320), Some(180))
    );
    let frames = picture.blocks();
    assert!(frames.len() > 60, "{} frames", frames.len());
    let sent: Vec<_> = pictures().collect();
    let first = sent
        .iter()
        .position(|sent| *sent == frames[0].data)
        .unwrap();
    for (frame, number) in frames.iter().zip(first..) {
        assert!(
            frame.data == sent[number % sent.len()],
            "frame {number} is another"
        );
    }
    for pair in frames.windows(2) {
        // A report may move a track by 5 ms.
        let step = pair[1].at_ms - pair[0].at_ms;
        assert!(step.abs_diff(50) <= 6, "{step} ms");
    }
    let sounds = sound.blocks();
    assert!(sounds.iter().all(|block| block.data == SILENCE));
    assert!(sounds.len() > 150, "{} packets of sound", sounds.len());
    // Both began at once, and the picture at its first key frame.
    let begin = |file: &Recorded| file.record["atMs"].as_u64().unwrap();
    assert!(begin(&picture).abs_diff(begin(&sound)) < 1_300);
    assert!(studio.folder(&manifest).join("speakers.vtt").exists());

    let manifest = studio.merged().await;
    assert_eq!(manifest["roomFile"], "room.webm");
    let room = studio.folder(&manifest).join("room.webm");
    let verdict = repair(&mut File::open(&room).unwrap()).unwrap();
    assert_eq!(verdict, Verdict::Whole);
    let bytes = std::fs::read(room).unwrap();
    let record = Value::Null;
    let all = Recorded { record, bytes }.blocks();
    assert_eq!(all.len(), frames.len() + sounds.len());
    assert!(all.is_sorted_by_key(|block| block.at_ms));
    studio.keep("whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_leaves_files_that_the_next_start_makes_whole() {
    for moment in [2_700, 3_450, 5_300] {
        kill_after(Duration::from_millis(moment)).await;
    }
}

async fn kill_after(moment: Duration) {
    let mut studio = Studio::open(&[]);
    let _ada = studio.enter("Ada", Loss::None).await;
    assert_eq!(studio.post(&json!({})).await.0, 201);
    let began = Instant::now();
    tokio::time::sleep(moment).await;
    studio.kill();
    let recorded = began.elapsed();
    studio.reopen();
    let manifest = studio.merged().await;
    assert_eq!(manifest["ended"], "interrupted");
    assert_eq!(manifest["roomFile"], "room.webm");
    for source in ["camera", "microphone"] {
        let file = studio.file(&manifest, source);
        let begin = file.record["atMs"].as_u64().unwrap();
        let end = begin + file.record["durationMs"].as_u64().unwrap();
        let lacks = recorded.saturating_sub(Duration::from_millis(end));
        assert!(lacks < Duration::from_secs(2), "{source} lacks {lacks:?}");
        assert!(!file.blocks().is_empty());
    }
    studio.keep("killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_arrives_is_a_gap_and_no_broken_picture() {
    let studio = Studio::open(&[]);
    let _ada = studio.enter("Ada", Loss::EveryFiftieth).await;
    assert_eq!(studio.post(&json!({})).await.0, 201);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(studio.delete("").await, 204);
    let manifest = studio.ended().await;
    let track = studio.track(&manifest, "camera");
    let gaps = track["gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|gap| gap["cause"] == "lost"), "{track}");
    let sent: BTreeSet<_> = pictures().collect();
    let frames = studio.file(&manifest, "camera").blocks();
    assert!(
        frames.iter().all(|frame| sent.contains(&frame.data)),
        "a frame is broken"
    );
    for gap in gaps {
        let after = gap["toMs"].as_u64().unwrap()
            - studio.file(&manifest, "camera").record["atMs"]
                .as_u64()
                .unwrap();
        let frame = frames.iter().find(|frame| frame.at_ms == after).unwrap();
        assert!(frame.key, "the picture comes back with a key frame");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_alone_is_kept_as_ogg() {
    let studio = Studio::open(&[]);
    let _ada = studio.enter("Ada", Loss::None).await;
    let (status, _) = studio
        .post(&json!({"audioOnly": true, "layout": "tracks"}))
        .await;
    assert_eq!(status, 201);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(studio.delete("").await, 204);
    let manifest = studio.ended().await;
    assert_eq!(manifest["tracks"].as_array().unwrap().len(), 1);
    let name = studio.track(&manifest, "microphone")["files"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(name.ends_with(".ogg"));
    let path = studio.folder(&manifest).join(name);
    let verdict = ogg::repair(&mut File::open(path).unwrap()).unwrap();
    assert_eq!(verdict, Verdict::Whole);
    studio.keep("sound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_is_refused() {
    let mesh = Studio::open(&["--topology", "mesh"]);
    assert_eq!(mesh.post(&json!({})).await.0, 404, "nobody is there");
    let (_ada, _) = common::Client::join(&mesh.node, ROOM, "Ada").await;
    assert_eq!(mesh.post(&json!({})).await.0, 409);
    assert_eq!(mesh.post(&json!({"video": true})).await.0, 400);
    assert_eq!(mesh.list().await, json!([]));
    assert_eq!(mesh.delete("").await, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_record_guests_do_not_and_media_moves_to_the_node_meanwhile() {
    let studio = Studio::open(&[]);
    let mut owner = common::Client::connect(&studio.node).await;
    let join = json!({"type": "join", "room": ROOM, "name": "Ada", "ownerKey": "0123456789abcdef"});
    owner.say(join).await;
    owner.hear_type("joined").await;
    let (mut guest, _) = common::Client::join(&studio.node, ROOM, "Bob").await;
    guest
        .say(json!({"type": "record", "id": 2, "active": true}))
        .await;
    assert_eq!(guest.hear_type("error").await["code"], "forbidden");
    owner
        .say(json!({"type": "record", "id": 2, "active": true}))
        .await;
    let id = guest.hear_type("recording").await["recording"]["id"].clone();
    assert!(id.is_string());
    let switch = guest.hear_type("switch").await;
    assert_eq!(
        (&switch["mode"], &switch["why"]["cause"]),
        (&json!("sfu"), &json!("recording"))
    );
    owner
        .say(json!({"type": "record", "id": 3, "active": false}))
        .await;
    assert_eq!(guest.hear_type("recording").await["ended"], "stopped");
    assert_eq!(studio.ended().await["id"], id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_vanishes_ends_the_recording_and_not_the_call() {
    let studio = Studio::open(&[]);
    let mut ada = studio.enter("Ada", Loss::None).await;
    assert_eq!(studio.post(&json!({})).await.0, 201);
    ada.hear_of_recording().await;
    // Until there is something to vanish.
    while studio.list().await[0]["tracks"][1]["files"][0].is_null() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::remove_dir_all(studio.data.path()).unwrap();
    let ended = ada.hear_of_recording().await;
    assert_eq!(ended, (None, Some(RecordingEnd::DiskFailed)));
    assert!(*ada.client.connected.borrow(), "the call goes on");
    let stats = studio.http.get(studio.node.url("/api/stats")).send();
    let stats: Value = stats.await.unwrap().json().await.unwrap();
    assert_eq!(
        (&stats["recordings"], &stats["connectedPeers"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(
        studio.post(&json!({})).await.0,
        201,
        "and can be recorded again"
    );
}

/// Only root can make a small disk; for others there is nothing to see here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_recording_with_what_there_is() {
    let Some(disk) = SmallDisk::mount("1m") else {
        eprintln!("a small disk cannot be mounted here");
        return;
    };
    let studio = Studio::open_on(disk.0, &[]);
    let mut ada = studio.enter("Ada", Loss::None).await;
    // Most of it is taken already.
    std::fs::write(studio.data.path().join("other"), vec![0; 850_000]).unwrap();
    assert_eq!(studio.post(&json!({})).await.0, 201);
    ada.hear_of_recording().await;
    let ended = ada.hear_of_recording().await;
    assert_eq!(ended, (None, Some(RecordingEnd::DiskFull)));
    assert!(*ada.client.connected.borrow(), "the call goes on");
    let manifest = studio.ended().await;
    assert_eq!(manifest["ended"], "diskFull");
    assert!(studio.file(&manifest, "camera").blocks().len() > 20);
    studio.keep("full");
    umount(studio.data.path());
}

/// A disk in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = mount.arg(folder.path()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(folder))
    }
}

fn umount(folder: &Path) {
    let mut umount = std::process::Command::new("umount");
    assert!(umount.arg("-l").arg(folder).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_can_be_recorded_from_its_beginning() {
    let studio = Studio::open(&[]);
    let rooms = studio.http.post(studio.node.url("/api/rooms"));
    let made = rooms
        .json(&json!({"name": ROOM, "record": true}))
        .send()
        .await
        .unwrap();
    assert_eq!(made.status().as_u16(), 201);
    let room: Value = made.json().await.unwrap();
    let (_ada, joined) = common::Client::join(&studio.node, ROOM, "Ada").await;
    assert_eq!(joined["recording"], room["recording"]);
    assert_eq!(joined["topology"]["mode"], "sfu");
    let gone = studio
        .http
        .delete(studio.node.url(&format!("/api/rooms/{ROOM}")));
    assert_eq!(gone.send().await.unwrap().status().as_u16(), 204);
    assert_eq!(studio.ended().await["ended"], "roomClosed");
}

/// What happens to the packets of a picture on their way.
#[derive(Clone, Copy, PartialEq)]
enum Loss {
    None,
    EveryFiftieth,
    Everything,
}

/// A node that keeps its recordings in a folder.
struct Studio {
    node: common::Node,
    data: TempDir,
    http: reqwest::Client,
}

impl Studio {
    fn open(flags: &[&str]) -> Self {
        Self::open_on(tempfile::tempdir().unwrap(), flags)
    }

    fn open_on(data: TempDir, flags: &[&str]) -> Self {
        let node = start(data.path(), flags);
        let http = reqwest::Client::new();
        Self { node, data, http }
    }

    /// With SIGKILL, as whatever drops a node does.
    fn kill(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.node.pid());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        self.node.wait();
    }

    fn reopen(&mut self) {
        self.node = start(self.data.path(), &[]);
    }

    async fn enter(&self, name: &str, loss: Loss) -> Person {
        let part = Part {
            room: ROOM.to_owned(),
            name: name.to_owned(),
            publish: true,
            seats: 0,
            media_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            number: 1,
        };
        let url = format!("ws://{}/ws", self.node.http);
        let mut client = Client::join(&url, &part).await.unwrap();
        client.connected(PATIENCE).await.unwrap();
        let tasks = vec![
            tokio::spawn(speak(client.microphone.clone().unwrap(), loss)),
            tokio::spawn(show(client.camera.clone().unwrap(), loss)),
        ];
        Person { client, tasks }
    }

    fn url(&self, rest: &str) -> String {
        self.node
            .url(&format!("/api/rooms/{ROOM}/recordings{rest}"))
    }

    async fn post(&self, body: &Value) -> (u16, Value) {
        let answer = self
            .http
            .post(self.url(""))
            .json(body)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    async fn delete(&self, rest: &str) -> u16 {
        let answer = self.http.delete(self.url(rest)).send().await.unwrap();
        answer.status().as_u16()
    }

    async fn list(&self) -> Value {
        let answer = self.http.get(self.url("")).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// The manifest of the only recording, once it is over.
    async fn ended(&self) -> Value {
        self.once("ended").await
    }

    /// The same, once there is a file of all tracks.
    async fn merged(&self) -> Value {
        self.once("roomFile").await
    }

    async fn once(&self, key: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = self.list().await;
            if list[0][key].is_string() {
                assert_eq!(list.as_array().unwrap().len(), 1);
                return list[0].clone();
            }
            assert!(Instant::now() < deadline, "no {key}: {list}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn folder(&self, manifest: &Value) -> PathBuf {
        let recordings = self.data.path().join("recordings");
        recordings.join(manifest["id"].as_str().unwrap())
    }

    /// The only track of that source with a file.
    fn track(&self, manifest: &Value, source: &str) -> Value {
        let tracks = manifest["tracks"].as_array().unwrap().iter();
        let mut found = tracks.filter(|track| {
            track["source"] == source && !track["files"].as_array().unwrap().is_empty()
        });
        let track = found
            .next()
            .unwrap_or_else(|| panic!("{source}: {manifest}"));
        assert!(found.next().is_none());
        track.clone()
    }

    fn file(&self, manifest: &Value, source: &str) -> Recorded {
        let record = self.track(manifest, source)["files"][0].clone();
        let path = self.folder(manifest).join(record["name"].as_str().unwrap());
        let verdict = repair(&mut File::open(&path).unwrap()).unwrap();
        assert_eq!(verdict, Verdict::Whole, "{source}");
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(
            record["bytes"].as_u64(),
            Some(bytes.len() as u64),
            "{source}"
        );
        Recorded { record, bytes }
    }

    /// Copies the recordings to where `KEEP_RECORDINGS` says, for other tools to look at.
    fn keep(&self, name: &str) {
        if let Some(folder) = std::env::var_os("KEEP_RECORDINGS") {
            let to = Path::new(&folder).join(name);
            let from = self.data.path().join("recordings");
            let copied = std::process::Command::new("cp")
                .arg("-r")
                .args([&from, &to])
                .status();
            assert!(copied.unwrap().success());
        }
    }
}

fn start(data: &Path, flags: &[&str]) -> common::Node {
    let data = ["--data-dir", data.to_str().unwrap()];
    common::Node::start(&[&data, flags].concat())
}

/// A member whose media runs.
struct Person {
    client: Client,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Person {
    async fn hear_of_recording(&mut self) -> (Option<String>, Option<RecordingEnd>) {
        let heard = self.client.signaling.wait_for(|message| match message {
            ServerMessage::Recording { recording, ended } => {
                Some((recording.as_ref().map(|sign| sign.id.clone()), *ended))
            }
            _ => None,
        });
        tokio::time::timeout(PATIENCE, heard)
            .await
            .unwrap()
            .unwrap()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// The frames of the fixture (IVF: a header of 32 bytes, each frame behind its size and time).
fn pictures() -> impl Iterator<Item = Vec<u8>> {
    let mut rest = &PICTURE[32..];
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(12)?;
        let size = u32::from_le_bytes(head[..4].try_into().unwrap());
        let (frame, after) = after.split_at(size as usize);
        rest = after;
        Some(frame.to_vec())
    })
}

async fn speak(track: Arc<dyn TrackLocal>, loss: Loss) {
    let ssrc = track.ssrcs().await[0];
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    for number in 0_u32.. {
        beat.tick().await;
        let packet = packet(OPUS, ssrc, (number, number * 960), false, SILENCE.into());
        if loss != Loss::Everything && track.write_rtp(packet).await.is_err() {
            return;
        }
    }
}

async fn show(track: Arc<dyn TrackLocal>, loss: Loss) {
    let ssrc = track.ssrcs().await[0];
    let frames: Vec<Bytes> = pictures().map(Bytes::from).collect();
    let mut payloader = Vp8Payloader::default();
    let mut beat = tokio::time::interval(Duration::from_secs(1) / FPS);
    let mut sequence = 0;
    for number in 0_u32.. {
        beat.tick().await;
        let frame = &frames[number as usize % frames.len()];
        let payloads = payloader.payload(1_000, frame).unwrap();
        let last = payloads.len() - 1;
        for (index, payload) in payloads.into_iter().enumerate() {
            sequence += 1;
            let is_lost = match loss {
                Loss::None => false,
                Loss::EveryFiftieth => sequence % 50 == 0,
                Loss::Everything => true,
            };
            let when = (sequence, number * 90_000 / FPS);
            let packet = packet(VP8, ssrc, when, index == last, payload);
            if !is_lost && track.write_rtp(packet).await.is_err() {
                return;
            }
        }
    }
}

fn packet(
    payload_type: u8,
    ssrc: u32,
    (sequence, timestamp): (u32, u32),
    marker: bool,
    payload: Bytes,
) -> Packet {
    let header = Header {
        version: 2,
        marker,
        payload_type,
        sequence_number: sequence as u16,
        timestamp,
        ssrc,
        ..Header::default()
    };
    Packet { header, payload }
}

/// A file of a recording.
struct Recorded {
    record: Value,
    bytes: Vec<u8>,
}

/// A block as a reader finds it.
struct Block {
    at_ms: u64,
    key: bool,
    data: Vec<u8>,
}

impl Recorded {
    /// All blocks, read without any code of the writer's.
    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let (_, after_head) = element(&self.bytes);
        let head = self.bytes.len() - after_head.len();
        // The segment: four bytes of id, eight of size.
        let mut rest = &self.bytes[head + 12..];
        while !rest.is_empty() {
            let ((id, content), after) = element(rest);
            rest = after;
            let mut inside = if id == 0x1F43_B675 { content } else { &[] };
            let mut cluster_ms = 0;
            while !inside.is_empty() {
                let ((id, content), after) = element(inside);
                inside = after;
                match id {
                    0xE7 => cluster_ms = number(content),
                    0xA3 => blocks.push(Block {
                        at_ms: cluster_ms + number(&content[1..3]),
                        key: content[3] & 0x80 != 0,
                        data: content[4..].to_vec(),
                    }),
                    _ => {}
                }
            }
        }
        blocks
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// The id and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> ((u64, &[u8]), &[u8]) {
    let id_length = bytes[0].leading_zeros() as usize + 1;
    let (id, rest) = bytes.split_at(id_length);
    let size_length = rest[0].leading_zeros() as usize + 1;
    let (size, rest) = rest.split_at(size_length);
    let size = number(size) & ((1 << (7 * size_length)) - 1);
    let (content, after) = rest.split_at(size as usize);
    ((number(id), content), after)
}

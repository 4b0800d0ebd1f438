//! A node that records, somebody who publishes to it, and a reader of its files.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use motet::media::matroska::repair;
use motet::media::verdict::Verdict;
use motet::protocol::server::{RecordingEnd, ServerMessage};
use serde_json::Value;
use tempfile::TempDir;

use crate::common;
use crate::support::{Client, Part};

pub mod film;

pub use film::Loss;
pub use film::bend::Bend;
use film::{show_bent, speak_bent};

pub const PATIENCE: Duration = Duration::from_secs(20);
pub const ROOM: &str = "studio";
/// A node that keeps its recordings in a folder.
pub struct Studio {
    pub node: common::Node,
    pub data: TempDir,
    pub http: reqwest::Client,
}

impl Studio {
    pub fn open(flags: &[&str]) -> Self {
        Self::open_on(tempfile::tempdir().unwrap(), flags)
    }

    pub fn open_on(data: TempDir, flags: &[&str]) -> Self {
        let node = start(data.path(), flags);
        let http = common::admin();
        Self { node, data, http }
    }

    /// With SIGKILL, as whatever drops a node does.
    pub fn kill(&mut self) {
        let pid = nix::unistd::Pid::from_raw(self.node.pid());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        self.node.wait();
    }

    /// Starts a node over the same folder and kills it that long afterwards, whatever it does then.
    pub async fn start_and_kill(&self, after: Duration) {
        let mut command = common::motet();
        command.args(["--http-listen", "127.0.0.1:0", "--media-port", "0"]);
        command.args(["--media-ip", "127.0.0.1", "--data-dir"]);
        let mut process = command.arg(self.data.path()).spawn().unwrap();
        tokio::time::sleep(after).await;
        process.kill().unwrap();
        common::wait(&mut process);
    }

    pub fn reopen(&mut self) {
        self.node = start(self.data.path(), &[]);
    }

    pub async fn enter(&self, name: &str, loss: Loss) -> Person {
        self.enter_bent(name, loss, Bend::Nothing).await
    }

    pub async fn enter_bent(&self, name: &str, loss: Loss, bend: Bend) -> Person {
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
        let keys = Arc::default();
        let tasks = vec![
            tokio::spawn(speak_bent(client.microphone.clone().unwrap(), loss, bend)),
            tokio::spawn(show_bent(
                client.camera.clone().unwrap(),
                loss,
                Arc::clone(&keys),
                bend,
            )),
        ];
        Person {
            keys,
            client,
            tasks,
        }
    }

    pub fn url(&self, rest: &str) -> String {
        self.node
            .url(&format!("/api/rooms/{ROOM}/recordings{rest}"))
    }

    pub async fn post(&self, body: &Value) -> (u16, Value) {
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

    pub async fn delete(&self, rest: &str) -> u16 {
        let answer = self.http.delete(self.url(rest)).send().await.unwrap();
        answer.status().as_u16()
    }

    pub async fn list(&self) -> Value {
        let answer = self.http.get(self.url("")).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// The manifest of the only recording, once it is over.
    pub async fn ended(&self) -> Value {
        self.once("ended").await
    }

    /// The same, once there is a file of all tracks.
    pub async fn merged(&self) -> Value {
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

    pub fn folder(&self, manifest: &Value) -> PathBuf {
        let recordings = self.data.path().join("recordings");
        recordings.join(manifest["id"].as_str().unwrap())
    }

    /// The only track of that source with a file.
    pub fn track(&self, manifest: &Value, source: &str) -> Value {
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

    pub fn file(&self, manifest: &Value, source: &str) -> Recorded {
        let record = self.track(manifest, source)["files"][0].clone();
        self.read(manifest, record, source)
    }

    /// A file that is whole.
    pub fn read(&self, manifest: &Value, record: Value, source: &str) -> Recorded {
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
    pub fn keep(&self, name: &str) {
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
pub struct Person {
    /// When key frames were sent.
    pub keys: Arc<Mutex<Vec<Instant>>>,
    pub client: Client,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Person {
    pub async fn hear_of_recording(&mut self) -> (Option<String>, Option<RecordingEnd>) {
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

/// A file of a recording.
pub struct Recorded {
    pub record: Value,
    pub bytes: Vec<u8>,
}

/// A block as a reader finds it.
pub struct Block {
    pub at_ms: u64,
    pub key: bool,
    pub data: Vec<u8>,
}

impl Recorded {
    /// All blocks, read without any code of the writer's.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        for (id, content, _) in self.top() {
            let mut cluster_ms = 0;
            for (id, content) in children(if id == 0x1F43_B675 { content } else { &[] }) {
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

    /// Where every cluster begins, counted from the content of the segment, and its time.
    pub fn clusters(&self) -> Vec<(u64, u64)> {
        let clusters = self.top().into_iter().filter(|top| top.0 == 0x1F43_B675);
        let time = |content| children(content).into_iter().find(|child| child.0 == 0xE7);
        clusters
            .map(|(_, content, at)| (at, number(time(content).unwrap().1)))
            .collect()
    }

    /// The time of every cue and where its cluster is.
    pub fn cues(&self) -> Vec<(u64, u64)> {
        let mut cues = Vec::new();
        let top = self.top().into_iter().filter(|top| top.0 == 0x1C53_BB6B);
        for (_, point) in top.flat_map(|(_, content, _)| children(content)) {
            let mut at_ms = 0;
            for (id, content) in children(point) {
                match id {
                    0xB3 => at_ms = number(content),
                    0xB7 => {
                        let position = children(content).into_iter().find(|child| child.0 == 0xF1);
                        cues.push((at_ms, number(position.unwrap().1)));
                    }
                    _ => {}
                }
            }
        }
        cues
    }

    /// How long the file says it is.
    pub fn duration_ms(&self) -> Option<f64> {
        let info = self.top().into_iter().find(|top| top.0 == 0x1549_A966)?;
        let duration = children(info.1)
            .into_iter()
            .find(|child| child.0 == 0x4489)?;
        Some(match duration.1.len() {
            4 => f32::from_be_bytes(duration.1.try_into().unwrap()).into(),
            _ => f64::from_be_bytes(duration.1.try_into().unwrap()),
        })
    }

    /// What is in the segment: ids, contents, and where each begins in it.
    fn top(&self) -> Vec<(u64, &[u8], u64)> {
        let (_, after_head) = element(&self.bytes);
        // The segment: four bytes of id, eight of size.
        let segment = &after_head[12..];
        let mut rest = segment;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let at = (segment.len() - rest.len()) as u64;
            let ((id, content), after) = element(rest);
            found.push((id, content, at));
            rest = after;
        }
        found
    }
}

fn children(mut rest: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (child, after) = element(rest);
        found.push(child);
        rest = after;
    }
    found
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

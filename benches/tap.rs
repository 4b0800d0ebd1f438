//! What recording costs. `cargo bench --bench tap`
//!
//! 1. Pure: nanoseconds per packet of a tap and of the files behind it, without sockets and disk: a room
//!    that is recorded less the same room that is not, beside the verdict of a bare leg in the same run.
//! 2. Recorded and not, in turn: processor time of a node in a process of its own, with files on a disk,
//!    for each track of 1 Mb/s. The aim is less than 1 % of a core.
//! 3. A hundred rooms recorded at once. What got lost is what the manifests call a gap, and what the
//!    node did not put into a file. Frames before a room's first key frame, which comes within a second,
//!    are in no file either.
//!
//! Processor time is the node's own, of all its threads; but publishers share the machine: numbers of a busy
//! machine are too high. Medians, and the least and the most, of as many rounds as the constants say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use motet::logic::forward::codec::{Codec, PayloadTypes};
use motet::logic::forward::extension::ExtensionIds;
use motet::logic::forward::layer::LayerInfo;
use motet::logic::forward::leg::{Leg, LegConfig, SourceInfo};
use motet::logic::forward::packet::{Facts, Origin, RtpView, TrackId};
use motet::media::recording::{Recorder, RecorderLimits, Word};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[path = "../tests/common/mod.rs"]
mod common;
#[allow(dead_code, unreachable_pub)]
#[path = "../tests/sim/connection.rs"]
mod connection;
#[allow(dead_code, unreachable_pub)]
#[path = "../tests/sim/light.rs"]
mod light;
#[allow(dead_code, unreachable_pub)]
#[path = "../tests/sim/media.rs"]
mod media;
#[allow(dead_code, unreachable_pub)]
#[path = "support/member.rs"]
mod member;
#[allow(dead_code, unreachable_pub)]
#[path = "../tests/sim/node.rs"]
mod node;
#[allow(dead_code, unreachable_pub)]
#[path = "support/process.rs"]
mod process;
#[allow(dead_code, unreachable_pub)]
#[path = "support/room.rs"]
mod room;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/support/signaling.rs"]
mod signaling;

use common::Node;
use connection::Layout;
use light::Profile;
use media::Camera;
use member::Member;
use process::cpu;
use room::Room;

const FPS: u32 = 30;
/// Packets of a frame.
const PARTS: u8 = 4;
const CAMERA: u32 = 77;
const MEGABIT: u32 = 1_000_000;

/// Packets of a round of the pure part, and rounds: 16 s, since a member who says nothing is gone after 30.
const PACKETS: usize = 2_000;
const ROUNDS: usize = 7;
/// Tracks that are recorded and not in turn, and for how long each.
const TRACKS: u64 = 20;
const TURN: Duration = Duration::from_secs(4);
const TURNS: usize = 3;
/// Rooms that are recorded at once, and for how long.
const ROOMS: u64 = 100;
const AT_ONCE: Duration = Duration::from_secs(15);

fn main() {
    pure();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        in_turn().await;
        at_once().await;
    });
}

/// Bytes of a packet of a picture at that rate.
fn packet_bytes(bits_per_second: u32) -> usize {
    (bits_per_second / 8 / FPS / u32::from(PARTS)) as usize
}

fn pure() {
    let bytes = packet_bytes(MEGABIT);
    let verdict = Spread::of((0..ROUNDS).map(|_| verdict(bytes)));
    // One after the other, so that what the machine does meanwhile happens to both.
    let (mut bare, mut recorded) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        bare.push(shard(bytes, false));
        recorded.push(shard(bytes, true));
    }
    let pairs = bare.iter().zip(&recorded);
    let tap = Spread::of(pairs.map(|(bare, recorded)| recorded - bare));
    let (bare, recorded) = (Spread::of(bare), Spread::of(recorded));
    println!("ns per packet of {bytes} bytes, without sockets and disk");
    println!("  verdict of a bare leg           {verdict}");
    println!("  a room that nobody sees         {bare}");
    println!("  the same, recorded              {recorded}");
    println!("  tap and files                   {tap}");
    let packets = f64::from(FPS * u32::from(PARTS));
    let core = tap.median * packets / 1e9 * 100.0;
    println!("  of a core at {packets} packets/s    {core:8.4} %");
    let ratio = tap.median / verdict.median;
    println!("  beside a verdict                {ratio:8.1} x\n");
}

/// Nanoseconds per verdict.
fn verdict(bytes: usize) -> f64 {
    let mut camera = Camera::new(0, 0, CAMERA, 96, 0);
    (camera.filling, camera.parts) = (bytes, PARTS);
    let packet = camera.frame(3_000).remove(1);
    let mut raw = vec![0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 77];
    raw.extend_from_slice(&packet.payload);
    let track = TrackId(1);
    let origin = Origin {
        track,
        layer: 0,
        codec: Codec::Vp8,
        sequence: 0,
        clock: None,
    };
    let ids = ExtensionIds::default();
    let mut facts = Facts::gather(&RtpView::parse(&raw).unwrap(), origin, &ids);
    let mut payload_types = PayloadTypes::default();
    payload_types.set_media(Codec::Vp8, 96);
    let config = LegConfig {
        kind: Codec::Vp8.kind(),
        ssrc: 1,
        rtx_ssrc: None,
        payload_types,
        extensions: ids,
    };
    let mut now = Instant::now();
    let mut leg = Leg::new(config, &mut StdRng::seed_from_u64(1));
    let layers = &[LayerInfo::default()];
    leg.set_source(now, Some(SourceInfo { track, layers }));
    let began = Instant::now();
    for _ in 0..PACKETS {
        facts.origin.sequence += 1;
        facts.timestamp = facts.timestamp.wrapping_add(750);
        now += Duration::from_millis(8);
        black_box(leg.judge(now, black_box(&facts)));
    }
    began.elapsed().as_secs_f64() * 1e9 / PACKETS as f64
}

/// Nanoseconds per packet for the shard, and for the files if it is recorded.
fn shard(bytes: usize, is_recorded: bool) -> f64 {
    let mut room = Room::with_frames_of(PARTS, bytes);
    let mut recorder = None;
    if is_recorded {
        room.record();
        room.want_key();
    }
    let (mut spent, mut files) = (Duration::ZERO, vec![]);
    for packet in room.seal(PACKETS) {
        room.now += Duration::from_millis(8);
        let began = Instant::now();
        room.forward(&packet);
        for word in room.words() {
            write(&mut recorder, word, &mut files);
        }
        spent += began.elapsed();
    }
    if is_recorded {
        let recorded = recorder.map_or(0, |recorder| recorder.recorded_ms());
        assert!(recorded > 10_000, "{recorded} ms of it are recorded");
    }
    spent.as_secs_f64() * 1e9 / PACKETS as f64
}

fn write(
    recorder: &mut Option<Recorder>,
    word: Word,
    files: &mut Vec<motet::media::recording::FileCommand>,
) {
    match (word, recorder) {
        (Word::Begin { manifest, ogg }, recorder @ None) => {
            let limits = RecorderLimits::default();
            *recorder = Some(Recorder::new(*manifest, ogg, limits, files));
        }
        (word, Some(recorder)) => {
            recorder.handle(Instant::now(), word, files);
        }
        _ => {}
    }
    black_box(&files);
    files.clear();
}

async fn in_turn() {
    let studio = Studio::open(TRACKS, MEGABIT).await;
    let (mut without, mut with) = (vec![], vec![]);
    for _ in 0..TURNS {
        without.push(studio.cores(TURN).await);
        studio.record().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        with.push(studio.cores(TURN).await);
        studio.stop().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let per_track = |(without, with): (&f64, &f64)| (with - without) / TRACKS as f64 * 100.0;
    let one = Spread::of(without.iter().zip(&with).map(per_track));
    let ratio = Spread::of(
        without
            .iter()
            .zip(&with)
            .map(|(without, with)| with / without),
    );
    let percent = |cores: &[f64]| Spread::of(cores.iter().map(|cores| cores * 100.0));
    println!("{TRACKS} tracks of 1 Mb/s, {FPS} frames a second, files on a disk; % of a core");
    println!("  not recorded                    {}", percent(&without));
    println!("  recorded                        {}", percent(&with));
    println!("  ratio                           {ratio}");
    println!("  recording one track             {one}\n");
}

async fn at_once() {
    println!("{ROOMS} rooms recorded at once for {} s", AT_ONCE.as_secs());
    println!("  kb/s each  % of a core  frames sent    in files  left out  gaps  MB/s");
    for bits_per_second in [300_000, 600_000, MEGABIT] {
        let studio = Studio::open(ROOMS, bits_per_second).await;
        studio.record().await;
        let sent = studio.frames.load(Ordering::Relaxed);
        let cores = studio.cores(AT_ONCE).await;
        let sent = studio.frames.load(Ordering::Relaxed) - sent;
        studio.stop().await;
        let taken = studio.taken().await;
        println!(
            "  {:9}  {:11.1}  {sent:11}  {:10}  {:8}  {:4}  {:4.1}",
            bits_per_second / 1_000,
            cores * 100.0,
            taken.frames,
            taken.left_out,
            taken.gaps,
            taken.bytes as f64 / AT_ONCE.as_secs_f64() / 1e6,
        );
    }
}

/// A node with files on a disk, and rooms with one publisher each.
struct Studio {
    node: Node,
    http: reqwest::Client,
    rooms: u64,
    /// Frames that the publishers sent.
    frames: Arc<AtomicU64>,
    // Publishers go with the studio.
    _publishers: JoinSet<()>,
    data: tempfile::TempDir,
}

/// What became of the recordings.
#[derive(Default)]
struct Taken {
    frames: u64,
    gaps: u64,
    bytes: u64,
    left_out: u64,
}

impl Studio {
    async fn open(rooms: u64, bits_per_second: u32) -> Self {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let folder = data.path().to_str().unwrap();
        let node = Node::start(&["--topology", "sfu", "--log", "error", "--data-dir", folder]);
        let url = format!("ws://{}/ws", node.http);
        let frames = Arc::new(AtomicU64::new(0));
        let mut publishers = JoinSet::new();
        for number in 0..rooms {
            let layout = Layout {
                camera: vec![CAMERA],
                ..Layout::default()
            };
            let room = room_name(number);
            let member = Member::join(&url, &room, number, layout, Profile::Gcm).await;
            publishers.spawn(publish(member, bits_per_second, frames.clone()));
        }
        let studio = Self {
            node,
            http: common::admin(),
            rooms,
            frames,
            _publishers: publishers,
            data,
        };
        tokio::time::sleep(Duration::from_secs(2)).await;
        studio
    }

    fn recordings(&self, number: u64) -> String {
        let room = room_name(number);
        self.node.url(&format!("/api/rooms/{room}/recordings"))
    }

    async fn record(&self) {
        for number in 0..self.rooms {
            let request = self.http.post(self.recordings(number));
            let request = request.json(&json!({ "layout": "tracks" }));
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status, 201);
        }
    }

    async fn stop(&self) {
        for number in 0..self.rooms {
            let request = self.http.delete(self.recordings(number));
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status, 204);
        }
    }

    /// Cores that the node uses meanwhile.
    async fn cores(&self, time: Duration) -> f64 {
        let (began, before) = (Instant::now(), cpu(self.node.pid()));
        tokio::time::sleep(time).await;
        let spent = cpu(self.node.pid()) - before;
        spent.as_secs_f64() / began.elapsed().as_secs_f64()
    }

    /// What is in the files, once all are ended.
    async fn taken(&self) -> Taken {
        let mut taken = Taken::default();
        for number in 0..self.rooms {
            let manifest = self.ended(number).await;
            for track in manifest["tracks"].as_array().unwrap() {
                taken.gaps += track["gaps"].as_array().map_or(0, Vec::len) as u64;
                for file in track["files"].as_array().unwrap() {
                    let folder = self.data.path().join("recordings");
                    let folder = folder.join(manifest["id"].as_str().unwrap());
                    let path = folder.join(file["name"].as_str().unwrap());
                    taken.bytes += file["bytes"].as_u64().unwrap();
                    taken.frames += frames(&path);
                }
            }
        }
        let stats = self.http.get(self.node.url("/metrics")).send().await;
        let text = stats.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(NOT_RECORDED));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        taken.left_out = value.expect("the metric");
        taken
    }

    async fn ended(&self, number: u64) -> Value {
        loop {
            let list = self.http.get(self.recordings(number)).send().await.unwrap();
            let list: Value = list.json().await.unwrap();
            if list[0]["ended"].is_string() {
                return list[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Frames that the disk was too slow for.
const NOT_RECORDED: &str = "motet_frames_not_recorded";

fn room_name(number: u64) -> String {
    format!("studio-{number}")
}

/// Frames of a file, as a reader finds them.
fn frames(path: &std::path::Path) -> u64 {
    let file = std::fs::File::open(path).unwrap();
    let mut reader = motet::media::matroska::Reader::open(file).unwrap();
    let mut frames = 0;
    while let Some(cluster) = reader.next_cluster().unwrap() {
        frames += cluster.len() as u64;
    }
    frames
}

/// Frames at their pace until nobody wants them any more, with a key frame a second.
async fn publish(mut member: Member, bits_per_second: u32, frames: Arc<AtomicU64>) {
    let mut camera = Camera::new(0, 0, CAMERA, 96, 0);
    camera.parts = PARTS;
    // Less the stamp and the descriptor.
    camera.filling = packet_bytes(bits_per_second) - 23;
    let mut beat = tokio::time::interval(Duration::from_secs(1) / FPS);
    for frame in 0_u32.. {
        beat.tick().await;
        if frame.is_multiple_of(FPS) {
            camera.want_key();
            member.stay().await;
        }
        for packet in camera.frame(90_000 / FPS) {
            let sealed = member.peer.seal(&packet).unwrap();
            let sent = member.socket.send_to(&sealed, member.node()).await;
            sent.unwrap();
        }
        frames.fetch_add(1, Ordering::Relaxed);
    }
}

/// The median of some figures, the least and the most.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self {
            median: values[values.len() / 2],
            least: values[0],
            most: values[values.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            least,
            most,
        } = self;
        write!(f, "{median:8.2}  ({least:.2} to {most:.2})")
    }
}

//! The whole node over loopback: what a join costs, what an idle peer holds, what a forwarded packet costs,
//! beside a loop of the same run that only seals and sends. `cargo bench --bench node`
//!
//! Processor time is the node's own, so what the clients cost does not count; but they share the machine:
//! numbers of a busy machine are too high.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use motet::ids::{LocalSocket, Path};
use motet::io::udp::UdpSockets;
use motet::media::egress::SendArena;
use motet::media::srtp::{self, Sealer, SrtpKeys, StreamState};
use tokio::task::JoinHandle;

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
#[path = "support/process.rs"]
mod process;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/support/signaling.rs"]
mod signaling;

use common::Node;
use connection::Layout;
use light::Profile;
use media::Camera;
use member::Member;
use process::{cpu, memory};

/// Peers that only hold a connection with one seat; the node takes 200 WebSockets from one address.
const IDLE: u64 = 150;
const VIEWERS: u64 = 100;
/// One publisher at 2.6 Mb/s: 30 frames a second of 10 packets of 1,100 bytes.
const FPS: u32 = 30;
const PARTS: u8 = 10;
const PACKET: usize = 1_100;
const SECONDS: u32 = 10;
const CAMERA: u32 = 77;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        joins_and_idle_peers().await;
        println!("profile  us/packet out  packets/s out    lost  bare seal and send  ratio");
        for profile in [Profile::Gcm, Profile::Sha1] {
            forwarding(profile).await;
        }
    });
}

async fn joins_and_idle_peers() {
    let node = Node::start(&["--topology", "sfu", "--log", "error"]);
    let url = format!("ws://{}/ws", node.http);
    let layout = || Layout {
        seats: 1,
        ..Layout::default()
    };
    // Whatever is made once is made by the first.
    let mut members = vec![Member::join(&url, "idle", 0, layout(), Profile::Gcm).await];
    let before = (cpu(node.pid()), memory(node.pid()));
    let mut times = vec![];
    for number in 1..=IDLE {
        let began = Instant::now();
        members.push(Member::join(&url, "idle", number, layout(), Profile::Gcm).await);
        times.push(began.elapsed());
    }
    let spent = cpu(node.pid()) - before.0;
    let held = memory(node.pid()).saturating_sub(before.1);
    times.sort_unstable();
    println!(
        "a join: {:.2} ms of the node's processor, {:.1?} until connected (median)",
        spent.as_secs_f64() * 1e3 / IDLE as f64,
        times[times.len() / 2],
    );
    println!("an idle peer with one seat: {} KiB\n", held / IDLE / 1024);
}

async fn forwarding(profile: Profile) {
    let node = Node::start(&["--topology", "sfu", "--log", "error"]);
    let url = format!("ws://{}/ws", node.http);
    let layout = Layout {
        camera: vec![CAMERA],
        ..Layout::default()
    };
    let mut publisher = Member::join(&url, "fanout", 0, layout, profile).await;
    let received = Arc::new(AtomicU64::new(0));
    let mut viewers = vec![];
    for number in 1..=VIEWERS {
        let layout = Layout {
            seats: 1,
            ..Layout::default()
        };
        let viewer = Member::join(&url, "fanout", number, layout, profile).await;
        viewers.push(watch(viewer, received.clone()));
    }
    let mut camera = Camera::new(0, 0, CAMERA, 96, 0);
    (camera.filling, camera.parts) = (PACKET - 40, PARTS);

    publish(&mut publisher, &mut camera, 1).await;
    let before = (cpu(node.pid()), received.load(Ordering::Relaxed));
    let sent = publish(&mut publisher, &mut camera, SECONDS).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let spent = cpu(node.pid()) - before.0;
    let out = received.load(Ordering::Relaxed) - before.1;

    let cost = spent.as_secs_f64() * 1e6 / out as f64;
    let lost = (sent * VIEWERS).saturating_sub(out);
    let rate = out / u64::from(SECONDS);
    let bare = bare(profile, &viewers).await;
    let ratio = cost / bare;
    println!("{profile:7?}  {cost:13.2}  {rate:13}  {lost:6}  {bare:18.2}  {ratio:5.2}");
}

/// A viewer that counts what looks like media. Everything else it leaves alone; it needs no more for a
/// measurement shorter than the node's patience.
fn watch(viewer: Member, received: Arc<AtomicU64>) -> (std::net::SocketAddr, JoinHandle<()>) {
    let address = viewer.socket.local_addr().unwrap();
    let task = tokio::spawn(async move {
        // All of it, or its WebSocket would close here.
        let viewer = viewer;
        let mut buffer = [0; 2048];
        while let Ok(length) = viewer.socket.recv(&mut buffer).await {
            let is_media = length > 200 && buffer[0] >> 6 == 2;
            received.fetch_add(is_media.into(), Ordering::Relaxed);
        }
    });
    (address, task)
}

/// Frames at their pace for that long, with a key frame a second. Returns the packets sent.
async fn publish(publisher: &mut Member, camera: &mut Camera, seconds: u32) -> u64 {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / FPS);
    let mut sent = 0;
    for frame in 0..seconds * FPS {
        beat.tick().await;
        if frame.is_multiple_of(FPS) {
            camera.want_key();
            publisher.stay().await;
        }
        for packet in camera.frame(90_000 / FPS) {
            let sealed = publisher.peer.seal(&packet).unwrap();
            publisher
                .socket
                .send_to(&sealed, publisher.node())
                .await
                .unwrap();
            sent += 1;
        }
    }
    sent
}

/// Microseconds of processor per packet for what cannot be avoided: sealing each packet for each viewer,
/// and handing a frame's worth at a time to the kernel.
async fn bare(profile: Profile, viewers: &[(std::net::SocketAddr, JoinHandle<()>)]) -> f64 {
    let profile = match profile {
        Profile::Gcm => srtp::Profile::AeadAes128Gcm,
        Profile::Sha1 => srtp::Profile::Aes128CmSha1_80,
    };
    let keys = SrtpKeys::of_server(profile, &vec![7; profile.keying_material_len()]).unwrap();
    let mut legs: Vec<_> = (1..)
        .zip(viewers)
        .map(|(ssrc, (address, _))| {
            let to = Path {
                local: LocalSocket(0),
                remote: *address,
            };
            (
                to,
                Sealer::new(&keys).unwrap(),
                StreamState::new(ssrc),
                ssrc,
            )
        })
        .collect();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut sockets = UdpSockets::new(vec![socket], None).unwrap();
    let mut arena = SendArena::new();
    let payload = vec![1; PACKET - 12];
    let frames = 3 * FPS;
    let mut beat = tokio::time::interval(Duration::from_secs(1) / FPS);
    let mut spent = Duration::ZERO;
    for frame in 0..frames as u16 {
        beat.tick().await;
        let began = thread_cpu();
        for part in 0..u16::from(PARTS) {
            let sequence = frame * u16::from(PARTS) + part;
            for (to, sealer, stream, ssrc) in &mut legs {
                let start = arena.begin();
                let bytes = arena.bytes_mut();
                bytes.extend_from_slice(&[0x80, 96]);
                bytes.extend_from_slice(&sequence.to_be_bytes());
                bytes.extend_from_slice(&[0; 4]);
                bytes.extend_from_slice(&u32::to_be_bytes(*ssrc));
                bytes.extend_from_slice(&payload);
                sealer.seal_rtp(stream, bytes, start, 12).unwrap();
                arena.commit(*to, start);
            }
        }
        sockets.flush(&mut arena);
        spent += thread_cpu() - began;
    }
    spent.as_secs_f64() * 1e6 / (u64::from(frames) * u64::from(PARTS) * VIEWERS) as f64
}

/// Processor time of this thread.
fn thread_cpu() -> Duration {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
}

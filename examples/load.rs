//! Fills a room: some clients publish synthetic media, some only view, and once a second it says what
//! arrives.
//!
//! `cargo run --release --example load -- --publishers 3 --viewers 20`

// A program of its own has a clock.
#![allow(clippy::disallowed_methods)]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use motet::protocol::client::ClientMessage;
use tokio::task::JoinSet;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

#[path = "../tests/sim/media.rs"]
#[allow(dead_code, unreachable_pub)]
mod media;
mod support;
use media::{Camera, Microphone};
use support::{Client, Failure, OPUS, Part, VP8};

/// Fills a room with publishers and viewers and prints packets per second, loss and join times.
#[derive(Parser)]
struct Arguments {
    /// The node's WebSocket
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws")]
    url: String,
    /// The room
    #[arg(long, default_value = "load")]
    room: String,
    /// Clients that send a microphone and a camera and see nobody
    #[arg(long, default_value_t = 1)]
    publishers: u32,
    /// Clients that see every publisher and send nothing
    #[arg(long, default_value_t = 10)]
    viewers: u32,
    /// Video frames a second of each publisher
    #[arg(long, default_value_t = 30)]
    fps: u32,
    /// How long, in seconds, after everyone is in
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// This machine's address for media
    #[arg(long, default_value = "127.0.0.1")]
    media_ip: IpAddr,
}

/// Between two audio packets.
const AUDIO_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Totals {
    sent: AtomicU64,
    received: AtomicU64,
    lost: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let totals = Arc::new(Totals::default());
    let mut tasks = JoinSet::new();
    let mut joins = vec![];
    for number in 0..arguments.publishers + arguments.viewers {
        let publish = number < arguments.publishers;
        let part = Part {
            room: arguments.room.clone(),
            name: format!("load {number}"),
            publish,
            seats: if publish {
                0
            } else {
                arguments.publishers as usize
            },
            media_ip: arguments.media_ip,
            number: number + 1,
        };
        let began = Instant::now();
        let mut client = Client::join(&arguments.url, &part).await?;
        client.connected(Duration::from_secs(20)).await?;
        joins.push(began.elapsed());
        if publish {
            tasks.spawn(publish_audio(
                number,
                client.microphone.clone(),
                totals.clone(),
            ));
            tasks.spawn(publish_video(
                number,
                client.camera.clone(),
                arguments.fps,
                totals.clone(),
            ));
        }
        tasks.spawn(stay(client, totals.clone()));
    }
    print_joins(joins);
    for total in [&totals.sent, &totals.received, &totals.lost] {
        total.store(0, Ordering::Relaxed);
    }
    for second in 1..=arguments.seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let [sent, received, lost] = [&totals.sent, &totals.received, &totals.lost]
            .map(|total| total.swap(0, Ordering::Relaxed));
        println!("{second:4} s: {sent:6} packets/s in, {received:8} out, {lost:5} lost");
    }
    Ok(())
}

/// Keeps a client in the room and counts what it receives.
async fn stay(mut client: Client, totals: Arc<Totals>) -> Result<(), Failure> {
    let mut sign_of_life = tokio::time::interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            Some(track) = client.tracks.recv() => {
                tokio::spawn(count(track, totals.clone()));
            }
            message = client.signaling.hear() => {
                message?;
            }
            _ = sign_of_life.tick() => {
                client.signaling.say(&ClientMessage::Ping { after: None }).await?;
            }
        }
    }
}

async fn count(track: Arc<dyn TrackRemote>, totals: Arc<Totals>) {
    let mut last: Option<u16> = None;
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else {
            continue;
        };
        totals.received.fetch_add(1, Ordering::Relaxed);
        let sequence = packet.header.sequence_number;
        let step = last.map_or(1, |last| sequence.wrapping_sub(last) as i16);
        if step > 0 {
            totals.lost.fetch_add(step as u64 - 1, Ordering::Relaxed);
            last = Some(sequence);
        }
    }
}

async fn publish_audio(
    number: u32,
    track: Option<Arc<dyn TrackLocal>>,
    totals: Arc<Totals>,
) -> Result<(), Failure> {
    let track = track.ok_or("publishes nothing")?;
    let ssrc = track.ssrcs().await[0];
    let mut microphone = Microphone::new(number, ssrc, OPUS, 0);
    let mut beat = tokio::time::interval(AUDIO_INTERVAL);
    loop {
        beat.tick().await;
        track.write_rtp(microphone.packet(960)).await?;
        totals.sent.fetch_add(1, Ordering::Relaxed);
    }
}

/// A key frame a second stands in for listening to requests.
async fn publish_video(
    number: u32,
    track: Option<Arc<dyn TrackLocal>>,
    fps: u32,
    totals: Arc<Totals>,
) -> Result<(), Failure> {
    let track = track.ok_or("publishes nothing")?;
    let ssrc = track.ssrcs().await[0];
    let mut camera = Camera::new(number, 0, ssrc, VP8, 0);
    let mut beat = tokio::time::interval(Duration::from_secs(1) / fps);
    for frame in 0_u32.. {
        beat.tick().await;
        if frame.is_multiple_of(fps) {
            camera.want_key();
        }
        for packet in camera.frame(90_000 / fps) {
            track.write_rtp(packet).await?;
            totals.sent.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn print_joins(mut joins: Vec<Duration>) {
    joins.sort_unstable();
    let (median, last) = (joins.len() / 2, joins.len().saturating_sub(1));
    if let (Some(median), Some(slowest)) = (joins.get(median), joins.get(last)) {
        println!(
            "{} joined: median {median:.0?}, slowest {slowest:.0?}",
            joins.len()
        );
    }
}

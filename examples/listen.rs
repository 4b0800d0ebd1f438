//! Joins a room without sending anything and prints what comes in, seat by seat.
//!
//! `cargo run --example listen -- --room tea`

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use motet::protocol::client::ClientMessage;
use motet::protocol::server::{Seat, ServerMessage};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

mod support;
use support::{Client, Failure, Part, seat_of};

/// Joins a room and prints what it receives on each seat, once a second.
#[derive(Parser)]
struct Arguments {
    /// The node's WebSocket
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws")]
    url: String,
    /// The room
    #[arg(long, default_value = "tea")]
    room: String,
    /// How many others to see at once
    #[arg(long, default_value_t = 4)]
    seats: usize,
    /// This machine's address for media
    #[arg(long, default_value = "127.0.0.1")]
    media_ip: IpAddr,
}

/// What came in on one m-line of a seat since the last line was printed.
#[derive(Default)]
struct Count {
    codec: String,
    packets: u64,
    bytes: u64,
}

/// By seat and kind of media.
type Counts = Arc<Mutex<BTreeMap<(usize, String), Count>>>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let part = Part {
        room: arguments.room,
        name: "listener".to_owned(),
        publish: false,
        seats: arguments.seats,
        media_ip: arguments.media_ip,
        number: 1,
    };
    let mut client = Client::join(&arguments.url, &part).await?;
    client.connected(Duration::from_secs(10)).await?;

    let counts = Counts::default();
    let mut seats: Vec<Option<Seat>> = vec![];
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut sign_of_life = tokio::time::interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            Some(track) = client.tracks.recv() => {
                tokio::spawn(count(track, counts.clone()));
            }
            message = client.signaling.hear() => match message? {
                ServerMessage::Seats { seats: plan } => seats = plan,
                ServerMessage::Bye { reason } => {
                    println!("the node says goodbye: {reason:?}");
                    return Ok(());
                }
                _ => {}
            },
            _ = second.tick() => print(&counts, &seats),
            _ = sign_of_life.tick() => {
                client.signaling.say(&ClientMessage::Ping { after: None }).await?;
            }
            _ = tokio::signal::ctrl_c() => return client.leave().await,
        }
    }
}

async fn count(track: Arc<dyn TrackRemote>, counts: Counts) {
    let Some(seat) = seat_of(&*track).await else {
        return;
    };
    let kind = track.kind().await.to_string();
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else {
            continue;
        };
        let codec = track.codec(packet.header.ssrc).await;
        if let Ok(mut counts) = counts.lock() {
            let count = counts.entry((seat, kind.clone())).or_default();
            count.codec = codec.map(|codec| codec.mime_type).unwrap_or_default();
            count.packets += 1;
            count.bytes += packet.payload.len() as u64;
        }
    }
}

fn print(counts: &Counts, seats: &[Option<Seat>]) {
    let Ok(mut counts) = counts.lock() else {
        return;
    };
    for ((seat, _), count) in counts.iter_mut() {
        let who = match seats.get(*seat) {
            Some(Some(seat)) => seat.member.to_string(),
            _ => "nobody".to_owned(),
        };
        println!(
            "seat {seat}: {who:13} {:10} {:4} packets/s {:6} kbit/s",
            count.codec,
            std::mem::take(&mut count.packets),
            std::mem::take(&mut count.bytes) * 8 / 1000,
        );
    }
}

//! Joins a room and writes what it sees, a file per track: Ogg for sound, WebM for VP8, VP9 and AV1,
//! Matroska for H264. Ctrl-C ends the files and says what is in them.
//!
//! `cargo run --example record -- ws://127.0.0.1:8080/ws tea recordings`
//!
//! The node records by itself, and better (`POST /api/rooms/tea/recordings`): it is where the packets
//! come in. This is how it looks from outside, from a seat like any viewer's.

// A program of its own has a clock.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use motet::MemberId;
use motet::protocol::client::{ClientMessage, Feed};
use motet::protocol::server::{Seat, ServerMessage};
use tokio::sync::watch;
use tokio::task::JoinSet;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

mod support;
#[path = "support/track_files.rs"]
mod track_files;
use support::{Client, Failure, Part, codecs, seat_of};
use track_files::TrackFiles;

/// Joins a room and writes what it sees, a file per track.
#[derive(Parser)]
struct Arguments {
    /// The node's WebSocket: ws://127.0.0.1:8080/ws
    url: String,
    /// The room
    room: String,
    /// Where the files go
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// How many others to see at once
    #[arg(long, default_value_t = 4)]
    seats: usize,
    /// The name that others see
    #[arg(long, default_value = "recorder")]
    name: String,
    /// This machine's address for media
    #[arg(long, default_value = "127.0.0.1")]
    media_ip: IpAddr,
}

/// Who sits where, and what everybody is called.
#[derive(Default)]
struct Plan {
    seats: Vec<Option<Seat>>,
    names: BTreeMap<MemberId, String>,
}

impl Plan {
    /// What to call a file of what is on a seat now; nothing if nobody sits there.
    fn title(&self, seat: usize) -> Option<String> {
        let Seat { member, feed } = self.seats.get(seat).copied().flatten()?;
        let name = self.names.get(&member).cloned().unwrap_or_default();
        // A name can be anything, a part of a file's name cannot.
        let name: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
        let feed = match feed {
            Feed::Camera => "camera",
            Feed::Screen => "screen",
        };
        Some(format!("{name}-{member}-{feed}"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.folder)?;
    let part = Part {
        room: arguments.room,
        name: arguments.name,
        publish: false,
        seats: arguments.seats,
        media_ip: arguments.media_ip,
        number: 1,
    };
    let mut client = Client::join_with(&arguments.url, &part, &[], &codecs::ALL).await?;
    client.connected(Duration::from_secs(10)).await?;
    println!("recording; Ctrl-C ends it");

    let plan = watch::Sender::new(Plan::default());
    learn(&client.joined, &plan);
    let mut seats = JoinSet::new();
    let mut sign_of_life = tokio::time::interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            Some(track) = client.tracks.recv() => {
                seats.spawn(record(track, plan.subscribe(), arguments.folder.clone()));
            }
            message = client.signaling.hear() => match message? {
                ServerMessage::Bye { reason } => {
                    println!("the node says goodbye: {reason:?}");
                    break;
                }
                message => learn(&message, &plan),
            },
            _ = sign_of_life.tick() => {
                client.signaling.say(&ClientMessage::Ping { after: None }).await?;
            }
            _ = tokio::signal::ctrl_c() => {
                client.leave().await?;
                break;
            }
        }
    }
    // Nobody plans any more: that ends the files.
    drop(plan);
    while let Some(written) = seats.join_next().await {
        written??.iter().for_each(|line| println!("{line}"));
    }
    Ok(())
}

fn learn(message: &ServerMessage, plan: &watch::Sender<Plan>) {
    plan.send_if_modified(|plan| match message {
        ServerMessage::Seats { seats } => {
            plan.seats.clone_from(seats);
            true
        }
        ServerMessage::Joined { members, .. } => {
            let names = members
                .iter()
                .map(|member| (member.id, member.name.clone()));
            plan.names.extend(names);
            true
        }
        ServerMessage::Member { member } => {
            plan.names.insert(member.id, member.name.clone());
            true
        }
        _ => false,
    });
}

/// Writes what comes on one half of a seat, whoever sits there, until nobody plans any more.
async fn record(
    track: Arc<dyn TrackRemote>,
    mut plan: watch::Receiver<Plan>,
    folder: PathBuf,
) -> Result<Vec<String>, Failure> {
    let Some(seat) = seat_of(&*track).await else {
        return Ok(vec![]);
    };
    let mut files = TrackFiles::new(folder);
    let mut title = plan.borrow().title(seat);
    loop {
        tokio::select! {
            planned = plan.changed() => match planned {
                Ok(()) => title = plan.borrow_and_update().title(seat),
                Err(_) => break,
            },
            event = track.poll() => match event {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => {
                    let needs_key = files.take(title.as_deref(), &packet)?;
                    if needs_key {
                        track.write_rtcp(track_files::key_frame_request(&packet)).await?;
                    }
                }
                Some(_) => {}
                None => break,
            },
        }
    }
    files.finish()
}

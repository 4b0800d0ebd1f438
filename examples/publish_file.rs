//! Joins a room and sends media files into it, at the pace at which they play.
//!
//! `cargo run --example publish_file -- ws://127.0.0.1:8080/ws tea film.ivf film.ogg --loop`
//!
//! Files that fit come out of `ffmpeg -i film.mp4 -an -c:v libvpx -b:v 1M -g 60 film.ivf` and
//! `ffmpeg -i film.mp4 -vn -c:a libopus -page_duration 20000 film.ogg`. A file cannot make a key frame
//! when a viewer needs one: the next one has to come soon, whence `-g 60`.

// A program of its own has a clock.
#![allow(clippy::disallowed_methods)]

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use motet::logic::forward::codec::MediaKind;
use motet::protocol::client::ClientMessage;
use motet::{Codec, Source};
use rtp::codec::av1::Av1Payloader;
use rtp::codec::h264::H264Payloader;
use rtp::codec::opus::OpusPayloader;
use rtp::codec::vp8::Vp8Payloader;
use rtp::codec::vp9::Vp9Payloader;
use rtp::header::Header;
use rtp::packet::Packet;
use rtp::packetizer::Payloader;
use tokio::task::JoinSet;
use tokio::time::Instant;
use webrtc::media_stream::track_local::TrackLocal;

#[path = "support/media_file.rs"]
mod media_file;
mod support;
use media_file::MediaFile;
use support::{Client, Failure, Part, codecs};

/// Bytes of a packet's payload at most.
const PAYLOAD_BYTES_MAX: usize = 1_150;

/// Sends media files into a room: IVF (VP8, VP9, AV1), Ogg (Opus) and Annex B (H264).
#[derive(Parser)]
struct Arguments {
    /// The node's WebSocket: ws://127.0.0.1:8080/ws
    url: String,
    /// The room
    room: String,
    /// Files: at most two pictures (camera, screen) and two sounds that belong to them
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The name that others see
    #[arg(long, default_value = "film")]
    name: String,
    /// Begin again at the end
    #[arg(long = "loop")]
    again: bool,
    /// Pictures a second of an H264 file, which does not say
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    fps: u32,
    /// This machine's address for media
    #[arg(long, default_value = "127.0.0.1")]
    media_ip: IpAddr,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let read = |path: &PathBuf| {
        let read = media_file::read(path, arguments.fps);
        read.map_err(|error| format!("{}: {error}", path.display()))
    };
    let files: Vec<_> = arguments.files.iter().map(read).collect::<Result<_, _>>()?;
    let own = sources(&files)?;
    let part = Part {
        room: arguments.room,
        name: arguments.name,
        publish: true,
        seats: 0,
        media_ip: arguments.media_ip,
        number: std::process::id(),
    };
    let mut client = Client::join_with(&arguments.url, &part, &own, &codecs::ALL).await?;
    client.connected(Duration::from_secs(10)).await?;

    let began = Instant::now();
    let mut senders = JoinSet::new();
    for (file, track) in files.into_iter().zip(client.sent.clone()) {
        senders.spawn(send(file, track, began, arguments.again));
    }
    let mut sign_of_life = tokio::time::interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            sent = senders.join_next() => match sent {
                Some(sent) => println!("{}", sent??),
                None => return client.leave().await,
            },
            message = client.signaling.hear() => {
                message?;
            }
            _ = sign_of_life.tick() => {
                client.signaling.say(&ClientMessage::Ping { after: None }).await?;
            }
            _ = tokio::signal::ctrl_c() => return client.leave().await,
        }
    }
}

/// What each file is sent as.
fn sources(files: &[MediaFile]) -> Result<Vec<(Source, Codec)>, Failure> {
    let mut pictures = [Source::Camera, Source::Screen].into_iter();
    let mut sounds = [Source::Microphone, Source::ScreenAudio].into_iter();
    let sources = files.iter().map(|file| {
        let source = match file.codec.kind() {
            MediaKind::Video => pictures.next(),
            MediaKind::Audio => sounds.next(),
        };
        Ok((
            source.ok_or("at most two pictures and two sounds")?,
            file.codec,
        ))
    });
    sources.collect()
}

/// Sends a file to its end, or for good; then says what was sent.
async fn send(
    file: MediaFile,
    track: Arc<dyn TrackLocal>,
    mut began: Instant,
    again: bool,
) -> Result<String, Failure> {
    let ssrc = track.ssrcs().await[0];
    let mut payloader = payloader(file.codec);
    let clock_rate = f64::from(file.codec.clock_rate());
    let (mut sequence, mut packets, start) = (0_u16, 0, began);
    loop {
        for frame in &file.frames {
            let due = began + frame.at;
            tokio::time::sleep_until(due).await;
            let mut payloads = payloader.payload(PAYLOAD_BYTES_MAX, &frame.data)?;
            if file.codec == Codec::Vp9 {
                payloads = say_what_is_predicted(&payloads, &frame.data);
            }
            let last = payloads.len().saturating_sub(1);
            for (index, payload) in payloads.into_iter().enumerate() {
                let header = Header {
                    version: 2,
                    marker: index == last && file.codec != Codec::Opus,
                    payload_type: codecs::payload_type(file.codec),
                    sequence_number: sequence,
                    timestamp: ((due - start).as_secs_f64() * clock_rate) as u64 as u32,
                    ssrc,
                    ..Header::default()
                };
                track.write_rtp(Packet { header, payload }).await?;
                sequence = sequence.wrapping_add(1);
                packets += 1;
            }
        }
        began += file.duration;
        tokio::time::sleep_until(began).await;
        if !again {
            let (codec, frames) = (file.codec, file.frames.len());
            return Ok(format!("{codec:?}: {frames} frames in {packets} packets"));
        }
    }
}

fn payloader(codec: Codec) -> Box<dyn Payloader> {
    match codec {
        Codec::Opus | Codec::Red => Box::new(OpusPayloader),
        Codec::Vp8 => Box::new(Vp8Payloader::default()),
        Codec::Vp9 => Box::new(Vp9Payloader::default()),
        Codec::H264 | Codec::H264Main | Codec::H264High => Box::new(H264Payloader::default()),
        Codec::Av1 => Box::new(Av1Payloader::default()),
    }
}

/// The payloader calls every picture independent, in flexible mode. A node that believed it would begin
/// with one that is not (RFC 9628 §4.2: `P`, `F`; the frame's type is in its first byte).
fn say_what_is_predicted(payloads: &[Bytes], frame: &Bytes) -> Vec<Bytes> {
    const PREDICTED: u8 = 0x40;
    const FLEXIBLE: u8 = 0x10;
    let is_key = frame.first().is_some_and(|byte| byte & 0x0c == 0);
    let flags = if is_key { 0 } else { PREDICTED };
    let told = payloads.iter().map(|payload| {
        let mut payload = payload.to_vec();
        payload[0] = payload[0] & !FLEXIBLE | flags;
        Bytes::from(payload)
    });
    told.collect()
}

//! A film and silence, sent as RTP by the tracks of a client of another make.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtp::codec::vp8::Vp8Payloader;
use rtp::header::Header;
use rtp::packet::Packet;
use rtp::packetizer::Payloader;
use webrtc::media_stream::track_local::TrackLocal;

#[path = "bend.rs"]
pub mod bend;

use crate::support::{OPUS, VP8};
use bend::{Bend, REPORTS_PER_SECOND};

/// A picture of 320x180 at 20 frames a second, with a key frame every second, by libvpx.
const PICTURE: &[u8] = include_bytes!("../fixtures/recording/picture.ivf");
const FPS: u32 = 20;
/// 20 ms of silence.
pub const SILENCE: &[u8] = &[0xfc, 0xff, 0xfe];

/// What happens to the packets of a picture on their way.
#[derive(Clone, Copy, PartialEq)]
pub enum Loss {
    None,
    EveryFiftieth,
    Everything,
}

/// The frames of the fixture (IVF: a header of 32 bytes, each frame behind its size and time).
pub fn pictures() -> impl Iterator<Item = Vec<u8>> {
    let mut rest = &PICTURE[32..];
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(12)?;
        let size = u32::from_le_bytes(head[..4].try_into().unwrap());
        let (frame, after) = after.split_at(size as usize);
        rest = after;
        Some(frame.to_vec())
    })
}

/// Sends 20 ms of silence every 20 ms, for as long as the track takes it.
pub async fn speak(track: Arc<dyn TrackLocal>, loss: Loss) {
    speak_bent(track, loss, Bend::Nothing).await;
}

/// The same with what is bent.
pub async fn speak_bent(track: Arc<dyn TrackLocal>, loss: Loss, bend: Bend) {
    const RATE: u32 = 48_000;
    let ssrc = track.ssrcs().await[0];
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    for number in 0_u32.. {
        beat.tick().await;
        let timestamp = number * 960;
        let sequence = bend.number(number, number / 50);
        let when = (sequence, bend.timestamp(timestamp, RATE));
        let packet = packet(OPUS, ssrc, when, false, SILENCE.into());
        if loss != Loss::Everything && track.write_rtp(packet).await.is_err() {
            return;
        }
        if number % (50 / REPORTS_PER_SECOND) == 0 {
            bend.report(&track, ssrc, timestamp, RATE).await;
        }
    }
}

/// Sends the pictures again and again, and notes when a key frame went.
pub async fn show(track: Arc<dyn TrackLocal>, loss: Loss, keys: Arc<Mutex<Vec<Instant>>>) {
    show_bent(track, loss, keys, Bend::Nothing).await;
}

/// The same with what is bent.
pub async fn show_bent(
    track: Arc<dyn TrackLocal>,
    loss: Loss,
    keys: Arc<Mutex<Vec<Instant>>>,
    bend: Bend,
) {
    const RATE: u32 = 90_000;
    let ssrc = track.ssrcs().await[0];
    let frames: Vec<Bytes> = pictures().map(Bytes::from).collect();
    let mut payloader = Vp8Payloader::default();
    let mut beat = tokio::time::interval(Duration::from_secs(1) / FPS);
    let mut sequence = 0;
    for number in 0_u32.. {
        beat.tick().await;
        let frame = &frames[number as usize % frames.len()];
        // RFC 6386 §9.1: the first bit is 0 in key frames.
        if frame[0] & 1 == 0 {
            keys.lock().unwrap().push(Instant::now());
        }
        let payloads = payloader.payload(1_000, frame).unwrap();
        let last = payloads.len() - 1;
        let timestamp = number * RATE / FPS;
        for (index, payload) in payloads.into_iter().enumerate() {
            sequence += 1;
            let is_lost = match loss {
                Loss::None => false,
                Loss::EveryFiftieth => sequence % 50 == 0,
                Loss::Everything => true,
            };
            let when = (
                bend.number(sequence, number / FPS),
                bend.timestamp(timestamp, RATE),
            );
            let packet = packet(VP8, ssrc, when, index == last, payload);
            if !is_lost && track.write_rtp(packet).await.is_err() {
                return;
            }
        }
        if number % (FPS / REPORTS_PER_SECOND) == 0 {
            bend.report(&track, ssrc, timestamp, RATE).await;
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

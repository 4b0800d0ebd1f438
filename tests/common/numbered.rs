//! Media that tells who sends it, through clients of another make, and who receives it when.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use crate::media::{Camera, Microphone, Vp8, read_opus};
use crate::support::{OPUS, VP8};

const FPS: u32 = 20;

/// When something of a publisher came last, by publisher: sound, picture.
pub type Received = Arc<Mutex<BTreeMap<u32, [Option<Instant>; 2]>>>;

/// Notes when something comes.
pub async fn watch(track: Arc<dyn TrackRemote>, received: Received) {
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else {
            continue;
        };
        let sound = read_opus(&packet.payload).map(|stamp| (stamp.publisher, 0));
        let picture = || Vp8::read(&packet.payload).map(|vp8| (vp8.stamp.publisher, 1));
        if let Some((publisher, kind)) = sound.or_else(picture) {
            let mut received = received.lock().unwrap();
            received.entry(publisher).or_default()[kind] = Some(Instant::now());
        }
    }
}

/// Sends sound that tells whose it is, for as long as the track takes it.
pub async fn speak(number: u32, track: Arc<dyn TrackLocal>) {
    let ssrc = track.ssrcs().await[0];
    let mut microphone = Microphone::new(number, ssrc, OPUS, 0);
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    loop {
        beat.tick().await;
        if track.write_rtp(microphone.packet(960)).await.is_err() {
            return;
        }
    }
}

/// Sends pictures that tell whose they are, with a key frame twice a second, so that nobody waits long.
pub async fn show(number: u32, track: Arc<dyn TrackLocal>) {
    let ssrc = track.ssrcs().await[0];
    let mut camera = Camera::new(number, 0, ssrc, VP8, 0);
    let mut beat = tokio::time::interval(Duration::from_secs(1) / FPS);
    for frame in 0_u32.. {
        beat.tick().await;
        if frame.is_multiple_of(FPS / 2) {
            camera.want_key();
        }
        for packet in camera.frame(90_000 / FPS) {
            if track.write_rtp(packet).await.is_err() {
                return;
            }
        }
    }
}

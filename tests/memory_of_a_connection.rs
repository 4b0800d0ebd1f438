//! What one connection can make the node hold, with everything full that it can fill.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::time::Duration;

use motet::logic::limits::Limits;
use motet::media::sdp::SENDING_LINES_MAX;
use motet::media::srtp::STREAMS_MAX;
use motet::protocol::client::{ClientMessage, Source};

#[path = "sim/connection.rs"]
#[allow(dead_code, unreachable_pub)]
mod connection;
#[path = "sim/direct.rs"]
#[allow(dead_code, unreachable_pub)]
mod direct;
#[path = "sim/light.rs"]
#[allow(dead_code, unreachable_pub)]
mod light;
#[path = "sim/media.rs"]
#[allow(dead_code, unreachable_pub)]
mod media;
#[path = "sim/node.rs"]
#[allow(dead_code, unreachable_pub)]
mod node;
#[path = "../benches/support/process.rs"]
#[allow(dead_code, unreachable_pub)]
mod process;

use connection::{Connection, name_packet};
use direct::Direct;
use media::Camera;
use motet::logic::forward::extension::Extension;

/// Everybody whose pictures the viewer has on its 25 seats.
const PUBLISHERS: u32 = 25;
/// The last second of three layers of 1 MiB on eight lines.
const CACHES: u64 = 24 << 20;
/// What was sent on 50 legs, replay windows, what was negotiated, what waits.
const REST: u64 = 12 << 20;

#[test]
fn a_connection_holds_no_more_than_its_caches_and_a_little() {
    let mut direct = Direct::new(Limits::default());
    for who in 1..=PUBLISHERS {
        direct.enter(who, true, 0);
        direct.film_a_key(who);
    }
    let empty = process::memory(std::process::id() as i32);
    let greedy = PUBLISHERS + 1;
    direct.join_with(greedy, SENDING_LINES_MAX, 3, 25);
    let answer = direct.offer_first(greedy);
    direct.accept(greedy, &answer);
    direct.pass(Duration::from_millis(500));
    assert!(direct.clients[&greedy].is_up);
    for source in [Source::Microphone, Source::Camera] {
        let mid = if source == Source::Camera { "1" } else { "0" };
        direct.publish(greedy, source, mid);
    }

    // Every leg remembers what it sent.
    for _ in 0..600 {
        (1..=PUBLISHERS).for_each(|who| direct.film(who));
        direct.received(greedy);
        direct.pass(Duration::from_millis(20));
    }
    fill_the_caches(&mut direct, greedy);
    begin_streams_without_end(&mut direct, greedy);
    let offer = direct.clients[&greedy].offer.text();
    // Most of it is too fast, and kept nowhere.
    for _ in 0..50 {
        let _ = direct.offer(greedy, &offer, false);
        let _ = direct.say(greedy, ClientMessage::Hand { raised: true });
        let _ = direct.say(greedy, ClientMessage::Hand { raised: false });
    }
    let full = process::memory(std::process::id() as i32);
    let held = full.saturating_sub(empty);
    println!("{} KiB for one connection", held >> 10);
    assert!(held < CACHES + REST, "{held} bytes");
    assert!(held > CACHES / 2, "{held} bytes: nothing was filled");
}

/// A second of each layer of each line at 20 Mb/s, one after the other.
fn fill_the_caches(direct: &mut Direct, who: u32) {
    for line in 1..SENDING_LINES_MAX as u32 {
        for (layer, rid) in (0u8..).zip(connection::RIDS) {
            let ssrc = 100_000 + 10 * line + u32::from(layer);
            let mut camera = Camera::new(who, layer, ssrc, 96, 7);
            (camera.filling, camera.parts) = (1_100, 4);
            for frame in 0..500 {
                let now = direct.now;
                let peer = &mut direct.client(who).peer;
                for mut packet in camera.frame(3_000) {
                    if frame < 20 {
                        let id = |wanted| match wanted {
                            Extension::Mid => Some(1),
                            Extension::Rid => Some(2),
                            _ => None,
                        };
                        name_packet(&mut packet, id, &line.to_string(), Some(rid));
                    }
                    peer.send(now, packet);
                }
                direct.pass(Duration::from_millis(2));
            }
        }
    }
}

/// One packet on each SSRC, as many as are taken.
fn begin_streams_without_end(direct: &mut Direct, who: u32) {
    for ssrc in 0..STREAMS_MAX as u32 + 1_000 {
        let mut camera = Camera::new(who, 0, 1_000_000 + ssrc, 96, 7);
        let now = direct.now;
        let packet = camera.frame(3_000).swap_remove(0);
        direct.client(who).peer.send(now, packet);
        direct.pass(Duration::from_millis(1));
    }
}

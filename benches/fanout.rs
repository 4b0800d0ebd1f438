//! What forwarding costs without sockets: one packet in, 1, 10 and 100 out, beside a bare loop that only
//! seals as many packets of that size in the same run. `cargo bench --bench fanout`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use motet::media::srtp::{self, Sealer, SrtpKeys, StreamState};

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
#[path = "../tests/sim/node.rs"]
mod node;
#[allow(dead_code, unreachable_pub)]
#[path = "support/room.rs"]
mod room;

use light::Profile;
use room::Room;

/// Bytes of a video packet with everything, as browsers send them.
const PACKET: usize = 1_100;
/// Packets of one round, and rounds; the median counts.
const PACKETS: usize = 2_000;
const ROUNDS: usize = 5;

fn main() {
    println!("profile  viewers  us/packet out  bare seal  ratio");
    for profile in [Profile::Gcm, Profile::Sha1] {
        for viewers in [1, 10, 100] {
            let packets = if viewers == 100 { PACKETS / 4 } else { PACKETS };
            let mut room = Room::new(viewers, profile, PACKET);
            let rounds = || 0..ROUNDS;
            let forwarded = median(rounds().map(|_| forward(&mut room, packets)));
            let sealed = median(rounds().map(|_| seal(profile, viewers, packets)));
            let ratio = forwarded / sealed;
            println!("{profile:7?}  {viewers:7}  {forwarded:13.3}  {sealed:9.3}  {ratio:5.2}");
        }
    }
}

/// Microseconds per forwarded packet.
fn forward(room: &mut Room, packets: usize) -> f64 {
    let sealed = room.seal(packets);
    let (mut spent, mut out) = (Duration::ZERO, 0);
    for packet in &sealed {
        room.now += Duration::from_millis(1);
        let began = Instant::now();
        out += room.forward(packet);
        spent += began.elapsed();
    }
    assert!(out >= room.viewers() * sealed.len(), "{out} went out");
    spent.as_secs_f64() * 1e6 / out as f64
}

/// Microseconds per sealed packet, each with the state of another stream.
fn seal(profile: Profile, viewers: usize, packets: usize) -> f64 {
    let profile = match profile {
        Profile::Gcm => srtp::Profile::AeadAes128Gcm,
        Profile::Sha1 => srtp::Profile::Aes128CmSha1_80,
    };
    let material = vec![7; profile.keying_material_len()];
    let keys = SrtpKeys::of_server(profile, &material).unwrap();
    let mut legs: Vec<_> = (0..viewers as u32)
        .map(|ssrc| (Sealer::new(&keys).unwrap(), StreamState::new(ssrc), ssrc))
        .collect();
    let mut arena = Vec::with_capacity(viewers * (PACKET + 64));
    let payload = vec![1; PACKET - 12];
    let began = Instant::now();
    for sequence in 0..packets as u16 {
        arena.clear();
        for (sealer, stream, ssrc) in &mut legs {
            let start = arena.len();
            arena.extend_from_slice(&[0x80, 96]);
            arena.extend_from_slice(&sequence.to_be_bytes());
            arena.extend_from_slice(&[0; 4]);
            arena.extend_from_slice(&ssrc.to_be_bytes());
            arena.extend_from_slice(&payload);
            sealer.seal_rtp(stream, &mut arena, start, 12).unwrap();
        }
        black_box(&arena);
    }
    began.elapsed().as_secs_f64() * 1e6 / (viewers * packets) as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

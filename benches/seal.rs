//! What one packet costs to seal and to open: RTP with a payload of 1,100 bytes, both profiles.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use motet::media::srtp::{Opener, Profile, Sealer, SrtpKeys, StreamState};

const SSRC: u32 = 0x5EA1;
const PAYLOAD_LEN: usize = 1_100;
/// Packets of one round: as many as there are sequence numbers, so that none is sealed twice.
const ROUND: usize = 1 << 16;

fn keys(profile: Profile) -> SrtpKeys {
    let material: Vec<u8> = (0..profile.keying_material_len() as u8).collect();
    SrtpKeys::of_server(profile, &material).unwrap()
}

fn write_packet(arena: &mut Vec<u8>, sequence: u16) {
    arena.extend_from_slice(&[0x80, 96]);
    arena.extend_from_slice(&sequence.to_be_bytes());
    arena.extend_from_slice(&[0, 0, 0, 1]);
    arena.extend_from_slice(&SSRC.to_be_bytes());
    arena.extend_from_slice(&[0xAB; PAYLOAD_LEN]);
}

fn seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal");
    group.throughput(Throughput::Elements(1));
    for profile in [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80] {
        let mut sealer = Sealer::new(&keys(profile)).unwrap();
        let mut stream = StreamState::new(SSRC);
        let mut sequence = 0u16;
        let mut arena = Vec::with_capacity(2_000);
        group.bench_function(format!("{profile:?}"), |b| {
            b.iter(|| {
                arena.clear();
                write_packet(&mut arena, sequence);
                sealer.seal_rtp(&mut stream, &mut arena, 0, 12).unwrap();
                sequence = sequence.wrapping_add(1);
                black_box(&arena);
            });
        });
    }
    group.finish();
}

fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("open");
    group.throughput(Throughput::Elements(1));
    for profile in [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80] {
        let keys = keys(profile);
        let theirs = SrtpKeys {
            profile,
            local: keys.remote.clone(),
            remote: keys.local.clone(),
        };
        let mut sealer = Sealer::new(&keys).unwrap();
        let mut stream = StreamState::new(SSRC);
        let packets: Vec<Vec<u8>> = (0..ROUND)
            .map(|sequence| {
                let mut packet = vec![];
                write_packet(&mut packet, sequence as u16);
                sealer.seal_rtp(&mut stream, &mut packet, 0, 12).unwrap();
                packet
            })
            .collect();
        let mut opener = Opener::new(&theirs).unwrap();
        let mut next = 0;
        group.bench_function(format!("{profile:?}"), |b| {
            b.iter(|| {
                if next == ROUND {
                    opener = Opener::new(&theirs).unwrap();
                    next = 0;
                }
                next += 1;
                black_box(opener.open_rtp(&packets[next - 1]).unwrap())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, seal, open);
criterion_main!(benches);

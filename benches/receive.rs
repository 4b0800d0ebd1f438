//! What a published packet costs before it meets a leg: numbering, deduplication, jitter, rate, and the one copy
//! that retransmissions are made from.
#![allow(clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use motet::logic::forward::cache::{Mark, PacketCache};
use motet::logic::forward::receive::{ReceiveStream, Received, StreamConfig};
use motet::logic::forward::twcc::TwccRecorder;

/// Of a 1080p stream: 2.5 Mb/s in packets of 1,100 bytes.
const PACKET_BYTES: usize = 1100;
const PACKET_GAP: Duration = Duration::from_micros(3520);
const PACKETS_PER_FRAME: u64 = 9;

/// A stream that goes on for ever, every `lost`th packet missing.
struct Stream {
    now: Instant,
    number: u64,
    lost: u64,
    stream: ReceiveStream,
    cache: PacketCache,
    packet: Vec<u8>,
    nacks: Vec<u16>,
}

impl Stream {
    fn new(lost: u64) -> Self {
        let now = Instant::now();
        let config = StreamConfig {
            ssrc: 1,
            rtx_ssrc: Some(2),
            clock_rate: 90_000,
            nack: true,
        };
        let mut stream = Self {
            now,
            number: 0,
            lost,
            stream: ReceiveStream::new(now, config),
            cache: PacketCache::video(),
            packet: vec![7; PACKET_BYTES],
            nacks: Vec::new(),
        };
        (0..5000).for_each(|_| stream.receive(true));
        stream
    }

    /// The next packet, with what a conference does for it.
    fn receive(&mut self, cached: bool) {
        self.now += PACKET_GAP;
        self.number += 1;
        let frame = self.number / PACKETS_PER_FRAME;
        let timestamp = (frame * 3000) as u32;
        if self.number.is_multiple_of(self.lost) {
            self.number += 1;
        }
        let sequence = self.number as u16;
        let received = self
            .stream
            .receive(self.now, sequence, timestamp, PACKET_BYTES);
        if let (Received::New { extended }, true) = (received, cached) {
            let mark = Mark {
                timestamp,
                key_frame: false,
            };
            self.cache
                .insert(self.now, extended, mark, black_box(&self.packet));
        }
        if self
            .stream
            .poll_timeout()
            .is_some_and(|(due, _)| due <= self.now)
        {
            self.nacks.clear();
            self.stream
                .nacks(self.now, Duration::from_millis(40), &mut self.nacks);
            for index in 0..self.nacks.len() {
                self.stream
                    .recover(self.now, self.nacks[index], PACKET_BYTES);
            }
        }
    }
}

fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive");
    for (name, lost, cached) in [
        ("alone", u64::MAX, false),
        ("and keep", u64::MAX, true),
        ("and keep, 2 % lost and asked for", 50, true),
    ] {
        let mut stream = Stream::new(lost);
        group.bench_function(name, |bencher| bencher.iter(|| stream.receive(cached)));
    }
    let (mut now, mut sequence) = (Instant::now(), 0u16);
    let mut recorder = TwccRecorder::new();
    group.bench_function("transport-wide, feedback each 50 ms", |bencher| {
        bencher.iter(|| {
            now += Duration::from_micros(500);
            sequence = sequence.wrapping_add(1);
            recorder.record(now, sequence);
            black_box(recorder.feedback(now, 1, 2))
        });
    });
    group.finish();
}

criterion_group!(benches, receive);
criterion_main!(benches);

//! Nanoseconds per verdict of a leg, and per verdict with the packet written.
#![allow(clippy::disallowed_methods)]
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use rand::rngs::StdRng;

use motet::logic::forward::codec::{Codec, PayloadTypes};
use motet::logic::forward::extension::{Extension, ExtensionIds};
use motet::logic::forward::layer::LayerInfo;
use motet::logic::forward::leg::{Leg, LegConfig, SourceInfo, Verdict};
use motet::logic::forward::packet::{Facts, Origin, RtpView, TrackId};
use motet::logic::forward::rewrite::{Stamp, write};

/// A packet as browsers send them: header extensions, then the payload.
fn packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x90, 100, 0, 9, 0, 0, 0, 9, 0, 0, 0, 9];
    packet.extend_from_slice(&[0xbe, 0xde, 0, 3]);
    packet.extend_from_slice(&[0x41, 0x80 | 30, 0, 0x51, 1, 2, 0x62, 1, 2, 3, 0, 0]);
    packet.extend_from_slice(payload);
    packet
}

fn vp8() -> Vec<u8> {
    let mut payload = vec![0x90, 0xf0, 0x81, 0x02, 3, 4, 0];
    payload.resize(1_100, 7);
    packet(&payload)
}

fn opus() -> Vec<u8> {
    packet(&[0xfc; 80])
}

fn ids() -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for (extension, id) in Extension::ALL.into_iter().zip(1..) {
        ids.set(extension, id);
    }
    ids
}

fn facts(packet: &[u8], codec: Codec, layer: u8) -> Facts<'_> {
    let origin = Origin {
        track: TrackId(1),
        layer,
        codec,
        sequence: 0,
        clock: None,
    };
    Facts::gather(&RtpView::parse(packet).unwrap(), origin, &ids())
}

fn leg(codec: Codec, now: Instant) -> Leg {
    let mut payload_types = PayloadTypes::default();
    payload_types.set_media(codec, 96);
    payload_types.set_rtx(codec, 97);
    let config = LegConfig {
        kind: codec.kind(),
        ssrc: 1,
        rtx_ssrc: (codec == Codec::Vp8).then_some(2),
        payload_types,
        extensions: ids(),
    };
    let layers = [LayerInfo {
        height: None,
        last_packet: Some(now),
    }; 3];
    let mut leg = Leg::new(config, &mut StdRng::seed_from_u64(1));
    let source = SourceInfo {
        track: TrackId(1),
        layers: if codec == Codec::Vp8 { &layers } else { &[] },
    };
    leg.set_source(now, Some(source));
    leg
}

/// Advances a stream by one packet of its own.
fn advance(facts: &mut Facts<'_>, now: &mut Instant) {
    facts.origin.sequence += 1;
    facts.timestamp = facts.timestamp.wrapping_add(300);
    *now += Duration::from_millis(3);
}

fn stream(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, codec: Codec, packet: &[u8]) {
    let layer = if codec == Codec::Vp8 { 2 } else { 0 };
    let mut now = Instant::now();
    let mut facts = facts(packet, codec, layer);
    let mut judged = leg(codec, now);
    group.bench_function(format!("{name}: judge"), |bencher| {
        bencher.iter(|| {
            advance(&mut facts, &mut now);
            judged.judge(now, black_box(&facts))
        });
    });
    let stamp = Stamp {
        transport_sequence: Some(7),
        abs_send_time: Some(8),
        mid: None,
    };
    let mut out = Vec::with_capacity(2_000);
    group.bench_function(format!("{name}: judge and write"), |bencher| {
        bencher.iter(|| {
            advance(&mut facts, &mut now);
            let Verdict::Forward(outgoing) = judged.judge(now, black_box(&facts)) else {
                panic!("a packet in order goes out");
            };
            out.clear();
            write(&mut out, judged.config(), &outgoing, &facts, &stamp)
        });
    });
}

fn verdict(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    group.throughput(Throughput::Elements(1));
    let (vp8, opus) = (vp8(), opus());
    stream(&mut group, "VP8, 1100 B", Codec::Vp8, &vp8);
    stream(&mut group, "Opus, 80 B", Codec::Opus, &opus);

    let now = Instant::now();
    let mut idle = leg(Codec::Vp8, now);
    let mut on_air = facts(&vp8, Codec::Vp8, 2);
    on_air.origin.sequence = 1;
    idle.judge(now, &on_air);
    let other = facts(&vp8, Codec::Vp8, 0);
    group.bench_function("VP8, another layer: judge", |bencher| {
        bencher.iter(|| idle.judge(now, black_box(&other)));
    });
    group.bench_function("VP8, 1100 B: facts, once for all legs", |bencher| {
        bencher.iter(|| facts(black_box(&vp8), Codec::Vp8, 2));
    });
    group.finish();
}

criterion_group!(benches, verdict);
criterion_main!(benches);

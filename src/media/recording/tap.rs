//! One tap: a leg, and behind it a jitter buffer, whole frames, and their time.

use std::ops::Range;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;

use super::TrackFrame;
use crate::logic::forward::codec::{Codec, MediaKind, PayloadTypes};
use crate::logic::forward::extension::{Extension, ExtensionIds};
use crate::logic::forward::leg::{Leg, LegConfig, SourceInfo, Verdict};
use crate::logic::forward::packet::Facts;
use crate::logic::forward::reports::{NtpTime, PublisherClock};
use crate::logic::record::manifest::GapCause;
use crate::logic::record::reorder::{Next, Reorder};
use crate::logic::record::timeline::TrackTimeline;
use crate::media::depacketize::{Assembled, Assembler, Frame, Piece};

/// How long the first frames of a track wait for a report that places them.
const PLACE_WITHIN: Duration = Duration::from_secs(1);
/// How long before its arrival a packet may say that it was captured, in nanoseconds; beyond that it
/// means another clock. Clocks that run apart make it seem to come before it was captured.
const ON_ITS_WAY_NS: Range<i64> = -100_000_000..2_000_000_000;
/// How often a key frame is asked for, so that a player can seek.
const SEEK_POINT_EVERY: Duration = Duration::from_secs(20);

/// What comes out of a tap.
#[derive(Debug, PartialEq)]
pub(super) enum Tapped {
    /// A frame.
    Frame(TrackFrame),
    /// What follows does not follow on what came.
    Absent(GapCause),
}

/// The moment from which a recording counts, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch {
    /// By the clock of this process.
    pub(super) at: Instant,
    /// By the node's wall clock.
    pub(super) ntp: NtpTime,
}

impl Epoch {
    /// Nanoseconds from the beginning to then.
    pub(super) fn ns(&self, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.at).as_nanos();
        i64::try_from(passed).unwrap_or(i64::MAX)
    }

    fn ntp_ns(&self, then: NtpTime) -> i64 {
        let passed = then.0.wrapping_sub(self.ntp.0) as i64;
        ((i128::from(passed) * 1_000_000_000) >> 32) as i64
    }
}

/// A packet that waits for those before it.
#[derive(Debug)]
struct Held {
    codec: Codec,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// A tap on one track.
#[derive(Debug)]
pub(super) struct Tap {
    /// Decides, like a viewer's.
    pub(super) leg: Leg,
    reorder: Reorder<Held>,
    assembler: Option<(Codec, Assembler)>,
    timeline: TrackTimeline,
    /// Frames that wait to be placed.
    waiting: Vec<(Codec, Frame)>,
    place_by: Option<Instant>,
    /// The last report that was taken in.
    reported: Option<u64>,
    /// Pictures are of no use before the next key frame.
    awaits_key: bool,
    seek_point_due: Instant,
}

impl Tap {
    /// A tap on nothing.
    pub(super) fn new(now: Instant, kind: MediaKind, rng: &mut StdRng) -> Self {
        let mut payload_types = PayloadTypes::default();
        for (codec, number) in Codec::ALL.into_iter().zip(96..) {
            // Without RED, a leg takes the primary block out of it.
            if codec != Codec::Red {
                payload_types.set_media(codec, number);
            }
        }
        let config = LegConfig {
            kind,
            ssrc: 1,
            rtx_ssrc: None,
            payload_types,
            extensions: ExtensionIds::default(),
        };
        let clock_rate = match kind {
            MediaKind::Audio => Codec::Opus.clock_rate(),
            MediaKind::Video => Codec::Vp8.clock_rate(),
        };
        Self {
            leg: Leg::new(config, rng),
            reorder: Reorder::default(),
            assembler: None,
            timeline: TrackTimeline::new(clock_rate),
            waiting: Vec::new(),
            place_by: None,
            reported: None,
            awaits_key: kind == MediaKind::Video,
            seek_point_due: now + SEEK_POINT_EVERY,
        }
    }

    /// Puts a track on the tap.
    pub(super) fn set_source(&mut self, now: Instant, source: SourceInfo<'_>) {
        self.leg.set_source(now, Some(source));
    }

    /// Takes a packet of its track.
    pub(super) fn take(
        &mut self,
        now: Instant,
        facts: &Facts<'_>,
        (epoch, clock): (&Epoch, &PublisherClock),
        out: &mut Vec<Tapped>,
    ) {
        let Verdict::Forward(outgoing) = self.leg.judge(now, facts) else {
            return;
        };
        let payload = facts.payload.get(usize::from(outgoing.payload_at)..);
        let held = Held {
            codec: match facts.origin.codec {
                Codec::Red => Codec::Opus,
                codec => codec.family(),
            },
            timestamp: outgoing.timestamp,
            marker: outgoing.marker,
            payload: payload.unwrap_or_default().to_vec(),
        };
        self.place_by.get_or_insert(now + PLACE_WITHIN);
        self.timeline.arrived(outgoing.timestamp, epoch.ns(now));
        if let Some(at_ns) = captured_ns(now, facts, (epoch, clock)) {
            self.timeline.reported(outgoing.timestamp, at_ns);
        }
        if self.reorder.push(now, outgoing.sequence, held) {
            self.advance(now, out);
        }
    }

    /// Does what is due by now: reports are taken in, holes given up, frames placed.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        (epoch, clock): (&Epoch, &PublisherClock),
        out: &mut Vec<Tapped>,
    ) {
        let state = self.leg.sender_state(now).and_then(|state| state.clock);
        if let Some(report) = state.filter(|report| self.reported != Some(report.ntp))
            && let Some(ntp) = clock.to_node(NtpTime(report.ntp))
        {
            self.reported = Some(report.ntp);
            self.timeline.reported(report.rtp, epoch.ntp_ns(ntp));
        }
        if now >= self.seek_point_due {
            self.seek_point_due = now + SEEK_POINT_EVERY;
            self.leg.ask_key_frame();
        }
        self.advance(now, out);
    }

    /// Gives out what there is: nothing more comes.
    pub(super) fn finish(&mut self, out: &mut Vec<Tapped>) {
        let rest: Vec<_> = self.reorder.drain().collect();
        for next in rest {
            self.assemble(next, out);
        }
        self.place(out);
    }

    fn advance(&mut self, now: Instant, out: &mut Vec<Tapped>) {
        while let Some(next) = self.reorder.pop(now) {
            self.assemble(next, out);
        }
        let is_placed = self.timeline.is_reported() || self.place_by.is_some_and(|by| now >= by);
        if is_placed {
            self.place(out);
        }
    }

    fn assemble(&mut self, next: Next<Held>, out: &mut Vec<Tapped>) {
        let held = match next {
            Next::Packet(held) => held,
            Next::Gap(_) => {
                if let Some((_, assembler)) = &mut self.assembler {
                    assembler.gap();
                }
                return self.lose(out);
            }
        };
        let is_other = |known: &mut (Codec, Assembler)| known.0 != held.codec;
        self.assembler.take_if(is_other);
        let (_, assembler) = self
            .assembler
            .get_or_insert_with(|| (held.codec, Assembler::new(held.codec)));
        let piece = Piece {
            timestamp: held.timestamp,
            marker: held.marker,
            payload: &held.payload,
        };
        match assembler.push(&piece) {
            Assembled::Nothing => {}
            Assembled::Lost => self.lose(out),
            Assembled::Whole(frame) if frame.key || !self.awaits_key => {
                self.awaits_key = false;
                self.waiting.push((held.codec, frame));
            }
            Assembled::Whole(_) => self.leg.ask_key_frame(),
        }
    }

    /// Something is missing for good: sound goes on, a picture needs a key frame.
    fn lose(&mut self, out: &mut Vec<Tapped>) {
        self.place(out);
        out.push(Tapped::Absent(GapCause::Lost));
        if self.leg.config().kind == MediaKind::Video {
            self.awaits_key = true;
            self.leg.ask_key_frame();
        }
    }

    fn place(&mut self, out: &mut Vec<Tapped>) {
        for (codec, frame) in self.waiting.drain(..) {
            out.push(Tapped::Frame(TrackFrame {
                at_ms: self.timeline.at_ms(frame.timestamp),
                key: frame.key,
                codec,
                data: frame.data,
                format: frame.format,
            }));
        }
    }
}

/// When a packet was captured, if it says so by the clock that its sender's reports are by: one that
/// was relayed may have been captured by another.
fn captured_ns(
    now: Instant,
    facts: &Facts<'_>,
    (epoch, clock): (&Epoch, &PublisherClock),
) -> Option<i64> {
    let value = facts.extension(Extension::AbsCaptureTime)?;
    let ntp = u64::from_be_bytes(*value.first_chunk()?);
    let at_ns = epoch.ntp_ns(clock.to_node(NtpTime(ntp))?);
    let on_its_way = epoch.ns(now).checked_sub(at_ns)?;
    ON_ITS_WAY_NS.contains(&on_its_way).then_some(at_ns)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::SeedableRng;

    use super::*;
    use crate::logic::forward::layer::LayerInfo;
    use crate::logic::forward::packet::{Origin, RtpView, TrackId};
    use crate::logic::forward::timestamp::SenderClock;

    const TRACK: TrackId = TrackId(3);
    const SECOND: u64 = 1 << 32;
    /// The first bytes of a key frame of VP8 of 16x16 pixels, behind their descriptor.
    const KEY: [u8; 11] = [0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0];
    const DELTA: [u8; 3] = [0x10, 0x11, 0];

    struct Bench {
        start: Instant,
        epoch: Epoch,
        clock: PublisherClock,
        tap: Tap,
        /// What the last report of the publisher said.
        report: Option<SenderClock>,
        /// When packets say that they were captured, by the publisher's clock.
        captured: Option<NtpTime>,
        out: Vec<Tapped>,
    }

    impl Bench {
        fn new(kind: MediaKind) -> Self {
            let start = Instant::now();
            let mut tap = Tap::new(start, kind, &mut StdRng::seed_from_u64(1));
            let layers = &[LayerInfo::default()];
            let track = TRACK;
            tap.set_source(start, SourceInfo { track, layers });
            Self {
                start,
                epoch: Epoch {
                    at: start,
                    ntp: NtpTime(1_000 * SECOND),
                },
                clock: PublisherClock::default(),
                tap,
                report: None,
                captured: None,
                out: Vec::new(),
            }
        }

        fn take(
            &mut self,
            at_ms: u64,
            codec: Codec,
            (sequence, timestamp): (u64, u32),
            payload: &[u8],
        ) {
            let mut ids = ExtensionIds::default();
            ids.set(Extension::AbsCaptureTime, 3);
            let mut packet = vec![0x80, 0x80 | 96, 0, 0];
            packet.extend_from_slice(&timestamp.to_be_bytes());
            packet.extend_from_slice(&[0; 4]);
            if let Some(NtpTime(captured)) = self.captured {
                packet[0] |= 0x10;
                packet.extend_from_slice(&[0xbe, 0xde, 0, 3, 3 << 4 | 7]);
                packet.extend_from_slice(&captured.to_be_bytes());
                packet.extend_from_slice(&[0; 3]);
            }
            packet.extend_from_slice(payload);
            let origin = Origin {
                track: TRACK,
                layer: 0,
                codec,
                sequence,
                clock: self.report,
            };
            let view = RtpView::parse(&packet).unwrap();
            let facts = Facts::gather(&view, origin, &ids);
            let now = self.start + Duration::from_millis(at_ms);
            self.tap
                .take(now, &facts, (&self.epoch, &self.clock), &mut self.out);
        }

        fn sound(&mut self, number: u32) {
            let at_ms = 100 + 20 * u64::from(number);
            let when = (70_000 + u64::from(number), number * 960);
            self.take(at_ms, Codec::Opus, when, &[0xfc, 1]);
        }

        fn tick(&mut self, at_ms: u64) {
            let now = self.start + Duration::from_millis(at_ms);
            self.tap
                .tick(now, (&self.epoch, &self.clock), &mut self.out);
        }

        /// The times of the frames that came out; `None` where something is missing.
        fn times(&mut self) -> Vec<Option<u64>> {
            let time = |tapped| match tapped {
                Tapped::Frame(frame) => Some(frame.at_ms),
                Tapped::Absent(_) => None,
            };
            self.out.drain(..).map(time).collect()
        }
    }

    #[test]
    fn a_report_places_what_came_before_it() {
        let mut bench = Bench::new(MediaKind::Audio);
        (0..3).for_each(|number| bench.sound(number));
        bench.tick(150);
        assert!(bench.times().is_empty());
        // What was captured when the timestamp was 0 was captured 60 ms after the beginning.
        let sent = NtpTime(500 * SECOND);
        bench
            .clock
            .observe(NtpTime(1_000 * SECOND + SECOND * 6 / 100), sent);
        bench.report = Some(SenderClock {
            ntp: sent.0,
            rtp: 0,
        });
        bench.sound(3);
        bench.tick(170);
        assert_eq!(bench.times(), [Some(60), Some(80), Some(100), Some(120)]);
        bench.sound(4);
        assert_eq!(bench.times(), [Some(140)], "at once from now on");
    }

    #[test]
    fn a_packet_that_says_when_it_was_captured_is_placed_there_at_once() {
        // The publisher's clock and the capturer's, in milliseconds after the node's; sound that was
        // captured 40 ms before it came, and where it stands in the recording.
        let cases = [(0, 0, 60), (-5_000, -5_000, 60), (0, 7_000, 100)];
        for (publisher_ms, capturer_ms, placed_ms) in cases {
            let mut bench = Bench::new(MediaKind::Audio);
            let by = |clock_ms: i64, at_ms: i64| {
                let after = (i128::from(clock_ms + at_ms) << 32) / 1_000;
                NtpTime((1_000 * SECOND).wrapping_add(after as u64))
            };
            bench.clock.observe(by(0, 50), by(publisher_ms, 50));
            bench.captured = Some(by(capturer_ms, 60));
            bench.sound(0);
            bench.tick(1_200);
            assert_eq!(bench.times(), [Some(placed_ms)], "{capturer_ms} ms");
        }
    }

    #[test]
    fn without_a_report_the_arrival_places_after_a_second() {
        let mut bench = Bench::new(MediaKind::Audio);
        (0..3).for_each(|number| bench.sound(number));
        bench.tick(1_099);
        assert!(bench.times().is_empty());
        bench.tick(1_100);
        assert_eq!(bench.times(), [Some(100), Some(120), Some(140)]);
    }

    #[test]
    fn after_a_loss_a_picture_waits_for_a_key_frame_and_asks_for_it() {
        let mut bench = Bench::new(MediaKind::Video);
        let frame = |bench: &mut Bench, number: u32, payload: &[u8]| {
            let when = (u64::from(number), number * 3_600);
            bench.take(40 * u64::from(number), Codec::Vp8, when, payload);
        };
        frame(&mut bench, 1, &KEY);
        bench.tick(1_100);
        assert_eq!(bench.times(), [Some(40)]);
        assert_eq!(bench.tap.leg.wants_key_frame(bench.start), None);
        frame(&mut bench, 30, &DELTA);
        bench.tick(2_199);
        assert!(bench.times().is_empty(), "what is missing may still come");
        bench.tick(2_200);
        assert_eq!(bench.times(), [None]);
        let now = bench.start + Duration::from_millis(2_200);
        assert_eq!(bench.tap.leg.wants_key_frame(now), Some(0));
        frame(&mut bench, 31, &DELTA);
        assert!(bench.times().is_empty());
        frame(&mut bench, 32, &KEY);
        assert_eq!(bench.times(), [Some(1_280)]);
    }

    #[test]
    fn the_end_gives_out_what_waits() {
        let mut bench = Bench::new(MediaKind::Audio);
        (0..2).for_each(|number| bench.sound(number));
        bench.sound(3);
        bench.tap.finish(&mut bench.out);
        assert_eq!(bench.times(), [Some(100), Some(120), None, Some(160)]);
    }
}

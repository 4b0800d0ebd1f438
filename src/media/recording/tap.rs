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
                codec => codec,
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
    (0..ON_ITS_WAY_NS_MAX)
        .contains(&on_its_way)
        .then_some(at_ns)
}

//! Timestamps of a leg: one timeline that goes forward over switches between unrelated clocks.

use std::time::{Duration, Instant};

use super::codec::MediaKind;
use super::report_check::SHIFT_MAX;

/// Longest silence that the timeline follows, in ticks: beyond half the circle forward would look
/// like backward.
const LONGEST_PAUSE: i64 = 1 << 30;
/// How far timestamps may be from the time that passed here, in seconds, before they are disbelieved.
const CREDIBLE: i64 = 2;
/// How far timestamps may go back, in seconds: pictures are sent in the order of decoding, which may differ.
const BACK: i64 = 1;

/// Whether timestamps that are `step` ticks apart in packets that came that far apart belong to different timelines: they
/// neither run ahead of the time that passed nor turn back. A network that stood still makes them seem to be behind, and
/// that is none.
pub(super) fn is_leap(step: i64, elapsed: Duration, rate: i64) -> bool {
    step - ticks(elapsed, rate) > CREDIBLE * rate || step < -BACK * rate
}

fn ticks(elapsed: Duration, rate: i64) -> i64 {
    let ticks = elapsed.as_micros() * rate as u128 / 1_000_000;
    i64::try_from(ticks).map_or(LONGEST_PAUSE, |ticks| ticks.min(LONGEST_PAUSE))
}

/// What a sender report says of a stream's clock (RFC 3550 §6.4.1): one instant in two timescales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderClock {
    /// The publisher's wall clock, 32.32 fixed-point seconds.
    pub ntp: u64,
    /// The same instant in the stream's timestamps.
    pub rtp: u32,
}

/// How a stream is related to the one that was on the leg before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is the same stream: timestamps go on.
    SameStream,
    /// Another layer of the same source: its sender reports share a wall clock.
    SameSource,
    /// Nothing is known.
    Foreign,
}

/// The newest packet that went out.
#[derive(Debug, Clone, Copy)]
struct Newest {
    incoming: u32,
    out: u32,
    at: Instant,
    clock: Option<SenderClock>,
}

/// Incoming timestamps to outgoing ones.
#[derive(Debug, Clone)]
pub struct Timeline {
    rate: i64,
    frame: i64,
    first: u32,
    offset: u32,
    /// Before timestamps leapt within the stream: of packets that come late.
    former_offset: Option<u32>,
    /// A packet of the stream that is on the leg now went out.
    has_begun: bool,
    newest: Option<Newest>,
    /// Ticks by which the timeline is ahead of the source because a switch had to go forward.
    lead: i64,
}

impl Timeline {
    /// A timeline that starts at `first`.
    pub fn new(kind: MediaKind, first: u32) -> Self {
        let (rate, frame) = match kind {
            MediaKind::Audio => (48_000, 960),
            MediaKind::Video => (90_000, 3_000),
        };
        Self {
            rate,
            frame,
            first,
            offset: 0,
            former_offset: None,
            has_begun: false,
            newest: None,
            lead: 0,
        }
    }

    /// Another stream goes on here, with a packet of this timestamp: it is placed as long after the
    /// last packet as it was captured after it, or came after it if that is unknown, but at least
    /// one frame later.
    pub fn switch(
        &mut self,
        now: Instant,
        incoming: u32,
        clock: Option<SenderClock>,
        relation: Relation,
    ) {
        let out = match self.newest {
            None => self.first,
            Some(last) => last
                .out
                .wrapping_add(self.step(now, last, incoming, clock, relation)),
        };
        self.offset = out.wrapping_sub(incoming);
        self.former_offset = None;
        self.has_begun = false;
    }

    /// The stream's next packet, unless it is late, has this timestamp. One that leaps is another timeline: it is placed
    /// where it came.
    pub fn follow(&mut self, now: Instant, incoming: u32) {
        let leaps = |last: Newest| {
            let elapsed = now.saturating_duration_since(last.at);
            is_leap(signed(incoming, last.incoming), elapsed, self.rate)
        };
        if self.has_begun && self.newest.is_some_and(leaps) {
            let former = self.offset;
            self.switch(now, incoming, None, Relation::Foreign);
            self.former_offset = Some(former);
        }
    }

    fn step(
        &mut self,
        now: Instant,
        last: Newest,
        incoming: u32,
        clock: Option<SenderClock>,
        relation: Relation,
    ) -> u32 {
        let elapsed = ticks(now.saturating_duration_since(last.at), self.rate);
        let measured = match relation {
            Relation::SameStream => Some(signed(incoming, last.incoming)),
            Relation::SameSource => self.between(last, incoming, clock),
            Relation::Foreign => None,
        };
        let tolerance = match relation {
            // A publisher's wall clock joins its layers: it may run as it likes.
            Relation::SameSource => ticks(SHIFT_MAX, self.rate),
            Relation::SameStream | Relation::Foreign => CREDIBLE * self.rate,
        };
        let credible = |ticks: &i64| (ticks - elapsed).abs() <= tolerance;
        let ideal = match measured.filter(credible) {
            Some(ticks) => ticks - self.lead,
            None => {
                self.lead = 0;
                elapsed
            }
        };
        let step = ideal.clamp(self.frame, LONGEST_PAUSE);
        if measured.filter(credible).is_some() {
            self.lead = (step - ideal).max(0);
        }
        step as u32
    }

    /// Ticks from the capture of `last` to that of `incoming` on another layer.
    fn between(&self, last: Newest, incoming: u32, clock: Option<SenderClock>) -> Option<i64> {
        let (old, new) = (last.clock?, clock?);
        let reports = new.ntp.wrapping_sub(old.ntp) as i64;
        let reports = (i128::from(reports) * i128::from(self.rate)) >> 32;
        let reports = i64::try_from(reports).ok()?;
        reports
            .checked_add(signed(incoming, new.rtp))?
            .checked_sub(signed(last.incoming, old.rtp))
    }

    /// The outgoing timestamp.
    pub fn map(&self, incoming: u32) -> u32 {
        let out = incoming.wrapping_add(self.offset);
        let (Some(former), Some(newest)) = (self.former_offset, self.newest) else {
            return out;
        };
        let former = incoming.wrapping_add(former);
        let distance = |out: u32| signed(out, newest.out).abs();
        match distance(former) < distance(out) {
            true => former,
            false => out,
        }
    }

    /// The newest packet of the stream went out.
    pub fn sent(&mut self, now: Instant, incoming: u32, clock: Option<SenderClock>) {
        self.has_begun = true;
        self.newest = Some(Newest {
            incoming,
            out: self.map(incoming),
            at: now,
            clock,
        });
    }

    /// The timestamp of this moment; `None` before the first packet.
    pub fn at(&self, now: Instant) -> Option<u32> {
        let last = self.newest?;
        let elapsed = ticks(now.saturating_duration_since(last.at), self.rate);
        Some(last.out.wrapping_add(elapsed as u32))
    }

    /// The publisher's clock, with its instant in outgoing timestamps.
    pub fn clock(&self) -> Option<SenderClock> {
        let clock = self.newest?.clock?;
        Some(SenderClock {
            ntp: clock.ntp,
            rtp: clock.rtp.wrapping_add(self.offset),
        })
    }
}

fn signed(later: u32, earlier: u32) -> i64 {
    i64::from(later.wrapping_sub(earlier) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 32;

    fn video(now: Instant) -> Timeline {
        let mut timeline = Timeline::new(MediaKind::Video, 1_000);
        timeline.switch(now, 50_000, None, Relation::Foreign);
        timeline.sent(now, 50_000, None);
        timeline
    }

    fn clock(ntp: u64, rtp: u32) -> Option<SenderClock> {
        Some(SenderClock { ntp, rtp })
    }

    #[test]
    fn starts_where_it_was_told_and_follows_the_source() {
        let timeline = video(Instant::now());
        assert_eq!(timeline.map(50_000), 1_000);
        assert_eq!(timeline.map(53_000), 4_000);
        assert_eq!(timeline.map(49_000), 0);
        assert_eq!(timeline.map(47_000), 0u32.wrapping_sub(2_000));
    }

    #[test]
    fn a_foreign_source_starts_after_the_time_that_passed() {
        let start = Instant::now();
        let cases = [
            (Duration::ZERO, 3_000),
            (Duration::from_millis(10), 3_000),
            (Duration::from_millis(100), 9_000),
            (Duration::from_secs(60), 5_400_000),
            (Duration::from_secs(1_000_000), LONGEST_PAUSE as u32),
        ];
        for (elapsed, expected) in cases {
            for incoming in [0, 49_000, 51_000, u32::MAX] {
                let mut timeline = video(start);
                timeline.switch(start + elapsed, incoming, None, Relation::Foreign);
                assert_eq!(
                    timeline.map(incoming),
                    1_000 + expected,
                    "{elapsed:?} {incoming}"
                );
            }
        }
    }

    #[test]
    fn the_same_stream_keeps_its_own_distances_if_they_are_credible() {
        let start = Instant::now();
        let later = start + Duration::from_secs(5);
        let cases = [
            (50_000 + 5 * 90_000 + 700, 5 * 90_000 + 700),
            (50_000 + 50 * 90_000, 5 * 90_000),
            (10, 5 * 90_000),
        ];
        for (incoming, expected) in cases {
            let mut timeline = video(start);
            timeline.switch(later, incoming, None, Relation::SameStream);
            assert_eq!(timeline.map(incoming), 1_000 + expected, "{incoming}");
        }
    }

    #[test]
    fn timestamps_that_leap_are_placed_where_they_came() {
        let start = Instant::now();
        let second = 90_000;
        // What came how long after 50,000 in ms, and how much later it goes out.
        for (elapsed_ms, step, expected) in [
            (33, 3_000, 3_000),
            (0, 3_000, 3_000),
            (0, -6_000, -6_000),
            (5_000, 3_000, 3_000),
            (60_000, 60 * second, 60 * second),
            (33, 3_600 * second, 3_000),
            (33, -60 * second, 3_000),
            (40, 3 * second, 3_600),
            (1_000, -3_600 * second, second),
            (33, i64::from(i32::MIN), 3_000),
        ] {
            let mut timeline = video(start);
            let now = start + Duration::from_millis(elapsed_ms);
            let incoming = 50_000_u32.wrapping_add(step as u32);
            timeline.follow(now, incoming);
            let out = timeline.map(incoming).wrapping_sub(1_000) as i32;
            assert_eq!(i64::from(out), expected, "{step} ticks in {elapsed_ms} ms");
            timeline.sent(now, incoming, None);
            let next = timeline
                .map(incoming.wrapping_add(3_000))
                .wrapping_sub(1_000) as i32;
            assert_eq!(i64::from(next), expected + 3_000, "the next");
        }
    }

    #[test]
    fn a_packet_from_before_a_leap_that_comes_late_stays_there() {
        let start = Instant::now();
        let mut timeline = video(start);
        let leapt = 50_000 + 3_600 * 90_000;
        timeline.follow(start, leapt);
        timeline.sent(start, leapt, None);
        assert_eq!(timeline.map(leapt), 4_000);
        assert_eq!(timeline.map(50_000), 1_000);
        assert_eq!(timeline.map(leapt - 3_000), 1_000);
    }

    #[test]
    fn another_layer_is_no_leap() {
        let start = Instant::now();
        for (old, new) in [(50_000, 4_000_000_000), (4_000_000_000, 50_000)] {
            let mut timeline = Timeline::new(MediaKind::Video, 1_000);
            timeline.switch(start, old, None, Relation::Foreign);
            timeline.sent(start, old, clock(7 * SECOND, old));
            // Captured 1.6 s after the other, it came 2 s after it.
            let now = start + Duration::from_secs(2);
            let captured = clock(8 * SECOND, u32::wrapping_sub(new, 54_000));
            timeline.switch(now, new, captured, Relation::SameSource);
            timeline.follow(now, new);
            assert_eq!(timeline.map(new), 1_000 + 144_000, "{old} to {new}");
        }
    }

    #[test]
    fn layers_are_joined_by_their_sender_reports() {
        let start = Instant::now();
        let now = start + Duration::from_millis(150);
        let mut timeline = video(start);
        // The old layer's 50,000 was captured 0.5 s after its report, the new one's 9,000 0.1 s
        // after a report that is 0.5 s younger.
        timeline.sent(start, 50_000, clock(7 * SECOND, 5_000));
        let new = clock(7 * SECOND + SECOND / 2, 0);
        timeline.switch(now, 9_000, new, Relation::SameSource);
        assert_eq!(timeline.map(9_000), 1_000 + 9_000);
        // Without the reports, or with an absurd one, the time that passed counts.
        for absurd in [None, clock(900 * SECOND, 0), clock(0, 0)] {
            let mut timeline = video(start);
            timeline.sent(start, 50_000, clock(7 * SECOND, 5_000));
            timeline.switch(now, 9_000, absurd, Relation::SameSource);
            assert_eq!(timeline.map(9_000), 1_000 + 13_500, "{absurd:?}");
        }
    }

    #[test]
    fn going_forward_at_every_switch_adds_up_to_nothing() {
        let start = Instant::now();
        let clocks = [clock(SECOND, 0), clock(SECOND, 700_000)];
        let mut timeline = video(start);
        timeline.sent(start, 50_000, clocks[0]);
        // A frame of both layers every 33 ms; the switch comes with the same frame that the other
        // layer has sent just before.
        for frame in 0..100u32 {
            let now = start + Duration::from_micros(33_333) * frame;
            let layer = frame as usize % 2;
            let incoming = 50_000 + 3_000 * frame + 700_000 * layer as u32;
            timeline.switch(now, incoming, clocks[layer], Relation::SameSource);
            timeline.sent(now, incoming, clocks[layer]);
            let ahead = timeline.map(incoming).wrapping_sub(1_000 + 3_000 * frame);
            assert!(ahead <= 3_000, "frame {frame} is {ahead} ticks ahead");
        }
    }

    #[test]
    fn reports_speak_of_the_outgoing_timeline() {
        let start = Instant::now();
        assert_eq!(Timeline::new(MediaKind::Audio, 0).at(start), None);
        let mut timeline = video(start);
        assert_eq!(timeline.clock(), None);
        timeline.sent(start, 50_000, clock(SECOND, 49_000));
        assert_eq!(timeline.clock(), clock(SECOND, 0));
        assert_eq!(
            timeline.at(start + Duration::from_millis(100)),
            Some(10_000)
        );
    }
}

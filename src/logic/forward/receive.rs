//! One received stream: a published track, or one simulcast layer of it.

use std::time::{Duration, Instant};

use super::arrivals::{Arrival, Arrivals};
use super::missing::Missing;
use super::rate::Rate;
use super::report_check::{ReportCheck, ticks};
use super::reports::{ClockMap, NtpTime, PublisherClock, ReportBlock};
use super::timestamp::is_leap;

/// A stream without a packet for this long does not flow.
const FLOWS_WITHIN: Duration = Duration::from_secs(1);
/// A transit time that changes by more than this many seconds is a new timeline and no jitter.
const JITTER_STEP_SECONDS: u32 = 5;

/// What a stream is, from its negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamConfig {
    /// The SSRC of the media.
    pub ssrc: u32,
    /// The SSRC of its retransmissions, once known.
    pub rtx_ssrc: Option<u32>,
    /// RTP clock rate in hertz.
    pub clock_rate: u32,
    /// The publisher answers NACKs. If not, whatever is skipped is lost.
    pub nack: bool,
}

/// What a received packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// To be forwarded.
    New {
        /// The sequence number over its wraps; the low 16 bits are the packet's own.
        extended: u64,
    },
    /// To be forwarded, as the first packet of a new numbering: the publisher started again. Nothing before
    /// it will come any more, and legs go on from here with a key frame.
    Restarted {
        /// Above every number before.
        extended: u64,
    },
    /// Came before: browsers probe the bandwidth by resending real packets. To be dropped.
    Duplicate,
    /// Far from the other numbers: too old, or a restart that the next packet must confirm. To be dropped.
    Strayed,
}

impl From<Arrival> for Received {
    fn from(arrival: Arrival) -> Self {
        match arrival {
            Arrival::New { extended } => Received::New { extended },
            Arrival::Restarted { extended } => Received::Restarted { extended },
            Arrival::Duplicate => Received::Duplicate,
            Arrival::Strayed => Received::Strayed,
        }
    }
}

/// Counters of a stream since its first packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamCounters {
    /// Packets that came by themselves, once each.
    pub packets: u64,
    /// Their bytes, and those of recovered ones.
    pub bytes: u64,
    /// Packets that came by retransmission.
    pub recovered: u64,
    /// Packets dropped because they came before.
    pub duplicates: u64,
    /// Packets dropped because they were far from the other numbers.
    pub strayed: u64,
    /// Numbers asked for, with repetitions.
    pub nacks: u64,
}

/// Receives one stream: tells new packets from old, and knows what to report and to ask for.
#[derive(Debug)]
pub struct ReceiveStream {
    config: StreamConfig,
    arrivals: Arrivals,
    missing: Missing,
    rate: Rate,
    jitter: Jitter,
    loss: Loss,
    counters: StreamCounters,
    epoch: Instant,
    last_packet: Option<Instant>,
    /// The timestamp of the newest packet, and when it came.
    newest: Option<(u32, Instant)>,
    check: ReportCheck,
    /// The time of the last sender report, and when it came.
    reported: Option<(NtpTime, Instant)>,
    /// What is held of the publisher's clock.
    clock: Option<ClockMap>,
}

impl ReceiveStream {
    /// A stream that has not begun.
    pub fn new(now: Instant, config: StreamConfig) -> Self {
        Self {
            config,
            arrivals: Arrivals::default(),
            missing: Missing::default(),
            rate: Rate::new(now),
            jitter: Jitter::default(),
            loss: Loss::default(),
            counters: StreamCounters::default(),
            epoch: now,
            last_packet: None,
            newest: None,
            check: ReportCheck::new(config.clock_rate),
            reported: None,
            clock: None,
        }
    }

    /// What the stream is.
    pub fn config(&self) -> &StreamConfig {
        &self.config
    }

    /// Retransmissions have this SSRC: learned from the first one that names the stream.
    pub fn set_rtx_ssrc(&mut self, rtx_ssrc: u32) {
        self.config.rtx_ssrc = Some(rtx_ssrc);
    }

    /// Takes a packet of the stream itself. `bytes` is its whole length.
    pub fn receive(
        &mut self,
        now: Instant,
        sequence: u16,
        timestamp: u32,
        bytes: usize,
    ) -> Received {
        let before = self.arrivals.highest();
        let received = self.arrivals.see(sequence).into();
        match received {
            Received::New { extended } => {
                self.went_on(now, before, extended, timestamp);
            }
            Received::Restarted { extended } => self.restart(extended),
            Received::Duplicate => self.counters.duplicates += 1,
            Received::Strayed => self.counters.strayed += 1,
        }
        if matches!(received, Received::New { .. } | Received::Restarted { .. }) {
            self.loss.received += 1;
            self.counters.packets += 1;
            self.count(now, bytes);
        }
        received
    }

    /// Takes a packet that came by retransmission (RFC 4588), under its original number. It is new to the
    /// legs, but its loss stays in the reports: they tell the publisher how good the way is.
    pub fn recover(&mut self, now: Instant, sequence: u16, bytes: usize) -> Received {
        let received = self.arrivals.see_late(sequence).into();
        match received {
            Received::New { extended } => {
                self.missing.came(extended);
                self.counters.recovered += 1;
                self.count(now, bytes);
            }
            Received::Duplicate => self.counters.duplicates += 1,
            Received::Restarted { .. } | Received::Strayed => self.counters.strayed += 1,
        }
        received
    }

    /// Appends the sequence numbers to ask the publisher for now.
    pub fn nacks(&mut self, now: Instant, round_trip: Duration, out: &mut Vec<u16>) {
        let highest = self.arrivals.highest().unwrap_or_default();
        let before = out.len();
        if self.config.nack {
            self.missing.due(now, highest, round_trip, out);
        } else if self.missing.due_at().is_some_and(|due_at| due_at <= now) {
            self.missing.give_up();
        }
        self.counters.nacks += (out.len() - before) as u64;
    }

    /// Whether a packet was lost for good since the last call: for a picture, time for a key frame.
    pub fn take_lost_for_good(&mut self) -> bool {
        self.missing.take_lost()
    }

    /// A key frame begins at this extended number: what is missing before it is not asked for any more.
    pub fn key_frame(&mut self, extended: u64) {
        self.missing.forget_before(extended);
    }

    /// When [`ReceiveStream::nacks`] has something to do.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.missing.due_at().map(|due_at| (due_at, "nack"))
    }

    /// The publisher's sender report for this stream came at `came` by the node's wall clock, after `publisher` was told of
    /// it. Whether it is believed; if not, the stream is timed by its arrival.
    pub fn sender_report(
        &mut self,
        (now, came): (Instant, NtpTime),
        report: ClockMap,
        publisher: &PublisherClock,
    ) -> bool {
        self.reported = Some((report.ntp, now));
        let elapsed = now.saturating_duration_since(self.epoch);
        let (Some(captured_now), Some(sent)) = (
            self.check.captured_now(elapsed),
            publisher.to_node(report.ntp),
        ) else {
            // Nothing came that it could be about.
            return true;
        };
        let is_believed = self
            .check
            .believes((now, elapsed), report, came.since(sent));
        self.clock = match is_believed {
            true => Some(report),
            false => publisher.to_publisher(came).map(|ntp| ClockMap {
                ntp,
                rtp: captured_now,
            }),
        };
        is_believed
    }

    /// What was said of the publisher's wall clock holds no more.
    pub fn forget_clock(&mut self) {
        self.clock = None;
    }

    /// One moment by the publisher's wall clock and the stream's RTP clock.
    pub fn clock_map(&self) -> Option<ClockMap> {
        self.clock
    }

    /// What to report to the publisher: the time since the last report. None if no packet came in it.
    pub fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        let highest = self.arrivals.highest()?;
        let (fraction_lost, total_lost) = self.loss.report(highest)?;
        let (last_report, delay) = self.last_report(now);
        Some(ReportBlock {
            ssrc: self.config.ssrc,
            fraction_lost,
            total_lost,
            highest: self.arrivals.highest_reported(),
            jitter: self.jitter.value(),
            last_report,
            delay,
        })
    }

    /// Whether packets come: one did within the last second.
    pub fn flows(&self, now: Instant) -> bool {
        self.last_packet
            .is_some_and(|last| now.saturating_duration_since(last) <= FLOWS_WITHIN)
    }

    /// When the last packet came.
    pub fn last_packet(&self) -> Option<Instant> {
        self.last_packet
    }

    /// Bits per second over the last second.
    pub fn bits_per_second(&self, now: Instant) -> u64 {
        self.rate.bits_per_second(now)
    }

    /// Interarrival jitter in units of the RTP clock (RFC 3550 A.8).
    pub fn jitter(&self) -> u32 {
        self.jitter.value()
    }

    /// The highest extended sequence number.
    pub fn highest(&self) -> Option<u64> {
        self.arrivals.highest()
    }

    /// What happened so far.
    pub fn counters(&self) -> StreamCounters {
        self.counters
    }

    #[inline]
    fn went_on(&mut self, now: Instant, before: Option<u64>, extended: u64, timestamp: u32) {
        let Some(before) = before else {
            self.loss.begin(extended);
            return self.time(now, timestamp);
        };
        if extended < before {
            self.missing.came(extended);
            return;
        }
        if extended > before + 1 {
            self.missing.skipped(now, before + 1, extended);
        }
        self.missing.overtaken_by(now, extended);
        self.time(now, timestamp);
    }

    fn time(&mut self, now: Instant, timestamp: u32) {
        let elapsed = now.saturating_duration_since(self.epoch);
        let newest = self.newest.replace((timestamp, now));
        if newest.is_some_and(|(before, at)| self.leaps(now, timestamp, (before, at))) {
            self.check.restart();
            self.clock = None;
        }
        self.check.arrived(elapsed, timestamp);
        self.jitter.add(elapsed, timestamp, self.config.clock_rate);
    }

    fn leaps(&self, now: Instant, timestamp: u32, (before, at): (u32, Instant)) -> bool {
        let step = i64::from(timestamp.wrapping_sub(before) as i32);
        is_leap(
            step,
            now.saturating_duration_since(at),
            self.config.clock_rate.into(),
        )
    }

    fn restart(&mut self, extended: u64) {
        self.missing.give_up();
        self.jitter.forget_transit();
        self.loss.begin(extended);
        self.check.restart();
        self.newest = None;
        self.reported = None;
        self.clock = None;
    }

    fn count(&mut self, now: Instant, bytes: usize) {
        self.counters.bytes += bytes as u64;
        self.rate.add(now, bytes);
        self.last_packet = Some(now);
    }

    fn last_report(&self, now: Instant) -> (u32, u32) {
        let Some((ntp, came)) = self.reported else {
            return (0, 0);
        };
        let delay = now.saturating_duration_since(came).as_nanos() * 65_536 / 1_000_000_000;
        (ntp.middle(), u32::try_from(delay).unwrap_or(u32::MAX))
    }
}

/// Interarrival jitter (RFC 3550 A.8).
#[derive(Debug, Default)]
struct Jitter {
    transit: Option<u32>,
    /// Sixteen times the jitter, as the RFC's integer version keeps it.
    scaled: u32,
}

impl Jitter {
    fn add(&mut self, elapsed: Duration, timestamp: u32, clock_rate: u32) {
        let transit = ticks(elapsed, clock_rate).wrapping_sub(timestamp);
        let before = self.transit.replace(transit);
        let change = before.map_or(0, |before| transit.wrapping_sub(before) as i32);
        let change = change.unsigned_abs();
        if change <= JITTER_STEP_SECONDS.saturating_mul(clock_rate) {
            self.scaled += change;
            self.scaled -= (self.scaled - change + 8) >> 4;
        }
    }

    fn forget_transit(&mut self) {
        self.transit = None;
    }

    fn value(&self) -> u32 {
        self.scaled >> 4
    }
}

/// Expected against received (RFC 3550 A.3).
#[derive(Debug, Default)]
struct Loss {
    /// The first number of the present numbering.
    first: u64,
    /// Packets expected of former numberings, as far as their holes were known.
    expected_before: u64,
    received: u64,
    expected_reported: u64,
    received_reported: u64,
}

impl Loss {
    /// A numbering begins. What the former one lost after its last report is not counted.
    fn begin(&mut self, first: u64) {
        let unreported = self.received - self.received_reported;
        self.expected_before = self.expected_reported + unreported;
        self.first = first;
    }

    /// The share lost since the last report in 1/256, and what was lost in all. None if nothing came.
    fn report(&mut self, highest: u64) -> Option<(u8, i32)> {
        let received = self.received - self.received_reported;
        if received == 0 {
            return None;
        }
        let expected_in_all = self.expected_before + (highest + 1).saturating_sub(self.first);
        let expected = expected_in_all.saturating_sub(self.expected_reported);
        self.expected_reported = expected_in_all;
        self.received_reported = self.received;
        let lost = expected.saturating_sub(received);
        let fraction = (lost << 8).checked_div(expected).unwrap_or(0).min(255);
        let in_all = expected_in_all as i64 - self.received as i64;
        Some((fraction as u8, in_all.clamp(-0x80_0000, 0x7f_ffff) as i32))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::logic::forward::reports::NtpTime;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const VIDEO: StreamConfig = StreamConfig {
        ssrc: 7,
        rtx_ssrc: None,
        clock_rate: 90_000,
        nack: true,
    };
    const ROUND_TRIP: Duration = Duration::from_millis(40);

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    fn nacks(stream: &mut ReceiveStream, now: Instant) -> Vec<u16> {
        let mut out = Vec::new();
        stream.nacks(now, ROUND_TRIP, &mut out);
        out
    }

    #[test]
    fn a_hole_over_the_wrap_is_asked_for_and_filled() {
        let start = Instant::now();
        let mut stream = ReceiveStream::new(start, VIDEO);
        stream.receive(start, 65_534, 0, 1000);
        stream.receive(start, 2, 0, 1000);
        assert_eq!(
            stream.poll_timeout(),
            Some((start, "nack")),
            "the oldest is overtaken by three"
        );
        assert_eq!(nacks(&mut stream, at(start, 10)), [65_535, 0, 1]);
        let recovered = stream.recover(at(start, 30), 65_535, 1000);
        assert_eq!(recovered, Received::New { extended: 131_071 });
        assert_eq!(
            stream.receive(at(start, 30), 65_535, 0, 1000),
            Received::Duplicate
        );
        stream.recover(at(start, 31), 0, 1000);
        assert_eq!(nacks(&mut stream, at(start, 50)), [1]);
        stream.recover(at(start, 60), 1, 1000);
        assert_eq!(stream.poll_timeout(), None);
        let counters = stream.counters();
        assert_eq!((counters.packets, counters.recovered), (2, 3));
        assert_eq!((counters.duplicates, counters.nacks), (1, 4));
        assert_eq!(counters.bytes, 5000);
    }

    #[test]
    fn a_retransmission_neither_begins_nor_restarts_nor_overtakes_a_stream() {
        let start = Instant::now();
        let mut stream = ReceiveStream::new(start, VIDEO);
        assert_eq!(stream.recover(start, 5, 100), Received::Strayed);
        stream.receive(start, 100, 0, 100);
        for sequence in [101, 102, 5000, 5001, 60_000, 60_001, 60_002] {
            let recovered = stream.recover(start, sequence, 100);
            assert!(
                !matches!(recovered, Received::Restarted { .. }),
                "{sequence}"
            );
        }
        assert_eq!(stream.highest(), Some(65_636));
        let next = stream.receive(start, 101, 0, 100);
        assert_eq!(next, Received::New { extended: 65_637 });
    }

    #[test]
    fn a_publisher_that_begins_anew_goes_on_after_one_packet() {
        let start = Instant::now();
        let mut stream = ReceiveStream::new(start, VIDEO);
        for sequence in 100..200 {
            stream.receive(start, sequence, 0, 100);
        }
        stream.report_block(start);
        assert_eq!(stream.receive(start, 40_000, 9, 100), Received::Strayed);
        let restarted = stream.receive(start, 40_001, 9, 100);
        assert_eq!(restarted, Received::Restarted { extended: 105_537 });
        assert!(stream.take_lost_for_good());
        assert!(nacks(&mut stream, at(start, 100)).is_empty());
        let block = stream.report_block(start).unwrap();
        assert_eq!((block.fraction_lost, block.total_lost), (0, 0));
    }

    #[test]
    fn a_report_that_is_not_believed_gives_way_to_what_arrival_says() {
        let start = Instant::now();
        let mut stream = ReceiveStream::new(start, VIDEO);
        for frame in 0..40u16 {
            let now = at(start, u64::from(frame) * 40 + 5);
            stream.receive(now, frame, u32::from(frame) * 3_600, 100);
        }
        let mut publisher = PublisherClock::default();
        let ntp = |milliseconds: u64| NtpTime((milliseconds << 32) / 1_000);
        // The node's wall clock counts from the beginning, the publisher's is a minute behind.
        publisher.observe(ntp(61_600), ntp(1_600));
        let mut say = |came_ms: u64, rtp: u32| {
            let came = (at(start, came_ms), ntp(came_ms + 60_000));
            let report = ClockMap {
                ntp: ntp(came_ms),
                rtp,
            };
            let believed = stream.sender_report(came, report, &publisher);
            (believed, stream.clock_map().unwrap().rtp)
        };
        assert_eq!(say(1_600, 144_000), (true, 144_000));
        // What came at 1,565 ms was 1,560 ms after the beginning of the stream.
        assert_eq!(say(1_610, 144_000 + 450_000), (false, 144_450));
        // All that is said by it is of another timeline after a leap.
        stream.receive(at(start, 1_620), 40, 144_000 + 3_600 * 90_000, 100);
        assert_eq!(stream.clock_map(), None);
    }

    #[test]
    fn without_nacks_a_hole_that_stays_is_lost() {
        let start = Instant::now();
        let nack = false;
        let mut stream = ReceiveStream::new(start, StreamConfig { nack, ..VIDEO });
        stream.receive(start, 1, 0, 100);
        stream.receive(start, 3, 0, 100);
        assert!(nacks(&mut stream, at(start, 5)).is_empty());
        assert!(!stream.take_lost_for_good(), "it may merely be late");
        assert!(nacks(&mut stream, at(start, 10)).is_empty());
        assert!(stream.take_lost_for_good());
        assert_eq!(stream.poll_timeout(), None);
    }

    #[test]
    fn reports_tell_the_loss_of_the_way_and_not_what_was_recovered() {
        let start = Instant::now();
        let mut stream = ReceiveStream::new(start, VIDEO);
        assert_eq!(stream.report_block(start), None);
        for sequence in (0..100).filter(|sequence| sequence % 4 != 1) {
            stream.receive(start, sequence, 0, 100);
        }
        stream.recover(start, 1, 100);
        let clock = ClockMap {
            ntp: NtpTime(0x1111_2222_3333_4444),
            rtp: 0,
        };
        let mut publisher = PublisherClock::default();
        publisher.observe(clock.ntp, clock.ntp);
        stream.sender_report((start, clock.ntp), clock, &publisher);
        let block = stream.report_block(at(start, 500)).unwrap();
        let expected = ReportBlock {
            ssrc: 7,
            fraction_lost: 64,
            total_lost: 25,
            highest: 99,
            jitter: 0,
            last_report: 0x2222_3333,
            delay: 32_768,
        };
        assert_eq!(block, expected);
        assert_eq!(stream.report_block(at(start, 1500)), None, "nothing came");
        stream.receive(start, 100, 0, 100);
        let block = stream.report_block(at(start, 2000)).unwrap();
        assert_eq!((block.fraction_lost, block.total_lost), (0, 25));
    }

    #[test]
    fn jitter_is_the_smoothed_change_of_transit() {
        let start = Instant::now();
        let mut stream = ReceiveStream::new(start, VIDEO);
        for frame in 0..200u16 {
            // Every second frame is 10 ms late: each transit differs from the last by 900 ticks.
            let late = u64::from(frame % 2) * 10;
            let now = at(start, u64::from(frame) * 20 + late);
            stream.receive(now, frame, u32::from(frame) * 1800, 100);
        }
        assert!(
            (880..=900).contains(&stream.jitter()),
            "{}",
            stream.jitter()
        );
        stream.receive(at(start, 4000), 200, 0x8000_0000, 100);
        assert!(stream.jitter() <= 900, "a new timeline is no jitter");
    }

    #[test]
    fn a_stream_flows_while_packets_come() {
        let start = Instant::now();
        let mut stream = ReceiveStream::new(start, VIDEO);
        assert!(!stream.flows(start));
        stream.receive(start, 1, 0, 100);
        assert!(stream.flows(at(start, 1000)));
        assert!(!stream.flows(at(start, 1001)));
        assert_eq!(stream.last_packet(), Some(start));
    }

    proptest! {
        /// For any loss and reordering: what came is not asked for afterwards, and what did not come is asked for
        /// or was given up.
        #[test]
        fn exactly_what_is_missing_is_asked_for(
            first in any::<u16>(),
            packets in prop::collection::vec((0u8..10, 0u64..6), 50..350),
        ) {
            let start = Instant::now();
            let mut stream = ReceiveStream::new(start, VIDEO);
            // One packet a millisecond; each is lost, in time, or late by some packets.
            let mut schedule: Vec<(u64, u64)> = packets
                .iter()
                .enumerate()
                .filter(|(index, packet)| *index == 0 || packet.0 > 0)
                .map(|(index, &(_, late))| {
                    let late = if index == 0 { 0 } else { late };
                    (index as u64 + late, index as u64)
                })
                .collect();
            schedule.sort();
            let mut came = BTreeSet::new();
            let mut asked = BTreeSet::new();
            let number = |index: u64| first.wrapping_add(index as u16);
            for &(milliseconds, index) in &schedule {
                let now = at(start, milliseconds);
                let received = stream.receive(now, number(index), 0, 100);
                let extended = 65_536 + u64::from(first) + index;
                prop_assert_eq!(received, Received::New { extended });
                came.insert(number(index));
                for sequence in nacks(&mut stream, now) {
                    prop_assert!(!came.contains(&sequence), "{sequence} came");
                    asked.insert(sequence);
                }
            }
            let last = schedule.last().map_or(0, |&(milliseconds, _)| milliseconds);
            asked.extend(nacks(&mut stream, at(start, last + 10)));
            let highest = schedule.iter().map(|&(_, index)| index).max().unwrap();
            let missing: BTreeSet<u16> = (0..highest)
                .map(number)
                .filter(|sequence| !came.contains(sequence))
                .collect();
            prop_assert!(missing.is_subset(&asked));
            prop_assert!(!stream.take_lost_for_good());
        }
    }
}

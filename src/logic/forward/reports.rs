//! Sender and receiver reports (RFC 3550 §6.4): the clocks behind them, their pace, and round trips.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Mean time between two reports of a connection; each is up to half of it early or late, so that
/// connections do not speak in chorus (RFC 3550 §6.2).
const INTERVAL: Duration = Duration::from_secs(1);
/// A publisher that has sent no report for this long is taken not to send any.
const REPORT_AWAITED: Duration = Duration::from_secs(6);
/// A publisher's clock that is off by more than this was set anew, once a second report says so too.
const CLOCK_STEP: i64 = 1 << 32;
/// Share of the way that an estimate follows a clock that drifts.
const CLOCK_DRIFT_SHIFT: u32 = 6;
/// On a short way the two clocks' rounding may make a round trip negative by this much, in 1/65,536 s.
const ROUNDING: i32 = 655;
/// A round trip longer than this is a mistake.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(30);

/// Seconds since 1900 as 32.32 fixed point (RFC 3550 §4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The middle 32 bits, as reports refer to a report: units of 1/65,536 s.
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// Signed distance in units of 2^-32 s, over the wrap of the era in 2036.
    pub(super) fn since(self, earlier: NtpTime) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }
}

/// The node's wall clock, read once and carried on by the steady clock: every connection of a node
/// reports by the same one.
#[derive(Debug, Clone, Copy)]
pub struct NtpClock {
    at: Instant,
    ntp: NtpTime,
}

impl NtpClock {
    /// `unix_time` is the time since 1970 at `at`.
    pub fn new(at: Instant, unix_time: Duration) -> Self {
        const FROM_1900_TO_1970: u64 = 2_208_988_800;
        let seconds = unix_time.as_secs().wrapping_add(FROM_1900_TO_1970);
        let ntp = NtpTime((seconds << 32).wrapping_add(fraction(unix_time)));
        Self { at, ntp }
    }

    /// The wall clock's time at `now`.
    pub fn ntp(&self, now: Instant) -> NtpTime {
        let elapsed = now.saturating_duration_since(self.at);
        let elapsed = (elapsed.as_secs() << 32).wrapping_add(fraction(elapsed));
        NtpTime(self.ntp.0.wrapping_add(elapsed))
    }
}

fn fraction(duration: Duration) -> u64 {
    (u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000
}

/// How a publisher's wall clock relates to the node's. One per publishing connection: its sound and
/// its picture are moved by the same distance and stay in sync.
#[derive(Debug, Clone, Copy, Default)]
pub struct PublisherClock {
    /// The node's time minus the publisher's, with the shortest way of a report in it.
    offset: Option<i64>,
    /// What the last report said, if that was far from it.
    step: Option<i64>,
}

impl PublisherClock {
    /// A sender report that says `sent` came at `came` by the node's clock. Whether the clock was set anew since the
    /// report before: what was said by it until now holds no more.
    pub fn observe(&mut self, came: NtpTime, sent: NtpTime) -> bool {
        let seen = came.since(sent);
        let Some(offset) = self.offset else {
            self.offset = Some(seen);
            return false;
        };
        let error = seen.wrapping_sub(offset);
        let is_near =
            |one: i64, other: i64| one.wrapping_sub(other).unsigned_abs() <= CLOCK_STEP as u64;
        if is_near(seen, offset) {
            self.step = None;
            self.offset = Some(offset.wrapping_add(match error < 0 {
                true => error,
                false => error >> CLOCK_DRIFT_SHIFT,
            }));
            return false;
        }
        // One stream of several may say nonsense; who set their clock says it again.
        let is_confirmed = self.step.is_some_and(|step| is_near(seen, step));
        self.step = (!is_confirmed).then_some(seen);
        if is_confirmed {
            self.offset = Some(seen);
        }
        is_confirmed
    }

    /// The node's time at a time of the publisher's clock, once a report came.
    pub fn to_node(&self, publisher: NtpTime) -> Option<NtpTime> {
        let offset = self.offset?;
        Some(NtpTime(publisher.0.wrapping_add(offset as u64)))
    }

    /// The publisher's time at a time of the node's, once a report came.
    pub fn to_publisher(&self, node: NtpTime) -> Option<NtpTime> {
        let offset = self.offset?;
        Some(NtpTime(node.0.wrapping_sub(offset as u64)))
    }
}

/// One moment by two clocks: what a sender report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockMap {
    /// By the wall clock.
    pub ntp: NtpTime,
    /// By the stream's RTP clock.
    pub rtp: u32,
}

impl ClockMap {
    /// The RTP time at `ntp`.
    pub fn rtp_at(&self, ntp: NtpTime, clock_rate: u32) -> u32 {
        let ticks = (i128::from(ntp.since(self.ntp)) * i128::from(clock_rate)) >> 32;
        self.rtp.wrapping_add(ticks as u32)
    }
}

/// A sender report, without the reception reports that may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// The stream.
    pub ssrc: u32,
    /// One moment by its two clocks.
    pub clock: ClockMap,
    /// Packets sent, counted over the wrap.
    pub packets: u32,
    /// Payload bytes sent, counted over the wrap.
    pub octets: u32,
}

/// One stream as its receiver sees it (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all, 24 bits and a sign on the wire.
    pub total_lost: i32,
    /// The highest sequence number and, above it, its cycles.
    pub highest: u32,
    /// Interarrival jitter in units of the RTP clock.
    pub jitter: u32,
    /// [`NtpTime::middle`] of the last sender report, or 0.
    pub last_report: u32,
    /// How long ago that report came, in 1/65,536 s.
    pub delay: u32,
}

impl ReportBlock {
    /// How long a packet takes to the receiver and back: the receiver's report came at `came`. `None` if it
    /// had no report of ours yet, or makes no sense.
    pub fn round_trip(&self, came: NtpTime) -> Option<Duration> {
        if self.last_report == 0 {
            return None;
        }
        let departed = self.last_report.wrapping_add(self.delay);
        let units = came.middle().wrapping_sub(departed) as i32;
        if units < -ROUNDING {
            return None;
        }
        let round_trip = Duration::from_secs_f64(f64::from(units.max(0)) / 65_536.0);
        Some(round_trip).filter(|&round_trip| round_trip <= ROUND_TRIP_MAX)
    }
}

/// The round trip to one connection, smoothed.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoundTrip {
    smoothed: Option<Duration>,
}

impl RoundTrip {
    /// Takes for granted until measured.
    pub const UNKNOWN: Duration = Duration::from_millis(100);

    /// Adds a measured round trip. One connection has many legs, all of which may report.
    pub fn observe(&mut self, measured: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => measured,
            Some(before) => (before * 7 + measured) / 8,
        });
    }

    /// The smoothed round trip, if there was any.
    pub fn measured(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The smoothed round trip, or [`RoundTrip::UNKNOWN`].
    pub fn get(&self) -> Duration {
        self.smoothed.unwrap_or(Self::UNKNOWN)
    }
}

/// The sender reports of one leg, on the leg's own timeline but by its publisher's clock, so that a
/// viewer plays the sound and the picture of a seat in sync.
#[derive(Debug)]
pub struct LegReports {
    clock_rate: u32,
    clock: Option<ClockMap>,
    awaited_since: Instant,
}

/// How a leg stands, on its own timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegState {
    /// The leg's SSRC.
    pub ssrc: u32,
    /// Packets sent; a report says the low 32 bits.
    pub packets: u64,
    /// Payload bytes sent; a report says the low 32 bits.
    pub octets: u64,
    /// The timestamp of this moment, if the stream went on evenly since its last packet.
    pub rtp_now: u32,
    /// What the publisher's last report said, its RTP time moved to the leg's timeline.
    pub clock: Option<ClockMap>,
}

impl LegReports {
    /// A leg of this clock rate in hertz.
    pub fn new(now: Instant, clock_rate: u32) -> Self {
        Self {
            clock_rate,
            clock: None,
            awaited_since: now,
        }
    }

    /// Another publisher's packets go out now: what was known of the clock does not hold.
    pub fn restart(&mut self, now: Instant) {
        self.clock = None;
        self.awaited_since = now;
    }

    /// The report to send at `now`, by the clock of the publisher on the leg. A layer that has not reported yet goes on
    /// by the clock of the one before it. None while the publisher's first report may still come: a guess
    /// corrected a moment later costs the viewer its lip sync for longer than no report at all.
    pub fn report(
        &mut self,
        now: Instant,
        wall: &NtpClock,
        publisher: &PublisherClock,
        leg: &LegState,
    ) -> Option<SenderReport> {
        let ntp = wall.ntp(now);
        let told = leg.clock.and_then(|clock| {
            let ntp = publisher.to_node(clock.ntp)?;
            Some(ClockMap { ntp, ..clock })
        });
        self.clock = told.or(self.clock);
        let awaited = now.saturating_duration_since(self.awaited_since) < REPORT_AWAITED;
        let rtp = match self.clock {
            Some(clock) => clock.rtp_at(ntp, self.clock_rate),
            None if awaited => return None,
            None => leg.rtp_now,
        };
        Some(SenderReport {
            ssrc: leg.ssrc,
            clock: ClockMap { ntp, rtp },
            packets: leg.packets as u32,
            octets: leg.octets as u32,
        })
    }
}

/// When a connection's compound reports go out.
#[derive(Debug)]
pub struct ReportPace {
    random: StdRng,
    due_at: Instant,
}

impl ReportPace {
    /// The first report follows within one and a half intervals.
    pub fn new(now: Instant, seed: u64) -> Self {
        let mut pace = Self {
            random: StdRng::seed_from_u64(seed),
            due_at: now,
        };
        pace.schedule(now);
        pace
    }

    /// Whether a report is due. The next one is then scheduled.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let due = now >= self.due_at;
        if due {
            self.schedule(now);
        }
        due
    }

    /// When the next report is due.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        Some((self.due_at, "reports"))
    }

    fn schedule(&mut self, now: Instant) {
        let wait = INTERVAL.mul_f64(self.random.random_range(0.5..1.5));
        self.due_at = now + wait;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SECOND: u64 = 1 << 32;

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    fn wall(start: Instant) -> NtpClock {
        NtpClock::new(start, Duration::from_secs(1_800_000_000))
    }

    #[test]
    fn the_wall_clock_counts_from_1900() {
        let start = Instant::now();
        let clock = NtpClock::new(start, Duration::from_millis(500));
        assert_eq!(clock.ntp(start).0, 2_208_988_800 * SECOND + SECOND / 2);
        let later = clock.ntp(at(start, 1250));
        assert_eq!(later.0, 2_208_988_801 * SECOND + SECOND / 4 * 3);
    }

    #[test]
    fn a_round_trip_is_what_the_viewer_did_not_hold() {
        let sent = NtpTime(5_000 * SECOND);
        let block = |last_report, delay| ReportBlock {
            last_report,
            delay,
            ..ReportBlock::default()
        };
        let milliseconds = |count: u64| NtpTime(sent.0 + count * SECOND / 1000);
        let cases = [
            ("plain", block(sent.middle(), 32_768), 600, Some(100)),
            ("no report yet", block(0, 0), 600, None),
            (
                "rounding on loopback",
                block(sent.middle(), 32_769),
                500,
                Some(0),
            ),
            (
                "held longer than it took",
                block(sent.middle(), 65_536),
                600,
                None,
            ),
            ("absurd", block(sent.middle(), 0), 40_000, None),
        ];
        for (name, block, came, expected) in cases {
            let measured = block.round_trip(milliseconds(came));
            let measured = measured.map(|measured| measured.as_millis());
            // One unit is 15 µs, which rounds down.
            let near = |measured: u128| expected.is_some_and(|expected| expected - measured <= 1);
            assert!(
                measured.map_or(expected.is_none(), near),
                "{name}: {measured:?}"
            );
        }
        let over_the_wrap = block(0xffff_ff00, 0x100).round_trip(NtpTime(0x1_0000 << 16));
        assert_eq!(over_the_wrap, Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_publishers_clock_is_followed_by_its_quickest_reports() {
        let mut clock = PublisherClock::default();
        assert_eq!(clock.to_node(NtpTime(0)), None);
        // The publisher is 1,000 s behind; its reports take 20 to 300 ms.
        let milliseconds = |count: u64| count * SECOND / 1000;
        for (sent, way) in [(0, 300), (1000, 20), (2000, 200), (3000, 25)] {
            let came = milliseconds(1_000_000 + sent + way);
            clock.observe(NtpTime(came), NtpTime(milliseconds(sent)));
        }
        let offset = clock.to_node(NtpTime(0)).unwrap().0 as f64 / SECOND as f64;
        assert!((1000.02..1000.03).contains(&offset), "{offset}");
        // It is set anew: forwards, then backwards past the beginning of the era.
        for sent in [500 * SECOND, 0u64.wrapping_sub(7 * SECOND)] {
            let came = NtpTime(milliseconds(1_010_000));
            assert!(!clock.observe(came, NtpTime(sent)));
            assert!(clock.observe(came, NtpTime(sent)));
            assert_eq!(clock.to_node(NtpTime(sent)), Some(came));
            assert_eq!(clock.to_publisher(came), Some(NtpTime(sent)));
        }
    }

    #[test]
    fn one_stream_that_says_nonsense_does_not_move_the_clock_of_the_others() {
        let mut clock = PublisherClock::default();
        for second in 1..100 {
            let now = NtpTime(second * SECOND);
            clock.observe(now, now);
            assert_eq!(clock.to_node(now), Some(now));
            clock.observe(now, NtpTime(second * 3_600 * SECOND));
            assert_eq!(clock.to_node(now), Some(now));
        }
    }

    #[test]
    fn sound_and_picture_of_a_seat_refer_to_the_same_moment() {
        let start = Instant::now();
        let wall = wall(start);
        let mut publisher = PublisherClock::default();
        publisher.observe(wall.ntp(at(start, 40)), NtpTime(77 * SECOND));
        let mut audio = LegReports::new(start, 48_000);
        let mut video = LegReports::new(start, 90_000);
        let leg = |ntp, rtp| LegState {
            ssrc: 9,
            packets: 1 << 32 | 3,
            octets: 300,
            rtp_now: 0,
            clock: Some(ClockMap {
                ntp: NtpTime(ntp),
                rtp,
            }),
        };
        // The picture's report is of half a second later than the sound's.
        let sound = leg(77 * SECOND, 1_500);
        let picture = leg(77 * SECOND + SECOND / 2, 0xffff_f000);
        let audio = audio
            .report(at(start, 2040), &wall, &publisher, &sound)
            .unwrap();
        let video = video
            .report(at(start, 1540), &wall, &publisher, &picture)
            .unwrap();
        assert_eq!(audio.clock.ntp, wall.ntp(at(start, 2040)));
        assert_eq!(audio.clock.rtp, 1_500 + 2 * 48_000);
        let expected = 0xffff_f000u32.wrapping_add(90_000);
        assert!(expected.abs_diff(video.clock.rtp) <= 1);
        assert_eq!((audio.ssrc, audio.packets, audio.octets), (9, 3, 300));
    }

    #[test]
    fn a_leg_waits_for_its_publishers_clock_but_not_for_ever() {
        let start = Instant::now();
        let wall = wall(start);
        let mut publisher = PublisherClock::default();
        publisher.observe(wall.ntp(start), NtpTime(77 * SECOND));
        let mut leg = LegReports::new(start, 90_000);
        let silent = LegState {
            ssrc: 9,
            packets: 1,
            octets: 1,
            rtp_now: 1_000_000,
            clock: None,
        };
        let clock = ClockMap {
            ntp: NtpTime(77 * SECOND),
            rtp: 5_000,
        };
        let telling = LegState {
            clock: Some(clock),
            ..silent
        };
        let mut rtp = |milliseconds, leg_state: &LegState| {
            let report = leg.report(at(start, milliseconds), &wall, &publisher, leg_state);
            report.map(|report| report.clock.rtp)
        };
        assert_eq!(rtp(5999, &silent), None);
        assert_eq!(rtp(6000, &silent), Some(1_000_000));
        assert_eq!(rtp(7000, &telling), Some(635_000));
        assert_eq!(rtp(8000, &silent), Some(725_000), "another layer");
        leg.restart(at(start, 8000));
        assert_eq!(
            leg.report(at(start, 9000), &wall, &publisher, &silent),
            None
        );
    }

    #[test]
    fn reports_are_a_second_apart_on_average_and_never_in_chorus() {
        let start = Instant::now();
        let times = |seed| {
            let mut pace = ReportPace::new(start, seed);
            let mut times = Vec::new();
            while times.len() < 200 {
                let (due_at, _) = pace.poll_timeout().unwrap();
                assert!(!pace.handle_timeout(due_at - Duration::from_nanos(1)));
                assert!(pace.handle_timeout(due_at));
                times.push(due_at.duration_since(start));
            }
            times
        };
        let mean = times(1)[199].as_secs_f64() / 200.0;
        assert!((0.9..1.1).contains(&mean), "{mean}");
        assert_eq!(times(1), times(1));
        assert_ne!(times(1)[0], times(2)[0]);
    }

    #[test]
    fn the_round_trip_is_smoothed() {
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.get(), RoundTrip::UNKNOWN);
        round_trip.observe(Duration::from_millis(80));
        round_trip.observe(Duration::from_millis(160));
        assert_eq!(round_trip.measured(), Some(Duration::from_millis(90)));
    }
}

//! Whether a publisher's word on its clock is believed (RFC 3550 §6.4.1).
//!
//! What a report says can be checked twice: what was captured arrives soon afterwards, and no oscillator runs much faster
//! or slower than another. Who fails is placed by the arrival of packets instead.

use std::time::{Duration, Instant};

use super::quickest::Quickest;
use super::reports::ClockMap;

/// How far a report may move a stream against the arrival of its packets: what a jitter buffer holds.
pub const SHIFT_MAX: Duration = Duration::from_millis(500);
/// How far apart two clocks may run, in millionths. Crystals are good to 100, USB allows 500 at full speed.
const PPM_MAX: i128 = 1_000;
/// How far apart a report's two times may have been read, in units of 2^-32 s: 50 ms.
const READ_WITHIN: i128 = (1 << 32) / 20;
/// How long no report of a stream is believed after one that was not.
const DISTRUST: Duration = Duration::from_secs(10);
/// Reports are compared over this time at most, in units of 2^-32 s: an hour, less than RTP's clocks take to wrap.
const COMPARED_MAX: i64 = 3_600 << 32;
/// Units of an NTP time in a second.
const NTP_SECOND: i128 = 1 << 32;

/// Checks the reports of one stream.
#[derive(Debug)]
pub struct ReportCheck {
    clock_rate: u32,
    /// Of the first packet: the others' are counted from it, so that they do not wrap.
    transit: Option<u32>,
    quickest: Quickest,
    /// What the others are compared with.
    first: Option<ClockMap>,
    distrusted_until: Option<Instant>,
}

impl ReportCheck {
    /// For a stream whose timestamps count that many ticks in a second.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            transit: None,
            quickest: Quickest::default(),
            first: None,
            distrusted_until: None,
        }
    }

    /// A packet came `elapsed` after some moment that is always the same.
    pub fn arrived(&mut self, elapsed: Duration, timestamp: u32) {
        let transit = ticks(elapsed, self.clock_rate).wrapping_sub(timestamp);
        let first = *self.transit.get_or_insert(transit);
        let took = i64::from(transit.wrapping_sub(first) as i32);
        self.quickest.take(nanoseconds(elapsed), took);
    }

    /// The stream's timestamps begin anew.
    pub fn restart(&mut self) {
        *self = Self::new(self.clock_rate);
    }

    /// The timestamp that is captured now, as far as arrival tells. Nothing before the first packet.
    pub fn captured_now(&self, elapsed: Duration) -> Option<u32> {
        let transit = self.transit?.wrapping_add(self.quickest.get()? as u32);
        Some(ticks(elapsed, self.clock_rate).wrapping_sub(transit))
    }

    /// Whether a report is believed, whose time was `ago` before now by the publisher's wall clock, in units of 2^-32 s.
    /// `elapsed` is counted like that of packets.
    pub fn believes(
        &mut self,
        (now, elapsed): (Instant, Duration),
        report: ClockMap,
        ago: i64,
    ) -> bool {
        let Some(captured_now) = self.captured_now(elapsed) else {
            return false;
        };
        let rate = i128::from(self.clock_rate);
        let before = i128::from(captured_now.wrapping_sub(report.rtp) as i32);
        let shift = before * NTP_SECOND / rate.max(1) - i128::from(ago);
        let shift_max = SHIFT_MAX.as_millis() as i128 * NTP_SECOND / 1_000;
        let is_near = shift.abs() <= shift_max;
        let is_even = self.runs_like_a_clock(report);
        if !(is_near && is_even) {
            self.distrusted_until = Some(now + DISTRUST);
        }
        self.distrusted_until.is_none_or(|until| now >= until)
    }

    fn runs_like_a_clock(&mut self, report: ClockMap) -> bool {
        let first = *self.first.get_or_insert(report);
        let by_wall = report.ntp.since(first.ntp);
        let ticks = i128::from(report.rtp.wrapping_sub(first.rtp) as i32);
        let by_rtp = ticks * NTP_SECOND / i128::from(self.clock_rate.max(1));
        let by_wall_wide = i128::from(by_wall);
        let apart = (by_wall_wide - by_rtp).abs();
        let is_even = apart <= READ_WITHIN + by_wall_wide.abs() * PPM_MAX / 1_000_000;
        if !is_even || by_wall > COMPARED_MAX {
            self.first = Some(report);
        }
        is_even
    }
}

fn nanoseconds(elapsed: Duration) -> i64 {
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

/// Ticks of a clock in that time, wrapped.
pub(super) fn ticks(elapsed: Duration, clock_rate: u32) -> u32 {
    let rate = u64::from(clock_rate);
    let fraction = u64::from(elapsed.subsec_nanos()) * rate / 1_000_000_000;
    elapsed.as_secs().wrapping_mul(rate).wrapping_add(fraction) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::forward::reports::NtpTime;

    const RATE: u32 = 48_000;

    /// What is bent in the reports of a publisher that sends a packet every 20 ms and a report every second: the report's
    /// times from the true ones, in seconds since it began; and which of the first twenty are believed.
    type Case = (&'static str, fn(f64) -> (f64, f64), fn(usize) -> bool);

    const CASES: &[Case] = &[
        ("true", |at| (at, at), |_| true),
        (
            "a wall clock that is a day behind",
            |at| (at - 86_400.0, at),
            |_| true,
        ),
        ("a crystal that is bad", |at| (at, at * 1.000_5), |_| true),
        ("encoding takes 300 ms", |at| (at, at + 0.3), |_| true),
        ("RTP ahead by five seconds", |at| (at, at + 5.0), |_| false),
        ("RTP behind by five seconds", |at| (at, at - 5.0), |_| false),
        (
            "RTP ahead by the running time",
            |at| (at, 2.0 * at),
            |_| false,
        ),
        ("RTP is 0", |at| (at, -1_000.0), |_| false),
        ("RTP is 2 % fast", |at| (at, at * 1.02), |number| number < 3),
        (
            "the wall clock stands",
            |_| (0.0, 1.0),
            |number| number == 0,
        ),
        (
            "the wall clock is 2 % fast",
            |at| (at * 1.02, at),
            |number| number < 3,
        ),
        (
            "the wall clock is set once",
            |at| (if at < 5.5 { at } else { at + 3_600.0 }, at),
            |number| !(5..15).contains(&number),
        ),
        (
            "captured nothing for 200 ms",
            |at| (at, if at < 5.5 { at } else { at - 0.2 }),
            |number| !(5..15).contains(&number),
        ),
        (
            "one report is nonsense",
            |at| if at == 3.0 { (7.0, 9.0) } else { (at, at) },
            |number| !(2..13).contains(&number),
        ),
    ];

    #[test]
    fn only_what_fits_arrival_and_runs_like_a_clock_is_believed() {
        let start = Instant::now();
        for (name, bend, expected) in CASES {
            let mut check = ReportCheck::new(RATE);
            let ntp = |seconds: f64| NtpTime(((1_000_000.0 + seconds) * NTP_SECOND as f64) as u64);
            let rtp =
                |seconds: f64| ((seconds * f64::from(RATE)) as i64 as u32).wrapping_sub(77_777);
            for second in 1..=20 {
                for packet in 0..50 {
                    let sent = f64::from(second - 1) + f64::from(packet) * 0.02;
                    let late = if packet == 7 { 0.02 } else { 0.05 };
                    check.arrived(Duration::from_secs_f64(sent + late), rtp(sent));
                }
                let at = f64::from(second);
                let elapsed = Duration::from_secs_f64(at + 0.03);
                let (wall, captured) = bend(at);
                let report = ClockMap {
                    ntp: ntp(wall),
                    rtp: rtp(captured),
                };
                // A wall clock's distance is taken out by whoever asks, but for its way here.
                let ago = (0.03 * NTP_SECOND as f64) as i64;
                let believed = check.believes((start + elapsed, elapsed), report, ago);
                let number = second as usize - 1;
                assert_eq!(believed, expected(number), "{name}, report {number}");
            }
        }
    }

    #[test]
    fn what_is_captured_now_follows_arrival_over_the_wrap() {
        let mut check = ReportCheck::new(RATE);
        assert_eq!(check.captured_now(Duration::ZERO), None);
        let first = u32::MAX - 500;
        check.arrived(Duration::from_millis(100), first);
        let later = check.captured_now(Duration::from_millis(120));
        assert_eq!(later, Some(first.wrapping_add(960)));
        check.restart();
        assert_eq!(check.captured_now(Duration::from_millis(120)), None);
    }
}

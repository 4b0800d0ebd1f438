//! RTP timestamps of one track on the clock of a recording.
//!
//! At first a track is placed by the arrival of its packets. Sender reports then say when what they
//! carry was captured (RFC 3550 §6.4.1), so that all tracks of a member are in sync; and two of them,
//! how fast the clock of what captures really runs. None moves a track further from its arrival than a jitter buffer
//! holds.

use std::time::Duration;

use crate::logic::forward::quickest::Quickest;
use crate::logic::forward::report_check::SHIFT_MAX;

/// How far a report may always move what was placed already, in nanoseconds: less than is noticed. What is
/// further off than twice that goes half the way.
const STEP_NS_MAX: i64 = 5_000_000;
/// A report that is further off than this is followed at once, in nanoseconds: the clocks were set, or a busy
/// machine captured nothing for a while.
const JUMP_NS_MIN: i64 = 100_000_000;
/// Reports this far apart say how fast a clock runs, in nanoseconds.
const PACE_OVER_NS_MIN: i64 = 2_000_000_000;
/// How wrong a clock can run, in millionths; crystals are good to 100.
const PACE_PPM_MAX: i64 = 20_000;
/// Frames of a track that was placed too late follow each other by at least this part of the time that they
/// should, until it is where it belongs.
const CATCH_UP: i64 = 4;
/// But by no more than this, in nanoseconds: timestamps that were set far ahead say nothing.
const CATCH_UP_NS_MAX: i64 = 10_000_000;
const NS_PER_SECOND: i64 = 1_000_000_000;
/// How far from its arrival a track may be, in nanoseconds.
const SHIFT_NS_MAX: i64 = nanoseconds(SHIFT_MAX);

const fn nanoseconds(duration: Duration) -> i64 {
    duration.as_millis() as i64 * 1_000_000
}

/// Places the timestamps of one track. All times are nanoseconds since the recording began.
#[derive(Debug, Clone)]
pub struct TrackTimeline {
    rate: i64,
    /// The timestamp that was seen last, unwrapped.
    last: Option<(u32, i64)>,
    /// A moment by both clocks.
    anchor: Option<Anchor>,
    /// By how much packets came later than their timestamps, in nanoseconds.
    late: Quickest,
    /// What the first report said, since the clocks were set.
    first_report: Option<(i64, i64)>,
    /// By how many millionths a tick lasts longer than it should.
    pace_ppm: i64,
    given_out: Option<GivenOut>,
}

/// What was said of a frame.
#[derive(Debug, Clone, Copy)]
struct GivenOut {
    ticks: i64,
    at_ns: i64,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    ticks: i64,
    at_ns: i64,
    /// By a report, not by arrival.
    reported: bool,
}

impl TrackTimeline {
    /// For timestamps that count so many ticks in a second.
    pub fn new(clock_rate: u32) -> Self {
        Self {
            rate: i64::from(clock_rate).max(1),
            last: None,
            anchor: None,
            late: Quickest::default(),
            first_report: None,
            pace_ppm: 0,
            given_out: None,
        }
    }

    /// A packet of that timestamp came. The one that was quickest on its way counts, until a report
    /// says better or a frame was given out, and again when that turns out to be far off.
    pub fn arrived(&mut self, timestamp: u32, at_ns: i64) {
        let ticks = self.unwrap(timestamp);
        self.late
            .take(at_ns, at_ns.saturating_sub(self.nominal_ns(ticks)));
        let earlier = |anchor: Anchor| at_ns < self.place(anchor, ticks);
        let is_open = self.given_out.is_none();
        let is_better = self
            .anchor
            .is_none_or(|anchor| is_open && !anchor.reported && earlier(anchor));
        let reported = false;
        if is_better {
            self.anchor = Some(Anchor {
                ticks,
                at_ns,
                reported,
            });
        }
        let placed = self.anchor.map(|anchor| self.place(anchor, ticks));
        if let Some(placed) = placed.filter(|&placed| !self.is_near_arrival(ticks, placed)) {
            let at_ns = self.by_arrival(ticks).unwrap_or(placed);
            self.first_report = None;
            self.pace_ppm = 0;
            self.anchor = Some(Anchor {
                ticks,
                at_ns,
                reported,
            });
        }
    }

    /// A report says when that timestamp was captured. One that is far from when it arrived is not followed.
    pub fn reported(&mut self, timestamp: u32, at_ns: i64) {
        let ticks = self.unwrapped(timestamp);
        if !self.is_near_arrival(ticks, at_ns) {
            return;
        }
        let placed = self.anchor.map(|anchor| self.place(anchor, ticks));
        self.measure_pace(ticks, at_ns);
        let at_ns = match placed {
            Some(placed) if self.given_out.is_some() => {
                let error = at_ns.saturating_sub(placed);
                if error.saturating_abs() >= JUMP_NS_MIN {
                    self.first_report = Some((ticks, at_ns));
                    self.pace_ppm = 0;
                    at_ns
                } else {
                    let step = STEP_NS_MAX.max(error.abs() / 2);
                    placed + error.clamp(-step, step)
                }
            }
            _ => at_ns,
        };
        let reported = true;
        self.anchor = Some(Anchor {
            ticks,
            at_ns,
            reported,
        });
    }

    /// Whether a report placed the track.
    pub fn is_reported(&self) -> bool {
        self.anchor.is_some_and(|anchor| anchor.reported)
    }

    /// When a frame of that timestamp is, in milliseconds; never before the one that was asked about
    /// last, and never together with it if it was captured later.
    pub fn at_ms(&mut self, timestamp: u32) -> u64 {
        let ticks = self.unwrap(timestamp);
        let at_ns = self.anchor.map_or(0, |anchor| self.place(anchor, ticks));
        let earliest_ns = self.given_out.map_or(0, |last| {
            let passed = self.nominal_ns(ticks.saturating_sub(last.ticks).max(0));
            last.at_ns
                .saturating_add((passed / CATCH_UP).min(CATCH_UP_NS_MAX))
        });
        let at_ns = at_ns.max(earliest_ns);
        self.given_out = Some(GivenOut { ticks, at_ns });
        // Rounded: audio of 20 ms stays at steps of 20 ms.
        ((at_ns + 500_000) / 1_000_000).unsigned_abs()
    }

    fn place(&self, anchor: Anchor, ticks: i64) -> i64 {
        let passed = self.nominal_ns(ticks - anchor.ticks);
        let passed = passed.saturating_add(per_million(passed, self.pace_ppm));
        anchor.at_ns.saturating_add(passed)
    }

    /// Where the quickest packet places a timestamp.
    fn by_arrival(&self, ticks: i64) -> Option<i64> {
        Some(self.late.get()?.saturating_add(self.nominal_ns(ticks)))
    }

    fn is_near_arrival(&self, ticks: i64, at_ns: i64) -> bool {
        let by_arrival = self.by_arrival(ticks).unwrap_or(at_ns);
        at_ns.saturating_sub(by_arrival).saturating_abs() <= SHIFT_NS_MAX
    }

    fn nominal_ns(&self, ticks: i64) -> i64 {
        (i128::from(ticks) * i128::from(NS_PER_SECOND) / i128::from(self.rate)) as i64
    }

    fn measure_pace(&mut self, ticks: i64, at_ns: i64) {
        let (first_ticks, first_ns) = *self.first_report.get_or_insert((ticks, at_ns));
        let nominal = self.nominal_ns(ticks - first_ticks);
        if nominal >= PACE_OVER_NS_MIN {
            let longer = at_ns.saturating_sub(first_ns).saturating_sub(nominal);
            let ppm = i128::from(longer) * 1_000_000 / i128::from(nominal);
            self.pace_ppm = (ppm as i64).clamp(-PACE_PPM_MAX, PACE_PPM_MAX);
        }
    }

    fn unwrap(&mut self, timestamp: u32) -> i64 {
        let ticks = self.unwrapped(timestamp);
        self.last = Some((timestamp, ticks));
        ticks
    }

    fn unwrapped(&self, timestamp: u32) -> i64 {
        let since =
            |(last, ticks): (u32, i64)| ticks + i64::from(timestamp.wrapping_sub(last) as i32);
        self.last.map_or(i64::from(timestamp), since)
    }
}

fn per_million(ns: i64, ppm: i64) -> i64 {
    (i128::from(ns) * i128::from(ppm) / 1_000_000) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn the_quickest_packet_places_the_track() {
        let mut timeline = TrackTimeline::new(48_000);
        for (timestamp, at_ms) in [(0, 130), (960, 120), (1_920, 175)] {
            timeline.arrived(timestamp, at_ms * MS);
        }
        assert_eq!(timeline.at_ms(0), 100);
        timeline.arrived(2_880, 100 * MS);
        assert_eq!(timeline.at_ms(960), 120, "what was given out stays");
    }

    #[test]
    fn timestamps_wrap_and_go_on() {
        let mut timeline = TrackTimeline::new(90_000);
        let first = u32::MAX - 4_000;
        timeline.arrived(first, 1_000 * MS);
        let times: Vec<_> = (0..5)
            .map(|frame| timeline.at_ms(first.wrapping_add(frame * 3_600)))
            .collect();
        assert_eq!(times, [1_000, 1_040, 1_080, 1_120, 1_160]);
    }

    #[test]
    fn a_report_before_the_first_frame_is_taken_as_it_is() {
        let (mut sound, mut picture) = (TrackTimeline::new(48_000), TrackTimeline::new(90_000));
        // The picture takes 80 ms longer; the reports know.
        sound.arrived(1_000, 500 * MS);
        picture.arrived(7_000, 580 * MS);
        assert!(!picture.is_reported());
        sound.reported(1_000 + 48_000, 1_490 * MS);
        picture.reported(7_000 + 90_000, 1_490 * MS);
        assert!(picture.is_reported());
        assert_eq!((sound.at_ms(1_000), picture.at_ms(7_000)), (490, 490));
    }

    #[test]
    fn a_report_after_it_moves_the_track_gently_and_never_back() {
        let mut timeline = TrackTimeline::new(90_000);
        timeline.arrived(0, 0);
        assert_eq!(timeline.at_ms(90_000), 1_000);
        timeline.reported(90_000, 1_012 * MS);
        timeline.reported(180_000, 2_012 * MS);
        timeline.reported(270_000, 3_012 * MS);
        assert_eq!(timeline.at_ms(270_000), 3_012);
        timeline.reported(270_000, 3_000 * MS);
        assert_eq!(timeline.at_ms(270_000), 3_012);
        assert_eq!(timeline.at_ms(273_600), 3_046);
    }

    #[test]
    fn a_track_that_was_placed_too_late_catches_up_picture_by_picture() {
        let mut timeline = TrackTimeline::new(90_000);
        timeline.arrived(0, 500 * MS);
        assert_eq!(timeline.at_ms(0), 500);
        timeline.reported(0, 380 * MS);
        // Each 32 ms after the one before it.
        let times: Vec<_> = (1..7).map(|frame| timeline.at_ms(frame * 2_880)).collect();
        assert_eq!(times, [508, 516, 524, 532, 540, 572]);
    }

    #[test]
    fn timestamps_that_were_set_far_ahead_are_where_they_arrive() {
        let mut timeline = TrackTimeline::new(90_000);
        timeline.arrived(0, 0);
        assert_eq!(timeline.at_ms(0), 0);
        timeline.arrived(1 << 30, 40 * MS);
        assert_eq!(timeline.at_ms(1 << 30), 40);
    }

    /// What is bent, and by how many ms at that moment; how long ten seconds are by it.
    type Case = (&'static str, fn(i64) -> i64, u64);

    #[test]
    fn no_report_moves_a_track_further_than_a_jitter_buffer_holds() {
        let cases: [Case; 6] = [
            ("true", |_| 0, 10_000),
            ("encoding takes 300 ms", |_| -300, 10_000),
            ("five seconds ahead", |_| -5_000, 10_000),
            ("ahead by the running time", |at_ms| -at_ms, 10_000),
            ("half of the running time behind", |at_ms| at_ms / 2, 10_000),
            ("an hour behind", |_| 3_600_000, 10_000),
        ];
        for (name, bend, expected) in cases {
            let mut timeline = TrackTimeline::new(48_000);
            let mut times = Vec::new();
            for number in 0..500_i64 {
                let (timestamp, at_ms) = (number as u32 * 960, number * 20);
                timeline.arrived(timestamp, (at_ms + 5_000) * MS);
                if number % 50 == 40 {
                    let bent_ms = at_ms + 5_000 + bend(at_ms);
                    timeline.reported(timestamp, bent_ms * MS);
                }
                times.push(timeline.at_ms(timestamp));
            }
            let length = times[499] + 20 - times[0];
            assert!(length.abs_diff(expected) <= 500, "{name}: {length} ms");
            assert!(times.is_sorted(), "{name}");
        }
    }

    #[test]
    fn what_stood_still_for_a_while_goes_on_where_it_arrives() {
        let mut timeline = TrackTimeline::new(48_000);
        timeline.arrived(0, 0);
        assert_eq!(timeline.at_ms(0), 0);
        // An hour later, as if no time had passed: as soon as it is clear that none of it was merely late.
        let later_ms = 3_600_000;
        for number in 1..300_u32 {
            timeline.arrived(number * 960, (later_ms + i64::from(number) * 20) * MS);
            timeline.at_ms(number * 960);
        }
        assert_eq!(timeline.at_ms(300 * 960), 3_606_000);
    }

    #[test]
    fn a_clock_that_runs_slow_is_followed() {
        // Ten seconds of it last 10.08 s; there is a report every five, as browsers send them of sound.
        let mut timeline = TrackTimeline::new(48_000);
        timeline.arrived(0, 0);
        let mut worst = 0;
        for second in 0..60 {
            let truly_ns = second * 1_008 * MS;
            if second % 5 == 0 {
                timeline.reported(second as u32 * 48_000, truly_ns);
            }
            let error = timeline.at_ms(second as u32 * 48_000) as i64 - truly_ns / MS;
            if second >= 20 {
                worst = worst.max(error.abs());
            }
        }
        assert!(worst < 10, "{worst} ms");
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once() {
        let mut timeline = TrackTimeline::new(48_000);
        timeline.arrived(0, 0);
        timeline.at_ms(0);
        timeline.reported(48_000, 1_300 * MS);
        assert_eq!(timeline.at_ms(48_000), 1_300);
    }

    #[test]
    fn a_machine_that_captured_nothing_for_a_while_does_not_seem_to_run_slow() {
        let mut timeline = TrackTimeline::new(48_000);
        timeline.reported(0, 0);
        timeline.at_ms(0);
        timeline.reported(5 * 48_000, 5_200 * MS);
        assert_eq!(timeline.at_ms(5 * 48_000), 5_200);
        assert_eq!(timeline.at_ms(9 * 48_000), 9_200);
    }

    #[test]
    fn what_was_captured_before_the_recording_is_at_its_beginning() {
        let mut timeline = TrackTimeline::new(48_000);
        timeline.reported(960, -40 * MS);
        assert_eq!(timeline.at_ms(960), 0);
        assert_eq!(timeline.at_ms(960 * 4), 20);
    }
}

//! What gives when a shard cannot keep up with what comes in: pictures, so that sound does not.
//!
//! A shard that is too slow leaves datagrams unread, and the kernel then drops whatever comes next, sound as well as
//! pictures. The sign is a socket that is never empty: a shard that keeps up empties its sockets many times a second,
//! however busy it is.

use std::time::{Duration, Instant};

/// Sockets that were never empty for so long: the shard is behind.
const BEHIND: Duration = Duration::from_millis(200);
/// How long a step has to show what it brings, before the next is taken.
const STEP: Duration = Duration::from_secs(1);
/// How long the shard must have kept up before a step is taken back.
const CALM: Duration = Duration::from_secs(2);
/// At most, where what was taken back was soon missed: it doubles each time.
const CALM_MAX: Duration = Duration::from_secs(32);
/// After so long without pressure the next one begins anew.
const FORGET: Duration = Duration::from_secs(60);

/// What is left out, from nothing to much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relief {
    /// Nothing.
    #[default]
    None,
    /// Of each picture that comes in several layers, all but the lowest.
    UpperLayers,
    /// Pictures. Sound goes on.
    Pictures,
}

/// How far behind a shard is.
#[derive(Debug)]
pub struct Pressure {
    relief: Relief,
    /// Since when its sockets have not been empty.
    behind_since: Option<Instant>,
    /// Since when they have been, again and again.
    calm_since: Instant,
    /// When the last step was taken, or taken back.
    stepped_at: Option<Instant>,
    calm: Duration,
}

impl Pressure {
    /// None yet.
    pub fn new(now: Instant) -> Pressure {
        Pressure {
            relief: Relief::None,
            behind_since: None,
            calm_since: now,
            stepped_at: None,
            calm: CALM,
        }
    }

    /// What is left out now.
    pub fn relief(&self) -> Relief {
        self.relief
    }

    /// The shard has looked at its sockets; `is_behind` if there was more than it could take. Returns what is to be
    /// left out from now on, if that has changed.
    pub fn looked(&mut self, now: Instant, is_behind: bool) -> Option<Relief> {
        if !is_behind {
            self.behind_since = None;
        } else {
            // A pause in which nobody looked counts for neither.
            self.behind_since.get_or_insert(now);
            self.calm_since = now;
        }
        let is_pressed = self
            .behind_since
            .is_some_and(|since| now.saturating_duration_since(since) >= BEHIND);
        let since_step = self.since_step(now);
        match self.relief {
            Relief::None if is_pressed => Some(self.step(now, Relief::UpperLayers)),
            Relief::UpperLayers if is_pressed && since_step >= STEP => {
                Some(self.step(now, Relief::Pictures))
            }
            Relief::None => None,
            relief => {
                let calm = now.saturating_duration_since(self.calm_since);
                let calm = calm.min(since_step);
                let back = match relief {
                    Relief::Pictures => Relief::UpperLayers,
                    _ => Relief::None,
                };
                (calm >= self.calm).then(|| self.take_back(now, back))
            }
        }
    }

    fn since_step(&self, now: Instant) -> Duration {
        self.stepped_at
            .map_or(Duration::MAX, |at| now.saturating_duration_since(at))
    }

    fn step(&mut self, now: Instant, relief: Relief) -> Relief {
        self.calm = match self.since_step(now) >= FORGET {
            true => CALM,
            false if relief == Relief::Pictures => self.calm,
            false => (self.calm * 2).min(CALM_MAX),
        };
        self.behind_since = None;
        self.stepped_at = Some(now);
        self.relief = relief;
        relief
    }

    fn take_back(&mut self, now: Instant, relief: Relief) -> Relief {
        self.stepped_at = Some(now);
        self.relief = relief;
        relief
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Shard {
        start: Instant,
        now: Instant,
        pressure: Pressure,
        /// When what changed, in milliseconds.
        changes: Vec<(u128, Relief)>,
    }

    impl Shard {
        fn new() -> Shard {
            let now = Instant::now();
            Shard {
                start: now,
                now,
                pressure: Pressure::new(now),
                changes: vec![],
            }
        }

        /// A look every 10 ms; `is_behind` says of each, by its number.
        fn looks(&mut self, time: Duration, is_behind: impl Fn(u128) -> bool) -> &mut Self {
            let end = self.now + time;
            while self.now < end {
                let at = (self.now - self.start).as_millis();
                let change = self.pressure.looked(self.now, is_behind(at / 10));
                self.changes.extend(change.map(|relief| (at, relief)));
                self.now += 10 * MS;
            }
            self
        }

        fn changes(&mut self) -> Vec<(u128, Relief)> {
            std::mem::take(&mut self.changes)
        }
    }

    #[test]
    fn who_keeps_up_now_and_then_is_not_behind() {
        let mut shard = Shard::new();
        // Nineteen looks of twenty find more than can be taken.
        shard.looks(60_000 * MS, |look| look % 20 != 0);
        assert_eq!(shard.changes(), []);
    }

    #[test]
    fn upper_layers_give_first_then_pictures_and_they_come_back_in_turn() {
        let mut shard = Shard::new();
        shard.looks(3_000 * MS, |_| true);
        assert_eq!(
            shard.changes(),
            [(200, Relief::UpperLayers), (1_200, Relief::Pictures)]
        );
        shard.looks(10_000 * MS, |_| false);
        assert_eq!(
            shard.changes(),
            [(4_990, Relief::UpperLayers), (6_990, Relief::None)]
        );
    }

    #[test]
    fn what_helps_is_enough() {
        let mut shard = Shard::new();
        shard.looks(200 * MS, |_| true).looks(MS, |_| true);
        assert_eq!(shard.changes(), [(200, Relief::UpperLayers)]);
        shard.looks(1_000 * MS, |_| false);
        shard.looks(100 * MS, |_| true);
        assert_eq!(shard.changes(), []);
        assert_eq!(shard.pressure.relief(), Relief::UpperLayers);
    }

    #[test]
    fn what_is_soon_missed_again_is_taken_back_later_each_time() {
        let mut shard = Shard::new();
        let mut waits = vec![];
        for _ in 0..7 {
            shard.looks(210 * MS, |_| true);
            shard.looks(40_000 * MS, |_| false);
            let changes = shard.changes();
            assert_eq!(changes.len(), 2, "{changes:?}");
            waits.push((changes[1].0 - changes[0].0).div_ceil(1_000));
            // Not for long.
            let back = shard.start + Duration::from_millis(changes[1].0 as u64);
            shard.now = back + 100 * MS;
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 32, 32]);
    }

    #[test]
    fn a_shard_that_slept_is_not_behind() {
        let mut shard = Shard::new();
        shard.looks(10 * MS, |_| true);
        shard.looks(10 * MS, |_| false);
        shard.now += Duration::from_secs(600);
        shard.looks(150 * MS, |_| true);
        assert_eq!(shard.changes(), []);
    }
}

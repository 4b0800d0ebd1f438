//! What to ask a publisher for again: the numbers that a stream skipped.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A number that this many later ones have overtaken is asked for without waiting any longer.
const OVERTAKEN: u64 = 3;
/// How long a skipped number may merely be late.
const REORDERING: Duration = Duration::from_millis(10);
/// Never ask twice within this time, however near the publisher is.
const PACE_MIN: Duration = Duration::from_millis(20);
/// Requests per number. After them it is lost.
const REQUESTS_MAX: u8 = 10;
/// What is older than this, in packets or in time, is lost.
const AGE_MAX_PACKETS: u64 = 500;
const AGE_MAX: Duration = Duration::from_secs(1);
/// Numbers missing at once. When there are more, all are lost: a key frame is cheaper.
const MISSING_MAX: usize = 256;

/// The skipped numbers of one stream, oldest first.
#[derive(Debug, Default)]
pub struct Missing {
    list: VecDeque<Skipped>,
    due_at: Option<Instant>,
    lost: bool,
}

#[derive(Debug)]
struct Skipped {
    extended: u64,
    since: Instant,
    due_at: Instant,
    requests: u8,
}

impl Missing {
    /// The stream went on at `next` and left out the numbers from `first`.
    pub fn skipped(&mut self, now: Instant, first: u64, next: u64) {
        let room = MISSING_MAX - self.list.len();
        if next.saturating_sub(first) > room as u64 {
            return self.give_up();
        }
        let due_at = now + REORDERING;
        self.list.extend((first..next).map(|extended| Skipped {
            extended,
            since: now,
            due_at,
            requests: 0,
        }));
        self.due_at = Some(self.due_at.map_or(due_at, |before| before.min(due_at)));
    }

    /// The stream's highest number is now this.
    #[inline]
    pub fn overtaken_by(&mut self, now: Instant, highest: u64) {
        if !self.list.is_empty() {
            self.hurry(now, highest);
        }
    }

    /// A late number came after all. Returns whether it had been asked for.
    pub fn came(&mut self, extended: u64) -> bool {
        let found = self
            .list
            .binary_search_by_key(&extended, |skipped| skipped.extended);
        let skipped = found.ok().and_then(|index| self.list.remove(index));
        if self.list.is_empty() {
            self.due_at = None;
        }
        skipped.is_some_and(|skipped| skipped.requests > 0)
    }

    /// A key frame begins at `extended`: nobody needs what is older.
    pub fn forget_before(&mut self, extended: u64) {
        self.list.retain(|skipped| skipped.extended >= extended);
        if self.list.is_empty() {
            self.due_at = None;
        }
    }

    /// Appends the numbers to ask for now. `round_trip` is how long an answer takes.
    pub fn due(&mut self, now: Instant, highest: u64, round_trip: Duration, out: &mut Vec<u16>) {
        if self.due_at.is_none_or(|due_at| now < due_at) {
            return;
        }
        let pace = round_trip.clamp(PACE_MIN, AGE_MAX);
        let before = self.list.len();
        self.list.retain(|skipped| !skipped.is_lost(now, highest));
        self.lost |= self.list.len() < before;
        for skipped in &mut self.list {
            if skipped.is_due(now, highest) {
                skipped.requests += 1;
                skipped.due_at = now + pace;
                out.push(skipped.extended as u16);
            }
        }
        self.due_at = self.list.iter().map(|skipped| skipped.due_at).min();
    }

    /// When [`Missing::due`] has something to do.
    pub fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// All that is missing is lost.
    pub fn give_up(&mut self) {
        self.list.clear();
        self.due_at = None;
        self.lost = true;
    }

    /// Whether something was lost for good since the last call.
    pub fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    fn hurry(&mut self, now: Instant, highest: u64) {
        // Numbers of one hole stand together, and older ones were asked for already.
        let newest_unasked = self
            .list
            .iter()
            .rev()
            .take_while(|skipped| skipped.requests == 0)
            .any(|skipped| skipped.is_overtaken(highest));
        if newest_unasked {
            self.due_at = Some(self.due_at.map_or(now, |before| before.min(now)));
        }
    }
}

impl Skipped {
    fn is_overtaken(&self, highest: u64) -> bool {
        highest >= self.extended + OVERTAKEN
    }

    fn is_due(&self, now: Instant, highest: u64) -> bool {
        now >= self.due_at || (self.requests == 0 && self.is_overtaken(highest))
    }

    fn is_lost(&self, now: Instant, highest: u64) -> bool {
        highest.saturating_sub(self.extended) > AGE_MAX_PACKETS
            || now.saturating_duration_since(self.since) > AGE_MAX
            || (self.requests >= REQUESTS_MAX && now >= self.due_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(50);

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    fn due(missing: &mut Missing, now: Instant, highest: u64) -> Vec<u16> {
        let mut out = Vec::new();
        missing.due(now, highest, ROUND_TRIP, &mut out);
        out
    }

    #[test]
    fn a_hole_is_asked_for_after_a_moment_or_when_overtaken() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.skipped(start, 10, 12);
        missing.overtaken_by(start, 12);
        assert_eq!(missing.due_at(), Some(at(start, 10)));
        assert!(due(&mut missing, at(start, 9), 12).is_empty());
        missing.overtaken_by(at(start, 9), 13);
        assert_eq!(missing.due_at(), Some(at(start, 9)));
        assert_eq!(due(&mut missing, at(start, 9), 13), [10]);
        assert_eq!(due(&mut missing, at(start, 10), 13), [11]);
    }

    #[test]
    fn it_is_asked_for_again_every_round_trip_until_it_comes() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.skipped(start, 10, 11);
        let asked: Vec<u64> = (0..150)
            .filter(|&milliseconds| {
                let asked = due(&mut missing, at(start, milliseconds), 11);
                !asked.is_empty()
            })
            .collect();
        assert_eq!(asked, [10, 60, 110]);
        assert!(missing.came(10), "it was asked for");
        assert_eq!(missing.due_at(), None);
        assert!(!missing.take_lost());
        assert!(!missing.came(10), "it is not missing any more");
    }

    #[test]
    fn it_is_given_up_after_ten_requests_a_second_or_five_hundred_packets() {
        let start = Instant::now();
        let mut requests = Missing::default();
        requests.skipped(start, 10, 11);
        let asked = (0..2000)
            .filter(|&millisecond| !due(&mut requests, at(start, millisecond), 11).is_empty());
        assert_eq!(asked.count(), 10);
        assert!(requests.take_lost());
        assert!(!requests.take_lost(), "said once");
        assert_eq!(requests.due_at(), None);

        let mut age = Missing::default();
        age.skipped(start, 10, 11);
        assert!(due(&mut age, at(start, 1001), 11).is_empty());
        assert!(age.take_lost());

        let mut packets = Missing::default();
        packets.skipped(start, 10, 11);
        packets.overtaken_by(start, 511);
        assert!(due(&mut packets, start, 511).is_empty());
        assert!(packets.take_lost());
    }

    #[test]
    fn a_flood_of_holes_is_one_loss() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.skipped(start, 10, 200);
        assert!(!missing.take_lost());
        missing.skipped(start, 201, 300);
        assert!(missing.take_lost());
        assert!(due(&mut missing, at(start, 10), 300).is_empty());
    }

    #[test]
    fn nobody_asks_for_what_a_key_frame_made_useless() {
        let start = Instant::now();
        let mut missing = Missing::default();
        missing.skipped(start, 10, 12);
        missing.skipped(start, 20, 21);
        missing.forget_before(20);
        assert_eq!(due(&mut missing, at(start, 10), 21), [20]);
        assert!(!missing.take_lost());
    }
}

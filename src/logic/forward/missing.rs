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

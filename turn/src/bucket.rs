//! A token bucket: so much per second, and a burst.

use std::time::{Duration, Instant};

/// Counts what is spent against a rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    level: u64,
    filled_at: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(now: Instant, burst: u64) -> Self {
        Bucket {
            level: burst,
            filled_at: now,
        }
    }

    /// Takes `amount` if it is there.
    pub(crate) fn spend(&mut self, now: Instant, rate: u64, burst: u64, amount: u64) -> bool {
        self.fill(now, rate, burst);
        let left = self.level.checked_sub(amount);
        self.level = left.unwrap_or(self.level);
        left.is_some()
    }

    /// Whole units only; the time of what is less stays to be counted.
    fn fill(&mut self, now: Instant, rate: u64, burst: u64) {
        let passed = now.saturating_duration_since(self.filled_at);
        let passed = passed.min(Duration::from_secs(3_600)).as_nanos() as u64;
        let gained = u128::from(passed) * u128::from(rate) / 1_000_000_000;
        if gained > 0 {
            self.level = self.level.saturating_add(gained as u64).min(burst);
            self.filled_at = now;
        }
    }
}

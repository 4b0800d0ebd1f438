//! Bits per second over the last second.

use std::time::{Duration, Instant};

/// Length of a bucket: 2^27 ns, 134 ms, so that finding it costs a shift.
const BUCKET_SHIFT: u32 = 27;
/// Buckets looked back at: about a second.
const BUCKETS: usize = 8;

/// A sliding sum of bytes.
#[derive(Debug)]
pub struct Rate {
    epoch: Instant,
    buckets: [u32; BUCKETS],
    /// The bucket of the last packet, counted from the epoch.
    newest: u64,
    /// The bucket of the first packet.
    oldest: u64,
}

impl Rate {
    /// Nothing was sent yet. No packet may be older than `epoch`.
    pub fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            buckets: [0; BUCKETS],
            newest: 0,
            oldest: u64::MAX,
        }
    }

    /// Adds a packet.
    pub fn add(&mut self, now: Instant, bytes: usize) {
        let bucket = self.bucket(now);
        self.roll(bucket);
        self.oldest = self.oldest.min(bucket);
        let sum = &mut self.buckets[bucket as usize % BUCKETS];
        *sum = sum.saturating_add(bytes as u32);
    }

    /// Bits per second over the last second, or since the first packet if that is less.
    pub fn bits_per_second(&self, now: Instant) -> u64 {
        let current = self.bucket(now);
        let from = current.saturating_sub(BUCKETS as u64 - 1);
        let bytes: u64 = (from..=current.min(self.newest))
            .map(|bucket| u64::from(self.buckets[bucket as usize % BUCKETS]))
            .sum();
        let start = from.max(self.oldest.min(current)) << BUCKET_SHIFT;
        let span = self.nanoseconds(now).saturating_sub(start);
        let span = Duration::from_nanos(span.max(1 << BUCKET_SHIFT));
        (bytes as f64 * 8.0 / span.as_secs_f64()) as u64
    }

    fn roll(&mut self, bucket: u64) {
        let skipped = bucket.saturating_sub(self.newest).min(BUCKETS as u64);
        for step in 0..skipped {
            self.buckets[(bucket - step) as usize % BUCKETS] = 0;
        }
        self.newest = self.newest.max(bucket);
    }

    fn bucket(&self, now: Instant) -> u64 {
        self.nanoseconds(now) >> BUCKET_SHIFT
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch);
        elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_from_early_on_and_ends_within_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        assert_eq!(rate.bits_per_second(start), 0);
        for tick in 0..400u64 {
            let now = start + Duration::from_millis(tick * 10);
            rate.add(now, 1250);
            if tick > 30 {
                let measured = rate.bits_per_second(now);
                assert!(
                    (950_000..1_100_000).contains(&measured),
                    "{tick}: {measured}"
                );
            }
        }
        let end = start + Duration::from_millis(3990);
        assert!(rate.bits_per_second(end + Duration::from_millis(600)) < 600_000);
        assert_eq!(rate.bits_per_second(end + Duration::from_millis(1100)), 0);
        assert_eq!(rate.bits_per_second(end + Duration::from_secs(100)), 0);
    }

    #[test]
    fn a_packet_after_a_long_pause_finds_empty_buckets() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        rate.add(start, 1_000_000);
        let later = start + Duration::from_secs(60);
        rate.add(later, 1000);
        assert!(rate.bits_per_second(later) < 10_000);
    }
}

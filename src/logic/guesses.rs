//! Who guesses secrets, and for how long they are not listened to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::logic::household::Household;
use crate::logic::limits::{Bucket, Limits};

/// Households that are remembered; beyond, the one who may guess again first is forgotten.
const HOUSEHOLDS_MAX: usize = 10_000;

/// What each household has left of its wrong guesses.
#[derive(Debug)]
pub struct Guesses {
    limits: Limits,
    households: BTreeMap<Household, Bucket>,
}

impl Guesses {
    /// Nobody has guessed yet.
    pub fn new(limits: &Limits) -> Guesses {
        Guesses {
            limits: *limits,
            households: BTreeMap::new(),
        }
    }

    /// Whether a secret of that household may be looked at.
    ///
    /// # Errors
    /// When it may: until then a right one is refused as well, or guessing would go on.
    pub fn check(&self, now: Instant, household: Household) -> Result<(), Duration> {
        let bucket = self.households.get(&household);
        let wait = bucket.map_or(Duration::ZERO, |bucket| bucket.wait(now));
        wait.is_zero().then_some(()).ok_or(wait)
    }

    /// A secret was wrong.
    pub fn failed(&mut self, now: Instant, household: Household) {
        let is_known = self.households.contains_key(&household);
        if !is_known && self.households.len() >= HOUSEHOLDS_MAX {
            self.forget_one(now);
        }
        let limits = &self.limits;
        let bucket = self.households.entry(household);
        bucket.or_insert_with(|| limits.guess_bucket(now)).take(now);
    }

    fn forget_one(&mut self, now: Instant) {
        self.households.retain(|_, bucket| bucket.full_at() > now);
        if self.households.len() >= HOUSEHOLDS_MAX {
            let fullest = self
                .households
                .iter()
                .min_by_key(|(_, bucket)| bucket.full_at());
            if let Some(household) = fullest.map(|(household, _)| *household) {
                self.households.remove(&household);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn home(number: u32) -> Household {
        Household::of(Ipv4Addr::from(number).into())
    }

    #[test]
    fn who_guesses_is_not_listened_to_for_a_while() {
        let (now, limits) = (Instant::now(), Limits::default());
        let mut guesses = Guesses::new(&limits);
        for _ in 0..limits.guesses_per_minute {
            assert_eq!(guesses.check(now, home(1)), Ok(()));
            guesses.failed(now, home(1));
        }
        let wait = guesses.check(now, home(1)).unwrap_err();
        assert_eq!(wait, Duration::from_secs(60) / limits.guesses_per_minute);
        assert_eq!(guesses.check(now, home(2)), Ok(()));
        assert_eq!(guesses.check(now + wait, home(1)), Ok(()));
        guesses.failed(now + wait, home(1));
        assert!(guesses.check(now + wait, home(1)).is_err());
    }

    #[test]
    fn those_who_guess_most_are_remembered_for_longest() {
        let (now, limits) = (Instant::now(), Limits::default());
        let mut guesses = Guesses::new(&limits);
        for _ in 0..limits.guesses_per_minute {
            guesses.failed(now, home(0));
        }
        for number in 1..=HOUSEHOLDS_MAX as u32 + 100 {
            guesses.failed(now, home(number));
        }
        assert_eq!(guesses.households.len(), HOUSEHOLDS_MAX);
        assert!(guesses.check(now, home(0)).is_err());
        let later = now + Duration::from_secs(3_600);
        guesses.failed(later, home(u32::MAX));
        assert_eq!(guesses.households.len(), 1);
    }
}

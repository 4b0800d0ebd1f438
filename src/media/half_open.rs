//! Connections that have yet to come up: whose goes when there are too many. Whoever only offers, and
//! never connects, takes places from their own household first.

use std::collections::{BTreeMap, VecDeque};

use crate::logic::household::Household;
use crate::media::demux::PeerKey;

/// All of them, by household, oldest first.
#[derive(Debug, Default)]
pub struct HalfOpen {
    households: BTreeMap<Household, VecDeque<(u64, PeerKey)>>,
    by_key: BTreeMap<PeerKey, Household>,
    /// Those whose member's WebSocket is gone.
    forsaken: VecDeque<PeerKey>,
    next: u64,
}

impl HalfOpen {
    /// One more begins to come up. If there are more than `max` by that, one is to be given up: the one
    /// that was forsaken first, or else the oldest of the household that has most. It is returned, and
    /// forgotten here.
    pub fn begin(&mut self, key: PeerKey, household: Household, max: usize) -> Option<PeerKey> {
        self.end(key);
        self.next += 1;
        let own = self.households.entry(household).or_default();
        own.push_back((self.next, key));
        self.by_key.insert(key, household);
        if self.by_key.len() <= max.max(1) {
            return None;
        }
        let forsaken = self.forsaken.front().copied();
        let oldest = forsaken.or_else(|| self.oldest_of_the_greediest())?;
        self.end(oldest);
        Some(oldest)
    }

    /// Its member's WebSocket is gone: it may come up yet, but goes before all others.
    pub fn forsake(&mut self, key: PeerKey) {
        if self.by_key.contains_key(&key) && !self.forsaken.contains(&key) {
            self.forsaken.push_back(key);
        }
    }

    /// It came up, or is gone.
    pub fn end(&mut self, key: PeerKey) {
        self.forsaken.retain(|other| *other != key);
        let Some(household) = self.by_key.remove(&key) else {
            return;
        };
        if let Some(own) = self.households.get_mut(&household) {
            own.retain(|&(_, other)| other != key);
            if own.is_empty() {
                self.households.remove(&household);
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Among those that have as many, of the one that waits for longest.
    fn oldest_of_the_greediest(&self) -> Option<PeerKey> {
        let firsts = self.households.values();
        let firsts = firsts.filter_map(|own| Some((own.len(), *own.front()?)));
        let greediest = firsts.max_by_key(|(count, (since, _))| (*count, u64::MAX - since));
        greediest.map(|(_, (_, key))| key)
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
    fn the_greediest_loses_its_oldest() {
        let mut pool = HalfOpen::default();
        // Who comes, of which household, and who has to go.
        for (key, household, displaced) in [
            (0, 1, None),
            (1, 2, None),
            (2, 2, None),
            (3, 3, None),
            (4, 3, Some(1)),
            (5, 3, Some(3)),
            (6, 4, Some(4)),
            (7, 5, Some(0)),
            (8, 6, Some(2)),
        ] {
            let gone = pool.begin(PeerKey(key), home(household), 4);
            assert_eq!(gone, displaced.map(PeerKey), "{key}");
        }
        assert_eq!(pool.len(), 4);
        pool.end(PeerKey(8));
        pool.end(PeerKey(8));
        assert_eq!(pool.begin(PeerKey(9), home(7), 4), None);
    }

    #[test]
    fn who_was_forsaken_goes_first() {
        let mut pool = HalfOpen::default();
        for (key, household) in [(0, 1), (1, 1), (2, 2), (3, 3)] {
            assert_eq!(pool.begin(PeerKey(key), home(household), 4), None);
        }
        for key in [2, 3, 3, 9] {
            pool.forsake(PeerKey(key));
        }
        pool.end(PeerKey(2));
        assert_eq!(pool.begin(PeerKey(4), home(4), 4), None);
        let displaced = [5, 6].map(|key| pool.begin(PeerKey(key), home(5), 4));
        assert_eq!(displaced, [Some(PeerKey(3)), Some(PeerKey(0))]);
        assert!(pool.forsaken.is_empty());
    }

    #[test]
    fn nothing_is_kept_of_what_came_up() {
        let mut pool = HalfOpen::default();
        for key in 0..100 {
            pool.begin(PeerKey(key), home(key % 7), 1_000);
            pool.begin(PeerKey(key), home(1), 1_000);
        }
        (0..100).for_each(|key| pool.end(PeerKey(key)));
        assert!(pool.is_empty() && pool.households.is_empty());
    }

    #[test]
    fn a_thousand_of_one_household_leave_the_others_theirs() {
        let mut pool = HalfOpen::default();
        for key in 0..50 {
            assert_eq!(pool.begin(PeerKey(key), home(1_000 + key), 1_000), None);
        }
        let displaced = (100..2_100).filter_map(|key| pool.begin(PeerKey(key), home(1), 1_000));
        assert!(displaced.map(|PeerKey(key)| key).eq(100..1_150));
    }
}

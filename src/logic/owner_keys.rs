//! The keys of rooms that are gone: whoever owned one owns it again when it is made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::logic::limits::Limits;
use crate::protocol::owner_key::OwnerKey;

/// By room. A room that is there has its key itself; the key comes here when the room goes, and
/// leaves with the next room of that name, or when its time is over. When there are too many, the one
/// that was unused for longest gives way.
#[derive(Debug)]
pub struct OwnerKeys {
    keys_max: usize,
    lifetime: Duration,
    by_room: BTreeMap<String, Kept>,
    by_age: BTreeSet<(Instant, String)>,
}

#[derive(Debug)]
struct Kept {
    key: OwnerKey,
    since: Instant,
}

impl OwnerKeys {
    /// None yet; [`Limits::owner_keys`] and [`Limits::owner_key_seconds`] hold.
    pub fn new(limits: &Limits) -> OwnerKeys {
        OwnerKeys {
            keys_max: limits.owner_keys as usize,
            lifetime: Duration::from_secs(limits.owner_key_seconds.into()),
            by_room: BTreeMap::new(),
            by_age: BTreeSet::new(),
        }
    }

    /// The room of that name is gone; its key is kept.
    pub fn keep(&mut self, now: Instant, room: String, key: OwnerKey) {
        self.remove(&room);
        self.by_age.insert((now, room.clone()));
        self.by_room.insert(room, Kept { key, since: now });
        self.forget(now);
    }

    /// A room of that name is made: the key that it had, if it is still kept. The room has it now.
    pub fn take(&mut self, now: Instant, room: &str) -> Option<OwnerKey> {
        self.forget(now);
        self.remove(room)
    }

    fn remove(&mut self, room: &str) -> Option<OwnerKey> {
        let Kept { key, since } = self.by_room.remove(room)?;
        self.by_age.remove(&(since, room.to_owned()));
        Some(key)
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, _)) = self.by_age.first()
            && (now >= *since + self.lifetime || self.by_age.len() > self.keys_max)
            && let Some((_, room)) = self.by_age.pop_first()
        {
            self.by_room.remove(&room);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn key(name: &str) -> OwnerKey {
        OwnerKey::try_from(format!("the key of {name}").replace(' ', "-").repeat(2)).unwrap()
    }

    fn keys(owner_keys: u32) -> OwnerKeys {
        OwnerKeys::new(&Limits {
            owner_keys,
            ..Limits::default()
        })
    }

    #[test]
    fn a_key_is_kept_for_a_day_and_taken_once() {
        let start = Instant::now();
        for (hours, is_kept) in [(0, true), (23, true), (24, false), (48, false)] {
            let mut keys = keys(10);
            keys.keep(start, "a".into(), key("a"));
            assert_eq!(keys.take(start, "b"), None);
            let taken = keys.take(start + hours * HOUR, "a");
            assert_eq!(taken, is_kept.then(|| key("a")), "{hours}");
            assert_eq!(keys.take(start, "a"), None);
            assert!(keys.by_room.is_empty() && keys.by_age.is_empty());
        }
    }

    #[test]
    fn the_one_unused_for_longest_gives_way() {
        let start = Instant::now();
        let mut keys = keys(2);
        keys.keep(start, "a".into(), key("a"));
        keys.keep(start + HOUR, "b".into(), key("b"));
        keys.keep(start + 2 * HOUR, "a".into(), key("another"));
        keys.keep(start + 3 * HOUR, "c".into(), key("c"));
        assert_eq!((keys.by_room.len(), keys.by_age.len()), (2, 2));
        assert_eq!(keys.take(start + 3 * HOUR, "b"), None);
        assert_eq!(keys.take(start + 3 * HOUR, "a"), Some(key("another")));
        assert_eq!(keys.take(start + 25 * HOUR, "c"), Some(key("c")));
    }

    #[test]
    fn what_is_over_goes_even_if_nobody_asks_for_it() {
        let start = Instant::now();
        let mut keys = keys(10);
        keys.keep(start, "a".into(), key("a"));
        keys.keep(start + 24 * HOUR, "b".into(), key("b"));
        assert_eq!(keys.by_room.len(), 1);
    }
}

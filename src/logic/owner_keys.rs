//! The owners of rooms that are gone: whoever owned one owns it again when it is made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::logic::limits::Limits;
use crate::logic::titles::Title;

/// By room. A room that is there has its title itself; the title comes here when the room goes, and
/// leaves with the next room of that name, or when its time is over. When there are too many, the one
/// that was unused for longest gives way.
#[derive(Debug)]
pub struct OwnerKeys {
    keys_max: usize,
    lifetime: Duration,
    by_room: BTreeMap<String, Kept>,
    by_age: BTreeSet<(Instant, String)>,
    /// Whose time was over, or who gave way, since somebody asked.
    forgotten: Vec<String>,
}

#[derive(Debug)]
struct Kept {
    title: Title,
    until: Instant,
}

impl OwnerKeys {
    /// None yet; [`Limits::owner_keys`] and [`Limits::owner_key_seconds`] hold.
    pub fn new(limits: &Limits) -> OwnerKeys {
        OwnerKeys {
            keys_max: limits.owner_keys as usize,
            lifetime: Duration::from_secs(limits.owner_key_seconds.into()),
            by_room: BTreeMap::new(),
            by_age: BTreeSet::new(),
            forgotten: Vec::new(),
        }
    }

    /// The room of that name is gone; its title is kept.
    pub fn keep(&mut self, now: Instant, room: String, title: Title) {
        self.insert(now, room, title, now + self.lifetime);
    }

    /// What was kept before this node was started, for as long as is left.
    pub fn restore(&mut self, now: Instant, room: String, title: Title, left: Duration) {
        self.insert(now, room, title, now + left.min(self.lifetime));
    }

    /// A room of that name is made: the title that it had, if it is still kept. The room has it now.
    pub fn take(&mut self, now: Instant, room: &str) -> Option<Title> {
        self.forget(now);
        self.remove(room)
    }

    /// Rooms of which nothing is kept any more, since this was last asked.
    pub fn take_forgotten(&mut self) -> Vec<String> {
        std::mem::take(&mut self.forgotten)
    }

    fn insert(&mut self, now: Instant, room: String, title: Title, until: Instant) {
        self.remove(&room);
        self.by_age.insert((until, room.clone()));
        self.by_room.insert(room, Kept { title, until });
        self.forget(now);
    }

    fn remove(&mut self, room: &str) -> Option<Title> {
        let Kept { title, until } = self.by_room.remove(room)?;
        self.by_age.remove(&(until, room.to_owned()));
        Some(title)
    }

    fn forget(&mut self, now: Instant) {
        while let Some((until, _)) = self.by_age.first()
            && (now >= *until || self.by_age.len() > self.keys_max)
            && let Some((_, room)) = self.by_age.pop_first()
        {
            self.by_room.remove(&room);
            self.forgotten.push(room);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::logic::titles::OwnerMark;
    use crate::protocol::server::Rules;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn key(name: &str) -> Title {
        let mut bytes = [0; 32];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Title {
            owner: OwnerMark::new(bytes),
            rules: Rules::default(),
        }
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
            let forgotten = (!is_kept).then(|| "a".to_owned());
            assert_eq!(keys.take_forgotten(), Vec::from_iter(forgotten));
        }
    }

    #[test]
    fn what_is_restored_is_kept_for_the_rest_of_its_time() {
        let start = Instant::now();
        for (left, hours, is_kept) in [(2, 1, true), (2, 2, false), (48, 23, true), (48, 24, false)]
        {
            let mut keys = keys(10);
            keys.restore(start, "a".into(), key("a"), left * HOUR);
            let taken = keys.take(start + hours * HOUR, "a");
            assert_eq!(taken.is_some(), is_kept, "{left} {hours}");
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

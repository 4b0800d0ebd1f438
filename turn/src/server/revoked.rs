//! Members whose names hold no longer, though they would.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// Names remembered. When there are more, the one whose credentials end first is forgotten.
pub const REVOKED_MAX: usize = 65_536;

/// Each with the time, since 1970, after which no credential of it can hold.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    until: HashMap<Box<str>, Duration>,
    by_time: BTreeSet<(Duration, Box<str>)>,
}

impl Revoked {
    pub(super) fn insert(&mut self, member: &str, until: Duration) {
        if let Some(before) = self.until.insert(member.into(), until) {
            self.by_time.remove(&(before, member.into()));
        }
        self.by_time.insert((until, member.into()));
        if self.by_time.len() > REVOKED_MAX {
            self.forget_first();
        }
    }

    /// Whether a member is out; forgets those whose time is over.
    pub(super) fn contains(&mut self, unix: Duration, member: &str) -> bool {
        while self.by_time.first().is_some_and(|first| first.0 < unix) {
            self.forget_first();
        }
        self.until.contains_key(member)
    }

    pub(super) fn len(&self) -> usize {
        self.until.len()
    }

    fn forget_first(&mut self) {
        if let Some((_, member)) = self.by_time.pop_first() {
            self.until.remove(&member);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revoked_are_remembered_for_their_time() {
        let at = Duration::from_secs;
        let mut revoked = Revoked::default();
        revoked.insert("ann", at(10));
        revoked.insert("bob", at(20));
        revoked.insert("ann", at(30));
        assert!(revoked.contains(at(20), "ann") && revoked.contains(at(20), "bob"));
        assert!(!revoked.contains(at(21), "bob") && revoked.contains(at(21), "ann"));
        assert_eq!(revoked.len(), 1);
    }

    #[test]
    fn no_more_are_remembered_than_that() {
        let mut revoked = Revoked::default();
        for member in 0..REVOKED_MAX as u64 + 5 {
            revoked.insert(&member.to_string(), Duration::from_secs(100 + member));
        }
        assert_eq!(
            (revoked.len(), revoked.by_time.len()),
            (REVOKED_MAX, REVOKED_MAX)
        );
        assert!(!revoked.contains(Duration::ZERO, "4"));
        assert!(revoked.contains(Duration::ZERO, "5"));
    }
}

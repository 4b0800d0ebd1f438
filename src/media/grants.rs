//! Who was given credentials for the relay, and when they get the next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::ids::MemberId;

/// How long credentials hold. A browser uses those that an allocation began with until its end, so
/// they have to outlast most conversations; who leaves loses theirs at once.
pub const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// When the next are handed out, so that what begins later outlasts a conversation too.
pub const RENEWED_AFTER: Duration = Duration::from_secs(6 * 60 * 60);

/// Members with credentials; as many as there are members.
#[derive(Debug, Default)]
pub struct Grants {
    renewed_at: BTreeMap<MemberId, Instant>,
    by_time: BTreeSet<(Instant, MemberId)>,
}

impl Grants {
    /// A member got credentials at `now`.
    pub fn give(&mut self, now: Instant, member: MemberId) {
        self.take(member);
        let at = now + RENEWED_AFTER;
        self.renewed_at.insert(member, at);
        self.by_time.insert((at, member));
    }

    /// A member has none any more. `false` if there were none.
    pub fn take(&mut self, member: MemberId) -> bool {
        let at = self.renewed_at.remove(&member);
        at.is_some_and(|at| self.by_time.remove(&(at, member)))
    }

    /// A member who needs the next ones by now. Until they are given, nobody is waited for.
    pub fn next_due(&mut self, now: Instant) -> Option<MemberId> {
        let &(at, member) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        Some(member)
    }

    /// When [`next_due`](Self::next_due) has somebody.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let &(at, _) = self.by_time.first()?;
        Some((at, "credentials are renewed"))
    }

    /// How many members have some.
    pub fn len(&self) -> usize {
        self.renewed_at.len()
    }

    /// Nobody has any.
    pub fn is_empty(&self) -> bool {
        self.renewed_at.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]

    use super::*;

    #[test]
    fn each_is_due_once_after_half_of_the_life() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut grants = Grants::default();
        grants.give(start, MemberId(1));
        grants.give(start + second, MemberId(2));
        grants.give(start + second, MemberId(3));
        assert!(grants.take(MemberId(3)) && !grants.take(MemberId(3)));
        let due = start + RENEWED_AFTER;
        assert_eq!(grants.poll_timeout().unwrap().0, due);
        assert_eq!(grants.next_due(due - second), None);
        assert_eq!(grants.next_due(due), Some(MemberId(1)));
        assert_eq!(grants.next_due(due), None);
        grants.give(due, MemberId(1));
        assert_eq!(grants.next_due(due + second), Some(MemberId(2)));
        assert_eq!(grants.next_due(due + RENEWED_AFTER), Some(MemberId(1)));
        assert_eq!((grants.len(), grants.by_time.len()), (2, 0));
        assert!(!grants.take(MemberId(2)), "nothing waited for it");
        assert_eq!(grants.len(), 1);
    }
}

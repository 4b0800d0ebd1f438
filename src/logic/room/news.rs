//! When a room tells what changed about its members.
//!
//! A small room tells it at once. In a large one every change is heard by many: what comes in quick succession
//! is told together, the last state of each member alone, and no faster than everyone can read.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use crate::ids::MemberId;
use crate::logic::limits::{Bucket, Limits};
use crate::protocol::reason::Reason;

/// What is not told yet.
#[derive(Debug)]
pub(super) struct News {
    changes: Vec<Change>,
    /// How many ever came.
    arrivals: u64,
    seats: Reseat,
    told: Option<Instant>,
    seated: Option<Instant>,
    /// Every change, once for everyone who hears it.
    deliveries: Bucket,
    /// To each of them.
    bytes: Bucket,
    /// Told, and not counted yet.
    unpaid: (u32, u32),
}

/// Something that everyone is to know about a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// How they are now.
    Seen {
        member: MemberId,
        /// It was not (only) their own doing.
        by_others: bool,
        /// They came as that one, and those who were there before do not know them yet.
        arrival: Option<u64>,
    },
    /// They are gone.
    Left {
        member: MemberId,
        reason: Reason,
        /// By their arrivals, those who know them.
        known_to: Range<u64>,
    },
}

/// Whose seats may have to change.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Reseat {
    #[default]
    Nobody,
    /// Of those who see, or might see, one of these.
    ViewersOf(BTreeSet<MemberId>),
    Everyone,
}

impl News {
    pub(super) fn new(now: Instant, limits: &Limits) -> News {
        let (heard, bytes) = (limits.news_per_second, limits.news_bytes_per_second);
        News {
            changes: Vec::new(),
            arrivals: 0,
            seats: Reseat::Nobody,
            told: None,
            seated: None,
            deliveries: Bucket::new(now, heard, 1, heard),
            bytes: Bucket::new(now, bytes, 1, bytes.saturating_mul(2)),
            unpaid: (0, 0),
        }
    }

    /// Somebody came whom the others do not know. Returns which arrival it is.
    pub(super) fn came(&mut self, member: MemberId) -> u64 {
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.changes.push(Change::Seen {
            member,
            by_others: false,
            arrival: Some(arrival),
        });
        arrival
    }

    pub(super) fn changed(&mut self, member: MemberId, by_others: bool) {
        for change in &mut self.changes {
            if let Change::Seen {
                member: other,
                by_others: others,
                ..
            } = change
                && *other == member
            {
                *others |= by_others;
                return;
            }
        }
        self.changes.push(Change::Seen {
            member,
            by_others,
            arrival: None,
        });
    }

    pub(super) fn left(&mut self, member: MemberId, reason: Reason) {
        let is_of = |change: &Change| matches!(change, Change::Seen { member: other, .. } if *other == member);
        let untold = self.changes.iter().position(is_of);
        let untold = untold.map(|at| self.changes.remove(at));
        let first = match untold {
            Some(Change::Seen {
                arrival: Some(arrival),
                ..
            }) => arrival + 1,
            _ => 0,
        };
        self.changes.push(Change::Left {
            member,
            reason,
            known_to: first..self.arrivals,
        });
    }

    /// A member's feeds came or went.
    pub(super) fn reseat_viewers_of(&mut self, member: MemberId) {
        match &mut self.seats {
            Reseat::Nobody => self.seats = Reseat::ViewersOf(BTreeSet::from([member])),
            Reseat::ViewersOf(members) => {
                members.insert(member);
            }
            Reseat::Everyone => {}
        }
    }

    pub(super) fn reseat_everyone(&mut self) {
        self.seats = Reseat::Everyone;
    }

    /// Whether others would hear of somebody whom they do not know.
    pub(super) fn has_newcomers(&self) -> bool {
        let is_new = |change: &Change| {
            matches!(
                change,
                Change::Seen {
                    arrival: Some(_),
                    ..
                }
            )
        };
        self.changes.iter().any(is_new)
    }

    /// What is to be told now, all of it: to a room of so many, by messages of which the caller tells the
    /// weight to [`News::told`].
    pub(super) fn take(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// One change was told to so many.
    pub(super) fn told(&mut self, receivers: usize, bytes: usize) {
        let add = |sum: &mut u32, more: usize| {
            *sum = sum.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
        };
        add(&mut self.unpaid.0, receivers);
        add(&mut self.unpaid.1, bytes);
    }

    /// Whose seats are to be planned now, if it is time.
    pub(super) fn take_seats(&mut self, now: Instant, members: usize, limits: &Limits) -> Reseat {
        match self.seats_due(members, limits) {
            Some(due) if due.is_none_or(|due| due <= now) => {
                self.seated = Some(now);
                std::mem::take(&mut self.seats)
            }
            _ => Reseat::Nobody,
        }
    }

    /// Whether the changes are to be told now.
    pub(super) fn is_due(&self, now: Instant, members: usize, limits: &Limits) -> bool {
        let due = self.changes_due(members, limits);
        due.is_some_and(|due| due.is_none_or(|due| due <= now))
    }

    /// Counts what was told. To be called with the time after every step.
    pub(super) fn pay(&mut self, now: Instant) {
        let (deliveries, bytes) = std::mem::take(&mut self.unpaid);
        if deliveries > 0 {
            self.told = Some(now);
            self.deliveries.spend(now, deliveries);
            self.bytes.spend(now, bytes);
        }
    }

    /// When there is something to be told next.
    pub(super) fn poll_timeout(&self, members: usize, limits: &Limits) -> Option<Instant> {
        let changes = self.changes_due(members, limits).flatten();
        let seats = self.seats_due(members, limits).flatten();
        changes.into_iter().chain(seats).min()
    }

    /// `Some(None)`: at once.
    fn changes_due(&self, members: usize, limits: &Limits) -> Option<Option<Instant>> {
        let pause = self.told.map(|told| told + limits.news_interval(members));
        let paid = [self.deliveries.is_paid_at(), self.bytes.is_paid_at()];
        let due = paid.into_iter().flatten().chain(pause).max();
        (!self.changes.is_empty()).then_some(due)
    }

    fn seats_due(&self, members: usize, limits: &Limits) -> Option<Option<Instant>> {
        let due = self
            .seated
            .map(|seated| seated + limits.news_interval(members));
        (self.seats != Reseat::Nobody).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const ADA: MemberId = MemberId(1);
    const BOB: MemberId = MemberId(2);
    const CLEO: MemberId = MemberId(3);

    /// Tells what is due; the changes, each heard by everyone.
    fn step(news: &mut News, now: Instant, members: usize) -> usize {
        let limits = Limits::default();
        let changes = match news.is_due(now, members, &limits) {
            true => news.take(),
            false => Vec::new(),
        };
        changes.iter().for_each(|_| news.told(members, 300));
        news.pay(now);
        changes.len()
    }

    #[test]
    fn a_small_room_tells_at_once_and_a_large_one_together() {
        let start = Instant::now();
        for (members, told) in [(15, [1, 1, 1, 1]), (16, [1, 0, 0, 2])] {
            let mut news = News::new(start, &Limits::default());
            let heard = [0, 10, 50, 100].map(|ms| {
                let member = if ms == 50 { ADA } else { BOB };
                news.changed(member, false);
                step(&mut news, start + ms * MS, members)
            });
            assert_eq!(heard, told, "{members}");
        }
    }

    #[test]
    fn many_changes_are_told_as_fast_as_they_can_be_read() {
        let start = Instant::now();
        let mut news = News::new(start, &Limits::default());
        let mut told = 0;
        for ms in 0..10_000 {
            for member in 0..10 {
                news.changed(MemberId(member), false);
            }
            told += step(&mut news, start + ms * MS, 10);
        }
        let bytes = told * 300;
        assert!(
            (600_000..900_000).contains(&bytes),
            "64 KiB a second: {bytes}"
        );
    }

    #[test]
    fn the_last_state_of_each_is_told_in_the_order_of_the_changes() {
        let start = Instant::now();
        let mut news = News::new(start, &Limits::default());
        assert_eq!((news.came(ADA), news.came(CLEO)), (0, 1));
        assert!(news.has_newcomers());
        news.changed(BOB, false);
        news.changed(ADA, true);
        news.left(BOB, Reason::Left);
        news.left(CLEO, Reason::Left);
        let seen = Change::Seen {
            member: ADA,
            by_others: true,
            arrival: Some(0),
        };
        let left = |member, known_to| Change::Left {
            member,
            reason: Reason::Left,
            known_to,
        };
        assert_eq!(news.take(), [seen, left(BOB, 0..2), left(CLEO, 2..2)]);
        assert!(!news.has_newcomers());
        assert_eq!(news.poll_timeout(99, &Limits::default()), None);
    }

    #[test]
    fn seats_are_planned_once_for_all_that_changed() {
        let limits = Limits::default();
        let start = Instant::now();
        let mut news = News::new(start, &limits);
        news.reseat_viewers_of(ADA);
        let one = Reseat::ViewersOf(BTreeSet::from([ADA]));
        assert_eq!(news.take_seats(start, 99, &limits), one);
        news.reseat_viewers_of(ADA);
        news.reseat_viewers_of(BOB);
        assert_eq!(
            news.take_seats(start + 99 * MS, 99, &limits),
            Reseat::Nobody
        );
        assert_eq!(news.poll_timeout(99, &limits), Some(start + 100 * MS));
        let both = Reseat::ViewersOf(BTreeSet::from([ADA, BOB]));
        assert_eq!(news.take_seats(start + 100 * MS, 99, &limits), both);
        news.reseat_everyone();
        news.reseat_viewers_of(ADA);
        assert_eq!(
            news.take_seats(start + 101 * MS, 2, &limits),
            Reseat::Everyone
        );
    }
}

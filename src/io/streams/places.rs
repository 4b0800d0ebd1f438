//! Who holds how many TCP connections that carry datagrams, and which number each has.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::logic::household::{Household, may_take};

/// Connections at once, as many as there may be allocations. Beyond, the newest is closed.
const STREAMS_MAX: u16 = 4_096;
/// Connections at once of a household, which may be an office, and never more than it leaves free.
/// Beyond, the newest is closed.
pub(super) const STREAMS_OF_HOUSEHOLD_MAX: u32 = 512;

/// All places.
#[derive(Debug, Default)]
pub(super) struct Places {
    // Touched once per connection.
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    free: Vec<u16>,
    /// Numbers from here on were never given.
    next: u16,
    taken: u16,
    households: BTreeMap<Household, u32>,
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    household: Household,
    number: u16,
}

impl Places {
    /// A place, if there is one for this address.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let household = Household::of(address);
        let mut book = self.book();
        let held = book.households.get(&household).copied().unwrap_or_default();
        let (taken, total) = (book.taken.into(), STREAMS_MAX.into());
        if !may_take(held, STREAMS_OF_HOUSEHOLD_MAX, taken, total) {
            return None;
        }
        let number = book.number()?;
        book.households.insert(household, held + 1);
        book.taken += 1;
        drop(book);
        Some(Place {
            places: Arc::clone(self),
            household,
            number,
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn number(&mut self) -> Option<u16> {
        self.free.pop().or_else(|| {
            let number = self.next;
            (number < STREAMS_MAX).then(|| {
                self.next += 1;
                number
            })
        })
    }
}

impl Place {
    /// Which number it has; no other has it at the same time.
    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.places.book();
        book.free.push(self.number);
        book.taken -= 1;
        if let Some(held) = book.households.get_mut(&self.household) {
            *held -= 1;
            if *held == 0 {
                book.households.remove(&self.household);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn source(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(number).into()
    }

    #[test]
    fn eight_households_do_not_take_the_places_of_all() {
        let places = Arc::new(Places::default());
        let mut held = Vec::new();
        for _ in 0..STREAMS_OF_HOUSEHOLD_MAX {
            held.extend((1..=8).filter_map(|number| places.take(source(number))));
        }
        let free = usize::from(STREAMS_MAX) - held.len();
        assert!(free >= 400, "{free} are free");
        assert!(places.take(source(9)).is_some());
    }

    #[test]
    fn a_household_has_its_share_and_all_together_the_whole() {
        let places = Arc::new(Places::default());
        let mut held: Vec<Place> = (0..STREAMS_OF_HOUSEHOLD_MAX)
            .map(|_| places.take(source(1)).unwrap())
            .collect();
        assert!(places.take(source(1)).is_none());
        let mut others = 2;
        while let Some(place) = places.take(source(others)) {
            held.push(place);
            others += 1;
        }
        assert_eq!(held.len(), usize::from(STREAMS_MAX));
        let freed = held.remove(0).number();
        assert!(places.take(source(1)).is_none(), "it is for who has none");
        let given = places.take(source(0)).unwrap();
        assert_eq!(given.number(), freed);
        drop(given);
        drop(held);
        let book = places.book();
        assert_eq!((book.households.len(), book.taken), (0, 0));
        assert_eq!(book.free.len(), usize::from(STREAMS_MAX));
    }
}

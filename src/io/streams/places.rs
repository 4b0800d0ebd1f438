//! Who holds how many TCP connections that carry datagrams, and which number each has.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::logic::lobby::household;

/// Connections at once, as many as there may be allocations. Beyond, the newest is closed.
const STREAMS_MAX: u16 = 4_096;
/// Connections at once of an IPv4 address or an IPv6 /64, which may be an office. Beyond, the newest is
/// closed.
const STREAMS_OF_SOURCE_MAX: u32 = 512;

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
    sources: BTreeMap<IpAddr, u32>,
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    source: IpAddr,
    number: u16,
}

impl Places {
    /// A place, if there is one for this address.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = household(address);
        let mut book = self.book();
        let held = book.sources.get(&source).copied().unwrap_or_default();
        if held >= STREAMS_OF_SOURCE_MAX {
            return None;
        }
        let number = book.number()?;
        book.sources.insert(source, held + 1);
        drop(book);
        Some(Place {
            places: Arc::clone(self),
            source,
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
        if let Some(held) = book.sources.get_mut(&self.source) {
            *held -= 1;
            if *held == 0 {
                book.sources.remove(&self.source);
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
    fn a_source_has_its_share_and_all_together_the_whole() {
        let places = Arc::new(Places::default());
        let mut held: Vec<Place> = (0..STREAMS_OF_SOURCE_MAX)
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
        let given = places.take(source(1)).unwrap();
        assert_eq!(given.number(), freed);
        drop(given);
        drop(held);
        let book = places.book();
        assert!(book.sources.is_empty());
        assert_eq!(book.free.len(), usize::from(STREAMS_MAX));
    }
}

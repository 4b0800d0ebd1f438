//! Who holds how many TCP connections.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::logic::household::{Household, may_take};
use crate::logic::limits::Limits;

/// TCP connections at once. Beyond, the newest is closed without a word.
pub(super) const CONNECTIONS_MAX: u32 = 16_384;
/// TCP connections of one household at once, for every WebSocket it may have, and never more than it
/// leaves free. Beyond, the newest is closed without a word. A browser opens six beside its WebSocket.
const CONNECTIONS_PER_WEBSOCKET: u32 = 4;

/// All places.
#[derive(Debug)]
pub(super) struct Doors {
    total: u32,
    of_household: u32,
    // Touched once per connection.
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    taken: u32,
    households: BTreeMap<Household, u32>,
}

/// A TCP connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    doors: Arc<Doors>,
    /// Nobody's, if it is a trusted proxy's: what comes over that is everybody's.
    household: Option<Household>,
}

impl Doors {
    /// For a process that may have so many files open; a part of these is for other things.
    pub(super) fn new(limits: &Limits, open_files: u64) -> Self {
        let files = u32::try_from(open_files).unwrap_or(u32::MAX);
        Self {
            total: CONNECTIONS_MAX.min(files / 4 * 3),
            of_household: limits
                .connections_per_address
                .saturating_mul(CONNECTIONS_PER_WEBSOCKET),
            book: Mutex::default(),
        }
    }

    /// Lets a connection in, if there is a place for it.
    pub(super) fn enter(doors: &Arc<Self>, address: IpAddr, is_proxied: bool) -> Option<Pass> {
        let household = (!is_proxied).then(|| Household::of(address));
        let mut book = doors.book();
        let Book { taken, households } = &mut *book;
        if *taken >= doors.total {
            return None;
        }
        if let Some(household) = household {
            let held = households.get(&household).copied().unwrap_or_default();
            if !may_take(held, doors.of_household, *taken, doors.total) {
                return None;
            }
            households.insert(household, held + 1);
        }
        *taken += 1;
        drop(book);
        let doors = Arc::clone(doors);
        Some(Pass { doors, household })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut book = self.doors.book();
        book.taken -= 1;
        let Some(household) = self.household else {
            return;
        };
        if let Some(count) = book.households.get_mut(&household) {
            *count -= 1;
            if *count == 0 {
                book.households.remove(&household);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::io::streams::HOUSEHOLD_BYTES_MAX;
    use crate::io::tcp::HEAD_BYTES_MAX;

    fn doors(connections_per_address: u32, open_files: u64) -> Arc<Doors> {
        let limits = Limits {
            connections_per_address,
            ..Limits::default()
        };
        Arc::new(Doors::new(&limits, open_files))
    }

    fn fill(doors: &Arc<Doors>, held: &mut Vec<Pass>, address: &str, is_proxied: bool) -> usize {
        let before = held.len();
        while let Some(pass) = Doors::enter(doors, address.parse().unwrap(), is_proxied) {
            held.push(pass);
        }
        held.len() - before
    }

    #[test]
    fn a_household_has_its_share_however_many_addresses_it_has() {
        let (doors, mut held) = (doors(2, 1_000_000), Vec::new());
        for (address, more) in [
            ("192.0.2.1", 8),
            ("::ffff:192.0.2.1", 0),
            ("192.0.2.2", 8),
            ("2001:db8::1", 8),
            ("2001:db8::ffff:2", 0),
            ("2001:db8:0:1::1", 8),
        ] {
            assert_eq!(fill(&doors, &mut held, address, false), more, "{address}");
        }
        drop(held);
        let book = doors.book();
        assert_eq!((book.taken, book.households.len()), (0, 0));
    }

    /// Each of these limits has a test that fills it; what media take is limited by connection.
    #[test]
    fn what_one_household_can_make_the_node_hold_is_bounded() {
        let limits = Limits::default();
        let websockets = u64::from(limits.connections_per_address);
        let connections = websockets * u64::from(CONNECTIONS_PER_WEBSOCKET);
        let of_websocket = [
            limits.sdp_bytes,
            limits.outgoing_queue_bytes,
            limits.resume_log_bytes,
        ];
        let of_websocket: u64 = of_websocket.into_iter().map(u64::from).sum();
        // Read and written.
        let of_request = 2 * HEAD_BYTES_MAX as u64 + u64::from(limits.message_bytes);
        let history = u64::from(limits.rooms_per_address) * u64::from(limits.history_bytes);
        let sum =
            websockets * of_websocket + connections * of_request + history + HOUSEHOLD_BYTES_MAX;
        assert!(sum <= 384 << 20, "{} MiB", sum >> 20);
    }

    #[test]
    fn all_together_have_what_the_process_may_open() {
        let (doors, mut held) = (doors(1_000, 400), Vec::new());
        assert_eq!(fill(&doors, &mut held, "192.0.2.1", false), 150);
        assert_eq!(fill(&doors, &mut held, "192.0.2.2", false), 75);
        assert_eq!(fill(&doors, &mut held, "127.0.0.1", true), 75);
        assert_eq!(fill(&doors, &mut held, "192.0.2.3", false), 0);
    }
}

//! When the server wants to be woken, and for what.

use std::time::{Duration, Instant};

use super::ports::Slot;
use super::{Command, Family, RelayPort, Server};

/// How long a port that could not be opened is left alone.
pub(super) const BLOCKED_FOR: Duration = Duration::from_secs(60);

/// What a moment is for. Permissions and channels need none: their time is looked at when they are
/// used, and they are few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    /// An allocation is over.
    Allocation(u32),
    /// A reserved port is free again.
    Reservation(Family, RelayPort),
    /// A port that could not be opened may be tried again.
    Blocked(Family, RelayPort),
}

impl Server {
    /// When to call [`Server::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let (at, deadline) = self.deadlines.first()?;
        let why = match deadline {
            Deadline::Allocation(_) => "an allocation is over",
            Deadline::Reservation(..) => "a reserved port is free again",
            Deadline::Blocked(..) => "a port may be tried again",
        };
        Some((*at, why))
    }

    /// Ends what is over. Safe to call at any time.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Command>) {
        while let Some((at, deadline)) = self.deadlines.first().copied() {
            if at > now {
                return;
            }
            self.deadlines.remove(&(at, deadline));
            match deadline {
                Deadline::Allocation(id) => self.end(id, out),
                Deadline::Reservation(family, port) => self.drop_reservation(family, port),
                Deadline::Blocked(family, port) => {
                    self.ports[family.index()].set(port, Slot::Free);
                }
            }
        }
    }

    /// A port is left alone for a while.
    pub(super) fn block(&mut self, now: Instant, family: Family, port: RelayPort) {
        self.ports[family.index()].set(port, Slot::Blocked);
        self.deadlines
            .insert((now + BLOCKED_FOR, Deadline::Blocked(family, port)));
    }
}

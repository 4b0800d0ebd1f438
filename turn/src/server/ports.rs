//! Which relay port is whose: one slot per port of the range.

use std::ops::RangeInclusive;

use super::types::RelayPort;

/// What a port is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Free,
    /// Kept for who brings the token.
    Reserved,
    /// Somebody else on this machine has it.
    Blocked,
    /// By the allocation at this place.
    Used(u32),
}

/// The ports of one family.
#[derive(Debug)]
pub(super) struct Ports {
    first: u16,
    slots: Vec<Slot>,
    free: usize,
}

/// What EVEN-PORT asks of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    Even,
    /// With the next one free as well.
    EvenAndNext,
}

impl Ports {
    pub(super) fn new(range: &RangeInclusive<u16>) -> Self {
        let count = range.clone().count();
        Ports {
            first: *range.start(),
            slots: vec![Slot::Free; count],
            free: count,
        }
    }

    /// A free port, by a random number; the first fit from there on if that one is taken.
    pub(super) fn find(&self, wanted: Wanted, random: u64) -> Option<RelayPort> {
        if self.free == 0 {
            return None;
        }
        let count = self.slots.len();
        let start = (random % count as u64) as usize;
        let fits = |at: &usize| self.fits(*at, wanted);
        let at = (start..count).chain(0..start).find(fits)?;
        Some(RelayPort(self.first + at as u16))
    }

    fn fits(&self, at: usize, wanted: Wanted) -> bool {
        let is_free = |at| self.slots.get(at) == Some(&Slot::Free);
        let is_even = (usize::from(self.first) + at).is_multiple_of(2);
        is_free(at)
            && match wanted {
                Wanted::Any => true,
                Wanted::Even => is_even,
                Wanted::EvenAndNext => is_even && is_free(at + 1),
            }
    }

    pub(super) fn set(&mut self, port: RelayPort, slot: Slot) {
        let at = usize::from(port.0).wrapping_sub(self.first.into());
        let Some(place) = self.slots.get_mut(at) else {
            return;
        };
        self.free -= usize::from(*place == Slot::Free);
        self.free += usize::from(slot == Slot::Free);
        *place = slot;
    }

    pub(super) fn get(&self, port: RelayPort) -> Slot {
        let at = usize::from(port.0).checked_sub(self.first.into());
        at.and_then(|at| self.slots.get(at))
            .copied()
            .unwrap_or(Slot::Free)
    }

    pub(super) fn used_by(&self, port: RelayPort) -> Option<u32> {
        match self.get(port) {
            Slot::Used(allocation) => Some(allocation),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_found_until_none_is_left() {
        let mut ports = Ports::new(&(101..=106));
        for (wanted, random, found) in [
            (Wanted::Any, 0, Some(101)),
            (Wanted::EvenAndNext, 0, Some(102)),
            (Wanted::EvenAndNext, 9, Some(104)),
            (Wanted::Even, 4, Some(106)),
            (Wanted::EvenAndNext, 0, None),
            (Wanted::Any, 5, Some(103)),
            (Wanted::Even, 5, None),
            (Wanted::Any, 5, Some(105)),
            (Wanted::Any, 5, None),
        ] {
            let port = ports.find(wanted, random);
            assert_eq!(port.map(|port| port.0), found);
            if let Some(port) = port {
                ports.set(port, Slot::Used(7));
                assert_eq!(ports.used_by(port), Some(7));
            }
        }
        ports.set(RelayPort(103), Slot::Free);
        assert_eq!(ports.find(Wanted::Any, 0), Some(RelayPort(103)));
        for outside in [0, 100, 107, 65_535] {
            assert_eq!(ports.used_by(RelayPort(outside)), None);
        }
    }
}

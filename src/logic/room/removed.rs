//! Whom owners sent away, as far as a room can know them again.
//!
//! Guests have no accounts: a name, a browser, a token is new at will. What stays is the household that they
//! come from, and others live there too. So nobody is refused for it: who comes from there waits until an owner
//! admits them, for as long as the room is there.

use std::collections::VecDeque;

use crate::logic::household::Household;

/// By household, the latest last. When there are too many the oldest is forgotten.
#[derive(Debug, Default)]
pub(super) struct Removed(VecDeque<Household>);

impl Removed {
    /// Somebody from there was sent away.
    pub(super) fn note(&mut self, household: Household, most: u32) {
        // Who comes from no address comes from everywhere.
        if household == Household::default() || most == 0 {
            return;
        }
        self.0.retain(|other| *other != household);
        self.0.push_back(household);
        if self.0.len() > most as usize {
            self.0.pop_front();
        }
    }

    /// Whether somebody from there was sent away.
    pub(super) fn knows(&self, household: Household) -> bool {
        self.0.contains(&household)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let home = |last| Household::of([192, 0, 2, last].into());
        let mut removed = Removed::default();
        for last in [1, 2, 1, 3] {
            removed.note(home(last), 2);
        }
        removed.note(Household::default(), 2);
        assert_eq!(
            [1, 2, 3].map(|last| removed.knows(home(last))),
            [true, false, true]
        );
        assert!(!removed.knows(Household::default()));
    }
}

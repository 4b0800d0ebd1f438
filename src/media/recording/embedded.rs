//! Taps of the program around the node.

use std::time::Instant;

use rand::Rng;

use super::taps::{Recorded, Recording};
use crate::ids::TapId;
use crate::logic::record::thinning::Backlog;
use crate::logic::room::{RecordingScope, RoomInput};
use crate::media::conference::{Conference, Surroundings};
use crate::protocol::server::RecordingEnd;

/// Taps of one room at once; one more is refused.
const TAPS_MAX: usize = 8;

impl Conference {
    /// Puts a tap on the room, which media reaches the node for from now on. `false`: there are as many
    /// as may be.
    pub(in crate::media) fn tap(
        &mut self,
        now: Instant,
        (tap, backlog, scope): (TapId, Backlog, RecordingScope),
        around: &mut Surroundings<'_>,
    ) -> bool {
        if self.taps.len() >= TAPS_MAX {
            return false;
        }
        let room = Recorded {
            room: self.room.name(),
            age_ms: self.room.age_ms(now),
            backlog,
        };
        let seed = around.rng.random();
        let wanted = (format!("tap-{}", tap.0), Some(tap), scope);
        let effects = &mut around.out.effects;
        let listener = Recording::begin(now, wanted, &room, around.wall, seed, effects);
        self.taps.push(listener);
        self.retap(now, around);
        self.handle(now, RoomInput::Tapped { active: true }, around);
        true
    }

    /// Takes a tap off the room, or all of them.
    pub(in crate::media) fn untap(
        &mut self,
        now: Instant,
        tap: Option<TapId>,
        why: RecordingEnd,
        around: &mut Surroundings<'_>,
    ) {
        let is_meant = |listener: &Recording| tap.is_none() || listener.tap() == tap;
        let meant: Vec<_> = self.taps.extract_if(.., |one| is_meant(one)).collect();
        if meant.is_empty() {
            return;
        }
        for listener in meant {
            listener.end(now, why, &mut around.out.effects);
        }
        let active = !self.taps.is_empty();
        self.handle(now, RoomInput::Tapped { active }, around);
    }

    /// Whether that tap is on the room.
    pub(in crate::media) fn has_tap(&self, tap: TapId) -> bool {
        self.taps.iter().any(|listener| listener.tap() == Some(tap))
    }
}

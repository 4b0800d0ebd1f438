//! What the program around the node hears of rooms.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Shard, ShardOutput};
use crate::ids::TapId;
use crate::logic::record::thinning::Backlog;
use crate::logic::room::RecordingScope;
use crate::protocol::server::RecordingEnd;

impl Shard {
    /// Tells of what happens in rooms, from the next one on, by
    /// [`ShardEffect::Event`](super::ShardEffect::Event).
    pub fn watch(&mut self) {
        self.is_watched = true;
    }

    /// As [`Question::Tap`](super::Question::Tap) says.
    pub(super) fn tap(
        &mut self,
        now: Instant,
        name: &str,
        wanted: (TapId, Backlog, RecordingScope),
        out: &mut ShardOutput,
    ) -> Value {
        let Some(&slot) = self.by_name.get(name) else {
            return Value::Null;
        };
        let mut answer = Value::Null;
        self.with_room(now, slot, out, |conference, around| {
            answer = if !conference.room.can_be_recorded() {
                json!({ "refused": "mesh" })
            } else if !conference.tap(now, wanted, around) {
                json!({ "refused": "tooMany" })
            } else {
                json!(true)
            };
        });
        answer
    }

    /// Takes a tap off, wherever it is.
    pub(super) fn untap(&mut self, now: Instant, tap: TapId, out: &mut ShardOutput) {
        let mut slots = self.by_name.values().copied();
        let found = slots.find(|&slot| {
            let room = self.rooms.get(slot);
            room.is_some_and(|conference| conference.has_tap(tap))
        });
        if let Some(slot) = found {
            self.with_room(now, slot, out, |conference, around| {
                conference.untap(now, Some(tap), RecordingEnd::Stopped, around);
            });
        }
    }
}

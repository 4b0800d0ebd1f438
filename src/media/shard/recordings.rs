//! Which rooms are recorded.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Shard, ShardOutput};
use crate::logic::room::RecordingScope;
use crate::protocol::server::RecordingEnd;

impl Shard {
    /// As [`Question::Record`](super::Question::Record) says.
    pub(super) fn record(
        &mut self,
        now: Instant,
        name: &str,
        scope: RecordingScope,
        out: &mut ShardOutput,
    ) -> Value {
        let Some(&slot) = self.by_name.get(name) else {
            return Value::Null;
        };
        let mut answer = Value::Null;
        self.with_room(now, slot, out, |conference, around| {
            answer = match conference.record(now, scope, None, around) {
                Ok(sign) => json!(sign),
                Err(refused) => {
                    json!({ "refused": refused.name(), "detail": refused.to_string() })
                }
            };
        });
        answer
    }

    /// As [`Question::StopRecording`](super::Question::StopRecording) says.
    pub(super) fn stop_recording(
        &mut self,
        now: Instant,
        name: &str,
        (id, why): (Option<&str>, RecordingEnd),
        out: &mut ShardOutput,
    ) -> Value {
        let Some(&slot) = self.by_name.get(name) else {
            return Value::Null;
        };
        let mut stopped = false;
        self.with_room(now, slot, out, |conference, around| {
            stopped = conference.stop_recording(now, id, why, around);
        });
        json!(stopped)
    }

    /// How many of them are recorded with something left out.
    pub(super) fn thinned_recordings(&self) -> usize {
        let signs = self.rooms.iter().filter_map(|room| room.room.recording());
        signs.filter(|sign| sign.thinned).count()
    }

    /// How many rooms are recorded now.
    pub(super) fn recordings(&self) -> usize {
        let rooms = self.rooms.iter();
        rooms.filter(|room| room.room.recording().is_some()).count()
    }
}

//! What a program around the node is told of a room.

use crate::logic::room::{RoomEvent, Watch};
use crate::media::conference::{Conference, Surroundings};
use crate::media::shard::ShardEffect;

impl Conference {
    /// Tells of what happens from now on, beginning with what is there.
    pub(super) fn watch(&mut self) {
        self.watch.get_or_insert_with(Watch::default);
    }

    /// Tells what changed, if anybody wants to know. Not for the packet path: it looks at every member.
    pub(super) fn tell_changes(&mut self, around: &mut Surroundings<'_>) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let mut events = Vec::new();
        self.room.tell_changes(watch, &mut events);
        for event in events {
            self.tell(event, around);
        }
    }

    /// Tells of an event, if anybody wants to know.
    pub(super) fn tell(&self, event: RoomEvent, around: &mut Surroundings<'_>) {
        if self.watch.is_some() {
            let room = self.room.name().to_owned();
            around.out.effects.push(ShardEffect::Event { room, event });
        }
    }
}

//! A room that panics takes nobody else with it.
//!
//! What a panic leaves behind means nothing any more, as far as it is the room's own, and that is dropped. What the
//! room had begun on things that all rooms share is undone here, however far it had come: its routes, the sockets of
//! its outputs, the credentials of its members. A panic outside of rooms still ends the shard, and with it the node.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::{Shard, ShardEffect, ShardOutput};
use crate::ids::{ConnectionId, LocalSocket, MemberId};
use crate::logic::room::Room;
use crate::media::conference::{Conference, Surroundings};
use crate::protocol::reason::Reason;
use crate::protocol::server::{ServerFrame, ServerMessage};

impl Shard {
    /// Lets a room act on what is around it. `None` if it cannot go on: then it must be buried.
    pub(super) fn act<T>(
        &mut self,
        slot: usize,
        out: &mut ShardOutput,
        act: impl FnOnce(&mut Conference, &mut Surroundings<'_>) -> T,
    ) -> Option<T> {
        let conference = self.rooms.get_mut(slot)?;
        let mut around = Surroundings {
            transport: &self.transport,
            limits: &self.room_config.limits,
            switchboard: &mut self.switchboard,
            relay: &mut self.relay,
            rng: &mut self.rng,
            wall: &self.wall,
            counters: &mut self.counters,
            backlog: &self.backlog,
            admission: &mut self.admission,
            out,
        };
        #[cfg(test)]
        let fault = std::mem::take(&mut self.fault);
        let acting = || {
            let acted = act(conference, &mut around);
            #[cfg(test)]
            assert!(!fault, "on purpose");
            acted
        };
        catch_unwind(AssertUnwindSafe(acting)).ok()
    }

    /// Closes a room that panicked, for everyone in it. Whoever owned it owns it again.
    pub(super) fn bury(&mut self, now: Instant, slot: usize, out: &mut ShardOutput) {
        let Some(name) = self.name_of(slot) else {
            return;
        };
        let number = self.rooms.get(slot).map(|conference| conference.number);
        tracing::error!(
            room = number,
            "a room failed and is closed; the others go on"
        );
        self.counters.room_panics += 1;
        // As far as it still can: ends of recordings, goodbyes of connections and outputs.
        self.act(slot, out, |conference, around| {
            conference.close_all(now, around)
        });
        let members = self.hang_up(slot, out);
        if let Some(relay) = &mut self.relay {
            members.iter().for_each(|&member| relay.revoke(now, member));
        }
        self.switchboard.release_room(slot);
        self.close_sockets_of(slot, out);
        let room = self.rooms.remove(slot).map(|conference| conference.room);
        self.agenda.set(slot, None);
        self.by_name.remove(&name);
        // What they decided holds on: nobody else was let in meanwhile.
        if let Some(title) = room.as_ref().and_then(Room::title) {
            self.leave_title(now, &name, title, out);
        }
        out.effects.push(ShardEffect::RoomClosed { room: name });
    }

    /// Tells everyone on that room's WebSockets, and closes them. Returns who that was.
    fn hang_up(&mut self, slot: usize, out: &mut ShardOutput) -> Vec<MemberId> {
        let connections = self.connections.iter();
        let found = connections.filter(|(_, (room, _))| *room == slot);
        let found: Vec<(ConnectionId, MemberId)> = found
            .map(|(&connection, &(_, member))| (connection, member))
            .collect();
        let reason = Reason::Failed;
        for &(connection, _) in &found {
            self.connections.remove(&connection);
            let message = ServerMessage::Bye { reason };
            let frame = ServerFrame { seq: None, message };
            let effects = &mut out.effects;
            effects.push(ShardEffect::Send { connection, frame });
            effects.push(ShardEffect::Close { connection, reason });
        }
        found.into_iter().map(|(_, member)| member).collect()
    }

    fn close_sockets_of(&mut self, slot: usize, out: &mut ShardOutput) {
        for number in self.forwards.numbers_of(slot) {
            let socket = LocalSocket::output(number);
            if !out.closing.contains(&socket) {
                out.closing.push(socket);
            }
        }
    }

    fn name_of(&self, slot: usize) -> Option<String> {
        let mut names = self.by_name.iter();
        let found = names.find(|(_, other)| **other == slot);
        found.map(|(name, _)| name.clone())
    }
}

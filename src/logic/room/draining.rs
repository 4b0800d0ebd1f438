//! The node is about to stop: those in the room are told, and so is whoever comes meanwhile.

use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::event::Event;
use crate::protocol::server::ServerMessage;

use super::{Room, RoomEffect};

/// Until when the room may go on, once the node has said so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Draining(Option<Instant>);

impl Room {
    pub(super) fn drain(&mut self, now: Instant, until: Instant, out: &mut Vec<RoomEffect>) {
        self.draining = Draining(Some(until));
        let event = Event::new(message(now, until));
        self.roster.tell_all_but(None, &event, out);
    }

    /// Tells somebody who has just come in.
    pub(super) fn tell_of_draining(
        &mut self,
        now: Instant,
        member: MemberId,
        out: &mut Vec<RoomEffect>,
    ) {
        if let Draining(Some(until)) = self.draining
            && let Some(attendee) = self.roster.get_mut(member)
        {
            attendee.tell(message(now, until), out);
        }
    }
}

fn message(now: Instant, until: Instant) -> ServerMessage {
    let left = until.saturating_duration_since(now).as_millis();
    let seconds = u32::try_from(left.div_ceil(1_000)).unwrap_or(u32::MAX);
    ServerMessage::Draining { seconds }
}

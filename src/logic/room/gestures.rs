//! Hands and reactions.

use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::Reaction;
use crate::protocol::event::Event;
use crate::protocol::server::ServerMessage;

use super::{Refusal, Room, RoomEffect};

impl Room {
    /// A hand that is up already keeps its place among the others.
    pub(super) fn hand(&mut self, now: Instant, member: MemberId, raised: bool) {
        let up_since = self.roster.get(member).and_then(|member| member.hand_ms);
        let hand_ms = raised.then(|| up_since.unwrap_or(self.age_ms(now)));
        self.set_hand(member, hand_ms);
    }

    /// Sets since when a hand is up and tells everyone, its owner too: only the room knows when.
    pub(super) fn set_hand(&mut self, member: MemberId, hand_ms: Option<u64>) {
        if let Some(attendee) = self.roster.get_mut(member)
            && attendee.hand_ms != hand_ms
        {
            attendee.hand_ms = hand_ms;
            self.news.changed(member, true);
        }
    }

    pub(super) fn react(
        &mut self,
        now: Instant,
        from: MemberId,
        reaction: Reaction,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        let event = Event::new(ServerMessage::Reaction { from, reaction });
        self.talk.take(now, self.roster.len(), &event)?;
        self.tell_all(&event, out);
        Ok(())
    }
}

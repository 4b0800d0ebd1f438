//! Hands and reactions.

use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::Reaction;
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::ServerMessage;

use super::members::Attendee;
use super::{Refusal, Room, RoomEffect};

impl Room {
    /// A hand that is up already keeps its place among the others.
    pub(super) fn hand(
        &mut self,
        now: Instant,
        member: MemberId,
        raised: bool,
        out: &mut Vec<RoomEffect>,
    ) {
        let up_since = self.roster.get(member).and_then(|member| member.hand_ms);
        let hand_ms = raised.then(|| up_since.unwrap_or(self.age_ms(now)));
        self.set_hand(member, hand_ms, out);
    }

    /// Sets since when a hand is up and tells everyone, its owner too: only the room knows when.
    pub(super) fn set_hand(
        &mut self,
        member: MemberId,
        hand_ms: Option<u64>,
        out: &mut Vec<RoomEffect>,
    ) {
        if let Some(attendee) = self.roster.get_mut(member)
            && attendee.hand_ms != hand_ms
        {
            attendee.hand_ms = hand_ms;
            self.show_to_all(member, out);
        }
    }

    pub(super) fn react(
        &mut self,
        now: Instant,
        from: MemberId,
        reaction: Reaction,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        let attendee = self.roster.get_mut(from);
        if attendee.is_some_and(|attendee| !attendee.reactions.take(now)) {
            let message = "Too many reactions in a short time.";
            return Err(Refusal::new(ErrorCode::TooFast, message));
        }
        let message = ServerMessage::Reaction { from, reaction };
        self.roster.tell_all_but(None, &message, out);
        Ok(())
    }

    /// Tells everyone how a member is now, the member too: it was not (only) their own doing.
    pub(super) fn show_to_all(&mut self, member: MemberId, out: &mut Vec<RoomEffect>) {
        if let Some(seen) = self.roster.get(member).map(Attendee::as_seen) {
            let message = ServerMessage::Member { member: seen };
            self.roster.tell_all_but(None, &message, out);
        }
    }
}

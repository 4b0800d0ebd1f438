//! A room whose media is sent to other programs.

use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::Source;

use super::{Room, RoomEffect};

impl Room {
    /// Media of these is sent to other programs from now on, and travels over the node meanwhile.
    pub(super) fn be_forwarded(
        &mut self,
        now: Instant,
        members: Vec<MemberId>,
        out: &mut Vec<RoomEffect>,
    ) {
        if self.forwarded != members {
            self.forwarded = members;
            self.follow_taps(now, out);
        }
    }

    /// Whether a member sends that, to whomever.
    pub fn publishes(&self, member: MemberId, source: Source) -> bool {
        let attendee = self.roster.get(member);
        attendee.is_some_and(|attendee| attendee.published.contains_key(&source))
    }
}

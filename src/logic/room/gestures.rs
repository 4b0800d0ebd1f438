//! Hands and reactions.

use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::Reaction;

use super::{Refusal, Room, RoomEffect};

impl Room {
    pub(super) fn hand(
        &mut self,
        _now: Instant,
        _member: MemberId,
        _raised: bool,
        _out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    pub(super) fn react(
        &mut self,
        _now: Instant,
        _member: MemberId,
        _reaction: Reaction,
        _out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}

//! What a room's owner may do.

use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::ClientMessage;
use crate::protocol::reason::ErrorCode;

use super::{Refusal, Room, RoomEffect};

impl Room {
    /// Takes a message that only the owner may say.
    pub(super) fn moderate(
        &mut self,
        _now: Instant,
        _member: MemberId,
        _message: ClientMessage,
        _out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        let message = "Only the room's owner may do that.";
        Err(Refusal::new(ErrorCode::Forbidden, message))
    }
}

//! What members report about their paths.

use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::ClientMessage;

use super::{Refusal, Room, RoomEffect};

impl Room {
    /// Takes a `pair`, `unreachable` or `strain`.
    pub(super) fn report(
        &mut self,
        _now: Instant,
        _member: MemberId,
        _report: ClientMessage,
        _out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}

//! A lost WebSocket and its return.

use crate::protocol::server::ResumeTicket;

use super::Room;
use super::members::Attendee;

impl Room {
    /// What brings a member back.
    pub(super) fn ticket(&self, attendee: &Attendee) -> ResumeTicket {
        ResumeTicket {
            token: attendee.token.clone(),
            seconds: self.config.limits.resume_seconds,
        }
    }
}

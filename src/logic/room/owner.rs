//! Whose room it is.

use crate::ids::MemberId;
use crate::protocol::event::Event;
use crate::protocol::owner_key::OwnerKey;
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::{Knock, Role, ServerMessage};

use super::members::Attendee;
use super::{Refusal, Room, RoomEffect};

impl Room {
    /// The room, with the key that makes owners; without one it stays without an owner.
    pub fn owned_by(self, owner_key: Option<OwnerKey>) -> Room {
        Room { owner_key, ..self }
    }

    /// What makes owners; to be kept when the room is gone.
    pub fn owner_key(&self) -> Option<&OwnerKey> {
        self.owner_key.as_ref()
    }

    pub(super) fn role_for(&self, key: Option<&OwnerKey>) -> Role {
        match (&self.owner_key, key) {
            (Some(owners), Some(key)) if owners == key => Role::Owner,
            _ => Role::Guest,
        }
    }

    pub(super) fn has_owner(&self) -> bool {
        self.roster.iter().any(is_owner)
    }

    /// Tells the owners who waits.
    pub(super) fn tell_knocks(&mut self, out: &mut Vec<RoomEffect>) {
        let waiting = self.waiting.knocks();
        self.tell_owners(ServerMessage::Knocks { waiting }, out);
    }

    /// Tells the owners alone.
    pub(super) fn tell_owners(&mut self, message: ServerMessage, out: &mut Vec<RoomEffect>) {
        self.introduce(out);
        self.roster.tell_those(is_owner, &Event::new(message), out);
    }

    /// Who waits, as far as it is a member's business.
    pub(super) fn knocks_for(&self, member: MemberId) -> Vec<Knock> {
        match self.roster.get(member).is_some_and(is_owner) {
            true => self.waiting.knocks(),
            false => Vec::new(),
        }
    }

    /// A member whom an owner may send away or hold muted: not an owner.
    pub(super) fn subject(&mut self, member: MemberId) -> Result<&mut Attendee, Refusal> {
        let subject = self.roster.get_mut(member);
        let subject = subject.ok_or_else(|| Refusal::no_such_member(member))?;
        if is_owner(subject) {
            let message = "An owner of the room is not to be held or sent away.";
            return Err(Refusal::new(ErrorCode::Forbidden, message));
        }
        Ok(subject)
    }
}

fn is_owner(member: &Attendee) -> bool {
    member.role == Role::Owner
}

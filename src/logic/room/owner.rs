//! Whose room it is.

use crate::ids::MemberId;
use crate::logic::titles::{OwnerMark, Title};
use crate::protocol::event::Event;
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::{Knock, Role, Rules, ServerMessage};

use super::members::Attendee;
use super::{Refusal, Room, RoomEffect};

/// Whose a room is.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    owner: Option<OwnerMark>,
    /// Somebody was let in.
    was_entered: bool,
}

impl Ownership {
    /// Somebody is let in.
    pub(super) fn enter(&mut self) {
        self.was_entered = true;
    }
}

impl Room {
    /// The room, with the mark of the key that makes owners; without one it stays without an owner.
    pub fn owned_by(mut self, owner: Option<OwnerMark>) -> Room {
        self.ownership.owner = owner;
        self
    }

    /// The room, with what its owner decided before it was there.
    pub fn ruled_by(self, rules: Rules) -> Room {
        Room { rules, ..self }
    }

    /// Who owns the room, and what they decided.
    pub fn title(&self) -> Option<Title> {
        let owner = self.ownership.owner?;
        let rules = self.rules;
        Some(Title { owner, rules })
    }

    /// What of it outlives the room: what was decided is for those who were in it. Where nobody was let in, it
    /// has not been lived up yet.
    pub fn title_left(&self) -> Option<Title> {
        let title = self.title()?;
        let rules = match self.ownership.was_entered {
            true => Rules::default(),
            false => title.rules,
        };
        Some(Title { rules, ..title })
    }

    pub(super) fn role_for(&self, key: Option<OwnerMark>) -> Role {
        match (self.ownership.owner, key) {
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

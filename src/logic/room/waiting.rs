//! The way in, and those who wait for it.

use std::time::{Duration, Instant};

use crate::ids::MemberId;
use crate::logic::limits::Limits;
use crate::protocol::client::{ClientFrame, ClientMessage, RequestId};
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{Knock, Role, ServerMessage};

use super::members::Attendee;
use super::permissions::{self, Standing};
use super::{Refusal, Room, RoomEffect, acknowledge, answer};

/// Those who wait to be let in, in the order of their coming. At most `waiting`; more are refused.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Waiter>);

#[derive(Debug)]
struct Waiter {
    attendee: Attendee,
    since: Instant,
}

/// What becomes of a newcomer who is not refused.
enum Entry {
    Join,
    Wait,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn has(&self, member: MemberId) -> bool {
        self.get(member).is_some()
    }

    pub(super) fn knocks(&self) -> Vec<Knock> {
        let knock = |Waiter { attendee, .. }: &Waiter| Knock {
            member: attendee.id,
            name: attendee.name.clone(),
        };
        self.0.iter().map(knock).collect()
    }

    /// When somebody has waited for too long, or was silent for too long.
    pub(super) fn due(&self, limits: &Limits) -> Option<Instant> {
        self.0.iter().map(|waiter| waiter.ends(limits).0).min()
    }

    /// Those whose time is over, and why.
    fn over(&self, now: Instant, limits: &Limits) -> Vec<(MemberId, Reason)> {
        let end = |waiter: &Waiter| {
            let (at, reason) = waiter.ends(limits);
            (now >= at).then_some((waiter.attendee.id, reason))
        };
        self.0.iter().filter_map(end).collect()
    }

    fn get(&self, member: MemberId) -> Option<&Attendee> {
        let mut waiting = self.0.iter().map(|waiter| &waiter.attendee);
        waiting.find(|attendee| attendee.id == member)
    }

    fn get_mut(&mut self, member: MemberId) -> Option<&mut Attendee> {
        let mut waiting = self.0.iter_mut().map(|waiter| &mut waiter.attendee);
        waiting.find(|attendee| attendee.id == member)
    }

    fn take(&mut self, member: MemberId) -> Option<Attendee> {
        let is_meant = |waiter: &Waiter| waiter.attendee.id == member;
        let at = self.0.iter().position(is_meant)?;
        Some(self.0.remove(at).attendee)
    }
}

impl Waiter {
    fn ends(&self, limits: &Limits) -> (Instant, Reason) {
        let patience = Duration::from_secs(limits.waiting_seconds.into());
        let denied = (self.since + patience, Reason::Denied);
        let silent = (self.attendee.heard + limits.silence(), Reason::Silent);
        match denied.0 <= silent.0 {
            true => denied,
            false => silent,
        }
    }
}

impl Room {
    /// Whether somebody of that id waits to be let in.
    pub fn awaits(&self, member: MemberId) -> bool {
        self.waiting.has(member)
    }

    /// How many wait to be let in.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Someone stands at the door.
    pub(super) fn arrive(
        &mut self,
        now: Instant,
        newcomer: Attendee,
        id: Option<RequestId>,
        out: &mut Vec<RoomEffect>,
    ) {
        match self.entry(&newcomer) {
            Ok(Entry::Join) => self.join(now, newcomer, id, out),
            Ok(Entry::Wait) => self.wait(now, newcomer, id, out),
            Err(refusal) => out.push(refusal.to(newcomer.id, id)),
        }
    }

    fn entry(&self, newcomer: &Attendee) -> Result<Entry, Refusal> {
        let is_guest = newcomer.role == Role::Guest && !self.is_closed;
        if self.awaits(newcomer.id) {
            let message = "The member waits to be let in already.";
            return Err(Refusal::new(ErrorCode::Internal, message));
        }
        if is_guest && self.rules.locked {
            let message = "The room is locked: its owner lets nobody new in.";
            return Err(Refusal::new(ErrorCode::RoomLocked, message));
        }
        // Whoever could never be let in need not wait to hear it.
        let must_wait = self.rules.lobby || self.removed.knows(newcomer.pass.household());
        if is_guest && must_wait && self.topology.admits(0, newcomer.sfu_only) {
            return self.has_place_to_wait().map(|()| Entry::Wait);
        }
        match self.refuses(newcomer.id, newcomer.sfu_only) {
            None => Ok(Entry::Join),
            Some(refusal) => Err(refusal),
        }
    }

    fn has_place_to_wait(&self) -> Result<(), Refusal> {
        let is_free = self.waiting.len() < self.config.limits.waiting as usize;
        let full = || Refusal::new(ErrorCode::LobbyFull, "Too many wait to be let in already.");
        is_free.then_some(()).ok_or_else(full)
    }

    fn wait(
        &mut self,
        now: Instant,
        attendee: Attendee,
        id: Option<RequestId>,
        out: &mut Vec<RoomEffect>,
    ) {
        let you = attendee.id;
        let since = now;
        self.waiting.0.push(Waiter { attendee, since });
        // An owner who comes back finds them, and what was decided about the room.
        self.empty_since = None;
        out.push(answer(you, ServerMessage::Waiting { id, you }));
        self.tell_knocks(out);
    }

    /// Somebody who is not a member said something.
    pub(super) fn said_at_the_door(
        &mut self,
        now: Instant,
        member: MemberId,
        ClientFrame { id, message }: ClientFrame,
        out: &mut Vec<RoomEffect>,
    ) {
        let Some(attendee) = self.waiting.get_mut(member) else {
            return;
        };
        attendee.heard = now;
        if let Err(refused) = permissions::check(&message, Standing::Waiting) {
            out.push(Refusal::from(refused).to(member, id));
            if !attendee.errors.take(now) {
                self.turn_away(now, member, Reason::Misbehaved, out);
            }
        } else if let ClientMessage::Bye {} = message {
            out.extend(acknowledge(member, id));
            self.turn_away(now, member, Reason::Left, out);
        } else if let ClientMessage::Ping { .. } = message {
            out.push(answer(member, ServerMessage::Pong { id }));
        }
    }

    /// Says goodbye to somebody who waits.
    pub(super) fn turn_away(
        &mut self,
        now: Instant,
        member: MemberId,
        reason: Reason,
        out: &mut Vec<RoomEffect>,
    ) {
        if let Some(attendee) = self.waiting.get_mut(member) {
            attendee.tell(ServerMessage::Bye { reason }, out);
            out.push(RoomEffect::Disconnect { member, reason });
            self.stop_waiting(now, member, out);
        }
    }

    /// Forgets somebody who waits.
    pub(super) fn stop_waiting(
        &mut self,
        now: Instant,
        member: MemberId,
        out: &mut Vec<RoomEffect>,
    ) {
        if self.waiting.take(member).is_some() {
            self.note_if_empty(now);
            self.tell_knocks(out);
        }
    }

    pub(super) fn note_if_empty(&mut self, now: Instant) {
        if self.roster.len() == 0 && self.waiting.len() == 0 {
            self.empty_since.get_or_insert(now);
        }
    }

    /// Sends those away whose time at the door is over.
    pub(super) fn end_waits(&mut self, now: Instant, out: &mut Vec<RoomEffect>) {
        for (member, reason) in self.waiting.over(now, &self.config.limits) {
            self.turn_away(now, member, reason, out);
        }
    }

    /// The room closes: nobody waits any more.
    pub(super) fn close_the_door(&mut self, reason: Reason, out: &mut Vec<RoomEffect>) {
        for Waiter { mut attendee, .. } in std::mem::take(&mut self.waiting).0 {
            let member = attendee.id;
            attendee.tell(ServerMessage::Bye { reason }, out);
            out.push(RoomEffect::Disconnect { member, reason });
        }
    }

    /// Lets somebody in.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        member: MemberId,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        let attendee = self.waiting.get(member);
        let attendee = attendee.ok_or_else(|| Refusal::not_waiting(member))?;
        if let Some(refusal) = self.refuses(member, attendee.sfu_only) {
            return Err(refusal);
        }
        self.let_in(now, member, out);
        self.tell_knocks(out);
        Ok(())
    }

    pub(super) fn deny(
        &mut self,
        now: Instant,
        member: MemberId,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        if !self.awaits(member) {
            return Err(Refusal::not_waiting(member));
        }
        self.turn_away(now, member, Reason::Denied, out);
        Ok(())
    }

    /// Where nobody has to wait any more those who do come in, as long as there are places; but not those who
    /// come from where somebody was sent away.
    pub(super) fn admit_who_may(&mut self, now: Instant, out: &mut Vec<RoomEffect>) {
        let before = self.waiting.len();
        while !self.rules.lobby
            && !self.rules.locked
            && let Some(attendee) = self.first_who_may()
            && self.refuses(attendee.id, attendee.sfu_only).is_none()
        {
            self.let_in(now, attendee.id, out);
        }
        if self.waiting.len() < before {
            self.tell_knocks(out);
        }
    }

    fn first_who_may(&self) -> Option<&Attendee> {
        let mut waiting = self.waiting.0.iter().map(|waiter| &waiter.attendee);
        waiting.find(|attendee| !self.removed.knows(attendee.pass.household()))
    }

    fn let_in(&mut self, now: Instant, member: MemberId, out: &mut Vec<RoomEffect>) {
        if let Some(mut attendee) = self.waiting.take(member) {
            // The room's silence timer looks no further back than their coming.
            attendee.heard = now;
            self.join(now, attendee, None, out);
        }
    }
}

impl Refusal {
    fn not_waiting(member: MemberId) -> Refusal {
        let message = format!("{member} does not wait to be let in.");
        Refusal::new(ErrorCode::NoSuchMember, message)
    }
}

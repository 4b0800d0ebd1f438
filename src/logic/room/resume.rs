//! A lost WebSocket and its return.
//!
//! Who leaves says so. A WebSocket that ends otherwise was lost: the member's place and media stay,
//! and what they would have been told is kept, until they come back with their token or the grace
//! is over.

mod log;

use std::time::Instant;

use crate::ids::{ConnectionId, MemberId};
use crate::logic::limits::Limits;
use crate::protocol::client::RequestId;
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{MemberKind, Presence, ResumeTicket, ServerFrame, ServerMessage};

use super::members::{Attendee, Roster};
use super::{Room, RoomEffect, answer};
use log::{Log, Reach};

/// What a room knows about a member's WebSocket.
#[derive(Debug)]
pub(super) struct Line {
    /// For their next `resume`.
    token: String,
    /// What brought the present WebSocket, until that gives a sign of life: the answer, with the new
    /// token, may have been lost with it. From then on it is worth nothing to whoever has it.
    former: Option<String>,
    /// The client gave a sign of life since it was let in: it has the token.
    is_known_good: bool,
    lost: Option<Lost>,
    pub(super) log: Log,
}

/// A WebSocket that is waited for.
#[derive(Debug, Clone, Copy)]
struct Lost {
    until: Instant,
    /// Why they are gone if they do not come back.
    reason: Reason,
}

/// How a token proved good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Current,
    Former,
}

/// A WebSocket of nobody that said `resume`.
#[derive(Debug)]
pub(super) struct Comeback {
    pub(super) id: Option<RequestId>,
    pub(super) connection: ConnectionId,
    pub(super) token: String,
    pub(super) after: u64,
    /// The token for the next time.
    pub(super) next: String,
}

impl Line {
    /// Who takes part over HTTP never comes back over a WebSocket.
    pub(super) fn new(token: String, kind: MemberKind, limits: &Limits) -> Line {
        let is_kept = limits.resume_seconds > 0 && kind == MemberKind::Client;
        let bytes_max = if is_kept { limits.resume_log_bytes } else { 0 };
        Line {
            token,
            former: None,
            is_known_good: false,
            lost: None,
            log: Log::new(bytes_max as usize),
        }
    }

    /// The present WebSocket gave a sign of life: it, and the token it brought, arrived.
    pub(super) fn confirm(&mut self) {
        self.former = None;
        self.is_known_good = true;
    }

    fn recognise(&self, token: &str) -> Option<Proof> {
        let former = self.former.as_deref().unwrap_or_default();
        match (is_same(&self.token, token), is_same(former, token)) {
            (true, _) => Some(Proof::Current),
            (_, true) => Some(Proof::Former),
            _ => None,
        }
    }

    fn renew(&mut self, proof: Proof, next: String) {
        let replaced = std::mem::replace(&mut self.token, next);
        if proof == Proof::Current {
            self.former = Some(replaced);
        }
        self.lost = None;
    }
}

impl Roster {
    /// Whose token it is. Looks at everyone, so that the time says nothing about whom.
    fn bearer(&self, token: &str) -> Option<(MemberId, Proof)> {
        self.iter().fold(None, |found, attendee| {
            let proof = attendee.line.recognise(token);
            proof.map(|proof| (attendee.id, proof)).or(found)
        })
    }

    fn overdue(&self, now: Instant) -> Vec<(MemberId, Reason)> {
        let lost = |attendee: &Attendee| attendee.line.lost.map(|lost| (attendee.id, lost));
        let overdue = self
            .iter()
            .filter_map(lost)
            .filter(|(_, lost)| now >= lost.until);
        overdue
            .map(|(member, lost)| (member, lost.reason))
            .collect()
    }

    fn first_overdue(&self) -> Option<Instant> {
        let until = |attendee: &Attendee| attendee.line.lost.map(|lost| lost.until);
        self.iter().filter_map(until).min()
    }
}

impl Room {
    /// How many members' WebSockets are waited for.
    pub fn reconnecting(&self) -> usize {
        let is_lost = |attendee: &&Attendee| attendee.line.lost.is_some();
        self.roster.iter().filter(is_lost).count()
    }

    /// What brings a member back.
    pub(super) fn ticket(&self, attendee: &Attendee) -> ResumeTicket {
        ResumeTicket {
            token: attendee.line.token.clone(),
            seconds: self.config.limits.resume_seconds,
        }
    }

    /// A member's WebSocket is gone.
    pub(super) fn gone(
        &mut self,
        now: Instant,
        member: MemberId,
        reason: Reason,
        out: &mut Vec<RoomEffect>,
    ) {
        match reason {
            Reason::Lost | Reason::Silent | Reason::Slow => self.lose(now, member, reason, out),
            _ => self.leave(now, member, reason, out),
        }
    }

    fn lose(&mut self, now: Instant, member: MemberId, reason: Reason, out: &mut Vec<RoomEffect>) {
        let grace = self.config.limits.grace();
        let Some(attendee) = self.roster.get_mut(member).filter(|one| one.is_here()) else {
            return;
        };
        // Who never said anything has nothing to come back to, nor perhaps the token.
        if grace.is_zero() || !attendee.line.is_known_good {
            return self.leave(now, member, reason, out);
        }
        let until = now + grace;
        attendee.presence = Presence::Reconnecting;
        attendee.line.lost = Some(Lost { until, reason });
        self.grace_due.get_or_insert(until);
        self.show(member);
    }

    pub(super) fn alive(&mut self, now: Instant, member: MemberId) {
        if let Some(attendee) = self.roster.get_mut(member) {
            attendee.heard = now;
            attendee.line.confirm();
        }
    }

    /// What the client has need not be kept.
    pub(super) fn acknowledge(&mut self, member: MemberId, after: Option<u64>) {
        if let (Some(attendee), Some(after)) = (self.roster.get_mut(member), after) {
            attendee.line.log.acknowledge(after);
        }
    }

    /// Nothing was heard of them for too long: their WebSockets are closed, and waited for.
    pub(super) fn hang_up_on_the_silent(&mut self, now: Instant, out: &mut Vec<RoomEffect>) {
        let silence = self.config.limits.silence();
        for member in self.roster.silent_since(now, silence) {
            if let Some(attendee) = self.roster.get(member) {
                attendee.hang_up(Reason::Silent, out);
            }
            self.lose(now, member, Reason::Silent, out);
        }
        self.silence_due = self.roster.first_heard().map(|heard| heard + silence);
    }

    /// Those who were waited for and did not come back are gone.
    pub(super) fn give_up_on_the_lost(&mut self, now: Instant, out: &mut Vec<RoomEffect>) {
        for (member, reason) in self.roster.overdue(now) {
            self.leave(now, member, reason, out);
        }
        self.grace_due = self.roster.first_overdue();
    }

    pub(super) fn resume(&mut self, now: Instant, comeback: Comeback, out: &mut Vec<RoomEffect>) {
        let is_possible = !self.config.limits.grace().is_zero();
        let bearer = self.roster.bearer(&comeback.token).filter(|_| is_possible);
        let Some((member, proof)) = bearer else {
            return out.push(refusal(&comeback));
        };
        let reach = self
            .roster
            .get(member)
            .map(|one| one.line.log.reach(comeback.after));
        match reach {
            Some(Reach::Kept) => self.go_on(now, member, proof, comeback, out),
            Some(Reach::Forgotten) => {
                self.end_what_cannot_go_on(now, member, proof, out);
                out.push(refusal(&comeback));
            }
            Some(Reach::Unsent) | None => out.push(refusal(&comeback)),
        }
    }

    fn go_on(
        &mut self,
        now: Instant,
        member: MemberId,
        proof: Proof,
        comeback: Comeback,
        out: &mut Vec<RoomEffect>,
    ) {
        let Some(attendee) = self.roster.get_mut(member) else {
            return;
        };
        attendee.hang_up(Reason::Replaced, out);
        let was_lost = !attendee.is_here();
        attendee.presence = Presence::Here;
        attendee.heard = now;
        attendee.line.renew(proof, comeback.next);
        attendee.line.log.acknowledge(comeback.after);
        let connection = comeback.connection;
        out.push(RoomEffect::Attach { member, connection });
        self.replay(member, comeback.id, out);
        self.silence_due
            .get_or_insert(now + self.config.limits.silence());
        if was_lost {
            self.reseat_one(member, false, out);
            self.show(member);
        }
    }

    /// Says `resumed`, and everything that was missed.
    fn replay(&self, member: MemberId, id: Option<RequestId>, out: &mut Vec<RoomEffect>) {
        let Some(attendee) = self.roster.get(member) else {
            return;
        };
        let resumed = ServerMessage::Resumed {
            id,
            resume: self.ticket(attendee),
            ice_servers: self.config.ice_servers.clone(),
        };
        out.push(answer(member, resumed));
        out.extend(attendee.missed());
    }

    /// The client has to join anew, and would meet itself. A former token, which may be another's by
    /// now, ends nobody who is here.
    fn end_what_cannot_go_on(
        &mut self,
        now: Instant,
        member: MemberId,
        proof: Proof,
        out: &mut Vec<RoomEffect>,
    ) {
        let Some(attendee) = self.roster.get(member) else {
            return;
        };
        let lost = attendee.line.lost;
        if proof == Proof::Current || lost.is_some() {
            attendee.hang_up(Reason::Replaced, out);
            let reason = lost.map_or(Reason::Lost, |lost| lost.reason);
            self.leave(now, member, reason, out);
        }
    }
}

/// Says nothing about what was wrong: that is nobody's business who guesses.
fn refusal(comeback: &Comeback) -> RoomEffect {
    let message = ServerMessage::Error {
        id: comeback.id,
        code: ErrorCode::ResumeFailed,
        message: "That place is not kept, or not for this token; join instead.".into(),
    };
    RoomEffect::Refuse {
        connection: comeback.connection,
        frame: ServerFrame { seq: None, message },
    }
}

/// Takes the same time wherever the difference is. No token is empty.
fn is_same(token: &str, other: &str) -> bool {
    let pairs = token.bytes().zip(other.bytes());
    let difference = pairs.fold(0, |difference, (a, b)| difference | (a ^ b));
    !token.is_empty() && token.len() == other.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn tokens_are_the_same_or_not() {
        for (token, other, expected) in [
            ("abc", "abc", true),
            ("abc", "abd", false),
            ("abc", "ab", false),
            ("abc", "abcd", false),
            ("abc", "", false),
            ("", "", false),
        ] {
            assert_eq!(is_same(token, other), expected, "{token} {other}");
        }
    }
}

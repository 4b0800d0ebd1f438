//! A room: its members, what they send and see, what they say, and how their media travels.
//!
//! Pure: words of members and facts about media come in, words and orders for media go out.

mod chat;
mod draining;
mod forwards;
mod gestures;
mod holds;
mod media;
mod members;
mod moderation;
mod news;
mod owner;
mod paths;
pub mod permissions;
mod quota;
mod recording;
mod removed;
mod resume;
mod signal;
mod tray;
mod waiting;
mod watch;
mod words;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::ids::MemberId;
use crate::logic::household::Household;
use crate::logic::limits::Limits;
use crate::logic::topology::{Tally, Topology, TopologyConfig, TopologyEffect, TopologyInput};
use crate::protocol::client::{ClientFrame, ClientMessage, Epoch, RequestId};
use crate::protocol::event::Event;
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{
    IceServer, Mode, RecordingSign, ResumeTicket, Rules, ServerFrame, ServerMessage,
};

use chat::History;
use draining::Draining;
use members::{Attendee, Roster};
use news::{Change, News};
use owner::Ownership;
use permissions::{NotAllowed, Standing};
use quota::Talk;
pub use recording::RecordingScope;
use removed::Removed;
use resume::Comeback;
use waiting::Waiting;
pub use watch::{RoomEvent, Watch};
pub use words::{MediaFact, MediaOrder, Newcomer, RoomEffect, RoomInput, SeatOrder};

/// What all rooms of a node have in common.
#[derive(Debug, Clone, Default)]
pub struct RoomConfig {
    /// What it takes and holds.
    pub limits: Limits,
    /// Mesh or SFU.
    pub topology: TopologyConfig,
    /// Handed out in `joined`.
    pub ice_servers: Vec<IceServer>,
}

/// Who made a room; decides how long it stays while empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The first member: it stays for `empty_room_seconds`.
    Join,
    /// REST: it stays for `reserved_room_seconds`.
    Rest,
}

/// One room.
#[derive(Debug)]
pub struct Room {
    name: String,
    origin: Origin,
    config: Arc<RoomConfig>,
    created: Instant,
    /// Since when nobody is here, or waits to be.
    empty_since: Option<Instant>,
    /// Nobody is silent before; asking earlier than needed costs less than looking every time.
    silence_due: Option<Instant>,
    /// Nobody's place is given up before.
    grace_due: Option<Instant>,
    is_closed: bool,
    topology: Topology,
    ownership: Ownership,
    rules: Rules,
    tally: Tally,
    roster: Roster,
    waiting: Waiting,
    removed: Removed,
    /// What changed about members and is not told yet.
    news: News,
    /// What is left for chat and reactions.
    talk: Talk,
    history: History,
    speakers: Vec<MemberId>,
    recording: Option<RecordingSign>,
    draining: Draining,
    is_forwarded: bool,
    /// A program around the node listens.
    is_tapped: bool,
}

impl Room {
    /// An empty room of that (checked) name.
    pub fn new(now: Instant, name: String, origin: Origin, config: Arc<RoomConfig>) -> Room {
        Room {
            name,
            origin,
            created: now,
            empty_since: Some(now),
            silence_due: None,
            grace_due: None,
            is_closed: false,
            topology: Topology::new(now, config.topology),
            ownership: Ownership::default(),
            rules: Rules::default(),
            tally: Tally::default(),
            roster: Roster::default(),
            waiting: Waiting::default(),
            removed: Removed::default(),
            news: News::new(now, &config.limits),
            talk: Talk::new(now, &config.limits),
            history: History::default(),
            speakers: Vec::new(),
            recording: None,
            draining: Draining::default(),
            is_forwarded: false,
            is_tapped: false,
            config,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: RoomInput, out: &mut Vec<RoomEffect>) {
        self.take_in(now, input, out);
        self.tell_news(now, out);
    }

    fn take_in(&mut self, now: Instant, input: RoomInput, out: &mut Vec<RoomEffect>) {
        match input {
            RoomInput::Join {
                member,
                newcomer,
                token,
                id,
            } => {
                let role = self.role_for(newcomer.owner_key);
                let limits = &self.config.limits;
                let mut attendee = Attendee::new(now, member, newcomer, token, limits);
                attendee.role = role;
                self.arrive(now, attendee, id, out);
            }
            RoomInput::Said { member, frame } => self.said(now, member, frame, out),
            RoomInput::Resume {
                id,
                connection,
                token,
                after,
                next,
            } => {
                let comeback = Comeback {
                    id,
                    connection,
                    token,
                    after,
                    next,
                };
                self.resume(now, comeback, out);
            }
            RoomInput::Alive { member } => self.alive(now, member),
            RoomInput::Gone { member, .. } if self.awaits(member) => {
                self.stop_waiting(now, member, out);
            }
            RoomInput::Gone { member, reason } => self.gone(now, member, reason, out),
            RoomInput::Media(fact) => self.learn(now, fact, out),
            RoomInput::Recording { sign, ended } => self.be_recorded(now, sign, ended, out),
            RoomInput::Forwarded { sources } => self.be_forwarded(now, &sources, out),
            RoomInput::RecordingThinned(thinned) => self.be_thinned(thinned, out),
            RoomInput::Tapped { active } => self.be_tapped(now, active, out),
            RoomInput::Drain { until } => self.drain(now, until, out),
            RoomInput::Close { reason } => self.close(now, reason, out),
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<RoomEffect>) {
        if self.silence_due.is_some_and(|due| now >= due) {
            self.hang_up_on_the_silent(now, out);
        }
        if self.grace_due.is_some_and(|due| now >= due) {
            self.give_up_on_the_lost(now, out);
        }
        self.end_waits(now, out);
        let mut effects = Vec::new();
        self.topology.handle_timeout(now, &mut effects);
        self.announce(now, effects, None, out);
        self.tell_news(now, out);
    }

    /// When [`Room::handle_timeout`] is to be called next, and why. For a room that
    /// [is over](Room::is_over) the time is past.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let empty = self.empty_since.map(|since| since + self.linger());
        let waiting = self.waiting.due(&self.config.limits);
        let limits = &self.config.limits;
        let news = self.news.poll_timeout(self.roster.len(), limits);
        let causes = [
            news.map(|at| (at, "something is to be told of the members")),
            self.silence_due.map(|at| (at, "a member may be silent")),
            self.grace_due
                .map(|at| (at, "a lost WebSocket is not back")),
            empty.map(|at| (at, "the room is empty")),
            waiting.map(|at| (at, "somebody may have waited for too long")),
            self.topology.poll_timeout(),
        ];
        causes.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The room is closed, or was empty for long enough: it can be dropped.
    pub fn is_over(&self, now: Instant) -> bool {
        let is_due = |since: Instant| now >= since + self.linger();
        self.is_closed || self.empty_since.is_some_and(is_due)
    }

    /// Whether somebody of that id is in the room.
    pub fn has(&self, member: MemberId) -> bool {
        self.roster.get(member).is_some()
    }

    /// From where a member comes.
    pub fn household_of(&self, member: MemberId) -> Household {
        let attendee = self.roster.get(member);
        attendee.map_or_else(Household::default, |attendee| attendee.pass.household())
    }

    /// How many are in the room, those whose WebSockets are waited for included.
    pub fn members(&self) -> usize {
        self.roster.len()
    }

    /// The room's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How media travels now, or where it is going.
    pub fn mode(&self) -> Mode {
        self.topology.view().mode
    }

    /// The room as REST shows it: `{name, mode, epoch, switching, why, exceptions, ageMs, locked,
    /// lobby, ownerPresent, waiting, members, recording}`, an exception as `{members: [a, b], path, reason}`,
    /// `waiting` as a number, the members as in `joined`.
    pub fn describe(&self, now: Instant) -> serde_json::Value {
        let topology = self.topology.view();
        json!({
            "name": self.name,
            "mode": topology.mode,
            "epoch": topology.epoch,
            "switching": topology.switching,
            "why": topology.why,
            "exceptions": self.describe_exceptions(),
            "ageMs": self.age_ms(now),
            "locked": self.rules.locked,
            "lobby": self.rules.lobby,
            "ownerPresent": self.has_owner(),
            "waiting": self.waiting.len(),
            "members": self.roster.list(),
            "recording": self.recording,
        })
    }

    /// How long the room has been, in milliseconds.
    pub fn age_ms(&self, now: Instant) -> u64 {
        let age = now.saturating_duration_since(self.created);
        u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
    }

    fn linger(&self) -> Duration {
        let limits = &self.config.limits;
        let seconds = match self.origin {
            Origin::Join => limits.empty_room_seconds,
            Origin::Rest => limits.reserved_room_seconds,
        };
        Duration::from_secs(seconds.into())
    }

    fn refuses(&self, member: MemberId, sfu_only: bool) -> Option<Refusal> {
        let members = self.roster.len();
        if self.is_closed {
            Some(Refusal::new(ErrorCode::RoomClosed, "The room was closed."))
        } else if self.has(member) {
            Some(Refusal::new(
                ErrorCode::Internal,
                "The member is in the room already.",
            ))
        } else if members >= self.config.limits.room_members as usize {
            Some(Refusal::new(ErrorCode::RoomFull, "The room is full."))
        } else if self.topology.admits(members, sfu_only) {
            None
        } else if sfu_only {
            let message = "Media travels between the members here, never over the node.";
            Some(Refusal::new(ErrorCode::Limit, message))
        } else {
            Some(Refusal::new(ErrorCode::RoomFull, "The room is full."))
        }
    }

    fn join(
        &mut self,
        now: Instant,
        attendee: Attendee,
        id: Option<RequestId>,
        out: &mut Vec<RoomEffect>,
    ) {
        let (member, sfu_only) = (attendee.id, attendee.sfu_only);
        let mut effects = Vec::new();
        let input = TopologyInput::Joined { member, sfu_only };
        self.topology.handle(now, input, &mut effects);
        let resume = self.ticket(&attendee);
        self.roster.push(attendee);
        self.ownership.enter();
        self.empty_since = None;
        self.silence_due
            .get_or_insert(now + self.config.limits.silence());
        out.push(answer(member, self.joined(member, resume, id)));
        self.tell_of_draining(now, member, out);
        // First where the room moves, or everybody would begin a direct path that is not to be.
        self.announce(now, effects, Some(member), out);
        let arrival = self.news.came(member);
        if let Some(attendee) = self.roster.get_mut(member) {
            attendee.arrival = arrival;
        }
    }

    fn joined(&self, you: MemberId, resume: ResumeTicket, id: Option<RequestId>) -> ServerMessage {
        ServerMessage::Joined {
            id,
            you,
            resume,
            rules: self.rules,
            waiting: self.knocks_for(you),
            members: self.roster.list(),
            topology: self.topology.view(),
            exceptions: self.topology.exceptions(you).to_vec(),
            ice_servers: self.config.ice_servers.clone(),
            limits: self.config.limits.for_client(),
            history: self.history.lines(),
            recording: self.recording_for(you),
        }
    }

    fn said(
        &mut self,
        now: Instant,
        member: MemberId,
        frame: ClientFrame,
        out: &mut Vec<RoomEffect>,
    ) {
        let Some(attendee) = self.roster.get_mut(member) else {
            return self.said_at_the_door(now, member, frame, out);
        };
        attendee.heard = now;
        attendee.line.confirm();
        let ClientFrame { id, message } = frame;
        let standing = Standing::Inside(attendee.role);
        let allowed = permissions::check(&message, standing).map_err(Refusal::from);
        let allowed = allowed.and_then(|()| attendee.spend(now, &message));
        let done = allowed.and_then(|()| self.carry_out(now, member, id, message, out));
        // What came of it is told before it is said to be done.
        self.tell_news(now, out);
        match done {
            Ok(Answered::Yes) => {}
            Ok(Answered::NotYet) => out.extend(acknowledge(member, id)),
            Err(refusal) => self.refuse(now, member, id, refusal, out),
        }
    }

    fn carry_out(
        &mut self,
        now: Instant,
        member: MemberId,
        id: Option<RequestId>,
        message: ClientMessage,
        out: &mut Vec<RoomEffect>,
    ) -> Result<Answered, Refusal> {
        match message {
            // Not open to members.
            ClientMessage::Join { .. } | ClientMessage::Resume { .. } => {}
            ClientMessage::Signal { to, epoch, signal } => {
                self.signal(now, (member, to), epoch, signal, out)?;
            }
            ClientMessage::Offer { sdp, epoch, fresh } => {
                out.push(RoomEffect::Media(
                    self.check_offer(member, id, sdp, epoch, fresh)?,
                ));
                return Ok(Answered::Yes);
            }
            ClientMessage::Publish {
                source,
                mid,
                stream,
                muted,
            } => {
                let publication = members::Publication { mid, stream, muted };
                self.publish(member, source, publication, out)?;
            }
            ClientMessage::Mute { source, muted } => self.mute(member, source, muted, out)?,
            ClientMessage::Unpublish { source } => self.unpublish(member, source, out),
            ClientMessage::View { wants } => self.view(member, wants, out)?,
            ClientMessage::Ready { epoch } => self.ready(now, member, epoch, out)?,
            ClientMessage::Pair { .. }
            | ClientMessage::Unreachable { .. }
            | ClientMessage::Strain { .. } => self.report(now, member, message, out)?,
            ClientMessage::Hand { raised } => self.hand(now, member, raised),
            ClientMessage::React { reaction } => self.react(now, member, reaction, out)?,
            ClientMessage::Silence { .. }
            | ClientMessage::LowerHand { .. }
            | ClientMessage::Remove { .. }
            | ClientMessage::Lock { .. }
            | ClientMessage::Lobby { .. }
            | ClientMessage::Admit { .. }
            | ClientMessage::Deny { .. } => self.moderate(now, message, out)?,
            ClientMessage::Record { active } => {
                let order = MediaOrder::Record { member, id, active };
                out.push(RoomEffect::Media(order));
                if active {
                    return Ok(Answered::Yes);
                }
            }
            ClientMessage::End {} => {
                out.extend(acknowledge(member, id));
                self.close(now, Reason::RoomClosed, out);
                return Ok(Answered::Yes);
            }
            ClientMessage::Chat { text } => self.chat(now, member, text, out)?,
            ClientMessage::Ping { after } => {
                self.acknowledge(member, after);
                out.push(answer(member, ServerMessage::Pong { id }));
                return Ok(Answered::Yes);
            }
            ClientMessage::Bye {} => {
                out.extend(acknowledge(member, id));
                self.send_away(now, member, Reason::Left, out);
                return Ok(Answered::Yes);
            }
        }
        Ok(Answered::NotYet)
    }

    fn ready(
        &mut self,
        now: Instant,
        member: MemberId,
        epoch: Epoch,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        if epoch != self.topology.epoch() {
            return Err(Refusal::stale());
        }
        let mut effects = Vec::new();
        let input = TopologyInput::Ready { member, epoch };
        self.topology.handle(now, input, &mut effects);
        self.announce(now, effects, None, out);
        Ok(())
    }

    /// Tells what became of the topology, if anything, and seats everyone accordingly.
    fn announce(
        &mut self,
        now: Instant,
        effects: Vec<TopologyEffect>,
        except: Option<MemberId>,
        out: &mut Vec<RoomEffect>,
    ) {
        if effects.is_empty() {
            return;
        }
        self.settle_news(out);
        for effect in effects {
            self.tally.count(&effect);
            let (to, message) = in_words(now, effect);
            let event = Event::new(message);
            match to {
                Some(member) => self
                    .roster
                    .tell_those(|other| other.id == member, &event, out),
                None => self.roster.tell_all_but(except, &event, out),
            }
        }
        self.news.reseat_everyone();
    }

    /// Tells an event to everyone.
    fn tell_all(&mut self, event: &Arc<Event>, out: &mut Vec<RoomEffect>) {
        self.introduce(out);
        self.roster.tell_all_but(None, event, out);
    }

    /// Tells what changed about members, if it is time, and seats those whom it concerns.
    fn tell_news(&mut self, now: Instant, out: &mut Vec<RoomEffect>) {
        let members = self.roster.len();
        if self.news.is_due(now, members, &self.config.limits) {
            self.settle_news(out);
        }
        let limits = &self.config.limits;
        let whose = self.news.take_seats(now, members, limits);
        self.reseat(&whose, out);
        self.news.pay(now);
    }

    /// Who is not known to the others is, before these hear of them.
    fn introduce(&mut self, out: &mut Vec<RoomEffect>) {
        if self.news.has_newcomers() {
            self.settle_news(out);
        }
    }

    /// Tells what changed about members.
    fn settle_news(&mut self, out: &mut Vec<RoomEffect>) {
        for change in self.news.take() {
            let event = match change {
                Change::Left {
                    member,
                    reason,
                    known_to,
                } => {
                    let event = Event::new(ServerMessage::Left { member, reason });
                    let knows = |other: &Attendee| known_to.contains(&other.arrival);
                    self.roster.tell_those(knows, &event, out);
                    event
                }
                Change::Seen {
                    member, by_others, ..
                } => {
                    let Some(attendee) = self.roster.get(member) else {
                        continue;
                    };
                    let seen = attendee.as_seen();
                    let event = Event::new(ServerMessage::Member { member: seen });
                    let except = (!by_others).then_some(member);
                    self.roster.tell_all_but(except, &event, out);
                    event
                }
            };
            self.news.told(self.roster.len(), event.text_bytes());
        }
    }

    fn refuse(
        &mut self,
        now: Instant,
        member: MemberId,
        id: Option<RequestId>,
        refusal: Refusal,
        out: &mut Vec<RoomEffect>,
    ) {
        let is_fault = refusal.is_fault();
        out.push(refusal.to(member, id));
        if let Some(attendee) = self.roster.get_mut(member)
            && is_fault
            && !attendee.errors.take(now)
        {
            self.send_away(now, member, Reason::Misbehaved, out);
        }
    }

    fn send_away(
        &mut self,
        now: Instant,
        member: MemberId,
        reason: Reason,
        out: &mut Vec<RoomEffect>,
    ) {
        if let Some(attendee) = self.roster.get_mut(member) {
            attendee.tell(ServerMessage::Bye { reason }, out);
            out.push(RoomEffect::Disconnect { member, reason });
            self.leave(now, member, reason, out);
        }
    }

    fn leave(&mut self, now: Instant, member: MemberId, reason: Reason, out: &mut Vec<RoomEffect>) {
        if !self.roster.remove(member) {
            return;
        }
        out.push(RoomEffect::Media(MediaOrder::ClosePeer { member }));
        self.news.left(member, reason);
        self.news.reseat_viewers_of(member);
        if self.roster.len() == 0 {
            (self.silence_due, self.grace_due) = (None, None);
            self.note_if_empty(now);
        }
        let mut effects = Vec::new();
        self.topology
            .handle(now, TopologyInput::Left { member }, &mut effects);
        self.announce(now, effects, None, out);
        self.admit_who_may(now, out);
    }

    fn close(&mut self, now: Instant, reason: Reason, out: &mut Vec<RoomEffect>) {
        for mut attendee in std::mem::take(&mut self.roster).into_attendees() {
            let member = attendee.id;
            attendee.tell(ServerMessage::Bye { reason }, out);
            out.push(RoomEffect::Disconnect { member, reason });
            out.push(RoomEffect::Media(MediaOrder::ClosePeer { member }));
        }
        self.close_the_door(reason, out);
        self.news = News::new(now, &self.config.limits);
        self.is_closed = true;
        (self.silence_due, self.grace_due) = (None, None);
        self.empty_since.get_or_insert(now);
        self.topology = Topology::new(now, self.config.topology);
    }
}

/// Whether a request was answered, or will be once the media side has done its part.
enum Answered {
    Yes,
    NotYet,
}

/// Why a request was not carried out.
#[derive(Debug)]
struct Refusal {
    code: ErrorCode,
    message: String,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        let message = message.into();
        Refusal { code, message }
    }

    fn stale() -> Refusal {
        Refusal::new(ErrorCode::StaleEpoch, "That epoch is over.")
    }

    fn no_such_member(member: MemberId) -> Refusal {
        Refusal::new(
            ErrorCode::NoSuchMember,
            format!("{member} is not in the room."),
        )
    }

    /// Whether it counts against the client. What crosses a change on the wire does not, nor do
    /// eager fingers.
    fn is_fault(&self) -> bool {
        !matches!(
            self.code,
            ErrorCode::StaleEpoch
                | ErrorCode::NoSuchMember
                | ErrorCode::TooFast
                | ErrorCode::Internal
        )
    }

    fn to(self, member: MemberId, id: Option<RequestId>) -> RoomEffect {
        let Refusal { code, message } = self;
        answer(member, ServerMessage::Error { id, code, message })
    }
}

impl From<NotAllowed> for Refusal {
    fn from(NotAllowed { code, message }: NotAllowed) -> Refusal {
        Refusal::new(code, message)
    }
}

/// An answer has no place in the sequence of events.
fn answer(to: MemberId, message: ServerMessage) -> RoomEffect {
    let frame = ServerFrame { seq: None, message };
    RoomEffect::Send { to, frame }
}

fn acknowledge(to: MemberId, id: Option<RequestId>) -> Option<RoomEffect> {
    id.map(|id| answer(to, ServerMessage::Ok { id }))
}

/// For one member, or for everyone.
fn in_words(now: Instant, effect: TopologyEffect) -> (Option<MemberId>, ServerMessage) {
    let message = match effect {
        TopologyEffect::Switch {
            mode,
            epoch,
            deadline,
            why,
        } => {
            let left = deadline.saturating_duration_since(now).as_millis();
            let deadline_ms = u32::try_from(left).unwrap_or(u32::MAX);
            ServerMessage::Switch {
                mode,
                epoch,
                deadline_ms,
                why,
            }
        }
        TopologyEffect::Commit {
            mode,
            epoch,
            why,
            missing,
        } => ServerMessage::Commit {
            mode,
            epoch,
            why,
            missing,
        },
        TopologyEffect::Rollback {
            mode,
            epoch,
            missing,
        } => ServerMessage::Rollback {
            mode,
            epoch,
            missing,
        },
        TopologyEffect::Paths {
            member,
            epoch,
            exceptions,
        } => return (Some(member), ServerMessage::Paths { epoch, exceptions }),
    };
    (None, message)
}

#[cfg(test)]
mod tests;

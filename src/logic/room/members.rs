//! Who is in a room, and what the room knows about each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ids::MemberId;
use crate::logic::household::Pass;
use crate::logic::limits::{Bucket, Limits};
use crate::protocol::client::{ClientMessage, Feed, Source, Want};
use crate::protocol::event::Event;
use crate::protocol::reason::Reason;
use crate::protocol::server::{
    Member, MemberKind, Presence, Published, Reach, Role, ServerMessage,
};

use super::holds::Holds;
use super::quota::Quota;
use super::resume::Line;
use super::signal::Pair;
use super::tray::Tray;
use super::{Newcomer, Refusal, RoomEffect, SeatOrder, answer};

/// Everyone in a room, in the order of their coming. At most `room_members`; more are refused.
#[derive(Debug, Default)]
pub(super) struct Roster(Vec<Attendee>);

/// A member.
#[derive(Debug)]
pub(super) struct Attendee {
    pub(super) id: MemberId,
    pub(super) name: String,
    pub(super) kind: MemberKind,
    pub(super) role: Role,
    pub(super) sfu_only: bool,
    /// Counts them for their household.
    pub(super) pass: Pass,
    pub(super) published: BTreeMap<Source, Publication>,
    /// What the owner holds muted.
    pub(super) silenced: Holds,
    /// What is sent to other programs.
    pub(super) forwarded: BTreeSet<Source>,
    /// Since when their hand is up, in milliseconds of the room's age.
    pub(super) hand_ms: Option<u64>,
    pub(super) presence: Presence,
    pub(super) node: Reach,
    /// Which of all arrivals theirs was.
    pub(super) arrival: u64,
    /// Their WebSocket: what brings it back, and what it may have missed.
    pub(super) line: Line,
    /// When something was last heard of the client.
    pub(super) heard: Instant,
    /// What is left of the room's patience.
    pub(super) errors: Bucket,
    /// What is left of their offers.
    pub(super) offers: Bucket,
    /// What is left of their share, by what they say.
    pub(super) quota: Quota,
    /// What they send to single others.
    pub(super) pairs: BTreeMap<MemberId, Pair>,
    /// What single others sent them.
    pub(super) tray: Tray,
    /// What they want to see; `None`: everyone.
    pub(super) view: Option<Vec<Want>>,
    /// Their connection to the node, once it was answered.
    pub(super) peer: Option<Peer>,
    /// Who sits on their seats, as was told.
    pub(super) plan: Vec<Option<SeatOrder>>,
}

/// A member's connection to the node, as far as a room cares.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) seats: usize,
    /// Seats among them without m-lines.
    pub(super) stopped: Vec<usize>,
}

/// A source that a member sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Publication {
    pub(super) mid: Option<String>,
    pub(super) stream: Option<String>,
    pub(super) muted: bool,
}

impl Attendee {
    pub(super) fn new(
        now: Instant,
        id: MemberId,
        newcomer: Newcomer,
        token: String,
        limits: &Limits,
    ) -> Attendee {
        Attendee {
            id,
            name: newcomer.name,
            kind: newcomer.kind,
            role: Role::Guest,
            sfu_only: newcomer.sfu_only,
            pass: newcomer.pass,
            published: BTreeMap::new(),
            silenced: Holds::default(),
            forwarded: BTreeSet::new(),
            hand_ms: None,
            presence: Presence::Here,
            node: Reach::Unknown,
            arrival: 0,
            line: Line::new(token, newcomer.kind, limits),
            heard: now,
            errors: limits.error_bucket(now),
            offers: limits.offer_bucket(now),
            quota: Quota::new(now, limits),
            pairs: BTreeMap::new(),
            tray: Tray::default(),
            view: None,
            peer: None,
            plan: Vec::new(),
        }
    }

    /// The member as others see them.
    pub(super) fn as_seen(&self) -> Member {
        let published = self
            .published
            .iter()
            .map(|(&source, publication)| Published {
                source,
                stream: publication.stream.clone(),
                muted: publication.muted,
            });
        Member {
            id: self.id,
            name: self.name.clone(),
            kind: self.kind,
            role: self.role,
            sfu_only: self.sfu_only,
            published: published.collect(),
            silenced: self.silenced.iter().collect(),
            forwarded: self.forwarded.iter().copied().collect(),
            hand_ms: self.hand_ms,
            presence: self.presence,
            node: self.node,
        }
    }

    /// Their WebSocket is there.
    pub(super) fn is_here(&self) -> bool {
        self.presence == Presence::Here
    }

    /// What of theirs the node can put on a seat.
    pub(super) fn feeds(&self) -> impl Iterator<Item = Feed> + '_ {
        let has = |source| {
            let publication: Option<&Publication> = self.published.get(&source);
            publication.is_some_and(|publication| publication.mid.is_some())
        };
        let camera = has(Source::Camera) || has(Source::Microphone);
        let screen = has(Source::Screen);
        let camera = camera.then_some(Feed::Camera);
        camera.into_iter().chain(screen.then_some(Feed::Screen))
    }

    /// Counts what they say. Who takes part over HTTP has no words of their own: the node says them.
    pub(super) fn spend(&mut self, now: Instant, message: &ClientMessage) -> Result<(), Refusal> {
        match self.kind {
            MemberKind::Client => self.quota.take(now, message),
            MemberKind::Whip | MemberKind::Whep => Ok(()),
        }
    }

    /// Sends an event, now or when their WebSocket is back.
    pub(super) fn tell(&mut self, message: ServerMessage, out: &mut Vec<RoomEffect>) {
        self.tell_event(&Event::new(message), out);
    }

    pub(super) fn tell_event(&mut self, event: &Arc<Event>, out: &mut Vec<RoomEffect>) {
        if let Some(to) = self.note(event) {
            out.push(tell(event, vec![to]));
        }
    }

    /// Gives an event its number. To be sent only if their WebSocket is there.
    fn note(&mut self, event: &Arc<Event>) -> Option<(MemberId, u64)> {
        let seq = self.line.log.push(event);
        self.is_here().then_some((self.id, seq))
    }

    /// What of the events was not acknowledged.
    pub(super) fn missed(&self) -> impl Iterator<Item = RoomEffect> + '_ {
        let events = self.line.log.events();
        events.map(|(seq, event)| tell(event, vec![(self.id, seq)]))
    }

    /// Ends their WebSocket with a last word that is not among the events: who comes back must not
    /// hear it again.
    pub(super) fn hang_up(&self, reason: Reason, out: &mut Vec<RoomEffect>) {
        let member = self.id;
        if self.is_here() {
            out.push(answer(member, ServerMessage::Bye { reason }));
            out.push(RoomEffect::Disconnect { member, reason });
        }
    }
}

fn tell(event: &Arc<Event>, to: Vec<(MemberId, u64)>) -> RoomEffect {
    let event = Arc::clone(event);
    RoomEffect::Tell { event, to }
}

impl Roster {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, member: MemberId) -> Option<&Attendee> {
        self.0.iter().find(|attendee| attendee.id == member)
    }

    pub(super) fn get_mut(&mut self, member: MemberId) -> Option<&mut Attendee> {
        self.0.iter_mut().find(|attendee| attendee.id == member)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Attendee> {
        self.0.iter()
    }

    pub(super) fn push(&mut self, attendee: Attendee) {
        self.0.push(attendee);
    }

    /// Forgets a member and what others had to do with them; false if there was none.
    pub(super) fn remove(&mut self, member: MemberId) -> bool {
        let before = self.0.len();
        self.0.retain(|attendee| attendee.id != member);
        for other in &mut self.0 {
            other.pairs.remove(&member);
            if let Some(wants) = &mut other.view {
                wants.retain(|want| want.member != member);
            }
        }
        self.0.len() < before
    }

    pub(super) fn into_attendees(self) -> Vec<Attendee> {
        self.0
    }

    /// Everyone as others see them.
    pub(super) fn list(&self) -> Vec<Member> {
        self.0.iter().map(Attendee::as_seen).collect()
    }

    /// What can be put on seats, in the order of coming.
    pub(super) fn feeds(&self) -> Vec<(MemberId, Feed)> {
        let feeds_of = |member: &Attendee| {
            let id = member.id;
            member
                .feeds()
                .map(move |feed| (id, feed))
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(feeds_of).collect()
    }

    /// Sends an event to everyone, or to everyone else.
    pub(super) fn tell_all_but(
        &mut self,
        except: Option<MemberId>,
        event: &Arc<Event>,
        out: &mut Vec<RoomEffect>,
    ) {
        self.tell_those(|other| Some(other.id) != except, event, out);
    }

    /// Sends an event to those of whom that is true.
    pub(super) fn tell_those(
        &mut self,
        is_meant: impl Fn(&Attendee) -> bool,
        event: &Arc<Event>,
        out: &mut Vec<RoomEffect>,
    ) {
        let meant = self.0.iter_mut().filter(|other| is_meant(other));
        let to: Vec<_> = meant.filter_map(|other| other.note(event)).collect();
        if !to.is_empty() {
            out.push(tell(event, to));
        }
    }

    /// Those whose WebSockets are there and of whom nothing was heard for that long.
    pub(super) fn silent_since(&self, now: Instant, silence: Duration) -> Vec<MemberId> {
        let is_silent = |member: &&Attendee| member.is_here() && now >= member.heard + silence;
        let silent = self.0.iter().filter(is_silent);
        silent.map(|member| member.id).collect()
    }

    /// When the one who is silent for longest was last heard.
    pub(super) fn first_heard(&self) -> Option<Instant> {
        let here = self.0.iter().filter(|member| member.is_here());
        here.map(|member| member.heard).min()
    }
}

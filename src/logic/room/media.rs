//! What members send and see over the node.

use std::borrow::Cow;
use std::time::Instant;

use crate::ids::MemberId;
use crate::protocol::client::{Epoch, Feed, RequestId, Source, Want};
use crate::protocol::event::Event;
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{MemberKind, Reach, Seat, ServerMessage};

use super::members::{Attendee, Peer, Publication};
use super::news::Reseat;
use super::{MediaFact, MediaOrder, Refusal, Room, RoomEffect, SeatOrder, acknowledge, answer};
use crate::logic::forward::seats::{Sitter, assign};
use crate::logic::topology::Topology;

/// A viewer who did not ask for a size gets the largest layer that flows.
const MAX_HEIGHT_UNASKED: u16 = u16::MAX;

impl Room {
    pub(super) fn learn(&mut self, now: Instant, fact: MediaFact, out: &mut Vec<RoomEffect>) {
        match fact {
            MediaFact::Answered {
                member,
                id,
                epoch,
                sdp,
                seats,
                stopped,
            } => {
                let message = ServerMessage::Answer { id, sdp, epoch };
                self.answered(member, message, Peer { seats, stopped }, out);
            }
            MediaFact::OfferRefused {
                member,
                id,
                code,
                message,
            } => {
                if self.has(member) {
                    let refusal = Refusal::new(code, message);
                    self.refuse(now, member, id, refusal, out);
                }
            }
            MediaFact::RecordAnswered {
                member,
                id,
                refused,
            } => match refused {
                Some(refused) if self.has(member) => {
                    let refusal = Refusal::new(refused.code(), refused.to_string());
                    self.refuse(now, member, id, refusal, out);
                }
                Some(_) => {}
                None => out.extend(acknowledge(member, id)),
            },
            // A connection that was answered is seated at once, so that media flows when it is up.
            MediaFact::PeerUp { member } => self.reach(now, member, Reach::Up, out),
            MediaFact::PeerDown { member } => {
                if let Some(attendee) = self.roster.get_mut(member) {
                    attendee.peer = None;
                }
                self.reseat_one(member, false, out);
                self.lose_reach(now, member, out);
                self.end_with_media(now, member, out);
            }
            MediaFact::Speakers(members) => self.speak(members, out),
            MediaFact::Undecodable { viewer, pictures } => {
                let message = ServerMessage::Undecodable { pictures };
                self.introduce(out);
                self.tell_one(viewer, message, out);
            }
            MediaFact::Decodable {
                member,
                source,
                codec,
            } => {
                if self.can_be_told(member) {
                    let message = ServerMessage::Encode { source, codec };
                    self.tell_one(member, message, out);
                }
            }
        }
    }

    fn tell_one(&mut self, to: MemberId, message: ServerMessage, out: &mut Vec<RoomEffect>) {
        if let Some(attendee) = self.roster.get_mut(to) {
            attendee.tell(message, out);
        }
    }

    /// Whether a member hears what is said to them: who publishes over HTTP has no ear.
    pub fn can_be_told(&self, member: MemberId) -> bool {
        let attendee = self.roster.get(member);
        attendee.is_some_and(|attendee| attendee.kind == MemberKind::Client)
    }

    /// Who takes part by their media alone is gone with them (RFC 9725 §4.2: consent that expires,
    /// and DTLS that is closed, end the session).
    fn end_with_media(&mut self, now: Instant, member: MemberId, out: &mut Vec<RoomEffect>) {
        let attendee = self.roster.get(member);
        if attendee.is_some_and(|attendee| attendee.kind != MemberKind::Client) {
            self.send_away(now, member, Reason::Lost, out);
        }
    }

    /// Whether an offer of theirs may be read now: it takes time, and makes tracks and legs anew.
    pub fn may_offer(&mut self, now: Instant, member: MemberId) -> bool {
        let attendee = self.roster.get_mut(member);
        attendee.is_none_or(|attendee| attendee.offers.take(now))
    }

    pub(super) fn check_offer(
        &self,
        member: MemberId,
        id: Option<RequestId>,
        sdp: String,
        epoch: Epoch,
        fresh: bool,
    ) -> Result<MediaOrder, Refusal> {
        if !self.topology.is_node_epoch(epoch) {
            return Err(Refusal::stale());
        }
        if sdp.len() > self.config.limits.sdp_bytes as usize {
            return Err(Refusal::new(ErrorCode::TooLarge, "The offer is too long."));
        }
        Ok(MediaOrder::Answer {
            member,
            id,
            epoch,
            sdp,
            fresh,
        })
    }

    pub(super) fn publish(
        &mut self,
        member: MemberId,
        source: Source,
        mut publication: Publication,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        self.check_tokens(&publication)?;
        let Some(attendee) = self.roster.get_mut(member) else {
            return Ok(());
        };
        check_mid(attendee, source, &publication)?;
        let before = (attendee.as_seen(), attendee.feeds().collect::<Vec<_>>());
        let old = attendee.published.get(&source);
        let is_new = attendee.silenced.follow(source, old, &publication);
        let is_held = is_new || !publication.muted && attendee.silenced.contains(source);
        publication.muted |= is_held;
        let old = attendee.published.insert(source, publication.clone());
        let was_on_node = old.is_some_and(|old| old.mid.is_some());
        let has_changed = attendee.as_seen() != before.0;
        let has_other_feeds = !attendee.feeds().eq(before.1);
        match publication.mid {
            Some(mid) => out.push(RoomEffect::Media(MediaOrder::Publish {
                member,
                source,
                mid,
                muted: publication.muted,
            })),
            None if was_on_node => {
                out.push(RoomEffect::Media(MediaOrder::Unpublish { member, source }));
            }
            None => {}
        }
        if is_held || has_changed {
            self.news.changed(member, is_held);
        }
        if has_other_feeds {
            self.news.reseat_viewers_of(member);
        }
        Ok(())
    }

    pub(super) fn mute(
        &mut self,
        member: MemberId,
        source: Source,
        muted: bool,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        let attendee = self.roster.get_mut(member);
        let is_held = |attendee: &Attendee| !muted && attendee.silenced.contains(source);
        let is_held = attendee.as_deref().is_some_and(is_held);
        let published = attendee.and_then(|attendee| attendee.published.get_mut(&source));
        let Some(publication) = published else {
            let message = format!("{source:?} is not published.");
            return Err(Refusal::new(ErrorCode::NotPublished, message));
        };
        if is_held {
            let message = "The room's owner holds it muted.";
            return Err(Refusal::new(ErrorCode::Forbidden, message));
        }
        if publication.muted == muted {
            return Ok(());
        }
        publication.muted = muted;
        if publication.mid.is_some() {
            out.push(RoomEffect::Media(MediaOrder::Mute {
                member,
                source,
                muted,
            }));
        }
        self.show(member);
        Ok(())
    }

    pub(super) fn unpublish(
        &mut self,
        member: MemberId,
        source: Source,
        out: &mut Vec<RoomEffect>,
    ) {
        let attendee = self.roster.get_mut(member);
        let removed = attendee.and_then(|attendee| attendee.published.remove(&source));
        let Some(publication) = removed else {
            return;
        };
        if publication.mid.is_some() {
            out.push(RoomEffect::Media(MediaOrder::Unpublish { member, source }));
        }
        self.show(member);
        self.news.reseat_viewers_of(member);
    }

    pub(super) fn view(
        &mut self,
        viewer: MemberId,
        wants: Vec<Want>,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        let seats_max = self.config.limits.seats;
        if wants.len() > seats_max as usize {
            let message = format!("At most {seats_max} seats can be asked for.");
            return Err(Refusal::new(ErrorCode::Limit, message));
        }
        if let Some(stranger) = wants.iter().find(|want| !self.has(want.member)) {
            return Err(Refusal::no_such_member(stranger.member));
        }
        if let Some(attendee) = self.roster.get_mut(viewer) {
            attendee.view = Some(wants);
        }
        self.reseat_one(viewer, false, out);
        Ok(())
    }

    /// Works out who should sit where with those whom it may concern, and tells what is different.
    pub(super) fn reseat(&mut self, whose: &Reseat, out: &mut Vec<RoomEffect>) {
        if *whose == Reseat::Nobody {
            return;
        }
        let feeds = self.feeds();
        let concerned = self.roster.iter().filter(|viewer| concerns(viewer, whose));
        let planned = concerned.filter_map(|viewer| {
            let available = available(&self.topology, viewer.id, &feeds);
            let plan = plan(viewer, &available);
            (plan != viewer.plan).then_some((viewer.id, plan))
        });
        let planned: Vec<_> = planned.collect();
        if !planned.is_empty() {
            self.introduce(out);
        }
        for (viewer, plan) in planned {
            if let Some(viewer) = self.roster.get_mut(viewer) {
                seat(viewer, plan, false, out);
            }
        }
    }

    /// As [`Self::reseat`], where one viewer alone can be concerned. If their connection was
    /// `renewed` they are told all the same: its seats are bare.
    pub(super) fn reseat_one(
        &mut self,
        viewer: MemberId,
        is_renewed: bool,
        out: &mut Vec<RoomEffect>,
    ) {
        let feeds = self.feeds();
        let available = available(&self.topology, viewer, &feeds);
        let Some(plan) = self
            .roster
            .get(viewer)
            .map(|viewer| plan(viewer, &available))
        else {
            return;
        };
        self.introduce(out);
        if let Some(viewer) = self.roster.get_mut(viewer) {
            seat(viewer, plan, is_renewed, out);
        }
    }

    /// What the node can put on somebody's seats.
    fn feeds(&self) -> Vec<Sitter> {
        match self.topology.serves_anybody() {
            true => self.roster.feeds(),
            false => Vec::new(),
        }
    }

    fn answered(
        &mut self,
        member: MemberId,
        message: ServerMessage,
        mut peer: Peer,
        out: &mut Vec<RoomEffect>,
    ) {
        peer.seats = peer.seats.min(self.config.limits.seats as usize);
        let Some(attendee) = self.roster.get_mut(member) else {
            return;
        };
        attendee.peer = Some(peer);
        out.push(answer(member, message));
        for (&source, publication) in &attendee.published {
            if let Some(mid) = publication.mid.clone() {
                out.push(RoomEffect::Media(MediaOrder::Publish {
                    member,
                    source,
                    mid,
                    muted: publication.muted,
                }));
            }
        }
        self.reseat_one(member, true, out);
    }

    fn speak(&mut self, mut members: Vec<MemberId>, out: &mut Vec<RoomEffect>) {
        members.retain(|&member| self.has(member));
        if self.topology.serves_anybody() && members != self.speakers {
            self.speakers.clone_from(&members);
            self.tell_all(&Event::new(ServerMessage::Speakers { members }), out);
        }
    }

    /// Tells the others how a member is now.
    pub(super) fn show(&mut self, member: MemberId) {
        self.news.changed(member, false);
    }

    fn check_tokens(&self, publication: &Publication) -> Result<(), Refusal> {
        let bytes_max = self.config.limits.token_bytes as usize;
        for token in [&publication.mid, &publication.stream]
            .into_iter()
            .flatten()
        {
            if token.is_empty() {
                let message = "A mid or a stream's id is not empty.";
                return Err(Refusal::new(ErrorCode::Malformed, message));
            }
            if token.len() > bytes_max {
                let message = format!("A mid or a stream's id has at most {bytes_max} bytes.");
                return Err(Refusal::new(ErrorCode::TooLarge, message));
            }
        }
        Ok(())
    }
}

/// What the node can put on a viewer's seats.
fn available<'a>(topology: &Topology, viewer: MemberId, feeds: &'a [Sitter]) -> Cow<'a, [Sitter]> {
    if topology.involves_sfu() && topology.exceptions(viewer).is_empty() {
        return Cow::Borrowed(feeds);
    }
    let is_served = |sitter: &&Sitter| topology.is_served(viewer, sitter.0);
    Cow::Owned(feeds.iter().filter(is_served).copied().collect())
}

/// An m-line carries one source.
fn check_mid(
    attendee: &Attendee,
    source: Source,
    publication: &Publication,
) -> Result<(), Refusal> {
    let Some(mid) = &publication.mid else {
        return Ok(());
    };
    let mut others = attendee
        .published
        .iter()
        .filter(|(other, _)| **other != source);
    match others.find(|(_, other)| other.mid.as_ref() == Some(mid)) {
        None => Ok(()),
        Some((other, _)) => {
            let message = format!("The m-line {mid:?} carries {other:?}.");
            Err(Refusal::new(ErrorCode::Malformed, message))
        }
    }
}

/// Whether somebody's seats can be other than before.
fn concerns(viewer: &Attendee, whose: &Reseat) -> bool {
    let has_seats = viewer.peer.is_some() || !viewer.plan.is_empty();
    has_seats
        && match whose {
            Reseat::Nobody => false,
            Reseat::Everyone => true,
            Reseat::ViewersOf(members) => {
                let mut seen = viewer.plan.iter().flatten().map(|order| order.member);
                let wants = viewer.view.as_deref();
                let mut wanted = wants.unwrap_or_default().iter().map(|want| want.member);
                wants.is_none()
                    || seen.any(|member| members.contains(&member))
                    || wanted.any(|member| members.contains(&member))
            }
        }
}

fn seat(
    viewer: &mut Attendee,
    plan: Vec<Option<SeatOrder>>,
    is_renewed: bool,
    out: &mut Vec<RoomEffect>,
) {
    if plan == viewer.plan && !is_renewed {
        return;
    }
    let is_other = sitters(&plan) != sitters(&viewer.plan);
    viewer.plan = plan;
    if is_other || (is_renewed && !viewer.plan.is_empty()) {
        let seats = sitters(&viewer.plan).into_iter().map(as_seat).collect();
        viewer.tell(ServerMessage::Seats { seats }, out);
    }
    if viewer.peer.is_some() {
        out.push(RoomEffect::Media(MediaOrder::Seat {
            viewer: viewer.id,
            seats: viewer.plan.clone(),
        }));
    }
}

fn plan(viewer: &Attendee, available: &[Sitter]) -> Vec<Option<SeatOrder>> {
    let peer = viewer.peer.as_ref();
    let seats = peer.map_or(0, |peer| peer.seats);
    let stopped = peer.map(|peer| &peer.stopped[..]).unwrap_or_default();
    let wants = viewer.view.as_deref();
    if wants.is_some_and(<[Want]>::is_empty) {
        return vec![None; seats];
    }
    let wants = wants.unwrap_or_default();
    let previous = sitters(&viewer.plan);
    let place = |available: &[Sitter]| {
        assign_around(stopped, seats, &previous, |seats, previous| {
            assign(seats, viewer.id, wants, available, previous)
        })
    };
    let placed = if viewer.is_here() {
        place(available)
    } else {
        // Who cannot be told keeps what they have: nobody is seen under another's name.
        let is_kept = |sitter: &&Sitter| previous.contains(&Some(**sitter));
        let kept: Vec<Sitter> = available.iter().filter(is_kept).copied().collect();
        place(&kept)
    };
    let order = |(member, feed): Sitter| SeatOrder {
        member,
        feed,
        max_height: max_height(wants, member, feed),
    };
    placed.into_iter().map(|sitter| sitter.map(order)).collect()
}

/// Places feeds as if the seats that were stopped were not there.
fn assign_around(
    stopped: &[usize],
    seats: usize,
    previous: &[Option<Sitter>],
    assign: impl FnOnce(usize, &[Option<Sitter>]) -> Vec<Option<Sitter>>,
) -> Vec<Option<Sitter>> {
    if stopped.is_empty() {
        return assign(seats, previous);
    }
    let is_there = |seat: &usize| !stopped.contains(seat);
    let there: Vec<usize> = (0..seats).filter(is_there).collect();
    let sat = there.iter().map(|&seat| previous.get(seat).copied());
    let sat: Vec<Option<Sitter>> = sat.map(Option::flatten).collect();
    let mut plan = vec![None; seats];
    for (seat, sitter) in there.iter().zip(assign(there.len(), &sat)) {
        plan[*seat] = sitter;
    }
    plan
}

fn max_height(wants: &[Want], member: MemberId, feed: Feed) -> u16 {
    let want = wants
        .iter()
        .find(|want| want.member == member && want.feed == feed);
    want.map_or(MAX_HEIGHT_UNASKED, |want| want.max_height)
}

fn sitters(plan: &[Option<SeatOrder>]) -> Vec<Option<Sitter>> {
    let sitter = |order: SeatOrder| (order.member, order.feed);
    plan.iter().map(|seat| seat.map(sitter)).collect()
}

fn as_seat(sitter: Option<Sitter>) -> Option<Seat> {
    sitter.map(|(member, feed)| Seat { member, feed })
}

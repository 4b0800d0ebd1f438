//! One room with its peer connections: carries out what the room decides.
//!
//! The [`Room`] decides about words and members; here its orders become connections, tracks and
//! legs. What happens to packets is in `forwarding`, what is reported and
//! asked for in `feedback`, who sits where in `seating`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::ids::{ConnectionId, MemberId, Path};
use crate::logic::forward::codec::Codec;
use crate::logic::forward::packet::TrackId;
use crate::logic::forward::reports::NtpClock;
use crate::logic::forward::speakers::Speakers;
use crate::logic::limits::Limits;
use crate::logic::record::admission::{Admission, Refused};
use crate::logic::record::thinning::Backlog;
use crate::logic::room::{
    MediaFact, MediaOrder, RecordingScope, Room, RoomEffect, RoomInput, SeatOrder, Watch,
};
use crate::logic::titles::Title;
use crate::media::decoding::Decoding;
use crate::media::lines::SeatCount;
use crate::media::outlet::Outlet;
use crate::media::outputs::Outputs;
use crate::media::participant::Participant;
use crate::media::peer::{Arrived, Peer, PeerState, Transport};
use crate::media::recording::Recording;
use crate::media::relay::Relay;
use crate::media::shard::{Counters, ShardEffect, ShardOutput};
use crate::media::slots::Slots;
use crate::media::switchboard::{Place, Switchboard};
use crate::media::track::{Track, TrackSlot};
use crate::protocol::client::{Epoch, RequestId, Source};
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::{RecordingEnd, ServerMessage};

/// What somebody is told who offers more often than anybody needs to.
const OFFERS_TOO_FAST: &str = "too many offers in a short time; wait a second and offer again, with \
                               everything that changed meanwhile in one";

/// What a conference works with and does not own.
pub struct Surroundings<'a> {
    /// The node's side of every connection.
    pub transport: &'a Transport,
    /// What the node accepts.
    pub limits: &'a Limits,
    /// Routes of the shard.
    pub switchboard: &'a mut Switchboard,
    /// STUN and TURN of the shard.
    pub relay: &'a mut Option<Relay>,
    /// The shard's randomness.
    pub rng: &'a mut StdRng,
    /// What time it is for reports.
    pub wall: &'a NtpClock,
    /// The shard's counters.
    pub counters: &'a mut Counters,
    /// How much waits for the writer of recordings.
    pub backlog: &'a Backlog,
    /// Which recordings may begin.
    pub admission: &'a mut Admission,
    /// What is to be sent.
    pub out: &'a mut ShardOutput,
}

/// How much of everything there is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Peer connections.
    pub peers: usize,
    /// Those that are up.
    pub connected: usize,
    /// Published tracks.
    pub tracks: usize,
    /// Halves of seats.
    pub legs: usize,
}

impl std::ops::AddAssign for Sizes {
    fn add_assign(&mut self, other: Self) {
        self.peers += other.peers;
        self.connected += other.connected;
        self.tracks += other.tracks;
        self.legs += other.legs;
    }
}

/// One room with its peer connections.
pub struct Conference {
    /// Decides.
    pub room: Room,
    /// What the log calls it.
    pub number: u64,
    slot: usize,
    connections: BTreeMap<MemberId, ConnectionId>,
    pub(super) by_member: BTreeMap<MemberId, usize>,
    pub(super) participants: Slots<Participant>,
    pub(super) tracks: Slots<Track>,
    pub(super) outlets: Slots<Outlet>,
    /// By viewer: who is to sit where.
    pub(super) plans: BTreeMap<MemberId, Vec<Option<SeatOrder>>>,
    pub(super) speakers: Speakers,
    pub(super) decoding: Decoding,
    pub(super) recording: Option<Recording>,
    /// Nothing until a track is sent to another program.
    pub(super) outputs: Option<Box<Outputs>>,
    /// Of the program around the node.
    pub(super) taps: Vec<Recording>,
    /// What that program knows of the room, if it wants to.
    pub(super) watch: Option<Watch>,
    /// What was told of its owner.
    pub(super) title_told: Option<Title>,
    pub(super) next_track: u32,
    room_wake: Option<(Instant, &'static str)>,
    transport_wake: Option<(Instant, &'static str)>,
    pub(super) tick_at: Option<Instant>,
    /// Media came since the last tick.
    pub(super) busy: bool,
}

impl Conference {
    /// An empty room in that slot of the shard.
    pub fn new(room: Room, slot: usize) -> Self {
        Self {
            room_wake: room.poll_timeout(),
            room,
            number: 0,
            slot,
            connections: BTreeMap::new(),
            by_member: BTreeMap::new(),
            participants: Slots::default(),
            tracks: Slots::default(),
            outlets: Slots::default(),
            plans: BTreeMap::new(),
            speakers: Speakers::new(),
            decoding: Decoding::default(),
            recording: None,
            outputs: None,
            taps: Vec::new(),
            watch: None,
            title_told: None,
            next_track: 0,
            transport_wake: None,
            tick_at: None,
            busy: false,
        }
    }

    /// Whose words to a member go over this WebSocket from now on.
    pub fn connect(&mut self, member: MemberId, connection: ConnectionId) {
        self.connections.insert(member, connection);
    }

    /// Whose words go over that WebSocket.
    pub fn member_on(&self, connection: ConnectionId) -> Option<MemberId> {
        let mut connections = self.connections.iter();
        let found = connections.find(|(_, other)| **other == connection);
        found.map(|(&member, _)| member)
    }

    /// A member's WebSocket is no more.
    pub fn disconnect(&mut self, member: MemberId) {
        self.connections.remove(&member);
    }

    /// Takes in what happened and carries out all that follows from it.
    pub fn handle(&mut self, now: Instant, input: RoomInput, around: &mut Surroundings<'_>) {
        let mut decided = Vec::new();
        self.room.handle(now, input, &mut decided);
        self.carry_out(now, decided, around);
    }

    fn carry_out(&mut self, now: Instant, decided: Vec<RoomEffect>, around: &mut Surroundings<'_>) {
        let mut queue = VecDeque::from(decided);
        let mut decided = Vec::new();
        while let Some(effect) = queue.pop_front() {
            match effect {
                RoomEffect::Send { to, mut frame } => {
                    let is_joined = matches!(frame.message, ServerMessage::Joined { .. });
                    around.counters.joins += u64::from(is_joined);
                    around.counters.too_fast += u64::from(is_too_fast(&frame.message));
                    if let Some(&connection) = self.connections.get(&to) {
                        add_credentials(now, to, &mut frame.message, around);
                        around
                            .out
                            .effects
                            .push(ShardEffect::Send { connection, frame });
                    }
                }
                RoomEffect::Tell { event, to } => {
                    let connection_of = |(member, seq): (MemberId, u64)| {
                        Some((*self.connections.get(&member)?, seq))
                    };
                    let to = to.into_iter().filter_map(connection_of).collect();
                    around.out.effects.push(ShardEffect::Tell { event, to });
                }
                RoomEffect::Attach { member, connection } => self.connect(member, connection),
                RoomEffect::Refuse { connection, frame } => {
                    let effects = &mut around.out.effects;
                    effects.push(ShardEffect::Send { connection, frame });
                }
                RoomEffect::Disconnect { member, reason } => {
                    if let Some(connection) = self.connections.remove(&member) {
                        around
                            .out
                            .effects
                            .push(ShardEffect::Close { connection, reason });
                    }
                }
                RoomEffect::Media(order) => {
                    if let Some(fact) = self.order(now, order, around) {
                        self.room.handle(now, RoomInput::Media(fact), &mut decided);
                        queue.extend(decided.drain(..));
                    }
                }
            }
        }
        around.counters.switched(self.room.take_tally());
        self.tell_changes(around);
        self.room_wake = self.room.poll_timeout();
        self.transport_wake = self.next_transport_timeout();
    }

    fn order(
        &mut self,
        now: Instant,
        order: MediaOrder,
        around: &mut Surroundings<'_>,
    ) -> Option<MediaFact> {
        match order {
            MediaOrder::Answer {
                member,
                id,
                epoch,
                sdp,
                fresh,
            } => {
                return Some(self.answer(now, (member, id, epoch), &sdp, fresh, around));
            }
            // Only who leaves the room is forgotten.
            MediaOrder::ClosePeer { member } => {
                self.close_peer(now, member, around);
                self.follow_outputs(now, around);
                if let Some(relay) = around.relay {
                    relay.revoke(now, member);
                }
            }
            MediaOrder::Publish {
                member,
                source,
                mid,
                muted,
            } => {
                self.publish(now, member, source, &mid, muted, around);
            }
            MediaOrder::Mute {
                member,
                source,
                muted,
            } => self.mute(now, member, source, muted),
            MediaOrder::Unpublish { member, source } => self.unpublish(now, member, source, around),
            MediaOrder::Record {
                member,
                id,
                active: true,
            } => {
                let begun = self.record(now, RecordingScope::default(), Some(member), around);
                // What goes on already is as it was wanted.
                let refused = begun.err().filter(|refused| *refused != Refused::Recorded);
                return Some(MediaFact::RecordAnswered {
                    member,
                    id,
                    refused,
                });
            }
            MediaOrder::Record { active: false, .. } => {
                self.stop_recording(now, None, RecordingEnd::Stopped, around);
            }
            MediaOrder::Seat { viewer, seats } => {
                self.plans.insert(viewer, seats);
                self.reseat(now, viewer, around);
            }
        }
        None
    }

    fn answer(
        &mut self,
        now: Instant,
        (member, id, epoch): (MemberId, Option<RequestId>, Epoch),
        offer: &str,
        fresh: bool,
        around: &mut Surroundings<'_>,
    ) -> MediaFact {
        let refused = |code, message: String| MediaFact::OfferRefused {
            member,
            id,
            code,
            message,
        };
        if !self.room.may_offer(now, member) {
            around.counters.refused_offers += 1;
            around.counters.offers_too_fast += 1;
            return refused(ErrorCode::TooFast, OFFERS_TOO_FAST.to_owned());
        }
        let existing = self.by_member.get(&member).copied().filter(|_| !fresh);
        let answered = match existing.and_then(|place| self.participants.get_mut(place)) {
            Some(participant) => {
                let answered = participant
                    .peer
                    .renegotiate(offer, around.transport, around.rng);
                around
                    .switchboard
                    .bind_ufrags(participant.key, &participant.peer);
                answered
            }
            None => Peer::accept(now, offer, around.transport, around.rng).map(|(peer, answer)| {
                let is_proven = self.is_proven(member);
                self.close_peer(now, member, around);
                self.seat_peer(now, member, (peer, is_proven), around);
                answer
            }),
        };
        match answered {
            Ok(sdp) => {
                let SeatCount { seats, stopped } = self.follow_negotiation(now, member, around);
                MediaFact::Answered {
                    member,
                    id,
                    epoch,
                    sdp,
                    seats,
                    stopped,
                }
            }
            Err(error) => {
                around.counters.refused_offers += 1;
                refused(ErrorCode::BadOffer, error.to_string())
            }
        }
    }

    fn seat_peer(
        &mut self,
        now: Instant,
        member: MemberId,
        (mut peer, is_proven): (Peer, bool),
        around: &mut Surroundings<'_>,
    ) {
        let place = Place {
            room: self.slot,
            participant: self.participants.next(),
        };
        let key = around.switchboard.register(place);
        if !is_proven {
            let (household, max) = (
                self.room.household_of(member),
                around.limits.half_open_peers,
            );
            around.switchboard.expect(key, household, max as usize);
        }
        peer.set_key(key);
        around.switchboard.bind_ufrags(key, &peer);
        let participant = Participant::new(now, member, (key, peer), around.limits, around.rng);
        self.by_member
            .insert(member, self.participants.insert(participant));
        self.tick_at.get_or_insert(now);
    }

    /// Forgets a member's connection and everything on it.
    fn close_peer(&mut self, now: Instant, member: MemberId, around: &mut Surroundings<'_>) {
        let removed = self
            .by_member
            .remove(&member)
            .and_then(|place| self.participants.remove(place));
        let Some(mut participant) = removed else {
            return;
        };
        participant.peer.close(now, &mut around.out.datagrams);
        around.switchboard.release(participant.key);
        for slot in participant.tracks.iter().flatten() {
            self.take_off_air(now, *slot);
            self.tracks.remove(slot.0);
        }
        for &(_, id) in &participant.outlets {
            self.unseat(now, id);
            self.outlets.remove(id.0);
        }
        self.plans.remove(&member);
        self.speakers.remove(member);
        self.decoding.forget(member);
        self.retap(now, around);
    }

    fn publish(
        &mut self,
        now: Instant,
        member: MemberId,
        source: Source,
        mid: &str,
        muted: bool,
        around: &mut Surroundings<'_>,
    ) {
        let wanted = self.track_of_line(member, mid);
        if let Some(former) = self
            .track_of(member, source)
            .filter(|former| Some(*former) != wanted)
        {
            self.take_off_air(now, former);
            self.set_source(former, None);
        }
        if let Some(slot) = wanted {
            self.set_source(slot, Some(source));
            self.set_muted(now, slot, muted);
        }
        self.reseat_viewers_of(now, member, around);
    }

    fn unpublish(
        &mut self,
        now: Instant,
        member: MemberId,
        source: Source,
        around: &mut Surroundings<'_>,
    ) {
        if let Some(slot) = self.track_of(member, source) {
            self.take_off_air(now, slot);
            self.set_source(slot, None);
            self.reseat_viewers_of(now, member, around);
        }
    }

    fn mute(&mut self, now: Instant, member: MemberId, source: Source, muted: bool) {
        if let Some(slot) = self.track_of(member, source) {
            self.set_muted(now, slot, muted);
        }
    }

    fn set_source(&mut self, slot: TrackSlot, source: Option<Source>) {
        if let Some(track) = self.tracks.get_mut(slot.0) {
            track.source = source;
        }
    }

    /// Takes a datagram of one of the room's peer connections.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        place: usize,
        path: Path,
        datagram: &[u8],
        around: &mut Surroundings<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(place) else {
            return;
        };
        let member = participant.member;
        match participant
            .peer
            .handle(now, path, datagram, &mut around.out.datagrams)
        {
            Arrived::Rtp(packet) => self.rtp(now, place, &packet, around),
            Arrived::Rtcp(packet) => self.rtcp(now, place, &packet, around),
            Arrived::Rejected => around.counters.dropped.rejected += 1,
            Arrived::Nothing => {}
            Arrived::Checked(checked) => {
                around.switchboard.checked(participant.key, path, checked);
                if checked.restarted {
                    around
                        .switchboard
                        .bind_ufrags(participant.key, &participant.peer);
                }
                self.transport_wake = earlier(self.transport_wake, participant.peer.poll_timeout());
                // Whoever lost the node and found it again by an ICE restart is reached again.
                if checked.restarted && participant.was_up {
                    self.handle(now, RoomInput::Media(MediaFact::PeerUp { member }), around);
                }
            }
            Arrived::Connected => {
                participant.was_up = true;
                if participant.peer.is_proven(&path) {
                    around.switchboard.proven(participant.key, path);
                }
                around.switchboard.opened(participant.key);
                around.counters.connected += 1;
                self.reseat(now, member, around);
                self.handle(now, RoomInput::Media(MediaFact::PeerUp { member }), around);
            }
            Arrived::Gone => self.lose(now, member, around),
        }
        if let Some(participant) = self.participants.get(place)
            && participant.peer.state() == PeerState::Connecting
        {
            self.transport_wake = earlier(self.transport_wake, participant.peer.poll_timeout());
        }
    }

    /// Whether a member has shown that they can connect.
    fn is_proven(&self, member: MemberId) -> bool {
        let place = self.by_member.get(&member);
        let participant = place.and_then(|place| self.participants.get(*place));
        participant.is_some_and(|participant| participant.was_up)
    }

    /// A connection that did not come up in time makes way for others.
    pub fn give_up(&mut self, now: Instant, place: usize, around: &mut Surroundings<'_>) {
        around.counters.displaced_peers += 1;
        if let Some(member) = self.participants.get(place).map(|one| one.member) {
            self.lose(now, member, around);
        }
    }

    /// A member's WebSocket is lost: a connection of theirs that has yet to come up makes way for any
    /// other. Where none has to, it may come up before they are back.
    pub fn forsake(&self, member: MemberId, around: &mut Surroundings<'_>) {
        let place = self.participant_of(member);
        if let Some(participant) = place.and_then(|place| self.participants.get(place)) {
            around.switchboard.forsake(participant.key);
        }
    }

    /// A connection ended by itself.
    fn lose(&mut self, now: Instant, member: MemberId, around: &mut Surroundings<'_>) {
        self.close_peer(now, member, around);
        self.handle(
            now,
            RoomInput::Media(MediaFact::PeerDown { member }),
            around,
        );
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        if is_due(self.room_wake, now) {
            let mut decided = Vec::new();
            self.room.handle_timeout(now, &mut decided);
            self.carry_out(now, decided, around);
        }
        if is_due(self.transport_wake, now) {
            self.transport_timeout(now, around);
        }
        if self.tick_at.is_some_and(|at| at <= now) {
            self.tick(now, around);
        }
    }

    fn transport_timeout(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        let mut gone = Vec::new();
        let mut removed = Vec::new();
        for participant in self.participants.iter_mut() {
            participant
                .peer
                .handle_timeout(now, &mut removed, &mut around.out.datagrams);
            removed
                .drain(..)
                .for_each(|path| around.switchboard.unbind_path(participant.key, path));
            if participant.peer.state() == PeerState::Gone {
                gone.push(participant.member);
            }
        }
        for member in gone {
            self.lose(now, member, around);
        }
        self.transport_wake = self.next_transport_timeout();
    }

    fn next_transport_timeout(&self) -> Option<(Instant, &'static str)> {
        self.participants.iter().fold(None, |next, participant| {
            earlier(next, participant.peer.poll_timeout())
        })
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let tick = self.tick_at.map(|at| (at, "feedback"));
        earlier(earlier(self.room_wake, self.transport_wake), tick)
    }

    /// The participant of a member with a connection.
    pub(super) fn participant_of(&self, member: MemberId) -> Option<usize> {
        self.by_member.get(&member).copied()
    }

    /// A number for a track whose own numbering starts anew.
    pub(super) fn new_track_id(&mut self) -> TrackId {
        self.next_track += 1;
        TrackId(self.next_track)
    }

    /// Says goodbye on every connection: the node stops or the room was closed.
    pub fn close_all(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        self.stop_recording(now, None, RecordingEnd::RoomClosed, around);
        self.end_outputs(around);
        self.untap(now, None, RecordingEnd::RoomClosed, around);
        let members: Vec<_> = self.by_member.keys().copied().collect();
        for member in members {
            self.close_peer(now, member, around);
        }
    }

    /// What there is now.
    pub fn sizes(&self) -> Sizes {
        let connected =
            |participant: &&Participant| participant.peer.state() == PeerState::Connected;
        Sizes {
            peers: self.participants.iter().count(),
            connected: self.participants.iter().filter(connected).count(),
            tracks: self.tracks.iter().count(),
            legs: self.outlets.iter().count(),
        }
    }

    /// The room as REST shows it, with its media.
    pub fn describe(&self, now: Instant) -> Value {
        let mut description = self.room.describe(now);
        let tracks: Vec<Value> = self
            .tracks
            .iter()
            .map(|track| describe_track(now, track, self.room.can_be_told(track.member)))
            .collect();
        if let Some(object) = description.as_object_mut() {
            object.insert("peers".into(), json!(self.participants.iter().count()));
            object.insert("tracks".into(), json!(tracks));
        }
        description
    }
}

fn is_too_fast(message: &ServerMessage) -> bool {
    let code = match message {
        ServerMessage::Error { code, .. } => Some(*code),
        _ => None,
    };
    code == Some(ErrorCode::TooFast)
}

/// Who enters or comes back gets credentials for the relay.
fn add_credentials(
    now: Instant,
    member: MemberId,
    message: &mut ServerMessage,
    around: &mut Surroundings<'_>,
) {
    let (ServerMessage::Joined { ice_servers, .. } | ServerMessage::Resumed { ice_servers, .. }) =
        message
    else {
        return;
    };
    if let Some(relay) = around.relay {
        ice_servers.push(relay.grant(now, member));
    }
}

/// `codecs`: how a picture is sent, or could be if its publisher `can_be_told`.
fn describe_track(now: Instant, track: &Track, can_be_told: bool) -> Value {
    let sent = track.expected_codec().filter(|_| !can_be_told);
    let possible = track.payload_types().codecs();
    let possible = possible.filter(|codec| sent.is_none_or(|sent| sent == *codec));
    let codecs: Vec<_> = possible.filter_map(Codec::of_picture).collect();
    json!({
        "codecs": codecs,
        "member": track.member,
        "source": track.source,
        "codec": track.codec().map(|codec| format!("{:?}", codec.family()).to_lowercase()),
        "muted": track.muted,
        "bitsPerSecond": track.bits_per_second(now),
        "layers": track.layers().iter().filter(|layer| layer.stream.flows(now)).count(),
        "viewers": track.outlets.len(),
    })
}

fn is_due(wake: Option<(Instant, &'static str)>, now: Instant) -> bool {
    wake.is_some_and(|(at, _)| at <= now)
}

/// The earlier of two timeouts.
pub fn earlier(
    one: Option<(Instant, &'static str)>,
    other: Option<(Instant, &'static str)>,
) -> Option<(Instant, &'static str)> {
    one.into_iter().chain(other).min_by_key(|(at, _)| *at)
}

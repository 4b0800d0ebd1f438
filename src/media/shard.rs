//! All rooms of one core, as a value.
//!
//! Datagrams, words and the time come in; datagrams and words go out. Nothing waits, nothing is
//! shared: from a datagram in to datagrams out there is no channel, no lock and no await.

mod agenda;
mod containment;
mod counters;
mod forwards;
mod recordings;
mod relief;
mod taps;
mod titles;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use motet_turn::stun;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::ids::{ConnectionId, LocalSocket, MemberId, Path, StreamKind, TapId, Ticket};
use crate::logic::forward::reports::NtpClock;
use crate::logic::household::Pass;
use crate::logic::owner_keys::OwnerKeys;
use crate::logic::record::admission::Admission;
use crate::logic::record::thinning::Backlog;
use crate::logic::room::{
    Newcomer, Origin, RecordingScope, Room, RoomConfig, RoomEvent, RoomInput,
};
use crate::logic::titles::{OwnerMark, Title};
use crate::media::conference::{Conference, Sizes, Surroundings, earlier};
use crate::media::demux::{Kind, classify};
use crate::media::egress::SendArena;
use crate::media::ice;
use crate::media::outputs::Wish;
use crate::media::owner_mark::mark_of;
use crate::media::peer::Transport;
use crate::media::recording::Word;
use crate::media::relay::{Inside, Relay, RelayConfig, RelaySockets};
use crate::media::slots::Slots;
use crate::media::switchboard::Switchboard;
use crate::protocol::client::{ClientFrame, RequestId};
use crate::protocol::event::Event;
use crate::protocol::owner_key::OwnerKey;
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{MemberKind, Mode, RecordingEnd, ServerFrame, ServerMessage};

use agenda::Agenda;
pub use counters::{Counters, Dropped};
use forwards::Forwards;

/// What the rim tells a shard, besides datagrams and the time.
#[derive(Debug)]
pub enum ShardCommand {
    /// A WebSocket said `join` with names that passed the check.
    Join {
        /// The WebSocket.
        connection: ConnectionId,
        /// The request's id, to be answered by `joined` or `error`.
        id: Option<RequestId>,
        /// The room, by its checked name.
        room: String,
        /// The member's checked name.
        name: String,
        /// By what it takes part.
        kind: MemberKind,
        /// The client is always served over the node.
        sfu_only: bool,
        /// What makes it the owner, perhaps.
        owner_key: Option<OwnerKey>,
        /// From where it comes; it counts the member until they are gone.
        pass: Pass,
    },
    /// A WebSocket said `resume`, with a room's checked name.
    Resume {
        /// The WebSocket.
        connection: ConnectionId,
        /// The request's id, to be answered by `resumed` or `error`.
        id: Option<RequestId>,
        /// The room, by its checked name.
        room: String,
        /// What was handed out for this.
        token: String,
        /// The number of the last event that arrived.
        after: u64,
    },
    /// A joined WebSocket gave a sign of life other than a word.
    Alive {
        /// The WebSocket.
        connection: ConnectionId,
    },
    /// Anything else that a joined WebSocket said.
    Said {
        /// The WebSocket.
        connection: ConnectionId,
        /// What.
        frame: ClientFrame,
    },
    /// A WebSocket is gone, or was closed by the rim.
    Gone {
        /// The WebSocket.
        connection: ConnectionId,
        /// Why, for those who stay.
        reason: Reason,
    },
    /// A recording cannot go on.
    RecordingFailed {
        /// The room's name.
        room: String,
        /// Its id.
        recording: String,
        /// Why.
        why: RecordingEnd,
    },
    /// The program around the node has enough of a tap.
    Untap {
        /// Which.
        tap: TapId,
    },
    /// A question from REST; answered by [`ShardEffect::Reply`] with the same ticket.
    Ask {
        /// To answer by.
        ticket: Ticket,
        /// What.
        question: Question,
    },
    /// The node is seen at other addresses: told in every answer from now on.
    Moved {
        /// Where clients reach its media, best first.
        candidates: Vec<SocketAddr>,
        /// Under which addresses relays are given, at most one of each family.
        relays: Vec<IpAddr>,
    },
    /// The node is about to stop: those in rooms are told.
    Drain {
        /// How long they may stay, at most.
        patience: Duration,
    },
    /// The node stops: everyone is told.
    Shutdown,
}

/// What REST can ask of a shard.
#[derive(Debug)]
pub enum Question {
    /// Every room.
    Rooms,
    /// One room; `null` if there is none of that name.
    Room(String),
    /// Makes a room that stays while empty; `null` if there is one of that name already.
    CreateRoom {
        /// Its checked name.
        name: String,
        /// What makes its owners; without one, the key that the last room of that name left, if any.
        owner_key: Option<OwnerKey>,
    },
    /// Records a room; its recording as `{id, sinceMs}`, `null` if there is no such room, or why not as
    /// `{refused, detail}`: `recorded` already, always a `mesh`, or what
    /// [`Refused`](crate::logic::record::admission::Refused) names else.
    Record {
        /// The room's name.
        name: String,
        /// What of it.
        scope: RecordingScope,
    },
    /// Ends a room's recording; `null` if there is no room, `false` if it is not recorded by that one.
    StopRecording {
        /// The room's name.
        name: String,
        /// Which; whichever there is.
        recording: Option<String>,
    },
    /// Sends a track to another program: the output as REST shows it, or why not as `{refused}`.
    Forward {
        /// The room's name.
        name: String,
        /// What is to be sent where.
        wish: Box<Wish>,
    },
    /// Every output of a room, those that ended of themselves included; `null` if there is no room.
    Forwards(String),
    /// The session description of an output; `null` if there is no room, `false` if there is no such
    /// output, `true` if there is and its codec is not known yet.
    ForwardSdp {
        /// The room's name.
        name: String,
        /// Which.
        id: String,
    },
    /// Ends an output; `null` if there is no room, `false` if there is no such output.
    EndForward {
        /// The room's name.
        name: String,
        /// Which.
        id: String,
    },
    /// Puts a tap of the program around the node on a room; `true`, `null` if there is no such room, or
    /// why not as `{refused}`: always a `mesh`, or `tooMany`.
    Tap {
        /// The room's name.
        name: String,
        /// Its number, new.
        tap: TapId,
        /// How much of it waits to be read.
        backlog: Backlog,
        /// What of it.
        scope: RecordingScope,
    },
    /// Ends a room for everyone in it; `null` if there is none of that name.
    DeleteRoom(String),
    /// Counters and gauges of the shard.
    Stats,
}

/// What a shard wants of the rim, besides datagrams to send.
#[derive(Debug)]
pub enum ShardEffect {
    /// Send an answer over a WebSocket.
    Send {
        /// Which.
        connection: ConnectionId,
        /// What.
        frame: ServerFrame,
    },
    /// Send an event over one or many WebSockets.
    Tell {
        /// What.
        event: Arc<Event>,
        /// Over which, with its number in the sequence of each member.
        to: Vec<(ConnectionId, u64)>,
    },
    /// Close a WebSocket once what was sent before is out.
    Close {
        /// Which.
        connection: ConnectionId,
        /// For the close frame; `bye` was sent already.
        reason: Reason,
    },
    /// The answer to [`ShardCommand::Ask`]: a JSON value, `null` for "no such thing".
    Reply {
        /// Of the question.
        ticket: Ticket,
        /// The answer.
        answer: serde_json::Value,
    },
    /// Something for the writer of a recording.
    Record {
        /// Which.
        recording: Arc<str>,
        /// What.
        word: Word,
    },
    /// Something for the program around the node, by a tap of its own.
    Tapped {
        /// Which.
        tap: TapId,
        /// What.
        word: Word,
    },
    /// Something that the program around the node wants to know.
    Event {
        /// The room's name.
        room: String,
        /// What happened there.
        event: RoomEvent,
    },
    /// A room that somebody asked for could not be made: its name is free.
    NoRoom {
        /// Its name.
        room: String,
    },
    /// A room has an owner, or had one: to be kept for the next start.
    Owned {
        /// The room's name.
        room: String,
        /// Whose it is, and what they decided.
        title: Title,
        /// The room is there no more.
        is_gone: bool,
        /// Who is told next that they own it: not before it is kept.
        newcomer: Option<ConnectionId>,
    },
    /// Nothing is kept of a room any more.
    Disowned {
        /// Its name.
        room: String,
    },
    /// A room is gone: its name is free.
    RoomClosed {
        /// Its name.
        room: String,
    },
}

/// What a shard is made of.
pub struct ShardConfig {
    /// The node's side of every connection.
    pub transport: Transport,
    /// What all rooms have in common.
    pub room: Arc<RoomConfig>,
    /// What time it is, for sender reports.
    pub wall: NtpClock,
    /// STUN and TURN on the media port; without it Binding requests alone are answered.
    pub relay: Option<RelayConfig>,
    /// Where tracks may be sent as RTP; nowhere without.
    pub outputs: Option<motet_turn::Policy>,
    /// Makes ids, keys and numbers; from a good source outside of tests.
    pub seed: [u8; 32],
}

/// What a shard wants sent and done; kept by the rim, so that its buffers are used again.
#[derive(Debug, Default)]
pub struct ShardOutput {
    /// Datagrams to send.
    pub datagrams: SendArena,
    /// The rest, in order.
    pub effects: Vec<ShardEffect>,
    /// Sockets of outputs that have ended: for [`Shard::close_outputs`].
    pub closing: Vec<LocalSocket>,
}

/// All rooms of one core.
pub struct Shard {
    transport: Transport,
    room_config: Arc<RoomConfig>,
    wall: NtpClock,
    rng: StdRng,
    switchboard: Switchboard,
    relay: Option<Relay>,
    rooms: Slots<Conference>,
    by_name: BTreeMap<String, usize>,
    /// Of rooms that are gone.
    owner_keys: OwnerKeys,
    /// By WebSocket: the room's slot and the member.
    connections: BTreeMap<ConnectionId, (usize, MemberId)>,
    agenda: Agenda,
    forwards: Forwards,
    strain: relief::Strain,
    counters: Counters,
    stun: Vec<u8>,
    /// A program around the node wants to know what happens.
    is_watched: bool,
    /// The log knows rooms by number: the name of an open room is its only secret.
    rooms_made: u64,
    is_draining: bool,
    is_stopping: bool,
    /// The next room that acts panics.
    #[cfg(test)]
    fault: bool,
    /// Datagrams that the sockets refused; told by the rim.
    pub send_failures: u64,
    /// How much waits for the writer of recordings; shared with it by the rim.
    pub backlog: Backlog,
    /// Which recordings may begin; told by the writer, through the rim, whether there is space.
    pub admission: Admission,
}

impl Shard {
    /// A shard without rooms.
    pub fn new(config: ShardConfig) -> Self {
        Self {
            owner_keys: OwnerKeys::new(&config.room.limits),
            backlog: Backlog::new(config.room.limits.recording_queue_bytes),
            transport: config.transport,
            room_config: config.room,
            wall: config.wall,
            rng: StdRng::from_seed(config.seed),
            switchboard: Switchboard::default(),
            relay: config.relay.and_then(Relay::new),
            rooms: Slots::default(),
            by_name: BTreeMap::new(),
            connections: BTreeMap::new(),
            agenda: Agenda::default(),
            forwards: Forwards::new(config.outputs),
            strain: relief::Strain::default(),
            counters: Counters::default(),
            stun: Vec::new(),
            is_watched: false,
            rooms_made: 0,
            is_draining: false,
            is_stopping: false,
            #[cfg(test)]
            fault: false,
            send_failures: 0,
            admission: Admission::default(),
        }
    }

    /// Takes a datagram. The STUN username decides first; anything else must come from a source
    /// that a valid check came from, or is the relay's.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        out: &mut ShardOutput,
    ) {
        if path.local.as_output().is_some() {
            return self.output_feedback(now, path, datagram, out);
        }
        let is_for_relay = path.local.as_relay().is_some()
            || is_turn_stream(path)
            || match classify(datagram) {
                Kind::Channel => true,
                Kind::Stun => {
                    ice::local_ufrag(datagram).is_none() && ice::asked_by(datagram).is_none()
                }
                _ => false,
            };
        if !is_for_relay {
            return self.handle_media(now, path, datagram, out);
        }
        let inside = self.relayed(now, path, datagram, out);
        if let Some(inside) = inside
            && let Some(payload) = datagram.get(inside.payload)
        {
            self.handle_media(now, inside.path, payload, out);
        }
    }

    /// Checks and media, which may have come through a relay of our own.
    fn handle_media(&mut self, now: Instant, path: Path, datagram: &[u8], out: &mut ShardOutput) {
        let place = match classify(datagram) {
            Kind::Stun => match (ice::local_ufrag(datagram), ice::asked_by(datagram)) {
                (Some(ufrag), _) => self.switchboard.by_ufrag(ufrag),
                (None, Some(key)) => self.switchboard.by_key(key),
                (None, None) => return self.answer_binding(path, datagram, out),
            },
            _ => self.switchboard.by_path(path),
        };
        match place {
            Some(place) => self.with_room(now, place.room, out, |conference, around| {
                conference.handle_datagram(now, place.participant, path, datagram, around);
            }),
            None => self.counters.dropped.unknown_source += 1,
        }
    }

    /// What of it is for the node's own media is returned.
    fn relayed(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        out: &mut ShardOutput,
    ) -> Option<Inside> {
        let Some(relay) = &mut self.relay else {
            if !is_turn_stream(path) {
                self.handle_media(now, path, datagram, out);
            }
            return None;
        };
        let waiting = relay.commands();
        let inside = relay.handle(now, path, datagram, &mut out.datagrams);
        let is_answered = relay.commands() > waiting
            && datagram.starts_with(&stun::BINDING_REQUEST.to_be_bytes());
        self.counters.stun_answers += u64::from(is_answered);
        inside
    }

    /// A TCP connection has ended: nothing is bound to it any more.
    pub fn stream_ended(&mut self, path: Path) {
        self.switchboard.forget_path(path);
        if let Some(relay) = &mut self.relay {
            relay.stream_ended(path);
        }
    }

    /// Whether anybody uses a TCP connection; one that is not used and silent need not be kept.
    pub fn needs_stream(&self, now: Instant, path: Path) -> bool {
        let relay = self.relay.as_ref();
        self.switchboard.by_path(path).is_some()
            || relay.is_some_and(|relay| relay.needs_stream(now, path))
    }

    /// Opens and closes relay sockets and lets the relay's answers into `out`. To be called before
    /// its datagrams are sent.
    pub fn settle_relay(
        &mut self,
        now: Instant,
        sockets: &mut dyn RelaySockets,
        out: &mut ShardOutput,
    ) {
        if let Some(relay) = &mut self.relay {
            relay.settle(now, sockets, &mut out.datagrams);
        }
    }

    /// Mesh clients learn their own public address from the media port.
    fn answer_binding(&mut self, path: Path, request: &[u8], out: &mut ShardOutput) {
        self.stun.clear();
        if motet_turn::answer_binding(request, path.remote, &mut self.stun) {
            self.counters.stun_answers += 1;
            out.datagrams.push(path, &self.stun);
        }
    }

    /// Takes a command of the rim.
    pub fn handle(&mut self, now: Instant, command: ShardCommand, out: &mut ShardOutput) {
        match command {
            ShardCommand::Join {
                connection,
                id,
                room,
                name,
                kind,
                sfu_only,
                owner_key,
                pass,
            } => {
                let newcomer = Newcomer {
                    name,
                    kind,
                    sfu_only,
                    owner_key: owner_key.as_ref().map(mark_of),
                    pass,
                };
                self.join(now, connection, room, (newcomer, id), out);
            }
            ShardCommand::Resume {
                connection,
                id,
                room,
                token,
                after,
            } => {
                let next = self.token();
                let input = RoomInput::Resume {
                    id,
                    connection,
                    token,
                    after,
                    next,
                };
                self.resume(now, (connection, id), &room, input, out);
            }
            ShardCommand::Alive { connection } => {
                if let Some(&(slot, member)) = self.connections.get(&connection) {
                    self.tell(now, slot, RoomInput::Alive { member }, out);
                }
            }
            ShardCommand::Said { connection, frame } => {
                if let Some(&(slot, member)) = self.connections.get(&connection) {
                    self.tell(now, slot, RoomInput::Said { member, frame }, out);
                }
            }
            ShardCommand::Gone { connection, reason } => {
                if let Some((slot, member)) = self.connections.remove(&connection) {
                    self.with_room(now, slot, out, |conference, around| {
                        conference.disconnect(member);
                        conference.handle(now, RoomInput::Gone { member, reason }, around);
                        conference.forsake(member, around);
                        let is_waited_for = conference.room.has(member);
                        around.counters.lost_websockets += u64::from(is_waited_for);
                    });
                }
            }
            ShardCommand::RecordingFailed {
                room,
                recording,
                why,
            } => {
                self.stop_recording(now, &room, (Some(&recording), why), out);
            }
            ShardCommand::Ask {
                ticket,
                question: Question::Forward { name, wish },
            } => self.forwards.ask(ticket, name, wish),
            ShardCommand::Untap { tap } => self.untap(now, tap, out),
            ShardCommand::Ask { ticket, question } => {
                let answer = self.answer(now, question, out);
                out.effects.push(ShardEffect::Reply { ticket, answer });
            }
            ShardCommand::Moved { candidates, relays } => {
                if let Some(relay) = &mut self.relay {
                    relay.add_own(&candidates, &relays);
                }
                self.forwards.add_own(&candidates, &relays);
                self.transport.candidates = candidates.into();
            }
            ShardCommand::Drain { patience } => {
                self.is_draining = true;
                let until = now + patience;
                let slots: Vec<_> = self.by_name.values().copied().collect();
                for slot in slots {
                    self.tell(now, slot, RoomInput::Drain { until }, out);
                }
            }
            ShardCommand::Shutdown => {
                self.is_stopping = true;
                let slots: Vec<_> = self.by_name.values().copied().collect();
                for slot in slots {
                    self.tell(
                        now,
                        slot,
                        RoomInput::Close {
                            reason: Reason::Shutdown,
                        },
                        out,
                    );
                }
            }
        }
    }

    fn join(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        room: String,
        (newcomer, id): (Newcomer, Option<RequestId>),
        out: &mut ShardOutput,
    ) {
        let Some(slot) = self.room_of_join(now, &room, newcomer.owner_key) else {
            let message = "this node holds as many rooms as it may".to_owned();
            let message = ServerMessage::Error {
                id,
                code: ErrorCode::NodeFull,
                message,
            };
            let frame = ServerFrame { seq: None, message };
            out.effects.push(ShardEffect::Send { connection, frame });
            return out.effects.push(ShardEffect::NoRoom { room });
        };
        self.tell_title(slot, Some(connection), out);
        let member = MemberId(self.rng.random());
        let token = self.token();
        self.connections.insert(connection, (slot, member));
        self.with_room(now, slot, out, |conference, around| {
            conference.connect(member, connection);
            conference.handle(
                now,
                RoomInput::Join {
                    member,
                    newcomer,
                    token,
                    id,
                },
                around,
            );
            if !keeps(conference, member) {
                conference.disconnect(member);
            }
        });
        let room = self.rooms.get(slot);
        if !room.is_some_and(|conference| keeps(conference, member)) {
            self.connections.remove(&connection);
        }
    }

    /// Whoever makes a room gives it their key, unless somebody else's is still kept for it.
    fn room_of_join(&mut self, now: Instant, name: &str, key: Option<OwnerMark>) -> Option<usize> {
        if let Some(&slot) = self.by_name.get(name) {
            return Some(slot);
        }
        self.new_room(now, name, Origin::Join, |kept| kept.or(key))
    }

    /// A WebSocket goes on where another was lost, if the room knows it.
    fn resume(
        &mut self,
        now: Instant,
        (connection, id): (ConnectionId, Option<RequestId>),
        room: &str,
        input: RoomInput,
        out: &mut ShardOutput,
    ) {
        let slot = self.by_name.get(room).copied();
        let panics = self.counters.room_panics;
        if let Some(slot) = slot {
            self.tell(now, slot, input, out);
        }
        if slot.is_none() || self.counters.room_panics > panics {
            let message = ServerMessage::Error {
                id,
                code: ErrorCode::ResumeFailed,
                message: "That room is not there any more; join instead.".to_owned(),
            };
            let frame = ServerFrame { seq: None, message };
            out.effects.push(ShardEffect::Send { connection, frame });
        }
        let conference = slot.and_then(|slot| self.rooms.get(slot));
        match (slot, conference.and_then(|room| room.member_on(connection))) {
            (Some(slot), Some(member)) => {
                self.connections.insert(connection, (slot, member));
                self.counters.resumes += 1;
            }
            _ => self.counters.refused_resumes += 1,
        }
    }

    /// 128 bits that nobody guesses.
    fn token(&mut self) -> String {
        format!("{:032x}", self.rng.random::<u128>())
    }

    /// Makes a room, owned by what `choose` makes of the key that is kept for its name.
    fn new_room(
        &mut self,
        now: Instant,
        name: &str,
        origin: Origin,
        choose: impl FnOnce(Option<OwnerMark>) -> Option<OwnerMark>,
    ) -> Option<usize> {
        if self.by_name.len() >= self.room_config.limits.rooms as usize {
            return None;
        }
        let kept = self.owner_keys.take(now, name);
        let owner = choose(kept.map(|title| title.owner));
        // What another owner decided is theirs.
        let rules = kept.filter(|kept| owner == Some(kept.owner));
        let room = Room::new(now, name.to_owned(), origin, self.room_config.clone());
        let room = room.owned_by(owner);
        let room = room.ruled_by(rules.map(|kept| kept.rules).unwrap_or_default());
        self.rooms_made += 1;
        let number = self.rooms_made;
        let mut conference = Conference::new(room, self.rooms.next());
        conference.number = number;
        if self.is_watched {
            conference.watch();
        }
        let slot = self.rooms.insert(conference);
        self.by_name.insert(name.to_owned(), slot);
        self.reschedule(now, slot);
        tracing::info!(room = number, "room opened");
        tracing::debug!(room = number, name, "its name");
        Some(slot)
    }

    fn answer(&mut self, now: Instant, question: Question, out: &mut ShardOutput) -> Value {
        match question {
            Question::Rooms => {
                let slots = self.by_name.values();
                slots
                    .filter_map(|&slot| self.rooms.get(slot))
                    .map(|room| room.describe(now))
                    .collect()
            }
            Question::Room(name) => {
                let room = self
                    .by_name
                    .get(&name)
                    .and_then(|&slot| self.rooms.get(slot));
                room.map_or(Value::Null, |room| room.describe(now))
            }
            Question::CreateRoom { name, .. } if self.by_name.contains_key(&name) => Value::Null,
            Question::CreateRoom { name, owner_key } => {
                let owner = owner_key.as_ref().map(mark_of);
                let slot = self.new_room(now, &name, Origin::Rest, |kept| owner.or(kept));
                if let Some(slot) = slot {
                    self.tell_title(slot, None, out);
                    self.with_room(now, slot, out, Conference::tell_changes);
                }
                match slot {
                    Some(slot) => self
                        .rooms
                        .get(slot)
                        .map_or(Value::Null, |room| room.describe(now)),
                    None => json!({ "error": ErrorCode::NodeFull }),
                }
            }
            Question::DeleteRoom(name) => match self.by_name.get(&name).copied() {
                Some(slot) => {
                    self.tell(
                        now,
                        slot,
                        RoomInput::Close {
                            reason: Reason::RoomClosed,
                        },
                        out,
                    );
                    json!({ "name": name })
                }
                None => Value::Null,
            },
            Question::Record { name, scope } => self.record(now, &name, scope, out),
            Question::StopRecording { name, recording } => {
                let how = (recording.as_deref(), RecordingEnd::Stopped);
                self.stop_recording(now, &name, how, out)
            }
            // Answered once there is a socket.
            Question::Forward { .. } => Value::Null,
            Question::Forwards(name) => self.list_forwards(&name),
            Question::ForwardSdp { name, id } => self.forward_sdp(&name, &id),
            Question::EndForward { name, id } => self.end_forward(now, &name, &id, out),
            Question::Tap {
                name,
                tap,
                backlog,
                scope,
            } => self.tap(now, &name, (tap, backlog, scope), out),
            Question::Stats => self.stats(),
        }
    }

    fn stats(&self) -> Value {
        let mut stats = json!(self.counters);
        let mut sizes = Sizes::default();
        let (mut sfu_rooms, mut irregular_pairs) = (0, 0);
        let (mut members, mut waiting, mut reconnecting) = (0, 0, 0);
        for conference in self.rooms.iter() {
            sizes += conference.sizes();
            sfu_rooms += usize::from(conference.room.mode() == Mode::Sfu);
            irregular_pairs += conference.room.irregular_pairs();
            members += conference.room.members();
            waiting += conference.room.waiting();
            reconnecting += conference.room.reconnecting();
        }
        let relay = self.relay.as_ref();
        let allocations = relay.map_or(0, Relay::allocations);
        let relay = relay.map(Relay::counters).unwrap_or_default();
        let now = json!({
            "rooms": self.by_name.len(),
            "relief": self.relief(),
            "draining": usize::from(self.is_draining),
            "meshRooms": self.by_name.len() - sfu_rooms,
            "sfuRooms": sfu_rooms,
            "irregularPairs": irregular_pairs,
            "members": members,
            "waiting": waiting,
            "reconnectingMembers": reconnecting,
            "peers": sizes.peers,
            "connectedPeers": sizes.connected,
            "tracks": sizes.tracks,
            "legs": sizes.legs,
            "recordings": self.recordings(),
            "forwards": self.forwards.len(),
            "thinnedRecordings": self.thinned_recordings(),
            "sendFailures": self.send_failures,
            "relayAllocations": allocations,
            "relayAllocated": relay.allocated,
            "relayRefused": relay.refused,
            "relayChallenged": relay.challenged,
            "relayUnanswered": relay.unanswered,
            "relayPackets": relay.packets,
            "relayBytes": relay.bytes,
            "relayDropped": relay.dropped,
        });
        if let (Some(stats), Value::Object(now)) = (stats.as_object_mut(), now) {
            stats.extend(now);
        }
        stats
    }

    fn tell(&mut self, now: Instant, slot: usize, input: RoomInput, out: &mut ShardOutput) {
        self.with_room(now, slot, out, |conference, around| {
            conference.handle(now, input, around)
        });
        self.tell_title(slot, None, out);
        self.drop_if_over(now, slot, out);
        self.make_way(now, out);
    }

    fn with_room(
        &mut self,
        now: Instant,
        slot: usize,
        out: &mut ShardOutput,
        act: impl FnOnce(&mut Conference, &mut Surroundings<'_>),
    ) {
        let closed_from = out.effects.len();
        if self.act(slot, out, act).is_none() {
            self.bury(now, slot, out);
        }
        for effect in &out.effects[closed_from..] {
            if let ShardEffect::Close { connection, reason } = effect {
                self.connections.remove(connection);
                let is_lost = *reason == Reason::Silent;
                self.counters.lost_websockets += u64::from(is_lost);
            }
        }
        self.reschedule(now, slot);
    }

    /// Ends connections that others have to make way for.
    fn make_way(&mut self, now: Instant, out: &mut ShardOutput) {
        while let Some(place) = self.switchboard.next_given_up() {
            self.with_room(now, place.room, out, |conference, around| {
                conference.give_up(now, place.participant, around);
            });
        }
    }

    /// Notes when the room wants to be woken, or drops it if it is over.
    fn reschedule(&mut self, now: Instant, slot: usize) {
        let next = self.rooms.get(slot).and_then(Conference::poll_timeout);
        self.agenda
            .set(slot, next.map(|(at, why)| (at.max(now), why)));
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut ShardOutput) {
        for slot in self.agenda.due(now) {
            self.with_room(now, slot, out, |conference, around| {
                conference.handle_timeout(now, around)
            });
            self.drop_if_over(now, slot, out);
        }
        if let Some(relay) = &mut self.relay {
            relay.handle_timeout(now);
        }
        self.renew_credentials(now, out);
    }

    /// Who has none by then because their WebSocket is lost gets some when it is back.
    fn renew_credentials(&mut self, now: Instant, out: &mut ShardOutput) {
        while let Some(relay) = &mut self.relay
            && let Some(member) = relay.next_to_renew(now)
        {
            let mut connections = self.connections.iter();
            let found = connections.find(|(_, (_, other))| *other == member);
            let Some((&connection, _)) = found else {
                continue;
            };
            let ice_servers = vec![relay.grant(now, member)];
            let message = ServerMessage::IceServers { ice_servers };
            let frame = ServerFrame { seq: None, message };
            out.effects.push(ShardEffect::Send { connection, frame });
        }
    }

    fn drop_if_over(&mut self, now: Instant, slot: usize, out: &mut ShardOutput) {
        if !self
            .rooms
            .get(slot)
            .is_some_and(|conference| conference.room.is_over(now))
        {
            return;
        }
        self.with_room(now, slot, out, |conference, around| {
            conference.close_all(now, around)
        });
        let conference = self.rooms.remove(slot);
        let number = conference.as_ref().map(|conference| conference.number);
        tracing::info!(room = number, "room closed");
        let room = conference.map(|conference| conference.room);
        let title = room.as_ref().and_then(Room::title_left);
        self.agenda.set(slot, None);
        let Some(name) = self
            .by_name
            .iter()
            .find(|(_, other)| **other == slot)
            .map(|(name, _)| name.clone())
        else {
            return;
        };
        self.by_name.remove(&name);
        if let Some(title) = title {
            self.leave_title(now, &name, title, out);
        }
        out.effects.push(ShardEffect::RoomClosed { room: name });
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let relay = self.relay.as_ref().and_then(Relay::poll_timeout);
        earlier(self.agenda.next(), relay)
    }

    /// Rooms, those in them or waiting to be, and peer connections that there are.
    pub fn sizes(&self) -> (usize, usize, usize) {
        let members = self
            .rooms
            .iter()
            .map(|conference| conference.room.members());
        (self.by_name.len(), members.sum(), self.switchboard.len())
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// On it everything is a client's word to the relay.
fn is_turn_stream(path: Path) -> bool {
    let stream = path.local.as_stream();
    stream.is_some_and(|(kind, _)| kind != StreamKind::Ice)
}

/// Whether the room talks to them: they are in it, or wait to be.
fn keeps(conference: &Conference, member: MemberId) -> bool {
    conference.room.has(member) || conference.room.awaits(member)
}

#[cfg(test)]
mod tests;

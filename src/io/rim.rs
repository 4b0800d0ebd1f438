//! Carries out what a shard wants, other than datagrams: messages to sockets, answers to questions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use super::embed::Embedder;
use super::outbox::{Draft, Letter, Outbox, OutboxReader, outbox};
use super::owners::{Kept, Owners};
use super::recorder::RecorderHandle;
use crate::ids::{ConnectionId, TapId, Ticket};
use crate::logic::household::{Household, Pass};
use crate::logic::limits::Limits;
use crate::logic::lobby::{Lobby, Refusal, ShardIndex};
use crate::logic::room::RoomEvent;
use crate::media::shard::ShardEffect;
use crate::metrics::RimCounters;
use crate::protocol::event::Event;
use crate::protocol::reason::Reason;
use crate::protocol::server::{IceServer, ServerMessage};

/// How often a stopping node looks whether its sockets are closed.
const DRAIN_INTERVAL: Duration = Duration::from_millis(10);

/// Everything that a shard's thread and the sockets' tasks share.
#[derive(Debug)]
pub struct Rim {
    /// Writes recordings, once it is there.
    pub recorder: OnceLock<RecorderHandle>,
    /// Keeps who owns which room, once it is there.
    pub owners: OnceLock<Owners>,
    /// The program around the node, if it is not `motet` itself.
    pub(super) embedder: OnceLock<Embedder>,
    /// Counters of the rim.
    pub counters: RimCounters,
    next: AtomicU64,
    outbox_bytes_max: usize,
    // Touched once per message, never per packet; no message is made into text under it.
    sockets: RwLock<BTreeMap<ConnectionId, Socket>>,
    tickets: Mutex<BTreeMap<Ticket, oneshot::Sender<Value>>>,
    lobby: Mutex<Lobby>,
    /// What the shard has not answered.
    arrivals: Mutex<BTreeMap<ConnectionId, Arrival>>,
}

#[derive(Debug)]
struct Socket {
    outbox: Outbox,
    ice_servers: IceServers,
    membership: Membership,
}

/// Where a client finds STUN and TURN servers, by the name that it used for this node.
#[derive(Debug, Default)]
pub struct IceServers {
    /// That need no credentials.
    pub stun: Vec<IceServer>,
    /// URLs of the node's relay, for the credentials that a shard hands out.
    pub turn: Vec<String>,
}

impl IceServers {
    /// Adds to a shard's list what it does not know.
    fn complete(&self, told: &mut Vec<IceServer>) {
        for relay in told.iter_mut().filter(|server| server.urls.is_empty()) {
            relay.urls.clone_from(&self.turn);
        }
        told.retain(|server| !server.urls.is_empty());
        told.splice(0..0, self.stun.iter().cloned());
    }
}

/// How a socket asks to be let into a room.
#[derive(Debug)]
enum Arrival {
    /// By `join` into that room: the lobby is told when it is answered, even if the socket is gone
    /// by then.
    Join(String),
    /// By `resume`: the room must be there already.
    Resume,
}

/// How far a socket has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It has not said `join`, or was refused.
    None,
    /// The shard has its `join` or `resume` and has not answered.
    Joining,
    /// It waits to be let into a room.
    Waiting,
    /// It is in a room.
    Joined,
}

impl Rim {
    /// For a node with that many shards.
    pub fn new(shards: usize, limits: &Limits) -> Self {
        Self {
            recorder: OnceLock::new(),
            owners: OnceLock::new(),
            embedder: OnceLock::new(),
            counters: RimCounters::default(),
            next: AtomicU64::new(1),
            outbox_bytes_max: limits.outgoing_queue_bytes as usize,
            sockets: RwLock::default(),
            tickets: Mutex::default(),
            lobby: Mutex::new(Lobby::new(shards, limits)),
            arrivals: Mutex::default(),
        }
    }

    /// Registers a new socket, which will tell its client of `ice_servers`.
    pub fn open_socket(&self, ice_servers: IceServers) -> (ConnectionId, OutboxReader) {
        let connection = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        let (outbox, reader) = outbox(self.outbox_bytes_max);
        let socket = Socket {
            outbox,
            ice_servers,
            membership: Membership::None,
        };
        write(&self.sockets).insert(connection, socket);
        (connection, reader)
    }

    /// Forgets a socket: what is sent to it from now on is dropped.
    pub fn close_socket(&self, connection: ConnectionId) {
        write(&self.sockets).remove(&connection);
    }

    /// Waits until there is no socket left.
    pub async fn empty(&self) {
        while self.sockets() > 0 {
            tokio::time::sleep(DRAIN_INTERVAL).await;
        }
    }

    /// Waits until no socket is in a room any more.
    pub async fn empty_of_members(&self) {
        let is_member = |socket: &Socket| socket.membership != Membership::None;
        while read(&self.sockets).values().any(is_member) {
            tokio::time::sleep(DRAIN_INTERVAL).await;
        }
    }

    /// How many sockets there are.
    pub fn sockets(&self) -> usize {
        read(&self.sockets).len()
    }

    /// How far a socket has come.
    pub fn membership(&self, connection: ConnectionId) -> Membership {
        let sockets = read(&self.sockets);
        sockets
            .get(&connection)
            .map_or(Membership::None, |socket| socket.membership)
    }

    /// Finds the shard for a `join` of this socket, which must be sent there then, and what counts the
    /// member.
    ///
    /// # Errors
    /// [`Refusal`], if the node is full, or the household has its share.
    pub fn enter_for_join(
        &self,
        connection: ConnectionId,
        room: &str,
        household: Household,
    ) -> Result<(ShardIndex, Pass), Refusal> {
        let entered = self.lobby().enter(Instant::now(), room, household);
        let entered = entered.inspect_err(|_| self.counters.refused_joins.add(1))?;
        self.expect(connection, Arrival::Join(room.to_owned()));
        Ok(entered)
    }

    /// Finds the shard for a `resume` of this socket, which must be sent there then; nothing if there
    /// is no such room.
    pub fn enter_for_resume(&self, connection: ConnectionId, room: &str) -> Option<ShardIndex> {
        let shard = self.lobby().find(room)?;
        self.expect(connection, Arrival::Resume);
        Some(shard)
    }

    fn expect(&self, connection: ConnectionId, arrival: Arrival) {
        lock(&self.arrivals).insert(connection, arrival);
        if let Some(socket) = write(&self.sockets).get_mut(&connection) {
            socket.membership = Membership::Joining;
        }
    }

    /// Which room lives where, and who may come in.
    pub fn lobby(&self) -> MutexGuard<'_, Lobby> {
        lock(&self.lobby)
    }

    /// Sends an answer to a socket.
    pub fn send(&self, connection: ConnectionId, message: ServerMessage) {
        let letter = Letter::answer(message);
        if let Some(socket) = read(&self.sockets).get(&connection) {
            self.post(socket, letter);
        }
    }

    /// Sends an event to many sockets, each with its number.
    fn tell(&self, event: Arc<Event>, to: &[(ConnectionId, u64)]) {
        let draft = Draft::new(event);
        let sockets = read(&self.sockets);
        for (connection, seq) in to {
            if let Some(socket) = sockets.get(connection) {
                self.post(socket, Letter::event(&draft, *seq));
            }
        }
    }

    fn post(&self, socket: &Socket, letter: Letter) {
        self.counters.messages_out.add(1);
        if socket.outbox.push(letter).is_err() {
            self.counters.messages_dropped.add(1);
        }
    }

    /// Asks a socket's client for a sign of life.
    pub fn ping(&self, connection: ConnectionId) {
        if let Some(socket) = read(&self.sockets).get(&connection) {
            socket.outbox.ping();
        }
    }

    /// What a socket is sent from now on waits until that is kept.
    fn hold(&self, connection: ConnectionId, until: Kept) {
        if let Some(socket) = read(&self.sockets).get(&connection) {
            socket.outbox.hold(until);
        }
    }

    /// Closes a socket once everything sent before is out.
    pub fn close(&self, connection: ConnectionId, reason: Reason) {
        if let Some(socket) = read(&self.sockets).get(&connection) {
            socket.outbox.close(reason);
        }
    }

    /// Closes a socket for a message beyond every limit, once everything sent before is out.
    pub fn close_too_large(&self, connection: ConnectionId) {
        if let Some(socket) = read(&self.sockets).get(&connection) {
            socket.outbox.close_too_large();
        }
    }

    /// Tells every socket to close.
    pub fn close_all(&self, reason: Reason) {
        for socket in read(&self.sockets).values() {
            socket.outbox.close(reason);
        }
    }

    /// Carries out what a shard wants. Called on the shard's thread; never waits.
    pub fn effect(&self, effect: ShardEffect) {
        match effect {
            ShardEffect::Send {
                connection,
                mut frame,
            } => {
                self.follow(connection, &mut frame.message);
                let is_resumed = matches!(frame.message, ServerMessage::Resumed { .. });
                self.send(connection, frame.message);
                if is_resumed {
                    // Its answer comes after this message: then the former token can go.
                    self.ping(connection);
                }
            }
            ShardEffect::Tell { event, to } => self.tell(event, &to),
            ShardEffect::Close { connection, reason } => {
                // Its room may have failed before it was answered.
                self.settle(connection);
                self.close(connection, reason);
            }
            ShardEffect::Reply { ticket, answer } => {
                if let Some(asker) = lock(&self.tickets).remove(&ticket) {
                    // Who asked may have given up.
                    let _ = asker.send(answer);
                }
            }
            ShardEffect::Record { recording, word } => {
                if let Some(recorder) = self.recorder.get() {
                    recorder.record(recording, word);
                }
            }
            ShardEffect::Tapped { tap, word } => {
                if let Some(embedder) = self.embedder.get() {
                    embedder.taps.send(tap, word);
                }
            }
            ShardEffect::Event { room, event } => {
                if let Some(embedder) = self.embedder.get() {
                    embedder.events.send(room, event);
                }
            }
            ShardEffect::NoRoom { room } => self.lobby().closed(&room),
            ShardEffect::Owned {
                room,
                title,
                is_gone,
                newcomer,
            } => {
                let owners = self.owners.get();
                let kept = owners.map(|owners| owners.note(room, title, is_gone));
                if let (Some(newcomer), Some(kept)) = (newcomer, kept) {
                    self.hold(newcomer, kept);
                }
            }
            ShardEffect::Disowned { room } => {
                if let Some(owners) = self.owners.get() {
                    owners.forget(&room);
                }
            }
            ShardEffect::RoomClosed { room } => {
                self.lobby().closed(&room);
                if let Some(embedder) = self.embedder.get() {
                    embedder.events.send(room, RoomEvent::Closed);
                }
            }
        }
    }

    /// Follows a socket's way into a room. The answer to its `join` or `resume` is the first thing that
    /// a shard sends to it; a `joined` may also come later, to one who waited. Into that goes what only
    /// the rim knows, by which name the client reached us.
    fn follow(&self, connection: ConnectionId, message: &mut ServerMessage) {
        let (membership, ice_servers) = match message {
            ServerMessage::Joined { ice_servers, .. }
            | ServerMessage::Resumed { ice_servers, .. } => (Membership::Joined, Some(ice_servers)),
            ServerMessage::IceServers { ice_servers } => (Membership::Joined, Some(ice_servers)),
            ServerMessage::Waiting { .. } => (Membership::Waiting, None),
            ServerMessage::Error { .. } => (Membership::None, None),
            _ => return,
        };
        if !self.settle(connection) && membership != Membership::Joined {
            return;
        }
        if let Some(socket) = write(&self.sockets).get_mut(&connection) {
            socket.membership = membership;
            if let Some(told) = ice_servers {
                socket.ice_servers.complete(told);
            }
        }
    }

    /// A shard has handled how a socket asks to be let in, if it did.
    fn settle(&self, connection: ConnectionId) -> bool {
        let arrival = lock(&self.arrivals).remove(&connection);
        if let Some(Arrival::Join(room)) = &arrival {
            self.lobby().arrived(room);
        }
        arrival.is_some()
    }

    /// A number for a tap.
    pub(super) fn new_tap(&self) -> TapId {
        TapId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Opens a question; the answer comes by the receiver.
    pub fn open_ticket(&self) -> (Ticket, oneshot::Receiver<Value>) {
        let ticket = Ticket(self.next.fetch_add(1, Ordering::Relaxed));
        let (asker, answer) = oneshot::channel();
        lock(&self.tickets).insert(ticket, asker);
        (ticket, answer)
    }

    /// How many questions are open.
    pub fn tickets(&self) -> usize {
        lock(&self.tickets).len()
    }

    /// Gives up a question.
    pub fn drop_ticket(&self, ticket: Ticket) {
        lock(&self.tickets).remove(&ticket);
    }
}

fn read<T>(map: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    map.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(map: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    map.write().unwrap_or_else(PoisonError::into_inner)
}

/// A panic elsewhere does not make these maps wrong.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

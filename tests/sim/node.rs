//! The node in the simulation: one shard, called as its worker thread would call it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use motet::ids::{ConnectionId, LocalSocket, Path};
use motet::logic::forward::reports::NtpClock;
use motet::logic::household::Pass;
use motet::logic::limits::Limits;
use motet::logic::room::RoomConfig;
use motet::logic::topology::{Policy, TopologyConfig};
use motet::media::dtls::Identity;
use motet::media::peer::Transport;
use motet::media::shard::{Shard, ShardCommand, ShardConfig, ShardEffect, ShardOutput};
use motet::protocol::client::{ClientFrame, ClientMessage};
use motet::protocol::server::MemberKind;

/// Where every client sends its media.
pub const ADDRESS: &str = "10.1.0.1:7000";
/// How long the node waits for a lost WebSocket; shorter than usual, so that simulations are.
pub const GRACE: Duration = Duration::from_secs(8);
/// What the wall clock says when a simulation starts.
const WALL: Duration = Duration::from_secs(1_800_000_000);

/// See the module.
pub struct Node {
    pub shard: Shard,
    pub out: ShardOutput,
    datagrams: VecDeque<(SocketAddr, Bytes)>,
    effects: VecDeque<ShardEffect>,
}

impl Node {
    /// A node without rooms; with `sfu`, one that never lets clients talk to each other directly.
    pub fn new(now: Instant, seed: u64, sfu: bool) -> Self {
        let limits = Limits {
            resume_seconds: GRACE.as_secs() as u32,
            ..Limits::default()
        };
        Self::with_limits(now, seed, sfu, limits)
    }

    /// The same, that takes and holds what it is told to.
    pub fn with_limits(now: Instant, seed: u64, sfu: bool, limits: Limits) -> Self {
        let policy = if sfu { Policy::Sfu } else { Policy::Auto };
        let topology = TopologyConfig {
            policy,
            ..TopologyConfig::default()
        };
        let room = RoomConfig {
            topology,
            limits,
            ..RoomConfig::default()
        };
        let mut seeds = [0; 32];
        seeds[..8].copy_from_slice(&seed.to_le_bytes());
        let config = ShardConfig {
            transport: Transport {
                identity: identity(),
                candidates: Arc::new([ADDRESS.parse().unwrap()]),
                tcp_candidates: Arc::new([]),
            },
            room: Arc::new(room),
            wall: NtpClock::new(now, WALL),
            relay: None,
            outputs: None,
            seed: seeds,
        };
        Self {
            shard: Shard::new(config),
            out: ShardOutput::default(),
            datagrams: VecDeque::new(),
            effects: VecDeque::new(),
        }
    }

    pub fn handle(&mut self, now: Instant, command: ShardCommand) {
        self.shard.handle(now, command, &mut self.out);
        self.drain();
    }

    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.shard
            .handle_datagram(now, path(from), datagram, &mut self.out);
        self.drain();
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.shard.handle_timeout(now, &mut self.out);
        self.drain();
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.shard.poll_timeout()
    }

    pub fn poll_datagram(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.datagrams.pop_front()
    }

    pub fn poll_effect(&mut self) -> Option<ShardEffect> {
        self.effects.pop_front()
    }

    fn drain(&mut self) {
        let datagrams = self.out.datagrams.datagrams();
        let datagrams = datagrams.map(|(to, bytes)| (to.remote, Bytes::copy_from_slice(bytes)));
        self.datagrams.extend(datagrams);
        self.out.datagrams.clear();
        self.effects.extend(self.out.effects.drain(..));
    }
}

pub fn path(remote: SocketAddr) -> Path {
    Path {
        local: LocalSocket(0),
        remote,
    }
}

/// WebSockets that one browser may have, one after the other.
const SOCKETS_MAX: u64 = 1_000;

/// The n-th WebSocket of a browser, and back.
pub fn connection(number: u32, socket: u32) -> ConnectionId {
    ConnectionId(u64::from(number) * SOCKETS_MAX + u64::from(socket))
}

pub fn number(connection: ConnectionId) -> u32 {
    (connection.0 / SOCKETS_MAX) as u32
}

/// One for all, as in a process.
fn identity() -> Arc<Identity> {
    static IDENTITY: OnceLock<Arc<Identity>> = OnceLock::new();
    IDENTITY
        .get_or_init(|| Arc::new(Identity::generate().unwrap()))
        .clone()
}

/// What the rim makes of a client's word.
pub fn command(connection: ConnectionId, frame: ClientFrame) -> ShardCommand {
    match frame.message {
        ClientMessage::Join {
            room,
            name,
            sfu_only,
            owner_key,
        } => ShardCommand::Join {
            connection,
            id: frame.id,
            room,
            name,
            kind: MemberKind::Client,
            sfu_only,
            owner_key,
            pass: Pass::default(),
        },
        ClientMessage::Resume { room, token, after } => ShardCommand::Resume {
            connection,
            id: frame.id,
            room,
            token,
            after,
        },
        _ => ShardCommand::Said { connection, frame },
    }
}

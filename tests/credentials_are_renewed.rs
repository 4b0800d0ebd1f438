//! TURN credentials over half a day of virtual time: a shard with its relay, and a member who stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use motet::ids::{ConnectionId, LocalSocket, Path};
use motet::logic::forward::reports::NtpClock;
use motet::logic::household::Pass;
use motet::logic::room::RoomConfig;
use motet::media::dtls::Identity;
use motet::media::peer::Transport;
use motet::media::relay::{RelayConfig, RelaySockets};
use motet::media::shard::{Shard, ShardCommand, ShardConfig, ShardEffect, ShardOutput};
use motet::protocol::reason::Reason;
use motet::protocol::server::{IceServer, ServerMessage};
use motet_turn::credentials::{self, Algorithm};
use motet_turn::stun::{self, Message, Writer};
use motet_turn::{Config, words};

const UNIX: Duration = Duration::from_secs(1_800_000_000);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Below what a silent WebSocket may take.
const STEP: Duration = Duration::from_secs(20);
/// A browser refreshes its allocation about as often.
const REFRESHED_EVERY: u32 = 27;

/// Sockets that can always be had.
struct Sockets;

impl RelaySockets for Sockets {
    fn open(&mut self, _: LocalSocket) -> bool {
        true
    }

    fn close(&mut self, _: LocalSocket) {}
}

struct World {
    shard: Shard,
    out: ShardOutput,
    start: Instant,
    now: Instant,
    socket: ConnectionId,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let mut turn = Config::new("motet", b"north", [7; 32]);
        turn.relay_ipv4 = Some("192.0.2.1".parse().unwrap());
        let config = ShardConfig {
            transport: Transport {
                identity: Arc::new(Identity::generate().unwrap()),
                candidates: Arc::new(["192.0.2.1:3478".parse().unwrap()]),
                tcp_candidates: Arc::new([]),
            },
            room: Arc::new(RoomConfig::default()),
            wall: NtpClock::new(now, UNIX),
            relay: Some(RelayConfig {
                turn,
                time: (now, UNIX),
            }),
            outputs: None,
            seed: [1; 32],
        };
        Self {
            shard: Shard::new(config),
            out: ShardOutput::default(),
            start: now,
            now,
            socket: ConnectionId(1),
        }
    }

    /// What the member was told.
    fn told(&mut self) -> Vec<ServerMessage> {
        let effects = self.out.effects.drain(..);
        let words = effects.filter_map(|effect| match effect {
            ShardEffect::Send { frame, .. } => Some(frame.message),
            _ => None,
        });
        words.collect()
    }

    fn handle(&mut self, command: ShardCommand) -> Vec<ServerMessage> {
        self.shard.handle(self.now, command, &mut self.out);
        self.told()
    }

    fn join(&mut self) -> (IceServer, String) {
        let told = self.handle(ShardCommand::Join {
            connection: self.socket,
            id: None,
            room: "room".into(),
            name: "Ada".into(),
            kind: motet::protocol::server::MemberKind::Client,
            sfu_only: false,
            owner_key: None,
            pass: Pass::default(),
        });
        let joined = told.into_iter().find_map(|message| match message {
            ServerMessage::Joined {
                ice_servers,
                resume,
                ..
            } => Some((relay_of(ice_servers), resume.token)),
            _ => None,
        });
        joined.expect("to have joined")
    }

    /// Lets a moment pass in which the member gives a sign of life.
    fn pass(&mut self) -> Vec<ServerMessage> {
        self.now += STEP;
        if self
            .shard
            .poll_timeout()
            .is_some_and(|(at, _)| at <= self.now)
        {
            self.shard.handle_timeout(self.now, &mut self.out);
        }
        let connection = self.socket;
        let alive = ShardCommand::Alive { connection };
        self.shard.handle(self.now, alive, &mut self.out);
        self.told()
    }

    fn age(&self) -> Duration {
        self.now - self.start
    }

    /// What the relay answers to a client.
    fn exchange(&mut self, from: SocketAddr, request: &[u8]) -> Vec<u8> {
        let path = Path {
            local: LocalSocket(0),
            remote: from,
        };
        self.shard
            .handle_datagram(self.now, path, request, &mut self.out);
        self.shard
            .settle_relay(self.now, &mut Sockets, &mut self.out);
        let answer = self.out.datagrams.datagrams().next();
        let answer = answer.expect("an answer").1.to_vec();
        self.out.datagrams.clear();
        answer
    }
}

/// The one with credentials.
fn relay_of(servers: Vec<IceServer>) -> IceServer {
    let mut servers = servers.into_iter();
    servers
        .find(|server| server.username.is_some())
        .expect("a relay")
}

struct Client {
    from: SocketAddr,
    credentials: IceServer,
    nonce: Vec<u8>,
    transactions: u16,
}

impl Client {
    fn new(port: u16, credentials: IceServer) -> Self {
        Self {
            from: ([198, 51, 100, 9], port).into(),
            credentials,
            nonce: vec![b'0'],
            transactions: 0,
        }
    }

    fn allocate(&mut self, world: &mut World) -> u16 {
        self.ask(world, words::ALLOCATE_REQUEST)
    }

    fn refresh(&mut self, world: &mut World) -> u16 {
        self.ask(world, words::REFRESH_REQUEST)
    }

    /// The code of the answer, 0 for success. A stale nonce is replaced once.
    fn ask(&mut self, world: &mut World, kind: u16) -> u16 {
        for _ in 0..2 {
            let answer = world.exchange(self.from, &self.request(kind));
            let answer = Message::parse(&answer).unwrap();
            let Some(code) = answer.attribute(stun::ERROR_CODE) else {
                assert_eq!(answer.kind(), kind | words::SUCCESS);
                return 0;
            };
            let code = u16::from(code[2]) * 100 + u16::from(code[3]);
            if code != 438 {
                return code;
            }
            self.nonce = answer.attribute(stun::NONCE).unwrap().to_vec();
        }
        438
    }

    fn request(&mut self, kind: u16) -> Vec<u8> {
        self.transactions += 1;
        let mut transaction = [0; 12];
        transaction[..2].copy_from_slice(&self.transactions.to_be_bytes());
        let name = self.credentials.username.as_deref().unwrap().as_bytes();
        let password = self.credentials.credential.as_deref().unwrap().as_bytes();
        let mut bytes = vec![];
        let mut writer = Writer::new(&mut bytes, kind, &transaction);
        if kind == words::ALLOCATE_REQUEST {
            writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        }
        writer.attribute(stun::USERNAME, name);
        writer.attribute(stun::REALM, b"motet");
        writer.attribute(stun::NONCE, &self.nonce);
        let key = credentials::long_term_key(Algorithm::Md5, name, "motet", password);
        writer.integrity(&key).unwrap();
        bytes
    }
}

#[test]
fn the_next_credentials_come_before_the_first_ones_end() {
    let mut world = World::new();
    let (first, _) = world.join();
    let mut early = Client::new(1, first.clone());
    assert_eq!(early.allocate(&mut world), 0);

    let (mut second, mut steps) = (None, 0);
    while second.is_none() {
        let told = world.pass();
        second = told.into_iter().find_map(|message| match message {
            ServerMessage::IceServers { ice_servers } => Some(relay_of(ice_servers)),
            _ => None,
        });
        steps += 1;
        if steps % REFRESHED_EVERY == 0 {
            assert_eq!(early.refresh(&mut world), 0, "after {:?}", world.age());
        }
        assert!(world.age() < 7 * HOUR, "none came");
    }
    let second = second.unwrap();
    assert!(world.age() >= 6 * HOUR);
    assert_ne!(second.username, first.username);
    let mut late = Client::new(2, second);
    assert_eq!(late.allocate(&mut world), 0);

    let mut ended_at = None;
    while world.age() < 13 * HOUR {
        world.pass();
        steps += 1;
        if steps % REFRESHED_EVERY != 0 {
            continue;
        }
        assert_eq!(late.refresh(&mut world), 0, "after {:?}", world.age());
        if ended_at.is_none() && early.refresh(&mut world) != 0 {
            ended_at = Some(world.age());
        }
    }
    assert!(ended_at.unwrap() > 12 * HOUR, "{ended_at:?}");
    assert_eq!(Client::new(3, first).allocate(&mut world), 401);
}

#[test]
fn who_comes_back_after_the_first_ones_were_replaced_gets_the_next_at_once() {
    let mut world = World::new();
    let (first, token) = world.join();
    while world.age() < 6 * HOUR - STEP {
        assert!(world.pass().is_empty(), "after {:?}", world.age());
    }
    world.handle(ShardCommand::Gone {
        connection: world.socket,
        reason: Reason::Lost,
    });
    // The time at which the next ones are handed out goes by, and nobody is there to be told.
    world.socket = ConnectionId(2);
    world.pass();
    assert!(world.pass().is_empty());
    let told = world.handle(ShardCommand::Resume {
        connection: world.socket,
        id: None,
        room: "room".into(),
        token,
        after: 0,
    });
    let second = told.into_iter().find_map(|message| match message {
        ServerMessage::Resumed { ice_servers, .. } => Some(relay_of(ice_servers)),
        _ => None,
    });
    let second = second.expect("to be back");
    assert_ne!(second.username, first.username);
    assert_eq!(Client::new(1, second).allocate(&mut world), 0);
}

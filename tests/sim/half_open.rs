//! Those who offer and never connect: what it costs the others, and what their own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use motet::ids::Ticket;
use motet::logic::household::Household;
use motet::logic::limits::Limits;
use motet::logic::lobby::Lobby;
use motet::media::shard::{Question, ShardCommand, ShardEffect};
use motet::protocol::client::{ClientFrame, ClientMessage, Epoch};
use motet::protocol::reason::{ErrorCode, Reason};
use motet::protocol::server::{MemberKind, ServerMessage};
use serde_json::Value;

use crate::connection::{Connection, ConnectionEvent, Layout};
use crate::light::{LightPeer, Profile};
use crate::node::{self, Node};

/// A connection takes some round trips, and a few timers of the handshake.
const CONNECT: Duration = Duration::from_secs(3);
/// More than the node lets come up at once.
const OFFERS: u32 = 1_100;

struct Scene {
    now: Instant,
    node: Node,
    lobby: Lobby,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        // The lobby alone would stop it.
        let limits = Limits {
            connections_per_address: 10_000,
            joins_per_minute: 10_000,
            ..Limits::default()
        };
        let (node, lobby) = (Node::new(now, 1, true), Lobby::new(1, &limits));
        Self { now, node, lobby }
    }

    /// Somebody of that household joins and offers; what they are answered.
    fn enter(&mut self, number: u32, home: u8, peer: &mut LightPeer) -> (Epoch, String) {
        let household = Household::of([192, 0, 2, home].into());
        let room = format!("{home} {}", number / 100);
        let (_, pass) = self.lobby.enter(self.now, &room, household).unwrap();
        let connection = node::connection(number, 0);
        let join = ShardCommand::Join {
            connection,
            id: None,
            room,
            name: format!("{number}"),
            kind: MemberKind::Client,
            sfu_only: true,
            owner_key: None,
            pass,
        };
        self.node.handle(self.now, join);
        let epoch = self.find(number, |message| match message {
            ServerMessage::Joined { topology, .. } => Some(topology.epoch),
            _ => None,
        });
        let answer = self.offer(number, epoch, peer.offer(self.now), true);
        (epoch, answer.unwrap())
    }

    fn offer(
        &mut self,
        number: u32,
        epoch: Epoch,
        sdp: String,
        fresh: bool,
    ) -> Result<String, ErrorCode> {
        let frame = ClientFrame {
            id: Some(1),
            message: ClientMessage::Offer { sdp, epoch, fresh },
        };
        let connection = node::connection(number, 0);
        self.node
            .handle(self.now, ShardCommand::Said { connection, frame });
        self.find(number, |message| match message {
            ServerMessage::Answer { sdp, .. } => Some(Ok(sdp)),
            ServerMessage::Error { code, .. } => Some(Err(code)),
            _ => None,
        })
    }

    fn find<T>(&mut self, number: u32, pick: impl Fn(ServerMessage) -> Option<T>) -> T {
        while let Some(effect) = self.node.poll_effect() {
            if let ShardEffect::Send { connection, frame } = effect
                && connection == node::connection(number, 0)
                && let Some(found) = pick(frame.message)
            {
                return found;
            }
        }
        panic!("no such message for member {number}");
    }

    /// Exchanges datagrams until the connection is up; false if it does not come up.
    fn connects(&mut self, number: u32, peer: &mut LightPeer, answer: &str) -> bool {
        peer.accept(self.now, answer);
        let until = self.now + CONNECT;
        while self.now < until {
            while let Some((_, datagram)) = peer.poll_datagram() {
                self.node
                    .handle_datagram(self.now, address(number), &datagram);
            }
            while let Some((to, datagram)) = self.node.poll_datagram() {
                if to == address(number) {
                    peer.handle_datagram(self.now, node::ADDRESS.parse().unwrap(), &datagram);
                }
            }
            if matches!(peer.poll_event(), Some(ConnectionEvent::Connected)) {
                return true;
            }
            self.now += Duration::from_millis(1);
            peer.handle_timeout(self.now);
            self.node.handle_timeout(self.now);
        }
        false
    }

    fn gone(&mut self, number: u32) {
        let gone = ShardCommand::Gone {
            connection: node::connection(number, 0),
            reason: Reason::Lost,
        };
        self.node.handle(self.now, gone);
    }

    fn figure(&mut self, name: &str) -> u64 {
        let (ticket, question) = (Ticket(1), Question::Stats);
        let ask = ShardCommand::Ask { ticket, question };
        self.node.handle(self.now, ask);
        let mut stats = Value::Null;
        while let Some(effect) = self.node.poll_effect() {
            if let ShardEffect::Reply { answer, .. } = effect {
                stats = answer;
            }
        }
        stats[name].as_u64().expect(name)
    }
}

fn address(number: u32) -> SocketAddr {
    ([10, 0, (number >> 8) as u8, number as u8], 40_000).into()
}

fn peer(number: u32) -> LightPeer {
    let layout = Layout {
        seats: 1,
        ..Layout::default()
    };
    LightPeer::new(number.into(), layout, Profile::Gcm)
}

/// As an ICE restart has it.
fn with_new_credentials(offer: &str) -> String {
    let line = |line: &str| match line.split_once(':') {
        Some(("a=ice-ufrag", _)) => "a=ice-ufrag:anew".to_owned(),
        Some(("a=ice-pwd", password)) => format!("a=ice-pwd:{}", password.to_uppercase()),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = offer.lines().map(line).collect();
    lines.join("\r\n") + "\r\n"
}

#[test]
fn a_thousand_offers_that_lead_nowhere_cost_the_others_nothing() {
    let mut scene = Scene::new();
    let (mut ada, mut bob, mut eve) = (peer(1), peer(2), peer(3));
    let (epoch, answer) = scene.enter(1, 1, &mut ada);
    assert!(scene.connects(1, &mut ada, &answer));
    let (_, answer_to_bob) = scene.enter(2, 2, &mut bob);
    for number in 0..OFFERS {
        scene.enter(1_000 + number, 9, &mut peer(7));
    }
    assert_eq!(scene.figure("members"), u64::from(OFFERS) + 2);
    assert_eq!(scene.figure("refusedOffers"), 0);
    let displaced = u64::from(OFFERS) + 1 - 1_000;
    assert_eq!(scene.figure("displacedPeers"), displaced);
    let restart = with_new_credentials(&ada.offer(scene.now));
    let restarted = scene.offer(1, epoch, restart, false).unwrap();
    assert_ne!(restarted, answer);
    assert!(scene.connects(2, &mut bob, &answer_to_bob), "he was first");
    let (_, answer_to_eve) = scene.enter(3, 3, &mut eve);
    scene.enter(1_000 + OFFERS, 9, &mut peer(7));
    assert!(scene.connects(3, &mut eve, &answer_to_eve));
    assert_eq!(scene.figure("connectedPeers"), 3);
}

#[test]
fn who_was_connected_once_may_begin_anew_among_a_thousand_who_were_not() {
    let mut scene = Scene::new();
    let mut ada = peer(1);
    // Of the same household as those.
    let (epoch, answer) = scene.enter(1, 9, &mut ada);
    assert!(scene.connects(1, &mut ada, &answer));
    let mut anew = peer(2);
    let answer = scene.offer(1, epoch, anew.offer(scene.now), true).unwrap();
    for number in 0..OFFERS {
        scene.enter(1_000 + number, 9, &mut peer(7));
    }
    assert!(scene.connects(1, &mut anew, &answer));
}

#[test]
fn a_connection_that_is_not_up_makes_way_once_its_websocket_is_gone() {
    let mut scene = Scene::new();
    let (mut ada, mut bob) = (peer(1), peer(2));
    // Far fewer than the others have, and younger.
    for number in 0..OFFERS - 101 {
        scene.enter(1_000 + number, 9, &mut peer(7));
    }
    let (_, answer) = scene.enter(1, 1, &mut ada);
    scene.gone(1);
    let (_, answer_to_bob) = scene.enter(2, 2, &mut bob);
    assert_eq!(
        (scene.figure("displacedPeers"), scene.figure("peers")),
        (1, 1_000)
    );
    assert!(scene.connects(2, &mut bob, &answer_to_bob));
    assert!(!scene.connects(1, &mut ada, &answer), "she made way");
}

#[test]
fn a_connection_comes_up_before_its_websocket_is_back_where_nobody_else_wants_to() {
    let mut scene = Scene::new();
    let mut ada = peer(1);
    let (_, answer) = scene.enter(1, 1, &mut ada);
    scene.gone(1);
    assert!(scene.connects(1, &mut ada, &answer));
    scene.now += node::GRACE;
    scene.node.handle_timeout(scene.now);
    assert_eq!((scene.figure("peers"), scene.figure("members")), (0, 0));
}

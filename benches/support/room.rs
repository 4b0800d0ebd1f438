//! A room in one process: a publisher and viewers, all connected, with nothing but calls between them and
//! the node.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use motet::ids::Ticket;
use motet::logic::household::Pass;
use motet::logic::room::RecordingScope;
use motet::media::recording::Word;
use motet::media::shard::{Question, ShardCommand, ShardEffect};
use motet::protocol::client::{ClientFrame, ClientMessage, Epoch, Source};
use motet::protocol::server::ServerMessage;

use crate::connection::{Connection, ConnectionEvent, Layout};
use crate::light::{LightPeer, Profile};
use crate::media::{Camera, Microphone};
use crate::node::{self, Node};

/// The publisher's number; viewers count from 1.
const PUBLISHER: u32 = 0;
const CAMERA: u32 = 77;
/// Its sound.
const MICROPHONE: u32 = 78;
const ROOM: &str = "bench";
/// A connection takes some round trips, and a few timers of the handshake.
const CONNECT: Duration = Duration::from_secs(3);

/// See the module.
pub struct Room {
    pub now: Instant,
    node: Node,
    publisher: LightPeer,
    camera: Camera,
    microphone: Microphone,
    viewers: usize,
}

impl Room {
    /// Everyone is in, sees the publisher's camera, and has had a key frame. Video packets have about
    /// `bytes` bytes.
    pub fn new(viewers: usize, profile: Profile, bytes: usize) -> Self {
        Self::with(viewers, profile, bytes, None)
    }

    /// The same with the publisher's microphone.
    pub fn with_sound(viewers: usize, profile: Profile, bytes: usize) -> Self {
        Self::with(viewers, profile, bytes, Some(MICROPHONE))
    }

    fn with(viewers: usize, profile: Profile, bytes: usize, microphone: Option<u32>) -> Self {
        let now = Instant::now();
        let mut camera = Camera::new(PUBLISHER, 0, CAMERA, 96, 0);
        camera.filling = bytes.saturating_sub(60);
        let layout = Layout {
            camera: vec![CAMERA],
            microphone,
            ..Layout::default()
        };
        let mut room = Self {
            now,
            node: Node::new(now, 1, true),
            publisher: LightPeer::new(0, layout.clone(), profile),
            camera,
            microphone: Microphone::new(PUBLISHER, MICROPHONE, 111, 0),
            viewers,
        };
        let mut publisher = LightPeer::new(0, layout, profile);
        room.enter(PUBLISHER, &mut publisher);
        room.publisher = publisher;
        let sources = microphone.map(|_| Source::Microphone);
        for (mid, source) in sources.into_iter().chain([Source::Camera]).enumerate() {
            let publish = ClientMessage::Publish {
                source,
                mid: Some(mid.to_string()),
                stream: None,
                muted: false,
            };
            room.say(PUBLISHER, publish);
        }
        for number in 1..=viewers as u32 {
            let layout = Layout {
                seats: 1,
                ..Layout::default()
            };
            let mut viewer = LightPeer::new(100 + u64::from(number), layout, profile);
            room.enter(number, &mut viewer);
        }
        room.warm_up();
        room
    }

    /// The same without viewers, and with frames of so many packets.
    pub fn with_frames_of(packets: u8, bytes: usize) -> Self {
        let mut room = Self::new(0, Profile::Gcm, bytes);
        room.camera.parts = packets;
        room
    }

    /// The publisher's next frame is a key frame.
    pub fn want_key(&mut self) {
        self.camera.want_key();
    }

    pub fn viewers(&self) -> usize {
        self.viewers
    }

    /// The publisher's next packets, sealed.
    pub fn seal(&mut self, packets: usize) -> Vec<Bytes> {
        let mut sealed = Vec::with_capacity(packets + 3);
        while sealed.len() < packets {
            for packet in self.camera.frame(3000) {
                sealed.extend(self.publisher.seal(&packet));
            }
        }
        sealed
    }

    /// The publisher's next packet of sound, sealed.
    pub fn seal_sound(&mut self) -> Bytes {
        let packet = self.microphone.packet(960);
        self.publisher.seal(&packet).expect("it is sealed")
    }

    /// The node has looked at its sockets, and does what is due.
    pub fn look(&mut self, is_behind: bool) {
        let Node { shard, out, .. } = &mut self.node;
        shard.looked(self.now, is_behind, out);
        if shard.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            shard.handle_timeout(self.now, out);
        }
        out.datagrams.clear();
    }

    /// What viewers go without: 0 nothing, 1 upper layers, 2 pictures.
    pub fn relief(&self) -> u8 {
        self.node.shard.relief()
    }

    /// Hands a packet of the publisher to the node and does what is due. Returns how many datagrams go out.
    pub fn forward(&mut self, sealed: &[u8]) -> usize {
        let Node { shard, out, .. } = &mut self.node;
        let path = node::path(address(PUBLISHER));
        shard.handle_datagram(self.now, path, sealed, out);
        let sent = out.datagrams.len();
        out.datagrams.clear();
        if shard.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            shard.handle_timeout(self.now, out);
            out.datagrams.clear();
        }
        sent
    }

    /// Begins to record the room.
    pub fn record(&mut self) {
        let question = Question::Record {
            name: ROOM.to_owned(),
            scope: RecordingScope::default(),
        };
        let ticket = Ticket(1);
        let ask = ShardCommand::Ask { ticket, question };
        self.node.shard.handle(self.now, ask, &mut self.node.out);
    }

    /// What the recording said since the last time.
    pub fn words(&mut self) -> impl Iterator<Item = Word> + '_ {
        let effects = self.node.out.effects.drain(..);
        effects.filter_map(|effect| match effect {
            ShardEffect::Record { word, .. } => Some(word),
            _ => None,
        })
    }

    /// Joins, negotiates, and exchanges datagrams until the connection is up.
    fn enter(&mut self, number: u32, peer: &mut LightPeer) {
        let connection = node::connection(number, 0);
        let join = ShardCommand::Join {
            connection,
            id: None,
            room: ROOM.to_owned(),
            name: format!("{number}"),
            kind: motet::protocol::server::MemberKind::Client,
            sfu_only: true,
            owner_key: None,
            pass: Pass::default(),
        };
        self.node.handle(self.now, join);
        let epoch = self.find(number, |message| match message {
            ServerMessage::Joined { topology, .. } => Some(topology.epoch),
            _ => None,
        });
        let answer = self.negotiate(number, peer.offer(self.now), epoch);
        peer.accept(self.now, &answer);
        let until = self.now + CONNECT;
        while self.now < until {
            while let Some((_, datagram)) = peer.poll_datagram() {
                self.node
                    .handle_datagram(self.now, address(number), &datagram);
            }
            while let Some((to, datagram)) = self.node.poll_datagram() {
                if to == address(number) {
                    peer.handle_datagram(self.now, SERVER, &datagram);
                }
            }
            if matches!(peer.poll_event(), Some(ConnectionEvent::Connected)) {
                return;
            }
            self.now += Duration::from_millis(1);
            peer.handle_timeout(self.now);
            self.node.handle_timeout(self.now);
        }
        panic!("member {number} is not connected");
    }

    fn negotiate(&mut self, number: u32, sdp: String, epoch: Epoch) -> String {
        let fresh = true;
        self.say(number, ClientMessage::Offer { sdp, epoch, fresh });
        self.find(number, |message| match message {
            ServerMessage::Answer { sdp, .. } => Some(sdp),
            _ => None,
        })
    }

    fn say(&mut self, number: u32, message: ClientMessage) {
        let connection = node::connection(number, 0);
        let frame = ClientFrame {
            id: Some(1),
            message,
        };
        self.node
            .handle(self.now, ShardCommand::Said { connection, frame });
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

    fn warm_up(&mut self) {
        while self.node.poll_datagram().is_some() || self.node.poll_effect().is_some() {}
        for _ in 0..3 {
            self.camera.want_key();
            for packet in self.seal(3) {
                self.now += Duration::from_millis(300);
                self.forward(&packet);
            }
        }
    }
}

const SERVER: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 1)),
    7000,
);

fn address(number: u32) -> SocketAddr {
    SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 40_000))
}

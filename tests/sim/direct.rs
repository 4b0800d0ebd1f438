//! The node and light clients with nothing between them: what is sent is there at once, and time passes
//! when it is told to. For what needs an exact hour, an exact datagram, or a client that misbehaves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use motet::logic::household::Pass;
use motet::logic::limits::Limits;
use motet::media::shard::{Counters, Question, ShardCommand, ShardEffect};
use motet::protocol::client::{ClientFrame, ClientMessage, Source};
use motet::protocol::reason::ErrorCode;
use motet::protocol::server::{MemberKind, ServerMessage};
use rtp::packet::Packet;
use serde_json::Value;

use crate::connection::{Connection, ConnectionEvent, Layout};
use crate::light::{LightPeer, Profile};
use crate::media::{Camera, Microphone};
use crate::node::{self, Node};

/// Of a picture, at 15 a second and 90 kHz; of a sound, 20 ms at 48 kHz.
const PICTURE_TICKS: u32 = 6_000;
const SOUND_TICKS: u32 = 960;
/// Longer than any handshake here takes.
const CONNECTING: Duration = Duration::from_millis(500);

/// See the module.
pub struct Direct {
    pub node: Node,
    pub now: Instant,
    pub clients: BTreeMap<u32, Client>,
    /// Bytes that the node sent to where nobody is.
    pub astray: BTreeMap<SocketAddr, usize>,
}

pub struct Client {
    pub peer: LightPeer,
    pub address: SocketAddr,
    /// Its first offer.
    pub offer: Offer,
    pub media: Vec<Packet>,
    /// Key frames that it was asked for.
    pub asked: usize,
    pub is_up: bool,
    camera: Camera,
    microphone: Microphone,
}

impl Direct {
    /// Nobody is sent away for being silent.
    pub fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let limits = Limits {
            silence_seconds: 1_000_000,
            ..limits
        };
        Self {
            node: Node::with_limits(now, 1, true, limits),
            now,
            clients: BTreeMap::new(),
            astray: BTreeMap::new(),
        }
    }

    /// Comes in, with so many lines to send on (none, or a microphone and a camera) and seats.
    pub fn join(&mut self, who: u32, sends: bool, seats: usize) {
        let lines = if sends { 2 } else { 0 };
        self.join_with(who, lines, 1, seats);
    }

    /// The same with any number of lines to send on: a microphone, and cameras of so many layers.
    pub fn join_with(&mut self, who: u32, lines: usize, layers: u32, seats: usize) {
        let ssrc = 1_000 * who;
        let sends = lines > 0;
        let layers = (1..=layers).filter(|_| sends);
        let layout = Layout {
            microphone: sends.then_some(ssrc),
            camera: layers.map(|layer| ssrc + layer).collect(),
            seats,
        };
        let mut peer = LightPeer::new(who.into(), layout, Profile::Gcm);
        let mut offer = Offer::read(&peer.offer(self.now));
        (2..lines).for_each(|_| offer.add_like(1));
        let connection = node::connection(who, 0);
        let command = ShardCommand::Join {
            connection,
            id: Some(1),
            room: "direct".to_owned(),
            name: format!("client {who}"),
            kind: MemberKind::Client,
            sfu_only: false,
            owner_key: None,
            pass: Pass::default(),
        };
        self.node.handle(self.now, command);
        let heard = self.hear(who);
        let is_in = |message: &ServerMessage| matches!(message, ServerMessage::Joined { .. });
        assert!(heard.iter().any(is_in), "it may come in");
        let client = Client {
            peer,
            address: SocketAddr::from(([10, 0, 0, who as u8], 40_000)),
            offer,
            media: vec![],
            asked: 0,
            is_up: false,
            camera: Camera::new(who, 0, ssrc + 1, 96, 7),
            microphone: Microphone::new(who, ssrc, 111, 7),
        };
        self.clients.insert(who, client);
    }

    /// Comes in and is connected; who sends has published a microphone and a camera.
    pub fn enter(&mut self, who: u32, sends: bool, seats: usize) {
        self.join(who, sends, seats);
        let answer = self.offer_first(who);
        self.accept(who, &answer);
        self.pass(CONNECTING);
        assert!(self.clients[&who].is_up, "client {who} connects");
        if sends {
            self.publish(who, Source::Microphone, "0");
            self.publish(who, Source::Camera, "1");
        }
    }

    pub fn publish(&mut self, who: u32, source: Source, mid: &str) {
        let message = ClientMessage::Publish {
            source,
            mid: Some(mid.to_owned()),
            stream: None,
            muted: false,
        };
        let heard = self.say(who, message);
        assert!(
            heard
                .iter()
                .any(|told| matches!(told, ServerMessage::Ok { .. }))
        );
    }

    pub fn offer_first(&mut self, who: u32) -> String {
        let sdp = self.clients[&who].offer.text();
        self.offer(who, &sdp, true).unwrap()
    }

    pub fn accept(&mut self, who: u32, answer: &str) {
        let now = self.now;
        self.client(who).peer.accept(now, answer);
    }

    /// The answer to an offer, or why there is none.
    pub fn offer(&mut self, who: u32, sdp: &str, fresh: bool) -> Result<String, ErrorCode> {
        let sdp = sdp.to_owned();
        let epoch = self.epoch();
        let heard = self.say(who, ClientMessage::Offer { sdp, epoch, fresh });
        let answer = heard.into_iter().find_map(|message| match message {
            ServerMessage::Answer { sdp, .. } => Some(Ok(sdp)),
            ServerMessage::Error { code, .. } => Some(Err(code)),
            _ => None,
        });
        answer.expect("an offer is answered at once")
    }

    /// Says something, and returns what the client hears at once.
    pub fn say(&mut self, who: u32, message: ClientMessage) -> Vec<ServerMessage> {
        let connection = node::connection(who, 0);
        let frame = ClientFrame {
            id: Some(2),
            message,
        };
        self.node
            .handle(self.now, ShardCommand::Said { connection, frame });
        let heard = self.hear(who);
        self.deliver();
        heard
    }

    /// Says it and is not refused.
    pub fn agree(&mut self, who: u32, message: ClientMessage) {
        for heard in self.say(who, message) {
            let is_refused = matches!(heard, ServerMessage::Error { .. });
            assert!(!is_refused, "{heard:?}");
        }
    }

    pub fn client(&mut self, who: u32) -> &mut Client {
        self.clients.get_mut(&who).unwrap()
    }

    pub fn counters(&self) -> Counters {
        *self.node.shard.counters()
    }

    /// What the node says of itself, or of the room.
    pub fn ask(&mut self, question: Question) -> Value {
        let ticket = motet::ids::Ticket(1);
        self.node
            .handle(self.now, ShardCommand::Ask { ticket, question });
        let mut answer = Value::Null;
        while let Some(effect) = self.node.poll_effect() {
            if let ShardEffect::Reply { answer: told, .. } = effect {
                answer = told;
            }
        }
        answer
    }

    pub fn legs(&mut self) -> u64 {
        self.ask(Question::Stats)["legs"].as_u64().unwrap()
    }

    /// Viewers of each track there is.
    pub fn viewers(&mut self) -> Vec<u64> {
        let room = self.ask(Question::Room("direct".to_owned()));
        let tracks = room["tracks"].as_array().unwrap().iter();
        tracks
            .map(|track| track["viewers"].as_u64().unwrap())
            .collect()
    }

    /// One picture of a client's camera.
    pub fn film(&mut self, who: u32) {
        let now = self.now;
        let client = self.client(who);
        for packet in client.camera.frame(PICTURE_TICKS) {
            client.peer.send(now, packet);
        }
        self.deliver();
    }

    /// One picture, that decodes on its own.
    pub fn film_a_key(&mut self, who: u32) {
        self.client(who).camera.want_key();
        self.film(who);
    }

    /// One sound of a client's microphone.
    pub fn speak(&mut self, who: u32) {
        let now = self.now;
        let client = self.client(who);
        let packet = client.microphone.packet(SOUND_TICKS);
        client.peer.send(now, packet);
        self.deliver();
    }

    /// The packets that a client has received since it was asked last.
    pub fn received(&mut self, who: u32) -> Vec<Packet> {
        std::mem::take(&mut self.client(who).media)
    }

    /// A datagram comes from anywhere.
    pub fn forge(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.node.handle_datagram(self.now, from, datagram);
        self.deliver();
    }

    /// Time goes by.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.deliver();
            let node = self.node.poll_timeout().map(|(at, _)| at);
            let peers = self.clients.values_mut();
            let timers = peers.filter_map(|client| client.peer.poll_timeout());
            let next = timers.chain(node).min().filter(|&at| at <= end);
            let Some(next) = next else {
                break;
            };
            self.now = next.max(self.now);
            let now = self.now;
            for client in self.clients.values_mut() {
                if client.peer.poll_timeout().is_some_and(|at| at <= now) {
                    client.peer.handle_timeout(now);
                }
            }
            if self.node.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.node.handle_timeout(now);
            }
        }
        self.now = end;
    }

    fn hear(&mut self, who: u32) -> Vec<ServerMessage> {
        let mut heard = vec![];
        while let Some(effect) = self.node.poll_effect() {
            match effect {
                ShardEffect::Send { connection, frame } if node::number(connection) == who => {
                    heard.push(frame.message);
                }
                ShardEffect::Tell { event, to } => {
                    let is_told = |(connection, _): &(_, _)| node::number(*connection) == who;
                    heard.extend(to.iter().any(is_told).then(|| event.message().clone()));
                }
                _ => {}
            }
        }
        heard
    }

    /// The room is served by the node from its first moment on, and never moves.
    fn epoch(&self) -> u32 {
        1
    }

    fn deliver(&mut self) {
        loop {
            let mut is_quiet = true;
            for client in self.clients.values_mut() {
                while let Some((_, bytes)) = client.peer.poll_datagram() {
                    is_quiet = false;
                    self.node.handle_datagram(self.now, client.address, &bytes);
                }
                while let Some(event) = client.peer.poll_event() {
                    match event {
                        ConnectionEvent::Connected => client.is_up = true,
                        ConnectionEvent::Closed => client.is_up = false,
                        ConnectionEvent::Media(packet) => client.media.push(packet),
                        ConnectionEvent::KeyFrameWanted(_) => client.asked += 1,
                    }
                }
            }
            let from = node::ADDRESS.parse().unwrap();
            while let Some((to, bytes)) = self.node.poll_datagram() {
                is_quiet = false;
                let mut clients = self.clients.values_mut();
                match clients.find(|client| client.address == to) {
                    Some(client) => client.peer.handle_datagram(self.now, from, &bytes),
                    None => *self.astray.entry(to).or_default() += bytes.len(),
                }
            }
            if is_quiet {
                return;
            }
        }
    }
}

/// An offer whose m-lines can be stopped and recycled.
#[derive(Debug, Clone)]
pub struct Offer {
    head: String,
    sections: Vec<String>,
}

impl Offer {
    pub fn read(sdp: &str) -> Self {
        let mut parts = sdp.split("\r\nm=");
        let head = parts.next().unwrap().to_owned();
        Self {
            head,
            sections: parts.map(|part| part.trim_end().to_owned()).collect(),
        }
    }

    /// Another line like that one, behind it; the mids of all are counted anew.
    pub fn add_like(&mut self, line: usize) {
        let section = self.sections[line].clone();
        self.sections.insert(line, section);
        for (mid, section) in self.sections.iter_mut().enumerate() {
            *section = with_mid(section, &mid.to_string());
        }
    }

    /// Port 0.
    pub fn stop(&mut self, line: usize) {
        self.sections[line] = self.sections[line].replacen(" 9 ", " 0 ", 1);
    }

    /// Another line takes the place of one that was stopped.
    pub fn recycle(&mut self, line: usize, mid: &str) {
        let section = self.sections[line].replacen(" 0 ", " 9 ", 1);
        self.sections[line] = with_mid(&section, mid);
    }

    /// Something else in a line.
    pub fn replace(&mut self, line: usize, from: &str, to: &str) {
        self.sections[line] = self.sections[line].replace(from, to);
    }

    /// The section of another offer takes that place.
    pub fn put(&mut self, line: usize, section: &Offer, of: usize) {
        self.sections[line].clone_from(&section.sections[of]);
    }

    pub fn text(&self) -> String {
        let is_open = |section: &&String| !section.contains(" 0 UDP");
        let mid = |section: &String| {
            let mut lines = section.split("\r\n");
            let mid = lines.find_map(|line| line.strip_prefix("a=mid:"));
            mid.unwrap_or_default().to_owned()
        };
        let mids: Vec<String> = self.sections.iter().filter(is_open).map(mid).collect();
        let head = self.head.split("\r\n").map(|line| {
            if line.starts_with("a=group:BUNDLE") {
                format!("a=group:BUNDLE {}", mids.join(" "))
            } else {
                line.to_owned()
            }
        });
        let mut text = head.collect::<Vec<_>>().join("\r\n");
        for section in &self.sections {
            text.push_str("\r\nm=");
            text.push_str(section);
        }
        text.push_str("\r\n");
        text
    }
}

fn with_mid(section: &str, mid: &str) -> String {
    let lines = section.split("\r\n").map(|line| {
        if line.starts_with("a=mid:") {
            format!("a=mid:{mid}")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

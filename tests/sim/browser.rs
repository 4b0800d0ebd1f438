//! A client as a person would run one: it joins, sends its camera and microphone, and plays what comes on
//! its seats. It mirrors the room from what the node says and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use motet::ids::MemberId;
use motet::protocol::client::{ClientFrame, ClientMessage, Epoch, RequestId, Source, Want};
use motet::protocol::reason::ErrorCode;
use motet::protocol::server::{Member, Mode, Seat, ServerFrame, ServerMessage};
use rtp::packet::Packet;

use crate::connection::{Connection, ConnectionEvent, Layout};
use crate::description::{Section, sections};
use crate::light::{LightPeer, Profile};
use crate::media::{Camera, Microphone};
use crate::rtc_peer::RtcPeer;
use crate::sink::Sink;

/// The beat of everything a browser does by itself.
pub const TICK: Duration = Duration::from_millis(20);
/// Ticks between two audio packets, two video frames, two pings.
const AUDIO_TICKS: u64 = 2;
const VIDEO_TICKS: u64 = 5;
const PING_TICKS: u64 = 500;

/// How a browser takes part.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub sfu_only: bool,
    pub sends: bool,
    /// Simulcast layers of the camera.
    pub layers: usize,
    pub seats: usize,
    pub stack: Stack,
}

/// What a browser is made of.
#[derive(Debug, Clone, Copy)]
pub enum Stack {
    /// A whole WebRTC stack of another make.
    Rtc,
    /// Only what the node needs to see; does not make good what gets lost.
    Light(Profile),
}

/// The browser's WebSocket.
#[derive(Debug, Default)]
pub struct Wire {
    /// Counts its WebSockets.
    pub socket: u32,
    /// For the next `resume`.
    token: String,
    pub is_lost: bool,
    /// When the last one was lost, and when the next was there.
    pub lost_at: Option<Instant>,
    pub back_at: Option<Instant>,
    /// It came back too late.
    pub is_refused: bool,
    /// The others were told that it is gone.
    pub is_given_up: bool,
    /// Something changed in the room while it could not hear of it.
    pub is_behind: bool,
}

/// See the module.
pub struct Browser {
    /// Its number in the simulation, which its media carries.
    pub number: u32,
    pub address: SocketAddr,
    pub part: Part,
    connection: Box<dyn Connection>,
    words: VecDeque<ClientFrame>,
    requests: u32,
    pub wire: Wire,
    /// What it asked and was not answered: asked again over the next WebSocket.
    unanswered: BTreeMap<RequestId, ClientMessage>,
    /// What it knows of the room.
    pub me: Option<MemberId>,
    pub members: BTreeMap<MemberId, Member>,
    pub seats: Vec<Option<Seat>>,
    pub seats_since: Instant,
    pub mode: Option<Mode>,
    epoch: Epoch,
    /// The offer that is on its way.
    offered: Option<(RequestId, String)>,
    switching: Option<Epoch>,
    switching_since: Instant,
    /// Its media goes to the node: from the beginning of a switch to the node to the end of one away.
    over_node: bool,
    /// Whom it asked to see, once the node has agreed; and what it asked and was not answered yet.
    pub wanted: Option<Vec<MemberId>>,
    views: BTreeMap<RequestId, Vec<MemberId>>,
    events_seen: u64,
    pub bye: bool,
    /// What it sends: an SSRC per layer.
    pub connected: Option<Instant>,
    cameras: Vec<Camera>,
    microphone: Option<Microphone>,
    /// When the last picture and the last sound were taken: the media clocks run on while nothing is sent.
    seen_at: Instant,
    heard_at: Instant,
    pub muted: BTreeMap<Source, bool>,
    /// What comes in, by SSRC, and which seat it belongs to.
    pub sinks: BTreeMap<u32, (usize, Sink)>,
    ticks: u64,
    next_tick: Instant,
    pub faults: Vec<String>,
}

impl Browser {
    pub fn new(now: Instant, number: u32, address: SocketAddr, part: Part) -> Self {
        let layout = layout(number, part);
        let cameras = (0u8..).zip(&layout.camera);
        let start = number.wrapping_mul(0x3f_ffd1) + 65_400;
        Self {
            number,
            address,
            part,
            cameras: cameras
                .map(|(layer, &ssrc)| Camera::new(number, layer, ssrc, 96, start))
                .collect(),
            microphone: layout
                .microphone
                .map(|ssrc| Microphone::new(number, ssrc, 111, start)),
            connection: match part.stack {
                Stack::Rtc => Box::new(RtcPeer::new(now, address, layout)),
                Stack::Light(profile) => Box::new(LightPeer::new(number.into(), layout, profile)),
            },
            words: VecDeque::new(),
            requests: 0,
            wire: Wire::default(),
            unanswered: BTreeMap::new(),
            me: None,
            members: BTreeMap::new(),
            seats: vec![],
            seats_since: now,
            mode: None,
            epoch: 0,
            offered: None,
            switching: None,
            switching_since: now,
            over_node: false,
            wanted: None,
            views: BTreeMap::new(),
            events_seen: 0,
            bye: false,
            connected: None,
            seen_at: now,
            heard_at: now,
            muted: BTreeMap::new(),
            sinks: BTreeMap::new(),
            ticks: 0,
            next_tick: now + TICK,
            faults: vec![],
        }
    }

    pub fn join(&mut self, room: &str) {
        let sfu_only = self.part.sfu_only;
        let (room, name) = (room.to_owned(), format!("browser {}", self.number));
        self.ask(ClientMessage::Join {
            room,
            name,
            sfu_only,
            owner_key: None,
        });
    }

    pub fn leave(&mut self) {
        self.ask(ClientMessage::Bye {});
    }

    /// The WebSocket breaks, with all that is on its way.
    pub fn lose_socket(&mut self, now: Instant) {
        self.words.clear();
        (self.wire.is_lost, self.wire.lost_at) = (true, Some(now));
        self.unanswered
            .retain(|_, message| !matches!(message, ClientMessage::Ping { .. }));
    }

    /// Opens another WebSocket, to go on where the last one was lost.
    pub fn resume(&mut self, room: &str) {
        self.wire.socket += 1;
        self.requests += 1;
        let (room, token, after) = (room.to_owned(), self.wire.token.clone(), self.events_seen);
        let message = ClientMessage::Resume { room, token, after };
        let id = Some(self.requests);
        self.words.push_back(ClientFrame { id, message });
    }

    /// Falls silent or comes back on one source.
    pub fn mute(&mut self, source: Source, muted: bool) {
        self.muted.insert(source, muted);
        self.ask(ClientMessage::Mute { source, muted });
    }

    pub fn view(&mut self, wants: Vec<Want>) {
        let wanted = wants.iter().map(|want| want.member).collect();
        self.views.insert(self.requests + 1, wanted);
        self.ask(ClientMessage::View { wants });
    }

    /// Sends a packet that is none of its streams'.
    pub fn send_as_it_is(&mut self, now: Instant, packet: Packet) {
        self.connection.send(now, packet);
    }

    /// Asks for a key frame on any SSRC.
    pub fn request_key_frame(&mut self, now: Instant, ssrc: u32) {
        self.connection.request_key_frame(now, ssrc);
    }

    /// What the node says.
    pub fn hear(&mut self, now: Instant, frame: ServerFrame) {
        if let Some(seq) = frame.seq {
            if seq != self.events_seen + 1 {
                self.fault(format!("event {seq} after {}", self.events_seen));
            }
            self.events_seen = seq;
        }
        if let Some(id) = answered(&frame.message) {
            self.unanswered.remove(&id);
        }
        match frame.message {
            ServerMessage::Resumed { resume, .. } => {
                self.wire.token = resume.token;
                (self.wire.is_lost, self.wire.back_at) = (false, Some(now));
                let again = self.unanswered.clone().into_iter();
                let again = again.map(|(id, message)| ClientFrame {
                    id: Some(id),
                    message,
                });
                self.words.extend(again);
            }
            ServerMessage::Error {
                code: ErrorCode::ResumeFailed,
                ..
            } => self.wire.is_refused = true,
            ServerMessage::Joined {
                you,
                members,
                topology,
                resume,
                ..
            } => {
                self.me = Some(you);
                self.wire.token = resume.token;
                self.members = members.into_iter().map(|m| (m.id, m)).collect();
                self.mode = Some(topology.mode);
                self.over_node = topology.mode == Mode::Sfu || topology.switching;
                self.epoch = topology.epoch;
                let sdp = self.connection.offer(now);
                self.offer(sdp);
            }
            ServerMessage::Answer { sdp, .. } => self.on_answer(now, &sdp),
            ServerMessage::Member { member } => {
                self.members.insert(member.id, member);
            }
            ServerMessage::Left { member, .. } => {
                let known = self.members.remove(&member);
                if known.is_none() {
                    self.fault(format!("{member} left, who was not here"));
                }
            }
            ServerMessage::Seats { seats } => {
                if seats.len() > self.part.seats {
                    self.fault(format!("{} seats of {}", seats.len(), self.part.seats));
                }
                (self.seats, self.seats_since) = (seats, now);
            }
            ServerMessage::Switch { mode, epoch, .. } => {
                self.mode = Some(mode);
                self.over_node |= mode == Mode::Sfu;
                self.switching = Some(epoch);
                self.switching_since = now;
                self.epoch = epoch;
            }
            ServerMessage::Commit { mode, epoch, .. }
            | ServerMessage::Rollback { mode, epoch, .. } => {
                self.epoch = epoch;
                self.mode = Some(mode);
                self.over_node = mode == Mode::Sfu;
                self.switching = None;
            }
            ServerMessage::Bye { .. } => self.bye = true,
            ServerMessage::Ok { id } => {
                if let Some(wanted) = self.views.remove(&id) {
                    self.wanted = Some(wanted);
                }
            }
            // A switch began while the offer was on its way.
            ServerMessage::Error {
                id,
                code: ErrorCode::StaleEpoch,
                ..
            } if id.is_some() && id == self.offered.as_ref().map(|(id, _)| *id) => {
                let (_, sdp) = self.offered.take().unwrap();
                self.offer(sdp);
            }
            // Whom or what it means was gone before the node heard of it.
            ServerMessage::Error {
                code: ErrorCode::NoSuchMember | ErrorCode::StaleEpoch,
                ..
            } => {}
            ServerMessage::Error { code, message, .. } => {
                self.fault(format!("refused: {code:?} {message}"));
            }
            _ => {}
        }
    }

    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Vec<Packet> {
        self.connection.handle_datagram(now, from, datagram);
        self.drain(now)
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Packet> {
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        if self.next_tick <= now {
            self.next_tick = now + TICK;
            self.tick(now);
        }
        self.drain(now)
    }

    pub fn poll_timeout(&mut self) -> Instant {
        let connection = self.connection.poll_timeout();
        connection.map_or(self.next_tick, |at| at.min(self.next_tick))
    }

    pub fn poll_datagram(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.connection.poll_datagram()
    }

    pub fn poll_word(&mut self) -> Option<ClientFrame> {
        self.words.pop_front()
    }

    /// Whether it sends to the node now: its connection is up and its media goes that way.
    pub fn sends(&self, source: Source) -> bool {
        let over_node = self.part.sfu_only || self.over_node;
        self.part.sends && over_node && self.connected.is_some() && !self.is_muted(source)
    }

    /// What it is and what it has got, in a line per seat's m-line.
    pub fn summary(&self) -> String {
        let (number, part, mode) = (self.number, self.part, self.mode);
        let sinks = self.sinks.values().map(|(seat, sink)| {
            let (kind, packets, frames, holes) =
                (sink.kind(), sink.packets, sink.frames, sink.holes);
            format!(
                "\n        seat {seat} {kind:?}: {packets} packets, {frames} frames, {holes} holes"
            )
        });
        let sinks: String = sinks.collect();
        let keys: Vec<u32> = self.cameras.iter().map(|camera| camera.keys).collect();
        format!(
            "browser {number}: {part:?} {mode:?} muted {:?} keys {keys:?} refused {}{sinks}",
            self.muted,
            self.connection.refused()
        )
    }

    fn is_muted(&self, source: Source) -> bool {
        self.muted.get(&source).copied().unwrap_or(false)
    }

    fn offer(&mut self, sdp: String) {
        self.offered = Some((self.requests + 1, sdp.clone()));
        let (epoch, fresh) = (self.epoch, true);
        self.ask(ClientMessage::Offer { sdp, epoch, fresh });
    }

    fn on_answer(&mut self, now: Instant, sdp: &str) {
        let sections = sections(sdp);
        let own = sections.len() - (2 * self.part.seats).min(sections.len());
        let (sent, seats) = sections.split_at(own);
        for (index, pair) in seats.chunks(2).enumerate() {
            self.add_seat(index, pair);
        }
        self.connection.accept(now, sdp);
        for section in sent {
            let source = if section.audio {
                Source::Microphone
            } else {
                Source::Camera
            };
            self.ask(ClientMessage::Publish {
                source,
                mid: Some(section.mid.clone()),
                stream: Some("own".to_owned()),
                muted: self.is_muted(source),
            });
        }
    }

    fn add_seat(&mut self, index: usize, sections: &[Section]) {
        for section in sections {
            if section.seat != Some(index) {
                self.fault(format!("seat {index} is called {:?}", section.seat));
            }
            match section.ssrc {
                Some(ssrc) => {
                    let sink = Sink::new(section.kind(), ssrc);
                    self.sinks.insert(ssrc, (index, sink));
                }
                None => self.fault(format!("seat {index} has no SSRC")),
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        self.ticks += 1;
        if self.ticks.is_multiple_of(PING_TICKS) && self.me.is_some() {
            let after = Some(self.events_seen);
            self.ask(ClientMessage::Ping { after });
        }
        for (_, sink) in self.sinks.values_mut() {
            if sink.tick(now) {
                self.connection.request_key_frame(now, sink.ssrc);
            }
        }
        if self.ticks.is_multiple_of(AUDIO_TICKS)
            && self.sends(Source::Microphone)
            && let Some(microphone) = &mut self.microphone
        {
            let packet = microphone.packet(ticks(now, &mut self.heard_at, 48_000));
            self.connection.send(now, packet);
        }
        if self.ticks.is_multiple_of(VIDEO_TICKS) && self.sends(Source::Camera) {
            let elapsed = ticks(now, &mut self.seen_at, 90_000);
            for camera in &mut self.cameras {
                for packet in camera.frame(elapsed) {
                    self.connection.send(now, packet);
                }
            }
        }
        self.report_ready(now);
    }

    /// A switch to the node is ready once everyone on a seat plays.
    fn report_ready(&mut self, now: Instant) {
        let plays = |seat: &Seat| {
            let number = self.number_of(seat.member);
            number.is_none_or(|n| self.played_since(n, self.seats_since))
        };
        if let Some(epoch) = self.switching
            && self.connected.is_some()
            && self.seats.iter().flatten().all(plays)
            && now > self.switching_since + Duration::from_millis(200)
        {
            self.switching = None;
            self.ask(ClientMessage::Ready { epoch });
        }
    }

    fn played_since(&self, publisher: u32, since: Instant) -> bool {
        let mut sinks = self.sinks.values();
        sinks.any(|(_, sink)| sink.played.get(&publisher).is_some_and(|at| *at >= since))
    }

    fn number_of(&self, member: MemberId) -> Option<u32> {
        let name = &self.members.get(&member)?.name;
        name.strip_prefix("browser ")?.parse().ok()
    }

    fn drain(&mut self, now: Instant) -> Vec<Packet> {
        let mut media = vec![];
        while let Some(event) = self.connection.poll_event() {
            match event {
                ConnectionEvent::Connected => {
                    self.connected.get_or_insert(now);
                }
                ConnectionEvent::Closed => self.connected = None,
                ConnectionEvent::KeyFrameWanted(ssrc) => {
                    let camera = self.cameras.iter_mut().find(|c| c.ssrc == ssrc);
                    camera.into_iter().for_each(Camera::want_key);
                }
                ConnectionEvent::Media(packet) => {
                    match self.sinks.get_mut(&packet.header.ssrc) {
                        Some((_, sink)) => sink.receive(now, packet.clone()),
                        None => self.fault(format!("media on no seat: {:?}", packet.header)),
                    }
                    media.push(packet);
                }
            }
        }
        media
    }

    fn ask(&mut self, message: ClientMessage) {
        self.requests += 1;
        self.unanswered.insert(self.requests, message.clone());
        let id = Some(self.requests);
        if !self.wire.is_lost {
            self.words.push_back(ClientFrame { id, message });
        }
    }

    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }
}

fn answered(message: &ServerMessage) -> Option<RequestId> {
    match message {
        ServerMessage::Ok { id } => Some(*id),
        ServerMessage::Joined { id, .. }
        | ServerMessage::Answer { id, .. }
        | ServerMessage::Pong { id }
        | ServerMessage::Error { id, .. } => *id,
        _ => None,
    }
}

fn layout(number: u32, part: Part) -> Layout {
    let base = 1_000 * (number + 1);
    let layers = if part.sends { part.layers as u32 } else { 0 };
    Layout {
        microphone: part.sends.then_some(base),
        camera: (1..=layers).map(|layer| base + layer).collect(),
        seats: part.seats,
    }
}

/// Ticks of a media clock since `last`, which becomes `now`.
fn ticks(now: Instant, last: &mut Instant, rate: u128) -> u32 {
    let elapsed = now - std::mem::replace(last, now);
    (elapsed.as_micros() * rate / 1_000_000) as u32
}

//! A room with its members' ends of the wire and a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ids::MemberId;
use crate::logic::room::{
    MediaFact, MediaOrder, Newcomer, Origin, Room, RoomConfig, RoomEffect, RoomInput,
};
use crate::protocol::client::{ClientFrame, RequestId};
use crate::protocol::reason::Reason;
use crate::protocol::server::{
    Member, PathException, Seat, ServerFrame, ServerMessage, Topology, Why,
};

/// The room, and what became of its effects.
pub(super) struct Table {
    pub(super) now: Instant,
    pub(super) room: Room,
    pub(super) clients: BTreeMap<MemberId, Client>,
    pub(super) orders: Vec<MediaOrder>,
    pub(super) start: Instant,
}

/// What a client knows from what it was told.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// Everything, in order.
    pub(super) heard: Vec<ServerMessage>,
    pub(super) members: BTreeMap<MemberId, Member>,
    pub(super) topology: Option<Topology>,
    held_why: Option<Why>,
    pub(super) exceptions: Vec<PathException>,
    pub(super) seats: Vec<Option<Seat>>,
    /// How often each request was answered.
    pub(super) answers: BTreeMap<RequestId, u32>,
    /// The connection is closed; nothing may come any more.
    pub(super) closed: Option<Reason>,
    seq: u64,
}

impl Table {
    pub(super) fn new(config: RoomConfig) -> Table {
        Table::with_origin(config, Origin::Join)
    }

    pub(super) fn with_origin(config: RoomConfig, origin: Origin) -> Table {
        let now = Instant::now();
        let room = Room::new(now, "room".into(), origin, Arc::new(config));
        Table {
            now,
            room,
            clients: BTreeMap::new(),
            orders: Vec::new(),
            start: now,
        }
    }

    /// A room of the default kind with members 1 to `count`, their inboxes emptied.
    pub(super) fn of(count: u64) -> Table {
        let mut table = Table::new(RoomConfig::default());
        for member in 1..=count {
            table.join(member);
        }
        table.forget();
        table
    }

    /// As [`Table::of`], but settled in SFU mode, everyone with an answered connection of that many
    /// seats and a published camera and microphone.
    pub(super) fn of_publishers(count: u64, seats: usize) -> Table {
        let mut table = Table::of(count);
        for member in 1..=count {
            table.answered(member, seats);
            table.says(
                member,
                r#"{"type":"publish","source":"microphone","mid":"0"}"#,
            );
            table.says(member, r#"{"type":"publish","source":"camera","mid":"1"}"#);
        }
        let epoch = table.room.topology.epoch();
        for member in 1..=count {
            table.says(member, &format!(r#"{{"type":"ready","epoch":{epoch}}}"#));
        }
        table.forget();
        table
    }

    pub(super) fn forget(&mut self) {
        self.orders.clear();
        self.clients
            .values_mut()
            .for_each(|client| client.heard.clear());
    }

    pub(super) fn feed(&mut self, input: RoomInput) {
        let mut out = Vec::new();
        self.room.handle(self.now, input, &mut out);
        self.carry_out(out);
    }

    pub(super) fn join(&mut self, member: u64) {
        self.join_as(member, false, None);
    }

    pub(super) fn join_as(&mut self, member: u64, sfu_only: bool, id: Option<RequestId>) {
        let member = MemberId(member);
        self.clients.entry(member).or_default();
        self.feed(RoomInput::Join {
            member,
            newcomer: Newcomer {
                name: format!("name of {member}"),
                sfu_only,
                owner_key: None,
            },
            token: format!("token of {member}"),
            id,
        });
    }

    /// A member says that JSON.
    pub(super) fn says(&mut self, member: u64, text: &str) {
        let frame = ClientFrame::parse(text).expect(text);
        self.says_frame(member, frame);
    }

    pub(super) fn says_frame(&mut self, member: u64, frame: ClientFrame) {
        let member = MemberId(member);
        self.feed(RoomInput::Said { member, frame });
    }

    pub(super) fn gone(&mut self, member: u64) {
        let (member, reason) = (MemberId(member), Reason::Lost);
        self.feed(RoomInput::Gone { member, reason });
        if let Some(client) = self.clients.get_mut(&member) {
            client.closed = Some(reason);
        }
    }

    /// The media side has answered an offer of that member.
    pub(super) fn answered(&mut self, member: u64, seats: usize) {
        self.feed(RoomInput::Media(MediaFact::Answered {
            member: MemberId(member),
            id: None,
            epoch: self.room.topology.epoch(),
            sdp: "answer".into(),
            seats,
        }));
    }

    /// Lets time pass, waking the room whenever it asked for it.
    pub(super) fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some((due, _)) = self.room.poll_timeout().filter(|(due, _)| *due <= end) {
            self.now = self.now.max(due);
            if self.room.is_over(self.now) {
                break;
            }
            let mut out = Vec::new();
            self.room.handle_timeout(self.now, &mut out);
            self.carry_out(out);
        }
        self.now = end;
    }

    pub(super) fn heard(&self, member: u64) -> &[ServerMessage] {
        &self.clients[&MemberId(member)].heard
    }

    /// The types of the messages that a member heard.
    pub(super) fn types_heard(&self, member: u64) -> Vec<String> {
        let word = |message: &ServerMessage| {
            let message = serde_json::to_value(message).unwrap();
            message["type"].as_str().unwrap().to_owned()
        };
        self.heard(member).iter().map(word).collect()
    }

    fn carry_out(&mut self, effects: Vec<RoomEffect>) {
        for effect in effects {
            match effect {
                RoomEffect::Send { to, frame } => {
                    self.clients
                        .get_mut(&to)
                        .expect("somebody known")
                        .hear(to, frame);
                }
                RoomEffect::Disconnect { member, reason } => {
                    let client = self.clients.get_mut(&member).unwrap();
                    let last = client.heard.last();
                    assert_eq!(last, Some(&ServerMessage::Bye { reason }));
                    assert!(!self.room.has(member));
                    assert_eq!(client.closed.replace(reason), None);
                }
                RoomEffect::Media(order) => self.orders.push(order),
            }
        }
    }
}

impl Client {
    fn hear(&mut self, me: MemberId, frame: ServerFrame) {
        assert_eq!(self.closed, None, "{me} is gone and hears {frame:?}");
        if let Some(seq) = frame.seq {
            assert_eq!(seq, self.seq + 1, "a gap before {frame:?}");
            self.seq = seq;
        }
        assert_eq!(frame.seq.is_none(), is_answer(&frame.message), "{frame:?}");
        self.learn(me, &frame.message);
        self.heard.push(frame.message);
    }

    fn learn(&mut self, me: MemberId, message: &ServerMessage) {
        match message {
            ServerMessage::Ok { id } => self.answer(Some(*id)),
            ServerMessage::Error { id, .. }
            | ServerMessage::Answer { id, .. }
            | ServerMessage::Pong { id } => self.answer(*id),
            ServerMessage::Joined {
                id,
                you,
                members,
                topology,
                exceptions,
                ..
            } => {
                assert_eq!(*you, me);
                self.answer(*id);
                self.members = members
                    .iter()
                    .map(|member| (member.id, member.clone()))
                    .collect();
                self.topology = Some(*topology);
                self.held_why = Some(topology.why);
                self.exceptions.clone_from(exceptions);
            }
            ServerMessage::Member { member } => {
                assert_ne!(member.id, me);
                self.members.insert(member.id, member.clone());
            }
            ServerMessage::Left { member, .. } => {
                assert!(self.members.remove(member).is_some(), "a stranger left");
                // Of those who are gone nothing more is told.
                self.exceptions.retain(|other| other.member != *member);
            }
            ServerMessage::Switch {
                mode, epoch, why, ..
            } => self.step(*mode, *epoch, true, *why),
            ServerMessage::Rollback { mode, epoch, .. } => {
                let why = self.held_why.expect("joined first");
                self.step(*mode, *epoch, false, why);
            }
            ServerMessage::Commit { mode, epoch, .. } => {
                let known = self.topology.as_mut().expect("joined first");
                assert_eq!(
                    (known.mode, known.epoch, known.switching),
                    (*mode, *epoch, true)
                );
                known.switching = false;
                self.held_why = Some(known.why);
            }
            ServerMessage::Paths { epoch, exceptions } => {
                let known = self.topology.as_ref().expect("joined first");
                assert_eq!(*epoch, known.epoch);
                self.exceptions.clone_from(exceptions);
            }
            ServerMessage::Seats { seats } => {
                let is_renewed = matches!(self.heard.last(), Some(ServerMessage::Answer { .. }));
                assert!(is_renewed || *seats != self.seats, "the same plan twice");
                self.seats.clone_from(seats);
            }
            _ => {}
        }
    }

    fn step(&mut self, mode: crate::protocol::server::Mode, epoch: u32, switching: bool, why: Why) {
        let known = self.topology.as_mut().expect("joined first");
        assert!(epoch > known.epoch, "an epoch that goes back");
        *known = Topology {
            mode,
            epoch,
            switching,
            why,
        };
    }

    fn answer(&mut self, id: Option<RequestId>) {
        if let Some(id) = id {
            *self.answers.entry(id).or_default() += 1;
        }
    }
}

fn is_answer(message: &ServerMessage) -> bool {
    matches!(
        message,
        ServerMessage::Ok { .. }
            | ServerMessage::Error { .. }
            | ServerMessage::Joined { .. }
            | ServerMessage::Answer { .. }
            | ServerMessage::Pong { .. }
    )
}

//! A room with its members' ends of the wire and a clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ids::{ConnectionId, MemberId};
use crate::logic::household::Pass;
use crate::logic::room::{
    MediaFact, MediaOrder, Newcomer, Origin, Room, RoomConfig, RoomEffect, RoomInput,
};
use crate::logic::titles::OwnerMark;
use crate::protocol::client::{ClientFrame, RequestId};
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{
    Knock, Member, MemberKind, PathException, Role, Rules, Seat, ServerFrame, ServerMessage,
    Topology, Why,
};

/// The room, and what became of its effects.
pub(super) struct Table {
    pub(super) now: Instant,
    pub(super) room: Room,
    pub(super) clients: BTreeMap<MemberId, Client>,
    pub(super) orders: Vec<MediaOrder>,
    pub(super) start: Instant,
    /// The answers to attempts to come back that were refused.
    pub(super) refused: Vec<ServerMessage>,
    sockets: u64,
    /// Of those who come next.
    pub(super) pass: Pass,
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
    pub(super) rules: Rules,
    /// Who waits, as owners are told.
    pub(super) knocks: Vec<Knock>,
    /// They wait to be let in.
    pub(super) waiting: bool,
    /// How often each request was answered.
    pub(super) answers: BTreeMap<RequestId, u32>,
    /// The connection is closed; nothing may come any more.
    pub(super) closed: Option<Reason>,
    /// For the next `resume`.
    pub(super) token: String,
    /// The number of the last event.
    pub(super) seq: u64,
    /// The WebSocket was lost: nothing can come before the next one is attached.
    pub(super) is_lost: bool,
    /// Some answers were lost with a WebSocket.
    pub(super) may_miss: bool,
    /// All that came, and how much of it when the client last said something, `resume` too.
    journal: Vec<ServerFrame>,
    acted: usize,
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
            refused: Vec::new(),
            sockets: 0,
            pass: Pass::default(),
        }
    }

    /// A room that has an owner, who is not there yet.
    pub(super) fn owned(config: RoomConfig) -> Table {
        let table = Table::new(config);
        let room = table.room.owned_by(Some(owner_key()));
        Table { room, ..table }
    }

    /// A room of the default kind with an owner, 1, and guests 2 to `count`, their inboxes emptied.
    pub(super) fn owned_of(count: u64) -> Table {
        let mut table = Table::owned(RoomConfig::default());
        table.arrive(1, false, Some(owner_key()), None);
        for member in 2..=count {
            table.join(member);
        }
        table.forget();
        table
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
        self.arrive(member, sfu_only, None, id);
    }

    /// Someone comes in over HTTP.
    pub(super) fn join_by(&mut self, member: u64, kind: MemberKind) {
        self.arrive_by(member, kind, (true, None), None);
    }

    pub(super) fn arrive(
        &mut self,
        member: u64,
        sfu_only: bool,
        owner_key: Option<OwnerMark>,
        id: Option<RequestId>,
    ) {
        self.arrive_by(member, MemberKind::Client, (sfu_only, owner_key), id);
    }

    pub(super) fn arrive_by(
        &mut self,
        member: u64,
        kind: MemberKind,
        (sfu_only, owner_key): (bool, Option<OwnerMark>),
        id: Option<RequestId>,
    ) {
        let member = MemberId(member);
        self.clients.entry(member).or_default();
        self.feed(RoomInput::Join {
            member,
            newcomer: Newcomer {
                name: format!("name of {member}"),
                kind,
                sfu_only,
                owner_key,
                pass: self.pass.clone(),
            },
            token: format!("token of {member}"),
            id,
        });
        self.feed(RoomInput::Alive { member });
    }

    /// A member says that JSON.
    pub(super) fn says(&mut self, member: u64, text: &str) {
        let frame = ClientFrame::parse(text).expect(text);
        self.says_frame(member, frame);
    }

    pub(super) fn says_frame(&mut self, member: u64, frame: ClientFrame) {
        let member = MemberId(member);
        if let Some(client) = self.clients.get_mut(&member) {
            client.acted = client.journal.len();
        }
        self.feed(RoomInput::Said { member, frame });
    }

    /// A member's WebSocket is lost, and with it the last `unseen` events on their way.
    pub(super) fn lose(&mut self, member: u64, unseen: usize) {
        self.lose_for(member, unseen, Reason::Lost);
    }

    pub(super) fn lose_for(&mut self, member: u64, unseen: usize, reason: Reason) {
        let member = MemberId(member);
        if let Some(client) = self.clients.get_mut(&member) {
            client.lose(member, unseen);
        }
        self.feed(RoomInput::Gone { member, reason });
    }

    /// A member comes back as the web client does.
    pub(super) fn resume(&mut self, member: u64) {
        let client = self.clients.get_mut(&MemberId(member)).expect("joined");
        client.acted = client.journal.len();
        let (token, after) = (client.token.clone(), client.seq);
        self.resume_with(&token, after);
    }

    pub(super) fn resume_with(&mut self, token: &str, after: u64) {
        self.sockets += 1;
        self.feed(RoomInput::Resume {
            id: None,
            connection: ConnectionId(self.sockets),
            token: token.into(),
            after,
            next: format!("token of socket {}", self.sockets),
        });
    }

    pub(super) fn client(&self, member: u64) -> &Client {
        &self.clients[&MemberId(member)]
    }

    pub(super) fn gone(&mut self, member: u64) {
        let (member, reason) = (MemberId(member), Reason::Left);
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
            stopped: vec![],
        }));
    }

    /// Lets time pass, waking the room whenever it asked for it.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.pass_for(Duration::from_secs(seconds));
    }

    pub(super) fn pass_for(&mut self, time: Duration) {
        let end = self.now + time;
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

    /// The last message that a member heard, as JSON.
    pub(super) fn last(&self, member: u64) -> serde_json::Value {
        serde_json::to_value(self.heard(member).last().expect("something")).unwrap()
    }

    /// The code of the error that a member heard last.
    pub(super) fn refusal(&self, member: u64) -> Option<ErrorCode> {
        match self.heard(member).last() {
            Some(ServerMessage::Error { code, .. }) => Some(*code),
            _ => None,
        }
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
                    let client = self.clients.get_mut(&to).expect("somebody known");
                    match client.is_lost {
                        true => assert_eq!(frame.seq, None, "an event for nobody: {frame:?}"),
                        false => client.hear(to, frame),
                    }
                }
                RoomEffect::Tell { event, to } => {
                    for (to, seq) in to {
                        let client = self.clients.get_mut(&to).expect("somebody known");
                        assert!(!client.is_lost, "an event for nobody: {event:?}");
                        let (seq, message) = (Some(seq), event.message().clone());
                        client.hear(to, ServerFrame { seq, message });
                    }
                }
                RoomEffect::Attach { member, .. } => {
                    let client = self.clients.get_mut(&member).unwrap();
                    client.may_miss = true;
                    (client.is_lost, client.closed) = (false, None);
                }
                RoomEffect::Refuse { frame, .. } => {
                    assert_eq!(frame.seq, None);
                    self.refused.push(frame.message);
                }
                RoomEffect::Disconnect { member, reason } => {
                    let client = self.clients.get_mut(&member).unwrap();
                    if !client.is_lost {
                        let last = client.heard.last();
                        assert_eq!(last, Some(&ServerMessage::Bye { reason }));
                        assert!(!self.room.awaits(member));
                        assert_eq!(client.closed, None);
                        client.is_lost = self.room.has(member);
                        client.may_miss |= client.is_lost;
                        client.closed = (!client.is_lost).then_some(reason);
                    }
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
        let is_last = matches!(frame.message, ServerMessage::Bye { .. });
        let fits = is_last || frame.seq.is_none() == is_answer(&frame.message);
        assert!(fits, "{frame:?}");
        let may_come = is_last || is_answer(&frame.message);
        assert!(may_come || !self.waiting, "{me} waits and hears {frame:?}");
        self.assert_known(&frame.message);
        self.learn(me, &frame.message);
        self.heard.push(frame.message.clone());
        self.journal.push(frame);
    }

    /// The events that came, in order.
    pub(super) fn events(&self) -> Vec<&ServerMessage> {
        let events = self.journal.iter().filter(|frame| frame.seq.is_some());
        events.map(|frame| &frame.message).collect()
    }

    /// The connection is lost, and the last `unseen` events have not arrived, nor maybe the answer to
    /// `resume` before them. What the client knew when it last said something had.
    fn lose(&mut self, me: MemberId, unseen: usize) {
        let after = self.journal.iter().enumerate().skip(self.acted.max(1));
        let can_miss = |frame: &ServerFrame| {
            frame.seq.is_some() || matches!(frame.message, ServerMessage::Resumed { .. })
        };
        let frames = after.filter(|(_, frame)| can_miss(frame));
        let frames: Vec<usize> = frames.map(|(place, _)| place).collect();
        let first_unseen = frames.len().checked_sub(unseen.max(1));
        let cut = frames.get(first_unseen.unwrap_or_default());
        if let (Some(&cut), 1..) = (cut, unseen) {
            self.forget_from(me, cut);
        }
        (self.is_lost, self.may_miss) = (true, true);
    }

    fn forget_from(&mut self, me: MemberId, cut: usize) {
        let journal = std::mem::take(&mut self.journal);
        *self = Client {
            acted: self.acted,
            ..Client::default()
        };
        for frame in journal.into_iter().take(cut) {
            self.closed = None;
            self.hear(me, frame);
        }
    }

    /// Nobody is heard of before they have been introduced.
    fn assert_known(&self, message: &ServerMessage) {
        let named: Vec<MemberId> = match message {
            ServerMessage::Chat(line) => vec![line.from],
            ServerMessage::Signal { from, .. } | ServerMessage::Reaction { from, .. } => {
                vec![*from]
            }
            ServerMessage::Speakers { members } => members.clone(),
            ServerMessage::Seats { seats } => {
                seats.iter().flatten().map(|seat| seat.member).collect()
            }
            _ => Vec::new(),
        };
        for member in named {
            assert!(
                self.members.contains_key(&member),
                "{member} in {message:?}"
            );
        }
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
                rules,
                waiting,
                resume,
                exceptions,
                ..
            } => {
                assert_eq!(*you, me);
                self.token.clone_from(&resume.token);
                self.answer(*id);
                self.members = members
                    .iter()
                    .map(|member| (member.id, member.clone()))
                    .collect();
                self.waiting = false;
                (self.rules, self.knocks) = (*rules, waiting.clone());
                assert!(waiting.is_empty() || self.is_owner(me));
                self.topology = Some(*topology);
                self.held_why = Some(topology.why);
                self.exceptions.clone_from(exceptions);
            }
            ServerMessage::Resumed { id, resume, .. } => {
                self.answer(*id);
                self.token.clone_from(&resume.token);
            }
            ServerMessage::Member { member } => {
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
            ServerMessage::Waiting { id, you } => {
                assert_eq!(*you, me);
                self.answer(*id);
                self.waiting = true;
            }
            ServerMessage::Rules(rules) => {
                assert_ne!(self.rules, *rules, "the same rules twice");
                self.rules = *rules;
            }
            ServerMessage::Knocks { waiting } => {
                assert!(self.is_owner(me), "{me} is told who waits");
                assert_ne!(self.knocks, *waiting, "the same list twice");
                self.knocks.clone_from(waiting);
            }
            ServerMessage::Paths { epoch, exceptions } => {
                let known = self.topology.as_ref().expect("joined first");
                assert_eq!(*epoch, known.epoch);
                self.exceptions.clone_from(exceptions);
            }
            ServerMessage::Seats { seats } => {
                // An answer renews it, and may have been lost.
                let is_answer = |last| matches!(last, &ServerMessage::Answer { .. });
                let is_renewed = self.may_miss || self.heard.last().is_some_and(is_answer);
                assert!(is_renewed || *seats != self.seats, "the same plan twice");
                self.seats.clone_from(seats);
            }
            _ => {}
        }
    }

    fn is_owner(&self, me: MemberId) -> bool {
        self.members
            .get(&me)
            .is_some_and(|me| me.role == Role::Owner)
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

/// What makes the owners of the rooms here that have one.
pub(super) fn owner_key() -> OwnerMark {
    OwnerMark::new(*b"0123456789abcdef0123456789abcdef")
}

fn is_answer(message: &ServerMessage) -> bool {
    matches!(
        message,
        ServerMessage::Ok { .. }
            | ServerMessage::Error { .. }
            | ServerMessage::Joined { .. }
            | ServerMessage::Waiting { .. }
            | ServerMessage::Resumed { .. }
            | ServerMessage::Answer { .. }
            | ServerMessage::Pong { .. }
    )
}

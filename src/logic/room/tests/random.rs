//! Whatever members say, in whatever order: what every client believes is what the room holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::harness::{Table, owner_key};
use crate::ids::MemberId;
use crate::logic::limits::Limits;
use crate::logic::room::{MediaFact, MediaOrder, Room, RoomConfig, RoomInput};
use crate::protocol::client::*;
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::{MemberKind, Mode, PairPath, PathReason, Presence, Published, Role};

#[derive(Debug, Clone)]
enum Step {
    Join {
        sfu_only: bool,
        with_key: bool,
    },
    /// By somebody's place among all who ever came; `late`: said with an epoch that may be over.
    Say {
        who: usize,
        what: ClientMessage,
        late: u32,
    },
    Gone {
        who: usize,
    },
    /// A WebSocket is lost, with so many events under way.
    Lose {
        who: usize,
        unseen: usize,
    },
    Resume {
        who: usize,
    },
    PeerUp {
        who: usize,
    },
    PeerDown {
        who: usize,
    },
    Speakers {
        who: Vec<usize>,
    },
    Pass {
        seconds: u64,
    },
    /// The media side gets to its orders.
    Answer {
        refuse: bool,
        seats: usize,
    },
}

/// More than will ever come: the others are strangers.
const WHO: std::ops::Range<u64> = 1..12;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..8usize;
    let step = prop_oneof![
        3 => (proptest::bool::weighted(0.1), proptest::bool::weighted(0.3))
            .prop_map(|(sfu_only, with_key)| Step::Join { sfu_only, with_key }),
        20 => (who.clone(), message(), 0..3u32).prop_map(|(who, what, late)| Step::Say { who, what, late }),
        1 => who.clone().prop_map(|who| Step::Gone { who }),
        1 => (who.clone(), 0..4usize).prop_map(|(who, unseen)| Step::Lose { who, unseen }),
        3 => who.clone().prop_map(|who| Step::Resume { who }),
        1 => who.clone().prop_map(|who| Step::PeerUp { who }),
        1 => who.clone().prop_map(|who| Step::PeerDown { who }),
        1 => proptest::collection::vec(who, 0..4).prop_map(|who| Step::Speakers { who }),
        2 => (0..12u64).prop_map(|seconds| Step::Pass { seconds }),
        4 => (any::<bool>(), 0..4usize).prop_map(|(refuse, seats)| Step::Answer { refuse, seats }),
    ];
    proptest::collection::vec(step, 1..120)
}

fn message() -> impl Strategy<Value = ClientMessage> {
    let text = "[a-c]{0,3}";
    let token = || proptest::option::of("[0-2]{1}");
    let source = || {
        prop_oneof![
            Just(Source::Microphone),
            Just(Source::Camera),
            Just(Source::ScreenAudio),
            Just(Source::Screen),
        ]
    };
    let feed = || prop_oneof![Just(Feed::Camera), Just(Feed::Screen)];
    let want = (WHO, feed(), 0..3u16).prop_map(|(member, feed, max_height)| Want {
        member: MemberId(member),
        feed,
        max_height,
    });
    let candidate = Signal::Candidate(Candidate {
        candidate: "c".into(),
        sdp_mid: None,
        sdp_m_line_index: None,
        username_fragment: None,
    });
    let description = Signal::Description(Description {
        kind: DescriptionKind::Offer,
        sdp: String::new(),
    });
    let signal = prop_oneof![Just(candidate), Just(description)];
    let reaction = Reaction::Heart;
    let pair_state = prop_oneof![Just(PairState::Failed), Just(PairState::Connected)];
    let unreachable = prop_oneof![
        Just(Unreachable::Ice),
        Just(Unreachable::Dtls),
        Just(Unreachable::Refused)
    ];
    let strain = prop_oneof![
        Just(None),
        Just(Some(Strain::Uplink)),
        Just(Some(Strain::Cpu))
    ];
    prop_oneof![
        2 => any::<bool>().prop_map(|raised| ClientMessage::Hand { raised }),
        2 => Just(ClientMessage::React { reaction }),
        20 => moderation(),
        1 => text.prop_map(|room| ClientMessage::Join { room, name: String::new(), sfu_only: false, owner_key: None }),
        4 => (WHO, signal).prop_map(|(to, signal)| ClientMessage::Signal { to: MemberId(to), epoch: 0, signal }),
        4 => any::<bool>().prop_map(|fresh| ClientMessage::Offer { sdp: "o".into(), epoch: 0, fresh }),
        6 => (source(), token(), token(), any::<bool>())
            .prop_map(|(source, mid, stream, muted)| ClientMessage::Publish { source, mid, stream, muted }),
        3 => (source(), any::<bool>()).prop_map(|(source, muted)| ClientMessage::Mute { source, muted }),
        2 => source().prop_map(|source| ClientMessage::Unpublish { source }),
        3 => proptest::collection::vec(want, 0..4).prop_map(|wants| ClientMessage::View { wants }),
        6 => Just(ClientMessage::Ready { epoch: 0 }),
        12 => (1..4u64, pair_state).prop_map(|(member, state)| ClientMessage::Pair { member: MemberId(member), epoch: 0, state }),
        2 => unreachable.prop_map(|cause| ClientMessage::Unreachable { cause }),
        1 => strain.prop_map(|cause| ClientMessage::Strain { cause }),
        2 => text.prop_map(|text| ClientMessage::Chat { text }),
        2 => Just(ClientMessage::Ping { after: None }),
        1 => Just(ClientMessage::Bye {}),
    ]
}

fn moderation() -> impl Strategy<Value = ClientMessage> {
    // Strangers are tried by the other messages.
    let who = || (1..8u64).prop_map(MemberId);
    let source = prop_oneof![Just(Source::Microphone), Just(Source::Camera)];
    let often = || proptest::bool::weighted(0.6);
    prop_oneof![
        8 => (who(), source, often())
            .prop_map(|(member, source, silenced)| ClientMessage::Silence { member, source, silenced }),
        2 => who().prop_map(|member| ClientMessage::LowerHand { member }),
        3 => who().prop_map(|member| ClientMessage::Remove { member }),
        2 => proptest::bool::weighted(0.3).prop_map(|locked| ClientMessage::Lock { locked }),
        6 => often().prop_map(|enabled| ClientMessage::Lobby { enabled }),
        4 => who().prop_map(|member| ClientMessage::Admit { member }),
        4 => who().prop_map(|member| ClientMessage::Deny { member }),
        1 => proptest::bool::weighted(0.3)
            .prop_map(|ends| if ends { ClientMessage::End {} } else { ClientMessage::Lock { locked: false } }),
    ]
}

fn with_epoch(mut what: ClientMessage, now: Epoch) -> ClientMessage {
    match &mut what {
        ClientMessage::Signal { epoch, .. }
        | ClientMessage::Offer { epoch, .. }
        | ClientMessage::Pair { epoch, .. }
        | ClientMessage::Ready { epoch } => *epoch = now,
        _ => {}
    }
    what
}

/// Plays the steps and checks the room after each.
struct Play {
    table: Table,
    comers: Vec<u64>,
    requests: RequestId,
    /// Requests of those who were there.
    asked: Vec<(MemberId, RequestId)>,
    /// Offers that the media side has not got to; they need not be answered yet.
    waiting: Vec<MediaOrder>,
    /// What the media side holds muted, and what not.
    muted: BTreeMap<(MemberId, Source), bool>,
    /// The steps after which everyone has been told everything.
    told_after: usize,
    steps: usize,
}

/// A room of any size that tells what changes about its members together.
const TOGETHER: u32 = 0;
const AT_ONCE: u32 = 99;
const NEWS_INTERVAL: Duration = Duration::from_millis(100);

impl Play {
    fn new(news_together: u32) -> Play {
        let limits = Limits {
            room_members: 5,
            waiting: 2,
            candidates: 3,
            news_together,
            ..Limits::default()
        };
        let config = RoomConfig {
            limits,
            ..RoomConfig::default()
        };
        Play {
            table: Table::owned(config),
            comers: Vec::new(),
            requests: 0,
            asked: Vec::new(),
            waiting: Vec::new(),
            muted: BTreeMap::new(),
            told_after: if news_together == TOGETHER { 4 } else { 1 },
            steps: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Join { sfu_only, with_key } => self.join(sfu_only, with_key),
            Step::Say { who, what, late } => {
                let epoch = self.table.room.topology.epoch();
                let late = late.saturating_sub(1);
                self.say(who, with_epoch(what, epoch.saturating_sub(late)));
            }
            Step::Gone { who } => {
                if let Some(&member) = self.comers.get(who) {
                    self.table.gone(member);
                }
            }
            Step::Lose { who, unseen } => {
                if let Some(&member) = self.here(who) {
                    self.table.lose(member, unseen);
                }
            }
            Step::Resume { who } => {
                if let Some(&member) = self.comers.get(who) {
                    self.table.resume(member);
                }
            }
            Step::PeerUp { who } => {
                let member = MemberId(self.comers.get(who).copied().unwrap_or(99));
                self.table
                    .feed(RoomInput::Media(MediaFact::PeerUp { member }));
            }
            Step::PeerDown { who } => {
                let member = MemberId(self.comers.get(who).copied().unwrap_or(99));
                self.table
                    .feed(RoomInput::Media(MediaFact::PeerDown { member }));
            }
            Step::Speakers { who } => {
                let members = who.iter().filter_map(|&who| self.comers.get(who));
                let members = members.copied().map(MemberId).collect();
                self.table
                    .feed(RoomInput::Media(MediaFact::Speakers(members)));
            }
            Step::Pass { seconds } => self.table.pass(seconds),
            Step::Answer { refuse, seats } => self.answer(refuse, seats),
        }
        self.steps += 1;
        if self.steps.is_multiple_of(self.told_after) {
            if self.told_after > 1 {
                self.table.pass_for(NEWS_INTERVAL);
            }
            self.collect_orders();
            self.check();
        }
    }

    /// Somebody whose WebSocket is there.
    fn here(&self, who: usize) -> Option<&u64> {
        self.comers.get(who).filter(|&&member| {
            let client = self.table.client(member);
            self.table.room.has(MemberId(member)) && !client.is_lost
        })
    }

    fn join(&mut self, sfu_only: bool, with_key: bool) {
        self.requests += 1;
        let member = self.comers.len() as u64 + 1;
        self.comers.push(member);
        self.asked.push((MemberId(member), self.requests));
        let key = with_key.then(owner_key);
        // Who comes over HTTP has no owner's key, and is gone with their media.
        let kind = match sfu_only && !with_key {
            true => MemberKind::Whip,
            false => MemberKind::Client,
        };
        self.table
            .arrive_by(member, kind, (sfu_only, key), Some(self.requests));
    }

    fn say(&mut self, who: usize, message: ClientMessage) {
        let Some(&member) = self.comers.get(who) else {
            return;
        };
        let client = self.table.client(member);
        if client.is_lost {
            return;
        }
        let message = match message {
            ClientMessage::Ping { .. } => ClientMessage::Ping {
                after: Some(client.seq),
            },
            message => message,
        };
        self.requests += 1;
        let id = Some(self.requests);
        let room = &self.table.room;
        if room.has(MemberId(member)) || room.awaits(MemberId(member)) {
            self.asked.push((MemberId(member), self.requests));
        }
        let is_owner = role(room, MemberId(member)) == Some(Role::Owner);
        let (rules, is_closed, before) = (room.rules, room.is_closed, self.held());
        self.table.says_frame(member, ClientFrame { id, message });
        if !is_owner {
            let room = &self.table.room;
            assert_eq!((room.rules, room.is_closed), (rules, is_closed));
            // One who leaves may make room for one who waits.
            let mut after = self.held();
            after.retain(|id, _| before.contains_key(id));
            let mut expected = before;
            expected.retain(|id, _| room.has(*id));
            // What they publish anew may be held along with what is held already, no more.
            let (own, known) = (
                after.remove(&MemberId(member)),
                expected.remove(&MemberId(member)),
            );
            let (own, known) = (own.unwrap_or_default(), known.unwrap_or_default());
            assert!(known.iter().all(|source| own.contains(source)));
            assert!(own.is_empty() || !known.is_empty());
            assert_eq!(after, expected, "{member} is no owner");
        }
    }

    /// What is held muted.
    fn held(&self) -> BTreeMap<MemberId, Vec<Source>> {
        let members = self.table.room.roster.list().into_iter();
        members.map(|member| (member.id, member.silenced)).collect()
    }

    fn answer(&mut self, refuse: bool, seats: usize) {
        for order in std::mem::take(&mut self.waiting) {
            let MediaOrder::Answer {
                member, id, epoch, ..
            } = order
            else {
                continue;
            };
            let fact = if refuse {
                let message = "no".into();
                MediaFact::OfferRefused {
                    member,
                    id,
                    code: ErrorCode::BadOffer,
                    message,
                }
            } else {
                let sdp = "a".into();
                MediaFact::Answered {
                    member,
                    id,
                    epoch,
                    sdp,
                    seats,
                    stopped: vec![],
                }
            };
            self.table.feed(RoomInput::Media(fact));
        }
    }

    fn collect_orders(&mut self) {
        let answers = |order: &MediaOrder| matches!(order, MediaOrder::Answer { .. });
        let orders = std::mem::take(&mut self.table.orders);
        orders.iter().for_each(|order| self.mute(order));
        self.waiting.extend(orders.into_iter().filter(answers));
    }

    fn mute(&mut self, order: &MediaOrder) {
        match *order {
            MediaOrder::Publish {
                member,
                source,
                muted,
                ..
            }
            | MediaOrder::Mute {
                member,
                source,
                muted,
            } => {
                self.muted.insert((member, source), muted);
            }
            MediaOrder::Unpublish { member, source } => {
                self.muted.remove(&(member, source));
            }
            MediaOrder::ClosePeer { member } => self.muted.retain(|(of, _), _| *of != member),
            _ => {}
        }
    }

    fn check(&self) {
        self.check_door();
        let room = &self.table.room;
        let topology = room.topology.view();
        let truth = room.roster.list();
        for member in &truth {
            let client = &self.table.clients[&member.id];
            assert_eq!(client.is_lost, member.presence == Presence::Reconnecting);
            if client.is_lost {
                continue;
            }
            let mut known: Vec<_> = client.members.values().cloned().collect();
            let mut expected = truth.clone();
            // Of themselves they know what they did, not what they were told.
            known.retain(|known| known.id != member.id);
            expected.retain(|known| known.id != member.id);
            expected.sort_by_key(|member| member.id);
            assert_eq!(known, expected, "as {} sees it", member.id);
            assert_eq!(client.topology, Some(topology));
            assert_eq!(client.rules, room.rules);
            for source in &member.silenced {
                assert_eq!(member.role, Role::Guest);
                let is_muted =
                    |published: &&Published| published.source == *source && !published.muted;
                assert_eq!(member.published.iter().find(is_muted), None);
                assert_ne!(self.muted.get(&(member.id, *source)), Some(&false));
            }
            assert_eq!(client.exceptions, room.topology.exceptions(member.id));
            self.check_seats(member.id);
        }
        for (member, id) in &self.asked {
            let is_waiting = |order: &MediaOrder| matches!(order, MediaOrder::Answer { id: waiting, .. } if *waiting == Some(*id));
            let client = &self.table.clients[member];
            let count = client.answers.get(id).copied().unwrap_or(0);
            let may_miss =
                self.waiting.iter().any(is_waiting) || client.closed.is_some() || client.may_miss;
            assert!(
                count == 1 || (count == 0 && may_miss),
                "{count} answers to {id}"
            );
        }
    }

    fn check_door(&self) {
        let room = &self.table.room;
        let knocks = room.waiting.knocks();
        assert!(knocks.len() <= 2 && room.members() <= 5);
        for knock in &knocks {
            assert!(!room.has(knock.member));
            let client = &self.table.clients[&knock.member];
            assert!(client.waiting && client.closed.is_none());
        }
        for &member in &self.comers {
            let client = &self.table.clients[&MemberId(member)];
            let is_owner = role(room, MemberId(member)) == Some(Role::Owner);
            assert!(!is_owner || client.is_lost || client.knocks == knocks);
            let is_there = room.awaits(MemberId(member)) || client.closed.is_some();
            assert!(!client.waiting || is_there, "{member} is forgotten");
        }
        let is_open = !room.rules.lobby && !room.rules.locked;
        assert!(!is_open || knocks.is_empty() || room.members() == 5);
    }

    /// How many anyone who is here sees at most.
    fn seated(&self) -> usize {
        let clients = self.table.clients.iter();
        let here = clients.filter(|(member, _)| self.table.room.has(**member));
        let seated = here.map(|(_, client)| client.seats.iter().flatten().count());
        seated.max().unwrap_or_default()
    }

    fn check_seats(&self, viewer: MemberId) {
        let attendee = self.table.room.roster.get(viewer).unwrap();
        let told = &self.table.clients[&viewer].seats;
        let seated: Vec<_> = told
            .iter()
            .flatten()
            .map(|seat| (seat.member, seat.feed))
            .collect();
        let planned = attendee.plan.iter().flatten();
        let planned: Vec<_> = planned.map(|order| (order.member, order.feed)).collect();
        assert_eq!(seated, planned);
        let feeds = self.table.room.roster.feeds();
        for (at, sitter) in seated.iter().enumerate() {
            assert!(feeds.contains(sitter) && sitter.0 != viewer);
            assert!(self.table.room.topology.is_served(viewer, sitter.0));
            assert!(!seated[..at].contains(sitter), "twice");
        }
        assert!(attendee.peer.is_some() || seated.is_empty());
    }
}

fn role(room: &Room, member: MemberId) -> Option<Role> {
    room.roster.get(member).map(|member| member.role)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clients_and_room_agree_whatever_is_said(steps in steps()) {
        let mut play = Play::new(AT_ONCE);
        for step in steps {
            play.step(step);
        }
    }

    #[test]
    fn they_agree_as_well_when_news_are_told_together(steps in steps()) {
        let mut play = Play::new(TOGETHER);
        for step in steps {
            play.step(step);
        }
    }
}

fn say_exception(path: PairPath, reason: PathReason) -> String {
    format!("{path:?} for {reason:?}")
}

/// The property above is worth what the steps reach.
#[test]
fn random_steps_reach_every_phase_and_every_word() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..1_200 {
        let mut play = Play::new(AT_ONCE);
        for step in steps().new_tree(&mut runner).unwrap().current() {
            play.step(step);
            let view = play.table.room.topology.view();
            seen.insert(format!("{:?} switching {}", view.mode, view.switching));
            let members = play.table.room.roster.list();
            if members
                .iter()
                .any(|member| !member.silenced.is_empty() && !member.published.is_empty())
            {
                seen.insert("held".into());
            }
            for pair in play.table.room.topology.irregular_pairs() {
                seen.insert(say_exception(pair.path, pair.reason));
            }
            let seated = play.seated();
            if view.mode == Mode::Mesh && !view.switching && seated > 0 {
                seen.insert("on a seat in a mesh".into());
            }
            if seated > 1 {
                seen.insert("two on seats".into());
            }
        }
        let came_in = |member: &u64| {
            let heard = play.table.types_heard(*member);
            heard.iter().any(|word| word == "waiting") && heard.iter().any(|word| word == "joined")
        };
        if play.comers.iter().any(came_in) {
            seen.insert("came in".into());
        }
        for client in play.table.clients.values() {
            seen.extend(client.closed.map(|reason| format!("{reason:?}")));
        }
        for &member in &play.comers {
            seen.extend(play.table.types_heard(member));
        }
    }
    let words = "answer bye chat commit error joined knocks left member ok paths pong reaction resumed \
        rollback rules seats signal speakers switch waiting";
    let expected = words.split(' ').map(str::to_owned).chain([
        "Mesh switching false".into(),
        "Mesh switching true".into(),
        "Sfu switching false".into(),
        "Sfu switching true".into(),
        "two on seats".into(),
        "Removed".into(),
        "Denied".into(),
        "RoomClosed".into(),
        "held".into(),
        "came in".into(),
        "on a seat in a mesh".into(),
        say_exception(PairPath::Node, PathReason::PairFailed),
        say_exception(PairPath::Direct, PathReason::NodeUnreachable),
        say_exception(PairPath::None, PathReason::NodeUnreachable),
        say_exception(PairPath::None, PathReason::Nothing),
    ]);
    let missing: Vec<String> = expected.filter(|word| !seen.contains(word)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

//! The machine, and what the clients of up to six members make of what it tells them.

use std::time::Duration;

use super::super::super::*;
use crate::protocol::server::{PairPath, PathReason};

/// As many as are ever there; their ids are 1 to this.
pub(super) const MEMBERS: usize = 6;

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// The machine hears it.
    Hear(TopologyInput),
    /// Nothing else happens until something is due.
    TimeOut,
    /// Strains are believed no longer; nothing else is due before.
    Fade,
}

type Path = (PairPath, PathReason);

#[derive(Clone)]
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) topology: Topology,
    /// What all effects come to, as everybody knows it.
    view: server::Topology,
    held_why: Why,
    people: [Option<Person>; MEMBERS],
    /// By the places of the lower and of the higher id.
    bonds: [[Bond; MEMBERS]; MEMBERS],
}

/// A member, as they know themselves.
#[derive(Clone, Copy)]
struct Person {
    sfu_only: bool,
    is_reached: bool,
    /// Said so in this switch.
    is_ready: bool,
    /// Came while the room moves to the SFU: they never had the old path.
    is_new: bool,
    /// As told, by the other's place.
    exceptions: [Option<Path>; MEMBERS],
}

/// What two members have between them.
#[derive(Clone, Copy)]
pub(super) struct Bond {
    /// What plays, or comes up while the one before still does.
    plays: PairPath,
    /// What each said last about the direct way, the lower id first.
    pub(super) said: [Option<PairState>; 2],
    pub(super) has_failed: bool,
    /// The last epoch in which they needed or tried the direct way in spite of the SFU.
    insisted: Epoch,
}

const STRANGERS: Bond = Bond {
    plays: PairPath::None,
    said: [None; 2],
    has_failed: false,
    insisted: 0,
};

fn place(member: MemberId) -> usize {
    member.0 as usize - 1
}

fn path_of(mode: Mode) -> PairPath {
    match mode {
        Mode::Mesh => PairPath::Direct,
        Mode::Sfu => PairPath::Node,
    }
}

/// A list of exceptions by the others' places.
fn by_place(told: &[PathException]) -> [Option<Path>; MEMBERS] {
    let mut exceptions = [None; MEMBERS];
    for exception in told {
        exceptions[place(exception.member)] = Some((exception.path, exception.reason));
    }
    exceptions
}

impl World {
    pub(super) fn new(config: TopologyConfig) -> World {
        let now = Instant::now();
        let topology = Topology::new(now, config);
        let view = topology.view();
        World {
            now,
            topology,
            view,
            held_why: view.why,
            people: [None; MEMBERS],
            bonds: [[STRANGERS; MEMBERS]; MEMBERS],
        }
    }

    /// Those who are here, in the order of ids.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberId> + Clone + use<> {
        let here = self.people.map(|person| person.is_some());
        (1..=MEMBERS as u64)
            .map(MemberId)
            .filter(move |id| here[place(*id)])
    }

    pub(super) fn bond(&self, pair: Pair) -> &Bond {
        &self.bonds[place(pair.low)][place(pair.high)]
    }

    /// What the clients and the machine make of a step. Panics where it is unsound.
    pub(super) fn step(&self, step: Step) -> World {
        let mut next = self.clone();
        next.note(step);
        let told = next.run(step);
        next.learn(&told);
        if let Step::Hear(TopologyInput::Joined { member, .. }) = step {
            next.arrive(member);
        }
        next.start_over_if_empty();
        next.play();
        next.check();
        next
    }

    /// The machine's part.
    pub(super) fn run(&mut self, step: Step) -> Vec<TopologyEffect> {
        let mut out = Vec::new();
        match step {
            Step::Hear(input) => self.topology.handle(self.now, input, &mut out),
            Step::TimeOut => {
                let due = self.topology.poll_timeout().map(|(due, _)| due);
                self.now = self.now.max(due.expect("something is due"));
                self.topology.handle_timeout(self.now, &mut out);
                let next = self.topology.poll_timeout();
                assert!(next.is_none_or(|(due, _)| due > self.now), "a busy loop");
            }
            Step::Fade => {
                for standing in self.topology.members.values_mut() {
                    standing.strains = Strains::default();
                }
            }
        }
        out
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> + use<> {
        let (members, others) = (self.members(), self.members());
        members.flat_map(move |low| {
            let higher = others.clone().filter(move |high| low < *high);
            higher.map(move |high| Pair { low, high })
        })
    }

    fn bond_mut(&mut self, pair: Pair) -> &mut Bond {
        &mut self.bonds[place(pair.low)][place(pair.high)]
    }

    fn person(&self, member: MemberId) -> &Person {
        self.people[place(member)].as_ref().expect("is here")
    }

    fn person_mut(&mut self, member: MemberId) -> &mut Person {
        self.people[place(member)].as_mut().expect("is here")
    }

    fn both(&self, pair: Pair, holds: impl Fn(&Person) -> bool) -> bool {
        holds(self.person(pair.low)) && holds(self.person(pair.high))
    }

    fn is_new(&self, pair: Pair) -> bool {
        !self.both(pair, |person| !person.is_new)
    }

    fn exception(&self, member: MemberId, other: MemberId) -> Option<Path> {
        self.person(member).exceptions[place(other)]
    }

    /// How two members' media travels for now, if nothing else is said.
    fn usual(&self, pair: Pair) -> PairPath {
        let held = match (self.view.mode, self.view.switching) {
            (Mode::Sfu, true) if !self.is_new(pair) => Mode::Mesh,
            (Mode::Mesh, true) => Mode::Sfu,
            (mode, _) => mode,
        };
        path_of(held)
    }

    /// How a member believes that their media travels.
    fn believed(&self, member: MemberId, other: MemberId) -> PairPath {
        let exception = self.exception(member, other);
        exception.map_or_else(|| self.usual(Pair::of(member, other)), |(path, _)| path)
    }

    fn is_hidden(&self, pair: Pair) -> bool {
        let policy = self.topology.config.policy;
        policy == Policy::Sfu || !self.both(pair, |person| !person.sfu_only)
    }

    /// Whether media would come through, as far as anybody knows.
    fn works(&self, pair: Pair, path: PairPath) -> bool {
        match path {
            PairPath::Direct => !self.bond(pair).has_failed && !self.is_hidden(pair),
            PairPath::Node => {
                self.topology.config.policy != Policy::Mesh
                    && self.both(pair, |person| person.is_reached)
            }
            PairPath::None => false,
        }
    }

    /// What members know of what they do.
    fn note(&mut self, step: Step) {
        let Step::Hear(input) = step else { return };
        match input {
            TopologyInput::Joined { member, sfu_only } => {
                self.people[place(member)] = Some(Person {
                    sfu_only,
                    is_reached: true,
                    is_ready: false,
                    is_new: true,
                    exceptions: [None; MEMBERS],
                });
            }
            TopologyInput::Left { member } => {
                self.people[place(member)] = None;
                for other in 0..MEMBERS {
                    self.bonds[place(member)][other] = STRANGERS;
                    self.bonds[other][place(member)] = STRANGERS;
                }
                for person in self.people.iter_mut().flatten() {
                    person.exceptions[place(member)] = None;
                }
            }
            TopologyInput::Ready { member, epoch } => {
                let is_now = epoch == self.view.epoch && self.view.switching;
                self.person_mut(member).is_ready |= is_now;
            }
            TopologyInput::Reach { member, reached } => {
                self.person_mut(member).is_reached = reached;
            }
            TopologyInput::Pair {
                member,
                other,
                state,
                ..
            } => {
                let pair = Pair::of(member, other);
                let bond = self.bond_mut(pair);
                bond.said[usize::from(member == pair.high)] = Some(state);
                bond.has_failed |= state == PairState::Failed;
                bond.has_failed &= bond.said != [Some(PairState::Connected); 2];
            }
            TopologyInput::Strain { .. } | TopologyInput::Tapped(_) => {}
        }
    }

    /// What members do about what they are told, in its order.
    fn learn(&mut self, told: &[TopologyEffect]) {
        for effect in told {
            match effect {
                TopologyEffect::Switch {
                    mode, epoch, why, ..
                } => self.begin(*mode, *epoch, *why),
                TopologyEffect::Commit {
                    mode,
                    epoch,
                    why,
                    missing,
                } => self.drop_old(*mode, *epoch, *why, missing),
                TopologyEffect::Rollback {
                    mode,
                    epoch,
                    missing,
                } => self.drop_new(*mode, *epoch, missing),
                TopologyEffect::Paths {
                    member,
                    epoch,
                    exceptions,
                } => self.take_paths(*member, *epoch, exceptions),
            }
        }
    }

    fn begin(&mut self, mode: Mode, epoch: Epoch, why: Why) {
        assert!(!self.view.switching && mode != self.view.mode && epoch > self.view.epoch);
        self.view = server::Topology {
            mode,
            epoch,
            switching: true,
            why,
        };
        for person in self.people.iter_mut().flatten() {
            person.is_ready = false;
        }
        if mode == Mode::Mesh {
            // Everybody is tried again.
            for bond in self.bonds.iter_mut().flatten() {
                (bond.said, bond.has_failed) = ([None; 2], false);
            }
        }
    }

    /// The old path goes: the new one plays for both, or it is said who misses it.
    fn drop_old(&mut self, mode: Mode, epoch: Epoch, why: Why, missing: &[MemberId]) {
        let expected = server::Topology {
            mode,
            epoch,
            switching: true,
            why,
        };
        assert_eq!(self.view, expected, "commits what was not begun");
        let is_ready = |member: &MemberId| self.person(*member).is_ready;
        assert!(!missing.iter().any(is_ready), "misses who is ready");
        for pair in self.pairs() {
            let follows =
                self.both(pair, |person| person.is_ready) && self.works(pair, path_of(mode));
            let is_named = missing.iter().any(|member| pair.has(*member));
            let goes_on = self.goes_on(pair).unwrap_or(follows);
            assert!(
                goes_on || is_named || self.is_new(pair),
                "{pair:?} drops the path that plays"
            );
        }
        let failed = self.pairs().filter(|pair| self.bond(*pair).has_failed);
        let is_worthless = failed.count() > self.topology.config.mesh_max as usize / 2;
        assert!(mode == Mode::Sfu || !is_worthless, "a mesh that is none");
        self.settle(mode, epoch, why);
    }

    /// The new path goes, so the old one must be there still.
    fn drop_new(&mut self, mode: Mode, epoch: Epoch, missing: &[MemberId]) {
        assert!(self.view.switching && mode != self.view.mode && epoch > self.view.epoch);
        for member in missing {
            let fails = |pair: Pair| pair.has(*member) && self.bond(pair).has_failed;
            let is_rightly_named = !self.person(*member).is_ready || self.pairs().any(fails);
            assert!(is_rightly_named, "misses {member}, who follows");
        }
        // Whose coming is the reason has no path yet.
        let coming = |pair: &Pair| mode == Mode::Sfu && self.is_new(*pair);
        for pair in self.pairs().filter(|pair| !coming(pair)) {
            let is_there = self.bond(pair).plays == path_of(mode);
            let goes_on = self.goes_on(pair).unwrap_or(is_there);
            assert!(goes_on, "{pair:?} is left with nothing");
        }
        self.settle(mode, epoch, self.held_why);
    }

    /// Whether an exception holds what plays, or says why nothing can.
    fn goes_on(&self, pair: Pair) -> Option<bool> {
        let (path, _) = self.exception(pair.low, pair.high)?;
        Some(path == PairPath::None || path == self.bond(pair).plays)
    }

    fn settle(&mut self, mode: Mode, epoch: Epoch, why: Why) {
        self.held_why = why;
        self.view = server::Topology {
            mode,
            epoch,
            switching: false,
            why,
        };
        for person in self.people.iter_mut().flatten() {
            (person.is_ready, person.is_new) = (false, false);
        }
    }

    /// A client keeps a pair's former path until the new one plays: so that one has to work.
    fn take_paths(&mut self, member: MemberId, epoch: Epoch, exceptions: &[PathException]) {
        assert_eq!(epoch, self.view.epoch);
        let exceptions = by_place(exceptions);
        let former = std::mem::replace(&mut self.person_mut(member).exceptions, exceptions);
        for other in self.members().filter(|other| *other != member) {
            if former[place(other)] != exceptions[place(other)] {
                let path = self.believed(member, other);
                let works = path == PairPath::None || self.works(Pair::of(member, other), path);
                assert!(works, "{member} goes over to what does not work");
            }
        }
    }

    /// A newcomer reads what holds.
    fn arrive(&mut self, member: MemberId) {
        let is_on_the_way = self.view.switching && self.view.mode == Mode::Sfu;
        let exceptions = by_place(self.topology.exceptions(member));
        let person = self.person_mut(member);
        person.exceptions = exceptions;
        person.is_new &= is_on_the_way;
    }

    /// The next who comes knows nothing of the last who left.
    fn start_over_if_empty(&mut self) {
        if self.members().next().is_none() {
            let view = self.topology.view();
            assert!(view.epoch >= self.view.epoch && !view.switching);
            (self.view, self.held_why) = (view, view.why);
        }
    }

    fn play(&mut self) {
        for pair in self.pairs() {
            self.bond_mut(pair).plays = self.believed(pair.low, pair.high);
            if self.insists(pair) {
                self.bond_mut(pair).insisted = self.view.epoch;
            }
        }
    }

    fn insists(&self, pair: Pair) -> bool {
        let exception = self.exception(pair.low, pair.high);
        let is_for_direct = |(path, reason)| {
            path == PairPath::Direct || (path, reason) == (PairPath::None, PathReason::Nothing)
        };
        let is_mesh = self.view.mode == Mode::Mesh && !self.view.switching;
        !is_mesh && exception.is_some_and(is_for_direct)
    }

    fn check(&self) {
        assert_eq!(self.view, self.topology.view(), "not as told");
        assert!(self.members().eq(self.topology.members.keys().copied()));
        for member in self.members() {
            let exceptions = by_place(self.topology.exceptions(member));
            let told = self.person(member).exceptions;
            assert_eq!(told, exceptions, "{member} was told otherwise");
            self.check_part(member);
        }
        for pair in self.pairs() {
            let has_failed = self.topology.reports.has_failed(pair);
            assert_eq!(self.bond(pair).has_failed, has_failed);
            self.check_pair(pair);
        }
        self.check_phase();
    }

    fn check_part(&self, member: MemberId) {
        let person = self.person(member);
        let part = match (self.view.switching, person.is_ready) {
            (true, true) => Part::Ready,
            (true, false) if !person.is_new => Part::Waiting,
            _ => Part::Settled,
        };
        assert_eq!(self.topology.members[&member].part, part, "{member}");
    }

    /// Two members have a path that works, or are told why there is none; and they may bring up
    /// what they need.
    fn check_pair(&self, pair: Pair) {
        let (one, other) = (pair.low, pair.high);
        let exception = self.exception(one, other);
        assert_eq!(exception, self.exception(other, one), "one-sided");
        assert_eq!(exception, self.expected(pair), "{pair:?}");
        let path = self.believed(one, other);
        let can_work = [PairPath::Direct, PairPath::Node]
            .iter()
            .any(|path| self.works(pair, *path));
        assert!(self.works(pair, path) || (path == PairPath::None && !can_work));
        let is_coming = |mode| exception.is_none() && self.view.switching && self.view.mode == mode;
        self.check_signals(pair);
        let is_served = self.topology.is_served(one, other);
        let needs_node = path == PairPath::Node || is_coming(Mode::Sfu);
        assert!(is_served || !needs_node, "{pair:?} is not served");
    }

    fn check_signals(&self, pair: Pair) {
        let epoch = self.view.epoch;
        let is_mesh_there = self.view.mode == Mode::Mesh || self.view.switching;
        let is_allowed = (is_mesh_there && !self.is_new(pair)) || self.bond(pair).insisted == epoch;
        for (one, other) in [(pair.low, pair.high), (pair.high, pair.low)] {
            let may_signal = self.topology.may_signal(one, other, epoch);
            assert_eq!(may_signal, is_allowed, "{pair:?} negotiates");
            assert!(!self.topology.may_signal(one, other, epoch + 1));
        }
        assert!(!is_allowed || self.topology.config.policy != Policy::Sfu);
    }

    /// The rules once more.
    fn expected(&self, pair: Pair) -> Option<Path> {
        use PairPath::{Direct, Node};
        use PathReason::{NodeUnreachable, Nothing, PairFailed};
        let are_reached = self.both(pair, |person| person.is_reached);
        let has_failed = self.bond(pair).has_failed;
        let nothing = Some((PairPath::None, Nothing));
        match self.usual(pair) {
            Node if are_reached => None,
            Node if self.is_hidden(pair) => Some((PairPath::None, NodeUnreachable)),
            Node if has_failed => nothing,
            Node => Some((Direct, NodeUnreachable)),
            _ if has_failed && self.topology.config.policy == Policy::Mesh => {
                Some((PairPath::None, PairFailed))
            }
            _ if has_failed && are_reached => Some((Node, PairFailed)),
            _ if has_failed => nothing,
            // They are not to follow the others to the node.
            _ if self.view.switching && !are_reached => Some((Direct, NodeUnreachable)),
            _ => None,
        }
    }

    fn check_phase(&self) {
        let topology = &self.topology;
        let config = &topology.config;
        let people = self.people.iter().flatten();
        let count = people.clone().count();
        let needs_node = people.clone().any(|person| person.sfu_only);
        let fits = |members_max| count <= members_max as usize && !needs_node;
        let timeout = topology.poll_timeout();
        match topology.phase {
            Phase::Mesh { .. } => {
                assert!(fits(config.mesh_max), "a mesh of {count}");
                assert_ne!(config.policy, Policy::Sfu);
            }
            // A switch that nobody is waited for would be over already.
            Phase::ToSfu { deadline, .. } | Phase::ToMesh { deadline, .. } => {
                assert_eq!(timeout.map(|(due, _)| due), Some(deadline));
                assert!(deadline > self.now);
                let is_awaited = |it: &Person| !it.is_ready && !it.is_new;
                let can_follow = |it: &Person| it.is_reached || self.view.mode == Mode::Mesh;
                assert!({ people }.any(|it| is_awaited(it) && can_follow(it)));
            }
            Phase::Sfu { .. } => {
                let is_small = config.policy == Policy::Auto
                    && config.mesh_max > 1
                    && fits(config.mesh_max - 1);
                assert_eq!(timeout.is_some(), is_small);
            }
        }
    }

    /// Time alone ends a switch.
    pub(super) fn check_deadline(&self) {
        if self.view.switching {
            let next = self.step(Step::TimeOut);
            assert!(!next.view.switching, "stuck");
            assert!(next.now <= self.now + Duration::from_secs(10));
        }
    }

    /// What is of another epoch, or known already, changes nothing.
    pub(super) fn check_repetitions(&self) {
        let mut topology = self.topology.clone();
        let mut out = Vec::new();
        let mut hear = |input| topology.handle(self.now, input, &mut out);
        let now = self.view.epoch;
        for member in self.members() {
            let person = self.person(member);
            let reached = person.is_reached;
            hear(TopologyInput::Reach { member, reached });
            let epochs = [now - 1, now, now + 1].into_iter();
            for epoch in epochs.filter(|epoch| *epoch != now || person.is_ready) {
                hear(TopologyInput::Ready { member, epoch });
            }
            for other in self.members() {
                let epoch = now + 1;
                let state = PairState::Failed;
                hear(TopologyInput::Pair {
                    member,
                    other,
                    epoch,
                    state,
                });
            }
        }
        let stranger = MemberId(MEMBERS as u64 + 1);
        hear(TopologyInput::Left { member: stranger });
        assert_eq!((topology.phase, out), (self.topology.phase, Vec::new()));
        let failed = self.topology.reports.failed();
        assert!(topology.reports.failed().eq(failed));
    }
}

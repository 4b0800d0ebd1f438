//! Everything that can happen to up to six members, breadth first, with what their clients make of
//! it: see `world` for what is checked after each step, `canon` for which worlds count as one.

mod canon;
mod world;

use std::collections::{HashSet, VecDeque};

use super::*;
use canon::Canon;
use world::{MEMBERS, Step, World};

/// Who comes, and how much is wrong at the same time.
#[derive(Debug, Clone, Copy, Default)]
struct Mix {
    members: usize,
    sfu_only: usize,
    /// Pairs of which anything was said, mended ones too.
    pairs: usize,
    unreachable: usize,
    strained: usize,
    /// The three before together.
    at_once: usize,
}

/// How each world came about: from which, by what.
type Origin = (usize, Step);

struct Search {
    config: TopologyConfig,
    mix: Mix,
    known: HashSet<u128>,
    origins: Vec<Option<Origin>>,
    queue: VecDeque<(usize, World, Canon)>,
    /// What is being looked at.
    present: Option<Origin>,
}

impl Search {
    /// How many worlds there are; every one of them, and every step, is sound.
    fn run(config: TopologyConfig, mix: Mix) -> usize {
        let mut search = Search {
            config,
            mix,
            known: HashSet::new(),
            origins: Vec::new(),
            queue: VecDeque::new(),
            present: None,
        };
        search.find(World::new(config));
        while let Some((at, world, canon)) = search.queue.pop_front() {
            search.present = Some((at, Step::TimeOut));
            world.check_deadline();
            world.check_repetitions();
            for step in search.mix.steps(&world, &canon) {
                search.present = Some((at, step));
                search.find(world.step(step));
            }
        }
        search.known.len()
    }

    fn find(&mut self, world: World) {
        let canon = Canon::of(&world);
        if self.known.insert(canon.fingerprint) {
            self.queue.push_back((self.origins.len(), world, canon));
            self.origins.push(self.present);
        }
    }

    /// The shortest way to what is being looked at.
    fn way(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = self.present;
        while let Some((from, step)) = at {
            steps.push(step);
            at = self.origins[from];
        }
        steps.reverse();
        steps
    }
}

/// Says how an unsound world came about.
impl Drop for Search {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        eprintln!("{:?} with {:?}, unsound after", self.config, self.mix);
        let mut world = World::new(self.config);
        let mut steps = self.way().into_iter().peekable();
        while let Some(step) = steps.next() {
            eprintln!("- {step:?}");
            if steps.peek().is_some() {
                let told = world.run(step);
                told.iter()
                    .for_each(|effect| eprintln!("    {}", say(effect)));
            }
        }
    }
}

impl Mix {
    /// Whatever may happen next; of what differs only by who is who, one.
    fn steps(&self, world: &World, canon: &Canon) -> Vec<Step> {
        let mut inputs = self.joins(world, canon);
        for at in canon.kinds() {
            let member = canon.members[at];
            inputs.push(TopologyInput::Left { member });
            inputs.extend(self.own_words(world, member));
            inputs.extend(self.words_about_pairs(world, canon, at));
        }
        let mut steps: Vec<Step> = inputs.into_iter().map(Step::Hear).collect();
        if world.topology.poll_timeout().is_some() {
            steps.push(Step::TimeOut);
        }
        if strained(world) > 0 {
            steps.push(Step::Fade);
        }
        steps
    }

    fn joins(&self, world: &World, canon: &Canon) -> Vec<TopologyInput> {
        let topology = &world.topology;
        let ids = (1..=MEMBERS.min(self.members) as u64).map(MemberId);
        let free = { ids }.find(|id| !canon.members.contains(id));
        let bots = topology.members.values().filter(|it| it.sfu_only).count();
        let may_come = |sfu_only: &bool| {
            topology.admits(canon.members.len(), *sfu_only) && (!sfu_only || bots < self.sfu_only)
        };
        let join = |member| {
            let kinds = [false, true].into_iter().filter(may_come);
            kinds.map(move |sfu_only| TopologyInput::Joined { member, sfu_only })
        };
        free.into_iter().flat_map(join).collect()
    }

    /// What a member says about themselves.
    fn own_words(&self, world: &World, member: MemberId) -> Vec<TopologyInput> {
        let topology = &world.topology;
        let standing = &topology.members[&member];
        let epoch = topology.epoch();
        let mut words = Vec::new();
        if standing.part == Part::Waiting {
            words.push(TopologyInput::Ready { member, epoch });
        }
        let reached = topology.unreachable.contains(&member);
        if reached || self.may_err(world, topology.unreachable.len(), self.unreachable) {
            words.push(TopologyInput::Reach { member, reached });
        }
        let is_strained = standing.strains.cause(world.now).is_some();
        if is_strained || self.may_err(world, strained(world), self.strained) {
            let strain = (!is_strained).then_some(Strain::Uplink);
            words.push(TopologyInput::Strain { member, strain });
        }
        words
    }

    fn words_about_pairs(&self, world: &World, canon: &Canon, at: usize) -> Vec<TopologyInput> {
        let epoch = world.topology.epoch();
        let member = canon.members[at];
        let mut kinds = HashSet::new();
        let mut words = Vec::new();
        for (other_at, &other) in canon.members.iter().enumerate() {
            let kind = (canon.towards[at][other_at], canon.colours[other_at]);
            let is_heard = world.topology.may_signal(member, other, epoch);
            if !is_heard || !kinds.insert(kind) {
                continue;
            }
            let pair = Pair::of(member, other);
            let bond = world.bond(pair);
            let said = bond.said[usize::from(member == pair.high)];
            let is_known = bond.said != [None; 2];
            let may_fail = is_known || self.may_err(world, reported(world), self.pairs);
            let states = [
                (PairState::Failed, may_fail),
                (PairState::Connected, bond.has_failed),
            ];
            let news = { states.into_iter() }.filter(|(state, may)| *may && said != Some(*state));
            words.extend(news.map(|(state, _)| TopologyInput::Pair {
                member,
                other,
                epoch,
                state,
            }));
        }
        words
    }

    fn may_err(&self, world: &World, count: usize, count_max: usize) -> bool {
        let unreachable = world.topology.unreachable.len();
        let all = reported(world) + unreachable + strained(world);
        count < count_max && all < self.at_once
    }
}

/// Pairs of which anything was said.
fn reported(world: &World) -> usize {
    let said = |pair: &Pair| world.bond(*pair).said != [None; 2];
    world.pairs().filter(said).count()
}

fn strained(world: &World) -> usize {
    let standings = world.topology.members.values();
    { standings }
        .filter(|it| it.strains.cause(world.now).is_some())
        .count()
}

/// Explores with each of those sizes of a mesh. Faults of several kinds at once multiply the worlds:
/// the more there are, the fewer members.
fn explore(name: &str, policy: Policy, sizes: &[u32], mix: Mix) {
    for &mesh_max in sizes {
        let start = Instant::now();
        let config = TopologyConfig {
            policy,
            mesh_max,
            ..TopologyConfig::default()
        };
        let worlds = Search::run(config, mix);
        let seconds = start.elapsed().as_secs_f32();
        println!("{name}, a mesh of up to {mesh_max}: {worlds} worlds in {seconds:.1} s");
    }
}

#[test]
fn six_come_and_go() {
    let mix = Mix {
        members: 6,
        sfu_only: 2,
        ..Mix::default()
    };
    explore("six", Policy::Auto, &[0, 1, 2, 3, 4, 5, 6], mix);
}

#[test]
fn six_of_whom_the_node_does_not_reach_two() {
    let mix = Mix {
        members: 6,
        sfu_only: 1,
        unreachable: 2,
        at_once: 2,
        ..Mix::default()
    };
    explore("six, two unreachable", Policy::Auto, &[3, 4, 5], mix);
}

#[test]
fn six_of_whom_two_pairs_fail() {
    let mix = Mix {
        members: 6,
        pairs: 2,
        at_once: 2,
        ..Mix::default()
    };
    explore("six, two pairs", Policy::Auto, &[2, 3, 4, 5, 6], mix);
}

#[test]
fn six_of_whom_two_are_strained() {
    let mix = Mix {
        members: 6,
        sfu_only: 1,
        strained: 2,
        at_once: 2,
        ..Mix::default()
    };
    explore("six, two strained", Policy::Auto, &[3, 4, 6], mix);
}

#[test]
fn six_of_whom_a_pair_fails_or_one_is_unreachable() {
    let mix = Mix {
        members: 6,
        pairs: 1,
        unreachable: 1,
        at_once: 1,
        ..Mix::default()
    };
    explore("six, a pair or one unreachable", Policy::Auto, &[4], mix);
}

#[test]
fn five_of_whom_any_pairs_fail_while_one_is_strained() {
    let mix = Mix {
        members: 5,
        pairs: 3,
        strained: 1,
        at_once: 3,
        ..Mix::default()
    };
    explore("five, three pairs or one strained", Policy::Auto, &[4], mix);
}

#[test]
fn four_with_any_two_faults() {
    let mix = Mix {
        members: 4,
        sfu_only: 1,
        pairs: 1,
        unreachable: 1,
        strained: 1,
        at_once: 2,
    };
    explore("four, any two faults", Policy::Auto, &[3], mix);
}

#[test]
fn three_with_any_three_faults() {
    let mix = Mix {
        members: 3,
        sfu_only: 1,
        pairs: 2,
        unreachable: 2,
        strained: 2,
        at_once: 3,
    };
    explore("three, any three faults", Policy::Auto, &[2], mix);
}

#[test]
fn six_whose_mode_is_fixed() {
    let mix = Mix {
        members: 6,
        sfu_only: 1,
        pairs: 2,
        unreachable: 2,
        strained: 1,
        at_once: 2,
    };
    explore("six, always a mesh", Policy::Mesh, &[3, 6], mix);
    explore("six, never a mesh", Policy::Sfu, &[4], mix);
}

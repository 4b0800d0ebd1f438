//! Mesh or SFU, and the way from one to the other; and for each two members how their media
//! travels, where that is not as the rest's.
//!
//! The mode gives every pair its path: directly in a mesh, over the node with the SFU. A pair
//! whose browsers do not reach each other is served over the node although the rest is a mesh; a
//! member who does not reach the node is served directly although the rest is not. What follows
//! from an input is worked out from the state (`follow`, `tell_paths`), never patched.

mod causes;
mod pairs;
mod paths;
mod phase;
mod strain;
mod switching;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::ids::MemberId;
use crate::protocol::client::{Epoch, PairState, Strain};
use crate::protocol::server::{self, Cause, Mode, PathException, Why};

use pairs::{Pair, PairReports};
use paths::Granted;
pub use paths::IrregularPair;
pub use phase::Phase;
use strain::Strains;
pub use tally::{Switches, Tally};

/// How often the calm before the next try is doubled at most: 10 s become 320 s.
const CALM_DOUBLINGS_MAX: u32 = 5;

/// What decides between mesh and SFU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopologyConfig {
    /// Whether the number of members decides at all.
    pub policy: Policy,
    /// The most members of a mesh; with 0 or 1 there is none.
    pub mesh_max: u32,
    /// How long a switch may take, in seconds.
    pub switch_seconds: u32,
    /// How long a room must be small enough, with nobody coming or leaving, before it goes back to
    /// mesh, in seconds.
    pub calm_seconds: u32,
}

impl Default for TopologyConfig {
    fn default() -> Self {
        TopologyConfig {
            policy: Policy::Auto,
            mesh_max: 4,
            switch_seconds: 10,
            calm_seconds: 10,
        }
    }
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The number of members and their needs.
    Auto,
    /// Always mesh; a room holds no more than `mesh_max`, and nobody who needs the node.
    Mesh,
    /// Always over the node: members never learn each other's addresses.
    Sfu,
}

/// What happens to a room's topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopologyInput {
    /// Someone came.
    Joined {
        /// Who.
        member: MemberId,
        /// They can only be served over the node.
        sfu_only: bool,
    },
    /// Someone is gone.
    Left {
        /// Who.
        member: MemberId,
    },
    /// The new path plays for them. One of another epoch is ignored.
    Ready {
        /// Who.
        member: MemberId,
        /// Of the switch that they mean.
        epoch: Epoch,
    },
    /// How their direct connection to another fares. Ignored where [`Topology::may_signal`] says
    /// no.
    Pair {
        /// Who says so.
        member: MemberId,
        /// The other one.
        other: MemberId,
        /// The topology epoch that they mean.
        epoch: Epoch,
        /// How it fares.
        state: PairState,
    },
    /// Whether the node reaches them; newcomers are believed to be reached.
    Reach {
        /// Whom.
        member: MemberId,
        /// It does.
        reached: bool,
    },
    /// Something that is no member, a recorder or another program, is to get media, or is gone.
    Tapped(Option<Cause>),
    /// A mesh is too much for them, or is no more.
    Strain {
        /// Who.
        member: MemberId,
        /// What gives.
        strain: Option<Strain>,
    },
}

/// What the members are to be told. Someone who joins learns the outcome from [`Topology::view`]
/// and [`Topology::exceptions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopologyEffect {
    /// Bring up the new path, keep the old one.
    Switch {
        /// Where to.
        mode: Mode,
        /// The epoch that begins.
        epoch: Epoch,
        /// Until when.
        deadline: Instant,
        /// Why.
        why: Why,
    },
    /// Drop the old path.
    Commit {
        /// What holds now.
        mode: Mode,
        /// The switch's epoch.
        epoch: Epoch,
        /// Why.
        why: Why,
        /// Who did not follow in time.
        missing: Vec<MemberId>,
    },
    /// Drop the new path.
    Rollback {
        /// What holds on.
        mode: Mode,
        /// The epoch that begins.
        epoch: Epoch,
        /// Who could not follow.
        missing: Vec<MemberId>,
    },
    /// One member's exceptions are different. Those that a switch leaves behind are told before its
    /// commit, those that it makes superfluous are taken back after it: so nobody drops a path
    /// that they are to keep.
    Paths {
        /// Whose.
        member: MemberId,
        /// The epoch that it is.
        epoch: Epoch,
        /// All of them.
        exceptions: Vec<PathException>,
    },
}

/// The machine of one room.
#[derive(Debug, Clone)]
pub struct Topology {
    config: TopologyConfig,
    phase: Phase,
    /// Why the phase's mode, or the one it leads to.
    why: Why,
    /// Why the mode that holds.
    held_why: Why,
    /// The epoch in which the path that holds was agreed on.
    held_since: Epoch,
    members: BTreeMap<MemberId, Standing>,
    /// Something that is no member takes part, by way of the node.
    tapped: Option<Cause>,
    /// Those whom the node does not reach.
    unreachable: BTreeSet<MemberId>,
    reports: PairReports,
    /// As told: at most one entry for two members; members without any are not listed.
    told: BTreeMap<MemberId, Vec<PathException>>,
    /// Pairs that negotiate although there is no mesh.
    granted: BTreeMap<Pair, Granted>,
    /// Meshes that did not come about, one after the other.
    failures: u32,
    /// Switches to the SFU that were only wished for and did not come about, one after the other.
    wishes_failed: u32,
    /// When the next such wish is granted.
    wishes_from: Instant,
}

/// A member's part in a switch; outside a switch everyone is `Settled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Has nothing to lose: no switch, or they came during it and know only the new path.
    Settled,
    /// On the old path, waiting for the new one.
    Waiting,
    /// The new path plays, the old one is still there.
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Standing {
    sfu_only: bool,
    part: Part,
    strains: Strains,
}

impl Topology {
    /// The topology of an empty room, at epoch 1.
    pub fn new(now: Instant, config: TopologyConfig) -> Topology {
        let why = causes::of_empty(&config);
        let mut topology = Topology {
            config,
            phase: Phase::Mesh { epoch: 0 },
            why,
            held_why: why,
            held_since: 0,
            members: BTreeMap::new(),
            tapped: None,
            unreachable: BTreeSet::new(),
            reports: PairReports::default(),
            told: BTreeMap::new(),
            granted: BTreeMap::new(),
            failures: 0,
            wishes_failed: 0,
            wishes_from: now,
        };
        topology.start_over(now);
        topology
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: TopologyInput, out: &mut Vec<TopologyEffect>) {
        let newcomer = match input {
            TopologyInput::Joined { member, .. } => Some(member),
            _ => None,
        };
        if self.take_in(now, input) {
            self.follow(now, newcomer, out);
            self.tell_paths(newcomer, out);
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<TopologyEffect>) {
        if self.poll_timeout().is_none_or(|(due, _)| now < due) {
            return;
        }
        match self.phase {
            Phase::Mesh { .. } => self.grant_wish(now, out),
            Phase::ToSfu { .. } if self.mesh_holds() => self.roll_back(now, self.missing(), out),
            Phase::ToSfu { .. } => self.commit(now, self.missing(), out),
            Phase::Sfu { .. } => self.switch(now, Mode::Mesh, causes::FEW, None, out),
            Phase::ToMesh { .. } => self.give_up_mesh(now, self.missing(), out),
        }
        self.tell_paths(None, out);
    }

    /// When [`Topology::handle_timeout`] is to be called next, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.phase {
            Phase::Mesh { .. } => {
                let is_wished = self.wish(self.wishes_from).is_some();
                is_wished.then_some((self.wishes_from, "another try of the SFU"))
            }
            Phase::ToSfu { deadline, .. } => Some((deadline, "switch to the SFU")),
            Phase::ToMesh { deadline, .. } => Some((deadline, "switch to mesh")),
            Phase::Sfu { calm_since, .. } if self.is_small() => {
                let calm = (calm_since + self.calm(), "calm enough for a mesh");
                let strained = self
                    .last_strain()
                    .map(|until| (until, "nobody is strained"));
                strained.into_iter().chain([calm]).max_by_key(|(at, _)| *at)
            }
            Phase::Sfu { .. } => None,
        }
    }

    /// Where the room stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The number of the last step.
    pub fn epoch(&self) -> Epoch {
        self.phase.epoch()
    }

    /// What a newcomer brings up.
    pub fn view(&self) -> server::Topology {
        server::Topology {
            mode: self.phase.mode(),
            epoch: self.epoch(),
            switching: self.phase.is_switching(),
            why: self.why,
        }
    }

    /// Whether the policy lets somebody in beside `members` others.
    pub fn admits(&self, members: usize, sfu_only: bool) -> bool {
        self.config.policy != Policy::Mesh
            || (!sfu_only && members < self.config.mesh_max.max(1) as usize)
    }

    /// Whether what is no member can take part.
    pub fn can_be_tapped(&self) -> bool {
        self.config.policy != Policy::Mesh
    }

    /// Whether an offer to the node belongs to a connection that is wanted. In a mesh it keeps the
    /// way to the node warm.
    pub fn is_node_epoch(&self, epoch: Epoch) -> bool {
        let since = match self.phase {
            Phase::ToSfu { epoch, .. } => epoch,
            _ => self.held_since,
        };
        (since..=self.epoch()).contains(&epoch)
    }

    /// Changes what is known; false if that is nothing new.
    fn take_in(&mut self, now: Instant, input: TopologyInput) -> bool {
        match input {
            TopologyInput::Joined { member, sfu_only } => self.come(now, member, sfu_only),
            TopologyInput::Left { member } => self.go(now, member),
            TopologyInput::Ready { member, epoch } => self.be_ready(member, epoch),
            TopologyInput::Pair {
                member,
                other,
                epoch,
                state,
            } => self.hear_of_pair(member, other, epoch, state),
            TopologyInput::Reach { member, reached } if self.members.contains_key(&member) => {
                match reached {
                    true => self.unreachable.remove(&member),
                    false => self.unreachable.insert(member),
                }
            }
            TopologyInput::Reach { .. } => false,
            TopologyInput::Tapped(why) => self.tap(now, why),
            TopologyInput::Strain { member, strain } => match self.members.get_mut(&member) {
                Some(standing) => {
                    standing.strains.say(now, strain);
                    true
                }
                None => false,
            },
        }
    }

    fn come(&mut self, now: Instant, member: MemberId, sfu_only: bool) -> bool {
        let standing = Standing {
            sfu_only,
            part: Part::Settled,
            strains: Strains::default(),
        };
        self.members.insert(member, standing);
        self.stir(now);
        true
    }

    fn go(&mut self, now: Instant, member: MemberId) -> bool {
        if self.members.remove(&member).is_none() {
            return false;
        }
        self.unreachable.remove(&member);
        self.reports.forget(member);
        self.told.remove(&member);
        self.granted.retain(|pair, _| !pair.has(member));
        // The one for whom a switch did not come about may be gone.
        self.failures = 0;
        self.wishes_failed = 0;
        self.wishes_from = self.wishes_from.min(now);
        self.stir(now);
        if self.members.is_empty() {
            self.start_over(now);
        }
        true
    }

    fn tap(&mut self, now: Instant, why: Option<Cause>) -> bool {
        let is_news = std::mem::replace(&mut self.tapped, why) != why;
        self.stir(now);
        if self.members.is_empty() {
            self.start_over(now);
        }
        is_news
    }

    fn be_ready(&mut self, member: MemberId, epoch: Epoch) -> bool {
        let is_late = epoch != self.epoch();
        match self.members.get_mut(&member) {
            Some(standing) if !is_late && standing.part == Part::Waiting => {
                standing.part = Part::Ready;
                true
            }
            _ => false,
        }
    }

    fn hear_of_pair(
        &mut self,
        member: MemberId,
        other: MemberId,
        epoch: Epoch,
        state: PairState,
    ) -> bool {
        let is_heard = self.may_signal(member, other, epoch);
        if is_heard {
            self.reports.say(member, other, state);
        }
        is_heard
    }

    /// Nobody is left who has a path: the next one begins afresh.
    fn start_over(&mut self, now: Instant) {
        let epoch = self.next_epoch();
        self.held_since = epoch;
        self.why = causes::of_empty(&self.config);
        self.held_why = self.why;
        self.phase = if self.mesh_allowed() {
            Phase::Mesh { epoch }
        } else {
            let calm_since = now;
            Phase::Sfu { epoch, calm_since }
        };
    }

    /// Someone came or left: the calm begins anew.
    fn stir(&mut self, now: Instant) {
        if let Phase::Sfu { calm_since, .. } = &mut self.phase {
            *calm_since = now;
        }
    }

    /// Grows with every failure, because every try costs each browser a mesh that comes to nothing.
    fn calm(&self) -> Duration {
        let factor = 1 << self.failures.min(CALM_DOUBLINGS_MAX);
        Duration::from_secs(self.config.calm_seconds.into()) * factor
    }

    fn next_epoch(&self) -> Epoch {
        self.epoch().saturating_add(1)
    }
}

#[cfg(test)]
mod tests;

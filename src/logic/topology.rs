//! Mesh or SFU, and the way from one to the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ids::MemberId;
use crate::protocol::client::Epoch;
use crate::protocol::server::{self, Cause, Mode, Why};

/// How often the calm before the next try is doubled at most: 10 s become 320 s.
const CALM_DOUBLINGS_MAX: u32 = 5;

const UNASKED: Why = Why {
    cause: Cause::Few,
    member: None,
};

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

/// Where a room stands between mesh and SFU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Peer to peer.
    Mesh {
        /// The step's number.
        epoch: Epoch,
    },
    /// The mesh holds while the way over the node comes up.
    ToSfu {
        /// The step's number.
        epoch: Epoch,
        /// When it must be up.
        deadline: Instant,
    },
    /// Over the node.
    Sfu {
        /// The step's number.
        epoch: Epoch,
        /// Since when nobody came or left and no switch failed.
        calm_since: Instant,
    },
    /// The way over the node holds while the mesh comes up.
    ToMesh {
        /// The step's number.
        epoch: Epoch,
        /// When it must be up.
        deadline: Instant,
    },
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
}

/// What the members are to be told. Someone who joins learns the outcome from [`Topology::view`].
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
    /// Switches to mesh that did not come about, one after the other.
    failures: u32,
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
}

impl Topology {
    /// The topology of an empty room, at epoch 1.
    pub fn new(now: Instant, config: TopologyConfig) -> Topology {
        let mut topology = Topology {
            config,
            phase: Phase::Mesh { epoch: 0 },
            why: UNASKED,
            held_why: UNASKED,
            held_since: 0,
            members: BTreeMap::new(),
            failures: 0,
        };
        topology.start_over(now);
        topology
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: TopologyInput, out: &mut Vec<TopologyEffect>) {
        match input {
            TopologyInput::Joined { member, sfu_only } => self.joined(now, member, sfu_only, out),
            TopologyInput::Left { member } => self.left(now, member, out),
            TopologyInput::Ready { member, epoch } => self.ready(now, member, epoch, out),
        }
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<TopologyEffect>) {
        if self.poll_timeout().is_none_or(|(due, _)| now < due) {
            return;
        }
        match self.phase {
            Phase::Mesh { .. } => {}
            Phase::ToSfu { .. } if self.mesh_holds() => self.roll_back(now, out),
            Phase::ToSfu { .. } => self.commit(now, out),
            Phase::Sfu { .. } => self.switch(now, Mode::Mesh, out),
            Phase::ToMesh { .. } => {
                self.failures = self.failures.saturating_add(1);
                self.roll_back(now, out);
            }
        }
    }

    /// When [`Topology::handle_timeout`] is to be called next, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.phase {
            Phase::Mesh { .. } => None,
            Phase::ToSfu { deadline, .. } => Some((deadline, "switch to the SFU")),
            Phase::ToMesh { deadline, .. } => Some((deadline, "switch to mesh")),
            Phase::Sfu { calm_since, .. } => {
                let back_at = calm_since + self.calm();
                self.is_small()
                    .then_some((back_at, "calm enough for a mesh"))
            }
        }
    }

    /// Where the room stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The number of the last step.
    pub fn epoch(&self) -> Epoch {
        match self.phase {
            Phase::Mesh { epoch }
            | Phase::ToSfu { epoch, .. }
            | Phase::Sfu { epoch, .. }
            | Phase::ToMesh { epoch, .. } => epoch,
        }
    }

    /// What a newcomer brings up.
    pub fn view(&self) -> server::Topology {
        let (mode, switching) = match self.phase {
            Phase::Mesh { .. } => (Mode::Mesh, false),
            Phase::ToSfu { .. } => (Mode::Sfu, true),
            Phase::Sfu { .. } => (Mode::Sfu, false),
            Phase::ToMesh { .. } => (Mode::Mesh, true),
        };
        server::Topology {
            mode,
            epoch: self.epoch(),
            switching,
            why: self.why,
        }
    }

    /// Why media should travel as it should.
    fn reason(&self) -> Why {
        let sfu_only = self.members.iter().find(|(_, standing)| standing.sfu_only);
        let (cause, member) = match (self.config.policy, sfu_only) {
            (Policy::Mesh | Policy::Sfu, _) => (Cause::Policy, None),
            (Policy::Auto, Some((member, _))) => (Cause::SfuOnly, Some(*member)),
            (Policy::Auto, None) if self.mesh_allowed() => (Cause::Few, None),
            (Policy::Auto, None) => (Cause::Many, None),
        };
        Why { cause, member }
    }

    /// Media travels over the node, or is about to, or still does.
    pub fn involves_sfu(&self) -> bool {
        !matches!(self.phase, Phase::Mesh { .. })
    }

    /// Whether the policy lets somebody in beside `members` others.
    pub fn admits(&self, members: usize, sfu_only: bool) -> bool {
        self.config.policy != Policy::Mesh
            || (!sfu_only && members < self.config.mesh_max.max(1) as usize)
    }

    /// Whether a step of negotiation between two members belongs to a mesh that is still there.
    pub fn is_mesh_epoch(&self, epoch: Epoch) -> bool {
        let since = match self.phase {
            Phase::Mesh { .. } | Phase::ToSfu { .. } => self.held_since,
            Phase::ToMesh { epoch, .. } => epoch,
            Phase::Sfu { .. } => return false,
        };
        (since..=self.epoch()).contains(&epoch)
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

    fn joined(
        &mut self,
        now: Instant,
        member: MemberId,
        sfu_only: bool,
        out: &mut Vec<TopologyEffect>,
    ) {
        let part = Part::Settled;
        self.members.insert(member, Standing { sfu_only, part });
        match self.phase {
            Phase::Mesh { .. } if !self.mesh_allowed() => self.switch_all_but(now, member, out),
            Phase::Mesh { .. } | Phase::ToSfu { .. } => {}
            Phase::Sfu { .. } => self.stir(now),
            Phase::ToMesh { .. } => self.roll_back(now, out),
        }
    }

    fn left(&mut self, now: Instant, member: MemberId, out: &mut Vec<TopologyEffect>) {
        if self.members.remove(&member).is_none() {
            return;
        }
        if self.members.is_empty() {
            return self.start_over(now);
        }
        // The one for whom a mesh did not come up may be gone.
        self.failures = 0;
        match self.phase {
            Phase::Mesh { .. } => {}
            Phase::ToSfu { .. } if self.mesh_holds() => self.roll_back(now, out),
            Phase::ToSfu { .. } | Phase::ToMesh { .. } => self.commit_if_ready(now, out),
            Phase::Sfu { .. } => self.stir(now),
        }
    }

    fn ready(
        &mut self,
        now: Instant,
        member: MemberId,
        epoch: Epoch,
        out: &mut Vec<TopologyEffect>,
    ) {
        let is_late = epoch != self.epoch();
        match self.members.get_mut(&member) {
            Some(standing) if !is_late && standing.part == Part::Waiting => {
                standing.part = Part::Ready;
                self.commit_if_ready(now, out);
            }
            _ => {}
        }
    }

    /// Nobody is left who has a path: the next one begins afresh.
    fn start_over(&mut self, now: Instant) {
        let epoch = self.next_epoch();
        self.held_since = epoch;
        self.failures = 0;
        self.why = self.reason();
        self.held_why = self.why;
        self.phase = if self.mesh_allowed() {
            Phase::Mesh { epoch }
        } else {
            let calm_since = now;
            Phase::Sfu { epoch, calm_since }
        };
    }

    /// The switch that a newcomer causes: they know only the new path.
    fn switch_all_but(&mut self, now: Instant, newcomer: MemberId, out: &mut Vec<TopologyEffect>) {
        self.switch(now, Mode::Sfu, out);
        if let Some(standing) = self.members.get_mut(&newcomer) {
            standing.part = Part::Settled;
        }
        self.commit_if_ready(now, out);
    }

    fn switch(&mut self, now: Instant, mode: Mode, out: &mut Vec<TopologyEffect>) {
        self.why = self.reason();
        let epoch = self.next_epoch();
        let deadline = now + Duration::from_secs(self.config.switch_seconds.into());
        self.phase = match mode {
            Mode::Sfu => Phase::ToSfu { epoch, deadline },
            Mode::Mesh => Phase::ToMesh { epoch, deadline },
        };
        for standing in self.members.values_mut() {
            standing.part = Part::Waiting;
        }
        out.push(TopologyEffect::Switch {
            mode,
            epoch,
            deadline,
            why: self.why,
        });
    }

    fn commit_if_ready(&mut self, now: Instant, out: &mut Vec<TopologyEffect>) {
        let is_waited_for = |standing: &Standing| standing.part == Part::Waiting;
        if !self.members.values().any(is_waited_for) {
            self.commit(now, out);
        }
    }

    fn commit(&mut self, now: Instant, out: &mut Vec<TopologyEffect>) {
        let (mode, epoch) = match self.phase {
            Phase::ToSfu { epoch, .. } => (Mode::Sfu, epoch),
            Phase::ToMesh { epoch, .. } => (Mode::Mesh, epoch),
            Phase::Mesh { .. } | Phase::Sfu { .. } => return,
        };
        self.failures = 0;
        self.held_since = epoch;
        self.held_why = self.why;
        self.settle(now, mode, epoch);
        let why = self.why;
        out.push(TopologyEffect::Commit { mode, epoch, why });
    }

    fn roll_back(&mut self, now: Instant, out: &mut Vec<TopologyEffect>) {
        let mode = match self.phase {
            Phase::ToSfu { .. } => Mode::Mesh,
            Phase::ToMesh { .. } => Mode::Sfu,
            Phase::Mesh { .. } | Phase::Sfu { .. } => return,
        };
        self.why = self.held_why;
        let epoch = self.next_epoch();
        let is_missing = |(_, standing): &(&MemberId, &Standing)| standing.part == Part::Waiting;
        let missing = self.members.iter().filter(is_missing);
        let missing = missing.map(|(member, _)| *member).collect();
        self.settle(now, mode, epoch);
        out.push(TopologyEffect::Rollback {
            mode,
            epoch,
            missing,
        });
    }

    fn settle(&mut self, now: Instant, mode: Mode, epoch: Epoch) {
        let calm_since = now;
        self.phase = match mode {
            Mode::Mesh => Phase::Mesh { epoch },
            Mode::Sfu => Phase::Sfu { epoch, calm_since },
        };
        for standing in self.members.values_mut() {
            standing.part = Part::Settled;
        }
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

    /// The room may be a mesh, and everyone in it has their part of the one that holds.
    fn mesh_holds(&self) -> bool {
        let has_mesh = |standing: &Standing| standing.part != Part::Settled;
        self.mesh_allowed() && self.members.values().all(has_mesh)
    }

    fn mesh_allowed(&self) -> bool {
        self.mesh_fits(self.config.mesh_max)
    }

    /// Small enough to go back to a mesh: a member less than what made it leave, so that one who
    /// comes and goes does not move the room to and fro.
    fn is_small(&self) -> bool {
        self.config.policy == Policy::Auto && self.mesh_fits(self.config.mesh_max.saturating_sub(1))
    }

    fn mesh_fits(&self, members_max: u32) -> bool {
        let is_mesh_possible = match self.config.policy {
            Policy::Auto => self.config.mesh_max > 1,
            Policy::Mesh => return true,
            Policy::Sfu => false,
        };
        is_mesh_possible
            && self.members.len() <= members_max as usize
            && !self.members.values().any(|standing| standing.sfu_only)
    }
}

#[cfg(test)]
mod tests;

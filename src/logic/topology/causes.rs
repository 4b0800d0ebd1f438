//! What speaks for a mesh and what against it.

use std::time::Instant;

use super::{Part, Policy, Standing, Topology, TopologyConfig};
use crate::protocol::server::{Cause, PairPath, Why};

/// Why a room goes back to a mesh.
pub(super) const FEW: Why = Why {
    cause: Cause::Few,
    member: None,
};

/// Why media travels as it does before anybody came.
pub(super) fn of_empty(config: &TopologyConfig) -> Why {
    let cause = match config.policy {
        Policy::Auto if config.mesh_max > 1 => Cause::Few,
        _ => Cause::Policy,
    };
    Why {
        cause,
        member: None,
    }
}

impl Topology {
    /// What rules a mesh out.
    pub(super) fn need(&self) -> Option<Why> {
        if self.mesh_allowed() {
            return None;
        }
        let sfu_only = self.members.iter().find(|(_, standing)| standing.sfu_only);
        Some(match sfu_only {
            Some((member, _)) => Why {
                cause: Cause::SfuOnly,
                member: Some(*member),
            },
            None => Why {
                cause: self.tapped.unwrap_or(Cause::Many),
                member: None,
            },
        })
    }

    /// What speaks against a mesh that is possible.
    pub(super) fn wish(&self, now: Instant) -> Option<Why> {
        if self.config.policy != Policy::Auto {
            return None;
        }
        self.strain(now).or_else(|| self.fragility())
    }

    pub(super) fn is_strained(&self, now: Instant) -> bool {
        self.strain(now).is_some()
    }

    /// Someone is strained, and the node can help: it reaches them and another.
    fn strain(&self, now: Instant) -> Option<Why> {
        let is_reached = |member: &_| !self.unreachable.contains(member);
        let reached = self.members.iter().filter(|(id, _)| is_reached(id));
        if reached.clone().count() < 2 {
            return None;
        }
        let mut strained = reached.filter_map(|(member, standing)| {
            let cause = standing.strains.cause(now)?;
            let member = Some(*member);
            Some(Why { cause, member })
        });
        strained.next()
    }

    /// Most of the mesh travels over the node already.
    fn fragility(&self) -> Option<Why> {
        let served = |(path, _)| path == PairPath::Node;
        let failed = self.reports.failed();
        let served = failed.filter(|pair| self.exception(*pair).is_some_and(served));
        (served.count() > self.failures_max()).then_some(Why {
            cause: Cause::Failed,
            member: None,
        })
    }

    /// Whether too many pairs have failed: a mesh that is mostly not one is worth nothing.
    pub(super) fn is_mesh_worthless(&self) -> bool {
        self.reports.failed().count() > self.failures_max()
    }

    fn failures_max(&self) -> usize {
        self.config.mesh_max as usize / 2
    }

    /// The room may be a mesh, and everyone in it has their part of the one that holds.
    pub(super) fn mesh_holds(&self) -> bool {
        let has_mesh = |standing: &Standing| standing.part != Part::Settled;
        self.mesh_allowed() && self.members.values().all(has_mesh)
    }

    pub(super) fn mesh_allowed(&self) -> bool {
        self.mesh_fits(self.config.mesh_max)
    }

    /// Small enough to go back to a mesh: a member less than what made it leave, so that one who
    /// comes and goes does not move the room to and fro.
    pub(super) fn is_small(&self) -> bool {
        self.config.policy == Policy::Auto && self.mesh_fits(self.config.mesh_max.saturating_sub(1))
    }

    /// When nobody is strained any more, of those whom the node can help; may be past.
    pub(super) fn last_strain(&self) -> Option<Instant> {
        let reached = self.members.iter();
        let reached = reached.filter(|(member, _)| !self.unreachable.contains(member));
        reached
            .filter_map(|(_, standing)| standing.strains.until())
            .max()
    }

    fn mesh_fits(&self, members_max: u32) -> bool {
        let is_mesh_possible = match self.config.policy {
            Policy::Auto => self.config.mesh_max > 1,
            Policy::Mesh => return true,
            Policy::Sfu => false,
        };
        is_mesh_possible
            && self.tapped.is_none()
            && self.members.len() <= members_max as usize
            && !self.members.values().any(|standing| standing.sfu_only)
    }
}

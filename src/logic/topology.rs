//! Mesh or SFU, and the way from one to the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ids::MemberId;
use crate::protocol::client::Epoch;
use crate::protocol::server::{self, Mode};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopologyEffect {
    /// Bring up the new path, keep the old one.
    Switch {
        /// Where to.
        mode: Mode,
        /// The epoch that begins.
        epoch: Epoch,
        /// Until when.
        deadline: Instant,
    },
    /// Drop the old path.
    Commit {
        /// What holds now.
        mode: Mode,
        /// The switch's epoch.
        epoch: Epoch,
    },
    /// Drop the new path.
    Rollback {
        /// What holds on.
        mode: Mode,
        /// The epoch that begins.
        epoch: Epoch,
    },
}

/// The machine of one room.
#[derive(Debug, Clone)]
pub struct Topology {
    config: TopologyConfig,
    phase: Phase,
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

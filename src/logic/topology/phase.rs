//! Where a room stands.

use std::time::Instant;

use crate::protocol::client::Epoch;
use crate::protocol::server::Mode;

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

impl Phase {
    /// The number of the last step.
    pub fn epoch(&self) -> Epoch {
        match self {
            Phase::Mesh { epoch }
            | Phase::ToSfu { epoch, .. }
            | Phase::Sfu { epoch, .. }
            | Phase::ToMesh { epoch, .. } => *epoch,
        }
    }

    /// The mode that holds, or the one being switched to.
    pub fn mode(&self) -> Mode {
        match self {
            Phase::Mesh { .. } | Phase::ToMesh { .. } => Mode::Mesh,
            Phase::Sfu { .. } | Phase::ToSfu { .. } => Mode::Sfu,
        }
    }

    /// A `commit` or `rollback` is to come.
    pub fn is_switching(&self) -> bool {
        matches!(self, Phase::ToSfu { .. } | Phase::ToMesh { .. })
    }
}

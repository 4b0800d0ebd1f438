//! How often rooms switch, and what for.

use serde::Serialize;

use super::TopologyEffect;
use crate::protocol::server::Cause;

/// What became of a topology since it was last asked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Switches begun.
    pub switches: Switches,
    /// Switches that did not come about.
    pub rollbacks: u64,
}

/// Switches between mesh and SFU, by cause.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Switches {
    /// Few enough members for a mesh.
    pub few: u64,
    /// Too many members.
    pub many: u64,
    /// A member who can only be served over the node.
    pub sfu_only: u64,
    /// A member's uplink.
    pub uplink: u64,
    /// A member's processor.
    pub cpu: u64,
    /// A mesh most of whose pairs failed.
    pub failed: u64,
    /// A recording.
    pub recording: u64,
    /// Another program that gets media.
    pub forwarded: u64,
}

impl Tally {
    /// Counts it, if it is a switch or the end of one that did not come about.
    pub fn count(&mut self, effect: &TopologyEffect) {
        match effect {
            TopologyEffect::Switch { why, .. } => self.switches.count(why.cause),
            TopologyEffect::Rollback { .. } => self.rollbacks += 1,
            TopologyEffect::Commit { .. } | TopologyEffect::Paths { .. } => {}
        }
    }
}

impl Switches {
    fn count(&mut self, cause: Cause) {
        match cause {
            Cause::Few => self.few += 1,
            Cause::Many => self.many += 1,
            // The settings decide once, for the empty room.
            Cause::Policy => {}
            Cause::SfuOnly => self.sfu_only += 1,
            Cause::Uplink => self.uplink += 1,
            Cause::Cpu => self.cpu += 1,
            Cause::Failed => self.failed += 1,
            Cause::Recording => self.recording += 1,
            Cause::Forwarded => self.forwarded += 1,
        }
    }
}

impl std::ops::AddAssign for Switches {
    fn add_assign(&mut self, other: Self) {
        self.few += other.few;
        self.many += other.many;
        self.sfu_only += other.sfu_only;
        self.uplink += other.uplink;
        self.cpu += other.cpu;
        self.failed += other.failed;
        self.recording += other.recording;
        self.forwarded += other.forwarded;
    }
}

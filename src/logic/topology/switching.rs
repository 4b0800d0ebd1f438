//! From mesh to SFU and back: the new path comes up while the old one plays.

use std::time::{Duration, Instant};

use super::{CALM_DOUBLINGS_MAX, Part, Phase, Standing, Topology, TopologyEffect};
use crate::ids::MemberId;
use crate::protocol::client::Epoch;
use crate::protocol::server::{Cause, Mode, Why};

/// How long a wish for the SFU waits after the first time that it could not be granted.
const WISH_AGAIN: Duration = Duration::from_secs(10);

impl Topology {
    /// Does what is known by now demands, time aside.
    pub(super) fn follow(
        &mut self,
        now: Instant,
        newcomer: Option<MemberId>,
        out: &mut Vec<TopologyEffect>,
    ) {
        match self.phase {
            Phase::Mesh { .. } => {
                let wish = || self.wish(now).filter(|_| now >= self.wishes_from);
                if let Some(why) = self.need().or_else(wish) {
                    self.switch(now, Mode::Sfu, why, newcomer, out);
                    self.commit_if_ready(now, newcomer, out);
                }
            }
            Phase::ToSfu { .. } if self.mesh_holds() && self.wish(now).is_none() => {
                self.roll_back(now, Vec::new(), out);
            }
            Phase::ToSfu { .. } => self.commit_if_ready(now, newcomer, out),
            Phase::Sfu { .. } => {}
            Phase::ToMesh { .. }
                if newcomer.is_some() || self.is_strained(now) || self.tapped.is_some() =>
            {
                self.roll_back(now, Vec::new(), out);
            }
            Phase::ToMesh { .. } => self.commit_if_ready(now, newcomer, out),
        }
    }

    /// What was wished for in vain is tried again, if it still is.
    pub(super) fn grant_wish(&mut self, now: Instant, out: &mut Vec<TopologyEffect>) {
        self.wishes_from = now;
        self.follow(now, None, out);
    }

    /// A switch that a newcomer causes does not concern them: they know only the new path.
    pub(super) fn switch(
        &mut self,
        now: Instant,
        mode: Mode,
        why: Why,
        newcomer: Option<MemberId>,
        out: &mut Vec<TopologyEffect>,
    ) {
        self.why = why;
        let epoch = self.next_epoch();
        let deadline = now + Duration::from_secs(self.config.switch_seconds.into());
        self.phase = match mode {
            Mode::Sfu => Phase::ToSfu { epoch, deadline },
            Mode::Mesh => Phase::ToMesh { epoch, deadline },
        };
        if mode == Mode::Mesh {
            self.reports.clear();
        }
        for (member, standing) in &mut self.members {
            let is_newcomer = Some(*member) == newcomer;
            standing.part = if is_newcomer {
                Part::Settled
            } else {
                Part::Waiting
            };
        }
        out.push(TopologyEffect::Switch {
            mode,
            epoch,
            deadline,
            why,
        });
    }

    pub(super) fn commit(
        &mut self,
        now: Instant,
        missing: Vec<MemberId>,
        out: &mut Vec<TopologyEffect>,
    ) {
        let (mode, epoch, why) = (self.phase.mode(), self.epoch(), self.why);
        self.held_since = epoch;
        self.held_why = why;
        self.settle(now, mode, epoch);
        match (mode, why.cause) {
            (Mode::Mesh, _) => self.wishes_from = now,
            (Mode::Sfu, Cause::Failed) => self.failures = self.failures.saturating_add(1),
            (Mode::Sfu, _) => self.failures = 0,
        }
        self.wishes_failed = 0;
        out.push(TopologyEffect::Commit {
            mode,
            epoch,
            why,
            missing,
        });
    }

    /// What holds goes on, for the reason that it had.
    pub(super) fn roll_back(
        &mut self,
        now: Instant,
        missing: Vec<MemberId>,
        out: &mut Vec<TopologyEffect>,
    ) {
        let mode = match self.phase.mode() {
            Mode::Sfu => Mode::Mesh,
            Mode::Mesh => Mode::Sfu,
        };
        let is_wish = matches!(self.why.cause, Cause::Uplink | Cause::Cpu | Cause::Failed);
        if mode == Mode::Mesh && (is_wish || self.wish(now).is_some()) {
            self.put_off_wishes(now);
        }
        self.why = self.held_why;
        let epoch = self.next_epoch();
        self.settle(now, mode, epoch);
        out.push(TopologyEffect::Rollback {
            mode,
            epoch,
            missing,
        });
    }

    /// A mesh did not come about: it is tried again, but later.
    pub(super) fn give_up_mesh(
        &mut self,
        now: Instant,
        missing: Vec<MemberId>,
        out: &mut Vec<TopologyEffect>,
    ) {
        self.failures = self.failures.saturating_add(1);
        self.roll_back(now, missing, out);
    }

    /// Who is waited for.
    pub(super) fn missing(&self) -> Vec<MemberId> {
        let members = self.members.iter();
        let missing = members.filter(|(member, standing)| self.is_waited_for(**member, standing));
        missing.map(|(member, _)| *member).collect()
    }

    fn commit_if_ready(
        &mut self,
        now: Instant,
        newcomer: Option<MemberId>,
        out: &mut Vec<TopologyEffect>,
    ) {
        if !self.missing().is_empty() {
            return;
        }
        match self.phase {
            Phase::ToMesh { .. } if self.is_mesh_worthless() => {
                self.give_up_mesh(now, self.reports.culprits(), out);
            }
            _ => {
                // Nobody drops a path that they are to keep.
                self.tell_lasting_paths(newcomer, out);
                self.commit(now, Vec::new(), out);
            }
        }
    }

    /// Nobody waits for those whom the node does not reach to be served by it.
    fn is_waited_for(&self, member: MemberId, standing: &Standing) -> bool {
        let can_follow = match self.phase {
            Phase::ToSfu { .. } => !self.unreachable.contains(&member),
            _ => true,
        };
        can_follow && standing.part == Part::Waiting
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

    fn put_off_wishes(&mut self, now: Instant) {
        let doublings = self.wishes_failed.min(CALM_DOUBLINGS_MAX);
        self.wishes_failed = self.wishes_failed.saturating_add(1);
        self.wishes_from = now + WISH_AGAIN * (1 << doublings);
    }
}

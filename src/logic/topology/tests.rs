#![allow(clippy::unwrap_used, clippy::expect_used)]

mod model;
mod scenarios;

use super::*;
use crate::protocol::server::Cause;

const SECOND: Duration = Duration::from_secs(1);

/// A topology with a clock.
#[derive(Clone)]
struct Scene {
    now: Instant,
    topology: Topology,
}

impl Scene {
    fn new(config: TopologyConfig) -> Scene {
        let now = Instant::now();
        let topology = Topology::new(now, config);
        Scene { now, topology }
    }

    fn feed(&mut self, input: TopologyInput) -> Vec<String> {
        let mut out = Vec::new();
        self.topology.handle(self.now, input, &mut out);
        out.iter().map(say).collect()
    }

    fn join(&mut self, member: u64) -> Vec<String> {
        let (member, sfu_only) = (MemberId(member), false);
        self.feed(TopologyInput::Joined { member, sfu_only })
    }

    fn join_bot(&mut self, member: u64) -> Vec<String> {
        let (member, sfu_only) = (MemberId(member), true);
        self.feed(TopologyInput::Joined { member, sfu_only })
    }

    fn leave(&mut self, member: u64) -> Vec<String> {
        let member = MemberId(member);
        self.feed(TopologyInput::Left { member })
    }

    fn ready(&mut self, member: u64, epoch: Epoch) -> Vec<String> {
        let member = MemberId(member);
        self.feed(TopologyInput::Ready { member, epoch })
    }

    fn pair(&mut self, member: u64, other: u64, state: PairState) -> Vec<String> {
        let epoch = self.topology.epoch();
        let (member, other) = (MemberId(member), MemberId(other));
        self.feed(TopologyInput::Pair {
            member,
            other,
            epoch,
            state,
        })
    }

    fn reach(&mut self, member: u64, reached: bool) -> Vec<String> {
        let member = MemberId(member);
        self.feed(TopologyInput::Reach { member, reached })
    }

    fn tap(&mut self, is_tapped: bool) -> Vec<String> {
        let why = is_tapped.then_some(Cause::Recording);
        self.feed(TopologyInput::Tapped(why))
    }

    fn strain(&mut self, member: u64, strain: Option<Strain>) -> Vec<String> {
        let member = MemberId(member);
        self.feed(TopologyInput::Strain { member, strain })
    }

    fn may_signal(&self, one: u64, other: u64, epoch: Epoch) -> bool {
        let (one, other) = (MemberId(one), MemberId(other));
        self.topology.may_signal(one, other, epoch)
    }

    /// A member's exceptions, as `member path reason`.
    fn exceptions(&self, member: u64) -> Vec<String> {
        let exceptions = self.topology.exceptions(MemberId(member));
        exceptions.iter().map(say_exception).collect()
    }

    /// Why, and whose doing.
    fn why(&self) -> (Cause, Option<u64>) {
        let why = self.topology.view().why;
        (why.cause, why.member.map(|member| member.0))
    }

    /// Lets time pass; a machine that is asked too early does nothing.
    fn pass(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        let mut out = Vec::new();
        self.topology.handle_timeout(self.now, &mut out);
        out.iter().map(say).collect()
    }

    fn joined_by(config: TopologyConfig, members: u64) -> Scene {
        let mut scene = Scene::new(config);
        for member in 1..=members {
            scene.join(member);
        }
        scene
    }

    /// A room of five that became an SFU room at epoch 2.
    fn sfu_of_five() -> Scene {
        let mut scene = Scene::joined_by(TopologyConfig::default(), 5);
        for member in 1..=4 {
            scene.ready(member, 2);
        }
        assert!(matches!(scene.topology.phase, Phase::Sfu { epoch: 2, .. }));
        scene
    }

    /// A room of three that is on its way back to a mesh at epoch 3.
    fn to_mesh_of_three() -> Scene {
        let mut scene = Scene::sfu_of_five();
        scene.leave(4);
        scene.leave(5);
        assert_eq!(scene.pass(10 * SECOND), ["switch mesh 3"]);
        scene
    }
}

fn say_exception(exception: &PathException) -> String {
    let PathException {
        member,
        path,
        reason,
    } = exception;
    format!("{} {path:?} {reason:?}", member.0)
}

fn say(effect: &TopologyEffect) -> String {
    let (word, mode, epoch, missing) = match effect {
        TopologyEffect::Switch { mode, epoch, .. } => ("switch", mode, epoch, &[][..]),
        TopologyEffect::Commit {
            mode,
            epoch,
            missing,
            ..
        } => ("commit", mode, epoch, &missing[..]),
        TopologyEffect::Rollback {
            mode,
            epoch,
            missing,
        } => ("rollback", mode, epoch, &missing[..]),
        TopologyEffect::Paths {
            member, exceptions, ..
        } => {
            let exceptions: Vec<String> = exceptions.iter().map(say_exception).collect();
            return format!("paths of {}: {}", member.0, exceptions.join(", "));
        }
    };
    let mode = format!("{mode:?}").to_lowercase();
    let missing: Vec<String> = missing.iter().map(|member| member.0.to_string()).collect();
    match missing.is_empty() {
        true => format!("{word} {mode} {epoch}"),
        false => format!("{word} {mode} {epoch} without {}", missing.join(" ")),
    }
}

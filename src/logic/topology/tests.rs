#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeSet, VecDeque};

use super::*;

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

fn say(effect: &TopologyEffect) -> String {
    let (word, mode, epoch) = match effect {
        TopologyEffect::Switch { mode, epoch, .. } => ("switch", mode, epoch),
        TopologyEffect::Commit { mode, epoch, .. } => ("commit", mode, epoch),
        TopologyEffect::Rollback { mode, epoch, .. } => ("rollback", mode, epoch),
    };
    format!("{word} {} {epoch}", format!("{mode:?}").to_lowercase())
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_fifth_member_starts_a_switch_that_commits_when_all_four_are_ready() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 4);
    assert_eq!(scene.topology.phase, Phase::Mesh { epoch: 1 });
    assert_eq!(scene.join(5), ["switch sfu 2"]);
    let view = scene.topology.view();
    assert_eq!(
        (view.mode, view.epoch, view.switching),
        (Mode::Sfu, 2, true)
    );
    for member in 1..=3 {
        assert_eq!(scene.ready(member, 2), NOTHING);
    }
    assert_eq!(scene.ready(4, 1), NOTHING, "an old epoch");
    assert_eq!(scene.ready(5, 2), NOTHING, "the newcomer is not waited for");
    assert_eq!(scene.ready(4, 2), ["commit sfu 2"]);
    assert_eq!(scene.topology.poll_timeout(), None, "five are too many");
}

#[test]
fn a_member_who_needs_the_node_starts_the_switch_alone() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 1);
    assert_eq!(scene.join_bot(2), ["switch sfu 2"]);
    assert_eq!(scene.ready(1, 2), ["commit sfu 2"]);
    assert_eq!(scene.topology.poll_timeout(), None, "they still need it");
    scene.leave(2);
    assert_eq!(scene.pass(10 * SECOND), ["switch mesh 3"]);
}

#[test]
fn the_first_member_to_need_the_node_finds_it_at_once() {
    let mut scene = Scene::new(TopologyConfig::default());
    assert_eq!(scene.join_bot(1), ["switch sfu 2", "commit sfu 2"]);
    assert!(!scene.topology.view().switching);
}

#[test]
fn the_deadline_commits_to_the_sfu_because_the_newcomer_has_no_mesh() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 5);
    assert_eq!(scene.pass(9 * SECOND), NOTHING);
    assert_eq!(scene.leave(1), NOTHING, "four, but one of them has no mesh");
    assert_eq!(scene.pass(SECOND), ["commit sfu 2"]);
}

#[test]
fn the_leave_of_the_newcomer_rolls_back() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 5);
    scene.ready(1, 2);
    assert_eq!(scene.leave(5), ["rollback mesh 3"]);
    assert_eq!(scene.join(6), ["switch sfu 4"]);
    assert_eq!(scene.ready(1, 2), NOTHING, "of the switch before");
    assert!(scene.topology.is_mesh_epoch(1) && scene.topology.is_mesh_epoch(4));
    assert!(!scene.topology.is_node_epoch(2) && scene.topology.is_node_epoch(4));
}

#[test]
fn the_leave_of_the_last_who_was_waited_for_commits() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 5);
    scene.join(6);
    for member in 1..=3 {
        scene.ready(member, 2);
    }
    assert_eq!(scene.leave(4), ["commit sfu 2"]);
}

#[test]
fn a_calm_small_room_goes_back_to_mesh() {
    let mut scene = Scene::sfu_of_five();
    scene.leave(5);
    assert_eq!(scene.pass(60 * SECOND), NOTHING, "four are not few enough");
    scene.leave(4);
    assert_eq!(scene.pass(9 * SECOND), NOTHING);
    scene.leave(3);
    assert_eq!(scene.pass(9 * SECOND), NOTHING, "the calm began anew");
    assert_eq!(scene.pass(SECOND), ["switch mesh 3"]);
    assert!(!scene.topology.is_mesh_epoch(2) && scene.topology.is_mesh_epoch(3));
    assert!(scene.topology.is_node_epoch(2), "the old path holds");
    scene.ready(1, 3);
    assert_eq!(scene.ready(2, 3), ["commit mesh 3"]);
}

#[test]
fn a_mesh_that_does_not_come_up_is_tried_again_ever_later() {
    let mut scene = Scene::to_mesh_of_three();
    scene.ready(1, 3);
    assert_eq!(scene.pass(10 * SECOND), ["rollback sfu 4"]);
    assert_eq!(scene.pass(19 * SECOND), NOTHING);
    assert_eq!(scene.pass(SECOND), ["switch mesh 5"]);
    assert_eq!(scene.pass(10 * SECOND), ["rollback sfu 6"]);
    assert_eq!(scene.pass(39 * SECOND), NOTHING);
    assert_eq!(scene.pass(SECOND), ["switch mesh 7"]);
    assert_eq!(scene.pass(10 * SECOND), ["rollback sfu 8"]);
    scene.leave(3);
    assert_eq!(
        scene.pass(10 * SECOND),
        ["switch mesh 9"],
        "who is gone may have been the reason"
    );
}

#[test]
fn a_join_on_the_way_to_mesh_rolls_back() {
    let mut scene = Scene::to_mesh_of_three();
    assert_eq!(scene.join(6), ["rollback sfu 4"]);
    let view = scene.topology.view();
    assert_eq!(
        (view.mode, view.epoch, view.switching),
        (Mode::Sfu, 4, false)
    );
    assert!(
        scene.topology.is_node_epoch(2),
        "the connection of before is still good"
    );
}

#[test]
fn an_empty_room_starts_over() {
    let mut scene = Scene::sfu_of_five();
    for member in 1..=5 {
        scene.leave(member);
    }
    assert_eq!(scene.topology.phase, Phase::Mesh { epoch: 3 });
    assert_eq!(scene.join(1), NOTHING);
}

#[test]
fn policies_hold() {
    let with = |policy, mesh_max| TopologyConfig {
        policy,
        mesh_max,
        ..TopologyConfig::default()
    };
    for config in [
        with(Policy::Sfu, 4),
        with(Policy::Auto, 1),
        with(Policy::Auto, 0),
    ] {
        let mut scene = Scene::joined_by(config, 1);
        assert!(matches!(scene.topology.phase, Phase::Sfu { epoch: 1, .. }));
        assert_eq!(scene.topology.poll_timeout(), None);
        assert!(!scene.topology.is_mesh_epoch(1), "no addresses are told");
        assert!(scene.topology.admits(100, true));
        scene.leave(1);
        assert!(matches!(scene.topology.phase, Phase::Sfu { .. }));
    }
    let scene = Scene::joined_by(with(Policy::Mesh, 2), 2);
    assert_eq!(scene.topology.phase, Phase::Mesh { epoch: 1 });
    assert!(scene.topology.admits(1, false));
    assert!(!scene.topology.admits(2, false) && !scene.topology.admits(1, true));
}

/// What matters of a state: members are alike, and only the order of times counts.
type Essence = (u8, bool, u32, Vec<Standing>);

fn essence(topology: &Topology) -> Essence {
    let kind = match topology.phase {
        Phase::Mesh { .. } => 0,
        Phase::ToSfu { .. } => 1,
        Phase::Sfu { .. } => 2,
        Phase::ToMesh { .. } => 3,
    };
    let mut standings: Vec<Standing> = topology.members.values().copied().collect();
    standings.sort();
    let waits = topology.poll_timeout().is_some();
    (
        kind,
        waits,
        topology.failures.min(CALM_DOUBLINGS_MAX + 1),
        standings,
    )
}

fn successors(scene: &Scene) -> Vec<(TopologyEffects, Scene)> {
    let epoch = scene.topology.epoch();
    let mut inputs = Vec::new();
    for member in (1..=5).map(MemberId) {
        if scene.topology.members.contains_key(&member) {
            inputs.push(TopologyInput::Left { member });
            for epoch in [epoch.saturating_sub(1), epoch, epoch + 1] {
                inputs.push(TopologyInput::Ready { member, epoch });
            }
        } else {
            for sfu_only in [false, true] {
                if scene
                    .topology
                    .admits(scene.topology.members.len(), sfu_only)
                {
                    inputs.push(TopologyInput::Joined { member, sfu_only });
                }
            }
        }
    }
    let mut next = Vec::new();
    for input in inputs {
        let mut scene = scene.clone();
        let mut out = Vec::new();
        scene.topology.handle(scene.now, input, &mut out);
        next.push((out, scene));
    }
    next.extend(after_timeout(scene));
    next
}

type TopologyEffects = Vec<TopologyEffect>;

fn after_timeout(scene: &Scene) -> Option<(TopologyEffects, Scene)> {
    let (due, _) = scene.topology.poll_timeout()?;
    let mut scene = scene.clone();
    scene.now = scene.now.max(due);
    let mut out = Vec::new();
    scene.topology.handle_timeout(scene.now, &mut out);
    Some((out, scene))
}

fn check_state(scene: &Scene, config: TopologyConfig) {
    let topology = &scene.topology;
    let count = topology.members.len();
    if let Phase::Mesh { .. } = topology.phase {
        assert!(
            count <= config.mesh_max.max(1) as usize,
            "a mesh of {count}"
        );
        assert!(!topology.members.values().any(|standing| standing.sfu_only));
    }
    if let Phase::Mesh { .. } | Phase::Sfu { .. } = topology.phase {
        assert!(
            topology
                .members
                .values()
                .all(|standing| standing.part == Part::Settled)
        );
    }
    // A switch that nobody is waited for would be over already.
    if let Phase::ToSfu { .. } | Phase::ToMesh { .. } = topology.phase {
        assert!(
            topology
                .members
                .values()
                .any(|standing| standing.part == Part::Waiting)
        );
        assert!(topology.poll_timeout().is_some());
    }
}

fn check_step(before: &Scene, effects: &[TopologyEffect], after: &Scene) {
    let (old, new) = (before.topology.epoch(), after.topology.epoch());
    assert!(new >= old, "the epoch went back");
    let steps = |effect: &&TopologyEffect| !matches!(effect, TopologyEffect::Commit { .. });
    let told = effects.iter().filter(steps).count();
    let started_over = before.topology.members.len() == 1 && after.topology.members.is_empty();
    assert_eq!(
        new - old,
        told as u32 + u32::from(started_over),
        "{effects:?}"
    );
    let changed = essence(&before.topology).0 != essence(&after.topology).0;
    assert!(
        !changed || !effects.is_empty() || started_over,
        "a silent change"
    );
}

/// Timeouts alone lead to `Mesh` or `Sfu`, and with everybody failing, back there again and again.
fn check_quiescence(scene: &Scene) {
    let mut scene = scene.clone();
    for _ in 0..2 {
        if let Phase::Mesh { .. } | Phase::Sfu { .. } = scene.topology.phase {
            return;
        }
        scene = after_timeout(&scene).expect("a switch has a deadline").1;
    }
    panic!("stuck in {:?}", scene.topology.phase);
}

#[test]
fn every_state_that_five_members_can_reach_is_sound() {
    for policy in [Policy::Auto, Policy::Mesh, Policy::Sfu] {
        for mesh_max in [1, 2, 3, 4] {
            let config = TopologyConfig {
                policy,
                mesh_max,
                ..TopologyConfig::default()
            };
            explore(config);
        }
    }
}

fn explore(config: TopologyConfig) {
    let mut known = BTreeSet::new();
    let mut queue = VecDeque::from([Scene::new(config)]);
    while let Some(scene) = queue.pop_front() {
        if !known.insert(essence(&scene.topology)) {
            continue;
        }
        check_state(&scene, config);
        check_quiescence(&scene);
        for (effects, next) in successors(&scene) {
            check_step(&scene, &effects, &next);
            queue.push_back(next);
        }
    }
    let least = match config.policy {
        Policy::Auto if config.mesh_max > 1 => 100,
        Policy::Mesh => config.mesh_max as usize,
        _ => 6,
    };
    assert!(known.len() >= least, "only {} states", known.len());
}

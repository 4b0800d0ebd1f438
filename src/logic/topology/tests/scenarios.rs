//! How a room moves, one behaviour each.

use super::*;

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
fn a_recording_needs_the_node_for_as_long_as_it_goes_on() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 2);
    assert_eq!(scene.tap(true), ["switch sfu 2"]);
    assert_eq!(scene.topology.view().why.cause, Cause::Recording);
    scene.ready(1, 2);
    assert_eq!(scene.ready(2, 2), ["commit sfu 2"]);
    assert_eq!(scene.pass(60 * SECOND), NOTHING);
    assert_eq!(scene.tap(false), NOTHING, "not at once");
    assert_eq!(scene.pass(10 * SECOND), ["switch mesh 3"]);
    assert_eq!(scene.tap(true), ["rollback sfu 4"]);
}

#[test]
fn a_recording_that_ends_before_anybody_moved_changes_nothing() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 2);
    assert_eq!(scene.tap(true), ["switch sfu 2"]);
    assert_eq!(scene.tap(false), ["rollback mesh 3"]);
    scene.tap(true);
    assert_eq!(scene.pass(10 * SECOND), ["commit sfu 4 without 1 2"]);
}

#[test]
fn an_empty_room_that_is_recorded_begins_over_the_node() {
    let mut scene = Scene::new(TopologyConfig::default());
    scene.tap(true);
    assert_eq!(scene.join(1), NOTHING);
    assert_eq!(scene.topology.view().mode, Mode::Sfu);
    scene.leave(1);
    assert_eq!(scene.topology.view().mode, Mode::Sfu);
    scene.tap(false);
    assert_eq!(scene.topology.view().mode, Mode::Mesh);
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
    assert_eq!(scene.pass(SECOND), ["commit sfu 2 without 2 3 4"]);
}

#[test]
fn the_leave_of_the_newcomer_rolls_back() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 5);
    scene.ready(1, 2);
    assert_eq!(scene.leave(5), ["rollback mesh 3"]);
    assert_eq!(scene.join(6), ["switch sfu 4"]);
    assert_eq!(scene.ready(1, 2), NOTHING, "of the switch before");
    assert!(scene.may_signal(1, 2, 1) && scene.may_signal(1, 2, 4));
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
    assert!(!scene.may_signal(1, 2, 2) && scene.may_signal(1, 2, 3));
    assert!(scene.topology.is_node_epoch(2), "the old path holds");
    scene.ready(1, 3);
    assert_eq!(scene.ready(2, 3), ["commit mesh 3"]);
}

#[test]
fn a_mesh_that_does_not_come_up_is_tried_again_ever_later() {
    let mut scene = Scene::to_mesh_of_three();
    scene.ready(1, 3);
    assert_eq!(scene.pass(10 * SECOND), ["rollback sfu 4 without 2 3"]);
    assert_eq!(scene.pass(19 * SECOND), NOTHING);
    assert_eq!(scene.pass(SECOND), ["switch mesh 5"]);
    assert_eq!(scene.pass(10 * SECOND), ["rollback sfu 6 without 1 2 3"]);
    assert_eq!(scene.pass(39 * SECOND), NOTHING);
    assert_eq!(scene.pass(SECOND), ["switch mesh 7"]);
    assert_eq!(scene.pass(10 * SECOND), ["rollback sfu 8 without 1 2 3"]);
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
        let mut scene = Scene::joined_by(config, 2);
        assert!(matches!(scene.topology.phase, Phase::Sfu { epoch: 1, .. }));
        assert_eq!(scene.topology.poll_timeout(), None);
        assert!(!scene.may_signal(1, 2, 1), "no addresses are told");
        assert!(scene.topology.admits(100, true));
        scene.leave(1);
        scene.leave(2);
        assert!(matches!(scene.topology.phase, Phase::Sfu { .. }));
    }
    let scene = Scene::joined_by(with(Policy::Mesh, 2), 2);
    assert_eq!(scene.topology.phase, Phase::Mesh { epoch: 1 });
    assert!(scene.topology.admits(1, false));
    assert!(!scene.topology.admits(2, false) && !scene.topology.admits(1, true));
}

const EMPTY_PATHS_OF_1_AND_2: [&str; 2] = ["paths of 1: ", "paths of 2: "];

#[test]
fn a_pair_that_fails_is_served_over_the_node_until_both_are_connected() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 3);
    assert_eq!(
        scene.pair(2, 1, PairState::Failed),
        [
            "paths of 1: 2 Node PairFailed",
            "paths of 2: 1 Node PairFailed"
        ]
    );
    let served =
        |scene: &Scene, one, other| scene.topology.is_served(MemberId(one), MemberId(other));
    assert!(served(&scene, 1, 2) && served(&scene, 2, 1) && !served(&scene, 1, 3));
    assert!(scene.topology.serves_anybody());
    assert_eq!(scene.join(4), NOTHING, "nothing about newcomers");
    assert_eq!(scene.pair(1, 2, PairState::Failed), NOTHING);
    assert_eq!(scene.pair(1, 2, PairState::Connected), NOTHING);
    assert_eq!(
        scene.pair(2, 1, PairState::Connected),
        EMPTY_PATHS_OF_1_AND_2
    );
    assert!(!served(&scene, 1, 2) && !scene.topology.serves_anybody());
}

#[test]
fn a_pair_that_neither_way_connects_has_a_reason() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 2);
    assert_eq!(
        scene.reach(1, false),
        NOTHING,
        "a mesh does not need the node"
    );
    scene.pair(1, 2, PairState::Failed);
    assert_eq!(scene.exceptions(2), ["1 None Nothing"]);
    scene.reach(1, true);
    assert_eq!(scene.exceptions(2), ["1 Node PairFailed"]);
    scene.leave(1);
    assert_eq!(scene.exceptions(2), NOTHING);
    let config = TopologyConfig {
        policy: Policy::Mesh,
        ..TopologyConfig::default()
    };
    let mut scene = Scene::joined_by(config, 2);
    scene.pair(1, 2, PairState::Failed);
    assert_eq!(scene.exceptions(1), ["2 None PairFailed"]);
}

#[test]
fn who_does_not_reach_the_node_is_served_directly() {
    let mut scene = Scene::sfu_of_five();
    assert!(!scene.may_signal(1, 5, 2));
    assert_eq!(
        scene.reach(5, false).last().unwrap(),
        "paths of 5: 1 Direct NodeUnreachable, 2 Direct NodeUnreachable, \
         3 Direct NodeUnreachable, 4 Direct NodeUnreachable"
    );
    let is_served = |scene: &Scene| scene.topology.is_served(MemberId(1), MemberId(5));
    assert!(!is_served(&scene) && scene.topology.is_served(MemberId(1), MemberId(2)));
    assert!(scene.may_signal(1, 5, 2) && scene.may_signal(5, 1, 2));
    assert!(!scene.may_signal(1, 4, 2) && !scene.may_signal(1, 5, 1));
    scene.pair(1, 5, PairState::Failed);
    assert_eq!(scene.exceptions(1), ["5 None Nothing"]);
    scene.pair(1, 5, PairState::Connected);
    scene.pair(5, 1, PairState::Connected);
    assert_eq!(scene.exceptions(1), ["5 Direct NodeUnreachable"]);
    scene.join(6);
    assert_eq!(scene.exceptions(6), ["5 Direct NodeUnreachable"], "at once");
    assert_eq!(scene.reach(5, true).len(), 6);
    assert!(is_served(&scene));
    assert!(scene.may_signal(1, 5, 2), "they may end what they began");
    assert_eq!(scene.reach(5, true), NOTHING);
}

#[test]
fn not_everybody_can_be_served_directly() {
    let unreachable = "1 None NodeUnreachable";
    let hidden = TopologyConfig {
        policy: Policy::Sfu,
        ..TopologyConfig::default()
    };
    let mut scene = Scene::joined_by(hidden, 2);
    scene.reach(1, false);
    assert_eq!(scene.exceptions(2), [unreachable]);
    assert!(!scene.may_signal(1, 2, 1), "no addresses are told");

    let mut scene = Scene::joined_by(TopologyConfig::default(), 1);
    scene.join_bot(2);
    scene.ready(1, 2);
    scene.reach(1, false);
    assert_eq!(scene.exceptions(2), [unreachable], "needs the node");

    let mut scene = Scene::joined_by(TopologyConfig::default(), 9);
    scene.pass(10 * SECOND);
    scene.reach(1, false);
    assert_eq!(scene.exceptions(2), ["1 Direct NodeUnreachable"]);
    scene.join(10);
    assert_eq!(scene.exceptions(2), [unreachable], "nine are too many");
    assert_eq!(scene.exceptions(10), [unreachable]);
    scene.leave(3);
    assert_eq!(scene.exceptions(10), ["1 Direct NodeUnreachable"]);
}

#[test]
fn nobody_waits_for_a_member_whom_the_node_does_not_reach() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 4);
    scene.reach(1, false);
    let told = scene.join(5);
    assert_eq!(told[0], "switch sfu 2");
    assert_eq!(scene.exceptions(2), ["1 Direct NodeUnreachable"]);
    assert_eq!(scene.exceptions(5), ["1 Direct NodeUnreachable"]);
    assert!(scene.may_signal(1, 5, 2), "the newcomer too");
    assert!(!scene.may_signal(2, 5, 2), "has no mesh with them");
    scene.ready(2, 2);
    scene.ready(3, 2);
    let told = scene.reach(4, false);
    assert_eq!(
        (told.len(), told.last().unwrap().as_str()),
        (5, "commit sfu 2")
    );
    assert_eq!(scene.exceptions(4).len(), 4, "told before");
}

#[test]
fn the_deadline_names_who_did_not_follow() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 5);
    scene.ready(1, 2);
    scene.ready(3, 2);
    assert_eq!(scene.pass(10 * SECOND), ["commit sfu 2 without 2 4"]);
    let mut scene = Scene::to_mesh_of_three();
    scene.ready(1, 3);
    assert_eq!(scene.pass(10 * SECOND), ["rollback sfu 4 without 2 3"]);
}

#[test]
fn a_mesh_is_told_its_exceptions_before_it_begins_and_forgets_the_old_ones() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 4);
    scene.pair(1, 2, PairState::Failed);
    scene.join(5);
    for member in 1..=3 {
        scene.ready(member, 2);
    }
    assert_eq!(
        scene.ready(4, 2),
        ["commit sfu 2", "paths of 1: ", "paths of 2: "],
        "the mode serves them now"
    );
    scene.leave(4);
    scene.leave(5);
    scene.pass(10 * SECOND);
    scene.ready(1, 3);
    assert_eq!(
        scene.pair(3, 1, PairState::Failed),
        NOTHING,
        "the SFU holds"
    );
    scene.ready(2, 3);
    assert_eq!(
        scene.ready(3, 3),
        [
            "paths of 1: 3 Node PairFailed",
            "paths of 3: 1 Node PairFailed",
            "commit mesh 3"
        ]
    );
}

#[test]
fn a_mesh_takes_back_the_exceptions_that_it_makes_superfluous_after_its_commit() {
    let mut scene = Scene::to_mesh_of_three();
    scene.reach(1, false);
    scene.pair(2, 3, PairState::Failed);
    scene.ready(1, 3);
    scene.ready(2, 3);
    assert_eq!(
        scene.ready(3, 3),
        [
            "paths of 2: 1 Direct NodeUnreachable, 3 Node PairFailed",
            "paths of 3: 1 Direct NodeUnreachable, 2 Node PairFailed",
            "commit mesh 3",
            "paths of 1: ",
            "paths of 2: 3 Node PairFailed",
            "paths of 3: 2 Node PairFailed"
        ]
    );
}

#[test]
fn a_mesh_that_is_mostly_none_is_rolled_back() {
    let config = TopologyConfig {
        mesh_max: 5,
        ..TopologyConfig::default()
    };
    let mut scene = Scene::joined_by(config, 6);
    scene.pass(10 * SECOND);
    scene.leave(5);
    scene.leave(6);
    assert_eq!(scene.pass(10 * SECOND), ["switch mesh 3"]);
    for other in 2..=4 {
        scene.pair(1, other, PairState::Failed);
    }
    for member in 1..=3 {
        scene.ready(member, 3);
    }
    assert_eq!(scene.ready(4, 3), ["rollback sfu 4 without 1"]);
    assert_eq!(scene.why(), (Cause::Many, None), "of what holds");
    assert_eq!(scene.pass(19 * SECOND), NOTHING);
    assert_eq!(scene.pass(SECOND), ["switch mesh 5"]);
}

#[test]
fn a_mesh_most_of_which_fails_later_moves_to_the_sfu() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 3);
    scene.pair(1, 2, PairState::Failed);
    scene.pair(1, 3, PairState::Failed);
    assert_eq!(scene.pair(2, 3, PairState::Failed)[0], "switch sfu 2");
    for member in 1..=3 {
        scene.ready(member, 2);
    }
    assert_eq!(scene.why(), (Cause::Failed, None));
    assert_eq!(scene.pass(19 * SECOND), NOTHING, "a mesh was tried already");
    assert_eq!(scene.pass(SECOND), ["switch mesh 3"]);
    for member in 1..=3 {
        scene.ready(member, 3);
    }
    assert_eq!(scene.why(), (Cause::Few, None));
    assert_eq!(scene.exceptions(1), NOTHING);
}

#[test]
fn a_strained_member_moves_the_room_and_keeps_it_there() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 3);
    assert_eq!(scene.strain(2, Some(Strain::Uplink)), ["switch sfu 2"]);
    assert_eq!(scene.why(), (Cause::Uplink, Some(2)));
    for member in 1..=3 {
        scene.ready(member, 2);
    }
    let minutes = |count: u32| 60 * count * SECOND;
    assert_eq!(scene.pass(minutes(5) - SECOND), NOTHING);
    assert_eq!(scene.pass(SECOND), ["switch mesh 3"]);
    assert_eq!(scene.strain(2, Some(Strain::Cpu)), ["rollback sfu 4"]);
    assert_eq!(scene.why(), (Cause::Uplink, Some(2)), "of what holds");
    assert_eq!(scene.pass(minutes(10) - SECOND), NOTHING, "twice as long");
    assert_eq!(scene.pass(SECOND), ["switch mesh 5"]);
    scene.strain(3, Some(Strain::Cpu));
    scene.pass(minutes(1));
    scene.strain(3, None);
    assert_eq!(scene.pass(SECOND), ["switch mesh 7"], "calm for long");
}

#[test]
fn only_auto_cares_for_strain_and_only_if_the_node_helps() {
    for policy in [Policy::Mesh, Policy::Sfu] {
        let config = TopologyConfig {
            policy,
            ..TopologyConfig::default()
        };
        let mut scene = Scene::joined_by(config, 3);
        assert_eq!(scene.strain(1, Some(Strain::Cpu)), NOTHING);
        assert_eq!(scene.topology.poll_timeout(), None);
        assert_eq!(scene.why(), (Cause::Policy, None));
    }
    let mut scene = Scene::joined_by(TopologyConfig::default(), 2);
    scene.reach(2, false);
    assert_eq!(scene.strain(1, Some(Strain::Cpu)), NOTHING);
    assert_eq!(scene.strain(2, Some(Strain::Cpu)), NOTHING);
    assert_eq!(scene.topology.poll_timeout(), None);
    assert_eq!(
        scene.join(3),
        [
            "switch sfu 2",
            "paths of 1: 2 Direct NodeUnreachable",
            "paths of 2: 1 Direct NodeUnreachable, 3 Direct NodeUnreachable"
        ]
    );
    assert_eq!(scene.why(), (Cause::Cpu, Some(1)));
}

#[test]
fn a_wish_that_could_not_be_granted_waits_ever_longer() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 3);
    scene.strain(1, Some(Strain::Cpu));
    scene.ready(1, 2);
    assert_eq!(scene.pass(10 * SECOND), ["rollback mesh 3 without 2 3"]);
    assert_eq!(scene.why(), (Cause::Few, None));
    assert_eq!(scene.strain(1, Some(Strain::Cpu)), NOTHING);
    assert_eq!(scene.pass(9 * SECOND), NOTHING);
    for (epoch, wait) in [(4, 20), (6, 40), (8, 80)] {
        assert_eq!(scene.pass(SECOND), [format!("switch sfu {epoch}")]);
        let rolled_back = format!("rollback mesh {} without 1 2 3", epoch + 1);
        assert_eq!(scene.pass(10 * SECOND), [rolled_back]);
        assert_eq!(scene.pass((wait - 1) * SECOND), NOTHING);
    }
    assert_eq!(scene.leave(3), ["switch sfu 10"], "it may have been them");
    assert_eq!(scene.strain(1, None), ["rollback mesh 11"]);
    assert_eq!(scene.topology.poll_timeout(), None);
}

#[test]
fn a_wish_waits_although_the_switch_that_failed_was_a_need() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 5);
    scene.strain(1, Some(Strain::Cpu));
    assert_eq!(scene.leave(5), NOTHING, "it is wished for now");
    assert_eq!(scene.why(), (Cause::Many, None));
    assert_eq!(scene.pass(10 * SECOND), ["rollback mesh 3 without 1 2 3 4"]);
    assert_eq!(scene.pass(9 * SECOND), NOTHING, "not at once again");
    assert_eq!(scene.pass(SECOND), ["switch sfu 4"]);
    assert_eq!(scene.why(), (Cause::Cpu, Some(1)));
}

#[test]
fn the_leave_of_another_does_not_end_what_a_strained_member_began() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 4);
    scene.strain(1, Some(Strain::Uplink));
    assert_eq!(scene.leave(4), NOTHING);
    assert_eq!(scene.leave(1), ["rollback mesh 3"]);
    assert_eq!(scene.strain(2, Some(Strain::Uplink)), NOTHING, "it waits");
    assert_eq!(scene.pass(10 * SECOND), ["switch sfu 4"]);
}

#[test]
fn who_needs_the_node_is_named() {
    let mut scene = Scene::joined_by(TopologyConfig::default(), 2);
    scene.join_bot(3);
    assert_eq!(scene.why(), (Cause::SfuOnly, Some(3)));
    assert_eq!(Scene::sfu_of_five().why(), (Cause::Many, None));
    assert_eq!(Scene::to_mesh_of_three().why(), (Cause::Few, None));
}

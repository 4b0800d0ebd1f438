//! The owner, the lobby, hands and reactions, one behaviour each.

use serde_json::{Value, json};

use super::harness::{Table, owner_key};
use crate::ids::MemberId;
use crate::logic::household::{Held, Household, Pass};
use crate::logic::limits::Limits;
use crate::logic::record::admission::Refused;
use crate::logic::room::{MediaFact, MediaOrder, Origin, RoomConfig, RoomInput};
use crate::logic::titles::{OwnerMark, Title};
use crate::logic::topology::{Policy, TopologyConfig};
use crate::protocol::client::Source;
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{RecordingEnd, RecordingSign, Role, Rules, ServerMessage};

fn id(member: u64) -> MemberId {
    MemberId(member)
}

fn limited(limits: Limits) -> RoomConfig {
    RoomConfig {
        limits,
        ..RoomConfig::default()
    }
}

/// One member says that about another.
fn about(table: &mut Table, member: u64, kind: &str, other: u64) {
    let said = json!({"type": kind, "id": 9, "member": id(other)});
    table.says(member, &said.to_string());
}

fn silence(table: &mut Table, member: u64, silenced: bool) {
    let said = json!({"type": "silence", "id": 9, "member": id(member), "source": "microphone",
        "silenced": silenced});
    table.says(1, &said.to_string());
}

fn seen(table: &Table, viewer: u64, member: u64) -> Value {
    let client = &table.clients[&id(viewer)];
    serde_json::to_value(&client.members[&id(member)]).unwrap()
}

/// What became of a published microphone on the media side since the table forgot.
fn mutes(table: &Table) -> Vec<bool> {
    let muted = |order: &MediaOrder| match order {
        MediaOrder::Mute { muted, .. } => Some(*muted),
        MediaOrder::Publish {
            source: Source::Microphone,
            muted,
            ..
        } => Some(*muted),
        _ => None,
    };
    table.orders.iter().filter_map(muted).collect()
}

/// An owner with the lobby on, who hears that 2 to `count` knock.
fn lobby_of(count: u64) -> Table {
    let mut table = Table::owned_of(1);
    table.says(1, r#"{"type":"lobby","enabled":true}"#);
    for member in 2..=count {
        table.join_as(member, false, Some(1));
    }
    table.forget();
    table
}

#[test]
fn the_key_makes_owners_and_nothing_else_does() {
    let other = OwnerMark::new(*b"0123456789abcdef0123456789abcdeX");
    let cases = [
        (true, Some(owner_key()), Role::Owner),
        (true, Some(other), Role::Guest),
        (true, None, Role::Guest),
        (false, Some(owner_key()), Role::Guest),
        (false, None, Role::Guest),
    ];
    for (owned, key, role) in cases {
        let mut table = match owned {
            true => Table::owned(RoomConfig::default()),
            false => Table::new(RoomConfig::default()),
        };
        table.join(1);
        table.arrive(2, false, key, None);
        assert_eq!(table.clients[&id(1)].members[&id(2)].role, role);
        assert_eq!(table.clients[&id(2)].members[&id(2)].role, role);
        assert_eq!(table.clients[&id(2)].members[&id(1)].role, Role::Guest);
        let is_present = role == Role::Owner;
        assert_eq!(table.room.describe(table.now)["ownerPresent"], is_present);
        assert!(!format!("{:?}", table.room).contains("0123456789abcdef"));
    }
}

#[test]
fn there_may_be_several_owners_and_none_is_sent_away_or_held() {
    let mut table = Table::owned_of(1);
    table.arrive(2, false, Some(owner_key()), None);
    for other in [1, 2] {
        about(&mut table, 1, "remove", other);
        assert_eq!(table.refusal(1), Some(ErrorCode::Forbidden), "{other}");
        silence(&mut table, other, true);
        assert_eq!(table.refusal(1), Some(ErrorCode::Forbidden), "{other}");
    }
    for (kind, other) in [("remove", 3), ("admit", 2), ("deny", 2), ("lowerHand", 3)] {
        about(&mut table, 1, kind, other);
        assert_eq!(table.refusal(1), Some(ErrorCode::NoSuchMember), "{kind}");
    }
    silence(&mut table, 3, true);
    assert_eq!(table.refusal(1), Some(ErrorCode::NoSuchMember));
    assert_eq!(table.room.members(), 2);
}

#[test]
fn a_guest_decides_nothing() {
    let mut table = Table::owned_of(3);
    for kind in ["remove", "admit", "deny", "lowerHand"] {
        about(&mut table, 2, kind, 3);
        assert_eq!(table.refusal(2), Some(ErrorCode::Forbidden), "{kind}");
    }
    for text in [
        r#"{"type":"lock","locked":true}"#,
        r#"{"type":"lobby","enabled":true}"#,
        r#"{"type":"end"}"#,
    ] {
        table.says(2, text);
        assert_eq!(table.refusal(2), Some(ErrorCode::Forbidden), "{text}");
    }
    assert_eq!(table.types_heard(3), [""; 0]);
}

#[test]
fn who_is_held_muted_cannot_come_back_until_let_go() {
    let mut table = Table::owned_of(2);
    table.answered(2, 1);
    table.says(2, r#"{"type":"publish","source":"microphone","mid":"0"}"#);
    table.forget();
    silence(&mut table, 2, true);
    assert_eq!(mutes(&table), [true]);
    assert_eq!(table.types_heard(1), ["member", "ok"]);
    for viewer in [1, 2] {
        let seen = seen(&table, viewer, 2);
        assert_eq!(seen["silenced"], json!(["microphone"]));
        assert_eq!(seen["published"][0]["muted"], true);
    }
    table.forget();
    silence(&mut table, 2, true);
    assert_eq!(table.types_heard(1), ["ok"], "once more is no news");
    let unmute = r#"{"type":"mute","source":"microphone","muted":false,"id":3}"#;
    table.says(2, unmute);
    assert_eq!(table.refusal(2), Some(ErrorCode::Forbidden));
    table.says(
        2,
        r#"{"type":"mute","source":"microphone","muted":true,"id":4}"#,
    );
    assert_eq!(table.last(2)["type"], "ok");
    assert_eq!(mutes(&table), [false; 0]);

    table.forget();
    silence(&mut table, 2, false);
    assert_eq!(seen(&table, 2, 2)["silenced"], json!([]));
    assert_eq!(seen(&table, 2, 2)["published"][0]["muted"], true);
    assert_eq!(mutes(&table), [false; 0], "letting go does not unmute");
    table.says(2, unmute);
    assert_eq!(table.last(2)["type"], "ok");
    assert_eq!(mutes(&table), [false]);
    assert_eq!(seen(&table, 1, 2)["published"][0]["muted"], false);
}

#[test]
fn what_is_held_stays_held_when_it_is_published_anew() {
    let mut table = Table::owned_of(2);
    table.answered(2, 1);
    silence(&mut table, 2, true);
    let publish = r#"{"type":"publish","source":"microphone","mid":"0","id":3}"#;
    for _ in 0..2 {
        table.forget();
        table.says(2, publish);
        assert_eq!(mutes(&table), [true]);
        assert_eq!(seen(&table, 1, 2)["published"][0]["muted"], true);
        // Its sender took it for unmuted.
        assert_eq!(table.types_heard(2), ["member", "ok"]);
        assert_eq!(seen(&table, 2, 2)["published"][0]["muted"], true);
        table.says(2, r#"{"type":"unpublish","source":"microphone"}"#);
    }
    table.says(2, publish);
    table.forget();
    table.answered(2, 1);
    assert_eq!(mutes(&table), [true], "and after another answer");
    table.forget();
    table.says(2, r#"{"type":"publish","source":"camera","mid":"1"}"#);
    assert_eq!(table.types_heard(2), [""; 0], "the camera is not held");
    assert_eq!(seen(&table, 1, 2)["published"][1]["muted"], false);
}

#[test]
fn hands_keep_their_order_until_they_are_lowered() {
    let mut table = Table::owned_of(3);
    let raise = |table: &mut Table, member: u64, raised: bool| {
        let text = json!({"type": "hand", "raised": raised, "id": 3}).to_string();
        table.says(member, &text);
        assert_eq!(table.last(member)["type"], "ok");
    };
    table.pass(1);
    raise(&mut table, 2, true);
    table.pass(1);
    raise(&mut table, 3, true);
    table.forget();
    raise(&mut table, 2, true);
    assert_eq!(table.types_heard(1), [""; 0], "up already");
    for viewer in 1..=3 {
        assert_eq!(seen(&table, viewer, 2)["handMs"], 1_000);
        assert_eq!(seen(&table, viewer, 3)["handMs"], 2_000);
    }
    about(&mut table, 1, "lowerHand", 2);
    assert_eq!(table.last(1)["type"], "ok");
    raise(&mut table, 3, false);
    for viewer in 1..=3 {
        assert_eq!(seen(&table, viewer, 2).get("handMs"), None);
        assert_eq!(seen(&table, viewer, 3).get("handMs"), None);
    }
    table.forget();
    about(&mut table, 1, "lowerHand", 2);
    raise(&mut table, 3, false);
    assert_eq!(table.types_heard(2), [""; 0]);
    raise(&mut table, 2, true);
    assert_eq!(seen(&table, 3, 2)["handMs"], 2_000);
}

#[test]
fn everyone_sees_a_reaction_and_nobody_sees_a_flood() {
    let mut table = Table::of(2);
    let react = |table: &mut Table| {
        table.says(1, r#"{"type":"react","reaction":"party","id":3}"#);
        table.refusal(1)
    };
    assert_eq!(react(&mut table), None);
    let shown = json!({"type": "reaction", "from": id(1), "reaction": "party"});
    assert_eq!(table.last(2), shown);
    assert_eq!(table.types_heard(1), ["reaction", "ok"]);
    for _ in 0..4 {
        assert_eq!(react(&mut table), None);
    }
    for _ in 0..50 {
        assert_eq!(react(&mut table), Some(ErrorCode::TooFast));
    }
    assert!(table.room.has(id(1)), "eager fingers are no misbehaviour");
    assert_eq!(table.types_heard(2).len(), 5);
    table.pass(1);
    assert_eq!(react(&mut table), None);
    assert_eq!(react(&mut table), Some(ErrorCode::TooFast));
}

#[test]
fn who_is_removed_is_gone_at_once() {
    let mut table = Table::owned_of(3);
    table.answered(2, 1);
    table.forget();
    about(&mut table, 1, "remove", 2);
    assert_eq!(table.last(2), json!({"type": "bye", "reason": "removed"}));
    assert_eq!(table.clients[&id(2)].closed, Some(Reason::Removed));
    let left = json!({"type": "left", "member": id(2), "reason": "removed"});
    assert_eq!(table.last(3), left);
    assert_eq!(table.types_heard(1), ["left", "ok"]);
    assert!(
        table
            .orders
            .contains(&MediaOrder::ClosePeer { member: id(2) })
    );
    assert!(!table.room.has(id(2)));
}

#[test]
fn who_was_removed_waits_at_the_door_and_their_neighbours_with_them_and_nobody_else() {
    let home = |last| {
        let household = Household::of([192, 0, 2, last].into());
        Pass::new(household, &Held::default(), &Held::default())
    };
    let mut table = Table::owned_of(1);
    for (member, last) in [(2, 7), (3, 7), (4, 8)] {
        table.pass = home(last);
        table.join(member);
    }
    about(&mut table, 1, "remove", 2);
    assert!(table.room.has(id(3)), "neighbours who are here stay");
    table.pass = home(7);
    table.join(5);
    table.join(6);
    assert!(table.room.awaits(id(5)) && table.room.awaits(id(6)));
    assert_eq!(table.client(1).knocks.len(), 2, "without a lobby too");
    table.arrive(7, false, Some(owner_key()), None);
    assert!(table.room.has(id(7)), "an owner never waits");
    table.pass = home(8);
    table.join(8);
    assert!(table.room.has(id(8)));
    table.gone(4);
    assert!(table.room.awaits(id(5)), "a free place lets nobody in");
    about(&mut table, 1, "admit", 6);
    about(&mut table, 1, "deny", 5);
    assert!(table.room.has(id(6)) && !table.room.awaits(id(5)));
}

#[test]
fn a_locked_room_takes_nobody_but_its_owner() {
    let mut table = Table::owned_of(2);
    table.says(1, r#"{"type":"lock","locked":true,"id":3}"#);
    let rules = json!({"type": "rules", "locked": true, "lobby": false});
    assert_eq!(table.last(2), rules);
    assert_eq!(table.types_heard(1), ["rules", "ok"]);
    table.says(1, r#"{"type":"lock","locked":true,"id":4}"#);
    assert_eq!(table.types_heard(2), ["rules"], "once more is no news");
    table.join(3);
    assert_eq!(table.refusal(3), Some(ErrorCode::RoomLocked));
    table.arrive(4, false, Some(owner_key()), None);
    assert_eq!(
        table.last(4)["rules"],
        json!({"locked": true, "lobby": false})
    );
    let room = table.room.describe(table.now);
    assert_eq!(
        (&room["locked"], &room["ownerPresent"]),
        (&json!(true), &json!(true))
    );
    table.says(4, r#"{"type":"lock","locked":false}"#);
    table.join(3);
    assert!(table.room.has(id(3)));
}

#[test]
fn newcomers_wait_until_they_are_admitted_or_denied() {
    let mut table = lobby_of(1);
    table.join_as(2, false, Some(5));
    let waiting = json!({"type": "waiting", "id": 5, "you": id(2)});
    assert_eq!(table.last(2), waiting);
    table.join(3);
    let knock =
        |member: u64| json!({"member": id(member), "name": format!("name of {}", id(member))});
    let knocks = json!({"type": "knocks", "waiting": [knock(2), knock(3)]});
    assert_eq!(table.last(1), knocks);
    assert_eq!((table.room.members(), table.room.waiting()), (1, 2));
    assert_eq!(table.room.describe(table.now)["waiting"], 2);

    table.says(1, r#"{"type":"chat","text":"before"}"#);
    table.forget();
    about(&mut table, 1, "admit", 2);
    let joined = table.last(2);
    assert_eq!(
        (joined["type"].as_str(), joined.get("id")),
        (Some("joined"), None)
    );
    assert_eq!(joined["members"].as_array().unwrap().len(), 2);
    assert_eq!(joined["history"][0]["text"], "before");
    assert_eq!(joined["resume"]["token"], format!("token of {}", id(2)));
    assert_eq!(
        joined["waiting"],
        json!([]),
        "a guest is not told who waits"
    );
    assert_eq!(table.types_heard(1), ["member", "knocks", "ok"]);
    table.says(2, r#"{"type":"chat","text":"hello","id":6}"#);
    assert_eq!(table.types_heard(2), ["joined", "chat", "ok"]);

    about(&mut table, 1, "deny", 3);
    assert_eq!(table.last(3), json!({"type": "bye", "reason": "denied"}));
    assert_eq!(table.clients[&id(3)].closed, Some(Reason::Denied));
    assert_eq!(table.clients[&id(1)].knocks, []);
    assert_eq!(table.clients[&id(1)].members.len(), 2);
    for kind in ["admit", "deny"] {
        about(&mut table, 1, kind, 3);
        assert_eq!(table.refusal(1), Some(ErrorCode::NoSuchMember));
    }
}

#[test]
fn an_owner_who_comes_learns_who_waits() {
    let mut table = lobby_of(3);
    table.arrive(4, false, Some(owner_key()), Some(1));
    let ServerMessage::Joined { waiting, rules, .. } = &table.heard(4)[0] else {
        panic!("an owner does not wait");
    };
    assert_eq!(waiting.len(), 2);
    let lobby = Rules {
        locked: false,
        lobby: true,
    };
    assert_eq!(*rules, lobby);
    about(&mut table, 4, "admit", 3);
    assert_eq!(
        table.clients[&id(1)].knocks.len(),
        1,
        "all owners hear of it"
    );
    assert_eq!(table.clients[&id(3)].knocks, []);
}

#[test]
fn who_waits_may_ping_and_go_and_nothing_else() {
    let mut table = lobby_of(4);
    table.says(2, r#"{"type":"ping","id":2}"#);
    assert_eq!(table.last(2), json!({"type": "pong", "id": 2}));
    for (text, code) in [
        (r#"{"type":"chat","text":"hello","id":3}"#, "notJoined"),
        (
            r#"{"type":"admit","member":"0000000000002","id":3}"#,
            "notJoined",
        ),
        (r#"{"type":"hand","raised":true,"id":3}"#, "notJoined"),
        (
            r#"{"type":"join","room":"room","name":"n","id":3}"#,
            "alreadyJoined",
        ),
    ] {
        table.says(2, text);
        assert_eq!(
            (&table.last(2)["code"], &table.last(2)["id"]),
            (&json!(code), &json!(3))
        );
    }
    assert_eq!(table.types_heard(1), [""; 0]);
    table.says(2, r#"{"type":"bye","id":4}"#);
    assert_eq!(table.clients[&id(2)].closed, Some(Reason::Left));
    assert_eq!(
        table.types_heard(1),
        ["knocks"],
        "never a `left`: they were not there"
    );
    table.gone(3);
    assert_eq!(table.clients[&id(1)].knocks.len(), 1);
    for _ in 0..30 {
        table.says(4, r#"{"type":"end"}"#);
    }
    assert_eq!(table.clients[&id(4)].closed, Some(Reason::Misbehaved));
    assert_eq!(table.room.waiting(), 0);
}

#[test]
fn waiting_has_an_end() {
    let mut table = lobby_of(3);
    let mut seconds = 0;
    while table.clients[&id(2)].closed.is_none() && seconds < 1_000 {
        table.pass(20);
        seconds += 20;
        table.says(1, r#"{"type":"ping"}"#);
        table.says(2, r#"{"type":"ping"}"#);
    }
    assert_eq!(table.clients[&id(3)].closed, Some(Reason::Silent));
    assert_eq!(table.clients[&id(2)].closed, Some(Reason::Denied));
    assert_eq!(seconds, 600);
    assert_eq!(table.clients[&id(1)].knocks, []);
}

#[test]
fn who_comes_in_and_is_silent_then_goes_in_time() {
    let mut table = lobby_of(2);
    table.pass(20);
    table.says(1, r#"{"type":"ping"}"#);
    about(&mut table, 1, "admit", 2);
    table.says(2, r#"{"type":"ping"}"#);
    table.pass(29);
    table.says(1, r#"{"type":"ping"}"#);
    assert!(!table.clients[&id(2)].is_lost);
    table.pass(1);
    assert!(table.clients[&id(2)].is_lost, "silent, and waited for");
}

#[test]
fn the_lobby_holds_so_many_and_they_take_no_place_in_the_room() {
    let mut table = Table::owned(limited(Limits {
        waiting: 2,
        room_members: 2,
        ..Limits::default()
    }));
    table.arrive(1, false, Some(owner_key()), None);
    table.says(1, r#"{"type":"lobby","enabled":true}"#);
    for member in 2..=4 {
        table.join(member);
    }
    assert_eq!(table.refusal(4), Some(ErrorCode::LobbyFull));
    about(&mut table, 1, "admit", 3);
    assert!(table.room.has(id(3)));
    about(&mut table, 1, "admit", 2);
    assert_eq!(table.refusal(1), Some(ErrorCode::RoomFull));
    assert!(table.room.awaits(id(2)), "and waits on");
    table.join(5);
    assert!(
        table.room.awaits(id(5)),
        "a full room has them wait all the same"
    );
}

#[test]
fn without_the_lobby_all_come_in_as_there_are_places() {
    let mut table = Table::owned(limited(Limits {
        room_members: 3,
        ..Limits::default()
    }));
    table.arrive(1, false, Some(owner_key()), None);
    table.says(1, r#"{"type":"lobby","enabled":true}"#);
    for member in 2..=5 {
        table.join(member);
    }
    table.forget();
    table.says(1, r#"{"type":"lobby","enabled":false,"id":2}"#);
    assert_eq!(
        table.types_heard(1),
        ["rules", "member", "member", "knocks", "ok"]
    );
    let inside = |table: &Table| {
        (2..=6)
            .filter(|&member| table.room.has(id(member)))
            .collect()
    };
    let assert_inside = |table: &Table, expected: &[u64]| {
        let found: Vec<u64> = inside(table);
        assert_eq!(found, expected);
    };
    assert_inside(&table, &[2, 3]);
    table.join(6);
    assert_eq!(table.refusal(6), Some(ErrorCode::RoomFull));
    table.gone(2);
    assert_inside(&table, &[3, 4]);
    table.says(1, r#"{"type":"lock","locked":true}"#);
    table.gone(3);
    assert_inside(&table, &[4]);
    assert!(
        table.room.awaits(id(5)),
        "a locked room lets nobody in by itself"
    );
    table.says(1, r#"{"type":"lock","locked":false}"#);
    assert_inside(&table, &[4, 5]);
    assert_eq!(table.clients[&id(1)].knocks, []);
}

#[test]
fn in_a_locked_room_the_owner_can_still_admit() {
    let mut table = lobby_of(3);
    table.says(1, r#"{"type":"lock","locked":true}"#);
    assert_eq!(table.types_heard(2), [""; 0]);
    table.join(4);
    assert_eq!(table.refusal(4), Some(ErrorCode::RoomLocked));
    table.says(1, r#"{"type":"lobby","enabled":false}"#);
    assert_eq!(table.room.waiting(), 2);
    about(&mut table, 1, "admit", 3);
    assert!(table.room.has(id(3)) && table.room.awaits(id(2)));
}

#[test]
fn who_can_never_come_in_does_not_wait_for_it() {
    let mut table = Table::owned(RoomConfig {
        topology: TopologyConfig {
            policy: Policy::Mesh,
            ..TopologyConfig::default()
        },
        ..RoomConfig::default()
    });
    table.arrive(1, false, Some(owner_key()), None);
    table.says(1, r#"{"type":"lobby","enabled":true}"#);
    table.join_as(2, true, None);
    assert_eq!(table.refusal(2), Some(ErrorCode::Limit));
}

#[test]
fn a_room_stays_while_somebody_waits() {
    let mut table = lobby_of(2);
    table.gone(1);
    table.pass(20);
    table.says(2, r#"{"type":"ping"}"#);
    table.pass(20);
    assert!(!table.room.is_over(table.now));
    table.arrive(3, false, Some(owner_key()), None);
    assert_eq!(table.clients[&id(3)].knocks.len(), 1);
    table.gone(3);
    table.gone(2);
    table.pass(4);
    assert!(!table.room.is_over(table.now));
    table.pass(1);
    assert!(table.room.is_over(table.now));
}

#[test]
fn the_end_is_for_everyone_and_those_who_wait() {
    for by_owner in [true, false] {
        let mut table = Table::owned_of(2);
        table.says(1, r#"{"type":"lobby","enabled":true}"#);
        table.join(3);
        table.forget();
        match by_owner {
            true => table.says(1, r#"{"type":"end","id":9}"#),
            false => table.feed(RoomInput::Close {
                reason: Reason::RoomClosed,
            }),
        }
        for member in 1..=3 {
            let bye = json!({"type": "bye", "reason": "roomClosed"});
            assert_eq!(table.last(member), bye);
            assert_eq!(table.clients[&id(member)].closed, Some(Reason::RoomClosed));
        }
        let owner_heard: &[&str] = if by_owner { &["ok", "bye"] } else { &["bye"] };
        assert_eq!(table.types_heard(1), owner_heard);
        assert!(table.room.is_over(table.now));
        table.join(4);
        assert_eq!(table.refusal(4), Some(ErrorCode::RoomClosed));
    }
}

/// What was decided before a restart holds after it, also when strangers come first.
#[test]
fn rules_are_taken_over_and_left_only_by_a_room_that_nobody_was_in() {
    let rules = Rules {
        locked: true,
        lobby: false,
    };
    let owner = owner_key();
    let mut table = Table::owned(RoomConfig::default());
    table.room = table.room.ruled_by(rules);
    table.join(2);
    assert_eq!(table.refusal(2), Some(ErrorCode::RoomLocked));
    assert_eq!(table.room.title_left(), Some(Title { owner, rules }));
    table.arrive(1, false, Some(owner), None);
    assert_eq!(table.room.members(), 1);
    assert_eq!(table.room.title(), Some(Title { owner, rules }));
    let rules = Rules::default();
    assert_eq!(table.room.title_left(), Some(Title { owner, rules }));
}

#[test]
fn a_reserved_room_waits_for_its_owner() {
    let table = Table::with_origin(RoomConfig::default(), Origin::Rest);
    let room = table.room.owned_by(Some(owner_key()));
    let title = room.title().unwrap();
    assert_eq!(title.owner, owner_key());
    assert!(
        !room
            .describe(table.now)
            .to_string()
            .contains("0123456789abcdef")
    );
}

#[test]
fn the_owner_has_the_room_recorded_and_everyone_hears_of_it() {
    let mut table = Table::owned_of(2);
    table.says(2, r#"{"type":"record","id":9,"active":true}"#);
    assert_eq!(table.refusal(2), Some(ErrorCode::Forbidden));
    table.forget();
    table.says(1, r#"{"type":"record","id":9,"active":true}"#);
    let order = |active| MediaOrder::Record {
        member: MemberId(1),
        id: Some(9),
        active,
    };
    assert_eq!(table.orders, [order(true)]);
    let answered = |refused| {
        RoomInput::Media(MediaFact::RecordAnswered {
            member: MemberId(1),
            id: Some(9),
            refused,
        })
    };
    assert!(!table.types_heard(1).contains(&"ok".to_owned()), "not yet");
    table.feed(answered(Some(Refused::Full)));
    assert_eq!(table.refusal(1), Some(ErrorCode::Limit));
    table.feed(answered(None));
    assert!(table.types_heard(1).contains(&"ok".to_owned()));
    let sign = RecordingSign {
        id: "r".into(),
        since_ms: 0,
        thinned: false,
    };
    table.feed(RoomInput::Recording {
        sign: Some(sign.clone()),
        ended: None,
    });
    for member in [1, 2] {
        let heard = table.types_heard(member);
        assert!(heard.contains(&"recording".to_owned()), "{heard:?}");
        assert!(heard.contains(&"switch".to_owned()), "{heard:?}");
    }
    assert_eq!(table.room.recording(), Some(&sign));
    table.join(3);
    let joined = table.heard(3).iter().find_map(|message| match message {
        ServerMessage::Joined { recording, .. } => Some(recording.clone()),
        _ => None,
    });
    assert_eq!(joined, Some(Some(sign)));
    table.feed(RoomInput::Recording {
        sign: None,
        ended: Some(RecordingEnd::DiskFull),
    });
    let message = table.heard(3).iter().find_map(|message| match message {
        ServerMessage::Recording { recording, ended } => Some((recording.clone(), *ended)),
        _ => None,
    });
    assert_eq!(message, Some((None, Some(RecordingEnd::DiskFull))));
    assert_eq!(table.room.recording(), None);
}

#[test]
fn owners_alone_hear_that_pictures_are_left_out_of_a_recording() {
    let mut table = Table::owned_of(2);
    let sign = RecordingSign {
        id: "r".into(),
        since_ms: 0,
        thinned: false,
    };
    table.feed(RoomInput::RecordingThinned(true));
    table.feed(RoomInput::Recording {
        sign: Some(sign),
        ended: None,
    });
    table.forget();
    let heard = |table: &Table, member| -> Vec<bool> {
        let signs = table
            .heard(member)
            .iter()
            .filter_map(|message| match message {
                ServerMessage::Recording { recording, .. }
                | ServerMessage::Joined { recording, .. } => recording.as_ref(),
                _ => None,
            });
        signs.map(|sign| sign.thinned).collect()
    };
    table.feed(RoomInput::RecordingThinned(true));
    table.feed(RoomInput::RecordingThinned(true));
    table.join(3);
    table.feed(RoomInput::RecordingThinned(false));
    assert_eq!(heard(&table, 1), [true, false], "each change once");
    assert!(heard(&table, 2).is_empty());
    assert_eq!(heard(&table, 3), [false], "not a guest's business");
}

#[test]
fn a_room_that_is_always_a_mesh_is_not_recorded() {
    let mut table = Table::owned(RoomConfig {
        topology: TopologyConfig {
            policy: Policy::Mesh,
            ..TopologyConfig::default()
        },
        ..RoomConfig::default()
    });
    table.arrive(1, false, Some(owner_key()), None);
    assert!(!table.room.can_be_recorded());
}

#[test]
fn what_is_held_is_not_heard_under_another_name() {
    let mut table = Table::owned_of(2);
    table.answered(2, 2);
    table.says(2, r#"{"type":"publish","source":"microphone","mid":"0"}"#);
    silence(&mut table, 2, true);
    let heard_as_screen_audio = |table: &Table| {
        let audible = |order: &MediaOrder| match order {
            MediaOrder::Publish { source, muted, .. } | MediaOrder::Mute { source, muted, .. } => {
                *source == Source::ScreenAudio && !muted
            }
            _ => false,
        };
        table.orders.iter().any(audible)
    };
    for said in [
        r#"{"type":"publish","source":"screenAudio","mid":"3"}"#,
        r#"{"type":"mute","source":"screenAudio","muted":false}"#,
        r#"{"type":"publish","source":"screenAudio","mid":"3","muted":true}"#,
        r#"{"type":"mute","source":"screenAudio","muted":false}"#,
        r#"{"type":"unpublish","source":"screenAudio"}"#,
        r#"{"type":"unpublish","source":"microphone"}"#,
        r#"{"type":"publish","source":"screenAudio","mid":"0"}"#,
    ] {
        table.says(2, said);
        assert!(!heard_as_screen_audio(&table), "{said}");
    }
    let held = json!(["microphone", "screenAudio"]);
    assert_eq!(seen(&table, 1, 2)["silenced"], held);
    assert_eq!(
        seen(&table, 2, 2)["silenced"],
        held,
        "its member is told as well"
    );
    silence(&mut table, 2, false);
    assert_eq!(seen(&table, 1, 2)["silenced"], json!([]));
    table.says(2, r#"{"type":"mute","source":"screenAudio","muted":false}"#);
    assert!(heard_as_screen_audio(&table));
}

#[test]
fn what_was_shared_before_the_microphone_was_held_goes_on() {
    let mut table = Table::owned_of(2);
    table.answered(2, 2);
    table.says(2, r#"{"type":"publish","source":"microphone","mid":"0"}"#);
    table.says(2, r#"{"type":"publish","source":"screenAudio"}"#);
    silence(&mut table, 2, true);
    table.says(2, r#"{"type":"publish","source":"screenAudio","mid":"3"}"#);
    assert_eq!(seen(&table, 1, 2)["silenced"], json!(["microphone"]));
    // On another line it could be the microphone.
    table.says(2, r#"{"type":"publish","source":"screenAudio","mid":"4"}"#);
    assert_eq!(
        seen(&table, 1, 2)["silenced"],
        json!(["microphone", "screenAudio"])
    );
}

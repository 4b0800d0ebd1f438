//! What a room does, one behaviour each.

use serde_json::{Value, json};

use super::harness::Table;
use crate::ids::MemberId;
use crate::logic::limits::Limits;
use crate::logic::room::{MediaFact, MediaOrder, Origin, RoomConfig, RoomInput, SeatOrder};
use crate::logic::topology::{Policy, TopologyConfig};
use crate::protocol::client::{Feed, Source};
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{IceServer, ServerMessage};

fn id(member: u64) -> MemberId {
    MemberId(member)
}

fn a_guest(member: u64, published: &serde_json::Value) -> serde_json::Value {
    json!({"id": id(member), "name": format!("name of {}", id(member)), "role": "guest",
        "sfuOnly": false, "published": published, "silenced": [], "presence": "here",
        "node": "unknown"})
}

fn limited(limits: Limits) -> RoomConfig {
    RoomConfig {
        limits,
        ..RoomConfig::default()
    }
}

#[test]
fn a_newcomer_learns_everything_and_the_others_learn_of_them() {
    let mut table = Table::new(RoomConfig {
        ice_servers: vec![IceServer {
            urls: vec!["stun:node".into()],
            username: None,
            credential: None,
        }],
        ..RoomConfig::default()
    });
    table.join_as(1, false, Some(1));
    table.says(
        1,
        r#"{"type":"publish","source":"camera","stream":"s","muted":true}"#,
    );
    table.pass(2);
    table.says(1, r#"{"type":"chat","text":"early"}"#);
    table.join_as(2, false, Some(9));
    let published = json!([{"source": "camera", "stream": "s", "muted": true}]);
    let first = a_guest(1, &published);
    let second = a_guest(2, &json!([]));
    let expected = json!({
        "type": "joined", "id": 9, "you": id(2), "members": [first, second],
        "resume": {"token": format!("token of {}", id(2)), "seconds": 60},
        "rules": {"locked": false, "lobby": false}, "waiting": [], "exceptions": [],
        "topology": {"mode": "mesh", "epoch": 1, "switching": false, "why": {"cause": "few"}},
        "iceServers": [{"urls": ["stun:node"]}],
        "limits": {"messageBytes": 65536, "sdpBytes": 262144, "seats": 25, "silenceSeconds": 30},
        "history": [{"from": id(1), "name": first["name"], "text": "early", "atMs": 2000}],
    });
    assert_eq!(table.last(2), expected);
    assert_eq!(table.last(1), json!({"type": "member", "member": second}));
}

#[test]
fn a_full_room_lets_nobody_in() {
    let mut table = Table::new(limited(Limits {
        room_members: 2,
        ..Limits::default()
    }));
    for member in 1..=3 {
        table.join_as(member, false, Some(5));
    }
    assert_eq!(table.refusal(3), Some(ErrorCode::RoomFull));
    assert_eq!(table.last(3)["id"], 5);
    assert!(!table.room.has(id(3)));
    table.gone(1);
    table.join(3);
    assert!(table.room.has(id(3)));
}

#[test]
fn a_mesh_only_room_takes_no_more_than_a_mesh() {
    let mut table = Table::new(RoomConfig {
        topology: TopologyConfig {
            policy: Policy::Mesh,
            mesh_max: 2,
            ..TopologyConfig::default()
        },
        ..RoomConfig::default()
    });
    table.join_as(1, true, None);
    assert_eq!(table.refusal(1), Some(ErrorCode::Limit));
    table.join(1);
    table.join(2);
    table.join(3);
    assert_eq!(table.refusal(3), Some(ErrorCode::RoomFull));
}

#[test]
fn what_is_published_is_shown_to_the_others() {
    let mut table = Table::of(3);
    table.says(
        1,
        r#"{"id":1,"type":"publish","source":"camera","stream":"s"}"#,
    );
    assert_eq!(table.types_heard(1), ["ok"]);
    assert_eq!(
        table.last(3)["member"]["published"],
        json!([{"source": "camera", "stream": "s", "muted": false}])
    );
    table.says(1, r#"{"type":"publish","source":"camera","stream":"s"}"#);
    assert_eq!(table.types_heard(2), ["member"], "nothing is different");
    table.says(1, r#"{"type":"mute","source":"camera","muted":true}"#);
    table.says(1, r#"{"type":"mute","source":"camera","muted":true}"#);
    assert_eq!(table.last(2)["member"]["published"][0]["muted"], true);
    table.says(1, r#"{"type":"unpublish","source":"camera"}"#);
    table.says(1, r#"{"id":2,"type":"unpublish","source":"camera"}"#);
    assert_eq!(table.types_heard(2), ["member", "member", "member"]);
    assert_eq!(table.types_heard(1), ["ok", "ok"]);
    table.says(1, r#"{"type":"mute","source":"camera","muted":true}"#);
    assert_eq!(table.refusal(1), Some(ErrorCode::NotPublished));
    assert_eq!(table.orders, [], "nothing was on the node");
}

#[test]
fn media_is_ordered_for_what_has_an_m_line() {
    let mut table = Table::of(1);
    let (member, source) = (id(1), Source::Camera);
    table.says(1, r#"{"type":"publish","source":"camera","mid":"3"}"#);
    table.says(1, r#"{"type":"publish","source":"screen","mid":"3"}"#);
    assert_eq!(
        table.refusal(1),
        Some(ErrorCode::Malformed),
        "that m-line is taken"
    );
    table.says(1, r#"{"type":"mute","source":"camera","muted":true}"#);
    table.answered(1, 0);
    table.says(1, r#"{"type":"publish","source":"camera"}"#);
    let publish = |muted| MediaOrder::Publish {
        member,
        source,
        mid: "3".into(),
        muted,
    };
    let mute = MediaOrder::Mute {
        member,
        source,
        muted: true,
    };
    let seat = MediaOrder::Seat {
        viewer: member,
        seats: vec![],
    };
    let unpublish = MediaOrder::Unpublish { member, source };
    assert_eq!(
        table.orders,
        [publish(false), mute, publish(true), seat, unpublish]
    );
}

#[test]
fn signals_pass_within_the_room_and_the_epoch() {
    let mut table = Table::of(3);
    let signal = |to: u64, epoch: u32| {
        let description = json!({"type": "offer", "sdp": "v=0"});
        json!({"id": 1, "type": "signal", "to": id(to), "epoch": epoch, "description": description})
            .to_string()
    };
    table.says(1, &signal(2, 1));
    assert_eq!(
        table.last(2),
        json!({"type": "signal", "from": id(1), "epoch": 1, "description": {"type": "offer", "sdp": "v=0"}})
    );
    assert_eq!(table.types_heard(1), ["ok"]);
    assert_eq!(table.types_heard(3).len(), 0);
    for (to, epoch, code) in [
        (1, 1, ErrorCode::NoSuchMember),
        (9, 1, ErrorCode::NoSuchMember),
        (2, 0, ErrorCode::StaleEpoch),
        (2, 2, ErrorCode::StaleEpoch),
    ] {
        table.says(1, &signal(to, epoch));
        assert_eq!(table.refusal(1), Some(code), "to {to} in epoch {epoch}");
    }
    assert_eq!(table.types_heard(2), ["signal"]);
}

#[test]
fn the_33rd_candidate_of_a_negotiation_is_refused() {
    let mut table = Table::of(3);
    let candidate = |to: u64, text: &str| {
        json!({"type": "signal", "to": id(to), "epoch": 1, "candidate": {"candidate": text}})
            .to_string()
    };
    for _ in 0..32 {
        table.says(1, &candidate(2, "c"));
    }
    table.says(1, &candidate(2, ""));
    assert_eq!(table.types_heard(1).len(), 0);
    table.says(1, &candidate(2, "c"));
    assert_eq!(table.refusal(1), Some(ErrorCode::Limit));
    table.says(1, &candidate(3, "c"));
    assert_eq!(table.types_heard(3).len(), 1, "others have their own count");
    let offer = json!({"type": "signal", "to": id(2), "epoch": 1, "description": {"type": "offer", "sdp": ""}});
    table.says(1, &offer.to_string());
    table.says(1, &candidate(2, "c"));
    assert_eq!(table.types_heard(2).len(), 35, "a new negotiation");
    table.says(1, &candidate(2, &"c".repeat(2_000)));
    assert_eq!(table.refusal(1), Some(ErrorCode::TooLarge));
}

#[test]
fn an_offer_is_answered_by_the_media_side() {
    let mut table = Table::of(2);
    table.says(
        1,
        r#"{"id":4,"type":"offer","sdp":"v=0","epoch":1,"fresh":true}"#,
    );
    let order = MediaOrder::Answer {
        member: id(1),
        id: Some(4),
        epoch: 1,
        sdp: "v=0".into(),
        fresh: true,
    };
    assert_eq!(
        table.orders,
        [order],
        "a mesh keeps the way to the node warm"
    );
    assert_eq!(table.types_heard(1).len(), 0);
    table.feed(RoomInput::Media(MediaFact::Answered {
        member: id(1),
        id: Some(4),
        epoch: 1,
        sdp: "answer".into(),
        seats: 2,
        stopped: vec![],
    }));
    assert_eq!(
        table.heard(1)[0],
        ServerMessage::Answer {
            id: Some(4),
            sdp: "answer".into(),
            epoch: 1,
        }
    );
    table.says(1, r#"{"id":5,"type":"offer","sdp":"v=0","epoch":7}"#);
    assert_eq!(table.refusal(1), Some(ErrorCode::StaleEpoch));
    table.feed(RoomInput::Media(MediaFact::OfferRefused {
        member: id(1),
        id: Some(6),
        code: ErrorCode::BadOffer,
        message: "no m-line".into(),
    }));
    assert_eq!(
        table.last(1),
        json!({"type": "error", "id": 6, "code": "badOffer", "message": "no m-line"})
    );
}

#[test]
fn the_fifth_member_moves_the_room_to_the_node() {
    let mut table = Table::of(4);
    table.join(5);
    let topology = json!({"mode": "sfu", "epoch": 2, "switching": true, "why": {"cause": "many"}});
    assert_eq!(table.types_heard(5), ["joined"]);
    assert_eq!(table.last(5)["topology"], topology);
    assert_eq!(
        table.types_heard(1),
        ["switch", "member"],
        "nobody begins a direct path to the newcomer"
    );
    assert_eq!(
        serde_json::to_value(&table.heard(1)[0]).unwrap(),
        json!({"type": "switch", "mode": "sfu", "epoch": 2, "deadlineMs": 10_000, "why": {"cause": "many"}})
    );
    for member in 1..=4 {
        table.says(member, r#"{"type":"ready","epoch":2}"#);
    }
    for member in 1..=5 {
        assert_eq!(
            table.last(member),
            json!({"type": "commit", "mode": "sfu", "epoch": 2, "why": {"cause": "many"}})
        );
    }
    table.says(1, r#"{"type":"ready","epoch":1}"#);
    assert_eq!(table.refusal(1), Some(ErrorCode::StaleEpoch));
}

#[test]
fn seats_are_told_before_the_media_changes_and_only_when_they_do() {
    let mut table = Table::of_publishers(5, 2);
    // Screens go first, those who sit stay: member 2 keeps the first seat of member 1.
    table.says(3, r#"{"type":"publish","source":"screen","mid":"7"}"#);
    let seats = json!([{"member": id(2), "feed": "camera"}, {"member": id(3), "feed": "screen"}]);
    assert_eq!(table.last(1), json!({"type": "seats", "seats": seats}));
    let order = |member, feed, max_height| {
        Some(SeatOrder {
            member: id(member),
            feed,
            max_height,
        })
    };
    let planned = vec![
        order(2, Feed::Camera, u16::MAX),
        order(3, Feed::Screen, u16::MAX),
    ];
    let expected = MediaOrder::Seat {
        viewer: id(1),
        seats: planned,
    };
    assert!(table.orders.contains(&expected));
    table.forget();
    let view = |height: u16| {
        let wants = json!([{"member": id(5), "feed": "camera", "maxHeight": height}, {"member": id(2), "feed": "camera", "maxHeight": 0}]);
        json!({"type": "view", "wants": wants}).to_string()
    };
    table.says(1, &view(180));
    table.says(1, &view(180));
    table.says(1, &view(360));
    assert_eq!(
        table.types_heard(1),
        ["seats"],
        "of heights only the media side learns"
    );
    let seat = |height| MediaOrder::Seat {
        viewer: id(1),
        seats: vec![order(2, Feed::Camera, 0), order(5, Feed::Camera, height)],
    };
    assert_eq!(table.orders, [seat(180), seat(360)]);
    table.forget();
    table.gone(5);
    assert_eq!(table.types_heard(1), ["left", "seats"]);
    assert_eq!(table.orders[0], MediaOrder::ClosePeer { member: id(5) });
    table.says(1, r#"{"type":"view","wants":[]}"#);
    assert_eq!(
        table.last(1)["seats"],
        json!([null, null]),
        "wants to see nobody"
    );
}

#[test]
fn views_are_checked() {
    let mut table = Table::of(2);
    let view = |members: Vec<u64>| {
        let want =
            |&member: &u64| json!({"member": id(member), "feed": "camera", "maxHeight": 180});
        let wants: Vec<Value> = members.iter().map(want).collect();
        json!({"id": 1, "type": "view", "wants": wants}).to_string()
    };
    table.says(1, &view(vec![2, 9]));
    assert_eq!(table.refusal(1), Some(ErrorCode::NoSuchMember));
    table.says(1, &view(vec![2; 26]));
    assert_eq!(table.refusal(1), Some(ErrorCode::Limit));
    table.says(1, &view(vec![2; 25]));
    assert_eq!(table.last(1), json!({"type": "ok", "id": 1}));
}

#[test]
fn a_lost_connection_to_the_node_loses_its_seats_and_a_new_one_gets_them_back() {
    let mut table = Table::of_publishers(5, 4);
    table.feed(RoomInput::Media(MediaFact::PeerDown { member: id(1) }));
    assert_eq!(table.last(1), json!({"type": "seats", "seats": []}));
    assert_eq!(table.orders, [], "there is nothing to seat");
    table.answered(1, 4);
    assert_eq!(table.types_heard(1), ["seats", "answer", "seats"]);
    let taken = table.last(1)["seats"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|seat| seat.is_object())
        .count();
    assert_eq!(taken, 4);
    let kinds: Vec<bool> = table
        .orders
        .iter()
        .map(|order| matches!(order, MediaOrder::Publish { .. }))
        .collect();
    assert_eq!(
        kinds,
        [true, true, false],
        "what they send, then what they see"
    );
}

#[test]
fn back_in_a_mesh_nobody_sits() {
    let mut table = Table::of_publishers(5, 4);
    table.gone(4);
    table.gone(5);
    table.forget();
    for _ in 0..10 {
        (1..=3).for_each(|member| table.says(member, r#"{"type":"ping"}"#));
        table.pass(1);
    }
    assert_eq!(table.types_heard(1).last().unwrap(), "switch");
    for member in 1..=3 {
        table.says(member, r#"{"type":"ready","epoch":3}"#);
    }
    let heard = table.types_heard(1);
    assert_eq!(heard[heard.len() - 2..], ["commit", "seats"]);
    assert_eq!(table.last(1)["seats"], json!([null, null, null, null]));
}

#[test]
fn chat_reaches_everyone_and_is_remembered() {
    let mut table = Table::of(2);
    table.pass(3);
    table.says(1, r#"{"id":1,"type":"chat","text":"hello\nthere"}"#);
    let line = json!({"type": "chat", "from": id(1), "name": format!("name of {}", id(1)), "text": "hello\nthere", "atMs": 3000});
    assert_eq!(table.last(2), line);
    assert_eq!(table.types_heard(1), ["chat", "ok"]);
    table.says(
        1,
        &json!({"type": "chat", "text": "x".repeat(4_001)}).to_string(),
    );
    assert_eq!(table.refusal(1), Some(ErrorCode::TooLarge));
    table.says(1, r#"{"type":"chat","text":"\u0007"}"#);
    assert_eq!(table.refusal(1), Some(ErrorCode::Malformed));
    for count in 0..150 {
        table.says(
            2,
            &json!({"type": "chat", "text": count.to_string()}).to_string(),
        );
        table.says(1, r#"{"type":"ping"}"#);
        table.pass(1);
    }
    table.join(3);
    let history = &table.last(3)["history"];
    assert_eq!(history.as_array().unwrap().len(), 100);
    assert_eq!(
        (&history[0]["text"], &history[99]["text"]),
        (&json!("50"), &json!("149"))
    );
}

#[test]
fn speakers_are_told_when_they_change_and_only_over_the_node() {
    let mut table = Table::of(2);
    table.feed(RoomInput::Media(MediaFact::Speakers(vec![id(1)])));
    assert_eq!(table.types_heard(2).len(), 0, "a mesh listens for itself");
    let mut table = Table::of_publishers(5, 1);
    for _ in 0..2 {
        table.feed(RoomInput::Media(MediaFact::Speakers(vec![
            id(2),
            id(99),
            id(1),
        ])));
    }
    assert_eq!(
        table.heard(5),
        [ServerMessage::Speakers {
            members: vec![id(2), id(1)],
        }]
    );
}

#[test]
fn who_says_bye_is_gone() {
    let mut table = Table::of(2);
    table.says(1, r#"{"id":8,"type":"bye"}"#);
    assert_eq!(table.types_heard(1), ["ok", "bye"]);
    assert_eq!(table.clients[&id(1)].closed, Some(Reason::Left));
    assert_eq!(
        table.last(2),
        json!({"type": "left", "member": id(1), "reason": "left"})
    );
    assert_eq!(table.orders, [MediaOrder::ClosePeer { member: id(1) }]);
}

#[test]
fn who_errs_again_and_again_is_sent_away() {
    let mut table = Table::of(2);
    let error = r#"{"type":"join","room":"r","name":"n"}"#;
    for _ in 0..20 {
        table.says(1, error);
        assert_eq!(table.refusal(1), Some(ErrorCode::AlreadyJoined));
    }
    table.pass(1);
    table.says(1, error);
    table.says(1, error);
    assert!(table.room.has(id(1)), "two a second are forgiven");
    for _ in 0..50 {
        table.says(2, r#"{"type":"ready","epoch":77}"#);
    }
    assert!(table.room.has(id(2)), "what comes late is no fault");
    table.says(1, error);
    assert_eq!(table.clients[&id(1)].closed, Some(Reason::Misbehaved));
}

#[test]
fn an_empty_room_waits_a_little_for_a_reload() {
    let mut table = Table::of(1);
    assert!(!table.room.is_over(table.now));
    table.gone(1);
    table.pass(4);
    assert!(!table.room.is_over(table.now));
    table.join(2);
    table.pass(10);
    assert!(!table.room.is_over(table.now));
    table.gone(2);
    table.pass(5);
    assert!(table.room.is_over(table.now));
}

#[test]
fn a_room_made_over_rest_waits_for_its_members() {
    let mut table = Table::with_origin(RoomConfig::default(), Origin::Rest);
    let due = table.room.poll_timeout();
    let ten_minutes = std::time::Duration::from_secs(600);
    assert_eq!(due, Some((table.start + ten_minutes, "the room is empty")));
    table.pass(599);
    assert!(!table.room.is_over(table.now));
    table.pass(1);
    assert!(table.room.is_over(table.now));
}

#[test]
fn a_closed_room_is_over_for_everyone() {
    let mut table = Table::of(5);
    table.feed(RoomInput::Close {
        reason: Reason::Shutdown,
    });
    for member in 1..=5 {
        assert_eq!(table.types_heard(member), ["bye"]);
        assert_eq!(table.clients[&id(member)].closed, Some(Reason::Shutdown));
    }
    assert!(table.room.is_over(table.now));
    table.join(6);
    assert_eq!(table.refusal(6), Some(ErrorCode::RoomClosed));
}

/// A mesh of that many, everyone with an answered connection of two seats and a camera.
fn a_warm_mesh(count: u64) -> Table {
    let mut table = Table::of(count);
    for member in 1..=count {
        table.answered(member, 2);
        table.says(
            member,
            r#"{"type":"publish","source":"camera","stream":"s","mid":"1"}"#,
        );
    }
    table.forget();
    table
}

fn pair(other: u64, epoch: u32, state: &str) -> String {
    json!({"type": "pair", "member": id(other), "epoch": epoch, "state": state}).to_string()
}

#[test]
fn a_pair_that_fails_is_told_its_path_and_then_seated() {
    let mut table = a_warm_mesh(3);
    table.says(1, &pair(2, 1, "failed"));
    let exceptions = json!([{"member": id(2), "path": "node", "reason": "pairFailed"}]);
    assert_eq!(
        serde_json::to_value(&table.heard(1)[0]).unwrap(),
        json!({"type": "paths", "epoch": 1, "exceptions": exceptions})
    );
    assert_eq!(
        table.last(1)["seats"],
        json!([{"member": id(2), "feed": "camera"}, null])
    );
    assert_eq!(table.types_heard(2), ["paths", "seats"]);
    assert_eq!(table.types_heard(3).len(), 0, "no business of theirs");
    table.feed(RoomInput::Media(MediaFact::Speakers(vec![id(2)])));
    assert_eq!(table.last(3)["type"], "speakers");
    table.says(1, &pair(2, 1, "connected"));
    assert_eq!(table.types_heard(1).len(), 3, "one alone is not enough");
    table.says(2, &pair(1, 1, "connected"));
    assert_eq!(table.last(1)["seats"], json!([null, null]));
    let heard = table.types_heard(1);
    assert_eq!(heard[heard.len() - 2..], ["paths", "seats"]);
}

#[test]
fn reports_about_a_pair_are_checked() {
    let mut table = Table::of(2);
    for (other, epoch, code) in [
        (1, 1, ErrorCode::NoSuchMember),
        (9, 1, ErrorCode::NoSuchMember),
        (2, 0, ErrorCode::StaleEpoch),
        (2, 2, ErrorCode::StaleEpoch),
    ] {
        table.says(1, &pair(other, epoch, "failed"));
        assert_eq!(table.refusal(1), Some(code), "of {other} in epoch {epoch}");
    }
    let mut table = Table::of_publishers(5, 2);
    table.says(1, &pair(2, 2, "failed"));
    assert_eq!(table.refusal(1), Some(ErrorCode::StaleEpoch), "no mesh");
    assert_eq!(table.types_heard(2).len(), 0);
}

#[test]
fn a_member_whom_the_node_does_not_reach_leaves_the_seats_and_comes_back() {
    let mut table = Table::of_publishers(5, 4);
    let signal = json!({"type": "signal", "to": id(1), "epoch": 2, "candidate": {"candidate": ""}});
    table.says(5, &signal.to_string());
    assert_eq!(table.refusal(5), Some(ErrorCode::StaleEpoch));
    table.forget();
    table.says(5, r#"{"type":"unreachable","cause":"ice"}"#);
    assert_eq!(table.types_heard(1), ["member", "paths", "seats"]);
    assert_eq!(table.types_heard(5), ["paths", "seats"]);
    let direct = json!([{"member": id(5), "path": "direct", "reason": "nodeUnreachable"}]);
    let told =
        |table: &Table, member, at: usize| serde_json::to_value(&table.heard(member)[at]).unwrap();
    assert_eq!(told(&table, 1, 0)["member"]["node"], "noIce");
    assert_eq!(told(&table, 1, 1)["exceptions"], direct);
    assert!(
        !table.last(1)["seats"]
            .to_string()
            .contains(&id(5).to_string())
    );
    assert_eq!(table.last(5)["seats"], json!([null, null, null, null]));
    table.says(5, &signal.to_string());
    assert_eq!(table.last(1)["type"], "signal");
    table.join(6);
    assert_eq!(table.last(6)["exceptions"], direct);
    table.forget();
    table.feed(RoomInput::Media(MediaFact::PeerDown { member: id(5) }));
    assert_eq!(table.types_heard(1).len(), 0, "known already");
    table.answered(5, 4);
    table.feed(RoomInput::Media(MediaFact::PeerUp { member: id(5) }));
    assert_eq!(table.types_heard(1), ["member", "paths", "seats"]);
    assert_eq!(told(&table, 1, 0)["member"]["node"], "up");
    assert_eq!(told(&table, 1, 1)["exceptions"], json!([]));
    table.feed(RoomInput::Media(MediaFact::PeerUp { member: id(5) }));
    assert_eq!(table.types_heard(1).len(), 3, "nothing new");
    table.feed(RoomInput::Media(MediaFact::PeerDown { member: id(5) }));
    assert_eq!(table.last(5)["seats"], json!([]));
    assert_eq!(told(&table, 2, 3)["member"]["node"], "unknown");
}

#[test]
fn a_strained_member_moves_the_room_to_the_node() {
    let mut table = a_warm_mesh(2);
    table.says(1, r#"{"id":1,"type":"strain","cause":"uplink"}"#);
    assert_eq!(
        table.last(2)["seats"],
        json!([{"member": id(1), "feed": "camera"}, null])
    );
    let why = json!({"cause": "uplink", "member": id(1)});
    let told = serde_json::to_value(&table.heard(2)[0]).unwrap();
    assert_eq!((&told["type"], &told["why"]), (&json!("switch"), &why));
    table.says(2, r#"{"type":"ready","epoch":2}"#);
    table.pass(10);
    let told = serde_json::to_value(&table.heard(2)[2]).unwrap();
    assert_eq!(
        told,
        json!({"type": "rollback", "mode": "mesh", "epoch": 3, "missing": [id(1)]})
    );
    assert_eq!(table.last(2)["seats"], json!([null, null]));
    let tally = table.room.take_tally();
    assert_eq!((tally.switches.uplink, tally.rollbacks), (1, 1));
    assert_eq!(table.room.take_tally(), Default::default());
}

#[test]
fn rest_sees_the_exceptions() {
    let mut table = a_warm_mesh(3);
    table.says(3, &pair(2, 1, "failed"));
    table.says(1, r#"{"type":"unreachable","cause":"dtls"}"#);
    let room = table.room.describe(table.now);
    let exception = json!({"members": [id(2), id(3)], "path": "node", "reason": "pairFailed"});
    assert_eq!(room["exceptions"], json!([exception]));
    assert_eq!(room["members"][0]["node"], "noDtls");
    assert_eq!(table.room.irregular_pairs(), 1);
}

#[test]
fn rest_sees_the_room() {
    let mut table = Table::of(1);
    table.says(1, r#"{"type":"publish","source":"microphone"}"#);
    table.pass(2);
    let expected = json!({
        "name": "room", "mode": "mesh", "epoch": 1, "switching": false, "ageMs": 2000,
        "locked": false, "lobby": false, "ownerPresent": false, "waiting": 0,
        "why": {"cause": "few"}, "exceptions": [], "recording": null,
        "members": [a_guest(1, &json!([{"source": "microphone", "muted": false}]))],
    });
    assert_eq!(table.room.describe(table.now), expected);
}

#[test]
fn everyone_sees_whose_media_is_forwarded_and_it_travels_over_the_node_meanwhile() {
    let mut table = Table::of(2);
    table.says(1, r#"{"type":"publish","source":"camera"}"#);
    table.forget();
    assert!(table.room.publishes(id(1), Source::Camera));
    assert!(!table.room.publishes(id(1), Source::Screen));
    assert!(!table.room.publishes(id(3), Source::Camera));
    let sources = [(id(1), Source::Camera)].into();
    table.feed(RoomInput::Forwarded { sources });
    let seen = |table: &Table, viewer: u64| table.client(viewer).members[&id(1)].forwarded.clone();
    for member in [1, 2] {
        assert_eq!(seen(&table, member), [Source::Camera]);
        let heard = table.types_heard(member);
        assert_eq!(heard, ["member", "switch"], "to {member}");
    }
    assert_eq!(
        table.room.describe(table.now)["why"],
        json!({"cause": "forwarded"})
    );
    table.join(3);
    assert_eq!(seen(&table, 3), [Source::Camera]);
    table.forget();
    // Nothing new is nothing to be told of.
    let sources = [(id(1), Source::Camera)].into();
    table.feed(RoomInput::Forwarded { sources });
    assert_eq!(table.types_heard(2), Vec::<String>::new());
    let sources = Default::default();
    table.feed(RoomInput::Forwarded { sources });
    assert_eq!(seen(&table, 2), []);
}

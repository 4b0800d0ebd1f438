//! A lost WebSocket and its return, one behaviour each.

use proptest::prelude::*;
use serde_json::json;

use super::harness::Table;
use crate::ids::MemberId;
use crate::logic::limits::Limits;
use crate::logic::room::{MediaOrder, RoomConfig, RoomInput};
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{Member, Presence, ServerMessage};

fn id(member: u64) -> MemberId {
    MemberId(member)
}

fn limited(limits: Limits) -> RoomConfig {
    RoomConfig {
        limits,
        ..RoomConfig::default()
    }
}

/// How a viewer sees another member.
fn seen(table: &Table, viewer: u64, member: u64) -> Member {
    table.client(viewer).members[&id(member)].clone()
}

/// How many attempts to come back were refused; none of them for another reason than the token.
fn refusals(table: &Table) -> usize {
    for refusal in &table.refused {
        assert!(matches!(
            refusal,
            ServerMessage::Error {
                code: ErrorCode::ResumeFailed,
                ..
            }
        ));
    }
    table.refused.len()
}

fn chat(table: &mut Table, member: u64, text: &str) {
    table.says(member, &json!({"type": "chat", "text": text}).to_string());
}

#[test]
fn who_is_lost_stays_and_the_others_are_told() {
    let mut table = Table::of_publishers(5, 8);
    table.lose(1, 0);
    for viewer in 2..=5 {
        assert_eq!(table.types_heard(viewer), ["member"]);
        let member = seen(&table, viewer, 1);
        assert_eq!(
            (member.presence, member.published.len()),
            (Presence::Reconnecting, 2)
        );
    }
    assert_eq!(table.orders, [], "media goes on as it was");
    assert_eq!((table.room.members(), table.room.reconnecting()), (5, 1));
    assert_eq!(
        table.room.describe(table.now)["members"][0]["presence"],
        "reconnecting"
    );
    table.pass(29);
    table.resume(1);
    assert_eq!(seen(&table, 2, 1).presence, Presence::Here);
    assert_eq!(table.types_heard(2), ["member", "member"]);
    assert_eq!(
        (table.orders.as_slice(), table.room.reconnecting()),
        (&[][..], 0)
    );
}

#[test]
fn who_does_not_come_back_is_gone_after_the_grace_for_the_reason_they_were_lost_for() {
    for reason in [Reason::Lost, Reason::Slow] {
        let mut table = Table::of(2);
        table.lose_for(1, 0, reason);
        for _ in 0..59 {
            table.pass(1);
            table.says(2, r#"{"type":"ping"}"#);
        }
        assert!(table.room.has(id(1)));
        table.pass(1);
        let left = json!({"type": "left", "member": id(1), "reason": reason});
        assert_eq!(table.last(2), left);
        assert_eq!(table.orders, [MediaOrder::ClosePeer { member: id(1) }]);
        table.resume(1);
        assert_eq!(refusals(&table), 1);
    }
}

#[test]
fn who_leaves_or_is_sent_away_is_gone_at_once() {
    for reason in [Reason::Left, Reason::Misbehaved, Reason::Shutdown] {
        let mut table = Table::of(2);
        let member = id(1);
        table.feed(RoomInput::Gone { member, reason });
        assert_eq!(
            table.last(2),
            json!({"type": "left", "member": member, "reason": reason})
        );
    }
}

#[test]
fn without_a_grace_lost_is_gone() {
    let mut table = Table::new(limited(Limits {
        resume_seconds: 0,
        ..Limits::default()
    }));
    (1..=2).for_each(|member| table.join(member));
    let token = table.client(1).token.clone();
    table.resume_with(&token, table.client(1).seq);
    assert_eq!(refusals(&table), 1);
    table.lose(1, 0);
    assert_eq!(
        table.last(2),
        json!({"type": "left", "member": id(1), "reason": "lost"})
    );
    table.pass(30);
    assert_eq!(table.client(2).closed, Some(Reason::Silent));
}

#[test]
fn the_silent_are_lost_after_30_s_and_gone_after_the_grace() {
    let mut table = Table::of(3);
    table.pass(29);
    table.says(2, r#"{"id":3,"type":"ping"}"#);
    assert_eq!(table.last(2), json!({"type": "pong", "id": 3}));
    table.feed(RoomInput::Alive { member: id(3) });
    table.pass(1);
    assert_eq!(table.last(1), json!({"type": "bye", "reason": "silent"}));
    assert!(table.client(1).is_lost);
    assert_eq!(seen(&table, 2, 1).presence, Presence::Reconnecting);
    table.pass(28);
    assert_eq!(seen(&table, 2, 3).presence, Presence::Here);
    table.feed(RoomInput::Alive { member: id(3) });
    table.pass(1);
    assert!(table.client(2).is_lost);
    assert_eq!(table.types_heard(3), ["member", "member"]);
    for _ in 0..31 {
        table.feed(RoomInput::Alive { member: id(3) });
        table.pass(1);
    }
    assert_eq!(
        table.last(3),
        json!({"type": "left", "member": id(1), "reason": "silent"})
    );
    table.resume(2);
    assert_eq!(seen(&table, 3, 2).presence, Presence::Here);
    assert_eq!(refusals(&table), 0);
}

/// The first member talks, mutes and comes and goes; the second hears all of it, losing their
/// WebSocket after `before` lines with `unseen` events on the way, and coming back after `away` more.
fn hears_a_busy_room(lines: usize, losses: &[(usize, usize, usize)]) -> Table {
    let mut table = Table::of(3);
    let mut back_at = None;
    for line in 0..lines {
        if let Some((_, unseen, away)) = losses.iter().find(|(at, ..)| *at == line)
            && back_at.is_none()
        {
            table.lose(2, *unseen);
            back_at = Some(line + away);
        }
        if back_at.is_some_and(|at| at <= line) {
            table.resume(2);
            back_at = None;
        }
        match line % 4 {
            0 => table.says(1, r#"{"type":"publish","source":"camera","stream":"s"}"#),
            1 => table.says(
                3,
                r#"{"type":"signal","to":"0000000000002","epoch":1,"candidate":{"candidate":"c"}}"#,
            ),
            2 => table.says(1, r#"{"type":"unpublish","source":"camera"}"#),
            _ => chat(&mut table, 3, &format!("line {line}")),
        }
    }
    if back_at.is_some() {
        table.resume(2);
    }
    table
}

#[test]
fn what_was_missed_comes_once_and_in_order_wherever_it_was_cut() {
    const LINES: usize = 12;
    let never_lost = hears_a_busy_room(LINES, &[]);
    for before in 0..LINES {
        for unseen in 0..4 {
            for away in 0..=LINES - before {
                let table = hears_a_busy_room(LINES, &[(before, unseen, away)]);
                let expected = never_lost.client(2).events();
                assert_eq!(
                    table.client(2).events(),
                    expected,
                    "{before} {unseen} {away}"
                );
                assert_eq!(refusals(&table), 0);
            }
        }
    }
    assert!(never_lost.client(2).events().len() > LINES);
}

proptest! {
    #[test]
    fn a_client_that_is_lost_now_and_then_saw_what_one_saw_that_never_was(
        lines in 1..60usize,
        losses in proptest::collection::vec((0..60usize, 0..6usize, 0..20usize), 0..8),
    ) {
        let never_lost = hears_a_busy_room(lines, &[]);
        let table = hears_a_busy_room(lines, &losses);
        prop_assert_eq!(table.client(2).events(), never_lost.client(2).events());
        prop_assert_eq!(&table.client(2).members, &never_lost.client(2).members);
        prop_assert_eq!(refusals(&table), 0);
    }
}

#[test]
fn a_token_is_good_for_one_time_and_for_its_member_alone() {
    let mut table = Table::of(3);
    let first = table.client(1).token.clone();
    table.lose(1, 0);
    table.resume(1);
    let second = table.client(1).token.clone();
    assert_ne!(first, second);
    table.says(1, r#"{"type":"ping"}"#);
    table.forget();
    let after = table.client(1).seq;
    for (token, after) in [
        (first.as_str(), after),
        (first.as_str(), 0),
        ("", after),
        ("token of nobody", after),
        (&second[1..], after),
        (second.as_str(), after + 1),
        (second.as_str(), u64::MAX),
    ] {
        let before = table.refused.len();
        table.resume_with(token, after);
        assert_eq!(refusals(&table), before + 1, "{token} after {after}");
    }
    for member in 1..=3 {
        assert_eq!(table.types_heard(member), [""; 0], "nobody notices");
    }
    table.resume_with(&second, after);
    assert_eq!(table.types_heard(1), ["bye", "resumed"]);
}

#[test]
fn a_second_connection_takes_over_and_the_others_notice_nothing() {
    let mut table = Table::of(3);
    chat(&mut table, 2, "hello");
    table.forget();
    table.resume(1);
    assert_eq!(table.types_heard(1), ["bye", "resumed"]);
    assert_eq!(
        table.heard(1)[0],
        ServerMessage::Bye {
            reason: Reason::Replaced
        }
    );
    assert_eq!(table.types_heard(2), [""; 0]);
    chat(&mut table, 2, "again");
    assert_eq!(table.types_heard(1), ["bye", "resumed", "chat"]);
}

#[test]
fn an_answer_that_was_lost_is_asked_for_again() {
    for is_first_noticed in [false, true] {
        let mut table = Table::of(2);
        let (token, after) = (table.client(1).token.clone(), table.client(1).seq);
        chat(&mut table, 2, "missed");
        for _ in 0..3 {
            table.forget();
            if is_first_noticed {
                table.lose(1, 0);
            }
            // It knows no more than at first.
            table.clients.get_mut(&id(1)).unwrap().seq = after;
            table.resume_with(&token, after);
            assert_eq!(table.types_heard(1).last().unwrap(), "chat");
        }
        assert_eq!(refusals(&table), 0);
    }
}

/// Somebody has the token that brought the present WebSocket.
#[test]
fn a_stolen_old_token_ends_nobody() {
    let spoke = |table: &mut Table| table.says(1, r#"{"type":"ping"}"#);
    let answered_a_ping = |table: &mut Table| table.feed(RoomInput::Alive { member: id(1) });
    for sign_of_life in [spoke, answered_a_ping] {
        let mut table = Table::of(2);
        let stolen = table.client(1).token.clone();
        table.lose(1, 0);
        table.resume(1);
        sign_of_life(&mut table);
        table.forget();
        for after in [table.client(1).seq, 0] {
            table.resume_with(&stolen, after);
        }
        assert_eq!(refusals(&table), 2);
        assert_eq!(
            (table.types_heard(1), table.types_heard(2)),
            (vec![], vec![])
        );
        table.lose(1, 0);
        table.resume_with(&stolen, table.client(1).seq);
        assert_eq!(refusals(&table), 3);
        table.resume(1);
        assert_eq!(seen(&table, 2, 1).presence, Presence::Here);
    }
}

/// The one moment in which the old token is good, and a place in the log that is not.
#[test]
fn a_former_token_with_nothing_to_go_on_from_ends_nobody_who_is_here() {
    let mut table = Table::of(2);
    let stolen = table.client(1).token.clone();
    chat(&mut table, 2, "acknowledged by coming back");
    table.resume(1);
    table.forget();
    table.resume_with(&stolen, 0);
    assert_eq!(refusals(&table), 1);
    assert_eq!(
        (table.types_heard(1), table.types_heard(2)),
        (vec![], vec![])
    );
}

#[test]
fn a_log_that_does_not_reach_back_ends_the_member_at_once() {
    for is_lost in [true, false] {
        let mut table = Table::new(limited(Limits {
            resume_log_bytes: 3_000,
            ..Limits::default()
        }));
        (1..=2).for_each(|member| table.join(member));
        let (token, after) = (table.client(1).token.clone(), table.client(1).seq);
        if is_lost {
            table.lose(1, 0);
        }
        for line in 0..20 {
            chat(&mut table, 2, &format!("line {line}"));
            table.pass(1);
        }
        table.resume_with(&token, after);
        assert_eq!(refusals(&table), 1);
        assert_eq!(
            table.last(2),
            json!({"type": "left", "member": id(1), "reason": "lost"})
        );
        let expected = if is_lost {
            None
        } else {
            Some(Reason::Replaced)
        };
        assert_eq!(table.client(1).closed, expected);
    }
}

#[test]
fn what_a_ping_acknowledges_is_not_kept() {
    let mut table = Table::of(2);
    for line in 0..20 {
        chat(&mut table, 2, &format!("line {line}"));
    }
    let (token, after) = (table.client(1).token.clone(), table.client(1).seq);
    table.says(1, &json!({"type": "ping", "after": after + 1}).to_string());
    table.says(1, &json!({"type": "ping", "after": after}).to_string());
    table.resume_with(&token, after - 1);
    assert_eq!(refusals(&table), 1);
    assert_eq!(table.last(2)["type"], "left");
}

#[test]
fn a_room_of_reconnecting_members_waits_for_them() {
    let mut table = Table::of(2);
    (1..=2).for_each(|member| table.lose(member, 0));
    table.pass(59);
    assert!(!table.room.is_over(table.now));
    table.resume(2);
    table.pass(1);
    assert_eq!(table.room.members(), 1);
    table.lose(2, 0);
    table.pass(60);
    assert_eq!(table.room.members(), 0);
    table.pass(5);
    assert!(table.room.is_over(table.now));
}

#[test]
fn a_room_that_closes_ends_those_who_reconnect_too() {
    let mut table = Table::of(2);
    table.lose(1, 0);
    table.forget();
    table.feed(RoomInput::Close {
        reason: Reason::RoomClosed,
    });
    assert_eq!(
        (table.types_heard(1), table.types_heard(2)),
        (vec![], vec!["bye".to_owned()])
    );
    let closed = |member| MediaOrder::ClosePeer { member: id(member) };
    assert_eq!(table.orders, [closed(1), closed(2)]);
    table.resume(1);
    assert_eq!(
        (
            refusals(&table),
            table.room.poll_timeout().map(|(_, why)| why)
        ),
        (1, Some("the room is empty"))
    );
}

//! Many members, or few who say as much as many: what the others, and the node, have to bear.

use std::time::Duration;

use super::harness::Table;
use crate::ids::MemberId;
use crate::logic::room::{MediaOrder, RoomEffect, RoomInput};
use crate::protocol::client::ClientFrame;
use crate::protocol::reason::ErrorCode;

const MS: Duration = Duration::from_millis(1);
/// A quarter of what may wait for one client.
const SHARE_BYTES: usize = 64 * 1024;

fn description(table: &Table, to: u64, bytes: usize) -> String {
    let (to, epoch) = (MemberId(to), table.room.topology.epoch());
    let sdp = "x".repeat(bytes);
    format!(
        r#"{{"type":"signal","to":"{to}","epoch":{epoch},"description":{{"type":"offer","sdp":"{sdp}"}}}}"#
    )
}

/// Says it again and again; how often it was not refused, until it is for the first time.
fn times(table: &mut Table, member: u64, text: impl Fn(usize) -> String) -> usize {
    let refusals = |table: &Table| {
        let heard = table.types_heard(member);
        heard.iter().filter(|kind| *kind == "error").count()
    };
    let before = refusals(table);
    for time in 0..1_000 {
        table.says(member, &text(time));
        if refusals(table) > before {
            assert_eq!(table.refusal(member), Some(ErrorCode::TooFast));
            return time;
        }
    }
    1_000
}

#[test]
fn nobody_holds_more_than_a_quarter_of_what_waits_for_another() {
    let mut table = Table::of(3);
    let large = description(&table, 2, 40_000);
    assert_eq!(times(&mut table, 1, |_| large.clone()), 1);
    assert_eq!(
        times(&mut table, 3, |_| large.clone()),
        1,
        "a share of their own"
    );
    assert_eq!(table.types_heard(2), ["signal", "signal"]);
    let after = table.client(2).seq;
    table.says(2, &format!(r#"{{"type":"ping","after":{after}}}"#));
    assert_eq!(times(&mut table, 1, |_| large.clone()), 1, "they have it");
    table.pass(15);
    assert_eq!(
        times(&mut table, 1, |_| large.clone()),
        1,
        "they must have it"
    );
}

#[test]
fn nobody_fills_the_log_of_one_who_is_away() {
    let mut table = Table::of(3);
    table.lose(2, 0);
    let large = description(&table, 2, 20_000);
    let mut sent = 0;
    for _ in 0..5 {
        for sender in [1, 3] {
            sent += times(&mut table, sender, |_| large.clone());
            table.says(sender, r#"{"type":"ping"}"#);
        }
        table.pass(10);
    }
    assert_eq!(sent, 2 * (SHARE_BYTES / 20_500));
    table.resume(2);
    assert!(table.refused.is_empty(), "nothing was forgotten");
    let heard = table.types_heard(2);
    assert_eq!(heard.iter().filter(|kind| *kind == "signal").count(), sent);
}

#[test]
fn a_storm_of_candidates_to_one_member_is_refused() {
    let mut table = Table::of(3);
    let small = description(&table, 2, 1);
    assert_eq!(times(&mut table, 1, |_| small.clone()), 64);
    let other = description(&table, 3, 1);
    assert_eq!(
        times(&mut table, 1, |_| other.clone()),
        64,
        "a bucket for each"
    );
    table.pass(1);
    assert_eq!(times(&mut table, 1, |_| small.clone()), 10);
}

#[test]
fn whatever_one_says_in_a_storm_little_of_it_reaches_the_others() {
    let long = "\u{2603}".repeat(4_000);
    let stream = "s".repeat(250);
    type Saying<'a> = Box<dyn Fn(usize) -> String + 'a>;
    let even = |time: usize| time.is_multiple_of(2);
    let storms: Vec<(&str, Saying<'_>, usize)> = vec![
        (
            "chat",
            Box::new(|_| r#"{"type":"chat","text":"x"}"#.into()),
            10,
        ),
        (
            "long chat",
            Box::new(|_| format!(r#"{{"type":"chat","text":"{long}"}}"#)),
            5,
        ),
        (
            "react",
            Box::new(|_| r#"{"type":"react","reaction":"heart"}"#.into()),
            5,
        ),
        (
            "hand",
            Box::new(|time| format!(r#"{{"type":"hand","raised":{}}}"#, even(time))),
            20,
        ),
        (
            "publish",
            Box::new(|time| match even(time) {
                true => format!(r#"{{"type":"publish","source":"screen","stream":"{stream}"}}"#),
                false => r#"{"type":"unpublish","source":"screen"}"#.into(),
            }),
            20,
        ),
        (
            "mute",
            Box::new(|time| {
                format!(
                    r#"{{"type":"mute","source":"camera","muted":{}}}"#,
                    even(time)
                )
            }),
            20,
        ),
        (
            "unreachable",
            Box::new(|time| {
                let cause = if even(time) { "ice" } else { "dtls" };
                format!(r#"{{"type":"unreachable","cause":"{cause}"}}"#)
            }),
            60,
        ),
        (
            "view",
            Box::new(|_| r#"{"type":"view","wants":[]}"#.into()),
            20,
        ),
    ];
    for (what, saying, burst) in storms {
        let mut table = Table::of(3);
        table.says(1, r#"{"type":"publish","source":"camera"}"#);
        table.pass(5);
        table.forget();
        assert_eq!(times(&mut table, 1, &saying), burst, "{what}");
        assert!(table.heard(2).len() <= burst, "{what}");
        let bytes: usize = table
            .heard(2)
            .iter()
            .map(|message| serde_json::to_string(message).unwrap().len())
            .sum();
        assert!(bytes <= SHARE_BYTES, "{what}: {bytes}");
        assert!(table.room.has(MemberId(1)), "eager fingers are no fault");
    }
}

#[test]
fn a_room_has_a_share_of_its_own() {
    let mut table = Table::of(100);
    table.pass(1);
    let mut lines = 0;
    for member in 1..=100 {
        lines += times(&mut table, member, |_| {
            r#"{"type":"chat","text":"x"}"#.into()
        });
    }
    assert_eq!(lines, 2 * 10_000 / 100, "each is heard by a hundred");
    table.pass(1);
    assert_eq!(
        times(&mut table, 1, |_| r#"{"type":"chat","text":"x"}"#.into()),
        2
    );
}

#[test]
fn a_crowd_hears_of_newcomers_together() {
    let mut table = Table::of(30);
    table.pass(1);
    table.forget();
    let mut hearings = 0;
    for member in 31..=130 {
        let before = table.heard(1).len();
        table.join(member);
        table.pass_for(5 * MS);
        hearings += usize::from(table.heard(1).len() > before);
    }
    assert!(hearings <= 6, "once in a tenth of a second: {hearings}");
    table.says(130, r#"{"type":"chat","text":"here I am"}"#);
    let heard = table.types_heard(1);
    let came = heard.iter().filter(|kind| *kind == "member").count();
    assert_eq!(came, 100, "before anything else is heard of them");
    assert_eq!(heard.last().unwrap(), "chat");
}

#[test]
fn what_many_hear_is_one_effect() {
    let mut table = Table::of(99);
    table.pass(1);
    let frame = ClientFrame::parse(r#"{"type":"chat","text":"x"}"#).unwrap();
    let mut out = Vec::new();
    let said = RoomInput::Said {
        member: MemberId(7),
        frame,
    };
    table.room.handle(table.now, said, &mut out);
    let [RoomEffect::Tell { event, to }] = out.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!(to.len(), 99);
    // Here, and in the log of each.
    assert_eq!(std::sync::Arc::strong_count(event), 1 + 99);
}

#[test]
fn seats_are_planned_for_those_only_whom_a_change_concerns() {
    let mut table = Table::of_publishers(40, 4);
    let other = MemberId(5);
    for viewer in 1..=40 {
        let want = if viewer == 40 { other } else { MemberId(40) };
        let view = format!(
            r#"{{"type":"view","wants":[{{"member":"{want}","feed":"camera","maxHeight":360}}]}}"#
        );
        table.says(viewer, &view);
    }
    table.pass(1);
    table.forget();
    for source in ["camera", "microphone"] {
        table.says(5, &format!(r#"{{"type":"unpublish","source":"{source}"}}"#));
    }
    table.pass(1);
    let seated = table.orders.iter().filter_map(|order| match order {
        MediaOrder::Seat { viewer, .. } => Some(*viewer),
        _ => None,
    });
    assert_eq!(seated.collect::<Vec<_>>(), [MemberId(40)]);
    assert_eq!(table.types_heard(40).last().unwrap(), "seats");
}

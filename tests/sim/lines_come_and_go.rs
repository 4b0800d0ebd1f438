//! M-lines that are stopped and recycled: what stood behind them is gone, and nobody else notices.

use std::collections::BTreeSet;
use std::time::Duration;

use motet::logic::limits::Limits;
use motet::protocol::client::{ClientMessage, Source};
use motet::protocol::reason::ErrorCode;
use motet::protocol::server::ServerMessage;

use crate::connection::Connection;
use crate::description::sections;
use crate::direct::{Direct, Offer};
use crate::media::read_opus;

/// As many offers as anybody likes to make.
fn generous() -> Limits {
    Limits {
        offers_burst: 10_000,
        ..limits()
    }
}

fn limits() -> Limits {
    Limits::default()
}

#[test]
fn a_viewer_that_recycles_its_seats_a_thousand_times_has_no_more_legs_than_seats() {
    let mut direct = Direct::new(generous());
    direct.enter(1, true, 1);
    direct.enter(2, true, 1);
    direct.enter(3, false, 3);
    let legs = direct.legs();
    assert_eq!(legs, 2 + 2 + 6);
    let mut given = BTreeSet::new();
    let mut offer = direct.clients[&3].offer.clone();
    for round in 0..500 {
        // A line must be left, or there is nothing to answer.
        (0..4).for_each(|line| offer.stop(line));
        direct.offer(3, &offer.text(), false).unwrap();
        assert_eq!(direct.legs(), 2 + 2 + 2);
        (0..4).for_each(|line| offer.recycle(line, &format!("{round}-{line}")));
        let answer = direct.offer(3, &offer.text(), false).unwrap();
        assert_eq!(direct.legs(), legs);
        let sections = sections(&answer);
        let ssrcs = sections[..4].iter();
        for ssrc in ssrcs.flat_map(|section| [section.ssrc, section.rtx_ssrc]) {
            assert!(ssrc.is_none_or(|ssrc| given.insert(ssrc)), "{ssrc:?} again");
        }
        bystanders_notice_nothing(&mut direct);
    }
    let viewers = direct.viewers();
    assert_eq!(viewers.iter().max(), Some(&2), "{viewers:?}");
    let before = direct.counters().packets_out;
    direct.speak(1);
    assert_eq!(direct.counters().packets_out - before, 2);
    assert!(direct.clients.values().all(|client| client.is_up));
}

/// One sound each way, and a sign of life.
fn bystanders_notice_nothing(direct: &mut Direct) {
    for (from, to) in [(1, 2), (2, 1)] {
        direct.received(to);
        direct.speak(from);
        let heard = direct.received(to);
        let stamps: Vec<_> = heard
            .iter()
            .filter_map(|it| read_opus(&it.payload))
            .collect();
        assert_eq!(
            stamps
                .iter()
                .map(|stamp| stamp.publisher)
                .collect::<Vec<_>>(),
            [from]
        );
        let pong = direct.say(to, ClientMessage::Ping { after: None });
        assert!(matches!(pong[..], [ServerMessage::Pong { .. }]), "{pong:?}");
    }
    direct.pass(Duration::from_millis(20));
}

#[test]
fn a_flood_of_offers_is_too_fast_and_disturbs_nobody() {
    let mut direct = Direct::new(limits());
    direct.enter(1, true, 1);
    direct.enter(2, true, 1);
    direct.enter(3, false, 3);
    let offer = direct.clients[&3].offer.text();
    direct.pass(Duration::from_secs(1));
    let mut answered = 0;
    for _ in 0..1_000 {
        match direct.offer(3, &offer, false) {
            Ok(_) => answered += 1,
            Err(code) => assert_eq!(code, ErrorCode::TooFast),
        }
    }
    assert_eq!(answered, 20);
    assert_eq!(direct.counters().offers_too_fast, 980);
    bystanders_notice_nothing(&mut direct);
    let offer = direct.clients[&2].offer.text();
    assert!(direct.offer(2, &offer, false).is_ok(), "each has their own");
    direct.pass(Duration::from_secs(1));
    let offer = direct.clients[&3].offer.text();
    assert!(direct.offer(3, &offer, false).is_ok());
    assert!(direct.clients[&3].is_up);
}

#[test]
fn nobody_sits_on_a_seat_that_was_stopped() {
    let mut direct = Direct::new(limits());
    for who in 1..=3 {
        direct.enter(who, true, 0);
    }
    direct.enter(4, false, 3);
    let mut offer = direct.clients[&4].offer.clone();
    let plan = |direct: &mut Direct, offer: &Offer| {
        let epoch = 1;
        let sdp = offer.text();
        let heard = direct.say(
            4,
            ClientMessage::Offer {
                sdp,
                epoch,
                fresh: false,
            },
        );
        let plan = heard.iter().rev().find_map(|message| match message {
            ServerMessage::Seats { seats } => Some(seats.clone()),
            _ => None,
        });
        plan.unwrap()
            .iter()
            .map(Option::is_some)
            .collect::<Vec<_>>()
    };
    offer.stop(2);
    assert_eq!(
        plan(&mut direct, &offer),
        [true; 3],
        "sound or picture is enough"
    );
    offer.stop(3);
    assert_eq!(plan(&mut direct, &offer), [true, false, true]);
    offer.stop(4);
    offer.stop(5);
    assert_eq!(plan(&mut direct, &offer), [true]);
    offer.recycle(3, "again");
    assert_eq!(plan(&mut direct, &offer), [true; 2]);
    assert_eq!(direct.legs(), 3);
}

#[test]
fn a_recycled_line_to_send_on_is_another_track() {
    let mut direct = Direct::new(limits());
    direct.enter(1, true, 0);
    direct.enter(2, false, 1);
    direct.film_a_key(1);
    assert!(!direct.received(2).is_empty());

    let mut offer = direct.clients[&1].offer.clone();
    let microphone = offer.clone();
    offer.stop(1);
    direct.offer(1, &offer.text(), false).unwrap();
    assert_eq!(direct.viewers().len(), 1, "the camera is gone");
    // Where the picture was, there is sound now.
    offer.put(1, &microphone, 0);
    offer.replace(1, "a=ssrc:1000 ", "a=ssrc:1005 ");
    offer.replace(1, "a=mid:0", "a=mid:7");
    direct.offer(1, &offer.text(), false).unwrap();
    direct.publish(1, Source::ScreenAudio, "7");

    let before = direct.counters().dropped.unbound;
    direct.film_a_key(1);
    assert_eq!(
        direct.counters().dropped.unbound - before,
        3,
        "nobody knows the SSRC any more"
    );
    assert!(direct.received(2).is_empty());
    direct.speak(1);
    assert_eq!(direct.received(2).len(), 1, "the other line goes on");
}

#[test]
fn more_lines_to_send_on_than_a_member_can_use_are_refused() {
    let mut direct = Direct::new(limits());
    direct.join(1, true, 7);
    let mut offer = direct.clients[&1].offer.clone();
    for line in 2..8 {
        offer.replace(line, "a=recvonly", "a=sendonly");
    }
    assert!(direct.offer(1, &offer.text(), true).is_ok());
    offer.replace(8, "a=recvonly", "a=sendonly");
    assert_eq!(
        direct.offer(1, &offer.text(), true),
        Err(ErrorCode::BadOffer)
    );
    offer.stop(2);
    assert!(direct.offer(1, &offer.text(), true).is_ok());
}

#[test]
fn who_renegotiates_does_not_wake_a_muted_camera() {
    let mut direct = Direct::new(limits());
    direct.enter(1, true, 0);
    direct.enter(2, false, 1);
    direct.film_a_key(1);
    let mute = ClientMessage::Mute {
        source: Source::Camera,
        muted: true,
    };
    direct.agree(1, mute);
    let before = direct.counters().key_frame_requests_out;
    for _ in 0..3 {
        let offer = direct.clients[&2].offer.text();
        direct.offer(2, &offer, false).unwrap();
        direct.pass(Duration::from_secs(2));
        direct.film(1);
    }
    assert_eq!(direct.counters().key_frame_requests_out, before);
}

#[test]
fn tiny_packets_are_held_to_a_number_of_them() {
    let mut direct = Direct::new(limits());
    direct.enter(1, true, 0);
    direct.enter(2, false, 1);
    direct.speak(1);
    direct.received(2);
    let before = direct.counters();
    for _ in 0..100 {
        (0..100).for_each(|_| direct.speak(1));
        direct.pass(Duration::from_millis(10));
    }
    let after = direct.counters();
    let forwarded = direct.received(2).len();
    let dropped = after.dropped.too_many - before.dropped.too_many;
    assert!(
        (4_000..=4_500).contains(&forwarded),
        "{forwarded} of 10,000 in a second"
    );
    assert!(dropped >= 10_000 - 4_500, "{dropped}");
    direct.pass(Duration::from_secs(1));
    direct.speak(1);
    assert_eq!(direct.received(2).len(), 1);
}

/// A sound that the viewer asks for again and again is no way around it.
#[test]
fn requests_are_held_to_the_same_number() {
    let mut direct = Direct::new(limits());
    direct.enter(1, true, 0);
    direct.enter(2, false, 1);
    direct.film_a_key(1);
    let ssrc = direct.received(2)[0].header.ssrc;
    let now = direct.now;
    for _ in 0..5_000 {
        direct.client(2).peer.request_key_frame(now, ssrc);
    }
    direct.pass(Duration::ZERO);
    let counters = direct.counters();
    assert!(counters.key_frame_requests_in <= 1_500);
    assert!(counters.dropped.too_many >= 3_500);
}

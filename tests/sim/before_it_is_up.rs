//! A connection that is not up yet: nothing is spent on it, and it makes nobody work.

use std::time::Duration;

use motet::logic::limits::Limits;

use crate::direct::Direct;
use crate::media::Vp8;

/// Between two pictures.
const PICTURE: Duration = Duration::from_millis(66);

#[test]
fn viewers_that_never_connect_cost_no_key_frame() {
    let mut direct = Direct::new(Limits::default());
    direct.enter(1, true, 0);
    direct.film_a_key(1);
    let before = direct.counters().key_frame_requests_out;
    for who in 2..12 {
        direct.join(who, false, 1);
        direct.offer_first(who);
        for _ in 0..8 {
            direct.film(1);
            direct.pass(PICTURE);
        }
    }
    assert_eq!(direct.counters().key_frame_requests_out, before);
    assert_eq!(direct.clients[&1].asked, 0);
    let viewers = direct.viewers();
    assert_eq!(viewers.iter().sum::<u64>(), 0, "{viewers:?}");
}

#[test]
fn a_key_frame_that_came_during_the_handshake_is_shown_when_it_ends() {
    let mut direct = Direct::new(Limits::default());
    direct.enter(1, true, 0);
    direct.film_a_key(1);
    for newcomer in 2..6 {
        direct.join(newcomer, false, 1);
        let answer = direct.offer_first(newcomer);
        // Somebody else needed one.
        direct.film_a_key(1);
        for _ in 0..3 {
            direct.pass(PICTURE);
            direct.film(1);
        }
        let before = direct.counters().key_frame_requests_out;
        direct.accept(newcomer, &answer);
        direct.pass(Duration::ZERO);
        let received = direct.received(newcomer);
        let pictures: Vec<Vp8> = received
            .iter()
            .filter_map(|it| Vp8::read(&it.payload))
            .collect();
        assert!(pictures[0].stamp.key, "it begins with the key frame");
        let frames: Vec<u32> = pictures.iter().map(|picture| picture.stamp.frame).collect();
        let distinct = frames.last().unwrap() - frames[0] + 1;
        assert_eq!(distinct, 4, "and goes on to the newest: {frames:?}");
        assert_eq!(direct.counters().key_frame_requests_out, before);
        direct.film(1);
        assert!(!direct.received(newcomer).is_empty());
    }
    assert_eq!(direct.clients[&1].asked, 0, "no newcomer cost one");
}

#[test]
fn where_no_key_frame_is_fresh_one_is_asked_for_when_it_is_up() {
    let mut direct = Direct::new(Limits::default());
    direct.enter(1, true, 0);
    direct.film_a_key(1);
    direct.pass(Duration::from_secs(1));
    direct.film(1);
    direct.join(2, false, 1);
    let answer = direct.offer_first(2);
    direct.pass(Duration::from_millis(100));
    assert_eq!(direct.clients[&1].asked, 0);
    direct.accept(2, &answer);
    direct.pass(Duration::ZERO);
    assert_eq!(direct.clients[&1].asked, 1);
    direct.film_a_key(1);
    assert!(!direct.received(2).is_empty());
}

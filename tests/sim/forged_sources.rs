//! Members who send from where they are not: nobody is cut off, and nobody gets a stream that is not theirs.

use std::net::SocketAddr;
use std::time::Duration;

use motet::logic::limits::Limits;
use motet::media::ice::{ALLOWANCE_MAX, ALLOWANCE_PER_SECOND};

use crate::direct::Direct;

/// Between two pictures.
const PICTURE: Duration = Duration::from_millis(66);
/// More than a check of the node's and its answer.
const STUN: usize = 300;

fn victim() -> SocketAddr {
    "192.0.2.7:53".parse().unwrap()
}

/// One sends, two and three watch.
fn call() -> Direct {
    let mut direct = Direct::new(Limits::default());
    direct.enter(1, true, 0);
    direct.enter(2, false, 1);
    direct.enter(3, false, 1);
    direct.film_a_key(1);
    direct
}

#[test]
fn a_check_from_anothers_source_does_not_cut_them_off() {
    let mut direct = call();
    let at = direct.clients[&1].address;
    for _ in 0..20 {
        let check = direct.clients[&2].peer.check_datagram().unwrap();
        direct.forge(at, &check);
        direct.received(3);
        direct.speak(1);
        assert_eq!(direct.received(3).len(), 1);
        direct.pass(Duration::from_secs(3));
    }
    // Those checks are long forgotten, and took nothing with them.
    for _ in 0..40 {
        direct.pass(Duration::from_secs(1));
        direct.speak(1);
        assert_eq!(direct.received(3).len(), 1);
    }
}

#[test]
fn a_forged_nomination_moves_no_stream() {
    let mut direct = call();
    let mut sent = 0;
    for second in 0..30 {
        let check = direct.clients[&2].peer.check_datagram().unwrap();
        direct.forge(victim(), &check);
        for _ in 0..150 {
            direct.film(1);
            sent += 1;
        }
        direct.pass(Duration::from_secs(1));
        let astray = direct.astray[&victim()];
        let may = ALLOWANCE_MAX + second * ALLOWANCE_PER_SECOND + (second + 1) * STUN;
        assert!(astray <= may + 2_000, "{astray} bytes after {second} s");
    }
    let received = direct.received(2).len();
    assert!(
        received > sent,
        "{received} packets of {sent} pictures reach who watches"
    );
}

#[test]
fn who_moves_to_another_address_loses_nothing() {
    let mut direct = call();
    for host in 100..110 {
        let old = direct.clients[&2].address;
        let now = direct.now;
        let client = direct.client(2);
        client.address = SocketAddr::from(([10, 0, 1, host], 1234));
        client.peer.check_again(now);
        direct.pass(Duration::ZERO);
        direct.received(2);
        for _ in 0..300 {
            direct.film(1);
        }
        assert!(direct.received(2).len() >= 300);
        assert_eq!(direct.astray.get(&old), None);
        direct.pass(PICTURE);
        direct.pass(Duration::from_secs(1));
    }
}

/// Not every client answers the checks of a lite agent: the handshake shows as well where it is.
#[test]
fn who_answers_no_checks_is_served_where_it_shook_hands() {
    let mut direct = call();
    direct.join(4, false, 1);
    direct.client(4).peer.is_deaf = true;
    let answer = direct.offer_first(4);
    direct.accept(4, &answer);
    direct.pass(Duration::from_millis(500));
    direct.film_a_key(1);
    for _ in 0..2_000 {
        direct.film(1);
    }
    let bytes: usize = direct.received(4).iter().map(|it| it.payload.len()).sum();
    assert!(bytes > 2 * ALLOWANCE_MAX, "{bytes}");
}

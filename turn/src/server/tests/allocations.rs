//! Allocate and Refresh: what is asked and what comes of it.

use super::harness::*;
use crate::server::{ClientSocket, Command, Family};
use crate::stun::{self, Message};
use crate::words::{self, ALLOCATE_REQUEST, REFRESH_REQUEST};

fn attribute(kind: u16, value: &[u8]) -> Attribute {
    (kind, value.to_vec())
}

fn even(bits: u8) -> Attribute {
    attribute(words::EVEN_PORT, &[bits])
}

fn family(number: u8) -> Attribute {
    attribute(words::REQUESTED_ADDRESS_FAMILY, &[number, 0, 0, 0])
}

fn also(number: u8) -> Attribute {
    attribute(words::ADDITIONAL_ADDRESS_FAMILY, &[number, 0, 0, 0])
}

fn token(value: &[u8]) -> Attribute {
    attribute(words::RESERVATION_TOKEN, value)
}

#[test]
fn what_an_allocate_gets() {
    let tcp = attribute(words::REQUESTED_TRANSPORT, &[6, 0, 0, 0]);
    for (what, attributes, expected) in [
        ("plain", vec![udp()], 0),
        ("no transport", vec![], 400),
        (
            "a short transport",
            vec![attribute(words::REQUESTED_TRANSPORT, &[17])],
            400,
        ),
        ("TCP", vec![tcp], 442),
        ("IPv4", vec![udp(), family(1)], 0),
        ("IPv6", vec![udp(), family(2)], 0),
        ("a family of its own", vec![udp(), family(3)], 440),
        (
            "a short family",
            vec![udp(), attribute(words::REQUESTED_ADDRESS_FAMILY, &[1])],
            400,
        ),
        ("both", vec![udp(), also(2)], 0),
        ("IPv4 in addition", vec![udp(), also(1)], 400),
        ("one and both", vec![udp(), family(1), also(2)], 400),
        ("even", vec![udp(), even(0)], 0),
        ("even and the next", vec![udp(), even(0x80)], 0),
        (
            "even and the next, both",
            vec![udp(), even(0x80), also(2)],
            400,
        ),
        (
            "even, malformed",
            vec![udp(), attribute(words::EVEN_PORT, &[0, 0])],
            400,
        ),
        ("an unknown token", vec![udp(), token(b"whatever")], 508),
        ("a short token", vec![udp(), token(b"what")], 400),
        (
            "a token and even",
            vec![udp(), token(b"whatever"), even(0)],
            400,
        ),
        (
            "a token and a family",
            vec![udp(), token(b"whatever"), family(1)],
            400,
        ),
        (
            "a token and both",
            vec![udp(), token(b"whatever"), also(2)],
            400,
        ),
        (
            "do not fragment",
            vec![udp(), attribute(words::DONT_FRAGMENT, &[])],
            420,
        ),
        ("a lifetime", vec![udp(), lifetime(1_200)], 0),
        (
            "a short lifetime",
            vec![udp(), attribute(words::LIFETIME, &[1])],
            400,
        ),
        (
            "what may be ignored",
            vec![udp(), attribute(0x8022, b"software")],
            0,
        ),
    ] {
        let mut world = World::new(config());
        let code = world.ask(client(1), "ann", ALLOCATE_REQUEST, &attributes);
        assert_eq!(code, expected, "{what}");
        assert_eq!(
            world.server.allocation_count(),
            usize::from(expected == 0),
            "{what}"
        );
    }
}

#[test]
fn what_is_not_understood_is_named() {
    let mut world = World::new(config());
    let strange = [
        udp(),
        attribute(0x7000, b""),
        attribute(words::DONT_FRAGMENT, b""),
    ];
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &strange), 420);
    let answer = world.answer().unwrap();
    let unknown = Message::parse(&answer)
        .unwrap()
        .attribute(stun::UNKNOWN_ATTRIBUTES);
    assert_eq!(unknown, Some(&[0x70, 0, 0, 0x1A][..]));
}

#[test]
fn an_answer_says_all_and_is_signed() {
    let mut world = World::new(config());
    let request = world.request(client(1), "ann", ALLOCATE_REQUEST, &[udp()]);
    world.send(client(1), &request);
    let Command::OpenRelay { port, family, .. } = world.out[0] else {
        panic!("{:?}", world.out);
    };
    assert_eq!((family, world.out.len()), (Family::V4, 2));
    assert_eq!(
        world.relays(),
        [(config().relay_ipv4.unwrap(), port.0).into()]
    );
    let answer = world.answer().unwrap();
    let message = Message::parse(&answer).unwrap();
    assert_eq!(
        message.attribute(words::LIFETIME),
        Some(&600u32.to_be_bytes()[..])
    );
    assert!(message.attribute(stun::XOR_MAPPED_ADDRESS).is_some());
    let username = format!("{}:ann", UNIX + 3_600);
    let password = crate::credentials::password_of(SECRET, username.as_bytes());
    let md5 = crate::credentials::Algorithm::Md5;
    let key =
        crate::credentials::long_term_key(md5, username.as_bytes(), REALM, password.as_bytes());
    assert!(message.integrity_fits(&key));
    assert!(answer.len() * 10 <= request.len() * 16);
}

#[test]
fn a_retransmission_gets_the_same_answer_and_another_request_437() {
    let mut world = World::new(config());
    let request = world.request(client(1), "ann", ALLOCATE_REQUEST, &[udp(), even(0x80)]);
    world.send(client(1), &request);
    let first = world.answer().unwrap();
    world.pass(3);
    world.send(client(1), &request);
    assert_eq!(world.out.len(), 1, "no second socket is opened");
    assert_eq!(world.answer().unwrap(), first);
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 437);
    assert_eq!(world.server.allocation_count(), 1);
}

/// Another member behind the same 5-tuple does not get an answer that was signed for the first.
#[test]
fn a_retransmission_is_of_the_same_member() {
    let mut world = World::new(config());
    let nonce = world.nonce(client(1));
    let mut allocate = |member: &str| {
        let request = signed(
            member,
            UNIX + 600,
            &nonce,
            ALLOCATE_REQUEST,
            &[udp()],
            b"transaction1",
        );
        world.send(client(1), &request);
        code(&world.answer().unwrap())
    };
    assert_eq!(
        [allocate("ann"), allocate("bob"), allocate("ann")],
        [0, 437, 0]
    );
}

/// Over an unreliable path every request may come twice, and in between the first answer is on its way.
#[test]
fn every_request_may_come_twice() {
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    let bind = [channel(0x4000), peer("8.8.8.8:1")];
    for (kind, attributes) in [
        (words::CREATE_PERMISSION_REQUEST, &bind[1..]),
        (words::CHANNEL_BIND_REQUEST, &bind[..]),
        (REFRESH_REQUEST, &[lifetime(900)][..]),
        (words::CREATE_PERMISSION_REQUEST, &[peer("10.0.0.1:1")][..]),
        (REFRESH_REQUEST, &[lifetime(0)][..]),
    ] {
        let request = world.request(client(1), "ann", kind, attributes);
        world.send(client(1), &request);
        let entries = world.server.table_entries();
        let first = world.answer().unwrap();
        world.pass(1);
        world.send(client(1), &request);
        assert_eq!(world.answer().unwrap(), first, "{kind:#x}");
        assert_eq!(world.server.table_entries(), entries, "{kind:#x}");
    }
}

#[test]
fn an_end_is_confirmed_twice() {
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    let request = world.request(client(1), "ann", REFRESH_REQUEST, &[lifetime(0)]);
    world.send(client(1), &request);
    assert_eq!(
        world.out.len(),
        3,
        "two sockets are closed: {:?}",
        world.out
    );
    let first = world.answer().unwrap();
    assert_eq!((code(&first), world.server.allocation_count()), (0, 0));
    world.send(client(1), &request);
    assert_eq!(world.answer().unwrap(), first);
    assert_eq!(
        world.ask(client(1), "ann", REFRESH_REQUEST, &[lifetime(0)]),
        437
    );
}

/// The embedder may be late with the wake-up: what is over is over all the same.
#[test]
fn a_late_wake_up_prolongs_nothing() {
    let mut world = World::new(config());
    let late = std::time::Duration::from_secs(600);
    let (port, _) = world.allocated(client(1), "ann");
    let reserve = [udp(), even(0x80)];
    assert_eq!(world.ask(client(2), "ann", ALLOCATE_REQUEST, &reserve), 0);
    let answer = world.answer_kept().unwrap();
    let value = Message::parse(&answer)
        .unwrap()
        .attribute(words::RESERVATION_TOKEN);
    let theirs = [udp(), token(value.unwrap())];
    world.now += late / 2;
    world.ask(
        client(1),
        "ann",
        words::CREATE_PERMISSION_REQUEST,
        &[peer("8.8.8.8:1")],
    );
    let send = indication(&[peer("8.8.8.8:1"), (words::DATA, b"hello".to_vec())]);
    world.now += late / 2 - std::time::Duration::from_secs(1);
    assert!(world.send(client(1), &send).is_some());
    assert!(world.arrive(port, "8.8.8.8:1", b"hello").is_some());
    world.ask(
        client(1),
        "ann",
        words::CREATE_PERMISSION_REQUEST,
        &[peer("8.8.8.8:1")],
    );
    world.now += std::time::Duration::from_secs(1);
    assert_eq!(world.send(client(1), &send), None);
    assert_eq!(world.arrive(port, "8.8.8.8:1", b"hello"), None);
    assert_eq!(world.ask(client(1), "ann", REFRESH_REQUEST, &[]), 437);
    assert_eq!(world.ask(client(3), "ann", ALLOCATE_REQUEST, &theirs), 508);
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 0);
}

#[test]
fn ends_are_remembered_within_bounds() {
    let mut world = World::new(config());
    let before = world.server.table_entries();
    for _ in 0..1_100 {
        assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 0);
        assert_eq!(
            world.ask(client(1), "ann", REFRESH_REQUEST, &[lifetime(0)]),
            0
        );
        world.pass(1);
    }
    let challenged = 1;
    assert_eq!(world.server.table_entries(), before + challenged + 1_024);
}

#[test]
fn lifetimes_are_kept_within_bounds() {
    for (wished, granted) in [
        (None, 600),
        (Some(1), 600),
        (Some(900), 900),
        (Some(99_999), 3_600),
    ] {
        for kind in [ALLOCATE_REQUEST, REFRESH_REQUEST] {
            let mut world = World::new(config());
            if kind == REFRESH_REQUEST {
                world.allocated(client(1), "ann");
            }
            let wish = wished.map(lifetime);
            let attributes = [udp()].into_iter().filter(|_| kind == ALLOCATE_REQUEST);
            let attributes: Vec<_> = attributes.chain(wish).collect();
            assert_eq!(world.ask(client(1), "ann", kind, &attributes), 0);
            let answer = world.answer().unwrap();
            let found = Message::parse(&answer).unwrap().attribute(words::LIFETIME);
            assert_eq!(found, Some(&u32::to_be_bytes(granted)[..]), "{wished:?}");
            world.pass(u64::from(granted) - 1);
            assert_eq!(world.server.allocation_count(), 1);
            world.pass(1);
            assert_eq!(world.server.allocation_count(), 0);
            assert!(matches!(world.out[0], Command::CloseRelay { .. }));
        }
    }
}

#[test]
fn an_allocation_outlives_its_credentials_by_ten_minutes_at_most() {
    let mut world = World::new(config());
    let nonce = world.nonce(client(1));
    let wish = [udp(), lifetime(3_600)];
    let request = signed(
        "ann",
        UNIX + 100,
        &nonce,
        ALLOCATE_REQUEST,
        &wish,
        b"transaction1",
    );
    world.send(client(1), &request);
    assert_eq!(code(&world.answer().unwrap()), 0);
    world.pass(699);
    assert_eq!(world.server.allocation_count(), 1);
    world.pass(1);
    assert_eq!(world.server.allocation_count(), 0);
}

#[test]
fn without_an_allocation_or_with_another_ones_name() {
    let mut world = World::new(config());
    for kind in [
        REFRESH_REQUEST,
        words::CREATE_PERMISSION_REQUEST,
        words::CHANNEL_BIND_REQUEST,
    ] {
        let attributes = [peer("8.8.8.8:1"), channel(0x4000)];
        let attributes = match kind {
            REFRESH_REQUEST => &[][..],
            words::CREATE_PERMISSION_REQUEST => &attributes[..1],
            _ => &attributes[..],
        };
        assert_eq!(world.ask(client(1), "ann", kind, attributes), 437);
        world.allocated(client(1), "ann");
        assert_eq!(world.ask(client(1), "bob", kind, attributes), 441);
        assert_eq!(world.ask(client(1), "ann", kind, attributes), 0);
        world.ask(client(1), "ann", REFRESH_REQUEST, &[lifetime(0)]);
    }
    world.allocated(client(1), "ann");
    assert_eq!(
        world.ask(client(1), "ann", REFRESH_REQUEST, &[family(2)]),
        0
    );
    world.ask(client(2), "ann", ALLOCATE_REQUEST, &[udp()]);
    assert_eq!(
        world.ask(client(2), "ann", REFRESH_REQUEST, &[family(2)]),
        443
    );
}

#[test]
fn the_port_after_an_even_one_is_kept_for_the_token() {
    let mut world = World::new(config());
    assert_eq!(
        world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp(), even(0x80)]),
        0
    );
    let first = world.relays()[0].port();
    assert_eq!(first % 2, 0);
    let answer = world.answer().unwrap();
    let value = Message::parse(&answer)
        .unwrap()
        .attribute(words::RESERVATION_TOKEN);
    let token = token(value.unwrap());
    let theirs = [udp(), token.clone()];
    assert_eq!(world.ask(client(2), "bob", ALLOCATE_REQUEST, &theirs), 508);
    assert_eq!(world.ask(client(2), "ann", ALLOCATE_REQUEST, &theirs), 0);
    assert_eq!(world.relays()[0].port(), first + 1);
    assert_eq!(world.ask(client(3), "ann", ALLOCATE_REQUEST, &theirs), 508);
}

#[test]
fn a_reservation_ends() {
    let mut config = config();
    config.relay_ports = 50_000..=50_001;
    let mut world = World::new(config);
    assert_eq!(
        world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp(), even(0x80)]),
        0
    );
    assert_eq!(world.ask(client(2), "ann", ALLOCATE_REQUEST, &[udp()]), 508);
    world.pass(29);
    assert_eq!(world.ask(client(2), "ann", ALLOCATE_REQUEST, &[udp()]), 508);
    world.pass(1);
    assert_eq!(world.ask(client(2), "ann", ALLOCATE_REQUEST, &[udp()]), 0);
}

#[test]
fn one_family_of_two_is_enough() {
    let mut without_v6 = config();
    without_v6.relay_ipv6 = None;
    let mut world = World::new(without_v6);
    assert_eq!(
        world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp(), family(2)]),
        440
    );
    assert_eq!(
        world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp(), also(2)]),
        0
    );
    let answer = world.answer().unwrap();
    let missing = Message::parse(&answer)
        .unwrap()
        .attribute(words::ADDRESS_ERROR_CODE);
    assert_eq!(missing, Some(&[2, 0, 4, 40][..]));
    let mut without_any = config();
    (without_any.relay_ipv4, without_any.relay_ipv6) = (None, None);
    let mut world = World::new(without_any);
    assert_eq!(
        world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp(), also(2)]),
        440
    );
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 440);
}

#[test]
fn who_names_no_family_gets_ipv6_where_there_is_nothing_else() {
    let mut only_v6 = config();
    only_v6.relay_ipv4 = None;
    let mut world = World::new(only_v6);
    let ask = |world: &mut World, number, attributes: &[_]| {
        let code = world.ask(client(number), "ann", ALLOCATE_REQUEST, attributes);
        let answer = world.answer();
        let relayed = answer.as_deref().and_then(|answer| {
            let message = Message::parse(answer).unwrap();
            message
                .attribute(words::XOR_RELAYED_ADDRESS)
                .map(|address| address[1])
        });
        (code, relayed)
    };
    assert_eq!(ask(&mut world, 1, &[udp()]), (0, Some(2)));
    assert_eq!(ask(&mut world, 2, &[udp(), family(1)]), (440, None));
    // IPv4 and IPv6 were asked for.
    assert_eq!(ask(&mut world, 3, &[udp(), also(2)]), (0, Some(2)));
    let mut world = World::new(config());
    assert_eq!(ask(&mut world, 1, &[udp()]), (0, Some(1)));
}

#[test]
fn ceilings_are_told_apart() {
    let mut config = config();
    config.quota.member.allocations = 2;
    config.quota.source.allocations = 3;
    // A source never has more than it leaves free: one less, and the third of a source would be refused.
    config.quota.total.allocations = 6;
    let mut world = World::new(config);
    let mut from = |host: u16, port: u16, member: &str| {
        let mut client = client(host);
        client.remote.set_port(port);
        world.ask(client, member, ALLOCATE_REQUEST, &[udp()])
    };
    assert_eq!(
        [from(1, 1, "a"), from(2, 1, "a"), from(3, 1, "a")],
        [0, 0, 486]
    );
    assert_eq!(
        [from(1, 2, "b"), from(1, 3, "b"), from(1, 4, "c")],
        [0, 0, 486]
    );
    assert_eq!(
        [from(4, 1, "d"), from(5, 1, "e"), from(6, 1, "f")],
        [0, 0, 508]
    );
    let again = ClientSocket {
        remote: "192.0.2.2:1".parse().unwrap(),
        ..client(2)
    };
    assert_eq!(world.ask(again, "a", REFRESH_REQUEST, &[lifetime(0)]), 0);
    assert_eq!(world.ask(again, "a", ALLOCATE_REQUEST, &[udp()]), 0);
}

#[test]
fn a_port_that_cannot_be_opened_is_replaced() {
    let mut config = config();
    config.relay_ports = 50_000..=50_001;
    let mut world = World::new(config);
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 0);
    let first = world.relays()[0].port();
    world.out.clear();
    let now = world.now;
    let port = crate::RelayPort(first);
    world
        .server
        .relay_failed(now, port, Family::V4, &mut world.out);
    let second = world.relays()[0].port();
    assert_eq!(first ^ second, 1);
    let port = crate::RelayPort(second);
    world
        .server
        .relay_failed(now, port, Family::V4, &mut world.out);
    assert_eq!(code(&world.answer().unwrap()), 508);
    assert_eq!(world.server.allocation_count(), 0);
    world.pass(60);
    assert_eq!(world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp()]), 0);
}

/// An even port, or the one after it, was promised: any other would be a lie.
#[test]
fn a_promised_port_is_not_replaced() {
    let mut world = World::new(config());
    let now = world.now;
    for bits in [0, 0x80] {
        assert_eq!(
            world.ask(client(1), "ann", ALLOCATE_REQUEST, &[udp(), even(bits)]),
            0
        );
        let port = crate::RelayPort(world.relays()[0].port());
        world
            .server
            .relay_failed(now, port, Family::V4, &mut world.out);
        assert_eq!(code(&world.answer().unwrap()), 508);
    }
    assert_eq!(world.server.allocation_count(), 0);
}

#[test]
fn a_stream_that_ends_takes_its_allocation_along() {
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    world.out.clear();
    world.server.handle_client_gone(client(1), &mut world.out);
    assert_eq!((world.server.allocation_count(), world.out.len()), (0, 2));
    assert_eq!(world.server.poll_timeout(), None);
}

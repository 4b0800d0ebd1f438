//! Payloads on their way.

use super::harness::*;
use crate::channel_data;
use crate::server::{ClientSocket, Frame, Route, Transport};
use crate::stun::Message;
use crate::words::{self, CHANNEL_BIND_REQUEST, CREATE_PERMISSION_REQUEST};
use crate::xor_address;

const PEER: &str = "8.8.8.8:99";

fn channel_message(number: u16, payload: &[u8]) -> Vec<u8> {
    let header = channel_data::header(number, payload.len()).unwrap();
    [&header[..], payload].concat()
}

fn framed(frame: Frame, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![];
    frame.write(payload, &mut bytes);
    bytes
}

#[test]
fn channels_carry_both_ways_for_ten_minutes() {
    let mut world = World::new(config());
    let (port, _) = world.allocated(client(1), "ann");
    let bind = [channel(0x4001), peer(PEER)];
    assert_eq!(world.ask(client(1), "ann", CHANNEL_BIND_REQUEST, &bind), 0);
    let message = channel_message(0x4001, b"hello");
    let Some(Route::Peer {
        relay,
        peer: to,
        payload,
    }) = world.send(client(1), &message)
    else {
        panic!("no route");
    };
    assert_eq!((relay.0, to.0), (port, PEER.parse().unwrap()));
    assert_eq!(&message[payload.range()], b"hello");
    let Some(Route::Client { to, frame }) = world.arrive(port, PEER, b"answer") else {
        panic!("no route");
    };
    assert_eq!(
        (to, framed(frame, b"answer")),
        (client(1), channel_message(0x4001, b"answer"))
    );
    assert_eq!(
        world.send(client(1), &channel_message(0x4002, b"hello")),
        None
    );
    assert_eq!(world.send(client(2), &message), None, "another client");
    assert_eq!(
        world.arrive(port, "8.8.4.4:99", b"answer"),
        None,
        "another peer"
    );
    assert_eq!(
        world.arrive(port ^ 1, PEER, b"answer"),
        None,
        "another port"
    );

    // The permission lasts five minutes, the channel ten.
    world.ask(client(1), "ann", words::REFRESH_REQUEST, &[lifetime(3_600)]);
    world.pass(299);
    assert!(world.send(client(1), &message).is_some());
    world.pass(1);
    assert_eq!(world.send(client(1), &message), None);
    assert_eq!(world.arrive(port, PEER, b"answer"), None);
    world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &[peer(PEER)]);
    world.pass(299);
    assert!(world.send(client(1), &message).is_some());
    world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &[peer(PEER)]);
    world.pass(1);
    assert_eq!(world.send(client(1), &message), None, "the channel is over");
    let route = world.arrive(port, PEER, b"answer");
    assert!(matches!(route, Some(Route::Client { frame, .. }) if frame.head().len() == 36));
}

/// No length is cut to fit its field: what is longer than a message can say is dropped.
#[test]
fn what_is_longer_than_a_message_can_say_is_dropped() {
    let mut world = World::new(config());
    let (port, _) = world.allocated(client(1), "ann");
    world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &[peer(PEER)]);
    for (len, fits) in [
        (65_000, true),
        (65_516, true),
        (65_517, false),
        (65_535, false),
        (65_536, false),
        (70_000, false),
    ] {
        world.pass(10);
        let payload = vec![7; len];
        let route = world.arrive(port, PEER, &payload);
        assert_eq!(route.is_some(), fits, "{len}");
        if let Some(Route::Client { frame, .. }) = route {
            let bytes = framed(frame, &payload);
            let message = Message::parse(&bytes).unwrap();
            assert_eq!(message.attribute(words::DATA), Some(&payload[..]));
        }
    }
}

#[test]
fn indications_carry_both_ways_and_prolong_nothing() {
    let mut world = World::new(config());
    let (v4, v6) = world.allocated(client(1), "ann");
    for (port, text, head_len) in [(v4, PEER, 36), (v6, "[2a01::8]:9", 48)] {
        let send = indication(&[peer(text), (words::DATA, b"hello".to_vec())]);
        assert_eq!(world.send(client(1), &send), None, "no permission yet");
        assert_eq!(world.arrive(port, text, b"answer"), None);
        assert_eq!(
            world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &[peer(text)]),
            0
        );
        let Some(Route::Peer { relay, payload, .. }) = world.send(client(1), &send) else {
            panic!("no route");
        };
        assert_eq!((relay.0, &send[payload.range()]), (port, &b"hello"[..]));
        let Some(Route::Client { frame, .. }) = world.arrive(port, text, b"answer") else {
            panic!("no route");
        };
        assert_eq!(frame.head().len(), head_len);
        let bytes = framed(frame, b"answer");
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.kind(), words::DATA_INDICATION);
        assert_eq!(message.attribute(words::DATA), Some(&b"answer"[..]));
        let from = message.attribute(words::XOR_PEER_ADDRESS).unwrap();
        assert_eq!(
            xor_address::read(from, message.transaction()),
            Some(text.parse().unwrap())
        );
        world.pass(299);
        assert!(world.send(client(1), &send).is_some());
        assert!(world.arrive(port, text, b"answer").is_some());
        world.pass(1);
        assert_eq!(world.send(client(1), &send), None);
        assert_eq!(world.arrive(port, text, b"answer"), None);
        world.ask(client(1), "ann", words::REFRESH_REQUEST, &[]);
    }
}

#[test]
fn an_indication_that_is_not_whole_is_dropped() {
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &[peer(PEER)]);
    let data = (words::DATA, b"hello".to_vec());
    for attributes in [
        vec![peer(PEER)],
        vec![data.clone()],
        vec![peer(PEER), data.clone(), (words::DONT_FRAGMENT, vec![])],
        vec![peer("8.8.8.8:0"), data.clone()],
    ] {
        assert_eq!(
            world.send(client(1), &indication(&attributes)),
            None,
            "{attributes:?}"
        );
    }
    assert!(
        world
            .send(client(1), &indication(&[peer(PEER), data]))
            .is_some()
    );
}

#[test]
fn two_allocations_meet_in_memory() {
    let mut world = World::new(config());
    let (a, _) = world.allocated(client(1), "ann");
    let (b, _) = world.allocated(client(2), "bob");
    let (at_a, at_b) = (format!("203.0.114.1:{a}"), format!("203.0.114.1:{b}"));
    let bind = [channel(0x4001), peer(&at_b)];
    assert_eq!(world.ask(client(1), "ann", CHANNEL_BIND_REQUEST, &bind), 0);
    let message = channel_message(0x4001, b"hello");
    assert_eq!(
        world.send(client(1), &message),
        None,
        "bob has not let ann in"
    );
    let bind = [channel(0x4007), peer(&at_a)];
    assert_eq!(world.ask(client(2), "bob", CHANNEL_BIND_REQUEST, &bind), 0);
    let Some(Route::Relay { to, frame, payload }) = world.send(client(1), &message) else {
        panic!("no route");
    };
    assert_eq!(to, client(2));
    let arrived = framed(frame, &message[payload.range()]);
    assert_eq!(arrived, channel_message(0x4007, b"hello"));
    world.ask(client(2), "bob", words::REFRESH_REQUEST, &[lifetime(0)]);
    assert_eq!(world.send(client(1), &message), None, "bob is gone");
}

#[test]
fn the_node_answers_over_a_relay_in_memory() {
    let mut world = World::new(config());
    let (port, _) = world.allocated(client(1), "ann");
    let media = "203.0.114.1:7882";
    let bind = [channel(0x4001), peer(media)];
    assert_eq!(world.ask(client(1), "ann", CHANNEL_BIND_REQUEST, &bind), 0);
    let route = world.send(client(1), &channel_message(0x4001, b"hello"));
    assert!(matches!(route, Some(Route::Own { relay, .. }) if relay.port() == port));
    let Some(Route::Client { to, frame }) = world.arrive(port, media, b"answer") else {
        panic!("no route");
    };
    assert_eq!(
        (to, framed(frame, b"answer")),
        (client(1), channel_message(0x4001, b"answer"))
    );
}

#[test]
fn over_a_stream_every_frame_is_padded() {
    let mut world = World::new(config());
    let ann = ClientSocket {
        transport: Transport::Tcp,
        ..client(1)
    };
    let (port, _) = world.allocated(ann, "ann");
    world.ask(
        ann,
        "ann",
        CHANNEL_BIND_REQUEST,
        &[channel(0x4001), peer(PEER)],
    );
    let Some(Route::Client { frame, .. }) = world.arrive(port, PEER, b"hello") else {
        panic!("no route");
    };
    assert_eq!(framed(frame, b"hello"), b"\x40\x01\0\x05hello\0\0\0");
    let padded = b"\x40\x01\0\x05hello\0\0\0";
    let Some(Route::Peer { payload, .. }) = world.send(ann, padded) else {
        panic!("no route");
    };
    assert_eq!(&padded[payload.range()], b"hello");
}

#[test]
fn rates_are_kept() {
    let mut config = config();
    config.quota.member.bytes_per_second = 10_000;
    let mut world = World::new(config);
    let (port, _) = world.allocated(client(1), "ann");
    world.ask(
        client(1),
        "ann",
        CHANNEL_BIND_REQUEST,
        &[channel(0x4001), peer(PEER)],
    );
    let message = channel_message(0x4001, &[0; 1_000]);
    let there = (0..100)
        .filter(|_| world.send(client(1), &message).is_some())
        .count();
    assert_eq!(there, 10);
    assert_eq!(
        world.arrive(port, PEER, &[0; 1_000]),
        None,
        "both ways together"
    );
    world.pass(1);
    let back = (0..100).filter(|_| world.arrive(port, PEER, &[0; 1_000]).is_some());
    assert_eq!(back.count(), 10);
    assert_eq!(world.server.counters().bytes, 20_000);
}

//! A million requests from forged sources.

use std::net::{Ipv4Addr, SocketAddr};

use super::harness::*;
use crate::server::{ClientSocket, Command, Transport};
use crate::stun::{BINDING_REQUEST, Writer};
use crate::words::{self, ALLOCATE_REQUEST};

#[test]
fn a_million_forged_requests_leave_nothing_behind() {
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    let forged = signed(
        "eve",
        UNIX + 60,
        &[b'x'; 25],
        ALLOCATE_REQUEST,
        &[udp()],
        b"transaction!",
    );
    let mut bare = vec![];
    let mut writer = Writer::new(&mut bare, ALLOCATE_REQUEST, b"transaction!");
    writer.attribute(words::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
    let mut binding = vec![];
    Writer::new(&mut binding, BINDING_REQUEST, b"transaction!");
    let mut entries_max = 0;
    for number in 0..1_000_000u32 {
        let from = ClientSocket {
            local: 0,
            transport: Transport::Udp,
            remote: SocketAddr::from((Ipv4Addr::from(number.wrapping_mul(0x9E37_79B1)), 9)),
        };
        // Checking a signature costs more than anything else here: one in fifty has one.
        let request = match number % 50 {
            0 => &forged,
            odd if odd % 2 == 1 => &binding,
            _ => &bare,
        };
        world.out.clear();
        assert_eq!(world.send(from, request), None);
        let is_worth_nothing = match &world.out[..] {
            [] => true,
            [Command::Send { bytes, .. }] => bytes.len() * 10 <= request.len() * 16,
            _ => false,
        };
        assert!(is_worth_nothing, "{:?}", world.out);
        if number % 100_000 == 0 {
            entries_max = entries_max.max(world.server.table_entries());
        }
    }
    let entries = world.server.table_entries().max(entries_max);
    assert!(entries <= 8_192 + 16, "{entries} entries");
    assert_eq!(world.server.allocation_count(), 1);
    assert_eq!(
        world.ask(client(2), "bob", ALLOCATE_REQUEST, &[udp()]),
        0,
        "others are served"
    );
}

/// An answer to IPv6 is longer than 1.6 times a bare request; to IPv4 it is not.
#[test]
fn longer_answers_to_binding_are_few() {
    for (victim, answers) in [("[2a01::1]:9", 200), ("192.0.2.1:9", 1_000)] {
        let mut world = World::new(config());
        let mut binding = vec![];
        Writer::new(&mut binding, BINDING_REQUEST, b"transaction!");
        let from = ClientSocket {
            remote: victim.parse().unwrap(),
            ..client(1)
        };
        (0..1_000).for_each(|_| {
            world.send(from, &binding);
        });
        assert_eq!(world.out.len(), answers, "{victim}");
    }
}

#[test]
fn one_victim_gets_few_answers() {
    let mut world = World::new(config());
    let mut bare = vec![];
    Writer::new(&mut bare, ALLOCATE_REQUEST, b"transaction!");
    (0..100_000).for_each(|_| {
        world.send(client(1), &bare);
    });
    assert_eq!(world.out.len(), 200);
    assert_eq!(world.server.counters().unanswered, 99_800);
}

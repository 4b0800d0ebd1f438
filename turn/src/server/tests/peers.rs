//! Where no client gets to, however it writes the address.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::harness::*;
use crate::server::Route;
use crate::words::{self, CHANNEL_BIND_REQUEST, CREATE_PERMISSION_REQUEST};

/// IPv4 addresses that nobody may reach: ranges of the registries, first and last of some.
const FORBIDDEN_V4: [&str; 22] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.254",
    "198.18.0.1",
    "198.19.255.254",
    "198.51.100.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
];

const FORBIDDEN_V6: [&str; 14] = [
    "::",
    "::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "fc00::1",
    "fdff::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "3fff::1",
    "100::1",
    "5f00::1",
    "2001:2::1",
];

/// One address in every form that something on the way may unwrap.
fn forms(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let nat64_48 =
        u128::from(Ipv6Addr::new(0x64, 0xFF9B, 1, high, 0, 0, 0, 0)) | u128::from(low) << 40;
    vec![
        format!("{ip}:80"),
        format!("[::ffff:{ip}]:80"),
        format!("[::{high:x}:{low:x}]:80"),
        format!("[64:ff9b::{ip}]:80"),
        format!("[64:ff9b:1::{ip}]:80"),
        format!("[{}]:80", Ipv6Addr::from(nat64_48)),
        format!("[2002:{high:x}:{low:x}::1]:80"),
        format!("[2001:0:808:808::{:x}:{:x}]:80", !high, !low),
        format!("[2001:0:{high:x}:{low:x}::f7f7:f7f7]:80"),
        format!("[2a01::5efe:{ip}]:80"),
        format!("[2a01::200:5efe:{ip}]:80"),
    ]
}

fn forbidden() -> Vec<String> {
    let v4 = FORBIDDEN_V4
        .iter()
        .flat_map(|ip| forms(ip.parse().unwrap()));
    let v6 = FORBIDDEN_V6.iter().map(|ip| format!("[{ip}]:80"));
    // The node's listeners, at its addresses.
    let own = [
        "203.0.114.1:443",
        "[2a00::1]:443",
        "[64:ff9b::203.0.114.1]:443",
        "[2002:cb00:7201::1]:443",
    ];
    v4.chain(v6).chain(own.map(str::to_owned)).collect()
}

#[test]
fn every_form_of_a_forbidden_address_gets_403() {
    let all = forbidden();
    assert!(all.len() >= 120, "{}", all.len());
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    for (number, text) in all.iter().enumerate() {
        world.pass(1);
        let peers = [peer(text)];
        let bind = [channel(0x4000 + number as u16), peer(text)];
        let repeated = [peer("8.8.8.8:1"), peer(text), peer("9.9.9.9:1")];
        let ask =
            &mut |kind, attributes: &[Attribute]| world.ask(client(1), "ann", kind, attributes);
        assert_eq!(
            ask(CREATE_PERMISSION_REQUEST, &peers),
            403,
            "permission for {text}"
        );
        assert_eq!(ask(CHANNEL_BIND_REQUEST, &bind), 403, "channel to {text}");
        assert_eq!(
            ask(CREATE_PERMISSION_REQUEST, &repeated),
            403,
            "among others: {text}"
        );
        let bind = [channel(0x4000), peer("8.8.8.8:1"), peer(text)];
        assert_eq!(
            ask(CHANNEL_BIND_REQUEST, &bind),
            403,
            "second for a channel: {text}"
        );
        let send = indication(&[peer(text), (words::DATA, b"hello".to_vec())]);
        assert_eq!(world.send(client(1), &send), None, "Send to {text}");
    }
    // None of the refused requests left a permission, not even for the peers that were fine.
    let send = indication(&[peer("8.8.8.8:1"), (words::DATA, b"hello".to_vec())]);
    assert_eq!(world.send(client(1), &send), None);
}

/// A permission holds for an address with all its ports; each payload is judged once more.
#[test]
fn a_permission_for_the_node_reaches_its_media_port_alone() {
    let mut world = World::new(config());
    let (v4, _) = world.allocated(client(1), "ann");
    let media = "203.0.114.1:7882";
    assert_eq!(
        world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &[peer(media)]),
        0
    );
    let mut send = |text: &str| {
        let send = indication(&[peer(text), (words::DATA, b"hello".to_vec())]);
        world.send(client(1), &send)
    };
    let route = send(media);
    let Some(Route::Own {
        relay, media: to, ..
    }) = route
    else {
        panic!("{route:?}");
    };
    assert_eq!(relay, format!("203.0.114.1:{v4}").parse().unwrap());
    assert_eq!(to, media.parse().unwrap());
    for text in ["203.0.114.1:443", "203.0.114.1:22", "203.0.114.1:7881"] {
        assert_eq!(send(text), None, "{text}");
    }
    for text in ["203.0.114.1:22", "203.0.114.1:0"] {
        let bind = [channel(0x4000), peer(text)];
        assert_eq!(
            world.ask(client(1), "ann", CHANNEL_BIND_REQUEST, &bind),
            403,
            "{text}"
        );
    }
}

#[test]
fn a_server_that_moved_is_at_both_addresses_and_tells_the_new_one() {
    let mut world = World::new(config());
    let (before, _) = world.allocated(client(1), "ann");
    let (old, new) = ("203.0.114.1:7882", "203.0.115.2:7882");
    let relay = "203.0.115.2".parse().unwrap();
    world.server.add_own(&addresses(&[new]), &[relay]);
    world.allocated(client(2), "ben");
    let told: Vec<_> = world.relays().iter().map(|relay| relay.ip()).collect();
    assert_eq!(told, [relay, "2a00::1".parse().unwrap()]);
    for media in [old, new] {
        let allowed = world.ask(client(2), "ben", CREATE_PERMISSION_REQUEST, &[peer(media)]);
        assert_eq!(allowed, 0, "{media}");
        let send = indication(&[peer(media), (words::DATA, b"hello".to_vec())]);
        let route = world.send(client(2), &send);
        let at = media.parse().unwrap();
        assert!(
            matches!(route, Some(Route::Own { media, .. }) if media == at),
            "{route:?}"
        );
    }
    let ann = format!("203.0.114.1:{before}");
    let send = indication(&[peer(&ann), (words::DATA, b"hello".to_vec())]);
    assert_eq!(world.send(client(2), &send), None, "ann permitted nobody");
    assert_eq!(
        world.ask(
            client(2),
            "ben",
            CREATE_PERMISSION_REQUEST,
            &[peer("203.0.115.2:22")]
        ),
        0,
        "for its media and its relays"
    );
    let send = indication(&[peer("203.0.115.2:22"), (words::DATA, b"hello".to_vec())]);
    assert_eq!(
        world.send(client(2), &send),
        None,
        "nothing else of the node"
    );
}

#[test]
fn what_peers_an_allocation_can_have() {
    let mut world = World::new(config());
    world.ask(client(1), "ann", words::ALLOCATE_REQUEST, &[udp()]);
    let bad = (words::XOR_PEER_ADDRESS, vec![0, 1, 2]);
    let mut ask = |kind, attributes: &[Attribute]| world.ask(client(1), "ann", kind, attributes);
    for (peers, code) in [
        (vec![], 400),
        (vec![bad.clone()], 400),
        (vec![peer("8.8.8.8:1"), bad.clone()], 400),
        (vec![peer("[2a01::1]:1")], 443),
        (vec![peer("8.8.8.8:1"), peer("[2a01::1]:1")], 443),
        (vec![peer("8.8.8.8:0")], 0),
        (vec![peer("8.8.8.8:1"), peer("9.9.9.9:1")], 0),
    ] {
        assert_eq!(ask(CREATE_PERMISSION_REQUEST, &peers), code, "{peers:?}");
    }
    for (attributes, code) in [
        (vec![peer("8.8.8.8:1")], 400),
        (vec![channel(0x4000)], 400),
        (vec![channel(0x3FFF), peer("8.8.8.8:1")], 400),
        (vec![channel(0x5000), peer("8.8.8.8:1")], 400),
        (vec![channel(0x4000), peer("[2a01::1]:1")], 443),
        (vec![channel(0x4000), peer("8.8.8.8:1")], 0),
        (vec![channel(0x4000), peer("8.8.8.8:1")], 0),
        (vec![channel(0x4001), peer("8.8.8.8:1")], 400),
        (vec![channel(0x4000), peer("8.8.8.8:2")], 400),
        (vec![channel(0x4001), peer("8.8.8.8:2")], 0),
    ] {
        assert_eq!(
            ask(CHANNEL_BIND_REQUEST, &attributes),
            code,
            "{attributes:?}"
        );
    }
}

#[test]
fn older_clients_have_more_channels_if_the_embedder_says_so() {
    let mut older = config();
    older.channels = words::CHANNELS_RFC_5766;
    for (config, number, code) in [
        (config(), 0x5000, 400),
        (older.clone(), 0x5000, 0),
        (older.clone(), 0x7FFF, 0),
        (older.clone(), 0x8000, 400),
        (older, 0x3FFF, 400),
    ] {
        let mut world = World::new(config);
        world.allocated(client(1), "ann");
        let bind = [channel(number), peer("8.8.8.8:1")];
        assert_eq!(
            world.ask(client(1), "ann", CHANNEL_BIND_REQUEST, &bind),
            code,
            "{number:#x}"
        );
        let [high, low] = number.to_be_bytes();
        let route = world.send(client(1), &[high, low, 0, 1, 7]);
        assert_eq!(route.is_some(), code == 0, "{number:#x}");
    }
}

#[test]
fn permissions_and_channels_are_bounded() {
    let mut world = World::new(config());
    world.allocated(client(1), "ann");
    for host in 0..crate::server::CHANNELS_MAX as u16 {
        let bind = [channel(0x4000 + host), peer(&format!("8.8.8.{host}:1"))];
        assert_eq!(world.ask(client(1), "ann", CHANNEL_BIND_REQUEST, &bind), 0);
        world.pass(1);
    }
    let bind = [channel(0x4FFF), peer("8.8.9.9:1")];
    assert_eq!(
        world.ask(client(1), "ann", CHANNEL_BIND_REQUEST, &bind),
        508
    );
    let room = crate::server::PERMISSIONS_MAX - crate::server::CHANNELS_MAX;
    let peers: Vec<_> = (0..=room)
        .map(|host| peer(&format!("9.9.9.{host}:1")))
        .collect();
    assert_eq!(
        world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &peers),
        508
    );
    assert_eq!(
        world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &peers[1..]),
        0
    );
    assert_eq!(
        world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &peers[..1]),
        508
    );
    assert_eq!(
        world.ask(client(1), "ann", CREATE_PERMISSION_REQUEST, &peers[1..]),
        0
    );
    // A channel needs a permission too.
    world.allocated(client(2), "ann");
    let peers: Vec<_> = (0..crate::server::PERMISSIONS_MAX)
        .map(|host| peer(&format!("9.9.8.{host}:1")))
        .collect();
    assert_eq!(
        world.ask(client(2), "ann", CREATE_PERMISSION_REQUEST, &peers),
        0
    );
    let bind = |text: &str| [channel(0x4000), peer(text)];
    for (text, code) in [("9.9.7.1:1", 508), ("9.9.8.1:1", 0)] {
        assert_eq!(
            world.ask(client(2), "ann", CHANNEL_BIND_REQUEST, &bind(text)),
            code
        );
    }
}

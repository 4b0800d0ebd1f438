#![allow(clippy::unwrap_used)]

use super::*;

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A node at 203.0.114.1 and 2a00::1: media at 7882, HTTP at the wildcard's 443.
fn policy(allowed: &[&str]) -> Policy {
    let allowed: Vec<Cidr> = allowed.iter().map(|text| text.parse().unwrap()).collect();
    Policy::new(
        &addresses(&["203.0.114.1:7882", "10.0.0.5:7882", "[2a00::1]:7882"]),
        &addresses(&[
            "0.0.0.0:443",
            "[::]:443",
            "203.0.114.1:7882",
            "203.0.114.1:49200",
        ]),
        &["203.0.114.1".parse().unwrap(), "2a00::2".parse().unwrap()],
        &["203.0.114.1".parse().unwrap(), "2a00::1".parse().unwrap()],
        49_152..=50_000,
        &allowed,
    )
}

fn outside(allowed: &[&str], peer: &str) -> bool {
    policy(allowed).destination(peer.parse().unwrap()) == Some(Destination::Outside)
}

#[test]
fn global_unicast_and_nothing_else_by_default() {
    for (peer, reachable) in [
        ("8.8.8.8:1", true),
        ("8.8.8.8:0", false),
        ("172.15.0.1:1", true),
        ("172.16.0.1:1", false),
        ("100.63.0.1:1", true),
        ("100.64.0.1:1", false),
        ("192.0.1.1:1", true),
        ("192.0.0.1:1", false),
        ("198.17.0.1:1", true),
        ("223.255.255.255:1", true),
        ("224.0.0.1:1", false),
        ("[2a01::1]:1", true),
        ("[2001:200::1]:1", true),
        ("[2001:1ff::1]:1", false),
        ("[2001:db8::1]:1", false),
        ("[3fff:fff::1]:1", false),
        ("[3fff:1000::1]:1", true),
        ("[4000::1]:1", false),
        ("[fd00::1]:1", false),
        ("[fe80::1]:1", false),
        ("[::1]:1", false),
    ] {
        assert_eq!(outside(&[], peer), reachable, "{peer}");
    }
}

#[test]
fn a_list_allows_what_is_not_global() {
    for (allowed, peer, reachable) in [
        ("10.0.0.0/8", "10.9.9.9:1", true),
        ("10.0.0.0/8", "11.9.9.9:1", true),
        ("10.0.0.0/8", "192.168.0.1:1", false),
        ("127.0.0.0/8", "127.0.0.1:1", true),
        ("::1", "[::1]:1", true),
        ("fd00::/8", "[fd12::1]:1", true),
        // What no list allows.
        ("0.0.0.0/0", "0.0.0.0:1", false),
        ("0.0.0.0/0", "0.1.2.3:1", false),
        ("0.0.0.0/0", "224.0.0.1:1", false),
        ("0.0.0.0/0", "255.255.255.255:1", false),
        ("::/0", "[::]:1", false),
        ("::/0", "[ff02::1]:1", false),
    ] {
        assert_eq!(
            outside(&[allowed], peer),
            reachable,
            "{peer} with {allowed}"
        );
    }
}

/// Every form is in the list of the allowed, so that only what it carries can deny it.
#[test]
fn what_an_address_carries_is_judged_too() {
    for (form, peer) in [
        ("IPv4-mapped", "[::ffff:127.0.0.1]:1"),
        ("IPv4-compatible", "[::127.0.0.1]:1"),
        ("NAT64", "[64:ff9b::127.0.0.1]:1"),
        ("NAT64, local use", "[64:ff9b:1::127.0.0.1]:1"),
        (
            "NAT64, local use behind 48 bits",
            "[64:ff9b:1:7f00:0:100:808:808]:1",
        ),
        ("6to4", "[2002:7f00:1::1]:1"),
        ("Teredo, client", "[2001:0:808:808::80ff:fffe]:1"),
        ("Teredo, server", "[2001:0:7f00:1::f7f7:f7f7]:1"),
        ("ISATAP", "[2a01::5efe:127.0.0.1]:1"),
        ("ISATAP, unique", "[2a01::200:5efe:127.0.0.1]:1"),
    ] {
        assert!(!outside(&["::/0"], peer), "{form}");
        assert!(!policy(&["::/0"]).permits(peer.parse().unwrap()), "{form}");
    }
    for (form, peer) in [
        ("NAT64", "[64:ff9b::8.8.8.8]:1"),
        ("6to4", "[2002:808:808::1]:1"),
        ("Teredo", "[2001:0:808:808::f7f7:f7f7]:1"),
        ("ISATAP", "[2a01::5efe:8.8.8.8]:1"),
    ] {
        assert!(outside(&["::/0"], peer), "{form}");
    }
    for form in ["[::ffff:8.8.8.8]:1", "[::8.8.8.8]:1"] {
        assert!(!outside(&["::/0", "0.0.0.0/0"], form), "{form} is for IPv4");
    }
}

#[test]
fn of_the_node_itself_only_media_and_relays_are_reached() {
    let all = ["0.0.0.0/0", "::/0"];
    for (peer, by_default, with_all_allowed) in [
        (
            "203.0.114.1:7882",
            Some(Destination::Own),
            Some(Destination::Own),
        ),
        (
            "10.0.0.5:7882",
            Some(Destination::Own),
            Some(Destination::Own),
        ),
        (
            "203.0.114.1:49152",
            Some(Destination::Relay(49_152)),
            Some(Destination::Relay(49_152)),
        ),
        (
            "[2a00::1]:50000",
            Some(Destination::Relay(50_000)),
            Some(Destination::Relay(50_000)),
        ),
        ("203.0.114.1:22", None, Some(Destination::Outside)),
        ("[2a00::2]:22", None, Some(Destination::Outside)),
        ("10.0.0.5:22", None, Some(Destination::Outside)),
        // Listeners: not even with a list.
        ("203.0.114.1:443", None, None),
        ("203.0.114.1:49200", None, None),
        ("[2a00::2]:443", None, None),
        ("10.0.0.5:443", None, None),
        ("127.0.0.1:443", None, None),
        ("[::1]:443", None, None),
        ("[64:ff9b::203.0.114.1]:443", None, None),
        ("[2002:cb00:7201::1]:443", None, None),
        (
            "8.8.8.8:443",
            Some(Destination::Outside),
            Some(Destination::Outside),
        ),
    ] {
        let peer: SocketAddr = peer.parse().unwrap();
        assert_eq!(policy(&[]).destination(peer), by_default, "{peer}");
        assert_eq!(
            policy(&all).destination(peer),
            with_all_allowed,
            "{peer}, all allowed"
        );
    }
}

#[test]
fn a_permission_is_made_where_some_port_may_be_reached() {
    for (peer, permitted) in [
        ("203.0.114.1:7882", true),
        ("203.0.114.1:0", true),
        ("203.0.114.1:443", false),
        ("10.0.0.5:9", true),
        ("10.0.0.6:9", false),
        ("2.2.2.2:0", true),
        ("[2a00::1]:1", true),
        ("[2a00::2]:1", false),
    ] {
        assert_eq!(
            policy(&[]).permits(peer.parse().unwrap()),
            permitted,
            "{peer}"
        );
    }
}

/// For whoever sends without anybody having asked for a relay: a list, and nothing of the node.
#[test]
fn what_is_listed_is_judged_in_every_form() {
    let all = &["0.0.0.0/0", "::/0"][..];
    for (allowed, peer, listed) in [
        (&[][..], "8.8.8.8:5004", false),
        (&["8.8.8.0/24"], "8.8.8.8:5004", true),
        (&["8.8.8.0/24"], "8.8.8.8:0", false),
        (&["8.8.8.0/24"], "[::ffff:8.8.8.8]:5004", false),
        (&["127.0.0.1"], "127.0.0.1:5004", true),
        (&["127.0.0.1"], "127.0.0.1:443", false),
        (&["::/0"], "[64:ff9b::8.8.8.8]:5004", false),
        (&["::/0", "8.8.8.8"], "[64:ff9b::8.8.8.8]:5004", true),
        (&["::/0"], "[2002:7f00:1::1]:5004", false),
        (&["::/0"], "[2001:0:808:808::80ff:fffe]:5004", false),
        (&["::/0"], "[fd00::1]:5004", true),
        (all, "203.0.114.1:7882", false),
        (all, "203.0.114.1:49152", false),
        (all, "[2a00::2]:49152", false),
        (all, "203.0.114.1:22", true),
        (all, "[64:ff9b::203.0.114.1]:443", false),
        (all, "[64:ff9b::203.0.114.1]:7882", false),
        (all, "[2002:cb00:7201::1]:49152", false),
        (all, "224.0.0.1:5004", false),
        (all, "255.255.255.255:5004", false),
        (all, "0.0.0.0:5004", false),
        (all, "[ff02::1]:5004", false),
        (all, "[::]:5004", false),
    ] {
        let peer: SocketAddr = peer.parse().unwrap();
        assert_eq!(
            policy(allowed).lists(peer),
            listed,
            "{peer} with {allowed:?}"
        );
    }
}

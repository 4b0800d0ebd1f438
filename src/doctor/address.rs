//! Under which addresses browsers are told to reach the node, and whether they can.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Finding;

const CHECK: &str = "address";

/// What a STUN server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// As in the settings.
    pub server: String,
    /// From where it was asked.
    pub from: SocketAddr,
    /// From where it saw us, or why there is no answer.
    pub answer: Result<SocketAddr, String>,
}

/// Whether the node reaches itself by an address that is none of this machine's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hairpin {
    /// One that browsers are told.
    pub address: IpAddr,
    /// What was sent there came back in.
    pub is_reached: bool,
}

/// Addresses of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressFacts {
    /// What browsers would be told, best first.
    pub told: Vec<IpAddr>,
    /// From `--public-ip`.
    pub public: Vec<IpAddr>,
    /// Whether there is a way out by IPv4 or IPv6.
    pub has_route: bool,
    /// What STUN servers said, if there are any in the settings.
    pub asked: Vec<Asked>,
    /// For told addresses that are not this machine's.
    pub hairpin: Vec<Hairpin>,
    /// The UDP port of all media.
    pub media_port: u16,
}

/// What is told, whether it fits what STUN servers see, the NAT in between, and the way back in.
pub fn judge(facts: &AddressFacts) -> Vec<Finding> {
    let mut findings = vec![judge_told(facts)];
    if !facts.has_route {
        let text = "This machine has no default route: it is reached from its own network alone.";
        findings.push(Finding::warning(CHECK, text).mend("ip route"));
    }
    findings.extend(judge_silence(facts));
    findings.extend(judge_seen(facts));
    findings.extend(judge_nat(facts));
    findings.extend(facts.hairpin.iter().map(judge_hairpin));
    findings
}

fn judge_told(facts: &AddressFacts) -> Finding {
    let told = list(&facts.told);
    if facts.told.iter().any(|ip| !is_private(*ip)) {
        return Finding::ok(CHECK, format!("Browsers are told {told} for media."));
    }
    let reach = match facts.told.iter().all(IpAddr::is_loopback) {
        true => "only browsers on this machine reach it",
        false => "only browsers in its own network reach it",
    };
    let text = format!("Browsers are told {told} for media, which is private: {reach}.");
    let mend = match seen(facts) {
        Some(ip) => format!("motet --public-ip {ip}"),
        None => "motet --public-ip ADDRESS   (or --stun-server HOST:PORT)".to_owned(),
    };
    Finding::warning(CHECK, text).mend(mend)
}

/// Each server that told nothing to anyone.
fn judge_silence(facts: &AddressFacts) -> Vec<Finding> {
    let has_answered = |server: &str| {
        facts
            .asked
            .iter()
            .any(|one| one.server == server && one.answer.is_ok())
    };
    let mut named: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    for one in &facts.asked {
        let Err(why) = &one.answer else { continue };
        if has_answered(&one.server) || named.contains(&one.server.as_str()) {
            continue;
        }
        named.push(&one.server);
        let text = format!(
            "The STUN server {} does not say under which address this node is seen: {why}. The \
             node starts without it and asks again.",
            one.server
        );
        findings.push(Finding::warning(CHECK, text));
    }
    findings
}

/// A public address that was set by hand and is not the one that servers see.
fn judge_seen(facts: &AddressFacts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (server, _, mapped) in answers(facts) {
        let of_family = |ip: &&IpAddr| ip.is_ipv4() == mapped.is_ipv4();
        let mut set = facts.public.iter().filter(of_family).peekable();
        let Some(first) = set.peek().copied() else {
            continue;
        };
        if set.any(|ip| *ip == mapped.ip()) || is_private(mapped.ip()) {
            continue;
        }
        let text = format!(
            "Browsers are told {first}, but {server} sees this node at {}: one of them is wrong.",
            mapped.ip()
        );
        let finding =
            Finding::problem(CHECK, text).mend(format!("motet --public-ip {}", mapped.ip()));
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// What stands between the node and the servers, for each address that they were asked from.
fn judge_nat(facts: &AddressFacts) -> Option<Finding> {
    let all: Vec<_> = answers(facts).collect();
    let (_, from, mapped) = *all.first()?;
    if all.iter().all(|(_, from, mapped)| from.ip() == mapped.ip()) {
        let text = format!("There is no NAT in front of {}.", from.ip());
        return Some(Finding::ok(CHECK, text));
    }
    let port = facts.media_port;
    let behind = format!("{} is behind a NAT, seen as {}", from.ip(), mapped.ip());
    let others = all.iter().filter(|(_, other, _)| *other == from);
    let is_symmetric = others.clone().any(|(_, _, other)| *other != mapped);
    let keeps_port = others
        .clone()
        .all(|(_, from, mapped)| from.port() == mapped.port());
    let forward = format!("pass UDP {port} and the TCP port on to this machine there");
    Some(if is_symmetric {
        let text = format!(
            "{behind}, that uses another port for every destination: browsers reach the node \
             only if you {forward}."
        );
        Finding::warning(CHECK, text)
    } else if keeps_port {
        let text = format!("{behind}, that keeps its ports: 1:1, most likely. If not, {forward}.");
        Finding::ok(CHECK, text)
    } else {
        let text =
            format!("{behind}, that changes ports: browsers reach the node only if you {forward}.");
        Finding::warning(CHECK, text)
    })
}

fn judge_hairpin(hairpin: &Hairpin) -> Finding {
    let address = hairpin.address;
    if hairpin.is_reached {
        return Finding::ok(CHECK, format!("The node reaches itself by {address}."));
    }
    let text = format!(
        "The node does not reach itself by {address}: nor will browsers in its own network, unless \
         they are told a local address too. From elsewhere it may be reached all the same."
    );
    Finding::warning(CHECK, text).mend(format!(
        "motet --public-ip {address} --public-ip LOCAL-ADDRESS"
    ))
}

/// Server, from where it was asked, and what it saw.
fn answers(facts: &AddressFacts) -> impl Iterator<Item = (&str, SocketAddr, SocketAddr)> {
    facts.asked.iter().filter_map(|one| {
        let mapped = one.answer.as_ref().ok()?;
        Some((one.server.as_str(), one.from, *mapped))
    })
}

fn seen(facts: &AddressFacts) -> Option<IpAddr> {
    let mut seen = answers(facts).map(|(_, _, mapped)| mapped.ip());
    seen.find(|ip| !is_private(*ip))
}

/// Not reached from elsewhere. RFC 6598 addresses are a provider's own, between it and its customers.
fn is_private(ip: IpAddr) -> bool {
    let is_shared = |ip: Ipv4Addr| ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
    match ip {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared(ip)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
    }
}

fn list(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    match texts.is_empty() {
        true => "no address".to_owned(),
        false => texts.join(", "),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::doctor::tests::lines;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn facts(told: &[&str], public: &[&str], asked: &[(&str, &str, &str)]) -> AddressFacts {
        let asked = asked.iter().map(|(server, from, answer)| Asked {
            server: (*server).to_owned(),
            from: from.parse().unwrap(),
            answer: answer.parse().map_err(|_| (*answer).to_owned()),
        });
        AddressFacts {
            told: ips(told),
            public: ips(public),
            has_route: true,
            asked: asked.collect(),
            hairpin: vec![],
            media_port: 3478,
        }
    }

    #[test]
    fn private_addresses_alone_are_not_enough() {
        let told = |addresses: &[&str]| lines(&judge(&facts(addresses, &[], &[])))[0].clone();
        for addresses in [&["203.0.113.7"][..], &["10.0.0.5", "2001:db8::7"]] {
            assert!(told(addresses).starts_with("ok: "), "{addresses:?}");
        }
        for addresses in [
            "10.0.0.5",
            "192.168.1.5",
            "172.16.0.1",
            "100.64.0.1",
            "fd00::5",
        ] {
            let expected = format!(
                "warning: Browsers are told {addresses} for media, which is private: only browsers \
                 in its own network reach it. | motet --public-ip ADDRESS   (or --stun-server \
                 HOST:PORT)"
            );
            assert_eq!(told(&[addresses]), expected);
        }
        assert!(told(&["127.0.0.1"]).contains("only browsers on this machine"));
        assert!(told(&["100.128.0.1"]).starts_with("ok: "));
    }

    #[test]
    fn without_a_route_it_is_reached_from_near_alone() {
        let mut facts = facts(&["203.0.113.7"], &[], &[]);
        facts.has_route = false;
        let expected = "warning: This machine has no default route: it is reached from its own \
                        network alone. | ip route";
        assert_eq!(lines(&judge(&facts))[1..], [expected]);
    }

    #[test]
    fn a_silent_server_is_told_once_and_no_problem() {
        let (a, b) = ("10.0.0.5:1", "10.0.0.6:1");
        let found = lines(&judge(&facts(
            &["203.0.113.7"],
            &[],
            &[("stun:1", a, "no answer"), ("stun:1", b, "no answer")],
        )));
        assert_eq!(
            found[1..],
            [
                "warning: The STUN server stun:1 does not say under which address this node is seen: \
              no answer. The node starts without it and asks again."
            ]
        );
        let answered = [("stun:1", a, "10.0.0.5:1"), ("stun:1", b, "no answer")];
        let found = lines(&judge(&facts(&["203.0.113.7"], &[], &answered)));
        assert!(found.iter().all(|line| line.starts_with("ok")), "{found:?}");
    }

    #[test]
    fn a_wrong_public_address_is_a_problem() {
        let asked = [("s:1", "10.0.0.5:1", "203.0.113.8:1")];
        let expected = "problem: Browsers are told 203.0.113.7, but s:1 sees this node at \
                        203.0.113.8: one of them is wrong. | motet --public-ip 203.0.113.8";
        for (public, is_wrong) in [
            (&["203.0.113.7"][..], true),
            (&["203.0.113.7", "203.0.113.8"], false),
            (&["2001:db8::7"], false),
            (&[], false),
        ] {
            let found = lines(&judge(&facts(&["203.0.113.7"], public, &asked)));
            assert_eq!(
                found.contains(&expected.to_owned()),
                is_wrong,
                "{public:?} {found:?}"
            );
        }
    }

    #[test]
    fn which_nat_there_is() {
        let (from, twice) = ("10.0.0.5:3478", "one:1");
        for (first, second, expected) in [
            (
                "10.0.0.5:3478",
                "10.0.0.5:3478",
                "ok: There is no NAT in front of 10.0.0.5.",
            ),
            (
                "203.0.113.7:3478",
                "203.0.113.7:3478",
                "ok: 10.0.0.5 is behind a NAT, seen as 203.0.113.7, that keeps its ports",
            ),
            (
                "203.0.113.7:9",
                "203.0.113.7:9",
                "warning: 10.0.0.5 is behind a NAT, seen as 203.0.113.7, that changes ports",
            ),
            (
                "203.0.113.7:9",
                "203.0.113.7:10",
                "warning: 10.0.0.5 is behind a NAT, seen as 203.0.113.7, that uses another port \
                 for every destination",
            ),
        ] {
            let asked = [(twice, from, first), ("two:1", from, second)];
            let found = lines(&judge(&facts(&["203.0.113.7"], &[], &asked)));
            assert!(found[1].starts_with(expected), "{found:?}");
        }
    }

    #[test]
    fn an_address_seen_from_outside_is_what_to_set() {
        let found = lines(&judge(&facts(
            &["10.0.0.5"],
            &[],
            &[("s:1", "10.0.0.5:1", "203.0.113.7:1")],
        )));
        assert!(
            found[0].ends_with(" | motet --public-ip 203.0.113.7"),
            "{found:?}"
        );
    }

    #[test]
    fn the_way_back_in_is_told() {
        for (is_reached, expected) in [
            (true, "ok: The node reaches itself by 203.0.113.7."),
            (
                false,
                "warning: The node does not reach itself by 203.0.113.7: ",
            ),
        ] {
            let mut facts = facts(&["203.0.113.7"], &["203.0.113.7"], &[]);
            let address = ips(&["203.0.113.7"])[0];
            facts.hairpin = vec![Hairpin {
                address,
                is_reached,
            }];
            let found = lines(&judge(&facts));
            assert!(found[1].starts_with(expected), "{found:?}");
        }
    }
}

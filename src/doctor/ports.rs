//! Whether the node gets its ports.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use super::Finding;

const CHECK: &str = "ports";
/// Two for every relayed pair, and one is asked for again for a while after it was given back.
const RELAY_PORTS_MIN: usize = 100;

/// What became of asking for a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortState {
    /// It can be had.
    Free,
    /// Something has it that answers as a Motet node does: `/health` over TCP, STUN over UDP.
    Node,
    /// Something else has it.
    Taken,
    /// The port needs a privilege that this process does not have.
    NotPermitted,
    /// The address is none of this machine's.
    NoSuchAddress,
    /// Whatever else the system says.
    Refused(String),
}

/// One port on one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// As in the settings.
    pub address: SocketAddr,
    /// What became of it.
    pub state: PortState,
}

/// The ports that relays are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayPorts {
    /// As in the settings.
    pub range: RangeInclusive<u16>,
    /// How many cannot be had on some address.
    pub taken: usize,
}

/// All ports of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortFacts {
    /// For the page, the WebSocket and the API.
    pub http: Port,
    /// For the metrics, if they have one to themselves.
    pub metrics: Option<Port>,
    /// For media, on each address.
    pub media: Vec<Port>,
    /// For relays; nothing if there are none.
    pub relay: Option<RelayPorts>,
    /// The path of this program.
    pub program: String,
}

/// TCP, UDP and relay ports, each in a line, less what is the same twice.
pub fn judge(facts: &PortFacts) -> Vec<Finding> {
    let is_running = facts.http.state == PortState::Node;
    let mut findings = vec![judge_port(facts, ("TCP", "--http-listen"), &facts.http)];
    let metrics = facts.metrics.iter();
    findings.extend(metrics.map(|port| judge_port(facts, ("TCP", "--metrics-listen"), port)));
    findings.extend(judge_media(facts, is_running));
    findings.extend(
        facts
            .relay
            .iter()
            .map(|relay| judge_relay(relay, is_running)),
    );
    findings
}

fn judge_media(facts: &PortFacts, is_running: bool) -> Vec<Finding> {
    let setting = ("UDP", "--media-port");
    let is_fine = |port: &&Port| match port.state {
        PortState::Free => true,
        PortState::Node => is_running,
        _ => false,
    };
    let (fine, other): (Vec<&Port>, Vec<&Port>) = facts.media.iter().partition(is_fine);
    let mut findings: Vec<Finding> = other
        .into_iter()
        .map(|port| judge_port(facts, setting, port))
        .collect();
    if let Some(first) = fine.first() {
        let addresses: Vec<String> = fine.iter().map(|p| p.address.ip().to_string()).collect();
        let (port, addresses) = (first.address.port(), addresses.join(", "));
        let served = match (port, &first.state) {
            (0, _) => "UDP takes any free port".to_owned(),
            (_, PortState::Node) => format!("UDP {port} is served by a running node"),
            _ => format!("UDP {port} is free"),
        };
        findings.insert(0, Finding::ok(CHECK, format!("{served} on {addresses}.")));
    }
    findings
}

fn judge_port(facts: &PortFacts, (kind, setting): (&str, &str), port: &Port) -> Finding {
    let address = port.address;
    let who = format!(
        "ss -l{}np 'sport = :{}'",
        kind[..1].to_lowercase(),
        address.port()
    );
    match &port.state {
        PortState::Free => Finding::ok(CHECK, format!("{kind} {address} is free.")),
        PortState::Node if kind == "TCP" => {
            let text = format!("{kind} {address} is served by a running node.");
            Finding::ok(CHECK, text)
        }
        PortState::Node => {
            let text = format!(
                "{kind} {address} is used by a STUN or TURN server other than a node with these \
                 settings (coturn?): stop it, or choose another port with {setting}."
            );
            Finding::problem(CHECK, text).mend(who)
        }
        PortState::Taken => {
            let text = format!(
                "{kind} {address} is used by another program: stop it, or choose another port \
                 with {setting}."
            );
            Finding::problem(CHECK, text).mend(who)
        }
        PortState::NotPermitted => {
            let text = format!("{kind} {address} needs a privilege, as all ports below 1024 do.");
            let mend = format!("sudo setcap cap_net_bind_service=+ep {}", facts.program);
            Finding::problem(CHECK, text).mend(mend)
        }
        PortState::NoSuchAddress => {
            let text = format!("{kind} {address}: this machine has no such address.");
            Finding::problem(CHECK, text).mend("ip address")
        }
        PortState::Refused(why) => {
            Finding::problem(CHECK, format!("{kind} {address} cannot be had: {why}."))
        }
    }
}

fn judge_relay(relay: &RelayPorts, is_running: bool) -> Finding {
    let (first, last) = (relay.range.start(), relay.range.end());
    let (count, taken) = (relay.range.len(), relay.taken);
    let ports = format!("UDP {first}-{last} for relays");
    if taken == count && !is_running {
        let text = format!(
            "{ports}: every port is used by another program; choose others with --relay-ports."
        );
        return Finding::problem(CHECK, text)
            .mend(format!("ss -lunp 'sport >= :{first} and sport <= :{last}'"));
    }
    if count < RELAY_PORTS_MIN {
        let text = format!(
            "{ports}: {count} of them serve {count} relayed members at once; take a wider range \
             for more."
        );
        return Finding::warning(CHECK, text).mend("motet --relay-ports 50000-50999");
    }
    // A running node holds what its own relays use.
    if taken * 10 > count && !is_running {
        let text = format!(
            "{ports}: {taken} of {count} are used by another program; choose others with \
             --relay-ports."
        );
        return Finding::warning(CHECK, text)
            .mend(format!("ss -lunp 'sport >= :{first} and sport <= :{last}'"));
    }
    Finding::ok(CHECK, format!("{ports}: {} are free.", count - taken))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::doctor::tests::lines;

    fn port(address: &str, state: PortState) -> Port {
        let address = address.parse().unwrap();
        Port { address, state }
    }

    fn facts(http: PortState, media: &[(&str, PortState)], relay: (u16, usize)) -> PortFacts {
        let media = media.iter().map(|(at, state)| port(at, state.clone()));
        PortFacts {
            http: port("[::]:443", http),
            metrics: None,
            media: media.collect(),
            relay: Some(RelayPorts {
                range: 50_000..=50_000 + relay.0 - 1,
                taken: relay.1,
            }),
            program: "/usr/bin/motet".to_owned(),
        }
    }

    #[test]
    fn ports_that_can_be_had_or_are_the_nodes_own_are_fine() {
        let media = ["192.0.2.7:3478", "127.0.0.1:3478"];
        let all = |state: PortState| media.map(|at| (at, state.clone()));
        let free = facts(PortState::Free, &all(PortState::Free), (1000, 100));
        assert_eq!(
            lines(&judge(&free)),
            [
                "ok: TCP [::]:443 is free.",
                "ok: UDP 3478 is free on 192.0.2.7, 127.0.0.1.",
                "ok: UDP 50000-50999 for relays: 900 are free.",
            ]
        );
        let running = facts(PortState::Node, &all(PortState::Node), (1000, 1000));
        assert_eq!(
            lines(&judge(&running)),
            [
                "ok: TCP [::]:443 is served by a running node.",
                "ok: UDP 3478 is served by a running node on 192.0.2.7, 127.0.0.1.",
                "ok: UDP 50000-50999 for relays: 0 are free.",
            ]
        );
    }

    #[test]
    fn a_port_that_cannot_be_had_says_why_and_what_to_do() {
        for (state, expected) in [
            (
                PortState::Taken,
                "problem: TCP [::]:443 is used by another program: stop it, or choose another \
                 port with --http-listen. | ss -ltnp 'sport = :443'",
            ),
            (
                PortState::NotPermitted,
                "problem: TCP [::]:443 needs a privilege, as all ports below 1024 do. | \
                 sudo setcap cap_net_bind_service=+ep /usr/bin/motet",
            ),
            (
                PortState::NoSuchAddress,
                "problem: TCP [::]:443: this machine has no such address. | ip address",
            ),
            (
                PortState::Refused("too many files".to_owned()),
                "problem: TCP [::]:443 cannot be had: too many files.",
            ),
        ] {
            assert_eq!(lines(&judge(&facts(state, &[], (1000, 0))))[0], expected);
        }
    }

    #[test]
    fn one_taken_media_address_is_told_beside_the_others() {
        let media = [
            ("192.0.2.7:3478", PortState::Taken),
            ("[2001:db8::7]:3478", PortState::Free),
        ];
        let found = lines(&judge(&facts(PortState::Free, &media, (1000, 0))));
        assert_eq!(
            found[1..3],
            [
                "ok: UDP 3478 is free on 2001:db8::7.",
                "problem: UDP 192.0.2.7:3478 is used by another program: stop it, or choose \
                 another port with --media-port. | ss -lunp 'sport = :3478'",
            ]
        );
    }

    #[test]
    fn another_turn_server_is_not_taken_for_a_running_node() {
        let media = [("192.0.2.7:3478", PortState::Node)];
        for (http, is_problem) in [
            (PortState::Free, true),
            (PortState::Taken, true),
            (PortState::Node, false),
        ] {
            let found = lines(&judge(&facts(http.clone(), &media, (1000, 0))));
            assert_eq!(found[1].contains("(coturn?)"), is_problem, "{http:?}");
            assert_eq!(found[1].starts_with("problem"), is_problem, "{http:?}");
        }
    }

    #[test]
    fn relay_ports_have_to_be_many_and_free() {
        for (relay, expected) in [
            ((1000, 100), "ok: UDP 50000-50999"),
            ((1000, 101), "warning: UDP 50000-50999"),
            ((1000, 1000), "problem: UDP 50000-50999"),
            ((99, 0), "warning: UDP 50000-50098"),
            ((1, 1), "problem: UDP 50000-50000"),
        ] {
            let found = lines(&judge(&facts(PortState::Free, &[], relay)));
            assert!(found[1].starts_with(expected), "{relay:?} {found:?}");
        }
    }
}

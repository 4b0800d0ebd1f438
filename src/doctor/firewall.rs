//! Whether ufw, the usual firewall of small servers, lets in what the node needs.

use std::ops::RangeInclusive;

use super::Finding;

const CHECK: &str = "firewall";

/// A kind of packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Ports that have to be open.
pub type Ports = (Protocol, RangeInclusive<u16>);

/// What is let in: from anywhere, to any address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Nothing: both.
    pub protocol: Option<Protocol>,
    /// Which ports.
    pub ports: RangeInclusive<u16>,
}

/// ufw, where it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallFacts {
    /// What it lets in; nothing if this process may not read that.
    pub rules: Option<Vec<Rule>>,
    /// What the node needs.
    pub needed: Vec<Ports>,
}

/// A line for everything that is kept out.
pub fn judge(facts: &FirewallFacts) -> Vec<Finding> {
    let Some(rules) = &facts.rules else {
        let needed: Vec<String> = facts.needed.iter().map(words).collect();
        let text = format!(
            "ufw is on, and what it lets in can be read by root alone. It has to let in {}.",
            needed.join(", ")
        );
        return vec![Finding::warning(CHECK, text).mend("sudo ufw status")];
    };
    let kept_out = facts.needed.iter().filter(|ports| !is_let_in(rules, ports));
    let mut findings: Vec<Finding> = kept_out.map(judge_ports).collect();
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "ufw lets in what the node needs."));
    }
    findings
}

fn judge_ports(ports: &Ports) -> Finding {
    let (protocol, range) = ports;
    let name = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let mend = match range.len() {
        1 => format!("sudo ufw allow {}/{name}", range.start()),
        _ => format!("sudo ufw allow {}:{}/{name}", range.start(), range.end()),
    };
    Finding::problem(CHECK, format!("ufw keeps out {}.", words(ports))).mend(mend)
}

fn is_let_in(rules: &[Rule], (protocol, range): &Ports) -> bool {
    rules.iter().any(|rule| {
        let is_kind = rule.protocol.is_none_or(|kind| kind == *protocol);
        is_kind && rule.ports.contains(range.start()) && rule.ports.contains(range.end())
    })
}

fn words((protocol, range): &Ports) -> String {
    let name = match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    match range.len() {
        1 => format!("{name} {}", range.start()),
        _ => format!("{name} {}-{}", range.start(), range.end()),
    }
}

/// The rules of ufw's `user.rules`, as in the comments that it reads back itself. Rules for one
/// source or one address are left out.
pub fn rules_of(user_rules: &str) -> Vec<Rule> {
    let tuples = user_rules
        .lines()
        .filter_map(|line| line.strip_prefix("### tuple ### "));
    tuples
        .flat_map(|tuple| rules_of_tuple(tuple).unwrap_or_default())
        .collect()
}

/// `allow PROTOCOL PORTS TO SOURCE-PORTS FROM … in`.
fn rules_of_tuple(tuple: &str) -> Option<Vec<Rule>> {
    let words: Vec<&str> = tuple.split_whitespace().collect();
    let [action, protocol, ports, to, source_ports, from, rest @ ..] = words.as_slice() else {
        return None;
    };
    let is_anywhere = |address: &str| matches!(address, "0.0.0.0/0" | "::/0");
    let is_in = rest.last().is_some_and(|word| word.starts_with("in"));
    let is_open = is_anywhere(to) && is_anywhere(from) && *source_ports == "any" && is_in;
    if !matches!(*action, "allow" | "limit") || !is_open {
        return None;
    }
    let protocol = match *protocol {
        "any" => None,
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        _ => return None,
    };
    let ranges = ports.split(',').filter_map(range);
    Some(ranges.map(|ports| Rule { protocol, ports }).collect())
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    if text == "any" {
        return Some(0..=u16::MAX);
    }
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::lines;

    const RULES: &str = "\
*filter
:ufw-user-input - [0:0]
### tuple ### allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in
-A ufw-user-input -p tcp --dport 8080 -j ACCEPT
### tuple ### allow any 3478 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow udp 50000:50999,7000 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow udp 60000 0.0.0.0/0 any 192.0.2.0/24 in
### tuple ### deny udp 61000 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 - Nginx%20HTTPS in
### tuple ### allow udp 62000 0.0.0.0/0 any 0.0.0.0/0 out
### tuple ### broken
COMMIT
";

    #[test]
    fn rules_are_read_as_ufw_wrote_them() {
        let rule = |protocol, ports| Rule { protocol, ports };
        let expected = [
            rule(Some(Protocol::Tcp), 8080..=8080),
            rule(None, 3478..=3478),
            rule(Some(Protocol::Udp), 50_000..=50_999),
            rule(Some(Protocol::Udp), 7000..=7000),
            rule(Some(Protocol::Tcp), 443..=443),
        ];
        assert_eq!(rules_of(RULES), expected);
    }

    #[test]
    fn what_is_kept_out_is_told_with_the_command_that_lets_it_in() {
        let judged = |needed: &[Ports]| {
            let rules = Some(rules_of(RULES));
            let needed = needed.to_vec();
            lines(&judge(&FirewallFacts { rules, needed }))
        };
        let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
        let fine = ["ok: ufw lets in what the node needs."];
        assert_eq!(judged(&[(tcp, 8080..=8080), (udp, 3478..=3478)]), fine);
        assert_eq!(judged(&[(udp, 50_100..=50_200)]), fine);
        assert_eq!(
            judged(&[
                (udp, 8080..=8080),
                (tcp, 3478..=3478),
                (udp, 50_000..=51_000)
            ]),
            [
                "problem: ufw keeps out UDP 8080. | sudo ufw allow 8080/udp",
                "problem: ufw keeps out UDP 50000-51000. | sudo ufw allow 50000:51000/udp",
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let facts = FirewallFacts {
            rules: None,
            needed: vec![(Protocol::Tcp, 8080..=8080), (Protocol::Udp, 5..=6)],
        };
        assert_eq!(
            lines(&judge(&facts)),
            [
                "warning: ufw is on, and what it lets in can be read by root alone. It has to let in \
              TCP 8080, UDP 5-6. | sudo ufw status"
            ]
        );
    }
}

//! What STUN servers say of where the node is seen, and what of it is believed.
//!
//! Their answers are not signed: whoever runs one, or stands in between, may name any address, and browsers would
//! send their media there.

use std::net::IpAddr;

/// What servers say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// That, and nobody says otherwise.
    Agreed(IpAddr),
    /// One said that, another something else.
    Disputed {
        /// What is believed: what was known before, or else what was said first.
        taken: IpAddr,
        /// What is not.
        other: IpAddr,
    },
}

impl Verdict {
    /// The address.
    pub fn taken(self) -> IpAddr {
        match self {
            Verdict::Agreed(taken) | Verdict::Disputed { taken, .. } => taken,
        }
    }
}

/// Whether a node that is `bound` to an address may be told to announce that it is `seen` at another: one that the
/// world can send to, of the same family. That there is nothing in between it may always be told.
pub fn is_believable(seen: IpAddr, bound: IpAddr) -> bool {
    let (seen, bound) = (seen.to_canonical(), bound.to_canonical());
    seen == bound || seen.is_ipv4() == bound.is_ipv4() && is_public(seen)
}

/// What is made of a first opinion and, where another server gave one, a second.
pub fn judge(known: &[IpAddr], first: IpAddr, second: Option<IpAddr>) -> Verdict {
    match second {
        Some(other) if other != first => match known.contains(&other) && !known.contains(&first) {
            true => Verdict::Disputed {
                taken: other,
                other: first,
            },
            false => Verdict::Disputed {
                taken: first,
                other,
            },
        },
        _ => Verdict::Agreed(first),
    }
}

/// Neither private, shared, local, reserved nor for many. Addresses of documentation pass: tests are written with
/// them, and nobody gains by naming one.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            let is_benchmark = first == 198 && second & 0xfe == 18;
            !(first == 0
                || first >= 224
                || ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || is_shared
                || is_benchmark)
        }
        // Global unicast is 2000::/3 (RFC 4291 §2.4); 6to4 and Teredo wrap what may be anything.
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            first & 0xe000 == 0x2000 && first != 0x2002 && (first, second) != (0x2001, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_the_world_can_send_to_is_believed() {
        for (seen, expected) in [
            ("203.0.113.7", true),
            ("8.8.8.8", true),
            ("10.0.0.5", true),
            ("10.0.0.6", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("100.128.0.1", true),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("239.255.255.255", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::ffff:203.0.113.7", true),
            ("::ffff:127.0.0.1", false),
            ("2001:db8::7", false),
        ] {
            assert_eq!(is_believable(ip(seen), ip("10.0.0.5")), expected, "{seen}");
        }
        for (seen, expected) in [
            ("2001:db8::7", true),
            ("2a00::1", true),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("64:ff9b::808:808", false),
            ("2002:7f00:1::", false),
            ("2001:0:7f00:1::", false),
            ("203.0.113.7", false),
            ("fd00::5", true),
        ] {
            assert_eq!(is_believable(ip(seen), ip("fd00::5")), expected, "{seen}");
        }
        assert!(
            is_believable(ip("127.0.0.1"), ip("127.0.0.1")),
            "nothing new"
        );
    }

    #[test]
    fn who_says_what_was_known_is_believed() {
        let [one, two, three] = ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(ip);
        let disputed = |taken, other| Verdict::Disputed { taken, other };
        for (known, first, second, expected) in [
            (vec![], one, None, Verdict::Agreed(one)),
            (vec![two], one, None, Verdict::Agreed(one)),
            (vec![two], one, Some(one), Verdict::Agreed(one)),
            (vec![], one, Some(two), disputed(one, two)),
            (vec![one], one, Some(two), disputed(one, two)),
            (vec![two], one, Some(two), disputed(two, one)),
            (vec![three], one, Some(two), disputed(one, two)),
            (vec![one, two], one, Some(two), disputed(one, two)),
        ] {
            let verdict = judge(&known, first, second);
            assert_eq!(verdict, expected, "{known:?} {first} {second:?}");
            assert!([Some(first), second].contains(&Some(verdict.taken())));
        }
    }
}

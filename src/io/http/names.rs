//! Names that no stranger can point at this machine.

use std::net::IpAddr;

/// Below these nothing is delegated to anybody: RFC 6761 §6, RFC 6762 §3 and its appendix G (what home and company
/// routers use), RFC 8375, and `.internal`, which ICANN keeps free.
const LOCAL: [&str; 11] = [
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
    "test",
];

/// Whether that host (as in `Host`, without a port) is an address, or a name that only the network that it is used in
/// can give a meaning to: one without a dot, or below one of [`LOCAL`].
pub(super) fn is_local(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_below = |zone: &&str| {
        let rest = host.strip_suffix(*zone);
        rest.is_some_and(|rest| rest.ends_with('.'))
    };
    host.starts_with('[')
        || host.parse::<IpAddr>().is_ok()
        || !host.contains('.')
        || LOCAL.iter().any(is_below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_local_if_no_stranger_can_have_it() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST", true),
            ("nas", true),
            ("nas.local", true),
            ("nas.local.", true),
            ("meet.home.arpa", true),
            ("a.b.lan", true),
            ("192.0.2.7", true),
            ("[2001:db8::7]", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("local.evil.example", false),
            ("notlocal.example", false),
            ("evil.xlocal", false),
            ("192.0.2.7.evil.example", false),
        ] {
            assert_eq!(is_local(host), expected, "{host}");
        }
    }
}

//! Where a client finds STUN and TURN on this node, by the name and port that it came by.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use super::access::{host_name, host_port};
use crate::config::{Settings, TlsMode};
use crate::io::rim::IceServers;
use crate::protocol::server::IceServer;

/// The node's ports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// Of all media, over UDP.
    pub(super) media: u16,
    /// The one over TCP, as it is bound here.
    pub(super) tcp: u16,
}

/// This node, under all its URLs, and what the settings add.
pub(super) fn ice_servers(
    settings: &Settings,
    ports: Ports,
    peer: SocketAddr,
    headers: &HeaderMap,
) -> IceServers {
    let name = host_name(headers);
    let own = udp_authorities(settings, ports.media, name);
    let server = |urls: Vec<String>| IceServer {
        urls,
        username: None,
        credential: None,
    };
    let stun = own.iter().map(|at| format!("stun:{at}")).collect();
    let lists = [stun, settings.stun.clone()];
    let lists = lists.into_iter().filter(|urls| !urls.is_empty());
    let mut turn: Vec<String> = own
        .iter()
        .map(|at| format!("turn:{at}?transport=udp"))
        .collect();
    turn.extend(tcp_urls(settings, ports.tcp, peer, headers));
    IceServers {
        stun: lists.map(server).collect(),
        turn,
    }
}

fn udp_authorities(settings: &Settings, port: u16, name: Option<&str>) -> Vec<String> {
    match settings.public_ip.as_slice() {
        [] => name
            .map(|name| format!("{name}:{port}"))
            .into_iter()
            .collect(),
        public => public.iter().map(|&ip| authority(ip, port)).collect(),
    }
}

fn authority(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip, port).to_string()
}

/// Whoever came without a proxy can open another connection to the same name and port. A proxy for
/// HTTP passes no TURN on, so past it the node is sought at its own port, if that is open to others.
fn tcp_urls(settings: &Settings, port: u16, peer: SocketAddr, headers: &HeaderMap) -> Vec<String> {
    let Some(name) = host_name(headers) else {
        return vec![];
    };
    let is_tls = settings.tls.mode != TlsMode::Off;
    let is_proxied = settings.trusts(peer.ip());
    if is_proxied && settings.http_listen.ip().is_loopback() {
        return vec![];
    }
    let (plain, port) = match (is_proxied, settings.public_ip.first()) {
        (true, Some(&ip)) => (authority(ip, port), port),
        (true, None) => (format!("{name}:{port}"), port),
        (false, _) => {
            let port = host_port(headers).unwrap_or(if is_tls { 443 } else { 80 });
            (format!("{name}:{port}"), port)
        }
    };
    let plain = format!("turn:{plain}?transport=tcp");
    let secure = is_tls.then(|| {
        let name = certified(&settings.tls.domains, name);
        format!("turns:{name}:{port}?transport=tcp")
    });
    [Some(plain), secure].into_iter().flatten().collect()
}

/// A name that the certificate is for: the one that the client has accepted it under, unless the
/// settings name others.
fn certified<'a>(domains: &'a [String], name: &'a str) -> &'a str {
    match domains.first() {
        Some(first) if !domains.iter().any(|one| one.eq_ignore_ascii_case(name)) => first,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PORTS: Ports = Ports {
        media: 7000,
        tcp: 8080,
    };

    fn turn(flags: &[&str], peer: &str, host: &str) -> Vec<String> {
        let arguments = ["motet"].iter().chain(flags);
        let settings = Settings::load(arguments.map(|one| (*one).into())).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        ice_servers(&settings, PORTS, peer, &headers).turn
    }

    #[test]
    fn the_relay_is_where_the_client_came_to() {
        let own = ["--tls", "self-signed"];
        let named = ["--tls", "self-signed", "--domain", "a.example"];
        for (flags, host, expected) in [
            (
                &[][..],
                "192.0.2.7:8080",
                &[
                    "turn:192.0.2.7:7000?transport=udp",
                    "turn:192.0.2.7:8080?transport=tcp",
                ][..],
            ),
            (
                &[],
                "[2001:db8::7]",
                &[
                    "turn:[2001:db8::7]:7000?transport=udp",
                    "turn:[2001:db8::7]:80?transport=tcp",
                ],
            ),
            (
                &["--public-ip", "203.0.113.7"],
                "a.example:99",
                &[
                    "turn:203.0.113.7:7000?transport=udp",
                    "turn:a.example:99?transport=tcp",
                ],
            ),
            (
                &own,
                "192.0.2.7",
                &[
                    "turn:192.0.2.7:7000?transport=udp",
                    "turn:192.0.2.7:443?transport=tcp",
                    "turns:192.0.2.7:443?transport=tcp",
                ],
            ),
            (
                &named,
                "192.0.2.7:8443",
                &[
                    "turn:192.0.2.7:7000?transport=udp",
                    "turn:192.0.2.7:8443?transport=tcp",
                    "turns:a.example:8443?transport=tcp",
                ],
            ),
            (&[], "a/b", &[]),
        ] {
            assert_eq!(turn(flags, "198.51.100.1", host), expected, "{host}");
        }
    }

    #[test]
    fn past_a_proxy_it_is_at_its_own_port_if_others_reach_that() {
        let proxied = ["--trusted-proxy", "10.0.0.1"];
        for (flags, expected) in [
            (&["--http-listen", "127.0.0.1:8080"][..], None),
            (
                &["--http-listen", "[::]:8080"],
                Some("turn:a.example:8080?transport=tcp"),
            ),
            (
                &["--http-listen", "[::]:8080", "--public-ip", "203.0.113.7"],
                Some("turn:203.0.113.7:8080?transport=tcp"),
            ),
        ] {
            let flags = [&proxied[..], flags].concat();
            let found = turn(&flags, "10.0.0.1", "a.example");
            assert_eq!(found.get(1).map(String::as_str), expected, "{flags:?}");
        }
    }
}

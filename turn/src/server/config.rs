//! What a server is told at its start.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use crate::cidr::Cidr;
use crate::quota::Quota;
use crate::words;

/// The settings of a server.
#[derive(Clone)]
pub struct Config {
    /// Short: it is part of every challenge, and with more than four characters that is worth forging a
    /// source for. At most 127 (RFC 8489 §14.9).
    pub realm: String,
    /// What names and passwords are made with, see [`crate::credentials`].
    pub secret: Vec<u8>,
    /// From a good source of randomness; nonces, ports and tokens come from it.
    pub seed: [u8; 32],
    /// The IPv4 relay address as clients and peers see it.
    pub relay_ipv4: Option<Ipv4Addr>,
    /// The IPv6 relay address.
    pub relay_ipv6: Option<Ipv6Addr>,
    /// The ports of relay addresses.
    pub relay_ports: RangeInclusive<u16>,
    /// Media ports of the embedder, under every address that clients may know: reached in memory.
    pub own_media: Vec<SocketAddr>,
    /// Everything else the embedder listens at: never reached. A wildcard address stands for every
    /// address of the node.
    pub own_listeners: Vec<SocketAddr>,
    /// Addresses of the node: nothing there is reached by default.
    pub own_addresses: Vec<IpAddr>,
    /// Peers that may be reached though they are not global unicast, or are the node's.
    pub allowed_peers: Vec<Cidr>,
    /// Who may hold how much.
    pub quota: Quota,
    /// Channel numbers that clients may bind: those of RFC 8656, or [`words::CHANNELS_RFC_5766`] for
    /// older clients, if nothing else on the socket begins with bytes from 80 to 127 (QUIC does).
    pub channels: RangeInclusive<u16>,
    /// Names that hold for longer than this are refused, in seconds; and so long a revoked member is
    /// remembered.
    pub credential_life_max_s: u64,
    /// Only those are believed who were admitted ([`Server::admit`](super::Server::admit)) and not revoked since;
    /// otherwise everyone whose name was minted and not revoked.
    pub is_by_list: bool,
}

impl Config {
    /// Defaults with the given secrets: ports 49152 to 65535, no relay address yet.
    pub fn new(realm: &str, secret: &[u8], seed: [u8; 32]) -> Self {
        Config {
            realm: realm.to_owned(),
            secret: secret.to_vec(),
            seed,
            relay_ipv4: None,
            relay_ipv6: None,
            relay_ports: 49_152..=65_535,
            own_media: vec![],
            own_listeners: vec![],
            own_addresses: vec![],
            allowed_peers: vec![],
            quota: Quota::default(),
            channels: words::CHANNELS,
            credential_life_max_s: 86_400,
            is_by_list: false,
        }
    }
}

//! Which peers a client may reach. Whoever relays is inside somebody's network; without this it
//! would open that network to the world.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::cidr::Cidr;
use crate::server::Config;

/// What lies at an address that may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A peer somewhere, over a socket.
    Outside,
    /// A media port of the node itself, in memory.
    Own,
    /// The relay address with this port, in memory, if some allocation has it.
    Relay(u16),
}

/// The rules, fixed at the start but for where the node is seen.
#[derive(Debug, Clone)]
pub struct Policy {
    own_media: Vec<SocketAddr>,
    own_listeners: Vec<SocketAddr>,
    /// Addresses of the node: nothing is reached there but the media ports and relay addresses.
    own_addresses: Vec<IpAddr>,
    relay_addresses: Vec<IpAddr>,
    relay_ports: std::ops::RangeInclusive<u16>,
    allowed: Vec<Cidr>,
}

impl Policy {
    /// The rules of a server with these settings.
    pub fn of(config: &Config) -> Self {
        let relay_ipv4 = config.relay_ipv4.map(IpAddr::from);
        let relay_ipv6 = config.relay_ipv6.map(IpAddr::from);
        let relay_addresses: Vec<IpAddr> = relay_ipv4.into_iter().chain(relay_ipv6).collect();
        Policy::new(
            &config.own_media,
            &config.own_listeners,
            &config.own_addresses,
            &relay_addresses,
            config.relay_ports.clone(),
            &config.allowed_peers,
        )
    }

    /// The given `own_addresses` are completed by what the other arguments name.
    pub(crate) fn new(
        own_media: &[SocketAddr],
        own_listeners: &[SocketAddr],
        own_addresses: &[IpAddr],
        relay_addresses: &[IpAddr],
        relay_ports: std::ops::RangeInclusive<u16>,
        allowed: &[Cidr],
    ) -> Self {
        let named = own_media.iter().chain(own_listeners).map(SocketAddr::ip);
        let own_addresses = own_addresses.iter().chain(relay_addresses).copied();
        Policy {
            own_media: own_media.to_vec(),
            own_listeners: own_listeners.to_vec(),
            own_addresses: own_addresses
                .chain(named)
                .filter(|ip| !ip.is_unspecified())
                .collect(),
            relay_addresses: relay_addresses.to_vec(),
            relay_ports,
            allowed: allowed.to_vec(),
        }
    }

    /// The node is seen at other addresses from now on, besides those from before.
    pub fn add_own(&mut self, media: &[SocketAddr], relay_addresses: &[IpAddr]) {
        add_new(&mut self.own_media, media);
        add_new(&mut self.relay_addresses, relay_addresses);
        let ips: Vec<IpAddr> = media.iter().map(SocketAddr::ip).collect();
        add_new(&mut self.own_addresses, &ips);
        add_new(&mut self.own_addresses, relay_addresses);
    }

    /// Where a payload for this address goes; `None` if it must not go anywhere.
    pub(crate) fn destination(&self, peer: SocketAddr) -> Option<Destination> {
        if peer.port() == 0 {
            return None;
        }
        if self.own_media.contains(&peer) {
            return Some(Destination::Own);
        }
        if self.listens_at(peer) {
            return None;
        }
        if self.relay_addresses.contains(&peer.ip()) && self.relay_ports.contains(&peer.port()) {
            return Some(Destination::Relay(peer.port()));
        }
        self.is_reachable(peer).then_some(Destination::Outside)
    }

    /// Whether the embedder itself may send there though nobody but a list speaks for it: every form
    /// of the address must be on the list of the allowed, global or not. Nothing of the node's own is
    /// reached, whatever the list says: not its media, its listeners or its relay addresses.
    pub fn lists(&self, peer: SocketAddr) -> bool {
        let IpAddr::V6(ip) = peer.ip() else {
            return self.is_listed_place(peer);
        };
        let inner = |ip| self.is_listed_place((ip, peer.port()).into());
        !is_ipv4_in_disguise(ip) && self.is_listed_place(peer) && embedded(peer.ip()).all(inner)
    }

    fn is_listed_place(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip();
        let is_relay = self.own_addresses.contains(&ip) && self.relay_ports.contains(&peer.port());
        peer.port() != 0
            && !self.own_media.contains(&peer)
            && !self.listens_at(peer)
            && !is_relay
            && !is_never_a_peer(ip)
            && self.is_listed(ip)
    }

    fn is_listed(&self, ip: IpAddr) -> bool {
        self.allowed.iter().any(|cidr| cidr.contains(ip))
    }

    /// Whether a permission may be made: it holds for the address with all its ports, so each
    /// payload is still judged by [`Policy::destination`]. The port may be 0.
    pub(crate) fn permits(&self, peer: SocketAddr) -> bool {
        let ip = peer.ip();
        let has_own = self.relay_addresses.contains(&ip)
            || self.own_media.iter().any(|media| media.ip() == ip);
        if self.own_media.contains(&peer) {
            return true;
        }
        !self.listens_at(peer) && (has_own || self.is_reachable(peer))
    }

    /// Whether the node listens there, seen through every form of the address. A listener at the
    /// wildcard address is at every address of the node, and at loopback.
    fn listens_at(&self, peer: SocketAddr) -> bool {
        let ips = std::iter::once(peer.ip()).chain(embedded(peer.ip()));
        ips.into_iter().any(|ip| {
            let is_own = ip.is_loopback() || self.own_addresses.contains(&ip);
            self.own_listeners.iter().any(|listener| {
                let at_wildcard = listener.ip().is_unspecified() && is_own;
                listener.port() == peer.port() && (at_wildcard || listener.ip() == ip)
            })
        })
    }

    /// The address, and each IPv4 address inside it, is on the list of the allowed or global.
    fn is_reachable(&self, peer: SocketAddr) -> bool {
        let IpAddr::V6(ip) = peer.ip() else {
            return self.is_ip_reachable(peer.ip());
        };
        // These forms name an IPv4 peer, whom one reaches over IPv4.
        !is_ipv4_in_disguise(ip)
            && self.is_ip_reachable(peer.ip())
            && embedded(peer.ip()).all(|inner| self.is_ip_reachable(inner))
    }

    fn is_ip_reachable(&self, ip: IpAddr) -> bool {
        if is_never_a_peer(ip) {
            return false;
        }
        self.is_listed(ip) || is_global_unicast(ip) && !self.own_addresses.contains(&ip)
    }
}

fn add_new<T: Copy + PartialEq>(known: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !known.contains(one) {
            known.push(*one);
        }
    }
}

/// Nobody is there, or everybody: no list allows these.
fn is_never_a_peer(ip: IpAddr) -> bool {
    match ip {
        // On many systems 0.0.0.0 reaches the host itself.
        IpAddr::V4(ip) => ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    }
}

/// IPv4-mapped and IPv4-compatible addresses (RFC 4291 §2.5.5), without `::1`, which is IPv6's own.
fn is_ipv4_in_disguise(ip: Ipv6Addr) -> bool {
    let is_compatible = ip.segments()[..6] == [0; 6] && u128::from(ip) > 0xFFFF;
    ip.to_ipv4_mapped().is_some() || is_compatible
}

/// The IPv4 addresses that an IPv6 address carries, in the forms that some router or host unwraps.
fn embedded(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let found = match ip {
        IpAddr::V4(_) => [None; 2],
        IpAddr::V6(ip) => embedded_ipv4(ip),
    };
    found.into_iter().flatten().map(IpAddr::from)
}

fn embedded_ipv4(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let octets = ip.octets();
    let at = |start: usize| {
        Ipv4Addr::new(
            octets[start],
            octets[start + 1],
            octets[start + 2],
            octets[start + 3],
        )
    };
    let inverted = Ipv4Addr::from(!u32::from(at(12)));
    match ip.segments() {
        _ if is_ipv4_in_disguise(ip) => [Some(at(12)), None],
        // NAT64, the well-known prefix (RFC 6052 §2.1) and the local-use one (RFC 8215), whose
        // networks put the address behind any of the prefix lengths: /96 or /48 here.
        [0x64, 0xFF9B, 0, 0, 0, 0, ..] => [Some(at(12)), None],
        [0x64, 0xFF9B, 1, ..] => {
            let [_, _, _, _, _, _, a, b, u, c, d, ..] = octets;
            let behind_48 = (u == 0).then(|| Ipv4Addr::new(a, b, c, d));
            [Some(at(12)), behind_48]
        }
        // 6to4 (RFC 3056 §2).
        [0x2002, ..] => [Some(at(2)), None],
        // Teredo (RFC 4380 §4): server, and client with inverted bits.
        [0x2001, 0, ..] => [Some(at(4)), Some(inverted)],
        // ISATAP (RFC 5214 §6.1), under any prefix.
        [_, _, _, _, 0 | 0x200, 0x5EFE, ..] => [Some(at(12)), None],
        _ => [None; 2],
    }
}

/// By the IANA registries of special-purpose addresses (RFC 6890).
fn is_global_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_global_ipv4(ip),
        IpAddr::V6(ip) => is_global_ipv6(ip),
    }
}

fn is_global_ipv4(ip: Ipv4Addr) -> bool {
    !matches!(
        ip.octets(),
        [0 | 10 | 127, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    )
}

fn is_global_ipv6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // A NAT64 address is as global as what it carries.
        [0x64, 0xFF9B, 0, 0, 0, 0, ..] => true,
        // Protocol assignments with Teredo, ORCHID and benchmarks; documentation.
        [0x2001, 0..=0x1FF, ..] | [0x2001, 0xDB8, ..] | [0x3FFF, 0..=0xFFF, ..] => false,
        [first, ..] => first & 0xE000 == 0x2000,
    }
}

#[cfg(test)]
mod tests;

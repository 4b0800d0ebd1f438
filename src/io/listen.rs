//! The node's sockets: which addresses are bound, and what browsers are told of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::Settings;

/// Connections that the kernel holds while the node does not take them.
const BACKLOG: i32 = 512;
/// What the kernel may hold for a media socket, in bytes; it gives less if its own limit is lower.
pub(super) const MEDIA_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Media sockets at most: their index is one byte, and each is a candidate in every answer.
pub const MEDIA_SOCKETS_MAX: usize = 16;

/// One bound UDP socket.
#[derive(Debug)]
pub struct MediaSocket {
    /// The socket, non-blocking.
    pub socket: UdpSocket,
    /// What it is bound to.
    pub local: SocketAddr,
}

/// All UDP sockets of the node, on one port, and what browsers are told.
#[derive(Debug)]
pub struct MediaSockets {
    /// By [`crate::ids::LocalSocket`] index.
    pub sockets: Vec<MediaSocket>,
    /// The candidates, best first: public addresses if there are any, or else the bound ones;
    /// loopback only if there is nothing else.
    pub advertised: Vec<SocketAddr>,
}

/// An address could not be had.
#[derive(Debug, thiserror::Error)]
#[error("{what} {address}: {why}")]
pub struct BindError {
    what: &'static str,
    address: SocketAddr,
    why: String,
}

/// Binds the TCP port of the web page, the WebSocket and the API. `[::]` takes IPv4 too, and where
/// there is no IPv6 it means 0.0.0.0.
///
/// # Errors
/// [`BindError`], in words for the person who starts the node.
pub fn bind_http(address: SocketAddr) -> Result<TcpListener, BindError> {
    listen_http(address)
        .map_err(|error| refused("cannot listen on", "--http-listen", address, &error))
}

/// Binds the TCP port of the metrics.
///
/// # Errors
/// As [`bind_http`].
pub fn bind_metrics(address: SocketAddr) -> Result<TcpListener, BindError> {
    listen_http(address)
        .map_err(|error| refused("cannot listen on", "--metrics-listen", address, &error))
}

/// As [`bind_http`], in the system's words.
pub(super) fn listen_http(address: SocketAddr) -> io::Result<TcpListener> {
    try_http(address).or_else(|error| match address {
        SocketAddr::V6(v6) if v6.ip().is_unspecified() && no_ipv6(&error) => {
            try_http((Ipv4Addr::UNSPECIFIED, v6.port()).into())
        }
        _ => Err(error),
    })
}

/// Binds the media port on the addresses that the settings name, or on all of this machine's, and
/// on loopback.
///
/// # Errors
/// [`BindError`], in words for the person who starts the node.
pub fn bind_media(settings: &Settings) -> Result<MediaSockets, BindError> {
    let addresses = media_addresses(&settings.media_ip, &interface_addresses());
    // A port that is free on the first address need not be free on the others.
    let tries = if settings.media_port == 0 { 8 } else { 1 };
    let mut bound = bind_all(&addresses, settings);
    for _ in 1..tries {
        if bound.is_err() {
            bound = bind_all(&addresses, settings);
        }
    }
    let sockets = bound?;
    let bound: Vec<SocketAddr> = sockets.iter().map(|socket| socket.local).collect();
    let advertised = advertised(&bound, &settings.public_ip, &[]);
    Ok(MediaSockets {
        sockets,
        advertised,
    })
}

fn bind_all(addresses: &[IpAddr], settings: &Settings) -> Result<Vec<MediaSocket>, BindError> {
    let mut sockets: Vec<MediaSocket> = Vec::new();
    for &ip in addresses {
        let port = match sockets.first() {
            Some(first) => first.local.port(),
            None => settings.media_port,
        };
        let address = SocketAddr::new(ip, port);
        match try_media(address) {
            Ok(socket) => sockets.push(socket),
            // An address of an interface may not be ready (IPv6 that is still being checked).
            Err(error) if unavailable(&error) && !settings.media_ip.contains(&ip) => {
                tracing::warn!(%ip, %error, "this address is left out for media");
            }
            Err(error) => {
                return Err(refused("cannot use UDP", "--media-port", address, &error));
            }
        }
    }
    Ok(sockets)
}

/// Addresses of this machine's interfaces, less those that nobody else can reach it by.
pub fn interface_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    addresses.retain(|ip| !ip.is_loopback() && !ip.is_unspecified() && !is_link_local(*ip));
    addresses.sort();
    addresses.dedup();
    addresses
}

/// What to bind, in order. Loopback is last and always there: people try the node on one machine.
pub(super) fn media_addresses(chosen: &[IpAddr], interfaces: &[IpAddr]) -> Vec<IpAddr> {
    let mut addresses = if chosen.is_empty() {
        interfaces
    } else {
        chosen
    }
    .to_vec();
    addresses.truncate(MEDIA_SOCKETS_MAX - 1);
    addresses.push(Ipv4Addr::LOCALHOST.into());
    let mut seen = Vec::new();
    addresses.retain(|ip| {
        let new = !seen.contains(ip);
        seen.push(*ip);
        new
    });
    addresses
}

/// What browsers are told: `public` addresses instead of the bound ones, if there are any; in front
/// of the others those that were `seen` from outside, except of a family that `public` has.
pub(super) fn advertised(
    bound: &[SocketAddr],
    public: &[IpAddr],
    seen: &[IpAddr],
) -> Vec<SocketAddr> {
    let port = bound.first().map_or(0, SocketAddr::port);
    let is_known = |ip: &&IpAddr| public.iter().any(|one| one.is_ipv4() == ip.is_ipv4());
    let seen = seen.iter().filter(|ip| !is_known(ip));
    let mut told: Vec<SocketAddr> = public
        .iter()
        .chain(seen)
        .map(|&ip| (ip, port).into())
        .collect();
    if public.is_empty() {
        told.extend(outward(bound));
    }
    let mut once = Vec::new();
    told.retain(|at| {
        let is_new = !once.contains(at);
        once.push(*at);
        is_new
    });
    told
}

/// Bound addresses without loopback, unless there is nothing else.
pub(super) fn outward(bound: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut outward = bound.to_vec();
    outward.retain(|at| !at.ip().is_loopback());
    match outward.is_empty() {
        true => bound.to_vec(),
        false => outward,
    }
}

/// Where media is reached over the TCP port, of the addresses that browsers are told for UDP: those
/// that it listens on. A listener on loopback is a proxy's, or somebody's who tries the node out.
pub fn over_tcp(advertised: &[SocketAddr], listener: SocketAddr) -> Vec<SocketAddr> {
    let at = listener.ip().to_canonical();
    let is_reached = |ip: IpAddr| match at {
        _ if at.is_loopback() => false,
        IpAddr::V6(at) if at.is_unspecified() => true,
        // One address may be another's, from outside.
        _ => at.is_ipv4() == ip.is_ipv4(),
    };
    let ips = advertised.iter().map(|one| one.ip().to_canonical());
    let reached = ips.filter(|ip| is_reached(*ip));
    reached
        .map(|ip| SocketAddr::new(ip, listener.port()))
        .collect()
}

/// fe80::/10 needs a scope that a candidate cannot carry; 169.254/16 is nobody's choice.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || is_mapped(ip),
    }
}

fn is_mapped(ip: Ipv6Addr) -> bool {
    ip.to_ipv4_mapped().is_some()
}

fn try_http(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// One media socket, as large as the kernel lets it be.
pub(super) fn try_media(address: SocketAddr) -> io::Result<MediaSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // Bursts of key frames to many viewers are larger than the kernel's default.
    let _ = socket.set_recv_buffer_size(MEDIA_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(MEDIA_BUFFER_BYTES);
    socket.bind(&address.into())?;
    let socket: UdpSocket = socket.into();
    let local = socket.local_addr()?;
    Ok(MediaSocket { socket, local })
}

fn no_ipv6(error: &io::Error) -> bool {
    unavailable(error) || error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT)
}

fn unavailable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
}

fn refused(what: &'static str, setting: &str, address: SocketAddr, error: &io::Error) -> BindError {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("the port is in use; stop what uses it or choose another with {setting}")
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!(
                "not permitted; ports below 1024 need a privilege, or choose another with {setting}"
            )
        }
        _ => error.to_string(),
    };
    BindError { what, address, why }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn loopback_is_bound_always_and_last() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let lan: IpAddr = "192.0.2.7".parse().unwrap();
        let other: IpAddr = "2001:db8::7".parse().unwrap();
        for (chosen, interfaces, expected) in [
            (vec![], vec![], vec![loopback]),
            (vec![], vec![lan, other], vec![lan, other, loopback]),
            (vec![other], vec![lan, other], vec![other, loopback]),
            (vec![loopback], vec![lan], vec![loopback]),
            (vec![lan, lan], vec![], vec![lan, loopback]),
        ] {
            assert_eq!(media_addresses(&chosen, &interfaces), expected);
        }
    }

    #[test]
    fn what_browsers_are_told() {
        let (here, lan) = ("127.0.0.1", "10.0.0.5");
        let (v4, v6, other) = ("203.0.113.7", "2001:db8::7", "203.0.113.8");
        for (bound, public, seen, expected) in [
            (vec![here], vec![], vec![], vec![here]),
            (vec![lan, here], vec![], vec![], vec![lan]),
            (vec![lan, here], vec![v4], vec![], vec![v4]),
            (vec![lan, here], vec![v4, v6], vec![], vec![v4, v6]),
            (vec![lan, here], vec![], vec![v4], vec![v4, lan]),
            (vec![v4, v6, here], vec![], vec![v4, v6], vec![v4, v6]),
            (vec![lan, v6, here], vec![], vec![v4, v6], vec![v4, v6, lan]),
            (vec![lan, here], vec![v4], vec![other], vec![v4]),
            (vec![lan, v6, here], vec![v4], vec![other, v6], vec![v4, v6]),
            (vec![here], vec![], vec![here], vec![here]),
        ] {
            let ips = |texts: &[&str]| -> Vec<IpAddr> {
                texts.iter().map(|text| text.parse().unwrap()).collect()
            };
            let at = |texts: &[&str]| -> Vec<SocketAddr> {
                ips(texts).iter().map(|&ip| (ip, 9).into()).collect()
            };
            let told = advertised(&at(&bound), &ips(&public), &ips(&seen));
            assert_eq!(told, at(&expected), "{bound:?} {public:?} {seen:?}");
        }
    }

    #[test]
    fn media_is_reached_over_tcp_where_that_port_listens() {
        let told = ["192.0.2.7:3478", "[2001:db8::7]:3478"].map(|one| one.parse().unwrap());
        for (listener, expected) in [
            ("[::]:443", &["192.0.2.7:443", "[2001:db8::7]:443"][..]),
            ("0.0.0.0:443", &["192.0.2.7:443"]),
            ("10.0.0.7:443", &["192.0.2.7:443"]),
            ("127.0.0.1:8080", &[]),
            ("[::1]:8080", &[]),
        ] {
            let expected: Vec<SocketAddr> =
                expected.iter().map(|one| one.parse().unwrap()).collect();
            let found = over_tcp(&told, listener.parse().unwrap());
            assert_eq!(found, expected, "{listener}");
        }
    }

    #[test]
    fn a_taken_port_is_refused_in_words() {
        let taken = bind_http("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind_http(address).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("cannot listen on {address}: the port is in use")),
            "{error}"
        );
    }
}

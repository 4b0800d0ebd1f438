//! Asks for every port of the node, and gives it back.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::words;
use crate::config::{OnOff, Settings};
use crate::doctor::ports::{Port, PortFacts, PortState, RelayPorts};
use crate::io::listen::{listen_http, try_media};
use crate::io::probe::{has_metrics, is_node};
use crate::io::stun_client::{anywhere, ask, open};

/// A node on this machine answers at once.
const STUN_PATIENCE: Duration = Duration::from_millis(400);

pub(super) fn look(settings: &Settings, addresses: &[IpAddr]) -> PortFacts {
    let media = addresses.iter().map(|&ip| (ip, settings.media_port).into());
    PortFacts {
        http: tcp(settings.http_listen, is_node),
        metrics: settings.metrics_listen.map(|at| tcp(at, has_metrics)),
        media: media.map(media_port).collect(),
        relay: (settings.turn == OnOff::On).then(|| relay(settings, addresses)),
        program: program(),
    }
}

fn tcp(address: SocketAddr, is_own: fn(SocketAddr) -> bool) -> Port {
    let state = match listen_http(address) {
        Ok(_) => PortState::Free,
        Err(error) => refused(&error, || is_own(address)),
    };
    Port { address, state }
}

fn media_port(address: SocketAddr) -> Port {
    let state = match try_media(address) {
        Ok(_) => PortState::Free,
        Err(error) => refused(&error, || answers_stun(address)),
    };
    Port { address, state }
}

fn refused(error: &io::Error, is_node: impl FnOnce() -> bool) -> PortState {
    match error.kind() {
        io::ErrorKind::AddrInUse if is_node() => PortState::Node,
        io::ErrorKind::AddrInUse => PortState::Taken,
        io::ErrorKind::PermissionDenied => PortState::NotPermitted,
        io::ErrorKind::AddrNotAvailable => PortState::NoSuchAddress,
        _ => PortState::Refused(words(error)),
    }
}

fn answers_stun(address: SocketAddr) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let asked = runtime.map(|runtime| {
        runtime.block_on(async {
            let socket = open(anywhere(address), address).await?;
            ask(&socket, STUN_PATIENCE).await
        })
    });
    asked.is_ok_and(|asked| asked.is_ok())
}

/// Relays are bound on one address of each family; which, is decided at the start.
fn relay(settings: &Settings, addresses: &[IpAddr]) -> RelayPorts {
    let range = settings.relay_ports.clone();
    let outward = |is_ipv4: bool| {
        let mut of_family = addresses.iter().filter(|ip| ip.is_ipv4() == is_ipv4);
        let first = of_family.next();
        first.filter(|ip| !ip.is_loopback() || addresses.len() == 1)
    };
    let ips: Vec<&IpAddr> = [outward(true), outward(false)]
        .into_iter()
        .flatten()
        .collect();
    let is_taken = |port: &u16| ips.iter().any(|ip| UdpSocket::bind((**ip, *port)).is_err());
    let taken = range.clone().filter(is_taken).count();
    RelayPorts { range, taken }
}

fn program() -> String {
    let path = std::env::current_exe();
    path.map_or_else(|_| "motet".to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_taken_port_is_no_node_unless_it_answers_like_one() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        assert_eq!(tcp(address, is_node).state, PortState::Free);
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\nok\n", PortState::Node),
            ("HTTP/1.1 200 OK\r\n\r\n<html>", PortState::Taken),
            ("HTTP/1.1 404 Not Found\r\n\r\nok\n", PortState::Taken),
            ("", PortState::Taken),
        ] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let serving = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1000];
                let _ = io::Read::read(&mut stream, &mut request).unwrap();
                io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
            });
            assert_eq!(tcp(address, is_node).state, expected, "{answer:?}");
            serving.join().unwrap();
        }
    }

    #[test]
    fn a_udp_port_says_who_has_it() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(media_port(address).state, PortState::Taken);
        let serving = std::thread::spawn(move || {
            // The first request is that of the look above.
            for _ in 0..2 {
                let mut request = [0; 100];
                let (length, from) = taken.recv_from(&mut request).unwrap();
                let mut answer = Vec::new();
                motet_turn::answer_binding(&request[..length], from, &mut answer);
                taken.send_to(&answer, from).unwrap();
            }
        });
        assert_eq!(media_port(address).state, PortState::Node);
        serving.join().unwrap();
        assert_eq!(media_port(address).state, PortState::Free);
        let elsewhere = "192.0.2.7:1".parse().unwrap();
        assert_eq!(media_port(elsewhere).state, PortState::NoSuchAddress);
    }
}

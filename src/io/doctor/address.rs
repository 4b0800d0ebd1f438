//! Asks STUN servers, and tries the way back in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::UdpSocket;

use super::words;
use crate::config::Settings;
use crate::doctor::address::{AddressFacts, Asked, Hairpin};
use crate::io::listen::{advertised, interface_addresses, outward};
use crate::io::public_address::{PATIENCE, reach};
use crate::io::stun_client::{anywhere, ask, open};

/// What goes out and comes in again is back at once.
const HAIRPIN_PATIENCE: Duration = Duration::from_millis(1500);

/// `is_free`: no node has the media port, so that it is ours to try.
pub(super) async fn look(settings: &Settings, bound: &[IpAddr], is_free: bool) -> AddressFacts {
    let at = |port| {
        bound
            .iter()
            .map(|&ip| SocketAddr::new(ip, port))
            .collect::<Vec<_>>()
    };
    let from = outward(&at(if is_free { settings.media_port } else { 0 }));
    let servers = &settings.stun_server;
    let asked: Vec<Asked> = join_all(from.into_iter().map(|from| ask_all(servers, from)))
        .await
        .concat();
    let seen: Vec<IpAddr> = asked
        .iter()
        .filter_map(|one| Some(one.answer.as_ref().ok()?.ip()))
        .collect();
    let told = advertised(&at(settings.media_port), &settings.public_ip, &seen);
    let told: Vec<IpAddr> = told.iter().map(SocketAddr::ip).collect();
    AddressFacts {
        hairpin: hairpins(&told, &at(settings.media_port), is_free).await,
        told,
        public: settings.public_ip.clone(),
        has_route: has_route(),
        asked,
        media_port: settings.media_port,
    }
}

/// One server after the other: each has to see the same socket, or almost.
async fn ask_all(servers: &[String], from: SocketAddr) -> Vec<Asked> {
    let mut all = Vec::new();
    for server in servers {
        let reached = reach(server, from).await;
        let from = match &reached {
            Ok(socket) => socket.local_addr().unwrap_or(from),
            Err(_) => from,
        };
        let answer = match reached {
            Ok(socket) => ask(&socket, PATIENCE).await,
            Err(error) => Err(error),
        };
        all.push(Asked {
            server: server.clone(),
            from,
            answer: answer.map_err(|error| words(&error)),
        });
    }
    all
}

/// Looks where a packet would go; none is sent. Documentation addresses go by the default route.
fn has_route() -> bool {
    let goes = |local: &str, to: &str| {
        std::net::UdpSocket::bind(local).is_ok_and(|socket| socket.connect(to).is_ok())
    };
    goes("0.0.0.0:0", "192.0.2.1:9") || goes("[::]:0", "[2001:db8::1]:9")
}

async fn hairpins(told: &[IpAddr], media: &[SocketAddr], is_free: bool) -> Vec<Hairpin> {
    let port = media.first().map_or(0, SocketAddr::port);
    let own = interface_addresses();
    let is_outside = |ip: &&IpAddr| !own.contains(ip) && !ip.is_loopback();
    let outside: Vec<IpAddr> = told.iter().filter(is_outside).copied().collect();
    if port == 0 || outside.is_empty() {
        return Vec::new();
    }
    let sockets = if is_free {
        listening(media).await
    } else {
        Vec::new()
    };
    let mut hairpins = Vec::new();
    for address in outside {
        let is_reached = comes_back((address, port).into(), &sockets).await;
        hairpins.push(Hairpin {
            address,
            is_reached,
        });
    }
    hairpins
}

async fn listening(media: &[SocketAddr]) -> Vec<UdpSocket> {
    let bound = join_all(media.iter().map(UdpSocket::bind)).await;
    bound.into_iter().flatten().collect()
}

async fn answer(socket: &UdpSocket) {
    let mut bytes = [0; 548];
    let mut out = Vec::new();
    while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
        out.clear();
        if motet_turn::answer_binding(&bytes[..length], from, &mut out) {
            // What is lost is asked for again.
            let _ = socket.send_to(&out, from).await;
        }
    }
}

/// Whether a question is answered there: by a running node, or by those sockets in its place.
async fn comes_back(address: SocketAddr, sockets: &[UdpSocket]) -> bool {
    let Ok(socket) = open(anywhere(address), address).await else {
        return false;
    };
    // Answers for as long as it is asked, and if there is no socket not at all.
    let answering = async {
        join_all(sockets.iter().map(answer)).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        asked = ask(&socket, HAIRPIN_PATIENCE) => asked.is_ok(),
        () = answering => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn server() -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap().to_string();
        tokio::spawn(async move { answer(&socket).await });
        at
    }

    #[tokio::test]
    async fn servers_say_how_they_see_the_media_port() {
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let from = free.local_addr().unwrap();
        drop(free);
        let servers = [server().await, server().await, "127.0.0.1:1".to_owned()];
        let asked = ask_all(&servers, from).await;
        for one in &asked[..2] {
            assert_eq!((one.from, one.answer.clone()), (from, Ok(from)));
        }
        assert!(asked[2].answer.is_err());
    }

    #[tokio::test]
    async fn what_comes_back_is_answered_by_the_node_or_in_its_place() {
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let media = [free.local_addr().unwrap()];
        drop(free);
        // An address that is not among the interfaces' and leads here all the same.
        let told = ["127.0.0.1".parse().unwrap()];
        assert_eq!(
            hairpins(&told, &media, true).await,
            [],
            "loopback is no way around"
        );
        let sockets = listening(&media).await;
        assert!(comes_back(media[0], &sockets).await);
        drop(sockets);
        assert!(!comes_back(media[0], &[]).await);
    }
}

//! Asks a STUN server from where it sees us (RFC 8489 §6).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use motet_turn::{binding_request, mapped_address};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// After which a request is sent again, at first; then twice as long each time (RFC 8489 §6.2.1).
const RTO: Duration = Duration::from_millis(500);
/// Longer than any answer to a request without attributes.
const ANSWER_BYTES_MAX: usize = 548;

/// A socket of its own at `local` that hears nobody but the server.
///
/// # Errors
/// What the system says.
pub async fn open(local: SocketAddr, server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    Ok(socket)
}

/// Any free port of the address from which the server is reached.
pub fn anywhere(server: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    (ip, 0).into()
}

/// As what the server sees that connected socket.
///
/// # Errors
/// `TimedOut` if there was no answer by then; what the system says (`ConnectionRefused`) otherwise.
pub async fn ask(socket: &UdpSocket, patience: Duration) -> io::Result<SocketAddr> {
    let transaction: [u8; 12] = rand::random();
    let request = binding_request(&transaction);
    let deadline = Instant::now() + patience;
    let mut wait = RTO;
    loop {
        socket.send(&request).await?;
        let until = deadline.min(Instant::now() + wait);
        if let Ok(answer) = timeout_at(until, hear(socket, &transaction)).await {
            return answer;
        }
        if until == deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
        }
        wait *= 2;
    }
}

async fn hear(socket: &UdpSocket, transaction: &[u8; 12]) -> io::Result<SocketAddr> {
    let mut bytes = [0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut bytes).await?;
        if let Some(address) = mapped_address(&bytes[..length], transaction) {
            return Ok(address);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn server() -> (UdpSocket, SocketAddr) {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = server.local_addr().unwrap();
        (server, at)
    }

    async fn asked(at: SocketAddr, patience: Duration) -> io::Result<SocketAddr> {
        let socket = open(anywhere(at), at).await.unwrap();
        ask(&socket, patience).await
    }

    #[tokio::test]
    async fn a_lost_request_and_foreign_answers_do_not_matter() {
        let (server, at) = server().await;
        let told: SocketAddr = "203.0.113.7:1".parse().unwrap();
        let serving = async {
            let mut bytes = [0; 100];
            server.recv_from(&mut bytes).await.unwrap();
            let (length, from) = server.recv_from(&mut bytes).await.unwrap();
            let mut answer = vec![];
            motet_turn::answer_binding(
                &binding_request(b"of others...."[..12].try_into().unwrap()),
                at,
                &mut answer,
            );
            server.send_to(&answer, from).await.unwrap();
            server.send_to(b"noise", from).await.unwrap();
            answer.clear();
            assert!(motet_turn::answer_binding(
                &bytes[..length],
                told,
                &mut answer
            ));
            server.send_to(&answer, from).await.unwrap();
        };
        let (heard, ()) = tokio::join!(asked(at, PATIENCE), serving);
        assert_eq!(heard.unwrap(), told);
    }

    #[tokio::test]
    async fn silence_and_refusal_are_errors() {
        let (server, at) = server().await;
        let error = asked(at, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(server);
        let error = asked(at, PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}

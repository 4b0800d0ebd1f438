//! The node's addresses as others see them, asked of STUN servers again and again.
//!
//! It is asked from a socket of its own on each address that media is bound to: what stands in front
//! of the node (1:1 NAT, a router that passes the port on) keeps the media port, so that only the
//! address is to be learned. No server ever keeps the node from starting.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::UdpSocket;
use tokio::sync::watch;

use super::stun_client::{ask, open};
use crate::logic::reflexive::{Verdict, is_believable, judge};

/// For one server to answer, requests that get lost included.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// For another server to agree with the first, or not.
const SECOND_PATIENCE: Duration = Duration::from_millis(400);
/// How long a start waits for the first answer. The node goes on without it, and takes it later.
const START_PATIENCE: Duration = Duration::from_secs(1);

/// Addresses that were seen, each once, in the order of what is bound; empty until then.
pub type Seen = watch::Receiver<Vec<IpAddr>>;

/// How often servers are asked.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// After an answer: a changed address is noticed this late, at most.
    again: Duration,
    /// After none; then twice as long each time, up to the above.
    retry: Duration,
}

const PACE: Pace = Pace {
    again: Duration::from_secs(3 * 60),
    retry: Duration::from_secs(5),
};

/// Begins to ask, of each server in turn until one answers, for as long as somebody listens. Needs a
/// tokio runtime.
pub fn follow(servers: Vec<String>, bound: Vec<IpAddr>) -> Seen {
    let (sender, seen) = watch::channel(Vec::new());
    tokio::spawn(ask_for_ever(PACE, servers, bound, sender));
    seen
}

async fn ask_for_ever(
    pace: Pace,
    servers: Vec<String>,
    bound: Vec<IpAddr>,
    sender: watch::Sender<Vec<IpAddr>>,
) {
    let mut failures = 0;
    loop {
        let known = sender.borrow().clone();
        match learn(&servers, &bound, &known).await {
            Ok(now) => {
                failures = 0;
                take(&sender, now);
            }
            Err(error) => {
                complain(&error, failures == 0);
                failures += 1;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pace.wait(failures)) => {}
            () = sender.closed() => return,
        }
    }
}

impl Pace {
    fn wait(self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            Some(doublings) => self
                .again
                .min(self.retry * 2u32.saturating_pow(doublings.min(16))),
            None => self.again,
        }
    }
}

/// What is known soon.
pub async fn at_start(seen: &mut Seen) -> Vec<IpAddr> {
    let _ = tokio::time::timeout(START_PATIENCE, seen.changed()).await;
    seen.borrow_and_update().clone()
}

fn take(sender: &watch::Sender<Vec<IpAddr>>, now: Vec<IpAddr>) {
    let before = sender.borrow().clone();
    if before == now {
        return;
    }
    match before.is_empty() {
        true => {
            tracing::info!(addresses = ?now, "a STUN server says under which addresses this node is seen")
        }
        false => tracing::warn!(
            ?before,
            ?now,
            "this node is seen at other addresses, a STUN server says"
        ),
    }
    sender.send_replace(now);
}

fn complain(error: &io::Error, is_first: bool) {
    let text = "no STUN server says under which address this node is seen; it is asked again";
    match is_first {
        true => tracing::warn!(%error, "{text}"),
        false => tracing::debug!(%error, "{text}"),
    }
}

/// The addresses under which a server sees those. Whoever says something else than what is `known` needs another who
/// does not contradict.
///
/// # Errors
/// If no server answers for any of them: why the last did not.
pub async fn learn(
    servers: &[String],
    bound: &[IpAddr],
    known: &[IpAddr],
) -> io::Result<Vec<IpAddr>> {
    let answers = join_all(bound.iter().map(|&ip| learn_one(servers, ip, known))).await;
    let mut seen = Vec::new();
    let mut failure = None;
    for answer in answers {
        match answer {
            Ok(ip) if !seen.contains(&ip) => seen.push(ip),
            Ok(_) => {}
            // Of a family that the servers do not have, nothing is expected.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                failure = failure.or(Some(error));
            }
            Err(error) => failure = Some(error),
        }
    }
    match (seen.is_empty(), failure) {
        (true, Some(error)) => Err(error),
        _ => Ok(seen),
    }
}

async fn learn_one(servers: &[String], from: IpAddr, known: &[IpAddr]) -> io::Result<IpAddr> {
    let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "no server");
    let mut others = servers.iter();
    while let Some(server) = others.next() {
        match opinion(server, from, PATIENCE).await {
            Ok(first) if known.contains(&first) => return Ok(first),
            Ok(first) => return Ok(compared(server, first, others.as_slice(), (from, known)).await),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// What is made of an address that was not known, with the first of the other servers that answers soon.
async fn compared(
    server: &str,
    first: IpAddr,
    others: &[String],
    (from, known): (IpAddr, &[IpAddr]),
) -> IpAddr {
    let asked = join_all(others.iter().map(async |other| {
        let second = opinion(other, from, SECOND_PATIENCE).await.ok()?;
        Some((other, second))
    }));
    let second = asked.await.into_iter().flatten().next();
    let verdict = judge(known, first, second.map(|(_, second)| second));
    if let (Verdict::Disputed { taken, .. }, Some((other, second))) = (verdict, second) {
        tracing::warn!(
            server, says = %first, other, other_says = %second, believed = %taken,
            "STUN servers disagree about where this node is seen; `--public-ip` settles it"
        );
    }
    verdict.taken()
}

/// Where a server sees that address, if it can be believed.
async fn opinion(server: &str, from: IpAddr, patience: Duration) -> io::Result<IpAddr> {
    let asked = async { ask(&reach(server, (from, 0).into()).await?, patience).await };
    let mapped = asked
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("{server}: {error}")))?;
    let seen = mapped.ip().to_canonical();
    if is_believable(seen, from) {
        return Ok(seen);
    }
    let text = format!("{server}: it names {seen}, which nobody outside can send to");
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// A socket at `from` that hears the server (`HOST:PORT`) alone.
///
/// # Errors
/// `AddrNotAvailable` if it has no address of that family; whatever the resolver or the socket says.
pub(super) async fn reach(server: &str, from: SocketAddr) -> io::Result<UdpSocket> {
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host(server));
    let mut found = found
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let at = found.find(|at| at.is_ipv4() == from.is_ipv4());
    let at = at.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "it has no address of that family",
        )
    })?;
    open(from, at).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A server that sees everybody at the addresses it is given, one after the other, after a delay.
    async fn server(delay: Duration, told: &[&str]) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap().to_string();
        let told: Vec<IpAddr> = told.iter().map(|ip| ip.parse().unwrap()).collect();
        tokio::spawn(async move {
            let mut bytes = [0; 100];
            for ip in told {
                let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
                tokio::time::sleep(delay).await;
                let mut answer = Vec::new();
                motet_turn::answer_binding(&bytes[..length], (ip, 1).into(), &mut answer);
                socket.send_to(&answer, from).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        at
    }

    /// Where nobody listens.
    async fn refused() -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.local_addr().unwrap().to_string()
    }

    #[tokio::test]
    async fn a_server_that_refuses_is_followed_by_the_next() {
        let good = server(Duration::ZERO, &["203.0.113.7"]).await;
        let seen = learn(&[refused().await, good], &[HERE], &[]).await.unwrap();
        assert_eq!(seen, ["203.0.113.7".parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test]
    async fn without_an_answer_there_is_an_error_that_names_the_server() {
        let at = refused().await;
        let error = learn(std::slice::from_ref(&at), &[HERE], &[])
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with(&at), "{error}");
        let error = learn(&["no-such-host.invalid:3478".to_owned()], &[HERE], &[]).await;
        assert!(error.is_err());
    }

    #[tokio::test]
    async fn a_family_that_the_server_lacks_is_left_out() {
        let good = server(Duration::ZERO, &["203.0.113.7"]).await;
        let both = ["::1".parse().unwrap(), HERE];
        assert_eq!(learn(&[good], &both, &[]).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn nonsense_is_not_believed_and_the_next_is_asked() {
        for nonsense in [
            "192.168.7.7",
            "127.0.0.2",
            "224.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
        ] {
            let liar = server(Duration::ZERO, &[nonsense, nonsense]).await;
            let error = learn(std::slice::from_ref(&liar), &[HERE], &[]).await;
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains(nonsense) && error.starts_with(&liar),
                "{error}"
            );
            let good = server(Duration::ZERO, &["203.0.113.7"]).await;
            let seen = learn(&[liar, good], &[HERE], &[]).await.unwrap();
            assert_eq!(seen, ["203.0.113.7".parse::<IpAddr>().unwrap()]);
        }
    }

    #[tokio::test]
    async fn a_server_that_contradicts_what_another_still_says_is_not_followed() {
        let known: IpAddr = "203.0.113.7".parse().unwrap();
        let other: IpAddr = "203.0.113.66".parse().unwrap();
        for (second, expected) in [("203.0.113.7", known), ("203.0.113.66", other)] {
            let first = server(Duration::ZERO, &["203.0.113.66"]).await;
            let second = server(Duration::ZERO, &[second]).await;
            let seen = learn(&[first, second], &[HERE], &[known]).await.unwrap();
            assert_eq!(seen, [expected]);
        }
        let first = server(Duration::ZERO, &["203.0.113.66"]).await;
        let seen = learn(&[first, refused().await], &[HERE], &[known]).await;
        assert_eq!(seen.unwrap(), [other], "nobody says otherwise");
    }

    const QUICK: Pace = Pace {
        again: Duration::from_millis(20),
        retry: Duration::from_millis(10),
    };

    fn followed_quickly(at: String) -> Seen {
        let (sender, seen) = watch::channel(Vec::new());
        tokio::spawn(ask_for_ever(QUICK, vec![at], vec![HERE], sender));
        seen
    }

    #[test]
    fn failures_are_followed_by_longer_and_longer_pauses() {
        let waits: Vec<u64> = (0..9)
            .map(|failures| PACE.wait(failures).as_secs())
            .collect();
        assert_eq!(waits, [180, 5, 10, 20, 40, 80, 160, 180, 180]);
        assert_eq!(PACE.wait(u32::MAX), PACE.again);
    }

    #[tokio::test]
    async fn a_changed_address_is_noticed_later() {
        let told = ["203.0.113.7", "203.0.113.7", "203.0.113.8"];
        let at = server(Duration::ZERO, &told).await;
        let mut seen = followed_quickly(at);
        for expected in ["203.0.113.7", "203.0.113.8"] {
            seen.changed().await.unwrap();
            assert_eq!(
                *seen.borrow_and_update(),
                [expected.parse::<IpAddr>().unwrap()]
            );
        }
    }

    #[tokio::test]
    async fn who_does_not_answer_is_asked_again() {
        let spare = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = spare.local_addr().unwrap();
        drop(spare);
        let mut seen = followed_quickly(at.to_string());
        assert!(at_start(&mut seen).await.is_empty());
        let late = UdpSocket::bind(at).await.unwrap();
        let answering = async {
            let mut bytes = [0; 100];
            let (length, from) = late.recv_from(&mut bytes).await.unwrap();
            let mut answer = Vec::new();
            motet_turn::answer_binding(&bytes[..length], from, &mut answer);
            late.send_to(&answer, from).await.unwrap();
        };
        let (changed, ()) = tokio::join!(seen.changed(), answering);
        changed.unwrap();
        assert_eq!(*seen.borrow(), [HERE]);
    }
}

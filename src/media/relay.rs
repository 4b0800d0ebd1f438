//! STUN and TURN on the media port: what the [server](motet_turn::Server) decides becomes datagrams,
//! relay sockets and, towards the node's own media, paths without a socket.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

use motet_turn::{
    ClientSocket, Command, Config, Counters, Family, Frame, PeerSocket, RelayPort, Route, Server,
    Transport, credentials,
};

use crate::ids::{LocalSocket, MemberId, Path, StreamKind};
use crate::media::conference::earlier;
use crate::media::egress::SendArena;
use crate::media::grants::{Grants, LIFE};
use crate::protocol::server::IceServer;

/// What a relay is made of.
#[derive(Clone)]
pub struct RelayConfig {
    /// For the server.
    pub turn: Config,
    /// A moment, and the time since 1970 then. It need not be told when the world's clock is set: names
    /// are made and checked by this one alone.
    pub time: (Instant, Duration),
}

/// Where relay sockets are opened and closed.
pub trait RelaySockets {
    /// Opens the socket that [`LocalSocket::relay`] names. `false` if it cannot be had.
    fn open(&mut self, socket: LocalSocket) -> bool;
    /// Closes it.
    fn close(&mut self, socket: LocalSocket);
}

/// A payload for the node's own media, as if it came over that path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Without a socket: answers are taken by [`Relay::settle`].
    pub path: Path,
    /// Which of the bytes handed in.
    pub payload: Range<usize>,
}

/// The STUN and TURN server of a shard.
pub struct Relay {
    server: Server,
    secret: Vec<u8>,
    own_media: Vec<SocketAddr>,
    time: (Instant, Duration),
    grants: Grants,
    /// What the server wants done, until [`Relay::settle`].
    commands: Vec<Command>,
}

impl Relay {
    /// A relay without allocations. `None` if the cryptography lacks what it needs.
    pub fn new(config: RelayConfig) -> Option<Self> {
        let (now, unix) = config.time;
        let (secret, own_media) = (config.turn.secret.clone(), config.turn.own_media.clone());
        let turn = Config {
            is_by_list: true,
            ..config.turn
        };
        let server = Server::new(turn, now, unix).ok()?;
        Some(Self {
            server,
            secret,
            own_media,
            time: config.time,
            grants: Grants::default(),
            commands: Vec::new(),
        })
    }

    /// Takes what came to a media socket and is neither a check nor media, a frame of a stream, or what
    /// came to a relay socket. What is for the node's own media is returned.
    pub fn handle(
        &mut self,
        now: Instant,
        path: Path,
        bytes: &[u8],
        out: &mut SendArena,
    ) -> Option<Inside> {
        let route = match path.local.as_relay() {
            Some((_, port)) => {
                let (relay, peer) = (RelayPort(port), PeerSocket(path.remote));
                self.server.handle_peer_datagram(now, relay, peer, bytes)
            }
            None => {
                let (client, commands) = (client_of(path)?, &mut self.commands);
                self.server
                    .handle_client_datagram(now, client, bytes, commands)
            }
        };
        self.depart(route?, bytes, out)
    }

    fn depart(&self, route: Route, bytes: &[u8], out: &mut SendArena) -> Option<Inside> {
        match route {
            Route::Peer {
                relay,
                peer,
                payload,
            } => {
                let local = LocalSocket::relay(peer.0.is_ipv6(), relay.0);
                let remote = peer.0;
                out.push(Path { local, remote }, bytes.get(payload.range())?);
            }
            Route::Relay { to, frame, payload } => {
                push_framed(out, to, &frame, bytes.get(payload.range())?);
            }
            Route::Client { to, frame } => push_framed(out, to, &frame, bytes),
            Route::Own {
                relay,
                media,
                payload,
            } => {
                let at = self.own_media.iter().position(|own| *own == media)?;
                let local = LocalSocket::relayed(u8::try_from(at).ok()?);
                let path = Path {
                    local,
                    remote: relay,
                };
                let payload = payload.range();
                return Some(Inside { path, payload });
            }
        }
        None
    }

    /// Opens and closes relay sockets, puts the server's answers into `out`, and sends what the node's
    /// own media has for relay addresses to the clients there. To be called before `out` is sent.
    pub fn settle(&mut self, now: Instant, sockets: &mut dyn RelaySockets, out: &mut SendArena) {
        while !self.commands.is_empty() {
            let failed = self.perform(sockets, out);
            for (port, family) in &failed {
                let commands = &mut self.commands;
                self.server.relay_failed(now, *port, *family, commands);
            }
            keep_last_answers(&mut self.commands);
        }
        self.answer_inside(now, out);
    }

    /// Names the relays that could not be opened. The answers to their clients are dropped: they
    /// promise what is not there.
    fn perform(
        &mut self,
        sockets: &mut dyn RelaySockets,
        out: &mut SendArena,
    ) -> Vec<(RelayPort, Family)> {
        let (mut failed, mut misled) = (vec![], vec![]);
        for command in self.commands.drain(..) {
            match command {
                Command::OpenRelay {
                    port,
                    family,
                    client,
                } => {
                    if !sockets.open(socket_of(port, family)) {
                        failed.push((port, family));
                        misled.push(client);
                    }
                }
                Command::CloseRelay { port, family } => sockets.close(socket_of(port, family)),
                Command::Send { to, .. } if misled.contains(&to) => {}
                Command::Send { to, bytes } => out.push(path_to(to), &bytes),
            }
        }
        failed
    }

    fn answer_inside(&mut self, now: Instant, out: &mut SendArena) {
        if self.server.allocation_count() == 0 {
            return;
        }
        for index in 0..out.len() {
            let Some((path, bytes)) = out.get(index) else {
                continue;
            };
            let media = path.local.as_relayed();
            let Some(&media) = media.and_then(|media| self.own_media.get(media)) else {
                continue;
            };
            let (relay, peer) = (RelayPort(path.remote.port()), PeerSocket(media));
            let route = self.server.handle_peer_datagram(now, relay, peer, bytes);
            // Otherwise its path has no socket, and it is dropped when the arena is sent.
            if let Some(Route::Client { to, frame }) = route {
                out.wrap(index, path_to(to), frame.head(), frame.padding());
            }
        }
    }

    /// Credentials for a member, until they are revoked or replaced. Where the relay is, is added by
    /// the rim: only it knows by which name a client reached the node.
    pub fn grant(&mut self, now: Instant, member: MemberId) -> IceServer {
        self.grants.give(now, member);
        let (started, unix) = self.time;
        let expires = unix + now.saturating_duration_since(started) + LIFE;
        let name = member.to_string();
        self.server.admit(&name);
        let credential = credentials::mint(&self.secret, &name, expires.as_secs());
        IceServer {
            urls: vec![],
            username: Some(credential.username),
            credential: Some(credential.password),
        }
    }

    /// A stream has ended: so has its allocation.
    pub fn stream_ended(&mut self, path: Path) {
        if let Some(client) = client_of(path) {
            self.server.handle_client_gone(client, &mut self.commands);
        }
    }

    /// Whether a stream has an allocation; one without need not be kept.
    pub fn needs_stream(&self, now: Instant, path: Path) -> bool {
        client_of(path).is_some_and(|client| self.server.has_allocation(now, client))
    }

    /// A member is gone: so are all of its allocations.
    pub fn revoke(&mut self, now: Instant, member: MemberId) {
        self.grants.take(member);
        let name = member.to_string();
        self.server.revoke(now, &name, &mut self.commands);
    }

    /// Does what is due by now, other than [`Relay::next_to_renew`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now, &mut self.commands);
    }

    /// A member whose credentials are to be replaced by now, each once.
    pub fn next_to_renew(&mut self, now: Instant) -> Option<MemberId> {
        self.grants.next_due(now)
    }

    /// When [`handle_timeout`](Self::handle_timeout) and [`next_to_renew`](Self::next_to_renew) are to
    /// be called next, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        earlier(self.server.poll_timeout(), self.grants.poll_timeout())
    }

    /// How many answers wait for [`settle`](Self::settle).
    pub fn commands(&self) -> usize {
        self.commands.len()
    }

    /// Allocations at this moment.
    pub fn allocations(&self) -> usize {
        self.server.allocation_count()
    }

    /// Entries of all tables that grow with what comes in.
    pub fn table_entries(&self) -> usize {
        self.server.table_entries()
    }

    /// The node is seen at other addresses from now on, besides those from before: `media` at best
    /// ones, and relays under those of `relays`, one of each family.
    pub fn add_own(&mut self, media: &[SocketAddr], relays: &[IpAddr]) {
        // Paths without a socket go by the place in this list: it only grows.
        for &at in media {
            if !self.own_media.contains(&at) {
                self.own_media.push(at);
            }
        }
        self.server.add_own(media, relays);
    }

    /// What the server has counted.
    pub fn counters(&self) -> Counters {
        self.server.counters()
    }
}

fn client_of(path: Path) -> Option<ClientSocket> {
    let (transport, local) = match path.local.as_stream() {
        Some((StreamKind::Turn, number)) => (Transport::Tcp, number),
        Some((StreamKind::TurnInTls, number)) => (Transport::Tls, number),
        Some((StreamKind::Ice, _)) => return None,
        // What came out of a relay in memory is no client's word: nobody relays through a relay.
        None => (Transport::Udp, u8::try_from(path.local.0).ok()?.into()),
    };
    Some(ClientSocket {
        local,
        transport,
        remote: path.remote,
    })
}

fn path_to(client: ClientSocket) -> Path {
    let local = match client.transport {
        Transport::Udp => LocalSocket(client.local.into()),
        Transport::Tcp => LocalSocket::stream(StreamKind::Turn, client.local),
        Transport::Tls => LocalSocket::stream(StreamKind::TurnInTls, client.local),
    };
    Path {
        local,
        remote: client.remote,
    }
}

fn socket_of(port: RelayPort, family: Family) -> LocalSocket {
    LocalSocket::relay(family == Family::V6, port.0)
}

fn push_framed(out: &mut SendArena, to: ClientSocket, frame: &Frame, payload: &[u8]) {
    let start = out.begin();
    frame.write(payload, out.bytes_mut());
    out.commit(path_to(to), start);
}

/// Of two relays of a client that failed together each brings an answer; the last knows of both.
fn keep_last_answers(commands: &mut Vec<Command>) {
    let receiver = |command: &Command| match command {
        Command::Send { to, .. } => Some(*to),
        _ => None,
    };
    let mut at = 0;
    while let Some(command) = commands.get(at) {
        let to = receiver(command);
        let is_late = to.is_none() || commands[at + 1..].iter().all(|one| receiver(one) != to);
        if is_late {
            at += 1;
        } else {
            commands.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]

    use super::*;
    use crate::media::grants::RENEWED_AFTER;

    const UNIX: Duration = Duration::from_secs(1_700_000_000);

    fn relay(now: Instant) -> Relay {
        let turn = Config::new("test", b"north", [7; 32]);
        let time = (now, UNIX);
        Relay::new(RelayConfig { turn, time }).unwrap()
    }

    /// Sockets that cannot be had for one port.
    struct Taken(u16);

    impl RelaySockets for Taken {
        fn open(&mut self, socket: LocalSocket) -> bool {
            socket.as_relay() != Some((false, self.0))
        }

        fn close(&mut self, _: LocalSocket) {}
    }

    #[test]
    fn an_answer_is_not_sent_when_its_relay_could_not_be_opened() {
        let now = Instant::now();
        let mut relay = relay(now);
        let client = |port| ClientSocket {
            local: 0,
            transport: Transport::Udp,
            remote: ([192, 0, 2, 1], port).into(),
        };
        for port in [1, 2] {
            relay.commands.push(Command::OpenRelay {
                port: RelayPort(50_000 + port),
                family: Family::V4,
                client: client(port),
            });
            relay.commands.push(Command::Send {
                to: client(port),
                bytes: vec![port as u8],
            });
        }
        let mut out = SendArena::new();
        relay.settle(now, &mut Taken(50_001), &mut out);
        let sent: Vec<_> = out.datagrams().collect();
        assert_eq!(sent, [(path_to(client(2)), &[2][..])]);
    }

    #[test]
    fn a_client_is_answered_where_it_came_from_and_nobody_relays_through_a_relay() {
        let remote = ([192, 0, 2, 1], 7).into();
        for (local, is_client) in [
            (LocalSocket(0), true),
            (LocalSocket(255), true),
            (LocalSocket::stream(StreamKind::Turn, 0), true),
            (LocalSocket::stream(StreamKind::TurnInTls, 65_535), true),
            (LocalSocket::stream(StreamKind::Ice, 1), false),
            (LocalSocket::relayed(0), false),
            (LocalSocket::relay(false, 50_000), false),
        ] {
            let path = Path { local, remote };
            let back = client_of(path).map(path_to);
            assert_eq!(back, is_client.then_some(path), "{local:?}");
        }
    }

    #[test]
    fn credentials_are_renewed_until_the_member_leaves() {
        let now = Instant::now();
        let mut relay = relay(now);
        let member = MemberId(7);
        let name = |server: IceServer| server.username.unwrap();
        let first = UNIX + LIFE;
        let expected = format!("{}:{member}", first.as_secs());
        assert_eq!(name(relay.grant(now, member)), expected);
        let later = now + RENEWED_AFTER;
        assert_eq!(relay.poll_timeout().unwrap().0, later);
        assert_eq!(relay.next_to_renew(later), Some(member));
        let expected = format!("{}:{member}", (first + RENEWED_AFTER).as_secs());
        assert_eq!(name(relay.grant(later, member)), expected);
        relay.revoke(later, member);
        assert_eq!(relay.next_to_renew(later + RENEWED_AFTER), None);
    }

    #[test]
    fn media_that_moved_keeps_the_places_of_the_paths_that_there_are() {
        let mut relay = relay(Instant::now());
        let [one, two, three] = [1, 2, 3].map(|last| ([203, 0, 113, last], 3478).into());
        relay.add_own(&[one, two], &[]);
        relay.add_own(&[three, one], &[IpAddr::from([203, 0, 113, 3])]);
        assert_eq!(relay.own_media, [one, two, three]);
    }
}

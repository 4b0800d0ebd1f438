//! One peer connection of a client to the node: ICE-lite, DTLS, SRTP and what was negotiated.
//!
//! The transport half of a connection. It says what a datagram held; what becomes of the media in
//! it is decided by the [conference](super::conference).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rand::rngs::StdRng;

use crate::ids::Path;
use crate::media::demux::{Kind, PeerKey, classify};
use crate::media::dtls::{DtlsEvent, DtlsServer, Identity};
use crate::media::egress::SendArena;
use crate::media::ice::{Checked, Consent, Credentials, IceLite};
use crate::media::sdp::{self, AnswerError, LocalSide, Negotiated, Offer};
use crate::media::srtp::{Opener, Sealer, SrtpError, StreamState};

/// From the answer to the first media: a connection that has not finished DTLS by then is given
/// up. This also caps half-open handshakes in time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What is the same for every connection of the process.
#[derive(Clone)]
pub struct Transport {
    /// The node's certificate.
    pub identity: Arc<Identity>,
    /// Where clients reach the node.
    pub candidates: Arc<[SocketAddr]>,
    /// Where they reach it over TCP, if no UDP gets through.
    pub tcp_candidates: Arc<[SocketAddr]>,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// Waiting for checks or for DTLS to finish.
    Connecting,
    /// Media can flow.
    Connected,
    /// Over: consent, the handshake or the association ended.
    Gone,
}

/// What a datagram held.
#[derive(Debug)]
pub enum Arrived {
    /// Nothing more to do.
    Nothing,
    /// A packet that failed authentication or was repeated.
    Rejected,
    /// A valid check.
    Checked(Checked),
    /// DTLS is done: media can flow.
    Connected,
    /// The other side closed the connection, or its handshake failed.
    Gone,
    /// An opened RTP packet.
    Rtp(BytesMut),
    /// An opened RTCP packet.
    Rtcp(BytesMut),
}

/// One peer connection.
pub struct Peer {
    ice: IceLite,
    credentials: Credentials,
    restarts: u32,
    dtls: DtlsServer,
    /// The path that the handshake takes; nothing inside if it takes several.
    handshake_by: Option<Option<Path>>,
    srtp: Option<(Opener, Sealer)>,
    negotiated: Negotiated,
    state: PeerState,
    connect_by: Instant,
    /// DTLS datagrams on their way out; kept so that their buffers are reused.
    flight: Vec<Vec<u8>>,
}

impl Peer {
    /// Answers the first offer of a connection.
    ///
    /// # Errors
    /// What is wrong with the offer.
    pub fn accept(
        now: Instant,
        offer: &str,
        transport: &Transport,
        rng: &mut StdRng,
    ) -> Result<(Peer, String), AnswerError> {
        let credentials = Credentials::random(rng);
        let local = local_side(&credentials, 0, transport);
        let (answer, negotiated) = sdp::answer(offer, &local, None, rng)?;
        let peer = Peer {
            ice: IceLite::new(
                now,
                credentials.clone(),
                remote_credentials(&negotiated),
                rng,
            ),
            dtls: DtlsServer::new(&transport.identity, negotiated.remote.fingerprint.clone()),
            handshake_by: None,
            credentials,
            restarts: 0,
            srtp: None,
            negotiated,
            state: PeerState::Connecting,
            connect_by: now + CONNECT_TIMEOUT,
            flight: Vec::new(),
        };
        Ok((peer, answer))
    }

    /// Answers a later offer on the same connection: more seats, other directions, or an ICE
    /// restart. The old path stays until the new one is nominated.
    ///
    /// # Errors
    /// What is wrong with the offer; nothing was changed.
    pub fn renegotiate(
        &mut self,
        offer: &str,
        transport: &Transport,
        rng: &mut StdRng,
    ) -> Result<String, AnswerError> {
        let offer = Offer::read(offer)?;
        let restart = offer
            .restarts_ice(&self.negotiated)
            .then(|| Credentials::random(rng));
        let credentials = restart.as_ref().unwrap_or(&self.credentials);
        let restarts = self.restarts.saturating_add(u32::from(restart.is_some()));
        let local = local_side(credentials, restarts, transport);
        let (answer, negotiated) = offer.answer(&local, Some(&self.negotiated), rng)?;
        if let Some(credentials) = restart {
            self.ice
                .restart(credentials.clone(), remote_credentials(&negotiated));
            self.credentials = credentials;
            self.restarts = restarts;
        }
        self.negotiated = negotiated;
        Ok(answer)
    }

    /// Under this key answers to its connectivity checks are handed in.
    pub fn set_key(&mut self, key: PeerKey) {
        self.ice.set_key(key);
    }

    /// What holds since the last answer.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// How far the connection has come.
    pub fn state(&self) -> PeerState {
        self.state
    }

    /// The username fragments whose checks are for this connection.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        self.ice.ufrags()
    }

    /// The path that media takes to the client.
    pub fn path(&self) -> Option<Path> {
        self.ice.selected()
    }

    /// Takes a datagram. Only validated sources reach DTLS and SRTP.
    pub fn handle(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        out: &mut SendArena,
    ) -> Arrived {
        match classify(datagram) {
            Kind::Stun => self.check(now, path, datagram, out),
            _ if !self.ice.is_validated(&path) => Arrived::Nothing,
            Kind::Dtls => self.handshake(now, path, datagram, out),
            Kind::Rtp => self.open(Arrived::Rtp, path, datagram, Opener::open_rtp),
            Kind::Rtcp => self.open(Arrived::Rtcp, path, datagram, Opener::open_rtcp),
            Kind::Channel | Kind::Unknown => Arrived::Nothing,
        }
    }

    fn check(&mut self, now: Instant, path: Path, datagram: &[u8], out: &mut SendArena) -> Arrived {
        match self.ice.handle(now, path, datagram, out) {
            Ok(checked) => Arrived::Checked(checked),
            Err(error) => {
                tracing::trace!(%error, "check dropped");
                Arrived::Nothing
            }
        }
    }

    fn handshake(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        out: &mut SendArena,
    ) -> Arrived {
        let mut events = Vec::new();
        let handled = self
            .dtls
            .handle(now, datagram, &mut self.flight, &mut events);
        self.send_flight(path, out);
        if let Err(error) = handled {
            tracing::debug!(%error, "DTLS failed");
            self.state = PeerState::Gone;
            return Arrived::Gone;
        }
        let mut arrived = Arrived::Nothing;
        for event in events {
            match event {
                DtlsEvent::Connected(keys) => match (Opener::new(&keys), Sealer::new(&keys)) {
                    (Ok(opener), Ok(sealer)) => {
                        self.srtp = Some((opener, sealer));
                        self.state = PeerState::Connected;
                        self.shown_by_handshake(path);
                        arrived = Arrived::Connected;
                    }
                    _ => self.state = PeerState::Gone,
                },
                DtlsEvent::Data(_) => {}
                DtlsEvent::Closed => self.state = PeerState::Gone,
            }
        }
        if self.state == PeerState::Gone {
            Arrived::Gone
        } else {
            arrived
        }
    }

    /// Nobody ends a handshake who did not receive the node's part of it.
    fn shown_by_handshake(&mut self, path: Path) {
        if self.handshake_by == Some(Some(path)) {
            self.ice.prove(&path);
        }
    }

    /// The other side is where this path leads.
    pub fn is_proven(&self, path: &Path) -> bool {
        self.ice.is_proven(path)
    }

    fn open(
        &mut self,
        wrap: impl Fn(BytesMut) -> Arrived,
        path: Path,
        datagram: &[u8],
        open: impl FnOnce(&mut Opener, &[u8]) -> Result<BytesMut, SrtpError>,
    ) -> Arrived {
        let Some((opener, _)) = &mut self.srtp else {
            return Arrived::Nothing;
        };
        let Ok(packet) = open(opener, datagram) else {
            return Arrived::Rejected;
        };
        self.ice.heard(path, datagram.len());
        wrap(packet)
    }

    /// Writes an RTP packet with `write`, which returns the header's length, and seals it where it
    /// lies. `false`: there is no path, or it could not be sealed; nothing is left in `out`.
    pub fn send_rtp(
        &mut self,
        stream: &mut StreamState,
        out: &mut SendArena,
        write: impl FnOnce(&mut Vec<u8>) -> usize,
    ) -> bool {
        let (Some(path), Some((_, sealer))) = (self.ice.selected(), &mut self.srtp) else {
            return false;
        };
        let start = out.begin();
        let arena = out.bytes_mut();
        let header_len = write(arena);
        let sealed = sealer.seal_rtp(stream, arena, start, header_len).is_ok();
        self.ice.sent(arena.len() - start);
        finish(out, path, start, sealed)
    }

    /// Writes an RTCP packet with `write` and seals it where it lies; nothing written is nothing
    /// sent.
    pub fn send_rtcp(&mut self, out: &mut SendArena, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let (Some(path), Some((_, sealer))) = (self.ice.selected(), &mut self.srtp) else {
            return false;
        };
        let start = out.begin();
        let arena = out.bytes_mut();
        write(arena);
        let sealed = arena.len() > start && sealer.seal_rtcp(arena, start).is_ok();
        self.ice.sent(arena.len() - start);
        finish(out, path, start, sealed)
    }

    /// Does what is due. Paths that left the validated set are added to `removed`.
    pub fn handle_timeout(&mut self, now: Instant, removed: &mut Vec<Path>, out: &mut SendArena) {
        if self.ice.handle_timeout(now, removed) == Consent::Expired {
            self.state = PeerState::Gone;
        }
        if self.state == PeerState::Connecting && now >= self.connect_by {
            self.state = PeerState::Gone;
        }
        if self.dtls.poll_timeout().is_some_and(|(at, _)| at <= now)
            && self.dtls.handle_timeout(now, &mut self.flight).is_err()
        {
            self.state = PeerState::Gone;
        }
        if let Some(path) = self.ice.selected() {
            self.send_flight(path, out);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let connecting = self.state == PeerState::Connecting;
        let connect_by = connecting.then_some((self.connect_by, "connecting takes too long"));
        [
            connect_by,
            self.ice.poll_timeout(),
            self.dtls.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    /// Says goodbye, so that the client need not wait for a timeout.
    pub fn close(&mut self, now: Instant, out: &mut SendArena) {
        if self.state == PeerState::Connected {
            self.dtls.close(now, &mut self.flight);
        }
        if let Some(path) = self.ice.selected() {
            self.send_flight(path, out);
        }
        self.state = PeerState::Gone;
    }

    fn send_flight(&mut self, path: Path, out: &mut SendArena) {
        if !self.flight.is_empty() && self.handshake_by != Some(Some(path)) {
            let is_first = self.handshake_by.is_none();
            self.handshake_by = Some(Some(path).filter(|_| is_first));
        }
        for datagram in self.flight.drain(..) {
            if self.ice.may_send(&path, datagram.len()) {
                out.push(path, &datagram);
            }
        }
    }
}

fn finish(out: &mut SendArena, path: Path, start: usize, sealed: bool) -> bool {
    if sealed {
        out.commit(path, start);
    } else {
        out.abort(start);
    }
    sealed
}

fn local_side<'a>(
    credentials: &'a Credentials,
    restarts: u32,
    transport: &'a Transport,
) -> LocalSide<'a> {
    LocalSide {
        ufrag: &credentials.ufrag,
        password: &credentials.password,
        fingerprint: transport.identity.fingerprint(),
        candidates: &transport.candidates,
        tcp_candidates: &transport.tcp_candidates,
        restarts,
    }
}

fn remote_credentials(negotiated: &Negotiated) -> Credentials {
    Credentials {
        ufrag: negotiated.remote.ufrag.clone(),
        password: negotiated.remote.password.clone(),
    }
}

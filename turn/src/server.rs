//! The server as a value: what clients and peers send goes in, with the time; commands and routes
//! come out.
//!
//! Nothing is kept for who has not proven to know a password. Every table is bounded: allocations by
//! the quota's total, permissions and channels per allocation, revoked names by [`REVOKED_MAX`]; those who
//! are admitted, where there is a list, by the embedder.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use rtc_crypto::CryptoError;

use crate::address::Policy;
use crate::challenges::Challenges;
use crate::nonce::Nonces;
use crate::quota::Quotas;
use crate::random::Random;
use crate::stun::{BINDING_REQUEST, Message};
use crate::words;

mod allocate;
mod allocation;
mod answer;
mod authenticate;
mod channel;
mod config;
mod permission;
mod ports;
mod refresh;
mod relay;
mod revoked;
#[cfg(test)]
mod tests;
mod timers;
mod types;

pub use allocation::{CHANNEL_LIFE, CHANNELS_MAX, PERMISSION_LIFE, PERMISSIONS_MAX};
pub use config::Config;
pub use refresh::{LIFETIME_DEFAULT_S, LIFETIME_MAX_S};
pub use revoked::REVOKED_MAX;
pub use types::{
    ClientSocket, Command, Counters, Family, Frame, Payload, PeerSocket, RelayPort, Route,
    Transport,
};

use allocation::Allocation;
use answer::Refusal;
use authenticate::Request;
use ports::Ports;
use revoked::Revoked;
use timers::Deadline;

/// Requests that ended an allocation and are remembered, for their retransmissions; the oldest is
/// forgotten first, and its retransmission gets 437, which clients take for the same.
const ENDED_MAX: usize = 1_024;

/// A TURN server.
pub struct Server {
    config: Config,
    policy: Policy,
    nonces: Nonces,
    random: Random,
    challenges: Challenges,
    quotas: Quotas,
    revoked: Revoked,
    /// Who is believed, where there is a list.
    admitted: HashSet<Box<str>>,
    /// By family.
    ports: [Ports; 2],
    allocations: Vec<Option<Allocation>>,
    free: Vec<u32>,
    clients: HashMap<ClientSocket, u32>,
    reservations: Vec<allocate::Reservation>,
    ended: VecDeque<(ClientSocket, [u8; 12])>,
    deadlines: BTreeSet<(Instant, Deadline)>,
    started_at: Instant,
    /// What time it was in the world at `started_at`.
    started_unix: Duration,
    counters: Counters,
}

impl Server {
    /// A server without allocations. `unix` is the time since 1970 at `now`.
    ///
    /// # Errors
    ///
    /// If the cryptography lacks HMAC-SHA256.
    pub fn new(config: Config, now: Instant, unix: Duration) -> Result<Self, CryptoError> {
        let policy = Policy::of(&config);
        let mut random = Random::new(&config.seed)?;
        Ok(Server {
            policy,
            nonces: Nonces::new(&config.seed)?,
            challenges: Challenges::new([random.bytes(), random.bytes()].map(u64::from_be_bytes)),
            random,
            quotas: Quotas::new(now, config.quota),
            revoked: Revoked::default(),
            admitted: HashSet::new(),
            ports: [
                Ports::new(&config.relay_ports),
                Ports::new(&config.relay_ports),
            ],
            allocations: vec![],
            free: vec![],
            clients: HashMap::new(),
            reservations: vec![],
            ended: VecDeque::new(),
            deadlines: BTreeSet::new(),
            started_at: now,
            started_unix: unix,
            counters: Counters::default(),
            config,
        })
    }

    /// Tells the time of the world anew, when it was set.
    pub fn set_unix_time(&mut self, now: Instant, unix: Duration) {
        let age = now.saturating_duration_since(self.started_at);
        self.started_unix = unix.saturating_sub(age);
    }

    /// The node is seen at other addresses from now on: relays are told under those in
    /// `relay_addresses`, of each family the last, and `media` is the node's own. What was its own
    /// before stays so.
    pub fn add_own(&mut self, media: &[SocketAddr], relay_addresses: &[IpAddr]) {
        for ip in relay_addresses {
            match *ip {
                IpAddr::V4(ip) => self.config.relay_ipv4 = Some(ip),
                IpAddr::V6(ip) => self.config.relay_ipv6 = Some(ip),
            }
        }
        self.policy.add_own(media, relay_addresses);
    }

    /// Takes what a client sent: one datagram, or one frame of a stream. What is to be answered is
    /// appended to `out`; a payload is routed by what is returned.
    pub fn handle_client_datagram(
        &mut self,
        now: Instant,
        client: ClientSocket,
        bytes: &[u8],
        out: &mut Vec<Command>,
    ) -> Option<Route> {
        // The first two bits tell them apart (RFC 8656 §12).
        match bytes.first()? >> 6 {
            0 => self.handle_message(now, client, bytes, out),
            1 => self.channel_data(now, client, bytes),
            _ => None,
        }
    }

    fn handle_message(
        &mut self,
        now: Instant,
        client: ClientSocket,
        bytes: &[u8],
        out: &mut Vec<Command>,
    ) -> Option<Route> {
        let message = Message::parse(bytes).ok()?;
        if message.has_fingerprint() && !message.fingerprint_fits() {
            return None;
        }
        match message.kind() {
            BINDING_REQUEST => self.answer_binding(now, client, bytes, out),
            words::SEND_INDICATION => return self.send_indication(now, client, bytes, &message),
            words::ALLOCATE_REQUEST
            | words::REFRESH_REQUEST
            | words::CREATE_PERMISSION_REQUEST
            | words::CHANNEL_BIND_REQUEST => self.handle_request(now, client, &message, out),
            _ => {}
        }
        None
    }

    fn handle_request(
        &mut self,
        now: Instant,
        client: ClientSocket,
        message: &Message<'_>,
        out: &mut Vec<Command>,
    ) {
        let request = match self.authenticate(now, client, message) {
            Ok(request) => request,
            Err(code) => return self.challenge(now, client, message, code, out),
        };
        let done = self.carry_out(now, &request, out);
        if let Err(refusal) = done {
            self.counters.refused += 1;
            request.refuse(&refusal, out);
        }
    }

    fn carry_out(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        out: &mut Vec<Command>,
    ) -> Result<(), Refusal> {
        match request.message.kind() {
            words::ALLOCATE_REQUEST => self.allocate(now, request, out),
            words::REFRESH_REQUEST => self.refresh(now, request, out),
            words::CREATE_PERMISSION_REQUEST => self.create_permission(now, request, out),
            _ => self.channel_bind(now, request, out),
        }
    }

    /// A stream has ended: so does its allocation.
    pub fn handle_client_gone(&mut self, client: ClientSocket, out: &mut Vec<Command>) {
        if let Some(id) = self.clients.get(&client) {
            self.end(*id, out);
        }
    }

    /// Believes a member's names until it is revoked, where there is a list of those who are.
    pub fn admit(&mut self, member: &str) {
        if self.config.is_by_list {
            self.admitted.insert(member.into());
        }
    }

    /// Ends all allocations of a member and refuses its names from now on, for as long as one that
    /// was minted before could hold.
    pub fn revoke(&mut self, now: Instant, member: &str, out: &mut Vec<Command>) {
        if self.config.is_by_list {
            self.admitted.remove(member);
        } else {
            let life = Duration::from_secs(self.config.credential_life_max_s);
            self.revoked.insert(member, self.unix(now) + life);
        }
        for id in 0..self.allocations.len() as u32 {
            let payer = self.allocation(id).map(|allocation| allocation.payer);
            if payer.and_then(|payer| self.quotas.member(payer)) == Some(member) {
                self.end(id, out);
            }
        }
        self.drop_reservations_of(member);
    }

    /// Whether no name of that member holds.
    fn is_out(&mut self, unix: Duration, member: &str) -> bool {
        match self.config.is_by_list {
            true => !self.admitted.contains(member),
            false => self.revoked.contains(unix, member),
        }
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether a client has an allocation that is not over. A stream without one need not be kept.
    pub fn has_allocation(&self, now: Instant, client: ClientSocket) -> bool {
        self.allocation_of(now, client).is_some()
    }

    /// Allocations at this moment.
    pub fn allocation_count(&self) -> usize {
        self.clients.len()
    }

    /// Entries in all tables whose size depends on what comes in.
    pub fn table_entries(&self) -> usize {
        let inside = self.allocations.iter().flatten();
        let inside = inside.map(|one| one.permissions.len() + one.channels.len());
        inside.sum::<usize>()
            + self.clients.len()
            + self.quotas.len()
            + self.challenges.len()
            + self.reservations.len()
            + self.revoked.len()
            + self.ended.len()
            + self.deadlines.len()
    }

    fn unix(&self, now: Instant) -> Duration {
        self.started_unix + now.saturating_duration_since(self.started_at)
    }

    fn allocation(&self, id: u32) -> Option<&Allocation> {
        self.allocations.get(id as usize)?.as_ref()
    }

    fn allocation_mut(&mut self, id: u32) -> Option<&mut Allocation> {
        self.allocations.get_mut(id as usize)?.as_mut()
    }

    /// The allocation of a client, if it has one that is not over.
    fn allocation_of(&self, now: Instant, client: ClientSocket) -> Option<u32> {
        let id = *self.clients.get(&client)?;
        self.allocation(id)
            .filter(|one| one.expires > now)
            .map(|_| id)
    }

    /// Whose allocation a request is about: 437 without one, 441 if it is another member's
    /// (RFC 8656 §5).
    fn allocation_for(&self, now: Instant, request: &Request<'_>) -> Result<u32, Refusal> {
        let id = self.allocation_of(now, request.client);
        let id = id.ok_or(Refusal::code(437))?;
        let payer = self.allocation(id).map(|allocation| allocation.payer);
        match payer.and_then(|payer| self.quotas.member(payer)) {
            Some(member) if member == request.user.member => Ok(id),
            _ => Err(Refusal::code(441)),
        }
    }

    /// Ends an allocation: its ports are free, its quota given back.
    fn end(&mut self, id: u32, out: &mut Vec<Command>) {
        let Some(place) = self.allocations.get_mut(id as usize) else {
            return;
        };
        let Some(allocation) = place.take() else {
            return;
        };
        self.free.push(id);
        self.clients.remove(&allocation.client);
        self.quotas.give_back(allocation.payer);
        self.deadlines
            .remove(&(allocation.expires, Deadline::Allocation(id)));
        for family in [Family::V4, Family::V6] {
            if let Some(port) = allocation.relays[family.index()] {
                self.ports[family.index()].set(port, ports::Slot::Free);
                out.push(Command::CloseRelay { port, family });
            }
        }
    }
}

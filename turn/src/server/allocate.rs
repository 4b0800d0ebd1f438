//! Allocate: a relay address for a client (RFC 8656 §7.2).

use std::time::{Duration, Instant};

use super::allocation::{Allocation, Channels, Granted, Permissions};
use super::answer::signed;
use super::authenticate::Request;
use super::ports::{Slot, Wanted};
use super::refresh::wished_lifetime;
use super::{Command, Deadline, Family, Refusal, RelayPort, Server};
use crate::quota::{Full, Payer};
use crate::words;

/// How long the port after an even one is kept for who brings the token (RFC 8656 §7.2: at least 30 s).
pub(super) const RESERVED_FOR: Duration = Duration::from_secs(30);

/// Ports that are tried for one allocation, when opening fails, before the client hears 508.
const OPENING_TRIES: u8 = 8;

const UDP: u8 = 17;

/// A port kept back. There are no more than the quotas allow: each counts as an allocation.
pub(super) struct Reservation {
    token: [u8; 8],
    family: Family,
    port: RelayPort,
    payer: Payer,
    until: Instant,
}

/// What the request asks for, as far as the request alone can tell.
struct Asked {
    family: Family,
    additional: bool,
    wanted: Wanted,
    token: Option<[u8; 8]>,
    lifetime_s: Option<u32>,
}

/// The ports of a new allocation, not yet marked as its own.
#[derive(Default)]
struct Found {
    relays: [Option<RelayPort>; 2],
    reserve: Option<(Family, RelayPort)>,
    missing: Option<(Family, u16)>,
}

impl Server {
    pub(super) fn allocate(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        out: &mut Vec<Command>,
    ) -> Result<(), Refusal> {
        if let Some(id) = self.clients.get(&request.client).copied() {
            match self.allocation_of(now, request.client) {
                Some(id) => return self.allocate_again(id, request, out),
                // It is over, and only the wake-up is late.
                None => self.end(id, out),
            }
        }
        let asked = read(request, self.family_unasked())?;
        if let Some(token) = asked.token {
            return self.allocate_reserved(now, request, &asked, token, out);
        }
        let found = self.find_ports(&asked)?;
        let count = 1 + usize::from(found.reserve.is_some());
        let taken = self
            .quotas
            .take(now, request.user.member, request.client.remote.ip(), count);
        let payer = taken.map_err(|full| match full {
            Full::Theirs => Refusal::code(486),
            Full::Ours => Refusal::code(508),
        })?;
        let token = found
            .reserve
            .map(|(family, port)| self.reserve(now, family, port, payer));
        self.begin(now, request, &asked, (payer, &found, token), out);
        Ok(())
    }

    /// The same transaction of the same member gets the same answer (RFC 8489 §6.3.1), another one 437.
    fn allocate_again(
        &mut self,
        id: u32,
        request: &Request<'_>,
        out: &mut Vec<Command>,
    ) -> Result<(), Refusal> {
        let allocation = self.allocation(id).ok_or(Refusal::code(437))?;
        let is_theirs = self.quotas.member(allocation.payer) == Some(request.user.member);
        if !is_theirs || allocation.granted.transaction != *request.message.transaction() {
            return Err(Refusal::code(437));
        }
        self.answer_allocated(id, out);
        Ok(())
    }

    /// Whoever brings a token gets the reserved port, and what was counted for it.
    fn allocate_reserved(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        asked: &Asked,
        token: [u8; 8],
        out: &mut Vec<Command>,
    ) -> Result<(), Refusal> {
        let is_it = |one: &Reservation| {
            let member = self.quotas.member(one.payer);
            one.token == token && one.until > now && member == Some(request.user.member)
        };
        let at = self.reservations.iter().position(is_it);
        let reservation = self.reservations.swap_remove(at.ok_or(Refusal::code(508))?);
        let Reservation {
            family,
            port,
            payer,
            until,
            ..
        } = reservation;
        self.deadlines
            .remove(&(until, Deadline::Reservation(family, port)));
        let mut found = Found::default();
        found.relays[family.index()] = Some(port);
        self.begin(now, request, asked, (payer, &found, None), out);
        Ok(())
    }

    fn find_ports(&mut self, asked: &Asked) -> Result<Found, Refusal> {
        let mut found = Found::default();
        let first = self.find_port(asked.family, asked.wanted);
        if asked.additional {
            return self.find_two(first);
        }
        let port = first.map_err(Refusal::code)?;
        found.relays[asked.family.index()] = Some(port);
        if asked.wanted == Wanted::EvenAndNext {
            found.reserve = Some((asked.family, RelayPort(port.0 + 1)));
        }
        Ok(found)
    }

    /// IPv4 and IPv6; one of them is enough, and the answer says why the other is missing.
    fn find_two(&mut self, first: Result<RelayPort, u16>) -> Result<Found, Refusal> {
        let second = self.find_port(Family::V6, Wanted::Any);
        let missing = match (&first, &second) {
            (Err(code), Err(_)) => return Err(Refusal::code(*code)),
            (Err(code), Ok(_)) => Some((Family::V4, *code)),
            (Ok(_), Err(code)) => Some((Family::V6, *code)),
            (Ok(_), Ok(_)) => None,
        };
        Ok(Found {
            relays: [first.ok(), second.ok()],
            reserve: None,
            missing,
        })
    }

    /// What is given to who names no family: IPv4. RFC 8656 §7.2 has 440 where there is none, but
    /// browsers never name one: a node that has IPv6 alone would not relay for them at all.
    fn family_unasked(&self) -> Family {
        match (self.config.relay_ipv4, self.config.relay_ipv6) {
            (None, Some(_)) => Family::V6,
            _ => Family::V4,
        }
    }

    /// A free port, or 440 or 508.
    fn find_port(&mut self, family: Family, wanted: Wanted) -> Result<RelayPort, u16> {
        let is_supported = match family {
            Family::V4 => self.config.relay_ipv4.is_some(),
            Family::V6 => self.config.relay_ipv6.is_some(),
        };
        if !is_supported {
            return Err(440);
        }
        let random = u64::from_be_bytes(self.random.bytes());
        self.ports[family.index()].find(wanted, random).ok_or(508)
    }

    fn reserve(&mut self, now: Instant, family: Family, port: RelayPort, payer: Payer) -> [u8; 8] {
        let token = self.random.bytes();
        let until = now + RESERVED_FOR;
        self.ports[family.index()].set(port, Slot::Reserved);
        self.deadlines
            .insert((until, Deadline::Reservation(family, port)));
        self.reservations.push(Reservation {
            token,
            family,
            port,
            payer,
            until,
        });
        token
    }

    /// Makes the allocation, opens its sockets and answers.
    fn begin(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        asked: &Asked,
        (payer, found, token): (Payer, &Found, Option<[u8; 8]>),
        out: &mut Vec<Command>,
    ) {
        let lifetime_s = self.lifetime(now, request, asked.lifetime_s);
        let expires = now + Duration::from_secs(lifetime_s.into());
        let id = self.insert(Allocation {
            client: request.client,
            payer,
            relays: found.relays,
            expires,
            granted: Granted {
                transaction: *request.message.transaction(),
                key: request.key.clone(),
                with_fingerprint: request.message.has_fingerprint(),
                lifetime_s,
                token,
                missing: found.missing,
                is_exact: asked.wanted != Wanted::Any || asked.token.is_some(),
                failures: 0,
            },
            permissions: Permissions::default(),
            channels: Channels::default(),
        });
        self.deadlines.insert((expires, Deadline::Allocation(id)));
        self.counters.allocated += 1;
        for family in [Family::V4, Family::V6] {
            if let Some(port) = found.relays[family.index()] {
                self.open(id, family, port, out);
            }
        }
        self.answer_allocated(id, out);
    }

    fn insert(&mut self, allocation: Allocation) -> u32 {
        let id = self.free.pop().unwrap_or(self.allocations.len() as u32);
        self.clients.insert(allocation.client, id);
        match self.allocations.get_mut(id as usize) {
            Some(place) => *place = Some(allocation),
            None => self.allocations.push(Some(allocation)),
        }
        id
    }

    fn open(&mut self, id: u32, family: Family, port: RelayPort, out: &mut Vec<Command>) {
        let Some(client) = self.allocation(id).map(|allocation| allocation.client) else {
            return;
        };
        self.ports[family.index()].set(port, Slot::Used(id));
        out.push(Command::OpenRelay {
            port,
            family,
            client,
        });
    }

    /// A relay socket could not be opened: another port is tried, and left alone for a minute.
    /// Forget the answer that followed in the same commands; it comes again here.
    pub fn relay_failed(
        &mut self,
        now: Instant,
        port: RelayPort,
        family: Family,
        out: &mut Vec<Command>,
    ) {
        let Some(id) = self.ports[family.index()].used_by(port) else {
            return;
        };
        self.block(now, family, port);
        let next = self.find_port(family, Wanted::Any);
        let Some(allocation) = self.allocation_mut(id) else {
            return;
        };
        allocation.relays[family.index()] = None;
        allocation.granted.failures += 1;
        let is_replaceable = !allocation.granted.is_exact;
        match next {
            Ok(next) if is_replaceable && allocation.granted.failures < OPENING_TRIES => {
                allocation.relays[family.index()] = Some(next);
                self.open(id, family, next, out);
                self.answer_allocated(id, out);
            }
            _ => self.give_up(id, out),
        }
    }

    /// 508, and the allocation never was.
    fn give_up(&mut self, id: u32, out: &mut Vec<Command>) {
        if let Some(allocation) = self.allocation(id) {
            let granted = &allocation.granted;
            out.push(signed(
                allocation.client,
                words::ALLOCATE_REQUEST | words::ERROR,
                &granted.transaction,
                &granted.key,
                granted.with_fingerprint,
                |writer| writer.error(508),
            ));
        }
        self.end(id, out);
    }

    fn answer_allocated(&self, id: u32, out: &mut Vec<Command>) {
        let Some(allocation) = self.allocation(id) else {
            return;
        };
        let granted = &allocation.granted;
        out.push(signed(
            allocation.client,
            words::ALLOCATE_REQUEST | words::SUCCESS,
            &granted.transaction,
            &granted.key,
            granted.with_fingerprint,
            |writer| {
                for family in [Family::V4, Family::V6] {
                    let port = allocation.relays[family.index()];
                    if let Some(address) = port.and_then(|port| self.relay_address(family, port)) {
                        writer.xor_address(words::XOR_RELAYED_ADDRESS, address);
                    }
                }
                writer.attribute(words::LIFETIME, &granted.lifetime_s.to_be_bytes());
                if let Some(token) = granted.token {
                    writer.attribute(words::RESERVATION_TOKEN, &token);
                }
                if let Some((family, code)) = granted.missing {
                    // Family, then class and number of the code (RFC 8656 §18.12).
                    let (class, number) = ((code / 100) as u8, (code % 100) as u8);
                    let value = [family.number(), 0, class, number];
                    writer.attribute(words::ADDRESS_ERROR_CODE, &value);
                }
                writer.xor_mapped_address(allocation.client.remote);
            },
        ));
    }

    /// The token came too late, or will not come.
    pub(super) fn drop_reservation(&mut self, family: Family, port: RelayPort) {
        let is_it = |one: &Reservation| one.family == family && one.port == port;
        let Some(at) = self.reservations.iter().position(is_it) else {
            return;
        };
        let reservation = self.reservations.swap_remove(at);
        self.ports[family.index()].set(port, Slot::Free);
        self.quotas.give_back(reservation.payer);
    }

    pub(super) fn drop_reservations_of(&mut self, member: &str) {
        let theirs: Vec<_> = self
            .reservations
            .iter()
            .filter(|one| self.quotas.member(one.payer) == Some(member))
            .map(|one| (one.family, one.port, one.until))
            .collect();
        for (family, port, until) in theirs {
            self.deadlines
                .remove(&(until, Deadline::Reservation(family, port)));
            self.drop_reservation(family, port);
        }
    }
}

/// The request's wishes, or what is wrong with them, in the order of RFC 8656 §7.2.
fn read(request: &Request<'_>, unasked: Family) -> Result<Asked, Refusal> {
    let refuse = |code| Err(Refusal::code(code));
    let message = &request.message;
    request.understands(&[
        words::REQUESTED_TRANSPORT,
        words::LIFETIME,
        words::REQUESTED_ADDRESS_FAMILY,
        words::EVEN_PORT,
        words::RESERVATION_TOKEN,
    ])?;
    match message.attribute(words::REQUESTED_TRANSPORT) {
        Some([UDP, _, _, _]) => {}
        // Other protocols, TCP of RFC 6062 among them.
        Some([_, _, _, _]) => return refuse(442),
        _ => return refuse(400),
    }
    let family = message.attribute(words::REQUESTED_ADDRESS_FAMILY);
    let additional = message.attribute(words::ADDITIONAL_ADDRESS_FAMILY);
    let even = message.attribute(words::EVEN_PORT);
    let token = message.attribute(words::RESERVATION_TOKEN);
    let is_with_token = token.is_some();
    if is_with_token && (even.is_some() || family.is_some() || additional.is_some()) {
        return refuse(400);
    }
    if family.is_some() && additional.is_some() {
        return refuse(400);
    }
    let wanted = match even {
        None => Wanted::Any,
        Some([bits]) if bits & 0x80 != 0 => Wanted::EvenAndNext,
        Some([_]) => Wanted::Even,
        Some(_) => return refuse(400),
    };
    // Only IPv6 comes in addition, and no port is reserved beside it (RFC 8656 §7.2).
    let is_additional = match additional.map(Family::read) {
        None => false,
        Some(Some(Family::V6)) if wanted != Wanted::EvenAndNext => true,
        Some(_) => return refuse(400),
    };
    let family = match family {
        None if is_additional => Family::V4,
        None => unasked,
        Some(value) if value.len() != 4 => return refuse(400),
        Some(value) => Family::read(value).ok_or(Refusal::code(440))?,
    };
    let token = match token.map(<[u8; 8]>::try_from) {
        None => None,
        Some(Ok(token)) => Some(token),
        Some(Err(_)) => return refuse(400),
    };
    Ok(Asked {
        family,
        additional: is_additional,
        wanted,
        token,
        lifetime_s: wished_lifetime(request)?,
    })
}

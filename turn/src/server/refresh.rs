//! Refresh: an allocation lives on, or ends (RFC 8656 §8.2).

use std::time::{Duration, Instant};

use super::authenticate::Request;
use super::{Command, Deadline, ENDED_MAX, Family, Refusal, Server};
use crate::words;

/// Without a wish, and at least (RFC 8656 §3.2).
pub const LIFETIME_DEFAULT_S: u32 = 600;
/// At most, whatever is wished (RFC 8656 §7.2).
pub const LIFETIME_MAX_S: u32 = 3_600;
/// An allocation outlives the credentials it was made with by this much at most.
const BEYOND_CREDENTIALS_S: u64 = 600;

impl Server {
    pub(super) fn refresh(
        &mut self,
        now: Instant,
        request: &Request<'_>,
        out: &mut Vec<Command>,
    ) -> Result<(), Refusal> {
        request.understands(&[words::LIFETIME, words::REQUESTED_ADDRESS_FAMILY])?;
        let wished = wished_lifetime(request)?;
        let ended = (request.client, *request.message.transaction());
        if wished == Some(0) && self.ended.contains(&ended) {
            answer(request, 0, out);
            return Ok(());
        }
        let id = self.allocation_for(now, request)?;
        self.check_family(id, request)?;
        let lifetime_s = match wished {
            Some(0) => 0,
            wished => self.lifetime(now, request, wished),
        };
        if lifetime_s == 0 {
            self.end(id, out);
            self.remember_ended(ended);
        } else {
            self.prolong(id, now + Duration::from_secs(lifetime_s.into()));
        }
        answer(request, lifetime_s, out);
        Ok(())
    }

    /// 443 if the request is about a family that the allocation has not (RFC 8656 §8.2).
    fn check_family(&self, id: u32, request: &Request<'_>) -> Result<(), Refusal> {
        let Some(value) = request.message.attribute(words::REQUESTED_ADDRESS_FAMILY) else {
            return Ok(());
        };
        let family = Family::read(value).ok_or(Refusal::code(443))?;
        let relays = self.allocation(id).map(|allocation| allocation.relays);
        match relays.and_then(|relays| relays[family.index()]) {
            Some(_) => Ok(()),
            None => Err(Refusal::code(443)),
        }
    }

    /// The wish within default and maximum, and not far beyond the credentials.
    pub(super) fn lifetime(&self, now: Instant, request: &Request<'_>, wished: Option<u32>) -> u32 {
        let wished = wished.unwrap_or(LIFETIME_DEFAULT_S);
        let wished = wished.clamp(LIFETIME_DEFAULT_S, LIFETIME_MAX_S);
        let unix = self.unix(now).as_secs();
        let left = request.user.expires_unix.saturating_sub(unix) + BEYOND_CREDENTIALS_S;
        wished.min(u32::try_from(left).unwrap_or(u32::MAX))
    }

    pub(super) fn prolong(&mut self, id: u32, until: Instant) {
        let Some(allocation) = self.allocation_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut allocation.expires, until);
        self.deadlines.remove(&(before, Deadline::Allocation(id)));
        self.deadlines.insert((until, Deadline::Allocation(id)));
    }

    fn remember_ended(&mut self, ended: (super::ClientSocket, [u8; 12])) {
        if self.ended.len() >= ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
    }
}

fn answer(request: &Request<'_>, lifetime_s: u32, out: &mut Vec<Command>) {
    request.succeed(out, |writer| {
        writer.attribute(words::LIFETIME, &lifetime_s.to_be_bytes());
    });
}

/// LIFETIME in seconds, or 400 if it is malformed.
pub(super) fn wished_lifetime(request: &Request<'_>) -> Result<Option<u32>, Refusal> {
    let Some(value) = request.message.attribute(words::LIFETIME) else {
        return Ok(None);
    };
    let value: [u8; 4] = value.try_into().map_err(|_| Refusal::code(400))?;
    Ok(Some(u32::from_be_bytes(value)))
}

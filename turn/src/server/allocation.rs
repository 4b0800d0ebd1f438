//! One client's allocation: its relay addresses, who may send there, and its channels.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::types::{ClientSocket, Family, RelayPort};
use crate::address::Destination;
use crate::quota::Payer;

/// How long a permission lasts (RFC 8656 §9).
pub const PERMISSION_LIFE: Duration = Duration::from_secs(300);
/// How long a channel lasts (RFC 8656 §12).
pub const CHANNEL_LIFE: Duration = Duration::from_secs(600);
/// Permissions of one allocation; one more is refused with 508.
pub const PERMISSIONS_MAX: usize = 128;
/// Channels of one allocation; one more is refused with 508.
pub const CHANNELS_MAX: usize = 64;

/// The key of a user, as the client proved to have it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) bytes: Vec<u8>,
    /// With MESSAGE-INTEGRITY-SHA256.
    pub(super) is_sha256: bool,
}

pub(super) struct Allocation {
    pub(super) client: ClientSocket,
    pub(super) payer: Payer,
    /// By family.
    pub(super) relays: [Option<RelayPort>; 2],
    pub(super) expires: Instant,
    pub(super) granted: Granted,
    pub(super) permissions: Permissions,
    pub(super) channels: Channels,
}

/// What was answered to Allocate, to answer it again.
pub(super) struct Granted {
    pub(super) transaction: [u8; 12],
    pub(super) key: Key,
    pub(super) with_fingerprint: bool,
    pub(super) lifetime_s: u32,
    pub(super) token: Option<[u8; 8]>,
    /// The second family, and why it is missing.
    pub(super) missing: Option<(Family, u16)>,
    /// An even port or the reserved one was asked for: no other will do.
    pub(super) is_exact: bool,
    /// Ports that could not be opened for it.
    pub(super) failures: u8,
}

/// Addresses whose datagrams pass, each until its time. Sorted; at most [`PERMISSIONS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Permissions(Vec<(IpAddr, Instant)>);

impl Permissions {
    pub(super) fn has(&self, now: Instant, ip: IpAddr) -> bool {
        let found = self.0.binary_search_by_key(&ip, |entry| entry.0);
        found.is_ok_and(|at| self.0[at].1 > now)
    }

    /// Whether so many more have room, once those that are over are gone.
    pub(super) fn make_room(&mut self, now: Instant, more: &[IpAddr]) -> bool {
        self.0.retain(|entry| entry.1 > now);
        // Each of the list is compared with those before it, so the list is bounded first.
        if more.len() > PERMISSIONS_MAX {
            return false;
        }
        let is_known = |ip: &IpAddr| self.0.binary_search_by_key(ip, |entry| entry.0).is_ok();
        let is_new = |at: &usize| !more[..*at].contains(&more[*at]) && !is_known(&more[*at]);
        self.0.len() + (0..more.len()).filter(is_new).count() <= PERMISSIONS_MAX
    }

    pub(super) fn install(&mut self, now: Instant, ip: IpAddr) {
        let until = now + PERMISSION_LIFE;
        match self.0.binary_search_by_key(&ip, |entry| entry.0) {
            Ok(at) => self.0[at].1 = until,
            Err(at) if self.0.len() < PERMISSIONS_MAX => self.0.insert(at, (ip, until)),
            Err(_) => {}
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Channel {
    pub(super) number: u16,
    pub(super) peer: SocketAddr,
    pub(super) destination: Destination,
    pub(super) until: Instant,
}

/// Numbers bound to peers. At most [`CHANNELS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Channels(Vec<Channel>);

/// Why a channel is not bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotBound {
    /// The number or the peer is bound otherwise.
    Taken,
    /// There are [`CHANNELS_MAX`].
    Full,
}

impl Channels {
    pub(super) fn by_number(&self, now: Instant, number: u16) -> Option<&Channel> {
        let found = self.0.iter().find(|channel| channel.number == number);
        found.filter(|channel| channel.until > now)
    }

    pub(super) fn number_of(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        let mut channels = self.0.iter();
        let found = channels.find(|channel| channel.peer == peer && channel.until > now);
        found.map(|channel| channel.number)
    }

    /// Binds, or refreshes what is bound so already (RFC 8656 §12.2).
    pub(super) fn bind(
        &mut self,
        now: Instant,
        number: u16,
        peer: SocketAddr,
        destination: Destination,
    ) -> Result<(), NotBound> {
        self.0.retain(|channel| channel.until > now);
        let until = now + CHANNEL_LIFE;
        let is_full = self.0.len() >= CHANNELS_MAX;
        let touches = |channel: &&mut Channel| channel.number == number || channel.peer == peer;
        match self.0.iter_mut().find(touches) {
            Some(channel) if channel.number == number && channel.peer == peer => {
                channel.until = until;
            }
            Some(_) => return Err(NotBound::Taken),
            None if is_full => return Err(NotBound::Full),
            None => self.0.push(Channel {
                number,
                peer,
                destination,
                until,
            }),
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

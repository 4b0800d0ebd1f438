//! Who may hold how much: allocations and bytes per second, per member, per source and in total.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Instant;

use crate::bucket::Bucket;

/// One ceiling of each kind; bursts are as large as a second's worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// Allocations at once; a reserved port counts as one.
    pub allocations: usize,
    /// Payload bytes relayed per second, both ways together.
    pub bytes_per_second: u64,
}

/// The ceilings of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// For one member, whatever its credentials.
    pub member: Ceiling,
    /// For one source: an IPv4 address or an IPv6 /64. It never holds more allocations than it leaves
    /// free.
    pub source: Ceiling,
    /// For everybody together.
    pub total: Ceiling,
}

impl Default for Quota {
    /// A member has some connections with some servers each; a source may be an office.
    fn default() -> Self {
        Quota {
            member: Ceiling {
                allocations: 32,
                bytes_per_second: 5_000_000,
            },
            source: Ceiling {
                allocations: 512,
                bytes_per_second: 50_000_000,
            },
            total: Ceiling {
                allocations: 4_096,
                bytes_per_second: 125_000_000,
            },
        }
    }
}

/// What an allocation is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payer {
    member: usize,
    source: usize,
}

/// Which ceiling was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// That of the member or the source.
    Theirs,
    /// That of the server.
    Ours,
}

/// Keeps the counts. Holds an entry per member and source only while it has an allocation, so the
/// total of allocations bounds it.
pub(crate) struct Quotas {
    quota: Quota,
    members: Accounts<Box<str>>,
    sources: Accounts<IpAddr>,
    total: Bucket,
    count: usize,
}

impl Quotas {
    pub(crate) fn new(now: Instant, quota: Quota) -> Self {
        Quotas {
            quota,
            members: Accounts::new(quota.member),
            sources: Accounts::new(quota.source),
            total: Bucket::new(now, quota.total.bytes_per_second),
            count: 0,
        }
    }

    /// Counts `count` more for a member at a source, or says what stands in the way.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        member: &str,
        ip: IpAddr,
        count: usize,
    ) -> Result<Payer, Full> {
        let Some(free) = self.quota.total.allocations.checked_sub(self.count + count) else {
            return Err(Full::Ours);
        };
        let source = source_of(ip);
        // A few sources cannot take the places of all: the last ones are for who has none.
        if self.sources.held(&source) > free {
            return Err(Full::Theirs);
        }
        if !self.members.has_room(member, count) || !self.sources.has_room(&source, count) {
            return Err(Full::Theirs);
        }
        self.count += count;
        Ok(Payer {
            member: self.members.take(now, member.into(), count),
            source: self.sources.take(now, source, count),
        })
    }

    /// Gives back one.
    pub(crate) fn give_back(&mut self, payer: Payer) {
        self.count = self.count.saturating_sub(1);
        self.members.give_back(payer.member);
        self.sources.give_back(payer.source);
    }

    /// Whether so many bytes may be relayed now; they are counted if so.
    pub(crate) fn spend(&mut self, now: Instant, payer: Payer, bytes: usize) -> bool {
        let (bytes, rate) = (bytes as u64, self.quota.total.bytes_per_second);
        self.members.spend(now, payer.member, bytes)
            && self.sources.spend(now, payer.source, bytes)
            && self.total.spend(now, rate, rate, bytes)
    }

    /// Whose allocation it is.
    pub(crate) fn member(&self, payer: Payer) -> Option<&str> {
        let account = self.members.accounts.get(payer.member)?.as_ref()?;
        Some(&account.key)
    }

    /// Entries of all tables.
    pub(crate) fn len(&self) -> usize {
        self.members.found.len() + self.sources.found.len()
    }
}

/// An IPv6 subscriber has a whole network to send from.
pub(crate) fn source_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
    }
}

struct Accounts<K> {
    ceiling: Ceiling,
    found: HashMap<K, usize>,
    accounts: Vec<Option<Account<K>>>,
    free: Vec<usize>,
}

struct Account<K> {
    key: K,
    count: usize,
    bytes: Bucket,
}

impl<K: Hash + Eq + Clone> Accounts<K> {
    fn new(ceiling: Ceiling) -> Self {
        Accounts {
            ceiling,
            found: HashMap::new(),
            accounts: vec![],
            free: vec![],
        }
    }

    fn has_room<Q: Hash + Eq + ?Sized>(&self, key: &Q, count: usize) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        self.held(key) + count <= self.ceiling.allocations
    }

    fn held<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> usize
    where
        K: std::borrow::Borrow<Q>,
    {
        let account = self
            .found
            .get(key)
            .and_then(|at| self.accounts[*at].as_ref());
        account.map_or(0, |account| account.count)
    }

    fn take(&mut self, now: Instant, key: K, count: usize) -> usize {
        if let Some(at) = self.found.get(&key) {
            if let Some(account) = &mut self.accounts[*at] {
                account.count += count;
            }
            return *at;
        }
        let account = Account {
            key: key.clone(),
            count,
            bytes: Bucket::new(now, self.ceiling.bytes_per_second),
        };
        let at = self.free.pop().unwrap_or(self.accounts.len());
        match self.accounts.get_mut(at) {
            Some(place) => *place = Some(account),
            None => self.accounts.push(Some(account)),
        }
        self.found.insert(key, at);
        at
    }

    fn give_back(&mut self, at: usize) {
        let Some(place) = self.accounts.get_mut(at) else {
            return;
        };
        let Some(account) = place else { return };
        account.count = account.count.saturating_sub(1);
        if account.count == 0 {
            self.found.remove(&account.key);
            *place = None;
            self.free.push(at);
        }
    }

    fn spend(&mut self, now: Instant, at: usize, bytes: u64) -> bool {
        let rate = self.ceiling.bytes_per_second;
        let account = self.accounts.get_mut(at).and_then(Option::as_mut);
        account.is_some_and(|account| account.bytes.spend(now, rate, rate, bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]

    use std::time::Duration;

    use super::*;

    fn ceiling(allocations: usize, bytes_per_second: u64) -> Ceiling {
        Ceiling {
            allocations,
            bytes_per_second,
        }
    }

    fn quotas(now: Instant) -> Quotas {
        Quotas::new(
            now,
            Quota {
                member: ceiling(2, 1_000),
                source: ceiling(3, 1_500),
                total: ceiling(5, 2_000),
            },
        )
    }

    #[test]
    fn each_ceiling_holds_and_is_given_back() {
        let now = Instant::now();
        let mut quotas = quotas(now);
        let (here, there) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let first = quotas.take(now, "a", here, 1).unwrap();
        quotas.take(now, "a", there, 1).unwrap();
        assert_eq!(quotas.take(now, "a", there, 1), Err(Full::Theirs));
        quotas.take(now, "b", here, 2).unwrap();
        quotas.take(now, "c", [192, 0, 2, 3].into(), 1).unwrap();
        let elsewhere = [192, 0, 2, 4].into();
        assert_eq!(quotas.take(now, "d", elsewhere, 1), Err(Full::Ours));
        quotas.give_back(first);
        assert_eq!(quotas.take(now, "b", here, 1), Err(Full::Theirs));
        assert_eq!(quotas.take(now, "a", here, 2), Err(Full::Ours));
        quotas.take(now, "a", elsewhere, 1).unwrap();
        assert_eq!(quotas.len(), 7);
    }

    #[test]
    fn a_few_sources_do_not_take_all_allocations() {
        let now = Instant::now();
        let mut quotas = Quotas::new(
            now,
            Quota {
                member: ceiling(64, 1),
                source: ceiling(64, 1),
                total: ceiling(64, 1),
            },
        );
        let mut taken = 0;
        for _ in 0..64 {
            for source in 1..=3 {
                let taking = quotas.take(now, &source.to_string(), [192, 0, 2, source].into(), 1);
                taken += usize::from(taking.is_ok());
            }
        }
        assert_eq!(taken, 48);
        assert!(quotas.take(now, "d", [192, 0, 2, 4].into(), 2).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_who_left() {
        let now = Instant::now();
        let mut quotas = quotas(now);
        for member in 0..100 {
            let payer = quotas.take(now, &member.to_string(), [1, 2, 3, member].into(), 1);
            quotas.give_back(payer.unwrap());
        }
        assert_eq!((quotas.len(), quotas.members.accounts.len()), (0, 1));
    }

    #[test]
    fn each_rate_holds() {
        let now = Instant::now();
        let mut quotas = quotas(now);
        let (here, there) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let a = quotas.take(now, "a", here, 1).unwrap();
        let b = quotas.take(now, "b", here, 1).unwrap();
        let c = quotas.take(now, "c", there, 1).unwrap();
        assert!(quotas.spend(now, a, 1_000));
        assert!(!quotas.spend(now, a, 1), "a has had its share");
        assert!(quotas.spend(now, b, 500));
        assert!(!quotas.spend(now, b, 100), "the source has");
        assert!(quotas.spend(now, c, 500));
        assert!(!quotas.spend(now, c, 100), "everybody has");
        assert!(quotas.spend(now + Duration::from_millis(500), a, 500));
    }
}

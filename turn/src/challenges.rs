//! How many answers an unauthenticated source gets: it may be forged, and then they hit somebody
//! who did not ask.

use std::net::IpAddr;
use std::time::Instant;

use crate::bucket::Bucket;
use crate::quota::source_of;

/// Answers that one source gets per second, after the first [`BURST`].
pub(crate) const PER_SECOND: u64 = 20;
/// Answers that one source gets at once: an office behind one address, each browser with some
/// connections, each with some servers.
pub(crate) const BURST: u64 = 200;

const SETS: usize = 1_024;
const WAYS: usize = 8;

/// A fixed table of sources. When a set is full, the source that was quiet for longest is forgotten:
/// one who asks honestly is served even under a flood from forged sources, and a forged source
/// brings [`BURST`] answers to each victim at most as often as the attacker fills a whole set.
pub(crate) struct Challenges {
    sets: Vec<[Option<Entry>; WAYS]>,
    /// Nobody outside can tell which sources share a set.
    key: [u64; 2],
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    source: IpAddr,
    bucket: Bucket,
    seen_at: Instant,
}

impl Challenges {
    /// An empty table; the key is secret and random.
    pub(crate) fn new(key: [u64; 2]) -> Self {
        Challenges {
            sets: vec![[None; WAYS]; SETS],
            key,
        }
    }

    /// Whether one more answer may go to this source.
    pub(crate) fn admit(&mut self, now: Instant, ip: IpAddr) -> bool {
        let source = source_of(ip);
        let set = self.set_of(source);
        let Some(entry) = entry_of(&mut self.sets[set], source) else {
            return false;
        };
        let entry = match entry {
            Some(entry) if entry.source == source => entry,
            other => other.insert(Entry {
                source,
                bucket: Bucket::new(now, BURST),
                seen_at: now,
            }),
        };
        entry.seen_at = now;
        entry.bucket.spend(now, PER_SECOND, BURST, 1)
    }

    /// Both halves of the address with both keys, multiplied and folded.
    fn set_of(&self, source: IpAddr) -> usize {
        let bits = match source {
            IpAddr::V4(ip) => u128::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip) ^ 1,
        };
        let [low, high] = [bits as u64 ^ self.key[0], (bits >> 64) as u64 ^ self.key[1]];
        let once = fold(low, high | 1);
        fold(once ^ self.key[1], self.key[0] | 1) as usize % SETS
    }

    /// Sources that are remembered.
    pub(crate) fn len(&self) -> usize {
        self.sets.iter().flatten().flatten().count()
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The place of a source: its own, an empty one, or that of the one quiet for longest.
fn entry_of(set: &mut [Option<Entry>; WAYS], source: IpAddr) -> Option<&mut Option<Entry>> {
    let own = set
        .iter()
        .position(|entry| entry.is_some_and(|entry| entry.source == source));
    let at = own.or_else(|| {
        let quiet = |at: &usize| set[*at].map(|entry| entry.seen_at);
        (0..WAYS).min_by_key(quiet)
    })?;
    set.get_mut(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const KEY: [u64; 2] = [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344];

    #[test]
    fn a_source_gets_its_burst_and_then_its_rate() {
        let mut challenges = Challenges::new(KEY);
        let now = Instant::now();
        let one = IpAddr::from([192, 0, 2, 1]);
        let admitted = (0..1_000).filter(|_| challenges.admit(now, one)).count();
        assert_eq!(admitted as u64, BURST);
        assert!(challenges.admit(now, [192, 0, 2, 2].into()));
        let later = now + Duration::from_secs(2);
        let admitted = (0..1_000).filter(|_| challenges.admit(later, one)).count();
        assert_eq!(admitted as u64, 2 * PER_SECOND);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let mut challenges = Challenges::new(KEY);
        let now = Instant::now();
        let admitted = (0..1_000u16)
            .filter(|host| {
                let ip = std::net::Ipv6Addr::new(0x2a00, 0, 0, 7, 0, 0, 0, *host);
                challenges.admit(now, ip.into())
            })
            .count();
        assert_eq!(admitted as u64, BURST);
    }

    #[test]
    fn many_sources_take_no_more_room() {
        let mut challenges = Challenges::new(KEY);
        let now = Instant::now();
        for source in 0..100_000 {
            let at = now + Duration::from_micros(source.into());
            assert!(challenges.admit(at, Ipv4Addr::from(source).into()));
        }
        assert_eq!(challenges.len(), SETS * WAYS);
    }
}

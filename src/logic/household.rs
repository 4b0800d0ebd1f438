//! Who is counted as one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// An IPv4 address, or the /64 that an IPv6 subscriber has to themselves (RFC 6177 §2). All that is
/// limited per address is limited per household: behind an IPv4 address there may be a school, and
/// within a /64 one machine has every address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Household(IpAddr);

impl Household {
    /// Whose address it is. An IPv4 address may be written as IPv6, as on a socket of both.
    pub fn of(address: IpAddr) -> Household {
        Household(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let network = u128::from(v6) & !u128::from(u64::MAX);
                Ipv6Addr::from(network).into()
            }
            v4 => v4,
        })
    }
}

impl Default for Household {
    /// Of those who come from no address.
    fn default() -> Household {
        Household(Ipv4Addr::UNSPECIFIED.into())
    }
}

/// Whether a household that holds `held` of the `taken` places out of `total` may have one more. It
/// gets `most` at best, and never more than it leaves free: so a few cannot take the places of all,
/// and the last ones are for who has none.
pub fn may_take(held: u32, most: u32, taken: u32, total: u32) -> bool {
    held < most && held < total.saturating_sub(taken)
}

/// How many passes there are of one kind.
#[derive(Debug, Default)]
pub(super) struct Held(Arc<()>);

impl Held {
    pub(super) fn count(&self) -> u32 {
        // One is our own.
        u32::try_from(Arc::strong_count(&self.0) - 1).unwrap_or(u32::MAX)
    }
}

/// A member's place among those of its household and of the node. It is taken until the last copy is
/// dropped: whatever becomes of the member, nobody has to give it back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pass {
    household: Household,
    /// Of the household, and of the node.
    _taken: Option<Arc<[Arc<()>; 2]>>,
}

impl Pass {
    pub(super) fn new(household: Household, ours: &Held, all: &Held) -> Pass {
        let taken = [&ours.0, &all.0].map(Arc::clone);
        Pass {
            household,
            _taken: Some(Arc::new(taken)),
        }
    }

    /// Whose it is.
    pub fn household(&self) -> Household {
        self.household
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_or_a_network_is_one() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("::1", "::2", true),
            ("0.0.0.1", "::1", false),
        ] {
            let [one, other] = [one, other].map(|text| Household::of(text.parse().unwrap()));
            assert_eq!(one == other, same, "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_few_cannot_take_all_places() {
        for (greedy, most, left) in [(1, 50, 50), (1, 1_000, 50), (8, 1_000, 11), (40, 50, 2)] {
            let (mut held, mut taken) = (vec![0; greedy], 0);
            for _ in 0..100 {
                for one in &mut held {
                    let more = u32::from(may_take(*one, most, taken, 100));
                    *one += more;
                    taken += more;
                }
            }
            assert!(held.iter().all(|held| *held <= most));
            assert_eq!(100 - taken, left, "{greedy} with {most} at best");
            assert!(may_take(0, most, taken, 100), "a newcomer has a place");
        }
    }

    #[test]
    fn a_pass_counts_until_it_is_dropped() {
        let (ours, all) = (Held::default(), Held::default());
        let household = Household::of([192, 0, 2, 1].into());
        let pass = Pass::new(household, &ours, &all);
        let copy = pass.clone();
        let other = Pass::new(household, &Held::default(), &all);
        assert_eq!((ours.count(), all.count()), (1, 2));
        assert_eq!(other.household(), household);
        drop((pass, other));
        assert_eq!((ours.count(), all.count()), (1, 1));
        drop(copy);
        assert_eq!((ours.count(), all.count()), (0, 0));
    }
}

//! The SSRCs that one connection gives out: none of them twice.

use rand::Rng;
use rand::rngs::StdRng;

/// Gives SSRCs away for the life of a connection.
///
/// Under one SRTP key an SSRC that came back would begin its packet indices anew: with GCM two
/// packets under one nonce give the authentication key away (RFC 7714 §8.4), and a receiver that
/// still knows the SSRC takes what comes for repeated. So what was given is not drawn but counted:
/// an odd step passes every number there is before it meets the first one again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ssrcs {
    next: u32,
    step: u32,
    left: u32,
}

impl Ssrcs {
    /// All of them, in an order of its own (RFC 3550 §8.1 wants them random).
    pub(super) fn new(rng: &mut StdRng) -> Self {
        Ssrcs {
            next: rng.random(),
            step: rng.random::<u32>() | 1,
            left: u32::MAX,
        }
    }

    /// One that was never given, is not zero and is not `taken` by somebody else. `None` once there
    /// is none left.
    pub(super) fn give(&mut self, taken: impl Fn(u32) -> bool) -> Option<u32> {
        while self.left > 0 {
            let ssrc = self.next;
            self.left -= 1;
            self.next = self.next.wrapping_add(self.step);
            if ssrc != 0 && !taken(ssrc) {
                return Some(ssrc);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn none_is_given_twice() {
        for seed in 0..20 {
            let mut ssrcs = Ssrcs::new(&mut StdRng::seed_from_u64(seed));
            let given: BTreeSet<u32> = (0..20_000).map_while(|_| ssrcs.give(|_| false)).collect();
            assert_eq!(given.len(), 20_000, "seed {seed}");
            assert!(!given.contains(&0));
        }
    }

    #[test]
    fn zero_and_what_others_have_are_passed_over_and_the_end_is_the_end() {
        let mut ssrcs = Ssrcs {
            next: u32::MAX,
            step: 1,
            left: 4,
        };
        assert_eq!(ssrcs.give(|ssrc| ssrc == 1), Some(u32::MAX));
        assert_eq!(ssrcs.give(|ssrc| ssrc == 1), Some(2));
        assert_eq!(ssrcs.give(|_| false), None);
    }
}

//! The network between the node and its clients: loss, delay, jitter and duplication, all from a
//! seed, each direction on its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What one direction of a path does to a datagram.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// Share of datagrams that never arrive, 0 to 1.
    pub loss: f64,
    /// Share of datagrams that arrive twice, 0 to 1.
    pub duplication: f64,
    /// How long every datagram takes at least.
    pub delay: Duration,
    /// How much longer one may take; more than the gap between two datagrams means reordering.
    pub jitter: Duration,
}

impl Link {
    /// 10 ms, nothing lost.
    pub const PERFECT: Link = Link {
        loss: 0.0,
        duplication: 0.0,
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
    };

    /// Something between a quiet cable and a bad wireless network: up to 5 % lost, 1 % twice,
    /// 60 ms of delay and 30 ms of jitter.
    pub fn random(rng: &mut StdRng) -> Link {
        Link {
            loss: rng.random_range(0.0..0.05),
            duplication: rng.random_range(0.0..0.01),
            delay: Duration::from_millis(rng.random_range(1..60)),
            jitter: Duration::from_micros(rng.random_range(0..30_000)),
        }
    }
}

/// From, to.
type Direction = (SocketAddr, SocketAddr);

/// Every path, each with its own dice: a datagram more on one does not change the fate of the
/// datagrams on another.
pub struct Network {
    seed: u64,
    links: BTreeMap<Direction, (Link, StdRng)>,
    /// Datagrams handed in, and those of them that were lost.
    pub carried: u64,
    pub lost: u64,
}

impl Network {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            links: BTreeMap::new(),
            carried: 0,
            lost: 0,
        }
    }

    /// Sets both directions of a path.
    pub fn connect(&mut self, a: SocketAddr, b: SocketAddr, there: Link, back: Link) {
        for (from, to, link) in [(a, b, there), (b, a, back)] {
            let number = self.links.len() as u64;
            let dice = StdRng::seed_from_u64(self.seed ^ (number + 1).wrapping_mul(0x9e37_79b9));
            self.links.insert((from, to), (link, dice));
        }
    }

    /// When a datagram that is sent now arrives: never, once, or twice. Unknown paths lead nowhere.
    pub fn arrivals(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
    ) -> impl Iterator<Item = Instant> + use<> {
        let mut arrivals = [None, None];
        if let Some((link, dice)) = self.links.get_mut(&(from, to)) {
            self.carried += 1;
            // The same number of draws for every datagram, whatever becomes of it.
            let (lost, doubled) = (
                dice.random_bool(link.loss),
                dice.random_bool(link.duplication),
            );
            let mut arrival = || now + link.delay + link.jitter.mul_f64(dice.random());
            let (first, second) = (arrival(), arrival());
            self.lost += u64::from(lost);
            arrivals = [(!lost).then_some(first), doubled.then_some(second)];
        }
        arrivals.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_fate_twice() {
        let (a, b) = addresses();
        let fate = |seed| {
            let mut network = Network::new(seed);
            let link = Link {
                loss: 0.3,
                duplication: 0.2,
                jitter: Duration::from_millis(30),
                ..Link::PERFECT
            };
            network.connect(a, b, link, link);
            let start = Instant::now();
            (0..500)
                .map(|_| network.arrivals(start, a, b).map(|at| at - start).collect())
                .collect::<Vec<Vec<_>>>()
        };
        assert_eq!(fate(1), fate(1));
        assert_ne!(fate(1), fate(2));
        assert!(fate(1).iter().any(|arrivals| arrivals.is_empty()));
        assert!(fate(1).iter().any(|arrivals| arrivals.len() == 2));
    }

    #[test]
    fn unknown_paths_lead_nowhere() {
        let (a, b) = addresses();
        assert_eq!(Network::new(1).arrivals(Instant::now(), a, b).count(), 0);
    }

    fn addresses() -> (SocketAddr, SocketAddr) {
        ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap())
    }
}

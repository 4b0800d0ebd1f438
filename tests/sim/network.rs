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
    /// How much longer one may take. Datagrams queue: one that waits holds up those behind it.
    pub jitter: Duration,
    /// Share of datagrams that take a way of their own and may be overtaken, or overtake, 0 to 1.
    pub stray: f64,
}

impl Link {
    /// 10 ms, nothing lost.
    pub const PERFECT: Link = Link {
        loss: 0.0,
        duplication: 0.0,
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        stray: 0.0,
    };

    /// Something between a quiet cable and a bad wireless network: up to 5 % lost, 1 % twice,
    /// 60 ms of delay, 30 ms of jitter, 30 % out of order.
    pub fn random(rng: &mut StdRng) -> Link {
        Link {
            loss: rng.random_range(0.0..0.05),
            duplication: rng.random_range(0.0..0.01),
            delay: Duration::from_millis(rng.random_range(1..60)),
            jitter: Duration::from_micros(rng.random_range(0..30_000)),
            stray: rng.random_range(0.0..0.3),
        }
    }
}

/// From, to.
type Direction = (SocketAddr, SocketAddr);

/// Every path, each with its own dice: a datagram more on one does not change the fate of the
/// datagrams on another.
pub struct Network {
    seed: u64,
    links: BTreeMap<Direction, Way>,
    /// Datagrams handed in, and those of them that were lost.
    pub carried: u64,
    pub lost: u64,
}

/// One direction and its dice.
struct Way {
    link: Link,
    dice: StdRng,
    /// When the last datagram that kept to the queue arrives.
    last: Option<Instant>,
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
            let last = None;
            self.links.insert((from, to), Way { link, dice, last });
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
        if let Some(Way { link, dice, last }) = self.links.get_mut(&(from, to)) {
            self.carried += 1;
            // The same number of draws for every datagram, whatever becomes of it.
            let [lost, doubled, strays] =
                [link.loss, link.duplication, link.stray].map(|share| dice.random_bool(share));
            let mut arrival = || now + link.delay + link.jitter.mul_f64(dice.random());
            let (own, second) = (arrival(), arrival());
            let queued = last.map_or(own, |last| own.max(last));
            if !strays {
                *last = Some(queued);
            }
            let first = if strays { own } else { queued };
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

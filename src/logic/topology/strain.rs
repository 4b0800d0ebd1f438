//! Members for whom a mesh is too much, and how long that is believed.

use std::time::{Duration, Instant};

use crate::protocol::client::Strain;
use crate::protocol::server::Cause;

/// How long a member's first word holds.
const STRAIN: Duration = Duration::from_secs(5 * 60);
/// How often that is doubled at most: 5 minutes become 80.
const STRAIN_DOUBLINGS_MAX: u32 = 4;

/// What a member said about being strained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Strains {
    current: Option<(Cause, Instant)>,
    /// How often they began to be.
    times: u32,
}

impl Strains {
    /// Whoever says it again after it was over is believed for longer. Said again before, it begins
    /// anew and is no longer for it: a client may repeat itself.
    pub(super) fn say(&mut self, now: Instant, strain: Option<Strain>) {
        let Some(strain) = strain else {
            self.current = None;
            return;
        };
        if self.cause(now).is_none() {
            self.times = self.times.saturating_add(1);
        }
        let doublings = self.times.saturating_sub(1).min(STRAIN_DOUBLINGS_MAX);
        let cause = match strain {
            Strain::Uplink => Cause::Uplink,
            Strain::Cpu => Cause::Cpu,
        };
        self.current = Some((cause, now + STRAIN * (1 << doublings)));
    }

    /// What gives, while it does.
    pub(super) fn cause(&self, now: Instant) -> Option<Cause> {
        let (cause, until) = self.current?;
        (now < until).then_some(cause)
    }

    /// When it is over; may be past.
    pub(super) fn until(&self) -> Option<Instant> {
        self.current.map(|(_, until)| until)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn it_is_believed_for_longer_each_time() {
        let mut strains = Strains::default();
        let mut now = Instant::now();
        assert_eq!(strains.cause(now), None);
        for minutes in [5, 10, 20, 40, 80, 80] {
            strains.say(now, Some(Strain::Uplink));
            now += MINUTE * minutes;
            assert_eq!(strains.until(), Some(now));
            assert_eq!(strains.cause(now - MINUTE), Some(Cause::Uplink));
            assert_eq!(strains.cause(now), None);
        }
    }

    #[test]
    fn it_can_be_renewed_and_taken_back() {
        let mut strains = Strains::default();
        let now = Instant::now();
        strains.say(now, Some(Strain::Uplink));
        strains.say(now + MINUTE, Some(Strain::Cpu));
        assert_eq!(strains.cause(now + MINUTE), Some(Cause::Cpu));
        assert_eq!(strains.until(), Some(now + 6 * MINUTE));
        strains.say(now + MINUTE, None);
        assert_eq!(strains.cause(now + MINUTE), None);
        strains.say(now + 2 * MINUTE, Some(Strain::Cpu));
        assert_eq!(strains.until(), Some(now + 12 * MINUTE), "for longer");
    }
}

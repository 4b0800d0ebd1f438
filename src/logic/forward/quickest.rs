//! How long packets take at least: what arrival says of a sender's clock.
//!
//! What a packet waits on its way only ever makes it later, so the quickest of a while tells the two clocks' distance
//! best. The while is short: it is a clock's drift too.

/// How long the quickest packet counts, in nanoseconds; until twice as long while no other one came.
const WINDOW_NS: i64 = 2_000_000_000;

/// The least of what was measured lately.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quickest {
    /// When this window began, and the least in it.
    window: Option<(i64, i64)>,
    /// The least of the window before.
    before: Option<i64>,
}

impl Quickest {
    /// A packet that came at `at_ns` took that long, by whatever zero, in whatever unit.
    pub fn take(&mut self, at_ns: i64, took: i64) {
        self.window = Some(match self.window {
            Some((began, least)) if at_ns.saturating_sub(began) < WINDOW_NS => {
                (began, least.min(took))
            }
            ended => {
                self.before = ended.map(|(_, least)| least);
                (at_ns, took)
            }
        });
    }

    /// What the quickest took; nothing before the first.
    pub fn get(&self) -> Option<i64> {
        let (_, least) = self.window?;
        Some(self.before.map_or(least, |before| before.min(least)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn the_quickest_counts_until_its_window_and_the_next_are_over() {
        let mut quickest = Quickest::default();
        assert_eq!(quickest.get(), None);
        for (at_ms, took, least) in [
            (0, 70, 70),
            (500, 40, 40),
            (1_900, 300, 40),
            (2_000, 90, 40),
            (3_900, 80, 40),
            (4_000, 85, 80),
            (9_000, 200, 85),
            (9_100, 60, 60),
        ] {
            quickest.take(at_ms * MS, took);
            assert_eq!(quickest.get(), Some(least), "{at_ms} ms");
        }
    }
}

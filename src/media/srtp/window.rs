//! Which packet indices of one stream were used: the 48-bit index behind 16 bits of sequence
//! number, and a window that refuses to use one twice.

/// How far behind the highest index one may still come, in packets. Browsers' SRTP receivers use
/// the same window, so sealing anything older would be for nothing.
pub(super) const WINDOW: u64 = 1024;
/// Indices end here (RFC 3711 §3.3.1 for SRTP); the keys are used up.
pub(super) const INDEX_MAX: u64 = (1 << 48) - 1;

const WORD: u64 = u64::BITS as u64;

/// The highest index used, and one bit for each of the last [`WINDOW`].
#[derive(Debug, Clone, Default)]
pub(super) struct IndexWindow {
    highest: Option<u64>,
    used: [u64; (WINDOW / WORD) as usize],
}

/// Why an index cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It was used before.
    Used,
    /// It fell out of the window, or lies before the first.
    Old,
}

impl IndexWindow {
    /// What is left of a window when only its highest index is remembered: everything up to it
    /// counts as used.
    pub(super) fn used_up_to(highest: u64) -> Self {
        IndexWindow {
            highest: Some(highest),
            used: [u64::MAX; (WINDOW / WORD) as usize],
        }
    }

    /// The highest index that was used.
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// The index nearest to the highest one that has this sequence number (RFC 3711 §3.3.1).
    /// Negative if that lies before the first rollover.
    pub(super) fn estimate(&self, sequence: u16) -> i64 {
        match self.highest {
            None => i64::from(sequence),
            Some(highest) => {
                let ahead = sequence.wrapping_sub(highest as u16) as i16;
                highest as i64 + i64::from(ahead)
            }
        }
    }

    /// Whether `index` is still to be had.
    pub(super) fn check(&self, index: u64) -> Result<(), Refused> {
        let Some(highest) = self.highest else {
            return Ok(());
        };
        if index > highest {
            Ok(())
        } else if highest - index >= WINDOW {
            Err(Refused::Old)
        } else if self.used[word(index)] & bit(index) != 0 {
            Err(Refused::Used)
        } else {
            Ok(())
        }
    }

    /// Marks `index`, which [`check`](Self::check) let pass, as used.
    pub(super) fn accept(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {}
            Some(highest) if index - highest < WINDOW => {
                for skipped in highest + 1..index {
                    self.used[word(skipped)] &= !bit(skipped);
                }
                self.highest = Some(index);
            }
            _ => {
                self.used = Default::default();
                self.highest = Some(index);
            }
        }
        self.used[word(index)] |= bit(index);
    }
}

fn word(index: u64) -> usize {
    (index % WINDOW / WORD) as usize
}

fn bit(index: u64) -> u64 {
    1 << (index % WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(highest: u64) -> IndexWindow {
        let mut window = IndexWindow::default();
        window.accept(highest);
        window
    }

    #[test]
    fn the_nearest_index_is_meant() {
        let cases: [(u64, u16, i64); 10] = [
            (0, 1, 1),
            (100, 99, 99),
            (0xFFFF, 0, 0x1_0000),
            (0x1_0000, 0xFFFF, 0xFFFF),
            (0x1_0005, 0xFFF0, 0xFFF0),
            (0x7FFF, 0xFFFE, 0xFFFE),
            (0x8000, 0, 0),
            (0x8001, 0, 0x1_0000),
            (0xFFFF_8001, 0, 0x1_0000_0000),
            (100, 0xFFFF, -1),
        ];
        for (highest, sequence, index) in cases {
            assert_eq!(
                at(highest).estimate(sequence),
                index,
                "{highest:#x} {sequence:#x}"
            );
        }
        assert_eq!(IndexWindow::default().estimate(0xFFFF), 0xFFFF);
    }

    #[test]
    fn an_index_is_used_once() {
        let mut window = at(5000);
        assert_eq!(window.check(5000), Err(Refused::Used));
        assert_eq!(window.check(5000 - WINDOW), Err(Refused::Old));
        assert_eq!(window.check(5001 - WINDOW), Ok(()));
        window.accept(5001 - WINDOW);
        assert_eq!(window.check(5001 - WINDOW), Err(Refused::Used));
        window.accept(5003);
        assert_eq!(window.check(5001), Ok(()));
        assert_eq!(window.check(5002), Ok(()));
        assert_eq!(window.check(5000), Err(Refused::Used));
        window.accept(5003 + 10 * WINDOW);
        assert_eq!(window.check(5002 + 10 * WINDOW), Ok(()));
        assert_eq!(window.check(5003), Err(Refused::Old));
    }

    #[test]
    fn it_agrees_with_a_set() {
        let mut seed = 7u64;
        let mut window = IndexWindow::default();
        let mut used = std::collections::BTreeSet::new();
        let mut highest = 3000u64;
        for _ in 0..50_000 {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let index = (highest + (seed >> 33) % 1500).saturating_sub(1400);
            let expected = match used.last() {
                Some(&last) if last >= index + WINDOW => Err(Refused::Old),
                _ if used.contains(&index) => Err(Refused::Used),
                _ => Ok(()),
            };
            assert_eq!(window.check(index), expected);
            if expected.is_ok() {
                window.accept(index);
                used.insert(index);
                highest = highest.max(index);
            }
        }
    }
}

//! Which sequence numbers of a stream came: 16 bits become 64, and nothing counts twice.

/// Numbers remembered behind the highest one. What is older has strayed.
pub const WINDOW: u64 = 1024;
/// A jump ahead of this many packets is not believed until a second packet confirms it (RFC 3550 A.1).
const DROPOUT_MAX: u16 = 3000;
/// Where counting begins, so that packets from before the first one have a number too.
const FIRST_CYCLE: u64 = 1 << 16;

/// What a sequence number turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Seen for the first time.
    New {
        /// The number extended over the wraps: its low 16 bits are the packet's own.
        extended: u64,
    },
    /// The publisher numbers its packets from somewhere else now. Also seen for the first time.
    Restarted {
        /// Above every number before, whatever the packet says.
        extended: u64,
    },
    /// Seen before.
    Duplicate,
    /// Older than the window, or so far ahead that the next packet must confirm it: not to be used.
    Strayed,
}

/// The sequence numbers of one stream.
#[derive(Debug)]
pub struct Arrivals {
    /// Zero before the first packet.
    highest: u64,
    /// A bit for each of the last [`WINDOW`] numbers, by the number's low bits.
    seen: [u64; (WINDOW / 64) as usize],
    /// The number that would confirm a restart.
    confirming: Option<u16>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            highest: 0,
            seen: [0; (WINDOW / 64) as usize],
            confirming: None,
        }
    }
}

impl Arrivals {
    /// Notes a sequence number.
    pub fn see(&mut self, sequence: u16) -> Arrival {
        if self.highest == 0 {
            self.highest = FIRST_CYCLE + u64::from(sequence);
            self.mark(self.highest);
            return Arrival::New {
                extended: self.highest,
            };
        }
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let behind = u64::from(ahead.wrapping_neg());
        if ahead == 0 {
            Arrival::Duplicate
        } else if ahead < DROPOUT_MAX {
            self.advance(ahead)
        } else if behind < WINDOW {
            self.fill(self.highest - behind)
        } else if self.confirming.take() == Some(sequence) {
            self.restart(ahead)
        } else {
            self.confirming = Some(sequence.wrapping_add(1));
            Arrival::Strayed
        }
    }

    /// Notes a sequence number that can only repeat the past: it neither begins nor restarts the stream.
    pub fn see_late(&mut self, sequence: u16) -> Arrival {
        let behind = u64::from((self.highest as u16).wrapping_sub(sequence));
        match behind {
            _ if self.highest == 0 || behind >= WINDOW => Arrival::Strayed,
            0 => Arrival::Duplicate,
            _ => self.fill(self.highest - behind),
        }
    }

    /// The highest number so far.
    pub fn highest(&self) -> Option<u64> {
        Some(self.highest).filter(|&highest| highest != 0)
    }

    /// The highest number so far as receiver reports say it: cycles and sequence number.
    pub fn highest_reported(&self) -> u32 {
        self.highest.saturating_sub(FIRST_CYCLE) as u32
    }

    fn advance(&mut self, ahead: u16) -> Arrival {
        let extended = self.highest + u64::from(ahead);
        if u64::from(ahead) >= WINDOW {
            self.seen.fill(0);
        } else {
            (self.highest + 1..extended).for_each(|skipped| self.unmark(skipped));
        }
        self.highest = extended;
        self.mark(extended);
        Arrival::New { extended }
    }

    fn fill(&mut self, extended: u64) -> Arrival {
        if self.is_marked(extended) {
            return Arrival::Duplicate;
        }
        self.mark(extended);
        Arrival::New { extended }
    }

    fn restart(&mut self, ahead: u16) -> Arrival {
        self.seen.fill(0);
        self.highest += u64::from(ahead);
        self.mark(self.highest);
        Arrival::Restarted {
            extended: self.highest,
        }
    }

    fn mark(&mut self, extended: u64) {
        let (word, bit) = place(extended);
        self.seen[word] |= bit;
    }

    fn unmark(&mut self, extended: u64) {
        let (word, bit) = place(extended);
        self.seen[word] &= !bit;
    }

    fn is_marked(&self, extended: u64) -> bool {
        let (word, bit) = place(extended);
        self.seen[word] & bit != 0
    }
}

fn place(extended: u64) -> (usize, u64) {
    let index = extended % WINDOW;
    ((index / 64) as usize, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: fn(u64) -> Arrival = |extended| Arrival::New {
        extended: FIRST_CYCLE + extended,
    };

    #[test]
    fn numbers_are_extended_and_told_apart() {
        let restarted = |extended| Arrival::Restarted {
            extended: FIRST_CYCLE + extended,
        };
        type Case = (&'static str, Vec<(u16, Arrival)>);
        let cases: Vec<Case> = vec![
            ("in order", vec![(7, NEW(7)), (8, NEW(8)), (9, NEW(9))]),
            ("twice", vec![(7, NEW(7)), (7, Arrival::Duplicate)]),
            (
                "over the wrap",
                vec![(65535, NEW(65535)), (0, NEW(65536)), (65534, NEW(65534))],
            ),
            (
                "late, then late again",
                vec![
                    (10, NEW(10)),
                    (12, NEW(12)),
                    (11, NEW(11)),
                    (11, Arrival::Duplicate),
                ],
            ),
            (
                "before the first one",
                vec![(0, NEW(0)), (65535, Arrival::New { extended: 65535 })],
            ),
            (
                "a hole as wide as the window forgets what was in it",
                vec![(10, NEW(10)), (1034, NEW(1034)), (1033, NEW(1033))],
            ),
            (
                "older than the window",
                vec![(2000, NEW(2000)), (976, Arrival::Strayed), (977, NEW(977))],
            ),
            (
                "a jump ahead, confirmed",
                vec![
                    (10, NEW(10)),
                    (5000, Arrival::Strayed),
                    (5001, restarted(5001)),
                    (5002, NEW(5002)),
                ],
            ),
            (
                "a jump back, confirmed, stays above all before",
                vec![
                    (40000, NEW(40000)),
                    (3, Arrival::Strayed),
                    (4, restarted(65536 + 4)),
                    (3, NEW(65536 + 3)),
                ],
            ),
            (
                "a stray packet changes nothing",
                vec![
                    (10, NEW(10)),
                    (30000, Arrival::Strayed),
                    (11, NEW(11)),
                    (12, NEW(12)),
                ],
            ),
        ];
        for (name, packets) in cases {
            let mut arrivals = Arrivals::default();
            for (sequence, expected) in packets {
                assert_eq!(arrivals.see(sequence), expected, "{name}: {sequence}");
            }
        }
    }

    #[test]
    fn the_reported_number_counts_cycles_from_zero() {
        let mut arrivals = Arrivals::default();
        arrivals.see(65535);
        assert_eq!(arrivals.highest_reported(), 65535);
        arrivals.see(3);
        assert_eq!(arrivals.highest_reported(), 0x0001_0003);
    }

    proptest! {
        /// Whatever is lost, repeated or moved by a little, a number extends to the true one, once.
        #[test]
        fn extended_numbers_are_the_true_ones(
            first in 0u64..65536,
            steps in prop::collection::vec((1u64..40, 0u64..30), 1..2000),
        ) {
            let mut arrivals = Arrivals::default();
            let mut seen = std::collections::BTreeSet::new();
            let mut head = FIRST_CYCLE + first;
            for (ahead, back) in std::iter::once((1, 0)).chain(steps) {
                let number = head.saturating_sub(back);
                let fresh = seen.insert(number);
                let expected = if fresh {
                    Arrival::New { extended: number }
                } else {
                    Arrival::Duplicate
                };
                prop_assert_eq!(arrivals.see(number as u16), expected);
                head += ahead;
            }
        }
    }
}

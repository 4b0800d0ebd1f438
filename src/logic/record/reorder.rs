//! Packets in the order in which they were sent: a jitter buffer that gives up on a hole in time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a hole is waited for: by then every retransmission was asked for and came, or never will.
const HOLE_WAIT: Duration = Duration::from_secs(1);
/// Packets behind a hole; beyond that it is given up early. About two seconds of 12 Mb/s.
const HELD_MAX: usize = 2_500;

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<T> {
    /// This packet.
    Packet(T),
    /// As many are missing, for good.
    Gap(u64),
}

/// Sorts the packets of one stream by their extended sequence numbers.
#[derive(Debug)]
pub struct Reorder<T> {
    /// The number that comes next, once there was a first.
    next: Option<u64>,
    held: BTreeMap<u64, (Instant, T)>,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Self {
            next: None,
            held: BTreeMap::new(),
        }
    }
}

impl<T> Reorder<T> {
    /// Takes a packet. Whether it was new: one that comes after its hole was given up is too late.
    pub fn push(&mut self, now: Instant, sequence: u64, packet: T) -> bool {
        let next = *self.next.get_or_insert(sequence);
        if sequence < next || self.held.contains_key(&sequence) {
            return false;
        }
        self.held.insert(sequence, (now, packet));
        true
    }

    /// What comes next, if that is known by now. To be called until it says nothing.
    pub fn pop(&mut self, now: Instant) -> Option<Next<T>> {
        let next = self.next?;
        let (&first, &(came, _)) = self.held.first_key_value()?;
        if first > next {
            let is_lost = now.saturating_duration_since(came) >= HOLE_WAIT;
            if !is_lost && self.held.len() <= HELD_MAX {
                return None;
            }
            self.next = Some(first);
            return Some(Next::Gap(first - next));
        }
        self.next = Some(next + 1);
        let (_, (_, packet)) = self.held.pop_first()?;
        Some(Next::Packet(packet))
    }

    /// What there is now, without waiting any longer: the stream is over.
    pub fn drain(&mut self) -> impl Iterator<Item = Next<T>> {
        let mut next = self.next;
        let held = std::mem::take(&mut self.held);
        held.into_iter().flat_map(move |(sequence, (_, packet))| {
            let missing = sequence - next.replace(sequence + 1).unwrap_or(sequence);
            let gap = (missing > 0).then_some(Next::Gap(missing));
            gap.into_iter().chain([Next::Packet(packet)])
        })
    }

    /// When [`Reorder::pop`] has something to say although nothing came.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let (_, (came, _)) = self.held.first_key_value()?;
        Some((*came + HOLE_WAIT, "a packet is lost for good"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    fn all(reorder: &mut Reorder<u64>, now: Instant) -> Vec<Next<u64>> {
        std::iter::from_fn(|| reorder.pop(now)).collect()
    }

    #[test]
    fn what_is_in_order_does_not_wait() {
        let start = Instant::now();
        let mut reorder = Reorder::default();
        for sequence in 70_000..70_010 {
            assert!(reorder.push(start, sequence, sequence));
            assert_eq!(all(&mut reorder, start), [Next::Packet(sequence)]);
            assert_eq!(reorder.poll_timeout(), None);
        }
    }

    #[test]
    fn a_hole_is_waited_for_and_then_given_up() {
        let start = Instant::now();
        let mut reorder = Reorder::default();
        for sequence in [1, 2, 5, 6] {
            reorder.push(start, sequence, sequence);
        }
        assert_eq!(
            all(&mut reorder, at(start, 999)),
            [Next::Packet(1), Next::Packet(2)]
        );
        assert!(reorder.push(at(start, 999), 3, 3), "a retransmission");
        assert!(!reorder.push(at(start, 999), 3, 3), "a repetition");
        assert_eq!(all(&mut reorder, at(start, 999)), [Next::Packet(3)]);
        let due = reorder.poll_timeout().map(|(due, _)| due);
        assert_eq!(due, Some(at(start, 1_000)));
        let rest = [Next::Gap(1), Next::Packet(5), Next::Packet(6)];
        assert_eq!(all(&mut reorder, at(start, 1_000)), rest);
        assert!(!reorder.push(at(start, 1_001), 4, 4), "it is too late");
        assert_eq!(all(&mut reorder, at(start, 9_000)), []);
    }

    #[test]
    fn a_hole_before_too_much_is_given_up_early() {
        let start = Instant::now();
        let mut reorder = Reorder::default();
        reorder.push(start, 0, 0);
        for sequence in 2..3_000 {
            reorder.push(start, sequence, sequence);
        }
        let came = all(&mut reorder, start);
        assert_eq!(came[..3], [Next::Packet(0), Next::Gap(1), Next::Packet(2)]);
        assert_eq!(came.len(), 3_000);
    }

    #[test]
    fn the_end_gives_out_what_is_held() {
        let start = Instant::now();
        let mut reorder = Reorder::default();
        for sequence in [1, 3, 4] {
            reorder.push(start, sequence, sequence);
        }
        let rest: Vec<_> = reorder.drain().collect();
        let expected = [
            Next::Packet(1),
            Next::Gap(1),
            Next::Packet(3),
            Next::Packet(4),
        ];
        assert_eq!(rest, expected);
    }

    proptest! {
        /// In whatever order packets come: they go out in theirs, and every one that is missing is told.
        #[test]
        fn every_number_goes_out_once_or_is_missing(
            packets in prop::collection::vec((0u64..4, 0u64..1_500), 1..200),
        ) {
            let start = Instant::now();
            let mut schedule: Vec<(u64, u64)> = (0..).zip(&packets)
                .filter(|(index, (lost, _))| *index == 0 || *lost > 0)
                .map(|(index, (_, late))| (index * 20 + if index == 0 { 0 } else { *late }, index))
                .collect();
            schedule.sort();
            let mut reorder = Reorder::default();
            let mut next = 0;
            let mut take = |reorder: &mut Reorder<u64>, now| {
                while let Some(item) = reorder.pop(now) {
                    match item {
                        Next::Packet(number) => {
                            assert_eq!(number, next);
                            next += 1;
                        }
                        Next::Gap(missing) => next += missing,
                    }
                }
            };
            for &(milliseconds, index) in &schedule {
                let now = at(start, milliseconds);
                reorder.push(now, index, index);
                take(&mut reorder, now);
            }
            take(&mut reorder, at(start, 60_000));
            let highest = schedule.iter().map(|&(_, index)| index).max();
            prop_assert_eq!(Some(next), highest.map(|highest| highest + 1));
            prop_assert_eq!(reorder.poll_timeout(), None);
        }
    }
}

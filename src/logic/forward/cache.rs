//! The last packets of a received stream: one copy for all legs, to resend from.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// What is older is of no use to a viewer, whose own patience is shorter.
const AGE_MAX: Duration = Duration::from_secs(1);
/// Bytes to begin with. Doubled while the ring is filled in less than [`AGE_MAX`].
const BYTES_MIN: usize = 1 << 14;

/// What the cache must know of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The packet's RTP timestamp: packets of one frame share it.
    pub timestamp: u32,
    /// A key frame begins with this packet's frame.
    pub key_frame: bool,
}

/// A packet that is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cached<'a> {
    /// The whole RTP packet as it was given.
    pub packet: &'a [u8],
    /// When it was put in.
    pub at: Instant,
}

/// A ring of packets by extended sequence number. When it is full, the oldest give way.
#[derive(Debug)]
pub struct PacketCache {
    /// By the low bits of the number; empty before the first packet, for many streams never begin.
    slots: Box<[Slot]>,
    packets_max: usize,
    bytes: Vec<u8>,
    bytes_max: usize,
    /// Bytes ever written, with those left unused at the end of a lap.
    written: u64,
    lap_began: Option<Instant>,
    newest: Option<u64>,
    key_frame: Option<KeyFrame>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Zero: empty.
    extended: u64,
    /// [`PacketCache::written`] where the packet begins.
    begin: u64,
    at: Option<Instant>,
    timestamp: u32,
    length: u16,
}

const EMPTY: Slot = Slot {
    extended: 0,
    begin: 0,
    at: None,
    timestamp: 0,
    length: 0,
};

#[derive(Debug, Clone, Copy)]
struct KeyFrame {
    start: u64,
    timestamp: u32,
    at: Instant,
}

impl PacketCache {
    /// For a picture: 512 packets, 1 MiB.
    pub fn video() -> Self {
        Self::new(512, 1 << 20)
    }

    /// For sound: 64 packets, 64 KiB; more than a second of 20 ms packets.
    pub fn audio() -> Self {
        Self::new(64, 1 << 16)
    }

    /// At most so many packets and bytes; both are rounded up to a power of two.
    pub fn new(packets_max: usize, bytes_max: usize) -> Self {
        Self {
            slots: Box::default(),
            packets_max: packets_max.next_power_of_two(),
            bytes: Vec::new(),
            bytes_max: bytes_max.next_power_of_two(),
            written: 0,
            lap_began: None,
            newest: None,
            key_frame: None,
        }
    }

    /// Keeps a packet. `extended` is its number over the wraps; a number that is far behind the newest is not
    /// kept, nor is a packet that is larger than the ring.
    pub fn insert(&mut self, now: Instant, extended: u64, mark: Mark, packet: &[u8]) {
        let newest = self.newest.unwrap_or(extended).max(extended);
        let Ok(length) = u16::try_from(packet.len()) else {
            return;
        };
        if newest - extended >= self.packets_max as u64 || !self.make_room(now, packet.len()) {
            return;
        }
        if self.slots.is_empty() {
            self.slots = vec![EMPTY; self.packets_max].into();
        }
        self.newest = Some(newest);
        let begin = self.written;
        let offset = self.offset(begin);
        self.bytes[offset..offset + packet.len()].copy_from_slice(packet);
        self.written += u64::from(length);
        let index = self.index(extended);
        self.slots[index] = Slot {
            extended,
            begin,
            at: Some(now),
            timestamp: mark.timestamp,
            length,
        };
        if mark.key_frame {
            self.note_key_frame(now, extended, mark.timestamp);
        }
    }

    /// The packet of this number, if it is still there and not too old.
    pub fn get(&self, now: Instant, extended: u64) -> Option<Cached<'_>> {
        let slot = self.slot(extended)?;
        let at = slot.at?;
        if now.saturating_duration_since(at) > AGE_MAX {
            return None;
        }
        let offset = self.offset(slot.begin);
        let packet = self.bytes.get(offset..offset + usize::from(slot.length))?;
        Some(Cached { packet, at })
    }

    /// The numbers from the start of the newest key frame to the newest packet, if the key frame began within
    /// `age_max` and not one of them is missing: a viewer can begin with it at once.
    pub fn key_frame(&self, now: Instant, age_max: Duration) -> Option<RangeInclusive<u64>> {
        let key_frame = self.key_frame?;
        if now.saturating_duration_since(key_frame.at) > age_max.min(AGE_MAX) {
            return None;
        }
        let range = self.frame_start(&key_frame)..=self.newest?;
        let complete = range.clone().all(|extended| self.slot(extended).is_some());
        Some(range).filter(|_| complete)
    }

    /// Bytes held at present.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets everything: the publisher began anew.
    pub fn clear(&mut self) {
        self.slots.fill(EMPTY);
        self.newest = None;
        self.key_frame = None;
    }

    /// The frame may begin with packets that do not say so themselves, such as parameter sets.
    fn frame_start(&self, key_frame: &KeyFrame) -> u64 {
        let before = (1..key_frame.start).rev();
        let same_frame = before.take_while(|&extended| {
            self.slot(extended)
                .is_some_and(|slot| slot.timestamp == key_frame.timestamp)
        });
        same_frame.last().unwrap_or(key_frame.start)
    }

    fn note_key_frame(&mut self, now: Instant, extended: u64, timestamp: u32) {
        match &mut self.key_frame {
            Some(known) if known.timestamp == timestamp => known.start = known.start.min(extended),
            Some(known) if extended < known.start => {}
            _ => {
                let at = now;
                let start = extended;
                self.key_frame = Some(KeyFrame {
                    start,
                    timestamp,
                    at,
                });
            }
        }
    }

    /// Makes `length` bytes writable in one piece at `written`.
    fn make_room(&mut self, now: Instant, length: usize) -> bool {
        if self.fits(length) {
            return true;
        }
        let filled_fast = self
            .lap_began
            .is_none_or(|began| now.saturating_duration_since(began) < AGE_MAX);
        if filled_fast {
            self.lap_began.get_or_insert(now);
            self.grow();
        }
        while self.bytes.len() < length && self.bytes.len() < self.bytes_max {
            self.grow();
        }
        if !self.fits(length) && length <= self.bytes.len() {
            self.written = self.written.next_multiple_of(self.bytes.len() as u64);
            self.lap_began = Some(now);
        }
        self.fits(length)
    }

    fn fits(&self, length: usize) -> bool {
        !self.bytes.is_empty() && self.offset(self.written) + length <= self.bytes.len()
    }

    /// Doubles the ring and moves what is in it to its beginning, oldest first.
    fn grow(&mut self) {
        let doubled = (self.bytes.len() * 2).clamp(BYTES_MIN, self.bytes_max.max(BYTES_MIN));
        if doubled <= self.bytes.len() {
            return;
        }
        let (written, size) = (self.written, self.bytes.len() as u64);
        let dead = |slot: &Slot| written - slot.begin > size;
        self.slots
            .iter_mut()
            .filter(|slot| dead(slot))
            .for_each(|slot| *slot = EMPTY);
        let mut live: Vec<usize> = (0..self.slots.len())
            .filter(|&index| self.slots[index].at.is_some())
            .collect();
        live.sort_unstable_by_key(|&index| self.slots[index].begin);
        let mut bytes = Vec::with_capacity(doubled);
        for index in live {
            let slot = self.slots[index];
            let offset = self.offset(slot.begin);
            self.slots[index].begin = bytes.len() as u64;
            bytes.extend_from_slice(&self.bytes[offset..offset + usize::from(slot.length)]);
        }
        self.written = bytes.len() as u64;
        bytes.resize(doubled, 0);
        self.bytes = bytes;
    }

    fn slot(&self, extended: u64) -> Option<&Slot> {
        let slot = self.slots.get(self.index(extended))?;
        Some(slot).filter(|slot| slot.extended == extended && self.is_live(slot))
    }

    /// Whether nothing was written over the packet yet.
    fn is_live(&self, slot: &Slot) -> bool {
        slot.at.is_some() && self.written - slot.begin <= self.bytes.len() as u64
    }

    fn index(&self, extended: u64) -> usize {
        extended as usize & (self.packets_max - 1)
    }

    fn offset(&self, position: u64) -> usize {
        position as usize & (self.bytes.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use proptest::prelude::*;

    const DELTA: Mark = Mark {
        timestamp: 0,
        key_frame: false,
    };

    fn key(timestamp: u32) -> Mark {
        Mark {
            timestamp,
            key_frame: true,
        }
    }

    fn delta(timestamp: u32) -> Mark {
        Mark {
            timestamp,
            key_frame: false,
        }
    }

    /// A packet whose content follows from its number.
    fn packet(extended: u64, length: usize) -> Vec<u8> {
        (0..length)
            .map(|index| (extended as usize * 31 + index) as u8)
            .collect()
    }

    #[test]
    fn a_packet_comes_back_as_it_was_until_it_is_a_second_old() {
        let start = Instant::now();
        let mut cache = PacketCache::video();
        cache.insert(start, 70_000, DELTA, &packet(70_000, 1100));
        let cached = cache.get(start + AGE_MAX, 70_000).unwrap();
        assert_eq!(
            (cached.packet, cached.at),
            (&packet(70_000, 1100)[..], start)
        );
        let too_late = start + AGE_MAX + Duration::from_millis(1);
        assert_eq!(cache.get(too_late, 70_000), None);
        assert_eq!(cache.get(start, 70_000 + 512), None);
        cache.clear();
        assert_eq!(cache.get(start, 70_000), None);
    }

    #[test]
    fn the_ring_holds_a_second_of_what_comes_and_no_more_than_it_may() {
        // Packets a second, their length, and the size that holds a second of them.
        for (rate, length, size) in [
            (50, 100, 1 << 14),
            (30, 1000, 1 << 15),
            (300, 1200, 1 << 19),
        ] {
            let start = Instant::now();
            let mut cache = PacketCache::video();
            for number in 0..rate * 10u64 {
                let now = start + Duration::from_secs_f64(number as f64 / rate as f64);
                cache.insert(now, 65_536 + number, DELTA, &packet(number, length));
                let oldest = number.saturating_sub(rate - 1);
                let cached = cache.get(now, 65_536 + oldest).unwrap();
                assert_eq!(cached.packet, packet(oldest, length));
            }
            assert_eq!(cache.capacity(), size, "{rate} packets of {length}");
        }
    }

    #[test]
    fn a_flood_stays_within_the_bounds_and_keeps_the_newest() {
        let start = Instant::now();
        let mut cache = PacketCache::new(512, 1 << 16);
        for number in 1..5000u64 {
            cache.insert(start, number, DELTA, &packet(number, 1200));
        }
        assert_eq!(cache.capacity(), 1 << 16);
        let kept = (1..5000).filter(|&number| cache.get(start, number).is_some());
        assert_eq!(kept.collect::<Vec<_>>(), (4946..5000).collect::<Vec<_>>());
    }

    #[test]
    fn what_does_not_fit_is_not_kept_and_harms_nothing() {
        let start = Instant::now();
        let mut cache = PacketCache::audio();
        cache.insert(start, 1000, DELTA, &packet(1000, 60_000));
        assert!(cache.get(start, 1000).is_some());
        cache.insert(start, 1001, DELTA, &vec![0; 70_000]);
        assert_eq!(cache.get(start, 1001), None);
        cache.insert(start, 900, DELTA, &packet(900, 10));
        assert_eq!(cache.get(start, 900), None, "far behind the newest");
        cache.insert(start, 999, DELTA, &[]);
        assert_eq!(
            cache.get(start, 999).map(|cached| cached.packet.len()),
            Some(0)
        );
    }

    #[test]
    fn a_key_frame_is_offered_while_it_is_fresh_and_whole() {
        let start = Instant::now();
        let fresh = Duration::from_millis(500);
        type Case<'a> = (&'a str, &'a [(u64, Mark)], Option<RangeInclusive<u64>>);
        let cases: [Case; 7] = [
            ("none", &[(10, delta(1)), (11, delta(2))], None),
            (
                "whole",
                &[(10, key(1)), (11, delta(1)), (12, delta(2))],
                Some(10..=12),
            ),
            ("with a hole", &[(10, key(1)), (12, delta(2))], None),
            (
                "hole filled",
                &[(10, key(1)), (12, delta(2)), (11, delta(1))],
                Some(10..=12),
            ),
            (
                "the newest",
                &[(10, key(1)), (11, delta(2)), (12, key(3))],
                Some(12..=12),
            ),
            (
                "parameter sets first",
                &[(9, delta(0)), (10, delta(1)), (11, key(1))],
                Some(10..=11),
            ),
            (
                "an older one comes late",
                &[(12, key(3)), (10, key(1)), (11, delta(2))],
                Some(12..=12),
            ),
        ];
        for (name, packets, expected) in cases {
            let mut cache = PacketCache::video();
            for &(extended, mark) in packets {
                cache.insert(start, extended, mark, &packet(extended, 100));
            }
            assert_eq!(cache.key_frame(start + fresh, fresh), expected, "{name}");
            let stale = start + fresh + Duration::from_millis(1);
            assert_eq!(cache.key_frame(stale, fresh), None, "{name}");
        }
    }

    #[test]
    fn a_key_frame_that_was_written_over_is_not_offered() {
        let start = Instant::now();
        let mut cache = PacketCache::new(512, 1 << 14);
        cache.insert(start, 1, key(1), &packet(1, 1000));
        for number in 2..40 {
            cache.insert(start, number, delta(2), &packet(number, 1000));
        }
        assert_eq!(cache.key_frame(start, AGE_MAX), None);
    }

    proptest! {
        /// Whatever comes in whatever order, what the cache returns is what was put in under that number.
        #[test]
        fn a_packet_is_never_another(
            steps in prop::collection::vec((0u64..40, 0u64..600, 0u64..40), 1..600),
        ) {
            let length = |extended: u64| (extended * 7919 % 3000) as usize;
            let start = Instant::now();
            let mut cache = PacketCache::new(256, 1 << 17);
            let mut kept = std::collections::BTreeSet::new();
            let (mut head, mut newest, mut now) = (65_536u64, 0, start);
            for (ahead, back, milliseconds) in steps {
                head += ahead;
                now += Duration::from_millis(milliseconds);
                let extended = head - back;
                newest = extended.max(newest);
                cache.insert(now, extended, DELTA, &packet(extended, length(extended)));
                kept.insert(extended);
                prop_assert!(cache.capacity() <= 1 << 17);
                let far_behind = newest - extended >= 256;
                prop_assert!(far_behind || cache.get(now, extended).is_some());
            }
            for &extended in &kept {
                if let Some(cached) = cache.get(now, extended) {
                    prop_assert_eq!(cached.packet, &packet(extended, length(extended))[..]);
                }
            }
        }
    }
}

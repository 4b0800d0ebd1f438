//! What a leg sent lately, so that a viewer's NACK can be answered from the publisher's packets.

use std::time::{Duration, Instant};

use super::leg::Outgoing;
use super::packet::TrackId;

/// Packets that are remembered; what is older cannot be asked for again.
pub const HISTORY: usize = 512;
/// A packet is sent again at most this often.
pub const MAX_RESENDS: u8 = 3;
/// Retransmissions may be this part of what a leg sends: one in five octets.
const SHARE: u64 = 5;
/// Octets of retransmission that a leg may save up, and has at the start.
const BURST: u64 = 64 * 1024;

/// A packet that went out, by the publisher's numbering and by the leg's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPacket {
    /// Whose packet it was.
    pub track: TrackId,
    /// Which layer's.
    pub layer: u8,
    /// The publisher's extended sequence number.
    pub sequence: u64,
    /// As what it went out.
    pub outgoing: Outgoing,
    /// Octets of payload.
    pub octets: u16,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    sent: SentPacket,
    resends: u8,
    resent_at: Option<Instant>,
}

/// The last [`HISTORY`] packets of a leg, and how much of them may be sent again.
#[derive(Debug, Default)]
pub struct History {
    entries: Vec<Option<Entry>>,
    budget: u64,
}

impl History {
    /// Takes the memory that it will need; until then nothing is remembered.
    pub fn allocate(&mut self) {
        if self.entries.is_empty() {
            self.entries.resize(HISTORY, None);
            self.budget = BURST * SHARE;
        }
    }

    /// A packet went out; it takes the place of the one [`HISTORY`] numbers before it.
    pub fn sent(&mut self, sent: SentPacket) {
        let index = index_of(sent.outgoing.sequence);
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = Some(Entry {
                sent,
                resends: 0,
                resent_at: None,
            });
            self.budget = (self.budget + u64::from(sent.octets)).min(BURST * SHARE);
        }
    }

    /// Whether the packet of this outgoing number could be sent again, now or soon.
    pub fn remembers(&self, sequence: u64) -> bool {
        let entry = self.entries.get(index_of(sequence)).copied().flatten();
        entry.is_some_and(|entry| entry.sent.outgoing.sequence == sequence)
    }

    /// The packet of this outgoing number, if it may be sent again now: not within `pause` of the
    /// last time, at most [`MAX_RESENDS`] times, within the leg's share.
    pub fn resend(&mut self, now: Instant, sequence: u64, pause: Duration) -> Option<SentPacket> {
        let entry = self.entries.get_mut(index_of(sequence))?.as_mut()?;
        let cost = u64::from(entry.sent.octets) * SHARE;
        let too_soon = entry
            .resent_at
            .is_some_and(|last| now.saturating_duration_since(last) < pause);
        let allowed = entry.sent.outgoing.sequence == sequence
            && entry.resends < MAX_RESENDS
            && !too_soon
            && cost <= self.budget;
        if !allowed {
            return None;
        }
        self.budget -= cost;
        entry.resends += 1;
        entry.resent_at = Some(now);
        Some(entry.sent)
    }
}

fn index_of(sequence: u64) -> usize {
    (sequence % HISTORY as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(20);

    fn packet(sequence: u64) -> SentPacket {
        SentPacket {
            track: TrackId(1),
            layer: 0,
            sequence: sequence + 7,
            outgoing: Outgoing {
                sequence,
                ..Outgoing::default()
            },
            octets: 1_000,
        }
    }

    #[test]
    fn three_times_and_not_too_often() {
        let mut history = History::default();
        history.allocate();
        history.sent(packet(5));
        let mut now = Instant::now();
        for _ in 0..MAX_RESENDS {
            assert_eq!(history.resend(now, 5, PAUSE), Some(packet(5)));
            assert_eq!(history.resend(now + PAUSE / 2, 5, PAUSE), None);
            now += PAUSE;
        }
        assert_eq!(history.resend(now, 5, PAUSE), None);
    }

    #[test]
    fn only_what_is_remembered() {
        let now = Instant::now();
        let mut history = History::default();
        history.sent(packet(1));
        assert_eq!(
            history.resend(now, 1, PAUSE),
            None,
            "before memory was taken"
        );
        history.allocate();
        history.sent(packet(5));
        history.sent(packet(5 + HISTORY as u64));
        assert_eq!(history.resend(now, 5, PAUSE), None, "overwritten");
        assert!(!history.remembers(5) && history.remembers(5 + HISTORY as u64));
        assert_eq!(history.resend(now, 6, PAUSE), None, "never sent");
        assert!(history.resend(now, 5 + HISTORY as u64, PAUSE).is_some());
    }

    #[test]
    fn a_fifth_of_the_rate_once_the_burst_is_used() {
        let now = Instant::now();
        let mut history = History::default();
        history.allocate();
        (0..500).for_each(|sequence| history.sent(packet(sequence)));
        let burst = (0..500).filter(|&s| history.resend(now, s, PAUSE).is_some());
        assert_eq!(burst.count() as u64, BURST / 1_000);
        (500..750).for_each(|sequence| history.sent(packet(sequence)));
        let later = (500..750).filter(|&s| history.resend(now, s, PAUSE).is_some());
        assert_eq!(later.count() as u64, 250 / SHARE);
    }
}

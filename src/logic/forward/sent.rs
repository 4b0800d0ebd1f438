//! What became of the packets sent to one viewer, by the viewer's transport-wide feedback.

use std::time::{Duration, Instant};

/// Packets remembered. Feedback about older ones says nothing.
const PACKETS: usize = 2048;
/// How much of the past remains in the loss after each feedback: about two seconds of it.
const REMEMBERED: f32 = 0.95;

/// What a viewer says about one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It did not come.
    Lost,
    /// It came at this time in microseconds, by a clock of the viewer's own.
    Arrived(i64),
    /// It came, and the viewer does not say when.
    ArrivedSometime,
}

/// One transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportFeedback {
    /// Counts the feedbacks, over the wrap.
    pub count: u8,
    /// The number of the first packet spoken of; the others follow one by one.
    pub base: u16,
    /// What became of each.
    pub fates: Vec<Fate>,
}

/// What one feedback told that was not known before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Packets that came.
    pub arrived: u32,
    /// Packets that are missing.
    pub lost: u32,
    /// From sending the newest of those that came until the feedback: the round trip, and how long the viewer
    /// held the feedback back.
    pub round_trip: Option<Duration>,
}

/// Numbers the packets to one viewer and remembers when they went.
#[derive(Debug)]
pub struct SentLog {
    epoch: Instant,
    /// By the number's low bits; empty before the first packet.
    packets: Vec<Sent>,
    next: u64,
    arrived: f32,
    lost: f32,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    /// Microseconds since the epoch, over the wrap at 71 minutes.
    at: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Lost,
    Arrived,
}

impl SentLog {
    /// Nothing was sent yet.
    pub fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            packets: Vec::new(),
            next: 0,
            arrived: 0.0,
            lost: 0.0,
        }
    }

    /// The transport-wide sequence number of the packet that is sent now.
    pub fn send(&mut self, now: Instant) -> u16 {
        let sent = Sent {
            at: self.microseconds(now),
            state: State::Unknown,
        };
        let number = self.next;
        self.next += 1;
        if self.packets.len() < PACKETS {
            self.packets.push(sent);
        } else {
            self.packets[number as usize % PACKETS] = sent;
        }
        number as u16
    }

    /// Takes a viewer's feedback. Numbers that were never sent, or too long ago, are passed over.
    pub fn settle(&mut self, now: Instant, feedback: &TransportFeedback) -> Settled {
        let mut settled = Settled::default();
        let mut corrected = 0u32;
        let mut newest = None;
        for (index, fate) in feedback.fates.iter().enumerate() {
            let sequence = feedback.base.wrapping_add(index as u16);
            let Some(sent) = self.find(sequence) else {
                continue;
            };
            match (fate, sent.state) {
                (_, State::Arrived) | (Fate::Lost, State::Lost) => {}
                (Fate::Lost, State::Unknown) => {
                    sent.state = State::Lost;
                    settled.lost += 1;
                }
                (_, before) => {
                    corrected += u32::from(before == State::Lost);
                    sent.state = State::Arrived;
                    settled.arrived += 1;
                    newest = Some(sent.at);
                }
            }
        }
        settled.round_trip = newest.map(|at| self.since(now, at));
        self.remember(&settled, corrected);
        settled
    }

    /// Share of the packets of the last seconds that did not come, 0 to 1.
    pub fn loss(&self) -> f32 {
        let settled = self.lost + self.arrived;
        if settled < 1.0 {
            0.0
        } else {
            self.lost / settled
        }
    }

    fn remember(&mut self, settled: &Settled, corrected: u32) {
        self.arrived = self.arrived * REMEMBERED + settled.arrived as f32;
        self.lost = self.lost * REMEMBERED + settled.lost as f32 - corrected as f32;
        self.lost = self.lost.max(0.0);
    }

    fn find(&mut self, sequence: u16) -> Option<&mut Sent> {
        let behind = (self.next as u16).wrapping_sub(sequence);
        let number = self.next.checked_sub(u64::from(behind))?;
        if behind == 0 || usize::from(behind) > PACKETS {
            return None;
        }
        self.packets.get_mut(number as usize % PACKETS)
    }

    fn since(&self, now: Instant, at: u32) -> Duration {
        let elapsed = self.microseconds(now).wrapping_sub(at);
        Duration::from_micros(u64::from(elapsed))
    }

    fn microseconds(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.epoch).as_micros() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feedback(base: u16, fates: &[Fate]) -> TransportFeedback {
        TransportFeedback {
            count: 0,
            base,
            fates: fates.to_vec(),
        }
    }

    const CAME: Fate = Fate::Arrived(0);

    #[test]
    fn loss_and_round_trip_are_told_once() {
        let start = Instant::now();
        let mut log = SentLog::new(start);
        for number in 0..10u64 {
            let sent = log.send(start + Duration::from_millis(number));
            assert_eq!(u64::from(sent), number);
        }
        let now = start + Duration::from_millis(60);
        let first = feedback(0, &[CAME, Fate::Lost, CAME, Fate::ArrivedSometime]);
        let expected = Settled {
            arrived: 3,
            lost: 1,
            round_trip: Some(Duration::from_millis(57)),
        };
        assert_eq!(log.settle(now, &first), expected);
        assert_eq!(log.loss(), 0.25);
        assert_eq!(log.settle(now, &first), Settled::default());
        let late = log.settle(now, &feedback(1, &[CAME]));
        assert_eq!((late.arrived, late.lost), (1, 0));
        assert!(log.loss() < 0.01, "it was not lost after all");
    }

    #[test]
    fn numbers_never_sent_or_long_gone_say_nothing() {
        let start = Instant::now();
        let mut log = SentLog::new(start);
        assert_eq!(
            log.settle(start, &feedback(0, &[CAME; 9])),
            Settled::default()
        );
        (0..70_000).for_each(|_| {
            log.send(start);
        });
        // The last one sent has number 4463, over the wrap.
        let cases = [
            (4463, 1),
            (4464, 0),
            (4463 - 2047, 1),
            (4463 - 2048, 0),
            (40_000, 0),
        ];
        for (base, arrived) in cases {
            let settled = log.settle(start, &feedback(base, &[CAME]));
            assert_eq!(settled.arrived, arrived, "{base}");
        }
    }

    #[test]
    fn loss_is_forgotten_after_some_seconds_without() {
        let start = Instant::now();
        let mut log = SentLog::new(start);
        let settle = |log: &mut SentLog, fate| {
            let base = log.send(start);
            (1..20).for_each(|_| {
                log.send(start);
            });
            log.settle(start, &feedback(base, &[fate; 20]));
        };
        (0..100).for_each(|_| settle(&mut log, Fate::Lost));
        assert_eq!(log.loss(), 1.0);
        (0..100).for_each(|_| settle(&mut log, CAME));
        assert!(log.loss() < 0.01);
    }
}

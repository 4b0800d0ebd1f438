//! The events that a member may have missed.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::protocol::event::Event;

/// Counts the events to one member, and keeps those that the client has not acknowledged, bounded in
/// bytes; the oldest give way. The text of what is kept is always shorter than the bound, so that what is
/// missed fits the queue of a new WebSocket.
#[derive(Debug)]
pub(in crate::logic::room) struct Log {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    bytes_max: usize,
    /// The number of the last event; those before count down from it.
    last: u64,
}

/// What a log knows about what comes after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything.
    Kept,
    /// Not all of it any more.
    Forgotten,
    /// There was no event of that number yet.
    Unsent,
}

impl Log {
    pub(super) fn new(bytes_max: usize) -> Log {
        Log {
            events: VecDeque::new(),
            bytes: 0,
            bytes_max,
            last: 0,
        }
    }

    /// Adds an event and returns its number.
    pub(in crate::logic::room) fn push(&mut self, event: &Arc<Event>) -> u64 {
        self.last += 1;
        self.bytes += event.kept_bytes();
        self.events.push_back(Arc::clone(event));
        while self.bytes > self.bytes_max {
            self.forget_oldest();
        }
        self.last
    }

    /// The client has that event and all before it. What was not sent yet cannot have arrived.
    pub(in crate::logic::room) fn acknowledge(&mut self, after: u64) {
        while after <= self.last && self.before_first() < after {
            self.forget_oldest();
        }
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
    }

    pub(super) fn reach(&self, after: u64) -> Reach {
        match after {
            _ if after > self.last => Reach::Unsent,
            _ if after < self.before_first() => Reach::Forgotten,
            _ => Reach::Kept,
        }
    }

    /// What is kept, in order, with its numbers.
    pub(in crate::logic::room) fn events(&self) -> impl Iterator<Item = (u64, &Arc<Event>)> {
        (self.before_first() + 1..).zip(&self.events)
    }

    fn before_first(&self) -> u64 {
        self.last - self.events.len() as u64
    }

    fn forget_oldest(&mut self) {
        let oldest = self.events.pop_front();
        self.bytes -= oldest.map_or(self.bytes, |event| event.kept_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::MemberId;
    use crate::protocol::server::ServerMessage;

    fn event(members: usize) -> Arc<Event> {
        let members = vec![MemberId(1); members];
        Event::new(ServerMessage::Speakers { members })
    }

    fn numbers(log: &Log) -> Vec<u64> {
        log.events().map(|(seq, _)| seq).collect()
    }

    #[test]
    fn what_is_acknowledged_is_forgotten() {
        let mut log = Log::new(1_000_000);
        assert_eq!(
            (1..=5).map(|_| log.push(&event(1))).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5]
        );
        for (after, kept) in [
            (0, vec![1, 2, 3, 4, 5]),
            (2, vec![3, 4, 5]),
            (1, vec![3, 4, 5]),
            (6, vec![3, 4, 5]),
            (u64::MAX, vec![3, 4, 5]),
            (5, vec![]),
        ] {
            log.acknowledge(after);
            assert_eq!(numbers(&log), kept, "after {after}");
        }
        assert_eq!((log.bytes, log.events.capacity()), (0, 0));
        assert_eq!(log.push(&event(1)), 6);
    }

    #[test]
    fn the_oldest_give_way_and_are_known_to_be_missing() {
        let mut log = Log::new(3 * event(1).kept_bytes());
        for _ in 1..=5 {
            log.push(&event(1));
        }
        assert_eq!(numbers(&log), [3, 4, 5]);
        for (after, reach) in [
            (0, Reach::Forgotten),
            (1, Reach::Forgotten),
            (2, Reach::Kept),
            (5, Reach::Kept),
            (6, Reach::Unsent),
            (u64::MAX, Reach::Unsent),
        ] {
            assert_eq!(log.reach(after), reach, "after {after}");
        }
        log.push(&event(1_000));
        assert_eq!(numbers(&log), [0; 0], "an event that alone is too much");
        assert_eq!(
            (log.reach(5), log.reach(6)),
            (Reach::Forgotten, Reach::Kept)
        );
    }

    #[test]
    fn an_event_for_many_is_kept_once() {
        let mut logs = [0; 9].map(|_| Log::new(100_000));
        let event = event(1);
        for log in &mut logs {
            log.push(&event);
        }
        assert_eq!(Arc::strong_count(&event), 10);
    }
}

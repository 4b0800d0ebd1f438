//! What happens in rooms, for the program around the node.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::logic::room::RoomEvent;

/// Events that may wait to be read. When there are more, the newest are lost, and [`Event::Missed`] says
/// how many.
pub const EVENTS_MAX: usize = 4_096;

/// Something that happened on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// In a room.
    Room {
        /// The room's name.
        room: String,
        /// What.
        event: RoomEvent,
    },
    /// Too many events waited to be read: the next ones are lost.
    Missed {
        /// So many.
        events: u64,
    },
}

/// What happens in rooms, in order.
///
/// At most [`EVENTS_MAX`] wait to be read. The node never waits for them to be: who is slower misses some
/// and is told of it.
#[derive(Debug)]
pub struct Events {
    queue: Receiver<Event>,
}

impl Events {
    /// The next event; nothing once the node has stopped. Safe in a `select!`.
    pub async fn next(&mut self) -> Option<Event> {
        self.queue.recv().await
    }
}

/// The other end. Never waits.
#[derive(Debug)]
pub(in crate::io) struct EventSender {
    // Shards' threads touch it, once per event and never for long.
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    queue: Option<Sender<Event>>,
    missed: u64,
}

/// Both ends of an empty queue.
pub(super) fn channel() -> (EventSender, Events) {
    let (sender, queue) = mpsc::channel(EVENTS_MAX);
    let line = Line {
        queue: Some(sender),
        missed: 0,
    };
    let line = Mutex::new(line);
    (EventSender { line }, Events { queue })
}

impl EventSender {
    /// Tells of something, if there is room.
    pub(in crate::io) fn send(&self, room: String, event: RoomEvent) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let Line { queue, missed } = &mut *line;
        let Some(sender) = queue else {
            return;
        };
        if sender.is_closed() {
            *queue = None;
            return;
        }
        // What is missed is told before what comes after it, or more is missed.
        if *missed > 0 && sender.try_send(Event::Missed { events: *missed }).is_ok() {
            *missed = 0;
        }
        if *missed > 0 || sender.try_send(Event::Room { room, event }).is_err() {
            *missed += 1;
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.queue = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_is_counted_and_told_in_its_place() {
        let (sender, mut events) = channel();
        let send = |number: usize| sender.send(number.to_string(), RoomEvent::Opened);
        (0..EVENTS_MAX + 3).for_each(send);
        let told = |number: usize| {
            let room = number.to_string();
            let event = RoomEvent::Opened;
            Some(Event::Room { room, event })
        };
        assert_eq!(events.next().await, told(0));
        assert_eq!(events.next().await, told(1));
        send(9_000);
        for number in 2..EVENTS_MAX {
            assert_eq!(events.next().await, told(number));
        }
        assert_eq!(events.next().await, Some(Event::Missed { events: 3 }));
        assert_eq!(events.next().await, told(9_000));
        sender.close();
        assert_eq!(events.next().await, None);
    }

    #[tokio::test]
    async fn who_does_not_listen_costs_nothing() {
        let (sender, events) = channel();
        drop(events);
        sender.send("tea".to_owned(), RoomEvent::Opened);
        let line = sender.line.lock().unwrap();
        assert!(line.queue.is_none());
    }
}

//! What waits to be sent over one WebSocket: bounded by bytes, filled by the shard, emptied by the
//! socket's task.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, mpsc};

use super::owners::Kept;
use crate::protocol::event::{Event, numbered};
use crate::protocol::reason::Reason;
use crate::protocol::server::ServerMessage;

/// What a socket's task does next.
#[derive(Debug)]
pub enum Outgoing {
    /// Sends a message.
    Letter(Letter),
    /// Asks for a sign of life.
    Ping,
    /// Closes; nothing follows.
    Close(Reason),
    /// Closes because of a message beyond every limit; nothing follows.
    CloseTooLarge,
}

/// What is queued.
#[derive(Debug)]
enum Item {
    Next(Outgoing),
    /// Nothing that comes after is sent before.
    Hold(Kept),
}

/// A message for one socket: an answer, or an event that others are told too.
#[derive(Debug)]
pub struct Letter {
    draft: Arc<Draft>,
    /// The number of an event in the member's sequence.
    seq: Option<u64>,
}

/// What all receivers of an event have in common. Its text is written by the first of their tasks that needs
/// it, never by the shard that decided it.
#[derive(Debug)]
pub struct Draft {
    event: Arc<Event>,
    body: OnceLock<String>,
}

impl Draft {
    /// Of an event.
    pub fn new(event: Arc<Event>) -> Arc<Draft> {
        let body = OnceLock::new();
        Arc::new(Draft { event, body })
    }
}

impl Letter {
    /// An answer.
    pub fn answer(message: ServerMessage) -> Letter {
        let draft = Draft::new(Event::new(message));
        Letter { draft, seq: None }
    }

    /// An event, with its number.
    pub fn event(draft: &Arc<Draft>, seq: u64) -> Letter {
        let draft = Arc::clone(draft);
        let seq = Some(seq);
        Letter { draft, seq }
    }

    /// What it takes of the outbox: never less than its text.
    pub fn bytes(&self) -> usize {
        self.draft.event.text_bytes()
    }

    /// What it says.
    pub fn message(&self) -> &ServerMessage {
        self.draft.event.message()
    }

    /// The number of an event in the member's sequence.
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// The text of the WebSocket message.
    pub fn text(&self) -> String {
        match self.seq {
            None => self.draft.event.body(),
            Some(seq) => {
                let body = self.draft.body.get_or_init(|| self.draft.event.body());
                numbered(body, seq)
            }
        }
    }
}

/// The queue does not take this message: the client reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outgoing queue is full")]
pub struct Overflow;

/// The end that is filled. A queue that overflows stays overflown, and its socket is closed at once.
#[derive(Debug, Clone)]
pub struct Outbox {
    queue: mpsc::UnboundedSender<Item>,
    level: Arc<Level>,
}

/// The end that is emptied.
#[derive(Debug)]
pub struct OutboxReader {
    queue: mpsc::UnboundedReceiver<Item>,
    level: Arc<Level>,
    /// What is waited for, also if whoever waits is told to do something else in between.
    held: Option<Kept>,
}

#[derive(Debug)]
struct Level {
    bytes: AtomicUsize,
    bytes_max: usize,
    overflown: AtomicBool,
    overflow: Notify,
}

/// A queue for at most `bytes_max` bytes of text that is not yet sent.
pub fn outbox(bytes_max: usize) -> (Outbox, OutboxReader) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let level = Arc::new(Level {
        bytes: AtomicUsize::new(0),
        bytes_max,
        overflown: AtomicBool::new(false),
        overflow: Notify::new(),
    });
    let reader = OutboxReader {
        queue: receiver,
        level: Arc::clone(&level),
        held: None,
    };
    (
        Outbox {
            queue: sender,
            level,
        },
        reader,
    )
}

impl Outbox {
    /// Queues a message. An empty queue takes one of any size: a room full of long names is told to a
    /// newcomer in one piece.
    ///
    /// # Errors
    /// [`Overflow`] if it does not fit, or did not fit once before: the message is dropped.
    pub fn push(&self, letter: Letter) -> Result<(), Overflow> {
        if self.level.overflown.load(Ordering::Acquire) {
            return Err(Overflow);
        }
        let bytes = letter.bytes();
        let before = self.level.bytes.fetch_add(bytes, Ordering::AcqRel);
        if before > 0 && before + bytes > self.level.bytes_max {
            self.level.overflown.store(true, Ordering::Release);
            self.level.overflow.notify_one();
            return Err(Overflow);
        }
        // A reader that is gone has no use for it.
        let _ = self.queue.send(Item::Next(Outgoing::Letter(letter)));
        Ok(())
    }

    /// Queues a WebSocket ping. A socket that takes none is closed before there are many.
    pub fn ping(&self) {
        let _ = self.queue.send(Item::Next(Outgoing::Ping));
    }

    /// What is queued from now on is sent once that is kept.
    pub fn hold(&self, until: Kept) {
        let _ = self.queue.send(Item::Hold(until));
    }

    /// Queues the end.
    pub fn close(&self, reason: Reason) {
        let _ = self.queue.send(Item::Next(Outgoing::Close(reason)));
    }

    /// Queues the end that a message beyond every limit brings.
    pub fn close_too_large(&self) {
        let _ = self.queue.send(Item::Next(Outgoing::CloseTooLarge));
    }
}

impl OutboxReader {
    /// The next thing to do; `Close` when the filling end is gone.
    pub async fn next(&mut self) -> Outgoing {
        loop {
            if let Some(kept) = &self.held {
                kept.clone().wait().await;
                self.held = None;
            }
            match self.queue.recv().await {
                Some(Item::Next(outgoing)) => return outgoing,
                Some(Item::Hold(kept)) => self.held = Some(kept),
                None => return Outgoing::Close(Reason::Lost),
            }
        }
    }

    /// What is there already, of that which [`OutboxReader::next`] would wait for.
    pub fn try_next(&mut self) -> Option<Outgoing> {
        if self.held.is_some() {
            return None;
        }
        match self.queue.try_recv().ok()? {
            Item::Next(outgoing) => Some(outgoing),
            Item::Hold(kept) => {
                self.held = Some(kept);
                None
            }
        }
    }

    /// Makes room: letters of so many `bytes` are with the operating system now.
    pub fn sent(&self, bytes: usize) {
        self.level.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Something to wait by, beside [`OutboxReader::next`].
    pub fn watch(&self) -> OverflowWatch {
        OverflowWatch(Arc::clone(&self.level))
    }
}

/// Tells of an overflow.
#[derive(Debug)]
pub struct OverflowWatch(Arc<Level>);

impl OverflowWatch {
    /// Waits until the queue overflows.
    pub async fn overflow(&self) {
        if !self.0.overflown.load(Ordering::Acquire) {
            self.0.overflow.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    use crate::ids::MemberId;

    fn letter() -> Letter {
        Letter::answer(ServerMessage::Pong { id: None })
    }

    /// An outbox for that many letters.
    fn outbox_for(letters: usize) -> (Outbox, OutboxReader) {
        outbox(letters * letter().bytes())
    }

    #[tokio::test]
    async fn what_is_sent_makes_room_for_more() {
        let (outbox, mut reader) = outbox_for(1);
        for _ in 0..5 {
            outbox.push(letter()).unwrap();
            let Outgoing::Letter(letter) = reader.next().await else {
                panic!("a letter was pushed");
            };
            assert_eq!(letter.text(), r#"{"type":"pong"}"#);
            reader.sent(letter.bytes());
        }
        assert!(reader.try_next().is_none());
    }

    #[tokio::test]
    async fn an_overflow_is_final_and_wakes_the_reader() {
        let (outbox, reader) = outbox_for(1);
        outbox.push(letter()).unwrap();
        assert_eq!(outbox.push(letter()), Err(Overflow));
        assert_eq!(outbox.push(letter()), Err(Overflow));
        reader.watch().overflow().await;
    }

    #[tokio::test]
    async fn an_empty_queue_takes_one_long_message() {
        let (outbox, reader) = outbox(10);
        outbox.push(letter()).unwrap();
        assert_eq!(outbox.push(letter()), Err(Overflow));
        reader.watch().overflow().await;
    }

    #[tokio::test]
    async fn the_end_comes_after_what_was_queued_before() {
        let (outbox, mut reader) = outbox_for(1);
        outbox.push(letter()).unwrap();
        outbox.close(Reason::Shutdown);
        assert!(matches!(reader.next().await, Outgoing::Letter(_)));
        assert!(matches!(
            reader.next().await,
            Outgoing::Close(Reason::Shutdown)
        ));
    }

    #[test]
    fn an_event_is_written_once_for_all_and_numbered_for_each() {
        let members = vec![MemberId(1)];
        let draft = Draft::new(Event::new(ServerMessage::Speakers { members }));
        assert!(draft.body.get().is_none(), "not by who decides");
        let letters = [7, 8].map(|seq| Letter::event(&draft, seq));
        let texts = letters.map(|letter| letter.text());
        let text = |seq| {
            format!(
                r#"{{"seq":{seq},"type":"speakers","members":["{}"]}}"#,
                MemberId(1)
            )
        };
        assert_eq!(texts, [text(7), text(8)]);
        let body = draft.body.get().unwrap().as_ptr();
        assert_eq!(draft.body.get_or_init(String::new).as_ptr(), body);
    }
}

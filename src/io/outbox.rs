//! What waits to be sent over one WebSocket: bounded by bytes, filled by the shard, emptied by the
//! socket's task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::protocol::reason::Reason;

/// What a socket's task does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Sends a text message.
    Text(String),
    /// Asks for a sign of life.
    Ping,
    /// Closes; nothing follows.
    Close(Reason),
    /// Closes because of a message beyond every limit; nothing follows.
    CloseTooLarge,
}

/// The queue does not take this message: the client reads too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outgoing queue is full")]
pub struct Overflow;

/// The end that is filled. A queue that overflows stays overflown, and its socket is closed at once.
#[derive(Debug, Clone)]
pub struct Outbox {
    queue: mpsc::UnboundedSender<Outgoing>,
    level: Arc<Level>,
}

/// The end that is emptied.
#[derive(Debug)]
pub struct OutboxReader {
    queue: mpsc::UnboundedReceiver<Outgoing>,
    level: Arc<Level>,
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
    pub fn push(&self, text: String) -> Result<(), Overflow> {
        if self.level.overflown.load(Ordering::Acquire) {
            return Err(Overflow);
        }
        let before = self.level.bytes.fetch_add(text.len(), Ordering::AcqRel);
        if before > 0 && before + text.len() > self.level.bytes_max {
            self.level.overflown.store(true, Ordering::Release);
            self.level.overflow.notify_one();
            return Err(Overflow);
        }
        // A reader that is gone has no use for it.
        let _ = self.queue.send(Outgoing::Text(text));
        Ok(())
    }

    /// Queues a WebSocket ping. A socket that takes none is closed before there are many.
    pub fn ping(&self) {
        let _ = self.queue.send(Outgoing::Ping);
    }

    /// Queues the end.
    pub fn close(&self, reason: Reason) {
        let _ = self.queue.send(Outgoing::Close(reason));
    }

    /// Queues the end that a message beyond every limit brings.
    pub fn close_too_large(&self) {
        let _ = self.queue.send(Outgoing::CloseTooLarge);
    }
}

impl OutboxReader {
    /// The next thing to do; `Close` when the filling end is gone.
    pub async fn next(&mut self) -> Outgoing {
        self.queue
            .recv()
            .await
            .unwrap_or(Outgoing::Close(Reason::Lost))
    }

    /// Makes room: `bytes` of text are with the operating system now.
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

    #[tokio::test]
    async fn what_is_sent_makes_room_for_more() {
        let (outbox, mut reader) = outbox(10);
        for _ in 0..5 {
            outbox.push("12345678".to_owned()).unwrap();
            assert_eq!(reader.next().await, Outgoing::Text("12345678".to_owned()));
            reader.sent(8);
        }
    }

    #[tokio::test]
    async fn an_overflow_is_final_and_wakes_the_reader() {
        let (outbox, reader) = outbox(10);
        outbox.push("1234567".to_owned()).unwrap();
        assert_eq!(outbox.push("1234567".to_owned()), Err(Overflow));
        assert_eq!(outbox.push(String::new()), Err(Overflow));
        reader.watch().overflow().await;
    }

    #[tokio::test]
    async fn an_empty_queue_takes_one_long_message() {
        let (outbox, reader) = outbox(10);
        outbox.push("a word of twenty two".to_owned()).unwrap();
        assert_eq!(outbox.push("one more".to_owned()), Err(Overflow));
        reader.watch().overflow().await;
    }

    #[tokio::test]
    async fn the_end_comes_after_what_was_queued_before() {
        let (outbox, mut reader) = outbox(10);
        outbox.push("bye".to_owned()).unwrap();
        outbox.close(Reason::Shutdown);
        assert_eq!(reader.next().await, Outgoing::Text("bye".to_owned()));
        assert_eq!(reader.next().await, Outgoing::Close(Reason::Shutdown));
    }
}

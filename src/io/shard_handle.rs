//! The way to a shard, which lives on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use super::rim::Rim;
use crate::ids::Ticket;
use crate::media::shard::{Question, ShardCommand};

/// Commands that may wait for a shard. When it is full, sockets are not read until there is room.
pub const MAILBOX_COMMANDS_MAX: usize = 1024;

/// How long a shard may take for an answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends commands to one shard.
#[derive(Debug, Clone)]
pub struct ShardHandle {
    mailbox: mpsc::Sender<ShardCommand>,
    rim: Arc<Rim>,
}

/// Why a shard did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Its thread has ended.
    #[error("the media thread has ended")]
    Gone,
    /// It did not answer within [`ANSWER_TIMEOUT`].
    #[error("the media thread does not answer")]
    Timeout,
}

impl ShardHandle {
    /// A handle on the shard that reads the other end of `mailbox` and answers through `rim`.
    pub fn new(mailbox: mpsc::Sender<ShardCommand>, rim: Arc<Rim>) -> Self {
        Self { mailbox, rim }
    }

    /// Sends a command, once there is room in the mailbox.
    ///
    /// # Errors
    /// [`ShardError::Gone`].
    pub async fn send(&self, command: ShardCommand) -> Result<(), ShardError> {
        let sent = self.mailbox.send(command).await;
        sent.map_err(|_| ShardError::Gone)
    }

    /// A way to the shard that does not keep it.
    pub(super) fn weak(&self) -> mpsc::WeakSender<ShardCommand> {
        self.mailbox.downgrade()
    }

    /// Waits until the shard's thread has ended.
    pub async fn ended(&self) {
        self.mailbox.closed().await;
    }

    /// Asks, and waits for the answer: JSON, `null` for "no such thing".
    ///
    /// # Errors
    /// [`ShardError`], if there is no answer.
    pub async fn ask(&self, question: Question) -> Result<Value, ShardError> {
        let (ticket, answer) = self.rim.open_ticket();
        let _held = Held {
            rim: &self.rim,
            ticket,
        };
        let asked = async {
            self.send(ShardCommand::Ask { ticket, question }).await?;
            answer.await.map_err(|_| ShardError::Gone)
        };
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, asked).await;
        answered.unwrap_or(Err(ShardError::Timeout))
    }
}

/// A question's ticket, given up with whoever asked: a client may be gone before there is an answer.
struct Held<'a> {
    rim: &'a Rim,
    ticket: Ticket,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.rim.drop_ticket(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::logic::limits::Limits;

    #[tokio::test]
    async fn a_question_that_is_given_up_leaves_nothing_behind() {
        let rim = Arc::new(Rim::new(1, &Limits::default()));
        let (mailbox, _shard) = mpsc::channel(1);
        let handle = ShardHandle::new(mailbox, Arc::clone(&rim));
        handle.send(ShardCommand::Shutdown).await.unwrap();
        let asking = tokio::spawn(async move { handle.ask(Question::Stats).await });
        while rim.tickets() == 0 {
            tokio::task::yield_now().await;
        }
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        assert_eq!(rim.tickets(), 0);
    }
}

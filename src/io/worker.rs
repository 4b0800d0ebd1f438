//! One thread around one shard: datagrams and words in, datagrams and words out.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::mpsc;

use super::rim::Rim;
use super::udp::UdpSockets;
use crate::media::shard::{Shard, ShardCommand, ShardOutput};

/// Words taken from the mailbox between two looks at the sockets.
const COMMANDS_PER_ROUND_MAX: usize = 64;
/// Batches taken from the sockets before what they caused is sent.
const BATCHES_PER_ROUND_MAX: usize = 4;

/// Starts the thread. It ends when every sender of the mailbox is gone.
///
/// # Errors
/// If the thread or its runtime cannot be made.
pub fn spawn(
    shard: Shard,
    sockets: Vec<std::net::UdpSocket>,
    mailbox: mpsc::Receiver<ShardCommand>,
    rim: Arc<Rim>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    thread::Builder::new().name("media".into()).spawn(move || {
        let ended = runtime.block_on(async {
            let sockets = UdpSockets::new(sockets)?;
            Worker { shard, sockets, mailbox, rim, out: ShardOutput::default() }.run().await;
            io::Result::Ok(())
        });
        if let Err(error) = ended {
            tracing::error!(%error, "the media sockets cannot be used");
        }
    })
}

struct Worker {
    shard: Shard,
    sockets: UdpSockets,
    mailbox: mpsc::Receiver<ShardCommand>,
    rim: Arc<Rim>,
    out: ShardOutput,
}

impl Worker {
    async fn run(mut self) {
        while let Some(command) = self.wait().await {
            if let Some(command) = command {
                self.shard.handle(Instant::now(), command, &mut self.out);
            }
            self.drain_mailbox();
            self.drain_sockets();
            let now = Instant::now();
            if self.shard.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.shard.handle_timeout(now, &mut self.out);
            }
            self.flush();
        }
    }

    /// Sleeps until there is something to do. `None`: nobody can say anything any more.
    async fn wait(&mut self) -> Option<Option<ShardCommand>> {
        let timeout = self.shard.poll_timeout().map(|(at, _)| at.into());
        tokio::select! {
            () = self.sockets.readable() => Some(None),
            command = self.mailbox.recv() => command.map(Some),
            () = sleep_until(timeout) => Some(None),
        }
    }

    fn drain_mailbox(&mut self) {
        for _ in 0..COMMANDS_PER_ROUND_MAX {
            let Ok(command) = self.mailbox.try_recv() else { return };
            self.shard.handle(Instant::now(), command, &mut self.out);
        }
    }

    fn drain_sockets(&mut self) {
        for _ in 0..BATCHES_PER_ROUND_MAX {
            let now = Instant::now();
            let (shard, out) = (&mut self.shard, &mut self.out);
            let taken = self.sockets.receive(|path, bytes| shard.handle_datagram(now, path, bytes, out));
            if taken == 0 {
                return;
            }
        }
    }

    fn flush(&mut self) {
        if !self.out.datagrams.is_empty() {
            self.sockets.flush(&mut self.out.datagrams);
            self.shard.send_failures = self.sockets.send_failures;
        }
        for effect in self.out.effects.drain(..) {
            self.rim.effect(effect);
        }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

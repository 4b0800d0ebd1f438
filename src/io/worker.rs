//! One thread around one shard: datagrams and words in, datagrams and words out.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::listen::{MediaSockets, over_tcp};
use super::owners::Restored;
use super::relay_setup;
use super::rim::Rim;
use super::streams::{StreamEvent, Streams};
use super::udp::{RECEIVE_BATCH, UdpSockets};
use crate::config::Settings;
use crate::logic::forward::reports::NtpClock;
use crate::logic::record::admission::Admission;
use crate::logic::room::RoomConfig;
use crate::media::dtls::Identity;
use crate::media::peer::Transport;
use crate::media::shard::{Shard, ShardCommand, ShardConfig, ShardOutput};

/// Words taken from the mailbox between two looks at the sockets.
const COMMANDS_PER_ROUND_MAX: usize = 64;
/// Batches taken from the sockets before what they caused is sent.
const BATCHES_PER_ROUND_MAX: usize = 4;
/// Words of TCP connections, 16 KiB each at most, taken before what they caused is sent.
const STREAM_EVENTS_PER_ROUND_MAX: usize = 32;

/// What a worker starts with.
#[derive(Debug)]
pub struct WorkerConfig {
    /// Its sockets, bound, and what to call them towards browsers.
    pub media: MediaSockets,
    /// Where HTTP is served: no relay reaches it.
    pub http: SocketAddr,
    /// The node's settings.
    pub settings: Arc<Settings>,
    /// For everything random.
    pub seed: [u8; 32],
    /// Who owned which room before.
    pub titles: Restored,
}

/// Starts the thread. It ends when `Shutdown` was carried out, or every sender of the mailbox is
/// gone.
///
/// # Errors
/// If the certificate, the runtime or the thread cannot be made.
pub fn spawn(
    config: WorkerConfig,
    (mailbox, streams): (mpsc::Receiver<ShardCommand>, Streams),
    rim: Arc<Rim>,
) -> io::Result<JoinHandle<()>> {
    let mut shard = Shard::new(shard_config(&config)?);
    if let Some(recorder) = rim.recorder.get() {
        shard.backlog = recorder.backlog();
        shard.admission = Admission::new(recorder.capacity());
    }
    if rim.embedder.get().is_some() {
        shard.watch();
    }
    let relays = relay_setup::binding(&config);
    shard.restore_titles(Instant::now(), config.titles);
    let sockets = config
        .media
        .sockets
        .into_iter()
        .map(|bound| bound.socket)
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    thread::Builder::new().name("media".into()).spawn(move || {
        let ended = runtime.block_on(async {
            let sockets = UdpSockets::new(sockets, relays)?;
            Worker {
                shard,
                sockets,
                mailbox,
                streams,
                rim,
                out: ShardOutput::default(),
            }
            .run()
            .await;
            io::Result::Ok(())
        });
        if let Err(error) = ended {
            tracing::error!(%error, "the media sockets cannot be used");
        }
    })
}

fn shard_config(config: &WorkerConfig) -> io::Result<ShardConfig> {
    let identity = Identity::generate().map_err(io::Error::other)?;
    let unix_time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = Instant::now();
    Ok(ShardConfig {
        transport: Transport {
            identity: Arc::new(identity),
            candidates: config.media.advertised.clone().into(),
            tcp_candidates: over_tcp(&config.media.advertised, config.http).into(),
        },
        room: Arc::new(RoomConfig {
            limits: config.settings.limits(),
            topology: config.settings.topology(),
            // The rim adds the node's own: only it knows by which name a client reached the node.
            ice_servers: Vec::new(),
        }),
        wall: NtpClock::new(now, unix_time),
        relay: relay_setup::config(config, (now, unix_time)),
        outputs: Some(relay_setup::outputs(config)),
        seed: config.seed,
    })
}

struct Worker {
    shard: Shard,
    sockets: UdpSockets,
    mailbox: mpsc::Receiver<ShardCommand>,
    streams: Streams,
    rim: Arc<Rim>,
    out: ShardOutput,
}

impl Worker {
    async fn run(mut self) {
        while let Some(command) = self.wait().await {
            let last = matches!(command, Some(ShardCommand::Shutdown));
            if let Some(command) = command {
                self.shard.handle(Instant::now(), command, &mut self.out);
            }
            let last = self.drain_mailbox() || last;
            let is_behind = self.drain_sockets();
            self.drain_streams();
            self.shard.looked(Instant::now(), is_behind, &mut self.out);
            let now = Instant::now();
            if self.shard.poll_timeout().is_some_and(|(at, _)| at <= now) {
                self.shard.handle_timeout(now, &mut self.out);
            }
            self.flush();
            if last {
                return;
            }
        }
    }

    /// Sleeps until there is something to do. `None`: nobody can say anything any more.
    async fn wait(&mut self) -> Option<Option<ShardCommand>> {
        let timeout = self.shard.poll_timeout().map(|(at, _)| at.into());
        tokio::select! {
            () = self.sockets.readable() => Some(None),
            () = self.streams.readable() => Some(None),
            command = self.mailbox.recv() => command.map(Some),
            () = sleep_until(timeout) => Some(None),
        }
    }

    /// Takes what else was said. Returns whether that was the last word.
    fn drain_mailbox(&mut self) -> bool {
        for _ in 0..COMMANDS_PER_ROUND_MAX {
            let Ok(command) = self.mailbox.try_recv() else {
                return false;
            };
            let last = matches!(command, ShardCommand::Shutdown);
            self.shard.handle(Instant::now(), command, &mut self.out);
            if last {
                return true;
            }
        }
        false
    }

    /// Returns whether there was more than could be taken.
    fn drain_sockets(&mut self) -> bool {
        let mut is_behind = true;
        for _ in 0..BATCHES_PER_ROUND_MAX {
            let now = Instant::now();
            let (shard, out) = (&mut self.shard, &mut self.out);
            let taken = self
                .sockets
                .receive(|path, bytes| shard.handle_datagram(now, path, bytes, out));
            is_behind &= taken >= RECEIVE_BATCH;
            if taken == 0 {
                break;
            }
        }
        is_behind
    }

    fn drain_streams(&mut self) {
        for _ in 0..STREAM_EVENTS_PER_ROUND_MAX {
            let Some(event) = self.streams.take() else {
                return;
            };
            self.follow(event);
        }
    }

    fn follow(&mut self, event: StreamEvent) {
        let (shard, now) = (&mut self.shard, Instant::now());
        match event {
            StreamEvent::Opened(stream) => {
                self.rim.counters.streams.add(1);
                self.streams.insert(stream);
            }
            StreamEvent::Arrived(path, frames) => {
                for frame in frames.iter() {
                    shard.handle_datagram(now, path, frame, &mut self.out);
                }
            }
            StreamEvent::Judged(path) if shard.needs_stream(now, path) => {}
            StreamEvent::Judged(path) => self.streams.close(path),
            StreamEvent::Ended(path) => {
                shard.stream_ended(path);
                self.streams.remove(path);
            }
        }
    }

    fn flush(&mut self) {
        let (shard, out) = (&mut self.shard, &mut self.out);
        let now = Instant::now();
        shard.open_outputs(now, &mut self.sockets, out);
        shard.settle_relay(now, &mut self.sockets, out);
        if !self.out.datagrams.is_empty() {
            let lost = self.streams.send(&self.out.datagrams);
            self.rim.counters.stream_drops.add(lost);
            self.sockets.flush(&mut self.out.datagrams);
            self.shard.send_failures = self.sockets.send_failures;
        }
        self.shard.close_outputs(&mut self.sockets, &mut self.out);
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

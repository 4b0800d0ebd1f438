//! The node as a whole: starts, takes connections, stops.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};

use super::admin_token::{AdminToken, TokenError};
use super::client_address::Proxies;
use super::data_lock::{DataInUse, DataLock};
use super::doors::Doors;
use super::embed::Embedder;
use super::http::{metrics_router, router};
use super::listen::{
    BindError, MediaSockets, advertised, bind_http, bind_media, bind_metrics, outward,
};
use super::listening::Listening;
use super::open_files;
use super::owners::Owners;
use super::public_address::{self, Seen};
use super::recorder::RecorderHandle;
use super::relay_setup;
use super::rim::Rim;
use super::shard_handle::{MAILBOX_COMMANDS_MAX, ShardError, ShardHandle};
use super::streams::{Streams, streams};
use super::tcp::{self, Port};
use super::tls::{self, Tls, TlsError};
use super::worker::{self, WorkerConfig};
use crate::config::{LoadError, OnOff, Settings};
use crate::logic::guesses::Guesses;
use crate::logic::limits::Limits;
use crate::logic::lobby::ShardIndex;
use crate::media::shard::{Question, ShardCommand};
use crate::protocol::reason::Reason;

/// Connections at once that ask for metrics alone. Beyond, the newest is closed without a word.
const METRICS_CONNECTIONS_MAX: usize = 64;
/// How long members may take to read their last messages when the node stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a draining node looks whether its rooms are empty.
const DRAIN_INTERVAL: Duration = Duration::from_millis(200);
/// How long recordings may take to be finished, once nobody is there any more. What is left is repaired at
/// the next start.
const RECORDINGS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the shards may take for their last words. Then sockets are closed without them.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);

/// What every request's handler knows.
#[derive(Debug)]
pub struct Node {
    /// How the node is set.
    pub settings: Arc<Settings>,
    /// The secret of whoever manages it.
    pub admin: AdminToken,
    /// What it accepts.
    pub limits: Limits,
    /// Sockets and open questions.
    pub rim: Arc<Rim>,
    /// Who speaks for others.
    pub proxies: Proxies,
    /// The UDP port of all media.
    pub media_port: u16,
    /// The TCP port of everything else, and of what comes over no UDP.
    pub tcp_port: u16,
    shards: Vec<ShardHandle>,
    stopping: watch::Sender<bool>,
    // Touched once per request with a token.
    guesses: Mutex<Guesses>,
}

/// A node that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningServer {
    node: Arc<Node>,
    http: SocketAddr,
    metrics: Option<SocketAddr>,
    media: Vec<SocketAddr>,
    advertised: Vec<SocketAddr>,
    workers: Vec<JoinHandle<()>>,
    tls: Option<Tls>,
    listening: Listening,
}

/// Starts nodes.
#[derive(Debug)]
pub struct Server;

/// Why a node did not start, in one line.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] LoadError),
    /// A port or an address could not be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Another node has the data folder.
    #[error(transparent)]
    Data(#[from] DataInUse),
    /// There is no certificate to show.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The admin token cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The system refused something else.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Server {
    /// Starts a node: binds its sockets, starts its threads, takes connections. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`], if a socket or a thread could not be had.
    pub async fn start(settings: Settings) -> Result<RunningServer, StartError> {
        Self::start_with(settings, None).await
    }

    /// The same inside another program, which wants to know what happens.
    pub(super) async fn start_embedded(
        settings: Settings,
        embedder: Embedder,
    ) -> Result<RunningServer, StartError> {
        Self::start_with(settings, Some(embedder)).await
    }

    async fn start_with(
        settings: Settings,
        embedder: Option<Embedder>,
    ) -> Result<RunningServer, StartError> {
        let settings = Arc::new(settings);
        let limits = settings.limits();
        let listener = bind_http(settings.http_listen)?;
        let metrics = settings.metrics_listen.map(bind_metrics).transpose()?;
        let mut sockets = bind_media(&settings)?;
        let lock = DataLock::take(&settings.tls.data_dir)?;
        let tls = tls::start(&settings)?;
        let admin = AdminToken::of(&settings)?;
        let http = listener.local_addr()?;
        let media: Vec<SocketAddr> = sockets.sockets.iter().map(|socket| socket.local).collect();
        let seen = find_address(&settings, &media, &mut sockets).await;
        let advertised = sockets.advertised.clone();
        let rim = Arc::new(Rim::new(1, &limits));
        if let Some(embedder) = embedder {
            // A rim gets one.
            let _ = rim.embedder.set(embedder);
        }
        let (stream_port, streams) = streams(settings.turn == OnOff::On);
        let (shard, worker) = start_shard((&settings, lock), (http, sockets), streams, &rim)?;
        let node = Arc::new(Node {
            proxies: Proxies::new(&settings),
            guesses: Mutex::new(Guesses::new(&limits)),
            settings,
            admin,
            limits,
            rim,
            media_port: media.first().map_or(0, SocketAddr::port),
            tcp_port: http.port(),
            shards: vec![shard],
            stopping: watch::channel(false).0,
        });
        let listener = TcpListener::from_std(listener)?;
        let port = Port {
            router: router(Arc::clone(&node)),
            tls: tls.clone(),
            streams: stream_port,
        };
        if let Some(seen) = seen {
            tokio::spawn(follow_address(Arc::clone(&node), seen, media.clone()));
        }
        let metrics = metrics
            .map(|listener| serve_metrics(&node, listener))
            .transpose()?;
        let listening = Listening::leave(&node.settings.tls.data_dir, http);
        tokio::spawn(take_connections(Arc::clone(&node), listener, port));
        Ok(RunningServer {
            node,
            http,
            metrics,
            media,
            advertised,
            workers: vec![worker],
            tls,
            listening,
        })
    }
}

impl RunningServer {
    /// Where HTTP is served.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// The path below which others reach it; nothing for the root.
    pub fn base_path(&self) -> &str {
        &self.node.settings.base_path
    }

    /// Where the metrics are served without a token, if they are.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The file with the admin token, if it is not from the settings.
    pub fn token_file(&self) -> Option<&Path> {
        self.node.admin.file.as_deref()
    }

    /// What handlers of requests know.
    pub(super) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// TLS of that port, if it is on.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// What media is bound to.
    pub fn media(&self) -> &[SocketAddr] {
        &self.media
    }

    /// What browsers are told to send media to.
    pub fn advertised(&self) -> &[SocketAddr] {
        &self.advertised
    }

    /// Waits until a shard ends, which it never does by itself unless something broke.
    pub async fn failed(&self) {
        let ended = self.node.shards.iter().map(|shard| Box::pin(shard.ended()));
        futures_util::future::select_all(ended).await;
    }

    /// Takes no new rooms, tells everyone, and waits until nobody is in a room any more, for `patience` at
    /// most.
    pub async fn drain(&self, patience: Duration) {
        self.node.rim.lobby().drain();
        for shard in &self.node.shards {
            // A shard that has ended has nobody to tell.
            let _ = shard.send(ShardCommand::Drain { patience }).await;
        }
        let emptied = async {
            while !matches!(self.node.stats().await, Ok(stats) if !has_members(&stats)) {
                tokio::time::sleep(DRAIN_INTERVAL).await;
            }
        };
        let _ = tokio::time::timeout(patience, emptied).await;
    }

    /// Tells everyone, waits up to 3 s until they have it, and ends the threads.
    pub async fn stop(self) {
        self.node.stopping.send_replace(true);
        for shard in &self.node.shards {
            // A shard that has ended has nobody to tell.
            let _ = shard.send(ShardCommand::Shutdown).await;
        }
        let flushed = tokio::time::timeout(FLUSH_TIMEOUT, self.flush()).await;
        if flushed.is_err() {
            tracing::warn!(
                sockets = self.node.rim.sockets(),
                "closing without the last words"
            );
        }
        let rim = Arc::clone(&self.node.rim);
        drop(self.listening);
        drop(self.node);
        let joined = tokio::task::spawn_blocking(move || {
            let ended = self.workers.into_iter().all(|worker| worker.join().is_ok());
            if let Some(owners) = rim.owners.get() {
                owners.finish();
            }
            if let Some(recorder) = rim.recorder.get() {
                recorder.finish();
            }
            ended
        });
        // A thread that still waits for its mailbox to close ends with the process.
        let joined = tokio::time::timeout(RECORDINGS_TIMEOUT, joined).await;
        if joined.is_err() {
            tracing::warn!("the disk is too slow: recordings are repaired at the next start");
        }
    }

    async fn flush(&self) {
        let rim = &self.node.rim;
        let _ = tokio::time::timeout(LAST_WORDS_TIMEOUT, rim.empty_of_members()).await;
        rim.close_all(Reason::Shutdown);
        rim.empty().await;
    }
}

impl Node {
    /// The shard of that index; the lobby gives no index that is not there.
    pub fn shard(&self, index: ShardIndex) -> ShardHandle {
        let shard = self.shards.get(index.0).unwrap_or(&self.shards[0]);
        shard.clone()
    }

    /// Every shard.
    pub fn shards(&self) -> &[ShardHandle] {
        &self.shards
    }

    /// Who has guessed at tokens.
    pub(super) fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the node takes nobody in any more.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Takes nobody in any more and ends the shards, without waiting for anyone to hear of it.
    pub(super) fn end(&self) {
        self.stopping.send_replace(true);
        let shards = self.shards.iter().filter_map(|one| one.weak().upgrade());
        for shard in shards {
            // A mailbox that is full is of a shard that does not work any more.
            let _ = shard.try_send(ShardCommand::Shutdown);
        }
    }

    /// The figures of all shards, added up.
    ///
    /// # Errors
    /// [`ShardError`], if one does not answer.
    pub async fn stats(&self) -> Result<Value, ShardError> {
        let mut sum = Value::Null;
        for shard in &self.shards {
            sum = add(sum, shard.ask(Question::Stats).await?);
        }
        Ok(sum)
    }
}

fn start_shard(
    (settings, lock): (&Arc<Settings>, DataLock),
    (http, media): (SocketAddr, MediaSockets),
    streams: Streams,
    rim: &Arc<Rim>,
) -> Result<(ShardHandle, JoinHandle<()>), StartError> {
    let (sender, mailbox) = mpsc::channel(MAILBOX_COMMANDS_MAX);
    let mut config = WorkerConfig {
        media,
        http,
        settings: Arc::clone(settings),
        seed: rand::random(),
        titles: Vec::new(),
    };
    let (data, keep_days) = (&settings.tls.data_dir, settings.recordings.keep_days);
    let recorder = RecorderHandle::start((data, lock), keep_days, &settings.limits())?;
    recorder.report_to(&sender);
    // A rim has one shard here, and gets one recorder.
    let _ = rim.recorder.set(recorder);
    let lifetime = Duration::from_secs(settings.limits().owner_key_seconds.into());
    let (owners, titles) = Owners::start(data, lifetime)?;
    let _ = rim.owners.set(owners);
    config.titles = titles;
    let worker = worker::spawn(config, (mailbox, streams), Arc::clone(rim))?;
    Ok((ShardHandle::new(sender, Arc::clone(rim)), worker))
}

/// Takes what STUN servers see into what browsers are told, if one answers soon.
async fn find_address(
    settings: &Settings,
    media: &[SocketAddr],
    sockets: &mut MediaSockets,
) -> Option<Seen> {
    if settings.stun_server.is_empty() {
        return None;
    }
    let from = outward(media).iter().map(SocketAddr::ip).collect();
    let mut seen = public_address::follow(settings.stun_server.clone(), from);
    let first = public_address::at_start(&mut seen).await;
    sockets.advertised = advertised(media, &settings.public_ip, &first);
    Some(seen)
}

/// Tells the shards of other addresses of the node, until it stops.
async fn follow_address(node: Arc<Node>, mut seen: Seen, media: Vec<SocketAddr>) {
    let mut stopping = node.stopping.subscribe();
    loop {
        tokio::select! {
            changed = seen.changed() => if changed.is_err() { return },
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let candidates = {
            let seen = seen.borrow_and_update();
            advertised(&media, &node.settings.public_ip, &seen)
        };
        for shard in &node.shards {
            let (candidates, relays) = (candidates.clone(), relay_setup::told(&media, &candidates));
            let _ = shard.send(ShardCommand::Moved { candidates, relays }).await;
        }
    }
}

async fn take_connections(node: Arc<Node>, listener: TcpListener, port: Port) {
    let doors = Arc::new(Doors::new(&node.limits, open_files::limit()));
    let mut stopping = node.stopping.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: waiting lets some come free.
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let proxied = node.settings.trusts(peer.ip());
        match Doors::enter(&doors, peer.ip().to_canonical(), proxied) {
            Some(pass) => {
                node.rim.counters.connections.add(1);
                let stopping = node.stopping.subscribe();
                let served = tcp::serve(port.clone(), stream, peer, stopping);
                tokio::spawn(async move {
                    served.await;
                    drop(pass);
                });
            }
            None => node.rim.counters.refused.add(1),
        }
    }
}

/// Serves the metrics on a port of their own, until the node stops.
fn serve_metrics(node: &Arc<Node>, listener: std::net::TcpListener) -> std::io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    let listener = TcpListener::from_std(listener)?;
    let router = metrics_router(Arc::clone(node));
    let places = Arc::new(Semaphore::new(METRICS_CONNECTIONS_MAX));
    let mut stopping = node.stopping.subscribe();
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                let served = tcp::serve_http(router.clone(), stream, peer, stopping.clone());
                tokio::spawn(async move {
                    served.await;
                    drop(place);
                });
            }
        }
    });
    Ok(address)
}

/// Whether anybody is in a room, or waits to be let into one.
fn has_members(stats: &Value) -> bool {
    ["members", "waiting"].iter().any(|key| stats[*key] != 0)
}

/// Adds figures of the same shape; what is not a number is taken from the first that has it.
fn add(left: Value, right: Value) -> Value {
    match (left, right) {
        (Value::Null, right) => right,
        (Value::Object(mut left), Value::Object(right)) => {
            for (key, value) in right {
                let sum = add(left.remove(&key).unwrap_or_default(), value);
                left.insert(key, sum);
            }
            Value::Object(left)
        }
        (Value::Number(a), Value::Number(b)) => match (a.as_u64(), b.as_u64()) {
            (Some(a), Some(b)) => a.saturating_add(b).into(),
            _ => (a.as_f64().unwrap_or_default() + b.as_f64().unwrap_or_default()).into(),
        },
        (left, _) => left,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_of_shards_add_up() {
        let one = json!({"rooms": 1, "dropped": {"replay": 2}, "load": 0.5});
        let two = json!({"rooms": 2, "dropped": {"replay": 3, "other": 1}, "load": 0.25});
        let sum = json!({"rooms": 3, "dropped": {"replay": 5, "other": 1}, "load": 0.75});
        assert_eq!(add(add(Value::Null, one), two), sum);
    }
}

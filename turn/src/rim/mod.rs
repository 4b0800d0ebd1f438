//! Sockets around the machine: UDP and TCP listeners, relay sockets opened on demand, one timer.
//!
//! For a node of its own, see `examples/turn_server.rs`. Who embeds the machine among other
//! protocols on one socket takes [`crate::Server`] itself. TLS is up to the embedder:
//! [`Rim::serve_stream`] takes any stream.

// The rim is where the clock is read.
#![allow(clippy::disallowed_methods)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::server::{ClientSocket, Config, Counters, Family, RelayPort, Server, Transport};

mod batch;
mod datagrams;
mod sockets;
mod state;
mod streams;

use state::State;

/// Where a rim listens and relays.
#[derive(Debug, Clone, Default)]
pub struct Listen {
    /// UDP and TCP, at each of these.
    pub at: Vec<SocketAddr>,
    /// Relay sockets of IPv4 are bound here; without it, at the relay address itself.
    pub relay_ipv4: Option<IpAddr>,
    /// The same for IPv6.
    pub relay_ipv6: Option<IpAddr>,
}

/// A running server. Dropped, it closes everything.
pub struct Rim {
    shared: Arc<Shared>,
    /// Stopped when dropped.
    tasks: JoinSet<()>,
    addresses: Vec<SocketAddr>,
}

/// What all tasks share. The lock is held for one batch of datagrams, never while waiting: each
/// socket has its own task, and they all need the one server.
struct Shared {
    state: Mutex<State>,
    /// The next deadline may have changed.
    changed: Notify,
    listeners: Vec<Arc<UdpSocket>>,
    relay_at: [Option<IpAddr>; 2],
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rim {
    /// Binds the listeners and begins to serve, in the current tokio runtime. Media ports of the
    /// embedder in `config` are not reached by a rim.
    ///
    /// # Errors
    ///
    /// If a listener cannot be bound, or the cryptography lacks HMAC-SHA256.
    pub async fn start(config: Config, listen: Listen) -> io::Result<Self> {
        let relay_at = [
            listen.relay_ipv4.or(config.relay_ipv4.map(IpAddr::from)),
            listen.relay_ipv6.or(config.relay_ipv6.map(IpAddr::from)),
        ];
        let mut listeners = vec![];
        let mut streams = vec![];
        for at in &listen.at {
            let socket = sockets::listener(*at)?;
            // With port 0 both get the same.
            let at = socket.local_addr()?;
            streams.push(TcpListener::bind(at).await?);
            listeners.push(Arc::new(socket));
        }
        let addresses = listeners
            .iter()
            .map(|socket| socket.local_addr())
            .collect::<io::Result<_>>()?;
        let relay_ports = config.relay_ports.clone();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let server = Server::new(config, Instant::now(), unix.unwrap_or_default());
        let server = server.map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(server, &relay_ports)),
            changed: Notify::new(),
            listeners,
            relay_at,
        });
        let mut tasks = JoinSet::new();
        for (local, stream) in streams.into_iter().enumerate() {
            let local = local as u16;
            tasks.spawn(datagrams::listen(shared.clone(), local));
            tasks.spawn(streams::accept(shared.clone(), stream, local));
        }
        tasks.spawn(watch_the_clock(shared.clone()));
        Ok(Rim {
            shared,
            tasks,
            addresses,
        })
    }

    /// Where it listens, with the ports that were really bound.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves one stream to its end: the embedder has accepted it and done the TLS handshake.
    /// `local` is the embedder's number of the listener, and `remote` the client's address.
    pub async fn serve_stream<S>(&self, stream: S, local: u16, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite,
    {
        let client = ClientSocket {
            local,
            transport: Transport::Tls,
            remote,
        };
        streams::serve(&self.shared, stream, client).await;
    }

    /// See [`Server::revoke`].
    pub fn revoke(&self, member: &str) {
        let now = Instant::now();
        let mut state = self.shared.state();
        let mut commands = vec![];
        state.server.revoke(now, member, &mut commands);
        state.perform(&self.shared, now, &mut commands);
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.shared.state().server.counters()
    }

    /// Allocations at this moment.
    pub fn allocation_count(&self) -> usize {
        self.shared.state().server.allocation_count()
    }

    /// Runs until a task ends, which none does unless it panicked.
    pub async fn run(mut self) {
        self.tasks.join_next().await;
    }
}

impl Drop for Rim {
    fn drop(&mut self) {
        self.shared.state().close_all();
    }
}

/// Ends what is over, when it is.
async fn watch_the_clock(shared: Arc<Shared>) {
    loop {
        let next = shared.state().server.poll_timeout();
        match next {
            None => {
                shared.changed.notified().await;
                continue;
            }
            Some((at, _)) => {
                let at = tokio::time::Instant::from_std(at);
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = shared.changed.notified() => continue,
                }
            }
        }
        let now = Instant::now();
        let mut commands = vec![];
        let mut state = shared.state();
        state.server.handle_timeout(now, &mut commands);
        state.perform(&shared, now, &mut commands);
    }
}

/// The name of a relay socket.
type RelayName = (RelayPort, Family);

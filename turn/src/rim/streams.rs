//! Clients that come over TCP, or over TLS from the embedder.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::batch::{self, Way};
use super::{Shared, State};
use crate::quota::source_of;
use crate::server::{ClientSocket, Frame, Transport};
use crate::stream::Deframer;

/// Streams at once; one more is closed again.
const STREAMS_MAX: usize = 8_192;
/// Streams at once from one address or IPv6 network; one more is closed again.
const STREAMS_OF_SOURCE_MAX: usize = 512;
/// A stream that has made no allocation after this time of silence is closed.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes that wait for a client that reads too slowly; what does not fit is lost, as over UDP.
const OUTGOING_BYTES_MAX: usize = 256 * 1024;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// What waits to be written to a stream.
#[derive(Default)]
pub(super) struct Outgoing {
    /// Filled by whoever has something for the client, emptied by the stream's task: a plain lock,
    /// held for a copy.
    bytes: Mutex<Vec<u8>>,
    filled: Notify,
}

impl Outgoing {
    /// Appends a whole frame, or nothing.
    pub(super) fn push(&self, frame: Option<&Frame>, payload: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() + Frame::HEAD_LEN_MAX + payload.len() > OUTGOING_BYTES_MAX {
            return;
        }
        match frame {
            Some(frame) => frame.write(payload, &mut bytes),
            None => bytes.extend_from_slice(payload),
        }
        drop(bytes);
        self.filled.notify_one();
    }

    fn take(&self, into: &mut Vec<u8>) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        into.clear();
        std::mem::swap(&mut *bytes, into);
    }
}

/// Serves the streams of a listener.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener, local: u16) {
    let mut streams = JoinSet::new();
    loop {
        while streams.try_join_next().is_some() {}
        let Ok((stream, remote)) = listener.accept().await else {
            // Most likely there are no file descriptors left.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        if streams.len() >= STREAMS_MAX {
            continue;
        }
        let _ = stream.set_nodelay(true);
        let client = ClientSocket {
            local,
            transport: Transport::Tcp,
            remote,
        };
        let shared = shared.clone();
        streams.spawn(async move { serve(&shared, stream, client).await });
    }
}

/// Serves one stream to its end.
pub(super) async fn serve<S>(shared: &Arc<Shared>, stream: S, client: ClientSocket)
where
    S: AsyncRead + AsyncWrite,
{
    let Some(outgoing) = begin(&mut shared.state(), client) else {
        return;
    };
    let end = End { shared, client };
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        () = read(shared, reader, client) => {}
        () = write(writer, &outgoing) => {}
    }
    drop(end);
}

fn begin(state: &mut State, client: ClientSocket) -> Option<Arc<Outgoing>> {
    let source = |remote: SocketAddr| source_of(remote.ip());
    let theirs = |other: &&ClientSocket| source(other.remote) == source(client.remote);
    // The count does not depend on the order.
    #[allow(clippy::disallowed_methods)]
    let count = state.streams.keys().filter(theirs).count();
    if state.streams.len() >= STREAMS_MAX || count >= STREAMS_OF_SOURCE_MAX {
        return None;
    }
    let outgoing = Arc::new(Outgoing::default());
    let before = state.streams.insert(client, outgoing.clone());
    before.is_none().then_some(outgoing)
}

/// Forgets a stream however it ends, also when its task is stopped.
struct End<'a> {
    shared: &'a Arc<Shared>,
    client: ClientSocket,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        let mut commands = vec![];
        state.streams.remove(&self.client);
        state.server.handle_client_gone(self.client, &mut commands);
        state.perform(self.shared, Instant::now(), &mut commands);
    }
}

async fn read(shared: &Arc<Shared>, mut reader: impl AsyncRead + Unpin, client: ClientSocket) {
    let mut deframer = Deframer::new();
    let mut bytes = vec![0; READ_BYTES];
    let mut framed = vec![];
    loop {
        let count = match tokio::time::timeout(IDLE, reader.read(&mut bytes)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(count)) => count,
            Err(_) if shared.state().server.has_allocation(Instant::now(), client) => continue,
            Err(_) => return,
        };
        deframer.push(&bytes[..count]);
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => handle(shared, client, frame, &mut framed),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn handle(shared: &Arc<Shared>, client: ClientSocket, bytes: &[u8], framed: &mut Vec<u8>) {
    let now = Instant::now();
    let mut commands = vec![];
    let mut state = shared.state();
    let server = &mut state.server;
    let route = server.handle_client_datagram(now, client, bytes, &mut commands);
    state.perform(shared, now, &mut commands);
    let Some(route) = route else { return };
    match state.departure(shared, route, 0..bytes.len()) {
        Some((Way::Datagram(socket, to), None, payload)) => {
            batch::send(&socket, &bytes[payload], to);
        }
        Some((Way::Datagram(socket, to), Some(frame), payload)) => {
            framed.clear();
            frame.write(&bytes[payload], framed);
            batch::send(&socket, framed, to);
        }
        Some((Way::Stream(outgoing), frame, payload)) => {
            outgoing.push(frame.as_ref(), &bytes[payload]);
        }
        None => {}
    }
}

async fn write(mut writer: impl AsyncWrite + Unpin, outgoing: &Outgoing) {
    let mut bytes = vec![];
    loop {
        outgoing.filled.notified().await;
        outgoing.take(&mut bytes);
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

//! A TCP connection that carries datagrams: read into frames for the worker, written by the batch.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::cut::{Cutter, kind_of};
use super::transport::Transport;
use crate::ids::{Path, StreamKind};
use crate::io::streams::{Frames, Outgoing, StreamEvent, StreamPort};

/// How long a connection may take for its first whole frame.
const FIRST_FRAME: Duration = Duration::from_secs(10);
/// So often the worker is asked whether anybody uses it, whatever comes over it.
const PROBATION: Duration = Duration::from_secs(30);
/// A client that takes so long for one batch, 64 KiB or so, reads no media.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;

/// Serves one connection until it ends or the node stops.
pub(super) async fn serve(
    port: StreamPort,
    mut transport: Transport,
    peer: SocketAddr,
    mut stopping: watch::Receiver<bool>,
) {
    transport.keep_queue_short();
    // On a socket of both families an IPv4 address looks like IPv6.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
    if carry(&port, transport, peer, stopped).await.is_none() {
        tracing::debug!(%peer, "closed a connection that carries no datagrams");
    }
}

/// What it carries and the bytes that said so.
async fn begin(transport: &mut Transport) -> Option<(StreamKind, Vec<u8>)> {
    let mut first = Vec::with_capacity(READ_BYTES);
    loop {
        if transport.read_buf(&mut first).await.ok()? == 0 {
            return None;
        }
        match kind_of(&first) {
            Some(StreamKind::Turn) if transport.is_tls() => {
                return Some((StreamKind::TurnInTls, first));
            }
            // RFC 6544 knows no TLS.
            Some(StreamKind::Ice) if transport.is_tls() => return None,
            Some(kind) => return Some((kind, first)),
            None => {}
        }
    }
}

/// `None` if it may not be.
async fn carry(
    port: &StreamPort,
    mut transport: Transport,
    peer: SocketAddr,
    stopped: impl Future<Output = ()>,
) -> Option<()> {
    let mut stopped = pin!(stopped);
    let first = tokio::select! {
        first = timeout(FIRST_FRAME, begin(&mut transport)) => first.ok()??,
        () = &mut stopped => return Some(()),
    };
    if first.0 != StreamKind::Ice && !port.has_relay {
        return None;
    }
    let (path, outgoing) = port.open(first.0, peer).await?;
    let is_tls = transport.is_tls();
    let (reader, writer) = tokio::io::split(transport);
    let done = tokio::select! {
        done = read((port, path), reader, first, PROBATION) => done,
        () = write(writer, &outgoing, is_tls) => Some(()),
        () = stopped => Some(()),
    };
    // A worker that has ended needs no telling.
    let _ = port.tell(StreamEvent::Ended(path)).await;
    done
}

/// Reads to the end. `None`: something else came, or nothing.
async fn read(
    (port, path): (&StreamPort, Path),
    mut reader: impl AsyncRead + Unpin,
    (kind, first): (StreamKind, Vec<u8>),
    probation: Duration,
) -> Option<()> {
    let mut cutter = Cutter::new(kind);
    let mut bytes = first;
    let begun = Instant::now();
    let mut has_spoken = false;
    let mut deadline = begun + FIRST_FRAME;
    loop {
        let frames = cutter.cut(&bytes).ok()?;
        if !frames.is_empty() {
            if !has_spoken {
                has_spoken = true;
                deadline = begun + probation;
            }
            port.tell(StreamEvent::Arrived(path, frames)).await.ok()?;
        }
        bytes.clear();
        match timeout_at(deadline, reader.read_buf(&mut bytes)).await {
            Ok(Ok(0)) => return Some(()),
            Ok(Err(_)) => return None,
            Ok(Ok(_)) | Err(_) => {}
        }
        // Who never stops talking is asked as well.
        if Instant::now() >= deadline {
            if !has_spoken {
                return None;
            }
            deadline = Instant::now() + probation;
            port.tell(StreamEvent::Judged(path)).await.ok()?;
        }
    }
}

/// Writes what there is; inside TLS each frame in a record of its own: there are clients that read one message
/// of a record and pass over the others.
async fn write(mut writer: impl AsyncWrite + Unpin, outgoing: &Outgoing, is_tls: bool) {
    let mut frames = Frames::default();
    while outgoing.take(&mut frames).await {
        let written = async {
            if is_tls {
                for frame in frames.iter() {
                    writer.write_all(frame).await?;
                }
            } else {
                writer.write_all(frames.bytes()).await?;
            }
            writer.flush().await
        };
        if !matches!(timeout(WRITE_TIMEOUT, written).await, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use motet_turn::stun::{BINDING_REQUEST, Writer};
    use tokio::io::duplex;

    use super::*;
    use crate::io::streams::streams;

    #[tokio::test]
    async fn who_never_stops_talking_is_judged_too() {
        let (port, mut worker) = streams(true);
        let peer = ([192, 0, 2, 1], 7).into();
        let (path, _outgoing) = port.open(StreamKind::Turn, peer).await.unwrap();
        let mut binding = vec![];
        Writer::new(&mut binding, BINDING_REQUEST, &[1; 12]);
        let (mut client, node) = duplex(64);
        let first = (StreamKind::Turn, binding.clone());
        let reading = read((&port, path), node, first, Duration::from_millis(50));
        let talking = async { while client.write_all(&binding).await.is_ok() {} };
        let judged = async {
            let (mut heard, mut judged) = (0, 0);
            while judged < 3 {
                worker.readable().await;
                match worker.take() {
                    Some(StreamEvent::Arrived(..)) => heard += 1,
                    Some(StreamEvent::Judged(of)) if of == path => judged += 1,
                    _ => {}
                }
            }
            heard
        };
        let heard = tokio::select! {
            heard = judged => heard,
            done = reading => panic!("{done:?}"),
            () = talking => panic!("it was cut off"),
        };
        assert!(heard > 3, "{heard} frames");
    }
}

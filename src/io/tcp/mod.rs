//! The one TCP port: what a connection speaks, by its first byte, and inside TLS by ALPN.

mod cut;
pub mod first;
pub mod hello;
mod progress;
mod stream;
pub mod transport;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;

use self::first::Speaks;
use self::hello::Hello;
use self::progress::Progress;
use self::transport::Transport;
use super::http::Arrival;
use super::streams::StreamPort;
use super::tls::{ALPN_ACME, ALPN_HTTP, ALPN_TURN, Tls};

/// How long a connection may take until it is clear what it speaks, a TLS handshake included; then
/// again how long a request's head may take, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a request's head, and of a client's part of a TLS handshake; beyond, the connection is
/// closed. So much is held for a request that is not whole yet.
pub(super) const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long a client may take until something of what waits for it can be sent: one that reads nothing
/// is not kept.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// What a connection turned out to be.
#[derive(Debug)]
pub enum Stream {
    /// HTTP, of which nothing has been read yet.
    Http(Transport),
    /// STUN, TURN (RFC 8656 §2.1) or ICE (RFC 6544), of which nothing has been read yet.
    Datagrams(Transport),
    /// A certificate authority that has seen what it wanted to see (RFC 8737 §3).
    Checked,
}

/// What every connection needs.
#[derive(Debug, Clone)]
pub struct Port {
    /// Answers requests.
    pub router: Router,
    /// TLS, if it is on.
    pub tls: Option<Tls>,
    /// Takes what carries datagrams.
    pub streams: StreamPort,
}

/// Serves one connection until it ends or the node stops.
pub async fn serve(
    port: Port,
    stream: TcpStream,
    peer: SocketAddr,
    mut stopping: watch::Receiver<bool>,
) {
    // Words are short and should not wait for one another.
    let _ = stream.set_nodelay(true);
    let opened = tokio::select! {
        opened = tokio::time::timeout(HEAD_TIMEOUT, open(&port, stream)) => opened,
        _ = stopping.wait_for(|stopping| *stopping) => return,
    };
    match opened {
        Ok(Ok(Stream::Http(transport))) => {
            let client = (transport, peer);
            http(port.router, client, WRITE_PATIENCE, stopping).await;
        }
        Ok(Ok(Stream::Datagrams(transport))) => {
            stream::serve(port.streams, transport, peer, stopping).await;
        }
        Ok(Ok(Stream::Checked)) => tracing::info!("the certificate authority has checked a name"),
        // What goes wrong here is the client's affair.
        Ok(Err(error)) => tracing::debug!(%peer, %error, "closed a connection"),
        Err(_) => tracing::debug!(%peer, "closed a connection that did not begin in time"),
    }
}

/// Finds out what a connection speaks, without reading any of it; does the TLS handshake.
///
/// # Errors
/// `InvalidData` for what nothing here speaks; whatever the socket or the handshake says.
async fn open(port: &Port, stream: TcpStream) -> io::Result<Stream> {
    let mut first = [0; 1];
    let count = stream.peek(&mut first).await?;
    match (Speaks::of(&first[..count]), &port.tls) {
        (Some(Speaks::Tls), Some(tls)) => {
            let hello = Hello::new(stream, HEAD_BYTES_MAX);
            let mut stream = tls.acceptor.accept(hello).await?;
            stream.get_mut().0.done();
            inside(stream).await
        }
        (Some(Speaks::Http), _) => Ok(Stream::Http(Transport::Plain(stream))),
        (Some(Speaks::Stun), _) => Ok(Stream::Datagrams(Transport::Plain(stream))),
        (Some(Speaks::Tls), None) => Err(unknown("TLS is off")),
        (None, _) => Err(unknown("neither HTTP nor TLS nor STUN")),
    }
}

/// What is spoken inside TLS: by ALPN, or else by the first byte, as not every TURN client says it.
async fn inside(mut stream: TlsStream<Hello<TcpStream>>) -> io::Result<Stream> {
    let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    let speaks = match alpn.as_deref() {
        Some(ALPN_ACME) => return Ok(Stream::Checked),
        Some(ALPN_HTTP) => Some(Speaks::Http),
        Some(ALPN_TURN) => Some(Speaks::Stun),
        _ => Speaks::of(stream.fill_buf().await?),
    };
    let transport = Transport::Tls(Box::new(stream));
    match speaks {
        Some(Speaks::Http) => Ok(Stream::Http(transport)),
        Some(Speaks::Stun) => Ok(Stream::Datagrams(transport)),
        _ => Err(unknown("neither HTTP nor STUN inside TLS")),
    }
}

/// Serves HTTP on a connection that can speak nothing else.
pub async fn serve_http(
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    stopping: watch::Receiver<bool>,
) {
    let client = (Transport::Plain(stream), peer);
    http(router, client, WRITE_PATIENCE, stopping).await;
}

async fn http(
    router: Router,
    (transport, peer): (Transport, SocketAddr),
    patience: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    transport.keep_http_queue_short();
    let arrival = Arrival {
        is_tls: transport.is_tls(),
        local: transport.local_addr().ok(),
    };
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(arrival);
        tower_service::Service::call(&mut router.clone(), request)
    });
    let client = Progress::new(transport, patience);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(client), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // What goes wrong here is the client's affair.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

fn unknown(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// More than the kernel takes.
    const BYTES: usize = 64 << 20;
    /// A client that keeps little, and the node's side of it.
    async fn asked(patience: Duration) -> (TcpStream, impl Future<Output = ()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let mut client = socket
            .connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        client.write_all(request.as_bytes()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let router = Router::new().route("/", get(|| async { vec![7; BYTES] }));
        let served = async move {
            let (_stop, stopping) = watch::channel(false);
            let client = (Transport::Plain(stream), peer);
            http(router, client, patience, stopping).await;
        };
        (client, served)
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_not_kept() {
        let (_client, served) = asked(Duration::from_millis(100)).await;
        served.await;
    }

    #[tokio::test]
    async fn a_client_that_reads_gets_it_all() {
        let (mut client, served) = asked(Duration::from_secs(60)).await;
        let reading = async {
            let (mut count, mut piece) = (0, vec![0; 1 << 20]);
            loop {
                match client.read(&mut piece).await.unwrap() {
                    0 => return count,
                    read => count += read,
                }
            }
        };
        let (count, ()) = tokio::join!(reading, served);
        assert!(count > BYTES, "{count}");
    }
}

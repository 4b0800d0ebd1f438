//! The one TCP port: what a connection speaks, by its first byte, and inside TLS by ALPN.

mod cut;
pub mod first;
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
use self::transport::Transport;
use super::http::Arrival;
use super::streams::StreamPort;
use super::tls::{ALPN_ACME, ALPN_HTTP, ALPN_TURN, Tls};

/// How long a connection may take until it is clear what it speaks, a TLS handshake included; then
/// again how long a request's head may take, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

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
        Ok(Ok(Stream::Http(transport))) => http(port.router, transport, peer, stopping).await,
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
        (Some(Speaks::Tls), Some(tls)) => inside(tls.acceptor.accept(stream).await?).await,
        (Some(Speaks::Http), _) => Ok(Stream::Http(Transport::Plain(stream))),
        (Some(Speaks::Stun), _) => Ok(Stream::Datagrams(Transport::Plain(stream))),
        (Some(Speaks::Tls), None) => Err(unknown("TLS is off")),
        (None, _) => Err(unknown("neither HTTP nor TLS nor STUN")),
    }
}

/// What is spoken inside TLS: by ALPN, or else by the first byte, as not every TURN client says it.
async fn inside(mut stream: TlsStream<TcpStream>) -> io::Result<Stream> {
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
    http(router, Transport::Plain(stream), peer, stopping).await;
}

async fn http(
    router: Router,
    transport: Transport,
    peer: SocketAddr,
    mut stopping: watch::Receiver<bool>,
) {
    let arrival = Arrival {
        is_tls: transport.is_tls(),
        local: transport.local_addr().ok(),
    };
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(arrival);
        tower_service::Service::call(&mut router.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(transport), service)
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

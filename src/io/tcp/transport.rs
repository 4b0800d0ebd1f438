//! A TCP connection, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::hello::Hello;

/// What is read and written in the clear.
#[derive(Debug)]
pub enum Transport {
    /// As it is on the wire.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<TlsStream<Hello<TcpStream>>>),
}

/// Bytes of datagrams that wait unsent in the kernel, and then inside TLS, before the writer has to
/// wait.
const UNSENT_BYTES_MAX: u32 = 16 * 1024;
/// The same for HTTP, where nothing is lost. What is written is then soon sent: who reads little by
/// little lets something be written again and again.
const UNSENT_HTTP_BYTES_MAX: u32 = 64 * 1024;

impl Transport {
    /// What it cannot send waits with the writer, who knows what may be lost, instead of in the
    /// megabytes of the kernel's buffer.
    pub fn keep_queue_short(&mut self) {
        if let Self::Tls(stream) = self {
            let (_, session) = stream.get_mut();
            session.set_buffer_limit(Some(UNSENT_BYTES_MAX as usize));
        }
        self.limit_unsent(UNSENT_BYTES_MAX);
    }

    /// Whoever does not read costs no megabytes of the kernel's buffer.
    pub fn keep_http_queue_short(&self) {
        self.limit_unsent(UNSENT_HTTP_BYTES_MAX);
    }

    fn limit_unsent(&self, bytes: u32) {
        // Without it the queue is longer, and that is all.
        let _ = SockRef::from(self.socket()).set_tcp_notsent_lowat(bytes);
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0.inner(),
        }
    }

    /// Whether it is inside TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Which address of this machine it came to.
    ///
    /// # Errors
    /// If the socket is not connected any more.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket().local_addr()
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

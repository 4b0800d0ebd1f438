//! A connection of which little is read before it is known who is there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The socket under a TLS session: until the handshake is done it gives so many bytes, which is more
/// than any client's part of one, and then an error.
#[derive(Debug)]
pub struct Hello<T> {
    inner: T,
    /// Nothing once it is done.
    left: Option<usize>,
}

impl<T> Hello<T> {
    /// Before the handshake.
    pub fn new(inner: T, bytes_max: usize) -> Self {
        let left = Some(bytes_max);
        Self { inner, left }
    }

    /// The handshake is done.
    pub fn done(&mut self) {
        self.left = None;
    }

    /// The socket.
    pub fn inner(&self) -> &T {
        &self.inner
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Hello<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if let (Some(left), Poll::Ready(Ok(()))) = (&mut this.left, &polled) {
            let read = buffer.filled().len() - before;
            let Some(rest) = left.checked_sub(read) else {
                let why = "too long a TLS handshake";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
            };
            *left = rest;
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Hello<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn little_is_read_until_it_is_known_who_is_there() {
        for (handshake, is_too_long) in [(0, false), (100, false), (101, true)] {
            let mut hello = Hello::new(&[7_u8; 1_000][..], 100);
            let read = hello.read_exact(&mut vec![0; handshake]).await;
            assert_eq!(read.is_err(), is_too_long, "{handshake}");
            hello.done();
            if !is_too_long {
                hello.read_to_end(&mut Vec::new()).await.unwrap();
            }
        }
    }
}

//! A connection whose client must read: what cannot be written for too long ends it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// What is read and written, as long as some of it gets through.
#[derive(Debug)]
pub(super) struct Progress<T> {
    inner: T,
    patience: Duration,
    /// Since the last write that had to wait.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<T> Progress<T> {
    /// Nothing of what waits may wait for longer than that.
    pub(super) fn new(inner: T, patience: Duration) -> Self {
        let waiting = None;
        Self {
            inner,
            patience,
            waiting,
        }
    }

    /// What the writing came to, or that it is over.
    fn judge<R>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let patience = self.patience;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(cx));
        // Asked again, it is over again.
        waiting.as_mut().reset(Instant::now());
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Progress<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Progress<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.judge(cx, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_flush(cx);
        this.judge(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.judge(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.judge(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn pair(patience: Duration) -> (DuplexStream, Progress<DuplexStream>) {
        let (client, node) = duplex(16);
        (client, Progress::new(node, patience))
    }

    #[tokio::test]
    async fn who_never_reads_is_over() {
        let (_client, mut progress) = pair(Duration::from_millis(1));
        for _ in 0..2 {
            let error = progress.write_all(&[7; 100]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[tokio::test]
    async fn who_reads_slowly_is_waited_for_from_then_on() {
        let (mut client, mut progress) = pair(LONG);
        assert_eq!(progress.write(&[7; 100]).await.unwrap(), 16);
        for _ in 0..3 {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            assert!(
                Pin::new(&mut progress)
                    .poll_write(&mut cx, b"more")
                    .is_pending()
            );
            assert!(progress.waiting.is_some());
            client.read_exact(&mut [0; 4]).await.unwrap();
            assert_eq!(progress.write(b"more").await.unwrap(), 4);
            assert!(progress.waiting.is_none());
        }
    }

    #[tokio::test]
    async fn who_is_sent_nothing_may_be_silent() {
        let (mut client, mut progress) = pair(Duration::from_millis(1));
        progress.write_all(b"one").await.unwrap();
        let pause = tokio::time::timeout(Duration::from_millis(20), progress.read_u8());
        assert!(pause.await.is_err());
        progress.write_all(b"two").await.unwrap();
        let mut heard = [0; 6];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, *b"onetwo");
    }
}

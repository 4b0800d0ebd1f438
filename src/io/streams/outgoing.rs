//! What waits to be written to one TCP connection: filled by the worker, emptied by its task.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Frames;
use crate::ids::StreamKind;

/// Bytes that wait for a client that reads too slowly: a quarter of a second of 2 Mbit/s. What does not
/// fit is lost, as over UDP.
const BYTES_MAX: usize = 64 * 1024;
/// Room beyond that for answers of the relay, without which a client would lose its allocation.
const BYTES_OF_ANSWERS_MAX: usize = 16 * 1024;

/// All that waits, twice: it is being written while more comes.
#[cfg(test)]
pub(super) const WAITING_BYTES_MAX: usize = 2 * (BYTES_MAX + BYTES_OF_ANSWERS_MAX);

/// Bytes for one connection.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// A plain lock, held for a copy; no more than two ever want it.
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: Frames,
    is_closed: bool,
}

impl Outgoing {
    /// Appends a datagram, framed, or nothing of it: then it returns `false`.
    pub fn push(&self, kind: StreamKind, datagram: &[u8]) -> bool {
        let mut waiting = self.waiting();
        let head = length_before(kind, datagram);
        let most = BYTES_MAX + usize::from(is_answer(datagram)) * BYTES_OF_ANSWERS_MAX;
        if waiting.frames.bytes().len() + 2 + datagram.len() > most {
            return false;
        }
        let was_empty = waiting.frames.is_empty();
        waiting
            .frames
            .push_behind(head.as_ref().map_or(&[], |head| head), datagram);
        drop(waiting);
        if was_empty {
            self.changed.notify_one();
        }
        true
    }

    /// Ends it, whatever waits.
    pub fn close(&self) {
        self.waiting().is_closed = true;
        self.changed.notify_one();
    }

    /// Waits for frames and puts all of them into `into`, in place of what was there. `false` if it is
    /// closed.
    pub async fn take(&self, into: &mut Frames) -> bool {
        into.clear();
        loop {
            {
                let mut waiting = self.waiting();
                if waiting.is_closed {
                    return false;
                }
                mem::swap(&mut waiting.frames, into);
            }
            if !into.is_empty() {
                return true;
            }
            self.changed.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 4571 §2; what TURN sends tells its length itself.
fn length_before(kind: StreamKind, datagram: &[u8]) -> Option<[u8; 2]> {
    (kind == StreamKind::Ice).then_some((datagram.len() as u16).to_be_bytes())
}

/// A success or error response has the upper bit of its class set (RFC 8489 §5), an indication and
/// ChannelData, which carry media, have not.
fn is_answer(datagram: &[u8]) -> bool {
    datagram.first() == Some(&1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn frames_are_whole_and_in_order_and_media_gives_way_to_answers() {
        let outgoing = Outgoing::default();
        let (media, answer) = ([0x40; 1_000], [1; 100]);
        let fits = |frame: &[u8]| outgoing.push(StreamKind::Turn, frame);
        let count = (0..100).take_while(|_| fits(&media)).count();
        assert_eq!(count, BYTES_MAX / 1_000);
        assert!(!fits(&media), "lost");
        assert!(fits(&answer), "not lost");
        while fits(&answer) {}
        let mut frames = Frames::default();
        frames.push(&[9; 10]);
        assert!(outgoing.take(&mut frames).await);
        assert!(frames.iter().take(count).all(|frame| frame == media));
        assert!(frames.iter().skip(count).all(|frame| frame == answer));
        let bytes = frames.bytes();
        assert!(bytes.len() <= BYTES_MAX + BYTES_OF_ANSWERS_MAX);
        assert!(bytes[..count * 1_000].iter().all(|byte| *byte == 0x40));
        assert!(bytes[count * 1_000..].iter().all(|byte| *byte == 1));
        assert!(fits(&media), "there is room again");
        assert!(outgoing.push(StreamKind::Ice, b"abc"));
        assert!(outgoing.take(&mut frames).await);
        assert!(frames.iter().eq([&media[..], b"\0\x03abc"]));
        assert_eq!(frames.bytes()[1_000..], *b"\0\x03abc");
    }

    #[test]
    fn a_reader_waits_and_the_end_overtakes_what_waits() {
        let outgoing = Outgoing::default();
        let mut frames = Frames::default();
        let mut context = Context::from_waker(Waker::noop());
        assert!(
            pin!(outgoing.take(&mut frames))
                .poll(&mut context)
                .is_pending()
        );
        outgoing.push(StreamKind::Turn, b"1234");
        outgoing.close();
        let taken = pin!(outgoing.take(&mut frames)).poll(&mut context);
        assert_eq!(taken, std::task::Poll::Ready(false));
    }
}

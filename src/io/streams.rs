//! TCP connections that carry datagrams (TURN over TCP and TLS, ICE over TCP), between the task of each
//! connection and the worker. What is read goes by a bounded channel, so a task that is too fast waits;
//! what is to be written goes by a bounded buffer of each connection, so the worker never does.

mod frames;
mod outgoing;
mod places;

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;

pub use self::frames::Frames;
pub use self::outgoing::Outgoing;
use self::places::{Place, Places};
use crate::ids::{LocalSocket, Path, StreamKind};
use crate::media::egress::SendArena;

/// What tasks have to say and the worker has not heard; beyond, they wait and read nothing.
const EVENTS_MAX: usize = 256;

/// Bytes that wait for the connections of one household.
#[cfg(test)]
pub(super) const HOUSEHOLD_BYTES_MAX: u64 =
    places::STREAMS_OF_HOUSEHOLD_MAX as u64 * outgoing::WAITING_BYTES_MAX as u64;

/// What the task of a connection tells the worker.
#[derive(Debug)]
pub enum StreamEvent {
    /// There is one more.
    Opened(Opened),
    /// Whole frames came.
    Arrived(Path, Frames),
    /// It has been there for a while: if nobody uses it, it is to go.
    Judged(Path),
    /// It is over.
    Ended(Path),
}

/// A connection, as the worker keeps it.
#[derive(Debug)]
pub struct Opened {
    /// Where its frames come from.
    pub path: Path,
    /// What is to be written.
    pub outgoing: Arc<Outgoing>,
    _place: Place,
}

/// The tasks' end.
#[derive(Debug, Clone)]
pub struct StreamPort {
    events: mpsc::Sender<StreamEvent>,
    places: Arc<Places>,
    /// Whether there is a relay to talk to.
    pub has_relay: bool,
}

/// The worker has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the media thread has ended")]
pub struct WorkerGone;

/// The two ends.
pub fn streams(has_relay: bool) -> (StreamPort, Streams) {
    let (sender, receiver) = mpsc::channel(EVENTS_MAX);
    let port = StreamPort {
        events: sender,
        places: Arc::default(),
        has_relay,
    };
    let streams = Streams {
        events: receiver,
        next: None,
        open: BTreeMap::new(),
    };
    (port, streams)
}

impl StreamPort {
    /// Registers a connection of `peer`, if there may be one more: where its frames come from, and
    /// what is to be written to it. [`StreamEvent::Ended`] has to follow.
    pub async fn open(&self, kind: StreamKind, peer: SocketAddr) -> Option<(Path, Arc<Outgoing>)> {
        let place = self.places.take(peer.ip())?;
        let path = Path {
            local: LocalSocket::stream(kind, place.number()),
            remote: peer,
        };
        let outgoing = Arc::new(Outgoing::default());
        let opened = Opened {
            path,
            outgoing: Arc::clone(&outgoing),
            _place: place,
        };
        self.tell(StreamEvent::Opened(opened)).await.ok()?;
        Some((path, outgoing))
    }

    /// Tells the worker something, once it has room for it.
    ///
    /// # Errors
    /// [`WorkerGone`].
    pub async fn tell(&self, event: StreamEvent) -> Result<(), WorkerGone> {
        self.events.send(event).await.map_err(|_| WorkerGone)
    }
}

/// The worker's end.
#[derive(Debug)]
pub struct Streams {
    events: mpsc::Receiver<StreamEvent>,
    /// What [`Streams::readable`] has found.
    next: Option<StreamEvent>,
    open: BTreeMap<LocalSocket, Opened>,
}

impl Streams {
    /// Waits until there is an event.
    pub async fn readable(&mut self) {
        if self.next.is_none() {
            self.next = self.events.recv().await;
        }
        if self.next.is_none() {
            pending().await
        }
    }

    /// The next event, if there is one.
    pub fn take(&mut self) -> Option<StreamEvent> {
        let next = self.next.take();
        next.or_else(|| self.events.try_recv().ok())
    }

    /// From now on it is written to.
    pub fn insert(&mut self, stream: Opened) {
        self.open.insert(stream.path.local, stream);
    }

    /// Forgets it: its number may be another's from now on.
    pub fn remove(&mut self, path: Path) {
        self.open.remove(&path.local);
    }

    /// Has its task end it.
    pub fn close(&self, path: Path) {
        if let Some(stream) = self.get(path) {
            stream.outgoing.close();
        }
    }

    /// Writes what is for streams. Returns how many datagrams were lost, because their client reads
    /// too slowly.
    pub fn send(&self, arena: &SendArena) -> u64 {
        if self.open.is_empty() {
            return 0;
        }
        let mut lost = 0;
        for (path, datagram) in arena.datagrams() {
            let Some((kind, _)) = path.local.as_stream() else {
                continue;
            };
            if let Some(stream) = self.get(path) {
                lost += u64::from(!stream.outgoing.push(kind, datagram));
            }
        }
        lost
    }

    /// What is late for one is not for who has its number now.
    fn get(&self, path: Path) -> Option<&Opened> {
        let stream = self.open.get(&path.local)?;
        (stream.path == path).then_some(stream)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn peer(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    async fn opened(streams: &mut Streams) -> Opened {
        streams.readable().await;
        match streams.take() {
            Some(StreamEvent::Opened(opened)) => opened,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_is_late_for_one_is_not_for_who_has_its_number_now() {
        let (port, mut streams) = streams(true);
        let (first, _) = port.open(StreamKind::Turn, peer(1)).await.unwrap();
        let stream = opened(&mut streams).await;
        streams.insert(stream);
        streams.remove(first);
        let (second, outgoing) = port.open(StreamKind::Turn, peer(2)).await.unwrap();
        let stream = opened(&mut streams).await;
        streams.insert(stream);
        assert_eq!(first.local, second.local);
        let mut arena = SendArena::new();
        arena.push(first, b"late");
        arena.push(second, b"hers");
        assert_eq!(streams.send(&arena), 0);
        let mut frames = Frames::default();
        assert!(outgoing.take(&mut frames).await);
        assert_eq!(frames.bytes(), b"hers");
        streams.close(first);
        streams.close(second);
        assert!(!outgoing.take(&mut frames).await);
    }
}

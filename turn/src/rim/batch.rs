//! Datagrams in and out by the batch, in one buffer: a payload leaves from where it arrived, with
//! room in front of it for what TURN puts there. Nothing is copied or allocated per datagram.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, sendmsg, sendto,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::streams::Outgoing;
use crate::server::Frame;

/// Datagrams taken by one call.
pub(super) const DATAGRAMS_MAX: usize = 32;
const SLOT: usize = 2_048;
const HEADROOM: usize = Frame::HEAD_LEN_MAX;
/// What stands behind a payload.
const PADDING_MAX: usize = 4;
/// Bytes of one segmented send: with its headers it has to be an IPv4 datagram.
const RUN_BYTES_MAX: usize = 65_000;
/// Larger than any datagram of an Ethernet path; a longer one is dropped.
const DATAGRAM_BYTES_MAX: usize = SLOT - HEADROOM - PADDING_MAX;

thread_local! {
    /// One for each thread: a batch is worked off without waiting, so all sockets share it.
    static BATCH: RefCell<Batch> = RefCell::new(Batch::new());
}

/// How something reaches a client or peer.
pub(super) enum Way {
    /// From this socket to that address.
    Datagram(Arc<UdpSocket>, SocketAddr),
    /// Over a stream.
    Stream(Arc<Outgoing>),
}

/// A datagram on its way: from this socket, to that address, and where it is in the buffer.
type Leaving = (Arc<UdpSocket>, SocketAddr, Range<usize>);

pub(super) struct Batch {
    buffer: Box<[u8]>,
    arrived: Vec<(SocketAddr, Range<usize>)>,
    leaving: Vec<Leaving>,
    /// The kernel and the device cut one send into datagrams.
    segments: bool,
    headers_in: MultiHeaders<SockaddrStorage>,
    headers_out: MultiHeaders<SockaddrStorage>,
}

impl Batch {
    fn new() -> Self {
        Batch {
            buffer: vec![0; DATAGRAMS_MAX * SLOT].into_boxed_slice(),
            arrived: Vec::with_capacity(DATAGRAMS_MAX),
            leaving: Vec::with_capacity(DATAGRAMS_MAX),
            segments: true,
            headers_in: MultiHeaders::preallocate(DATAGRAMS_MAX, None),
            headers_out: MultiHeaders::preallocate(DATAGRAMS_MAX, None),
        }
    }

    /// Works with the thread's batch.
    pub(super) fn with<T>(work: impl FnOnce(&mut Batch) -> T) -> T {
        BATCH.with_borrow_mut(work)
    }

    /// Takes what waits at a socket. Call it when the socket is readable.
    pub(super) fn receive(&mut self, socket: &UdpSocket) {
        self.arrived.clear();
        let Batch {
            buffer,
            arrived,
            headers_in,
            ..
        } = self;
        let mut chunks = buffer.chunks_exact_mut(SLOT);
        let mut slices: [[IoSliceMut<'_>; 1]; DATAGRAMS_MAX] = std::array::from_fn(|_| {
            let slot = chunks.next().unwrap_or_default();
            [IoSliceMut::new(&mut slot[HEADROOM..][..DATAGRAM_BYTES_MAX])]
        });
        let _ = socket.try_io(Interest::READABLE, || {
            let flags = MsgFlags::MSG_DONTWAIT;
            let messages = recvmmsg(socket.as_raw_fd(), headers_in, &mut slices, flags, None)?;
            let mut count = 0;
            for message in messages {
                let start = count * SLOT + HEADROOM;
                count += 1;
                let is_whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
                let from = message.address.as_ref().and_then(to_std);
                if let Some(from) = from.filter(|_| is_whole) {
                    arrived.push((from, start..start + message.bytes));
                }
            }
            match count {
                DATAGRAMS_MAX => Ok(()),
                // The socket is empty: no need to ask it again before it says so.
                _ => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
    }

    /// How many arrived.
    pub(super) fn len(&self) -> usize {
        self.arrived.len()
    }

    /// From whom, and where in the buffer.
    pub(super) fn arrived(&self, at: usize) -> (SocketAddr, Range<usize>) {
        self.arrived[at].clone()
    }

    /// A part of the buffer.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Puts a part of the buffer on its way, framed.
    pub(super) fn depart(&mut self, way: Way, frame: Option<Frame>, payload: Range<usize>) {
        let (socket, to) = match way {
            Way::Datagram(socket, to) => (socket, to),
            Way::Stream(outgoing) => {
                return outgoing.push(frame.as_ref(), &self.buffer[payload]);
            }
        };
        let range = match frame {
            None => payload,
            Some(frame) => {
                let (head, padding) = (frame.head(), frame.padding());
                let start = payload.start - head.len();
                let end = payload.end + padding.len();
                self.buffer[start..payload.start].copy_from_slice(head);
                self.buffer[payload.end..end].copy_from_slice(padding);
                start..end
            }
        };
        self.leaving.push((socket, to, range));
    }

    /// Sends what is on its way; what the kernel does not take is lost, as on any network.
    pub(super) fn flush(&mut self) {
        let Batch {
            buffer,
            leaving,
            segments,
            headers_out,
            ..
        } = self;
        for mut group in leaving.chunk_by(|a, b| Arc::ptr_eq(&a.0, &b.0)) {
            while !group.is_empty() {
                let is_single = |at: &usize| !*segments || run_length(&group[*at..]) == 1;
                let singles = (0..group.len()).take_while(is_single).count();
                let is_run = singles == 0;
                let now;
                (now, group) = group.split_at(if is_run { run_length(group) } else { singles });
                if is_run && send_run(now, buffer) {
                    continue;
                }
                // Who cannot segment is not asked again.
                *segments &= !is_run;
                match now {
                    [(socket, to, range)] => send(socket, &buffer[range.clone()], *to),
                    _ => send_group(now, buffer, headers_out),
                }
            }
        }
        leaving.clear();
    }
}

/// How many datagrams from the front can leave in one segmented send: the same destination and length, the
/// last may be shorter. An empty one would not leave at all.
fn run_length(datagrams: &[Leaving]) -> usize {
    let Some((_, first_to, first)) = datagrams.first().filter(|first| !first.2.is_empty()) else {
        return datagrams.len().min(1);
    };
    let same = |(_, to, range): &&Leaving| to == first_to && range.len() == first.len();
    let most = RUN_BYTES_MAX / first.len();
    let length = datagrams.iter().take(most).take_while(same).count();
    let is_last =
        |(_, to, range): &Leaving| to == first_to && (1..first.len()).contains(&range.len());
    length + usize::from(length < most && datagrams.get(length).is_some_and(is_last))
}

/// Sends datagrams of one socket to one destination at once. `false` if the kernel or the device cannot.
fn send_run(run: &[Leaving], buffer: &[u8]) -> bool {
    let Some((socket, to, first)) = run.first() else {
        return true;
    };
    let slices: [IoSlice<'_>; DATAGRAMS_MAX] = std::array::from_fn(|at| {
        let range = run.get(at).map_or(0..0, |one| one.2.clone());
        IoSlice::new(&buffer[range])
    });
    let sent = sendmsg(
        socket.as_raw_fd(),
        &slices[..run.len().min(DATAGRAMS_MAX)],
        &[ControlMessage::UdpGsoSegments(&(first.len() as u16))],
        MsgFlags::MSG_DONTWAIT,
        Some(&SockaddrStorage::from(*to)),
    );
    let cannot = [
        Errno::EINVAL,
        Errno::EIO,
        Errno::ENOPROTOOPT,
        Errno::EOPNOTSUPP,
    ];
    !sent.is_err_and(|error| cannot.contains(&error))
}

/// Sends one datagram.
pub(super) fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    let to = SockaddrStorage::from(to);
    let _ = sendto(socket.as_raw_fd(), bytes, &to, MsgFlags::MSG_DONTWAIT);
}

/// Sends datagrams of one socket, at most as many as arrive at once.
fn send_group(mut group: &[Leaving], buffer: &[u8], headers: &mut MultiHeaders<SockaddrStorage>) {
    while let Some((socket, ..)) = group.first() {
        let slices: [[IoSlice<'_>; 1]; DATAGRAMS_MAX] = std::array::from_fn(|at| {
            let range = group.get(at).map_or(0..0, |one| one.2.clone());
            [IoSlice::new(&buffer[range])]
        });
        let to: [Option<SockaddrStorage>; DATAGRAMS_MAX] =
            std::array::from_fn(|at| group.get(at).map(|one| SockaddrStorage::from(one.1)));
        let count = group.len().min(DATAGRAMS_MAX);
        let (slices, to, flags) = (&slices[..count], &to[..count], MsgFlags::MSG_DONTWAIT);
        let sent = sendmmsg(socket.as_raw_fd(), headers, slices, to, [], flags);
        // It stops at the first that fails, and says so only if that is the first of all.
        let done = sent.map_or(1, |results| results.count().max(1));
        group = &group[done.min(group.len())..];
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddr::from((v6.ip(), v6.port())))
}

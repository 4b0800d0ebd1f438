//! The node's UDP sockets: datagrams in by the batch, datagrams out by the batch.
//!
//! One socket per local address, all on one port, so that an answer leaves from the address that
//! was asked (a wildcard socket on a machine with several would let the kernel choose).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::output_sockets::OpenOutputs;
use super::relays::{RelayBinding, Relays};
use crate::ids::{LocalSocket, Path};
use crate::media::egress::SendArena;
use crate::media::outputs::OutputSockets;
use crate::media::relay::RelaySockets;

/// Datagrams taken from a socket by one call.
pub(super) const RECEIVE_BATCH: usize = 64;
/// Larger than any datagram of an Ethernet path; a longer one is cut and then fails its checks.
const DATAGRAM_BYTES_MAX: usize = 2048;
/// Messages of one `sendmmsg`.
const SEND_BATCH: usize = 64;
/// Segments of one GSO send: the kernel's `UDP_MAX_SEGMENTS`.
const SEGMENTS_MAX: usize = 64;
/// Bytes of one GSO send: an IPv4 datagram with its headers stays below 64 KiB.
const SEGMENTS_BYTES_MAX: usize = 65_000;

/// All media sockets of the node, on one port, and its relay sockets.
pub struct UdpSockets {
    sockets: Vec<UdpSocket>,
    /// Which of them are for IPv6.
    are_ipv6: Vec<bool>,
    relays: Option<Relays>,
    outputs: OpenOutputs,
    received: Received,
    sent: MultiHeaders<SockaddrStorage>,
    segments: bool,
    /// Datagrams that the kernel refused (a full socket buffer, no route): lost, as on any network.
    pub send_failures: u64,
}

/// Where a batch is received.
struct Received {
    /// For IPv4 and for IPv6: the kernel leaves the length of a source's address in each, and cuts
    /// the next longer one to that.
    headers: [MultiHeaders<SockaddrStorage>; 2],
    buffer: Box<[u8]>,
}

impl UdpSockets {
    /// Takes bound sockets into the current tokio runtime, at most 256; with `relays`, others can be
    /// opened there.
    pub fn new(
        sockets: Vec<std::net::UdpSocket>,
        relays: Option<RelayBinding>,
    ) -> io::Result<Self> {
        let are_ipv6 = sockets.iter().map(is_ipv6).collect::<io::Result<_>>()?;
        Ok(Self {
            are_ipv6,
            sockets: sockets
                .into_iter()
                .map(UdpSocket::from_std)
                .collect::<io::Result<_>>()?,
            relays: relays.map(Relays::new),
            outputs: OpenOutputs::default(),
            received: Received {
                headers: [(); 2].map(|()| MultiHeaders::preallocate(RECEIVE_BATCH, None)),
                buffer: vec![0; RECEIVE_BATCH * DATAGRAM_BYTES_MAX].into_boxed_slice(),
            },
            sent: MultiHeaders::preallocate(SEND_BATCH, None),
            segments: true,
            send_failures: 0,
        })
    }

    /// Waits until some socket has datagrams.
    pub async fn readable(&self) {
        let media = std::future::poll_fn(|context| self.poll_readable(context));
        let relays = async {
            match &self.relays {
                Some(relays) => relays.readable().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = media => {}
            () = relays => {}
            () = self.outputs.readable() => {}
        }
    }

    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        let ready = self
            .sockets
            .iter()
            .filter(|socket| socket.poll_recv_ready(context).is_ready());
        if ready.count() > 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Takes one batch from every socket that has one and hands over each datagram.
    /// Returns how many there were.
    pub fn receive(&mut self, mut each: impl FnMut(Path, &mut [u8])) -> usize {
        let received = &mut self.received;
        let mut count = 0;
        for (index, (socket, is_ipv6)) in self.sockets.iter().zip(&self.are_ipv6).enumerate() {
            let name = LocalSocket(index as u32);
            count += received.batch(name, *is_ipv6, socket, &mut each);
        }
        if let Some(relays) = &mut self.relays {
            relays.each_ready(|name, socket| {
                let is_ipv6 = name.as_relay().is_some_and(|(is_ipv6, _)| is_ipv6);
                count += received.batch(name, is_ipv6, socket, &mut each);
            });
        }
        self.outputs.each_ready(|name, is_ipv6, socket| {
            count += received.batch(name, is_ipv6, socket, &mut each);
        });
        count
    }

    fn socket(&self, local: LocalSocket) -> Option<&UdpSocket> {
        let media = self.sockets.get(local.0 as usize);
        let relayed = || self.relays.as_ref()?.get(local);
        media.or_else(relayed).or_else(|| self.outputs.get(local))
    }

    /// Sends everything in the arena and empties it: runs of equal datagrams to one destination
    /// in one segmented send, the rest by `sendmmsg`. What the kernel refuses is lost and counted.
    pub fn flush(&mut self, arena: &mut SendArena) {
        let mut datagrams: Vec<(Path, &[u8])> = arena.datagrams().collect();
        datagrams.sort_by_key(|(path, _)| *path);
        for of_socket in datagrams.chunk_by(|a, b| a.0.local == b.0.local) {
            self.flush_socket(of_socket);
        }
        drop(datagrams);
        arena.clear();
    }

    fn flush_socket(&mut self, datagrams: &[(Path, &[u8])]) {
        let mut singles: Vec<(Path, &[u8])> = Vec::with_capacity(SEND_BATCH);
        let mut rest = datagrams;
        // An output may lead through a device that cannot segment; members must not pay for that.
        let is_output = |to: &(Path, &[u8])| to.0.local.as_output().is_some();
        let segments = self.segments && !datagrams.first().is_some_and(is_output);
        while !rest.is_empty() {
            let (run, behind) = rest.split_at(if segments { run_length(rest) } else { 1 });
            rest = behind;
            if run.len() == 1 {
                singles.push(run[0]);
            }
            // What goes to one destination keeps its order.
            let overtakes = run.len() > 1 && singles.last().is_some_and(|last| last.0 == run[0].0);
            if singles.len() == SEND_BATCH || overtakes {
                self.send_singles(&singles);
                singles.clear();
            }
            if run.len() > 1 {
                self.send_run(run);
            }
        }
        self.send_singles(&singles);
    }

    fn send_run(&mut self, run: &[(Path, &[u8])]) {
        let Some(socket) = self.socket(run[0].0.local) else {
            return;
        };
        let slices: Vec<IoSlice<'_>> = run.iter().map(|(_, bytes)| IoSlice::new(bytes)).collect();
        let segment = run[0].1.len() as u16;
        let address = SockaddrStorage::from(run[0].0.remote);
        let sent = sendmsg(
            socket.as_raw_fd(),
            &slices,
            &[ControlMessage::UdpGsoSegments(&segment)],
            MsgFlags::MSG_DONTWAIT,
            Some(&address),
        );
        match sent {
            Ok(_) => {}
            // The kernel or the device cannot segment: never ask again.
            Err(Errno::EINVAL | Errno::EIO | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP) => {
                self.segments = false;
                run.chunks(SEND_BATCH)
                    .for_each(|batch| self.send_singles(batch));
            }
            Err(_) => self.send_failures += run.len() as u64,
        }
    }

    fn send_singles(&mut self, mut singles: &[(Path, &[u8])]) {
        while let Some((first, _)) = singles.first() {
            let Some(socket) = self.socket(first.local) else {
                return;
            };
            let slices: Vec<[IoSlice<'_>; 1]> = singles
                .iter()
                .map(|(_, bytes)| [IoSlice::new(bytes)])
                .collect();
            let addresses: Vec<Option<SockaddrStorage>> = singles
                .iter()
                .map(|(path, _)| Some(SockaddrStorage::from(path.remote)))
                .collect();
            let sent = sendmmsg(
                socket.as_raw_fd(),
                &mut self.sent,
                slices.iter(),
                &addresses,
                [],
                MsgFlags::MSG_DONTWAIT,
            );
            // It stops at the first that fails, and reports the error only when that is the first.
            let done = match sent {
                Ok(results) => results.count().max(1),
                Err(_) => {
                    self.send_failures += 1;
                    1
                }
            };
            singles = &singles[done.min(singles.len())..];
        }
    }
}

impl RelaySockets for UdpSockets {
    fn open(&mut self, socket: LocalSocket) -> bool {
        let relays = self.relays.as_mut();
        relays.is_some_and(|relays| relays.open(socket))
    }

    fn close(&mut self, socket: LocalSocket) {
        if let Some(relays) = &mut self.relays {
            relays.close(socket);
        }
    }
}

impl OutputSockets for UdpSockets {
    fn open_output(&mut self, socket: LocalSocket, to: SocketAddr) -> Option<SocketAddr> {
        self.outputs.open_output(socket, to)
    }

    fn close_output(&mut self, socket: LocalSocket) {
        self.outputs.close_output(socket);
    }
}

impl Received {
    /// Takes one batch and hands over each datagram. Returns how many there were.
    fn batch(
        &mut self,
        local: LocalSocket,
        is_ipv6: bool,
        socket: &UdpSocket,
        each: &mut impl FnMut(Path, &mut [u8]),
    ) -> usize {
        let mut lengths = [(0usize, None); RECEIVE_BATCH];
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffer
            .chunks_mut(DATAGRAM_BYTES_MAX)
            .map(|chunk| [IoSliceMut::new(chunk)])
            .collect();
        let headers = &mut self.headers[usize::from(is_ipv6)];
        let taken = socket.try_io(Interest::READABLE, || {
            let messages = recvmmsg(
                socket.as_raw_fd(),
                headers,
                slices.iter_mut(),
                MsgFlags::MSG_DONTWAIT,
                None,
            )?;
            Ok(messages
                .zip(&mut lengths)
                .map(|(message, slot)| *slot = (message.bytes, message.address))
                .count())
        });
        let taken = taken.unwrap_or(0);
        for ((length, address), chunk) in lengths
            .into_iter()
            .take(taken)
            .zip(self.buffer.chunks_mut(DATAGRAM_BYTES_MAX))
        {
            let Some(remote) = address.and_then(to_std) else {
                continue;
            };
            let path = Path { local, remote };
            each(path, &mut chunk[..length.min(DATAGRAM_BYTES_MAX)]);
        }
        taken
    }
}

fn is_ipv6(socket: &std::net::UdpSocket) -> io::Result<bool> {
    socket.local_addr().map(|at| at.is_ipv6())
}

/// How many datagrams from the front can leave in one segmented send: the same destination and
/// length, the last may be shorter. An empty one would not leave at all.
fn run_length(datagrams: &[(Path, &[u8])]) -> usize {
    let (path, first) = datagrams[0];
    if first.is_empty() {
        return 1;
    }
    let most = SEGMENTS_MAX.min(SEGMENTS_BYTES_MAX / first.len());
    let mut length = 1;
    while length < most {
        match datagrams.get(length) {
            Some((to, bytes)) if *to == path && bytes.len() == first.len() => length += 1,
            Some((to, bytes)) if *to == path && (1..first.len()).contains(&bytes.len()) => {
                return length + 1;
            }
            _ => break,
        }
    }
    length
}

fn to_std(address: SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::from((v4.ip(), v4.port())));
    }
    address
        .as_sockaddr_in6()
        .map(|v6| SocketAddr::from((v6.ip(), v6.port())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn path(port: u16) -> Path {
        Path {
            local: LocalSocket(0),
            remote: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    #[test]
    fn a_run_ends_at_another_destination_a_longer_or_after_a_shorter_datagram() {
        let long = [0u8; 1100];
        let short = [0u8; 90];
        let many: Vec<(u16, &[u8])> = vec![(1, &long); 90];
        type Case<'a> = (&'a [(u16, &'a [u8])], usize);
        let cases: [Case<'_>; 8] = [
            (&[(1, &long), (1, &long), (1, &long)], 3),
            (&[(1, &long), (1, &short), (1, &long)], 2),
            (&[(1, &short), (1, &long)], 1),
            (&[(1, &long), (2, &long)], 1),
            (&many, 59),
            // Of nothing the kernel cuts off no datagram.
            (&[(1, &[]), (1, &[])], 1),
            (&[(1, &long), (1, &[])], 1),
            (&[(1, &long), (1, &long), (1, &[])], 2),
        ];
        for (datagrams, expected) in cases {
            let datagrams: Vec<_> = datagrams
                .iter()
                .map(|&(port, bytes)| (path(port), bytes))
                .collect();
            assert_eq!(run_length(&datagrams), expected);
        }
    }

    #[tokio::test]
    async fn a_source_is_whole_whatever_came_before_it() {
        let (v4, v6) = ("127.0.0.1:0", "[::1]:0");
        if std::net::UdpSocket::bind(v6).is_err() {
            eprintln!("nothing to see here: needs IPv6 on loopback");
            return;
        }
        let bound = |at| {
            let socket = std::net::UdpSocket::bind(at).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let ours = vec![bound(v4), bound(v6)];
        let at: Vec<_> = ours.iter().map(|one| one.local_addr().unwrap()).collect();
        let mut sockets = UdpSockets::new(ours, None).unwrap();
        for (local, from) in [(0, v4), (1, v6), (0, v4), (0, v4), (1, v6), (1, v6)] {
            let other = std::net::UdpSocket::bind(from).unwrap();
            other.send_to(b"hello", at[local]).unwrap();
            let mut seen = Vec::new();
            while seen.is_empty() {
                sockets.readable().await;
                sockets.receive(|path, _| seen.push(path));
            }
            let path = Path {
                local: LocalSocket(local as u32),
                remote: other.local_addr().unwrap(),
            };
            assert_eq!(seen, [path]);
        }
    }

    #[tokio::test]
    async fn everything_arrives_once_in_order_at_its_destination() {
        let ours = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        ours.set_nonblocking(true).unwrap();
        let from = ours.local_addr().unwrap();
        let mut sockets = UdpSockets::new(vec![ours], None).unwrap();
        let others: Vec<_> = (0..3)
            .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        let mut arena = SendArena::default();
        // Interleaved destinations; sizes that make runs, shorter ends and singles.
        for n in 0u8..90 {
            let other = &others[usize::from(n % 3)];
            let mut bytes = vec![n; if n % 7 == 0 { 40 } else { 1000 }];
            bytes[0] = n;
            arena.push(
                Path {
                    local: LocalSocket(0),
                    remote: other.local_addr().unwrap(),
                },
                &bytes,
            );
        }
        sockets.flush(&mut arena);
        assert!(arena.is_empty());
        assert_eq!(sockets.send_failures, 0);
        for (index, other) in others.iter().enumerate() {
            other
                .set_read_timeout(Some(std::time::Duration::from_secs(5)))
                .unwrap();
            for n in (index as u8..90).step_by(3) {
                let mut bytes = [0; 2000];
                let (length, source) = other.recv_from(&mut bytes).unwrap();
                assert_eq!((bytes[0], source), (n, from));
                assert_eq!(length, if n % 7 == 0 { 40 } else { 1000 });
            }
            other.send_to(&[index as u8; 10], from).unwrap();
        }
        let mut seen = Vec::new();
        while seen.len() < 3 {
            sockets.readable().await;
            sockets.receive(|path, bytes| {
                assert_eq!(bytes.len(), 10);
                assert_eq!(
                    path.remote,
                    others[usize::from(bytes[0])].local_addr().unwrap()
                );
                seen.push(bytes[0]);
            });
        }
    }
}

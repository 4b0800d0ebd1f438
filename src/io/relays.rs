//! The relay sockets of TURN: opened and closed as the relay says, and looked at when they have
//! something. There may be a thousand, of which few have something at a time, so none is polled
//! before its bell rang.

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::Notify;

use crate::ids::LocalSocket;
use crate::media::relay::RelaySockets;

/// Where relay sockets are bound.
#[derive(Debug, Clone)]
pub struct RelayBinding {
    /// Local addresses, by family: IPv4, IPv6.
    pub addresses: [Option<IpAddr>; 2],
    /// Which ports may be asked for.
    pub ports: RangeInclusive<u16>,
}

/// The relay sockets that are open.
#[derive(Debug)]
pub struct Relays {
    binding: RelayBinding,
    /// By family, then by port from the first of the range.
    open: [Vec<Option<Ringing>>; 2],
    rung: Arc<Rung>,
    /// Those that rang and are looked at now; kept so that its buffer is used again.
    ready: Vec<LocalSocket>,
}

/// A socket whose bell rings.
#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) socket: UdpSocket,
    waker: Waker,
}

/// Whose bell rang since the last look. Wakers are shared, so there is a lock; nobody else waits for it.
#[derive(Debug, Default)]
pub(super) struct Rung {
    sockets: Mutex<Vec<LocalSocket>>,
    changed: Notify,
}

/// Rings when a socket has something.
struct Bell {
    socket: LocalSocket,
    rung: Arc<Rung>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.sockets().push(self.socket);
        self.rung.changed.notify_one();
    }
}

impl Rung {
    /// Waits until some bell rings.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Puts those that rang into the empty `ready`.
    pub(super) fn take(&self, ready: &mut Vec<LocalSocket>) {
        mem::swap(&mut *self.sockets(), ready);
    }

    fn sockets(&self) -> MutexGuard<'_, Vec<LocalSocket>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relays {
    /// No sockets yet.
    pub fn new(binding: RelayBinding) -> Self {
        let slots = || binding.ports.clone().map(|_| None).collect();
        Self {
            open: [slots(), slots()],
            binding,
            rung: Arc::default(),
            ready: Vec::new(),
        }
    }

    /// Waits until some socket has something.
    pub async fn readable(&self) {
        self.rung.changed().await;
    }

    /// Hands each socket that may have something to `receive`, once.
    pub fn each_ready(&mut self, mut receive: impl FnMut(LocalSocket, &UdpSocket)) {
        self.rung.take(&mut self.ready);
        for at in 0..self.ready.len() {
            let name = self.ready[at];
            // It may have been closed meanwhile.
            if let Some(relay) = self.place(name).and_then(|place| place.as_ref()) {
                receive(name, &relay.socket);
                relay.listen();
            }
        }
        self.ready.clear();
    }

    /// An open socket.
    pub fn get(&self, name: LocalSocket) -> Option<&UdpSocket> {
        let (family, slot) = self.slot(name)?;
        let relay = self.open[family].get(slot)?.as_ref()?;
        Some(&relay.socket)
    }

    fn place(&mut self, name: LocalSocket) -> Option<&mut Option<Ringing>> {
        let (family, slot) = self.slot(name)?;
        self.open[family].get_mut(slot)
    }

    fn slot(&self, name: LocalSocket) -> Option<(usize, usize)> {
        let (is_ipv6, port) = name.as_relay()?;
        let slot = port.checked_sub(*self.binding.ports.start())?;
        Some((usize::from(is_ipv6), usize::from(slot)))
    }

    fn try_open(&mut self, name: LocalSocket) -> io::Result<()> {
        let unknown = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        let (is_ipv6, port) = name.as_relay().ok_or_else(unknown)?;
        let ip = self.binding.addresses[usize::from(is_ipv6)].ok_or_else(unknown)?;
        let relay = Ringing::new(name, bound((ip, port).into())?, &self.rung);
        *self.place(name).ok_or_else(unknown)? = Some(relay);
        Ok(())
    }
}

impl RelaySockets for Relays {
    fn open(&mut self, socket: LocalSocket) -> bool {
        let opened = self.try_open(socket);
        if let Err(error) = &opened {
            tracing::debug!(%error, "a relay port cannot be had");
        }
        opened.is_ok()
    }

    fn close(&mut self, socket: LocalSocket) {
        if let Some(place) = self.place(socket) {
            *place = None;
        }
    }
}

impl Ringing {
    /// A socket whose bell can ring already.
    pub(super) fn new(name: LocalSocket, socket: UdpSocket, rung: &Arc<Rung>) -> Self {
        let bell = Bell {
            socket: name,
            rung: Arc::clone(rung),
        };
        let ringing = Self {
            socket,
            waker: Waker::from(Arc::new(bell)),
        };
        ringing.listen();
        ringing
    }

    /// Has the bell rung for what comes next, or at once for what is there.
    pub(super) fn listen(&self) {
        let mut context = Context::from_waker(&self.waker);
        if self.socket.poll_recv_ready(&mut context).is_ready() {
            self.waker.wake_by_ref();
        }
    }
}

pub(super) fn bound(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    // An IPv4 peer has to look like one: no IPv4-mapped addresses.
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn relays() -> (Relays, LocalSocket) {
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let binding = RelayBinding {
            addresses: [Some(Ipv4Addr::LOCALHOST.into()), None],
            ports: port..=port,
        };
        (Relays::new(binding), LocalSocket::relay(false, port))
    }

    async fn received(relays: &mut Relays) -> Vec<Vec<u8>> {
        let mut all = vec![];
        let waited = tokio::time::timeout(Duration::from_millis(200), relays.readable());
        if waited.await.is_err() {
            return all;
        }
        relays.each_ready(|_, socket| {
            let mut bytes = [0; 100];
            while let Ok((length, _)) = socket.try_recv_from(&mut bytes) {
                all.push(bytes[..length].to_vec());
            }
        });
        all
    }

    #[tokio::test]
    async fn a_bell_rings_for_each_arrival_and_not_after_the_end() {
        let (mut relays, name) = relays();
        assert!(relays.open(name));
        let at = relays.get(name).unwrap().local_addr().unwrap();
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for round in 0..3u8 {
            peer.send_to(&[round], at).unwrap();
            let mut arrived = received(&mut relays).await;
            // The first look may find that it rang for nothing.
            while arrived.is_empty() {
                arrived = received(&mut relays).await;
            }
            assert_eq!(arrived, [[round]]);
        }
        relays.close(name);
        assert!(relays.get(name).is_none());
        assert!(relays.open(name), "the port is free again");
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_refused() {
        let (mut relays, name) = relays();
        let (_, port) = name.as_relay().unwrap();
        let taken = std::net::UdpSocket::bind(("127.0.0.1", port)).unwrap();
        assert!(!relays.open(name));
        drop(taken);
        assert!(!relays.open(LocalSocket::relay(true, port)), "no IPv6");
        assert!(!relays.open(LocalSocket::relay(false, port.wrapping_add(1))));
        assert!(!relays.open(LocalSocket(0)));
        assert!(relays.open(name));
    }
}

//! The sockets of RTP outputs. One of its own for each, so that what comes back is told apart by where
//! it came to, and nothing that arrives there can be taken for a member's media.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::UdpSocket;

use super::listen::MEDIA_BUFFER_BYTES;
use super::relays::{Ringing, Rung, bound};
use crate::ids::LocalSocket;
use crate::media::outputs::OutputSockets;

/// The sockets that are open.
#[derive(Debug, Default)]
pub(super) struct OpenOutputs {
    /// By number.
    open: Vec<Option<Ringing>>,
    rung: Arc<Rung>,
    /// Those that rang and are looked at now; kept so that its buffer is used again.
    ready: Vec<LocalSocket>,
}

impl OpenOutputs {
    /// Waits until some socket has something.
    pub(super) async fn readable(&self) {
        self.rung.changed().await;
    }

    /// Hands each socket that may have something to `receive`, once, with whether it is of IPv6.
    pub(super) fn each_ready(&mut self, mut receive: impl FnMut(LocalSocket, bool, &UdpSocket)) {
        if self.open.is_empty() {
            return;
        }
        self.rung.take(&mut self.ready);
        for &name in &self.ready {
            // It may have been closed meanwhile.
            if let Some(ringing) = place(&self.open, name) {
                let at = ringing.socket.local_addr();
                receive(name, at.is_ok_and(|at| at.is_ipv6()), &ringing.socket);
                ringing.listen();
            }
        }
        self.ready.clear();
    }

    /// An open socket.
    pub(super) fn get(&self, name: LocalSocket) -> Option<&UdpSocket> {
        place(&self.open, name).map(|ringing| &ringing.socket)
    }

    fn try_open(&mut self, name: LocalSocket, to: SocketAddr) -> io::Result<SocketAddr> {
        let unknown = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        let number = usize::from(name.as_output().ok_or_else(unknown)?);
        let socket = bound((source_towards(to)?, 0).into())?;
        // A key frame is a burst; what the kernel refuses to hold is lost.
        SockRef::from(&socket).set_send_buffer_size(MEDIA_BUFFER_BYTES)?;
        let at = socket.local_addr()?;
        if self.open.len() <= number {
            self.open.resize_with(number + 1, || None);
        }
        self.open[number] = Some(Ringing::new(name, socket, &self.rung));
        Ok(at)
    }
}

impl OutputSockets for OpenOutputs {
    fn open_output(&mut self, socket: LocalSocket, to: SocketAddr) -> Option<SocketAddr> {
        let opened = self.try_open(socket, to);
        opened
            .inspect_err(|error| tracing::debug!(%error, "there is no socket for an output"))
            .ok()
    }

    fn close_output(&mut self, socket: LocalSocket) {
        let number = socket.as_output().map(usize::from);
        if let Some(place) = number.and_then(|number| self.open.get_mut(number)) {
            *place = None;
        }
    }
}

fn place(open: &[Option<Ringing>], name: LocalSocket) -> Option<&Ringing> {
    open.get(usize::from(name.as_output()?))?.as_ref()
}

/// The address of this machine that the kernel sends from towards there. A socket that is not bound to
/// it could not say where it sends from; one that is connected would report that nobody listens.
fn source_towards(to: SocketAddr) -> io::Result<std::net::IpAddr> {
    let any: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let probe = StdSocket::bind(any)?;
    probe.connect(to)?;
    Ok(probe.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn an_output_has_a_socket_until_it_is_closed() {
        let receiver = StdSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let mut outputs = OpenOutputs::default();
        let (name, other) = (LocalSocket::output(3), LocalSocket::output(0));
        let from = outputs.open_output(name, to).unwrap();
        assert_eq!(from.ip(), to.ip());
        assert_eq!(outputs.get(name).unwrap().local_addr().unwrap(), from);
        assert!(outputs.get(other).is_none());

        receiver.send_to(b"report", from).unwrap();
        let mut arrived = Vec::new();
        // The first look may find that it rang for nothing.
        while arrived.is_empty() {
            outputs.readable().await;
            outputs.each_ready(|name, is_ipv6, socket| {
                let mut bytes = [0; 100];
                while let Ok((length, _)) = socket.try_recv_from(&mut bytes) {
                    arrived.push((name, is_ipv6, bytes[..length].to_vec()));
                }
            });
        }
        assert_eq!(arrived, [(name, false, b"report".to_vec())]);

        outputs.close_output(name);
        assert!(outputs.get(name).is_none());
        assert!(StdSocket::bind(from).is_ok(), "its port is free again");
        assert!(outputs.open_output(LocalSocket(0), to).is_none());
        assert!(outputs.open_output(name, to).is_some());
    }
}

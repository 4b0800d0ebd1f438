//! UDP sockets as the rim needs them.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// Bytes that wait in the kernel for a listener, each way, if the system grants so many: all clients
/// share it.
const LISTENER_BYTES: usize = 4 << 20;

/// The socket of a listener.
pub(super) fn listener(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bound(at)?;
    // Less than that is granted silently.
    let _ = socket.set_recv_buffer_size(LISTENER_BYTES);
    let _ = socket.set_send_buffer_size(LISTENER_BYTES);
    UdpSocket::from_std(socket.into())
}

/// The socket of a relay address.
pub(super) fn relay(at: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::from_std(bound(at)?.into())
}

fn bound(at: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    // An IPv4 peer has to look like one: no IPv4-mapped addresses.
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

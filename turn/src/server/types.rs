//! What goes into the server and what comes out of it.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// How a client reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// One message per datagram.
    Udp,
    /// A stream of frames.
    Tcp,
    /// A stream of frames, encrypted by the embedder.
    Tls,
}

/// A client as the server sees it: the 5-tuple of RFC 8656 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientSocket {
    /// The embedder's number of the listener that received, so that answers leave from there.
    pub local: u16,
    /// Over what.
    pub transport: Transport,
    /// The client's address.
    pub remote: SocketAddr,
}

/// A peer's address, as seen from a relay socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerSocket(pub SocketAddr);

/// The port of a relay address. With the family of the peer it names the relay socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelayPort(pub u16);

/// The family of a relay address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// That of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The value of REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        match value {
            [1, _, _, _] => Some(Family::V4),
            [2, _, _, _] => Some(Family::V6),
            _ => None,
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Family::V4 => 1,
            Family::V6 => 2,
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Family::V4 => 0,
            Family::V6 => 1,
        }
    }
}

/// What the embedder has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Bind a UDP socket. If that fails, forget the [`Command::Send`] that follows to this client and
    /// call `relay_failed`.
    OpenRelay {
        /// On this port.
        port: RelayPort,
        /// Of this family.
        family: Family,
        /// For this client.
        client: ClientSocket,
    },
    /// Close that socket.
    CloseRelay {
        /// Of this port.
        port: RelayPort,
        /// And family.
        family: Family,
    },
    /// Send an answer; to a stream as it is.
    Send {
        /// To whom.
        to: ClientSocket,
        /// One whole STUN message.
        bytes: Vec<u8>,
    },
}

/// Where a payload goes. Nothing is kept of it in the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Out of a relay socket to a peer.
    Peer {
        /// The port of the socket; its family is the peer's.
        relay: RelayPort,
        /// To whom.
        peer: PeerSocket,
        /// Which of the bytes handed in.
        payload: Payload,
    },
    /// To a media port of the embedder itself, as if it came from the relay address.
    Own {
        /// From where it seems to come; answers go to `handle_peer_datagram` of its port.
        relay: SocketAddr,
        /// Which of the media ports.
        media: SocketAddr,
        /// Which of the bytes handed in.
        payload: Payload,
    },
    /// To the client of another allocation, whose relay address was the peer.
    Relay {
        /// To whom.
        to: ClientSocket,
        /// What stands around the payload.
        frame: Frame,
        /// Which of the bytes handed in.
        payload: Payload,
    },
    /// What a peer sent, all of it, to the client.
    Client {
        /// To whom.
        to: ClientSocket,
        /// What stands around the payload.
        frame: Frame,
    },
}

/// A part of the bytes that were handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    start: usize,
    end: usize,
}

impl Payload {
    /// The part of `bytes` that `part` is.
    pub(crate) fn within(bytes: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize);
        Payload {
            start,
            end: start + part.len(),
        }
    }

    /// Indices into the bytes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// What stands before and after a payload on its way to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    pub(crate) head: [u8; Frame::HEAD_LEN_MAX],
    pub(crate) head_len: u8,
    pub(crate) padding: u8,
}

impl Frame {
    /// The longest head: a Data indication from an IPv6 peer. Leave so much room in front of a buffer
    /// to write the head in place.
    pub const HEAD_LEN_MAX: usize = 48;

    /// The bytes before the payload.
    pub fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }

    /// The zeros behind it, at most three.
    pub fn padding(&self) -> &'static [u8] {
        &[0; 3][..usize::from(self.padding)]
    }

    /// Appends head, payload and padding.
    pub fn write(&self, payload: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.head());
        out.extend_from_slice(payload);
        out.extend_from_slice(self.padding());
    }
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Allocations made.
    pub allocated: u64,
    /// Requests refused after the client had proven who it is.
    pub refused: u64,
    /// 401 and 438 that were sent.
    pub challenged: u64,
    /// 401 and 438 that were not sent, because their source had had enough.
    pub unanswered: u64,
    /// Payloads routed.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Payloads dropped: no permission, a forbidden address, above a rate.
    pub dropped: u64,
}

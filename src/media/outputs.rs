//! RTP out: a track that is sent as plain RTP, or as SRTP, to another program's address.
//!
//! An output is a leg like a viewer's, behind it a socket of its own: what comes back to that socket
//! is its receiver's RTCP. It belongs to a member's source and not to a track: it goes on when the
//! source is published anew, and ends with the member.

mod conference;
mod output;
mod parameter_sets;
mod protection;
mod sdp;

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use crate::ids::{LocalSocket, MemberId};
use crate::protocol::client::Source;

pub use conference::Opened;
pub use output::{Output, Outputs};
pub use protection::{BadKey, Suite, Wanted};

/// What is to be sent where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Whose.
    pub member: MemberId,
    /// Which of theirs.
    pub source: Source,
    /// To which address.
    pub host: IpAddr,
    /// To which port.
    pub port: u16,
    /// Where reports go.
    pub rtcp: RtcpPort,
    /// How it is protected, if it is.
    pub srtp: Option<Wanted>,
    /// The highest simulcast layer that may be sent, the lowest being 0; the best there is.
    pub max_layer: Option<u8>,
}

/// Where RTCP goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpPort {
    /// Where RTP goes (RFC 5761).
    Mux,
    /// Another port of the same address.
    Port(u16),
}

impl Wish {
    /// Where RTP goes.
    pub fn rtp_to(&self) -> SocketAddr {
        (self.host, self.port).into()
    }

    /// Where RTCP goes.
    pub fn rtcp_to(&self) -> SocketAddr {
        let port = match self.rtcp {
            RtcpPort::Mux => self.port,
            RtcpPort::Port(port) => port,
        };
        (self.host, port).into()
    }

    fn describe_rtcp(&self) -> Value {
        match self.rtcp {
            RtcpPort::Mux => json!("mux"),
            RtcpPort::Port(port) => json!(port),
        }
    }

    fn describe_layer(&self) -> Value {
        self.max_layer.map_or(json!("best"), |layer| json!(layer))
    }
}

/// Where sockets of outputs are opened and closed.
pub trait OutputSockets {
    /// Opens the socket that [`LocalSocket::output`] names, for what is sent to that address. From
    /// where it sends; `None` if it cannot be had.
    fn open_output(&mut self, socket: LocalSocket, to: SocketAddr) -> Option<SocketAddr>;
    /// Closes it.
    fn close_output(&mut self, socket: LocalSocket);
}

//! Names for things: what identifies a member, a room, a connection, a path.
//!
//! Things of the same shape with different meaning get different types, so a swapped argument does
//! not compile.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Crockford's base 32 in lower case: digits sort before letters, so text order is number order.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of a 64-bit id: 13 x 5 bits.
const ID_LENGTH: usize = 13;

/// A member of a room: random, chosen by the node, the same in every message about them.
///
/// On the wire it is 13 characters of base 32, so comparing two of them as text gives the same
/// order as comparing the numbers; perfect negotiation relies on that (the smaller is polite).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
pub struct MemberId(pub u64);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..ID_LENGTH).rev().try_for_each(|digit| {
            let value = (self.0 >> (5 * digit)) & 31;
            write!(f, "{}", char::from(ALPHABET[value as usize]))
        })
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberId({self})")
    }
}

impl From<MemberId> for String {
    fn from(id: MemberId) -> Self {
        id.to_string()
    }
}

/// The text is not a member id: wrong length, or a character outside the alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a member id is 13 characters of base 32")]
pub struct MemberIdError;

impl FromStr for MemberId {
    type Err = MemberIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != ID_LENGTH {
            return Err(MemberIdError);
        }
        let mut value: u128 = 0;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|&known| known == byte);
            value = value << 5 | digit.ok_or(MemberIdError)? as u128;
        }
        u64::try_from(value)
            .map(MemberId)
            .map_err(|_| MemberIdError)
    }
}

impl TryFrom<String> for MemberId {
    type Error = MemberIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// One WebSocket, numbered by the rim that accepted it. A member who comes back has a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A question from the rim (a REST call) that the shard answers by the same ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A tap of the program around the node, numbered by the rim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TapId(pub u64);

/// Which of the node's sockets a datagram came in by: an index into its list of media addresses, or
/// one of the others that are made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalSocket(pub u32);

impl LocalSocket {
    const RELAYED: u32 = 0x100;
    const RELAY_IPV4: u32 = 0x1_0000;
    const RELAY_IPV6: u32 = 0x2_0000;
    const TURN_STREAM: u32 = 0x4_0000;
    const TURN_TLS_STREAM: u32 = 0x5_0000;
    const ICE_STREAM: u32 = 0x6_0000;
    const OUTPUT: u32 = 0x7_0000;

    /// The relay socket of that family with that port.
    pub fn relay(is_ipv6: bool, port: u16) -> Self {
        let family = if is_ipv6 {
            Self::RELAY_IPV6
        } else {
            Self::RELAY_IPV4
        };
        Self(family + u32::from(port))
    }

    /// Whether it is a relay socket: of IPv6, and its port.
    pub fn as_relay(self) -> Option<(bool, u16)> {
        let port = (self.0 & 0xFFFF) as u16;
        match self.0 & !0xFFFF {
            Self::RELAY_IPV4 => Some((false, port)),
            Self::RELAY_IPV6 => Some((true, port)),
            _ => None,
        }
    }

    /// The socket of the RTP output with that number.
    pub fn output(number: u16) -> Self {
        Self(Self::OUTPUT + u32::from(number))
    }

    /// The number of an RTP output, if it is the socket of one.
    pub fn as_output(self) -> Option<u16> {
        let number = (self.0 & 0xFFFF) as u16;
        (self.0 & !0xFFFF == Self::OUTPUT).then_some(number)
    }

    /// No socket: what a relay of the node's own hands over in memory, to the media address with
    /// that index.
    pub fn relayed(media: u8) -> Self {
        Self(Self::RELAYED + u32::from(media))
    }

    /// The index of the media address, if there is no socket.
    pub fn as_relayed(self) -> Option<usize> {
        let index = self.0.checked_sub(Self::RELAYED)?;
        (index < Self::RELAYED).then_some(index as usize)
    }

    /// The TCP connection of that kind with that number.
    pub fn stream(kind: StreamKind, number: u16) -> Self {
        let base = match kind {
            StreamKind::Turn => Self::TURN_STREAM,
            StreamKind::TurnInTls => Self::TURN_TLS_STREAM,
            StreamKind::Ice => Self::ICE_STREAM,
        };
        Self(base + u32::from(number))
    }

    /// Whether it is a TCP connection: its kind and number.
    pub fn as_stream(self) -> Option<(StreamKind, u16)> {
        let kind = match self.0 & !0xFFFF {
            Self::TURN_STREAM => StreamKind::Turn,
            Self::TURN_TLS_STREAM => StreamKind::TurnInTls,
            Self::ICE_STREAM => StreamKind::Ice,
            _ => return None,
        };
        Some((kind, (self.0 & 0xFFFF) as u16))
    }
}

/// What the frames of a TCP connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// STUN messages and ChannelData (RFC 8656 §2.1).
    Turn,
    /// The same, inside TLS.
    TurnInTls,
    /// Whatever a media socket takes, each behind its length (RFC 4571, RFC 6544).
    Ice,
}

/// Where a datagram came from and by which socket; an answer goes back the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The node's end.
    pub local: LocalSocket,
    /// The other end.
    pub remote: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_socket_is_of_one_kind() {
        for (socket, relay, relayed) in [
            (LocalSocket(0), None, None),
            (LocalSocket(255), None, None),
            (LocalSocket::relayed(0), None, Some(0)),
            (LocalSocket::relayed(255), None, Some(255)),
            (LocalSocket::relay(false, 0), Some((false, 0)), None),
            (LocalSocket::relay(true, 65_535), Some((true, 65_535)), None),
        ] {
            assert_eq!((socket.as_relay(), socket.as_relayed()), (relay, relayed));
            assert_eq!(socket.as_stream(), None);
        }
        for kind in [StreamKind::Turn, StreamKind::TurnInTls, StreamKind::Ice] {
            for number in [0, 7, 65_535] {
                let socket = LocalSocket::stream(kind, number);
                assert_eq!(socket.as_stream(), Some((kind, number)));
                assert_eq!((socket.as_relay(), socket.as_relayed()), (None, None));
            }
        }
    }

    #[test]
    fn text_order_is_number_order_and_text_comes_back() {
        let ids = [0, 1, 31, 32, 1 << 40, u64::MAX - 1, u64::MAX].map(MemberId);
        for pair in ids.windows(2) {
            assert!(pair[0].to_string() < pair[1].to_string());
        }
        for id in ids {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn foreign_text_is_refused() {
        for text in ["", "0", "zzzzzzzzzzzzz", "000000000000u", "0000000000000é"] {
            assert_eq!(text.parse::<MemberId>(), Err(MemberIdError), "{text}");
        }
    }
}

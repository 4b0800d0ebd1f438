//! The words of TURN on the wire (RFC 8656 §17, §18).

use std::ops::RangeInclusive;

/// Message types: a method with its class.
pub const ALLOCATE_REQUEST: u16 = 0x0003;
/// Refresh or end an allocation.
pub const REFRESH_REQUEST: u16 = 0x0004;
/// A payload for a peer.
pub const SEND_INDICATION: u16 = 0x0016;
/// A payload from a peer.
pub const DATA_INDICATION: u16 = 0x0017;
/// Let peers through.
pub const CREATE_PERMISSION_REQUEST: u16 = 0x0008;
/// Give a peer a number of two bytes.
pub const CHANNEL_BIND_REQUEST: u16 = 0x0009;

/// A request's type becomes a success by these bits (RFC 8489 §5).
pub const SUCCESS: u16 = 0x0100;
/// A request's type becomes an error by these bits (RFC 8489 §5).
pub const ERROR: u16 = 0x0110;

/// Attribute types.
pub const CHANNEL_NUMBER: u16 = 0x000C;
/// Seconds until an allocation ends.
pub const LIFETIME: u16 = 0x000D;
/// Who is at the other side of the relay.
pub const XOR_PEER_ADDRESS: u16 = 0x0012;
/// The payload.
pub const DATA: u16 = 0x0013;
/// Where peers reach the client.
pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
/// IPv4 or IPv6, instead of the default.
pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
/// An even port, and maybe the next one reserved.
pub const EVEN_PORT: u16 = 0x0018;
/// Towards peers: UDP.
pub const REQUESTED_TRANSPORT: u16 = 0x0019;
/// Not supported here.
pub const DONT_FRAGMENT: u16 = 0x001A;
/// Names a port reserved before.
pub const RESERVATION_TOKEN: u16 = 0x0022;
/// IPv6 beside IPv4.
pub const ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8000;
/// Why one of two families is missing.
pub const ADDRESS_ERROR_CODE: u16 = 0x8001;

/// Channel numbers (RFC 8656 §12).
pub const CHANNELS: RangeInclusive<u16> = 0x4000..=0x4FFF;
/// Channel numbers before 2020 (RFC 5766 §11), which some clients still choose from. ChannelData is
/// told apart by the first two bits, so these are read; whether they are bound is up to the server.
pub const CHANNELS_RFC_5766: RangeInclusive<u16> = 0x4000..=0x7FFF;

//! A STUN server (RFC 8489) as a pure machine: datagrams in, datagrams out, no sockets and no clock.
//!
//! It answers Binding requests, so that a client learns its address from outside ([`binding`]). The
//! message format in [`stun`] serves ICE too. TURN (RFC 8656) is to live beside it: relaying for
//! clients that reach the node but not each other.

pub mod binding;
pub mod stun;

pub use binding::answer_binding;

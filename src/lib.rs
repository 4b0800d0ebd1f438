//! Motet, a WebRTC media node: signaling, mesh, SFU and web client in one binary.
//!
//! # The map
//!
//! Four floors; each names only what is below it.
//!
//! - [`protocol`]: the words on the wire of the WebSocket.
//! - [`logic`]: decides. [`logic::room`] is a room, [`logic::topology`] mesh or SFU,
//!   [`logic::forward`] what becomes of a packet. No clock, no socket, no lock.
//! - [`media`]: logic plus cryptography and peer connections, still without I/O.
//!   [`media::shard::Shard`] is all rooms of one core as a value.
//! - [`io`]: acts. Sockets, threads, HTTP, the clock. [`io::server::Server`] is the node.
//!
//! Beside them: [`ids`] (names for things), [`config`] (every setting), [`metrics`],
//! [`doctor`] (what it makes of a machine).
//!
//! The two journeys, of a packet and of a message, and a "where do I …" table are in
//! `ARCHITECTURE.md`.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod config;
pub mod doctor;
pub mod ids;
pub mod io;
pub mod logic;
pub mod media;
pub mod metrics;
pub mod protocol;

//! Motet, a WebRTC media node.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod config;
pub mod ids;
pub mod io;
pub mod logic;
pub mod media;
pub mod metrics;
pub mod protocol;

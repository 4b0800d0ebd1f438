//! Motet, a WebRTC media node.

pub mod ids;
pub mod io;
pub mod logic;
pub mod media;
pub mod protocol;

//! Logic plus cryptography and peer connections, still without I/O: datagrams and time come in as
//! arguments, datagrams and words go out as values.

pub mod rtcp;
pub mod sdp;
pub mod shard;

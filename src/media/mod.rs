//! Logic plus cryptography and peer connections, still without I/O: datagrams and time come in as
//! arguments, datagrams and words go out as values.

pub mod bindings;
pub mod conference;
pub mod decoding;
pub mod demux;
pub mod depacketize;
pub mod dtls;
pub mod egress;
mod feedback;
pub mod fingerprint;
mod forwarding;
pub mod grants;
pub mod half_open;
pub mod ice;
mod lines;
pub mod matroska;
pub mod ogg;
pub mod outlet;
pub mod outputs;
pub mod owner_mark;
pub mod participant;
pub mod peer;
pub mod recording;
pub mod relay;
mod relief;
pub mod rtcp;
pub mod sdp;
mod seating;
pub mod shard;
pub mod slots;
pub mod srtp;
pub mod switchboard;
pub mod track;
pub mod verdict;
mod watch;

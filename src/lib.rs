//! Motet, a WebRTC media node: signaling, mesh, SFU and web client in one binary, or inside another
//! program.
//!
//! # In a program of your own
//!
//! [`Node`] is the node. [`Events`] tell what happens in its rooms, a [`Tap`] hands out the frames of a
//! room's tracks as they arrive.
//!
//! ```no_run
//! use motet::{Event, Node, RoomEvent, TapScope, Word};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let builder = Node::builder().set("http-listen", "127.0.0.1:8080");
//! let (node, mut events) = builder.start().await?;
//! println!("http://{}", node.address());
//! while let Some(event) = events.next().await {
//!     let Event::Room { room, event: RoomEvent::Opened } = event else {
//!         continue;
//!     };
//!     let mut tap = node.tap(&room, TapScope::default()).await?;
//!     tokio::spawn(async move {
//!         while let Some(word) = tap.next().await {
//!             if let Word::Frame { track, frame } = word {
//!                 println!("track {track}: {} bytes of {:?}", frame.data.len(), frame.codec);
//!             }
//!         }
//!     });
//! }
//! node.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! The node never waits for the program: what is not read in time is left out, and said to be
//! ([`EVENTS_MAX`], [`TAP_BYTES_MAX`]). `examples/embed.rs` is a whole program. That is all there is to
//! embedding; what follows is the inside of the node, public for its own tests, benches and fuzz targets,
//! and may be otherwise in the next version.
//!
//! # The map of the inside
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

#[doc(inline)]
pub use ids::MemberId;
#[doc(inline)]
pub use io::embed::{
    EVENTS_MAX, Event, Events, Node, NodeBuilder, TAP_BYTES_MAX, Tap, TapError, TapScope,
};
#[doc(inline)]
pub use io::server::StartError;
#[doc(inline)]
pub use logic::forward::codec::Codec;
#[doc(inline)]
pub use logic::record::manifest::GapCause;
#[doc(inline)]
pub use logic::room::RoomEvent;
#[doc(inline)]
pub use media::depacketize::PictureFormat;
#[doc(inline)]
pub use media::recording::{TrackFrame, Word};
#[doc(inline)]
pub use protocol::client::Source;
#[doc(inline)]
pub use protocol::server::RecordingEnd;

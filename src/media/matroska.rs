//! Matroska (RFC 9559) and its subset WebM: files that can be played while they are written, and
//! that play after whoever wrote them was killed.
//!
//! [`Muxer`] turns frames into bytes to append. A file has a segment of unknown size and whole
//! clusters of at most a second; at the end come the cues, and what only then is known is put into
//! the space that was left for it at the head. [`repair`] does the same for a file that was never
//! finished, from its clusters alone.

mod ebml;
mod element;
mod head;
mod index;
mod merge;
mod muxer;
mod reader;
mod repair;

pub use head::{TrackEntry, doc_type};
pub use merge::{Part, is_web, merge};
pub use muxer::{Block, Muxer};
pub use reader::{Reader, StoredFrame};
pub use repair::repair;

#[cfg(test)]
mod tests;

//! Recording: a tap on every track of a room, and what becomes of its frames. Taps of a program around
//! the node are the same, with another listener.
//!
//! [`Recording`] sits in the room: each of its taps is a leg like a viewer's, behind it a jitter
//! buffer and what puts frames together. Its [`Word`]s go to a writer, where a [`Recorder`] turns them
//! into files, as a value too: what it wants done with files are [`FileCommand`]s.

mod conference;
mod embedded;
mod recorder;
mod tap;
mod taps;

use crate::ids::MemberId;
use crate::logic::forward::codec::Codec;
use crate::logic::record::manifest::{GapCause, Manifest};
use crate::media::depacketize::PictureFormat;
use crate::protocol::client::Source;
use crate::protocol::server::RecordingEnd;

pub use recorder::{FileCommand, Recorder, RecorderLimits};
pub use taps::Recording;

/// What a room tells the writer of its recording, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// A recording begins; nothing is in the manifest yet but its name and its beginning.
    Begin {
        /// What is known.
        manifest: Box<Manifest>,
        /// Files of sound are Ogg, instead of WebM.
        ogg: bool,
    },
    /// Somebody has a track, or a new one.
    Track {
        /// Its number, new.
        track: u32,
        /// Whose.
        member: MemberId,
        /// Their name.
        name: String,
        /// Which of theirs.
        source: Source,
    },
    /// A frame of a track, in order.
    Frame {
        /// The track.
        track: u32,
        /// What.
        frame: TrackFrame,
    },
    /// What follows on a track does not follow on what came.
    Absent {
        /// The track.
        track: u32,
        /// Why.
        cause: GapCause,
    },
    /// A track is over.
    TrackOver {
        /// Which.
        track: u32,
    },
    /// Who speaks from now on.
    Speakers {
        /// Milliseconds since the recording began.
        at_ms: u64,
        /// They.
        members: Vec<MemberId>,
    },
    /// The recording is over.
    End {
        /// Milliseconds since it began.
        at_ms: u64,
        /// Why.
        why: RecordingEnd,
    },
}

/// A frame on its way into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackFrame {
    /// Milliseconds since the recording began.
    pub at_ms: u64,
    /// A decoder can start here.
    pub key: bool,
    /// What it is.
    pub codec: Codec,
    /// The frame.
    pub data: Vec<u8>,
    /// At key frames of a picture.
    pub format: Option<PictureFormat>,
}

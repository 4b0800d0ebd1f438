//! What a recorder decides: the order of packets, the time of frames, what stands in the manifest.

pub mod manifest;
pub mod reorder;
pub mod subtitles;
pub mod thinning;
pub mod timeline;

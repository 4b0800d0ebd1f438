//! What a recorder decides: the order of packets, the time of frames, what stands in the manifest.

pub mod admission;
pub mod download_name;
pub mod manifest;
pub mod reorder;
pub mod storage;
pub mod subtitles;
pub mod summary;
pub mod thinning;
pub mod timeline;

//! Forwarding: what becomes of a published packet on each leg.

pub mod arrivals;
pub mod cache;
pub mod codec;
pub mod extension;
pub mod history;
pub mod keyframe;
pub mod layer;
pub mod leg;
pub mod missing;
pub mod packet;
pub mod pli;
pub mod pressure;
#[cfg(test)]
pub(crate) mod publisher;
pub mod quickest;
pub mod rate;
pub mod receive;
pub mod red;
pub mod report_check;
pub mod reports;
pub mod rewrite;
pub mod seats;
pub mod sent;
pub mod sequence;
pub mod speakers;
pub mod timestamp;
pub mod twcc;
pub mod vp8;

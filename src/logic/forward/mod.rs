//! Forwarding: what becomes of a published packet on each leg.

pub mod codec;
pub mod extension;
pub mod history;
pub mod keyframe;
pub mod layer;
pub mod leg;
pub mod packet;
pub mod red;
pub mod rewrite;
pub mod seats;
pub mod sequence;
pub mod timestamp;
pub mod vp8;

#[cfg(test)]
mod publisher;

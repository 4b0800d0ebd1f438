//! Forwarding: what becomes of a published packet on each leg.

pub mod codec;
pub mod extension;

//! Forwarding: what becomes of a published packet on each leg.

pub mod arrivals;
pub mod cache;
pub mod codec;
pub mod extension;
pub mod missing;
pub mod pli;
pub mod rate;
pub mod receive;
pub mod reports;
pub mod sent;
pub mod speakers;
pub mod twcc;

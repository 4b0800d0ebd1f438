#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod allocations;
mod credentials;
mod flood;
mod harness;
mod model;
mod peers;
mod relaying;

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harness;
mod random;
mod resume;
mod scenarios;

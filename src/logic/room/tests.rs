#![allow(clippy::unwrap_used, clippy::expect_used)]

mod crowd;
mod harness;
mod moderation;
mod random;
mod resume;
mod scenarios;
mod whip;

//! Whole rooms in virtual time: the node, the clients, and a network that loses, delays, repeats and
//! reorders. One seed is one room's life; a seed that fails is printed, and
//! `SEED=<seed> cargo test --test sim` lives through it again. `SEEDS=<count>` says how many to try.
//!
//! The clients' own stack draws its keys and the order of its reports from elsewhere, so two runs of one seed
//! tell the same story with the same dice, but may differ in single datagrams: a rare failure can take
//! some tries to come back.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod before_it_is_up;
mod browser;
mod connection;
mod description;
mod direct;
mod forged_sources;
mod half_open;
mod invariants;
mod key_frame_requests;
mod light;
mod lines_come_and_go;
mod media;
mod media_reads_back;
mod network;
mod node;
mod rooms;
mod rtc_peer;
mod scenario;
mod sink;
mod strangers;
mod two_clients;
mod world;

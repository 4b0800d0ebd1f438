//! Whole rooms in virtual time: the node, the clients, and a network that loses, delays, repeats and
//! reorders. One seed is one room's life; a seed that fails is printed, and
//! `SEED=<seed> cargo test --test sim` lives through it again. `SEEDS=<count>` says how many to try.
//!
//! Keys and cookies of the clients' own stack are not drawn from the seed, so two runs of one seed differ
//! in their bytes, but not in who does what when, nor in the network's dice.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

mod browser;
mod connection;
mod description;
mod invariants;
mod key_frame_requests;
mod light;
mod media;
mod media_reads_back;
mod network;
mod node;
mod rooms;
mod rtc_peer;
mod scenario;
mod sink;
mod two_clients;
mod world;

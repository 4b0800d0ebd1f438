//! A room in virtual time: clients, the network between them and the node, and the node itself, driven
//! by one seed. `SEED=… cargo test --test sim` replays a run.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod connection;
mod description;
mod media;
mod network;
mod rtc_peer;

mod two_clients;

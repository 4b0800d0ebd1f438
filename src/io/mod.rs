//! Acts: sockets, threads, HTTP, files, the clock. It decides nothing.
#![allow(clippy::disallowed_methods)]

pub mod admin_token;
pub mod banner;
pub mod client_address;
pub mod data_lock;
pub mod doctor;
mod doors;
pub mod embed;
pub mod http;
pub mod listen;
pub mod listening;
pub mod open_files;
pub mod outbox;
mod output_sockets;
pub mod owners;
pub mod panics;
pub mod probe;
pub mod public_address;
pub mod recorder;
mod relay_setup;
pub mod relays;
pub mod rim;
pub mod room_name;
pub mod server;
pub mod shard_handle;
pub mod signals;
pub mod streams;
pub mod stun_client;
pub mod tcp;
pub mod tls;
pub mod udp;
mod whole_file;
pub mod worker;

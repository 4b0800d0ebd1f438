//! The node in the simulation: one shard, called as its worker thread would call it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use motet::ids::ConnectionId;
use motet::media::shard::{ShardCommand, ShardEffect};

/// Where every client sends its media.
pub const ADDRESS: &str = "10.1.0.1:7000";

/// See the module.
pub struct Node {
    datagrams: VecDeque<(SocketAddr, Bytes)>,
    effects: VecDeque<ShardEffect>,
}

impl Node {
    pub fn new(_now: Instant, _seed: u64, _sfu: bool) -> Self {
        Self {
            datagrams: VecDeque::new(),
            effects: VecDeque::new(),
        }
    }

    pub fn handle(&mut self, _now: Instant, _command: ShardCommand) {}

    pub fn handle_datagram(&mut self, _now: Instant, _from: SocketAddr, _datagram: &[u8]) {}

    pub fn handle_timeout(&mut self, _now: Instant) {}

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        None
    }

    pub fn poll_datagram(&mut self) -> Option<(SocketAddr, Bytes)> {
        self.datagrams.pop_front()
    }

    pub fn poll_effect(&mut self) -> Option<ShardEffect> {
        self.effects.pop_front()
    }
}

pub fn connection(number: u32) -> ConnectionId {
    ConnectionId(u64::from(number) + 1)
}

pub fn number(connection: ConnectionId) -> u32 {
    (connection.0 - 1) as u32
}

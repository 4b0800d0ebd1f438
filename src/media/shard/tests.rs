//! A shard and its clock, and what it does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::panic
)]

mod containment;
mod titles;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Shard, ShardCommand, ShardConfig, ShardEffect, ShardOutput};
use crate::ids::ConnectionId;
use crate::logic::forward::reports::NtpClock;
use crate::logic::household::Pass;
use crate::logic::room::RoomConfig;
use crate::media::dtls::Identity;
use crate::media::peer::Transport;
use crate::protocol::owner_key::OwnerKey;
use crate::protocol::server::MemberKind;

struct Node {
    now: Instant,
    shard: Shard,
    out: ShardOutput,
}

impl Node {
    fn new() -> Node {
        let now = Instant::now();
        let config = ShardConfig {
            transport: Transport {
                identity: Arc::new(Identity::generate().unwrap()),
                candidates: Arc::new([]),
                tcp_candidates: Arc::new([]),
            },
            room: Arc::new(RoomConfig::default()),
            wall: NtpClock::new(now, Duration::from_secs(1_700_000_000)),
            relay: None,
            outputs: None,
            seed: [7; 32],
        };
        Node {
            now,
            shard: Shard::new(config),
            out: ShardOutput::default(),
        }
    }

    fn told(&mut self, command: ShardCommand) -> Vec<ShardEffect> {
        self.shard.handle(self.now, command, &mut self.out);
        std::mem::take(&mut self.out.effects)
    }

    /// What the newcomer is told first.
    fn joins(&mut self, connection: u64, room: &str, owner_key: Option<OwnerKey>) -> String {
        let connection = ConnectionId(connection);
        let effects = self.join(connection, room, owner_key);
        sent(&effects, connection).first().unwrap().clone()
    }

    fn join(
        &mut self,
        connection: ConnectionId,
        room: &str,
        owner_key: Option<OwnerKey>,
    ) -> Vec<ShardEffect> {
        self.told(ShardCommand::Join {
            connection,
            id: Some(1),
            room: room.to_owned(),
            name: format!("member {}", connection.0),
            kind: MemberKind::Client,
            sfu_only: false,
            owner_key,
            pass: Pass::default(),
        })
    }

    fn passes(&mut self, time: Duration) -> Vec<ShardEffect> {
        self.now += time;
        self.shard.handle_timeout(self.now, &mut self.out);
        std::mem::take(&mut self.out.effects)
    }
}

fn sent(effects: &[ShardEffect], to: ConnectionId) -> Vec<String> {
    let text = |effect: &ShardEffect| match effect {
        ShardEffect::Send { connection, frame } if *connection == to => Some(frame.to_json()),
        ShardEffect::Tell { event, to: those } if those.iter().any(|(one, _)| *one == to) => {
            Some(event.body())
        }
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}

//! One thread around one shard.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use super::listen::MediaSockets;
use super::rim::Rim;
use crate::config::Settings;
use crate::media::shard::{ShardCommand, ShardEffect};

/// What a worker starts with.
#[derive(Debug)]
pub struct WorkerConfig {
    /// Its sockets, bound, and what to call them towards browsers.
    pub media: MediaSockets,
    /// The node's settings.
    pub settings: Arc<Settings>,
    /// For everything random.
    pub seed: [u8; 32],
}

/// Starts the thread. It ends when the mailbox is closed.
///
/// # Errors
/// When the thread cannot be made.
pub fn spawn(
    config: WorkerConfig,
    mut mailbox: mpsc::Receiver<ShardCommand>,
    rim: Arc<Rim>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("motet-shard-0".to_owned())
        .spawn(move || {
            let _config = config;
            while let Some(command) = mailbox.blocking_recv() {
                if let ShardCommand::Ask { ticket, .. } = command {
                    let answer = serde_json::Value::Null;
                    rim.effect(ShardEffect::Reply { ticket, answer });
                }
            }
        })
}

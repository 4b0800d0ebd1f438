//! One thread around one shard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::listen::MediaSockets;
use super::rim::Rim;
use crate::config::Settings;
use crate::ids::{ConnectionId, MemberId};
use crate::logic::room::{MediaFact, MediaOrder, Origin, Room, RoomConfig, RoomEffect, RoomInput};
use crate::media::shard::{Question, ShardCommand, ShardEffect};
use crate::protocol::reason::Reason;

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

/// Starts the thread. It ends when `Shutdown` was carried out and when the mailbox is closed.
///
/// # Errors
/// When the thread cannot be made.
pub fn spawn(
    config: WorkerConfig,
    mut mailbox: mpsc::Receiver<ShardCommand>,
    rim: Arc<Rim>,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let work = async move {
        let mut rooms = Rooms::new(&config, rim);
        loop {
            let due = rooms.due().map(tokio::time::Instant::from_std);
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = mailbox.recv() => match command {
                    Some(ShardCommand::Shutdown) => return rooms.shut_down(),
                    Some(command) => rooms.command(command),
                    None => return,
                },
                () = wait => rooms.timeout(),
            }
        }
    };
    std::thread::Builder::new()
        .name("motet-shard-0".to_owned())
        .spawn(move || runtime.block_on(work))
}

/// Rooms without media: every offer is refused.
struct Rooms {
    rim: Arc<Rim>,
    config: Arc<RoomConfig>,
    rooms: BTreeMap<String, Room>,
    members: BTreeMap<ConnectionId, (MemberId, String)>,
    joins: u64,
    _sockets: usize,
}

impl Rooms {
    fn new(config: &WorkerConfig, rim: Arc<Rim>) -> Self {
        let room = RoomConfig {
            limits: config.settings.limits(),
            topology: config.settings.topology(),
            ice_servers: Vec::new(),
        };
        Self {
            rim,
            config: Arc::new(room),
            rooms: BTreeMap::new(),
            members: BTreeMap::new(),
            joins: 0,
            _sockets: config.media.sockets.len(),
        }
    }

    fn due(&self) -> Option<Instant> {
        let rooms = self.rooms.values();
        rooms
            .filter_map(Room::poll_timeout)
            .map(|(when, _)| when)
            .min()
    }

    fn command(&mut self, command: ShardCommand) {
        match command {
            ShardCommand::Join {
                connection,
                id,
                room,
                name,
                sfu_only,
            } => {
                let member = MemberId(rand::random());
                self.joins += 1;
                self.members.insert(connection, (member, room.clone()));
                let config = Arc::clone(&self.config);
                let entry = self.rooms.entry(room.clone());
                entry.or_insert_with(|| {
                    Room::new(Instant::now(), room.clone(), Origin::Join, config)
                });
                self.input(
                    &room,
                    RoomInput::Join {
                        member,
                        name,
                        sfu_only,
                        id,
                    },
                );
            }
            ShardCommand::Said { connection, frame } => {
                if let Some((member, room)) = self.members.get(&connection).cloned() {
                    self.input(&room, RoomInput::Said { member, frame });
                }
            }
            ShardCommand::Gone { connection, reason } => {
                if let Some((member, room)) = self.members.get(&connection).cloned() {
                    self.input(&room, RoomInput::Gone { member, reason });
                    self.members.remove(&connection);
                }
            }
            ShardCommand::Ask { ticket, question } => {
                let answer = self.answer(question);
                self.rim.effect(ShardEffect::Reply { ticket, answer });
            }
            ShardCommand::Shutdown => {}
        }
    }

    fn answer(&mut self, question: Question) -> Value {
        let now = Instant::now();
        match question {
            Question::Rooms => self.rooms.values().map(|room| room.describe(now)).collect(),
            Question::Room(name) => self
                .rooms
                .get(&name)
                .map_or(Value::Null, |room| room.describe(now)),
            Question::CreateRoom(name) if self.rooms.contains_key(&name) => Value::Null,
            Question::CreateRoom(name) => {
                let config = Arc::clone(&self.config);
                let room = Room::new(now, name.clone(), Origin::Rest, config);
                let answer = room.describe(now);
                self.rooms.insert(name, room);
                answer
            }
            Question::DeleteRoom(name) => {
                let answer = self
                    .rooms
                    .get(&name)
                    .map_or(Value::Null, |room| room.describe(now));
                self.input(
                    &name,
                    RoomInput::Close {
                        reason: Reason::RoomClosed,
                    },
                );
                answer
            }
            Question::Stats => json!({
                "rooms": self.rooms.len(),
                "members": self.rooms.values().map(Room::members).sum::<usize>(),
                "joins": self.joins,
            }),
        }
    }

    fn input(&mut self, name: &str, input: RoomInput) {
        let mut effects = Vec::new();
        if let Some(room) = self.rooms.get_mut(name) {
            room.handle(Instant::now(), input, &mut effects);
        }
        self.carry_out(name, effects);
    }

    fn timeout(&mut self) {
        let names: Vec<String> = self.rooms.keys().cloned().collect();
        for name in names {
            let mut effects = Vec::new();
            if let Some(room) = self.rooms.get_mut(&name) {
                room.handle_timeout(Instant::now(), &mut effects);
            }
            self.carry_out(&name, effects);
        }
    }

    fn carry_out(&mut self, name: &str, effects: Vec<RoomEffect>) {
        for effect in effects {
            match effect {
                RoomEffect::Send { to, frame } => {
                    if let Some(connection) = self.connection(to) {
                        self.rim.effect(ShardEffect::Send { connection, frame });
                    }
                }
                RoomEffect::Disconnect { member, reason } => {
                    if let Some(connection) = self.connection(member) {
                        self.rim.effect(ShardEffect::Close { connection, reason });
                        self.members.remove(&connection);
                    }
                }
                RoomEffect::Media(MediaOrder::Answer { member, id, .. }) => {
                    let message = "No media here.".to_owned();
                    let fact = MediaFact::OfferRefused {
                        member,
                        id,
                        message,
                    };
                    self.input(name, RoomInput::Media(fact));
                }
                RoomEffect::Media(_) => {}
            }
        }
        let over = |room: &Room| room.is_over(Instant::now());
        if self.rooms.get(name).is_some_and(over) {
            self.rooms.remove(name);
            let room = name.to_owned();
            self.rim.effect(ShardEffect::RoomClosed { room });
        }
    }

    fn connection(&self, member: MemberId) -> Option<ConnectionId> {
        let mut members = self.members.iter();
        members
            .find(|(_, known)| known.0 == member)
            .map(|(connection, _)| *connection)
    }

    fn shut_down(&mut self) {
        let names: Vec<String> = self.rooms.keys().cloned().collect();
        for name in names {
            self.input(
                &name,
                RoomInput::Close {
                    reason: Reason::Shutdown,
                },
            );
        }
    }
}

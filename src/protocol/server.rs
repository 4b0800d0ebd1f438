//! What the node says.

use serde::{Deserialize, Serialize};

use super::client::{Epoch, Feed, RequestId, Signal, Source};
use super::reason::{ErrorCode, Reason};
use crate::ids::MemberId;

/// A message of the node with its place in the member's sequence of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerFrame {
    /// Counts the events to this member from 1; answers to requests have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What it says.
    #[serde(flatten)]
    pub message: ServerMessage,
}

impl ServerFrame {
    /// The text of the WebSocket message.
    pub fn to_json(&self) -> String {
        // Fails for maps whose keys are not text, and there is none.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Everything that the node may say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ServerMessage {
    /// The request was carried out.
    Ok {
        /// The request's id.
        id: RequestId,
    },
    /// The request, or a message without an id, was refused. Nothing was changed.
    Error {
        /// The request's id, if it had one that could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        id: Option<RequestId>,
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// The answer to `join`.
    Joined {
        /// The request's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        id: Option<RequestId>,
        /// The joining member.
        you: MemberId,
        /// Everyone in the room, the joining member too, in the order of their coming.
        members: Vec<Member>,
        /// How media travels now.
        topology: Topology,
        /// `RTCIceServer`s for mesh connections.
        ice_servers: Vec<IceServer>,
        /// What the client must keep to.
        limits: ClientLimits,
        /// The room's last lines of chat, oldest first.
        history: Vec<ChatLine>,
    },
    /// Someone came, or something about them changed: their whole state.
    Member {
        /// Who, as they are now.
        member: Member,
    },
    /// Someone is gone.
    Left {
        /// Who.
        member: MemberId,
        /// Why.
        reason: Reason,
    },
    /// Passed on from another member.
    Signal {
        /// From whom.
        from: MemberId,
        /// The topology epoch it belongs to.
        epoch: Epoch,
        /// The content.
        #[serde(flatten)]
        signal: Signal,
    },
    /// The answer to `offer`.
    Answer {
        /// The request's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        id: Option<RequestId>,
        /// The session description.
        sdp: String,
        /// The epoch of the offer.
        epoch: Epoch,
    },
    /// Who sits where from now on: the whole plan, sent before the media changes, and again after
    /// every `answer`. Seat `n` is the stream that the answer calls `seat-n`; seats beyond the list
    /// are empty.
    Seats {
        /// By seat number.
        seats: Vec<Option<Seat>>,
    },
    /// A switch begins: bring up the new path, keep the old one.
    Switch {
        /// Where to.
        mode: Mode,
        /// The epoch that begins.
        epoch: Epoch,
        /// How long it may take, in milliseconds from now.
        deadline_ms: u32,
    },
    /// The switch of this epoch is done: drop the old path.
    Commit {
        /// What holds now.
        mode: Mode,
        /// The epoch.
        epoch: Epoch,
    },
    /// The switch did not come about: drop the new path, keep the old one.
    Rollback {
        /// What holds on.
        mode: Mode,
        /// The epoch that holds from now on.
        epoch: Epoch,
    },
    /// A line of text.
    Chat(ChatLine),
    /// Who is speaking, loudest first; sent when it changes, in SFU mode.
    Speakers {
        /// The members.
        members: Vec<MemberId>,
    },
    /// The answer to `ping`.
    Pong {
        /// The request's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        id: Option<RequestId>,
    },
    /// The last message: the connection closes.
    Bye {
        /// Why.
        reason: Reason,
    },
}

/// A member as others see them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Who.
    pub id: MemberId,
    /// Their name.
    pub name: String,
    /// Served over the node always.
    pub sfu_only: bool,
    /// What they send, in the order of `Source`.
    pub published: Vec<Published>,
}

/// One source that a member sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// What it is.
    pub source: Source,
    /// The id of the `MediaStream` that carries it in mesh connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub stream: Option<String>,
    /// Silent or black for now.
    pub muted: bool,
}

/// How media travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Peer to peer.
    Mesh,
    /// Over the node.
    Sfu,
}

/// How media travels now, and where it is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Topology {
    /// What a newcomer brings up: the mode that holds, or the one being switched to.
    pub mode: Mode,
    /// The epoch of that mode.
    pub epoch: Epoch,
    /// A switch to `mode` is under way; `commit` or `rollback` will follow.
    pub switching: bool,
}

/// `RTCIceServer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct IceServer {
    /// Where.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub username: Option<String>,
    /// For TURN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub credential: Option<String>,
}

/// What a client must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ClientLimits {
    /// Bytes of a WebSocket message other than those that carry SDP.
    pub message_bytes: u32,
    /// Bytes of a WebSocket message that carries SDP.
    pub sdp_bytes: u32,
    /// Seats that can be asked for at once.
    pub seats: u16,
    /// Seconds without a `ping` (or anything else) after which a client counts as gone.
    pub silence_seconds: u16,
}

/// What sits on a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// Whose.
    pub member: MemberId,
    /// Which of theirs.
    pub feed: Feed,
}

/// A line of text in the room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ChatLine {
    /// Who wrote it.
    pub from: MemberId,
    /// Their name when they wrote it.
    pub name: String,
    /// What.
    pub text: String,
    /// When, in milliseconds since the room came to be.
    #[cfg_attr(test, ts(type = "number"))]
    pub at_ms: u64,
}

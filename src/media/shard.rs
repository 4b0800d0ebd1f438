//! All rooms of one core, as a value.

use crate::ids::{ConnectionId, Ticket};
use crate::protocol::client::{ClientFrame, RequestId};
use crate::protocol::reason::Reason;
use crate::protocol::server::ServerFrame;

/// What the rim tells a shard, besides datagrams and the time.
#[derive(Debug)]
pub enum ShardCommand {
    /// A WebSocket said `join` with names that passed the check.
    Join {
        /// The WebSocket.
        connection: ConnectionId,
        /// The request's id, to be answered by `joined` or `error`.
        id: Option<RequestId>,
        /// The room, by its checked name.
        room: String,
        /// The member's checked name.
        name: String,
        /// The client is always served over the node.
        sfu_only: bool,
    },
    /// Anything else that a joined WebSocket said.
    Said {
        /// The WebSocket.
        connection: ConnectionId,
        /// What.
        frame: ClientFrame,
    },
    /// A WebSocket is gone, or was closed by the rim.
    Gone {
        /// The WebSocket.
        connection: ConnectionId,
        /// Why, for those who stay.
        reason: Reason,
    },
    /// A question from REST; answered by [`ShardEffect::Reply`] with the same ticket.
    Ask {
        /// To answer by.
        ticket: Ticket,
        /// What.
        question: Question,
    },
    /// The node stops: everyone is told.
    Shutdown,
}

/// What REST can ask of a shard.
#[derive(Debug)]
pub enum Question {
    /// Every room.
    Rooms,
    /// One room; `null` if there is none of that name.
    Room(String),
    /// Makes a room that stays while empty; `null` if there is one of that name already.
    CreateRoom(String),
    /// Ends a room for everyone in it; `null` if there is none of that name.
    DeleteRoom(String),
    /// Counters and gauges of the shard.
    Stats,
}

/// What a shard wants of the rim, besides datagrams to send.
#[derive(Debug)]
pub enum ShardEffect {
    /// Send a message over a WebSocket.
    Send {
        /// Which.
        connection: ConnectionId,
        /// What.
        frame: ServerFrame,
    },
    /// Close a WebSocket once what was sent before is out.
    Close {
        /// Which.
        connection: ConnectionId,
        /// For the close frame; `bye` was sent already.
        reason: Reason,
    },
    /// The answer to [`ShardCommand::Ask`]: a JSON value, `null` for "no such thing".
    Reply {
        /// Of the question.
        ticket: Ticket,
        /// The answer.
        answer: serde_json::Value,
    },
    /// A room is gone: its name is free.
    RoomClosed {
        /// Its name.
        room: String,
    },
}

//! Why something failed or ended: codes for programs, each with a sentence for people.

use serde::{Deserialize, Serialize};

/// The code of an `error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    /// Not JSON, not a known message, a missing, unknown or ill-typed field.
    Malformed,
    /// Longer than a message may be.
    TooLarge,
    /// Too many messages in a short time.
    TooFast,
    /// The first message must be `join`.
    NotJoined,
    /// A second `join` on one connection.
    AlreadyJoined,
    /// A name is empty, too long, or holds characters that a name must not.
    BadName,
    /// The room's owner lets nobody new in.
    RoomLocked,
    /// Too many wait to be let in.
    LobbyFull,
    /// Only the room's owner may do that, or the owner holds it.
    Forbidden,
    /// The place is not kept any more, or the token is not, or no longer, good: `join` instead.
    ResumeFailed,
    /// The room holds as many members as it may.
    RoomFull,
    /// The node holds as many rooms as it may.
    NodeFull,
    /// The node is about to stop and takes no new rooms.
    Draining,
    /// Nobody of that id is in the room.
    NoSuchMember,
    /// The source is not published.
    NotPublished,
    /// The request belongs to an epoch that is over.
    StaleEpoch,
    /// The session description cannot be answered; the message says why.
    BadOffer,
    /// A limit of the request's kind was reached; the message says which.
    Limit,
    /// The room is, or was just, closed.
    RoomClosed,
    /// The node failed; nothing that the client did.
    Internal,
}

/// Why the node ended a connection (`bye`), or why a member is gone (`left`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// They left.
    Left,
    /// Their connection was lost.
    Lost,
    /// No sign of life for 30 s.
    Silent,
    /// They did not read what was sent to them fast enough.
    Slow,
    /// They broke the protocol or its limits again and again.
    Misbehaved,
    /// The room was closed.
    RoomClosed,
    /// The owner sent them away.
    Removed,
    /// The owner did not let them in.
    Denied,
    /// Another connection goes on with their place.
    Replaced,
    /// The node stops.
    Shutdown,
    /// The room failed on the node; nothing that anybody in it is to blame for.
    Failed,
}

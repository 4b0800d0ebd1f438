//! What the node says.

use serde::{Deserialize, Serialize};

use super::client::{Epoch, Feed, Reaction, RequestId, Signal, Source};
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
    /// The answer to `join`; without an id, the end of waiting.
    Joined {
        /// The request's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        id: Option<RequestId>,
        /// The joining member.
        you: MemberId,
        /// For `resume`.
        resume: ResumeTicket,
        /// What the owner decided.
        rules: Rules,
        /// Who waits to be let in; told to owners alone.
        waiting: Vec<Knock>,
        /// Everyone in the room, the joining member too, in the order of their coming.
        members: Vec<Member>,
        /// How media travels now.
        topology: Topology,
        /// With whom it travels otherwise.
        exceptions: Vec<PathException>,
        /// `RTCIceServer`s for mesh connections.
        ice_servers: Vec<IceServer>,
        /// What the client must keep to.
        limits: ClientLimits,
        /// The room's last lines of chat, oldest first.
        history: Vec<ChatLine>,
        /// The room is recorded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        recording: Option<RecordingSign>,
    },
    /// The answer to `join` where newcomers wait for the owner: `joined` or `bye` follows. Until
    /// then only `ping` and `bye` may be said.
    Waiting {
        /// The request's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        id: Option<RequestId>,
        /// Who is waiting.
        you: MemberId,
    },
    /// The answer to `resume`: the missed events follow.
    Resumed {
        /// The request's id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        id: Option<RequestId>,
        /// For the next `resume`.
        resume: ResumeTicket,
        /// `RTCIceServer`s for mesh connections.
        ice_servers: Vec<IceServer>,
    },
    /// Other servers for mesh connections from now on, before the credentials of those before end.
    IceServers {
        /// All of them.
        ice_servers: Vec<IceServer>,
    },
    /// Someone came, or something about them changed: their whole state. Also to the members
    /// themselves where the room decided it: when a hand went up, what the owner holds.
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
    /// What of its seats the client cannot decode, by what it has offered: the whole list, when it
    /// changes. Nothing arrives of these pictures. On a new connection it is empty at first.
    Undecodable {
        /// In no order.
        pictures: Vec<Undecodable>,
    },
    /// A picture of the client's is to be sent in another codec from now on, of those that its offer and
    /// the answer have: somebody cannot decode the present one, and everybody this one.
    Encode {
        /// Which picture.
        source: Source,
        /// How.
        codec: PictureCodec,
    },
    /// A switch begins: bring up the new path, keep the old one.
    Switch {
        /// Where to.
        mode: Mode,
        /// The epoch that begins.
        epoch: Epoch,
        /// How long it may take, in milliseconds from now.
        deadline_ms: u32,
        /// Why.
        why: Why,
    },
    /// The switch of this epoch is done: drop the old path.
    Commit {
        /// What holds now.
        mode: Mode,
        /// The epoch.
        epoch: Epoch,
        /// Why.
        why: Why,
        /// Who did not follow in time.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(test, ts(optional, as = "Option<_>"))]
        missing: Vec<MemberId>,
    },
    /// The switch did not come about: drop the new path, keep the old one.
    Rollback {
        /// What holds on.
        mode: Mode,
        /// The epoch that holds from now on.
        epoch: Epoch,
        /// Who could not follow.
        missing: Vec<MemberId>,
    },
    /// With whom media travels otherwise than with the rest of the room: the whole list, when it
    /// changes. A new path is brought up first, the old one dropped once the new one plays.
    Paths {
        /// The topology epoch.
        epoch: Epoch,
        /// Everyone else's path is the mode's.
        exceptions: Vec<PathException>,
    },
    /// What the owner decided, when it changes.
    Rules(Rules),
    /// Who waits to be let in: the whole list, to owners, when it changes.
    Knocks {
        /// In the order of their coming.
        waiting: Vec<Knock>,
    },
    /// The room is recorded from now on, or no more.
    Recording {
        /// By which recording.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        recording: Option<RecordingSign>,
        /// Why it is over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        ended: Option<RecordingEnd>,
    },
    /// A passing sign.
    Reaction {
        /// Whose.
        from: MemberId,
        /// Which.
        reaction: Reaction,
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
    /// The node is about to stop: who is in a room may stay for so long, and new rooms are refused.
    Draining {
        /// How long, at most.
        seconds: u32,
    },
    /// The last message: the connection closes.
    Bye {
        /// Why.
        reason: Reason,
    },
}

/// A recording that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RecordingSign {
    /// Which.
    pub id: String,
    /// When it began, in milliseconds since the room came to be.
    #[cfg_attr(test, ts(type = "number"))]
    pub since_ms: u64,
    /// Pictures are left out for now, as the disk is too slow; told to owners.
    #[serde(default, skip_serializing_if = "is_false")]
    #[cfg_attr(test, ts(optional, as = "Option<bool>"))]
    pub thinned: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Why a recording is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum RecordingEnd {
    /// Somebody stopped it.
    Stopped,
    /// The room is no more.
    RoomClosed,
    /// It was as long as it may be, or all recordings together as large.
    Limit,
    /// There is no room on the disk.
    DiskFull,
    /// Its files cannot be written.
    DiskFailed,
    /// The node failed while it wrote.
    NodeFailed,
    /// The node was stopped before it was over; what there was is whole.
    Interrupted,
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
    /// By what they take part.
    #[serde(default, skip_serializing_if = "MemberKind::is_client")]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub kind: MemberKind,
    /// What they may do.
    pub role: Role,
    /// Served over the node always.
    pub sfu_only: bool,
    /// What they send, in the order of `Source`.
    pub published: Vec<Published>,
    /// What the owner holds muted, in the order of `Source`.
    pub silenced: Vec<Source>,
    /// What is sent to other programs besides, in the order of `Source`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, ts(optional, as = "Option<Vec<Source>>"))]
    pub forwarded: Vec<Source>,
    /// Since when their hand is up, in milliseconds since the room came to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub hand_ms: Option<u64>,
    /// Whether their WebSocket is there.
    pub presence: Presence,
    /// Whether the node reaches them.
    pub node: Reach,
}

/// By what a member takes part.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum MemberKind {
    /// A client that speaks this protocol.
    #[default]
    Client,
    /// A publisher over HTTP (RFC 9725), who sees and hears nobody.
    Whip,
    /// A viewer over HTTP (draft-ietf-wish-whep), who sends nothing.
    Whep,
}

impl MemberKind {
    fn is_client(&self) -> bool {
        *self == MemberKind::Client
    }
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Take part.
    Guest,
    /// Decide about the room and those in it.
    Owner,
}

/// Whether a member's WebSocket is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Presence {
    /// It is.
    Here,
    /// It was lost and may come back; their media may go on meanwhile.
    Reconnecting,
}

/// Whether a member's connection to the node works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Reach {
    /// It was not tried yet, or is coming up.
    Unknown,
    /// It is up.
    Up,
    /// No pair of candidates works.
    NoIce,
    /// The handshake does not end.
    NoDtls,
    /// The node refused the offer.
    Refused,
}

/// What brings a lost WebSocket back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ResumeTicket {
    /// Good for one `resume`.
    pub token: String,
    /// How long the member's place is kept after the WebSocket was lost, in seconds.
    pub seconds: u32,
}

/// What the owner decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Nobody new is let in.
    pub locked: bool,
    /// Newcomers wait until they are admitted.
    pub lobby: bool,
}

/// Somebody who waits to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Knock {
    /// Who.
    pub member: MemberId,
    /// Their name.
    pub name: String,
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
    /// Why.
    pub why: Why,
}

/// Why media travels as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The cause.
    pub cause: Cause,
    /// Who gave it, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub member: Option<MemberId>,
}

/// What can decide between mesh and SFU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// There are few enough members for a mesh, and no reason against it.
    Few,
    /// There are too many members for a mesh.
    Many,
    /// The node's settings leave no choice.
    Policy,
    /// A member can only be served over the node.
    SfuOnly,
    /// A member's uplink is too narrow for a mesh.
    Uplink,
    /// A member's processor is too slow for a mesh.
    Cpu,
    /// A mesh was tried, and somebody could not follow.
    Failed,
    /// The room is recorded.
    Recording,
    /// Media of the room is sent to other programs.
    Forwarded,
}

/// How media travels between two members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum PairPath {
    /// Peer to peer.
    Direct,
    /// Over the node.
    Node,
    /// Not at all.
    None,
}

/// Why two members' media does not travel as the room's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum PathReason {
    /// Their browsers do not reach each other.
    PairFailed,
    /// One of them does not reach the node.
    NodeUnreachable,
    /// Neither works.
    Nothing,
}

/// A member with whom media travels otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PathException {
    /// The other member.
    pub member: MemberId,
    /// How.
    pub path: PairPath,
    /// Why.
    pub reason: PathReason,
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

/// A picture that a client cannot decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Undecodable {
    /// Whose.
    pub member: MemberId,
    /// Which of theirs.
    pub feed: Feed,
    /// How it is sent.
    pub codec: PictureCodec,
}

/// The codec of a picture, with the profile where browsers differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum PictureCodec {
    /// RFC 7741.
    Vp8,
    /// RFC 9628, profile 0.
    Vp9,
    /// RFC 6184, constrained baseline or baseline.
    H264,
    /// RFC 6184, profile Main.
    H264Main,
    /// RFC 6184, profile High.
    H264High,
    /// AV1 RTP payload format 1.0, profile 0.
    Av1,
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

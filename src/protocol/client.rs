//! What a client says.

use serde::{Deserialize, Serialize};

use super::owner_key::OwnerKey;
use crate::ids::MemberId;

/// A message of a client, with the request id it wants to be answered by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientFrame {
    /// Chosen by the client, unique among its open requests; an answer repeats it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// What it says.
    #[serde(flatten)]
    pub message: ClientMessage,
}

impl ClientFrame {
    /// The text of the WebSocket message.
    pub fn to_json(&self) -> String {
        // Fails for maps whose keys are not text, and there is none.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A client's own number for a request.
pub type RequestId = u32;

/// Counts the steps of topology and negotiation; what carries an old epoch is dropped.
pub type Epoch = u32;

/// Everything that a client may say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum ClientMessage {
    /// The first message of a connection. Answered by `joined`.
    Join {
        /// The room's name.
        room: String,
        /// The name that others will see.
        name: String,
        /// The client cannot or will not do mesh (a recorder, a bot): it is served over the node.
        #[serde(default)]
        #[cfg_attr(test, ts(optional, as = "Option<_>"))]
        sfu_only: bool,
        /// Makes its bearer the owner of a room that they make, and of the room whose owner said
        /// the same key. Kept by the client, never told to others; 16 to 128 bytes of visible ASCII.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, as = "Option<String>"))]
        owner_key: Option<OwnerKey>,
    },
    /// The first message of a connection instead of `join`: goes on where a lost one ended.
    /// Answered by `resumed`, and by the events after `after`, each once and in order; or refused with
    /// `resumeFailed`, and then `join` may follow. A connection that is still there is ended with
    /// `bye replaced`.
    Resume {
        /// The room's name.
        room: String,
        /// From `joined`, or from the last `resumed`; each is good for one time.
        token: String,
        /// The number of the last event that arrived.
        #[cfg_attr(test, ts(type = "number"))]
        after: u64,
    },
    /// To another member, passed on as it is: perfect negotiation of a mesh pair.
    Signal {
        /// For whom.
        to: MemberId,
        /// The topology epoch it belongs to.
        epoch: Epoch,
        /// The content.
        #[serde(flatten)]
        signal: Signal,
    },
    /// An SDP offer for the connection to the node. Answered by `answer`. A later offer on the same
    /// connection adds m-lines (more seats) or restarts ICE.
    Offer {
        /// The session description, at most 256 KiB.
        sdp: String,
        /// The topology epoch it belongs to.
        epoch: Epoch,
        /// Starts a new peer connection: the node forgets the member's old one.
        #[serde(default)]
        #[cfg_attr(test, ts(optional, as = "Option<_>"))]
        fresh: bool,
    },
    /// Something is sent now: announced to everyone. What the owner holds muted is taken, but stays
    /// muted, whatever is said here; a `member` about themselves then tells its sender.
    Publish {
        /// What it is.
        source: Source,
        /// The m-line of the connection to the node that carries it, when there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        mid: Option<String>,
        /// The id of the `MediaStream` that carries it in mesh connections.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        stream: Option<String>,
        /// Published, but silent or black for now.
        #[serde(default)]
        #[cfg_attr(test, ts(optional, as = "Option<_>"))]
        muted: bool,
    },
    /// A published source falls silent or comes back.
    Mute {
        /// Which.
        source: Source,
        /// Whether it is silent from now on.
        muted: bool,
    },
    /// A source is no longer sent.
    Unpublish {
        /// Which.
        source: Source,
    },
    /// What the client wants to see on its seats, most wanted first. Without one: everyone, screens
    /// first; with an empty one: nobody.
    View {
        /// The wanted feeds; at most 25 seats can be asked for at once.
        wants: Vec<Want>,
    },
    /// The new path of a switch plays: media decodes for everyone that this client should see. Said
    /// by those who have an old path to lose; a newcomer need not.
    Ready {
        /// The epoch of the `switch`.
        epoch: Epoch,
    },
    /// How the direct connection to another member fares, when that changes: from the members of a
    /// mesh, and from those whose media travels directly as an exception.
    Pair {
        /// The other member.
        member: MemberId,
        /// The topology epoch.
        epoch: Epoch,
        /// How it fares.
        state: PairState,
    },
    /// The connection to the node does not come up, or broke and does not come back. That it works
    /// need not be said.
    Unreachable {
        /// What is missing.
        cause: Unreachable,
    },
    /// The mesh is too much for this client, by its own statistics: it asks for the node.
    Strain {
        /// What gives; nothing, once it does not hold any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        cause: Option<Strain>,
    },
    /// Raises or lowers the member's hand.
    Hand {
        /// Up.
        raised: bool,
    },
    /// A passing sign to everyone.
    React {
        /// Which.
        reaction: Reaction,
    },
    /// The room's owner holds a member's source muted, or lets it go. A held source cannot be
    /// unmuted by its member, and stays held when it is published anew; let go, it stays muted until
    /// the member unmutes it. The node forwards nothing of it; between the members of a mesh it is for
    /// their clients to keep it silent. An owner's sources cannot be held: `forbidden`.
    Silence {
        /// Whose.
        member: MemberId,
        /// Which.
        source: Source,
        /// Held from now on.
        silenced: bool,
    },
    /// The owner lowers a member's hand.
    LowerHand {
        /// Whose.
        member: MemberId,
    },
    /// The owner sends a member away; not an owner, themselves or another: `forbidden`.
    Remove {
        /// Who.
        member: MemberId,
    },
    /// The owner lets nobody new in, or lets them in again. Those who wait stay waiting; they can
    /// still be admitted one by one.
    Lock {
        /// From now on.
        locked: bool,
    },
    /// The owner has newcomers wait until they are admitted, or lets them come by themselves; those
    /// who wait then come in, in the order of their coming, as long as the room is not locked and
    /// there are places. The others wait on, and come in as places get free.
    Lobby {
        /// From now on.
        enabled: bool,
    },
    /// The owner lets somebody in who waits; `roomFull` while there is no place.
    Admit {
        /// Who.
        member: MemberId,
    },
    /// The owner sends somebody away who waits.
    Deny {
        /// Who.
        member: MemberId,
    },
    /// The owner has the room recorded, or no more. While it is, media travels over the node.
    Record {
        /// From now on.
        active: bool,
    },
    /// The owner ends the room for everyone.
    End {},
    /// A line of text to everyone in the room.
    Chat {
        /// At most 4,000 characters.
        text: String,
    },
    /// A sign of life, at least every 30 s; answered by `pong`.
    Ping {
        /// The number of the last event that arrived: the node need not keep it, or any before it,
        /// for a `resume`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional, type = "number"))]
        after: Option<u64>,
    },
    /// Leaves the room; the node closes the connection.
    Bye {},
}

/// One step of negotiation between two browsers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Signal {
    /// An offer or an answer.
    Description(Description),
    /// A candidate, or the end of candidates (empty `candidate`).
    Candidate(Candidate),
}

/// `RTCSessionDescriptionInit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Offer or answer.
    #[serde(rename = "type")]
    pub kind: DescriptionKind,
    /// The text.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub sdp: String,
}

/// `RTCSdpType`, less `pranswer` and `rollback`, which stays within a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum DescriptionKind {
    /// A proposal.
    Offer,
    /// What was agreed on.
    Answer,
}

/// `RTCIceCandidateInit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Candidate {
    /// The candidate line, without `a=`; empty at the end of candidates.
    pub candidate: String,
    /// The m-line's mid.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub sdp_mid: Option<String>,
    /// The m-line's index.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE generation's username fragment.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub username_fragment: Option<String>,
}

/// How a direct connection between two members fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum PairState {
    /// It is up.
    Connected,
    /// It does not come up, an ICE restart included.
    Failed,
}

/// Why the node cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Unreachable {
    /// No pair of candidates works: a firewall, most likely.
    Ice,
    /// Candidates work, the handshake does not end.
    Dtls,
    /// The node refused the offer.
    Refused,
}

/// Why a mesh is too much for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Strain {
    /// It sends far less than it should.
    Uplink,
    /// Its encoders are limited by the processor.
    Cpu,
}

/// A passing sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Reaction {
    /// Agreement.
    ThumbsUp,
    /// Disagreement.
    ThumbsDown,
    /// Applause.
    Clap,
    /// Affection.
    Heart,
    /// Laughter.
    Laugh,
    /// Surprise.
    Surprise,
    /// Joy.
    Party,
}

/// What a member can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Their voice.
    Microphone,
    /// Their picture.
    Camera,
    /// The sound of what they share.
    ScreenAudio,
    /// The picture of what they share.
    Screen,
}

/// What fills a seat: one picture and the sound that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Feed {
    /// Camera and microphone.
    Camera,
    /// Shared screen and its sound.
    Screen,
}

/// One thing that a viewer wants to see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Want {
    /// Whose.
    pub member: MemberId,
    /// Which of theirs.
    pub feed: Feed,
    /// The height in pixels at which it is shown; a larger layer is not needed. 0: sound only.
    pub max_height: u16,
}

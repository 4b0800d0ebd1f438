//! What a client says.

use serde::{Deserialize, Serialize};

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
    /// Something is sent now: announced to everyone.
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
    /// A line of text to everyone in the room.
    Chat {
        /// At most 4,000 characters.
        text: String,
    },
    /// A sign of life, at least every 30 s; answered by `pong`.
    Ping {},
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

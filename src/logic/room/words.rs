//! What a room is told, and what it wants done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::ids::{ConnectionId, MemberId};
use crate::logic::household::Pass;
use crate::logic::record::admission::Refused;
use crate::logic::titles::OwnerMark;
use crate::protocol::client::{ClientFrame, Epoch, Feed, RequestId, Source};
use crate::protocol::event::Event;
use crate::protocol::reason::{ErrorCode, Reason};
use crate::protocol::server::{
    MemberKind, PictureCodec, RecordingEnd, RecordingSign, ServerFrame, Undecodable,
};

/// What happens to a room.
#[derive(Debug, Clone)]
pub enum RoomInput {
    /// Someone asks to be let in. If they are not, an `error` is sent to `member` all the same, and
    /// [`Room::has`](super::Room::has) says so; if they are to wait, [`Room::awaits`](super::Room::awaits)
    /// says so.
    Join {
        /// Their id, new to the room.
        member: MemberId,
        /// As what.
        newcomer: Newcomer,
        /// For their first `resume`; random.
        token: String,
        /// Of the request.
        id: Option<RequestId>,
    },
    /// A member said something.
    Said {
        /// Who. From somebody who is not a member it is dropped.
        member: MemberId,
        /// What.
        frame: ClientFrame,
    },
    /// Someone asks to go on where a lost WebSocket ended. If they may, [`RoomEffect::Attach`]
    /// follows, and otherwise [`RoomEffect::Refuse`].
    Resume {
        /// Of the request.
        id: Option<RequestId>,
        /// Their new WebSocket.
        connection: ConnectionId,
        /// What was handed out for this.
        token: String,
        /// The number of the last event that arrived.
        after: u64,
        /// For their next `resume`; random.
        next: String,
    },
    /// A member's WebSocket gives a sign of life other than a word.
    Alive {
        /// Whose.
        member: MemberId,
    },
    /// A member's WebSocket is gone: they left, or it was lost and may come back.
    Gone {
        /// Whose.
        member: MemberId,
        /// Why, for those who stay.
        reason: Reason,
    },
    /// Something happened to the media.
    Media(MediaFact),
    /// The room is recorded from now on, or no more.
    Recording {
        /// By which recording.
        sign: Option<RecordingSign>,
        /// Why it is over.
        ended: Option<RecordingEnd>,
    },
    /// Media is sent to other programs, or no more.
    Forwarded {
        /// All that is, once each.
        sources: BTreeSet<(MemberId, Source)>,
    },
    /// Something of the recording is left out from now on, or nothing any more.
    RecordingThinned(bool),
    /// A program around the node listens from now on, or no more.
    Tapped {
        /// From now on.
        active: bool,
    },
    /// The node is about to stop.
    Drain {
        /// When, at the latest.
        until: Instant,
    },
    /// Everyone is sent away; the room is over.
    Close {
        /// Why.
        reason: Reason,
    },
}

/// Someone who asks to be let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newcomer {
    /// Their name, checked.
    pub name: String,
    /// By what they take part.
    pub kind: MemberKind,
    /// They are served over the node always.
    pub sfu_only: bool,
    /// The mark of what makes them the owner, perhaps.
    pub owner_key: Option<OwnerMark>,
    /// From where they come; it counts them until they are gone.
    pub pass: Pass,
}

/// What the media side tells a room.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaFact {
    /// [`MediaOrder::Answer`] was carried out.
    Answered {
        /// Whose connection.
        member: MemberId,
        /// Of the request.
        id: Option<RequestId>,
        /// Of the offer.
        epoch: Epoch,
        /// The answer.
        sdp: String,
        /// How many seats the connection has now.
        seats: usize,
        /// Those among them whose m-lines were stopped: nobody can sit there.
        stopped: Vec<usize>,
    },
    /// [`MediaOrder::Answer`] was not carried out, and nothing was changed.
    OfferRefused {
        /// Whose.
        member: MemberId,
        /// Of the request.
        id: Option<RequestId>,
        /// For programs.
        code: ErrorCode,
        /// A sentence for people.
        message: String,
    },
    /// [`MediaOrder::Record`] was carried out, or why not.
    RecordAnswered {
        /// Whose wish it was.
        member: MemberId,
        /// Of the request.
        id: Option<RequestId>,
        /// Why not.
        refused: Option<Refused>,
    },
    /// A member's connection to the node carries media.
    PeerUp {
        /// Whose.
        member: MemberId,
    },
    /// A member's connection to the node is gone. Not told for one that a fresh offer or
    /// [`MediaOrder::ClosePeer`] ended.
    PeerDown {
        /// Whose.
        member: MemberId,
    },
    /// Who is speaking, loudest first.
    Speakers(Vec<MemberId>),
    /// What of their seats a viewer cannot decode is different now.
    Undecodable {
        /// Who.
        viewer: MemberId,
        /// All of it.
        pictures: Vec<Undecodable>,
    },
    /// Somebody cannot decode a member's picture, and there is a codec that everybody could.
    Decodable {
        /// Whose picture.
        member: MemberId,
        /// Which.
        source: Source,
        /// How it would have to be sent.
        codec: PictureCodec,
    },
}

/// What a room wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum RoomEffect {
    /// An answer for a member.
    Send {
        /// For whom.
        to: MemberId,
        /// Without a number.
        frame: ServerFrame,
    },
    /// An event for one or many members.
    Tell {
        /// What.
        event: Arc<Event>,
        /// For whom, with its number in the sequence of each.
        to: Vec<(MemberId, u64)>,
    },
    /// From now on a member's words go over this WebSocket.
    Attach {
        /// Whose.
        member: MemberId,
        /// That of the [`RoomInput::Resume`].
        connection: ConnectionId,
    },
    /// The answer to a [`RoomInput::Resume`] that does not bring anybody back.
    Refuse {
        /// The WebSocket, nobody's.
        connection: ConnectionId,
        /// The answer.
        frame: ServerFrame,
    },
    /// Close a member's WebSocket, if there is one, once what was sent before is out.
    Disconnect {
        /// Whose.
        member: MemberId,
        /// As in the `bye` that was sent.
        reason: Reason,
    },
    /// Something for the media side.
    Media(MediaOrder),
}

/// What a room wants of the media side. Each is safe to repeat.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaOrder {
    /// Answer an offer; [`MediaFact::Answered`] or [`MediaFact::OfferRefused`] follows.
    Answer {
        /// Whose.
        member: MemberId,
        /// Of the request.
        id: Option<RequestId>,
        /// Of the offer.
        epoch: Epoch,
        /// The offer.
        sdp: String,
        /// If it is answered, the member's old connection is forgotten.
        fresh: bool,
    },
    /// Forget a member's connection and all that they send and see.
    ClosePeer {
        /// Whose.
        member: MemberId,
    },
    /// A source is on that m-line from now on (and no longer on another). Told again after every
    /// answer, so that it may come before the m-line does.
    Publish {
        /// Whose.
        member: MemberId,
        /// Which.
        source: Source,
        /// The m-line of their connection to the node.
        mid: String,
        /// Silent or black for now.
        muted: bool,
    },
    /// A source falls silent or comes back.
    Mute {
        /// Whose.
        member: MemberId,
        /// Which.
        source: Source,
        /// Whether it is silent.
        muted: bool,
    },
    /// A source is no longer there.
    Unpublish {
        /// Whose.
        member: MemberId,
        /// Which.
        source: Source,
    },
    /// Record the room, all of it, from now on; or end its recording. [`RoomInput::Recording`]
    /// follows where that changes something, and [`MediaFact::RecordAnswered`] where it is to begin.
    Record {
        /// Which owner wants it.
        member: MemberId,
        /// Of the request.
        id: Option<RequestId>,
        /// From now on.
        active: bool,
    },
    /// Who sits on the viewer's seats: the whole plan, by seat number.
    Seat {
        /// Whose seats.
        viewer: MemberId,
        /// One entry for every seat of the viewer's connection.
        seats: Vec<Option<SeatOrder>>,
    },
}

/// What a seat shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatOrder {
    /// Whose.
    pub member: MemberId,
    /// Which of theirs.
    pub feed: Feed,
    /// The height in pixels beyond which a larger layer is not needed; 0: sound only.
    pub max_height: u16,
}

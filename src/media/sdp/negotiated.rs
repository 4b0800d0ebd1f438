//! What an offer and its answer agreed on.

use super::error::Refusal;
use super::ssrcs::Ssrcs;
use crate::logic::forward::codec::{MediaKind, PayloadTypes};
use crate::logic::forward::extension::ExtensionIds;
use crate::media::fingerprint::Fingerprint;

/// What holds on a connection since its last answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The client's side.
    pub remote: Remote,
    /// The m-lines in their order, which is the same in every offer and answer of a connection.
    pub lines: Vec<Line>,
    pub(super) session: SessionId,
    /// Those that were not given to a seat yet.
    pub(super) ssrcs: Ssrcs,
}

impl Negotiated {
    /// Whether the client has other ICE credentials than in `previous` (RFC 8445 §9).
    pub fn is_restart(&self, previous: &Negotiated) -> bool {
        self.remote.restarts_ice(&previous.remote)
    }

    /// The m-line of that name. Nothing is found by an empty name.
    pub fn line(&self, mid: &str) -> Option<&Line> {
        let named = |line: &&Line| !mid.is_empty() && line.mid() == mid;
        self.lines.iter().find(named)
    }

    /// The lines that the client publishes on, inactive ones too.
    pub fn publish_lines(&self) -> impl Iterator<Item = &PublishLine> {
        self.lines.iter().filter_map(|line| match line {
            Line::Publish(line) => Some(line),
            _ => None,
        })
    }

    /// The halves of seats, inactive ones too.
    pub fn seat_lines(&self) -> impl Iterator<Item = &SeatLine> {
        self.lines.iter().filter_map(|line| match line {
            Line::Seat(line) => Some(line),
            _ => None,
        })
    }
}

/// The `o=` line of the answers on one connection: one id, a version that counts up (RFC 3264 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionId {
    pub(super) id: u64,
    pub(super) version: u64,
}

/// The client's transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// ICE username fragment.
    pub ufrag: String,
    /// ICE password.
    pub password: String,
    /// Of the certificate that DTLS must show.
    pub fingerprint: Fingerprint,
    /// On all its lines it takes RTCP feedback without a report in front (RFC 5506).
    pub reduced_size: bool,
}

impl Remote {
    pub(super) fn restarts_ice(&self, previous: &Remote) -> bool {
        self.ufrag != previous.ufrag || self.password != previous.password
    }
}

/// One m-line. What a mid is, publish line or seat, it stays for the life of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The client sends.
    Publish(PublishLine),
    /// The client receives.
    Seat(SeatLine),
    /// Accepted, but was `inactive` from its first offer on: what it will be is open.
    Inactive {
        /// Its name; empty for the only line of an offer that names none.
        mid: String,
        /// Sound or picture.
        kind: MediaKind,
    },
    /// Answered with port 0 and outside the BUNDLE.
    Refused {
        /// Its name, empty if it has none.
        mid: String,
        /// Why.
        why: Refusal,
    },
}

impl Line {
    /// Its name; empty if it has none.
    pub fn mid(&self) -> &str {
        match self {
            Line::Publish(line) => &line.mid,
            Line::Seat(line) => &line.mid,
            Line::Inactive { mid, .. } | Line::Refused { mid, .. } => mid,
        }
    }

    /// Whether it is part of the connection.
    pub fn is_accepted(&self) -> bool {
        !matches!(self, Line::Refused { .. })
    }
}

/// An m-line on which the client sends; answered `recvonly`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishLine {
    /// Its name; empty for the only line of an offer that names none.
    pub mid: String,
    /// Sound or picture.
    pub kind: MediaKind,
    /// Media may flow; `false` while the line is answered `inactive`.
    pub active: bool,
    /// What the client calls the codecs.
    pub payload_types: PayloadTypes,
    /// What the client calls the header extensions.
    pub extensions: ExtensionIds,
    /// The feedback that the client wants.
    pub feedback: Feedback,
    /// The simulcast layers in the offer's order, at most [`super::LAYERS_MAX`]; empty without
    /// simulcast.
    pub rids: Vec<String>,
    /// The streams that the offer names, in its order, at most [`super::STREAMS_MAX`]. Chromium
    /// names none with simulcast, Firefox one per layer.
    pub streams: Vec<StreamSsrcs>,
}

/// A stream by its SSRCs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamSsrcs {
    /// Of the media.
    pub media: u32,
    /// Of its retransmissions (`a=ssrc-group:FID`).
    pub rtx: Option<u32>,
}

/// An m-line on which the client receives: the audio or the video half of a seat; answered
/// `sendonly`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatLine {
    /// Its name; empty for the only line of an offer that names none.
    pub mid: String,
    /// Sound or picture.
    pub kind: MediaKind,
    /// Media may flow; `false` while the line is answered `inactive`.
    pub active: bool,
    /// The seat's number, from 0.
    pub seat: u16,
    /// Of the media that the node sends here, for the life of the connection.
    pub ssrc: u32,
    /// Of the retransmissions, for the life of the connection.
    pub rtx_ssrc: Option<u32>,
    /// What the client calls the codecs.
    pub payload_types: PayloadTypes,
    /// What the client calls the header extensions.
    pub extensions: ExtensionIds,
    /// The feedback that the client will send.
    pub feedback: Feedback,
}

impl SeatLine {
    /// The id of the `MediaStream` that both halves of the seat are in; also their RTCP CNAME.
    pub fn stream_id(&self) -> String {
        format!("seat-{}", self.seat)
    }

    /// The id of this half's track.
    pub fn track_id(&self) -> String {
        let kind = match self.kind {
            MediaKind::Audio => "audio",
            MediaKind::Video => "video",
        };
        format!("seat-{}-{kind}", self.seat)
    }
}

/// RTCP feedback on a line: what the answer grants to any of its codecs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Feedback {
    /// Retransmission requests (RFC 4585).
    pub nack: bool,
    /// Picture loss indication (RFC 4585).
    pub pli: bool,
    /// Full intra request (RFC 5104).
    pub fir: bool,
    /// Transport-wide congestion control; its header extension is negotiated too.
    pub transport_cc: bool,
    /// Receiver estimated maximum bitrate; granted only where `transport_cc` is not.
    pub remb: bool,
}

//! A member's media: their connection, what they publish on it, the seats they have on it.

use std::time::Instant;

use rand::Rng;
use rand::rngs::StdRng;

use crate::ids::MemberId;
use crate::logic::forward::codec::MediaKind;
use crate::logic::forward::extension::{Extension, ExtensionIds};
use crate::logic::forward::packet::RtpView;
use crate::logic::forward::reports::{PublisherClock, ReportPace, RoundTrip};
use crate::logic::forward::rewrite::Stamp;
use crate::logic::forward::sent::SentLog;
use crate::logic::forward::twcc::TwccRecorder;
use crate::logic::limits::{Bucket, Limits};
use crate::media::bindings::{Binding, Bindings, Labels};
use crate::media::demux::PeerKey;
use crate::media::outlet::OutletId;
use crate::media::peer::Peer;
use crate::media::sdp::{Line, SeatLine};
use crate::media::track::TrackSlot;

/// Fractional bits of the abs-send-time extension: 6.18 fixed-point seconds.
const SEND_TIME_FRACTION_BITS: u32 = 18;

/// The outlets of one seat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeatOutlets {
    /// The sound.
    pub audio: Option<OutletId>,
    /// The picture.
    pub video: Option<OutletId>,
}

impl SeatOutlets {
    /// Neither half has an m-line.
    pub fn is_stopped(&self) -> bool {
        self.audio.is_none() && self.video.is_none()
    }

    /// The outlet of that kind.
    pub fn of(&self, kind: MediaKind) -> Option<OutletId> {
        match kind {
            MediaKind::Audio => self.audio,
            MediaKind::Video => self.video,
        }
    }
}

/// One member with a connection to the node.
pub struct Participant {
    /// Who.
    pub member: MemberId,
    /// Names the connection to the switchboard.
    pub key: PeerKey,
    /// The connection.
    pub peer: Peer,
    /// Our name in feedback to them.
    pub ssrc: u32,
    /// By m-line: what they publish.
    pub tracks: Vec<Option<TrackSlot>>,
    /// By seat number.
    pub seats: Vec<SeatOutlets>,
    /// By SSRC: the halves of their seats.
    pub outlets: Vec<(u32, OutletId)>,
    /// How their wall clock relates to the node's.
    pub clock: PublisherClock,
    /// From the node to them and back.
    pub round_trip: RoundTrip,
    /// When their packets came.
    pub arrivals: TwccRecorder,
    /// What was sent to them.
    pub sent: SentLog,
    /// When reports to them are due.
    pub pace: ReportPace,
    /// The stream that a packet came of last. Chromium drops transport-wide feedback that names a
    /// stream which it does not send.
    pub heard: u32,
    /// The connection came up once.
    pub was_up: bool,
    /// What is left of the bytes that they may send.
    pub rate: Bucket,
    /// What is left of their packets.
    pub packets: Bucket,
    bindings: Bindings,
    publish_extensions: ExtensionIds,
    began: Instant,
}

impl Participant {
    /// A member whose first offer was answered.
    pub fn new(
        now: Instant,
        member: MemberId,
        (key, peer): (PeerKey, Peer),
        limits: &Limits,
        rng: &mut StdRng,
    ) -> Self {
        Self {
            member,
            key,
            peer,
            ssrc: rng.random(),
            tracks: Vec::new(),
            seats: Vec::new(),
            outlets: Vec::new(),
            clock: PublisherClock::default(),
            round_trip: RoundTrip::default(),
            arrivals: TwccRecorder::new(),
            sent: SentLog::new(now),
            pace: ReportPace::new(now, rng.random()),
            heard: 0,
            was_up: false,
            rate: limits.publisher_bucket(now),
            packets: limits.packet_bucket(now),
            bindings: Bindings::default(),
            publish_extensions: ExtensionIds::default(),
            began: now,
        }
    }

    /// Takes over what was just negotiated, whose m-lines it returns. The id of a header extension
    /// is the same on all lines of a BUNDLE (RFC 8843 §9.2), but not every line has every extension.
    pub fn negotiated(&mut self) -> Vec<Line> {
        let negotiated = self.peer.negotiated();
        self.publish_extensions = ExtensionIds::default();
        for line in negotiated.publish_lines() {
            for extension in Extension::ALL {
                if let Some(id) = line.extensions.get(extension) {
                    self.publish_extensions.set(extension, id);
                }
            }
        }
        self.bindings.keep_lines(negotiated);
        self.tracks.resize(negotiated.lines.len(), None);
        negotiated.lines.clone()
    }

    /// Notes the outlet of a new seat line.
    pub fn add_outlet(&mut self, line: &SeatLine, outlet: OutletId) {
        let seat = usize::from(line.seat);
        if self.seats.len() <= seat {
            self.seats.resize(seat + 1, SeatOutlets::default());
        }
        match line.kind {
            MediaKind::Audio => self.seats[seat].audio = Some(outlet),
            MediaKind::Video => self.seats[seat].video = Some(outlet),
        }
        self.outlets.push((line.ssrc, outlet));
    }

    /// What the received SSRC is; `true` beside it if that was learnt just now.
    pub fn bind(&mut self, view: &RtpView<'_>) -> Option<(Binding, bool)> {
        if let Some(known) = self.bindings.get(view.ssrc) {
            return Some((known, false));
        }
        let value = |extension| {
            self.publish_extensions
                .get(extension)
                .and_then(|id| view.extension(id))
        };
        let labels = Labels {
            mid: value(Extension::Mid),
            rid: value(Extension::Rid),
            repaired_rid: value(Extension::RepairedRid),
            payload_type: view.payload_type,
        };
        let learnt = self
            .bindings
            .learn(view.ssrc, labels, self.peer.negotiated())?;
        Some((learnt, true))
    }

    /// What a received SSRC is, as far as it is known.
    pub fn binding(&self, ssrc: u32) -> Option<Binding> {
        self.bindings.get(ssrc)
    }

    /// Notes when a packet came, for the publisher's bandwidth estimation.
    pub fn record_arrival(&mut self, now: Instant, view: &RtpView<'_>) {
        self.heard = view.ssrc;
        let id = self.publish_extensions.get(Extension::TransportSequence);
        if let Some(&[high, low]) = id.and_then(|id| view.extension(id)) {
            self.arrivals.record(now, u16::from_be_bytes([high, low]));
        }
    }

    /// What only the moment of sending knows of a packet to them.
    pub fn stamp(&mut self, now: Instant, extensions: &ExtensionIds) -> Stamp<'static> {
        let transport_sequence = extensions
            .get(Extension::TransportSequence)
            .map(|_| self.sent.send(now));
        let abs_send_time = extensions
            .get(Extension::AbsSendTime)
            .map(|_| self.send_time(now));
        Stamp {
            transport_sequence,
            abs_send_time,
            mid: None,
        }
    }

    /// The outlet that has this SSRC.
    pub fn outlet(&self, ssrc: u32) -> Option<OutletId> {
        self.outlets
            .iter()
            .find(|(known, _)| *known == ssrc)
            .map(|&(_, outlet)| outlet)
    }

    fn send_time(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.began).as_micros();
        ((elapsed << SEND_TIME_FRACTION_BITS) / 1_000_000) as u32 & 0x00ff_ffff
    }
}

//! One half of a seat: a leg, the SRTP state of its streams, and its sender reports.

use std::time::Instant;

use rand::rngs::StdRng;

use crate::logic::forward::codec::MediaKind;
use crate::logic::forward::leg::{Leg, LegConfig, Resend, SourceInfo, Verdict};
use crate::logic::forward::packet::Facts;
use crate::logic::forward::pressure::Relief;
use crate::logic::forward::reports::{
    ClockMap, LegReports, LegState, NtpClock, NtpTime, SenderReport,
};
use crate::logic::forward::rewrite;
use crate::media::egress::SendArena;
use crate::media::participant::Participant;
use crate::media::sdp::SeatLine;
use crate::media::srtp::StreamState;
use crate::media::track::TrackSlot;

/// An outlet by its place in the conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutletId(pub usize);

/// A half of a viewer's seat.
pub struct Outlet {
    /// Decides and numbers.
    pub leg: Leg,
    /// The participant that it belongs to, by place.
    pub viewer: usize,
    /// The seat's number.
    pub seat: u16,
    /// Sound or picture.
    pub kind: MediaKind,
    /// The track on it.
    pub track: Option<TrackSlot>,
    /// The viewer's m-line is active.
    active: bool,
    /// The track on it is muted.
    muted: bool,
    /// What is left out as the shard is behind.
    relief: Relief,
    media: StreamState,
    rtx: Option<StreamState>,
    reports: LegReports,
}

impl Outlet {
    /// An empty outlet of a seat line.
    pub fn new(now: Instant, viewer: usize, line: &SeatLine, rng: &mut StdRng) -> Self {
        let config = LegConfig {
            kind: line.kind,
            ssrc: line.ssrc,
            rtx_ssrc: line.rtx_ssrc,
            payload_types: line.payload_types,
            extensions: line.extensions,
        };
        let clock_rate = match line.kind {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        };
        Self {
            leg: Leg::new(config, rng),
            viewer,
            seat: line.seat,
            kind: line.kind,
            track: None,
            active: line.active,
            muted: false,
            relief: Relief::None,
            media: StreamState::new(line.ssrc),
            rtx: line.rtx_ssrc.map(StreamState::new),
            reports: LegReports::new(now, clock_rate),
        }
    }

    /// Takes over what a later negotiation changed.
    pub fn renegotiate(&mut self, now: Instant, line: &SeatLine) {
        self.leg.reconfigure(line.payload_types, line.extensions);
        self.active = line.active;
        self.pause(now);
    }

    /// The track on the outlet falls silent or comes back.
    pub fn set_muted(&mut self, now: Instant, muted: bool) {
        self.muted = muted;
        self.pause(now);
    }

    /// Leaves out what a shard that is behind does not send. Sound is never left out.
    pub fn relieve(&mut self, now: Instant, relief: Relief) {
        if self.kind == MediaKind::Audio || self.relief == relief {
            return;
        }
        self.relief = relief;
        let lowest = (relief != Relief::None).then_some(0);
        self.leg.set_max_layer(now, lowest);
        self.pause(now);
    }

    fn pause(&mut self, now: Instant) {
        let is_left_out = self.relief == Relief::Pictures;
        let is_paused = self.muted || !self.active || is_left_out;
        self.leg.set_paused(now, is_paused);
    }

    /// Puts a track on the outlet, or takes it off.
    pub fn set_source(
        &mut self,
        now: Instant,
        slot: Option<TrackSlot>,
        source: Option<SourceInfo<'_>>,
    ) {
        self.track = slot;
        self.leg.set_source(now, source);
        self.reports.restart(now);
    }

    /// Judges a packet and sends it to the viewer if it is to go out. Returns the bytes sent.
    pub fn forward(
        &mut self,
        now: Instant,
        facts: &Facts<'_>,
        viewer: &mut Participant,
        out: &mut SendArena,
    ) -> Option<usize> {
        let Verdict::Forward(outgoing) = self.leg.judge(now, facts) else {
            return None;
        };
        let stamp = viewer.stamp(now, &self.leg.config().extensions);
        let config = self.leg.config();
        let before = out.begin();
        let sent = viewer.peer.send_rtp(&mut self.media, out, |arena| {
            rewrite::write(arena, config, &outgoing, facts, &stamp)
        });
        sent.then(|| out.begin() - before)
    }

    /// Which cached packet answers a NACK for this number, if any is to be sent again now.
    pub fn resend(&mut self, now: Instant, sequence: u16) -> Option<Resend> {
        self.leg.resend(now, sequence)
    }

    /// Sends a packet again.
    pub fn retransmit(
        &mut self,
        now: Instant,
        resend: &Resend,
        facts: &Facts<'_>,
        viewer: &mut Participant,
        out: &mut SendArena,
    ) -> bool {
        let Some(stream) = &mut self.rtx else {
            return false;
        };
        let config = self.leg.config();
        let stamp = viewer.stamp(now, &config.extensions);
        viewer.peer.send_rtp(stream, out, |arena| {
            rewrite::write_rtx(arena, config, resend, facts, &stamp).unwrap_or_default()
        })
    }

    /// The sender report to send now, on the leg's own timeline. Nothing before the first packet.
    pub fn report(
        &mut self,
        now: Instant,
        wall: &NtpClock,
        publisher: &Participant,
    ) -> Option<SenderReport> {
        let state = self.leg.sender_state(now)?;
        let clock = state.clock.map(|clock| ClockMap {
            ntp: NtpTime(clock.ntp),
            rtp: clock.rtp,
        });
        let state = LegState {
            ssrc: self.leg.config().ssrc,
            packets: state.packets,
            octets: state.octets,
            rtp_now: state.rtp_now,
            clock,
        };
        self.reports.report(now, wall, &publisher.clock, &state)
    }
}

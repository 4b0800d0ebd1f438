//! Who sits where: puts published tracks on the outlets of viewers' seats, as the room's plan says.

use std::time::Instant;

use crate::ids::MemberId;
use crate::logic::forward::codec::MediaKind;
use crate::logic::forward::leg::SourceInfo;
use crate::logic::room::SeatOrder;
use crate::media::conference::{Conference, Surroundings};
use crate::media::outlet::OutletId;
use crate::media::peer::PeerState;
use crate::media::sdp::Line;
use crate::media::track::TrackSlot;
use crate::protocol::client::{Feed, Source};

/// A cached key frame and what followed it is sent to a new viewer only if it is no more packets
/// than this: a longer burst does not arrive whole.
pub(super) const REPLAY_PACKETS_MAX: u64 = 100;

impl Conference {
    /// Applies the plan to a viewer's outlets. Safe to repeat: what is right already is left alone.
    ///
    /// Until the viewer's connection is up nothing is on them: a key frame would be spent on nobody,
    /// and who never connects would make publishers send them.
    pub(super) fn reseat(&mut self, now: Instant, viewer: MemberId, around: &mut Surroundings<'_>) {
        let Some(participant) = self
            .participant_of(viewer)
            .and_then(|place| self.participants.get(place))
        else {
            return;
        };
        if participant.peer.state() != PeerState::Connected {
            return;
        }
        let seats = participant.seats.clone();
        let plan = self.plans.get(&viewer).cloned().unwrap_or_default();
        for (index, seat) in seats.into_iter().enumerate() {
            let order = plan.get(index).copied().flatten();
            for kind in [MediaKind::Audio, MediaKind::Video] {
                if let Some(outlet) = seat.of(kind) {
                    self.fill(now, outlet, kind, order, around);
                }
            }
        }
    }

    /// Applies the plans of those who are to see a member: a track of theirs came or went.
    pub(super) fn reseat_viewers_of(
        &mut self,
        now: Instant,
        member: MemberId,
        around: &mut Surroundings<'_>,
    ) {
        self.retap(now, around);
        let sees = |plan: &[Option<SeatOrder>]| {
            let mut seated = plan.iter().flatten();
            seated.any(|order| order.member == member)
        };
        let viewers = self.plans.iter().filter(|(_, plan)| sees(plan));
        let viewers: Vec<_> = viewers.map(|(&viewer, _)| viewer).collect();
        for viewer in viewers {
            self.reseat(now, viewer, around);
        }
    }

    fn fill(
        &mut self,
        now: Instant,
        id: OutletId,
        kind: MediaKind,
        order: Option<SeatOrder>,
        around: &mut Surroundings<'_>,
    ) {
        let wanted =
            order.and_then(|order| self.track_of(order.member, source_of(order.feed, kind)));
        let Some(outlet) = self.outlets.get_mut(id.0) else {
            return;
        };
        if let (MediaKind::Video, Some(order)) = (kind, order) {
            outlet.leg.set_max_height(now, order.max_height);
        }
        if outlet.track != wanted {
            self.unseat(now, id);
            if let Some(slot) = wanted {
                self.seat(now, id, slot);
            }
        }
        if wanted.is_some() && kind == MediaKind::Video {
            self.start_picture(now, id, around);
        }
    }

    fn seat(&mut self, now: Instant, id: OutletId, slot: TrackSlot) {
        let (Some(outlet), Some(track)) = (self.outlets.get_mut(id.0), self.tracks.get_mut(slot.0))
        else {
            return;
        };
        let infos = track.layer_infos();
        let source = SourceInfo {
            track: track.id,
            layers: &infos[..track.layers().len()],
        };
        outlet.set_source(now, Some(slot), Some(source));
        outlet.set_muted(now, track.muted);
        self.decoding.touch();
        track.outlets.push(id);
    }

    /// Takes whatever is on an outlet off it.
    pub(super) fn unseat(&mut self, now: Instant, id: OutletId) {
        let Some(outlet) = self.outlets.get_mut(id.0) else {
            return;
        };
        if let Some(track) = outlet.track.and_then(|slot| self.tracks.get_mut(slot.0)) {
            track.outlets.retain(|&other| other != id);
        }
        outlet.set_source(now, None, None);
        self.decoding.touch();
    }

    /// Takes a track off every outlet.
    pub(super) fn take_off_air(&mut self, now: Instant, slot: TrackSlot) {
        let outlets = self.tracks.get(slot.0).map(|track| track.outlets.clone());
        for id in outlets.unwrap_or_default() {
            self.unseat(now, id);
        }
    }

    /// The track's numbers start anew: every outlet that has it begins again.
    pub(super) fn restart_track(&mut self, now: Instant, slot: TrackSlot) {
        let id = self.new_track_id();
        let Some(track) = self.tracks.get_mut(slot.0) else {
            return;
        };
        track.id = id;
        for listener in self.recording.iter_mut().chain(&mut self.taps) {
            listener.restarted(now, slot, track);
        }
        let outlets = track.outlets.clone();
        self.outputs_restarted(now, slot);
        self.take_off_air(now, slot);
        for outlet in outlets {
            self.seat(now, outlet, slot);
        }
    }

    /// A track falls silent or comes back: its outlets go on without a gap.
    pub(super) fn set_muted(&mut self, now: Instant, slot: TrackSlot, muted: bool) {
        let Some(track) = self.tracks.get_mut(slot.0) else {
            return;
        };
        track.muted = muted;
        for id in &track.outlets {
            if let Some(outlet) = self.outlets.get_mut(id.0) {
                outlet.set_muted(now, muted);
            }
        }
    }

    /// Gives a picture that waits for a key frame one from the cache, or asks the publisher.
    pub(super) fn start_picture(
        &mut self,
        now: Instant,
        id: OutletId,
        around: &mut Surroundings<'_>,
    ) {
        let Some(outlet) = self.outlets.get_mut(id.0) else {
            return;
        };
        let (Some(slot), Some(layer)) = (outlet.track, outlet.leg.wants_key_frame(now)) else {
            return;
        };
        let Some(track) = self.tracks.get(slot.0) else {
            return;
        };
        let Some(viewer) = self.participants.get_mut(outlet.viewer) else {
            return;
        };
        let fresh = track.fresh_key_frame(now, layer);
        let short = fresh.filter(|range| range.end() - range.start() < REPLAY_PACKETS_MAX);
        if short.is_some() {
            outlet.leg.replay(layer);
        }
        for facts in short
            .into_iter()
            .flatten()
            .filter_map(|number| track.facts(now, layer, number))
        {
            let bytes = outlet.forward(now, &facts, viewer, &mut around.out.datagrams);
            around.counters.sent(bytes);
        }
        self.request_key_frames(now, slot, around);
    }

    /// The track on a member's m-line.
    pub(super) fn track_of_line(&self, member: MemberId, mid: &str) -> Option<TrackSlot> {
        let participant = self.participants.get(self.participant_of(member)?)?;
        let lines = &participant.peer.negotiated().lines;
        let is_it = |line: &Line| matches!(line, Line::Publish(line) if line.mid == mid);
        participant
            .tracks
            .get(lines.iter().position(is_it)?)
            .copied()
            .flatten()
    }

    /// The track that carries a member's source.
    pub(super) fn track_of(&self, member: MemberId, source: Source) -> Option<TrackSlot> {
        let participant = self.participants.get(self.participant_of(member)?)?;
        let mut slots = participant.tracks.iter().flatten().copied();
        slots.find(|slot| {
            self.tracks
                .get(slot.0)
                .is_some_and(|track| track.source == Some(source))
        })
    }
}

fn source_of(feed: Feed, kind: MediaKind) -> Source {
    match (feed, kind) {
        (Feed::Camera, MediaKind::Audio) => Source::Microphone,
        (Feed::Camera, MediaKind::Video) => Source::Camera,
        (Feed::Screen, MediaKind::Audio) => Source::ScreenAudio,
        (Feed::Screen, MediaKind::Video) => Source::Screen,
    }
}

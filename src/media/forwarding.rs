//! The packet path: from an opened packet of a publisher to sealed packets for its viewers.

use std::time::Instant;

use crate::logic::forward::packet::RtpView;
use crate::media::conference::{Conference, Surroundings};
use crate::media::track::{Intake, TrackSlot};
use crate::protocol::client::Source;

impl Conference {
    /// Takes an opened RTP packet of a participant.
    pub(super) fn rtp(
        &mut self,
        now: Instant,
        place: usize,
        packet: &[u8],
        around: &mut Surroundings<'_>,
    ) {
        let (Some(participant), Some(view)) =
            (self.participants.get_mut(place), RtpView::parse(packet))
        else {
            return;
        };
        around.counters.packets_in += 1;
        around.counters.bytes_in += packet.len() as u64;
        if !participant.packets.take(now) {
            around.counters.dropped.too_many += 1;
            return;
        }
        if !participant.rate.take_many(now, packet.len() as u32) {
            around.counters.dropped.too_fast += 1;
            return;
        }
        participant.record_arrival(now, &view);
        let Some((binding, learnt)) = participant.bind(&view) else {
            around.counters.dropped.unbound += 1;
            return;
        };
        let Some(slot) = participant.tracks.get(binding.line).copied().flatten() else {
            return;
        };
        let Some(track) = self.tracks.get_mut(slot.0) else {
            return;
        };
        if learnt && track.bind(now, binding, view.ssrc) {
            self.restart_track(now, slot);
        }
        let Some(track) = self.tracks.get_mut(slot.0) else {
            return;
        };
        let extended = match track.receive(now, binding, &view, packet) {
            Intake::New(extended) => extended,
            Intake::Restarted(extended) => {
                self.restart_track(now, slot);
                extended
            }
            Intake::Drop => return,
        };
        self.stay_busy(now);
        self.forward(now, slot, binding.layer, extended, around);
    }

    fn forward(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        layer: u8,
        extended: u64,
        around: &mut Surroundings<'_>,
    ) {
        let Some(track) = self.tracks.get(slot.0) else {
            return;
        };
        let Some(facts) = track.facts(now, layer, extended) else {
            return;
        };
        if track.muted {
            return;
        }
        if let (Some(Source::Microphone), Some(level)) = (track.source, facts.audio_level()) {
            self.speakers.handle(now, track.member, level);
        }
        for id in &track.outlets {
            let Some(outlet) = self.outlets.get_mut(id.0) else {
                continue;
            };
            let Some(viewer) = self.participants.get_mut(outlet.viewer) else {
                continue;
            };
            let bytes = outlet.forward(now, &facts, viewer, &mut around.out.datagrams);
            around.counters.sent(bytes);
        }
        for listener in self.recording.iter_mut().chain(&mut self.taps) {
            let place = self.by_member.get(&track.member);
            let publisher = place.and_then(|&place| self.participants.get(place));
            let clock = publisher.map_or_else(Default::default, |publisher| publisher.clock);
            listener.take(now, slot, &facts, &clock, &mut around.out.effects);
        }
        if let Some(outputs) = &mut self.outputs {
            outputs.take(now, slot, &facts, around);
        }
        if facts.starts_key_frame {
            let height = facts.height;
            self.key_frame_came(now, slot, layer, (extended, height), around);
        }
    }

    /// A key frame that was overtaken by its own later packets came too late for the legs that wait
    /// for it; they get it from the cache.
    fn key_frame_came(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        layer: u8,
        (extended, height): (u64, Option<u16>),
        around: &mut Surroundings<'_>,
    ) {
        let Some(track) = self.tracks.get_mut(slot.0) else {
            return;
        };
        track.key_frame_came(layer, extended, height);
        let received = track.layers().get(usize::from(layer));
        let newest = received.and_then(|layer| layer.stream.highest());
        if newest.is_some_and(|newest| newest > extended) {
            for id in track.outlets.clone() {
                self.start_picture(now, id, around);
            }
            self.start_outputs(now, slot, around);
        }
    }
}

//! What is reported and asked for: RTCP in, and RTCP out at every tick.

use std::time::{Duration, Instant};

use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;

use crate::logic::forward::pli::KeyFrameRequest;
use crate::logic::forward::reports::{ReportBlock, SenderReport};
use crate::logic::room::{MediaFact, RoomInput};
use crate::media::conference::{Conference, Surroundings};
use crate::media::participant::Participant;
use crate::media::rtcp::{self, Composer, Compound, Feedback, Message};
use crate::media::track::TrackSlot;

/// Between two ticks while media flows: how late a retransmission is asked for at most.
const TICK_BUSY: Duration = Duration::from_millis(20);
/// Between two ticks while nothing flows.
const TICK_IDLE: Duration = Duration::from_millis(500);

impl Conference {
    /// Media came: the next tick must not be far.
    pub(super) fn stay_busy(&mut self, now: Instant) {
        if !self.busy {
            self.busy = true;
            let soon = now + TICK_BUSY;
            self.tick_at = Some(self.tick_at.map_or(soon, |at| at.min(soon)));
        }
    }

    /// Takes an opened RTCP packet of a participant.
    pub(super) fn rtcp(
        &mut self,
        now: Instant,
        place: usize,
        packet: &[u8],
        around: &mut Surroundings<'_>,
    ) {
        around.counters.rtcp_in += 1;
        let participant = self.participants.get_mut(place);
        if !participant.is_some_and(|participant| participant.packets.take(now)) {
            around.counters.dropped.too_many += 1;
            return;
        }
        for item in rtcp::parse(packet) {
            self.take_feedback(now, place, item, around);
        }
    }

    fn take_feedback(
        &mut self,
        now: Instant,
        place: usize,
        item: Feedback,
        around: &mut Surroundings<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(place) else {
            return;
        };
        match item {
            Feedback::SenderReport(report) => self.sender_report(now, place, &report, around),
            Feedback::ReceptionReport(block) => {
                let Some(round_trip) = block.round_trip(around.wall.ntp(now)) else {
                    return;
                };
                participant.round_trip.observe(round_trip);
                let round_trip = participant.round_trip.get();
                let outlet = participant.outlet(block.ssrc);
                if let Some(outlet) = outlet.and_then(|id| self.outlets.get_mut(id.0)) {
                    outlet.leg.set_round_trip(round_trip);
                }
            }
            Feedback::Nack {
                media_ssrc,
                sequences,
            } => {
                around.counters.nacks_in += sequences.len() as u64;
                self.resend(now, place, media_ssrc, &sequences, around);
            }
            Feedback::Pli { media_ssrc } | Feedback::Fir { media_ssrc, .. } => {
                around.counters.key_frame_requests_in += 1;
                let outlet = participant.outlet(media_ssrc);
                let Some(outlet) = outlet.and_then(|id| self.outlets.get_mut(id.0)) else {
                    return;
                };
                outlet.leg.ask_key_frame();
                if let Some(slot) = outlet.track {
                    self.request_key_frames(now, slot, around);
                }
            }
            Feedback::TransportCc(feedback) => {
                participant.sent.settle(now, &feedback);
            }
            Feedback::Remb { .. } | Feedback::Bye { .. } => {}
        }
    }

    fn sender_report(
        &mut self,
        now: Instant,
        place: usize,
        report: &SenderReport,
        around: &mut Surroundings<'_>,
    ) {
        let Some(participant) = self.participants.get_mut(place) else {
            return;
        };
        let came = around.wall.ntp(now);
        let is_set_anew = participant.clock.observe(came, report.clock.ntp);
        for slot in participant.tracks.iter().flatten().filter(|_| is_set_anew) {
            if let Some(track) = self.tracks.get_mut(slot.0) {
                track.forget_clock();
            }
        }
        let Some(binding) = participant
            .binding(report.ssrc)
            .filter(|binding| !binding.rtx)
        else {
            return;
        };
        let slot = participant.tracks.get(binding.line).copied().flatten();
        if let Some(track) = slot.and_then(|slot| self.tracks.get_mut(slot.0))
            && let Some(layer) = track.layers_mut().get_mut(usize::from(binding.layer))
        {
            let publisher = &participant.clock;
            let is_believed = layer
                .stream
                .sender_report((now, came), report.clock, publisher);
            around.counters.reports_disbelieved += u64::from(!is_believed);
        }
    }

    fn resend(
        &mut self,
        now: Instant,
        place: usize,
        ssrc: u32,
        sequences: &[u16],
        around: &mut Surroundings<'_>,
    ) {
        let Some(viewer) = self.participants.get_mut(place) else {
            return;
        };
        let Some(outlet) = viewer
            .outlet(ssrc)
            .and_then(|id| self.outlets.get_mut(id.0))
        else {
            return;
        };
        let Some(slot) = outlet.track else {
            return;
        };
        let Some(track) = self.tracks.get(slot.0) else {
            return;
        };
        let mut stands_still = false;
        for &sequence in sequences {
            if outlet.leg.has_forgotten(sequence) {
                stands_still |= outlet.leg.lost_for_good(sequence);
            }
            let Some(resend) = outlet.resend(now, sequence) else {
                continue;
            };
            if resend.track != track.id {
                continue;
            }
            let Some(facts) = track.facts(now, resend.layer, resend.sequence) else {
                stands_still |= outlet.leg.lost_for_good(sequence);
                continue;
            };
            if outlet.retransmit(now, &resend, &facts, viewer, &mut around.out.datagrams) {
                around.counters.retransmissions += 1;
            }
        }
        if stands_still {
            self.request_key_frames(now, slot, around);
        }
    }

    /// Asks the publisher of a track for the key frames that its viewers wait for, as far as pacing
    /// allows now.
    pub(super) fn request_key_frames(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        around: &mut Surroundings<'_>,
    ) {
        let requests = self.due_key_frames(now, slot);
        let owner = self.tracks.get(slot.0).map(|track| track.member);
        let place = owner.and_then(|member| self.participant_of(member));
        let Some(publisher) = place.and_then(|place| self.participants.get_mut(place)) else {
            return;
        };
        let messages: Vec<_> = requests
            .into_iter()
            .map(|(media_ssrc, request)| Message::KeyFrame {
                media_ssrc,
                request,
            })
            .collect();
        around.counters.key_frame_requests_out += messages.len() as u64;
        send(publisher, &[], &[], &messages, around);
    }

    fn due_key_frames(&mut self, now: Instant, slot: TrackSlot) -> Vec<(u32, KeyFrameRequest)> {
        let Some(track) = self.tracks.get_mut(slot.0) else {
            return Vec::new();
        };
        let mut wanted = [false; crate::logic::forward::layer::MAX_LAYERS];
        for id in &track.outlets {
            let layer = self
                .outlets
                .get(id.0)
                .and_then(|outlet| outlet.leg.wants_key_frame(now));
            if let Some(wanted) = layer.and_then(|layer| wanted.get_mut(usize::from(layer))) {
                *wanted = true;
            }
        }
        for listener in self.recording.iter().chain(&self.taps) {
            let layer = listener.wants_key_frame(now, slot);
            if let Some(wanted) = layer.and_then(|layer| wanted.get_mut(usize::from(layer))) {
                *wanted = true;
            }
        }
        if let Some(outputs) = &mut self.outputs {
            outputs.want_key_frames(now, slot, &mut wanted);
        }
        let mut due = Vec::new();
        for (layer, wanted) in track.layers_mut().iter_mut().zip(wanted) {
            if !wanted {
                layer.requests.abandon();
            } else if let Some(request) = layer.requests.want(now) {
                due.push((layer.stream.config().ssrc, request));
            }
        }
        due
    }

    /// Everything that is due at regular times: retransmissions to ask for, transport-wide
    /// feedback, key frames, reports, who speaks.
    pub(super) fn tick(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        for place in 0..self.participants.bound() {
            self.tick_participant(now, place, around);
        }
        if let Some(speakers) = self.speakers.handle_timeout(now) {
            let speakers = speakers.to_vec();
            for listener in self.recording.iter().chain(&self.taps) {
                listener.speakers(now, &speakers, &mut around.out.effects);
            }
            self.handle(now, RoomInput::Media(MediaFact::Speakers(speakers)), around);
        }
        self.tell_undecodable(now, around);
        self.tick_recording(now, around);
        self.tick_outputs(now, around);
        let pause = if std::mem::take(&mut self.busy) {
            TICK_BUSY
        } else {
            TICK_IDLE
        };
        let someone = self.participants.iter().next().is_some();
        self.tick_at = someone.then(|| now + pause);
    }

    fn tell_undecodable(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        let outputs = self.outputs.as_deref();
        let is_sent_on = |slot| outputs.is_some_and(|outputs| outputs.carries(slot));
        let participants = &self.participants;
        let member_at = |place| {
            participants
                .get(place)
                .map(|participant| participant.member)
        };
        let (tracks, outlets) = (&mut self.tracks, &self.outlets);
        let facts = self.decoding.review(tracks, outlets, member_at, is_sent_on);
        for fact in facts {
            self.handle(now, RoomInput::Media(fact), around);
        }
    }

    fn tick_participant(&mut self, now: Instant, place: usize, around: &mut Surroundings<'_>) {
        let Some(participant) = self.participants.get_mut(place) else {
            return;
        };
        let mut missing: Vec<(u32, Vec<u16>)> = Vec::new();
        let mut requests = Vec::new();
        let round_trip = participant.round_trip.get();
        let slots: Vec<_> = participant.tracks.iter().flatten().copied().collect();
        let report_due = participant.pace.handle_timeout(now);
        let (ssrc, heard) = (participant.ssrc, participant.heard);
        let arrivals: Vec<TransportLayerCc> =
            std::iter::from_fn(|| participant.arrivals.feedback(now, ssrc, heard)).collect();
        let mut blocks = Vec::new();
        for slot in slots {
            self.collect_missing(now, slot, round_trip, &mut missing);
            requests.extend(self.due_key_frames(now, slot));
            if report_due {
                blocks.extend(self.report_blocks(now, slot));
            }
        }
        let senders = if report_due {
            self.sender_reports(now, place, around)
        } else {
            Vec::new()
        };
        around.counters.nacks_out += missing
            .iter()
            .map(|(_, numbers)| numbers.len() as u64)
            .sum::<u64>();
        around.counters.key_frame_requests_out += requests.len() as u64;
        let nacks = missing.iter().map(|(media_ssrc, sequences)| Message::Nack {
            media_ssrc: *media_ssrc,
            sequences,
        });
        let messages: Vec<Message<'_>> = nacks
            .chain(arrivals.iter().map(Message::TransportCc))
            .chain(
                requests
                    .into_iter()
                    .map(|(media_ssrc, request)| Message::KeyFrame {
                        media_ssrc,
                        request,
                    }),
            )
            .collect();
        if let Some(participant) = self.participants.get_mut(place) {
            send(participant, &senders, &blocks, &messages, around);
        }
    }

    fn collect_missing(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        round_trip: Duration,
        missing: &mut Vec<(u32, Vec<u16>)>,
    ) {
        let Some(track) = self.tracks.get_mut(slot.0) else {
            return;
        };
        let mut lost_layers = Vec::new();
        for (index, layer) in track.layers_mut().iter_mut().enumerate() {
            let mut sequences = Vec::new();
            layer.stream.nacks(now, round_trip, &mut sequences);
            if !sequences.is_empty() {
                missing.push((layer.stream.config().ssrc, sequences));
            }
            if layer.stream.take_lost_for_good() {
                lost_layers.push(index as u8);
            }
        }
        for listener in self.recording.iter_mut().chain(&mut self.taps) {
            listener.lost_for_good(slot, &lost_layers);
        }
        if let Some(outputs) = &mut self.outputs {
            outputs.lost_for_good(slot, &lost_layers);
        }
        for id in track.outlets.iter().filter(|_| !lost_layers.is_empty()) {
            if let Some(outlet) = self.outlets.get_mut(id.0)
                && outlet
                    .leg
                    .layer()
                    .is_some_and(|layer| lost_layers.contains(&layer))
            {
                outlet.leg.ask_key_frame();
            }
        }
    }

    fn report_blocks(&mut self, now: Instant, slot: TrackSlot) -> Vec<ReportBlock> {
        let layers = self
            .tracks
            .get_mut(slot.0)
            .map(|track| track.layers_mut())
            .unwrap_or_default();
        layers
            .iter_mut()
            .filter_map(|layer| layer.stream.report_block(now))
            .collect()
    }

    fn sender_reports(
        &mut self,
        now: Instant,
        place: usize,
        around: &Surroundings<'_>,
    ) -> Vec<SenderReport> {
        let Some(participant) = self.participants.get(place) else {
            return Vec::new();
        };
        let mut reports = Vec::new();
        for &(_, id) in &participant.outlets {
            let Some(outlet) = self.outlets.get_mut(id.0) else {
                continue;
            };
            let Some(track) = outlet.track.and_then(|slot| self.tracks.get(slot.0)) else {
                continue;
            };
            let publisher = self
                .by_member
                .get(&track.member)
                .and_then(|&place| self.participants.get(place));
            reports
                .extend(publisher.and_then(|publisher| outlet.report(now, around.wall, publisher)));
        }
        reports
    }
}

/// Sends one connection what there is to say, in as many compound packets as it takes.
fn send(
    participant: &mut Participant,
    senders: &[SenderReport],
    blocks: &[ReportBlock],
    messages: &[Message<'_>],
    around: &mut Surroundings<'_>,
) {
    let mut composer = Composer::new(Compound {
        ssrc: participant.ssrc,
        cname: "motet",
        reduced_size: participant.peer.negotiated().remote.reduced_size,
        senders,
        blocks,
        messages,
    });
    loop {
        let mut more = false;
        let sent = participant
            .peer
            .send_rtcp(&mut around.out.datagrams, |arena| {
                more = composer.write(arena)
            });
        if !more || !sent {
            return;
        }
        around.counters.rtcp_out += 1;
    }
}

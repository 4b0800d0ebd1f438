//! A conference that is recorded.

use std::time::Instant;

use rand::Rng;

use super::taps::{Recorded, Recording};
use crate::ids::MemberId;
use crate::logic::record::admission::Refused;
use crate::logic::room::{RecordingScope, RoomEvent, RoomInput};
use crate::media::conference::{Conference, Surroundings};
use crate::media::seating::REPLAY_PACKETS_MAX;
use crate::media::track::TrackSlot;
use crate::protocol::server::{RecordingEnd, RecordingSign};

/// Characters of a recording's id: 80 bits of chance.
const ID_LENGTH: usize = 16;
const ID_LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl Conference {
    /// Begins to record the room, and tells it: as an owner wishes, or whoever runs the node.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn record(
        &mut self,
        now: Instant,
        scope: RecordingScope,
        owner: Option<MemberId>,
        around: &mut Surroundings<'_>,
    ) -> Result<RecordingSign, Refused> {
        if !self.room.can_be_recorded() {
            return Err(Refused::Mesh);
        }
        if self.recording.is_some() {
            return Err(Refused::Recorded);
        }
        let owner = owner.map(|member| self.room.household_of(member));
        let name = self.room.name();
        let admitted = around.admission.admit(now, name, owner, around.limits);
        if let Err(refused) = admitted {
            around.counters.recordings_refused += 1;
            return Err(refused);
        }
        let id = (0..ID_LENGTH)
            .map(|_| char::from(ID_LETTERS[around.rng.random_range(0..ID_LETTERS.len())]))
            .collect::<String>();
        let since_ms = self.room.age_ms(now);
        let room = Recorded {
            room: self.room.name(),
            age_ms: since_ms,
            backlog: around.backlog.clone(),
        };
        let effects = &mut around.out.effects;
        let wanted = (id.clone(), None, scope);
        let seed = around.rng.random();
        let recording = Recording::begin(now, wanted, &room, around.wall, seed, effects);
        self.recording = Some(recording.owned_by(owner));
        self.retap(now, around);
        self.start_taps(now, around);
        let recording = id.clone();
        self.tell(RoomEvent::RecordingBegun { recording }, around);
        let thinned = false;
        let sign = RecordingSign {
            id,
            since_ms,
            thinned,
        };
        let told = RoomInput::Recording {
            sign: Some(sign.clone()),
            ended: None,
        };
        self.handle(now, told, around);
        Ok(sign)
    }

    /// Pictures begin with a key frame that came just now, where there is one: the next may take a while.
    fn start_taps(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        for slot in (0..self.tracks.bound()).map(TrackSlot) {
            let layer = recording.wants_key_frame(now, slot);
            let (Some(layer), Some(track)) = (layer, self.tracks.get(slot.0)) else {
                continue;
            };
            let fresh = track.fresh_key_frame(now, layer);
            let short = fresh.filter(|range| range.end() - range.start() < REPLAY_PACKETS_MAX);
            let Some(numbers) = short else {
                continue;
            };
            let place = self.by_member.get(&track.member);
            let publisher = place.and_then(|&place| self.participants.get(place));
            let clock = publisher.map_or_else(Default::default, |publisher| publisher.clock);
            recording.replay(slot, layer);
            for facts in numbers.filter_map(|number| track.facts(now, layer, number)) {
                recording.take(now, slot, &facts, &clock, &mut around.out.effects);
            }
        }
    }

    /// Ends the recording of that id, or whichever there is, and tells the room.
    pub fn stop_recording(
        &mut self,
        now: Instant,
        id: Option<&str>,
        why: RecordingEnd,
        around: &mut Surroundings<'_>,
    ) -> bool {
        let is_meant = |recording: &mut Recording| id.is_none_or(|id| id == recording.id());
        let Some(recording) = self.recording.take_if(is_meant) else {
            return false;
        };
        let id = recording.id().to_owned();
        if let Some(owner) = recording.owner() {
            around.admission.ended(owner);
        }
        around.counters.recordings_ended.count(why);
        recording.end(now, why, &mut around.out.effects);
        self.tell(RoomEvent::RecordingEnded { recording: id, why }, around);
        let told = RoomInput::Recording {
            sign: None,
            ended: Some(why),
        };
        self.handle(now, told, around);
        true
    }

    /// A track came, went, began anew, was muted: the taps follow.
    pub(in crate::media) fn retap(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        let room = &self.room;
        let name = |member| room.name_of(member);
        for listener in self.recording.iter_mut().chain(&mut self.taps) {
            listener.reconcile(now, &self.tracks, name, &mut around.out.effects);
        }
        self.follow_outputs(now, around);
    }

    /// What is due on the taps at every tick.
    pub(in crate::media) fn tick_recording(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        self.retap(now, around);
        let (by_member, participants) = (&self.by_member, &self.participants);
        let clock_of = |member| {
            let place = by_member.get(&member);
            let publisher = place.and_then(|&place| participants.get(place));
            publisher.map_or_else(Default::default, |publisher| publisher.clock)
        };
        for listener in self.recording.iter_mut().chain(&mut self.taps) {
            listener.tick(now, clock_of, &mut around.out.effects);
        }
        if let Some(recording) = &mut self.recording {
            let (is_thinned, left_out) = recording.thinned();
            around.counters.frames_not_recorded += left_out;
            self.room_is_thinned(now, is_thinned, around);
        }
    }

    /// Something is left out from now on, or no more: the room hears of the change.
    fn room_is_thinned(&mut self, now: Instant, thinned: bool, around: &mut Surroundings<'_>) {
        let known = self.room.recording();
        if known.is_some_and(|sign| sign.thinned != thinned) {
            self.handle(now, RoomInput::RecordingThinned(thinned), around);
        }
    }
}

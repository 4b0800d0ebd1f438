//! A conference that is recorded.

use std::time::Instant;

use rand::Rng;

use super::taps::{Recorded, Recording};
use crate::logic::room::{RecordingScope, RoomEvent, RoomInput};
use crate::media::conference::{Conference, Surroundings};
use crate::protocol::server::{RecordingEnd, RecordingSign};

/// Characters of a recording's id: 80 bits of chance.
const ID_LENGTH: usize = 16;
const ID_LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl Conference {
    /// Begins to record the room, and tells it; nothing if it is recorded already.
    pub fn record(
        &mut self,
        now: Instant,
        scope: RecordingScope,
        around: &mut Surroundings<'_>,
    ) -> Option<RecordingSign> {
        if self.recording.is_some() {
            return None;
        }
        let id = (0..ID_LENGTH)
            .map(|_| char::from(ID_LETTERS[around.rng.random_range(0..ID_LETTERS.len())]))
            .collect::<String>();
        let since_ms = self.room.age_ms(now);
        let room = Recorded {
            room: self.room.name(),
            age_ms: since_ms,
        };
        let effects = &mut around.out.effects;
        let wanted = (id.clone(), None, scope);
        let seed = around.rng.random();
        let recording = Recording::begin(now, wanted, &room, around.wall, seed, effects);
        self.recording = Some(recording);
        self.retap(now, around);
        self.tell(
            RoomEvent::RecordingBegun {
                recording: id.clone(),
            },
            around,
        );
        let sign = RecordingSign { id, since_ms };
        let told = RoomInput::Recording {
            sign: Some(sign.clone()),
            ended: None,
        };
        self.handle(now, told, around);
        Some(sign)
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
    }
}

//! What stands behind the m-lines of a connection: a track behind each line that its client sends
//! on, an outlet behind each half of a seat. After every answer they follow what was negotiated.

use std::time::Instant;

use crate::ids::MemberId;
use crate::logic::forward::packet::TrackId;
use crate::media::conference::{Conference, Surroundings};
use crate::media::outlet::{Outlet, OutletId};
use crate::media::participant::Participant;
use crate::media::sdp::Line;
use crate::media::track::{Track, TrackSlot};

/// The seats of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SeatCount {
    /// The number behind the last one's.
    pub(super) seats: usize,
    /// Of them, those without a line: both halves were stopped.
    pub(super) stopped: Vec<usize>,
}

impl Conference {
    /// Lets go of what has lost its m-line, makes what new m-lines need, and tells the rest what
    /// changed.
    pub(super) fn follow_negotiation(
        &mut self,
        now: Instant,
        member: MemberId,
        around: &mut Surroundings<'_>,
    ) -> SeatCount {
        let Some(place) = self.participant_of(member) else {
            return SeatCount::default();
        };
        self.let_go_of_lines(now, place, around);
        let Some(participant) = self.participants.get_mut(place) else {
            return SeatCount::default();
        };
        let lines = participant.negotiated();
        self.decoding.touch();
        for (index, line) in lines.iter().enumerate() {
            match line {
                Line::Publish(line) => {
                    match participant.tracks[index].and_then(|slot| self.tracks.get_mut(slot.0)) {
                        Some(track) => track.renegotiate(line),
                        None => {
                            self.next_track += 1;
                            let id = TrackId(self.next_track);
                            let track = Track::new(now, id, member, line);
                            participant.tracks[index] = Some(TrackSlot(self.tracks.insert(track)));
                        }
                    }
                }
                Line::Seat(line) => match participant
                    .outlet(line.ssrc)
                    .and_then(|id| self.outlets.get_mut(id.0))
                {
                    Some(outlet) => outlet.renegotiate(now, line),
                    None => {
                        let outlet = Outlet::new(now, place, line, around.rng);
                        participant.add_outlet(line, OutletId(self.outlets.insert(outlet)));
                    }
                },
                Line::Inactive { .. } | Line::Refused { .. } => {}
            }
        }
        participant.seat_count()
    }

    /// A line that was stopped takes its track or its outlet with it, before the place of the line,
    /// or the slot of the track, is given to another.
    fn let_go_of_lines(&mut self, now: Instant, place: usize, around: &mut Surroundings<'_>) {
        let Some(participant) = self.participants.get_mut(place) else {
            return;
        };
        let tracks = participant.tracks_without_a_line();
        let outlets = participant.outlets_without_a_line();
        for &slot in &tracks {
            self.take_off_air(now, slot);
            self.tracks.remove(slot.0);
        }
        for id in outlets {
            self.unseat(now, id);
            self.outlets.remove(id.0);
        }
        if !tracks.is_empty() {
            self.retap(now, around);
        }
    }
}

impl Participant {
    /// Takes out the tracks whose m-lines are no lines to send on any more.
    fn tracks_without_a_line(&mut self) -> Vec<TrackSlot> {
        let lines = &self.peer.negotiated().lines;
        let is_gone = |index: usize| !matches!(lines.get(index), Some(Line::Publish(_)));
        let tracks = self.tracks.iter_mut().enumerate();
        tracks
            .filter(|(index, _)| is_gone(*index))
            .filter_map(|(_, track)| track.take())
            .collect()
    }

    /// Takes out the outlets whose SSRCs are on no m-line any more.
    fn outlets_without_a_line(&mut self) -> Vec<OutletId> {
        let negotiated = self.peer.negotiated();
        let has_line = |ssrc| negotiated.seat_lines().any(|line| line.ssrc == ssrc);
        let gone = self.outlets.extract_if(.., |(ssrc, _)| !has_line(*ssrc));
        let gone: Vec<OutletId> = gone.map(|(_, id)| id).collect();
        for seat in &mut self.seats {
            for half in [&mut seat.audio, &mut seat.video] {
                half.take_if(|id| gone.contains(id));
            }
        }
        while self.seats.last().is_some_and(|seat| seat.is_stopped()) {
            self.seats.pop();
        }
        gone
    }

    fn seat_count(&self) -> SeatCount {
        let stopped = self.seats.iter().enumerate();
        let stopped = stopped.filter(|(_, seat)| seat.is_stopped());
        SeatCount {
            seats: self.seats.len(),
            stopped: stopped.map(|(seat, _)| seat).collect(),
        }
    }
}

//! A conference whose tracks are sent to other programs.

use std::net::SocketAddr;
use std::time::Instant;

use rand::Rng;
use serde_json::{Value, json};

use super::{Output, Wish};
use crate::ids::{LocalSocket, Path};
use crate::logic::room::RoomInput;
use crate::media::conference::{Conference, Surroundings};
use crate::media::rtcp::{self, Feedback};
use crate::media::seating::REPLAY_PACKETS_MAX;
use crate::media::track::TrackSlot;

/// Characters of an output's id: 80 bits of chance.
const ID_LENGTH: usize = 16;
const ID_LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What became of a wish: the output as REST shows it, or nothing if the cryptography lacks what it
/// takes.
pub type Opened = Option<Value>;

impl Conference {
    /// Why a wish cannot be granted: `mesh`, `member`, `track` or `room`.
    pub fn refuses_output(&self, wish: &Wish, outputs_max: usize) -> Option<&'static str> {
        let count = self.outputs.as_deref().map_or(0, |outputs| outputs.len());
        if !self.room.can_be_recorded() {
            Some("mesh")
        } else if !self.room.has(wish.member) {
            Some("member")
        } else if !self.room.publishes(wish.member, wish.source) {
            Some("track")
        } else if count >= outputs_max {
            Some("room")
        } else {
            None
        }
    }

    /// Begins to send what is wished from that socket, and has the room know.
    pub fn open_output(
        &mut self,
        now: Instant,
        wish: Wish,
        socket: (LocalSocket, SocketAddr),
        around: &mut Surroundings<'_>,
    ) -> Opened {
        let id: String = (0..ID_LENGTH)
            .map(|_| char::from(ID_LETTERS[around.rng.random_range(0..ID_LETTERS.len())]))
            .collect();
        let output = Output::new(now, id.clone(), wish, socket, around.rng).ok()?;
        self.outputs.get_or_insert_default().list.push(output);
        self.tell_of_outputs(now, around);
        self.follow_outputs(now, around);
        self.output(&id)
    }

    /// Every output as REST shows it.
    pub fn describe_outputs(&self) -> Value {
        let listed = self.outputs.as_deref().map(|outputs| outputs.describe());
        json!(listed.unwrap_or_default())
    }

    /// One output as REST shows it.
    pub fn output(&self, id: &str) -> Option<Value> {
        let listed = self.outputs.as_deref()?.describe();
        listed.into_iter().find(|output| output["id"] == id)
    }

    /// The session description of an output: a text, `true` while its codec is not known, `false` if
    /// there is no such output.
    pub fn output_sdp(&self, id: &str) -> Value {
        let outputs = self.outputs.as_deref();
        let found = outputs.and_then(|outputs| outputs.list.iter().find(|one| one.id() == id));
        let Some(output) = found else {
            return json!(false);
        };
        let track = output.track().and_then(|slot| self.tracks.get(slot.0));
        let name = self.room.name_of(output.wish().member).unwrap_or_default();
        output.sdp(name, track).map_or(json!(true), Value::String)
    }

    /// Ends an output, or forgets one that has ended. Whether there was one.
    pub fn end_output(&mut self, now: Instant, id: &str, around: &mut Surroundings<'_>) -> bool {
        let Some(outputs) = &mut self.outputs else {
            return false;
        };
        let Some(index) = outputs.list.iter().position(|output| output.id() == id) else {
            return outputs.forget(id);
        };
        let output = outputs.list.remove(index);
        close(output, around);
        self.tell_of_outputs(now, around);
        true
    }

    /// Ends all: the room is over.
    pub(in crate::media) fn end_outputs(&mut self, around: &mut Surroundings<'_>) {
        let outputs = self.outputs.take();
        for output in outputs.into_iter().flat_map(|outputs| outputs.list) {
            close(output, around);
        }
    }

    /// A track came, went, began anew, was muted, or a member left: the outputs follow.
    pub(in crate::media) fn follow_outputs(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        let Some(outputs) = &mut self.outputs else {
            return;
        };
        let mut index = 0;
        let mut has_ended = false;
        let mut begun = Vec::new();
        while let Some(output) = outputs.list.get_mut(index) {
            if self.room.has(output.wish().member) {
                begun.extend(output.follow(now, &self.tracks));
                index += 1;
            } else {
                close(outputs.bury(index), around);
                has_ended = true;
            }
        }
        for slot in begun {
            self.start_outputs(now, slot, around);
            self.request_key_frames(now, slot, around);
        }
        if has_ended {
            self.tell_of_outputs(now, around);
        }
    }

    /// A track's numbers begin anew with the next packet.
    pub(in crate::media) fn outputs_restarted(&mut self, now: Instant, slot: TrackSlot) {
        let tracks = &self.tracks;
        for output in self.outputs.iter_mut().flat_map(|all| all.on(slot)) {
            output.follow(now, tracks);
        }
    }

    /// Gives pictures that wait for a key frame one from the cache, if it is fresh.
    pub(in crate::media) fn start_outputs(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        around: &mut Surroundings<'_>,
    ) {
        let (Some(outputs), Some(track)) = (&mut self.outputs, self.tracks.get(slot.0)) else {
            return;
        };
        for output in outputs.on(slot) {
            let Some(layer) = output.leg().wants_key_frame(now) else {
                continue;
            };
            let fresh = track.fresh_key_frame(now, layer);
            let Some(range) =
                fresh.filter(|range| range.end() - range.start() < REPLAY_PACKETS_MAX)
            else {
                continue;
            };
            output.leg().replay(layer);
            for facts in range.filter_map(|number| track.facts(now, layer, number)) {
                output.send(now, &facts, around);
            }
        }
    }

    /// What is due at every tick: reports. Tracks are followed with the taps.
    pub(in crate::media) fn tick_outputs(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        let (by_member, participants) = (&self.by_member, &self.participants);
        let Some(outputs) = &mut self.outputs else {
            return;
        };
        for output in &mut outputs.list {
            let place = by_member.get(&output.wish().member);
            let publisher = place.and_then(|&place| participants.get(place));
            let clock = publisher.map_or_else(Default::default, |publisher| publisher.clock);
            output.refresh(now);
            let datagrams = &mut around.out.datagrams;
            let sent = output.report(now, (around.wall, &clock), datagrams);
            around.counters.rtcp_out += u64::from(sent);
        }
    }

    /// Takes what came back to the socket of an output.
    pub fn output_feedback(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        around: &mut Surroundings<'_>,
    ) {
        let outputs = self.outputs.iter_mut().flat_map(|all| &mut all.list);
        let mut outputs = outputs.filter(|output| output.socket() == path.local);
        let Some(output) = outputs.next() else {
            return;
        };
        let Some(packet) = output.open(path.remote, datagram) else {
            around.counters.dropped.rejected += 1;
            return;
        };
        around.counters.rtcp_in += 1;
        let ssrc = output.leg().config().ssrc;
        let mut wants_key_frame = false;
        let mut missing = Vec::new();
        for item in rtcp::parse(&packet) {
            output.be_answered();
            match item {
                Feedback::Pli { media_ssrc } | Feedback::Fir { media_ssrc, .. }
                    if media_ssrc == ssrc =>
                {
                    around.counters.key_frame_requests_in += 1;
                    output.ask_key_frame();
                    wants_key_frame = true;
                }
                Feedback::Nack {
                    media_ssrc,
                    sequences,
                } if media_ssrc == ssrc => missing.extend(sequences),
                Feedback::ReceptionReport(block) if block.ssrc == ssrc => {
                    if let Some(measured) = block.round_trip(around.wall.ntp(now)) {
                        output.take_round_trip(measured);
                    }
                }
                _ => {}
            }
        }
        let slot = output.track();
        self.repeat(now, path.local, &missing, around);
        if let Some(slot) = slot.filter(|_| wants_key_frame) {
            self.request_key_frames(now, slot, around);
        }
    }

    /// Sends again what an output's receiver misses.
    fn repeat(
        &mut self,
        now: Instant,
        socket: LocalSocket,
        missing: &[u16],
        around: &mut Surroundings<'_>,
    ) {
        around.counters.nacks_in += missing.len() as u64;
        let outputs = self.outputs.iter_mut().flat_map(|all| &mut all.list);
        for output in outputs.filter(|output| output.socket() == socket) {
            let track = output.track().and_then(|slot| self.tracks.get(slot.0));
            for &sequence in missing {
                let Some((track, resend)) = track.zip(output.resend(now, sequence)) else {
                    continue;
                };
                let facts = track.facts(now, resend.layer, resend.sequence);
                if let Some(facts) = facts.filter(|_| resend.track == track.id) {
                    output.repeat(&resend, &facts, &mut around.out.datagrams);
                    around.counters.retransmissions += 1;
                }
            }
        }
    }

    /// Whose media leaves the room decides how it travels inside.
    fn tell_of_outputs(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        let outputs = self.outputs.as_deref().map(|outputs| &outputs.list[..]);
        let outputs = outputs.unwrap_or_default().iter();
        let sources = outputs
            .map(|output| (output.wish().member, output.wish().source))
            .collect();
        self.handle(now, RoomInput::Forwarded { sources }, around);
    }
}

/// Says goodbye; the socket is closed once that is out.
fn close(mut output: Output, around: &mut Surroundings<'_>) {
    output.say_goodbye(&mut around.out.datagrams);
    around.out.closing.push(output.socket());
}

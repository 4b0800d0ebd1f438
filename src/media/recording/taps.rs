//! The taps of one room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::tap::{Epoch, Tap, Tapped};
use super::{TrackFrame, Word};
use crate::ids::{MemberId, TapId};
use crate::logic::forward::codec::MediaKind;
use crate::logic::forward::leg::SourceInfo;
use crate::logic::forward::packet::{Facts, TrackId};
use crate::logic::forward::reports::{NtpClock, PublisherClock};
use crate::logic::household::Household;
use crate::logic::record::manifest::{GapCause, Manifest};
use crate::logic::record::thinning::{Admission, Backlog, Thinning};
use crate::logic::room::RecordingScope;
use crate::media::shard::ShardEffect;
use crate::media::slots::Slots;
use crate::media::track::{Track, TrackSlot};
use crate::protocol::client::Source;
use crate::protocol::server::RecordingEnd;

/// Seconds from the beginning of NTP's era to that of Unix (RFC 5905 figure 4).
const NTP_TO_UNIX_SECONDS: i64 = 2_208_988_800;

/// What listens to the tracks of one room: its recording, or a program around the node.
pub struct Recording {
    id: Arc<str>,
    /// Who listens, if not the writer of recordings.
    tap: Option<TapId>,
    scope: RecordingScope,
    epoch: Epoch,
    rng: StdRng,
    taps: BTreeMap<TrackSlot, Tapping>,
    next_track: u32,
    scratch: Vec<Tapped>,
    thinning: Thinning,
    /// Frames that were left out and not counted yet.
    left_out: u64,
    /// Whose recordings it counts among.
    owner: Option<Household>,
}

/// A tap and what it is on.
struct Tapping {
    number: u32,
    member: MemberId,
    source: Source,
    track: TrackId,
    muted: bool,
    tap: Tap,
    /// What tells the writer of the track, until there is something of it.
    unsaid: Option<Word>,
}

/// The room that is recorded, as it is when that begins.
pub struct Recorded<'a> {
    /// Its name.
    pub room: &'a str,
    /// How long it has been, in milliseconds.
    pub age_ms: u64,
    /// How much waits for the writer.
    pub backlog: Backlog,
}

impl Recording {
    /// Begins a recording, or a tap for a program around the node.
    pub fn begin(
        now: Instant,
        (id, tap, scope): (String, Option<TapId>, RecordingScope),
        room: &Recorded<'_>,
        wall: &NtpClock,
        seed: [u8; 32],
        out: &mut Vec<ShardEffect>,
    ) -> Self {
        let ntp = wall.ntp(now);
        let unix_ms = ((ntp.0 >> 32) as i64 - NTP_TO_UNIX_SECONDS) * 1_000
            + (((ntp.0 & 0xffff_ffff) * 1_000) >> 32) as i64;
        let manifest = Manifest {
            id: id.clone(),
            room: room.room.to_owned(),
            began_unix_ms: unix_ms,
            began_room_ms: room.age_ms,
            duration_ms: None,
            ended: None,
            layout: scope.layout,
            room_file: None,
            members: Vec::new(),
            tracks: Vec::new(),
            speech: Vec::new(),
        };
        let recording = Self {
            id: id.into(),
            tap,
            epoch: Epoch { at: now, ntp },
            rng: StdRng::from_seed(seed),
            taps: BTreeMap::new(),
            next_track: 0,
            scratch: Vec::new(),
            thinning: Thinning::new(room.backlog.clone()),
            left_out: 0,
            owner: None,
            scope,
        };
        let begin = Word::Begin {
            manifest: Box::new(manifest),
            ogg: recording.scope.audio_only,
        };
        recording.say(begin, out);
        recording
    }

    /// The number of the tap, if it is one.
    pub fn tap(&self) -> Option<TapId> {
        self.tap
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Counts it among those of that household.
    pub fn owned_by(mut self, owner: Option<Household>) -> Self {
        self.owner = owner;
        self
    }

    /// Whose recordings it counts among, if an owner of the room has it recorded.
    pub fn owner(&self) -> Option<Household> {
        self.owner
    }

    /// Puts a tap on every track that is to be recorded and takes off the others. Safe to repeat.
    pub(in crate::media) fn reconcile<'a>(
        &mut self,
        now: Instant,
        tracks: &Slots<Track>,
        name: impl Fn(MemberId) -> Option<&'a str>,
        out: &mut Vec<ShardEffect>,
    ) {
        let present = |slot: TrackSlot, tapping: &Tapping| {
            tracks.get(slot.0).is_some_and(|track| {
                (track.member, track.source) == (tapping.member, Some(tapping.source))
            })
        };
        let gone: Vec<_> = self
            .taps
            .iter()
            .filter(|(slot, tapping)| !present(**slot, tapping))
            .map(|(slot, _)| *slot)
            .collect();
        for slot in gone {
            self.take_off(slot, out);
        }
        for slot in (0..tracks.bound()).map(TrackSlot) {
            let Some((track, source)) = tracks
                .get(slot.0)
                .and_then(|track| Some((track, track.source?)))
            else {
                continue;
            };
            if self.scope.includes(track.member, source) {
                if !self.taps.contains_key(&slot) {
                    let name = name(track.member).unwrap_or_default();
                    self.put_on(now, slot, (track, source), name);
                }
                self.follow(now, slot, track, out);
            }
        }
    }

    fn put_on(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        (track, source): (&Track, Source),
        name: &str,
    ) {
        self.next_track += 1;
        let unsaid = Some(Word::Track {
            track: self.next_track,
            member: track.member,
            name: name.to_owned(),
            source,
        });
        let tapping = Tapping {
            number: self.next_track,
            member: track.member,
            source,
            // No track has this number: the first look at it puts it on.
            track: TrackId(0),
            muted: false,
            tap: Tap::new(now, track.kind, &mut self.rng),
            unsaid,
        };
        self.taps.insert(slot, tapping);
    }

    /// Its numbers may have begun anew, and it may be muted.
    fn follow(&mut self, now: Instant, slot: TrackSlot, track: &Track, out: &mut Vec<ShardEffect>) {
        self.restarted(now, slot, track);
        let Some(tapping) = self.taps.get_mut(&slot) else {
            return;
        };
        if tapping.muted != track.muted {
            tapping.muted = track.muted;
            tapping.tap.leg.set_paused(now, track.muted);
            let cause = GapCause::Muted;
            let track = tapping.number;
            if tapping.muted && tapping.unsaid.is_none() {
                self.say(Word::Absent { track, cause }, out);
            }
        }
    }

    /// A track's numbers may have begun anew: the tap begins again with its next packet.
    pub(in crate::media) fn restarted(&mut self, now: Instant, slot: TrackSlot, track: &Track) {
        let Some(tapping) = self.taps.get_mut(&slot) else {
            return;
        };
        if tapping.track != track.id {
            tapping.track = track.id;
            let infos = track.layer_infos();
            let source = SourceInfo {
                track: track.id,
                layers: &infos[..track.layers().len()],
            };
            tapping.tap.set_source(now, source);
            tapping.tap.leg.set_paused(now, track.muted);
        }
    }

    fn take_off(&mut self, slot: TrackSlot, out: &mut Vec<ShardEffect>) {
        if let Some(tapping) = self.taps.get_mut(&slot) {
            let mut tapped = std::mem::take(&mut self.scratch);
            tapping.tap.finish(&mut tapped);
            self.tell(slot, tapped, out);
        }
        if let Some(tapping) = self.taps.remove(&slot) {
            let track = tapping.number;
            self.thinning.forget(track);
            if tapping.unsaid.is_none() {
                self.say(Word::TrackOver { track }, out);
            }
        }
    }

    /// Takes a packet of a track.
    pub(in crate::media) fn take(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        facts: &Facts<'_>,
        clock: &PublisherClock,
        out: &mut Vec<ShardEffect>,
    ) {
        let Some(tapping) = self.taps.get_mut(&slot) else {
            return;
        };
        let mut tapped = std::mem::take(&mut self.scratch);
        tapping
            .tap
            .take(now, facts, (&self.epoch, clock), &mut tapped);
        self.tell(slot, tapped, out);
    }

    /// Does what is due by now on every tap.
    pub(in crate::media) fn tick(
        &mut self,
        now: Instant,
        clock_of: impl Fn(MemberId) -> PublisherClock,
        out: &mut Vec<ShardEffect>,
    ) {
        let slots: Vec<_> = self.taps.keys().copied().collect();
        for slot in slots {
            let Some(tapping) = self.taps.get_mut(&slot) else {
                continue;
            };
            let clock = clock_of(tapping.member);
            if self.thinning.could_return(tapping.number) {
                tapping.tap.leg.ask_key_frame();
            }
            let mut tapped = std::mem::take(&mut self.scratch);
            tapping.tap.tick(now, (&self.epoch, &clock), &mut tapped);
            self.tell(slot, tapped, out);
        }
    }

    /// The layer of a track that a key frame is needed of.
    pub(in crate::media) fn wants_key_frame(&self, now: Instant, slot: TrackSlot) -> Option<u8> {
        self.taps.get(&slot)?.tap.leg.wants_key_frame(now)
    }

    /// The packets of a layer are taken again next, from a cached key frame on.
    pub(in crate::media) fn replay(&mut self, slot: TrackSlot, layer: u8) {
        if let Some(tapping) = self.taps.get_mut(&slot) {
            tapping.tap.leg.replay(layer);
        }
    }

    /// Something of these layers of a track is lost for good.
    pub(in crate::media) fn lost_for_good(&mut self, slot: TrackSlot, layers: &[u8]) {
        if let Some(tapping) = self.taps.get_mut(&slot)
            && tapping
                .tap
                .leg
                .layer()
                .is_some_and(|layer| layers.contains(&layer))
        {
            tapping.tap.leg.ask_key_frame();
        }
    }

    /// These speak from now on.
    pub(in crate::media) fn speakers(
        &self,
        now: Instant,
        members: &[MemberId],
        out: &mut Vec<ShardEffect>,
    ) {
        let at_ms = self.at_ms(now);
        let members = members.to_vec();
        self.say(Word::Speakers { at_ms, members }, out);
    }

    /// Ends the recording.
    pub(in crate::media) fn end(
        mut self,
        now: Instant,
        why: RecordingEnd,
        out: &mut Vec<ShardEffect>,
    ) {
        let slots: Vec<_> = self.taps.keys().copied().collect();
        for slot in slots {
            self.take_off(slot, out);
        }
        let at_ms = self.at_ms(now);
        self.say(Word::End { at_ms, why }, out);
    }

    /// Whether something is left out now, and how many frames were since this was asked last.
    pub(in crate::media) fn thinned(&mut self) -> (bool, u64) {
        (
            self.thinning.is_active(),
            std::mem::take(&mut self.left_out),
        )
    }

    fn at_ms(&self, now: Instant) -> u64 {
        self.epoch.ns(now).unsigned_abs() / 1_000_000
    }

    /// Passes on what a tap gave out and keeps the buffer.
    fn tell(&mut self, slot: TrackSlot, mut tapped: Vec<Tapped>, out: &mut Vec<ShardEffect>) {
        for item in tapped.drain(..) {
            match item {
                Tapped::Frame(frame) => self.pass_on(slot, frame, out),
                Tapped::Absent(cause) => {
                    let said = self.taps.get(&slot).filter(|one| one.unsaid.is_none());
                    if let Some(track) = said.map(|tapping| tapping.number) {
                        self.say(Word::Absent { track, cause }, out);
                    }
                }
            }
        }
        self.scratch = tapped;
    }

    /// Passes a frame on if the writer keeps up, or leaves it out. The track is there from its first one on.
    fn pass_on(&mut self, slot: TrackSlot, frame: TrackFrame, out: &mut Vec<ShardEffect>) {
        let Some(tapping) = self.taps.get_mut(&slot) else {
            return;
        };
        let (track, unsaid) = (tapping.number, tapping.unsaid.take());
        if let Some(word) = unsaid {
            self.say(word, out);
        }
        let is_picture = frame.codec.kind() == MediaKind::Video;
        match self.thinning.admit(track, is_picture, frame.key) {
            Admission::In => {}
            Admission::BackIn => {
                let cause = GapCause::Thinned;
                self.say(Word::Absent { track, cause }, out);
            }
            Admission::Out => {
                self.left_out += 1;
                return;
            }
        }
        self.say(Word::Frame { track, frame }, out);
    }

    fn say(&self, word: Word, out: &mut Vec<ShardEffect>) {
        out.push(match self.tap {
            Some(tap) => ShardEffect::Tapped { tap, word },
            None => ShardEffect::Record {
                recording: Arc::clone(&self.id),
                word,
            },
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::logic::forward::codec::Codec;
    use crate::logic::forward::extension::ExtensionIds;
    use crate::logic::forward::layer::LayerInfo;
    use crate::logic::forward::packet::{Origin, RtpView};

    const SLOT: TrackSlot = TrackSlot(0);
    const TRACK: TrackId = TrackId(3);
    /// The first bytes of a key frame of VP8 of 16x16 pixels, behind their descriptor.
    const KEY: &[u8] = &[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0];
    const DELTA: &[u8] = &[0x10, 0x11, 0];

    /// A recording with a tap on one picture, 25 frames a second.
    struct Bench {
        start: Instant,
        backlog: Backlog,
        recording: Recording,
        number: u32,
        out: Vec<ShardEffect>,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            let backlog = Backlog::new(1_000);
            let room = Recorded {
                room: "choir",
                age_ms: 0,
                backlog: backlog.clone(),
            };
            let wall = NtpClock::new(start, Duration::from_secs(1));
            let wanted = ("r".to_owned(), None, RecordingScope::default());
            let mut out = Vec::new();
            let mut recording = Recording::begin(start, wanted, &room, &wall, [1; 32], &mut out);
            let mut tap = Tap::new(start, MediaKind::Video, &mut recording.rng);
            let layers = &[LayerInfo::default()];
            let track = TRACK;
            tap.set_source(start, SourceInfo { track, layers });
            let tapping = Tapping {
                number: 1,
                member: MemberId(1),
                source: Source::Camera,
                track,
                muted: false,
                tap,
                unsaid: None,
            };
            recording.taps.insert(SLOT, tapping);
            Self {
                start,
                backlog,
                recording,
                number: 0,
                out: Vec::new(),
            }
        }

        fn now(&self) -> Instant {
            self.start + Duration::from_millis(40) * self.number
        }

        fn tick(&mut self) {
            let clock = |_| PublisherClock::default();
            self.recording.tick(self.now(), clock, &mut self.out);
        }

        /// The next frame; what the writer hears of it.
        fn frame(&mut self, payload: &[u8]) -> Vec<&'static str> {
            self.number += 1;
            let mut packet = vec![0x80, 0x80 | 96, 0, 0];
            packet.extend_from_slice(&(self.number * 3_600).to_be_bytes());
            packet.extend_from_slice(&[0; 4]);
            packet.extend_from_slice(payload);
            let origin = Origin {
                track: TRACK,
                layer: 0,
                codec: Codec::Vp8,
                sequence: self.number.into(),
                clock: None,
            };
            let view = RtpView::parse(&packet).unwrap();
            let facts = Facts::gather(&view, origin, &ExtensionIds::default());
            let clock = PublisherClock::default();
            let (now, out) = (self.now(), &mut self.out);
            self.recording.take(now, SLOT, &facts, &clock, out);
            self.tick();
            let said = self.out.drain(..).map(|effect| match effect {
                ShardEffect::Record { word, .. } => match word {
                    Word::Frame { .. } => "frame",
                    Word::Absent {
                        cause: GapCause::Thinned,
                        ..
                    } => "thinned",
                    _ => "other",
                },
                _ => "nothing of it",
            });
            said.collect()
        }
    }

    #[test]
    fn a_track_is_in_the_recording_from_its_first_frame_on() {
        let mut bench = Bench::new();
        let tapping = bench.recording.taps.get_mut(&SLOT).unwrap();
        tapping.unsaid = Some(Word::Track {
            track: 1,
            member: MemberId(1),
            name: "Ada".to_owned(),
            source: Source::Camera,
        });
        let mut said = Vec::new();
        for _ in 0..60 {
            // No decoder could begin with that.
            said.extend(bench.frame(DELTA));
        }
        assert!(said.is_empty(), "{said:?}");
        said.extend(bench.frame(KEY));
        (0..30).for_each(|_| said.extend(bench.frame(DELTA)));
        assert_eq!(said[..2], ["other", "frame"]);
        let mut silent = Bench::new();
        let tapping = silent.recording.taps.get_mut(&SLOT).unwrap();
        tapping.unsaid = Some(Word::TrackOver { track: 1 });
        silent.recording.take_off(SLOT, &mut silent.out);
        assert!(silent.out.is_empty(), "{:?}", silent.out);
    }

    #[test]
    fn a_picture_that_was_left_out_is_asked_for_when_there_is_room_again() {
        let mut bench = Bench::new();
        bench.frame(KEY);
        // Until the first frames are placed.
        (0..30).for_each(|_| drop(bench.frame(DELTA)));
        assert_eq!(bench.frame(DELTA), ["frame"]);
        assert_eq!(bench.recording.thinned(), (false, 0));
        bench.backlog.add(600);
        assert!(bench.frame(DELTA).is_empty() && bench.frame(DELTA).is_empty());
        assert_eq!(bench.recording.thinned(), (true, 2));
        assert_eq!(bench.recording.thinned(), (true, 0), "counted once");
        let now = bench.now();
        assert_eq!(bench.recording.wants_key_frame(now, SLOT), None);
        bench.backlog.take(500);
        assert!(bench.frame(DELTA).is_empty(), "its reference is missing");
        let now = bench.now();
        assert_eq!(bench.recording.wants_key_frame(now, SLOT), Some(0));
        assert_eq!(bench.frame(KEY), ["thinned", "frame"]);
        assert_eq!(bench.frame(DELTA), ["frame"]);
        assert_eq!(bench.recording.thinned(), (false, 1));
        let now = bench.now();
        assert_eq!(bench.recording.wants_key_frame(now, SLOT), None);
    }
}

//! One output, and those of a room.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::Wish;
use super::parameter_sets::ParameterSets;
use super::protection::Protection;
use super::sdp::Session;
use crate::ids::{LocalSocket, Path};
use crate::logic::forward::codec::{Codec, MediaKind, PayloadTypes};
use crate::logic::forward::extension::ExtensionIds;
use crate::logic::forward::layer::MAX_LAYERS;
use crate::logic::forward::leg::{Leg, LegConfig, Resend, SourceInfo, Verdict};
use crate::logic::forward::packet::{Facts, TrackId};
use crate::logic::forward::reports::{
    ClockMap, LegReports, LegState, NtpClock, NtpTime, PublisherClock, ReportPace, RoundTrip,
    SenderReport,
};
use crate::logic::forward::rewrite::{self, Stamp};
use crate::media::conference::Surroundings;
use crate::media::egress::SendArena;
use crate::media::rtcp::{Composer, Compound, Message};
use crate::media::slots::Slots;
use crate::media::srtp::{SrtpError, StreamState};
use crate::media::track::{Track, TrackSlot};
use crate::protocol::client::Source;

/// What an output calls each codec: the numbers that browsers use most. One number stands for one
/// codec, so that a source which comes back with another is not mistaken.
const PAYLOAD_TYPES: [(Codec, u8); 5] = [
    (Codec::Opus, 111),
    (Codec::Vp8, 96),
    (Codec::Vp9, 98),
    (Codec::H264, 102),
    (Codec::Av1, 104),
];
/// How often a key frame is asked for on behalf of a receiver that sends no RTCP: ffmpeg sends none for
/// a description that it opens (seen with 5.1), and could begin with a picture only by chance.
const KEY_FRAME_EVERY: Duration = Duration::from_secs(5);
/// Outputs that have ended and are still listed. Beyond: the one that ended first is forgotten.
const ENDED_MAX: usize = 32;

/// What an output has done.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    packets: u64,
    bytes: u64,
    retransmissions: u64,
    key_frame_requests: u64,
}

/// A track on its way to another program.
pub struct Output {
    id: String,
    wish: Wish,
    socket: LocalSocket,
    from: SocketAddr,
    cname: String,
    on: Option<(TrackSlot, TrackId)>,
    muted: bool,
    leg: Leg,
    stream: StreamState,
    protection: Option<Protection>,
    reports: LegReports,
    pace: ReportPace,
    round_trip: RoundTrip,
    /// Something of the receiver came back.
    is_answered: bool,
    key_frame_due: Instant,
    codec: Option<Codec>,
    parameter_sets: ParameterSets,
    counters: Counters,
}

impl Output {
    /// An output on nothing.
    ///
    /// # Errors
    /// If the cryptography lacks what is wanted.
    pub(super) fn new(
        now: Instant,
        id: String,
        wish: Wish,
        (socket, from): (LocalSocket, SocketAddr),
        rng: &mut StdRng,
    ) -> Result<Self, SrtpError> {
        let protection = wish.srtp.as_ref();
        let protection = protection
            .map(|wanted| Protection::new(wanted, rng))
            .transpose()?;
        let kind = kind_of(wish.source);
        let mut leg = Leg::new(leg_config(kind, protection.is_some(), rng), rng);
        leg.set_max_layer(now, wish.max_layer);
        let clock_rate = match kind {
            MediaKind::Audio => Codec::Opus.clock_rate(),
            MediaKind::Video => Codec::Vp8.clock_rate(),
        };
        Ok(Self {
            cname: wish.member.to_string(),
            on: None,
            muted: false,
            stream: StreamState::new(leg.config().ssrc),
            leg,
            protection,
            reports: LegReports::new(now, clock_rate),
            pace: ReportPace::new(now, rng.random()),
            round_trip: RoundTrip::default(),
            is_answered: false,
            key_frame_due: now + KEY_FRAME_EVERY,
            codec: None,
            parameter_sets: ParameterSets::default(),
            counters: Counters::default(),
            id,
            wish,
            socket,
            from,
        })
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// What is sent where.
    pub(super) fn wish(&self) -> &Wish {
        &self.wish
    }

    /// Its socket.
    pub(super) fn socket(&self) -> LocalSocket {
        self.socket
    }

    /// The track on it.
    pub(super) fn track(&self) -> Option<TrackSlot> {
        self.on.map(|(slot, _)| slot)
    }

    /// Decides.
    pub(super) fn leg(&mut self) -> &mut Leg {
        &mut self.leg
    }

    /// Puts on what the member publishes as that source now, or takes it off. Returns the track if it
    /// is another than before, or numbered anew. Safe to repeat.
    pub(super) fn follow(&mut self, now: Instant, tracks: &Slots<Track>) -> Option<TrackSlot> {
        let wanted = (self.wish.member, Some(self.wish.source));
        let mut entries = tracks.entries();
        let found = entries.find(|(_, track)| (track.member, track.source) == wanted);
        let Some((slot, track)) = found else {
            if self.on.take().is_some() {
                self.leg.set_source(now, None);
            }
            return None;
        };
        let is_new = self.on != Some((TrackSlot(slot), track.id));
        if is_new {
            self.put_on(now, TrackSlot(slot), track);
        } else if self.muted != track.muted {
            self.leg.set_paused(now, track.muted);
        }
        self.muted = track.muted;
        is_new.then_some(TrackSlot(slot))
    }

    fn put_on(&mut self, now: Instant, slot: TrackSlot, track: &Track) {
        let infos = track.layer_infos();
        let source = SourceInfo {
            track: track.id,
            layers: &infos[..track.layers().len().min(MAX_LAYERS)],
        };
        self.on = Some((slot, track.id));
        self.leg.set_source(now, Some(source));
        self.leg.set_paused(now, track.muted);
        self.reports.restart(now);
    }

    /// Judges a packet, sends it if it is to go out, and counts it.
    pub(super) fn send(&mut self, now: Instant, facts: &Facts<'_>, around: &mut Surroundings<'_>) {
        let sent = self.forward(now, facts, &mut around.out.datagrams);
        around.counters.sent(sent);
        if let Some(bytes) = sent {
            around.counters.rtp_out_packets += 1;
            around.counters.rtp_out_bytes += bytes as u64;
        }
    }

    /// Returns the bytes sent.
    fn forward(&mut self, now: Instant, facts: &Facts<'_>, out: &mut SendArena) -> Option<usize> {
        let Verdict::Forward(outgoing) = self.leg.judge(now, facts) else {
            return None;
        };
        self.note(facts);
        let start = out.begin();
        let arena = out.bytes_mut();
        let stamp = Stamp::default();
        let header_len = rewrite::write(arena, self.leg.config(), &outgoing, facts, &stamp);
        let sealed = self.protection.as_mut().is_none_or(|protection| {
            let sealer = &mut protection.sealer;
            let sealed = sealer.seal_rtp(&mut self.stream, arena, start, header_len);
            sealed.is_ok()
        });
        if !sealed {
            out.abort(start);
            return None;
        }
        out.commit(self.rtp_path(), start);
        let bytes = out.begin() - start;
        self.counters.packets += 1;
        self.counters.bytes += bytes as u64;
        Some(bytes)
    }

    fn note(&mut self, facts: &Facts<'_>) {
        let codec = match facts.origin.codec {
            Codec::Red => Codec::Opus,
            codec => codec.family(),
        };
        self.codec = Some(codec);
        if codec == Codec::H264 {
            self.parameter_sets.learn(facts.payload);
        }
    }

    /// Which cached packet answers a NACK for this number, if any is to be sent again now. Nothing is
    /// sent again where it would be sealed a second time.
    pub(super) fn resend(&mut self, now: Instant, sequence: u16) -> Option<Resend> {
        self.leg.resend(now, sequence)
    }

    /// Sends a packet again as it was: who knows no retransmission format (RFC 4588) takes that.
    pub(super) fn repeat(&mut self, resend: &Resend, facts: &Facts<'_>, out: &mut SendArena) {
        let start = out.begin();
        let config = self.leg.config();
        let stamp = Stamp::default();
        rewrite::write(out.bytes_mut(), config, &resend.outgoing, facts, &stamp);
        out.commit(self.rtp_path(), start);
        self.counters.retransmissions += 1;
    }

    /// Opens what came back to the socket; `None` if it is not its receiver's RTCP.
    pub(super) fn open(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        if from.ip() != self.wish.host {
            return None;
        }
        match &mut self.protection {
            Some(protection) => {
                let opened = protection.opener.open_rtcp(datagram).ok()?;
                Some(opened.to_vec())
            }
            None => Some(datagram.to_vec()),
        }
    }

    /// Its receiver sends RTCP, and can ask for what it needs.
    pub(super) fn be_answered(&mut self) {
        self.is_answered = true;
    }

    /// Asks for a key frame for a receiver that cannot ask, when it is time.
    pub(super) fn refresh(&mut self, now: Instant) {
        if !self.is_answered && now >= self.key_frame_due {
            self.key_frame_due = now + KEY_FRAME_EVERY;
            self.leg.ask_key_frame();
        }
    }

    /// Its receiver asks for a key frame.
    pub(super) fn ask_key_frame(&mut self) {
        self.counters.key_frame_requests += 1;
        self.leg.ask_key_frame();
    }

    /// Its receiver reports this round trip.
    pub(super) fn take_round_trip(&mut self, measured: Duration) {
        self.round_trip.observe(measured);
        self.leg.set_round_trip(self.round_trip.get());
    }

    /// Sends a sender report if one is due. Returns whether one was sent.
    pub(super) fn report(
        &mut self,
        now: Instant,
        (wall, clock): (&NtpClock, &PublisherClock),
        out: &mut SendArena,
    ) -> bool {
        if !self.pace.handle_timeout(now) {
            return false;
        }
        let Some(state) = self.leg.sender_state(now) else {
            return false;
        };
        let state = LegState {
            ssrc: self.leg.config().ssrc,
            packets: state.packets,
            octets: state.octets,
            rtp_now: state.rtp_now,
            clock: state.clock.map(|clock| ClockMap {
                ntp: NtpTime(clock.ntp),
                rtp: clock.rtp,
            }),
        };
        let report = self.reports.report(now, wall, clock, &state);
        let senders = report.as_slice();
        !senders.is_empty() && self.send_rtcp(senders, &[], out)
    }

    /// Says that the stream ends (RFC 3550 §6.6).
    pub(super) fn say_goodbye(&mut self, out: &mut SendArena) {
        let ssrc = self.leg.config().ssrc;
        if self.counters.packets > 0 {
            self.send_rtcp(&[], &[Message::Bye { ssrc }], out);
        }
    }

    fn send_rtcp(
        &mut self,
        senders: &[SenderReport],
        messages: &[Message<'_>],
        out: &mut SendArena,
    ) -> bool {
        let start = out.begin();
        let arena = out.bytes_mut();
        let mut composer = Composer::new(Compound {
            ssrc: self.leg.config().ssrc,
            cname: &self.cname,
            reduced_size: false,
            senders,
            blocks: &[],
            messages,
        });
        composer.write(arena);
        let sealed = self.protection.as_mut().is_none_or(|protection| {
            let sealed = protection.sealer.seal_rtcp(arena, start);
            sealed.is_ok()
        });
        match sealed {
            true => out.commit(self.rtcp_path(), start),
            false => out.abort(start),
        }
        sealed
    }

    fn rtp_path(&self) -> Path {
        Path {
            local: self.socket,
            remote: self.wish.rtp_to(),
        }
    }

    fn rtcp_path(&self) -> Path {
        Path {
            local: self.socket,
            remote: self.wish.rtcp_to(),
        }
    }

    /// As REST shows it; keys are told by its description alone.
    pub(super) fn describe(&self) -> Value {
        let wish = &self.wish;
        let suite = wish.srtp.as_ref().map(|wanted| wanted.suite().name());
        let state = match self.on {
            Some(_) if self.muted => "muted",
            Some(_) if self.leg.layer().is_some() => "sending",
            _ => "waiting",
        };
        let payload_type = self
            .codec
            .and_then(|codec| self.leg.config().payload_types.media(codec));
        json!({
            "id": self.id,
            "track": { "member": wish.member, "source": wish.source },
            "host": wish.host,
            "port": wish.port,
            "rtcp": wish.describe_rtcp(),
            "srtp": suite.map(|suite| json!({ "suite": suite })),
            "layer": wish.describe_layer(),
            "from": self.from,
            "state": state,
            "codec": self.codec.map(|codec| format!("{codec:?}").to_lowercase()),
            "payloadType": payload_type,
            "ssrc": self.leg.config().ssrc,
            "packets": self.counters.packets,
            "bytes": self.counters.bytes,
            "retransmissions": self.counters.retransmissions,
            "keyFrameRequests": self.counters.key_frame_requests,
            "roundTripMs": self.round_trip.measured().map(|time| time.as_millis() as u64),
        })
    }

    /// Its session description; `None` while its codec is not known. Sound is always Opus.
    pub(super) fn sdp(&self, name: &str, track: Option<&Track>) -> Option<String> {
        let of_track = track.and_then(Track::codec);
        let codec = match kind_of(self.wish.source) {
            MediaKind::Audio => Codec::Opus,
            MediaKind::Video => self.codec.or(of_track)?,
        };
        let session = Session {
            wish: &self.wish,
            codec,
            payload_type: self.leg.config().payload_types.media(codec)?,
            ssrc: self.leg.config().ssrc,
            from: self.from.ip(),
            title: name,
            cname: &self.cname,
            parameter_sets: &self.parameter_sets,
            crypto: self.protection.as_ref().map(Protection::to_sdp),
        };
        Some(session.write())
    }
}

fn kind_of(source: Source) -> MediaKind {
    match source {
        Source::Microphone | Source::ScreenAudio => MediaKind::Audio,
        Source::Camera | Source::Screen => MediaKind::Video,
    }
}

/// A packet is repeated under its own number and payload type, so its retransmissions have the SSRC
/// and the numbers of the media. What is sealed has none.
fn leg_config(kind: MediaKind, sealed: bool, rng: &mut StdRng) -> LegConfig {
    let mut payload_types = PayloadTypes::default();
    for codec in Codec::ALL.into_iter().filter(|codec| codec.kind() == kind) {
        // Of every profile: the description that its receiver reads has the parameter sets.
        let known = PAYLOAD_TYPES
            .iter()
            .find(|(known, _)| *known == codec.family());
        if let Some(&(_, number)) = known {
            payload_types.set_media(codec, number);
            payload_types.set_rtx(codec, number);
        }
    }
    let ssrc = rng.random();
    LegConfig {
        kind,
        ssrc,
        rtx_ssrc: (!sealed).then_some(ssrc),
        payload_types,
        extensions: ExtensionIds::default(),
    }
}

/// The outputs of a room.
#[derive(Default)]
pub struct Outputs {
    pub(super) list: Vec<Output>,
    /// As they were when they ended, the newest last.
    ended: VecDeque<Value>,
}

impl Outputs {
    /// How many there are that have not ended.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one sends that track.
    pub fn carries(&self, slot: TrackSlot) -> bool {
        self.list.iter().any(|output| output.track() == Some(slot))
    }

    /// As REST shows them: first what goes on.
    pub(super) fn describe(&self) -> Vec<Value> {
        let ended = self.ended.iter().rev().cloned();
        self.list
            .iter()
            .map(Output::describe)
            .chain(ended)
            .collect()
    }

    /// Takes one out that ends by itself; it stays listed.
    pub(super) fn bury(&mut self, index: usize) -> Output {
        let output = self.list.remove(index);
        let mut last = output.describe();
        last["state"] = json!("ended");
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(last);
        output
    }

    /// Forgets one that has ended. Whether there was one.
    pub(super) fn forget(&mut self, id: &str) -> bool {
        let before = self.ended.len();
        self.ended.retain(|ended| ended["id"] != id);
        self.ended.len() < before
    }

    /// Of those on a track.
    pub(super) fn on(&mut self, slot: TrackSlot) -> impl Iterator<Item = &mut Output> {
        let outputs = self.list.iter_mut();
        outputs.filter(move |output| output.track() == Some(slot))
    }

    /// Takes a packet of a track.
    pub(in crate::media) fn take(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        facts: &Facts<'_>,
        around: &mut Surroundings<'_>,
    ) {
        for output in self.on(slot) {
            output.send(now, facts, around);
        }
    }

    /// Marks the layers of a track that key frames are needed of.
    pub(in crate::media) fn want_key_frames(
        &mut self,
        now: Instant,
        slot: TrackSlot,
        wanted: &mut [bool],
    ) {
        for output in self.on(slot) {
            let layer = output.leg.wants_key_frame(now);
            if let Some(wanted) = layer.and_then(|layer| wanted.get_mut(usize::from(layer))) {
                *wanted = true;
            }
        }
    }

    /// Something of these layers of a track is lost for good.
    pub(in crate::media) fn lost_for_good(&mut self, slot: TrackSlot, layers: &[u8]) {
        for output in self.on(slot) {
            if output
                .leg
                .layer()
                .is_some_and(|layer| layers.contains(&layer))
            {
                output.leg.ask_key_frame();
            }
        }
    }
}

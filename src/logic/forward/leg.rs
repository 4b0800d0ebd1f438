//! A leg: one outgoing stream of one viewer, onto which any publisher's track can be put.
//!
//! A leg has one SSRC for its whole life. [`Leg::judge`] says for every packet of the track on the
//! leg whether it goes out, and under which sequence number, timestamp and picture id: all of them
//! go on over every switch of track or layer. A picture is switched where a key frame starts.

use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::codec::{Codec, MediaKind, PayloadMeaning, PayloadTypes};
use super::extension::ExtensionIds;
use super::history::{History, SentPacket};
use super::layer::{LayerInfo, Layers};
use super::packet::{Facts, TrackId};
use super::red;
use super::sequence::{Refusal, SequenceMap};
use super::timestamp::{Relation, SenderClock, Timeline};
use super::vp8::{Vp8Counters, Vp8Patch};

/// Shortest time between two retransmissions of one packet, while the round trip is unknown or
/// shorter.
const MIN_RESEND_PAUSE: Duration = Duration::from_millis(20);
/// Longest time between two retransmissions of one packet, however long the round trip.
const MAX_RESEND_PAUSE: Duration = Duration::from_millis(500);

/// What a viewer negotiated for a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegConfig {
    /// Sound or picture.
    pub kind: MediaKind,
    /// The SSRC of everything on the leg.
    pub ssrc: u32,
    /// The SSRC of retransmissions; without one there are none.
    pub rtx_ssrc: Option<u32>,
    /// What the viewer calls the codecs; what none of them decodes is not forwarded.
    pub payload_types: PayloadTypes,
    /// What the viewer calls the header extensions.
    pub extensions: ExtensionIds,
}

/// A track that comes to a leg.
#[derive(Debug, Clone, Copy)]
pub struct SourceInfo<'a> {
    /// The track.
    pub track: TrackId,
    /// Its layers, lowest first; one for a track without layers. Audio may leave it empty.
    pub layers: &'a [LayerInfo],
}

/// What becomes of a packet on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out like this.
    Forward(Outgoing),
    /// It does not.
    Drop(DropReason),
}

/// The header of an outgoing packet, as far as it differs from viewer to viewer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// By the viewer's numbering.
    pub payload_type: u8,
    /// The marker.
    pub marker: bool,
    /// Extended: the low 16 bits go into the header, the rest is SRTP's rollover counter, which
    /// starts at 0.
    pub sequence: u64,
    /// On the leg's timeline.
    pub timestamp: u32,
    /// The counters of a VP8 payload.
    pub vp8: Vp8Patch,
    /// Where in the publisher's payload the outgoing one begins: 0, or RED's primary block.
    pub payload_at: u16,
}

/// Why a packet does not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It is not of the track on the leg.
    OtherTrack,
    /// The viewer wants no picture here now.
    Paused,
    /// The viewer does not know the codec.
    UnknownCodec,
    /// Another layer is on the leg, or the track has no such layer.
    OtherLayer,
    /// It is of the wanted layer, but a key frame must come first.
    AwaitsKeyFrame,
    /// There is nothing in it; later numbers close up.
    Padding,
    /// It is from before the switch, or too late.
    TooOld,
    /// It was judged before.
    Duplicate,
    /// Its payload is shorter than it says.
    Malformed,
}

/// A retransmission (RFC 4588) to be made from the publisher's packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resend {
    /// Whose packet.
    pub track: TrackId,
    /// Which layer's.
    pub layer: u8,
    /// The publisher's extended sequence number.
    pub sequence: u64,
    /// As what it went out the first time.
    pub outgoing: Outgoing,
    /// The payload type of the retransmission.
    pub rtx_payload_type: u8,
    /// The extended sequence number of the retransmission, on its own SSRC.
    pub rtx_sequence: u64,
}

/// What a leg has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets forwarded, retransmissions not counted.
    pub packets: u64,
    /// Octets of payload in them, without headers and padding.
    pub octets: u64,
    /// Packets sent again.
    pub resent: u64,
    /// Switches to another track or layer.
    pub switches: u64,
}

/// What a sender report says of a leg (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderState {
    /// Packets so far.
    pub packets: u64,
    /// Octets of payload so far.
    pub octets: u64,
    /// The leg's timestamp of the moment that was asked about, if the stream went on evenly since
    /// its last packet.
    pub rtp_now: u32,
    /// The publisher's clock against the leg's timeline: audio and video of one publisher share
    /// its `ntp`, so lip sync follows from it.
    pub clock: Option<SenderClock>,
}

#[derive(Debug)]
struct Source {
    track: TrackId,
    layers: Layers,
    /// The last packet was of a codec that the viewer does not know.
    unplayable: bool,
}

/// The stream that has the leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OnAir {
    layer: u8,
    codec: Codec,
}

/// One outgoing stream of one viewer.
#[derive(Debug)]
pub struct Leg {
    config: LegConfig,
    source: Option<Source>,
    paused: bool,
    max_height: u16,
    max_layer: u8,
    target: u8,
    on_air: Option<OnAir>,
    last_stream: Option<(TrackId, u8)>,
    /// The next packet is the first after a switch.
    fresh: bool,
    /// The viewer asked for a key frame and got none yet.
    key_frame_asked: bool,
    /// The number under which the last key frame began to go out.
    key_frame_from: u64,
    sequence: SequenceMap,
    timeline: Timeline,
    vp8: Vp8Counters,
    history: History,
    resend_pause: Duration,
    rtx_sequence: u64,
    counters: Counters,
}

impl Leg {
    /// An empty leg. Its numbers start at random places (RFC 3550 §5.1).
    pub fn new(config: LegConfig, rng: &mut StdRng) -> Self {
        // Below 2^15: a receiver must not take the first packets for a wrap (RFC 3711 §3.3.1).
        let mut first_sequence = || rng.random_range(1..1 << 15);
        let (first, rtx_sequence) = (first_sequence(), u64::from(first_sequence()));
        Self {
            config,
            source: None,
            paused: false,
            max_height: u16::MAX,
            max_layer: u8::MAX,
            target: 0,
            on_air: None,
            last_stream: None,
            fresh: false,
            key_frame_asked: false,
            key_frame_from: 0,
            sequence: SequenceMap::new(first),
            timeline: Timeline::new(config.kind, rng.random()),
            vp8: Vp8Counters::new(rng.random()),
            history: History::default(),
            resend_pause: MIN_RESEND_PAUSE,
            rtx_sequence,
            counters: Counters::default(),
        }
    }

    /// What was negotiated.
    pub fn config(&self) -> &LegConfig {
        &self.config
    }

    /// Takes over what a later negotiation changed; the SSRCs and all numbers stay.
    pub fn reconfigure(&mut self, payload_types: PayloadTypes, extensions: ExtensionIds) {
        self.config.payload_types = payload_types;
        self.config.extensions = extensions;
    }

    /// Puts a track on the leg, or takes it off. The old one stops at once: its face must not be
    /// seen under the new one's name. Putting on what is on takes over what is said of its layers.
    pub fn set_source(&mut self, now: Instant, source: Option<SourceInfo<'_>>) {
        match (&mut self.source, source) {
            (Some(present), Some(source)) if present.track == source.track => {
                present.layers.learn(source.layers);
            }
            (_, source) => self.replace_source(source),
        }
        self.choose(now);
    }

    fn replace_source(&mut self, source: Option<SourceInfo<'_>>) {
        self.source = source.map(|source| Source {
            track: source.track,
            layers: Layers::new(source.layers, self.max_height).up_to(self.max_layer),
            unplayable: false,
        });
        self.stop();
        if self.source.is_some() && self.config.rtx_ssrc.is_some() {
            self.history.allocate();
        }
    }

    /// The track on the leg.
    pub fn track(&self) -> Option<TrackId> {
        self.source.as_ref().map(|source| source.track)
    }

    /// The layer that goes out.
    pub fn layer(&self) -> Option<u8> {
        self.on_air.map(|stream| stream.layer)
    }

    /// Sets the height at which the viewer shows the picture, in pixels; 0 stops a picture (and has
    /// no meaning for sound).
    pub fn set_max_height(&mut self, now: Instant, max_height: u16) {
        self.max_height = max_height;
        if let Some(source) = &mut self.source {
            source.layers.set_max_height(max_height);
        }
        if self.is_paused() {
            self.stop();
        }
        self.choose(now);
    }

    /// Keeps to the layers up to that one, the lowest being 0, as long as one of them flows; `None`:
    /// whatever the height calls for.
    pub fn set_max_layer(&mut self, now: Instant, max_layer: Option<u8>) {
        self.max_layer = max_layer.unwrap_or(u8::MAX);
        if let Some(source) = &mut self.source {
            source.layers = source.layers.up_to(self.max_layer);
        }
        self.choose(now);
    }

    /// Stops and restarts the leg whatever its source and height.
    pub fn set_paused(&mut self, now: Instant, paused: bool) {
        self.paused = paused;
        if paused {
            self.stop();
        }
        self.choose(now);
    }

    /// Tells the round trip to the viewer, within which a packet is not sent again twice.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.resend_pause = round_trip.clamp(MIN_RESEND_PAUSE, MAX_RESEND_PAUSE);
    }

    /// Decides about a packet. It must be asked about every packet of the leg's track, those of
    /// other layers too: that is how a leg knows what flows.
    pub fn judge(&mut self, now: Instant, facts: &Facts<'_>) -> Verdict {
        match self.admit(now, facts) {
            Ok(outgoing) => Verdict::Forward(outgoing),
            Err(reason) => Verdict::Drop(reason),
        }
    }

    /// Says that the packets of a layer are judged again next, from a cached key frame on: the
    /// quickest way to a picture where one is fresh enough. It must be followed by all packets up
    /// to the newest. On a layer that goes out already, nothing goes out twice.
    pub fn replay(&mut self, layer: u8) {
        if let Some(source) = &mut self.source {
            source.layers.rewind(layer);
        }
    }

    /// The layer of the leg's track that a key frame is needed of now. Whoever asks the publisher
    /// merges and paces what all legs want.
    pub fn wants_key_frame(&self, now: Instant) -> Option<u8> {
        let source = self.source.as_ref()?;
        if self.config.kind == MediaKind::Audio || self.is_paused() || source.unplayable {
            return None;
        }
        match self.layer() {
            // A frozen picture first, then a better one.
            Some(layer) if self.key_frame_asked && source.layers.flows(now, layer) => Some(layer),
            Some(layer) if layer == self.target => self.key_frame_asked.then_some(layer),
            _ => Some(self.target),
        }
    }

    /// The viewer asked for a key frame (PLI or FIR).
    pub fn ask_key_frame(&mut self) {
        self.key_frame_asked = true;
    }

    /// Whether a packet that the viewer asks for by a NACK is too old to be sent again, now or later.
    pub fn has_forgotten(&self, sequence: u16) -> bool {
        let sequence = self.extended(sequence);
        !sequence.is_some_and(|sequence| self.history.remembers(sequence))
    }

    /// The viewer will never have this packet. Its picture stands still until a key frame, which
    /// Chromium asks for only after 3 s; unless one has gone out since. Whether one is needed.
    pub fn lost_for_good(&mut self, sequence: u16) -> bool {
        let needed = self.config.kind == MediaKind::Video
            && self.extended(sequence) >= Some(self.key_frame_from);
        self.key_frame_asked |= needed;
        needed
    }

    /// The number of a packet among the newest 2^16 that went out.
    fn extended(&self, sequence: u16) -> Option<u64> {
        let newest = self.sequence.newest();
        newest.checked_sub(u64::from((newest as u16).wrapping_sub(sequence)))
    }

    /// Answers a NACK for one packet: what to send again now, if anything. The caller looks the
    /// publisher's packet up and writes it with [`super::rewrite::write_rtx`].
    pub fn resend(&mut self, now: Instant, sequence: u16) -> Option<Resend> {
        let sent = self
            .history
            .resend(now, self.extended(sequence)?, self.resend_pause)?;
        let payload_types = &self.config.payload_types;
        let rtx_payload_type = match payload_types.meaning(sent.outgoing.payload_type)? {
            PayloadMeaning::Media(codec) => payload_types.rtx(codec)?,
            PayloadMeaning::Rtx(_) => return None,
        };
        let rtx_sequence = self.rtx_sequence;
        self.rtx_sequence += 1;
        self.counters.resent += 1;
        Some(Resend {
            track: sent.track,
            layer: sent.layer,
            sequence: sent.sequence,
            outgoing: sent.outgoing,
            rtx_payload_type,
            rtx_sequence,
        })
    }

    /// What the leg has done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// For a sender report; `None` before the first packet.
    pub fn sender_state(&self, now: Instant) -> Option<SenderState> {
        Some(SenderState {
            packets: self.counters.packets,
            octets: self.counters.octets,
            rtp_now: self.timeline.at(now)?,
            clock: self.timeline.clock(),
        })
    }
}

/// The packet path.
impl Leg {
    fn admit(&mut self, now: Instant, facts: &Facts<'_>) -> Result<Outgoing, DropReason> {
        let newest_of_layer = self.take_note(now, facts)?;
        let (payload_type, payload_at) = self.format(facts)?;
        if !self.carries(facts) {
            self.may_switch(facts, newest_of_layer)?;
            self.switch(now, facts);
        }
        let octets = facts.payload.len().saturating_sub(payload_at.into());
        if octets == 0 {
            self.sequence.leave_out(facts.origin.sequence)?;
            return Err(DropReason::Padding);
        }
        let mapped = self.sequence.map(facts.origin.sequence)?;
        if mapped.newest {
            self.timeline.follow(now, facts.timestamp);
        }
        let outgoing = Outgoing {
            payload_type,
            marker: self.marker(facts),
            sequence: mapped.sequence,
            timestamp: self.timeline.map(facts.timestamp),
            vp8: facts
                .vp8
                .map(|descriptor| self.vp8.map(&descriptor, mapped.newest))
                .unwrap_or_default(),
            payload_at,
        };
        if mapped.newest {
            self.timeline.sent(now, facts.timestamp, facts.origin.clock);
        }
        self.count(facts, outgoing, octets);
        Ok(outgoing)
    }

    /// Learns from a packet, forwarded or not, what flows. Says whether it is its layer's newest.
    fn take_note(&mut self, now: Instant, facts: &Facts<'_>) -> Result<bool, DropReason> {
        let origin = &facts.origin;
        let source = self
            .source
            .as_mut()
            .filter(|source| source.track == origin.track)
            .ok_or(DropReason::OtherTrack)?;
        let newest = source
            .layers
            .heard(now, facts)
            .ok_or(DropReason::OtherLayer)?;
        if self.is_paused() {
            return Err(DropReason::Paused);
        }
        self.choose(now);
        Ok(newest)
    }

    /// The payload type for the viewer, and where the outgoing payload begins.
    fn format(&mut self, facts: &Facts<'_>) -> Result<(u8, u16), DropReason> {
        let payload_types = &self.config.payload_types;
        let format = match facts.origin.codec {
            Codec::Red => {
                let primary = red::primary(facts.payload).ok_or(DropReason::Malformed)?;
                let opus = payload_types.media(Codec::Opus);
                // RED names its blocks by payload type, which must be the viewer's too.
                let readable = primary.uniform && opus == Some(primary.payload_type);
                match payload_types.media(Codec::Red).filter(|_| readable) {
                    Some(red) => Some((red, 0)),
                    None => opus.map(|opus| (opus, primary.at)),
                }
            }
            codec => payload_types.playable(codec).map(|known| (known, 0)),
        };
        if let Some(source) = &mut self.source {
            source.unplayable = format.is_none();
        }
        format.ok_or(DropReason::UnknownCodec)
    }

    fn carries(&self, facts: &Facts<'_>) -> bool {
        let Some(on_air) = self.on_air else {
            return false;
        };
        match self.config.kind {
            MediaKind::Audio => true,
            MediaKind::Video => on_air == stream_of(facts),
        }
    }

    /// A picture may switch at a key frame that brings it nearer to the layer it should have. A
    /// late start of one is no use: what follows it was dropped already.
    fn may_switch(&self, facts: &Facts<'_>, newest_of_layer: bool) -> Result<(), DropReason> {
        if self.config.kind == MediaKind::Audio {
            return Ok(());
        }
        let layer = facts.origin.layer;
        let nearer = match self.on_air {
            None => layer <= self.target,
            Some(on_air) if on_air.layer == layer => true,
            Some(on_air) => layer.abs_diff(self.target) < on_air.layer.abs_diff(self.target),
        };
        if !nearer {
            Err(DropReason::OtherLayer)
        } else if facts.starts_key_frame && newest_of_layer {
            Ok(())
        } else {
            Err(DropReason::AwaitsKeyFrame)
        }
    }

    fn switch(&mut self, now: Instant, facts: &Facts<'_>) {
        let origin = &facts.origin;
        let relation = match self.last_stream {
            Some((track, layer)) if track == origin.track && layer == origin.layer => {
                Relation::SameStream
            }
            Some((track, _)) if track == origin.track => Relation::SameSource,
            _ => Relation::Foreign,
        };
        self.sequence.begin(origin.sequence);
        self.timeline
            .switch(now, facts.timestamp, origin.clock, relation);
        self.vp8.switch();
        self.on_air = Some(stream_of(facts));
        self.last_stream = Some((origin.track, origin.layer));
        self.fresh = true;
        self.counters.switches += 1;
    }

    /// Sound that starts anew is marked as a talk spurt (RFC 3551 §4.1), so that jitter buffers
    /// adapt; in a picture the marker means its end and stays as it is.
    fn marker(&mut self, facts: &Facts<'_>) -> bool {
        let fresh = std::mem::take(&mut self.fresh);
        facts.marker || fresh && self.config.kind == MediaKind::Audio
    }

    fn count(&mut self, facts: &Facts<'_>, outgoing: Outgoing, octets: usize) {
        if facts.starts_key_frame {
            self.key_frame_asked = false;
            self.key_frame_from = outgoing.sequence;
        }
        self.counters.packets += 1;
        self.counters.octets += octets as u64;
        self.history.sent(SentPacket {
            track: facts.origin.track,
            layer: facts.origin.layer,
            sequence: facts.origin.sequence,
            outgoing,
            octets: octets.try_into().unwrap_or(u16::MAX),
        });
    }

    fn is_paused(&self) -> bool {
        self.paused || self.config.kind == MediaKind::Video && self.max_height == 0
    }

    /// Whatever comes next starts at a key frame.
    fn stop(&mut self) {
        self.on_air = None;
        self.key_frame_asked = false;
    }

    fn choose(&mut self, now: Instant) {
        if let Some(source) = &self.source {
            self.target = source.layers.best(now);
        }
    }
}

fn stream_of(facts: &Facts<'_>) -> OnAir {
    OnAir {
        layer: facts.origin.layer,
        codec: facts.origin.codec,
    }
}

impl From<Refusal> for DropReason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooOld => DropReason::TooOld,
            Refusal::Duplicate => DropReason::Duplicate,
        }
    }
}

#[cfg(test)]
mod tests;

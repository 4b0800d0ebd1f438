//! A published track as the node receives it: its layers, what is cached of them, who wants it.

use std::time::{Duration, Instant};

use crate::ids::MemberId;
use crate::logic::forward::cache::{Mark, PacketCache};
use crate::logic::forward::codec::{Codec, MediaKind, PayloadMeaning, PayloadTypes};
use crate::logic::forward::extension::ExtensionIds;
use crate::logic::forward::keyframe::starts_key_frame;
use crate::logic::forward::layer::{LayerInfo, MAX_LAYERS};
use crate::logic::forward::packet::{Facts, Origin, RtpView, TrackId};
use crate::logic::forward::pli::{KeyFrameRequests, RequestBy};
use crate::logic::forward::receive::{ReceiveStream, Received, StreamConfig};
use crate::logic::forward::timestamp::SenderClock;
use crate::media::bindings::Binding;
use crate::media::outlet::OutletId;
use crate::media::sdp::PublishLine;
use crate::protocol::client::Source;

/// A cached key frame older than this is not sent: the viewer would start late by as much.
const KEY_FRAME_FRESH: Duration = Duration::from_millis(300);
/// Bytes of the original sequence number in a retransmission (RFC 4588 §4).
const OSN_LEN: usize = 2;

/// A track by its place in the conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackSlot(pub usize);

/// What becomes of a received packet.
pub enum Intake {
    /// To be forwarded; lies in the cache under this number.
    New(u64),
    /// To be forwarded as the first of a new numbering: legs must start again.
    Restarted(u64),
    /// Nothing: repeated, strayed, an empty retransmission, or of an unknown payload type.
    Drop,
}

/// One m-line of a publisher.
pub struct Track {
    /// Names its numbering: a new one when the numbers start anew.
    pub id: TrackId,
    /// Whose.
    pub member: MemberId,
    /// What it is, once the publisher said so.
    pub source: Option<Source>,
    /// Sound or picture.
    pub kind: MediaKind,
    /// Not forwarded while muted, whatever the publisher sends.
    pub muted: bool,
    /// The outlets that carry it.
    pub outlets: Vec<OutletId>,
    /// As [`Self::take_codec_change`] told last.
    told_codec: Option<Codec>,
    payload_types: PayloadTypes,
    extensions: ExtensionIds,
    nack: bool,
    request_by: RequestBy,
    layers: Vec<Layer>,
    /// A recovered packet is put together here.
    scratch: Vec<u8>,
}

/// One simulcast layer, or the whole of a track without simulcast.
pub struct Layer {
    /// Receives it.
    pub stream: ReceiveStream,
    /// Key-frame requests for it.
    pub requests: KeyFrameRequests,
    /// Its last second.
    pub cache: PacketCache,
    height: Option<u16>,
    codec: Option<Codec>,
    begun: bool,
}

impl Track {
    /// A track of that m-line; nothing was received yet.
    pub fn new(now: Instant, id: TrackId, member: MemberId, line: &PublishLine) -> Self {
        let request_by = if line.feedback.pli || !line.feedback.fir {
            RequestBy::Pli
        } else {
            RequestBy::Fir
        };
        let mut track = Self {
            id,
            member,
            source: None,
            kind: line.kind,
            muted: false,
            outlets: Vec::new(),
            told_codec: None,
            payload_types: line.payload_types,
            extensions: line.extensions,
            nack: line.feedback.nack,
            request_by,
            layers: Vec::new(),
            scratch: Vec::new(),
        };
        let count = line.rids.len().clamp(1, MAX_LAYERS);
        track.layers = (0..count).map(|_| track.new_layer(now, 0)).collect();
        track
    }

    /// Takes over what a later negotiation changed; what is received goes on.
    pub fn renegotiate(&mut self, line: &PublishLine) {
        self.payload_types = line.payload_types;
        self.extensions = line.extensions;
        self.nack = line.feedback.nack;
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layers, lowest first.
    pub fn layers_mut(&mut self) -> &mut [Layer] {
        &mut self.layers
    }

    /// What a leg must know of the layers.
    pub fn layer_infos(&self) -> [LayerInfo; MAX_LAYERS] {
        let mut infos = [LayerInfo::default(); MAX_LAYERS];
        for (info, layer) in infos.iter_mut().zip(&self.layers) {
            *info = LayerInfo {
                height: layer.height,
                last_packet: layer.stream.last_packet(),
            };
        }
        infos
    }

    /// The stream of a layer has this SSRC from now on. `true` if it had another before: its
    /// numbers start anew.
    pub fn bind(&mut self, now: Instant, binding: Binding, ssrc: u32) -> bool {
        let nack = self.nack;
        let fresh = self.new_layer(now, ssrc);
        let Some(layer) = self.layers.get_mut(usize::from(binding.layer)) else {
            return false;
        };
        if binding.rtx {
            layer.stream.set_rtx_ssrc(ssrc);
            return false;
        }
        let restarted = layer.begun;
        if layer.stream.config().ssrc != ssrc || layer.stream.config().nack != nack {
            let height = layer.height;
            *layer = Layer { height, ..fresh };
        }
        restarted
    }

    /// Takes an opened packet of a bound SSRC: unwraps a retransmission, tells new from old, and
    /// puts what is new into the cache.
    pub fn receive(
        &mut self,
        now: Instant,
        binding: Binding,
        view: &RtpView<'_>,
        packet: &[u8],
    ) -> Intake {
        let index = usize::from(binding.layer);
        let Some(meaning) = self.payload_types.meaning(view.payload_type) else {
            return Intake::Drop;
        };
        let Some(layer) = self.layers.get_mut(index) else {
            return Intake::Drop;
        };
        let (view, packet, received) = match meaning {
            PayloadMeaning::Media(codec) => {
                layer.codec = Some(codec);
                let received =
                    layer
                        .stream
                        .receive(now, view.sequence, view.timestamp, packet.len());
                (*view, packet, received)
            }
            PayloadMeaning::Rtx(codec) => {
                let media = (self.payload_types.media(codec), layer.stream.config().ssrc);
                let original = unwrap_rtx(&mut self.scratch, view, packet, media)
                    .and_then(|()| RtpView::parse(&self.scratch));
                let Some(original) = original else {
                    return Intake::Drop;
                };
                layer.codec = Some(codec);
                let received = layer.stream.recover(now, original.sequence, packet.len());
                (original, &self.scratch[..], received)
            }
        };
        match received {
            Received::New { extended } => {
                layer.keep(now, extended, &view, packet);
                Intake::New(extended)
            }
            Received::Restarted { extended } => {
                layer.cache.clear();
                layer.keep(now, extended, &view, packet);
                Intake::Restarted(extended)
            }
            Received::Duplicate | Received::Strayed => Intake::Drop,
        }
    }

    /// The facts about a packet in the cache.
    pub fn facts(&self, now: Instant, layer_index: u8, extended: u64) -> Option<Facts<'_>> {
        let layer = self.layers.get(usize::from(layer_index))?;
        let view = RtpView::parse(layer.cache.get(now, extended)?.packet)?;
        let PayloadMeaning::Media(codec) = self.payload_types.meaning(view.payload_type)? else {
            return None;
        };
        let clock = layer.stream.clock_map().map(|map| SenderClock {
            ntp: map.ntp.0,
            rtp: map.rtp,
        });
        let origin = Origin {
            track: self.id,
            layer: layer_index,
            codec,
            sequence: extended,
            clock,
        };
        Some(Facts::gather(&view, origin, &self.extensions))
    }

    /// Notes what a key frame that just came means for its layer.
    pub fn key_frame_came(&mut self, layer_index: u8, extended: u64, height: Option<u16>) {
        if let Some(layer) = self.layers.get_mut(usize::from(layer_index)) {
            layer.stream.key_frame(extended);
            layer.requests.key_frame_came();
            layer.height = height.or(layer.height);
        }
    }

    /// The numbers from the start of a layer's newest key frame up to now, if a viewer can begin
    /// with them.
    pub fn fresh_key_frame(
        &self,
        now: Instant,
        layer: u8,
    ) -> Option<std::ops::RangeInclusive<u64>> {
        self.layers
            .get(usize::from(layer))?
            .cache
            .key_frame(now, KEY_FRAME_FRESH)
    }

    /// The publisher's wall clock was set anew: what was said by it holds no more.
    pub fn forget_clock(&mut self) {
        for layer in &mut self.layers {
            layer.stream.forget_clock();
        }
    }

    /// The codec that was received last, by its lowest layer that has one.
    pub fn codec(&self) -> Option<Codec> {
        self.layers.iter().find_map(|layer| layer.codec)
    }

    /// The codec that it is in, or will be: the one that was received last, or the only one that there is.
    pub fn expected_codec(&self) -> Option<Codec> {
        let mut possible = self.payload_types.codecs();
        let only = possible.next().filter(|_| possible.next().is_none());
        self.codec().or(only)
    }

    /// What its publisher calls the codecs.
    pub fn payload_types(&self) -> &PayloadTypes {
        &self.payload_types
    }

    /// Whether it is in another codec than when this was asked last.
    pub fn take_codec_change(&mut self) -> bool {
        let codec = self.codec();
        std::mem::replace(&mut self.told_codec, codec) != codec
    }

    /// Bits per second that come in, over all layers.
    pub fn bits_per_second(&self, now: Instant) -> u64 {
        self.layers
            .iter()
            .map(|layer| layer.stream.bits_per_second(now))
            .sum()
    }

    fn new_layer(&self, now: Instant, ssrc: u32) -> Layer {
        let clock_rate = match self.kind {
            MediaKind::Audio => Codec::Opus.clock_rate(),
            MediaKind::Video => Codec::Vp8.clock_rate(),
        };
        let config = StreamConfig {
            ssrc,
            rtx_ssrc: None,
            clock_rate,
            nack: self.nack,
        };
        Layer {
            stream: ReceiveStream::new(now, config),
            requests: KeyFrameRequests::new(self.request_by),
            cache: match self.kind {
                MediaKind::Audio => PacketCache::audio(),
                MediaKind::Video => PacketCache::video(),
            },
            height: None,
            codec: None,
            begun: false,
        }
    }
}

impl Layer {
    /// Caches a packet.
    fn keep(&mut self, now: Instant, extended: u64, view: &RtpView<'_>, packet: &[u8]) {
        self.begun = true;
        let key_frame = self
            .codec
            .is_some_and(|codec| starts_key_frame(codec, view.payload));
        let mark = Mark {
            timestamp: view.timestamp,
            key_frame,
        };
        self.cache.insert(now, extended, mark, packet);
    }
}

/// Puts the original packet together from its retransmission (RFC 4588 §4), under the payload type
/// and SSRC of the media; `None` if the retransmission is empty (padding that probes the bandwidth).
fn unwrap_rtx(
    scratch: &mut Vec<u8>,
    view: &RtpView<'_>,
    packet: &[u8],
    (payload_type, ssrc): (Option<u8>, u32),
) -> Option<()> {
    let (osn, payload) = view.payload.split_first_chunk::<OSN_LEN>()?;
    if payload.is_empty() {
        return None;
    }
    scratch.clear();
    scratch.extend_from_slice(packet.get(..view.header_len)?);
    scratch.extend_from_slice(payload);
    // The padding was taken off with the payload.
    scratch[0] &= !0x20;
    scratch[1] = (scratch[1] & 0x80) | payload_type?;
    scratch[2..4].copy_from_slice(osn);
    scratch[8..12].copy_from_slice(&ssrc.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// RTX of sequence number 0x0203: padding bit set, then taken off with the payload.
    const RTX: [u8; 18] = [
        0xa0, 0xe1, 0, 9, 0, 0, 0, 4, 0, 0, 0, 5, 2, 3, 0xaa, 0xbb, 0, 2,
    ];

    #[test]
    fn a_retransmission_becomes_the_packet_that_was_lost() {
        let view = RtpView::parse(&RTX).unwrap();
        let mut scratch = Vec::new();
        unwrap_rtx(&mut scratch, &view, &RTX, (Some(96), 77)).unwrap();
        let original = RtpView::parse(&scratch).unwrap();
        assert_eq!(
            (original.payload_type, original.marker, original.ssrc),
            (96, true, 77)
        );
        assert_eq!((original.sequence, original.timestamp), (0x0203, 4));
        assert_eq!(original.payload, [0xaa, 0xbb]);
    }

    #[test]
    fn an_empty_or_cut_retransmission_is_nothing() {
        for length in [12, 13, 14] {
            let mut packet = RTX[..length].to_vec();
            packet[0] = 0x80;
            let view = RtpView::parse(&packet).unwrap();
            let mut scratch = Vec::new();
            assert_eq!(
                unwrap_rtx(&mut scratch, &view, &packet, (Some(96), 77)),
                None,
                "{length}"
            );
        }
    }
}

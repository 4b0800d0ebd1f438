//! A publisher for tests: makes the packets of a track, layer by layer.
#![allow(clippy::unwrap_used)]

use super::codec::{Codec, PayloadTypes};
use super::extension::{Extension, ExtensionIds};
use super::packet::{Facts, Origin, RtpView, TrackId};
use super::timestamp::SenderClock;

/// Ticks between two pictures.
pub(super) const PICTURE: u32 = 3_000;

/// A packet of a publisher, as its receiver would hold it.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) origin: Origin,
    bytes: Vec<u8>,
}

impl Published {
    pub(super) fn facts(&self) -> Facts<'_> {
        let view = RtpView::parse(&self.bytes).unwrap();
        Facts::gather(&view, self.origin, &extension_ids())
    }
}

/// Ids of header extensions, the same for publishers and viewers where it does not matter.
pub(super) fn extension_ids() -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for (extension, id) in Extension::ALL.into_iter().zip(1..) {
        ids.set(extension, id);
    }
    ids
}

/// Payload types of a viewer.
pub(super) fn payload_types() -> PayloadTypes {
    let mut types = PayloadTypes::default();
    for (codec, payload_type) in [(Codec::Opus, 111), (Codec::Red, 63)] {
        types.set_media(codec, payload_type);
    }
    for (codec, payload_type) in [(Codec::Vp8, 96), (Codec::H264, 102)] {
        types.set_media(codec, payload_type);
        types.set_rtx(codec, payload_type + 1);
    }
    types
}

/// One layer of a track: numbers that count as a browser's would.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    pub(super) origin: Origin,
    pub(super) timestamp: u32,
    pub(super) picture_id: u16,
    tl0: u8,
    key_index: u8,
}

impl Publisher {
    /// Numbers start at places that depend on the track and the layer.
    pub(super) fn new(track: u32, layer: u8, codec: Codec) -> Self {
        let seed = track * 31 + u32::from(layer) * 7 + 1;
        Self {
            origin: Origin {
                track: TrackId(track),
                layer,
                codec,
                sequence: u64::from(seed.wrapping_mul(40_503) % 65_536),
                clock: None,
            },
            timestamp: seed.wrapping_mul(2_654_435_761),
            picture_id: (seed.wrapping_mul(25_173) % 0x8000) as u16,
            tl0: seed as u8,
            key_index: (seed % 32) as u8,
        }
    }

    pub(super) fn set_clock(&mut self, ntp: u64, rtp: u32) {
        self.origin.clock = Some(SenderClock { ntp, rtp });
    }

    /// One packet with this payload, at the present timestamp.
    pub(super) fn packet(&mut self, marker: bool, payload: &[u8]) -> Published {
        let origin = self.origin;
        self.origin.sequence += 1;
        let mut bytes = vec![0x80, u8::from(marker) << 7 | 100];
        bytes.extend_from_slice(&(origin.sequence as u16).to_be_bytes());
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 1]);
        bytes.extend_from_slice(payload);
        Published { origin, bytes }
    }

    /// A picture of VP8 in so many packets.
    pub(super) fn picture(&mut self, key: bool, packets: usize) -> Vec<Published> {
        self.timestamp = self.timestamp.wrapping_add(PICTURE);
        self.picture_id = (self.picture_id + 1) % 0x8000;
        self.tl0 = self.tl0.wrapping_add(1);
        self.key_index = (self.key_index + u8::from(key)) % 32;
        (0..packets)
            .map(|index| {
                let mut payload = self.descriptor(index == 0);
                payload.push(u8::from(!key));
                payload.resize(200, index as u8);
                self.packet(index + 1 == packets, &payload)
            })
            .collect()
    }

    fn descriptor(&self, first: bool) -> Vec<u8> {
        let [high, low] = self.picture_id.to_be_bytes();
        let start = 0x80 | u8::from(first) << 4;
        vec![start, 0xf0, high | 0x80, low, self.tl0, self.key_index]
    }

    /// 20 ms of sound.
    pub(super) fn sound(&mut self, payload: &[u8]) -> Published {
        self.timestamp = self.timestamp.wrapping_add(960);
        self.packet(false, payload)
    }
}

//! Who cannot decode what sits on their seats, and what everybody could decode instead.

use std::collections::BTreeMap;

use crate::ids::MemberId;
use crate::logic::forward::codec::Codec;
use crate::logic::room::MediaFact;
use crate::media::outlet::Outlet;
use crate::media::slots::Slots;
use crate::media::track::{Track, TrackSlot};
use crate::protocol::client::{Feed, Source};
use crate::protocol::server::Undecodable;

/// Which codec is asked for first: what most browsers have, and what they send layers of.
const PREFERRED: [Codec; 6] = [
    Codec::Vp8,
    Codec::H264,
    Codec::Vp9,
    Codec::Av1,
    Codec::H264Main,
    Codec::H264High,
];

/// What was said of it so far. Bounded by the seats and tracks that there are.
#[derive(Debug, Default)]
pub struct Decoding {
    /// By viewer; empty lists are left out.
    told: BTreeMap<MemberId, Vec<Undecodable>>,
    /// Which codec a publisher was asked for.
    asked: BTreeMap<(MemberId, Source), Codec>,
    is_stale: bool,
}

impl Decoding {
    /// A track came to a seat or went, or somebody offered anew: all is to be looked at again.
    pub fn touch(&mut self) {
        self.is_stale = true;
    }

    /// A member's connection is no more: the next one begins with an empty list.
    pub fn forget(&mut self, member: MemberId) {
        self.told.remove(&member);
        self.asked.retain(|(publisher, _), _| *publisher != member);
        self.is_stale = true;
    }

    /// What is to be told now. `member_at` is who has that place, `is_sent_on` whether another program has its description of a track
    /// already, which names one codec.
    pub fn review(
        &mut self,
        tracks: &mut Slots<Track>,
        outlets: &Slots<Outlet>,
        member_at: impl Fn(usize) -> Option<MemberId>,
        is_sent_on: impl Fn(TrackSlot) -> bool,
    ) -> Vec<MediaFact> {
        let mut is_due = std::mem::take(&mut self.is_stale);
        for track in tracks.iter_mut() {
            is_due |= track.take_codec_change();
        }
        let mut facts = Vec::new();
        if !is_due {
            return facts;
        }
        let mut lists: BTreeMap<MemberId, Vec<Undecodable>> = BTreeMap::new();
        for (slot, track) in tracks.entries() {
            let (Some((source, feed)), Some(codec)) = (picture(track), track.expected_codec())
            else {
                continue;
            };
            let viewers = || track.outlets.iter().filter_map(|id| outlets.get(id.0));
            let mut is_decoded = true;
            for blind in viewers().filter(|viewer| !decodes(viewer, codec)) {
                let viewer = member_at(blind.viewer);
                if let (Some(viewer), Some(codec)) = (viewer, codec.of_picture()) {
                    is_decoded = false;
                    let list = lists.entry(viewer).or_default();
                    list.push(Undecodable {
                        member: track.member,
                        feed,
                        codec,
                    });
                }
            }
            let publisher = (track.member, source);
            if is_decoded {
                self.asked.remove(&publisher);
                continue;
            }
            let can_be_sent = |codec: &Codec| track.payload_types().media(*codec).is_some();
            let is_for_all = |codec: &Codec| viewers().all(|viewer| decodes(viewer, *codec));
            let mut candidates = PREFERRED.into_iter().filter(can_be_sent);
            let better = candidates
                .find(is_for_all)
                .filter(|_| !is_sent_on(TrackSlot(slot)));
            let better = better.and_then(|codec| Some((codec, codec.of_picture()?)));
            if let Some((better, codec)) = better
                && self.asked.insert(publisher, better) != Some(better)
            {
                facts.push(MediaFact::Decodable {
                    member: track.member,
                    source,
                    codec,
                });
            }
        }
        lists.values_mut().for_each(|list| list.sort_unstable());
        self.tell(lists, &mut facts);
        facts
    }

    fn tell(&mut self, lists: BTreeMap<MemberId, Vec<Undecodable>>, facts: &mut Vec<MediaFact>) {
        let before = std::mem::replace(&mut self.told, lists);
        let over = before
            .keys()
            .filter(|viewer| !self.told.contains_key(viewer));
        facts.extend(over.map(|&viewer| MediaFact::Undecodable {
            viewer,
            pictures: Vec::new(),
        }));
        let new = self.told.iter();
        let new = new.filter(|(viewer, pictures)| before.get(viewer) != Some(pictures));
        facts.extend(new.map(|(&viewer, pictures)| MediaFact::Undecodable {
            viewer,
            pictures: pictures.clone(),
        }));
    }
}

fn picture(track: &Track) -> Option<(Source, Feed)> {
    match track.source? {
        Source::Camera => Some((Source::Camera, Feed::Camera)),
        Source::Screen => Some((Source::Screen, Feed::Screen)),
        Source::Microphone | Source::ScreenAudio => None,
    }
}

fn decodes(viewer: &Outlet, codec: Codec) -> bool {
    viewer.leg.config().payload_types.playable(codec).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Instant;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::logic::forward::codec::{MediaKind, PayloadTypes};
    use crate::logic::forward::extension::ExtensionIds;
    use crate::logic::forward::packet::{RtpView, TrackId};
    use crate::media::bindings::Binding;
    use crate::media::outlet::OutletId;
    use crate::media::sdp::{Feedback, PublishLine, SeatLine};
    use crate::protocol::server::PictureCodec;

    fn types(codecs: &[Codec]) -> PayloadTypes {
        let mut types = PayloadTypes::default();
        for &codec in codecs {
            types.set_media(codec, 100 + codec as u8);
        }
        types
    }

    /// Member 1 has a camera; the viewers, at the places from 2 on, are the members of that number.
    struct Bench {
        now: Instant,
        decoding: Decoding,
        tracks: Slots<Track>,
        outlets: Slots<Outlet>,
        sequence: u16,
        is_sent_on: bool,
    }

    impl Bench {
        fn new(sends: &[Codec], viewers: &[&[Codec]]) -> Bench {
            let now = Instant::now();
            let line = PublishLine {
                mid: "0".into(),
                kind: MediaKind::Video,
                active: true,
                payload_types: types(sends),
                extensions: ExtensionIds::default(),
                feedback: Feedback::default(),
                rids: Vec::new(),
                streams: Vec::new(),
            };
            let mut track = Track::new(now, TrackId(1), MemberId(1), &line);
            track.source = Some(Source::Camera);
            let binding = Binding {
                line: 0,
                layer: 0,
                rtx: false,
            };
            track.bind(now, binding, 7);
            let mut bench = Bench {
                now,
                decoding: Decoding::default(),
                tracks: Slots::default(),
                outlets: Slots::default(),
                sequence: 1,
                is_sent_on: false,
            };
            bench.tracks.insert(track);
            for viewer in viewers {
                bench.comes(viewer);
            }
            bench
        }

        fn comes(&mut self, decodes: &[Codec]) {
            let viewer = self.outlets.next() + 2;
            let line = SeatLine {
                mid: "0".into(),
                kind: MediaKind::Video,
                active: true,
                seat: 0,
                ssrc: 9,
                rtx_ssrc: None,
                payload_types: types(decodes),
                extensions: ExtensionIds::default(),
                feedback: Feedback::default(),
            };
            let mut rng = StdRng::seed_from_u64(1);
            let outlet = Outlet::new(self.now, viewer, &line, &mut rng);
            let id = OutletId(self.outlets.insert(outlet));
            self.tracks.get_mut(0).unwrap().outlets.push(id);
            self.decoding.touch();
        }

        fn sends(&mut self, codec: Codec) {
            let [high, low] = self.sequence.to_be_bytes();
            self.sequence += 1;
            let packet = [
                0x80,
                100 + codec as u8,
                high,
                low,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                7,
                1,
                2,
            ];
            let view = RtpView::parse(&packet).unwrap();
            let binding = Binding {
                line: 0,
                layer: 0,
                rtx: false,
            };
            let track = self.tracks.get_mut(0).unwrap();
            track.receive(self.now, binding, &view, &packet);
        }

        fn review(&mut self) -> Vec<MediaFact> {
            let member_at = |place| Some(MemberId(place as u64));
            let is_sent_on = self.is_sent_on;
            let (tracks, outlets) = (&mut self.tracks, &self.outlets);
            self.decoding
                .review(tracks, outlets, member_at, |_| is_sent_on)
        }
    }

    fn told(viewer: u64, codecs: &[PictureCodec]) -> MediaFact {
        let pictures = codecs.iter().map(|&codec| Undecodable {
            member: MemberId(1),
            feed: Feed::Camera,
            codec,
        });
        MediaFact::Undecodable {
            viewer: MemberId(viewer),
            pictures: pictures.collect(),
        }
    }

    fn asked(codec: PictureCodec) -> MediaFact {
        MediaFact::Decodable {
            member: MemberId(1),
            source: Source::Camera,
            codec,
        }
    }

    const OF_FIREFOX: &[Codec] = &[Codec::Vp8, Codec::Vp9, Codec::Av1];
    const OF_CHROMIUM: &[Codec] = &[
        Codec::Vp8,
        Codec::Vp9,
        Codec::H264,
        Codec::Av1,
        Codec::H264High,
    ];

    #[test]
    fn who_cannot_decode_is_told_once_and_told_again_when_it_is_over() {
        let mut bench = Bench::new(&[Codec::H264High], &[OF_FIREFOX, OF_CHROMIUM]);
        // Before the first packet: there is only one way that it can come.
        assert_eq!(bench.review(), [told(2, &[PictureCodec::H264High])]);
        bench.sends(Codec::H264High);
        assert_eq!(bench.review(), []);
        bench.comes(OF_FIREFOX);
        assert_eq!(bench.review(), [told(4, &[PictureCodec::H264High])]);
        let track = bench.tracks.get_mut(0).unwrap();
        track.outlets.retain(|id| id.0 != 0);
        bench.decoding.touch();
        assert_eq!(bench.review(), [told(2, &[])]);
    }

    #[test]
    fn a_publisher_is_asked_for_what_everybody_decodes() {
        let mut bench = Bench::new(&[Codec::Vp8, Codec::Vp9, Codec::H264], &[OF_CHROMIUM]);
        assert_eq!(bench.review(), [], "nobody knows yet how it will come");
        bench.sends(Codec::H264);
        assert_eq!(bench.review(), []);
        bench.comes(OF_FIREFOX);
        let expected = [asked(PictureCodec::Vp8), told(3, &[PictureCodec::H264])];
        assert_eq!(bench.review(), expected);
        bench.sends(Codec::H264);
        assert_eq!(bench.review(), [], "asked once");
        bench.sends(Codec::Vp8);
        assert_eq!(bench.review(), [told(3, &[])]);
        // Somebody for whom there is no VP8, and then nothing for all.
        bench.comes(&[Codec::Vp9]);
        let expected = [asked(PictureCodec::Vp9), told(4, &[PictureCodec::Vp8])];
        assert_eq!(bench.review(), expected);
        bench.comes(&[Codec::H264]);
        assert_eq!(bench.review(), [told(5, &[PictureCodec::Vp8])]);
    }

    #[test]
    fn a_program_that_has_its_description_keeps_its_codec() {
        let mut bench = Bench::new(&[Codec::Vp8, Codec::H264], &[OF_FIREFOX]);
        bench.is_sent_on = true;
        bench.sends(Codec::H264);
        assert_eq!(bench.review(), [told(2, &[PictureCodec::H264])]);
    }

    #[test]
    fn a_new_connection_begins_with_nothing_said() {
        let mut bench = Bench::new(&[Codec::H264], &[OF_FIREFOX]);
        assert_eq!(bench.review().len(), 1);
        bench.decoding.forget(MemberId(2));
        assert_eq!(bench.review(), [told(2, &[PictureCodec::H264])]);
    }
}

#![allow(clippy::unwrap_used)]

mod random;

use rand::SeedableRng;

use super::*;
use crate::logic::forward::publisher::{
    PICTURE, Published, Publisher, extension_ids, payload_types,
};

const FRAME_TIME: Duration = Duration::from_micros(33_333);

fn config(kind: MediaKind) -> LegConfig {
    LegConfig {
        kind,
        ssrc: 1,
        rtx_ssrc: (kind == MediaKind::Video).then_some(2),
        payload_types: payload_types(),
        extensions: extension_ids(),
    }
}

/// A leg with the clock beside it.
struct Viewer {
    leg: Leg,
    now: Instant,
}

impl Viewer {
    fn new(kind: MediaKind) -> Self {
        Self {
            leg: Leg::new(config(kind), &mut StdRng::seed_from_u64(1)),
            now: Instant::now(),
        }
    }

    /// Puts on a track whose layers all flow.
    fn watch(&mut self, track: u32, layers: usize) {
        let info = LayerInfo {
            height: None,
            last_packet: Some(self.now),
        };
        let source = SourceInfo {
            track: TrackId(track),
            layers: &vec![info; layers],
        };
        self.leg.set_source(self.now, Some(source));
    }

    fn judge(&mut self, packet: &Published) -> Verdict {
        self.leg.judge(self.now, &packet.facts())
    }

    fn forwards(&mut self, packet: &Published) -> Outgoing {
        match self.judge(packet) {
            Verdict::Forward(outgoing) => outgoing,
            Verdict::Drop(reason) => panic!("dropped: {reason:?}"),
        }
    }

    fn drops(&mut self, packet: &Published) -> DropReason {
        match self.judge(packet) {
            Verdict::Forward(outgoing) => panic!("forwarded: {outgoing:?}"),
            Verdict::Drop(reason) => reason,
        }
    }

    fn forwards_picture(&mut self, publisher: &mut Publisher, key: bool) -> Vec<Outgoing> {
        self.now += FRAME_TIME;
        let packets = publisher.picture(key, 2);
        packets.iter().map(|packet| self.forwards(packet)).collect()
    }

    fn drops_picture(&mut self, publisher: &mut Publisher, key: bool, expected: DropReason) {
        for packet in publisher.picture(key, 2) {
            assert_eq!(self.drops(&packet), expected);
        }
    }
}

fn camera(track: u32, layer: u8) -> Publisher {
    Publisher::new(track, layer, Codec::Vp8)
}

#[test]
fn a_picture_begins_at_a_key_frame_which_is_asked_for_until_it_comes() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    assert_eq!(
        viewer.drops(&one.picture(true, 1)[0]),
        DropReason::OtherTrack
    );
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
    viewer.watch(1, 1);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
    viewer.drops_picture(&mut one, false, DropReason::AwaitsKeyFrame);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
    let first = viewer.forwards_picture(&mut one, true);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
    let second = viewer.forwards_picture(&mut one, false);
    assert_eq!(second[0].sequence, first[0].sequence + 2);
    assert_eq!(
        second[0].timestamp,
        first[0].timestamp.wrapping_add(PICTURE)
    );
    assert_eq!(second[0].payload_type, 96);
    let markers: Vec<_> = second.iter().map(|outgoing| outgoing.marker).collect();
    assert_eq!(markers, [false, true]);
}

#[test]
fn another_publisher_goes_on_where_the_last_one_stopped() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let (mut one, mut two) = (camera(1, 0), camera(2, 0));
    viewer.watch(1, 1);
    viewer.forwards_picture(&mut one, true);
    let last = viewer.forwards_picture(&mut one, false)[1];
    viewer.watch(2, 1);
    viewer.drops_picture(&mut one, false, DropReason::OtherTrack);
    viewer.drops_picture(&mut two, false, DropReason::AwaitsKeyFrame);
    let next = viewer.forwards_picture(&mut two, true)[0];
    assert_eq!(next.sequence, last.sequence + 1);
    assert_eq!(next.timestamp, last.timestamp.wrapping_add(PICTURE));
    assert_eq!(next.vp8.picture_id, (last.vp8.picture_id + 1) % 0x8000);
    assert_eq!(next.vp8.tl0, last.vp8.tl0.wrapping_add(1));
    assert_eq!(next.vp8.key_index, (last.vp8.key_index + 1) % 32);
}

#[test]
fn timestamps_that_leap_go_on_evenly_and_no_key_frame_is_needed() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 1);
    let mut last = viewer.forwards_picture(&mut one, true)[1];
    for leap in [3_600 * 90_000, -60 * 90_000_i32, 7 * 90_000] {
        one.timestamp = one.timestamp.wrapping_add(leap as u32);
        for _ in 0..3 {
            let next = viewer.forwards_picture(&mut one, false);
            let step = next[0].timestamp.wrapping_sub(last.timestamp);
            assert!(step.abs_diff(PICTURE) <= 1, "{step} ticks after {leap}");
            assert_eq!(next[0].timestamp, next[1].timestamp);
            assert_eq!(next[0].sequence, last.sequence + 1);
            last = next[1];
        }
    }
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
}

#[test]
fn the_old_layer_stays_until_the_new_ones_key_frame() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut layers = [camera(1, 0), camera(1, 1), camera(1, 2)];
    viewer.leg.set_max_height(viewer.now, 180);
    viewer.watch(1, 3);
    viewer.drops_picture(&mut layers[2], true, DropReason::OtherLayer);
    viewer.forwards_picture(&mut layers[0], true);
    viewer.leg.set_max_height(viewer.now, 720);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(2));
    viewer.forwards_picture(&mut layers[0], false);
    viewer.drops_picture(&mut layers[2], false, DropReason::AwaitsKeyFrame);
    let last = viewer.forwards_picture(&mut layers[0], false)[1];
    let next = viewer.forwards_picture(&mut layers[2], true)[0];
    assert_eq!(
        (viewer.leg.layer(), viewer.leg.wants_key_frame(viewer.now)),
        (Some(2), None)
    );
    assert_eq!(next.sequence, last.sequence + 1);
    viewer.drops_picture(&mut layers[0], true, DropReason::OtherLayer);
    viewer.leg.set_max_height(viewer.now, 180);
    viewer.forwards_picture(&mut layers[2], false);
    viewer.forwards_picture(&mut layers[1], true);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
    viewer.forwards_picture(&mut layers[0], true);
}

#[test]
fn a_layer_that_stops_is_left_for_one_that_flows() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let (mut low, mut high) = (camera(1, 0), camera(1, 1));
    viewer.watch(1, 2);
    viewer.forwards_picture(&mut high, true);
    for _ in 0..40 {
        viewer.now += FRAME_TIME;
        low.picture(false, 1).iter().for_each(|packet| {
            viewer.judge(packet);
        });
    }
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
    viewer.forwards_picture(&mut low, true);
    viewer.now += FRAME_TIME;
    viewer.drops_picture(&mut high, false, DropReason::AwaitsKeyFrame);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(1));
    viewer.forwards_picture(&mut high, true);
}

#[test]
fn a_late_or_repeated_start_of_a_key_frame_is_no_start() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 1);
    let key = one.picture(true, 3);
    assert_eq!(viewer.drops(&key[1]), DropReason::AwaitsKeyFrame);
    assert_eq!(viewer.drops(&key[0]), DropReason::AwaitsKeyFrame);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
}

#[test]
fn a_cached_key_frame_can_be_replayed() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 1);
    let mut cached = one.picture(true, 2);
    cached.extend(one.picture(false, 2));
    assert_eq!(viewer.drops(&cached[3]), DropReason::AwaitsKeyFrame);
    viewer.leg.replay(0);
    let numbers: Vec<_> = cached.iter().map(|p| viewer.forwards(p).sequence).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    viewer.leg.replay(0);
    for packet in &cached {
        assert_eq!(viewer.drops(packet), DropReason::Duplicate);
    }
    viewer.forwards_picture(&mut one, false);
}

#[test]
fn repeated_and_ancient_packets_go_out_once() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let (mut one, mut other) = (camera(1, 0), camera(1, 1));
    viewer.leg.set_max_height(viewer.now, 180);
    viewer.watch(1, 2);
    let key = one.picture(true, 3);
    let number = viewer.forwards(&key[0]).sequence;
    assert_eq!(viewer.forwards(&key[2]).sequence, number + 2);
    assert_eq!(viewer.forwards(&key[1]).sequence, number + 1);
    for packet in &key {
        assert_eq!(viewer.drops(packet), DropReason::Duplicate);
    }
    viewer.leg.set_max_height(viewer.now, 720);
    viewer.forwards_picture(&mut other, true);
    viewer.leg.set_max_height(viewer.now, 180);
    viewer.forwards_picture(&mut one, true);
    assert_eq!(viewer.drops(&key[0]), DropReason::TooOld);
}

#[test]
fn no_height_is_no_picture_and_a_key_frame_brings_it_back() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 1);
    let last = viewer.forwards_picture(&mut one, true)[1];
    viewer.leg.set_max_height(viewer.now, 0);
    viewer.drops_picture(&mut one, true, DropReason::Paused);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
    viewer.leg.set_max_height(viewer.now, 360);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
    viewer.drops_picture(&mut one, false, DropReason::AwaitsKeyFrame);
    let next = viewer.forwards_picture(&mut one, true)[0];
    assert_eq!(next.sequence, last.sequence + 1);
    assert_eq!(next.timestamp, last.timestamp.wrapping_add(3 * PICTURE));
}

#[test]
fn a_muted_track_goes_on_when_it_comes_back() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 1);
    let last = viewer.forwards_picture(&mut one, true)[1];
    viewer.now += Duration::from_secs(30);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
    let next = viewer.forwards_picture(&mut one, false)[0];
    assert_eq!(next.sequence, last.sequence + 1);
}

#[test]
fn a_viewers_request_for_a_key_frame_stands_until_one_goes_out() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 1);
    viewer.forwards_picture(&mut one, true);
    viewer.leg.ask_key_frame();
    viewer.forwards_picture(&mut one, false);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
    viewer.forwards_picture(&mut one, true);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
}

#[test]
fn a_frozen_picture_comes_before_a_better_one() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut low = camera(1, 0);
    viewer.watch(1, 2);
    viewer.forwards_picture(&mut low, true);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(1));
    viewer.leg.ask_key_frame();
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
    viewer.forwards_picture(&mut low, true);
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(1));
}

#[test]
fn a_still_screen_is_asked_for_a_key_frame() {
    let mut viewer = Viewer::new(MediaKind::Video);
    viewer.watch(1, 3);
    let quiet = LayerInfo {
        height: Some(1080),
        last_packet: Some(viewer.now),
    };
    viewer.now += Duration::from_secs(60);
    let screen = SourceInfo {
        track: TrackId(2),
        layers: &[quiet],
    };
    viewer.leg.set_source(viewer.now, Some(screen));
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
}

#[test]
fn layers_may_be_added_to_what_is_on_the_leg() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let (mut low, mut high) = (camera(1, 0), camera(1, 1));
    viewer.watch(1, 1);
    viewer.forwards_picture(&mut low, true);
    viewer.drops_picture(&mut high, true, DropReason::OtherLayer);
    viewer.watch(1, 2);
    viewer.forwards_picture(&mut low, false);
    viewer.forwards_picture(&mut high, true);
}

#[test]
fn padding_leaves_no_gap() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 1);
    let last = viewer.forwards_picture(&mut one, true)[1];
    let padding = one.packet(false, &[]);
    assert_eq!(viewer.drops(&padding), DropReason::Padding);
    assert_eq!(
        viewer.forwards_picture(&mut one, false)[0].sequence,
        last.sequence + 1
    );
}

#[test]
fn a_codec_that_the_viewer_lacks_is_not_forwarded_nor_asked_for() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = Publisher::new(1, 0, Codec::Av1);
    viewer.watch(1, 1);
    assert_eq!(
        viewer.drops(&one.packet(true, &[0x08, 0])),
        DropReason::UnknownCodec
    );
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
}

#[test]
fn another_codec_of_the_same_track_begins_at_its_key_frame() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 1);
    let last = viewer.forwards_picture(&mut one, true)[1];
    one.origin.codec = Codec::H264;
    assert_eq!(
        viewer.drops(&one.packet(true, &[0x41, 0x9a])),
        DropReason::AwaitsKeyFrame
    );
    let next = viewer.forwards(&one.packet(true, &[0x67, 0x42]));
    assert_eq!((next.payload_type, next.sequence), (102, last.sequence + 1));
}

#[test]
fn sound_needs_no_key_frame_and_is_marked_when_it_starts_anew() {
    let mut viewer = Viewer::new(MediaKind::Audio);
    let mut voices = [1, 2].map(|track| Publisher::new(track, 0, Codec::Opus));
    let mut last: Option<Outgoing> = None;
    for track in [1, 2, 1] {
        viewer.watch(track, 0);
        let voice = &mut voices[track as usize - 1];
        for packet in 0..3 {
            viewer.now += Duration::from_millis(20);
            let out = viewer.forwards(&voice.sound(&[0xfc, 1, 2]));
            assert_eq!((out.payload_type, out.marker), (111, packet == 0));
            if let Some(last) = last {
                assert_eq!(out.sequence, last.sequence + 1);
                assert_eq!(out.timestamp, last.timestamp.wrapping_add(960));
            }
            last = Some(out);
        }
    }
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
}

#[test]
fn pauses_within_speech_stay_as_they_are() {
    let mut viewer = Viewer::new(MediaKind::Audio);
    let mut voice = Publisher::new(1, 0, Codec::Opus);
    viewer.watch(1, 0);
    let last = viewer.forwards(&voice.sound(&[0xfc]));
    voice.timestamp = voice.timestamp.wrapping_add(19 * 960);
    let next = viewer.forwards(&voice.sound(&[0xfc]));
    assert_eq!(next.sequence, last.sequence + 1);
    assert_eq!(next.timestamp, last.timestamp.wrapping_add(20 * 960));
}

#[test]
fn red_is_passed_on_to_viewers_who_can_read_it_and_unwrapped_for_others() {
    let uniform: &[u8] = &[0x80 | 111, 0, 0, 2, 111, 9, 9, 1, 2];
    let foreign: &[u8] = &[0x80 | 109, 0, 0, 2, 109, 9, 9, 1, 2];
    let mut without_red = PayloadTypes::default();
    without_red.set_media(Codec::Opus, 109);
    let cases = [
        (payload_types(), uniform, (63, 0)),
        (payload_types(), foreign, (111, 7)),
        (without_red, uniform, (109, 7)),
    ];
    for (types, payload, expected) in cases {
        let mut viewer = Viewer::new(MediaKind::Audio);
        viewer.leg.reconfigure(types, extension_ids());
        viewer.watch(1, 0);
        let mut voice = Publisher::new(1, 0, Codec::Red);
        let out = viewer.forwards(&voice.sound(payload));
        assert_eq!((out.payload_type, out.payload_at), expected);
        voice.origin.codec = Codec::Opus;
        assert_eq!(
            viewer.forwards(&voice.sound(&[1])).sequence,
            out.sequence + 1
        );
        voice.origin.codec = Codec::Red;
        assert_eq!(viewer.drops(&voice.sound(&[0x80])), DropReason::Malformed);
    }
}

#[test]
fn a_nack_is_answered_from_whatever_was_on_the_leg_then() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let (mut one, mut two) = (camera(1, 0), camera(2, 0));
    viewer.watch(1, 1);
    let published = one.picture(true, 1);
    let out = viewer.forwards(&published[0]);
    viewer.watch(2, 1);
    let newer = viewer.forwards_picture(&mut two, true)[0];
    let again = viewer.leg.resend(viewer.now, out.sequence as u16).unwrap();
    assert_eq!((again.track, again.layer), (TrackId(1), 0));
    assert_eq!(
        (again.sequence, again.outgoing),
        (published[0].origin.sequence, out)
    );
    assert_eq!(again.rtx_payload_type, 97);
    let other = viewer
        .leg
        .resend(viewer.now, newer.sequence as u16)
        .unwrap();
    assert_eq!(other.rtx_sequence, again.rtx_sequence + 1);
    assert_eq!(viewer.leg.resend(viewer.now, out.sequence as u16), None);
    assert_eq!(
        viewer.leg.resend(viewer.now, newer.sequence as u16 + 100),
        None
    );
    assert_eq!(viewer.leg.counters().resent, 2);
}

#[test]
fn what_is_lost_for_good_needs_a_key_frame_unless_one_came_since() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    viewer.watch(1, 0);
    let before = viewer.forwards_picture(&mut one, true)[0].sequence as u16;
    viewer.forwards_picture(&mut one, true);
    assert!(!viewer.leg.lost_for_good(before));
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), None);
    let since = viewer.forwards_picture(&mut one, false)[0].sequence as u16;
    assert!(!viewer.leg.has_forgotten(since));
    assert!(viewer.leg.has_forgotten(since.wrapping_sub(5_000)));
    assert!(viewer.leg.lost_for_good(since));
    assert_eq!(viewer.leg.wants_key_frame(viewer.now), Some(0));
}

#[test]
fn reports_count_what_went_out_and_map_the_publishers_clock() {
    let mut viewer = Viewer::new(MediaKind::Video);
    let mut one = camera(1, 0);
    assert_eq!(viewer.leg.sender_state(viewer.now), None);
    viewer.watch(1, 1);
    one.set_clock(77 << 32, one.timestamp);
    let out = viewer.forwards_picture(&mut one, true)[0];
    let state = viewer.leg.sender_state(viewer.now + FRAME_TIME).unwrap();
    assert_eq!((state.packets, state.octets), (2, 400));
    assert_eq!(state.rtp_now, out.timestamp.wrapping_add(2_999));
    let expected = SenderClock {
        ntp: 77 << 32,
        rtp: out.timestamp.wrapping_sub(PICTURE),
    };
    assert_eq!(state.clock, Some(expected));
}

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use proptest::prelude::*;
use rtp::codec::av1::Av1Payloader;
use rtp::codec::h264::H264Payloader;
use rtp::codec::vp8::Vp8Payloader;
use rtp::codec::vp9::Vp9Payloader;
use rtp::packetizer::Payloader;

use super::*;

/// Beginnings of key frames of 642x362 pixels, as libvpx, x264 and SVT-AV1 write them.
const VP8_KEY: &[u8] = &[
    0x30, 0xce, 0, 0x9d, 0x01, 0x2a, 0x82, 0x02, 0x6a, 0x01, 0, 7, 8,
];
const VP9_KEY: &[u8] = &[
    0x82, 0x49, 0x83, 0x42, 0, 0x28, 0x10, 0x16, 0x96, 0x08, 0x38,
];
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa4, 0x2f, 0xe2, 0x24, 0xc0, 0x44, 0, 0, 3, 0, 4, 0, 0, 3,
    0, 0xc8, 0x3c, 0x58, 0xb9, 0x20,
];
const PPS: &[u8] = &[0x68, 0xcb, 0x8c, 0xb2];
const AV1_SEQUENCE: &[u8] = &[
    0x0a, 0x0b, 0, 0, 0, 0x0c, 0xc5, 0x03, 0x69, 0x3e, 0xfe, 0x40, 0x10,
];
const AVCC: &[u8] = &[1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 26];

const PICTURES: [Codec; 4] = [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1];

fn filler(length: usize) -> Vec<u8> {
    // Nothing in it looks like the start code of a unit.
    (0..length).map(|at| (at % 251) as u8 | 0x40).collect()
}

fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    units
        .iter()
        .flat_map(|unit| [&[0, 0, 0, 1], *unit].concat())
        .collect()
}

fn obu(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut unit = vec![kind << 3 | 2];
    let mut size = content.len();
    while size >= 0x80 {
        unit.push(size as u8 | 0x80);
        size >>= 7;
    }
    unit.push(size as u8);
    [unit, content.to_vec()].concat()
}

/// A frame as an encoder gives it out, and as a file should have it.
fn frame(codec: Codec, key: bool, length: usize) -> (Vec<u8>, Vec<u8>) {
    let body = filler(length);
    match codec {
        Codec::Vp8 => {
            let head = if key { VP8_KEY } else { &[0x31, 0xce, 0] };
            let frame = [head, &body].concat();
            (frame.clone(), frame)
        }
        Codec::Vp9 => {
            let head = if key { VP9_KEY } else { &[0x86, 0, 0x40, 0x92] };
            let frame = [head, &body].concat();
            (frame.clone(), frame)
        }
        Codec::H264 => {
            let slice = [&[if key { 0x65 } else { 0x41 }, 0x88][..], &body].concat();
            let units: &[&[u8]] = if key { &[SPS, PPS, &slice] } else { &[&slice] };
            let stored = [&(slice.len() as u32).to_be_bytes(), &slice[..]].concat();
            (annex_b(units), stored)
        }
        Codec::Av1 => {
            let units = [obu(6, &body), obu(6, &body[..length / 2])].concat();
            let stored = if key {
                [AV1_SEQUENCE, &units].concat()
            } else {
                units
            };
            ([&obu(2, &[])[..], &stored].concat(), stored)
        }
        _ => unreachable!(),
    }
}

fn payloader(codec: Codec) -> Box<dyn Payloader> {
    match codec {
        Codec::Vp8 => Box::new(Vp8Payloader::default()),
        Codec::Vp9 => Box::new(Vp9Payloader::default()),
        Codec::H264 => Box::new(H264Payloader::default()),
        Codec::Av1 => Box::new(Av1Payloader::default()),
        _ => unreachable!(),
    }
}

fn push(assembler: &mut Assembler, timestamp: u32, payloads: &[Bytes]) -> Assembled {
    let mut last = Assembled::Nothing;
    for (index, payload) in payloads.iter().enumerate() {
        assert_eq!(last, Assembled::Nothing, "before its last packet");
        let marker = index + 1 == payloads.len();
        last = assembler.push(&Piece {
            timestamp,
            marker,
            payload,
        });
    }
    last
}

#[test]
fn a_key_frame_says_what_a_decoder_must_know() {
    for codec in PICTURES {
        let (sent, stored) = frame(codec, true, 3_000);
        let payloads = payloader(codec).payload(1_200, &sent.into()).unwrap();
        let Assembled::Whole(frame) = push(&mut Assembler::new(codec), 9, &payloads) else {
            panic!("{codec:?}");
        };
        let format = frame.format.unwrap();
        assert_eq!((frame.key, frame.timestamp), (true, 9), "{codec:?}");
        assert_eq!(frame.data, stored, "{codec:?}");
        assert_eq!((format.width, format.height), (642, 362), "{codec:?}");
        let private: Vec<u8> = match codec {
            Codec::H264 => [AVCC, SPS, &[1, 0, 4], PPS].concat(),
            // Profile 0, level 2.1, main tier, 4:2:0.
            Codec::Av1 => [&[0x81, 0x01, 0x0c, 0], AV1_SEQUENCE].concat(),
            _ => Vec::new(),
        };
        assert_eq!(format.private, private, "{codec:?}");
    }
}

#[test]
fn parameter_sets_are_remembered_and_replaced() {
    let mut assembler = Assembler::new(Codec::H264);
    let mut push = |payload: &[u8], marker| {
        assembler.push(&Piece {
            timestamp: 1,
            marker,
            payload,
        })
    };
    let idr: &[u8] = &[0x65, 0x88, 1];
    assert_eq!(push(idr, true), Assembled::Lost, "no parameter sets yet");
    push(SPS, false);
    push(PPS, false);
    push(&[0x09, 0xf0], false);
    let whole = |assembled| match assembled {
        Assembled::Whole(frame) => frame,
        other => panic!("{other:?}"),
    };
    let frame = whole(push(idr, true));
    assert_eq!(frame.data, [0, 0, 0, 3, 0x65, 0x88, 1]);
    let again = whole(push(idr, true));
    assert_eq!(again, frame);
    let small = [&SPS[..SPS.len() - 1], &[0x24]].concat();
    push(&small, false);
    assert_eq!(
        push(idr, true),
        Assembled::Lost,
        "its picture parameter set is another"
    );
    push(PPS, false);
    let other = whole(push(idr, true)).format.unwrap().private;
    assert_eq!(other, [AVCC, &small, &[1, 0, 4], PPS].concat());
}

#[test]
fn layers_of_one_picture_become_a_superframe() {
    let mut assembler = Assembler::new(Codec::Vp9);
    // Not flexible: layer indices and TL0PICIDX; the structure says one layer without sizes.
    let lower = [&[0x2e, 0x00, 0x00, 0x00], VP9_KEY].concat();
    let piece = |payload, marker| Piece {
        timestamp: 1,
        marker,
        payload,
    };
    assert_eq!(assembler.push(&piece(&lower, false)), Assembled::Nothing);
    let upper = [0x6c, 0x03, 0x00, 0xaa, 0xbb];
    let Assembled::Whole(frame) = assembler.push(&piece(&upper, true)) else {
        panic!("two layers");
    };
    let sizes = [0xd9, 11, 0, 0, 0, 2, 0, 0, 0, 0xd9];
    assert_eq!(frame.data, [VP9_KEY, &[0xaa, 0xbb], &sizes].concat());
    assert!(frame.key);
}

#[test]
fn every_packet_of_sound_is_a_frame() {
    let mut assembler = Assembler::new(Codec::Opus);
    for timestamp in [0, 960, 960] {
        let piece = Piece {
            timestamp,
            marker: false,
            payload: &[0xfc, 1],
        };
        let frame = Frame {
            timestamp,
            key: true,
            data: vec![0xfc, 1],
            format: None,
        };
        assert_eq!(assembler.push(&piece), Assembled::Whole(frame));
    }
    let empty = Piece {
        timestamp: 1,
        marker: false,
        payload: &[],
    };
    assert_eq!(assembler.push(&empty), Assembled::Lost);
}

#[test]
fn a_frame_without_an_end_is_lost() {
    let mut assembler = Assembler::new(Codec::Vp8);
    let mut push = |timestamp, marker, payload: &[u8]| {
        assembler.push(&Piece {
            timestamp,
            marker,
            payload,
        })
    };
    assert_eq!(push(1, false, &[0x10, 1, 2]), Assembled::Nothing);
    assert_eq!(push(2, true, &[0x10, 1, 2]), Assembled::Lost);
    assert!(matches!(push(3, true, &[0x10, 1, 2]), Assembled::Whole(_)));
    assert_eq!(
        push(4, true, &[0x00, 1, 2]),
        Assembled::Lost,
        "no beginning"
    );
}

fn codec() -> impl Strategy<Value = Codec> {
    (0..PICTURES.len()).prop_map(|index| PICTURES[index])
}

proptest! {
    /// Whatever the size of frames and packets: what another stack takes apart is put together.
    #[test]
    fn frames_come_out_as_they_went_in(
        codec in codec(),
        mtu in 60usize..1_400,
        lengths in prop::collection::vec(2usize..6_000, 1..6),
    ) {
        let (mut payloader, mut assembler) = (payloader(codec), Assembler::new(codec));
        for (index, length) in lengths.into_iter().enumerate() {
            let (sent, stored) = frame(codec, index == 0, length);
            let payloads = payloader.payload(mtu, &sent.into()).unwrap();
            match push(&mut assembler, index as u32, &payloads) {
                Assembled::Whole(frame) => {
                    prop_assert_eq!(frame.key, index == 0);
                    prop_assert_eq!(frame.data, stored);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    /// A frame of which something is missing never comes out, and the next one does.
    #[test]
    fn a_frame_with_a_hole_is_not_given_out(
        codec in codec(),
        mtu in 60usize..600,
        length in 1_500usize..6_000,
        hole in any::<prop::sample::Index>(),
    ) {
        let (mut payloader, mut assembler) = (payloader(codec), Assembler::new(codec));
        let (sent, _) = frame(codec, true, length);
        let mut payloads = payloader.payload(mtu, &sent.into()).unwrap();
        let hole = hole.index(payloads.len());
        payloads.remove(hole);
        for (index, payload) in payloads.iter().enumerate() {
            if index == hole {
                assembler.gap();
            }
            // The last packet is not there if it is the one that is missing.
            let marker = index + 1 == payloads.len() && hole < payloads.len();
            let assembled = assembler.push(&Piece { timestamp: 1, marker, payload });
            let is_whole = matches!(assembled, Assembled::Whole(_));
            // H264 can begin anywhere: its parameter sets are in packets of their own.
            prop_assert!(!is_whole || codec == Codec::H264 && hole == 0, "{assembled:?}");
        }
        if hole == payloads.len() {
            assembler.gap();
        }
        let (sent, stored) = frame(codec, true, 500);
        let payloads = payloader.payload(mtu, &sent.into()).unwrap();
        match push(&mut assembler, 2, &payloads) {
            Assembled::Whole(frame) => prop_assert_eq!(frame.data, stored),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn any_packet_is_taken_without_harm(
        codec in codec(),
        packets in prop::collection::vec(
            (0u32..3, any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)),
            1..30,
        ),
    ) {
        let mut assembler = Assembler::new(codec);
        for (timestamp, marker, payload) in &packets {
            assembler.push(&Piece { timestamp: *timestamp, marker: *marker, payload });
        }
    }

    /// Noise behind a beginning that is right, so that what reads sizes and parameter sets is reached.
    #[test]
    fn what_goes_on_as_noise_is_taken_without_harm(
        codec in codec(),
        kept in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..60),
        changed in any::<(prop::sample::Index, u8)>(),
    ) {
        for begin in beginnings(codec) {
            let mut payload = begin[..=kept.index(begin.len())].to_vec();
            payload.extend_from_slice(&noise);
            let (at, byte) = changed;
            let at = at.index(payload.len());
            payload[at] = byte;
            let mut assembler = Assembler::new(codec);
            // With the sets that only a key frame has read.
            let slices: &[&[u8]] = &[PPS, &[0x65, 0x88]];
            for (index, payload) in [&[&payload[..]], slices].concat().iter().enumerate() {
                assembler.push(&Piece { timestamp: 1, marker: index == 2, payload });
            }
            assembler.push(&Piece { timestamp: 2, marker: true, payload: &payload });
        }
    }
}

/// Packets that begin a key frame, of every form.
fn beginnings(codec: Codec) -> Vec<Vec<u8>> {
    let whole = |head: &[u8], frame: &[u8]| [head, frame].concat();
    match codec {
        Codec::Vp8 => vec![
            whole(&[0x10], VP8_KEY),
            whole(&[0x90, 0xe0, 0x80, 1, 2, 3], VP8_KEY),
        ],
        // Picture id and layers; a scalability structure; flexible mode with references.
        Codec::Vp9 => vec![
            whole(&[0xa8, 0x80, 1, 0, 0], VP9_KEY),
            whole(&[0x8a, 0x80, 1, 0x18, 2, 0x82, 1, 0x6a, 1, 0x04], VP9_KEY),
            whole(&[0xd8, 0x80, 1, 0x03, 0x03, 0x02], VP9_KEY),
        ],
        Codec::H264 => {
            let mut high = SPS.to_vec();
            high[1] = 100;
            let length = [24, 0, SPS.len() as u8];
            vec![
                SPS.to_vec(),
                high,
                [&length, SPS, &[0, PPS.len() as u8], PPS].concat(),
                whole(&[0x7c, 0x85], &[0x88, 1, 2]),
            ]
        }
        Codec::Av1 => vec![
            whole(&[0x18, 13], AV1_SEQUENCE),
            whole(&[0x20, 13], &[AV1_SEQUENCE, &[2, 0x32, 0]].concat()),
            whole(&[0x10], AV1_SEQUENCE),
        ],
        _ => vec![vec![0x78, 1]],
    }
}

/// Lengths are believed as far as there are bytes: not those that are longer, of too many bytes, or as
/// large as numbers get.
#[test]
fn lengths_that_say_too_much_break_the_frame() {
    let unit = [0x30, 1, 2];
    let sized = |size: &[u8]| [&[0x32][..], size, &[1, 2]].concat();
    let element = |length: &[u8], unit: &[u8]| [&[0x00][..], length, unit].concat();
    let alone = |unit: &[u8]| [&[0x10], unit].concat();
    for (what, payload, whole) in [
        ("three bytes", element(&[3], &unit), true),
        ("three bytes, told in two", element(&[0x83, 0], &unit), true),
        ("more than there is", element(&[4], &unit), false),
        (
            "the largest of four bytes",
            element(&[0xff, 0xff, 0xff, 0x7f], &unit),
            false,
        ),
        ("without an end", element(&[0xff; 9], &unit), false),
        ("nothing behind it", element(&[0x83], &[]), false),
        ("a size of its own", alone(&sized(&[2])), true),
        ("a size of more than there is", alone(&sized(&[3])), false),
        ("a size without an end", alone(&sized(&[0xff; 9])), false),
        (
            "the largest size",
            alone(&sized(&[0xff, 0xff, 0xff, 0x7f])),
            false,
        ),
    ] {
        let mut assembler = Assembler::new(Codec::Av1);
        let begin = Piece {
            timestamp: 1,
            marker: true,
            payload: &[&[0x18, 13], AV1_SEQUENCE, &[0x30, 1]].concat(),
        };
        assert!(matches!(assembler.push(&begin), Assembled::Whole(_)));
        let piece = Piece {
            timestamp: 2,
            marker: true,
            payload: &payload,
        };
        let is_whole = matches!(assembler.push(&piece), Assembled::Whole(_));
        assert_eq!(is_whole, whole, "{what}");
    }
    // An aggregate of H264 whose unit is longer than the packet (RFC 6184 §5.7.1).
    let mut assembler = Assembler::new(Codec::H264);
    for (timestamp, payload) in [&[24, 0, 9, 0x65, 1][..], &[24, 0xff, 0xff], &[24, 0]]
        .iter()
        .enumerate()
    {
        let (timestamp, marker) = (timestamp as u32, true);
        let piece = Piece {
            timestamp,
            marker,
            payload,
        };
        assert!(!matches!(assembler.push(&piece), Assembled::Whole(_)));
    }
}

/// Fragments of one unit that never ends, or ends when it is too late.
#[test]
fn a_unit_in_fragments_is_no_longer_than_a_frame() {
    let body = [7; 1_200];
    let h264 = |begins: bool, ends: bool| {
        let flags = if begins { 0x80 } else { 0 } | if ends { 0x40 } else { 0 };
        [&[0x7c, flags | 1], &body[..]].concat()
    };
    let av1 = |begins: bool, ends: bool| {
        let flags = if begins { 0 } else { 0x80 } | if ends { 0 } else { 0x40 };
        let head: &[u8] = if begins { &[0x30] } else { &[] };
        [&[flags | 0x10], head, &body[..]].concat()
    };
    type Fragment<'a> = &'a dyn Fn(bool, bool) -> Vec<u8>;
    for (codec, fragment) in [(Codec::H264, &h264 as Fragment<'_>), (Codec::Av1, &av1)] {
        for (count, whole) in [(100, true), (FRAME_BYTES_MAX / body.len() + 2, false)] {
            let mut assembler = Assembler::new(codec);
            let mut last = Assembled::Nothing;
            for number in 1..=count {
                let marker = number == count;
                last = assembler.push(&Piece {
                    timestamp: 1,
                    marker,
                    payload: &fragment(number == 1, marker),
                });
            }
            let is_whole = matches!(last, Assembled::Whole(_));
            assert_eq!(is_whole, whole, "{codec:?} of {count} fragments");
        }
    }
}

/// Parameter sets outlive their frame, so that they may not be as long as one.
#[test]
fn giant_parameter_sets_are_not_kept() {
    let mut assembler = Assembler::new(Codec::H264);
    let mut giant = PPS.to_vec();
    giant.resize(5_000, 1);
    let slice: &[u8] = &[0x65, 0x88, 1];
    for (timestamp, pps, whole) in [(1, &giant[..], false), (2, PPS, true)] {
        let mut last = Assembled::Nothing;
        for (payload, marker) in [(SPS, false), (pps, false), (slice, true)] {
            last = assembler.push(&Piece {
                timestamp,
                marker,
                payload,
            });
        }
        assert_eq!(matches!(last, Assembled::Whole(_)), whole, "{timestamp}");
    }
}

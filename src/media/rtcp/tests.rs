//! Both ways against each other, and against `rtc-rtcp` as the reference.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use rtc_rtcp::packet::{Packet, marshal, unmarshal};
use rtc_rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::source_description::SourceDescription;
use rtc_rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;

use super::{Composer, Compound, Feedback, Message, parse};
use crate::logic::forward::pli::KeyFrameRequest;
use crate::logic::forward::reports::{ClockMap, NtpTime, ReportBlock, SenderReport};
use crate::logic::forward::sent::Fate;
use crate::logic::forward::twcc::TwccRecorder;

const NOTHING: Compound<'static> = Compound {
    ssrc: 1,
    cname: "motet",
    reduced_size: true,
    senders: &[],
    blocks: &[],
    messages: &[],
};

fn sender(ssrc: u32) -> SenderReport {
    SenderReport {
        ssrc,
        clock: ClockMap {
            ntp: NtpTime(0x0102_0304_0506_0708),
            rtp: 0x090a_0b0c,
        },
        packets: 13,
        octets: 14,
    }
}

fn block(ssrc: u32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 3,
        total_lost: -4,
        highest: 0x0001_0005,
        jitter: 6,
        last_report: 7,
        delay: 8,
    }
}

fn write(compound: Compound<'_>) -> Vec<Vec<u8>> {
    let mut composer = Composer::new(compound);
    let packets = std::iter::from_fn(|| {
        // Whatever stands before stays.
        let mut out = vec![0xaa; 3];
        composer.write(&mut out).then(|| out.split_off(3))
    });
    packets.collect()
}

fn reference(packet: &[u8]) -> Vec<Box<dyn Packet>> {
    unmarshal(&mut Bytes::copy_from_slice(packet)).unwrap()
}

#[test]
fn what_is_written_is_read() {
    let messages = [
        Message::Nack {
            media_ssrc: 20,
            sequences: &[65_530, 65_535, 3, 10, 27, 28],
        },
        Message::KeyFrame {
            media_ssrc: 21,
            request: KeyFrameRequest::Pli,
        },
        Message::KeyFrame {
            media_ssrc: 22,
            request: KeyFrameRequest::Fir { sequence: 9 },
        },
        Message::Bye { ssrc: 23 },
    ];
    let compound = Compound {
        senders: &[sender(10), sender(11)],
        blocks: &[block(12), block(13)],
        messages: &messages,
        ..NOTHING
    };
    let packets = write(compound);
    assert_eq!(packets.len(), 1);
    let expected = [
        Feedback::SenderReport(sender(10)),
        Feedback::SenderReport(sender(11)),
        Feedback::ReceptionReport(block(12)),
        Feedback::ReceptionReport(block(13)),
        Feedback::Nack {
            media_ssrc: 20,
            sequences: vec![65_530, 65_535, 3, 10, 27, 28],
        },
        Feedback::Pli { media_ssrc: 21 },
        Feedback::Fir {
            media_ssrc: 22,
            sequence: 9,
        },
        Feedback::Bye { ssrcs: vec![23] },
    ];
    assert_eq!(parse(&packets[0]), expected);
}

#[test]
fn the_reference_reads_what_is_written() {
    let compound = Compound {
        blocks: &[block(12)],
        messages: &[
            Message::Nack {
                media_ssrc: 20,
                sequences: &[1, 2, 17, 18],
            },
            Message::KeyFrame {
                media_ssrc: 22,
                request: KeyFrameRequest::Fir { sequence: 9 },
            },
        ],
        ..NOTHING
    };
    let packets = reference(&write(compound)[0]);
    let [report, description, nack, fir] = &packets[..] else {
        panic!("{packets:?}");
    };
    let report = report.as_any().downcast_ref::<ReceiverReport>().unwrap();
    assert_eq!((report.ssrc, report.reports[0].ssrc), (1, 12));
    assert_eq!(report.reports[0].total_lost, 0xff_fffc);
    let description = description.as_any().downcast_ref::<SourceDescription>();
    let chunk = &description.unwrap().chunks[0];
    assert_eq!((chunk.source, &chunk.items[0].text[..]), (1, &b"motet"[..]));
    let nack = nack.as_any().downcast_ref::<TransportLayerNack>().unwrap();
    let sequences: Vec<u16> = nack
        .nacks
        .iter()
        .flat_map(|pair| pair.packet_list())
        .collect();
    assert_eq!((nack.media_ssrc, sequences), (20, vec![1, 2, 17, 18]));
    assert_eq!(nack.nacks.len(), 2);
    let fir = fir.as_any().downcast_ref::<FullIntraRequest>().unwrap();
    assert_eq!((fir.fir[0].ssrc, fir.fir[0].sequence_number), (22, 9));
}

#[test]
fn a_packet_begins_with_a_report_unless_the_other_end_can_do_without() {
    let messages = [Message::KeyFrame {
        media_ssrc: 21,
        request: KeyFrameRequest::Pli,
    }];
    for (reduced_size, packets) in [(true, 1), (false, 3)] {
        let compound = Compound {
            reduced_size,
            messages: &messages,
            ..NOTHING
        };
        let written = write(compound);
        assert_eq!(reference(&written[0]).len(), packets);
        assert_eq!(parse(&written[0]), [Feedback::Pli { media_ssrc: 21 }]);
    }
    assert!(write(NOTHING).is_empty());
}

#[test]
fn much_is_split_into_packets_that_fit_and_nothing_is_lost() {
    let senders: Vec<SenderReport> = (0..50).map(sender).collect();
    let blocks: Vec<ReportBlock> = (100..200).map(block).collect();
    let sequences: Vec<u16> = (0..900).map(|index| index * 20).collect();
    let nack = Message::Nack {
        media_ssrc: 20,
        sequences: &sequences,
    };
    let key_frame = Message::KeyFrame {
        media_ssrc: 21,
        request: KeyFrameRequest::Pli,
    };
    for cname in [
        "",
        "motet",
        "a name of thirty-one characters",
        &"x".repeat(300),
    ] {
        let compound = Compound {
            cname,
            reduced_size: false,
            senders: &senders,
            blocks: &blocks,
            messages: &[key_frame, nack, key_frame],
            ..NOTHING
        };
        let packets = write(compound);
        let mut items = Vec::new();
        for packet in &packets {
            assert!(packet.len() <= 1200, "{}", packet.len());
            reference(packet);
            items.extend(parse(packet));
        }
        let count =
            |wanted: fn(&Feedback) -> bool| items.iter().filter(|item| wanted(item)).count();
        assert_eq!(count(|item| matches!(item, Feedback::SenderReport(_))), 50);
        assert_eq!(
            count(|item| matches!(item, Feedback::ReceptionReport(_))),
            100
        );
        assert_eq!(count(|item| matches!(item, Feedback::Pli { .. })), 2);
        let nacked = items.iter().flat_map(|item| match item {
            Feedback::Nack { sequences, .. } => sequences.clone(),
            _ => Vec::new(),
        });
        assert_eq!(nacked.collect::<Vec<u16>>(), sequences);
    }
}

#[test]
fn transport_wide_feedback_is_written_and_read() {
    let start = Instant::now();
    let mut recorder = TwccRecorder::new();
    for index in (0..300u16).filter(|index| index % 7 != 3) {
        let now = start + Duration::from_micros(u64::from(index) * 500);
        recorder.record(now, 65_500u16.wrapping_add(index));
    }
    let later = start + Duration::from_secs(1);
    let feedback = recorder.feedback(later, 1, 2).unwrap();
    let packets = write(Compound {
        reduced_size: false,
        messages: &[Message::TransportCc(&feedback)],
        ..NOTHING
    });
    assert_eq!(packets.len(), 1);
    let [Feedback::TransportCc(read)] = &parse(&packets[0])[..] else {
        panic!();
    };
    assert_eq!((read.base, read.count, read.fates.len()), (65_500, 0, 300));
    for (index, fate) in read.fates.iter().enumerate() {
        let expected = match index % 7 {
            3 => Fate::Lost,
            _ => Fate::Arrived(index as i64 * 500),
        };
        assert_eq!(*fate, expected, "{index}");
    }
}

#[test]
fn what_the_reference_writes_is_read() {
    let remb = ReceiverEstimatedMaximumBitrate {
        sender_ssrc: 1,
        bitrate: 8_927_168.0,
        ssrcs: vec![5, 6],
    };
    let fir = FullIntraRequest {
        sender_ssrc: 1,
        media_ssrc: 0,
        fir: vec![rtc_rtcp::payload_feedbacks::full_intra_request::FirEntry {
            ssrc: 7,
            sequence_number: 200,
        }],
    };
    let packets: Vec<Box<dyn Packet>> = vec![Box::new(remb), Box::new(fir)];
    let wire = marshal(&packets).unwrap();
    let expected = [
        Feedback::Remb {
            bitrate: 8_927_168,
            ssrcs: vec![5, 6],
        },
        Feedback::Fir {
            media_ssrc: 7,
            sequence: 200,
        },
    ];
    assert_eq!(parse(&wire), expected);
}

#[test]
fn what_is_unknown_is_passed_over_and_what_is_malformed_ends_it() {
    const PLI: [u8; 12] = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    let pli = || Feedback::Pli { media_ssrc: 2 };
    let cases: [(&str, &[u8], bool); 10] = [
        ("an extended report", &[0x80, 207, 0, 1, 0, 0, 0, 1], true),
        ("an application's own", &[0x80, 204, 0, 1, 0, 0, 0, 1], true),
        ("an unknown format", &[0x9e, 205, 0, 1, 0, 0, 0, 1], true),
        ("nothing but a header", &[0x80, 199, 0, 0], true),
        ("padding", &[0xa0, 199, 0, 1, 0, 0, 0, 4], true),
        ("too much padding", &[0xa0, 199, 0, 1, 0, 0, 0, 5], false),
        ("no padding where it is said", &[0xa0, 199, 0, 0], false),
        ("another version", &[0x40, 199, 0, 0], false),
        (
            "a report of less than it counts",
            &[0x81, 201, 0, 1, 0, 0, 0, 1],
            false,
        ),
        ("longer than there is", &[0x80, 199, 0, 9], false),
    ];
    for (name, packet, goes_on) in cases {
        let compound = [&PLI, packet, &PLI].concat();
        let expected = if goes_on { 2 } else { 1 };
        assert_eq!(parse(&compound), vec![pli(); expected], "{name}");
    }
    assert!(parse(&[]).is_empty());
    assert!(parse(&PLI[..11]).is_empty());
}

#[test]
fn padding_of_a_nack_is_not_a_number() {
    let nack = [
        0xa1, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 0, 0, 0, 0, 4,
    ];
    let expected = Feedback::Nack {
        media_ssrc: 2,
        sequences: vec![9],
    };
    assert_eq!(parse(&nack), [expected]);
}

#[test]
fn a_flood_in_one_packet_is_bounded() {
    let mut nack = vec![0x81, 205, 0x40, 0x01, 0, 0, 0, 1, 0, 0, 0, 2];
    nack.resize(4 * 0x4002, 0xff);
    let items = parse(&nack);
    let [Feedback::Nack { sequences, .. }] = &items[..] else {
        panic!("{items:?}");
    };
    assert_eq!(sequences.len(), 1000);
    let plis = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2].repeat(1000);
    assert_eq!(parse(&plis).len(), 128);
    // Eight runs of 8,191 lost packets, and no delta.
    let mut runs = vec![
        0x8f, 205, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0xff, 0xff, 0, 0, 0, 0,
    ];
    runs.extend([0x1f, 0xff].repeat(8));
    let items = parse(&runs);
    assert!(items.is_empty(), "seven short of the count");
    let after_fir = [&[0x8f, 205, 0, 9], &runs[4..], &[0x1f, 0xff, 0, 0]].concat();
    let [Feedback::TransportCc(feedback)] = &parse(&after_fir)[..] else {
        panic!();
    };
    assert_eq!(feedback.fates, vec![Fate::Lost; 2048]);
}

proptest! {
    /// Neither noise nor noise behind good headers takes more than it may, or makes the parser panic.
    #[test]
    fn noise_is_survived(
        packets in prop::collection::vec(
            (0u8..32, 199u8..208, any::<bool>(), prop::collection::vec(any::<u8>(), 0..120), -1i32..2),
            0..8,
        ),
    ) {
        let mut compound = Vec::new();
        for (count, kind, padding, body, off) in packets {
            let words = (body.len() as i32 / 4 + off).max(0) as u16;
            compound.extend([0x80 | u8::from(padding) << 5 | count, kind]);
            compound.extend(words.to_be_bytes());
            compound.extend(body);
        }
        for end in [compound.len(), compound.len() / 2] {
            prop_assert!(parse(&compound[..end]).len() <= 128);
        }
    }

    /// Any numbers come out as they went in.
    #[test]
    fn nacks_come_back(first in any::<u16>(), steps in prop::collection::vec(1u16..40, 0..200)) {
        let mut sequences = vec![first];
        for step in steps {
            sequences.push(sequences[sequences.len() - 1].wrapping_add(step));
        }
        let nack = Message::Nack { media_ssrc: 5, sequences: &sequences };
        let packets = write(Compound { messages: &[nack], ..NOTHING });
        let read: Vec<u16> = packets.iter().flat_map(|packet| parse(packet)).flat_map(|item| match item {
            Feedback::Nack { sequences, .. } => sequences,
            _ => Vec::new(),
        }).collect();
        prop_assert_eq!(read, sequences);
    }
}

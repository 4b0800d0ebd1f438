//! Takes a compound packet apart.

use super::{format, packet_type};
use crate::logic::forward::reports::{ClockMap, NtpTime, ReportBlock, SenderReport};
use crate::logic::forward::sent::{Fate, TransportFeedback};

/// Items taken from one compound packet. What follows is dropped.
const ITEMS_MAX: usize = 128;
/// Sequence numbers taken from all NACKs of one compound packet. What follows is dropped.
const NACKED_MAX: usize = 1000;
/// Packets that all transport-wide feedbacks of one compound packet speak of: more than a second of them. What
/// follows is dropped.
const FATES_MAX: usize = 2048;
/// Units of a transport-wide feedback's reference time and of its deltas.
const REFERENCE_MICROSECONDS: i64 = 64_000;
const DELTA_MICROSECONDS: i64 = 250;

/// One thing that the other end reports or asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Feedback {
    /// How a stream that the other end sends stands (RFC 3550 §6.4.1).
    SenderReport(SenderReport),
    /// How a stream that we send arrives (RFC 3550 §6.4.1).
    ReceptionReport(ReportBlock),
    /// Packets to send again (RFC 4585 §6.2.1).
    Nack {
        /// The stream.
        media_ssrc: u32,
        /// The numbers, as far as the bound of the packet allows.
        sequences: Vec<u16>,
    },
    /// A key frame is needed (RFC 4585 §6.3.1).
    Pli {
        /// The stream.
        media_ssrc: u32,
    },
    /// A key frame is needed (RFC 5104 §4.3.1).
    Fir {
        /// The stream.
        media_ssrc: u32,
        /// Differs from the last one if it is a new wish.
        sequence: u8,
    },
    /// What became of our packets.
    TransportCc(TransportFeedback),
    /// What the other end thinks it can receive (draft-alvestrand-rmcat-remb-03).
    Remb {
        /// In bits per second.
        bitrate: u64,
        /// The streams it speaks of.
        ssrcs: Vec<u32>,
    },
    /// Streams end (RFC 3550 §6.6).
    Bye {
        /// The streams.
        ssrcs: Vec<u32>,
    },
}

/// What a decrypted compound packet says. Unknown types are passed over; at the first packet that is malformed the rest
/// is dropped.
pub fn parse(compound: &[u8]) -> Vec<Feedback> {
    let mut items = Items::default();
    let mut rest = compound;
    while let Some((packet, after)) = split(rest) {
        if items.take(&packet).is_none() {
            break;
        }
        rest = after;
    }
    items.list
}

/// One packet of a compound: its header's words, and what is between header and padding.
struct Packet<'a> {
    /// Report count, source count or feedback format.
    count: u8,
    kind: u8,
    body: &'a [u8],
}

fn split(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let &[first, kind, high, low, ..] = bytes else {
        return None;
    };
    let length = 4 * usize::from(u16::from_be_bytes([high, low]));
    if first >> 6 != 2 {
        return None;
    }
    let (mut body, after) = bytes.get(4..)?.split_at_checked(length)?;
    if first & 0x20 != 0 {
        let padding = usize::from(*body.last()?);
        body = body.get(..body.len().checked_sub(padding.max(1))?)?;
    }
    let count = first & 0x1f;
    Some((Packet { count, kind, body }, after))
}

#[derive(Default)]
struct Items {
    list: Vec<Feedback>,
    nacked: usize,
    fates: usize,
}

impl Items {
    /// `None` if the packet is malformed.
    fn take(&mut self, packet: &Packet<'_>) -> Option<()> {
        let body = packet.body;
        match (packet.kind, packet.count) {
            (packet_type::SENDER_REPORT, count) => {
                let (sender, blocks) = body.split_at_checked(24)?;
                self.push(Feedback::SenderReport(sender_report(sender)?));
                self.report_blocks(blocks, count)
            }
            (packet_type::RECEIVER_REPORT, count) => self.report_blocks(body.get(4..)?, count),
            (packet_type::GOODBYE, count) => self.goodbye(body, count),
            (packet_type::TRANSPORT_FEEDBACK, format::NACK) => self.nack(body),
            (packet_type::TRANSPORT_FEEDBACK, format::TRANSPORT_CC) => {
                let feedback = transport_feedback(body, FATES_MAX - self.fates)?;
                self.fates += feedback.fates.len();
                self.push(Feedback::TransportCc(feedback));
                Some(())
            }
            (packet_type::PAYLOAD_FEEDBACK, format::PLI) => {
                let media_ssrc = word(body, 4)?;
                self.push(Feedback::Pli { media_ssrc });
                Some(())
            }
            (packet_type::PAYLOAD_FEEDBACK, format::FIR) => self.full_intra_requests(body),
            (packet_type::PAYLOAD_FEEDBACK, format::APPLICATION) => self.remb(body),
            _ => Some(()),
        }
    }

    fn push(&mut self, item: Feedback) {
        if self.list.len() < ITEMS_MAX {
            self.list.push(item);
        }
    }

    fn report_blocks(&mut self, blocks: &[u8], count: u8) -> Option<()> {
        let blocks = blocks.get(..24 * usize::from(count))?;
        for block in blocks.chunks_exact(24) {
            self.push(Feedback::ReceptionReport(report_block(block)?));
        }
        Some(())
    }

    fn goodbye(&mut self, body: &[u8], count: u8) -> Option<()> {
        let ssrcs = body.get(..4 * usize::from(count))?;
        let ssrcs = words(ssrcs).collect();
        self.push(Feedback::Bye { ssrcs });
        Some(())
    }

    fn nack(&mut self, body: &[u8]) -> Option<()> {
        let media_ssrc = word(body, 4)?;
        let left = NACKED_MAX - self.nacked;
        let sequences: Vec<u16> = words(body.get(8..)?).flat_map(nacked).take(left).collect();
        self.nacked += sequences.len();
        if !sequences.is_empty() {
            self.push(Feedback::Nack {
                media_ssrc,
                sequences,
            });
        }
        Some(())
    }

    fn full_intra_requests(&mut self, body: &[u8]) -> Option<()> {
        for entry in body.get(8..)?.chunks_exact(8) {
            let media_ssrc = word(entry, 0)?;
            let sequence = *entry.get(4)?;
            self.push(Feedback::Fir {
                media_ssrc,
                sequence,
            });
        }
        Some(())
    }

    /// Other applications of the same format are passed over.
    fn remb(&mut self, body: &[u8]) -> Option<()> {
        if body.get(8..12)? != b"REMB" {
            return Some(());
        }
        let estimate = word(body, 12)?;
        let count = (estimate >> 24) as usize;
        let exponent = estimate >> 18 & 0x3f;
        let mantissa = u64::from(estimate & 0x3_ffff);
        let bitrate = u128::from(mantissa) << exponent;
        let bitrate = u64::try_from(bitrate).unwrap_or(u64::MAX);
        let ssrcs = words(body.get(16..16 + 4 * count)?).collect();
        self.push(Feedback::Remb { bitrate, ssrcs });
        Some(())
    }
}

fn sender_report(body: &[u8]) -> Option<SenderReport> {
    let ntp = u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?);
    Some(SenderReport {
        ssrc: word(body, 0)?,
        clock: ClockMap {
            ntp: NtpTime(ntp),
            rtp: word(body, 12)?,
        },
        packets: word(body, 16)?,
        octets: word(body, 20)?,
    })
}

fn report_block(block: &[u8]) -> Option<ReportBlock> {
    let loss = word(block, 4)?;
    Some(ReportBlock {
        ssrc: word(block, 0)?,
        fraction_lost: (loss >> 24) as u8,
        // A shift up and down again carries the sign of 24 bits.
        total_lost: (loss << 8) as i32 >> 8,
        highest: word(block, 8)?,
        jitter: word(block, 12)?,
        last_report: word(block, 16)?,
        delay: word(block, 20)?,
    })
}

/// A packet id and a bit for each of the sixteen numbers after it.
fn nacked(pair: u32) -> impl Iterator<Item = u16> {
    let (first, following) = ((pair >> 16) as u16, pair as u16);
    let following = (0..16u16).filter(move |bit| following >> bit & 1 != 0);
    std::iter::once(first).chain(following.map(move |bit| first.wrapping_add(bit + 1)))
}

/// The chunks say which packets came; behind them stand the deltas of those that did, in the same order.
fn transport_feedback(body: &[u8], fates_max: usize) -> Option<TransportFeedback> {
    let numbers = word(body, 8)?;
    let (base, count) = ((numbers >> 16) as u16, usize::from(numbers as u16));
    let reference = word(body, 12)?;
    let (chunks, mut deltas) = split_chunks(body.get(16..)?, count)?;
    let mut time = i64::from(reference as i32 >> 8) * REFERENCE_MICROSECONDS;
    let mut fates = Vec::with_capacity(count.min(fates_max));
    for symbol in chunks.flat_map(symbols).take(count.min(fates_max)) {
        fates.push(match symbol {
            0 => Fate::Lost,
            1 => {
                time += i64::from(*take(&mut deltas, 1)?.first()?) * DELTA_MICROSECONDS;
                Fate::Arrived(time)
            }
            2 => {
                let delta = i16::from_be_bytes(*take(&mut deltas, 2)?.first_chunk()?);
                time += i64::from(delta) * DELTA_MICROSECONDS;
                Fate::Arrived(time)
            }
            _ => Fate::ArrivedSometime,
        });
    }
    Some(TransportFeedback {
        count: reference as u8,
        base,
        fates,
    })
}

/// Parts the chunks that speak of `count` packets from the deltas behind them.
fn split_chunks(bytes: &[u8], count: usize) -> Option<(impl Iterator<Item = u16> + '_, &[u8])> {
    let chunks =
        |bytes| <[u8]>::chunks_exact(bytes, 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let mut spoken_of = 0;
    let needed = chunks(bytes)
        .take_while(|&chunk| {
            let more = spoken_of < count;
            spoken_of += symbol_count(chunk);
            more
        })
        .count();
    let (head, deltas) = bytes.split_at_checked(2 * needed)?;
    Some((chunks(head), deltas)).filter(|_| spoken_of >= count)
}

fn symbol_count(chunk: u16) -> usize {
    match chunk >> 14 {
        0b10 => 14,
        0b11 => 7,
        _ => usize::from(chunk & 0x1fff),
    }
}

/// Two bits for each packet that a chunk speaks of.
fn symbols(chunk: u16) -> impl Iterator<Item = u16> {
    (0..symbol_count(chunk)).map(move |index| match chunk >> 14 {
        0b10 => chunk >> (13 - index) & 1,
        0b11 => chunk >> (12 - 2 * index) & 3,
        _ => chunk >> 13,
    })
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..)?
        .first_chunk()
        .copied()
        .map(u32::from_be_bytes)
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let words = bytes.chunks_exact(4);
    words.map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
}

//! Puts compound packets together.

use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc_shared::marshal::{Marshal, MarshalSize};

use super::{format, packet_type};
use crate::logic::forward::pli::KeyFrameRequest;
use crate::logic::forward::reports::{ReportBlock, SenderReport};

/// Bytes of a compound packet at most, before encryption. What does not fit goes into another one.
const BYTES_MAX: usize = 1200;
/// Reports in one packet, and sources in one description: their count has five bits.
const COUNT_MAX: usize = 31;
const SENDER_REPORT_BYTES: usize = 28;
const REPORT_BLOCK_BYTES: usize = 24;
/// Header and the sender's SSRC.
const RECEIVER_REPORT_BYTES: usize = 8;
/// Header, the sender's SSRC and the medium's.
const FEEDBACK_BYTES: usize = 12;

/// What to send beside reports.
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// Asks for packets again.
    Nack {
        /// The stream.
        media_ssrc: u32,
        /// The numbers, ascending over the wrap.
        sequences: &'a [u16],
    },
    /// When packets came.
    TransportCc(&'a TransportLayerCc),
    /// Asks for a key frame.
    KeyFrame {
        /// The stream.
        media_ssrc: u32,
        /// How.
        request: KeyFrameRequest,
    },
    /// A stream of ours ends.
    Bye {
        /// The stream.
        ssrc: u32,
    },
}

/// All that is to be sent to one connection now.
#[derive(Debug, Clone, Copy)]
pub struct Compound<'a> {
    /// Who asks and reports: an SSRC of the node on this connection.
    pub ssrc: u32,
    /// The name that ties the node's streams on this connection together; its first 255 bytes count.
    pub cname: &'a str,
    /// The other end takes packets without a report in front (RFC 5506).
    pub reduced_size: bool,
    /// Reports on the streams that we send there.
    pub senders: &'a [SenderReport],
    /// Reports on the streams that we receive from there.
    pub blocks: &'a [ReportBlock],
    /// The rest.
    pub messages: &'a [Message<'a>],
}

/// Writes a [`Compound`] into as few packets as it needs.
#[derive(Debug)]
pub struct Composer<'a> {
    left: Compound<'a>,
    /// Numbers of the first message, if it is a NACK, that are written already.
    nacked: usize,
}

impl<'a> Composer<'a> {
    /// Nothing is written yet.
    pub fn new(compound: Compound<'a>) -> Self {
        Self {
            left: compound,
            nacked: 0,
        }
    }

    /// Appends one compound packet to `out`, where it may then be sealed in place. Returns whether there was anything
    /// left to write: call until there was not.
    pub fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let left = &self.left;
        if left.senders.is_empty() && left.blocks.is_empty() && left.messages.is_empty() {
            return false;
        }
        let end = out.len() + BYTES_MAX;
        let reported = self.write_reports(out);
        // What is too long for any packet goes out alone, or it would stand in the way for ever.
        let mut alone = !reported;
        while let Some(&message) = self.left.messages.first() {
            let room = end.saturating_sub(out.len());
            if !self.write_message(message, room, alone, out) {
                break;
            }
            alone = false;
        }
        true
    }

    /// A compound packet begins with a report, and names who reports (RFC 3550 §6.1). Returns whether the report
    /// says anything.
    fn write_reports(&mut self, out: &mut Vec<u8>) -> bool {
        let described = description_bytes(self.left.cname);
        let each = SENDER_REPORT_BYTES + described;
        let senders = (BYTES_MAX - RECEIVER_REPORT_BYTES - described - 4) / each;
        let senders = take(&mut self.left.senders, senders.min(COUNT_MAX - 1));
        let room = BYTES_MAX - RECEIVER_REPORT_BYTES - described - 4 - each * senders.len();
        let blocks = take(
            &mut self.left.blocks,
            COUNT_MAX.min(room / REPORT_BLOCK_BYTES),
        );
        let reported = !senders.is_empty() || !blocks.is_empty();
        if !reported && self.left.reduced_size {
            return false;
        }
        for sender in senders {
            write_sender_report(sender, out);
        }
        let receives = senders.is_empty() || !blocks.is_empty();
        if receives {
            write_receiver_report(self.left.ssrc, blocks, out);
        }
        let own = receives.then_some(self.left.ssrc);
        let sources = senders.iter().map(|sender| sender.ssrc).chain(own);
        write_description(sources, self.left.cname, out);
        reported
    }

    /// Returns whether the message is done.
    fn write_message(
        &mut self,
        message: Message<'_>,
        room: usize,
        alone: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let ssrc = self.left.ssrc;
        let fits = |bytes: usize| alone || bytes <= room;
        let done = match message {
            Message::Nack {
                media_ssrc,
                sequences,
            } => {
                let unwritten = sequences.get(self.nacked..).unwrap_or_default();
                let pairs = (room.saturating_sub(FEEDBACK_BYTES) / 4).max(usize::from(alone));
                self.nacked += write_nack(ssrc, media_ssrc, unwritten, pairs, out);
                self.nacked >= sequences.len()
            }
            Message::TransportCc(feedback) => {
                let fits = fits(feedback.marshal_size());
                if fits {
                    write_transport_cc(feedback, out);
                }
                fits
            }
            Message::KeyFrame {
                media_ssrc,
                request,
            } => {
                let fits = fits(FEEDBACK_BYTES + 8);
                if fits {
                    write_key_frame_request(ssrc, media_ssrc, request, out);
                }
                fits
            }
            Message::Bye { ssrc } => {
                let fits = fits(8);
                if fits {
                    write_header(1, packet_type::GOODBYE, 8, out);
                    out.extend(ssrc.to_be_bytes());
                }
                fits
            }
        };
        if done {
            take(&mut self.left.messages, 1);
            self.nacked = 0;
        }
        done
    }
}

fn take<'a, T>(list: &mut &'a [T], count: usize) -> &'a [T] {
    let (head, rest) = list.split_at(count.min(list.len()));
    *list = rest;
    head
}

/// `bytes` is the length of the whole packet with this header.
fn write_header(count: usize, kind: u8, bytes: usize, out: &mut Vec<u8>) {
    out.extend([0x80 | count as u8, kind]);
    out.extend(((bytes / 4 - 1) as u16).to_be_bytes());
}

fn write_sender_report(report: &SenderReport, out: &mut Vec<u8>) {
    write_header(0, packet_type::SENDER_REPORT, SENDER_REPORT_BYTES, out);
    out.extend(report.ssrc.to_be_bytes());
    out.extend(report.clock.ntp.0.to_be_bytes());
    for word in [report.clock.rtp, report.packets, report.octets] {
        out.extend(word.to_be_bytes());
    }
}

fn write_receiver_report(ssrc: u32, blocks: &[ReportBlock], out: &mut Vec<u8>) {
    let bytes = RECEIVER_REPORT_BYTES + REPORT_BLOCK_BYTES * blocks.len();
    write_header(blocks.len(), packet_type::RECEIVER_REPORT, bytes, out);
    out.extend(ssrc.to_be_bytes());
    for block in blocks {
        let lost = block.total_lost as u32 & 0xff_ffff;
        let words = [
            block.ssrc,
            u32::from(block.fraction_lost) << 24 | lost,
            block.highest,
            block.jitter,
            block.last_report,
            block.delay,
        ];
        out.extend(words.into_iter().flat_map(u32::to_be_bytes));
    }
}

/// Of one source: SSRC, the item, and at least one zero to the next multiple of four (RFC 3550 §6.5).
fn description_bytes(cname: &str) -> usize {
    (4 + 2 + cname.len().min(255) + 1).next_multiple_of(4)
}

fn write_description(sources: impl Iterator<Item = u32> + Clone, cname: &str, out: &mut Vec<u8>) {
    const CNAME: u8 = 1;
    let count = sources.clone().count();
    let bytes = 4 + description_bytes(cname) * count;
    write_header(count, packet_type::SOURCE_DESCRIPTION, bytes, out);
    let name = &cname.as_bytes()[..cname.len().min(255)];
    for ssrc in sources {
        let end = out.len() + description_bytes(cname);
        out.extend(ssrc.to_be_bytes());
        out.extend([CNAME, name.len() as u8]);
        out.extend(name);
        out.resize(end, 0);
    }
}

fn write_feedback_header(
    format: u8,
    kind: u8,
    bytes: usize,
    sender_ssrc: u32,
    media_ssrc: u32,
    out: &mut Vec<u8>,
) {
    write_header(usize::from(format), kind, bytes, out);
    out.extend(sender_ssrc.to_be_bytes());
    out.extend(media_ssrc.to_be_bytes());
}

/// Writes at most `pairs_max` pairs of a number and a bit for each of the sixteen after it. Returns how many of
/// the numbers that was.
fn write_nack(
    sender_ssrc: u32,
    media_ssrc: u32,
    sequences: &[u16],
    pairs_max: usize,
    out: &mut Vec<u8>,
) -> usize {
    let mut left = sequences;
    let mut pairs = Vec::new();
    while let Some((&first, rest)) = left.split_first().filter(|_| pairs.len() < pairs_max) {
        let near = |sequence: &&u16| (1..=16).contains(&sequence.wrapping_sub(first));
        let following = rest.iter().take_while(near);
        let bits = following.clone().fold(0u16, |bits, sequence| {
            bits | 1 << (sequence.wrapping_sub(first) - 1)
        });
        left = &rest[following.count()..];
        pairs.push((first, bits));
    }
    if !pairs.is_empty() {
        let bytes = FEEDBACK_BYTES + 4 * pairs.len();
        let kind = packet_type::TRANSPORT_FEEDBACK;
        write_feedback_header(format::NACK, kind, bytes, sender_ssrc, media_ssrc, out);
        for (first, bits) in pairs {
            out.extend(first.to_be_bytes());
            out.extend(bits.to_be_bytes());
        }
    }
    sequences.len() - left.len()
}

/// A feedback that cannot be written is left out: it was not made by the recorder.
fn write_transport_cc(feedback: &TransportLayerCc, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + feedback.marshal_size(), 0);
    if feedback.marshal_to(&mut out[start..]).is_err() {
        out.truncate(start);
    }
}

fn write_key_frame_request(
    sender_ssrc: u32,
    media_ssrc: u32,
    request: KeyFrameRequest,
    out: &mut Vec<u8>,
) {
    let kind = packet_type::PAYLOAD_FEEDBACK;
    match request {
        KeyFrameRequest::Pli => {
            write_feedback_header(
                format::PLI,
                kind,
                FEEDBACK_BYTES,
                sender_ssrc,
                media_ssrc,
                out,
            );
        }
        KeyFrameRequest::Fir { sequence } => {
            // The header's own media SSRC is unused (RFC 5104 §4.3.1.2).
            write_feedback_header(format::FIR, kind, FEEDBACK_BYTES + 8, sender_ssrc, 0, out);
            out.extend(media_ssrc.to_be_bytes());
            out.extend([sequence, 0, 0, 0]);
        }
    }
}

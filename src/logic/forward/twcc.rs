//! Transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01): what a publisher is
//! told about its packets, and what a viewer tells about ours.

use std::time::{Duration, Instant};

use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
    PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk,
    SymbolSizeTypeTcc, SymbolTypeTcc, TYPE_TCC_DELTA_SCALE_FACTOR, TransportLayerCc,
};

/// Feedback follows a packet within this time.
const INTERVAL_MAX: Duration = Duration::from_millis(100);
/// Feedback is never more frequent than this.
const INTERVAL_MIN: Duration = Duration::from_millis(50);
/// With so many packets to report, feedback need not wait for [`INTERVAL_MAX`].
const PACKETS_HASTEN: u32 = 32;
/// Numbers remembered behind the highest. What is skipped beyond them is not reported.
const HISTORY: u64 = 1024;
/// Bytes of one feedback at most, with room for what stands beside it in a datagram.
const FEEDBACK_BYTES_MAX: usize = 1100;
/// Header, SSRCs, base, count and reference time.
const FEEDBACK_BYTES_FIXED: usize = 20;
/// Arrival ticks of 250 µs in one unit of the reference time, 64 ms.
const TICKS_PER_REFERENCE: i64 = 256;
/// The longest run one chunk can say (13 bits).
const RUN_MAX: usize = (1 << 13) - 1;
/// Symbols of a status vector with one bit each, and with two.
const ONE_BIT_SYMBOLS: usize = 14;
const TWO_BIT_SYMBOLS: usize = 7;
/// Nothing came under this number.
const ABSENT: i64 = i64::MIN;

/// Records when the packets of one publishing connection came, and composes the feedback about them.
#[derive(Debug, Default)]
pub struct TwccRecorder {
    epoch: Option<Instant>,
    /// Arrival ticks by the number's low bits; empty before the first packet.
    arrivals: Vec<i64>,
    highest: u64,
    /// The first number that the next feedback speaks of.
    next: u64,
    unreported: u32,
    reported_at: Option<Instant>,
    due_at: Option<Instant>,
    feedback_count: u8,
}

impl TwccRecorder {
    /// Nothing came yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet with this transport-wide sequence number came: of whatever stream, retransmissions and padding too.
    pub fn record(&mut self, now: Instant, sequence: u16) {
        let ticks = self.ticks(now);
        let extended = self.extend(sequence);
        let index = (extended % HISTORY) as usize;
        if self.arrivals[index] != ABSENT {
            return;
        }
        self.arrivals[index] = ticks;
        self.next = self.next.min(extended);
        self.unreported += 1;
        self.schedule(now);
    }

    /// The next feedback that is due. Call until there is none: a burst may need several.
    pub fn feedback(
        &mut self,
        now: Instant,
        sender_ssrc: u32,
        media_ssrc: u32,
    ) -> Option<TransportLayerCc> {
        if self.due_at.is_none_or(|due_at| now < due_at) {
            return None;
        }
        let base = self.next;
        let (reference, statuses) = self.report();
        if self.next > self.highest {
            self.unreported = 0;
            self.due_at = None;
            self.reported_at = Some(now);
        }
        let feedback_count = self.feedback_count;
        self.feedback_count = feedback_count.wrapping_add(1);
        let symbols: Vec<SymbolTypeTcc> = statuses.iter().map(|status| symbol(*status)).collect();
        Some(TransportLayerCc {
            sender_ssrc,
            media_ssrc,
            base_sequence_number: base as u16,
            packet_status_count: symbols.len() as u16,
            reference_time: reference as u32 & 0xff_ffff,
            fb_pkt_count: feedback_count,
            packet_chunks: chunks(&symbols),
            recv_deltas: statuses.into_iter().flatten().map(delta).collect(),
        })
    }

    /// When feedback is due.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.due_at
            .map(|due_at| (due_at, "transport-wide feedback"))
    }

    fn ticks(&mut self, now: Instant) -> i64 {
        let epoch = *self.epoch.get_or_insert(now);
        let elapsed = now.saturating_duration_since(epoch);
        elapsed.as_secs() as i64 * 4000 + i64::from(elapsed.subsec_micros() / 250)
    }

    fn extend(&mut self, sequence: u16) -> u64 {
        if self.arrivals.is_empty() {
            self.arrivals = vec![ABSENT; HISTORY as usize];
            return self.restart((1 << 16) + u64::from(sequence));
        }
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let behind = u64::from(ahead.wrapping_neg());
        if ahead == 0 || behind < HISTORY {
            return self.highest - behind;
        }
        let extended = self.highest + u64::from(ahead);
        if ahead > 1 << 15 {
            // Too far behind to be late: the publisher counts from somewhere else now.
            return self.restart(extended);
        }
        let skipped = (self.highest + 1).max((extended + 1).saturating_sub(HISTORY))..=extended;
        skipped.for_each(|number| self.arrivals[(number % HISTORY) as usize] = ABSENT);
        self.highest = extended;
        self.next = self.next.max((extended + 1).saturating_sub(HISTORY));
        extended
    }

    fn restart(&mut self, extended: u64) -> u64 {
        self.arrivals.fill(ABSENT);
        self.highest = extended;
        self.next = extended;
        extended
    }

    fn schedule(&mut self, now: Instant) {
        let due_at = *self.due_at.get_or_insert(now + INTERVAL_MAX);
        if self.unreported >= PACKETS_HASTEN {
            let free_at = self
                .reported_at
                .map_or(now, |at| now.max(at + INTERVAL_MIN));
            self.due_at = Some(due_at.min(free_at));
        }
    }

    /// The reference time, and for each number from `next` the ticks since the packet before, or nothing if it
    /// did not come. Moves `next` to where it ended: at the highest number, or where a feedback is full, or
    /// where a pause is longer than a delta can say.
    fn report(&mut self) -> (i64, Vec<Option<i64>>) {
        let mut statuses = Vec::new();
        let mut reference = None;
        let mut previous = 0;
        let mut bytes = FEEDBACK_BYTES_FIXED;
        while self.next <= self.highest {
            let ticks = self.arrivals[(self.next % HISTORY) as usize];
            let mut status = None;
            if ticks != ABSENT {
                if reference.is_none() {
                    let first = ticks.div_euclid(TICKS_PER_REFERENCE);
                    reference = Some(first);
                    previous = first * TICKS_PER_REFERENCE;
                }
                let delta = ticks - previous;
                bytes += if is_small(delta) { 1 } else { 2 };
                let chunk_bytes = 2 * (statuses.len() / TWO_BIT_SYMBOLS + 1);
                let full = bytes + chunk_bytes > FEEDBACK_BYTES_MAX;
                if full || i16::try_from(delta).is_err() {
                    break;
                }
                previous = ticks;
                status = Some(delta);
            }
            statuses.push(status);
            self.next += 1;
        }
        (reference.unwrap_or_default(), statuses)
    }
}

fn is_small(ticks: i64) -> bool {
    (0..=255).contains(&ticks)
}

fn symbol(status: Option<i64>) -> SymbolTypeTcc {
    match status {
        None => SymbolTypeTcc::PacketNotReceived,
        Some(ticks) if is_small(ticks) => SymbolTypeTcc::PacketReceivedSmallDelta,
        Some(_) => SymbolTypeTcc::PacketReceivedLargeDelta,
    }
}

fn delta(ticks: i64) -> RecvDelta {
    RecvDelta {
        type_tcc_packet: symbol(Some(ticks)),
        delta: ticks * TYPE_TCC_DELTA_SCALE_FACTOR,
    }
}

/// Packs symbols into chunks: a run where a vector would say less, else the vector that can say it.
fn chunks(mut symbols: &[SymbolTypeTcc]) -> Vec<PacketStatusChunk> {
    let mut chunks = Vec::new();
    while let Some(&first) = symbols.first() {
        let run = symbols
            .iter()
            .take_while(|&&symbol| symbol == first)
            .count();
        let near = &symbols[..symbols.len().min(ONE_BIT_SYMBOLS)];
        let large = near.contains(&SymbolTypeTcc::PacketReceivedLargeDelta);
        let vector = if large {
            TWO_BIT_SYMBOLS
        } else {
            ONE_BIT_SYMBOLS
        };
        let vector = vector.min(symbols.len());
        let taken = if run >= vector {
            run.min(RUN_MAX)
        } else {
            vector
        };
        chunks.push(if run >= vector {
            PacketStatusChunk::RunLengthChunk(RunLengthChunk {
                type_tcc: StatusChunkTypeTcc::RunLengthChunk,
                packet_status_symbol: first,
                run_length: taken as u16,
            })
        } else {
            PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
                type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
                symbol_size: match large {
                    true => SymbolSizeTypeTcc::TwoBit,
                    false => SymbolSizeTypeTcc::OneBit,
                },
                symbol_list: symbols[..taken].to_vec(),
            })
        });
        symbols = &symbols[taken..];
    }
    chunks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bytes::Bytes;
    use interceptor::convert_twcc;
    use proptest::prelude::*;
    use rtc_shared::marshal::{Marshal, Unmarshal};
    use std::collections::BTreeMap;

    fn at(start: Instant, microseconds: u64) -> Instant {
        start + Duration::from_micros(microseconds)
    }

    /// What a sender reads from the feedbacks, by way of the wire and of a decoder that is not ours: arrival in
    /// microseconds, or loss. A packet that an earlier feedback knows stays known.
    fn read(feedbacks: &[TransportLayerCc]) -> BTreeMap<u16, Option<u64>> {
        let mut fates = BTreeMap::new();
        for feedback in feedbacks {
            let mut wire: Bytes = feedback.marshal().unwrap().freeze();
            assert!(wire.len() <= FEEDBACK_BYTES_MAX + 4);
            let decoded = TransportLayerCc::unmarshal(&mut wire).unwrap();
            let fates_here = convert_twcc(&decoded);
            for fate in fates_here.iter().take(feedback.packet_status_count.into()) {
                let arrival = fate.arrival.map(|arrival| arrival.as_micros() as u64);
                assert_eq!(fate.arrived, arrival.is_some());
                let known = fates.entry(fate.sequence_number).or_insert(arrival);
                *known = known.or(arrival);
            }
        }
        fates
    }

    fn drain(recorder: &mut TwccRecorder, now: Instant) -> Vec<TransportLayerCc> {
        std::iter::from_fn(|| recorder.feedback(now, 1, 2)).collect()
    }

    /// Records packets at their microseconds and reads the feedback that is due 100 ms after the last.
    fn report(packets: &[(u64, u16)]) -> BTreeMap<u16, Option<u64>> {
        let start = Instant::now();
        let mut recorder = TwccRecorder::new();
        for &(microseconds, sequence) in packets {
            recorder.record(at(start, microseconds), sequence);
        }
        let last = packets.iter().map(|&(microseconds, _)| microseconds).max();
        let feedbacks = drain(&mut recorder, at(start, last.unwrap_or(0) + 100_000));
        assert_eq!(recorder.poll_timeout(), None);
        read(&feedbacks)
    }

    #[test]
    fn arrivals_and_losses_are_read_as_they_were() {
        type Case<'a> = (&'a str, &'a [(u64, u16)], &'a [u16]);
        let cases: [Case; 8] = [
            ("one", &[(0, 7)], &[]),
            ("in order", &[(0, 7), (250, 8), (500, 9)], &[]),
            (
                "with a hole",
                &[(0, 7), (1000, 9), (2000, 12)],
                &[8, 10, 11],
            ),
            ("over the wrap", &[(0, 65_534), (250, 1)], &[65_535, 0]),
            ("out of order", &[(0, 7), (1000, 9), (2000, 8)], &[]),
            ("before the first", &[(0, 7), (1000, 5)], &[6]),
            ("a large delta", &[(0, 7), (700_000, 8), (700_250, 9)], &[]),
            (
                "a pause too long for a delta",
                &[(0, 7), (20_000_000, 8)],
                &[],
            ),
        ];
        for (name, packets, lost) in cases {
            let came = packets.iter().map(|&(at, sequence)| (sequence, Some(at)));
            let missing = lost.iter().map(|&sequence| (sequence, None));
            let expected: BTreeMap<u16, Option<u64>> = came.chain(missing).collect();
            assert_eq!(report(packets), expected, "{name}");
        }
    }

    #[test]
    fn a_packet_that_comes_after_its_loss_was_reported_is_reported_again() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::new();
        recorder.record(start, 10);
        recorder.record(start, 12);
        let mut feedbacks = drain(&mut recorder, at(start, 100_000));
        assert_eq!(read(&feedbacks)[&11], None);
        recorder.record(at(start, 110_000), 11);
        feedbacks.extend(drain(&mut recorder, at(start, 210_000)));
        assert_eq!(read(&feedbacks)[&11], Some(110_000));
    }

    #[test]
    fn a_publisher_that_begins_anew_or_far_ahead_is_followed() {
        let jump: Vec<(u64, u16)> = vec![(0, 100), (250, 20_000), (500, 20_001)];
        let read = report(&jump);
        assert_eq!((read[&20_000], read[&20_001]), (Some(250), Some(500)));
        assert!(read.len() <= HISTORY as usize);
        let back: Vec<(u64, u16)> = vec![(0, 40_000), (250, 10), (500, 11)];
        let read = report(&back);
        assert_eq!((read[&10], read[&11]), (Some(250), Some(500)));
    }

    #[test]
    fn feedback_follows_in_100_ms_and_sooner_when_there_is_much_to_say() {
        let start = Instant::now();
        let mut recorder = TwccRecorder::new();
        assert_eq!(recorder.poll_timeout(), None);
        recorder.record(start, 0);
        assert_eq!(
            recorder.poll_timeout().map(|(due_at, _)| due_at),
            Some(at(start, 100_000))
        );
        assert!(drain(&mut recorder, at(start, 99_999)).is_empty());
        assert_eq!(drain(&mut recorder, at(start, 100_000)).len(), 1);
        (1..100).for_each(|sequence| recorder.record(at(start, 110_000), sequence));
        assert!(drain(&mut recorder, at(start, 149_999)).is_empty());
        let hastened = drain(&mut recorder, at(start, 150_000));
        assert_eq!(hastened.len(), 1);
        assert_eq!(hastened[0].fb_pkt_count, 1);
    }

    proptest! {
        /// For any loss, reordering and pauses, over any wrap: the sender reads what happened, to the tick.
        #[test]
        fn the_sender_reads_what_happened(
            first in any::<u16>(),
            packets in prop::collection::vec((0u8..8, 0u64..3, 0u64..200_000), 1..900),
        ) {
            let mut arrivals: Vec<(u64, u16)> = Vec::new();
            let mut clock = 0;
            for (index, &(loss, late, pause)) in packets.iter().enumerate() {
                clock += if pause > 199_000 { pause * 200 } else { pause / 400 };
                if loss > 0 {
                    let number = first.wrapping_add(index as u16);
                    arrivals.push((clock + late * 1500, number));
                }
            }
            arrivals.sort();
            let Some(&(epoch, _)) = arrivals.first() else {
                return Ok(());
            };
            let read = report(&arrivals);
            for &(time, number) in &arrivals {
                let seen = read[&number].unwrap();
                prop_assert_eq!(seen, (time - epoch) / 250 * 250);
            }
            let received = read.values().filter(|arrival| arrival.is_some()).count();
            prop_assert_eq!(received, arrivals.len());
        }
    }
}

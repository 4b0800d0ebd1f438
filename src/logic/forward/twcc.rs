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

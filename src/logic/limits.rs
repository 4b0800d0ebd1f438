//! Every limit of the node in one table, and the bucket that keeps a rate.

use std::time::{Duration, Instant};

use crate::logic::record::admission::Recorders;
use crate::logic::record::storage::Share;
use crate::protocol::client::ClientMessage;
use crate::protocol::server::ClientLimits;

/// What the node accepts, holds and waits for. Beside each: what gives when it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a WebSocket message without SDP. Beyond: `tooLarge`.
    pub message_bytes: u32,
    /// Bytes of a WebSocket message that carries SDP. Beyond: the WebSocket is closed.
    pub sdp_bytes: u32,
    /// Messages of one WebSocket per second, over time. Beyond: `tooFast`.
    pub messages_per_second: u32,
    /// Messages of one WebSocket at once. Beyond: `tooFast`.
    pub messages_burst: u32,
    /// Errors of one member within [`Self::errors_seconds`]. Beyond: `bye misbehaved`.
    pub errors_burst: u32,
    /// The time in which [`Self::errors_burst`] errors are forgiven, in seconds.
    pub errors_seconds: u32,
    /// Bytes waiting for one WebSocket. Beyond: `bye slow`.
    pub outgoing_queue_bytes: u32,
    /// Seconds within which a new WebSocket must say `join`. Beyond: it is closed.
    pub join_seconds: u32,
    /// Seconds without a sign of life of a client. Beyond: `bye silent`, and its WebSocket is lost.
    pub silence_seconds: u32,
    /// Seconds that a member's place is kept after their WebSocket was lost. Beyond: they are gone.
    pub resume_seconds: u32,
    /// Bytes of events that are kept for a member's `resume` until the client has them. Beyond: the
    /// oldest are forgotten, and a `resume` from before them is refused.
    pub resume_log_bytes: u32,
    /// Unicode scalar values of a line of chat. Beyond: `tooLarge`.
    pub chat_characters: u32,
    /// Lines of chat that a newcomer gets. Beyond: the oldest are forgotten.
    pub history_lines: u32,
    /// Bytes of chat that a newcomer gets. Beyond: the oldest lines are forgotten.
    pub history_bytes: u32,
    /// Bytes of a WebSocket message that is passed on to another member. Beyond: `tooLarge`.
    pub signal_bytes: u32,
    /// Signals from one member to another per second, over time. Beyond: `tooFast`.
    pub signals_per_second: u32,
    /// Signals from one member to another at once. Beyond: `tooFast`.
    pub signals_burst: u32,
    /// Seconds after which a signal to somebody who is there counts as arrived though they never
    /// acknowledge anything; until then it is part of what its sender holds of their queue.
    pub signal_seconds: u32,
    /// Changes of one kind (`publish` and `unpublish`, `mute`, `hand`, `view`) of one member per second, over
    /// time. Beyond: `tooFast`.
    pub changes_per_second: u32,
    /// Changes of one kind of one member at once. Beyond: `tooFast`.
    pub changes_burst: u32,
    /// Reports of one member about their paths per second, over time. Beyond: `tooFast`.
    pub reports_per_second: u32,
    /// Reports of one member about their paths at once. Beyond: `tooFast`.
    pub reports_burst: u32,
    /// What one owner may decide per second, over time. Beyond: `tooFast`.
    pub decisions_per_second: u32,
    /// What one owner may decide at once; each member can be held muted. Beyond: `tooFast`.
    pub decisions_burst: u32,
    /// Lines of chat of one member per second, over time. Beyond: `tooFast`.
    pub chat_per_second: u32,
    /// Lines of chat of one member at once. Beyond: `tooFast`.
    pub chat_burst: u32,
    /// Bytes of chat of one member per second, over time; at once a quarter of a queue. Beyond: `tooFast`.
    pub chat_bytes_per_second: u32,
    /// Chat and reactions of a room per second, over time, each counted once for everyone who hears it; at
    /// once twice as many. Beyond: `tooFast`.
    pub talk_per_second: u32,
    /// Bytes of chat and reactions of a room per second, over time; at once twice as many. Beyond: `tooFast`.
    pub talk_bytes_per_second: u32,
    /// From how many members on a room tells what changes about them together, and no more often than
    /// [`Self::news_interval_ms`].
    pub news_together: u32,
    /// Milliseconds between two times that a large room tells what changed about its members.
    pub news_interval_ms: u32,
    /// Changes of members that a room tells per second, over time, each counted once for everyone who hears
    /// it; at once as many. Beyond: they are told later, the last state of each member alone.
    pub news_per_second: u32,
    /// Bytes of such changes to one member per second, over time; at once twice as many. Beyond: the same.
    pub news_bytes_per_second: u32,
    /// Candidates from one member to another in one negotiation. Beyond: `limit`.
    pub candidates: u32,
    /// Bytes of a candidate line. Beyond: `tooLarge`.
    pub candidate_bytes: u32,
    /// Bytes of a mid, a stream id or a username fragment. Beyond: `tooLarge`.
    pub token_bytes: u32,
    /// Seats that one viewer can ask for. Beyond: `limit`.
    pub seats: u32,
    /// Peer connections of a shard that have not come up yet, of members without another that has.
    /// Beyond: the address (IPv6: the /64) that has most of them loses its oldest.
    pub half_open_peers: u32,
    /// Publishers and viewers over WHIP and WHEP at once. Beyond: 503.
    pub http_sessions: u32,
    /// Bits per second of one publisher, over all that they send. Beyond: packets are dropped.
    pub publisher_bits_per_second: u32,
    /// Packets per second of one connection, RTP and RTCP, whatever is in them. Beyond: they are
    /// dropped.
    pub packets_per_second: u32,
    /// Offers of one member per second, over time. Beyond: `tooFast`.
    pub offers_per_second: u32,
    /// Offers of one member at once. Beyond: `tooFast`.
    pub offers_burst: u32,
    /// Reactions of one member per second, over time. Beyond: `tooFast`.
    pub reactions_per_second: u32,
    /// Reactions of one member at once. Beyond: `tooFast`.
    pub reactions_burst: u32,
    /// Members of a room. Beyond: `roomFull`.
    pub room_members: u32,
    /// Those who wait to be let into one room. Beyond: `lobbyFull`.
    pub waiting: u32,
    /// Households from which an owner sent somebody away: who comes from there waits to be let in. Beyond: the
    /// oldest is forgotten.
    pub removed_households: u32,
    /// Seconds that somebody waits to be let in. Beyond: `bye denied`.
    pub waiting_seconds: u32,
    /// Tracks of one room that are sent to other programs. Beyond: 503.
    pub room_outputs: u32,
    /// Tracks of a shard's rooms that are sent to other programs, at most 65,536. Beyond: 503.
    pub outputs: u32,
    /// Rooms on the node. Beyond: `nodeFull`.
    pub rooms: u32,
    /// Members on the node, those included whose WebSockets are waited for. Beyond: `nodeFull`.
    pub members: u32,
    /// WebSockets and HTTP sessions from one address (IPv6: from one /64), and members, those included
    /// whose WebSockets are waited for. Beyond: refused before the upgrade, and `limit`.
    pub connections_per_address: u32,
    /// Rooms that were opened by joins from one address (IPv6: from one /64). Beyond: `limit`.
    pub rooms_per_address: u32,
    /// Joins from one address (IPv6: from one /64) within a minute. Beyond: `tooFast`.
    pub joins_per_minute: u32,
    /// Wrong tokens (of managers, WHIP and WHEP) from one address (IPv6: from one /64) within a minute.
    /// Beyond: 429.
    pub guesses_per_minute: u32,
    /// Seconds that a room made by a `join` outlives its last member, so that a reload finds it.
    pub empty_room_seconds: u32,
    /// Seconds that a room made over REST stays while empty.
    pub reserved_room_seconds: u32,
    /// Owners' keys of a shard's rooms that are gone. Beyond: the one unused for longest is forgotten.
    pub owner_keys: u32,
    /// Seconds that an owner's key outlives its room.
    pub owner_key_seconds: u32,
    /// Seconds of a recording. Beyond: it ends, with `limit`.
    pub recording_seconds: u32,
    /// Seconds of a file of a recording. Beyond: the track goes on in another one, from a key frame.
    pub recording_file_seconds: u32,
    /// Bytes of a file of a recording, about. Beyond: the same.
    pub recording_file_bytes: u64,
    /// Bytes of all recordings that may wait for the disk: at 20 Mb/s more than 20 seconds. Beyond
    /// half of it pictures are left out, beyond all of it sound too.
    pub recording_queue_bytes: usize,
    /// Who has rooms recorded. Others: `forbidden`.
    pub recording: Recorders,
    /// Seconds from one recording of a room to the next, if its owners have it recorded. Before: `tooFast`.
    pub record_seconds: u32,
    /// Recordings that go on at once at the wish of owners of one household. Beyond: `limit`.
    pub recordings_per_address: u32,
    /// What all recordings may take of the disk. Beyond: none begins, and those that go on end, with `limit`.
    pub recordings_bytes: Share,
    /// What stays free of the disk, in bytes. Beyond: none begins, and those that go on end, with `diskFull`.
    pub recordings_free_bytes: u64,
    /// The same in hundredths of the disk; the larger of the two counts.
    pub recordings_free_percent: u8,
    /// Files of one recording, and its tracks. Beyond: it ends, with `limit`.
    pub recording_files: u32,
    /// Recordings that are over and wait until their tracks are merged. Beyond: they are merged at the next start.
    pub recording_merges: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_bytes: 64 * 1024,
            sdp_bytes: 256 * 1024,
            messages_per_second: 100,
            messages_burst: 200,
            errors_burst: 20,
            errors_seconds: 10,
            outgoing_queue_bytes: 256 * 1024,
            join_seconds: 10,
            silence_seconds: 30,
            resume_seconds: 60,
            resume_log_bytes: 256 * 1024,
            chat_characters: 4_000,
            history_lines: 100,
            history_bytes: 64 * 1024,
            signal_bytes: 64 * 1024,
            signals_per_second: 10,
            signals_burst: 64,
            signal_seconds: 15,
            changes_per_second: 5,
            changes_burst: 20,
            reports_per_second: 10,
            reports_burst: 60,
            decisions_per_second: 20,
            decisions_burst: 600,
            chat_per_second: 2,
            chat_burst: 10,
            chat_bytes_per_second: 16 * 1024,
            talk_per_second: 10_000,
            talk_bytes_per_second: 64 * 1024,
            news_together: 16,
            news_interval_ms: 100,
            news_per_second: 50_000,
            news_bytes_per_second: 64 * 1024,
            candidates: 32,
            candidate_bytes: 1_024,
            token_bytes: 256,
            seats: 25,
            half_open_peers: 1_000,
            http_sessions: 1_000,
            publisher_bits_per_second: 20_000_000,
            packets_per_second: 3_000,
            offers_per_second: 2,
            offers_burst: 20,
            reactions_per_second: 1,
            reactions_burst: 5,
            room_members: 500,
            waiting: 50,
            removed_households: 256,
            waiting_seconds: 600,
            room_outputs: 32,
            outputs: 256,
            rooms: 1_000,
            members: 5_000,
            connections_per_address: 200,
            rooms_per_address: 100,
            joins_per_minute: 300,
            guesses_per_minute: 10,
            empty_room_seconds: 5,
            reserved_room_seconds: 600,
            owner_keys: 10_000,
            owner_key_seconds: 24 * 60 * 60,
            recording_seconds: 24 * 60 * 60,
            recording_file_seconds: 2 * 60 * 60,
            recording_file_bytes: 2_000_000_000,
            recording_queue_bytes: 64 << 20,
            recording: Recorders::Owners,
            record_seconds: 10,
            recordings_per_address: 10,
            recordings_bytes: Share::Percent(10),
            recordings_free_bytes: 1 << 30,
            recordings_free_percent: 5,
            recording_files: 4_000,
            recording_merges: 1_000,
        }
    }
}

impl Limits {
    /// The bytes that a WebSocket message with this content may have had.
    pub fn bytes_max(&self, message: &ClientMessage) -> usize {
        let bytes = match message {
            ClientMessage::Offer { .. } => self.sdp_bytes,
            ClientMessage::Signal { .. } => self.signal_bytes,
            _ => self.message_bytes,
        };
        bytes as usize
    }

    /// A bucket for the messages of one WebSocket; every message takes one.
    pub fn message_bucket(&self, now: Instant) -> Bucket {
        Bucket::new(now, self.messages_per_second, 1, self.messages_burst)
    }

    /// A bucket for the errors of one client; every error takes one.
    pub fn error_bucket(&self, now: Instant) -> Bucket {
        Bucket::new(
            now,
            self.errors_burst,
            self.errors_seconds,
            self.errors_burst,
        )
    }

    /// A bucket for the joins of one household; every join takes one.
    pub fn join_bucket(&self, now: Instant) -> Bucket {
        Bucket::new(now, self.joins_per_minute, 60, self.joins_per_minute)
    }

    /// A bucket for the wrong tokens of one household; every one takes one.
    pub fn guess_bucket(&self, now: Instant) -> Bucket {
        Bucket::new(now, self.guesses_per_minute, 60, self.guesses_per_minute)
    }

    /// What one member may hold of another's queue and of the log for their `resume`: a quarter.
    pub fn share_bytes(&self) -> usize {
        let kept = match self.resume_log_bytes {
            0 => self.outgoing_queue_bytes,
            log => log.min(self.outgoing_queue_bytes),
        };
        kept as usize / 4
    }

    /// The least time between two times that a room of so many tells what changed about its members.
    pub fn news_interval(&self, members: usize) -> Duration {
        match members < self.news_together as usize {
            true => Duration::ZERO,
            false => Duration::from_millis(self.news_interval_ms.into()),
        }
    }

    /// A bucket for the offers of one member; every offer takes one.
    pub fn offer_bucket(&self, now: Instant) -> Bucket {
        Bucket::new(now, self.offers_per_second, 1, self.offers_burst)
    }

    /// A bucket for the reactions of one member; every reaction takes one.
    pub fn reaction_bucket(&self, now: Instant) -> Bucket {
        Bucket::new(now, self.reactions_per_second, 1, self.reactions_burst)
    }

    /// A bucket for the bytes of one publisher, half a second deep: a key frame is a burst.
    pub fn publisher_bucket(&self, now: Instant) -> Bucket {
        let bytes = self.publisher_bits_per_second / 8;
        Bucket::new(now, bytes, 1, bytes / 2)
    }

    /// A bucket for the packets of one connection, half a second deep.
    pub fn packet_bucket(&self, now: Instant) -> Bucket {
        let packets = self.packets_per_second;
        Bucket::new(now, packets, 1, packets / 2)
    }

    /// What a client is told in `joined`.
    pub fn for_client(&self) -> ClientLimits {
        ClientLimits {
            message_bytes: self.message_bytes,
            sdp_bytes: self.sdp_bytes,
            seats: u16::try_from(self.seats).unwrap_or(u16::MAX),
            silence_seconds: u16::try_from(self.silence_seconds).unwrap_or(u16::MAX),
        }
    }

    /// [`Self::silence_seconds`].
    pub fn silence(&self) -> Duration {
        Duration::from_secs(self.silence_seconds.into())
    }

    /// [`Self::resume_seconds`].
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.resume_seconds.into())
    }
}

/// A token bucket: full at first, filled evenly, never beyond its burst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The time between two tokens.
    interval: Duration,
    /// The time that fills an empty bucket.
    capacity: Duration,
    /// When the bucket is, or was, full again.
    full_at: Instant,
}

impl Bucket {
    /// A full bucket of `burst` tokens that gains `tokens` in every `seconds`. Zeros count as one.
    pub fn new(now: Instant, tokens: u32, seconds: u32, burst: u32) -> Bucket {
        let interval = Duration::from_secs(seconds.max(1).into()) / tokens.max(1);
        Bucket {
            interval,
            capacity: interval * burst.max(1),
            full_at: now,
        }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.take_many(now, 1)
    }

    /// When it is, or was, full again.
    pub fn full_at(&self) -> Instant {
        self.full_at
    }

    /// How long it takes until there is a token.
    pub fn wait(&self, now: Instant) -> Duration {
        let filling = self.full_at.saturating_duration_since(now);
        (filling + self.interval).saturating_sub(self.capacity)
    }

    /// Takes that many tokens, if there are as many.
    pub fn take_many(&mut self, now: Instant, tokens: u32) -> bool {
        let full_at = self.full_at.max(now) + self.interval * tokens;
        let fits = full_at.duration_since(now) <= self.capacity;
        if fits {
            self.full_at = full_at;
        }
        fits
    }

    /// Takes that many tokens even if there are fewer: what is missing is filled up first.
    pub fn spend(&mut self, now: Instant, tokens: u32) {
        self.full_at = self.full_at.max(now) + self.interval * tokens;
    }

    /// From when on there is nothing missing; the time may be past.
    pub fn is_paid_at(&self) -> Option<Instant> {
        self.full_at.checked_sub(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::client::{ClientFrame, ClientMessage};

    const MS: Duration = Duration::from_millis(1);

    fn taken(bucket: &mut Bucket, now: Instant) -> usize {
        (0..1_000).take_while(|_| bucket.take(now)).count()
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Limits::default().message_bucket(start);
        assert_eq!(taken(&mut bucket, start), 200);
        assert_eq!(taken(&mut bucket, start + 9 * MS), 0);
        assert_eq!(taken(&mut bucket, start + 10 * MS), 1);
        assert_eq!(taken(&mut bucket, start + 1_010 * MS), 100);
        assert_eq!(taken(&mut bucket, start + 3_600_000 * MS), 200);
        assert_eq!(taken(&mut bucket, start), 0, "a clock that went back");
    }

    #[test]
    fn a_bucket_knows_when_it_gives_again() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start, 2, 1, 3);
        assert_eq!(bucket.wait(start), Duration::ZERO);
        taken(&mut bucket, start);
        assert_eq!(bucket.wait(start), 500 * MS);
        assert_eq!(bucket.wait(start + 400 * MS), 100 * MS);
        assert_eq!(bucket.wait(start + 500 * MS), Duration::ZERO);
        assert!(bucket.take(start + 500 * MS));
    }

    #[test]
    fn what_is_spent_beyond_the_burst_is_paid_before_anything_else() {
        let start = Instant::now() + 3_600_000 * MS;
        let mut bucket = Bucket::new(start, 10, 1, 5);
        bucket.spend(start, 5);
        assert!(bucket.is_paid_at() <= Some(start));
        bucket.spend(start, 20);
        assert_eq!(bucket.is_paid_at(), Some(start + 2_000 * MS));
        assert_eq!(taken(&mut bucket, start + 2_000 * MS), 0);
        assert_eq!(taken(&mut bucket, start + 2_100 * MS), 1);
    }

    #[test]
    fn a_bucket_of_zeros_is_a_bucket_of_ones() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start, 0, 0, 0);
        assert_eq!(taken(&mut bucket, start), 1);
        assert_eq!(taken(&mut bucket, start + 1_000 * MS), 1);
    }

    #[test]
    fn only_offers_may_be_long() {
        let limits = Limits::default();
        let text = String::new();
        assert_eq!(limits.bytes_max(&ClientMessage::Chat { text }), 65_536);
        let offer = ClientMessage::Offer {
            sdp: String::new(),
            epoch: 1,
            fresh: false,
        };
        assert_eq!(limits.bytes_max(&offer), 262_144);
        let signal =
            r#"{"type":"signal","to":"0000000000001","epoch":0,"candidate":{"candidate":""}}"#;
        let signal = ClientFrame::parse(signal).map(|frame| limits.bytes_max(&frame.message));
        assert_eq!(signal.ok(), Some(65_536));
    }
}

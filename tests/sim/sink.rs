//! The receiving end of one seat's m-line: puts packets in order, decodes what a browser could decode, and
//! finds fault with whatever a browser would stumble over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use motet::logic::forward::codec::MediaKind;
use rtp::packet::Packet;

use crate::media::{Stamp, Vp8, read_opus};

/// How long a hole may stay open before the stream goes on without it.
const VIDEO_PATIENCE: Duration = Duration::from_millis(400);
const AUDIO_PATIENCE: Duration = Duration::from_millis(100);
/// Between two requests for a key frame.
const KEY_REQUEST_INTERVAL: Duration = Duration::from_millis(300);
/// How far the RTP clock may stray from the clock on the wall: network jitter, patience, and a switch
/// between two publishers.
const DRIFT_MAX: Duration = Duration::from_millis(1500);
/// Frames that a hole may swallow.
const HOLE_FRAMES_MAX: u16 = 300;

/// See the module.
#[derive(Debug)]
pub struct Sink {
    pub ssrc: u32,
    kind: MediaKind,
    waiting: BTreeMap<u64, Held>,
    /// Extended sequence number of the next packet.
    next: Option<u64>,
    hole_since: Option<Instant>,
    /// A hole was given up: what follows does not join on to what came before.
    after_hole: bool,
    /// What the decoder holds.
    decoded: Option<Decoded>,
    /// The frame that is coming in.
    open: Option<Vp8>,
    frame_parts: u8,
    epoch: Option<(Instant, u32)>,
    last_timestamp: Option<u32>,
    last_vp8: Option<Vp8>,
    last_opus: Option<Stamp>,
    key_asked: Option<Instant>,
    /// When which publisher was last seen or heard.
    pub played: BTreeMap<u32, Instant>,
    pub packets: u64,
    pub frames: u64,
    pub holes: u64,
    pub faults: Vec<String>,
}

#[derive(Debug, Clone)]
struct Held {
    arrived: Instant,
    packet: Packet,
}

#[derive(Debug, Clone, Copy)]
struct Decoded {
    publisher: u32,
    layer: u8,
    frame: u32,
}

impl Sink {
    pub fn new(kind: MediaKind, ssrc: u32) -> Self {
        Self {
            ssrc,
            kind,
            waiting: BTreeMap::new(),
            next: None,
            hole_since: None,
            after_hole: false,
            decoded: None,
            open: None,
            frame_parts: 0,
            epoch: None,
            last_timestamp: None,
            last_vp8: None,
            last_opus: None,
            key_asked: None,
            played: BTreeMap::new(),
            packets: 0,
            frames: 0,
            holes: 0,
            faults: vec![],
        }
    }

    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    /// Whose a packet is, if it is one of ours.
    pub fn publisher(&self, packet: &Packet) -> Option<u32> {
        match self.kind {
            MediaKind::Audio => read_opus(&packet.payload).map(|stamp| stamp.publisher),
            MediaKind::Video => Vp8::read(&packet.payload).map(|vp8| vp8.stamp.publisher),
        }
    }

    pub fn receive(&mut self, now: Instant, packet: Packet) {
        let sequence = self.extend(packet.header.sequence_number);
        if self.next.is_some_and(|next| sequence < next) {
            return;
        }
        self.packets += 1;
        if let Some(held) = self.waiting.get(&sequence)
            && held.packet.payload != packet.payload
        {
            self.fault(format!("two packets with sequence number {sequence}"));
        }
        let arrived = now;
        self.waiting
            .entry(sequence)
            .or_insert(Held { arrived, packet });
        self.advance(now);
    }

    /// Gives up on holes that are open for too long, and says whether a key frame is to be asked for.
    pub fn tick(&mut self, now: Instant) -> bool {
        self.advance(now);
        let stuck = self.kind == MediaKind::Video && self.next.is_some() && self.decoded.is_none();
        let asked = self
            .key_asked
            .is_some_and(|at| now < at + KEY_REQUEST_INTERVAL);
        if stuck && !asked {
            self.key_asked = Some(now);
        }
        stuck && !asked
    }

    fn advance(&mut self, now: Instant) {
        while let Some((&first, held)) = self.waiting.first_key_value() {
            let next = *self.next.get_or_insert(first);
            if first != next {
                let since = *self.hole_since.get_or_insert(held.arrived);
                if now < since + self.patience() {
                    return;
                }
                self.holes += 1;
                (self.after_hole, self.decoded, self.open) = (true, None, None);
            }
            let (sequence, held) = self.waiting.pop_first().unwrap();
            self.next = Some(sequence + 1);
            self.hole_since = None;
            self.play(&held);
            self.after_hole = false;
        }
    }

    fn play(&mut self, held: &Held) {
        match self.kind {
            MediaKind::Audio => self.play_opus(held),
            MediaKind::Video => self.play_vp8(held),
        }
    }

    fn play_opus(&mut self, held: &Held) {
        let Some(stamp) = read_opus(&held.packet.payload) else {
            return self.fault("a mangled Opus packet".to_owned());
        };
        self.check_clock(held, true);
        if let Some(last) = self.last_opus
            && last.publisher == stamp.publisher
            && stamp.frame <= last.frame
        {
            self.fault(format!("audio goes back: {last:?}, then {stamp:?}"));
        }
        self.last_opus = Some(stamp);
        self.frames += 1;
        self.played.insert(stamp.publisher, held.arrived);
    }

    fn play_vp8(&mut self, held: &Held) {
        let Some(vp8) = Vp8::read(&held.packet.payload) else {
            return self.fault("a mangled VP8 packet".to_owned());
        };
        let begins = vp8.stamp.part == 0;
        self.check_clock(held, begins);
        match self.open {
            None if begins => {
                self.check_picture_id(vp8);
                (self.open, self.frame_parts) = (Some(vp8), 0);
            }
            Some(open) if same_frame(&open, &vp8) && vp8.stamp.part == self.frame_parts => {}
            // A switch in the middle of a frame: the decoder starts afresh.
            Some(_) if begins && vp8.stamp.key => (self.open, self.frame_parts) = (Some(vp8), 0),
            // The first packets of this frame fell into a hole.
            None if self.decoded.is_none() => return,
            _ => {
                let open = self.open.take();
                return self.fault(format!("{vp8:?} within {open:?}"));
            }
        }
        self.frame_parts += 1;
        if self.frame_parts == vp8.stamp.parts {
            self.open = None;
            self.last_vp8 = Some(vp8);
            self.decode(held.arrived, vp8.stamp);
        }
        if held.packet.header.marker != (vp8.stamp.part + 1 == vp8.stamp.parts) {
            self.fault(format!("the marker is wrong on {vp8:?}"));
        }
    }

    fn decode(&mut self, arrived: Instant, stamp: Stamp) {
        let needed = Decoded {
            publisher: stamp.publisher,
            layer: stamp.layer,
            frame: stamp.frame.wrapping_sub(1),
        };
        let decodes = stamp.key || self.decoded.is_some_and(|have| have.leads_to(needed));
        if !decodes {
            if let Some(have) = self.decoded {
                self.fault(format!("no hole, but {stamp:?} follows {have:?}"));
            }
            return;
        }
        let frame = stamp.frame;
        self.decoded = Some(Decoded { frame, ..needed });
        self.key_asked = None;
        self.frames += 1;
        self.played.insert(stamp.publisher, arrived);
    }

    /// Frames count up by one; over a hole, by as many as may have been in it (RFC 7741 §4.2).
    fn check_picture_id(&mut self, vp8: Vp8) {
        let Some(last) = self.last_vp8 else {
            return;
        };
        let step = vp8.picture_id.wrapping_sub(last.picture_id) & 0x7fff;
        let step_tl0 = vp8.tl0_picture_index.wrapping_sub(last.tl0_picture_index);
        let joined = !self.after_hole && self.decoded.is_some();
        let good = if joined {
            step == 1 && step_tl0 == 1
        } else {
            (1..HOLE_FRAMES_MAX).contains(&step)
        };
        if !good {
            self.fault(format!(
                "picture id steps by {step} ({step_tl0}): {last:?}, {vp8:?}"
            ));
        }
    }

    /// Timestamps go forward with every frame and keep the pace of the clock on the wall.
    fn check_clock(&mut self, held: &Held, begins: bool) {
        let timestamp = held.packet.header.timestamp;
        if let Some(last) = self.last_timestamp {
            let step = timestamp.wrapping_sub(last) as i32;
            if step < 0 || (begins && step == 0 && !self.after_hole) {
                self.fault(format!(
                    "timestamp steps by {step} at {:?}",
                    held.packet.header
                ));
            }
        }
        self.last_timestamp = Some(timestamp);
        let rate = match self.kind {
            MediaKind::Audio => 48_000.0,
            MediaKind::Video => 90_000.0,
        };
        let (start, first) = *self.epoch.get_or_insert((held.arrived, timestamp));
        let wall = (held.arrived - start).as_secs_f64();
        let drift = f64::from(timestamp.wrapping_sub(first)) / rate - wall;
        if drift.abs() > DRIFT_MAX.as_secs_f64() {
            self.fault(format!(
                "the RTP clock is {drift:.3} s from the clock on the wall"
            ));
            self.epoch = None;
        }
    }

    fn patience(&self) -> Duration {
        match self.kind {
            MediaKind::Audio => AUDIO_PATIENCE,
            MediaKind::Video => VIDEO_PATIENCE,
        }
    }

    /// The sequence number without its wraps, next to what came last (RFC 3550 appendix A.1).
    fn extend(&self, sequence: u16) -> u64 {
        let near = self.next.unwrap_or((1 << 32) + u64::from(sequence));
        let step = sequence.wrapping_sub(near as u16) as i16;
        near.wrapping_add_signed(step.into())
    }

    fn fault(&mut self, what: String) {
        self.faults
            .push(format!("{:?} {}: {what}", self.kind, self.ssrc));
    }
}

impl Decoded {
    fn leads_to(self, needed: Decoded) -> bool {
        (self.publisher, self.layer, self.frame) == (needed.publisher, needed.layer, needed.frame)
    }
}

fn same_frame(a: &Vp8, b: &Vp8) -> bool {
    (
        a.picture_id,
        a.stamp.publisher,
        a.stamp.layer,
        a.stamp.frame,
    ) == (
        b.picture_id,
        b.stamp.publisher,
        b.stamp.layer,
        b.stamp.frame,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Camera;

    const FRAME: Duration = Duration::from_millis(100);

    /// A camera's first `count` frames, as they would arrive.
    fn packets(count: u32) -> Vec<(Instant, Packet)> {
        let start = Instant::now();
        let mut camera = Camera::new(1, 0, 5, 96, 65_530);
        (0..count)
            .flat_map(|n| {
                let at = start + FRAME * n;
                camera
                    .frame(9000)
                    .into_iter()
                    .map(move |packet| (at, packet))
            })
            .collect()
    }

    fn receive(packets: impl IntoIterator<Item = (Instant, Packet)>) -> Sink {
        let mut sink = Sink::new(MediaKind::Video, 5);
        for (at, packet) in packets {
            sink.receive(at, packet);
            sink.tick(at);
        }
        sink
    }

    #[test]
    fn an_untouched_stream_plays() {
        let sink = receive(packets(30));
        assert_eq!((sink.frames, sink.holes, sink.faults), (30, 0, vec![]));
    }

    #[test]
    fn reordered_and_repeated_packets_play() {
        let mut packets = packets(30);
        packets[3..].chunks_mut(2).for_each(|pair| pair.reverse());
        let doubled = packets
            .into_iter()
            .flat_map(|packet| [packet.clone(), packet]);
        let sink = receive(doubled);
        assert_eq!((sink.frames, sink.holes, sink.faults), (30, 0, vec![]));
    }

    #[test]
    fn a_loss_stops_the_picture_until_a_key_frame() {
        let mut packets = packets(30);
        packets.remove(10);
        let sink = receive(packets);
        assert_eq!((sink.holes, sink.faults), (1, vec![]));
        assert!(sink.frames < 10 && sink.key_asked.is_some());
    }

    #[test]
    fn a_hidden_loss_is_a_fault() {
        let mut packets = packets(30);
        packets.remove(10);
        for (_, packet) in &mut packets[10..] {
            packet.header.sequence_number = packet.header.sequence_number.wrapping_sub(1);
        }
        assert!(!receive(packets).faults.is_empty());
    }

    #[test]
    fn a_clock_that_jumps_is_a_fault() {
        let mut packets = packets(30);
        for (_, packet) in &mut packets[10..] {
            packet.header.timestamp = packet.header.timestamp.wrapping_add(900_000);
        }
        assert!(!receive(packets).faults.is_empty());
    }
}

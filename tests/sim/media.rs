//! Synthetic media that says whose it is: sources that a browser sends, sinks that check what
//! comes in on a seat.

use bytes::{BufMut, Bytes, BytesMut};
use rtp::header::Header;
use rtp::packet::Packet;

/// Bytes of the VP8 payload descriptor that is sent: X, I and L with a 15-bit picture id, T
/// (RFC 7741 §4.2).
const VP8_DESCRIPTOR: usize = 6;
/// Bytes of a key frame's own header (RFC 6386 §9.1).
const VP8_KEY_HEADER: usize = 10;
/// Bytes of a [`Stamp`] on the wire.
const STAMP: usize = 17;

/// What a packet says about itself: whose it is and which one of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The publisher, by the number that the simulation gave it.
    pub publisher: u32,
    /// Simulcast layer; 0 where there is one only.
    pub layer: u8,
    /// Counts frames of the publisher's track from 0.
    pub frame: u32,
    /// Which packet of the frame, of how many.
    pub part: u8,
    pub parts: u8,
    /// Whether the frame decodes on its own.
    pub key: bool,
    /// Repeats the publisher and the frame, so that a mangled payload does not pass.
    pub check: u32,
}

impl Stamp {
    pub fn new(publisher: u32, layer: u8, frame: u32, part: u8, parts: u8, key: bool) -> Self {
        Self {
            publisher,
            layer,
            frame,
            part,
            parts,
            key,
            check: publisher.rotate_left(7) ^ frame ^ 0x5eed_cafe,
        }
    }

    fn write(&self, out: &mut BytesMut) {
        out.put_u32(self.publisher);
        out.put_u8(self.layer);
        out.put_u32(self.frame);
        out.put_u8(self.part);
        out.put_u8(self.parts);
        out.put_u8(self.key.into());
        out.put_u8(0);
        out.put_u32(self.check);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let stamp = Self::new(
            word(0)?,
            *bytes.get(4)?,
            word(5)?,
            *bytes.get(9)?,
            *bytes.get(10)?,
            *bytes.get(11)? == 1,
        );
        (word(13)? == stamp.check).then_some(stamp)
    }
}

/// A camera: VP8 frames of one or two packets, a key frame when asked for.
#[derive(Debug)]
pub struct Camera {
    publisher: u32,
    layer: u8,
    pub ssrc: u32,
    pub payload_type: u8,
    sequence: u16,
    timestamp: u32,
    picture_id: u16,
    tl0_picture_index: u8,
    frame: u32,
    key_wanted: bool,
    /// Key frames sent.
    pub keys: u32,
    /// Bytes of each packet beside its headers.
    pub filling: usize,
    /// Packets of a frame; 0 means three of a key frame, one and two of the others by turns.
    pub parts: u8,
}

impl Camera {
    /// `start` offsets every counter, so that some of them wrap early.
    pub fn new(publisher: u32, layer: u8, ssrc: u32, payload_type: u8, start: u32) -> Self {
        Self {
            publisher,
            layer,
            ssrc,
            payload_type,
            sequence: start as u16,
            timestamp: start.wrapping_mul(0x0101_0101),
            picture_id: start as u16 & 0x7fff,
            tl0_picture_index: start as u8,
            frame: 0,
            key_wanted: true,
            keys: 0,
            filling: 60,
            parts: 0,
        }
    }

    /// The next frame decodes on its own.
    pub fn want_key(&mut self) {
        self.key_wanted = true;
    }

    /// The packets of the next frame. `elapsed` is the time since the last one, in 90 kHz ticks.
    pub fn frame(&mut self, elapsed: u32) -> Vec<Packet> {
        let key = std::mem::take(&mut self.key_wanted);
        self.keys += u32::from(key);
        self.timestamp = self.timestamp.wrapping_add(elapsed);
        let parts = match self.parts {
            0 if key => 3,
            0 => 1 + (self.frame % 2) as u8,
            parts => parts,
        };
        let packets = (0..parts)
            .map(|part| self.packet(part, parts, key))
            .collect();
        self.frame += 1;
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.tl0_picture_index = self.tl0_picture_index.wrapping_add(1);
        packets
    }

    fn packet(&mut self, part: u8, parts: u8, key: bool) -> Packet {
        let mut payload =
            BytesMut::with_capacity(VP8_DESCRIPTOR + VP8_KEY_HEADER + STAMP + self.filling);
        let start_of_partition = if part == 0 { 0x10 } else { 0 };
        payload.put_u8(0x80 | start_of_partition);
        payload.put_u8(0x80 | 0x40 | 0x20);
        payload.put_u16(0x8000 | self.picture_id);
        payload.put_u8(self.tl0_picture_index);
        payload.put_u8(0);
        if part == 0 {
            payload.put_u8(if key { 0x10 } else { 0x11 });
            payload.put_slice(&[0, 0]);
            payload.put_slice(&[0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
        }
        Stamp::new(self.publisher, self.layer, self.frame, part, parts, key).write(&mut payload);
        payload.put_bytes(part, self.filling);
        let sequence_number = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        Packet {
            header: Header {
                version: 2,
                marker: part + 1 == parts,
                payload_type: self.payload_type,
                sequence_number,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
                ..Header::default()
            },
            payload: payload.freeze(),
        }
    }
}

/// A microphone: one Opus packet each time.
#[derive(Debug)]
pub struct Microphone {
    publisher: u32,
    pub ssrc: u32,
    pub payload_type: u8,
    sequence: u16,
    timestamp: u32,
    frame: u32,
}

impl Microphone {
    pub fn new(publisher: u32, ssrc: u32, payload_type: u8, start: u32) -> Self {
        Self {
            publisher,
            ssrc,
            payload_type,
            sequence: start as u16,
            timestamp: start.wrapping_mul(0x1111),
            frame: 0,
        }
    }

    /// The next packet. `elapsed` is the time since the last one, in 48 kHz ticks.
    pub fn packet(&mut self, elapsed: u32) -> Packet {
        let mut payload = BytesMut::with_capacity(64);
        // 20 ms of wideband speech in one frame (RFC 6716 §3.1).
        payload.put_u8(0x48);
        Stamp::new(self.publisher, 0, self.frame, 0, 1, false).write(&mut payload);
        payload.put_bytes(0, 24);
        self.timestamp = self.timestamp.wrapping_add(elapsed);
        let header = Header {
            version: 2,
            marker: self.frame == 0,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        self.frame += 1;
        self.sequence = self.sequence.wrapping_add(1);
        Packet {
            header,
            payload: payload.freeze(),
        }
    }
}

/// A received VP8 payload, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8 {
    pub picture_id: u16,
    pub tl0_picture_index: u8,
    pub stamp: Stamp,
}

impl Vp8 {
    /// Reads what [`Camera`] writes; `None` for anything else.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let &[first, 0xe0, high, low, tl0_picture_index, 0, ..] = payload else {
            return None;
        };
        let begins = first == 0x90;
        let key = begins && payload.get(VP8_DESCRIPTOR)? & 1 == 0;
        let header = if begins { VP8_KEY_HEADER } else { 0 };
        let stamp = Stamp::read(payload.get(VP8_DESCRIPTOR + header..)?)?;
        let consistent = (stamp.part == 0) == begins && (!begins || stamp.key == key);
        (consistent && high & 0x80 != 0).then_some(Self {
            picture_id: u16::from_be_bytes([high & 0x7f, low]),
            tl0_picture_index,
            stamp,
        })
    }
}

/// Reads what [`Microphone`] writes; `None` for anything else.
pub fn read_opus(payload: &Bytes) -> Option<Stamp> {
    payload.get(1..1 + STAMP).and_then(Stamp::read)
}

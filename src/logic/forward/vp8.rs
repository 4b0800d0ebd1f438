//! The VP8 payload descriptor (RFC 7741 §4.2), and its counters kept continuous over switches.

/// `M` of the picture id: it is 15 bits long, not 7.
const LONG_PICTURE_ID: u8 = 0x80;
/// The first bytes of a VP8 key frame after its frame tag (RFC 6386 §9.1).
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// A VP8 payload descriptor, parsed once a packet: values, and where they are in the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// The packet is the first of its picture's first partition.
    pub starts_frame: bool,
    /// Nothing refers to this picture.
    pub non_reference: bool,
    /// The picture id.
    pub picture_id: Option<PictureId>,
    /// `TL0PICIDX`, the count of pictures in temporal layer 0.
    pub tl0: Option<ByteField>,
    /// The temporal layer.
    pub temporal: Option<u8>,
    /// The picture depends on temporal layer 0 alone: a receiver may go up here.
    pub layer_sync: bool,
    /// `KEYIDX` (5 bits), the count of key frames.
    pub key_index: Option<ByteField>,
    /// Bytes of the descriptor.
    pub length: u8,
}

/// A picture id and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    /// 15 or 7 bits.
    pub value: u16,
    /// It has 15 bits.
    pub long: bool,
    /// Offset of its first byte in the payload.
    pub at: u8,
}

/// A field of at most eight bits and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteField {
    /// The value.
    pub value: u8,
    /// Offset of its byte in the payload.
    pub at: u8,
}

impl Vp8Descriptor {
    /// Reads the descriptor; `None` if it is cut off.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader { payload, at: 0 };
        let (_, first) = reader.next()?;
        let (extended, non_reference) = (first & 0x80 != 0, first & 0x20 != 0);
        let starts_frame = first & 0x10 != 0 && first & 0x07 == 0;
        let flags = if extended { reader.next()?.1 } else { 0 };
        let picture_id = if flags & 0x80 != 0 {
            Some(reader.picture_id()?)
        } else {
            None
        };
        let tl0 = if flags & 0x40 != 0 {
            let (at, value) = reader.next()?;
            Some(ByteField { value, at })
        } else {
            None
        };
        // One byte holds TID, Y and KEYIDX; it is there if T or K is.
        let (at, shared) = if flags & 0x30 != 0 {
            reader.next()?
        } else {
            (0, 0)
        };
        Some(Self {
            starts_frame,
            non_reference,
            picture_id,
            tl0,
            temporal: (flags & 0x20 != 0).then_some(shared >> 6),
            layer_sync: flags & 0x20 != 0 && shared & 0x20 != 0,
            key_index: (flags & 0x10 != 0).then_some(ByteField {
                value: shared & 0x1f,
                at,
            }),
            length: reader.at,
        })
    }

    /// The packet starts a key frame: its picture's first byte has `P` clear (RFC 6386 §9.1).
    pub fn starts_key_frame(&self, payload: &[u8]) -> bool {
        let tag = payload.get(usize::from(self.length));
        self.starts_frame && tag.is_some_and(|tag| tag & 1 == 0)
    }

    /// The height in pixels that a key frame's first packet says (RFC 6386 §9.1).
    pub fn height(&self, payload: &[u8]) -> Option<u16> {
        let frame: &[u8; 10] = payload.get(usize::from(self.length)..)?.first_chunk()?;
        let height = u16::from_le_bytes([frame[8], frame[9]]) & 0x3fff;
        (frame[3..6] == START_CODE && height > 0).then_some(height)
    }
}

struct Reader<'a> {
    payload: &'a [u8],
    at: u8,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<(u8, u8)> {
        let at = self.at;
        let byte = *self.payload.get(usize::from(at))?;
        self.at += 1;
        Some((at, byte))
    }

    fn picture_id(&mut self) -> Option<PictureId> {
        let (at, high) = self.next()?;
        let long = high & LONG_PICTURE_ID != 0;
        let value = if long {
            u16::from_be_bytes([high & 0x7f, self.next()?.1])
        } else {
            u16::from(high)
        };
        Some(PictureId { value, long, at })
    }
}

/// The counters that one outgoing packet carries instead of the publisher's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vp8Patch {
    /// Written where the descriptor has a picture id, in as many bits.
    pub picture_id: u16,
    /// Written where the descriptor has `TL0PICIDX`.
    pub tl0: u8,
    /// Written where the descriptor has `KEYIDX`.
    pub key_index: u8,
}

impl Vp8Patch {
    /// Writes the counters into a copy of the payload that `descriptor` was parsed from.
    pub fn apply(&self, descriptor: &Vp8Descriptor, payload: &mut [u8]) {
        if let Some(id) = descriptor.picture_id {
            self.write_picture_id(id, payload);
        }
        if let Some(byte) = byte_of(descriptor.tl0, payload) {
            *byte = self.tl0;
        }
        if let Some(byte) = byte_of(descriptor.key_index, payload) {
            *byte = *byte & 0xe0 | self.key_index & 0x1f;
        }
    }

    fn write_picture_id(&self, id: PictureId, payload: &mut [u8]) {
        let at = usize::from(id.at);
        let [high, low] = self.picture_id.to_be_bytes();
        if let (true, Some(bytes)) = (id.long, payload.get_mut(at..at + 2)) {
            bytes.copy_from_slice(&[high | LONG_PICTURE_ID, low]);
        } else if let (false, Some(byte)) = (id.long, payload.get_mut(at)) {
            *byte = low & 0x7f;
        }
    }
}

fn byte_of(field: Option<ByteField>, payload: &mut [u8]) -> Option<&mut u8> {
    payload.get_mut(usize::from(field?.at))
}

/// The counters of one leg: each goes on by one at a switch and as its source counts in between.
#[derive(Debug, Clone, Copy, Default)]
pub struct Vp8Counters {
    picture_id: Counter,
    tl0: Counter,
    key_index: Counter,
}

impl Vp8Counters {
    /// Counters that continue from `start` (the low bits of it).
    pub fn new(start: u16) -> Self {
        let [high, low] = start.to_be_bytes();
        Self {
            picture_id: Counter::ending_at(start),
            tl0: Counter::ending_at(u16::from(low)),
            key_index: Counter::ending_at(u16::from(high)),
        }
    }

    /// The next packet comes from another stream, whose counters have nothing to do with the last.
    pub fn switch(&mut self) {
        self.picture_id.anchored = false;
        self.tl0.anchored = false;
        self.key_index.anchored = false;
    }

    /// The outgoing counters of a packet. Only the newest packet of a stream (`newest`) moves the
    /// place from which the next stream goes on; a late one is numbered and changes nothing.
    pub fn map(&mut self, descriptor: &Vp8Descriptor, newest: bool) -> Vp8Patch {
        let mut patch = Vp8Patch::default();
        if let Some(id) = descriptor.picture_id {
            patch.picture_id = self.picture_id.map(id.value, newest) & 0x7fff;
        }
        if let Some(tl0) = descriptor.tl0 {
            patch.tl0 = self.tl0.map(u16::from(tl0.value), newest) as u8;
        }
        if let Some(key_index) = descriptor.key_index {
            patch.key_index = self.key_index.map(u16::from(key_index.value), newest) as u8 & 0x1f;
        }
        patch
    }
}

/// A counter modulo some power of two up to 2^16: what does not fit the field is cut off by its writer.
#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    offset: u16,
    last: u16,
    anchored: bool,
}

impl Counter {
    fn ending_at(last: u16) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    fn map(&mut self, value: u16, newest: bool) -> u16 {
        if !self.anchored {
            self.offset = self.last.wrapping_add(1).wrapping_sub(value);
            self.anchored = true;
        }
        let mapped = value.wrapping_add(self.offset);
        if newest {
            self.last = mapped;
        }
        mapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A descriptor with everything: X, S; I, L, T, K.
    const FULL: [u8; 7] = [0x90, 0xf0, 0x92, 0x34, 0x56, 0x67, 0x00];

    fn parse(payload: &[u8]) -> Vp8Descriptor {
        Vp8Descriptor::parse(payload).unwrap_or_else(|| panic!("{payload:02x?}"))
    }

    #[test]
    fn a_full_descriptor_is_read() {
        let expected = Vp8Descriptor {
            starts_frame: true,
            non_reference: false,
            picture_id: Some(PictureId {
                value: 0x1234,
                long: true,
                at: 2,
            }),
            tl0: Some(ByteField { value: 0x56, at: 4 }),
            temporal: Some(1),
            layer_sync: true,
            key_index: Some(ByteField { value: 7, at: 5 }),
            length: 6,
        };
        assert_eq!(parse(&FULL), expected);
        for cut in 0..6 {
            assert_eq!(Vp8Descriptor::parse(&FULL[..cut]), None, "cut to {cut}");
        }
    }

    /// A payload; its picture id, `TL0PICIDX`, `TID` and `KEYIDX`, and the descriptor's length.
    type Case<'a> = (&'a [u8], Option<u16>, [Option<u8>; 3], u8);

    #[test]
    fn every_part_may_be_absent() {
        let cases: &[Case<'_>] = &[
            (&[0x10], None, [None, None, None], 1),
            (&[0x80, 0x00], None, [None, None, None], 2),
            (&[0x80, 0x80, 0x11], Some(0x11), [None, None, None], 3),
            (&[0x80, 0x80, 0x80, 0x11], Some(0x11), [None, None, None], 4),
            (&[0x80, 0x40, 0x22], None, [Some(0x22), None, None], 3),
            (&[0x80, 0x20, 0x9f], None, [None, Some(2), None], 3),
            (&[0x80, 0x10, 0x9f], None, [None, None, Some(31)], 3),
            (&[0x80, 0xa0, 0x01, 0x40], Some(1), [None, Some(1), None], 4),
        ];
        for &(payload, picture_id, others, length) in cases {
            let found = parse(payload);
            let values = (
                found.picture_id.map(|id| id.value),
                [
                    found.tl0.map(|field| field.value),
                    found.temporal,
                    found.key_index.map(|field| field.value),
                ],
                found.length,
            );
            let expected = (picture_id, others, length);
            assert_eq!(values, expected, "{payload:02x?}");
        }
    }

    #[test]
    fn a_key_frame_says_its_height() {
        let key = [0x10, 0x50, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41];
        assert!(parse(&key).starts_key_frame(&key));
        assert_eq!(parse(&key).height(&key), Some(360));
        assert_eq!(parse(&key).height(&key[..10]), None);
        let delta = [0x10, 0x51, 0, 0];
        assert!(!parse(&delta).starts_key_frame(&delta));
    }

    #[test]
    fn a_patch_changes_the_counters_alone() {
        let patch = Vp8Patch {
            picture_id: 0x7fff,
            tl0: 0xab,
            key_index: 0x1f,
        };
        let cases: &[(&[u8], &[u8])] = &[
            (&FULL, &[0x90, 0xf0, 0xff, 0xff, 0xab, 0x7f, 0x00]),
            (&[0x90, 0x80, 0x11, 0x22], &[0x90, 0x80, 0x7f, 0x22]),
            (&[0x10, 0x55], &[0x10, 0x55]),
            (&[0x80, 0x20, 0x9f], &[0x80, 0x20, 0x9f]),
        ];
        for &(before, after) in cases {
            let mut payload = before.to_vec();
            patch.apply(&parse(before), &mut payload);
            assert_eq!(payload, after, "{before:02x?}");
        }
    }

    /// The outgoing (picture id, TL0PICIDX, KEYIDX) of a picture with these counters.
    fn map(counters: &mut Vp8Counters, id: u16, tl0: u8, key: u8, newest: bool) -> (u16, u8, u8) {
        let [high, low] = id.to_be_bytes();
        let payload = [0x90, 0xf0, high | 0x80, low, tl0, key, 0];
        let patch = counters.map(&parse(&payload), newest);
        (patch.picture_id, patch.tl0, patch.key_index)
    }

    #[test]
    fn counters_go_on_by_one_at_a_switch_and_as_the_source_does_in_between() {
        let mut counters = Vp8Counters::default();
        counters.switch();
        assert_eq!(map(&mut counters, 500, 9, 3, true), (1, 1, 1));
        assert_eq!(map(&mut counters, 502, 10, 3, true), (3, 2, 1));
        assert_eq!(map(&mut counters, 501, 9, 3, false), (2, 1, 1));
        counters.switch();
        assert_eq!(map(&mut counters, 0x7fff, 255, 31, true), (4, 3, 2));
        assert_eq!(map(&mut counters, 0, 0, 0, true), (5, 4, 3));
        assert_eq!(map(&mut counters, 0x7ffe, 254, 30, false), (3, 2, 1));
        counters.switch();
        assert_eq!(map(&mut counters, 7, 7, 7, true), (6, 5, 4));
    }

    #[test]
    fn outgoing_counters_wrap() {
        let mut counters = Vp8Counters::new(0x7fff);
        assert_eq!(map(&mut counters, 9, 9, 9, true), (0, 0, 0));
    }

    #[test]
    fn short_picture_ids_continue_modulo_their_size() {
        let mut counters = Vp8Counters::new(126);
        let short = |counters: &mut Vp8Counters, id: u8| {
            counters.map(&parse(&[0x90, 0x80, id, 0]), true).picture_id & 0x7f
        };
        assert_eq!(short(&mut counters, 127), 127);
        assert_eq!(short(&mut counters, 0), 0);
        counters.switch();
        assert_eq!(short(&mut counters, 50), 1);
    }
}

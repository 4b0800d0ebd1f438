//! Elements as bytes (RFC 8794): an id, a size, and what is in it.

use super::element;

/// Bytes of a size that is written in full, whatever it is.
pub(super) const FULL_SIZE_LEN: usize = 8;
/// The fewest bytes that nothing can be written over.
const VOID_MIN: usize = 1 + FULL_SIZE_LEN;
/// A size of eight bytes that says "until the end" (RFC 8794 §6.2).
pub(super) const UNKNOWN_SIZE: [u8; FULL_SIZE_LEN] = [0x01, 255, 255, 255, 255, 255, 255, 255];
/// The most that eight bytes can say.
const SIZE_MAX: u64 = (1 << 56) - 2;

/// Writes an element.
pub(super) fn put(out: &mut Vec<u8>, id: u32, content: &[u8]) {
    put_id(out, id);
    put_size(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// Writes an element whose content comes in parts.
pub(super) fn put_parts(out: &mut Vec<u8>, id: u32, parts: &[&[u8]]) {
    put_id(out, id);
    put_size(out, parts.iter().map(|part| part.len() as u64).sum());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Writes an unsigned number in as few bytes as it takes.
pub(super) fn put_uint(out: &mut Vec<u8>, id: u32, value: u64) {
    let empty = (value.leading_zeros() / 8).min(7) as usize;
    put(out, id, &value.to_be_bytes()[empty..]);
}

/// Writes an element of elements.
pub(super) fn put_master(out: &mut Vec<u8>, id: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    fill(&mut content);
    put(out, id, &content);
}

/// Writes nothing over `total` bytes; at least [`VOID_MIN`].
pub(super) fn put_void(out: &mut Vec<u8>, total: usize) {
    put_id(out, element::VOID);
    let content = total.saturating_sub(VOID_MIN);
    out.extend_from_slice(&full_size(content as u64));
    out.resize(out.len() + content, 0);
}

/// Writes an id; its own bits say how long it is (RFC 8794 §5).
pub(super) fn put_id(out: &mut Vec<u8>, id: u32) {
    let empty = (id.leading_zeros() / 8).min(3) as usize;
    out.extend_from_slice(&id.to_be_bytes()[empty..]);
}

/// Writes a size in as few bytes as it takes (RFC 8794 §4): of each length, all ones is reserved.
pub(super) fn put_size(out: &mut Vec<u8>, size: u64) {
    let length = (1..FULL_SIZE_LEN).find(|length| size < (1 << (7 * length)) - 1);
    let length = length.unwrap_or(FULL_SIZE_LEN);
    let marked = size.min(SIZE_MAX) | 1 << (7 * length);
    out.extend_from_slice(&marked.to_be_bytes()[FULL_SIZE_LEN - length..]);
}

/// A size in eight bytes, to be written over [`UNKNOWN_SIZE`].
pub(super) fn full_size(size: u64) -> [u8; FULL_SIZE_LEN] {
    (size.min(SIZE_MAX) | 1 << 56).to_be_bytes()
}

/// The beginning of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Its id.
    pub(super) id: u32,
    /// Bytes of id and size.
    pub(super) length: usize,
    /// Bytes of content; `None` if the element goes on until something else begins.
    pub(super) size: Option<u64>,
}

impl Head {
    /// The most bytes of a beginning.
    pub(super) const LENGTH_MAX: usize = 4 + FULL_SIZE_LEN;

    /// Reads a beginning; `None` if these bytes are none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let id_length = bytes.first()?.leading_zeros() as usize + 1;
        if id_length > 4 {
            return None;
        }
        let id = big_endian(bytes.get(..id_length)?);
        let rest = &bytes[id_length..];
        let size_length = rest.first()?.leading_zeros() as usize + 1;
        if size_length > FULL_SIZE_LEN {
            return None;
        }
        let marked = big_endian(rest.get(..size_length)?);
        let size = marked & ((1 << (7 * size_length)) - 1);
        let is_known = size != (1 << (7 * size_length)) - 1;
        Some(Self {
            id: id as u32,
            length: id_length + size_length,
            size: is_known.then_some(size),
        })
    }
}

/// An unsigned number of up to eight bytes; of more, the last eight.
pub(super) fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// The elements in a content, until one that is cut off.
pub(super) fn children(content: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    places(content).map(|(id, place)| (id, &content[place.inside..place.end]))
}

/// Where an element is in the content of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Its beginning.
    pub(super) at: usize,
    /// The beginning of its own content.
    pub(super) inside: usize,
    /// Its end.
    pub(super) end: usize,
}

/// Where the elements in a content are, until one that is cut off.
pub(super) fn places(content: &[u8]) -> impl Iterator<Item = (u32, Place)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let head = Head::read(content.get(at..)?)?;
        let inside = at + head.length;
        let end = inside.checked_add(usize::try_from(head.size?).ok()?)?;
        let place = Place { at, inside, end };
        at = (end <= content.len()).then_some(end)?;
        Some((head.id, place))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn sizes_are_as_short_as_they_can_be() {
        let cases: [(u64, &[u8]); 6] = [
            (0, &[0x80]),
            (126, &[0xfe]),
            (127, &[0x40, 0x7f]),
            (16_382, &[0x7f, 0xfe]),
            (16_383, &[0x20, 0x3f, 0xff]),
            (1 << 50, &[0x01, 4, 0, 0, 0, 0, 0, 0]),
        ];
        for (size, expected) in cases {
            let mut out = Vec::new();
            put_size(&mut out, size);
            assert_eq!(out, expected, "{size}");
            let head = Head::read(&[&[0xec], expected].concat()).unwrap();
            assert_eq!((head.size, head.length), (Some(size), 1 + expected.len()));
        }
    }

    #[test]
    fn numbers_and_ids_are_as_long_as_they_need() {
        let mut out = Vec::new();
        put_uint(&mut out, element::TRACK_NUMBER, 0);
        put_uint(&mut out, element::TIMESTAMP_SCALE, 1_000_000);
        let expected = [0xd7, 0x81, 0, 0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40];
        assert_eq!(out, expected);
        let read: Vec<_> = children(&out)
            .map(|(id, value)| (id, big_endian(value)))
            .collect();
        let written = [
            (element::TRACK_NUMBER, 0),
            (element::TIMESTAMP_SCALE, 1_000_000),
        ];
        assert_eq!(read, written);
    }

    #[test]
    fn what_is_no_beginning_is_none() {
        assert_eq!(Head::read(&[]), None);
        assert_eq!(Head::read(&[0x08, 0x80]), None, "an id of five bytes");
        assert_eq!(Head::read(&[0xec, 0x00]), None, "a size of nine bytes");
        assert_eq!(Head::read(&[0x1f, 0x43, 0xb6]), None);
        let unknown = [&[0x18, 0x53, 0x80, 0x67][..], &UNKNOWN_SIZE].concat();
        assert_eq!(Head::read(&unknown).unwrap().size, None);
    }

    #[test]
    fn nothing_takes_exactly_the_space_it_is_given() {
        for total in 9..300 {
            let mut out = Vec::new();
            put_void(&mut out, total);
            let head = Head::read(&out).unwrap();
            assert_eq!(head.length + head.size.unwrap() as usize, total);
            assert_eq!(out.len(), total);
        }
    }
}

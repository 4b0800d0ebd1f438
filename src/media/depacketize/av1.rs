//! AV1 (RTP payload format for AV1, version 1.0): open bitstream units, each with its size.

use super::bits::Bits;
use super::{Broken, Format, PictureFormat};

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;
/// A unit says its own size (AV1 bitstream §5.3.2).
const HAS_SIZE: u8 = 0x02;
const HAS_EXTENSION: u8 = 0x04;

/// Frames of AV1: temporal units without their delimiter.
#[derive(Debug, Default)]
pub(super) struct Av1 {
    /// The unit that goes on in the next packet.
    fragments: Option<Vec<u8>>,
    sequence_header: Option<Vec<u8>>,
}

impl Format for Av1 {
    /// RTP payload format §4.3: elements behind lengths, of which the last may do without.
    fn add(&mut self, payload: &[u8], first: bool, data: &mut Vec<u8>) -> Result<(), Broken> {
        if first {
            self.fragments = None;
            self.sequence_header = None;
        }
        let (&aggregation, mut rest) = payload.split_first().ok_or(Broken)?;
        let (continues, goes_on) = (aggregation & 0x80 != 0, aggregation & 0x40 != 0);
        let count = aggregation >> 4 & 3;
        if continues != self.fragments.is_some() {
            return Err(Broken);
        }
        let mut index = 1;
        while !rest.is_empty() {
            let element = if count == index {
                std::mem::take(&mut rest)
            } else {
                let (length, after) = leb128(rest)?;
                let (element, after) = after.split_at_checked(length).ok_or(Broken)?;
                rest = after;
                element
            };
            let last = rest.is_empty();
            self.put_element(element, last && goes_on, data)?;
            index = index.saturating_add(1);
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(bool, Option<PictureFormat>), Broken> {
        if self.fragments.is_some() {
            return Err(Broken);
        }
        let format = match &self.sequence_header {
            Some(header) => Some(picture_format(header)?),
            None => None,
        };
        Ok((format.is_some(), format))
    }
}

impl Av1 {
    fn put_element(
        &mut self,
        element: &[u8],
        goes_on: bool,
        data: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        match (self.fragments.take(), goes_on) {
            (Some(mut unit), goes_on) => {
                unit.extend_from_slice(element);
                match goes_on {
                    true => self.fragments = Some(unit),
                    false => self.put_unit(&unit, data)?,
                }
            }
            (None, true) => self.fragments = Some(element.to_vec()),
            (None, false) => self.put_unit(element, data)?,
        }
        Ok(())
    }

    fn put_unit(&mut self, unit: &[u8], data: &mut Vec<u8>) -> Result<(), Broken> {
        let &head = unit.first().ok_or(Broken)?;
        let head_length = if head & HAS_EXTENSION != 0 { 2 } else { 1 };
        let (head_bytes, mut content) = unit.split_at_checked(head_length).ok_or(Broken)?;
        if head & HAS_SIZE != 0 {
            let (size, after) = leb128(content)?;
            content = after.get(..size).ok_or(Broken)?;
        }
        let kind = head >> 3 & 15;
        if matches!(kind, TEMPORAL_DELIMITER | TILE_LIST | PADDING) {
            return Ok(());
        }
        let begin = data.len();
        data.push(head | HAS_SIZE);
        data.extend_from_slice(&head_bytes[1..]);
        put_leb128(content.len(), data);
        data.extend_from_slice(content);
        if kind == SEQUENCE_HEADER {
            self.sequence_header = Some(data[begin..].to_vec());
        }
        Ok(())
    }
}

/// AV1 bitstream §4.10.5, here of at most four bytes.
fn leb128(bytes: &[u8]) -> Result<(usize, &[u8]), Broken> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[index + 1..]));
        }
    }
    Err(Broken)
}

fn put_leb128(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The size, and the `av1C` (AV1 in ISOBMFF §2.3.3), from a sequence header with its size.
fn picture_format(unit: &[u8]) -> Result<PictureFormat, Broken> {
    let head_length = if unit[0] & HAS_EXTENSION != 0 { 2 } else { 1 };
    let (_, content) = leb128(unit.get(head_length..).ok_or(Broken)?)?;
    let header = SequenceHeader::parse(content)?;
    // Profile 0 without more than eight bits, which is what is negotiated: 4:2:0.
    let colours = header.tier << 7 | 0x0c;
    let mut private = vec![0x81, header.profile << 5 | header.level, colours, 0];
    private.extend_from_slice(unit);
    Ok(PictureFormat {
        width: header.width,
        height: header.height,
        private,
    })
}

struct SequenceHeader {
    profile: u8,
    level: u8,
    tier: u8,
    width: u16,
    height: u16,
}

impl SequenceHeader {
    /// AV1 bitstream §5.5.1, up to the size.
    fn parse(content: &[u8]) -> Result<Self, Broken> {
        let mut bits = Bits::new(content);
        let profile = bits.take(3)? as u8;
        bits.skip(1);
        let is_reduced = bits.flag()?;
        let (level, tier) = match is_reduced {
            true => (bits.take(5)? as u8, 0),
            false => operating_points(&mut bits)?,
        };
        let width_bits = bits.take(4)? as usize + 1;
        let height_bits = bits.take(4)? as usize + 1;
        let mut side = |count| u16::try_from(bits.take(count)? + 1).map_err(|_| Broken);
        Ok(Self {
            profile,
            level,
            tier,
            width: side(width_bits)?,
            height: side(height_bits)?,
        })
    }
}

/// Level and tier of the first operating point; the others are read over.
fn operating_points(bits: &mut Bits<'_>) -> Result<(u8, u8), Broken> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64);
        if bits.flag()? {
            bits.exp_golomb()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.take(5)? as usize + 1);
            bits.skip(32 + 5 + 5);
        }
    }
    let has_display_delay = bits.flag()?;
    let mut first = None;
    for _ in 0..=bits.take(5)? {
        bits.skip(12);
        let level = bits.take(5)? as u8;
        let tier = if level > 7 { bits.take(1)? as u8 } else { 0 };
        if let Some(count) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * count + 1);
        }
        if has_display_delay && bits.flag()? {
            bits.skip(4);
        }
        first.get_or_insert((level, tier));
    }
    first.ok_or(Broken)
}

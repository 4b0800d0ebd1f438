//! H264 (RFC 6184, packetization mode 1): units behind 32-bit lengths, parameter sets apart.

use super::bits::Bits;
use super::{Broken, Format, PictureFormat};

const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// Of the picture parameter sets that are kept, as many as their number in an `avcC` may say.
const PPS_MAX: usize = 31;
/// Longest parameter set, in bytes; those of encoders have tens.
const SET_BYTES_MAX: usize = 4_096;

/// Frames of H264.
#[derive(Debug, Default)]
pub(super) struct H264 {
    sps: Vec<u8>,
    pps: Vec<Vec<u8>>,
    key: bool,
    /// The unit that is open, from its first fragment on.
    fragments: Option<Vec<u8>>,
}

impl Format for H264 {
    fn add(&mut self, payload: &[u8], first: bool, data: &mut Vec<u8>) -> Result<(), Broken> {
        if first {
            self.key = false;
            self.fragments = None;
        }
        let (&head, body) = payload.split_first().ok_or(Broken)?;
        let kind = head & 0x1f;
        if kind != FU_A && self.fragments.is_some() {
            return Err(Broken);
        }
        match kind {
            1..STAP_A => self.put_unit(payload, data),
            STAP_A => self.put_aggregate(body, data),
            FU_A => self.put_fragment(head, body, data),
            _ => Err(Broken),
        }
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(bool, Option<PictureFormat>), Broken> {
        if self.fragments.is_some() {
            return Err(Broken);
        }
        let format = match self.key {
            true => Some(self.format()?),
            false => None,
        };
        Ok((self.key, format))
    }
}

impl H264 {
    /// RFC 6184 §5.7.1.
    fn put_aggregate(&mut self, mut body: &[u8], data: &mut Vec<u8>) -> Result<(), Broken> {
        while let Some((length, rest)) = body.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let (unit, rest) = rest.split_at_checked(length).ok_or(Broken)?;
            self.put_unit(unit, data)?;
            body = rest;
        }
        match body.is_empty() {
            true => Ok(()),
            false => Err(Broken),
        }
    }

    /// RFC 6184 §5.8.
    fn put_fragment(&mut self, head: u8, body: &[u8], data: &mut Vec<u8>) -> Result<(), Broken> {
        let (&fragment, slice) = body.split_first().ok_or(Broken)?;
        let (begins, ends) = (fragment & 0x80 != 0, fragment & 0x40 != 0);
        if begins != self.fragments.is_none() {
            return Err(Broken);
        }
        let unit = self
            .fragments
            .get_or_insert_with(|| vec![head & 0xe0 | fragment & 0x1f]);
        unit.extend_from_slice(slice);
        if ends {
            let unit = self.fragments.take().ok_or(Broken)?;
            return self.put_unit(&unit, data);
        }
        Ok(())
    }

    /// Parameter sets go into the head of the file; what says nothing is left out.
    fn put_unit(&mut self, unit: &[u8], data: &mut Vec<u8>) -> Result<(), Broken> {
        let kind = unit.first().ok_or(Broken)? & 0x1f;
        match kind {
            SPS | PPS if unit.len() > SET_BYTES_MAX => return Err(Broken),
            SPS if unit != self.sps => {
                self.sps = unit.to_vec();
                self.pps.clear();
            }
            PPS if self.pps.len() < PPS_MAX && !self.pps.iter().any(|known| known == unit) => {
                self.pps.push(unit.to_vec());
            }
            SPS | PPS | DELIMITER | FILLER => {}
            _ => {
                self.key |= kind == IDR;
                data.extend_from_slice(&(unit.len() as u32).to_be_bytes());
                data.extend_from_slice(unit);
            }
        }
        Ok(())
    }

    fn format(&self) -> Result<PictureFormat, Broken> {
        let (width, height) = size(&self.sps)?;
        Ok(PictureFormat {
            width,
            height,
            private: self.avcc()?,
        })
    }

    /// ISO/IEC 14496-15 §5.3.3.1.
    fn avcc(&self) -> Result<Vec<u8>, Broken> {
        let profile = self.sps.get(1..4).ok_or(Broken)?;
        if self.pps.is_empty() {
            return Err(Broken);
        }
        let mut avcc = vec![1];
        avcc.extend_from_slice(profile);
        // Lengths of four bytes; one sequence parameter set.
        avcc.extend_from_slice(&[0xff, 0xe1]);
        put_set(&mut avcc, &self.sps)?;
        avcc.push(self.pps.len() as u8);
        for pps in &self.pps {
            put_set(&mut avcc, pps)?;
        }
        Ok(avcc)
    }
}

fn put_set(avcc: &mut Vec<u8>, set: &[u8]) -> Result<(), Broken> {
    let length = u16::try_from(set.len()).map_err(|_| Broken)?;
    avcc.extend_from_slice(&length.to_be_bytes());
    avcc.extend_from_slice(set);
    Ok(())
}

/// Profiles whose parameter sets say more of colours (ITU-T H.264 §7.3.2.1.1).
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Width and height in a sequence parameter set (ITU-T H.264 §7.3.2.1.1).
fn size(sps: &[u8]) -> Result<(u16, u16), Broken> {
    let plain = without_emulation(sps.get(1..).ok_or(Broken)?);
    let mut bits = Bits::new(&plain);
    let profile = bits.take(8)?;
    bits.skip(16);
    bits.exp_golomb()?;
    let mut chroma = 1;
    if HIGH_PROFILES.contains(&profile) {
        chroma = bits.exp_golomb()?;
        skip_high(&mut bits, chroma)?;
    }
    bits.exp_golomb()?;
    skip_order_count(&mut bits)?;
    bits.exp_golomb()?;
    bits.skip(1);
    let width = u64::from(bits.exp_golomb()?) + 1;
    let height = u64::from(bits.exp_golomb()?) + 1;
    let is_progressive = bits.flag()?;
    let fields = if is_progressive { 1 } else { 2 };
    // One more bit of an interlaced picture, and one of every one.
    bits.skip(fields as usize);
    let (across, down) = match bits.flag()? {
        true => cropped(&mut bits, chroma, fields)?,
        false => (0, 0),
    };
    let side = |blocks: u64, cropped: u64| {
        let pixels = (16 * blocks).checked_sub(cropped).ok_or(Broken)?;
        u16::try_from(pixels).map_err(|_| Broken)
    };
    Ok((side(width, across)?, side(height * fields, down)?))
}

/// Pixels that are cut off in width and height.
fn cropped(bits: &mut Bits<'_>, chroma: u32, fields: u64) -> Result<(u64, u64), Broken> {
    let mut offset = || bits.exp_golomb().map(u64::from);
    let across = offset()? + offset()?;
    let down = offset()? + offset()?;
    let unit_across = if matches!(chroma, 1 | 2) { 2 } else { 1 };
    let unit_down = if chroma == 1 { 2 } else { 1 };
    Ok((across * unit_across, down * unit_down * fields))
}

fn skip_high(bits: &mut Bits<'_>, chroma: u32) -> Result<(), Broken> {
    if chroma == 3 {
        bits.skip(1);
    }
    bits.exp_golomb()?;
    bits.exp_golomb()?;
    bits.skip(1);
    // Scaling matrices are not used by anybody who sends over RTP.
    match bits.flag()? {
        true => Err(Broken),
        false => Ok(()),
    }
}

fn skip_order_count(bits: &mut Bits<'_>) -> Result<(), Broken> {
    match bits.exp_golomb()? {
        0 => bits.exp_golomb().map(|_| ()),
        1 => {
            bits.skip(1);
            bits.signed_exp_golomb()?;
            bits.signed_exp_golomb()?;
            let cycle = bits.exp_golomb()?;
            for _ in 0..cycle.min(255) {
                bits.signed_exp_golomb()?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// ITU-T H.264 §7.4.1: a 3 behind two zeros says nothing.
fn without_emulation(unit: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

//! Bits of a header, the first one first.

use super::Broken;

/// Reads bits.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// From the first bit on.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A number of up to 32 bits.
    pub(super) fn take(&mut self, count: usize) -> Result<u32, Broken> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or(Broken)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    /// One bit.
    pub(super) fn flag(&mut self) -> Result<bool, Broken> {
        Ok(self.take(1)? == 1)
    }

    /// Leaves bits out.
    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    /// An unsigned Exp-Golomb number (ITU-T H.264 §9.1); AV1 calls it `uvlc`.
    pub(super) fn exp_golomb(&mut self) -> Result<u32, Broken> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(Broken);
            }
        }
        Ok((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// A signed Exp-Golomb number (ITU-T H.264 §9.1.1).
    pub(super) fn signed_exp_golomb(&mut self) -> Result<i32, Broken> {
        let coded = self.exp_golomb()?;
        let half = (coded / 2 + coded % 2) as i32;
        Ok(if coded % 2 == 1 { half } else { -half })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_read() {
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        assert_eq!(bits.take(1), Ok(1));
        // 010 is 1, 011 is 2, 00100 is 3, 00101 is 4.
        assert_eq!(bits.exp_golomb(), Ok(1));
        assert_eq!(bits.exp_golomb(), Ok(2));
        assert_eq!(bits.signed_exp_golomb(), Ok(2));
        assert_eq!(bits.exp_golomb(), Ok(4));
        bits.skip(6);
        assert_eq!(bits.take(1), Ok(0));
        assert_eq!(bits.flag(), Err(Broken));
        assert_eq!(Bits::new(&[0; 9]).exp_golomb(), Err(Broken));
    }
}

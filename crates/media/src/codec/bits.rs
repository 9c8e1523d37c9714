//! Reading bits, most significant first, as H.26x and AAC headers are written.

use crate::CodecError;

/// A reader of bits over a byte slice. Every read is checked.
pub(crate) struct BitReader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Reads `bytes`, which are a `what` (for errors).
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }

    /// How many bits are left.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// The next `count` bits (at most 32) as a number.
    pub(crate) fn bits(&mut self, count: usize, field: &'static str) -> Result<u32, CodecError> {
        if count > self.left() {
            return Err(CodecError::Truncated { what: self.what, field, at: self.at / 8 });
        }
        let mut value = 0u32;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    /// The next bit.
    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, CodecError> {
        Ok(self.bits(1, field)? == 1)
    }

    /// Leaves out `count` bits.
    pub(crate) fn skip(&mut self, count: usize, field: &'static str) -> Result<(), CodecError> {
        if count > self.left() {
            return Err(CodecError::Truncated { what: self.what, field, at: self.at / 8 });
        }
        self.at += count;
        Ok(())
    }

    /// An unsigned Exp-Golomb number (ISO/IEC 14496-10, 9.1).
    pub(crate) fn ue(&mut self, field: &'static str) -> Result<u32, CodecError> {
        let mut zeros = 0;
        while !self.flag(field)? {
            zeros += 1;
            if zeros > 31 {
                return Err(CodecError::Invalid { what: self.what, problem: "an Exp-Golomb number is too long" });
            }
        }
        Ok(((1u64 << zeros) - 1 + u64::from(self.bits(zeros, field)?)).min(u64::from(u32::MAX)) as u32)
    }

    /// A signed Exp-Golomb number (ISO/IEC 14496-10, 9.1.1).
    pub(crate) fn se(&mut self, field: &'static str) -> Result<i32, CodecError> {
        let code = i64::from(self.ue(field)?);
        let magnitude = (code + 1) / 2;
        Ok(if code % 2 == 1 { magnitude } else { -magnitude }.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32)
    }
}

//! Making records for tests.

use bytes::Bytes;

/// The bytes of hexadecimal text.
pub(crate) fn bytes(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Writes bits, most significant first.
#[derive(Default)]
pub(crate) struct BitWriter {
    bits: Vec<bool>,
}

impl BitWriter {
    /// The lowest `count` bits of `value`.
    pub(crate) fn bits(&mut self, count: u32, value: u32) -> &mut Self {
        self.bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// An unsigned Exp-Golomb number.
    pub(crate) fn ue(&mut self, value: u32) -> &mut Self {
        let code = value + 1;
        let length = code.ilog2();
        self.bits(length, 0).bits(length + 1, code)
    }

    /// A signed Exp-Golomb number.
    pub(crate) fn se(&mut self, value: i32) -> &mut Self {
        self.ue(if value > 0 { 2 * value.unsigned_abs() - 1 } else { 2 * value.unsigned_abs() })
    }

    /// How many bits there are.
    pub(crate) fn len(&self) -> usize {
        self.bits.len()
    }

    /// The bytes, filled up with zeros.
    pub(crate) fn finish(&self) -> Vec<u8> {
        self.bits
            .chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | u8::from(*bit) << (7 - at)))
            .collect()
    }
}

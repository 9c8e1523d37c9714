//! The program_config_element of channel configuration 0 (ISO/IEC 14496-3, 4.4.1.1), moved from an
//! AudioSpecificConfig to the start of a raw_data_block, where decoders of ADTS look for it.
//!
//! ```text
//! id:3 = 5 | tag:4 type:2 rate:4 front:4 side:4 back:4 lfe:2 data:3 cc:4 | mono:1(+4) stereo:1(+4) matrix:1(+3)
//! (front + side + back) x (pair:1 tag:4) | lfe x 4 | data x 4 | cc x 5 | alignment | comment length:8 comment
//! ```
//!
//! The alignment counts from the start of whatever holds the element, so it changes in the move.

const ID_PROGRAM_CONFIG: u32 = 5;

/// The element found in an AudioSpecificConfig with channel configuration 0, as the first element
/// of a raw_data_block: a whole number of bytes. `None` when there is none.
pub(super) fn program_config(record: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Copier { from: record, at: 0, out: Vec::new(), free: 0 };
    let object_type = copy.read(5)?;
    // An escaped object type or rate cannot be said in ADTS anyway.
    if object_type == 31 || copy.read(4)? == 15 || copy.read(4)? != 0 {
        return None;
    }
    if matches!(object_type, 5 | 29) && (copy.read(4)? == 15 || copy.read(5)? == 31) {
        return None;
    }
    copy.read(1)?;
    if copy.read(1)? == 1 {
        copy.read(14)?;
    }
    copy.read(1)?;

    copy.write(3, ID_PROGRAM_CONFIG);
    copy.both(4 + 2 + 4)?;
    let elements = copy.both(4)? + copy.both(4)? + copy.both(4)?;
    let low_frequency = copy.both(2)?;
    let data = copy.both(3)?;
    let coupling = copy.both(4)?;
    for mixdown in [4, 4, 3] {
        if copy.both(1)? == 1 {
            copy.both(mixdown)?;
        }
    }
    for _ in 0..elements + low_frequency + data + coupling {
        copy.both(4)?;
    }
    // The flag of each channel element and of each coupling element makes five bits of four.
    for _ in 0..elements + coupling {
        copy.both(1)?;
    }
    copy.align();
    let comment = copy.both(8)?;
    for _ in 0..comment {
        copy.both(8)?;
    }
    Some(copy.out)
}

/// Reads bits from one place and writes them to another.
struct Copier<'a> {
    from: &'a [u8],
    /// In bits.
    at: usize,
    out: Vec<u8>,
    /// Bits of the last byte of `out` that are not used yet.
    free: u32,
}

impl Copier<'_> {
    fn read(&mut self, bits: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..bits {
            let byte = self.from.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn write(&mut self, bits: u32, value: u32) {
        for bit in (0..bits).rev() {
            if self.free == 0 {
                self.out.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.out.last_mut() {
                *last |= ((value >> bit & 1) as u8) << self.free;
            }
        }
    }

    fn both(&mut self, bits: u32) -> Option<u32> {
        let value = self.read(bits)?;
        self.write(bits, value);
        Some(value)
    }

    /// To the next whole byte, on either side by itself.
    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
        self.free = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_element_becomes_what_ffmpeg_puts_into_adts() {
        // Four channels at 48 kHz from ffmpeg's encoder: its AudioSpecificConfig, and what its ADTS
        // muxer writes behind the first header.
        let record = b"\x11\x80\x04\xc4\x04\x00\x21\x10\x0dLavc59.37.100\x56\xe5\x00";
        let element = b"\xa0\x98\x80\x80\x04\x22\x0dLavc59.37.100";
        assert_eq!(program_config(record).as_deref(), Some(&element[..]));
    }

    #[test]
    fn a_torn_element_is_none() {
        assert_eq!(program_config(&[0x11, 0x80]), None);
        assert_eq!(program_config(&[0x11, 0x90, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(program_config(&[]), None);
    }
}

//! Big-endian numbers in SQLite's files.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Two bytes as a number.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// Four bytes as a number.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// A number of one to nine bytes, and how many they are.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (count, byte) in bytes.iter().take(9).enumerate() {
        if count == 8 {
            return Some((value << 8 | u64::from(*byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, count + 1));
        }
    }
    None
}

/// A signed number of up to eight bytes.
pub(super) fn signed(bytes: &[u8]) -> i64 {
    let first = bytes.first().map_or(0, |byte| if byte & 0x80 != 0 { -1 } else { 0 });
    bytes.iter().fold(first, |value: i64, byte| value << 8 | i64::from(*byte))
}

/// Fills `buffer` from `offset` on, with zeros where the file ends too early.
pub(crate) fn fill(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => {
                rest.fill(0);
                return Ok(());
            }
            Ok(taken) => done += taken,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length_are_read() {
        assert_eq!(varint(&[0x7f]), Some((127, 1)));
        assert_eq!(varint(&[0x81, 0x00]), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9]), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x81]), None);
        assert_eq!((signed(&[]), signed(&[0xff]), signed(&[0x01, 0x00])), (0, -1, 256));
        assert_eq!(signed(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]), -2);
    }
}

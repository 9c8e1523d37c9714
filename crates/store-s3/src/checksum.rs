//! The checksums of what is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};

use crate::etag::hex;

/// More than this is summed on the blocking pool: at half a gigabyte a second, a millisecond's worth.
const INLINE_BYTES_MAX: usize = 512 << 10;

/// The sums of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) md5: [u8; 16],
    crc32: u32,
}

impl Sums {
    /// Sums `data` up. Takes time in proportion.
    pub(crate) fn of(data: &[u8]) -> Self {
        // The function's result has 64 bits for every kind of CRC; the upper half of this one is zero.
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, data);
        Self { md5: Md5::digest(data).into(), crc32: u32::try_from(crc & 0xffff_ffff).unwrap_or_default() }
    }

    /// Sums `data` up without holding up other tasks.
    pub(crate) async fn of_body(data: &Bytes) -> Self {
        if data.len() <= INLINE_BYTES_MAX {
            return Self::of(data);
        }
        let moved = data.clone();
        // Fails only when the runtime is being shut down.
        tokio::task::spawn_blocking(move || Self::of(&moved)).await.unwrap_or_else(|_| Self::of(data))
    }

    /// The value of `Content-MD5`.
    pub(crate) fn content_md5(&self) -> String {
        STANDARD.encode(self.md5)
    }

    /// The value of `x-amz-checksum-crc32`.
    pub(crate) fn checksum_crc32(&self) -> String {
        STANDARD.encode(self.crc32.to_be_bytes())
    }

    /// As ETags write it.
    pub(crate) fn tag(&self) -> String {
        hex(&self.md5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_the_published_ones() {
        // RFC 1321 A.5; the check value of CRC-32/ISO-HDLC.
        let sums = Sums::of(b"abc");
        assert_eq!(sums.tag(), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(sums.content_md5(), "kAFQmDzST7DWlj99KOF/cg==");
        assert_eq!(Sums::of(b"123456789").crc32, 0xcbf4_3926);
        assert_eq!(Sums::of(b"123456789").checksum_crc32(), "y/Q5Jg==");
        assert_eq!(Sums::of(b"").tag(), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[tokio::test]
    async fn a_large_body_has_the_same_sums_on_the_blocking_pool() {
        let data = Bytes::from(vec![7; INLINE_BYTES_MAX + 1]);
        assert_eq!(Sums::of_body(&data).await, Sums::of(&data));
    }
}

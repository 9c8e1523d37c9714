//! FLAC: the metadata blocks, STREAMINFO first (RFC 9639, 8).
//!
//! ```text
//! [ "fLaC" | last:1 type=0:7 | length:24 ] STREAMINFO: min block:16 | max block:16 | min frame:24 | max frame:24
//! | rate:20 channels-1:3 depth-1:5 samples:36 | md5:128
//! ```
//!
//! Enhanced RTMP says the stream marker and whole blocks; ffmpeg sends STREAMINFO alone. Both are read.

use bytes::Bytes;

use super::bits::BitReader;
use crate::{AudioFormat, CodecError};

const WHAT: &str = "FLAC STREAMINFO";

/// FLAC: the metadata blocks, STREAMINFO first (RFC 9639, 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlacConfig {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it.
    pub format: AudioFormat,
}

impl FlacConfig {
    /// Reads a configuration record.
    ///
    /// # Errors
    /// When it is torn, its first block is not STREAMINFO, or that names no sampling rate.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let mut bits = BitReader::new(WHAT, &record);
        if record.starts_with(b"fLaC") {
            bits.skip(32 + 1, "the block header")?;
            if bits.bits(7, "the block type")? != 0 {
                return Err(CodecError::Invalid { what: WHAT, problem: "another block comes first" });
            }
            bits.skip(24, "the block length")?;
        }
        let min_block = bits.bits(16, "the minimum block size")?;
        let max_block = bits.bits(16, "the maximum block size")?;
        bits.skip(24 + 24, "frame sizes")?;
        let sample_rate = bits.bits(20, "the sampling rate")?;
        let channels = bits.bits(3, "the channels")? as u16 + 1;
        bits.skip(5 + 36 + 128, "bit depth, length and checksum")?;
        if sample_rate == 0 {
            return Err(CodecError::Invalid { what: WHAT, problem: "its sampling rate is zero" });
        }
        let samples_per_frame = (min_block == max_block && min_block > 0).then_some(min_block);
        let format = AudioFormat { sample_rate, output_sample_rate: sample_rate, channels, samples_per_frame };
        Ok(Self { format, record })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::test_bits::bytes;

    const STREAMINFO: &str = "040004000000000010980bb802f000000000000000000000000000000000000000";

    #[test]
    fn stream_information_is_read_alone_and_within_blocks() {
        let info = format!("{STREAMINFO}00");
        for hex in [info.clone(), format!("664c614380000022{info}"), format!("664c614300000022{info}8400000401020304")]
        {
            let config = FlacConfig::parse(bytes(&hex)).unwrap();
            let format = AudioFormat {
                sample_rate: 48_000,
                output_sample_rate: 48_000,
                channels: 2,
                samples_per_frame: Some(1024),
            };
            assert_eq!((config.format, config.record), (format, bytes(&hex)));
        }
    }

    #[test]
    fn varying_block_sizes_have_no_constant_count() {
        let info = format!("0010{}00", &STREAMINFO[4..]);
        assert_eq!(FlacConfig::parse(bytes(&info)).unwrap().format.samples_per_frame, None);
    }

    #[test]
    fn what_is_torn_or_has_no_rate_is_refused() {
        for hex in [STREAMINFO.to_owned(), "664c614384000022".to_owned(), "00".repeat(34), String::new()] {
            assert!(FlacConfig::parse(bytes(&hex)).is_err(), "{hex}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(record in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = FlacConfig::parse(record.into());
        }
    }
}

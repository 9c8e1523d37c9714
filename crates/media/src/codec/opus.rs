//! Opus: the identification header (RFC 7845, 5.1).
//!
//! ```text
//! "OpusHead" | version:8 | channels:8 | pre_skip:16le | input rate:32le | gain:16le | mapping family:8 | [ mapping ]
//! ```

use bytes::Bytes;

use crate::{AudioFormat, CodecError};

const WHAT: &str = "Opus identification header";

/// Opus counts samples at this rate whatever went into the encoder (RFC 7845, 4).
const CLOCK: u32 = 48_000;

/// Opus: the identification header (RFC 7845, 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusConfig {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it.
    pub format: AudioFormat,
}

impl OpusConfig {
    /// Reads a configuration record.
    ///
    /// # Errors
    /// When it is torn, no such header, of an incompatible version, or of no channels.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let invalid = |problem| Err(CodecError::Invalid { what: WHAT, problem });
        let Some(fixed) = record.first_chunk::<19>() else {
            return Err(CodecError::Truncated { what: WHAT, field: "its fixed bytes", at: record.len() });
        };
        if !fixed.starts_with(b"OpusHead") {
            return invalid("it does not begin with 'OpusHead'");
        }
        // Minor versions, the lower half, only add to the end.
        if fixed[8] >> 4 != 0 {
            return invalid("its version is above 0.15");
        }
        let channels = u16::from(fixed[9]);
        if channels == 0 {
            return invalid("it has no channels");
        }
        let format = AudioFormat { sample_rate: CLOCK, output_sample_rate: CLOCK, channels, samples_per_frame: None };
        Ok(Self { format, record })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::test_bits::bytes;

    #[test]
    fn headers_of_libopus_are_read_and_kept_whole() {
        for (hex, channels) in [
            ("4f707573486561640102380180bb0000000000", 2),
            ("4f707573486561640106380180bb00000000010402000401020305", 6),
        ] {
            let config = OpusConfig::parse(bytes(hex)).unwrap();
            assert_eq!((config.format.channels, config.format.sample_rate), (channels, 48_000));
            assert_eq!(config.record, bytes(hex));
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for hex in [
            "",
            "4f707573486561640102380180bb00000000",
            "4f707573486561641102380180bb0000000000",
            "4f707573486561640100380180bb0000000000",
            "4f707573546167730102380180bb0000000000",
        ] {
            assert!(OpusConfig::parse(bytes(hex)).is_err(), "{hex}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(record in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = OpusConfig::parse(record.into());
        }
    }
}

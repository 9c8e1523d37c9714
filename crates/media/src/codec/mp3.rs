//! MP3: the frame header is the configuration (ISO/IEC 11172-3, 2.4.1.3; ISO/IEC 13818-3; MPEG 2.5).
//!
//! ```text
//! sync=11111111 111:3 version:2 layer:2 crc:1 | bit_rate:4 rate:2 padding:1 private:1 | mode:2 ...
//! ```

use crate::{AudioFormat, CodecError};

const WHAT: &str = "MP3 frame header";

/// What every frame header of an MP3 track repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mp3Config {
    /// What was read from the header.
    pub format: AudioFormat,
}

impl Mp3Config {
    /// Reads the header at the start of a frame.
    ///
    /// # Errors
    /// When there is no header of layer III there.
    pub fn parse_frame(frame: &[u8]) -> Result<Self, CodecError> {
        let invalid = |problem| Err(CodecError::Invalid { what: WHAT, problem });
        let Some(&[sync, b1, b2, b3]) = frame.first_chunk::<4>() else {
            return Err(CodecError::Truncated { what: WHAT, field: "the header", at: frame.len() });
        };
        if sync != 0xff || b1 & 0xe0 != 0xe0 {
            return invalid("it does not begin with a sync word");
        }
        if b1 >> 1 & 3 != 1 {
            return invalid("it is not of layer III");
        }
        // Each version halves the rates of the one before it; only MPEG-1 frames have two granules.
        let (divisor, samples_per_frame) = match b1 >> 3 & 3 {
            3 => (1, 1152),
            2 => (2, 576),
            0 => (4, 576),
            _ => return invalid("its version is reserved"),
        };
        let sample_rate = match b2 >> 2 & 3 {
            0 => 44_100,
            1 => 48_000,
            2 => 32_000,
            _ => return invalid("its sampling rate is reserved"),
        } / divisor;
        if b2 >> 4 == 15 {
            return invalid("its bit rate is reserved");
        }
        let channels = if b3 >> 6 == 3 { 1 } else { 2 };
        let samples_per_frame = Some(samples_per_frame);
        Ok(Self { format: AudioFormat { sample_rate, output_sample_rate: sample_rate, channels, samples_per_frame } })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::test_bits::bytes;

    #[test]
    fn headers_of_every_version_are_read() {
        for (header, rate, channels, samples) in [
            ("fffb5064", 44_100, 2, 1152),
            ("fffb54c4", 48_000, 1, 1152),
            ("fffb58c4", 32_000, 1, 1152),
            ("fff350c4", 22_050, 1, 576),
            ("fff35864", 16_000, 2, 576),
            // MPEG 2.5, the 8 kHz sound that FLV has a format number of its own for.
            ("ffe318c4", 8_000, 1, 576),
        ] {
            let format = Mp3Config::parse_frame(&bytes(header)).unwrap().format;
            assert_eq!(
                (format.sample_rate, format.channels, format.samples_per_frame),
                (rate, channels, Some(samples))
            );
        }
    }

    #[test]
    fn what_is_no_layer_iii_header_is_refused() {
        // Nothing, a torn header, no sync, layers I and II, reserved version, rate and bit rate.
        for header in ["", "fffb50", "fedb5064", "ffff5064", "fffd5064", "ffeb5064", "fffb5c64", "fffbf064"] {
            assert!(Mp3Config::parse_frame(&bytes(header)).is_err(), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(frame in proptest::collection::vec(any::<u8>(), 0..8)) {
            let _ = Mp3Config::parse_frame(&frame);
        }
    }
}

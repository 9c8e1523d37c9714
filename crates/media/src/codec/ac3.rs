//! AC-3 and E-AC-3: the sync frame is the configuration (ETSI TS 102 366, 4.3 and E.1).
//!
//! ```text
//! AC-3:   0b77 | crc:16 | rate:2 size:6 | version:5 <= 10, mode:3 | channels:3 [ mix levels ] lfe:1 ...
//! E-AC-3: 0b77 | type:2 substream:3 size:11 | rate:2 blocks:2 channels:3 lfe:1 | version:5 = 16 ...
//! ```

use super::bits::BitReader;
use crate::{AudioFormat, CodecError};

const WHAT: &str = "AC-3 sync frame";

/// Sampling rates by code, of the versions up to 8.
const RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// Channels by `acmod`, without the low frequency one; 0 is two independent ones.
const CHANNELS: [u16; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// What every sync frame of an AC-3 or E-AC-3 track repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ac3Config {
    /// Whether it is E-AC-3.
    pub enhanced: bool,
    /// What was read from the frame.
    pub format: AudioFormat,
}

impl Ac3Config {
    /// Reads the header of a sync frame.
    ///
    /// # Errors
    /// When there is none there, or one with reserved values.
    pub fn parse_frame(frame: &[u8]) -> Result<Self, CodecError> {
        let invalid = |problem| Err(CodecError::Invalid { what: WHAT, problem });
        let mut bits = BitReader::new(WHAT, frame);
        if bits.bits(16, "the sync word")? != 0x0b77 {
            return invalid("it does not begin with a sync word");
        }
        // The version stands at the same place in both syntaxes.
        match frame.get(5).map(|byte| u32::from(byte >> 3)) {
            Some(version @ 0..=10) => read_plain(&mut bits, version),
            Some(11..=16) => read_enhanced(&mut bits),
            Some(_) => invalid("its version is above 16"),
            None => Err(CodecError::Truncated { what: WHAT, field: "the version", at: frame.len() }),
        }
    }
}

fn read_plain(bits: &mut BitReader<'_>, version: u32) -> Result<Ac3Config, CodecError> {
    bits.skip(16, "crc1")?;
    let rate = rate(bits.bits(2, "fscod")?)? >> version.saturating_sub(8);
    bits.skip(6 + 5 + 3, "frmsizecod, bsid and bsmod")?;
    let mode = bits.bits(3, "acmod")?;
    let center = mode & 1 != 0 && mode != 1;
    let surround = mode & 4 != 0;
    let stereo = mode == 2;
    bits.skip([center, surround, stereo].iter().filter(|present| **present).count() * 2, "mix levels")?;
    let low_frequency = bits.flag("lfeon")?;
    Ok(config(false, rate, mode, low_frequency, 6))
}

fn read_enhanced(bits: &mut BitReader<'_>) -> Result<Ac3Config, CodecError> {
    bits.skip(2 + 3 + 11, "strmtyp, substreamid and frmsiz")?;
    let (rate, blocks) = match bits.bits(2, "fscod")? {
        3 => (rate(bits.bits(2, "fscod2")?)? / 2, 6),
        code => (rate(code)?, [1, 2, 3, 6][bits.bits(2, "numblkscod")? as usize]),
    };
    let mode = bits.bits(3, "acmod")?;
    let low_frequency = bits.flag("lfeon")?;
    Ok(config(true, rate, mode, low_frequency, blocks))
}

fn rate(code: u32) -> Result<u32, CodecError> {
    let reserved = CodecError::Invalid { what: WHAT, problem: "its sampling rate is reserved" };
    RATES.get(code as usize).copied().ok_or(reserved)
}

fn config(enhanced: bool, sample_rate: u32, mode: u32, low_frequency: bool, blocks: u32) -> Ac3Config {
    let channels = CHANNELS[(mode & 7) as usize] + u16::from(low_frequency);
    let samples_per_frame = Some(blocks * 256);
    Ac3Config {
        enhanced,
        format: AudioFormat { sample_rate, output_sample_rate: sample_rate, channels, samples_per_frame },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::test_bits::bytes;

    #[test]
    fn sync_frames_of_real_encoders_are_read() {
        for (hex, enhanced, rate, channels, samples) in [
            ("0b77fe95144043e106f46370", false, 48_000, 2, 1536),
            ("0b77c4b71e40ebf8403eff99", false, 48_000, 6, 1536),
            ("0b77017f3487c00020842108", true, 48_000, 2, 1536),
            ("0b77037f3f87c00020fc2108", true, 48_000, 6, 1536),
            // Half rate in both syntaxes; one block a frame.
            ("0b77fe951448", false, 24_000, 2, 1536),
            ("0b77017fd487", true, 22_050, 2, 1536),
            ("0b77017f0487", true, 48_000, 2, 256),
        ] {
            let padded = format!("{hex}00000000");
            let config = Ac3Config::parse_frame(&bytes(&padded)).unwrap();
            let format = config.format;
            assert_eq!(
                (config.enhanced, format.sample_rate, format.channels, format.samples_per_frame),
                (enhanced, rate, channels, Some(samples)),
                "{hex}"
            );
        }
    }

    #[test]
    fn what_is_no_sync_frame_is_refused() {
        for hex in ["", "0b77fe9514", "0b78fe95144043", "0b77fe95d44043", "0b77fe9514f843", "0b77017ffc87"] {
            assert!(Ac3Config::parse_frame(&bytes(hex)).is_err(), "{hex}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut frame in proptest::collection::vec(any::<u8>(), 2..20)) {
            frame[0] = 0x0b;
            frame[1] = 0x77;
            let _ = Ac3Config::parse_frame(&frame);
        }
    }
}

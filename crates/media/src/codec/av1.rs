//! AV1: AV1CodecConfigurationRecord (av1-isobmff, 2.3).
//!
//! ```text
//! marker=1 version=1:7 | profile:3 level:5 | tier:1 high_depth:1 twelve_bit:1 mono:1 subsampling:2 position:2
//! | 000 delay_present:1 delay:4 | OBUs: { 0 type:4 extension:1 has_size:1 0 | [ extension:8 ] | [ size: leb128 ] | bytes }*
//! ```

use bytes::Bytes;

use super::bits::BitReader;
use super::nal::{frame_rate, side};
use crate::{CodecError, FrameRate, VideoFormat};

const WHAT: &str = "AV1CodecConfigurationRecord";
const SEQUENCE: &str = "AV1 sequence header";

/// AV1: AV1CodecConfigurationRecord (av1-isobmff, 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Av1Config {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it; 0 x 0 when the record has no sequence header, which then comes with the
    /// first key frame.
    pub format: VideoFormat,
}

impl Av1Config {
    /// Reads a configuration record.
    ///
    /// # Errors
    /// When it is torn, of another version, or its sequence header cannot be read.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        if record.len() < 4 {
            return Err(CodecError::Truncated { what: WHAT, field: "its four fixed bytes", at: record.len() });
        }
        if record.first() != Some(&0x81) {
            return Err(CodecError::Invalid { what: WHAT, problem: "its version is not 1" });
        }
        let format = match sequence_header(record.get(4..).unwrap_or_default())? {
            Some(header) => read_sequence_header(header)?,
            None => VideoFormat { width: 0, height: 0, frame_rate: None },
        };
        Ok(Self { format, record })
    }

    /// As RFC 6381 writes it (av1-isobmff, 5): `av01.0.04M.08` names the profile, level, tier and bit depth.
    pub fn rfc6381(&self) -> String {
        let Some(&[profile_level, flags]) = self.record.get(1..3) else {
            return "av01".to_owned();
        };
        let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
        let depth = match flags >> 5 & 3 {
            2 => 10,
            3 => 12,
            _ => 8,
        };
        format!("av01.{}.{:02}{tier}.{depth:02}", profile_level >> 5, profile_level & 0x1f)
    }
}

/// The contents of the first sequence header among the OBUs.
fn sequence_header(mut obus: &[u8]) -> Result<Option<&[u8]>, CodecError> {
    const SEQUENCE_HEADER: u8 = 1;
    let truncated = |field| CodecError::Truncated { what: WHAT, field, at: 0 };
    while let Some((&header, mut rest)) = obus.split_first() {
        if header & 4 != 0 {
            rest = rest.get(1..).ok_or(truncated("an OBU extension"))?;
        }
        let mut size = rest.len();
        if header & 2 != 0 {
            (size, rest) = leb128(rest).ok_or(truncated("the size of an OBU"))?;
        }
        let (contents, after) = rest.split_at_checked(size).ok_or(truncated("an OBU"))?;
        if header >> 3 & 0xf == SEQUENCE_HEADER {
            return Ok(Some(contents));
        }
        obus = after;
    }
    Ok(None)
}

/// A number of seven bits a byte, least significant first (AV1, 4.10.5), and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(8) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

/// sequence_header_obu (AV1, 5.5.1), up to the picture's size.
fn read_sequence_header(bytes: &[u8]) -> Result<VideoFormat, CodecError> {
    let mut bits = BitReader::new(SEQUENCE, bytes);
    bits.skip(3 + 1, "seq_profile and still_picture")?;
    let mut frame_rate = None;
    if bits.flag("reduced_still_picture_header")? {
        bits.skip(5, "seq_level_idx")?;
    } else {
        let mut decoder_delay_bits = None;
        if bits.flag("timing_info_present_flag")? {
            frame_rate = read_timing(&mut bits)?;
            if bits.flag("decoder_model_info_present_flag")? {
                decoder_delay_bits = Some(bits.bits(5, "buffer_delay_length_minus_1")? as usize + 1);
                bits.skip(32 + 5 + 5, "decoder_model_info")?;
            }
        }
        let initial_delay = bits.flag("initial_display_delay_present_flag")?;
        for _ in 0..=bits.bits(5, "operating_points_cnt_minus_1")? {
            bits.skip(12, "operating_point_idc")?;
            if bits.bits(5, "seq_level_idx")? > 7 {
                bits.skip(1, "seq_tier")?;
            }
            if let Some(delay_bits) = decoder_delay_bits
                && bits.flag("decoder_model_present_for_this_op")?
            {
                bits.skip(2 * delay_bits + 1, "operating_parameters_info")?;
            }
            if initial_delay && bits.flag("initial_display_delay_present_for_this_op")? {
                bits.skip(4, "initial_display_delay_minus_1")?;
            }
        }
    }
    let width_bits = bits.bits(4, "frame_width_bits_minus_1")? as usize + 1;
    let height_bits = bits.bits(4, "frame_height_bits_minus_1")? as usize + 1;
    let width = u64::from(bits.bits(width_bits, "max_frame_width_minus_1")?) + 1;
    let height = u64::from(bits.bits(height_bits, "max_frame_height_minus_1")?) + 1;
    Ok(VideoFormat { width: side(SEQUENCE, width, [0, 0], 1)?, height: side(SEQUENCE, height, [0, 0], 1)?, frame_rate })
}

/// timing_info (AV1, 5.5.3). Only a constant interval between pictures is a rate.
fn read_timing(bits: &mut BitReader<'_>) -> Result<Option<FrameRate>, CodecError> {
    let ticks = u64::from(bits.bits(32, "num_units_in_display_tick")?);
    let scale = u64::from(bits.bits(32, "time_scale")?);
    if !bits.flag("equal_picture_interval")? {
        return Ok(None);
    }
    let ticks_per_picture = u64::from(bits.ue("num_ticks_per_picture_minus_1")?) + 1;
    Ok(frame_rate(scale, ticks * ticks_per_picture))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::test_bits::{BitWriter, bytes};

    /// Made by libaom.
    const AOM: &str = "81000c000a0b000000043d06d4daf90040";

    #[test]
    fn records_of_real_encoders_are_read_and_kept_whole() {
        for (hex, width, height, codec) in [
            (AOM, 322, 182, "av01.0.00M.08"),
            // SVT-AV1.
            ("81000c000a0b0200000561e836a017c002", 322, 182, "av01.0.00M.08"),
            // A temporal delimiter first; an OBU without a size field.
            ("8108cc0012000a0b000000043d06d4daf90040", 322, 182, "av01.0.08H.10"),
            ("81000c0008000000043d06d4daf90040", 322, 182, "av01.0.00M.08"),
            ("81450c00", 0, 0, "av01.2.05M.08"),
        ] {
            let config = Av1Config::parse(bytes(hex)).unwrap();
            assert_eq!(config.format, VideoFormat { width, height, frame_rate: None }, "{hex}");
            assert_eq!((config.rfc6381().as_str(), &config.record), (codec, &bytes(hex)));
        }
    }

    #[test]
    fn a_sequence_header_with_everything_in_it_is_read() {
        let mut header = BitWriter::default();
        header.bits(3, 0).bits(1, 0).bits(1, 0); // profile, not still, not reduced
        header.bits(1, 1).bits(32, 1).bits(32, 50).bits(1, 1).ue(1); // two ticks of 1/50 s each
        header.bits(1, 1).bits(5, 9).bits(32, 1).bits(5, 9).bits(5, 9);
        header.bits(1, 1).bits(5, 1); // two operating points, with delays
        header.bits(12, 0).bits(5, 8).bits(1, 0).bits(1, 1).bits(21, 0).bits(1, 1).bits(4, 3);
        header.bits(12, 1).bits(5, 4).bits(1, 0).bits(1, 0);
        header.bits(4, 10).bits(4, 9).bits(11, 1919).bits(10, 799);
        let mut record = vec![0x81, 0, 0, 0, 0x0e, 0, header.finish().len() as u8];
        record.extend(header.finish());
        let format = Av1Config::parse(record.into()).unwrap().format;
        let frame_rate = Some(FrameRate { numerator: 25, denominator: 1 });
        assert_eq!(format, VideoFormat { width: 1920, height: 800, frame_rate });
    }

    #[test]
    fn what_is_torn_or_of_another_version_is_refused() {
        let record = bytes(AOM);
        for len in (0..4).chain(5..12) {
            assert!(matches!(Av1Config::parse(record.slice(..len)), Err(CodecError::Truncated { .. })), "{len}");
        }
        assert!(matches!(Av1Config::parse(bytes("82000c00")), Err(CodecError::Invalid { .. })));
        assert!(Av1Config::parse(bytes("810000000affffffffffffffffffff")).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut record in proptest::collection::vec(any::<u8>(), 1..60)) {
            record[0] = 0x81;
            let _ = Av1Config::parse(record.into()).map(|config| config.rfc6381());
        }
    }
}

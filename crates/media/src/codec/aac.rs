//! AAC: AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
//!
//! ```text
//! object_type:5 (31: 32 + next 6) | rate_index:4 (15: rate:24) | channels:4
//! [ object_type 5 or 29: extension rate_index:4 (15: rate:24) | core object_type ]
//! GASpecificConfig: short_frame:1 | depends_on_core:1 (delay:14) | extension:1 | [ channels = 0: program config element ] ...
//! [ 0x2b7:11 | extension object_type | sbr:1 | rate_index:4 | [ 0x548:11 | ps:1 ] ]    <- backward compatible signalling
//! ```

use bytes::Bytes;

use super::bits::BitReader;
use crate::{AudioFormat, CodecError};

const WHAT: &str = "AudioSpecificConfig";

/// Sampling rates by index (table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

const SBR: u8 = 5;
const PARAMETRIC_STEREO: u8 = 29;

/// AAC: AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AacConfig {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it.
    pub format: AudioFormat,
    /// The audio object type of the core coder (2 = LC).
    pub object_type: u8,
    /// Explicitly signalled extension: 5 = SBR (HE-AAC), 29 = SBR and PS (HE-AAC v2), 0 = none.
    pub extension_type: u8,
    /// The channel configuration field; 0 = a program config element follows.
    pub channel_configuration: u8,
}

impl AacConfig {
    /// Reads a configuration record.
    ///
    /// # Errors
    /// When it is torn, or names a sampling rate or channel configuration that does not exist.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let mut bits = BitReader::new(WHAT, &record);
        let mut object_type = read_object_type(&mut bits)?;
        let sample_rate = read_rate(&mut bits)?;
        let channel_configuration = bits.bits(4, "channelConfiguration")? as u8;
        let mut extension_type = 0;
        let mut output_sample_rate = sample_rate;
        if object_type == SBR || object_type == PARAMETRIC_STEREO {
            extension_type = object_type;
            output_sample_rate = read_rate(&mut bits)?;
            object_type = read_object_type(&mut bits)?;
            if object_type == ER_BSAC {
                bits.skip(4, "extensionChannelConfiguration")?;
            }
        }

        let specific = Specific::read(&mut bits, object_type, channel_configuration)?;
        // The rest is optional: a record that ends in the middle of it signals nothing.
        if extension_type == 0
            && let Ok(Some((kind, rate))) = read_sync_extension(&mut bits)
        {
            extension_type = kind;
            output_sample_rate = rate;
        }

        let core_channels = match channel_configuration {
            0 => specific.channels.ok_or(NO_CHANNELS)?,
            other => channels(other).ok_or(NO_CHANNELS)?,
        };
        let stereo_from_mono = extension_type == PARAMETRIC_STEREO && core_channels == 1;
        let format = AudioFormat {
            sample_rate,
            output_sample_rate,
            channels: if stereo_from_mono { 2 } else { core_channels },
            samples_per_frame: specific.samples_per_frame,
        };
        Ok(Self { format, object_type, extension_type, channel_configuration, record })
    }

    /// As RFC 6381 writes it: `mp4a.40.` and the object type; 5 for HE-AAC and 29 for HE-AAC v2.
    pub fn rfc6381(&self) -> String {
        let object_type = if self.extension_type != 0 { self.extension_type } else { self.object_type };
        format!("mp4a.40.{object_type}")
    }
}

const NO_CHANNELS: CodecError =
    CodecError::Invalid { what: WHAT, problem: "it does not say how many channels there are" };

const ER_BSAC: u8 = 22;
const ER_AAC_LD: u8 = 23;
const ER_AAC_ELD: u8 = 39;

fn read_object_type(bits: &mut BitReader<'_>) -> Result<u8, CodecError> {
    Ok(match bits.bits(5, "audioObjectType")? {
        31 => 32 + bits.bits(6, "audioObjectTypeExt")?,
        other => other,
    } as u8)
}

fn read_rate(bits: &mut BitReader<'_>) -> Result<u32, CodecError> {
    let rate = match bits.bits(4, "samplingFrequencyIndex")? {
        15 => bits.bits(24, "samplingFrequency")?,
        index => RATES.get(index as usize).copied().unwrap_or(0),
    };
    if rate == 0 {
        return Err(CodecError::Invalid { what: WHAT, problem: "its sampling rate is reserved or zero" });
    }
    Ok(rate)
}

/// Channels of a channel configuration (table 1.19).
fn channels(configuration: u8) -> Option<u16> {
    match configuration {
        1..=6 => Some(u16::from(configuration)),
        7 | 12 | 14 => Some(8),
        11 => Some(7),
        13 => Some(24),
        _ => None,
    }
}

/// What the part of the object type says.
#[derive(Default)]
struct Specific {
    samples_per_frame: Option<u32>,
    /// As the program config element counts them.
    channels: Option<u16>,
}

impl Specific {
    fn read(bits: &mut BitReader<'_>, object_type: u8, channel_configuration: u8) -> Result<Self, CodecError> {
        match object_type {
            1..=4 | 6 | 7 | 17 | 19..=23 => Self::read_general(bits, object_type, channel_configuration),
            ER_AAC_ELD => {
                let short = bits.flag("frameLengthFlag")?;
                Ok(Self { samples_per_frame: Some(if short { 480 } else { 512 }), channels: None })
            }
            _ => Ok(Self::default()),
        }
    }

    /// GASpecificConfig (4.4.1).
    fn read_general(bits: &mut BitReader<'_>, object_type: u8, channel_configuration: u8) -> Result<Self, CodecError> {
        let short = bits.flag("frameLengthFlag")?;
        if bits.flag("dependsOnCoreCoder")? {
            bits.skip(14, "coreCoderDelay")?;
        }
        let extension = bits.flag("extensionFlag")?;
        let channels = if channel_configuration == 0 { Some(read_program(bits)?) } else { None };
        if matches!(object_type, 6 | 20) {
            bits.skip(3, "layerNr")?;
        }
        if extension {
            match object_type {
                ER_BSAC => bits.skip(16, "numOfSubFrame and layer_length")?,
                17 | 19 | 20 | ER_AAC_LD => bits.skip(3, "resilience flags")?,
                _ => {}
            }
            bits.skip(1, "extensionFlag3")?;
        }
        if matches!(object_type, 17 | 19..=23) {
            bits.skip(2, "epConfig")?;
        }
        let samples_per_frame = match (object_type, short) {
            (ER_AAC_LD, false) => 512,
            (ER_AAC_LD, true) => 480,
            (_, false) => 1024,
            (_, true) => 960,
        };
        Ok(Self { samples_per_frame: Some(samples_per_frame), channels })
    }
}

/// The channels of a program_config_element (4.4.1.1), which is read to its end.
fn read_program(bits: &mut BitReader<'_>) -> Result<u16, CodecError> {
    bits.skip(4 + 2 + 4, "element_instance_tag, object_type and sampling_frequency_index")?;
    let mut groups = [0; 3];
    for group in &mut groups {
        *group = bits.bits(4, "num_channel_elements")?;
    }
    let low_frequency = bits.bits(2, "num_lfe_channel_elements")?;
    let data = bits.bits(3, "num_assoc_data_elements")?;
    let coupling = bits.bits(4, "num_valid_cc_elements")?;
    for (field, size) in [("mono_mixdown", 4), ("stereo_mixdown", 4), ("matrix_mixdown", 3)] {
        if bits.flag(field)? {
            bits.skip(size, field)?;
        }
    }
    let mut channels = low_frequency as u16;
    for _ in 0..groups.iter().sum::<u32>() {
        channels += 1 + u16::from(bits.flag("element_is_cpe")?);
        bits.skip(4, "element_tag_select")?;
    }
    bits.skip((low_frequency * 4 + data * 4 + coupling * 5) as usize, "element_tag_select")?;
    bits.skip(bits.left() % 8, "byte_alignment")?;
    let comment = bits.bits(8, "comment_field_bytes")?;
    bits.skip(comment as usize * 8, "comment_field_data")?;
    Ok(channels)
}

/// The extension that decoders of the core alone do not see (1.6.2.1): its type and sampling rate.
fn read_sync_extension(bits: &mut BitReader<'_>) -> Result<Option<(u8, u32)>, CodecError> {
    const SYNC_SBR: u32 = 0x2b7;
    const SYNC_PS: u32 = 0x548;
    if bits.left() < 16 || bits.bits(11, "syncExtensionType")? != SYNC_SBR || read_object_type(bits)? != SBR {
        return Ok(None);
    }
    if !bits.flag("sbrPresentFlag")? {
        return Ok(None);
    }
    let rate = read_rate(bits)?;
    let stereo = bits.left() >= 12 && bits.bits(11, "syncExtensionType")? == SYNC_PS && bits.flag("psPresentFlag")?;
    Ok(Some((if stereo { PARAMETRIC_STEREO } else { SBR }, rate)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::test_bits::{BitWriter, bytes};

    fn read(record: Bytes) -> (u8, u8, u32, u32, u16, Option<u32>, String) {
        let config = AacConfig::parse(record.clone()).unwrap();
        assert_eq!(config.record, record);
        let format = config.format;
        let (core, output) = (format.sample_rate, format.output_sample_rate);
        (
            config.object_type,
            config.extension_type,
            core,
            output,
            format.channels,
            format.samples_per_frame,
            config.rfc6381(),
        )
    }

    #[test]
    fn records_of_every_signalling_are_read() {
        let lc = "mp4a.40.2";
        let cases = [
            ("1210", 2, 0, 44_100, 44_100, 2, lc),
            ("1190", 2, 0, 48_000, 48_000, 2, lc),
            ("1588", 2, 0, 8_000, 8_000, 1, lc),
            // ffmpeg: LC with an explicit "no SBR".
            ("119056e500", 2, 0, 48_000, 48_000, 2, lc),
            // Hierarchical: HE-AAC 22.05/44.1 kHz; HE-AAC v2 24/48 kHz.
            ("2b920800", 2, 5, 22_050, 44_100, 2, "mp4a.40.5"),
            ("eb098800", 2, 29, 24_000, 48_000, 2, "mp4a.40.29"),
            // Backward compatible: LC 24 kHz, then SBR 48 kHz, then PS as well.
            ("131056e598", 2, 5, 24_000, 48_000, 2, "mp4a.40.5"),
            ("130856e59d4880", 2, 29, 24_000, 48_000, 2, "mp4a.40.29"),
            // 5.1 channels.
            ("11b056e500", 2, 0, 48_000, 48_000, 6, lc),
        ];
        for (hex, object_type, extension, core, output, channels, codec) in cases {
            let expected = (object_type, extension, core, output, channels, Some(1024), codec.to_owned());
            assert_eq!(read(bytes(hex)), expected, "{hex}");
        }
    }

    #[test]
    fn escapes_for_object_type_and_rate_are_followed() {
        let mut record = BitWriter::default();
        record.bits(5, 31).bits(6, 39 - 32).bits(4, 15).bits(24, 37_800).bits(4, 2).bits(1, 1).bits(2, 0);
        assert_eq!(read(record.finish().into()), (39, 0, 37_800, 37_800, 2, Some(480), "mp4a.40.39".to_owned()));
    }

    #[test]
    fn short_frames_have_960_samples() {
        let mut record = BitWriter::default();
        record.bits(5, 2).bits(4, 3).bits(4, 2).bits(3, 0b100);
        assert_eq!(read(record.finish().into()).5, Some(960));
    }

    #[test]
    fn a_program_config_element_counts_its_channels() {
        let mut record = BitWriter::default();
        record.bits(5, 2).bits(4, 3).bits(4, 0).bits(3, 0);
        record.bits(4, 0).bits(2, 1).bits(4, 3); // tag, profile, rate
        record.bits(4, 2).bits(4, 1).bits(4, 0).bits(2, 1).bits(3, 1).bits(4, 0); // front, side, back, LFE, data, coupling
        record.bits(1, 1).bits(4, 9).bits(2, 0); // a mono mixdown
        record.bits(5, 0).bits(5, 16 + 1).bits(5, 16 + 2); // one, two, two channels
        record.bits(4, 0).bits(4, 0);
        let aligned = record.finish().len() * 8;
        record.bits(aligned as u32 - record.len() as u32, 0).bits(8, 1).bits(8, 0x61);
        record.bits(11, 0x2b7).bits(5, 5).bits(1, 0); // what follows the comment is found
        assert_eq!(read(record.finish().into()), (2, 0, 48_000, 48_000, 6, Some(1024), "mp4a.40.2".to_owned()));
    }

    #[test]
    fn what_tells_no_rate_or_channels_is_refused() {
        for hex in ["", "12", "1690", "1780000000", "1200", "1250"] {
            assert!(AacConfig::parse(bytes(hex)).is_err(), "{hex}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(record in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = AacConfig::parse(record.into()).map(|config| config.rfc6381());
        }
    }
}

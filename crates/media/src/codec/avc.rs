//! H.264: AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
//!
//! ```text
//! version=1 | profile | compatibility | level | 111111 length_size-1:2 | 111 sps_count:5 | { len:16 sps }*
//! | pps_count:8 | { len:16 pps }* | [ High profiles: chroma, bit depths, SPS extensions ]
//! ```
//!
//! The record is kept byte for byte, with whatever follows the parameter sets.

mod sps;

use bytes::Bytes;

use super::nal::{RecordReader, length_size};
use crate::{CodecError, VideoFormat};

const WHAT: &str = "AVCDecoderConfigurationRecord";

/// H.264: AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvcConfig {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it.
    pub format: VideoFormat,
    /// Bytes of each NAL length prefix in frames: 1, 2 or 4.
    pub nal_length_size: u8,
    /// Sequence parameter sets, without start codes.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets.
    pub pps: Vec<Bytes>,
}

impl AvcConfig {
    /// Reads a configuration record.
    ///
    /// # Errors
    /// When it is torn, has no sequence parameter set, or the first one does not tell the picture's size.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        if record.first().is_some_and(|version| *version != 1) {
            return Err(CodecError::Invalid { what: WHAT, problem: "its version is not 1" });
        }
        let mut reader = RecordReader::new(WHAT, &record, 4);
        let nal_length_size = length_size(WHAT, reader.byte("lengthSizeMinusOne")?)?;
        let sps_count = reader.byte("numOfSequenceParameterSets")? & 0x1f;
        let sps = (0..sps_count).map(|_| reader.unit("a sequence parameter set")).collect::<Result<Vec<_>, _>>()?;
        let pps_count = reader.byte("numOfPictureParameterSets")?;
        let pps = (0..pps_count).map(|_| reader.unit("a picture parameter set")).collect::<Result<Vec<_>, _>>()?;
        let first =
            sps.first().ok_or(CodecError::Invalid { what: WHAT, problem: "it has no sequence parameter set" })?;
        let format = sps::read(first)?;
        Ok(Self { format, nal_length_size, sps, pps, record })
    }

    /// As RFC 6381 writes it: `avc1.` and profile, constraints and level of the sequence parameter set in
    /// hexadecimal digits.
    pub fn rfc6381(&self) -> String {
        let from_sps = self.sps.first().and_then(|sps| sps.get(1..4));
        match from_sps.or_else(|| self.record.get(1..4)) {
            Some([profile, constraints, level]) => format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
            _ => "avc1".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;

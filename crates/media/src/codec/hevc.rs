//! H.265: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1).
//!
//! ```text
//! version:8 | space:2 tier:1 profile:5 | compatibility:32 | constraints:48 | level:8
//! | segmentation:16 | parallelism:8 | chroma:8 | luma depth:8 | chroma depth:8 | average rate:16
//! | constant:2 layers:3 nested:1 length_size-1:2 | arrays:8 { complete:1 0 nal_type:6 | count:16 { len:16 nal }* }*
//! ```

mod sps;

use bytes::Bytes;

use super::nal::{RecordReader, length_size};
use crate::{CodecError, VideoFormat};

const WHAT: &str = "HEVCDecoderConfigurationRecord";

/// NAL unit types (ISO/IEC 23008-2, table 7-1).
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;

/// H.265: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HevcConfig {
    /// The record as the publisher sent it.
    pub record: Bytes,
    /// What was read from it.
    pub format: VideoFormat,
    /// Bytes of each NAL length prefix in frames: 1, 2 or 4.
    pub nal_length_size: u8,
    /// Video parameter sets.
    pub vps: Vec<Bytes>,
    /// Sequence parameter sets.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets.
    pub pps: Vec<Bytes>,
}

impl HevcConfig {
    /// Reads a configuration record. Version 0, which encoders older than the standard write, is read as well.
    ///
    /// # Errors
    /// When it is torn, has no sequence parameter set, or the first one does not tell the picture's size.
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        if record.first().is_some_and(|version| *version > 1) {
            return Err(CodecError::Invalid { what: WHAT, problem: "its version is above 1" });
        }
        let mut reader = RecordReader::new(WHAT, &record, 21);
        let nal_length_size = length_size(WHAT, reader.byte("lengthSizeMinusOne")?)?;
        let (mut vps, mut sps, mut pps) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..reader.byte("numOfArrays")? {
            let kind = reader.byte("NAL_unit_type")? & 0x3f;
            for _ in 0..reader.u16("numNalus")? {
                let unit = reader.unit("a parameter set")?;
                match kind {
                    VPS => vps.push(unit),
                    SPS => sps.push(unit),
                    PPS => pps.push(unit),
                    _ => {}
                }
            }
        }
        let first =
            sps.first().ok_or(CodecError::Invalid { what: WHAT, problem: "it has no sequence parameter set" })?;
        let format = sps::read(first)?;
        Ok(Self { format, nal_length_size, vps, sps, pps, record })
    }

    /// As RFC 6381 writes it (ISO/IEC 14496-15, E.3): `hvc1.1.6.L93.90` names the profile, the profiles it is
    /// compatible with (bits reversed), tier and level, and the constraint bytes up to the last that is not zero.
    pub fn rfc6381(&self) -> String {
        let Some(&[profile, c0, c1, c2, c3, k0, k1, k2, k3, k4, k5, level]) = self.record.get(1..13) else {
            return "hvc1".to_owned();
        };
        let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
        let compatibility = u32::from_be_bytes([c0, c1, c2, c3]).reverse_bits();
        let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
        let mut text = format!("hvc1.{space}{}.{compatibility:X}.{tier}{level}", profile & 0x1f);
        let constraints = [k0, k1, k2, k3, k4, k5];
        let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for byte in constraints.iter().take(used) {
            text.push_str(&format!(".{byte:X}"));
        }
        text
    }
}

#[cfg(test)]
mod tests;

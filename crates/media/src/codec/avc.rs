//! H.264: AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).

use bytes::Bytes;

use crate::{CodecError, VideoFormat};

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
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let _ = record;
        Err(CodecError::Invalid { what: "AvcConfig", problem: "not read yet" })
    }

    /// As RFC 6381 writes it.
    pub fn rfc6381(&self) -> String {
        String::new()
    }
}

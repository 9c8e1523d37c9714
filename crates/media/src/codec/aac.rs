//! AAC: AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).

use bytes::Bytes;

use crate::{AudioFormat, CodecError};

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
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let _ = record;
        Err(CodecError::Invalid { what: "AacConfig", problem: "not read yet" })
    }

    /// As RFC 6381 writes it.
    pub fn rfc6381(&self) -> String {
        String::new()
    }
}

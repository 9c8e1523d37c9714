//! Opus: the identification header (RFC 7845, 5.1).

use bytes::Bytes;

use crate::{AudioFormat, CodecError};

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
    pub fn parse(record: Bytes) -> Result<Self, CodecError> {
        let _ = record;
        Err(CodecError::Invalid { what: "OpusConfig", problem: "not read yet" })
    }
}

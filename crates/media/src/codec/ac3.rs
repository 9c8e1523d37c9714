//! AC-3 and E-AC-3: the sync frame is the configuration (ETSI TS 102 366, 4.3 and E.1).

use crate::{AudioFormat, CodecError};

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
    pub fn parse_frame(frame: &[u8]) -> Result<Self, CodecError> {
        let _ = frame;
        Err(CodecError::Invalid { what: "AC-3 frame", problem: "not read yet" })
    }
}

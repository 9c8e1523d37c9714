//! Placeholder of the Flv muxer; replaced as it is written.

use livetape_media::{Frame, MediaTime, Track, WallTime};

use crate::{Begin, Files, Muxer, NotPossible, Op, Progress, Salvage, SalvageError, Summary};

/// The writer of one Flv recording.
pub struct FlvMuxer;

impl FlvMuxer {
    /// Opens a recording.
    pub fn open(begin: Begin, ops: &mut Vec<Op>) -> Self {
        let _ = (begin, ops);
        Self
    }
}

impl Muxer for FlvMuxer {
    fn frame(&mut self, _: &Frame, _: &mut Vec<Op>) {}
    fn flush(&mut self, _: &mut Vec<Op>) {}
    fn discontinuity(&mut self, _: &[Track], _: MediaTime, _: WallTime, _: &mut Vec<Op>) -> Result<(), NotPossible> {
        Err(NotPossible)
    }
    fn progress(&self) -> Progress {
        Progress::default()
    }
    fn end(&mut self, _: Option<MediaTime>, _: &mut Vec<Op>) -> Summary {
        Summary::default()
    }
}

/// Salvages a recording.
pub(crate) fn salvage(files: &dyn Files) -> Result<Salvage, SalvageError> {
    let _ = (files);
    Ok(Salvage::Empty)
}

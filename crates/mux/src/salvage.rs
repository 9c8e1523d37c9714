//! Completing what a crash left: what of a torn recording is whole, and the operations that
//! complete it.

use std::io;

use livetape_media::{Format, WallTime};

use crate::{FileName, Op, Summary, flv, hls, mp4};

/// Bytes that can be read at any place.
pub trait ReadAt {
    /// How many there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `offset` on; an error when there are not enough bytes.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// The files of one recording as a crash left them.
pub trait Files {
    /// Every file, by the name it will have when finished, with whether it still grows (bears its
    /// temporary name).
    fn list(&self) -> io::Result<Vec<(FileName, bool)>>;

    /// Opens one.
    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>>;
}

/// What of a torn recording is whole, and the rest of the way.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each salvage, which reads a file")]
pub enum Salvage {
    /// Performing these operations completes it. Performing any prefix of them and salvaging
    /// again leads to the same result.
    Complete {
        /// What to do.
        ops: Vec<Op>,
        /// What it then holds.
        summary: Summary,
        /// Bytes at the ends of files that were not whole and are cut.
        cut_bytes: u64,
    },
    /// It holds no whole frame.
    Empty,
}

/// Why a torn recording cannot be completed, or a file not be laid out as an object.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// A file could not be read.
    #[error("reading {file}: {source}")]
    Read {
        /// Which.
        file: FileName,
        /// Why.
        source: io::Error,
    },
    /// The files could not be listed.
    #[error("listing the recording's files: {0}")]
    List(io::Error),
    /// A file is not what a muxer writes.
    #[error("{file} is damaged at byte {at}: {problem}")]
    Damaged {
        /// Which.
        file: FileName,
        /// Where.
        at: u64,
        /// How.
        problem: String,
    },
}

/// Finds out what of a recording of `format` is whole. `wall_start` is the calendar's time at its
/// start, from its row.
pub fn salvage(format: Format, files: &dyn Files, wall_start: WallTime) -> Result<Salvage, SalvageError> {
    match format {
        Format::Mp4 => mp4::salvage(files),
        Format::Hls => hls::salvage(files, wall_start),
        Format::Flv => flv::salvage(files),
    }
}

//! Reading how a file begins, in whatever state it is: `ftyp`, the `moov` that it grew with, and the room
//! behind that.

use bytes::Bytes;

use super::layout::{FTYP_LEN, Head};
use crate::bmff::{BoxHeader, Brands, InitSection};
use crate::{FileName, ReadAt, SalvageError};

/// The `moov` of a growing file is far smaller than this.
pub(super) const INIT_LIMIT: u64 = 1 << 20;

/// Reads a file, naming it in errors.
pub(super) struct FileReader<'a> {
    pub(super) file: &'a FileName,
    pub(super) source: &'a dyn ReadAt,
}

impl FileReader<'_> {
    pub(super) fn len(&self) -> u64 {
        self.source.len()
    }

    /// Makes `buffer` the bytes from `at` on, at most `len` of them, fewer at the end of the file.
    pub(super) fn read(&self, at: u64, len: u64, buffer: &mut Vec<u8>) -> Result<(), SalvageError> {
        let len = len.min(self.len().saturating_sub(at));
        buffer.clear();
        buffer.resize(usize::try_from(len).unwrap_or(0), 0);
        let result = self.source.read_exact_at(at, buffer);
        result.map_err(|source| SalvageError::Read { file: self.file.clone(), source })
    }

    pub(super) fn damaged(&self, at: u64, problem: &str) -> SalvageError {
        SalvageError::Damaged { file: self.file.clone(), at, problem: problem.to_owned() }
    }
}

/// How a file begins.
pub(super) struct Start {
    /// The file begins as a finished one does.
    pub(super) flipped: bool,
    pub(super) head: Head,
    /// What the `moov` that the file grew with says.
    pub(super) init: InitSection,
    /// The body of that `moov`.
    pub(super) init_body: Bytes,
}

impl Start {
    /// Reads the boxes before the media; `None` when they are not all there yet, or no byte is behind them.
    pub(super) fn read(reader: &FileReader<'_>) -> Result<Option<Self>, SalvageError> {
        let mut buffer = Vec::new();
        reader.read(0, FTYP_LEN + 8 + INIT_LIMIT, &mut buffer)?;
        let bytes = Bytes::from(buffer);
        let ftyp_len = FTYP_LEN as usize;
        let (Some(ftyp), Some(second)) = (bytes.get(..ftyp_len), bytes.get(ftyp_len..).and_then(BoxHeader::parse))
        else {
            return Ok(None);
        };
        let (growing, finished) = (Brands::RECORDING.to_bytes(), Brands::FINISHED.to_bytes());
        let flipped = match &second.kind {
            b"moov" if ftyp == growing => false,
            b"free" if ftyp == finished => true,
            _ => return Err(reader.damaged(0, "it does not begin as a recording does")),
        };
        let second_len = second.size.unwrap_or(0);
        if !flipped && second_len > INIT_LIMIT {
            return Err(reader.damaged(FTYP_LEN, "the size of its first index is impossible"));
        }
        if bytes.len() as u64 <= FTYP_LEN + second_len && !flipped {
            return Ok(None);
        }
        let Some(init) = InitSection::parse(&bytes.slice(ftyp_len + 8..)) else {
            return Err(reader.damaged(FTYP_LEN, "its first index cannot be read"));
        };
        if !flipped && init.len != second_len {
            return Err(reader.damaged(FTYP_LEN, "its first index has the wrong size"));
        }
        let free_at = FTYP_LEN + init.len;
        let (init_body, free) = match usize::try_from(free_at) {
            Ok(at) if at + 8 <= bytes.len() => (bytes.slice(ftyp_len + 8..at), bytes.slice(at..)),
            _ => return Ok(None),
        };
        let free_len = match BoxHeader::parse(&free) {
            Some(BoxHeader { kind, size: Some(size), header_len: 8 }) if &kind == b"free" && size >= 24 => size,
            _ => return Err(reader.damaged(free_at, "the room for its index is not there")),
        };
        let head = Head { moov_len: init.len, free_len };
        if reader.len() <= head.media_start() {
            return Ok(None);
        }
        if init.tracks.is_empty() {
            return Err(reader.damaged(FTYP_LEN, "its first index names no track"));
        }
        Ok(Some(Self { flipped, head, init, init_body }))
    }
}

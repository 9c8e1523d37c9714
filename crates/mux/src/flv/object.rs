//! The object of an FLV recording ([`crate::object`]).
//!
//! ```text
//! file and object   header | onMetaData with room for the index | sequence headers | tags ...
//!                   head                                        | body
//! ```
//!
//! The metadata is completed by a patch and keeps its length, so the object is the file; only its head is taken
//! again at the end.

use std::ops::Range;

use livetape_media::MediaTime;

use super::ledger::Ledger;
use super::metadata::Head;
use super::salvage::{Window, read_head};
use crate::object::ObjectLayout;
use crate::{FileName, ReadAt, SalvageError};

/// The object of a file in any state, with the metadata that it began with: while it is completed, it may have
/// been in part.
pub(crate) fn growing(source: &dyn ReadAt) -> Result<Option<ObjectLayout>, SalvageError> {
    let Some(found) = Found::read(source)? else { return Ok(None) };
    let Found { head, mut bytes, body } = found;
    // A tag is no longer than 2^24 bytes.
    bytes.truncate(head.changing_at() as usize);
    bytes.extend(head.changing(&Ledger::new(), MediaTime::ZERO));
    bytes.resize(head.room_end() as usize, 0);
    bytes.extend(head.after_room());
    Ok(Some(ObjectLayout { head: bytes.into(), body }))
}

/// The object of a finished file.
pub(crate) fn finished(source: &dyn ReadAt) -> Result<ObjectLayout, SalvageError> {
    let damaged = |problem: &str| SalvageError::Damaged { file: FileName::flv(), at: 0, problem: problem.to_owned() };
    let Found { head, bytes, body } = Found::read(source)?.ok_or_else(|| damaged("it ends before its media"))?;
    if head.file_size(&bytes) != Some(body.end) {
        return Err(damaged("it is not finished: its metadata tells another size"));
    }
    Ok(ObjectLayout { head: bytes.into(), body })
}

/// What a file is made of.
struct Found {
    head: Head,
    /// The head as it is.
    bytes: Vec<u8>,
    body: Range<u64>,
}

impl Found {
    /// `None` until the head is whole and a byte follows it.
    fn read(source: &dyn ReadAt) -> Result<Option<Self>, SalvageError> {
        let mut window = Window::new(source);
        let Some((head, _)) = read_head(&mut window)? else { return Ok(None) };
        let body = head.end()..window.len();
        if body.is_empty() {
            return Ok(None);
        }
        let read = |source| SalvageError::Read { file: FileName::flv(), source };
        let bytes = window.take(0, head.end() as usize).map_err(read)?.to_vec();
        Ok(Some(Self { head, bytes, body }))
    }
}

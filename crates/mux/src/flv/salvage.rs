//! Completing an FLV file that a crash left.
//!
//! 1. Find the head. Without a whole one there is no frame behind it.
//! 2. Walk the tags: header, body, and the size behind it that proves it whole. The first that is not ends the
//!    file.
//! 3. Cut there, patch the values that change, finish.
//!
//! Every step can be done again: the walk looks only at what no step changes.

use std::io;

use bytes::Bytes;
use livetape_flv::tag::{FILE_HEADER_BYTES, PREVIOUS_SIZE_BYTES, TAG_HEADER_BYTES, first_tag};
use livetape_flv::{OUTLINE_BYTES, Outline, TagHeader, configuration, outline};
use livetape_media::MediaTime;

use super::ledger::{FrameFacts, Ledger};
use super::metadata::Head;
use crate::{FileName, Files, Op, ReadAt, Salvage, SalvageError};

/// How much is read at once.
const WINDOW_BYTES: usize = 256 << 10;
/// Within so many bytes the values that change begin.
const HEAD_BYTES: u64 = 4 << 10;
/// A sequence header is not larger.
const MAX_CONFIGURATION_BYTES: u32 = 1 << 20;

/// Salvages a recording.
pub(crate) fn salvage(files: &dyn Files) -> Result<Salvage, SalvageError> {
    let file = FileName::flv();
    let listed = files.list().map_err(SalvageError::List)?;
    let Some((_, growing)) = listed.iter().find(|(name, _)| *name == file) else { return Ok(Salvage::Empty) };
    let read = |source| SalvageError::Read { file: file.clone(), source };
    let opened = files.open(&file).map_err(read)?;
    let mut window = Window::new(&*opened);
    let whole = opened.len();

    let Some((head, begin)) = read_head(&mut window)? else { return Ok(Salvage::Empty) };
    let mut ledger = Ledger::new();
    ledger.size = head.end();
    ledger.index.room = head.index_entries();
    while walk_tag(&mut window, &mut ledger).map_err(read)? {}
    if !ledger.has_frames() {
        return Ok(Salvage::Empty);
    }
    let summary = ledger.summary(begin, None);
    let cut_bytes = whole - ledger.size;
    if !growing {
        return Ok(Salvage::Complete { ops: Vec::new(), summary, cut_bytes: 0 });
    }

    let mut ops = Vec::new();
    if cut_bytes > 0 {
        ops.push(Op::Truncate { file: file.clone(), len: ledger.size });
    }
    let mut data = head.changing(&ledger, ledger.end(None));
    let room_at = head.changing_at() + data.len() as u64;
    if !is_zero(&mut window, room_at, head.room_end()).map_err(read)? {
        // An index that was longer, or whose patch is torn.
        data.resize((head.room_end() - head.changing_at()) as usize, 0);
    }
    ops.push(Op::Patch { file: file.clone(), offset: head.changing_at(), data: data.into() });
    ops.push(Op::Finish { file });
    Ok(Salvage::Complete { ops, summary, cut_bytes })
}

/// Finds the head, and where the recording begins on its session's timeline; `None` when the file ends before
/// the head does.
pub(super) fn read_head(window: &mut Window<'_>) -> Result<Option<(Head, MediaTime)>, SalvageError> {
    let file = FileName::flv();
    let read = |source| SalvageError::Read { file: file.clone(), source };
    let whole = window.len();
    let start = window.take(0, whole.min(HEAD_BYTES) as usize).map_err(read)?.to_vec();
    if start.len() < FILE_HEADER_BYTES + TAG_HEADER_BYTES {
        return Ok(None);
    }
    let damaged =
        |at: u64, problem: &str| SalvageError::Damaged { file: file.clone(), at, problem: problem.to_owned() };
    if first_tag(&start) != Some(FILE_HEADER_BYTES) {
        return Err(damaged(0, "there is no FLV header"));
    }
    let metadata = start.get(FILE_HEADER_BYTES..).and_then(|tag| TagHeader::read(tag.first_chunk()?));
    let head_bytes = metadata.map_or(0, |tag| FILE_HEADER_BYTES as u64 + u64::from(tag.whole_size()));
    if whole < head_bytes + PREVIOUS_SIZE_BYTES as u64 {
        // Not even the first write reached the disk in full.
        return Ok(None);
    }
    let Some((head, begin)) = Head::read(&start) else {
        return Err(damaged(FILE_HEADER_BYTES as u64, "the metadata is not what this program writes"));
    };
    if whole < head.end() {
        return Ok(None);
    }
    let after_room = head.after_room();
    if window.take(head.room_end(), after_room.len()).map_err(read)? != after_room {
        return Err(damaged(head.room_end(), "the metadata does not end where its tag says"));
    }
    Ok(Some((head, begin)))
}

/// Enters the tag at the end of the ledger into it; false when there is no whole one.
pub(super) fn walk_tag(window: &mut Window<'_>, ledger: &mut Ledger) -> io::Result<bool> {
    let position = ledger.size;
    let left = window.len() - position;
    if left < (TAG_HEADER_BYTES + PREVIOUS_SIZE_BYTES) as u64 {
        return Ok(false);
    }
    let Some(header) = window.take(position, TAG_HEADER_BYTES)?.first_chunk().and_then(TagHeader::read) else {
        return Ok(false);
    };
    let size_at = position + u64::from(header.whole_size());
    if size_at + PREVIOUS_SIZE_BYTES as u64 > window.len() {
        return Ok(false);
    }
    let body_at = position + TAG_HEADER_BYTES as u64;
    let beginning = Bytes::copy_from_slice(window.take(body_at, OUTLINE_BYTES.min(header.size as usize))?);
    let outline = outline(header.kind, &beginning);
    let configures = match outline {
        Outline::SequenceHeader(_) => true,
        // The frames of some codecs say all.
        Outline::Frame { codec, .. } => !ledger.knows(codec.kind()),
        Outline::Other => false,
    };
    let mut config = None;
    if configures && header.size <= MAX_CONFIGURATION_BYTES {
        let body = Bytes::copy_from_slice(window.take(body_at, header.size as usize)?);
        config = configuration(header.kind, &body);
    }
    if window.take(size_at, PREVIOUS_SIZE_BYTES)? != header.whole_size().to_be_bytes() {
        return Ok(false);
    }

    if let Some(config) = config {
        ledger.configure(config);
    }
    match outline {
        Outline::Frame { codec, random_access, composition_ms, .. } => {
            let timestamp_ms = header.timestamp_ms;
            ledger.frame(codec.kind(), FrameFacts { timestamp_ms, composition_ms, random_access, size: header.size });
        }
        Outline::SequenceHeader(codec) => ledger.sequence_header(codec.kind(), header.size),
        Outline::Other => ledger.other(header.size),
    }
    Ok(true)
}

/// Whether the bytes from `at` up to `end` are all zero.
fn is_zero(window: &mut Window<'_>, mut at: u64, end: u64) -> io::Result<bool> {
    while at < end {
        let len = (end - at).min(WINDOW_BYTES as u64) as usize;
        if window.take(at, len)?.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += len as u64;
    }
    Ok(true)
}

/// A file, read a window at a time.
pub(super) struct Window<'a> {
    file: &'a dyn ReadAt,
    len: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(file: &'a dyn ReadAt) -> Self {
        Self { file, len: file.len(), at: 0, bytes: Vec::new() }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The `len` bytes at `at`, which must be within the file.
    pub(super) fn take(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let within = at.checked_sub(self.at).is_some_and(|from| from + len as u64 <= self.bytes.len() as u64);
        if !within {
            let size = self.len.saturating_sub(at).min(WINDOW_BYTES.max(len) as u64) as usize;
            self.bytes.resize(size, 0);
            self.at = at;
            let filled = self.file.read_exact_at(at, &mut self.bytes);
            if let Err(error) = filled {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = (at - self.at) as usize;
        let beyond = || io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was");
        self.bytes.get(from..from + len).ok_or_else(beyond)
    }
}

//! The object of an MP4 recording ([`crate::object`]).
//!
//! With an exact head, no room is kept. Fragments say where their frames are from their own beginning on, so
//! they can stand anywhere:
//!
//! ```text
//! file      ftyp(iso6) | moov(mvex) | free[ hole .................... ] | moof mdat | moof mdat | ...
//! growing   ftyp(iso6) | moov(mvex)                                     | moof mdat | moof mdat | ...
//!           head                                                        | body
//!
//! file      ftyp(isom) | free ... | moov | free ... | mdat header | moof mdat | moof mdat | ... [ | moov ]
//! finished  ftyp(isom)            | moov            | mdat header | moof mdat | moof mdat | ...
//!           head                                                  | body
//! ```
//!
//! The tables of the finished `moov` point to places in the file, so each place is moved by as much as the media
//! is, wherever the `moov` stands in the file. With the same head the object is the file.

use std::ops::Range;

use bytes::Bytes;

use super::layout::{FTYP_LEN, HEAD_LIMIT, HEADER, Head, MDAT_HEADER, header, mdat_header};
use super::start::{FileReader, Start};
use crate::bmff::{BadIndex, BoxHeader, BoxWriter, Brands, ChunkTables};
use crate::object::{Fit, ObjectLayout};
use crate::{FileName, ReadAt, SalvageError};

/// The largest index that is read. One of a day has 60 MB.
const INDEX_LIMIT: u64 = 1 << 30;

/// The object of a file in any state, as a fragmented one.
pub(crate) fn growing(source: &dyn ReadAt, fit: Fit) -> Result<Option<ObjectLayout>, SalvageError> {
    let file = FileName::mp4();
    let reader = FileReader { file: &file, source };
    let Some(start) = Start::read(&reader)? else { return Ok(None) };
    // In this order: an index is appended only after the header that tells where the media before it ends.
    let len = reader.len();
    let end = reader.media_end(&start.head)?.map_or(len, |end| end.min(len));
    let body = start.head.media_start()..end;
    if body.is_empty() {
        return Ok(None);
    }
    let mut head = BoxWriter::with_capacity(1024);
    Brands::RECORDING.write(&mut head);
    header(&mut head, start.head.moov_len, b"moov");
    let head = match fit {
        Fit::Exact => {
            head.raw(&start.init_body);
            head.into_bytes()
        }
        // All that differs when the file has been finished already.
        Fit::Same => {
            let turned = head.into_bytes();
            let mut head = reader.head(&start.head)?;
            if let Some(place) = head.get_mut(..turned.len()) {
                place.copy_from_slice(&turned);
            }
            head
        }
    };
    Ok(Some(ObjectLayout { head: head.into(), body }))
}

/// The object of a finished file.
pub(crate) fn finished(source: &dyn ReadAt, fit: Fit) -> Result<ObjectLayout, SalvageError> {
    let file = FileName::mp4();
    let reader = FileReader { file: &file, source };
    let whole = Finished::read(&reader)?;
    match fit {
        Fit::Exact => Ok(ObjectLayout { head: whole.exact_head(&reader)?, body: whole.media }),
        Fit::Same => {
            Ok(ObjectLayout { head: reader.head(&whole.head)?.into(), body: whole.head.media_start()..whole.len })
        }
    }
}

/// Where things are in a finished file.
struct Finished {
    head: Head,
    /// Where the index is, a whole `moov`.
    index: Range<u64>,
    /// Where the fragments are.
    media: Range<u64>,
    /// Bytes of the file.
    len: u64,
}

impl Finished {
    fn read(reader: &FileReader<'_>) -> Result<Self, SalvageError> {
        let Some(start) = Start::read(reader)? else { return Err(reader.damaged(0, "it ends before its media")) };
        if !start.flipped {
            return Err(reader.damaged(0, "it is not finished"));
        }
        let (head, len) = (start.head, reader.len());
        let (media_start, mdat_start) = (head.media_start(), head.mdat_start());
        let Some(media_end) = reader.media_end(&head)?.filter(|end| (media_start + 1..=len).contains(end)) else {
            return Err(reader.damaged(mdat_start, "the size of its media is impossible"));
        };

        // The first `free` reaches to the index, or to the media when the index is behind that.
        let free_end = reader.end_of(FTYP_LEN, b"free")?.unwrap_or(0);
        let (index_at, at_end) = if free_end == mdat_start { (media_end, true) } else { (free_end, false) };
        let Some(index_end) = reader.end_of(index_at, b"moov")? else {
            return Err(reader.damaged(index_at, "its index is not there"));
        };
        let fits = if at_end {
            index_end == len
        } else {
            let filled = index_end == mdat_start || reader.end_of(index_end, b"free")? == Some(mdat_start);
            filled && media_end == len
        };
        if !fits {
            return Err(reader.damaged(index_at, "its index does not end where the next box begins"));
        }
        Ok(Self { head, index: index_at..index_end, media: media_start..media_end, len })
    }

    /// `ftyp`, the index for media that stands right behind this, and the header of the large `mdat`.
    fn exact_head(&self, reader: &FileReader<'_>) -> Result<Bytes, SalvageError> {
        let index_at = self.index.start;
        let index_len = self.index.end.saturating_sub(index_at);
        if index_len > INDEX_LIMIT {
            return Err(reader.damaged(index_at, "its index is too long"));
        }
        let index = reader.whole(index_at, index_len)?;
        let bad = |BadIndex { at, problem }| reader.damaged(index_at.saturating_add(at as u64), problem);
        let mut tables = ChunkTables::find(&index, &self.media).map_err(bad)?;
        let index_len = tables.move_media(FTYP_LEN + MDAT_HEADER);
        let head_len = FTYP_LEN + index_len + MDAT_HEADER;
        let mut head = BoxWriter::with_capacity(usize::try_from(head_len).unwrap_or(0));
        Brands::FINISHED.write(&mut head);
        tables.write(&mut head).map_err(bad)?;
        mdat_header(&mut head, self.media.end - self.media.start);
        debug_assert_eq!(head.len() as u64, head_len);
        Ok(head.into_bytes().into())
    }
}

impl FileReader<'_> {
    /// The `len` bytes from `at` on.
    fn whole(&self, at: u64, len: u64) -> Result<Vec<u8>, SalvageError> {
        let mut bytes = Vec::new();
        self.read(at, len, &mut bytes)?;
        if bytes.len() as u64 != len {
            return Err(self.damaged(at, "it has become shorter"));
        }
        Ok(bytes)
    }

    /// Everything before the media.
    fn head(&self, head: &Head) -> Result<Vec<u8>, SalvageError> {
        if head.media_start() > HEAD_LIMIT {
            return Err(self.damaged(FTYP_LEN + head.moov_len, "the room for its index is too large"));
        }
        self.whole(0, head.media_start())
    }

    /// Where the media ends, as soon as the header of the large `mdat` says so.
    fn media_end(&self, head: &Head) -> Result<Option<u64>, SalvageError> {
        let at = head.mdat_start();
        Ok(self
            .box_at(at)?
            .filter(|(found, _)| found.header_len == MDAT_HEADER && &found.kind == b"mdat")
            .map(|(_, end)| end))
    }

    /// Where the box of type `kind` ends that begins at `at`.
    fn end_of(&self, at: u64, kind: &[u8; 4]) -> Result<Option<u64>, SalvageError> {
        Ok(self.box_at(at)?.filter(|(found, _)| found.header_len == HEADER && found.kind == *kind).map(|(_, end)| end))
    }

    /// The header of the box at `at`, and where the box ends.
    fn box_at(&self, at: u64) -> Result<Option<(BoxHeader, u64)>, SalvageError> {
        let mut bytes = Vec::new();
        self.read(at, BoxHeader::MAX_LEN as u64, &mut bytes)?;
        let header = BoxHeader::parse(&bytes);
        Ok(header.and_then(|header| Some((header, at.checked_add(header.size?)?))))
    }
}

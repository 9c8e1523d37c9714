//! Completing a file that a crash left.
//!
//! Procedure, the same for every state the file can be in (growing, prepared, finished but not
//! renamed, finished):
//! 1. Read the head. `ftyp` tells whether the file has been flipped; the body of the first `moov` and
//!    the header of the first `free` are intact either way.
//! 2. Walk the fragments from the first one on, reading each `moof` (never media), and make the index
//!    again. In a flipped file they lie within the large `mdat`. Frames that reach past the end of the
//!    file are left out; every whole frame of a fragment whose `mdat` is torn is kept. What is not a
//!    whole fragment ends the walk.
//! 3. Unless the file is already whole: cut it after the last whole frame, make a torn `mdat` end
//!    there, and complete it as the muxer would have.
//! 4. Where an initialisation section for playlists stands beside it, make the playlists again from the
//!    fragments that are whole, and write those that do not stand there already. Where it cannot be read,
//!    there are none: one that was growing is removed.
//!
//! Doing this again after any part of it gives the same file: cutting keeps exactly the frames that
//! were whole, nothing that is appended can be taken for one, and the index depends on nothing else.

use bytes::Bytes;
use livetape_media::WallTime;

use super::layout::{Completed, FTYP_LEN, Head, Place};
use super::start::{FileReader, Start};
use super::summary::summary;
use crate::bmff::{
    BoxHeader, InitSection, Movie, PRFT_LEN, ReadRun, TrackEntry, TrackIndex, progressive, read_fragment, read_prft,
    sequence_number,
};
use crate::hls::over::{FragmentRun, Over, Stamp, init_file};
use crate::{FileName, Files, Op, PlaylistSummary, Salvage, SalvageError, Summary};

/// No `moof` comes near this: it would describe a million frames.
const MOOF_LIMIT: u64 = 16 << 20;
/// More than this cannot be one torn fragment: a file that holds it is not empty.
const TORN_LIMIT: u64 = 64 << 20;
/// What is read of a fragment at once: enough for the `moof` of an ordinary one.
const WINDOW: u64 = 4096;
/// No playlist over an MP4 comes near this.
const SMALL: u64 = 64 << 20;

/// Finds out what of the recording is whole.
pub(crate) fn salvage(files: &dyn Files) -> Result<Salvage, SalvageError> {
    let file = FileName::mp4();
    let list = files.list().map_err(SalvageError::List)?;
    let Some(growing) = list.iter().find(|(name, _)| *name == file).map(|(_, growing)| *growing) else {
        return Ok(Salvage::Empty);
    };
    let source = files.open(&file).map_err(|source| SalvageError::Read { file: file.clone(), source })?;
    let reader = FileReader { file: &file, source: source.as_ref() };
    let Some(start) = Start::read(&reader)? else { return Ok(Salvage::Empty) };
    let mut torn = Torn::new(start);
    torn.over = over(files, &list, &torn.init)?;
    torn.read_fragments(&reader)?;
    let over = torn.over.take();
    let mut salvage = torn.complete(&reader, growing)?;
    if let Salvage::Complete { ops, summary, .. } = &mut salvage {
        let playlists = over.map(|mut over| complete_playlists(files, &list, &mut over, ops)).transpose()?;
        summary.playlists = playlists.flatten().map(Box::new);
        if summary.playlists.is_none() {
            // Of a playlist that cannot be made again, none is left half written.
            let growing = list.into_iter().filter(|(name, growing)| *growing && *name != file);
            ops.extend(growing.map(|(file, _)| Op::Remove { file }));
        }
    }
    Ok(salvage)
}

/// The playlists that there are to be over the file, with nothing in them yet.
pub(super) fn over(
    files: &dyn Files,
    list: &[(FileName, bool)],
    init: &InitSection,
) -> Result<Option<Over>, SalvageError> {
    if !list.contains(&(init_file(), false)) {
        return Ok(None);
    }
    let data = read(files, &init_file())?;
    let init_bytes = data.len() as u64;
    // One that is damaged is no reason to lose the file.
    let stamp = Stamp::read(&data);
    Ok(stamp.map(|stamp| Over::new(stamp, FileName::mp4(), &init.tracks, init.zero, init_bytes)))
}

/// Writes the playlists that do not stand there as they must; what they then hold.
fn complete_playlists(
    files: &dyn Files,
    list: &[(FileName, bool)],
    over: &mut Over,
    ops: &mut Vec<Op>,
) -> Result<Option<PlaylistSummary>, SalvageError> {
    let Some((playlists, summary)) = over.finish() else { return Ok(None) };
    for (file, data) in playlists {
        let found = list.iter().find(|(name, _)| *name == file).map(|(_, growing)| *growing);
        if found == Some(false) && read(files, &file)? == data {
            continue;
        }
        if found == Some(true) {
            ops.push(Op::Remove { file: file.clone() });
        }
        ops.push(Op::Whole { file, data });
    }
    Ok(Some(summary))
}

/// All of a small file.
pub(super) fn read(files: &dyn Files, file: &FileName) -> Result<Vec<u8>, SalvageError> {
    let read = || {
        let opened = files.open(file)?;
        let mut data = vec![0; usize::try_from(opened.len().min(SMALL)).unwrap_or(0)];
        opened.read_exact_at(0, &mut data)?;
        Ok(data)
    };
    read().map_err(|source| SalvageError::Read { file: file.clone(), source })
}

/// Which fragments count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// The whole frames of one that is torn as well.
    WholeFrames,
    /// Those that are whole.
    WholeFragments,
}

/// What of a file has been understood.
pub(super) struct Torn {
    pub(super) walk: Walk,
    flipped: bool,
    pub(super) head: Head,
    pub(super) init: InitSection,
    pub(super) indexes: Vec<TrackIndex>,
    /// Where the last whole frame, or the `mdat` that holds it, ends.
    pub(super) media_end: u64,
    /// The sequence number of the last fragment.
    pub(super) fragments: u32,
    /// Whole fragments hold frames of tracks that the first index does not name.
    unknown: bool,
    /// There is a fragment that lacks frames it names, or an index behind the media.
    completed: bool,
    /// Where the header of a torn `mdat` stands of which some frames are kept.
    torn_mdat: Option<u64>,
    /// Bytes of the index that stands after the media, when it is whole.
    index_at_end: Option<u64>,
    /// Bytes of media at the end of the file that are not whole.
    pub(super) cut_bytes: u64,
    /// Playlists over the whole fragments.
    pub(super) over: Option<Over>,
}

impl Torn {
    /// Nothing but the head, so far.
    pub(super) fn new(start: Start) -> Self {
        let Start { flipped, head, init, .. } = start;
        let indexes = init.tracks.iter().map(|_| TrackIndex::default()).collect();
        Self {
            walk: Walk::WholeFrames,
            flipped,
            head,
            init,
            indexes,
            media_end: head.media_start(),
            fragments: 0,
            unknown: false,
            completed: false,
            torn_mdat: None,
            index_at_end: None,
            cut_bytes: 0,
            over: None,
        }
    }

    /// Whether it holds whole fragments and nothing that salvage, or an end, has made of some.
    pub(super) fn is_plain(&self) -> bool {
        !self.unknown && !self.completed
    }

    /// Walks the fragments to the end of the file or of what is whole.
    pub(super) fn read_fragments(&mut self, reader: &FileReader<'_>) -> Result<(), SalvageError> {
        let mut window = Vec::new();
        let mut runs = Vec::new();
        let mut at = self.media_end;
        loop {
            reader.read(at, WINDOW, &mut window)?;
            let Some(BoxHeader { kind, size: Some(size), header_len }) = BoxHeader::parse(&window) else { break };
            match &kind {
                b"moof" if size <= MOOF_LIMIT => {}
                b"prft" if size == PRFT_LEN => {
                    let Some(body) = window.get(header_len as usize..size as usize) else { break };
                    if let (Some(over), Some(wall)) = (&mut self.over, read_prft(body)) {
                        over.resume(wall, &mut Vec::new());
                    }
                    at += size;
                    continue;
                }
                b"moov" => {
                    self.completed = true;
                    self.index_at_end = Some(size).filter(|size| at.checked_add(*size) == Some(reader.len()));
                    return Ok(());
                }
                _ => break,
            }
            let wanted = size + BoxHeader::MAX_LEN as u64;
            if wanted > WINDOW {
                reader.read(at, wanted, &mut window)?;
            }
            let (Some(body), Some(after)) =
                (window.get(header_len as usize..size as usize), window.get(size as usize..))
            else {
                break;
            };
            let (Some(count), Some(mdat)) = (read_fragment(body, &mut runs), BoxHeader::parse(after)) else { break };
            // A fragment's own mdat always has a 32-bit size.
            let BoxHeader { kind: [b'm', b'd', b'a', b't'], size: Some(mdat_size), header_len: 8 } = mdat else {
                break;
            };
            let data_start = at + size + mdat.header_len;
            let Some(end) = (at + size).checked_add(mdat_size) else { break };
            if end > reader.len() && self.walk == Walk::WholeFragments {
                break;
            }
            let whole_until = end.min(reader.len());
            let mut whole = true;
            self.fragments = sequence_number(body).unwrap_or(self.fragments);
            for run in runs.iter().take(count) {
                whole &= self.keep(run, at, data_start, whole_until);
            }
            if end > reader.len() {
                self.torn_mdat = Some(at + size).filter(|mdat_at| self.media_end > *mdat_at);
                break;
            }
            // In one whose end was cut off before, frames are missing that it names.
            self.completed |= !whole;
            if let Some(over) = self.over.as_mut().filter(|_| whole) {
                let runs = runs.iter().take(count);
                let runs = runs.map(|run| FragmentRun { number: run.number, dts: run.dts, samples: &run.samples });
                over.fragment(at..end, runs, &mut Vec::new());
            }
            self.media_end = end;
            at = end;
        }
        self.cut_bytes = reader.len().saturating_sub(self.media_end);
        Ok(())
    }

    /// Takes the frames of `run`, of the fragment at `moof_at`, that lie between `from` and `until`. Whether those
    /// are all.
    fn keep(&mut self, run: &ReadRun, moof_at: u64, from: u64, until: u64) -> bool {
        let Some(track) = self.init.tracks.iter().position(|track| track.number == run.number) else {
            self.unknown = true;
            return false;
        };
        let Some(index) = self.indexes.get_mut(track) else { return false };
        let start = moof_at.saturating_add(run.offset);
        if start < from {
            return false;
        }
        let mut end = start;
        let whole = run.samples.iter().take_while(|sample| {
            let sample_end = end.saturating_add(u64::from(sample.size));
            let fits = sample_end <= until;
            if fits {
                end = sample_end;
            }
            fits
        });
        let count = whole.count();
        if let Some(samples) = run.samples.get(..count).filter(|samples| !samples.is_empty()) {
            index.push_samples(start, run.dts, samples);
            self.media_end = self.media_end.max(end);
        }
        count == run.samples.len()
    }

    fn complete(self, reader: &FileReader<'_>, growing: bool) -> Result<Salvage, SalvageError> {
        let tracks: Vec<(&TrackEntry, &TrackIndex)> =
            self.init.tracks.iter().zip(&self.indexes).filter(|(_, index)| index.samples() > 0).collect();
        if tracks.is_empty() {
            let start = self.head.media_start();
            if self.unknown {
                return Err(reader.damaged(FTYP_LEN, "its first index names none of the tracks of its fragments"));
            }
            if reader.len() - start > TORN_LIMIT {
                return Err(reader.damaged(start, "its first fragment cannot be read"));
            }
            return Ok(Salvage::Empty);
        }
        let (wall_start, zero): (WallTime, _) = (self.init.wall_start, self.init.zero);
        let movie = Movie::of(&tracks);
        let index = progressive(&movie, &tracks, wall_start, zero);
        let describe = |completed| -> Summary { summary(&tracks, &movie, zero, completed) };

        if self.flipped && self.index_stands(reader, &index)? {
            let completed =
                Completed { size_bytes: reader.len(), index_at_end: self.head.place(index.len() as u64) == Place::End };
            let ops = if growing { vec![Op::Finish { file: reader.file.clone() }] } else { Vec::new() };
            return Ok(Salvage::Complete { ops, summary: describe(completed), cut_bytes: 0 });
        }
        if !growing {
            return Err(reader.damaged(FTYP_LEN, "it bears its final name but is not finished"));
        }
        let mut ops = Vec::new();
        if reader.len() > self.media_end {
            ops.push(Op::Truncate { file: reader.file.clone(), len: self.media_end });
        }
        if let Some(mdat_at) = self.torn_mdat {
            let size = u32::try_from(self.media_end - mdat_at).unwrap_or(u32::MAX);
            let data = Bytes::copy_from_slice(&size.to_be_bytes());
            ops.push(Op::Patch { file: reader.file.clone(), offset: mdat_at, data });
        }
        let completed = self.head.complete(reader.file, self.media_end, index, &mut ops);
        Ok(Salvage::Complete { ops, summary: describe(completed), cut_bytes: self.cut_bytes })
    }

    /// Whether the flipped file already has its index, where it belongs and as long as it must be.
    fn index_stands(&self, reader: &FileReader<'_>, index: &[u8]) -> Result<bool, SalvageError> {
        match self.head.place(index.len() as u64) {
            Place::Front { at, .. } => {
                let mut header = Vec::new();
                reader.read(at, 8, &mut header)?;
                Ok(self.cut_bytes == 0 && self.index_at_end.is_none() && index.starts_with(&header))
            }
            Place::End => Ok(self.index_at_end == Some(index.len() as u64)),
        }
    }
}

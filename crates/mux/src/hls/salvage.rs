//! Completing a recording that a crash left: every segment that holds a whole frame is finished and
//! listed, and the playlists that were still to come are written.
//!
//! Procedure; each step finds the work of the steps before it done when it is repeated:
//! 1. growing segments are cut behind their last whole fragment and finished; one that holds no
//!    frame is removed;
//! 2. the growing playlist is cut behind its last whole entry, lists the segments it lacks, and ends;
//! 3. `vod.m3u8` and `index.m3u8` are written.
//!
//! How long a segment lasts is said by the one after it (see [`super::stamp`]); only the last one is
//! read through.

mod content;
mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use livetape_media::{CodecConfig, MediaTime, Track, TrackId, TrackKind, WallTime};

use super::playlist::{self, PlaylistType};
use super::publish::Publisher;
use super::segments::{Mark, SegmentList};
use super::stamp::Stamp;
use super::totals::{Peak, Totals};
use crate::rate::RateMeter;
use crate::{FileName, Files, Op, Salvage, SalvageError, SegmentType, Summary};
use content::Content;
pub(super) use content::WriterState;
use listing::{Listing, segment_number};

/// Finds out what of a recording is whole. `wall_start` is the calendar's time at its start.
pub(crate) fn salvage(files: &dyn Files, wall_start: WallTime) -> Result<Salvage, SalvageError> {
    let Some(mut found) = Found::list(files)? else { return Ok(Salvage::Empty) };
    let mut ops = Vec::new();
    let mut cut_bytes = found.finish_growing(&mut ops)?;
    let Some(last) = found.last()? else { return Ok(Salvage::Empty) };
    let last_stamp = last.stamp.unwrap_or_default();

    let (listing, present, playlist_len) = found.listing()?;
    let segments = found.complete(&listing, &last, wall_start)?;
    let text = found.playlist_text(&listing, &segments, segments.target_duration());
    let whole_len = listing.whole_len as u64;
    match present {
        // It was finished, and says all there is to say, and no more.
        Some(Growing::No)
            if listing.ended && text.is_empty() && playlist_len == whole_len + playlist::END.len() as u64 => {}
        // Not by a crash of ours; it is small and is written anew.
        Some(Growing::No) => {
            let head = found.read(playlist::GROWING)?;
            let mut whole = head.get(..listing.whole_len).unwrap_or_default().to_vec();
            whole.extend_from_slice(text.as_bytes());
            whole.extend_from_slice(playlist::END.as_bytes());
            ops.push(Op::Whole { file: growing_playlist(), data: whole.into() });
        }
        Some(Growing::Yes) => {
            let ended = listing.ended && text.is_empty();
            let keep = whole_len + if ended { playlist::END.len() as u64 } else { 0 };
            if playlist_len > keep {
                cut_bytes += playlist_len - keep;
                ops.push(Op::Truncate { file: growing_playlist(), len: keep });
            }
            if !ended {
                ops.push(append(format!("{text}{}", playlist::END)));
            }
            ops.push(Op::Finish { file: growing_playlist() });
        }
        None => {
            ops.push(Op::Create { file: growing_playlist() });
            ops.push(append(format!("{text}{}", playlist::END)));
            ops.push(Op::Finish { file: growing_playlist() });
        }
    }

    let growing_bytes = whole_len + (text.len() + playlist::END.len()) as u64;
    let totals = found.totals(&last, &last_stamp, &segments)?;
    let mut summary = Summary {
        duration: Duration::from_millis(segments.total_ms()),
        start: last_stamp.start,
        repaired_frames: last_stamp.repaired,
        ..Summary::default()
    };
    let configurations = found.configurations(&segments, &totals, &last_stamp)?;
    let first = |kind| configurations.iter().flatten().find(|track| track.id.kind == kind);
    totals.describe(first(TrackKind::Video), first(TrackKind::Audio), &mut summary);
    let mut publisher = Publisher::resume(found.kind, segments, growing_bytes);
    configurations.iter().for_each(|tracks| publisher.configure(tracks));
    publisher.finish(&totals, &mut ops);
    summary.size_bytes = totals.bytes + publisher.bytes();
    Ok(Salvage::Complete { ops, summary, cut_bytes })
}

/// Whether a file still bears its temporary name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growing {
    Yes,
    No,
}

/// The files of a recording.
pub(super) struct Found<'a> {
    files: &'a dyn Files,
    pub(super) kind: SegmentType,
    /// Segments by number, from 0 on without a gap.
    segments: BTreeMap<u32, Growing>,
    inits: BTreeSet<u32>,
    playlist: Option<Growing>,
    /// What growing segments were found to hold.
    read: BTreeMap<u32, Content>,
}

impl<'a> Found<'a> {
    /// `None` when there is no segment.
    pub(super) fn list(files: &'a dyn Files) -> Result<Option<Self>, SalvageError> {
        let list = files.list().map_err(SalvageError::List)?;
        let kind = |name: &FileName| {
            let kinds = [SegmentType::Fmp4, SegmentType::Ts].into_iter();
            kinds.map(|kind| (kind, segment_number(name.as_str(), kind))).find(|(_, number)| *number == Some(0))
        };
        let Some((kind, _)) = list.iter().find_map(|(name, _)| kind(name)) else { return Ok(None) };
        let mut found = Self {
            files,
            kind,
            segments: BTreeMap::new(),
            inits: BTreeSet::new(),
            playlist: None,
            read: BTreeMap::new(),
        };
        for (name, growing) in &list {
            let growing = if *growing { Growing::Yes } else { Growing::No };
            let init = name.as_str().strip_prefix("init-").and_then(|rest| rest.strip_suffix(".mp4")?.parse().ok());
            if let Some(number) = segment_number(name.as_str(), kind) {
                found.segments.insert(number, growing);
            } else if let Some(number) = init.filter(|_| growing == Growing::No) {
                found.inits.insert(number);
            } else if name.as_str() == playlist::GROWING {
                found.playlist = Some(growing);
            }
        }
        // Segments are made one after the other, so there is no gap but by a hand from outside.
        let gap = (0..).zip(found.segments.keys()).find(|(expected, number)| expected != *number);
        if let Some((expected, _)) = gap {
            found.segments.split_off(&expected);
        }
        Ok(Some(found))
    }

    /// Cuts and finishes growing segments, or removes them. Returns how many bytes are cut.
    pub(super) fn finish_growing(&mut self, ops: &mut Vec<Op>) -> Result<u64, SalvageError> {
        let growing = self.segments.iter().filter(|(_, growing)| **growing == Growing::Yes);
        let mut cut_bytes = 0;
        for number in growing.map(|(number, _)| *number).collect::<Vec<_>>() {
            let file = self.segment(number);
            let content = Content::read(self.files, &file, self.kind)?;
            let len = self.len(&file)?;
            cut_bytes += len - content.whole_bytes.min(len);
            if content.pictures + content.sounds == 0 {
                ops.push(Op::Remove { file });
                // Nothing can follow it.
                self.segments.split_off(&number);
                break;
            }
            if content.whole_bytes < len {
                ops.push(Op::Truncate { file: file.clone(), len: content.whole_bytes });
            }
            ops.push(Op::Finish { file });
            self.read.insert(number, content);
        }
        Ok(cut_bytes)
    }

    /// What the last segment holds; `None` when there is no segment.
    pub(super) fn last(&mut self) -> Result<Option<Content>, SalvageError> {
        let Some((&number, _)) = self.segments.last_key_value() else { return Ok(None) };
        let file = self.segment(number);
        let content = match self.read.remove(&number) {
            Some(content) => content,
            None => Content::read(self.files, &file, self.kind)?,
        };
        match content.stamp {
            Some(stamp) if stamp.number == number => Ok(Some(content)),
            _ => Err(no_stamp(file)),
        }
    }

    /// What the growing playlist lists, whether it is there, and its length.
    pub(super) fn listing(&self) -> Result<(Listing, Option<Growing>, u64), SalvageError> {
        if self.playlist.is_none() {
            return Ok((Listing::default(), None, 0));
        }
        let text = self.read(playlist::GROWING)?;
        let exist = self.segments.len() as u32;
        Ok((Listing::parse(&text, self.kind, exist), self.playlist, text.len() as u64))
    }

    /// Every segment: those that are listed, and those that are not yet.
    pub(super) fn complete(
        &self,
        listing: &Listing,
        last: &Content,
        wall_start: WallTime,
    ) -> Result<SegmentList, SalvageError> {
        let mut segments = listing.segments.clone();
        let mut next = None;
        while segments.len() < self.segments.len() as u32 {
            let number = segments.len();
            let stamp = match next.take() {
                Some(stamp) => stamp,
                None => self.stamp(number)?,
            };
            let is_last = number as usize + 1 == self.segments.len();
            let duration_ms = if is_last {
                let millis = (last.ends - stamp.begins + MediaTime::from_nanos(500_000)).as_millis();
                let most = listing.target_duration.map_or(u32::MAX, |seconds| seconds.saturating_mul(1000) + 499);
                u32::try_from(millis).unwrap_or(0).clamp(1, most)
            } else {
                let after = next.insert(self.stamp(number + 1)?);
                u32::try_from(after.duration_ms.saturating_sub(stamp.duration_ms)).unwrap_or(u32::MAX).max(1)
            };
            let wall = if number == 0 { wall_start } else { stamp.wall };
            let map = (self.kind == SegmentType::Fmp4).then_some(stamp.init);
            let mark = Mark { number, discontinuity: stamp.discontinuity, wall, map };
            segments.push(duration_ms, stamp.marked.then_some(mark));
        }
        Ok(segments)
    }

    /// What the growing playlist lacks before its end; `declared` is its TARGETDURATION, unless it says one.
    pub(super) fn playlist_text(&self, listing: &Listing, segments: &SegmentList, declared: u32) -> String {
        let mut text = match listing.target_duration {
            Some(_) => String::new(),
            None => playlist::header(self.kind, PlaylistType::Event, declared),
        };
        for (number, duration_ms, mark) in segments.iter().skip(listing.segments.len() as usize) {
            playlist::entry(&mut text, self.kind, number, duration_ms, mark);
        }
        text
    }

    pub(super) fn totals(&self, last: &Content, stamp: &Stamp, segments: &SegmentList) -> Result<Totals, SalvageError> {
        let mut rate = RateMeter::resume(stamp.intervals, stamp.span_nanos);
        rate.add(&last.rate);
        let mut peak = Peak::resume(stamp.peak_bit_rate);
        let duration_ms = segments.iter().last().map_or(0, |(_, duration_ms, _)| duration_ms);
        peak.segment(duration_ms, last.whole_bytes);
        let mut bytes = stamp.bytes + last.whole_bytes;
        for number in self.inits.iter().filter(|number| **number > stamp.init) {
            bytes += self.len(&playlist::init_name(*number))?;
        }
        Ok(Totals {
            pictures: stamp.pictures + last.pictures,
            sounds: stamp.sounds + last.sounds,
            rate,
            bytes,
            peak,
            dependent: stamp.dependent_before || !last.independent,
        })
    }

    /// The tracks of each configuration the recording has had, in order.
    pub(super) fn configurations(
        &self,
        segments: &SegmentList,
        totals: &Totals,
        last: &Stamp,
    ) -> Result<Vec<Vec<Track>>, SalvageError> {
        match self.kind {
            SegmentType::Fmp4 => (0..=last.init).map(|number| self.init_tracks(number)).collect(),
            SegmentType::Ts => {
                let marked = segments.marks().iter().map(|mark| self.head_tracks(mark.number));
                let mut all = marked.collect::<Result<Vec<_>, _>>()?;
                // A track may have begun, or begun again, long after the mark.
                for (kind, count) in [(TrackKind::Video, totals.pictures), (TrackKind::Audio, totals.sounds)] {
                    if count > 0 && !all.iter().flatten().any(|track| track.id.kind == kind) {
                        all.push(self.head_tracks(self.first_with(kind)?)?);
                    }
                }
                Ok(all)
            }
        }
    }

    /// The first segment that has a frame of `kind`, which there is.
    fn first_with(&self, kind: TrackKind) -> Result<u32, SalvageError> {
        let (mut without, mut with) = (0, self.segments.len() as u32 - 1);
        while without < with {
            let middle = without + (with - without) / 2;
            let after = self.stamp(middle + 1)?;
            let count = if kind == TrackKind::Video { after.pictures } else { after.sounds };
            if count > 0 {
                with = middle;
            } else {
                without = middle + 1;
            }
        }
        Ok(with)
    }

    fn head_tracks(&self, number: u32) -> Result<Vec<Track>, SalvageError> {
        content::head_tracks(self.files, &self.segment(number))
    }

    /// The initialisation section written last.
    pub(super) fn newest_init(&self) -> Option<u32> {
        self.inits.last().copied()
    }

    pub(super) fn init_tracks(&self, number: u32) -> Result<Vec<Track>, SalvageError> {
        let init = content::init_section(self.files, number)?;
        let track = |id: TrackId, config: Option<CodecConfig>| Some(Track { id, config: config? });
        Ok(init.tracks.into_iter().filter_map(|entry| track(entry.id, entry.config)).collect())
    }

    fn stamp(&self, number: u32) -> Result<Stamp, SalvageError> {
        let file = self.segment(number);
        let stamp = content::stamp(self.files, &file, self.kind)?;
        stamp.filter(|stamp| stamp.number == number).ok_or_else(|| no_stamp(file))
    }

    fn segment(&self, number: u32) -> FileName {
        playlist::segment_name(self.kind, number)
    }

    fn len(&self, file: &FileName) -> Result<u64, SalvageError> {
        let opened = self.files.open(file);
        opened.map(|opened| opened.len()).map_err(|source| SalvageError::Read { file: file.clone(), source })
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, SalvageError> {
        let file = FileName::made(name.to_owned());
        let read = || {
            let opened = self.files.open(&file)?;
            let mut data = vec![0; usize::try_from(opened.len()).unwrap_or(0)];
            opened.read_exact_at(0, &mut data)?;
            Ok(data)
        };
        read().map_err(|source| SalvageError::Read { file: file.clone(), source })
    }
}

pub(super) fn growing_playlist() -> FileName {
    FileName::made(playlist::GROWING.to_owned())
}

pub(super) fn append(text: String) -> Op {
    Op::Append { file: growing_playlist(), slices: vec![Bytes::from(text)] }
}

fn no_stamp(file: FileName) -> SalvageError {
    let problem = "it does not say which segment it is; it was not written by this program".to_owned();
    SalvageError::Damaged { file, at: 0, problem }
}

//! What is whole in one segment.

use std::io;

use bytes::Bytes;
use livetape_media::{MediaTime, Track};

use super::super::playlist;
use super::super::stamp::Stamp;
use crate::bmff::{BoxHeader, InitSection, Sample, TrackEntry, read_fragment, sequence_number};
use crate::rate::RateMeter;
use crate::ts::{SegmentScan, StreamState};
use crate::{FileName, Files, ReadAt, SalvageError, SegmentType};

/// The largest box that is read into memory: the table of one fragment.
const LARGEST_BOX: u64 = 64 << 20;

/// How the writer of a segment stood at its last whole fragment.
#[derive(Debug, Default)]
pub(in crate::hls) struct WriterState {
    /// fMP4: the number of the last fragment.
    pub(in crate::hls) sequence: u32,
    /// Transport stream: what its packets count.
    pub(in crate::hls) stream: StreamState,
}

/// What is whole in one segment.
#[derive(Debug, Default)]
pub(in crate::hls) struct Content {
    /// What it says of itself; none when not even that is whole.
    pub(in crate::hls) stamp: Option<Stamp>,
    /// Where its last whole fragment (transport stream: frame) ends.
    pub(super) whole_bytes: u64,
    /// Pictures in it.
    pub(super) pictures: u64,
    /// Sounds in it.
    pub(super) sounds: u64,
    /// The rate of its pictures.
    pub(super) rate: RateMeter,
    /// It begins with a key frame, or has no picture.
    pub(super) independent: bool,
    /// Where its last frame ends, on the session's timeline.
    pub(in crate::hls) ends: MediaTime,
    /// How long after its decoding its first picture is shown.
    pub(in crate::hls) delay: MediaTime,
    /// How its writer stood behind that.
    pub(in crate::hls) writer: WriterState,
}

/// Reads what a segment says of itself and nothing else.
pub(super) fn stamp(files: &dyn Files, file: &FileName, kind: SegmentType) -> Result<Option<Stamp>, SalvageError> {
    /// Both kinds of segments have it within their first 564 bytes.
    const HEAD: usize = 564;
    let opened = open(files, file)?;
    let mut head = vec![0; HEAD.min(usize::try_from(opened.len()).unwrap_or(HEAD))];
    opened.read_exact_at(0, &mut head).map_err(|source| unreadable(file, source))?;
    let at = match kind {
        SegmentType::Fmp4 => 32,
        SegmentType::Ts => 2 * 188 + 4,
    };
    Ok(head.get(at..).and_then(Stamp::read))
}

impl Content {
    /// Reads a whole segment.
    pub(super) fn read(files: &dyn Files, file: &FileName, kind: SegmentType) -> Result<Self, SalvageError> {
        let stamp = stamp(files, file, kind)?;
        let opened = open(files, file)?;
        let mut content = Self { stamp, independent: true, ..Self::default() };
        let Some(stamp) = stamp else { return Ok(content) };
        content.ends = stamp.begins;
        match kind {
            SegmentType::Ts => {
                let scan = SegmentScan::read(&*opened).map_err(|source| unreadable(file, source))?;
                content.take_scan(&scan, &stamp);
            }
            SegmentType::Fmp4 => {
                let init = init_section(files, stamp.init)?;
                content.take_fragments(&*opened, file, &init, &stamp)?;
            }
        }
        Ok(content)
    }

    fn take_scan(&mut self, scan: &SegmentScan, stamp: &Stamp) {
        self.whole_bytes = scan.whole_bytes;
        self.writer.stream = scan.state;
        self.delay = scan.delay();
        self.pictures = scan.video.frames;
        self.sounds = scan.audio.frames;
        self.rate = scan.video.rate;
        self.independent = scan.begins_with_key != Some(false);
        let moment = |ticks| SegmentScan::moment(ticks, stamp.start, stamp.begins);
        if let Some((first, end)) = scan.video.span {
            self.pictures_end(moment(first), moment(end), stamp);
        }
        if let Some((_, end)) = scan.audio.span {
            self.ends = self.ends.max(moment(end));
        }
    }

    /// The segment begins where its first picture is shown, and lasts as long as pictures come.
    fn pictures_end(&mut self, first: MediaTime, end: MediaTime, stamp: &Stamp) {
        self.ends = self.ends.max(stamp.begins + (end - first));
    }

    /// Walks the fragments: `styp | free | moof mdat | moof mdat ...`
    fn take_fragments(
        &mut self,
        opened: &dyn ReadAt,
        file: &FileName,
        init: &InitSection,
        stamp: &Stamp,
    ) -> Result<(), SalvageError> {
        let mut runs = Vec::new();
        let mut pictures: Option<(MediaTime, MediaTime)> = None;
        let mut table: Option<Bytes> = None;
        let mut unknown = false;
        let mut at = 0;
        while let Some((header, size)) = box_at(opened, file, at)? {
            match &header.kind {
                b"moof" if size <= LARGEST_BOX => {
                    let mut body = vec![0; usize::try_from(size - header.header_len).unwrap_or(0)];
                    let read = opened.read_exact_at(at + header.header_len, &mut body);
                    read.map_err(|source| unreadable(file, source))?;
                    table = Some(body.into());
                }
                b"mdat" => {
                    let Some(moof) = table.take() else { break };
                    let Some(count) = read_fragment(&moof, &mut runs) else { break };
                    for run in runs.iter().take(count) {
                        let entry = init.tracks.iter().find(|entry| entry.number == run.number);
                        let Some(entry) = entry else {
                            unknown = true;
                            continue;
                        };
                        let span = self.take_run(run.dts, &run.samples, entry, init.zero);
                        if entry.is_video() {
                            pictures = Some((pictures.map_or(span.0, |(first, _)| first), span.1));
                        } else {
                            self.ends = self.ends.max(span.1);
                        }
                    }
                    self.whole_bytes = at + size;
                    self.writer.sequence = sequence_number(&moof).unwrap_or(self.writer.sequence);
                }
                b"styp" | b"free" => {}
                _ => break,
            }
            at += size;
        }
        if unknown && self.pictures + self.sounds == 0 {
            // There is media, and it must not be taken for nothing.
            let problem = format!("it names none of the tracks in {file}");
            return Err(SalvageError::Damaged { file: playlist::init_name(stamp.init), at: 0, problem });
        }
        if let Some((first, end)) = pictures {
            self.pictures_end(first, end, stamp);
        }
        Ok(())
    }

    /// Counts the frames of a run; returns when the first is decoded and the last one's duration ends.
    fn take_run(
        &mut self,
        dts: u64,
        samples: &[Sample],
        entry: &TrackEntry,
        zero: MediaTime,
    ) -> (MediaTime, MediaTime) {
        let moment =
            |ticks: u64| zero + MediaTime::from_ticks(i64::try_from(ticks).unwrap_or(i64::MAX), entry.timescale);
        if entry.is_video() && self.pictures == 0 {
            self.independent = samples.first().is_none_or(|sample| sample.sync);
            let composition = samples.first().map_or(0, |sample| i64::from(sample.composition));
            self.delay = entry.moment(composition);
        }
        let mut ticks = dts;
        for sample in samples {
            if entry.is_video() {
                self.rate.frame(moment(ticks));
            }
            ticks = ticks.saturating_add(u64::from(sample.duration));
        }
        let count = samples.len() as u64;
        if entry.is_video() {
            self.pictures += count;
        } else {
            self.sounds += count;
        }
        (moment(dts), moment(ticks))
    }
}

/// The header and size of the box at `at`, when all of it is there.
fn box_at(opened: &dyn ReadAt, file: &FileName, at: u64) -> Result<Option<(BoxHeader, u64)>, SalvageError> {
    let left = opened.len().saturating_sub(at);
    let mut head = [0; BoxHeader::MAX_LEN];
    let len = usize::try_from(left).unwrap_or(usize::MAX).min(head.len());
    let head = head.get_mut(..len).unwrap_or_default();
    opened.read_exact_at(at, head).map_err(|source| unreadable(file, source))?;
    let header = BoxHeader::parse(head);
    Ok(header.and_then(|header| Some((header, header.size.filter(|size| *size <= left)?))))
}

/// How the tracks of the segments that use initialisation section `number` are decoded.
pub(super) fn init_section(files: &dyn Files, number: u32) -> Result<InitSection, SalvageError> {
    let file = playlist::init_name(number);
    let opened = open(files, &file)?;
    let damaged =
        |at: u64, problem: &str| SalvageError::Damaged { file: file.clone(), at, problem: problem.to_owned() };
    let mut at = 0;
    while let Some((header, size)) = box_at(&*opened, &file, at)? {
        if &header.kind == b"moov" && size <= LARGEST_BOX {
            let mut body = vec![0; usize::try_from(size - header.header_len).unwrap_or(0)];
            let read = opened.read_exact_at(at + header.header_len, &mut body);
            read.map_err(|source| unreadable(&file, source))?;
            return InitSection::parse(&Bytes::from(body)).ok_or_else(|| damaged(at, "its moov box cannot be read"));
        }
        at += size;
    }
    Err(damaged(at, "it has no moov box"))
}

/// How the tracks of a transport stream segment are decoded.
pub(super) fn head_tracks(files: &dyn Files, file: &FileName) -> Result<Vec<Track>, SalvageError> {
    let opened = open(files, file)?;
    let scan = SegmentScan::read_head(&*opened).map_err(|source| unreadable(file, source))?;
    Ok(scan.tracks)
}

fn open<'a>(files: &'a dyn Files, file: &FileName) -> Result<Box<dyn ReadAt + 'a>, SalvageError> {
    files.open(file).map_err(|source| unreadable(file, source))
}

fn unreadable(file: &FileName, source: io::Error) -> SalvageError {
    SalvageError::Read { file: file.clone(), source }
}

//! MP4: one file that plays at every moment.
//!
//! While it is recorded it is a fragmented MP4; when it is finished, a plain progressive one with its
//! index at the front. No media byte is moved for that (the layouts are drawn in `mp4/layout.rs`).
//!
//! Contract: every frame taken is in the file, bit-exact, in decoding order; pictures keep their
//! times to the tick of 1/90,000 s, sound is moved by less than a millisecond. After every operation
//! the file either holds no whole fragment yet, or plays up to its last whole fragment, or is
//! finished; [`salvage()`] completes it from any of these states.
//!
//! Where it is wanted, HLS playlists whose segments are its fragments are written beside it ([`crate::hls::over`]).
//!
//! Specification: ISO/IEC 14496-12, 14496-14, 14496-15.

mod layout;
pub(crate) mod object;
mod reopen;
mod salvage;
mod start;
mod summary;

pub(crate) use reopen::reopen;
pub(crate) use salvage::salvage;

use livetape_media::{Frame, MediaTime, Track, WallTime};

use crate::bmff::progressive;
use crate::bmff::{
    Brands, Fragment, FragmentLimits, Fragmenter, Movie, Origin, TrackEntry, TrackIndex, init_section, prft,
};
use crate::flushed::Flushed;
use crate::hls::over::{FragmentRun, Over, Stamp, init_file};
use crate::{Begin, FileName, Muxer, NotPossible, Op, Progress, Summary};
use layout::Head;

/// The writer of one MP4 recording.
#[derive(Debug)]
pub struct Mp4Muxer {
    file: FileName,
    wall_start: WallTime,
    start: MediaTime,
    /// Bytes the index is expected to need at most.
    index_bytes: u64,
    tracks: Vec<TrackEntry>,
    indexes: Vec<TrackIndex>,
    fragmenter: Fragmenter,
    /// Written with the first fragment: only then is the timeline's zero known.
    head: Option<Head>,
    /// Bytes in the file.
    len: u64,
    /// Fragments written.
    sequence: u32,
    /// The latest moment shown, as far as it is known.
    until: MediaTime,
    flushed: Flushed,
    /// The next fragment is the first after a pause: the calendar's time there.
    resumed: Option<WallTime>,
    /// Playlists over its fragments: what they are to be made by, and they.
    stamp: Option<Stamp>,
    over: Option<Over>,
}

impl Mp4Muxer {
    /// Opens a recording. Tracks that MP4 cannot carry are left out, and their frames ignored.
    pub fn open(begin: Begin, ops: &mut Vec<Op>) -> Self {
        let file = FileName::mp4();
        let tracks = TrackEntry::of_all(&begin.tracks);
        let layout = &begin.layout;
        let limits = FragmentLimits { duration: layout.fragment, bytes: layout.fragment_max_bytes };
        ops.push(Op::Create { file: file.clone() });
        let stamp = begin.playlists.clone().map(|uri| Stamp::new(uri, layout, begin.start, begin.wall_start));
        Self {
            file,
            wall_start: begin.wall_start,
            start: begin.start,
            index_bytes: layout::index_bytes(&tracks, &begin).min(layout.mp4_reserve_max_bytes),
            indexes: tracks.iter().map(|_| TrackIndex::default()).collect(),
            fragmenter: Fragmenter::new(&tracks, Origin::FirstFragment, limits),
            tracks,
            head: None,
            len: 0,
            sequence: 0,
            until: begin.start,
            flushed: Flushed::default(),
            resumed: None,
            stamp,
            over: None,
        }
    }

    /// Appends a fragment, and before the first one the file's head.
    fn write(&mut self, fragment: Fragment, ops: &mut Vec<Op>) {
        if self.head.is_none() {
            let zero = self.fragmenter.zero().unwrap_or(self.start);
            let init = init_section(Brands::RECORDING, &self.tracks, self.wall_start, zero);
            if let Some(stamp) = self.stamp.take() {
                // Before the media: it says that there are to be playlists.
                let data = stamp.behind(&init);
                self.over = Some(Over::new(stamp, self.file.clone(), &self.tracks, zero, data.len() as u64));
                ops.push(Op::Whole { file: init_file(), data });
            }
            let head = Head::for_recording(init.len() as u64, self.index_bytes);
            head.begin(&self.file, init, ops);
            self.len = head.media_start();
            self.head = Some(head);
        }
        self.sequence = self.sequence.saturating_add(1);
        let mut before = None;
        if let (Some(wall), Some(run)) = (self.resumed.take(), fragment.runs.first()) {
            let said = prft(run.number, run.dts, wall);
            self.len += said.len() as u64;
            before = Some(said);
            if let Some(over) = &mut self.over {
                over.resume(wall, ops);
            }
        }
        let header = fragment.header(self.sequence);
        let mut at = self.len + header.len() as u64;
        for run in &fragment.runs {
            let index = self.tracks.iter().position(|track| track.number == run.number);
            if let Some(index) = index.and_then(|index| self.indexes.get_mut(index)) {
                index.push(at, run);
            }
            at += run.bytes();
        }
        if let Some(over) = &mut self.over {
            let runs = fragment.runs.iter();
            let runs = runs.map(|run| FragmentRun { number: run.number, dts: run.dts, samples: &run.samples });
            over.fragment(self.len..at, runs, ops);
        }
        self.len = at;
        let mut slices = fragment.into_slices(header);
        if let Some(before) = before {
            slices.insert(0, before);
        }
        ops.push(Op::Append { file: self.file.clone(), slices });
    }
}

impl Muxer for Mp4Muxer {
    fn frame(&mut self, frame: &Frame, ops: &mut Vec<Op>) {
        if let Some(fragment) = self.fragmenter.push(frame) {
            self.write(fragment, ops);
        }
        self.until = self.until.max(frame.pts);
        if self.tracks.iter().any(|track| track.id == frame.track) {
            self.flushed.took(frame);
        }
    }

    fn flush(&mut self, ops: &mut Vec<Op>) {
        if let Some(fragment) = self.fragmenter.cut() {
            self.write(fragment, ops);
        }
    }

    fn discontinuity(&mut self, _: &[Track], _: MediaTime, _: WallTime, _: &mut Vec<Op>) -> Result<(), NotPossible> {
        Err(NotPossible)
    }

    fn pause(&mut self, ops: &mut Vec<Op>) {
        if let Some(fragment) = self.fragmenter.finish(None) {
            self.write(fragment, ops);
        }
        if let Some(over) = &mut self.over {
            over.pause(ops);
        }
    }

    /// The last frames before the pause last until those after it.
    fn resume(&mut self, _: MediaTime, wall: WallTime, _: &mut Vec<Op>) {
        self.resumed = Some(wall);
    }

    fn progress(&self) -> Progress {
        Progress {
            size_bytes: self.len,
            duration: (self.until - self.start).to_duration(),
            flushed: self.flushed.until(self.start, self.fragmenter.waiting()),
            segments: 0,
        }
    }

    /// With no frame taken the file is removed: there is no MP4 of nothing.
    fn end(&mut self, end: Option<MediaTime>, ops: &mut Vec<Op>) -> Summary {
        if let Some(fragment) = self.fragmenter.finish(end) {
            self.write(fragment, ops);
        }
        let Some(head) = self.head.take() else {
            ops.push(Op::Remove { file: self.file.clone() });
            return Summary { start: self.start, ..Summary::default() };
        };
        let playlists = self.over.as_mut().and_then(|over| over.end(ops));
        let zero = self.fragmenter.zero().unwrap_or(self.start);
        let tracks: Vec<_> = self.tracks.iter().zip(&self.indexes).filter(|(_, index)| index.samples() > 0).collect();
        let movie = Movie::of(&tracks);
        let index = progressive(&movie, &tracks, self.wall_start, zero);
        let completed = head.complete(&self.file, self.len, index, ops);
        self.len = completed.size_bytes;
        Summary {
            repaired_frames: self.fragmenter.repaired(),
            playlists: playlists.map(Box::new),
            ..summary::summary(&tracks, &movie, zero, completed)
        }
    }
}

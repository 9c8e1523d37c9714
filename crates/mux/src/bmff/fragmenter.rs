//! From frames to fragments: durations, the audio grid, where to cut.
//!
//! A frame's duration is known when the next one of its track comes. So one frame of each track is
//! held back; everything before it can go.

use std::time::Duration;

use bytes::Bytes;
use livetape_media::{Frame, MediaTime};

use super::placement::Placement;
use super::{Fragment, Origin, Run, Sample, TrackEntry};
use crate::flushed::Pending;

/// When a fragment is closed, besides at every key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FragmentLimits {
    /// When the frames of a track span this much.
    pub(crate) duration: Duration,
    /// When its frames have this many bytes together.
    pub(crate) bytes: usize,
}

/// Sound may begin this much before the first picture.
const LEAD: MediaTime = MediaTime::from_millis(1000);
/// A fragment never has more bytes than this before its last frames, whatever the limits say.
const MAX_BYTES: usize = 1 << 30;

/// Cuts the frames of a recording into fragments.
#[derive(Debug)]
pub(crate) struct Fragmenter {
    limits: FragmentLimits,
    origin: Origin,
    /// The common timeline's zero, once it is decided.
    zero: Option<MediaTime>,
    tracks: Vec<TrackFrames>,
    /// Bytes of all frames taken and not cut yet.
    bytes: usize,
}

/// The frames of one track that wait for the cut; the last one waits for its successor.
#[derive(Debug)]
struct TrackFrames {
    entry: TrackEntry,
    placement: Placement,
    waiting: Vec<Waiting>,
    /// How many of `waiting` have been placed.
    placed: usize,
    last_duration: Option<u32>,
}

#[derive(Debug)]
struct Waiting {
    dts: MediaTime,
    pts: MediaTime,
    ticks: i64,
    composition: i32,
    sync: bool,
    data: Bytes,
}

impl Fragmenter {
    /// For `tracks`, which keep their order in every fragment.
    pub(crate) fn new(tracks: &[TrackEntry], origin: Origin, limits: FragmentLimits) -> Self {
        let limits = FragmentLimits { bytes: limits.bytes.clamp(1, MAX_BYTES), ..limits };
        let zero = match origin {
            Origin::At(zero) => Some(zero),
            Origin::FirstFragment => None,
        };
        let tracks = tracks
            .iter()
            .map(|entry| TrackFrames {
                entry: entry.clone(),
                placement: Placement::new(entry),
                waiting: Vec::new(),
                placed: 0,
                last_duration: None,
            })
            .collect();
        Self { limits, origin, zero, tracks, bytes: 0 }
    }

    /// The file holds frames already: of each track the last is decoded at `lasts`, and what comes is placed behind.
    pub(crate) fn go_on_behind(&mut self, lasts: impl Iterator<Item = Option<u64>>) {
        for (track, last) in self.tracks.iter_mut().zip(lasts) {
            track.placement.go_on_behind(last);
        }
    }

    /// Takes one more frame. Returns a fragment when that closes one: always when `frame` is a key
    /// frame of a video track that has frames waiting (the fragment then ends exactly before it), else
    /// when a limit is reached. `frame` itself is never in it. Frames of unknown tracks are ignored.
    pub(crate) fn push(&mut self, frame: &Frame) -> Option<Fragment> {
        let track = self.tracks.iter_mut().find(|track| track.entry.id == frame.track)?;
        let is_key = track.entry.is_video() && frame.random_access && !track.waiting.is_empty();
        track.waiting.push(Waiting {
            dts: frame.dts,
            pts: frame.pts,
            ticks: 0,
            composition: 0,
            sync: frame.random_access,
            data: frame.data.clone(),
        });
        let span = match track.waiting.as_slice() {
            [first, .., last] => last.dts - first.dts,
            _ => MediaTime::ZERO,
        };
        self.bytes = self.bytes.saturating_add(frame.data.len());
        let full = self.bytes >= self.limits.bytes || span >= MediaTime::from(self.limits.duration);
        if is_key || full { self.cut() } else { None }
    }

    /// Closes the fragment now: everything taken so far but the last frame of each track. `None` when
    /// that is nothing.
    pub(crate) fn cut(&mut self) -> Option<Fragment> {
        if self.tracks.iter().all(|track| track.waiting.len() < 2) {
            return None;
        }
        // A track with a single frame gives nothing out yet: its place is found when more is known of it.
        self.place_all(2);
        self.take(|track| track.run(track.waiting.len().saturating_sub(1), None))
    }

    /// Gives out everything that is left. The last picture lasts until `end` when that is known, and
    /// the last frame of each track as long as the one before it otherwise.
    pub(crate) fn finish(&mut self, end: Option<MediaTime>) -> Option<Fragment> {
        if self.tracks.iter().all(|track| track.waiting.is_empty()) {
            return None;
        }
        let zero = self.place_all(1);
        self.take(|track| {
            let end = end.filter(|_| track.entry.is_video()).map(|end| track.placement.end(end, zero));
            track.run(track.waiting.len(), end)
        })
    }

    /// What waits for the cut, of each track.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Pending> + '_ {
        self.tracks.iter().filter_map(|track| {
            let first = track.waiting.first()?.dts;
            Some(Pending { kind: track.entry.id.kind, first, lone: track.waiting.len() == 1 })
        })
    }

    /// Which moment of the session's timeline is zero in the fragments; known once there is one.
    pub(crate) fn zero(&self) -> Option<MediaTime> {
        self.zero
    }

    /// Frames that had to be moved by a millisecond or more, so far.
    pub(crate) fn repaired(&self) -> u64 {
        self.tracks.iter().map(|track| track.placement.repaired).sum()
    }

    /// Gives every waiting frame its place, on tracks that have begun or have at least `least` frames. On
    /// the first call this decides the zero.
    fn place_all(&mut self, least: usize) -> MediaTime {
        let mut earliest: Option<MediaTime> = None;
        let mut silent = false;
        for track in &mut self.tracks {
            let first = track.begin();
            silent |= track.waiting.is_empty();
            earliest = earliest.into_iter().chain(first).min();
        }
        let zero = match (self.zero, self.origin) {
            (Some(zero), _) | (None, Origin::At(zero)) => zero,
            (None, Origin::FirstFragment) => {
                let lead = if silent { LEAD } else { MediaTime::ZERO };
                MediaTime::from_millis((earliest.unwrap_or_default() - lead).as_millis())
            }
        };
        self.zero = Some(zero);
        for track in self.tracks.iter_mut().filter(|track| track.has_begun() || track.waiting.len() >= least) {
            track.place(zero);
        }
        zero
    }

    fn take(&mut self, mut run: impl FnMut(&mut TrackFrames) -> Option<Run>) -> Option<Fragment> {
        let mut runs = Vec::with_capacity(self.tracks.len());
        for track in &mut self.tracks {
            runs.extend(run(track));
        }
        self.bytes = self.tracks.iter().flat_map(|track| &track.waiting).map(|frame| frame.data.len()).sum();
        (!runs.is_empty()).then_some(Fragment { runs })
    }
}

impl TrackFrames {
    fn has_begun(&self) -> bool {
        self.placed > 0 || self.last_duration.is_some()
    }

    /// Before any frame of the track has a place: learns from those that wait, and tells where the first
    /// will be.
    fn begin(&mut self) -> Option<MediaTime> {
        if self.has_begun() {
            return None;
        }
        let times: Vec<_> = self.waiting.iter().map(|frame| (frame.dts, frame.pts)).collect();
        self.placement.begin(&times)
    }

    fn place(&mut self, zero: MediaTime) {
        for frame in self.waiting.iter_mut().skip(self.placed) {
            (frame.ticks, frame.composition) = self.placement.place(frame.dts, frame.pts, zero);
        }
        self.placed = self.waiting.len();
    }

    /// The first `count` waiting frames as a run. When that is all of them, the last ends at `end`, or
    /// lasts as long as the one before.
    fn run(&mut self, count: usize, end: Option<i64>) -> Option<Run> {
        let dts = self.waiting.first().filter(|_| count > 0)?.ticks;
        let mut samples = Vec::with_capacity(count);
        let mut data = Vec::with_capacity(count);
        for index in 0..count {
            let Some(frame) = self.waiting.get(index) else { break };
            let next = self.waiting.get(index + 1).map(|next| next.ticks).or(end.filter(|end| *end > frame.ticks));
            let duration = match next {
                Some(next) => u32::try_from(next - frame.ticks).unwrap_or(u32::MAX),
                None => match (self.entry.step.filter(|_| !self.entry.is_video()), self.last_duration) {
                    (Some(step), _) => step,
                    (None, Some(last)) => last,
                    (None, None) => self.entry.lone_duration,
                },
            };
            self.last_duration = Some(duration);
            samples.push(Sample {
                duration,
                size: u32::try_from(frame.data.len()).unwrap_or(u32::MAX),
                composition: frame.composition,
                sync: frame.sync,
            });
        }
        self.placed = self.placed.saturating_sub(count);
        data.extend(self.waiting.drain(..count).map(|frame| frame.data));
        Some(Run { number: self.entry.number, id: self.entry.id, dts: u64::try_from(dts).unwrap_or(0), samples, data })
    }
}

#[cfg(test)]
mod tests;

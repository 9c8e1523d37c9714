//! What a recording's progress says has been handed over is what a crash leaves.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

#[path = "../hls/media.rs"]
mod media;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use livetape_media::{Format, Frame, MediaTime, Metadata, TrackKind, WallTime};
use livetape_mux::{Begin, FileName, Files, Layout, Op, ReadAt, Salvage, SegmentType, open, salvage};
use media::{aac, avc, picture, sound};
use proptest::prelude::*;

/// The files of a recording, and whether they still grow.
#[derive(Default)]
struct Disk(BTreeMap<FileName, (Vec<u8>, bool)>);

impl Disk {
    fn perform(&mut self, op: &Op) {
        match op {
            Op::Create { file } => assert!(self.0.insert(file.clone(), (Vec::new(), true)).is_none()),
            Op::Append { file, slices } => slices.iter().for_each(|slice| self.data(file).extend_from_slice(slice)),
            Op::Patch { file, offset, data } => {
                let at = *offset as usize;
                self.data(file)[at..at + data.len()].copy_from_slice(data);
            }
            Op::Reserve { file, len } => {
                let data = self.data(file);
                data.resize(data.len() + *len as usize, 0);
            }
            Op::PunchHole { file, offset, len } => {
                let (from, to) = (*offset as usize, (*offset + *len) as usize);
                self.data(file)[from..to].fill(0);
            }
            Op::Truncate { file, len } => self.data(file).truncate(*len as usize),
            Op::Sync { .. } => {}
            Op::Finish { file } => self.0.get_mut(file).unwrap().1 = false,
            Op::Whole { file, data } => drop(self.0.insert(file.clone(), (data.to_vec(), false))),
            Op::Remove { file } => drop(self.0.remove(file).unwrap()),
        }
    }

    fn data(&mut self, file: &FileName) -> &mut Vec<u8> {
        let (data, grows) = self.0.get_mut(file).unwrap();
        assert!(*grows, "{file} is finished");
        data
    }
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.0.iter().map(|(name, (_, grows))| (name.clone(), *grows)).collect())
    }

    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        Ok(Box::new(Open(&self.0.get(file).ok_or(io::ErrorKind::NotFound)?.0)))
    }
}

struct Open<'a>(&'a [u8]);

impl ReadAt for Open<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(self.0.get(at..at + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Frames of each kind that a crash leaves.
fn left(format: Format, disk: &Disk) -> (u64, u64) {
    match salvage(format, disk, WallTime::from_unix_millis(0)).unwrap() {
        Salvage::Empty => (0, 0),
        Salvage::Complete { summary, .. } => {
            (summary.video.map_or(0, |video| video.frames), summary.audio.map_or(0, |audio| audio.frames))
        }
    }
}

/// Pictures with B-frames and a key frame each `gop`, sound beside them, up to `skew_ms` early or late,
/// and until `ends_ms` only.
fn frames(count: i64, gop: i64, skew_ms: i64, ends_ms: i64) -> Vec<Frame> {
    let picture_at = |n: i64| {
        let late = if n % gop == 0 { 80 } else { 40 + 40 * (n % 3) };
        (n * 40, picture(n as usize, n * 40, n * 40 + late, n % gop == 0, 60))
    };
    let mut frames: Vec<(i64, Frame)> = (0..count).map(picture_at).collect();
    let sounds = (0..count * 40 / 21).map(|n| (n * 21 + skew_ms, sound(n as usize, 80 + n * 21, false)));
    frames.extend(sounds.filter(|(_, sound)| sound.dts <= MediaTime::from_millis(ends_ms)));
    frames.sort_by_key(|(came, _)| *came);
    frames.into_iter().map(|(_, frame)| frame).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn salvage_holds_every_frame_before_the_moment_that_is_said_to_be_flushed(
        count in 20i64..220,
        gop in 5i64..80,
        skew in -300i64..300,
        ends in prop_oneof![Just(i64::MAX / 2_000_000), 500i64..3_000],
        fragment in 100u64..1_500,
        flushes in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let frames = frames(count, gop, skew, ends);
        let flushes: Vec<usize> = flushes.iter().map(|at| at.index(frames.len())).collect();
        for (format, segment_type) in [
            (Format::Mp4, SegmentType::Fmp4),
            (Format::Hls, SegmentType::Fmp4),
            (Format::Hls, SegmentType::Ts),
            (Format::Flv, SegmentType::Fmp4),
        ] {
            let fragment = Duration::from_millis(fragment);
            let layout = Layout { fragment, segment: Duration::from_secs(2), segment_type, ..Layout::default() };
            let start = MediaTime::from_millis(80);
            let begin = Begin {
                tracks: vec![avc(), aac()],
                start,
                wall_start: WallTime::from_unix_millis(0),
                metadata: Metadata::default(),
                max_duration: Duration::from_secs(60),
                layout,
                playlists: None,
            };
            let (mut ops, mut disk) = (Vec::new(), Disk::default());
            let mut muxer = open(format, begin, &mut ops);
            let mut before = start;
            for (number, frame) in frames.iter().enumerate() {
                muxer.frame(frame, &mut ops);
                if flushes.contains(&number) {
                    muxer.flush(&mut ops);
                }
                let wrote = !ops.is_empty();
                ops.drain(..).for_each(|op| disk.perform(&op));
                let flushed = muxer.progress().flushed;
                prop_assert!(flushed >= before || number < 60, "{format}: it runs back from {before:?} to {flushed:?}");
                before = flushed;
                if !wrote {
                    continue;
                }
                let taken = &frames[..=number];
                let due = |kind| {
                    let of = taken.iter().filter(|frame| frame.track.kind == kind);
                    // The last frame of a track that has ended may be missing.
                    let last = of.clone().map(|frame| frame.dts).max();
                    let ended = last.is_some_and(|last| frame.dts - last > MediaTime::from_millis(1_000));
                    of.filter(|frame| frame.dts < flushed && !(ended && Some(frame.dts) == last)).count() as u64
                };
                let (videos, sounds) = left(format, &disk);
                prop_assert!(videos >= due(TrackKind::Video), "{format}: {videos} of {} pictures", due(TrackKind::Video));
                prop_assert!(sounds >= due(TrackKind::Audio), "{format}: {sounds} of {} sounds", due(TrackKind::Audio));
            }
            // It is not far behind either: one fragment, the skew, and what is held back.
            let newest = frames.iter().map(|frame| frame.dts).max().unwrap();
            let allowed = MediaTime::from(fragment) + MediaTime::from_millis(skew.abs() + 300);
            let sounds = frames.iter().filter(|frame| frame.track.kind == TrackKind::Audio);
            let ended_at = sounds.map(|frame| frame.dts).max().unwrap_or(newest);
            let lag = newest - muxer.progress().flushed;
            let undecided = newest < MediaTime::from_millis(1_500) || newest - ended_at < MediaTime::from_millis(1_100);
            let silent = newest > ended_at;
            prop_assert!(lag <= allowed || (silent && undecided), "{format}: {lag:?} behind");
        }
    }
}

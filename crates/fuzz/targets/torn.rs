//! A recording that a crash tore: the sample is muxed, the operations stop at any point, the last
//! write reaches the disk in part. Without damage, salvage must complete it, and from every point
//! of that completion lead to the same end. With damage (flipped bytes) it must end all the same.
//!
//! ```text
//! input  layout u8 | operations u16 (of 65,536) | bytes of the last one u16 (of 65,536) | flips *
//! flip   place u16 (of 65,536) | bits u8
//! ```

#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use livetape_flv::{DemuxLimits, Demuxer, TagKind, Tags};
use livetape_fuzz::moment;
use livetape_media::{Format, Frame, Item, MediaTime, Metadata, Track, WallTime};
use livetape_mux::{Begin, FileName, Files, Layout, Op, ReadAt, Salvage, SegmentType, open, salvage};

const SAMPLE: &[u8] = include_bytes!("../../../fixtures/sample.flv");
/// Four seconds of it are enough for several fragments and segments.
const TAGS: usize = 320;
const LAYOUTS: [(Format, SegmentType); 4] = [
    (Format::Mp4, SegmentType::Fmp4),
    (Format::Hls, SegmentType::Fmp4),
    (Format::Flv, SegmentType::Fmp4),
    (Format::Hls, SegmentType::Ts),
];

/// A recording's directory: each file with whether it still grows.
#[derive(Clone, Default, PartialEq)]
struct Directory(BTreeMap<FileName, (Vec<u8>, bool)>);

impl Directory {
    fn perform(&mut self, op: &Op) {
        match op {
            Op::Create { file } => {
                assert!(self.0.insert(file.clone(), (Vec::new(), true)).is_none(), "{file} is there")
            }
            Op::Append { file, slices } => slices.iter().for_each(|slice| self.bytes(file).extend_from_slice(slice)),
            Op::Patch { file, offset, data } => {
                let start = usize::try_from(*offset).unwrap();
                self.bytes(file)[start..start + data.len()].copy_from_slice(data);
            }
            Op::Reserve { file, len } => {
                let bytes = self.bytes(file);
                bytes.resize(bytes.len() + usize::try_from(*len).unwrap(), 0);
            }
            Op::PunchHole { file, offset, len } => {
                let start = usize::try_from(*offset).unwrap();
                self.bytes(file)[start..start + usize::try_from(*len).unwrap()].fill(0);
            }
            Op::Truncate { file, len } => {
                let len = usize::try_from(*len).unwrap();
                let bytes = self.bytes(file);
                assert!(len <= bytes.len(), "{file} is cut to more than it has");
                bytes.truncate(len);
            }
            Op::Sync { .. } => {}
            Op::Finish { file } => self.0.get_mut(file).unwrap().1 = false,
            Op::Whole { file, data } => _ = self.0.insert(file.clone(), (data.to_vec(), false)),
            Op::Remove { file } => assert!(self.0.remove(file).is_some(), "{file} is not there"),
        }
    }

    /// The last write only began: so much of it is on the disk.
    fn perform_part(&mut self, op: &Op, part: u16) {
        match op {
            Op::Append { file, slices } => {
                let all = slices.concat();
                let kept = all.len() * usize::from(part) / 65_536;
                self.bytes(file).extend_from_slice(&all[..kept]);
            }
            // Names are given and heads are flipped at once or not at all.
            _ => {}
        }
    }

    fn bytes(&mut self, file: &FileName) -> &mut Vec<u8> {
        &mut self.0.get_mut(file).unwrap_or_else(|| panic!("{file} is not there")).0
    }
}

struct File<'a>(&'a [u8]);

impl ReadAt for File<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let end = start.checked_add(buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(self.0.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl Files for Directory {
    fn list(&self) -> io::Result<Vec<(FileName, bool)>> {
        Ok(self.0.iter().map(|(name, (_, growing))| (name.clone(), *growing)).collect())
    }

    fn open(&self, file: &FileName) -> io::Result<Box<dyn ReadAt + '_>> {
        let (bytes, _) = self.0.get(file).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(File(bytes)))
    }
}

/// Every operation of the sample's recording, in each layout.
fn recordings() -> &'static [Vec<Op>; 4] {
    static RECORDINGS: OnceLock<[Vec<Op>; 4]> = OnceLock::new();
    RECORDINGS.get_or_init(|| LAYOUTS.map(|(format, segment_type)| record(format, segment_type)))
}

fn record(format: Format, segment_type: SegmentType) -> Vec<Op> {
    let (tracks, frames) = sample();
    let layout =
        Layout { segment: Duration::from_secs(2), segment_type, mp4_reserve_max_bytes: 16 << 10, ..Layout::default() };
    let begin = Begin {
        tracks,
        start: frames.iter().find(|frame| frame.random_access).map_or(MediaTime::ZERO, |frame| frame.pts),
        wall_start: WallTime::from_unix_millis(1_800_000_000_000),
        metadata: Metadata::default(),
        max_duration: Duration::from_secs(60),
        layout,
    };
    let mut ops = Vec::new();
    let mut muxer = open(format, begin, &mut ops);
    for (number, frame) in frames.iter().enumerate() {
        muxer.frame(frame, &mut ops);
        if number % 40 == 39 {
            muxer.flush(&mut ops);
        }
    }
    muxer.end(None, &mut ops);
    ops
}

fn sample() -> (Vec<Track>, Vec<Frame>) {
    let mut demuxer = Demuxer::new(DemuxLimits::default());
    let mut items = Vec::new();
    for tag in Tags::of(Bytes::from_static(SAMPLE)).unwrap().take(TAGS) {
        let tag = tag.unwrap();
        match tag.kind {
            TagKind::Audio => demuxer.audio(tag.timestamp_ms, tag.body, moment(0), &mut items),
            TagKind::Video => demuxer.video(tag.timestamp_ms, tag.body, moment(0), &mut items),
            TagKind::Script => demuxer.data(tag.timestamp_ms, tag.body, moment(0), &mut items),
        }
    }
    let mut tracks = Vec::new();
    let mut frames = Vec::new();
    for item in items {
        match item {
            Item::Track(track) => tracks.push(track),
            // The recorder hands muxers nothing before the first key frame.
            Item::Frame(frame) if !frames.is_empty() || frame.random_access && tracks.len() == 2 => frames.push(frame),
            _ => {}
        }
    }
    (tracks, frames)
}

fuzz_target!(|data: &[u8]| {
    let [layout, o1, o0, p1, p0, flips @ ..] = data else { return };
    let layout = usize::from(*layout) % 4;
    let ops = &recordings()[layout];
    let done = ops.len() * usize::from(u16::from_be_bytes([*o1, *o0])) / 65_536;
    let mut directory = Directory::default();
    ops[..done].iter().for_each(|op| directory.perform(op));
    directory.perform_part(&ops[done], u16::from_be_bytes([*p1, *p0]));
    let damaged = flips.len() >= 3 && !directory.0.is_empty();
    for flip in flips.chunks_exact(3) {
        let total: usize = directory.0.values().map(|(bytes, _)| bytes.len()).sum();
        let mut place = total * usize::from(u16::from_be_bytes([flip[0], flip[1]])) / 65_536;
        for (bytes, _) in directory.0.values_mut() {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= flip[2];
                break;
            }
            place -= bytes.len();
        }
    }
    let outcome = salvage(LAYOUTS[layout].0, &directory, WallTime::from_unix_millis(1_800_000_000_000));
    if damaged {
        if let Ok(Salvage::Complete { ops, .. }) = outcome {
            ops.iter().for_each(|op| directory.perform(op));
        }
        return;
    }
    let Salvage::Complete { ops, summary, .. } = outcome.unwrap() else { return };
    let mut complete = directory.clone();
    ops.iter().for_each(|op| complete.perform(op));
    assert!(complete.0.values().all(|(_, growing)| !growing), "a file still grows");
    // A second crash, half-way through the completion.
    let mut half = directory;
    ops[..ops.len() / 2].iter().for_each(|op| half.perform(op));
    let again = salvage(LAYOUTS[layout].0, &half, WallTime::from_unix_millis(1_800_000_000_000));
    let Ok(Salvage::Complete { ops, summary: second, .. }) = again else { panic!("{again:?}") };
    ops.iter().for_each(|op| half.perform(op));
    assert_eq!(summary, second);
    assert!(half == complete, "the same recording is completed in two ways");
});

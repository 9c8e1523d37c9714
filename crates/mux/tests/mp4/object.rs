//! The objects that recordings become, read by other people's readers, in every state of the file.

use std::cell::Cell;
use std::io;

use livetape_media::{Format, WallTime};
use livetape_mux::object::{Fit, ObjectLayout, OneFile, finished, growing};
use livetape_mux::{FileName, Files, Op, ReadAt, Salvage, SalvageError, Summary, salvage};
use proptest::prelude::*;

use crate::check::{check_finished, check_growing, held, random_stream};
use crate::disk::Disk;
use crate::readers;
use crate::streams::{self, Stream};
use crate::tree::top_level;

const FITS: [Fit; 2] = [Fit::Exact, Fit::Same];

fn of_growing(disk: &Disk, fit: Fit) -> Option<ObjectLayout> {
    growing(OneFile::Mp4, &*disk.open(&FileName::mp4()).unwrap(), fit).unwrap()
}

fn of_finished(disk: &Disk, fit: Fit) -> Result<ObjectLayout, SalvageError> {
    finished(OneFile::Mp4, &*disk.open(&FileName::mp4()).unwrap(), fit)
}

fn body(disk: &Disk, layout: &ObjectLayout) -> Vec<u8> {
    let mut body = vec![0; (layout.body.end - layout.body.start) as usize];
    disk.read(layout.body.start, &mut body);
    body
}

/// The object of a growing recording.
pub(crate) fn growing_object(disk: &Disk, fit: Fit) -> Option<Vec<u8>> {
    of_growing(disk, fit).map(|layout| [&layout.head[..], &body(disk, &layout)].concat())
}

pub(crate) fn finished_object(disk: &Disk, fit: Fit) -> Vec<u8> {
    let layout = of_finished(disk, fit).unwrap();
    let object = [&layout.head[..], &body(disk, &layout)].concat();
    assert_eq!(layout.size_bytes(), object.len() as u64);
    object
}

fn kinds(bytes: &[u8]) -> Vec<String> {
    top_level(bytes).into_iter().map(|(kind, _)| kind).collect()
}

/// Checks both objects of the finished file on `disk`.
fn check_objects(disk: &Disk, stream: &Stream, summary: &Summary, name: &str) {
    let file = disk.bytes();
    let object = finished_object(disk, Fit::Exact);
    assert_eq!(kinds(&object), ["ftyp", "moov", "mdat"], "{name}: the index first, and no room for it");
    let summary = Summary { size_bytes: object.len() as u64, ..summary.clone() };
    let tracks = readers::finished(&object);
    let frames: Vec<_> = (tracks.iter())
        .flat_map(|track| stream.track(track.kind).into_iter().take(track.packets.len()).cloned())
        .collect();
    check_finished(&object, &frames, &summary, name);
    assert_eq!(tracks, readers::finished(&file), "{name}: the tables of the file say the same");
    assert_eq!(readers::edits(&object), readers::edits(&file), "{name}");
    assert!(finished_object(disk, Fit::Same) == file, "{name}: the object is the file");
}

#[test]
fn a_finished_object_holds_every_frame_and_no_room() {
    let mut at_end = 0;
    for stream in streams::all() {
        let (ops, summary) = stream.record();
        at_end += usize::from(summary.index_at_end);
        check_objects(&Disk::after(&ops), &stream, &summary, stream.name);
    }
    assert!(at_end > 0, "an index at the end is among them");
}

/// Checks the objects of a file in the state that `disk` is in against those it has when finished.
fn check_on_the_way(disk: &Disk, after: &Disk, name: &str) {
    for fit in FITS {
        let Some(early) = of_growing(disk, fit) else { continue };
        let late = of_finished(after, fit).unwrap();
        assert_eq!(early.body.start, late.body.start, "{name}: {fit:?}");
        assert!(late.body.end >= early.body.end, "{name}: {fit:?}");
        assert!(body(after, &late).starts_with(&body(disk, &early)), "{name}: {fit:?}");
        if fit == Fit::Same {
            assert_eq!(early.head.len() as u64, early.body.start, "{name}: the head is as long as in the file");
            assert_eq!(early.head.len(), late.head.len(), "{name}");
        }
    }
}

/// In every state: growing, while it is completed, and after.
#[test]
fn a_growing_object_plays_and_is_how_the_finished_one_begins() {
    for stream in streams::all() {
        let (ops, _) = stream.record();
        let after = Disk::after(&ops);
        let mut disk = Disk::default();
        let mut fragments = 0;
        for op in &ops {
            disk.perform(op);
            fragments += usize::from(is_fragment(op));
            check_on_the_way(&disk, &after, stream.name);
            for fit in FITS {
                let Some(object) = growing_object(&disk, fit) else {
                    assert_eq!(fragments, 0, "{}", stream.name);
                    continue;
                };
                let media = kinds(&object).into_iter().filter(|kind| kind == "moof" || kind == "mdat").count();
                assert_eq!(media, 2 * fragments, "{}: nothing else is taken for media", stream.name);
                check_growing(&object, &held(&object, &stream), stream.name);
                let boxes: &[&str] = if fit == Fit::Exact { &["ftyp", "moov"] } else { &["ftyp", "moov", "free"] };
                assert_eq!(kinds(&object)[..boxes.len() + 1], [boxes, &["moof"]].concat());
            }
        }
        assert!(fragments > 0);
    }
}

fn is_fragment(op: &Op) -> bool {
    matches!(op, Op::Append { slices, .. } if [b"moof", b"prft"].iter().any(|kind| slices[0][4..8] == **kind))
}

#[test]
fn the_object_of_a_growing_file_is_the_file_when_the_heads_are_the_same() {
    for stream in [streams::b_frames(), streams::crowded()] {
        let (ops, _) = stream.record();
        let first_patch = ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap();
        let disk = Disk::after(&ops[..first_patch]);
        assert!(growing_object(&disk, Fit::Same).unwrap() == disk.bytes());
    }
}

#[test]
fn a_file_that_is_not_finished_has_no_finished_object() {
    for stream in [streams::short(), streams::crowded()] {
        let (ops, _) = stream.record();
        let flip = ops.iter().position(|op| matches!(op, Op::Patch { offset: 0, .. })).unwrap();
        for upto in 1..=flip {
            let error = of_finished(&Disk::after(&ops[..upto]), Fit::Exact).unwrap_err().to_string();
            assert!(error.contains("not finished") || error.contains("ends before its media"), "{error}");
        }
        let finished = of_finished(&Disk::after(&ops), Fit::Exact).unwrap();
        for upto in flip + 1..ops.len() {
            assert_eq!(of_finished(&Disk::after(&ops[..upto]), Fit::Exact).unwrap(), finished);
        }
    }
}

/// Tears `ops[upto]` at `byte`, and completes what is left.
fn check_salvaged(stream: &Stream, ops: &[Op], upto: usize, byte: &prop::sample::Index) {
    let mut torn = Disk::after(&ops[..upto]);
    match &ops[upto] {
        op @ Op::Append { slices, .. } => {
            torn.perform_torn(op, byte.index(slices.iter().map(|slice| slice.len()).sum::<usize>() + 1));
        }
        op @ Op::Patch { offset, data, .. } if *offset > 0 => torn.perform_torn(op, byte.index(data.len() + 1)),
        _ => {}
    }
    if !torn.exists() {
        return;
    }
    let Salvage::Complete { ops: rest, summary, .. } =
        salvage(Format::Mp4, &torn, WallTime::from_unix_millis(0)).unwrap()
    else {
        return;
    };
    let mut whole = torn.clone();
    whole.perform_all(&rest);
    check_objects(&whole, stream, &summary, &format!("random, torn {}", stream.name));

    // What was put before the crash stays right, but for the size of a torn `mdat`.
    let size = rest.iter().find_map(|op| match op {
        Op::Patch { offset, data, .. } if data.len() == 4 => Some(*offset),
        _ => None,
    });
    for fit in FITS {
        let (early, late) = (of_growing(&torn, fit).unwrap(), of_finished(&whole, fit).unwrap());
        assert_eq!(early.body.start, late.body.start);
        let (mut before, mut after) = (body(&torn, &early), body(&whole, &late));
        if let Some(at) = size.map(|at| (at - late.body.start) as usize) {
            before[at..at + 4].fill(0);
            after[at..at + 4].fill(0);
        }
        let kept = of_finished(&whole, Fit::Exact).unwrap().body.end - late.body.start;
        let kept = before.len().min(kept as usize);
        assert!(before[..kept] == after[..kept], "{fit:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn a_salvaged_object_goes_on_from_the_growing_one(
        stream in random_stream().prop_filter("no frames", |stream| !stream.frames.is_empty()),
        op in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
    ) {
        let (ops, _) = stream.record();
        check_salvaged(&stream, &ops, op.index(ops.len()), &byte);
        check_on_the_way(&Disk::after(&ops[..=op.index(ops.len() - 1)]), &Disk::after(&ops), "random");
    }
}

/// A file of which only some bytes are known; the rest reads as zero. Notes the largest read.
struct Known {
    bytes: Vec<u8>,
    at: Vec<(u64, Vec<u8>)>,
    len: u64,
    largest: Cell<usize>,
}

impl Known {
    fn new(bytes: Vec<u8>) -> Self {
        Self { len: bytes.len() as u64, bytes, at: Vec::new(), largest: Cell::new(0) }
    }
}

impl ReadAt for Known {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.largest.set(self.largest.get().max(buffer.len()));
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.fill(0);
        for (at, bytes) in [(0, &self.bytes)].into_iter().chain(self.at.iter().map(|(at, bytes)| (*at, bytes))) {
            let skipped = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
            let ahead = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
            buffer[ahead..].iter_mut().zip(&bytes[skipped..]).for_each(|(place, byte)| *place = *byte);
        }
        Ok(())
    }
}

/// What holds of any file: nothing panics, and a layout lies within the file.
fn check_any(file: &Known) -> [Result<(), String>; 2] {
    for fit in FITS {
        if let Ok(Some(layout)) = growing(OneFile::Mp4, file, fit) {
            assert!(layout.body.start < layout.body.end && layout.body.end <= file.len);
        }
    }
    FITS.map(|fit| {
        let layout = finished(OneFile::Mp4, file, fit).map_err(|error| error.to_string())?;
        assert!(layout.body.start < layout.body.end && layout.body.end <= file.len);
        assert!(layout.head.len() as u64 <= 2 * file.len);
        Ok(())
    })
}

#[test]
fn a_finished_file_that_is_cut_is_refused() {
    for stream in [streams::short(), streams::crowded()] {
        let bytes = Disk::after(&stream.record().0).bytes();
        for len in (0..bytes.len()).step_by(307).chain(bytes.len() - 20..bytes.len()) {
            let outcome = check_any(&Known::new(bytes[..len].to_vec()));
            assert!(outcome.iter().all(Result::is_err), "{}: {len} bytes", stream.name);
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(check_any(&Known::new(longer)).iter().all(Result::is_err), "{}", stream.name);
    }
}

/// A file that says of itself what cannot be is refused before anything large is read.
#[test]
fn sizes_that_lie_are_refused_before_anything_is_read() {
    let refused = |file: &Known, fit: Fit, problem: &str| {
        let error = finished(OneFile::Mp4, file, fit).unwrap_err().to_string();
        assert!(error.contains(problem), "{error} is not {problem}");
        assert!(file.largest.get() <= (1 << 20) + 36, "{} bytes are read for {problem}", file.largest.get());
    };
    let bytes = Disk::after(&streams::crowded().record().0).bytes();
    let file = || Known::new(bytes.clone());
    let media = of_finished(&Disk::after(&streams::crowded().record().0), Fit::Exact).unwrap().body;
    let with = |mut file: Known, at: u64, bytes: &[u8]| {
        file.at.push((at, bytes.to_vec()));
        file
    };

    // An index of 4 GiB, which the file has room for.
    let mut long = with(file(), media.end, &0xffff_fff0u32.to_be_bytes());
    long.len = media.end + 0xffff_fff0;
    refused(&long, Fit::Exact, "its index is too long");

    // Media of almost 2^64 bytes in a file that says it is as long.
    let mut endless = with(file(), media.start - 8, &(u64::MAX - media.start).to_be_bytes());
    endless.len = u64::MAX;
    refused(&endless, Fit::Exact, "its index is not there");
    let beyond = with(file(), media.start - 8, &u64::MAX.to_be_bytes());
    refused(&beyond, Fit::Exact, "the size of its media is impossible");
    let none = with(file(), media.start - 8, &16u64.to_be_bytes());
    refused(&none, Fit::Exact, "the size of its media is impossible");

    // A room of 4 GiB.
    let boxes = top_level(&bytes[36..]).into_iter().take_while(|(kind, _)| kind != "free");
    let free_at = 36 + boxes.map(|(_, whole)| whole.len() as u64).sum::<u64>();
    let start = free_at + 0xffff_f000;
    let mut roomy = with(file(), free_at, &0xffff_f000u32.to_be_bytes());
    roomy.at.push((28, ((start - 16 - 28) as u32).to_be_bytes().to_vec()));
    roomy.at.push((start - 16, [&[0, 0, 0, 1][..], b"mdat", &116u64.to_be_bytes()].concat()));
    roomy.at.push((start + 100, [&[0, 0, 0, 8][..], b"moov"].concat()));
    roomy.len = start + 108;
    refused(&roomy, Fit::Same, "the room for its index is too large");
    refused(&roomy, Fit::Exact, "the index has no table of chunks");
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(
        crowded in any::<bool>(),
        flipped in any::<bool>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let stream = if crowded { streams::crowded() } else { streams::short() };
        let (ops, _) = stream.record();
        let flip = ops.iter().position(|op| matches!(op, Op::Patch { offset: 0, .. })).unwrap();
        let mut bytes = Disk::after(&ops[..flip + usize::from(flipped)]).bytes();
        let finished = of_finished(&Disk::after(&ops), Fit::Exact).unwrap();
        for (at, byte, place) in damage {
            // Most of the damage to what is read: the boxes before the media, and the index.
            let at = match place {
                0 => at.index(1_200),
                1 => finished.body.start as usize - 1 - at.index(32),
                2 if crowded => finished.body.end as usize + at.index(bytes.len() - finished.body.end as usize),
                _ => at.index(bytes.len()),
            };
            bytes[at] = byte;
        }
        let _ = check_any(&Known::new(bytes));
    }

    #[test]
    fn bytes_nobody_wrote_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..3_000), real in 0usize..1_500) {
        let mut file = Disk::after(&streams::short().record().0).bytes();
        file.truncate(real);
        file.extend(bytes);
        let outcome = check_any(&Known::new(file));
        prop_assert!(outcome.iter().all(Result::is_err));
    }
}

//! A crash after every operation, and within every write.

use livetape_media::{Format, Frame, MediaTime, TrackKind, WallTime};
use livetape_mux::{Op, Salvage, Summary, salvage};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::check::check_finished;
use crate::disk::Disk;
use crate::readers::{finished, growing};
use crate::streams::{self, Stream};

fn rescue(disk: &Disk) -> Option<(Vec<Op>, Summary, u64)> {
    match salvage(Format::Mp4, disk, WallTime::from_unix_millis(0)).unwrap() {
        Salvage::Complete { ops, summary, cut_bytes } => Some((ops, summary, cut_bytes)),
        Salvage::Empty => None,
    }
}

/// Frames of each kind in the fragments among `ops`.
fn flushed(ops: &[Op]) -> (usize, usize) {
    let disk = Disk::after(&ops[..ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap_or(ops.len())]);
    let fragments =
        ops.iter().any(|op| matches!(op, Op::Append { slices, .. } if slices[0].get(4..8) == Some(b"moof")));
    if !fragments {
        return (0, 0);
    }
    let tracks = growing(&disk.bytes());
    let count = |kind| tracks.iter().filter(|track| track.kind == kind).map(|track| track.packets.len()).sum();
    (count(TrackKind::Video), count(TrackKind::Audio))
}

/// The first frames of each track.
fn first(stream: &Stream, video: usize, audio: usize) -> Vec<Frame> {
    let of = |kind, count| stream.track(kind).into_iter().take(count).cloned();
    of(TrackKind::Video, video).chain(of(TrackKind::Audio, audio)).collect()
}

/// Crashes after `ops[..upto]`, with `ops[upto]` torn at `byte`; salvages; crashes within that as well.
pub(crate) fn check_torn(
    stream: &Stream,
    ops: &[Op],
    upto: usize,
    byte: Option<&prop::sample::Index>,
    again: &prop::sample::Index,
) {
    let mut disk = Disk::after(&ops[..upto]);
    if let Some(byte) = byte {
        match &ops[upto] {
            op @ Op::Append { slices, .. } => {
                disk.perform_torn(op, byte.index(slices.iter().map(|slice| slice.len()).sum::<usize>() + 1));
            }
            // The write at the file's start lies in one sector and does not tear.
            op @ Op::Patch { offset, data, .. } if *offset > 0 => disk.perform_torn(op, byte.index(data.len() + 1)),
            _ => {}
        }
    }
    check_crashed(stream, &disk, flushed(&ops[..upto]), again);
}

fn check_crashed(stream: &Stream, disk: &Disk, (video, audio): (usize, usize), again: &prop::sample::Index) {
    let name = stream.name;
    if !disk.exists() {
        return;
    }
    let Some((ops, summary, cut_bytes)) = rescue(disk) else {
        assert_eq!((video, audio), (0, 0), "{name}: whole fragments are given up");
        return;
    };
    let mut whole = disk.clone();
    whole.perform_all(&ops);
    assert!(whole.is_finished(), "{name}");
    let bytes = whole.bytes();
    assert!(cut_bytes <= disk.len());

    let tracks = finished(&bytes);
    let count = |kind| tracks.iter().filter(|track| track.kind == kind).map(|track| track.packets.len()).sum::<usize>();
    let (kept_video, kept_audio) = (count(TrackKind::Video), count(TrackKind::Audio));
    assert!(kept_video >= video && kept_audio >= audio, "{name}: {kept_video} of {video}, {kept_audio} of {audio}");
    check_torn_content(&bytes, &first(stream, kept_video, kept_audio), &summary, name);

    // The same from any state on the way.
    let mut halfway = disk.clone();
    halfway.perform_all(&ops[..again.index(ops.len() + 1)]);
    let (more, same, _) = rescue(&halfway).unwrap();
    halfway.perform_all(&more);
    assert_eq!(same, summary, "{name}");
    assert!(halfway.bytes() == bytes, "{name}: completing it again gives another file");
}

/// Sound that lost its picture has another start; everything else is as in an uncut recording.
fn check_torn_content(bytes: &[u8], frames: &[Frame], summary: &Summary, name: &str) {
    check_finished(bytes, frames, summary, &format!("random, torn {name}"));
}

#[test]
fn after_every_operation_the_file_can_be_completed() {
    proptest!(ProptestConfig::with_cases(4), |(again in any::<prop::sample::Index>())| {
        for stream in streams::all() {
            let (ops, _) = stream.record();
            for upto in 0..=ops.len() {
                check_torn(&stream, &ops, upto, None, &again);
            }
        }
    });
}

#[test]
fn a_write_torn_at_any_byte_costs_only_what_is_torn() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let again = any::<prop::sample::Index>().new_tree(&mut runner).unwrap().current();
    for stream in [streams::short(), streams::crowded(), streams::audio_only()] {
        let (ops, _) = stream.record();
        for (upto, op) in ops.iter().enumerate() {
            let len = match op {
                Op::Append { slices, .. } => slices.iter().map(|slice| slice.len()).sum(),
                Op::Patch { offset, data, .. } if *offset > 0 => data.len(),
                _ => continue,
            };
            let whole = flushed(&ops[..upto]);
            // Every byte of the first boxes, some of the rest.
            for byte in (0..len).filter(|byte| *byte < 64 || byte % if *byte < 700 { 7 } else { 97 } == 0) {
                let mut disk = Disk::after(&ops[..upto]);
                disk.perform_torn(op, byte);
                check_crashed(&stream, &disk, whole, &again);
            }
        }
    }
}

#[test]
fn every_whole_frame_of_a_torn_fragment_is_kept() {
    let stream = streams::video_only();
    let (ops, _) = stream.record();
    let (at, op) = ops
        .iter()
        .enumerate()
        .filter(|(_, op)| matches!(op, Op::Append { slices, .. } if slices[0].get(4..8) == Some(b"moof")))
        .nth(1)
        .unwrap();
    let Op::Append { slices, .. } = op else { unreachable!() };
    let (before, _) = flushed(&ops[..at]);
    let three: usize = slices[..4].iter().map(|slice| slice.len()).sum();
    let mut disk = Disk::after(&ops[..at]);
    disk.perform_torn(op, three + 5);
    let (rest, summary, cut_bytes) = rescue(&disk).unwrap();
    assert_eq!(summary.video.unwrap().frames as usize, before + 3);
    assert_eq!(cut_bytes, 5);
    assert!(matches!(rest[0], Op::Truncate { .. }));
}

#[test]
fn an_untouched_file_gives_the_summary_its_muxer_gave() {
    for stream in streams::all() {
        let (ops, mut summary) = stream.record();
        summary.repaired_frames = 0;
        let disk = Disk::after(&ops);
        let (rest, again, cut_bytes) = rescue(&disk).unwrap();
        assert_eq!((rest, cut_bytes), (vec![], 0), "{}: nothing is left to do", stream.name);
        assert_eq!(again, summary, "{}", stream.name);
        let renaming = Disk::after(&ops[..ops.len() - 1]);
        assert!(matches!(rescue(&renaming).unwrap().0.as_slice(), [Op::Finish { .. }]), "{}", stream.name);
    }
}

#[test]
fn a_file_of_something_else_is_refused_not_emptied() {
    let (ops, _) = streams::short().record();
    let good = Disk::after(&ops[..ops.len() - 4]).bytes();
    for (at, byte) in [(0, 0xff), (9, b'x'), (30, 0x7f), (33, b'x'), (45, 0xff)] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        let file = livetape_mux::FileName::mp4();
        let mut disk = Disk::default();
        disk.perform_all(&[Op::Create { file: file.clone() }, Op::Append { file, slices: vec![bytes.into()] }]);
        let outcome = salvage(Format::Mp4, &disk, WallTime::from_unix_millis(0));
        if let Ok(Salvage::Empty) = outcome {
            panic!("byte {at} makes it empty");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_salvage_panic(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let (ops, _) = streams::short().record();
        let upto = ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap();
        let mut bytes = Disk::after(&ops[..upto]).bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let file = livetape_mux::FileName::mp4();
        let mut disk = Disk::default();
        disk.perform_all(&[Op::Create { file: file.clone() }, Op::Append { file, slices: vec![bytes.into()] }]);
        if let Ok(Salvage::Complete { ops, .. }) = salvage(Format::Mp4, &disk, WallTime::from_unix_millis(0)) {
            disk.perform_all(&ops);
        }
    }
}

#[test]
fn a_head_that_names_other_tracks_does_not_make_media_nothing() {
    let (ops, _) = streams::short().record();
    let upto = ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap();
    let mut bytes = Disk::after(&ops[..upto]).bytes();
    let headers = bytes.windows(4).enumerate().filter(|(_, box_type)| box_type == b"tkhd").map(|(at, _)| at);
    // `track_ID` stands 12 bytes behind the version.
    headers.collect::<Vec<_>>().iter().for_each(|at| bytes[at + 4 + 12] ^= 0x40);
    let file = livetape_mux::FileName::mp4();
    let mut disk = Disk::default();
    disk.perform_all(&[Op::Create { file: file.clone() }, Op::Append { file, slices: vec![bytes.into()] }]);
    let error = salvage(Format::Mp4, &disk, WallTime::from_unix_millis(0)).unwrap_err();
    assert!(error.to_string().contains("names none of the tracks of its fragments"), "{error}");
}

#[test]
fn the_start_on_the_session_timeline_survives() {
    let stream = streams::b_frames();
    let (ops, summary) = stream.record();
    assert_eq!(summary.start, MediaTime::from_millis(10_080));
    let upto = ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap();
    assert_eq!(rescue(&Disk::after(&ops[..upto])).unwrap().1.start, summary.start);
}

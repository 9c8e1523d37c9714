//! Files that a crash tore, and that go on.

use livetape_media::{Format, Frame, MediaTime, WallTime};
use livetape_mux::{FileName, Op, Reopened, Salvage, Summary, Torn, reopen, salvage};

use crate::check::{check_finished, held};
use crate::disk::Disk;
use crate::streams::{self, Stream};

fn opened(disk: &Disk, stream: &Stream) -> Option<Reopened> {
    let wall_start = WallTime::from_unix_millis(1_795_000_000_000);
    reopen(Format::Mp4, disk, &Torn { start: stream.start(), wall_start, layout: stream.layout.clone() }).unwrap()
}

fn rescued(disk: &Disk) -> Option<(Disk, Summary)> {
    match salvage(Format::Mp4, disk, WallTime::from_unix_millis(0)).unwrap() {
        Salvage::Empty => None,
        Salvage::Complete { ops, summary, .. } => {
            let mut disk = disk.clone();
            disk.perform_all(&ops);
            Some((disk, summary))
        }
    }
}

/// The frames of `stream` as a publisher sends them who comes back when what there is has ended, and their calendar.
fn later(stream: &Stream, ends: MediaTime) -> Vec<Frame> {
    let first = stream.frames.iter().map(|frame| frame.dts).min().unwrap();
    let by = MediaTime::from_millis((ends - first).as_millis() + 1_700);
    stream.frames.iter().map(|frame| Frame { dts: frame.dts + by, pts: frame.pts + by, ..frame.clone() }).collect()
}

/// Goes on with what is on `disk`, if that can be gone on with.
fn check(stream: &Stream, disk: &Disk) -> bool {
    let Some(Reopened { mut muxer, ops, tracks, cut_bytes, ends, delay }) = opened(disk, stream) else { return false };
    assert!(stream.name != "b-frames" || delay == MediaTime::from_millis(80));
    let mut sorted = stream.tracks.clone();
    sorted.sort_by_key(|track| track.id);
    assert_eq!(tracks, sorted, "{}", stream.name);
    let mut cut = disk.clone();
    cut.perform_all(&ops);
    assert_eq!(cut_bytes, disk.len() - cut.len());
    let kept: Vec<Frame> = held(&cut.bytes(), stream).into_iter().cloned().collect();

    // Its publisher stays away: what salvage would have made of it.
    let mut done = Vec::new();
    let summary = muxer.end(None, &mut done);
    let mut ended = cut.clone();
    ended.perform_all(&done);
    let (whole, salvaged) = rescued(&cut).unwrap();
    assert_eq!(summary, salvaged, "{}", stream.name);
    assert!(ended.bytes() == whole.bytes(), "{}: another file than salvage makes", stream.name);

    // It comes back.
    let Reopened { mut muxer, ops: again, ends: same, .. } = opened(&cut, stream).unwrap();
    assert_eq!((again, same), (Vec::new(), ends), "{}: it has been cut before", stream.name);
    let more = later(stream, ends);
    let mut ops = Vec::new();
    let wall = WallTime::from_unix_millis(1_795_000_090_000);
    muxer.resume(more.iter().map(|frame| frame.pts).min().unwrap(), wall, &mut ops);
    more.iter().for_each(|frame| muxer.frame(frame, &mut ops));
    let end_at = ops.len();
    let summary = muxer.end(None, &mut ops);
    let mut all = cut.clone();
    all.perform_all(&ops);
    let frames = [kept.as_slice(), &more].concat();
    check_finished(&all.bytes(), &frames, &summary, &format!("random, gone on, {}", stream.name));

    // And that is torn once more.
    for upto in [end_at / 3, end_at] {
        let mut torn = cut.clone();
        torn.perform_all(&ops[..upto]);
        let composed = Stream { frames: frames.clone(), ..stream.clone() };
        let twice = opened(&torn, &composed).unwrap();
        assert_eq!(twice.ops, [], "{}", stream.name);
        let kept = held(&torn.bytes(), &composed).into_iter().cloned().collect::<Vec<_>>();
        let (whole, summary) = rescued(&torn).unwrap();
        check_finished(&whole.bytes(), &kept, &summary, &format!("random, torn twice, {}", stream.name));
        assert!(upto > 0 || kept.len() == frames.len() - more.len());
    }
    true
}

fn is_fragment(op: &Op) -> bool {
    matches!(op, Op::Append { slices, .. } if [b"moof", b"prft"].iter().any(|kind| slices[0].get(4..8) == Some(&kind[..])))
}

#[test]
fn a_file_torn_after_any_operation_goes_on_until_its_end_begins() {
    for stream in streams::all().into_iter().filter(|stream| stream.frames.len() < 1000) {
        let (ops, _) = stream.record();
        let ending = ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap();
        for upto in 0..=ops.len() {
            let has_media = ops[..upto].iter().any(is_fragment);
            let goes_on = check(&stream, &Disk::after(&ops[..upto]));
            assert_eq!(goes_on, has_media && upto <= ending, "{}: {upto} of {}", stream.name, ops.len());
        }
    }
}

#[test]
fn what_is_not_a_whole_fragment_is_cut() {
    for stream in [streams::short(), streams::audio_only(), streams::resumed()] {
        let (ops, _) = stream.record();
        let ending = ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap();
        let first = ops.iter().position(is_fragment).unwrap();
        for (upto, op) in ops.iter().enumerate().take(ending).skip(first) {
            let Op::Append { slices, .. } = op else { continue };
            let len: usize = slices.iter().map(|slice| slice.len()).sum();
            for byte in [1, 9, 33, 60, len / 2, len - 1].into_iter().filter(|byte| *byte < len) {
                let mut torn = Disk::after(&ops[..upto]);
                torn.perform_torn(op, byte);
                assert_eq!(check(&stream, &torn), upto > first, "{}: {byte} bytes of {upto}", stream.name);
            }
        }
    }
}

#[test]
fn what_salvage_has_begun_to_complete_is_not_gone_on_with() {
    let stream = streams::video_only();
    let (ops, _) = stream.record();
    let fragments: Vec<usize> = (0..ops.len()).filter(|at| is_fragment(&ops[*at])).collect();
    let mut disk = Disk::after(&ops[..fragments[1]]);
    let Op::Append { slices, .. } = &ops[fragments[1]] else { panic!() };
    let some = slices.iter().map(|slice| slice.len()).sum::<usize>() * 2 / 3;
    disk.perform_torn(&ops[fragments[1]], some);
    let Salvage::Complete { ops, .. } = salvage(Format::Mp4, &disk, WallTime::from_unix_millis(0)).unwrap() else {
        panic!()
    };
    let is_end = |op: &&Op| matches!(op, Op::Patch { offset: 0, .. });
    let flip = ops.iter().position(|op| is_end(&op)).unwrap();
    assert!(opened(&disk, &stream).is_some());
    // Cut, and the torn fragment mended: it holds fewer frames than it names.
    disk.perform_all(&ops[..2]);
    for op in &ops[2..=flip] {
        assert!(opened(&disk, &stream).is_none());
        disk.perform(op);
    }
    assert!(opened(&disk, &stream).is_none());
}

#[test]
fn what_is_no_recording_is_an_error_and_nothing_is_nothing() {
    let stream = streams::short();
    assert!(opened(&Disk::default(), &stream).is_none());
    let file = FileName::mp4();
    let mut disk = Disk::default();
    disk.perform_all(&[Op::Create { file: file.clone() }, Op::Append { file, slices: vec![vec![7; 5_000].into()] }]);
    let torn = Torn { start: stream.start(), wall_start: WallTime::default(), layout: stream.layout.clone() };
    assert!(reopen(Format::Mp4, &disk, &torn).is_err());
}

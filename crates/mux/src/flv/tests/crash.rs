//! What a crash leaves, completed.

use super::*;
use crate::{Salvage, SalvageError};

/// Pictures and sound of some seconds, out of step, with a key frame a second.
pub(super) fn stream() -> Vec<Frame> {
    let mut frames = Vec::new();
    for n in 0..75 {
        let shift = if n % 3 == 1 { 80 } else { 40 };
        let data = vec![n as u8; 30 + 7 * (n as usize % 5)];
        frames.push(frame(TrackId::VIDEO, ms(500 + n * 40), shift, n % 25 == 0, &data));
        frames.extend((0..2).map(|half| audio(470 + n * 40 + half * 20)));
    }
    frames
}

/// The same, of a publisher that went and came back after 30 s.
pub(super) fn resumed() -> (Vec<Op>, Summary) {
    let mut ops = Vec::new();
    let mut muxer = FlvMuxer::open(begin(vec![avc(), aac()], ms(500)), &mut ops);
    for behind in [ms(0), ms(33_000)] {
        for frame in stream() {
            let (dts, pts) = (frame.dts + behind, frame.pts + behind);
            muxer.frame(&Frame { dts, pts, ..frame }, &mut ops);
        }
        if behind == ms(0) {
            let before = muxer.progress().size_bytes;
            muxer.pause(&mut ops);
            assert!(muxer.progress().size_bytes > before);
            muxer.resume(ms(33_500), WallTime::from_unix_millis(33_000), &mut ops);
        }
    }
    let summary = muxer.end(None, &mut ops);
    (ops, summary)
}

pub(super) fn ops() -> (Vec<Op>, Summary) {
    record(begin(vec![avc(), aac()], ms(500)), &stream(), None)
}

/// Completes what is on the disk; every prefix of the way leads to the same end.
pub(super) fn complete(disk: &Disk) -> Option<(Disk, Summary, u64)> {
    let (ops, summary, cut) = match salvage(disk).unwrap() {
        Salvage::Complete { ops, summary, cut_bytes } => (ops, summary, cut_bytes),
        Salvage::Empty => return None,
    };
    let mut done = disk.clone();
    done.perform_all(&ops);
    for prefix in 0..=ops.len() {
        let mut part = disk.clone();
        part.perform_all(&ops[..prefix]);
        let Salvage::Complete { ops: rest, summary: again, .. } = salvage(&part).unwrap() else {
            panic!("prefix {prefix}")
        };
        part.perform_all(&rest);
        assert_eq!((&part, &again), (&done, &summary), "after {prefix} operations");
    }
    Some((done, summary, cut))
}

/// What must hold of a completed file: it tells the truth about itself.
fn check(disk: &Disk, summary: &Summary) {
    let file = disk.finished();
    let values = metadata(file);
    assert_eq!(number(&values, "filesize"), file.len() as f64);
    assert_eq!(summary.size_bytes, file.len() as u64);
    assert_eq!(summary.start, ms(500));
    if summary.video.is_some() {
        // The first sound is the zero of the file; the first picture is shown 70 ms later, which is the start.
        assert!((number(&values, "duration") - summary.duration.as_secs_f64() - 0.07).abs() < 1e-9);
    }
    let keys = tags(file).iter().filter(|tag| tag.body[..2] == [0x17, 1]).count();
    assert_eq!(index(file).len(), if keys == 0 { 0 } else { keys + 1 });
}

#[test]
fn any_number_of_operations_leaves_all_whole_tags() {
    let (ops, _) = resumed();
    let mut whole_tags = 0;
    for count in 0..=ops.len() {
        let mut disk = Disk::default();
        disk.perform_all(&ops[..count]);
        let Some((done, summary, cut)) = complete(&disk) else {
            assert!(count <= 4, "{count}");
            continue;
        };
        assert!(count > 4);
        check(&done, &summary);
        assert_eq!(cut, 0);
        let now = tags(done.finished()).len();
        assert!(now > whole_tags || count > ops.len() - 2, "{count}");
        whole_tags = now;
    }
    assert_eq!(whole_tags, 2 * stream().len() + 3);
}

#[test]
fn a_file_cut_at_any_byte_keeps_the_tags_before_it() {
    let (ops, _) = ops();
    let mut whole = Disk::default();
    whole.perform_all(&ops[..ops.len() - 2]);
    let file = whole.growing(&FileName::flv()).clone();
    let tags = tags(&file);
    let first_frame = tags[3].position;
    let lengths = (0..1_000).step_by(7).chain((1_000..first_frame).step_by(997));
    for len in lengths.chain((first_frame - 40..file.len()).step_by(3)) {
        let mut disk = whole.clone();
        disk.growing(&FileName::flv()).truncate(len);
        let kept = tags.iter().filter(|tag| tag.position + tag.body.len() + 15 <= len).count();
        match complete(&disk) {
            None => assert!(kept <= 3, "{len}"),
            Some((done, summary, cut)) => {
                check(&done, &summary);
                assert_eq!(super::tags(done.finished()).len(), kept, "{len}");
                assert_eq!(cut, (len - done.finished().len()) as u64);
            }
        }
    }
}

#[test]
fn nothing_is_lost_when_only_the_name_is_missing() {
    nothing_is_lost(ops());
    nothing_is_lost(resumed());
}

fn nothing_is_lost((ops, summary): (Vec<Op>, Summary)) {
    let mut finished = Disk::default();
    finished.perform_all(&ops);
    let mut unnamed = Disk::default();
    unnamed.perform_all(&ops[..ops.len() - 1]);
    let (done, salvaged, _) = complete(&unnamed).unwrap();
    assert_eq!(done, finished);
    assert_eq!(salvaged, summary);
    // A finished file is left alone.
    let Salvage::Complete { ops, summary: again, cut_bytes: 0 } = salvage(&finished).unwrap() else { panic!() };
    assert_eq!((ops, again), (Vec::new(), summary));
}

#[test]
fn a_torn_patch_is_done_again() {
    let (ops, _) = ops();
    let [rest @ .., Op::Patch { file, offset, data }, Op::Finish { .. }] = ops.as_slice() else { panic!() };
    let mut finished = Disk::default();
    finished.perform_all(&ops);
    let torn_at = |pieces: &dyn Fn(usize) -> bool| {
        let mut disk = Disk::default();
        disk.perform_all(rest);
        for (number, piece) in data.chunks(32).enumerate().filter(|(number, _)| pieces(*number)) {
            let offset = offset + 32 * number as u64;
            disk.perform(&Op::Patch { file: file.clone(), offset, data: data.slice_ref(piece) });
        }
        assert_eq!(complete(&disk).unwrap().0, finished);
    };
    // Pieces reach the disk in any order: the first few, the last few, every so many.
    for few in 0..=data.len() / 32 {
        torn_at(&|number| number < few);
        torn_at(&|number| number >= few);
        torn_at(&|number| number % (few + 2) == 1);
    }
}

#[test]
fn an_index_longer_than_what_is_left_is_written_over() {
    let (ops, _) = ops();
    let mut disk = Disk::default();
    disk.perform_all(&ops[..ops.len() - 1]);
    // The patch reached the disk, the last two seconds did not.
    let file = disk.growing(&FileName::flv());
    let second_key = tags(file).iter().filter(|tag| tag.body[..2] == [0x17, 1]).nth(1).unwrap().position;
    let len = file.len();
    file[second_key..].fill(0);
    let (done, summary, cut) = complete(&disk).unwrap();
    check(&done, &summary);
    assert_eq!(index(done.finished()).len(), 2);
    assert_eq!(cut, (len - second_key) as u64);
}

#[test]
fn what_is_not_ours_is_damaged_and_what_is_empty_is_empty() {
    assert!(matches!(salvage(&Disk::default()), Ok(Salvage::Empty)));
    let (ops, _) = ops();
    let mut whole = Disk::default();
    whole.perform_all(&ops[..ops.len() - 1]);
    for (at, place) in [(0, 0), (13, 13), (40, 13)] {
        let mut disk = whole.clone();
        let file = disk.growing(&FileName::flv());
        file[at..at + 1000].fill(0xee);
        let error = salvage(&disk).unwrap_err();
        assert!(matches!(error, SalvageError::Damaged { at, .. } if at == place), "{error}");
    }
}

#[test]
fn damage_anywhere_never_panics() {
    let (ops, _) = ops();
    let mut whole = Disk::default();
    whole.perform_all(&ops[..ops.len() - 2]);
    let mut seed = 1u64;
    let mut roll = move |sides: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % sides
    };
    for _ in 0..2_000 {
        let mut disk = whole.clone();
        let file = disk.growing(&FileName::flv());
        for _ in 0..1 + roll(4) {
            // Head and tags are what matters; the room between them is large and empty.
            let at = if roll(2) == 0 { roll(600) } else { file.len() - 1 - roll(9_000) };
            file[at] = roll(256) as u8;
        }
        if let Ok(Salvage::Complete { ops, summary, .. }) = salvage(&disk) {
            disk.perform_all(&ops);
            assert_eq!(disk.finished().len() as u64, summary.size_bytes);
        }
    }
}

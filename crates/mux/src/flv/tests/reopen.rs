//! Files that a crash tore, and that go on.

use super::crash::{complete, stream};
use super::*;
use crate::{Reopened, Torn};

fn opened(disk: &Disk) -> Option<Reopened> {
    let torn = Torn { start: ms(540), wall_start: WallTime::from_unix_millis(0), layout: Layout::default() };
    reopen(disk, &torn).unwrap()
}

/// What is recorded of a stream whose first picture is shown at 540 ms, with a pause of the publisher or not.
fn ops(paused: bool) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut muxer = FlvMuxer::open(begin(vec![avc(), aac()], ms(540)), &mut ops);
    let behind = if paused { vec![ms(0), ms(33_000)] } else { vec![ms(0)] };
    for behind in behind {
        if behind > ms(0) {
            muxer.pause(&mut ops);
            muxer.resume(ms(33_540), WallTime::from_unix_millis(33_000), &mut ops);
        }
        for frame in stream() {
            muxer.frame(&Frame { dts: frame.dts + behind, pts: frame.pts + behind, ..frame }, &mut ops);
        }
    }
    muxer.end(None, &mut ops);
    ops
}

/// The frames of a file, as their tags say.
fn held(file: &[u8]) -> Vec<Tag> {
    tags(file).into_iter().skip(3).collect()
}

/// Goes on with what is on `disk`, if that can be gone on with.
fn check(disk: &Disk) -> bool {
    let Some(Reopened { mut muxer, ops, tracks, ends, delay, .. }) = opened(disk) else { return false };
    assert_eq!(delay, ms(40));
    assert_eq!(tracks, [avc(), aac()]);
    let mut cut = disk.clone();
    cut.perform_all(&ops);
    let kept = held(&cut.growing(&FileName::flv()).clone());

    // Its publisher stays away: what salvage would have made of it.
    let mut done = Vec::new();
    let summary = muxer.end(None, &mut done);
    let mut ended = cut.clone();
    ended.perform_all(&done);
    let (whole, salvaged, _) = complete(disk).unwrap();
    assert_eq!((&ended, &summary), (&whole, &salvaged));

    // It comes back.
    let Reopened { mut muxer, ops: again, .. } = opened(&cut).unwrap();
    assert_eq!(again, []);
    let by = MediaTime::from_millis((ends - ms(470)).as_millis() + 1_001);
    let more: Vec<Frame> =
        stream().into_iter().map(|frame| Frame { dts: frame.dts + by, pts: frame.pts + by, ..frame }).collect();
    let mut ops = Vec::new();
    muxer.resume(ms(540) + by, WallTime::from_unix_millis(90_000), &mut ops);
    more.iter().for_each(|frame| muxer.frame(frame, &mut ops));
    let summary = muxer.end(None, &mut ops);
    let mut all = cut.clone();
    all.perform_all(&ops);
    let file = all.finished();
    assert_eq!(summary.size_bytes, file.len() as u64);
    let found = held(file);
    let (before, behind) = found.split_at(kept.len());
    let bodies = |tags: &[Tag]| tags.iter().map(|tag| (tag.timestamp_ms, tag.body.clone())).collect::<Vec<_>>();
    assert_eq!(bodies(before), bodies(&kept));
    assert_eq!(behind.len(), more.len());
    for frame in &more {
        // The zero of the file is the first sound, at 470 ms.
        let at = (frame.dts - ms(470)).as_millis() as u32;
        let shift = (frame.pts - frame.dts).as_millis() as u8;
        let is_same = |tag: &Tag| match (tag.kind, frame.track.kind) {
            (TagKind::Video, TrackKind::Video) => tag.body[2..5] == [0, 0, shift],
            (kind, _) => kind == TagKind::Audio && frame.track.kind == TrackKind::Audio,
        };
        let found =
            behind.iter().filter(|tag| tag.timestamp_ms == at && is_same(tag) && tag.body.ends_with(&frame.data));
        assert_eq!(found.count(), 1, "{frame:?} is in once, at its time");
    }
    let keys = tags(file).iter().filter(|tag| tag.body[..2] == [0x17, 1]).count();
    assert_eq!(index(file).len(), keys + 1);
    assert_eq!(summary.start, ms(540));
    true
}

#[test]
fn a_file_torn_after_any_operation_goes_on_until_its_end_begins() {
    for ops in [ops(false), ops(true)] {
        for count in 0..=ops.len() {
            let mut disk = Disk::default();
            disk.perform_all(&ops[..count]);
            let ending = ops.len() - 2;
            assert_eq!(check(&disk), (5..=ending).contains(&count), "{count} of {}", ops.len());
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_goes_on_with_the_tags_before_it() {
    let ops = ops(false);
    let mut whole = Disk::default();
    whole.perform_all(&ops[..ops.len() - 2]);
    let file = whole.growing(&FileName::flv()).clone();
    let tags = tags(&file);
    // From the first picture on it is known what time is 0 in the file.
    let picture = tags.iter().skip(3).find(|tag| tag.kind == TagKind::Video).unwrap();
    let first = picture.position + picture.body.len() + 15;
    for len in (first - 20..file.len()).step_by(61) {
        let mut disk = whole.clone();
        disk.growing(&FileName::flv()).truncate(len);
        assert_eq!(check(&disk), len >= first, "{len}");
    }
}

#[test]
fn damage_anywhere_never_panics() {
    let ops = ops(false);
    let mut whole = Disk::default();
    whole.perform_all(&ops[..ops.len() - 2]);
    let len = whole.growing(&FileName::flv()).len();
    for at in (0..600).chain((len - 9_000..len).step_by(13)) {
        let mut disk = whole.clone();
        disk.growing(&FileName::flv())[at] ^= 0x91;
        let torn = Torn { start: ms(540), wall_start: WallTime::from_unix_millis(0), layout: Layout::default() };
        if let Ok(Some(mut found)) = reopen(&disk, &torn) {
            disk.perform_all(&found.ops);
            let mut done = Vec::new();
            found.muxer.end(None, &mut done);
            disk.perform_all(&done);
        }
    }
}

//! A recording that a crash tore: the operations of real muxers stop at any point, the last write
//! reaches the disk in part, and then bytes may turn.
//!
//! Without damage, salvage completes it with every frame whose write was whole, in order and without a
//! gap, and from every point of that completion leads to the same end. With damage it ends all the
//! same, and what stood before the damage is not lost. What can be gone on with holds all of it as well.
//!
//! ```text
//! input  choice u8 | crash u16 u16 | second crash u16 u16 | flips u8 | flip * | script (see `footage`)
//! crash  operations done (of 65,536 parts) | bytes of the next one (of 65,536 parts)
//! flip   place u16 (of 65,536 parts) | bits u8
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use livetape_flv::{DemuxLimits, Demuxer, TagKind, Tags};
use livetape_media::{EndReason, Format, Item, MediaTime, TrackKind, WallTime};
use livetape_mux::{FileName, Layout, Op, Salvage, Torn, reopen, salvage};

use crate::directory::Directory;
use crate::footage::{self, Mark, Step, marks, marks_in};
use crate::input::{Input, share};
use crate::recordings::{Ending, LAYOUTS, policy, record};
use crate::{hls, moment, settle};

const SAMPLE: &[u8] = include_bytes!("../../../../fixtures/sample.flv");
/// Four seconds of it are enough for several fragments and segments.
const TAGS: usize = 320;

/// A write that reached the disk whole.
struct Write {
    file: FileName,
    /// Where it ends.
    end: usize,
    marks: Vec<Mark>,
}

/// Reads the input as a recording and its crash.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let choice = input.u8();
    let number = usize::from(choice & 3);
    let format = LAYOUTS[number].0;
    let (crash, second) = ((input.u16(), input.u16()), (input.u16(), input.u16()));
    let flips: Vec<(u16, u8)> = (0..input.u8() % 32).map(|_| (input.u16(), input.u8())).collect();
    let own;
    let (ops, wall) = if choice & 4 > 0 {
        &sample()[number]
    } else {
        own = longest(number, &footage::read(input.rest()));
        &own
    };
    let wall = *wall;
    let Some(last) = ops.len().checked_sub(1) else { return };
    let done = share(last + 1, crash.0);

    let mut directory = Directory::default();
    let mut writes = Vec::new();
    for op in &ops[..done] {
        directory.perform(op);
        if let Op::Append { file, slices } = op {
            let end = directory.entry(file.as_str()).map_or(0, |entry| entry.bytes.len());
            writes.push(Write { file: file.clone(), end, marks: marks_in(file.as_str(), &slices.concat()) });
        }
    }
    directory.perform_part(&ops[done], crash.1);
    let damage = flip(&mut directory, &flips);
    let before = |write: &&Write| damage.get(&write.file).is_none_or(|first| write.end <= *first);
    let whole: BTreeSet<Mark> = writes.iter().filter(before).flat_map(|write| write.marks.clone()).collect();

    go_on((format, wall), &directory, &whole, damage.is_empty());
    match salvage(format, &directory, wall) {
        Err(error) => assert!(!damage.is_empty(), "an undamaged recording cannot be salvaged: {error}"),
        Ok(Salvage::Empty) => assert!(whole.is_empty(), "{} whole frames are taken for none", whole.len()),
        Ok(Salvage::Complete { ops: rest, summary, .. }) => {
            let mut complete = directory.clone();
            let settled = settle::settle(format, &mut complete, wall);
            assert_eq!(settled.as_ref(), Some(&summary), "salvage says two things of the same files");
            assert!(!complete.grows(), "a file still grows");
            let kept = marks(&complete);
            let lost: Vec<Mark> = whole.difference(&kept.iter().copied().collect()).copied().collect();
            assert!(lost.is_empty(), "whole frames are lost: {lost:?}");
            if damage.is_empty() {
                prefix(&kept, &all_marks(ops));
                crash_again((format, wall), directory, &rest, second, &complete);
                if choice & 4 == 0 {
                    let of = |kind| kept.iter().filter(|mark| mark.kind == kind).count() as u64;
                    assert_eq!(settle::frames(&summary), (of(TrackKind::Video), of(TrackKind::Audio)));
                }
                if format == Format::Hls {
                    hls::complete(&complete);
                }
            }
        }
    }
}

/// Goes on with it where that can be, and ends at once: what was whole is in it.
fn go_on((format, wall_start): (Format, WallTime), directory: &Directory, whole: &BTreeSet<Mark>, undamaged: bool) {
    let torn = Torn { start: MediaTime::ZERO, wall_start, layout: Layout::default() };
    match reopen(format, directory, &torn) {
        Ok(Some(mut reopened)) => {
            let (mut directory, mut end) = (directory.clone(), Vec::new());
            reopened.ops.iter().for_each(|op| directory.perform(op));
            reopened.muxer.end(None, &mut end);
            end.iter().for_each(|op| directory.perform(op));
            assert!(!directory.grows(), "a file still grows");
            let kept: BTreeSet<Mark> = marks(&directory).into_iter().collect();
            let lost: Vec<_> = whole.difference(&kept).collect();
            assert!(lost.is_empty(), "whole frames are not gone on with: {lost:?}");
        }
        Ok(None) => {}
        Err(error) => assert!(!undamaged, "an undamaged recording cannot be gone on with: {error}"),
    }
}

fn all_marks(ops: &[Op]) -> Vec<Mark> {
    let appended = ops.iter().filter_map(|op| match op {
        Op::Append { file, slices } => Some(marks_in(file.as_str(), &slices.concat())),
        _ => None,
    });
    appended.flatten().collect()
}

/// What is kept of each track are its first frames, without a gap.
fn prefix(kept: &[Mark], all: &[Mark]) {
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let of = |marks: &[Mark]| marks.iter().copied().filter(|mark| mark.kind == kind).collect::<Vec<_>>();
        assert!(of(all).starts_with(&of(kept)), "what is kept is not how the recording began");
    }
}

/// A second crash, amid the completion: it leads to the same end.
fn crash_again(
    (format, wall): (Format, WallTime),
    mut directory: Directory,
    ops: &[Op],
    (done, part): (u16, u16),
    complete: &Directory,
) {
    let done = share(ops.len(), done);
    ops[..done].iter().for_each(|op| directory.perform(op));
    if let Some(torn) = ops.get(done) {
        directory.perform_part(torn, part);
    }
    let again = settle::settle(format, &mut directory, wall);
    assert!(again.is_some(), "half completed, it cannot be salvaged any more");
    assert!(directory == *complete, "the same recording is completed in two ways");
}

/// Turns bits; the first byte turned of each file.
fn flip(directory: &mut Directory, flips: &[(u16, u8)]) -> BTreeMap<FileName, usize> {
    let mut first: BTreeMap<FileName, usize> = BTreeMap::new();
    let total = directory.size();
    for (place, bits) in flips.iter().filter(|(_, bits)| *bits != 0) {
        let mut place = share(total, *place);
        for (file, entry) in directory.entries_mut() {
            if let Some(byte) = entry.bytes.get_mut(place) {
                *byte ^= bits;
                let at = first.entry(file.clone()).or_insert(place);
                *at = place.min(*at);
                break;
            }
            place -= entry.bytes.len();
        }
    }
    first
}

/// The operations of the longest recording, and when it began.
fn longest(number: usize, steps: &[Step]) -> (Vec<Op>, WallTime) {
    let recorded = record(policy(LAYOUTS[number], Duration::from_secs(3_600), Duration::ZERO), steps);
    let closed = recorded.recordings.into_iter().filter(|recording| matches!(recording.ending, Ending::Closed(_)));
    let longest = closed.max_by_key(|recording| recording.ops.len());
    longest.map_or((Vec::new(), settle::wall_start()), |recording| (recording.ops, recording.opening.started_at))
}

/// Every operation of the sample's recording, in each layout.
fn sample() -> &'static [(Vec<Op>, WallTime); 4] {
    static RECORDINGS: OnceLock<[(Vec<Op>, WallTime); 4]> = OnceLock::new();
    RECORDINGS.get_or_init(|| {
        let steps = sample_steps();
        [0, 1, 2, 3].map(|number| longest(number, &steps))
    })
}

/// The sample's operations in one layout.
pub(super) fn sample_ops(number: usize) -> &'static [Op] {
    &sample()[number].0
}

fn sample_steps() -> Vec<Step> {
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
    demuxer.finish(&mut items);
    items.push(Item::End(EndReason::Drop));
    items.into_iter().map(Step::Item).collect()
}

//! A publisher of any frames, configurations, jumps and pauses, which goes and comes back, through the recorders
//! of all formats with the real muxers, which are split, suspended and given up at any moment.
//!
//! Every frame is in exactly one recording of each format, in order, or accounted for; what a
//! recording says of itself is what its files hold; a finished one needs no salvage, and one that waits for its
//! publisher has all that came in its files.
//!
//! ```text
//! input  limits u8 | script (see `footage`)
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use livetape_media::{Codec, Format, Item, TrackKind};

use crate::footage::{self, Mark, Step};
use crate::recordings::{Ending, LAYOUTS, Recorded, Recording, policy, record};
use crate::{hls, settle};

/// Reads the input as a session.
pub fn run(data: &[u8]) {
    let Some((limits, script)) = data.split_first() else { return };
    let max = Duration::from_millis([1_000, 2_000, 5_000, 600_000][usize::from(limits & 3)]);
    let min = Duration::from_millis([0, 0, 300, 1_000][usize::from(limits >> 2 & 3)]);
    let steps = footage::read(script);
    let mut cuts = Vec::new();
    for (number, layout) in LAYOUTS.into_iter().enumerate() {
        let recorded = record(policy(layout, max, min), &steps);
        check(&recorded, &steps);
        cuts.push(recorded.recordings.iter().map(first_picture).collect::<Vec<_>>());
        if number == usize::from(limits >> 4 & 3) {
            let again = record(policy(layout, max, min), &steps);
            assert!(again == recorded, "the same session is recorded in two ways");
        }
    }
    // Recordings that are given up or discarded keep frames to themselves, and a split asked for while a
    // cut waits for its sound is that cut. HLS goes on in the same recording where the others cannot.
    let apart = |step: &Step| matches!(step, Step::Abandon | Step::Split);
    if min.is_zero() && !steps.iter().any(apart) {
        assert_eq!(cuts[0], cuts[2], "MP4 and FLV are cut at different frames");
        // MP3 goes into transport streams alone.
        let mp3 = |step: &Step| matches!(step, Step::Item(Item::Track(track)) if track.config.codec() == Codec::Mp3);
        assert!(cuts[1] == cuts[3] || steps.iter().any(mp3), "HLS recordings are cut at different frames");
    }
}

fn check(recorded: &Recorded, steps: &[Step]) {
    let mut seen = BTreeSet::new();
    let mut last = [0, 0];
    for recording in &recorded.recordings {
        let marks = recording.marks();
        for mark in &marks {
            assert!(seen.insert(mark.number), "frame {} is recorded twice", mark.number);
            let last = &mut last[usize::from(mark.kind == TrackKind::Video)];
            assert!(*last < mark.number, "frame {} comes behind frame {last}", mark.number);
            *last = mark.number;
        }
        if let Ending::Closed(summary) = &recording.ending {
            gaps(recording, summary.duration, marks.len());
            let over = summary.playlists.as_deref().copied().unwrap_or_default();
            holds(recording, &marks, settle::frames(summary), summary.size_bytes + over.size_bytes);
            let listed = summary.playlists.as_ref().map(|over| (over.pictures, over.sounds));
            let is_mp4 = recording.opening.format == Format::Mp4;
            assert_eq!(listed, is_mp4.then(|| settle::frames(summary)), "frames that playlists over an MP4 list");
        }
    }
    let given: BTreeSet<u32> = recorded.given.iter().map(|mark| mark.number).collect();
    assert!(seen.is_subset(&given), "a frame is recorded that was not given");
    let whole = recorded.recordings.iter().all(|recording| matches!(recording.ending, Ending::Closed(_)));
    if whole && !steps.contains(&Step::Abandon) {
        let missing: Vec<&u32> = given.difference(&seen).collect();
        let told = recorded.skipped + recorded.dropped;
        assert_eq!(missing.len() as u64, told, "frames {missing:?} are missing");
    }
}

/// The gaps of a closed recording begin one behind the other within it, except one behind which it has no frame: all
/// that came was dropped. All that is there of a publisher that came back may be the sound right before its first
/// picture, so that one need not end within it.
fn gaps(recording: &Recording, duration: Duration, frames: usize) {
    let (format, gaps) = (recording.opening.format, &recording.gaps);
    let right = gaps
        .iter()
        .all(|(gap, held)| gap.from <= gap.to && gap.length <= gap.apart && (gap.at <= duration || *held == frames));
    assert!(right && gaps.is_sorted_by_key(|(gap, _)| gap.at), "in {duration:?} of {format} are {gaps:?}");
}

/// What a closed recording says of itself is true.
fn holds(recording: &Recording, marks: &[Mark], counted: (u64, u64), size_bytes: u64) {
    let of = |kind| marks.iter().filter(|mark| mark.kind == kind).count() as u64;
    assert_eq!(counted, (of(TrackKind::Video), of(TrackKind::Audio)), "frames counted, frames there");
    let first = marks.iter().find(|mark| mark.kind == TrackKind::Video);
    assert!(first.is_none_or(|first| first.key), "a recording begins with {first:?}");
    let playlists = recording.directory.entries().filter(|(file, _)| file.as_str().ends_with(".m3u8"));
    let listing: usize = playlists.map(|(_, entry)| entry.bytes.len()).sum();
    let all = recording.directory.size() as u64;
    assert!([all, all - listing as u64].contains(&size_bytes), "{size_bytes} bytes are told, {all} are there");
    let format = recording.opening.format;
    if format == Format::Hls {
        hls::complete(&recording.directory);
    }
    let mut copy = recording.directory.clone();
    let salvaged = settle::settle(format, &mut copy, recording.opening.started_at);
    assert_eq!(
        salvaged.as_ref().map(settle::frames),
        Some(counted),
        "salvaged, a finished recording holds other frames"
    );
    // The frame rate in the multivariant playlist is measured, and reading measures less exactly.
    for (file, entry) in recording.directory.entries().filter(|(file, _)| file.as_str() != "index.m3u8") {
        let after = copy.entry(file.as_str());
        assert!(after == Some(entry), "salvage changes {file} of a finished recording");
    }
}

fn first_picture(recording: &Recording) -> Option<u32> {
    let marks = recording.marks();
    marks.iter().find(|mark| mark.kind == TrackKind::Video).map(|mark| mark.number)
}

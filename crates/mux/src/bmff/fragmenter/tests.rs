use livetape_media::{TrackId, TrackKind};

use super::*;

fn entry(kind: TrackKind) -> TrackEntry {
    let (number, timescale, step) = match kind {
        TrackKind::Video => (1, 90_000, None),
        TrackKind::Audio => (2, 48_000, Some(1024)),
    };
    TrackEntry {
        number,
        id: TrackId { kind, index: 0 },
        timescale,
        size: (0, 0),
        step,
        lone_duration: 3000,
        sample_entry: Bytes::new(),
        config: None,
    }
}

fn both() -> [TrackEntry; 2] {
    [entry(TrackKind::Video), entry(TrackKind::Audio)]
}

const LIMITS: FragmentLimits = FragmentLimits { duration: Duration::from_millis(400), bytes: 4 << 20 };

fn video(dts: i64, pts: i64, key: bool) -> Frame {
    Frame {
        track: TrackId::VIDEO,
        dts: MediaTime::from_millis(dts),
        pts: MediaTime::from_millis(pts),
        random_access: key,
        data: Bytes::from_static(&[1; 100]),
    }
}

fn audio(ms: i64) -> Frame {
    let time = MediaTime::from_millis(ms);
    Frame { track: TrackId::AUDIO, dts: time, pts: time, random_access: true, data: Bytes::from_static(&[2; 10]) }
}

/// Pushes everything and finishes.
fn fragments(mut fragmenter: Fragmenter, frames: &[Frame], end: Option<i64>) -> Vec<Fragment> {
    let mut fragments: Vec<_> = frames.iter().filter_map(|frame| fragmenter.push(frame)).collect();
    fragments.extend(fragmenter.finish(end.map(MediaTime::from_millis)));
    assert_eq!(fragmenter.finish(None), None, "nothing is left");
    fragments
}

/// Presentation times of all video frames, in ms after the zero.
fn shown(fragments: &[Fragment]) -> Vec<i64> {
    let mut times = Vec::new();
    for run in fragments.iter().flat_map(|fragment| &fragment.runs).filter(|run| run.id == TrackId::VIDEO) {
        let mut dts = run.dts as i64;
        for sample in &run.samples {
            times.push((dts + i64::from(sample.composition)) / 90);
            dts += i64::from(sample.duration);
        }
    }
    times
}

#[test]
fn one_frame_of_each_track_is_held_back() {
    let mut fragmenter = Fragmenter::new(&both(), Origin::FirstFragment, LIMITS);
    for frame in [video(0, 0, true), audio(0)] {
        assert_eq!(fragmenter.push(&frame), None);
    }
    assert_eq!(fragmenter.cut(), None, "no duration is known");
    for frame in [video(33, 33, false), audio(21), video(67, 67, false)] {
        assert_eq!(fragmenter.push(&frame), None);
    }
    let fragment = fragmenter.cut().unwrap();
    let counts: Vec<_> = fragment.runs.iter().map(|run| (run.number, run.samples.len(), run.data.len())).collect();
    assert_eq!(counts, [(1, 2, 2), (2, 1, 1)]);
    let durations: Vec<_> = fragment.runs[0].samples.iter().map(|sample| sample.duration).collect();
    assert_eq!(durations, [33 * 90, 34 * 90]);
    let rest = fragmenter.finish(None).unwrap();
    assert_eq!(rest.runs[0].dts - fragment.runs[0].dts, 67 * 90);
    assert_eq!(rest.runs[0].samples[0].duration, 34 * 90, "as long as the one before");
    assert_eq!(rest.runs[1].samples[0].duration, 1024);
}

#[test]
fn a_key_frame_ends_the_fragment_before_it() {
    let mut fragmenter = Fragmenter::new(&both(), Origin::FirstFragment, LIMITS);
    let frames = [audio(0), video(0, 0, true), video(40, 40, false), audio(21), video(80, 80, true)];
    let cut: Vec<_> = frames.iter().map(|frame| fragmenter.push(frame)).collect();
    assert_eq!(cut.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, false, true]);
    let (before, next) = (cut[4].clone().unwrap(), fragmenter.finish(None).unwrap());
    assert!(next.runs[0].samples[0].sync);
    assert_eq!(next.runs[0].dts - before.runs[0].dts, 80 * 90);
    assert_eq!(next.runs[1].dts - before.runs[1].dts, 1024);
}

#[test]
fn a_fragment_ends_when_it_is_long_or_large() {
    let frames: Vec<_> = (0..60).map(|n| video(n * 40, n * 40, n == 0)).collect();
    let counts = |limits| {
        let tracks = [entry(TrackKind::Video)];
        let cut = fragments(Fragmenter::new(&tracks, Origin::FirstFragment, limits), &frames, None);
        cut.iter().map(|fragment| fragment.runs[0].samples.len()).collect::<Vec<_>>()
    };
    assert_eq!(counts(LIMITS), [10, 10, 10, 10, 10, 10]);
    let small = counts(FragmentLimits { bytes: 500, ..LIMITS });
    assert_eq!(small.iter().sum::<usize>(), 60);
    assert!(small.iter().all(|count| *count <= 4), "{small:?}");
}

#[test]
fn the_end_of_the_last_picture_is_used_when_it_is_known() {
    let frames = [video(0, 0, true), video(40, 40, false)];
    let tracks = [entry(TrackKind::Video)];
    for (end, expected) in [(Some(90), 50), (None, 40), (Some(40), 40), (Some(-5), 40)] {
        let cut = fragments(Fragmenter::new(&tracks, Origin::FirstFragment, LIMITS), &frames, end);
        assert_eq!(cut[0].runs[0].samples[1].duration, expected * 90);
    }
}

#[test]
fn pictures_shown_before_they_are_decoded_are_decoded_earlier() {
    let frames =
        [(0, 0), (40, 120), (80, 40), (120, 80), (160, 240), (200, 160), (240, 200)].map(|(d, p)| video(d, p, d == 0));
    let cut = fragments(Fragmenter::new(&both()[..1], Origin::FirstFragment, LIMITS), &frames, None);
    let samples = cut.iter().flat_map(|fragment| &fragment.runs[0].samples);
    assert!(samples.clone().all(|sample| sample.composition >= 0));
    assert_eq!(shown(&cut), [40, 160, 80, 120, 280, 200, 240], "all by the same constant");
}

#[test]
fn a_picture_that_is_alone_at_a_cut_waits_for_others_to_tell_its_offset() {
    let mut frames: Vec<_> = (0..25).map(|n| audio(n * 21 - 500)).collect();
    frames.insert(20, video(0, 0, true));
    frames.extend([video(40, 120, false), video(80, 40, false), video(120, 80, false)]);
    let cut = fragments(Fragmenter::new(&both(), Origin::FirstFragment, LIMITS), &frames, None);
    let samples = cut.iter().flat_map(|fragment| &fragment.runs).filter(|run| run.id == TrackId::VIDEO);
    assert!(samples.flat_map(|run| &run.samples).all(|sample| sample.composition >= 0));
    assert!(cut.len() > 1, "there was a cut before");
}

#[test]
fn an_offset_lower_than_any_before_is_written_as_it_is() {
    let mut frames: Vec<_> = (0..20).map(|n| video(n * 40, n * 40, n == 0)).collect();
    frames.extend([video(800, 920, false), video(840, 800, false), video(880, 840, false), video(920, 880, false)]);
    let cut = fragments(Fragmenter::new(&both()[..1], Origin::FirstFragment, LIMITS), &frames, None);
    let expected: Vec<_> = (0..20).map(|n| n * 40).chain([920, 800, 840, 880]).collect();
    assert_eq!(shown(&cut), expected);
}

#[test]
fn sound_before_the_first_picture_begins_at_zero() {
    let frames = [audio(5000), audio(5021), video(5100, 5180, true), audio(5043), video(5140, 5140, false)];
    let mut fragmenter = Fragmenter::new(&both(), Origin::FirstFragment, LIMITS);
    assert!(frames.iter().all(|frame| fragmenter.push(frame).is_none()));
    let fragment = fragmenter.finish(None).unwrap();
    let zero = fragmenter.zero().unwrap();
    assert!((4999..=5000).contains(&zero.as_millis()));
    assert!(fragment.runs[1].dts < 48, "{}", fragment.runs[1].dts);
    assert_eq!(fragment.runs[0].dts, (MediaTime::from_millis(5100) - zero).to_ticks(90_000) as u64);
}

#[test]
fn a_track_that_comes_late_may_begin_earlier() {
    let mut frames: Vec<_> = (0..15).map(|n| video(n * 40, n * 40, n == 0)).collect();
    frames.extend((0..10).map(|n| audio(n * 21 - 900)));
    let fragmenter = Fragmenter::new(&both(), Origin::FirstFragment, LIMITS);
    let cut = fragments(fragmenter, &frames, None);
    assert_eq!(cut[0].runs[0].dts, 90_000, "a second is left for it");
    let sound = cut.iter().flat_map(|fragment| &fragment.runs).find(|run| run.id == TrackId::AUDIO).unwrap();
    assert!(sound.dts.abs_diff(4800) < 48, "{}", sound.dts);
}

#[test]
fn what_lies_before_a_fixed_zero_is_moved_and_counted() {
    let mut fragmenter = Fragmenter::new(&both()[1..], Origin::At(MediaTime::from_millis(100)), LIMITS);
    for n in 0..3 {
        fragmenter.push(&audio(50 + n * 21));
    }
    let fragment = fragmenter.finish(None).unwrap();
    assert_eq!(fragment.runs[0].dts, 0);
    assert!(fragment.runs[0].samples.iter().all(|sample| sample.duration > 0));
    assert_eq!(fragmenter.repaired(), 3);
}

#[test]
fn the_header_of_a_fragment_is_exact() {
    let frames = [video(0, 40, true), audio(64), video(40, 120, false), video(80, 80, false), audio(128)];
    let mut fragmenter = Fragmenter::new(&both(), Origin::At(MediaTime::ZERO), LIMITS);
    assert!(frames.iter().all(|frame| fragmenter.push(frame).is_none()));
    let fragment = fragmenter.finish(None).unwrap();
    let slices = fragment.clone().into_slices(fragment.header(7));
    #[rustfmt::skip]
    let expected: Vec<u32> = vec![
        208, u32::from_be_bytes(*b"moof"),
        16, u32::from_be_bytes(*b"mfhd"), 0, 7,
        8 + 24 + 20 + 48, u32::from_be_bytes(*b"traf"),
        24, u32::from_be_bytes(*b"tfhd"), 0x02_0028, 1, 3600, 0x0101_0000,
        20, u32::from_be_bytes(*b"tfdt"), 0x0100_0000, 0, 0,
        48, u32::from_be_bytes(*b"trun"), 0xa05, 3, 216, 0x0200_0000, 100, 3600, 100, 7200, 100, 0,
        8 + 20 + 20 + 36, u32::from_be_bytes(*b"traf"),
        20, u32::from_be_bytes(*b"tfhd"), 0x02_0020, 2, 0x0200_0000,
        20, u32::from_be_bytes(*b"tfdt"), 0x0100_0000, 0, 3072,
        36, u32::from_be_bytes(*b"trun"), 0x301, 2, 516, 3072, 10, 1024, 10,
        328, u32::from_be_bytes(*b"mdat"),
    ];
    let words: Vec<u32> = slices[0].chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, expected);
    assert_eq!(slices[0].len(), 216);
    assert_eq!(slices.len(), 1 + 5);
}

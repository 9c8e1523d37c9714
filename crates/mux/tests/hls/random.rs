//! Whatever a publisher sends, as long as the recorder keeps its promises to the muxer.

use livetape_media::{Frame, MediaTime, TrackKind};
use proptest::prelude::*;

use crate::check::{check, cuts};
use crate::media::{aac, avc, avc_large, picture, sound};
use crate::streams::{KINDS, Step, Stream};

/// One picture: how long after the one before, how much later it is shown, whether it is a key frame.
type Picture = (i64, i64, bool);

fn pictures() -> impl Strategy<Value = Vec<Picture>> {
    let interval = prop_oneof![20 => 10i64..60, 2 => 60i64..900, 1 => 900i64..9_000];
    let key = prop_oneof![9 => Just(false), 1 => Just(true)];
    proptest::collection::vec((interval, 0i64..120, key), 1..250)
}

fn sounds() -> impl Strategy<Value = Vec<i64>> {
    let interval = prop_oneof![40 => Just(21i64), 4 => 10i64..30, 1 => 200i64..12_000];
    proptest::collection::vec(interval, 0..500)
}

/// A stretch of a stream from `from_ms` on. Pictures that would be decoded after they are shown, or
/// shown at another picture's time, are of no concern: only their bytes and times must survive.
fn stretch(from_ms: i64, first_number: usize, pictures: &[Picture], sounds: &[i64]) -> (Vec<Frame>, i64) {
    let mut frames = Vec::new();
    let mut dts = from_ms;
    let delay = pictures.first().map_or(0, |(_, delay, _)| *delay);
    for (number, (interval, later, key)) in pictures.iter().enumerate() {
        let key = *key || number == 0;
        let later = if key { delay } else { *later };
        frames.push(picture(first_number + number, dts, dts + later, key, 50 + number * 7 % 400));
        dts += interval;
    }
    let end = dts;
    let mut at = from_ms + delay;
    for (number, interval) in sounds.iter().enumerate() {
        // Publishers interleave: sound is never far from the pictures.
        if !pictures.is_empty() && at > end {
            break;
        }
        frames.push(sound(first_number + number, at, false));
        at += interval;
    }
    frames.sort_by_key(|frame| frame.dts);
    let end = frames.iter().map(|frame| frame.dts.as_millis()).max().unwrap_or(from_ms) + 40;
    (frames, end)
}

fn stream() -> impl Strategy<Value = Stream> {
    let stretches = proptest::collection::vec((pictures(), sounds(), any::<bool>(), 0i64..3_000), 1..3);
    let layout = (prop_oneof![Just(1000u64), 500u64..4_000], 100u64..800, 1u32..5);
    (stretches, layout, prop_oneof![5 => Just(true), 1 => Just(false)]).prop_map(|(stretches, layout, with_video)| {
        let tracks = |large: bool| match (with_video, large) {
            (true, false) => vec![avc(), aac()],
            (true, true) => vec![avc_large(), aac()],
            (false, _) => vec![aac()],
        };
        let mut stream = Stream::new("random", tracks(stretches[0].2), vec![], vec![]);
        let mut at = 50;
        for (index, (pictures, sounds, large, gap)) in stretches.iter().enumerate() {
            let pictures: &[Picture] = if with_video { pictures } else { &[] };
            if index > 0 {
                at += gap;
            }
            let (frames, end) = stretch(at, index * 1000, pictures, sounds);
            if index > 0 {
                let first = |kind| frames.iter().find(|frame| frame.track.kind == kind).map(|frame| frame.pts);
                let begins = first(TrackKind::Video).or(first(TrackKind::Audio)).unwrap_or(MediaTime::from_millis(at));
                let (at_ms, wall_ms) = (begins.as_millis(), begins.as_millis() + 777);
                stream.steps.push(Step::Discontinuity { tracks: tracks(*large), at_ms, wall_ms });
            }
            stream.steps.extend(frames.into_iter().map(Step::Frame));
            at = end;
        }
        stream.layout.segment = std::time::Duration::from_millis(layout.0);
        stream.layout.fragment = std::time::Duration::from_millis(layout.1);
        stream.layout.segment_overrun = layout.2;
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_frame_is_in_one_segment_and_every_playlist_is_valid(stream in stream()) {
        prop_assume!(stream.frames().next().is_some());
        let ends_in_discontinuity = matches!(stream.steps.last(), Some(Step::Discontinuity { .. }));
        prop_assume!(!ends_in_discontinuity);
        let [fmp4, ts] = KINDS.map(|kind| {
            let (disk, playlist, summary) = check(&stream.of(kind));
            let millis: Vec<_> = playlist.segments.iter().map(crate::check::millis).collect();
            (cuts(&disk, &playlist), millis, summary.duration)
        });
        prop_assert!(fmp4 == ts, "cut at other frames");
    }
}

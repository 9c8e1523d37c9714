//! Cuts and ends that somebody asks for, and those by the calendar's clock.

use super::*;
use crate::Align;

fn feed(recorder: &mut Recorder, items: &[Item], log: &mut Log) {
    for item in items {
        let Item::Frame(frame) = item else {
            push(recorder, item, 0, log);
            continue;
        };
        push(recorder, item, frame.dts.as_millis(), log);
    }
}

fn push(recorder: &mut Recorder, item: &Item, ms: i64, log: &mut Log) {
    let mut effects = Vec::new();
    recorder.push(item, now(ms), &mut effects);
    log.add(effects);
}

/// `now(0)` is 1,000 s after midnight.
fn aligned(seconds: u64) -> Option<Align> {
    Some(Align::new(Duration::from_secs(seconds), "UTC".parse().unwrap()).unwrap())
}

#[test]
fn every_format_is_cut_at_the_first_key_frame_at_or_after_the_moment_and_nothing_is_lost() {
    let mut items = vec![video(640), audio(48_000)];
    items.extend(steady(45, 30));
    items.push(end());
    for format in Format::ALL {
        let log = run(recorder(Policy { align: aligned(20), ..policy(format, 600_000) }), &items);
        // The clock shows 1,020 s and 1,040 s at 20 s and 40 s; key frames come every 1.2 s.
        assert_eq!(log.lines.len(), 3, "{:?}", log.lines);
        assert_eq!((log.frames(1)[0], log.frames(2)[0]), ("v20400K", "v40800K"));
        assert!(log.lines[0].ends_with("-> aligned") && log.lines[1].starts_with("2 aligned:"), "{:?}", log.lines);
        assert_eq!((0..3).map(|line| log.frames(line).len()).sum::<usize>(), items.len() - 3);
        let late = |line: usize| {
            let sounds = log.frames(line).into_iter().filter_map(|name| name.strip_prefix('a')?.parse().ok());
            sounds.max().unwrap_or(0)
        };
        assert!(late(0) < 20_480 && late(1) < 40_880, "sound is cut at the same instant");
    }
}

#[test]
fn a_key_frame_right_at_the_moment_begins_the_next_recording_and_only_one() {
    let mut items = vec![video(640)];
    // The sound that the cut waits for never comes: the key frame is taken up again after the moment.
    items.push(audio(48_000));
    items.extend(steady(25, 25));
    for format in [Format::Mp4, Format::Hls] {
        let log = run(recorder(Policy { align: aligned(10), ..policy(format, 600_000) }), &items);
        let firsts: Vec<&str> = (0..log.lines.len()).map(|line| log.frames(line)[0]).collect();
        assert_eq!(firsts, ["v0K", "v10000K", "v20000K"]);
        assert!((0..3).all(|line| log.frames(line).len() > 100), "{:?}", log.lines);
    }
}

#[test]
fn a_calendar_that_is_set_back_only_makes_the_recording_longer() {
    let mut recorder = recorder(Policy { align: aligned(20), ..policy(Format::Mp4, 600_000) });
    let mut log = Log::default();
    push(&mut recorder, &video(640), 0, &mut log);
    for n in 0..60 {
        let mut effects = Vec::new();
        let mut at = now(n * 1_000);
        at.wall = at.wall.plus_millis(if n > 10 { -10_000 } else { 0 });
        recorder.push(&picture(n * 1_000, true), at, &mut effects);
        log.add(effects);
    }
    let firsts: Vec<&str> = (0..log.lines.len()).map(|line| log.frames(line)[0]).collect();
    assert_eq!(firsts, ["v0K", "v30000K", "v50000K"]);
}

#[test]
fn a_split_cuts_at_the_next_key_frame_and_says_what_it_ends() {
    for format in Format::ALL {
        let mut recorder = recorder(policy(format, 600_000));
        let mut log = Log::default();
        assert_eq!(recorder.split(), None, "there is nothing yet");
        feed(&mut recorder, &[video(640), audio(48_000)], &mut log);
        let items = steady(4, 50);
        feed(&mut recorder, &items[..60], &mut log);
        let id = recorder.split().unwrap();
        assert_eq!((id.sequence, recorder.split()), (1, Some(id)), "twice is once");
        feed(&mut recorder, &items[60..], &mut log);
        push(&mut recorder, &end(), 4_000, &mut log);
        assert_eq!(log.lines.len(), 2, "{:?}", log.lines);
        assert!(log.lines[0].ends_with("-> split") && log.lines[1].starts_with("2 split: v2000K"), "{:?}", log.lines);
        assert_eq!(log.frames(0).len() + log.frames(1).len(), items.len());
    }
}

#[test]
fn a_split_is_not_forgotten_when_the_codec_changes_at_the_same_moment() {
    let mut recorder = recorder(policy(Format::Hls, 600_000));
    let mut log = Log::default();
    feed(&mut recorder, &[video(640), picture(0, true), picture(1_000, false)], &mut log);
    recorder.split();
    let after = [video(1280), picture(1_040, true), picture(1_080, false), picture(2_000, true), end()];
    feed(&mut recorder, &after, &mut log);
    assert_eq!(log.lines, ["1 publish: v0K v1000 -> split", "2 split: v1040K v1080 v2000K -> unpublish"]);
}

#[test]
fn what_is_stopped_has_everything_that_came_and_takes_nothing_more() {
    let mut recorder = recorder(policy(Format::Mp4, 600_000)).of_task(TaskId(Uuid::from_u128(5)));
    let mut log = Log::default();
    let frames = [video(640), audio(48_000), picture(0, true), sound(0), picture(40, false), sound(23)];
    feed(&mut recorder, &frames, &mut log);
    let mut effects = Vec::new();
    recorder.stop(StopReason::TaskEnded, now(50), &mut effects);
    log.add(effects);
    feed(&mut recorder, &[picture(80, true), sound(46), end()], &mut log);
    assert_eq!(log.lines, ["1 task: v0K a0 v40 a23 -> task_ended"]);
}

#[test]
fn recorders_that_are_numbered_together_never_share_an_id() {
    let numbers = Numbers::default();
    let make = |policy| recorder(policy).numbered_by(numbers.clone());
    let over = Policy { playlists: true, ..policy(Format::Mp4, 600_000) };
    let mut recorders = [make(over), make(policy(Format::Mp4, 600_000)), make(policy(Format::Hls, 600_000))];
    let mut opened = Vec::new();
    for item in [video(640), picture(0, true), picture(1_500, false), end()] {
        for recorder in &mut recorders {
            let mut effects = Vec::new();
            recorder.push(&item, now(0), &mut effects);
            for effect in effects {
                let Effect::Open(opening) = effect else { continue };
                opened.extend(opening.playlists.is_some().then(|| opening.id.playlists()));
                opened.push(opening.id);
            }
        }
    }
    let before = opened.len();
    opened.sort();
    opened.dedup();
    assert_eq!((before, opened.len()), (4, 4), "{opened:?}");
}

proptest! {
    #[test]
    fn splits_and_the_clock_lose_nothing_and_cut_every_format_at_the_same_frame(
        gops in proptest::collection::vec(1i64..60, 1..14),
        skew in -400i64..400,
        splits in proptest::collection::vec(0usize..900, 0..4),
        seconds in proptest::sample::select(vec![0u64, 10, 20]),
        change in proptest::option::of(0usize..400),
    ) {
        let mut frames = Vec::new();
        let mut n = 0;
        for gop in gops {
            frames.extend((0..gop).map(|k| ((n + k) * 40, picture((n + k) * 40, k == 0))));
            n += gop;
        }
        frames.extend((0..n * 40 / 23).map(|k| (k * 23 + skew, sound(k * 23))));
        frames.sort_by_key(|(time, _)| *time);
        let mut items = vec![video(640), audio(48_000)];
        items.extend(frames.into_iter().map(|(_, item)| item));
        let is_key = |item: &Item| {
            matches!(item, Item::Frame(frame) if frame.track == TrackId::VIDEO && frame.random_access)
        };
        if let Some(at) = change.and_then(|from| (from..items.len()).find(|at| is_key(&items[*at]))) {
            items.insert(at, video(1280));
        }
        let name = |item: &Item| match item {
            Item::Frame(frame) => Some(String::from_utf8(frame.data.to_vec()).unwrap()),
            _ => None,
        };
        let mut expected: Vec<String> = items.iter().filter_map(name).collect();
        expected.sort_unstable();
        let align = (seconds > 0).then(|| aligned(seconds).unwrap());
        let mut cuts = Vec::new();
        for format in Format::ALL {
            let mut recorder = recorder(Policy { align, ..policy(format, 600_000) });
            let mut log = Log::default();
            for (at, item) in items.iter().enumerate() {
                if splits.contains(&at) {
                    recorder.split();
                }
                feed(&mut recorder, std::slice::from_ref(item), &mut log);
            }
            push(&mut recorder, &end(), n * 40, &mut log);
            let mut all: Vec<&str> = (0..log.lines.len()).flat_map(|line| log.frames(line)).collect();
            let first = |line: usize| log.frames(line).into_iter().find(|name| name.starts_with('v')).map(str::to_owned);
            let firsts: Vec<Option<String>> = (0..log.lines.len()).map(first).collect();
            prop_assert!(firsts.iter().flatten().all(|name| name.ends_with('K')), "{:?}", log.lines);
            all.sort_unstable();
            prop_assert_eq!(&all, &expected, "{:?}", log.lines);
            prop_assert!(log.lines.iter().all(|line| line.contains('K')), "one without pictures: {:?}", log.lines);
            if change.is_none() {
                cuts.push(firsts);
            }
        }
        cuts.dedup();
        prop_assert!(cuts.len() <= 1, "formats were cut at different frames: {cuts:?}");
    }
}

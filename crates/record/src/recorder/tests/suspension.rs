//! Dropping while nothing can be written.

use super::*;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What is done to a recorder.
#[derive(Clone, Debug)]
enum Call {
    Push(Item),
    Suspend,
    Resume,
    Tick,
}

/// The frames that were dropped and skipped are those missing from the log.
fn drive(recorder: &mut Recorder, calls: &[Call]) -> (Log, Vec<Effect>, Vec<String>) {
    let (mut log, mut all, mut dropped, mut time) = (Log::default(), Vec::new(), Vec::new(), 0);
    for call in calls {
        let mut effects = Vec::new();
        match call {
            Call::Push(item) => {
                let before = recorder.dropped_frames();
                if let Item::Frame(frame) = item {
                    time = frame.dts.as_millis().max(time);
                }
                let suspended = recorder.is_suspended();
                recorder.push(item, now(time), &mut effects);
                if let Item::Frame(frame) = item {
                    if recorder.dropped_frames() > before {
                        dropped.push(String::from_utf8(frame.data.to_vec()).unwrap());
                        assert!(effects.is_empty(), "a dropped frame makes {effects:?}");
                    }
                    assert!(suspended || recorder.dropped_frames() == before, "dropped while not suspended");
                }
            }
            Call::Suspend => recorder.suspend(now(time), &mut effects),
            Call::Resume => recorder.resume(),
            Call::Tick => {
                let suspended = recorder.is_suspended();
                recorder.tick(Now { mono: ms(1 << 40), ..now(time) }, &mut effects);
                assert!(!suspended || effects.is_empty());
            }
        }
        log.add(effects.clone());
        all.extend(effects);
    }
    (log, all, dropped)
}

fn push(items: impl IntoIterator<Item = Item>) -> impl Iterator<Item = Call> {
    items.into_iter().map(Call::Push)
}

/// Pictures 40 ms apart, a key frame each second.
fn pictures(from: i64, to: i64) -> impl Iterator<Item = Item> {
    (from / 40..to / 40).map(|n| picture(n * 40, n % 25 == 0))
}

#[test]
fn dropping_ends_at_a_key_frame_where_the_next_recording_begins() {
    for format in Format::ALL {
        let mut calls: Vec<Call> = push([video(640)]).chain(push(pictures(0, 1_200))).collect();
        calls.push(Call::Suspend);
        calls.extend(push(pictures(1_200, 2_400)));
        calls.push(Call::Resume);
        calls.extend(push(pictures(2_400, 4_400)));
        calls.push(Call::Push(end()));
        let (log, effects, dropped) = drive(&mut recorder(policy(format, 60_000)), &calls);
        assert_eq!(dropped.len(), 45, "1,200 to 3,000 ms");
        assert_eq!(log.lines.len(), 2, "{:?}", log.lines);
        assert!(log.lines[0].starts_with("1 publish: v0K") && log.lines[0].ends_with("v1160 -> disk_slow"));
        assert!(log.lines[1].starts_with("2 disk_slow: v3000K") && log.lines[1].ends_with("v4360 -> unpublish"));
        assert_eq!(log.warnings, ["frames_dropped"]);
        let closings = effects.iter().filter_map(|effect| match effect {
            Effect::Close(closing) => Some((closing.lost, closing.ended_at.as_unix_millis())),
            _ => None,
        });
        let closings: Vec<_> = closings.collect();
        // The witness lets the last picture, shown at 1,240 ms, last 40 ms; it began at 80 ms.
        assert_eq!(closings[0], (ms(1_800), 1_000_000 + 1_200));
        assert_eq!(closings[1].0, Duration::ZERO);
        let warning = effects.iter().find_map(|effect| match effect {
            Effect::Warn(warning) => Some(warning.detail.clone()),
            _ => None,
        });
        let text = format!("45 frames, 1800 ms, are in no {format} recording: the disk was too slow");
        assert_eq!(warning.unwrap(), text);
    }
}

#[test]
fn a_session_that_ends_while_suspended_closes_its_recording_with_the_loss() {
    let mut calls: Vec<Call> = push([video(640)]).chain(push(pictures(0, 1_200))).collect();
    calls.push(Call::Suspend);
    calls.extend(push(pictures(1_200, 2_400)).chain(push([end()])));
    let (log, effects, dropped) = drive(&mut recorder(policy(Format::Mp4, 60_000)), &calls);
    assert_eq!((log.lines.len(), dropped.len()), (1, 30));
    assert!(log.lines[0].ends_with("-> unpublish"), "{:?}", log.lines);
    let Some(Effect::Close(closing)) = effects.last() else { panic!("{:?}", effects.last()) };
    assert_eq!(closing.lost, ms(1_200));
}

#[test]
fn a_suspension_in_which_nothing_came_changes_nothing() {
    let mut calls: Vec<Call> = push([video(640)]).chain(push(pictures(0, 1_200))).collect();
    calls.extend([Call::Suspend, Call::Tick, Call::Resume]);
    calls.extend(push(pictures(1_200, 2_400)).chain(push([end()])));
    let (log, _, dropped) = drive(&mut recorder(policy(Format::Mp4, 60_000)), &calls);
    assert_eq!((log.lines.len(), log.frames(0).len(), dropped.len()), (1, 60, 0), "{:?}", log.lines);
    assert!(log.warnings.is_empty());
}

#[test]
fn a_configuration_that_changes_meanwhile_is_the_next_recordings() {
    let mut calls: Vec<Call> = push([video(640), audio(48_000)]).chain(push(steady(2, 25))).collect();
    calls.push(Call::Suspend);
    calls.extend(push([video(1280), audio(44_100), picture(2_000, true), sound(2_010)]));
    calls.push(Call::Resume);
    calls.extend(push([sound(2_033), picture(2_040, false), picture(2_080, true), sound(2_090), end()]));
    let (log, effects, dropped) = drive(&mut recorder(policy(Format::Mp4, 60_000)), &calls);
    assert_eq!(dropped, ["v2000K", "a2010", "a2033", "v2040"]);
    assert_eq!(log.lines[1], "2 disk_slow: v2080K a2090 -> unpublish");
    let widths = effects.iter().filter_map(|effect| match effect {
        Effect::Open(opening) => opening.tracks.iter().find_map(|track| Some(track.config.video()?.width)),
        _ => None,
    });
    assert_eq!(widths.collect::<Vec<_>>(), [640, 1280]);
}

#[test]
fn sound_alone_goes_on_when_the_pictures_do_not_come_back() {
    let mut calls: Vec<Call> = push([video(640), audio(48_000)]).chain(push(steady(2, 25))).collect();
    calls.push(Call::Suspend);
    calls.push(Call::Push(sound(2_000)));
    calls.push(Call::Resume);
    calls.extend(push((100..1_000).map(|n| sound(n * 23))).chain(push([end()])));
    let (log, effects, dropped) = drive(&mut recorder(policy(Format::Mp4, 60_000)), &calls);
    assert_eq!(log.lines.len(), 2, "{:?}", log.lines);
    let first: i64 = log.frames(1)[0][1..].parse().unwrap();
    assert!((12_000..12_500).contains(&first), "{first}");
    assert!(dropped.len() > 400);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Open(opening) if opening.tracks.len() == 1)));
}

#[test]
fn what_breaks_while_suspended_is_given_up_and_the_next_begins_at_a_key_frame() {
    let mut recorder = recorder(policy(Format::Mp4, 60_000));
    let mut calls: Vec<Call> = push([video(640)]).chain(push(pictures(0, 1_200))).collect();
    calls.push(Call::Suspend);
    calls.push(Call::Push(picture(1_200, false)));
    let (mut log, _, _) = drive(&mut recorder, &calls);
    let mut effects = Vec::new();
    recorder.abandon(&mut effects);
    log.add(effects);
    let mut calls = vec![Call::Resume];
    calls.extend(push([picture(1_240, false), picture(1_280, true), end()]));
    let (rest, _, dropped) = drive(&mut recorder, &calls);
    assert!(log.lines[0].ends_with("-> abandoned"));
    assert_eq!(
        (rest.lines, dropped),
        (vec!["2 disk_trouble: v1280K -> unpublish".to_owned()], vec!["v1240".to_owned()])
    );
    assert_eq!((rest.warnings, recorder.dropped_frames()), (vec!["frames_dropped".to_owned()], 2));
}

proptest! {
    #[test]
    fn every_frame_is_in_exactly_one_recording_or_counted_as_dropped(
        gops in proptest::collection::vec(1i64..60, 1..12),
        skew in -400i64..400,
        max in 1_000u64..6_000,
        change in proptest::option::of(0usize..400),
        others in proptest::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![Just(Call::Suspend), Just(Call::Resume), Just(Call::Tick)]),
            0..12,
        ),
    ) {
        let mut frames = Vec::new();
        let mut n = 0;
        for gop in gops {
            for k in 0..gop {
                frames.push((n * 40, picture(n * 40, k == 0)));
                n += 1;
            }
        }
        frames.extend((0..n * 40 / 23).map(|k| (k * 23 + skew, sound(k * 23))));
        frames.sort_by_key(|(time, _)| *time);
        let mut items = vec![video(640), audio(48_000)];
        items.extend(frames.into_iter().map(|(_, item)| item));
        if let Some(change) = change {
            items.insert(change.min(items.len()), video(1280));
        }
        items.push(end());
        let mut calls: Vec<Call> = items.iter().cloned().map(Call::Push).collect();
        for (at, call) in others {
            calls.insert(at.index(calls.len()), call);
        }

        for format in Format::ALL {
            let mut recorder = recorder(policy(format, max));
            let (log, effects, dropped) = drive(&mut recorder, &calls);
            let recorded: Vec<&str> = (0..log.lines.len()).flat_map(|line| log.frames(line)).collect();
            let mut accounted: Vec<&str> = recorded.iter().copied().chain(dropped.iter().map(String::as_str)).collect();
            let came = items.iter().filter(|item| matches!(item, Item::Frame(_))).count() as u64;
            accounted.sort_unstable();
            let total = accounted.len();
            accounted.dedup();
            prop_assert_eq!(accounted.len(), total, "a frame is there twice: {:?}", log.lines);
            prop_assert_eq!(total as u64 + recorder.skipped_frames(), came, "{:?} and {:?}", log.lines, dropped);
            prop_assert_eq!(dropped.len() as u64, recorder.dropped_frames());
            if change.is_none() && dropped.is_empty() {
                prop_assert_eq!(recorder.skipped_frames(), 0);
            }
            // A recording that begins after dropping begins at a key frame, and says why.
            let slow = |line: &&String| line.contains(" disk_slow:");
            for line in log.lines.iter().filter(slow) {
                let first = line.split(' ').find(|word| word.starts_with('v')).unwrap_or("K");
                prop_assert!(first.ends_with('K'), "{line}");
            }
            // Each row of drops is told once, and the recording before it carries the loss.
            let losses = effects.iter().filter(|effect| match effect {
                Effect::Close(closing) => closing.lost > Duration::ZERO,
                Effect::Discard(discarding) => discarding.lost > Duration::ZERO,
                _ => false,
            });
            let told = log.warnings.iter().filter(|kind| *kind == "frames_dropped").count();
            let losses = losses.count();
            // Only before the first key frame is there no recording to carry it.
            prop_assert!(losses <= told && told <= losses + 1 && (told > 0) != dropped.is_empty(), "{:?}", log.lines);
        }
    }
}

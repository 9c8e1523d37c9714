//! Recordings that wait for their publisher and go on.

use super::*;
use crate::{Closing, Gap, GapRule, Join, Numbers, Rejoined, Splice, Spliced, Tail};

/// One recorder through several sessions, the wall clock running beside.
pub(super) struct Life {
    pub(super) recorder: Recorder,
    pub(super) tail: Tail,
    pub(super) splice: Option<Splice>,
    rule: GapRule,
    limit: u32,
    /// What the wall clock shows at the session's zero.
    pub(super) base: i64,
    sessions: u128,
    pub(super) log: Log,
    pub(super) gaps: Vec<Gap>,
    pub(super) closings: Vec<Closing>,
    /// Decoding times as the recorder saw them, by track.
    times: [Vec<i64>; 2],
}

impl Life {
    pub(super) fn new(policy: Policy, rule: GapRule) -> Self {
        Self {
            recorder: recorder(policy),
            tail: Tail::default(),
            splice: None,
            rule,
            limit: 100,
            base: 0,
            sessions: 1,
            log: Log::default(),
            gaps: Vec::new(),
            closings: Vec::new(),
            times: Default::default(),
        }
    }

    fn effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Pause(_) => *self.log.lines.last_mut().unwrap() += " ||",
                Effect::Resume(resuming) => {
                    *self.log.lines.last_mut().unwrap() += " >>";
                    assert_eq!(resuming.session.0.as_u128(), self.sessions);
                    self.gaps.push(resuming.gap);
                }
                Effect::Close(closing) => {
                    let at = closing.ended_at.as_unix_millis() - 1_000_000;
                    self.log.warnings.push(format!("ended at {at}"));
                    self.closings.push((**closing).clone());
                }
                _ => {}
            }
            self.log.add(vec![effect]);
        }
    }

    fn recorder_push(&mut self, item: &Item, now: Now) {
        if let Item::Frame(frame) = item {
            self.times[usize::from(frame.track == TrackId::AUDIO)].push(frame.dts.as_millis());
            self.tail.frame(frame, now.wall);
        }
        let mut effects = Vec::new();
        self.recorder.push(item, now, &mut effects);
        self.effects(effects);
    }

    pub(super) fn push(&mut self, items: &[Item]) {
        let mut latest = 0;
        for item in items {
            if let Item::Frame(frame) = item {
                latest = latest.max(frame.dts.as_millis());
            }
            let now = now(self.base + latest);
            let Some(splice) = &mut self.splice else {
                self.recorder_push(item, now);
                continue;
            };
            let mut out = Vec::new();
            splice.push(item, now, &mut out);
            for spliced in out {
                match spliced {
                    Spliced::Item(item) => self.recorder_push(&item, now),
                    Spliced::Joined(join) => self.join(&join, now),
                }
            }
        }
    }

    /// What has gathered is put behind the rest.
    fn settle(&mut self, now: Now) {
        let mut out = Vec::new();
        self.splice.iter_mut().for_each(|splice| splice.settle(&mut out));
        for spliced in out {
            match spliced {
                Spliced::Item(item) => self.recorder_push(&item, now),
                Spliced::Joined(join) => self.join(&join, now),
            }
        }
    }

    fn join(&mut self, join: &Join, now: Now) {
        self.tail.joined();
        let mut effects = Vec::new();
        let session = SessionId(Uuid::from_u128(self.sessions));
        let by = Rejoined { session, numbers: Numbers::default(), limit: self.limit };
        self.recorder.join(join, by, now, &mut effects);
        self.effects(effects);
    }

    /// The publisher goes, and comes back when the wall clock shows `at`.
    fn drops_until(&mut self, at: i64) {
        self.settle(now(at - 1));
        let mut effects = Vec::new();
        self.recorder.pause(WallTime::from_unix_millis(0), now(at - 1), &mut effects);
        self.effects(effects);
        self.base = at;
        self.sessions += 1;
        self.splice = Some(Splice::new(self.tail.clone(), self.rule, Duration::from_secs(1)));
    }
}

fn gap(from: i64, to: i64, at: u64, length: u64) -> (i64, i64, Duration, Duration) {
    (from, to, Duration::from_millis(at), Duration::from_millis(length))
}

fn shown(gap: &Gap) -> (i64, i64, Duration, Duration) {
    let ms = |wall: WallTime| wall.as_unix_millis() - 1_000_000;
    (ms(gap.from), ms(gap.to), gap.at, gap.length)
}

pub(super) fn tracks() -> Vec<Item> {
    vec![video(640), audio(48_000)]
}

pub(super) fn session(seconds: i64) -> Vec<Item> {
    [tracks(), steady(seconds, 25)].concat()
}

/// Every frame of sessions of so many seconds, by name.
fn names(items: &[Item]) -> Vec<String> {
    let name = |item: &Item| match item {
        Item::Frame(frame) => Some(String::from_utf8(frame.data.to_vec()).unwrap()),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn a_publisher_that_comes_back_goes_on_in_the_same_recording_of_every_format() {
    for format in [Format::Mp4, Format::Flv, Format::Hls] {
        for rule in [GapRule::Keep, GapRule::Collapse] {
            let mut life = Life::new(policy(format, 600_000), rule);
            life.push(&session(2));
            life.drops_until(10_000);
            life.push(&session(3));
            life.push(&[end()]);
            assert_eq!(life.log.lines.len(), 1, "{format} {rule:?}: {:?}", life.log.lines);
            assert!(life.log.lines[0].contains(" || >>"), "{:?}", life.log.lines);
            let held = life.log.frames(0).into_iter().map(str::to_owned).collect();
            assert_eq!(sorted(held), sorted([names(&session(2)), names(&session(3))].concat()));
            // The last picture, shown from 2,040 on, ends at 2,080; the first of the new ones is shown 80 ms after it came.
            let expected = match (format, rule) {
                (Format::Hls, _) => gap(2_000, 10_000, 0, 0),
                (_, GapRule::Keep) => gap(2_000, 10_000, 2_000, 8_000),
                (_, GapRule::Collapse) => gap(2_000, 10_000, 2_000, 0),
            };
            assert_eq!(life.gaps.iter().map(shown).collect::<Vec<_>>(), [expected], "{format} {rule:?}");
            let first = if rule == GapRule::Keep { 10_000 } else { 2_000 };
            assert_eq!(life.times[0][50], first, "{format} {rule:?}");
            let apart = life.times[1][(2_000f64 / 23.0) as usize] - first;
            assert!((0..3).contains(&apart), "sound stays with the picture: {apart} ms");
            for times in &life.times {
                assert!(times.is_sorted_by(|one, next| one < next));
            }
            if format != Format::Hls {
                // What the witness takes for the end: 40 ms after the last picture is shown.
                assert!(life.log.warnings.contains(&"ended at 13000".to_owned()), "{:?}", life.log.warnings);
            }
        }
    }
}

#[test]
fn what_no_decoder_could_start_from_after_a_reconnect_is_left_out_and_counted() {
    let mut life = Life::new(policy(Format::Mp4, 600_000), GapRule::Keep);
    life.push(&session(1));
    life.drops_until(5_000);
    let late = [picture(0, false), picture(40, false), sound(41), picture(80, true), sound(81), picture(120, false)];
    life.push(&[tracks(), late.to_vec(), vec![end()]].concat());
    assert_eq!(life.recorder.skipped_frames(), 2);
    let line = &life.log.lines[0];
    assert!(line.ends_with(">> a41 v80K a81 v120 -> unpublish"), "{line}");
    // The key frame is where the calendar says; the sound before it keeps its place.
    assert_eq!(life.times[0][25..], [5_080, 5_120]);
    assert_eq!(life.times[1][43..], [5_041, 5_081]);
}

#[test]
fn another_configuration_begins_the_next_file_and_hls_goes_on() {
    for format in [Format::Mp4, Format::Flv, Format::Hls] {
        let mut life = Life::new(policy(format, 600_000), GapRule::Keep);
        life.push(&session(1));
        life.drops_until(5_000);
        life.push(&[vec![video(1280), audio(48_000)], steady(1, 25), vec![end()]].concat());
        if format == Format::Hls {
            assert_eq!(life.log.lines.len(), 1);
            assert!(life.log.lines[0].contains(" || >> | v0K"), "{:?}", life.log.lines);
        } else {
            assert_eq!(life.log.lines.len(), 2);
            assert!(life.log.lines[0].ends_with(" || -> codec_changed"), "{:?}", life.log.lines);
            assert!(life.log.lines[1].starts_with("1 codec_changed: v0K"), "{:?}", life.log.lines);
            assert!(life.gaps.is_empty());
        }
    }
}

#[test]
fn sound_that_no_format_holds_is_not_taken_for_the_sound_before_it() {
    let late = |ms: i64| [picture(ms, true), sound(ms + 1), picture(ms + 40, false)];
    // It is announced before anything has gathered, and when something has.
    for (before, expected) in [(vec![], "v2000K v2040 v3100K"), (vec![sound(1_999)], "a1999 v2000K v2040 v3100K")] {
        let mut life = Life::new(policy(Format::Flv, 600_000), GapRule::Keep);
        life.push(&session(1));
        life.drops_until(5_000);
        let rest = [vec![opus()], late(2_000).to_vec(), vec![picture(3_100, true)]].concat();
        life.push(&[tracks(), before, rest].concat());
        let recorded = life.log.lines.join(" ");
        let frames = recorded.split_once("||").unwrap().1.split(' ').filter(|word| word.starts_with(['v', 'a']));
        assert_eq!(frames.collect::<Vec<_>>().join(" "), expected, "{recorded}");
    }
}

#[test]
fn a_recording_goes_on_no_longer_and_no_more_often_than_it_may() {
    let mut life = Life::new(policy(Format::Flv, 8_000), GapRule::Keep);
    life.push(&session(1));
    life.drops_until(9_000);
    life.push(&session(1));
    assert!(life.log.lines[0].ends_with(" || -> duration_limit"), "{:?}", life.log.lines);
    assert!(life.log.lines[1].starts_with("1 duration_limit: v0K"), "{:?}", life.log.lines);

    let mut life = Life::new(policy(Format::Hls, 600_000), GapRule::Collapse);
    life.limit = 2;
    life.push(&session(1));
    for n in 1..=3 {
        life.drops_until(n * 10_000);
        life.push(&session(1));
    }
    assert_eq!(life.gaps.len(), 2);
    assert!(life.log.lines[0].ends_with(" || -> resume_limit"), "{:?}", life.log.lines);
    assert!(life.log.lines[1].starts_with("1 resume_limit: v0K"));
}

#[test]
fn a_file_that_is_to_begin_where_a_publisher_comes_back_waits_until_the_disk_is_fast_enough() {
    let mut life = Life::new(policy(Format::Mp4, 8_000), GapRule::Keep);
    life.push(&session(1));
    life.drops_until(9_000);
    let mut effects = Vec::new();
    life.recorder.suspend(now(9_000), &mut effects);
    life.push(&session(2));
    assert_eq!(life.log.lines.len(), 1, "{:?}", life.log.lines);
    assert!(life.log.lines[0].ends_with(" || -> duration_limit"), "{:?}", life.log.lines);
    life.recorder.resume();
    let rest: Vec<Item> = (50..75).map(|n| picture(n * 40, n % 25 == 0)).collect();
    life.push(&rest);
    life.push(&[end()]);
    assert_eq!(life.log.lines.len(), 2, "{:?}", life.log.lines);
    assert!(life.log.lines[1].starts_with("1 duration_limit: v2000K v2040"), "{:?}", life.log.lines);
    assert_eq!(life.recorder.dropped_frames() as usize, names(&session(2)).len());
}

#[test]
fn a_recording_of_which_all_that_came_after_a_gap_was_dropped_ended_before_it() {
    for rule in [GapRule::Keep, GapRule::Collapse] {
        let mut life = Life::new(policy(Format::Mp4, 600_000), rule);
        life.push(&session(1));
        life.drops_until(5_000);
        life.recorder.suspend(now(5_000), &mut Vec::new());
        life.push(&[session(2), vec![end()]].concat());
        assert_eq!(life.gaps.len(), 1, "{rule:?}");
        assert!(life.log.lines[0].ends_with(" || >> -> unpublish"), "{:?}", life.log.lines);
        assert!(life.log.warnings.contains(&"ended at 1000".to_owned()), "{rule:?}: {:?}", life.log.warnings);
        assert_eq!(life.closings[0].report.last_at, Some(now(966).wall), "{rule:?}");
        assert_eq!(life.recorder.dropped_frames() as usize, names(&session(2)).len());
    }
}

#[test]
fn a_publisher_that_does_not_come_back_ends_the_recording_as_it_went() {
    let mut life = Life::new(policy(Format::Mp4, 600_000), GapRule::Keep);
    life.push(&session(1));
    life.drops_until(5_000);
    // It connected again, and sent nothing that can be recorded.
    life.push(&[tracks(), vec![picture(0, false), Item::End(EndReason::Drop)]].concat());
    assert!(!life.splice.as_ref().unwrap().has_joined());
    assert!(life.log.lines[0].ends_with(" || -> drop"), "{:?}", life.log.lines);
    assert_eq!(life.log.warnings.last().unwrap(), "ended at 1000");
}

#[test]
fn a_publisher_that_went_before_anything_could_be_recorded_begins_when_it_comes_back() {
    let mut life = Life::new(policy(Format::Mp4, 600_000), GapRule::Keep);
    life.push(&[tracks(), vec![picture(0, false)]].concat());
    life.drops_until(5_000);
    life.push(&session(1));
    assert!(life.log.lines[0].starts_with("1 publish: v0K"), "{:?}", life.log.lines);
}

proptest! {
    #[test]
    fn whatever_publishers_do_every_frame_from_the_first_key_frame_on_is_recorded_once_and_in_order(
        rule in prop_oneof![Just(GapRule::Keep), Just(GapRule::Collapse)],
        format in prop_oneof![Just(Format::Mp4), Just(Format::Hls)],
        max in 3_000u64..40_000,
        sessions in proptest::collection::vec((0i64..5, prop_oneof![0i64..20, 0i64..900], 1usize..400, 0i64..30_000), 1..5),
    ) {
        let mut life = Life::new(policy(format, max), rule);
        life.limit = 2;
        let mut expected = Vec::new();
        let mut at = 0;
        for (n, (starts, late, count, pause)) in sessions.into_iter().enumerate() {
            if n > 0 {
                life.drops_until(at);
            }
            // The first key frame comes after so many pictures; sound is late by so much.
            let mut frames: Vec<(i64, Item)> = (0..count as i64).map(|n| (n * 40, picture(n * 40, n % 25 == starts))).collect();
            frames.extend((0..count as i64).map(|n| (n * 23 + late, sound(n * 23))));
            frames.sort_by_key(|(time, _)| *time);
            let items: Vec<Item> = frames.into_iter().map(|(_, item)| item).collect();
            let key = items.iter().position(|item| matches!(item, Item::Frame(f) if f.track == TrackId::VIDEO && f.random_access));
            if let Some(key) = key {
                expected.extend(names(&items[key..]).into_iter().map(|name| (n, name)));
            }
            life.push(&tracks());
            life.push(&items);
            at += 40 * count as i64 + pause;
        }
        life.push(&[end()]);
        let held: Vec<String> = (0..life.log.lines.len()).flat_map(|line| life.log.frames(line)).map(str::to_owned).collect();
        let mut left = held.clone();
        for (_, name) in &expected {
            let place = left.iter().position(|held| held == name);
            prop_assert!(place.is_some(), "{name} is missing: {:?}", life.log.lines);
            left.remove(place.unwrap());
        }
        // Besides them there is only sound from before the key frames.
        prop_assert!(left.iter().all(|name| name.starts_with('a')), "{left:?}");
        for times in &life.times {
            prop_assert!(times.is_sorted_by(|one, next| one <= next), "{times:?}");
        }
        for gap in &life.gaps {
            prop_assert!(gap.to >= gap.from);
            prop_assert!(rule == GapRule::Keep || gap.length < Duration::from_millis(200), "{gap:?}");
        }
    }
}

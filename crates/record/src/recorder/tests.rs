use std::collections::BTreeMap;

use bytes::Bytes;
use livetape_media::{AudioFormat, Codec, CodecConfig, EndReason, FrameRate, JumpDirection, VideoFormat, WallTime};
use livetape_mux::{FileName, Layout, NotPossible, Summary};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::NameTemplate;

mod asked;
mod pause;
mod reopen;
mod report;
mod suspension;

/// A muxer that writes each frame as one operation, so that a test can see where it went.
struct Witness {
    format: Format,
    start: MediaTime,
    last: MediaTime,
    size_bytes: u64,
}

fn witness(format: Format, begin: Begin, ops: &mut Vec<Op>) -> Box<dyn Muxer> {
    ops.push(Op::Create { file: FileName::flv() });
    Box::new(Witness { format, start: begin.start, last: begin.start, size_bytes: 0 })
}

impl Muxer for Witness {
    fn frame(&mut self, frame: &Frame, ops: &mut Vec<Op>) {
        self.last = self.last.max(frame.pts);
        self.size_bytes += frame.data.len() as u64;
        ops.push(Op::Append { file: FileName::flv(), slices: vec![frame.data.clone()] });
    }
    fn flush(&mut self, _: &mut Vec<Op>) {}
    fn discontinuity(&mut self, _: &[Track], _: MediaTime, _: WallTime, ops: &mut Vec<Op>) -> Result<(), NotPossible> {
        ops.push(Op::Sync { file: FileName::flv() });
        if self.format == Format::Hls { Ok(()) } else { Err(NotPossible) }
    }
    fn pause(&mut self, _: &mut Vec<Op>) {}
    fn resume(&mut self, _: MediaTime, _: WallTime, _: &mut Vec<Op>) {}
    fn progress(&self) -> Progress {
        Progress { size_bytes: self.size_bytes, ..Progress::default() }
    }
    fn end(&mut self, end: Option<MediaTime>, _: &mut Vec<Op>) -> Summary {
        let duration = (end.unwrap_or(self.last + MediaTime::from_millis(40)) - self.start).to_duration();
        Summary { duration, ..Summary::default() }
    }
}

fn policy(format: Format, max_ms: u64) -> Policy {
    Policy {
        format,
        layout: Layout::default(),
        max_duration: Duration::from_millis(max_ms),
        max_bytes: None,
        align: None,
        min_duration: Duration::ZERO,
        track_wait: Duration::from_secs(1),
        names: NameTemplate::default(),
        playlists: false,
        keep: crate::Keep::default(),
    }
}

fn recorder(policy: Policy) -> Recorder {
    let stream = StreamPath { app: "live".into(), name: "cam".into() };
    Recorder::with_opener(policy, SessionId(Uuid::from_u128(1)), stream, witness)
}

fn video(width: u32) -> Item {
    let rate = FrameRate { numerator: 25, denominator: 1 };
    let format = VideoFormat { width, height: 360, frame_rate: Some(rate) };
    let (record, sps, pps) = (Bytes::from(width.to_be_bytes().to_vec()), vec![], vec![]);
    let config = livetape_media::codec::AvcConfig { record, format, nal_length_size: 4, sps, pps };
    Item::Track(Track { id: TrackId::VIDEO, config: CodecConfig::Avc(config) })
}

fn audio(sample_rate: u32) -> Item {
    let format =
        AudioFormat { sample_rate, output_sample_rate: sample_rate, channels: 2, samples_per_frame: Some(1024) };
    let config = livetape_media::codec::Mp3Config { format };
    Item::Track(Track { id: TrackId::AUDIO, config: CodecConfig::Mp3(config) })
}

fn opus() -> Item {
    let format = AudioFormat { sample_rate: 48_000, output_sample_rate: 48_000, channels: 2, samples_per_frame: None };
    let config = livetape_media::codec::OpusConfig { record: Bytes::new(), format };
    assert_eq!(CodecConfig::Opus(config.clone()).codec(), Codec::Opus);
    Item::Track(Track { id: TrackId::AUDIO, config: CodecConfig::Opus(config) })
}

/// Pictures are named `v` and their decoding time, with a `K` on key frames; sound `a` and its time.
fn picture(ms: i64, key: bool) -> Item {
    let data = format!("v{ms}{}", if key { "K" } else { "" }).into();
    // As with B-frames: shown two frames after it is decoded.
    let (dts, pts) = (MediaTime::from_millis(ms), MediaTime::from_millis(ms + 80));
    Item::Frame(Frame { track: TrackId::VIDEO, dts, pts, random_access: key, data })
}

fn sound(ms: i64) -> Item {
    let time = MediaTime::from_millis(ms);
    Item::Frame(Frame {
        track: TrackId::AUDIO,
        dts: time,
        pts: time,
        random_access: true,
        data: format!("a{ms}").into(),
    })
}

fn now(ms: i64) -> Now {
    Now { mono: Duration::from_millis(ms.unsigned_abs()), wall: WallTime::from_unix_millis(1_000_000 + ms) }
}

/// Effects as text, one recording a line: its sequence, why it began, its frames, why it ended.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    warnings: Vec<String>,
}

impl Log {
    fn add(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Open(opening) => self.lines.push(format!("{} {}:", opening.id.sequence, opening.reason.name())),
                Effect::Op(Op::Append { slices, .. }) => {
                    let name = String::from_utf8(slices[0].to_vec()).unwrap();
                    *self.lines.last_mut().unwrap() += &format!(" {name}");
                }
                Effect::Op(Op::Sync { .. }) => *self.lines.last_mut().unwrap() += " |",
                Effect::Op(_) => {}
                Effect::Close(closing) => *self.lines.last_mut().unwrap() += &format!(" -> {}", closing.reason.name()),
                Effect::Discard(discarding) => {
                    *self.lines.last_mut().unwrap() += &format!(" -> discarded ({})", discarding.reason.name());
                }
                Effect::Abandon(_) => *self.lines.last_mut().unwrap() += " -> abandoned",
                Effect::Pause(_) | Effect::Resume(_) => {}
                Effect::Warn(warning) => self.warnings.push(warning.kind.name().to_owned()),
            }
        }
    }

    fn frames(&self, line: usize) -> Vec<&str> {
        let is_frame =
            |word: &&str| word.starts_with(['v', 'a']) && word[1..].starts_with(|c: char| c.is_ascii_digit());
        self.lines[line].split(' ').filter(is_frame).collect()
    }
}

fn run(mut recorder: Recorder, items: &[Item]) -> Log {
    let mut log = Log::default();
    let mut time = 0;
    for item in items {
        if let Item::Frame(frame) = item {
            time = frame.dts.as_millis().max(time);
        }
        let mut effects = Vec::new();
        recorder.push(item, now(time), &mut effects);
        log.add(effects);
    }
    log
}

fn end() -> Item {
    Item::End(EndReason::Unpublish)
}

/// A steady stream: 25 frames a second, a key frame each `gop` frames, sound each 23 ms.
fn steady(seconds: i64, gop: i64) -> Vec<Item> {
    let mut frames: Vec<(i64, Item)> = (0..seconds * 25).map(|n| (n * 40, picture(n * 40, n % gop == 0))).collect();
    frames.extend((0..seconds * 1000 / 23).map(|n| (n * 23, sound(n * 23))));
    frames.sort_by_key(|(time, _)| *time);
    frames.into_iter().map(|(_, item)| item).collect()
}

#[test]
fn sound_keeps_its_order_when_the_picture_changes_near_a_cut() {
    for at in 0..30 {
        let mut items = vec![video(640), audio(48_000)];
        items.extend(steady(3, 100));
        let change = items.len() - 1 - at;
        items.insert(change, video(1280));
        items.extend([picture(3_000, true), sound(3_001), end()]);
        let log = run(recorder(policy(Format::Flv, 2_500)), &items);
        let sounds = (0..log.lines.len()).flat_map(|line| log.frames(line)).filter_map(|name| name.strip_prefix('a'));
        let times: Vec<i64> = sounds.map(|time| time.parse().unwrap()).collect();
        assert_eq!(times.len(), 131, "{:?}", log.lines);
        assert!(times.is_sorted(), "{at}: {:?}", log.lines);
    }
}

#[test]
fn sound_held_back_for_a_cut_goes_into_the_recording_of_its_configuration() {
    for (at, next) in (0..30).flat_map(|at| [(at, audio(44_100)), (at, opus())]) {
        let mut items = vec![video(640), audio(48_000)];
        // Sound comes 600 ms before the picture it is heard with.
        items.extend(steady(3, 100).into_iter().map(|item| match item {
            Item::Frame(frame) if frame.track == TrackId::AUDIO => sound(frame.dts.as_millis() + 600),
            other => other,
        }));
        let change = items.len() - 1 - at;
        let is_sound = |item: &&Item| matches!(item, Item::Frame(frame) if frame.track == TrackId::AUDIO);
        let before = items[..change].iter().filter(is_sound).count();
        items.insert(change, next);
        items.extend([picture(3_000, true), sound(3_601), end()]);
        let log = run(recorder(policy(Format::Flv, 2_500)), &items);
        let first = log.frames(0).into_iter().filter(|name| name.starts_with('a')).count();
        assert_eq!(first, before, "{at}: {:?}", log.lines);
    }
}

#[test]
fn sound_of_a_configuration_that_is_gone_before_a_recording_could_begin_with_it_is_left_out_and_counted() {
    for last in [audio(48_000), audio(22_050), opus()] {
        let mut items =
            vec![video(640), audio(48_000), picture(0, true), sound(0), audio(44_100), sound(23), sound(46)];
        items.extend([last.clone(), picture(80, false), picture(120, true), sound(120), picture(160, false), end()]);
        let mut recorder = recorder(policy(Format::Flv, 60_000));
        let mut log = Log::default();
        for item in &items {
            let mut effects = Vec::new();
            recorder.push(item, now(0), &mut effects);
            log.add(effects);
        }
        let recorded = log.lines.join(" ");
        assert!(!recorded.contains("a23") && !recorded.contains("a46"), "{last:?}: {recorded}");
        assert_eq!(recorded.contains("a120"), last != opus(), "{last:?}: {recorded}");
        assert_eq!(recorder.skipped_frames(), 2, "{last:?}: {recorded}");
    }
}

#[test]
fn a_recording_waits_for_its_second_track_and_starts_at_the_key_frame() {
    let items = [
        video(640),
        picture(0, false),
        audio(48_000),
        sound(10),
        picture(40, true),
        sound(33),
        picture(80, false),
        end(),
    ];
    let log = run(recorder(policy(Format::Flv, 60_000)), &items);
    assert_eq!(log.lines, ["1 publish: a10 v40K a33 v80 -> unpublish"]);
    assert_eq!(log.warnings, ["frames_skipped"]);
}

#[test]
fn sound_alone_and_pictures_alone_are_recorded_after_the_wait() {
    let mut items = vec![audio(48_000)];
    items.extend((0..60).map(|n| sound(n * 23)));
    items.push(end());
    let log = run(recorder(policy(Format::Mp4, 60_000)), &items);
    assert_eq!(log.frames(0).len(), 60);

    let mut items = vec![video(640)];
    items.extend((0..60).map(|n| picture(n * 40, n == 0)));
    items.push(end());
    assert_eq!(run(recorder(policy(Format::Mp4, 60_000)), &items).frames(0).len(), 60);
}

#[test]
fn the_limit_cuts_at_the_next_key_frame_and_sound_at_the_same_instant() {
    let mut items = vec![video(640), audio(48_000)];
    items.extend(steady(5, 25));
    items.push(end());
    for format in Format::ALL {
        let log = run(recorder(policy(format, 1_500)), &items);
        assert_eq!(log.lines.len(), 3, "{:?}", log.lines);
        let second = log.frames(1);
        assert_eq!(second[0], "v2000K");
        let sounds = |line: usize| -> Vec<i64> {
            log.frames(line).iter().filter_map(|name| name.strip_prefix('a')?.parse().ok()).collect()
        };
        assert!(sounds(0).iter().all(|ms| *ms < 2_080), "sound before the shown key frame is in the first");
        assert!(sounds(1).iter().all(|ms| (2_080..4_080).contains(ms)));
        assert_eq!((0..3).map(|line| log.frames(line).len()).sum::<usize>(), items.len() - 3);
    }
}

#[test]
fn a_recording_that_has_become_large_is_cut_at_the_next_key_frame() {
    let mut items = vec![video(640), audio(48_000)];
    items.extend(steady(5, 25));
    items.push(end());
    for format in Format::ALL {
        let whole = run(recorder(policy(format, 60_000)), &items);
        assert_eq!(whole.lines.len(), 1);
        // Reached within the second group of pictures, and again within the fourth.
        let bytes: u64 =
            items.iter().map(|item| if let Item::Frame(frame) = item { frame.data.len() } else { 0 } as u64).sum();
        let log = run(recorder(Policy { max_bytes: Some(bytes * 3 / 10), ..policy(format, 60_000) }), &items);
        assert_eq!(log.lines.len(), 3, "{:?}", log.lines);
        assert_eq!((log.frames(1)[0], log.frames(2)[0]), ("v2000K", "v4000K"));
        assert_eq!((0..3).map(|line| log.frames(line).len()).sum::<usize>(), items.len() - 3);
        assert!(log.lines[1].contains("size_limit") || log.lines[0].contains("size_limit"), "{:?}", log.lines);
    }
}

#[test]
fn a_new_resolution_begins_a_new_file_and_hls_goes_on() {
    let mut items = vec![video(640), audio(48_000)];
    items.extend([
        picture(0, true),
        sound(0),
        picture(40, false),
        video(1280),
        picture(80, true),
        sound(160),
        picture(120, false),
        end(),
    ]);
    let flv = run(recorder(policy(Format::Flv, 60_000)), &items);
    assert_eq!(flv.lines, ["1 publish: v0K a0 v40 | -> codec_changed", "2 codec_changed: v80K a160 v120 -> unpublish"]);
    let hls = run(recorder(policy(Format::Hls, 60_000)), &items);
    assert_eq!(hls.lines, ["1 publish: v0K a0 v40 | v80K a160 v120 -> unpublish"]);
}

#[test]
fn pictures_of_a_new_configuration_wait_for_their_key_frame() {
    let items = [
        video(640),
        picture(0, true),
        picture(1_000, false),
        video(1280),
        picture(1_040, false),
        picture(1_080, true),
        end(),
    ];
    let log = run(recorder(policy(Format::Mp4, 60_000)), &items);
    assert_eq!(log.lines, ["1 publish: v0K v1000 | -> codec_changed", "2 codec_changed: v1080K -> unpublish"]);
    assert_eq!(log.warnings, ["frames_skipped"]);
}

#[test]
fn sound_that_comes_late_begins_a_new_file_at_the_next_key_frame() {
    let mut items = vec![video(640)];
    items.extend((0..50).map(|n| picture(n * 40, n % 25 == 0)));
    items.extend([audio(48_000), sound(2_010), picture(2_000, true), sound(2_090), end()]);
    let log = run(recorder(policy(Format::Mp4, 60_000)), &items);
    assert_eq!(log.lines.len(), 2);
    assert_eq!(log.frames(1), ["v2000K", "a2010", "a2090"]);
}

#[test]
fn a_codec_the_format_does_not_carry_is_left_out_with_a_warning() {
    let items = [opus(), video(640), sound(0), picture(0, true), sound(20), picture(1_100, false), end()];
    let log = run(recorder(policy(Format::Flv, 60_000)), &items);
    assert_eq!(log.lines, ["1 publish: v0K v1100 -> unpublish"]);
    assert_eq!(log.warnings, ["unsupported_codec"]);
}

#[test]
fn a_clock_that_runs_back_cuts_files_and_marks_playlists() {
    let jump = Item::Jump {
        at: MediaTime::from_millis(80),
        by: MediaTime::from_millis(-9_000),
        direction: JumpDirection::Backward,
    };
    let items = [video(640), audio(48_000), picture(0, true), sound(0), jump, picture(80, true), sound(170), end()];
    let cut = run(recorder(policy(Format::Mp4, 60_000)), &items);
    assert_eq!(cut.lines, ["1 publish: v0K a0 | -> timestamp_jump", "2 timestamp_jump: v80K a170 -> unpublish"]);
    let hls = run(recorder(policy(Format::Hls, 60_000)), &items);
    assert_eq!(hls.lines, ["1 publish: v0K a0 | v80K a170 -> unpublish"]);
}

#[test]
fn what_is_too_short_is_discarded() {
    let policy = Policy { min_duration: Duration::from_secs(1), ..policy(Format::Mp4, 60_000) };
    let log = run(recorder(policy), &[video(640), picture(0, true), picture(40, false), end()]);
    assert_eq!(log.lines, ["1 publish: v0K v40 -> discarded (unpublish)"]);
}

#[test]
fn after_an_abandoned_recording_the_next_key_frame_opens_another() {
    let mut recorder = recorder(policy(Format::Mp4, 60_000));
    let mut log = Log::default();
    for item in [video(640), audio(48_000), picture(0, true), sound(0), picture(40, false)] {
        let mut effects = Vec::new();
        recorder.push(&item, now(0), &mut effects);
        log.add(effects);
    }
    let mut effects = Vec::new();
    recorder.abandon(&mut effects);
    for item in [picture(80, false), picture(120, true), sound(200), end()] {
        recorder.push(&item, now(0), &mut effects);
    }
    log.add(effects);
    assert_eq!(log.lines, ["1 publish: v0K a0 v40 -> abandoned", "2 disk_trouble: v120K a200 -> unpublish"]);
}

#[test]
fn a_stalled_publisher_does_not_keep_a_cut_waiting() {
    let mut recorder = recorder(policy(Format::Mp4, 1_000));
    let mut effects = Vec::new();
    for item in [video(640), audio(48_000), picture(0, true), sound(0), picture(1_000, true)] {
        recorder.push(&item, now(0), &mut effects);
    }
    let due = recorder.next_tick().unwrap();
    recorder.tick(Now { mono: due, ..now(0) }, &mut effects);
    let mut log = Log::default();
    log.add(effects);
    assert_eq!(log.lines, ["1 publish: v0K a0 -> duration_limit", "2 duration_limit: v1000K"]);
    assert_eq!(recorder.next_tick(), None);
}

proptest! {
    #[test]
    fn every_frame_from_the_first_key_frame_on_is_in_exactly_one_recording(
        gops in proptest::collection::vec(1i64..60, 1..12),
        skew in -400i64..400,
        max in 1_000u64..6_000,
        change in proptest::option::of(0usize..400),
    ) {
        let mut frames = Vec::new();
        let mut n = 0;
        for gop in gops {
            for k in 0..gop {
                frames.push((n * 40, picture(n * 40, k == 0)));
                n += 1;
            }
        }
        let mut sounds = 0;
        while sounds * 23 < n * 40 {
            frames.push((sounds * 23 + skew, sound(sounds * 23)));
            sounds += 1;
        }
        frames.sort_by_key(|(time, _)| *time);
        let mut items = vec![video(640), audio(48_000)];
        items.extend(frames.into_iter().map(|(_, item)| item));
        if let Some(change) = change {
            // A new configuration comes right before a key frame.
            let key = |item: &Item| matches!(item, Item::Frame(frame) if frame.track == TrackId::VIDEO && frame.random_access);
            if let Some(at) = (change..items.len()).find(|at| key(&items[*at])) {
                items.insert(at, video(1280));
            }
        }
        items.push(end());

        let mut cuts = BTreeMap::new();
        for format in Format::ALL {
            let log = run(recorder(policy(format, max)), &items);
            let mut all: Vec<&str> = (0..log.lines.len()).flat_map(|line| log.frames(line)).collect();
            let first_of_each: Vec<String> = (0..log.lines.len())
                .map(|line| log.frames(line).iter().find(|name| name.starts_with('v')).map_or(String::new(), |name| (*name).to_owned()))
                .collect();
            for first in &first_of_each {
                prop_assert!(first.ends_with('K'), "{:?}", log.lines);
            }
            let mut expected: Vec<String> = items.iter().filter_map(|item| match item {
                Item::Frame(frame) => Some(String::from_utf8(frame.data.to_vec()).unwrap()),
                _ => None,
            }).collect();
            all.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(all, expected, "{:?}", log.lines);
            if change.is_none() {
                cuts.insert(format, first_of_each);
            }
        }
        let distinct: std::collections::BTreeSet<_> = cuts.values().collect();
        prop_assert!(distinct.len() <= 1, "formats were cut at different frames: {cuts:?}");
    }
}

#[test]
fn a_clock_that_runs_back_again_while_a_cut_waits_for_its_sound_cuts_again() {
    let jump = |at| Item::Jump {
        at: MediaTime::from_millis(at),
        by: MediaTime::from_millis(-9_000),
        direction: JumpDirection::Backward,
    };
    let items = [
        video(640),
        audio(48_000),
        picture(0, true),
        sound(0),
        jump(80),
        picture(80, true),
        jump(160),
        picture(160, true),
        sound(400),
        end(),
    ];
    let cut = run(recorder(policy(Format::Mp4, 60_000)), &items);
    let lines = [
        "1 publish: v0K a0 | -> timestamp_jump",
        "2 timestamp_jump: v80K | -> timestamp_jump",
        "3 timestamp_jump: v160K a400 -> unpublish",
    ];
    assert_eq!(cut.lines, lines);
}

use bytes::Bytes;
use livetape_media::codec::{AvcConfig, Mp3Config};
use livetape_media::{
    AudioFormat, CodecConfig, EndReason, JumpDirection, Phase, TrackId, VideoFormat, WallTime, WarningKind,
};

use super::*;

/// What is told of a stream, one line for each finding: seconds, kind, track, phase, count.
struct Bench {
    quality: Quality,
    told: Vec<String>,
}

impl Bench {
    fn new(limits: QualityLimits) -> Self {
        let mut bench = Self { quality: Quality::new(limits), told: Vec::new() };
        bench.item(0, &video(640)).item(0, &audio());
        bench
    }

    fn item(&mut self, ms: i64, item: &Item) -> &mut Self {
        let now = Now { mono: Duration::from_millis(ms.unsigned_abs()), wall: WallTime::from_unix_millis(ms) };
        let mut out = Vec::new();
        self.quality.tick(now, &mut out);
        self.quality.push(item, now, &mut out);
        for Finding { kind, track, phase, count, .. } in out {
            let track = track.map_or("", TrackKind::name);
            self.told.push(format!("{} {} {track} {} {count}", ms / 1_000, kind.name(), phase.name()));
        }
        self
    }

    /// Pictures every 40 ms with a key frame every two seconds, sound every 20 ms, as they come.
    fn stream(&mut self, from: i64, until: i64) -> &mut Self {
        self.pictures(from, until, 0, true)
    }

    /// The same with the sound so much behind, or none at all.
    fn pictures(&mut self, from: i64, until: i64, late: i64, with_sound: bool) -> &mut Self {
        for ms in (from..until).step_by(20) {
            if ms % 40 == 0 {
                self.item(ms, &frame(TrackId::VIDEO, ms, ms % 2_000 == 0));
            }
            if with_sound {
                self.item(ms, &frame(TrackId::AUDIO, ms - late, true));
            }
        }
        self
    }

    fn end(&mut self, ms: i64) -> Vec<String> {
        self.item(ms, &Item::End(EndReason::Unpublish));
        std::mem::take(&mut self.told)
    }
}

fn video(width: u32) -> Item {
    let format = VideoFormat { width, height: 360, frame_rate: None };
    let record = Bytes::from(width.to_be_bytes().to_vec());
    let config = AvcConfig { record, format, nal_length_size: 4, sps: vec![], pps: vec![] };
    Item::Track(Track { id: TrackId::VIDEO, config: CodecConfig::Avc(config) })
}

fn audio() -> Item {
    let format =
        AudioFormat { sample_rate: 48_000, output_sample_rate: 48_000, channels: 2, samples_per_frame: Some(1152) };
    Item::Track(Track { id: TrackId::AUDIO, config: CodecConfig::Mp3(Mp3Config { format }) })
}

fn frame(track: TrackId, ms: i64, random_access: bool) -> Item {
    let dts = MediaTime::from_millis(ms);
    Item::Frame(Frame { track, dts, pts: dts, random_access, data: Bytes::new() })
}

fn told(limits: QualityLimits, play: impl Fn(&mut Bench)) -> Vec<String> {
    let mut bench = Bench::new(limits);
    play(&mut bench);
    std::mem::take(&mut bench.told)
}

fn check(play: impl Fn(&mut Bench), expected: &[&str]) {
    assert_eq!(told(QualityLimits::default(), &play), expected);
    let (none, zero) = (false, Duration::ZERO);
    let off = QualityLimits {
        jumps: none,
        changes: none,
        moved: 0,
        gap: zero,
        apart: zero,
        apart_for: zero,
        missing: zero,
        gop: zero,
        gop_ratio: 0,
    };
    assert_eq!(told(off, &play), [""; 0], "what is off is not told");
}

#[test]
fn of_a_good_stream_nothing_is_told() {
    check(|bench| assert_eq!(bench.stream(0, 120_000).end(120_000), [""; 0]), &[]);
}

#[test]
fn sound_that_stops_is_told_when_it_has_been_missing_and_when_it_is_back() {
    let play = |bench: &mut Bench| {
        bench.stream(0, 10_000).pictures(10_000, 30_000, 0, false).stream(30_000, 60_000);
    };
    check(play, &["20 no_audio audio began 1", "40 no_audio audio ended 1"]);
}

#[test]
fn a_track_that_was_announced_and_never_comes_is_told() {
    check(|bench| _ = bench.pictures(0, 30_000, 0, false), &["10 no_audio audio began 1"]);
    let only_sound = |bench: &mut Bench| {
        for ms in (0..30_000).step_by(20) {
            bench.item(ms, &frame(TrackId::AUDIO, ms, true));
        }
    };
    check(only_sound, &["10 no_video video began 1"]);
}

#[test]
fn a_description_announces_a_track_and_a_stream_of_one_track_lacks_none() {
    for (fields, expected) in [
        (vec![("audiocodecid".to_owned(), Value::Number(10.0))], 1),
        (vec![("audiocodecid".to_owned(), Value::String("mp4a".to_owned()))], 1),
        (vec![("audiocodecid".to_owned(), Value::Number(0.0))], 0),
        (vec![("hasAudio".to_owned(), Value::Boolean(true))], 1),
        (vec![("hasAudio".to_owned(), Value::Boolean(false)), ("audiocodecid".to_owned(), Value::Number(10.0))], 0),
        (vec![], 0),
    ] {
        let mut bench = Bench { quality: Quality::new(QualityLimits::default()), told: Vec::new() };
        bench.item(0, &Item::Metadata(Metadata { entries: fields.clone() })).item(0, &video(640));
        bench.pictures(0, 30_000, 0, false);
        assert_eq!(bench.told.len(), expected, "{fields:?}: {:?}", bench.told);
    }
}

#[test]
fn pictures_and_sound_that_stay_apart_are_told() {
    let play = |bench: &mut Bench| {
        bench.stream(0, 10_000).pictures(11_600, 30_000, 1_600, true).stream(30_000, 60_000);
    };
    // The step is told as well: 1.6 s without a picture, and later without sound.
    let expected = [
        "11 timestamp_gap video once 1",
        "16 audio_video_apart  began 1",
        "30 timestamp_gap audio once 1",
        "39 audio_video_apart  ended 1",
    ];
    check(play, &expected);
    // For less than five seconds they may be.
    check(
        |bench| _ = bench.stream(0, 10_000).pictures(11_600, 14_000, 1_600, true).stream(14_000, 40_000),
        &["11 timestamp_gap video once 1", "14 timestamp_gap audio once 1"],
    );
}

#[test]
fn missing_frames_are_told_with_their_length() {
    let play = |bench: &mut Bench| {
        bench.stream(0, 10_000).stream(12_000, 40_000);
    };
    check(play, &["12 timestamp_gap video once 1", "12 timestamp_gap audio once 1"]);
}

#[test]
fn key_frames_that_do_not_come_and_those_at_wild_distances_are_told() {
    let without_key_frames = |bench: &mut Bench, from: i64, until: i64| {
        for ms in (from..until).step_by(40) {
            bench.item(ms, &frame(TrackId::VIDEO, ms, false)).item(ms, &frame(TrackId::AUDIO, ms, true));
        }
    };
    check(
        |bench| {
            bench.stream(0, 10_000);
            without_key_frames(bench, 10_000, 30_000);
            bench.stream(30_000, 60_000);
        },
        // 22 s after groups of 2 s count as well.
        &["23 gop_irregular video began 1", "40 gop_irregular video ended 2"],
    );
    check(
        |bench| {
            bench.stream(0, 10_000).item(10_000, &frame(TrackId::VIDEO, 10_000, true));
            bench.item(10_020, &frame(TrackId::VIDEO, 10_020, true)).stream(10_040, 11_000);
        },
        &["10 gop_irregular video once 1"],
    );
}

#[test]
fn a_change_of_the_pictures_is_told() {
    check(
        |bench| _ = bench.stream(0, 4_000).item(4_000, &video(1280)).stream(4_000, 40_000),
        &["4 resolution_changed video once 1"],
    );
    let other = |bench: &mut Bench| {
        let Item::Track(mut track) = video(640) else { unreachable!() };
        if let CodecConfig::Avc(config) = &mut track.config {
            config.record = Bytes::from_static(b"other");
        }
        bench.stream(0, 4_000).item(4_000, &Item::Track(track)).stream(4_000, 40_000);
    };
    check(other, &["4 codec_changed video once 1"]);
}

#[test]
fn a_stream_that_jitters_a_million_times_brings_a_few_findings() {
    let mut bench = Bench::new(QualityLimits::default());
    let back = Item::Moved { track: TrackId::AUDIO, back: MediaTime::from_millis(3) };
    let stuck = Item::Moved { track: TrackId::VIDEO, back: MediaTime::ZERO };
    let jump = Item::Jump { at: MediaTime::ZERO, by: MediaTime::MAX, direction: JumpDirection::Forward };
    for ms in 0..1_000_000 {
        bench.item(ms, &back).item(ms, &stuck).item(ms, &frame(TrackId::AUDIO, ms, true));
        if ms % 10 == 0 {
            bench.item(ms, &jump).item(ms, &video(if ms % 20 == 0 { 320 } else { 640 }));
        }
    }
    let told = bench.end(1_000_000);
    assert!((10..40).contains(&told.len()), "{told:#?}");
    let ended: Vec<_> = told.iter().filter(|line| line.contains("ended")).collect();
    let all = |kind: &str, count: &str| ended.iter().any(|line| line.contains(kind) && line.ends_with(count));
    // The first ones were too few to be told.
    assert!(all("timestamps_stuck", " 999999") && all("timestamp_repaired", " 999999"), "{ended:#?}");
    assert!(all("timestamp_jump", " 100000") && all("resolution_changed", " 100000"), "{ended:#?}");
}

#[test]
fn the_words_say_what_was_noticed() {
    let mut out = Vec::new();
    let mut quality = Quality::new(QualityLimits::default());
    let now = Now { mono: Duration::ZERO, wall: WallTime::from_unix_millis(0) };
    let jump =
        Item::Jump { at: MediaTime::ZERO, by: MediaTime::from_millis(-5_250), direction: JumpDirection::Backward };
    for item in [jump, video(640), video(1280)] {
        quality.push(&item, now, &mut out);
    }
    let words: Vec<_> = out.iter().map(|finding| (finding.kind, finding.phase, finding.detail.as_str())).collect();
    let expected = [
        (
            WarningKind::TimestampJump,
            Phase::Once,
            "the publisher's timestamps jumped back by -5.250 s; the recording goes on without the jump",
        ),
        (WarningKind::ResolutionChanged, Phase::Once, "the pictures changed from 640x360 to 1280x360"),
    ];
    assert_eq!(words, expected);
}

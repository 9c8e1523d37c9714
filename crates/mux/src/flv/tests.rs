use bytes::Bytes;
use livetape_flv::{DemuxLimits, Demuxer, Tag, TagKind, Tags, amf0};
use livetape_media::codec::{AacConfig, Ac3Config, AvcConfig, HevcConfig, Mp3Config, OpusConfig};
use livetape_media::{CodecConfig, Item, Metadata, Now, TrackId, Value};

use super::*;
use disk::Disk;

mod crash;
mod disk;
mod object;
mod reopen;

const AVC: &str = "0142c00cffe100196742c00cd901419f9f011000000300100000030320f142a48001000568cb83cb20";

pub(super) fn bytes(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

pub(super) fn ms(ms: i64) -> MediaTime {
    MediaTime::from_millis(ms)
}

fn avc() -> Track {
    Track { id: TrackId::VIDEO, config: CodecConfig::Avc(AvcConfig::parse(bytes(AVC)).unwrap()) }
}

fn aac() -> Track {
    Track { id: TrackId::AUDIO, config: CodecConfig::Aac(AacConfig::parse(bytes("1210")).unwrap()) }
}

fn frame(track: TrackId, dts: MediaTime, shift_ms: i64, key: bool, data: &[u8]) -> Frame {
    let data = Bytes::copy_from_slice(data);
    Frame { track, dts, pts: dts + ms(shift_ms), random_access: key, data }
}

pub(super) fn video(dts_ms: i64, key: bool) -> Frame {
    frame(TrackId::VIDEO, ms(dts_ms), 0, key, &[0, 0, 0, 2, if key { 0x65 } else { 0x41 }, dts_ms as u8])
}

pub(super) fn audio(dts_ms: i64) -> Frame {
    frame(TrackId::AUDIO, ms(dts_ms), 0, true, &[0x21, dts_ms as u8])
}

pub(super) fn begin(tracks: Vec<Track>, start: MediaTime) -> Begin {
    Begin {
        tracks,
        start,
        wall_start: WallTime::from_unix_millis(0),
        metadata: Metadata {
            entries: vec![("encoder".to_owned(), Value::String("an\u{0}encoder\u{0}\u{8}duration\u{0}".to_owned()))],
        },
        max_duration: std::time::Duration::from_secs(60),
        layout: Layout::default(),
        playlists: None,
    }
}

/// What recording `frames` does to the disk.
pub(super) fn record(begin: Begin, frames: &[Frame], end: Option<MediaTime>) -> (Vec<Op>, Summary) {
    let mut ops = Vec::new();
    let mut muxer = FlvMuxer::open(begin, &mut ops);
    for frame in frames {
        muxer.frame(frame, &mut ops);
    }
    let summary = muxer.end(end, &mut ops);
    (ops, summary)
}

/// The tags of a file made by us, which must be whole.
pub(super) fn tags(file: &[u8]) -> Vec<Tag> {
    Tags::of(Bytes::copy_from_slice(file)).unwrap().map(Result::unwrap).collect()
}

/// What is in a file, as the demuxer of ingest sees it.
fn items(file: &[u8]) -> Vec<Item> {
    let mut demuxer = Demuxer::new(DemuxLimits::default());
    let now = Now { mono: std::time::Duration::ZERO, wall: WallTime::from_unix_millis(0) };
    let mut items = Vec::new();
    for tag in tags(file) {
        match tag.kind {
            TagKind::Video => demuxer.video(tag.timestamp_ms, tag.body, now, &mut items),
            TagKind::Audio => demuxer.audio(tag.timestamp_ms, tag.body, now, &mut items),
            TagKind::Script => demuxer.data(tag.timestamp_ms, tag.body, now, &mut items),
        }
    }
    items
}

pub(super) fn frames(items: &[Item]) -> Vec<Frame> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Frame(frame) => Some(frame.clone()),
            _ => None,
        })
        .collect()
}

/// `onMetaData`, which must be the whole first tag.
pub(super) fn metadata(file: &[u8]) -> Value {
    let first = tags(file).swap_remove(0);
    // As many values as the room holds are more than a publisher may send.
    let limits = amf0::Limits { values: 1 << 20, ..amf0::Limits::default() };
    let mut reader = amf0::Reader::new(&first.body, limits);
    assert_eq!(reader.next_value().unwrap(), Some(Value::String("onMetaData".to_owned())));
    let values = reader.next_value().unwrap().unwrap();
    assert_eq!(reader.position(), first.body.len());
    values
}

pub(super) fn number(values: &Value, name: &str) -> f64 {
    values.field(name).and_then(Value::as_f64).unwrap_or_else(|| panic!("{name} in {values:?}"))
}

fn numbers(values: &Value, name: &str) -> Vec<f64> {
    match values.field(name) {
        Some(Value::Array(values)) => values.iter().map(|value| value.as_f64().unwrap()).collect(),
        other => panic!("{name}: {other:?}"),
    }
}

/// The places and times of the index, held against the tags: each entry but the first is a key frame's.
pub(super) fn index(file: &[u8]) -> Vec<(f64, f64)> {
    let values = metadata(file);
    let keyframes = values.field("keyframes").unwrap();
    let entries: Vec<_> = numbers(keyframes, "filepositions").into_iter().zip(numbers(keyframes, "times")).collect();
    assert_eq!(numbers(keyframes, "times").len(), entries.len());
    let tags = tags(file);
    for (number, (position, time)) in entries.iter().enumerate() {
        let tag = tags.iter().find(|tag| tag.position as f64 == *position).expect("a tag begins there");
        assert_eq!(f64::from(tag.timestamp_ms) / 1000.0, *time);
        assert_eq!((tag.body[0], tag.body[1]), (0x17, u8::from(number > 0)));
    }
    entries
}

#[test]
fn a_recording_is_a_head_its_tags_and_one_patch() {
    // B-frames: shown 80 ms late, then out of order; sound begins first.
    let frames = [
        frame(TrackId::VIDEO, ms(1040), 80, true, b"I"),
        audio(1030),
        frame(TrackId::VIDEO, ms(1080), 120, false, b"P"),
        audio(1053),
        frame(TrackId::VIDEO, ms(1120), -40, false, b"B"),
        frame(TrackId::VIDEO, ms(1160), 80, true, b"I"),
    ];
    let (ops, summary) = record(begin(vec![avc(), aac()], ms(1120)), &frames, Some(ms(1200)));
    let mut disk = Disk::default();
    disk.perform_all(&ops);
    let file = disk.finished();

    let list: Vec<_> = tags(file)
        .iter()
        .skip(1)
        .map(|tag| {
            let hex: String = tag.body.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("{:?} {} {hex}", tag.kind, tag.timestamp_ms)
        })
        .collect();
    let expected = [
        "Video 0 17000000000142c0",
        "Audio 0 af001210",
        "Audio 0 af012106",
        "Video 10 170100005049",
        "Audio 23 af01211d",
        "Video 50 270100007850",
        "Video 90 2701ffffd842",
        "Video 130 170100005049",
    ];
    assert_eq!(list, expected);
    let kinds: Vec<_> = ops.iter().map(|op| format!("{op:?}").split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["Create", "Append", "Reserve", "Append", "Append", "Append", "Patch", "Finish"]);

    let values = metadata(file);
    for (name, expected) in [
        ("duration", 0.25),
        ("filesize", file.len() as f64),
        ("width", 320.0),
        ("height", 180.0),
        ("framerate", 25.0),
        ("videocodecid", 7.0),
        ("audiocodecid", 10.0),
        ("audiosamplerate", 44_100.0),
        ("lasttimestamp", 0.13),
        ("lastkeyframetimestamp", 0.13),
        ("lastkeyframelocation", tags(file)[8].position as f64),
        ("livetape_start_ms", 1120.0),
    ] {
        assert_eq!(number(&values, name), expected, "{name}");
    }
    assert_eq!(values.field("stereo"), Some(&Value::Boolean(true)));
    assert_eq!(values.field("hasKeyframes"), Some(&Value::Boolean(true)));
    assert_eq!(values.field("encoder").and_then(Value::as_str), Some("anencoderduration"));
    assert!(values.field("metadatacreator").and_then(Value::as_str).unwrap().starts_with("Livetape "));
    assert_eq!(number(&values, "audiodatarate"), 2.0 * (11.0 + 4.0 + 4.0) * 8.0 / 1000.0 / 0.25);
    assert_eq!(index(file).iter().map(|entry| entry.1).collect::<Vec<_>>(), [0.0, 0.01, 0.13]);

    // From the first picture, which is shown at 90.
    assert_eq!(summary.duration.as_millis(), 160);
    assert_eq!((summary.size_bytes, summary.start, summary.repaired_frames), (file.len() as u64, ms(1120), 0));
    let (video, audio) = (summary.video.unwrap(), summary.audio.unwrap());
    assert_eq!((video.frames, video.frame_rate, video.codec_string.as_str()), (4, 25.0, "avc1.42c00c"));
    assert_eq!((audio.frames, audio.codec_string.as_str()), (2, "mp4a.40.2"));
}

#[test]
fn what_goes_in_comes_out_but_for_one_constant() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/sample.flv");
    let source = items(&std::fs::read(path).unwrap());
    let tracks: Vec<_> = source
        .iter()
        .filter_map(|item| match item {
            Item::Track(track) => Some(track.clone()),
            _ => None,
        })
        .collect();
    let shift = ms(1 << 33);
    let moved = |frame: &Frame| Frame { dts: frame.dts + shift, pts: frame.pts + shift, ..frame.clone() };
    let input: Vec<_> = frames(&source).iter().map(moved).collect();
    let (ops, summary) = record(begin(tracks.clone(), shift), &input, None);
    let mut disk = Disk::default();
    disk.perform_all(&ops);
    let output = items(disk.finished());

    let zero = frames(&source).iter().map(|frame| frame.dts).min().unwrap();
    let of = |frames: Vec<Frame>, kind, zero: MediaTime| -> Vec<_> {
        let frames = frames.into_iter().filter(move |frame| frame.track.kind == kind);
        frames.map(|frame| (frame.dts - zero, frame.pts - zero, frame.random_access, frame.data)).collect()
    };
    for kind in [TrackKind::Video, TrackKind::Audio] {
        assert_eq!(of(frames(&source), kind, zero), of(frames(&output), kind, MediaTime::ZERO), "{}", kind.name());
    }
    let written: Vec<_> = output
        .iter()
        .filter_map(|item| match item {
            Item::Track(track) => Some(track.clone()),
            _ => None,
        })
        .collect();
    assert!(written.len() == 2 && tracks.iter().all(|track| written.contains(track)));
    assert!(!output.iter().any(|item| matches!(item, Item::Warning(_) | Item::Jump { .. })));
    assert_eq!(summary.video.unwrap().frames, 240);
    let times: Vec<_> = index(disk.finished()).iter().map(|entry| entry.1).collect();
    assert_eq!(times.len(), 5);
}

#[test]
fn frames_are_written_by_reference() {
    let frames: Vec<_> = (0..20).map(|n| video(n * 40, n == 0)).collect();
    let (ops, _) = record(begin(vec![avc()], ms(0)), &frames, None);
    let slices: Vec<_> = ops
        .iter()
        .filter_map(|op| match op {
            Op::Append { slices, .. } => Some(slices),
            _ => None,
        })
        .flatten()
        .map(|slice| slice.as_ptr())
        .collect();
    assert!(frames.iter().all(|frame| slices.contains(&frame.data.as_ptr())));
}

#[test]
fn a_fragment_ends_with_its_time_its_size_and_at_a_key_frame() {
    let count = |begin: Begin, frames: &[Frame]| {
        let mut ops = Vec::new();
        let mut muxer = FlvMuxer::open(begin, &mut ops);
        ops.clear();
        let appends = |frame| {
            muxer.frame(frame, &mut ops);
            ops.drain(..).count()
        };
        frames.iter().map(appends).collect::<Vec<_>>()
    };
    let long: Vec<_> = (0..24).map(|n| video(n * 40, n == 0 || n == 13)).collect();
    let mut expected = vec![0; 24];
    (expected[10], expected[13], expected[23]) = (1, 1, 1);
    assert_eq!(count(begin(vec![avc()], ms(0)), &long), expected);

    let layout = Layout { fragment_max_bytes: 12, ..Layout::default() };
    let small = Begin { layout, ..begin(vec![avc()], ms(0)) };
    assert_eq!(count(small, &long[..6]), [0, 1, 0, 1, 0, 1]);

    // Sound that arrives half a second behind the pictures does not cut fragments short.
    let apart: Vec<_> = (0..40).map(|n| if n % 2 == 0 { video(n * 20, n == 0) } else { audio(n * 20 - 500) }).collect();
    assert_eq!(count(begin(vec![avc(), aac()], ms(0)), &apart).iter().sum::<usize>(), 1);
}

#[test]
fn the_first_fragment_waits_for_the_earliest_track() {
    let mut ops = Vec::new();
    let mut muxer = FlvMuxer::open(begin(vec![avc(), aac()], ms(1000)), &mut ops);
    ops.clear();
    for n in 0..20 {
        muxer.frame(&video(1000 + n * 40, n == 0), &mut ops);
    }
    assert_eq!(ops, []);
    muxer.frame(&audio(700), &mut ops);
    muxer.frame(&video(1800, false), &mut ops);
    assert_eq!(ops.len(), 1);
    // The sound at 700 is the zero; what comes earlier still is kept, moved and counted.
    muxer.frame(&audio(723), &mut ops);
    let summary = muxer.end(None, &mut ops);
    assert_eq!((summary.repaired_frames, summary.audio.unwrap().frames), (0, 2));

    let mut ops = Vec::new();
    let mut muxer = FlvMuxer::open(begin(vec![avc(), aac()], ms(1000)), &mut ops);
    for n in 0..26 {
        muxer.frame(&video(1000 + n * 40, n == 0), &mut ops);
    }
    assert_eq!(ops.len(), 5, "a second is waited, not more");
    muxer.frame(&audio(900), &mut ops);
    muxer.frame(&audio(923), &mut ops);
    assert_eq!(muxer.end(None, &mut ops).repaired_frames, 2);
    let mut disk = Disk::default();
    disk.perform_all(&ops);
    let sound: Vec<_> = tags(disk.finished()).into_iter().filter(|tag| tag.body[..2] == [0xaf, 1]).collect();
    assert_eq!(sound.iter().map(|tag| tag.timestamp_ms).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_flush_writes_what_there_is() {
    let mut ops = Vec::new();
    let mut muxer = FlvMuxer::open(begin(vec![avc(), aac()], ms(0)), &mut ops);
    let head = muxer.progress().size_bytes;
    ops.clear();
    muxer.flush(&mut ops);
    assert_eq!(ops, []);
    muxer.frame(&video(0, true), &mut ops);
    muxer.frame(&video(40, false), &mut ops);
    muxer.flush(&mut ops);
    assert_eq!(ops.len(), 1);
    let progress = muxer.progress();
    assert_eq!((progress.size_bytes - head, progress.duration.as_millis()), (2 * (15 + 5 + 6), 80));
}

#[test]
fn times_within_one_millisecond_move_apart_and_late_ones_use_the_upper_byte() {
    let step = MediaTime::from_nanos(125_000);
    let hours = ms(5 * 3_600_000);
    let frames = [
        video(0, true),
        frame(TrackId::VIDEO, step, 0, false, b"a"),
        frame(TrackId::VIDEO, step + step, 0, false, b"b"),
        frame(TrackId::VIDEO, hours, 0, true, b"c"),
    ];
    let (ops, summary) = record(begin(vec![avc()], ms(0)), &frames, None);
    let mut disk = Disk::default();
    disk.perform_all(&ops);
    let times: Vec<_> = tags(disk.finished()).iter().skip(2).map(|tag| tag.timestamp_ms).collect();
    assert_eq!(times, [0, 1, 2, 18_000_000]);
    assert_eq!(summary.repaired_frames, 2);
}

#[test]
fn the_last_frame_lasts_as_long_as_the_one_before_it() {
    let duration = |tracks, frames: &[Frame], end| record(begin(tracks, ms(0)), frames, end).1.duration.as_micros();
    let pictures: Vec<_> = (0..5).map(|n| video(n * 33, n == 0)).collect();
    assert_eq!(duration(vec![avc()], &pictures, None), 165_000);
    assert_eq!(duration(vec![avc()], &pictures, Some(ms(172))), 172_000);
    // An end that makes no sense is not believed.
    assert_eq!(duration(vec![avc()], &pictures, Some(ms(-5))), 165_000);
    assert_eq!(duration(vec![avc()], &pictures, Some(ms(90_000))), 165_000);
    // A single picture: as the stream declares; behind a pause: as measured.
    assert_eq!(duration(vec![avc()], &pictures[..1], None), 40_000);
    let pause: Vec<_> = pictures.iter().cloned().chain([video(60_000, true)]).collect();
    assert_eq!(duration(vec![avc()], &pause, None), 60_033_000);
    // Sound: its samples.
    assert_eq!(duration(vec![aac()], &[audio(0), audio(23)], None), 23_000 + 23_219);
}

#[test]
fn while_its_publisher_was_gone_a_recording_has_no_frame_rate() {
    let rate = |times: &[i64], keys: &[i64]| {
        let frames: Vec<_> = times.iter().map(|at| video(*at, keys.contains(at))).collect();
        let (ops, summary) = record(begin(vec![avc()], ms(0)), &frames, None);
        let mut disk = Disk::default();
        disk.perform_all(&ops);
        let told = number(&metadata(disk.finished()), "framerate");
        assert_eq!(told, summary.video.as_ref().unwrap().frame_rate);
        told
    };
    let steady = |from: i64| (0..50).map(move |n| from + 40 * n);
    let gap: Vec<i64> = steady(0).chain(steady(4_000)).collect();
    assert_eq!(rate(&gap, &[0, 4_000]), 25.0);
    // In the middle of a group of pictures frames are missing, and that is told as it is.
    assert!(rate(&gap, &[0]) < 25.0);
    // Slides are not gaps.
    let slides: Vec<i64> = (0..20).map(|n| n * 2_000).collect();
    assert_eq!(rate(&slides, &slides), 0.5);
}

#[test]
fn an_index_beyond_its_room_is_thinned() {
    let frames: Vec<_> = (0..2_000).map(|n| video(n * 40, true)).collect();
    let (ops, _) = record(begin(vec![avc()], ms(0)), &frames, None);
    let mut disk = Disk::default();
    disk.perform_all(&ops);
    let times: Vec<_> = index(disk.finished()).iter().skip(1).map(|entry| entry.1).collect();
    assert_eq!(times.len(), 250);
    assert!(times.iter().enumerate().all(|(n, time)| (*time - n as f64 * 0.32).abs() < 1e-9));
    let values = metadata(disk.finished());
    assert_eq!(number(&values, "lastkeyframetimestamp"), 79.96);
    assert_eq!(numbers(&values, "reserved").len(), 2 * (256 - 251));
}

#[test]
fn sound_alone_has_an_index_of_its_own() {
    let frames: Vec<_> = (0..200).map(|n| audio(n * 23)).collect();
    let (ops, summary) = record(begin(vec![aac()], ms(0)), &frames, None);
    let mut disk = Disk::default();
    disk.perform_all(&ops);
    let values = metadata(disk.finished());
    let times = numbers(values.field("keyframes").unwrap(), "times");
    assert_eq!(times, [0.0, 0.0, 2.001, 4.002]);
    assert_eq!((values.field("hasVideo"), values.field("width")), (Some(&Value::Boolean(false)), None));
    assert_eq!(disk.finished()[4], 4);
    assert!(summary.video.is_none() && summary.audio.is_some());
}

#[test]
fn every_codec_is_written_so_that_ingest_would_read_it() {
    let hevc = "0101600000009000000000003ff000fcfdf8f800000f01a10001002c42010101600000030090000003000003003fa005120171c9265959a4932bc05a020000030002000003003c10";
    let mp3 = bytes("fffb5064");
    let ac3 = bytes("0b77fe95144043e1");
    let video = [CodecConfig::Hevc(HevcConfig::parse(bytes(hevc)).unwrap()), avc().config];
    let audio = [
        (
            CodecConfig::Opus(OpusConfig::parse(bytes("4f707573486561640102380180bb0000000000")).unwrap()),
            bytes("fc7e02"),
        ),
        (CodecConfig::Mp3(Mp3Config::parse_frame(&mp3).unwrap()), mp3),
        (CodecConfig::Ac3(Ac3Config::parse_frame(&ac3).unwrap()), ac3),
    ];
    for video in video {
        for (audio, sound) in &audio {
            let tracks = vec![
                Track { id: TrackId::VIDEO, config: video.clone() },
                Track { id: TrackId::AUDIO, config: audio.clone() },
            ];
            let input = [
                frame(TrackId::VIDEO, ms(0), 80, true, b"key"),
                frame(TrackId::AUDIO, ms(10), 0, true, sound),
                frame(TrackId::VIDEO, ms(40), -40, false, b"inter"),
            ];
            let (ops, _) = record(begin(tracks.clone(), ms(0)), &input, None);
            let mut disk = Disk::default();
            disk.perform_all(&ops);
            let found = items(disk.finished());
            assert_eq!(frames(&found), input);
            for track in tracks {
                assert!(found.contains(&Item::Track(track)));
            }
        }
    }
}

//! Playlists over an MP4: what they list are ranges of its bytes, at every moment and after every crash.

use std::time::Duration;

use livetape_media::{Format, MediaTime, TrackId, TrackKind, WallTime};
use livetape_mux::{Begin, Op, Salvage, Summary, open, salvage};
use m3u8_rs::{MediaPlaylist, MediaPlaylistType};

use crate::check::{master_playlist, media_playlist, millis};
use crate::disk::Disk;
use crate::segments::{Packet, packets};
use crate::streams::{self, Step, Stream, WALL};

const MP4: &str = "recording.mp4";

/// Records `stream` to an MP4, with playlists over it if `playlists`.
pub(crate) fn record(stream: &Stream, playlists: bool) -> (Vec<Op>, Summary) {
    let mut ops = Vec::new();
    let playlists = playlists.then(|| MP4.to_owned());
    let begin = Begin { playlists, max_duration: Duration::from_secs(60), ..stream.begin() };
    let mut muxer = open(Format::Mp4, begin, &mut ops);
    for step in &stream.steps {
        match step {
            Step::Frame(frame) => muxer.frame(frame, &mut ops),
            Step::Flush => muxer.flush(&mut ops),
            Step::Pause => muxer.pause(&mut ops),
            Step::Resume { at_ms, wall_ms } => {
                let (at, wall) = (MediaTime::from_millis(*at_ms), WallTime::from_unix_millis(WALL + wall_ms));
                muxer.resume(at, wall, &mut ops);
            }
            Step::Discontinuity { .. } => panic!("an MP4 cannot go on"),
        }
    }
    let summary = muxer.end(stream.end_ms.map(MediaTime::from_millis), &mut ops);
    (ops, summary)
}

fn all() -> Vec<Stream> {
    let mut flushed = streams::b_frames();
    flushed.name = "flushed";
    for at in (0..flushed.steps.len()).rev().step_by(17) {
        flushed.steps.insert(at, Step::Flush);
    }
    vec![
        streams::plain(),
        streams::b_frames(),
        flushed,
        streams::one_key_frame(),
        streams::he_aac_only(),
        streams::video_only(),
        streams::early_audio(),
        streams::late_audio(),
        streams::pause(),
        streams::resumed(),
        streams::short(),
        streams::one_picture(),
        streams::one_sound(),
    ]
}

/// Where a playlist's segments are in the MP4.
fn ranges(playlist: &MediaPlaylist) -> Vec<std::ops::Range<usize>> {
    let range = |segment: &m3u8_rs::MediaSegment| {
        assert_eq!(segment.uri, MP4);
        let range = segment.byte_range.as_ref().expect("a range");
        let at = range.offset.expect("where it begins") as usize;
        at..at + range.length as usize
    };
    playlist.segments.iter().map(range).collect()
}

/// The packets of each segment, read by somebody else.
fn segments(disk: &Disk, playlist: &MediaPlaylist) -> Vec<Vec<Packet>> {
    let init = disk.find("init-0.mp4").map(|file| file.data.as_slice());
    let file = &disk.file(MP4).data;
    let head = b"\0\0\0\x08styp\0\0\0\x08free";
    let segment = |range: std::ops::Range<usize>| packets("m4s", &[&head[..], &file[range]].concat(), init);
    ranges(playlist).into_iter().map(segment).collect()
}

/// What must hold of a media playlist at any time.
fn check_listed(disk: &Disk, text: &str) -> MediaPlaylist {
    let playlist = media_playlist(text);
    let mut next = None;
    for (number, (segment, range)) in playlist.segments.iter().zip(ranges(&playlist)).enumerate() {
        // Before one that goes on after its publisher was gone stands what the calendar shows there.
        let between = next.map_or(0, |next| range.start - next);
        assert!(between == 0 || (segment.discontinuity && between == 32), "segments lie one behind the other");
        next = Some(range.end);
        assert!(range.end <= disk.file(MP4).data.len(), "it lists what is not there");
        assert!((millis(segment) + 500) / 1000 <= playlist.target_duration as i64, "{segment:?}");
        assert!(millis(segment) > 0);
        assert_eq!(segment.program_date_time.is_some(), number == 0 || segment.discontinuity);
        assert_eq!(segment.map.as_ref().map(|map| map.uri.as_str()), segment.program_date_time.map(|_| "init-0.mp4"));
    }
    playlist
}

/// What must hold of complete playlists. Returns the one of the whole recording.
fn check_complete(disk: &Disk, summary: &Summary) -> MediaPlaylist {
    assert!(disk.files.values().all(|file| file.finished), "something still grows");
    let playlists = summary.playlists.as_deref().expect("playlists");
    let growing = check_listed(disk, &disk.text("media.m3u8"));
    let whole = check_listed(disk, &disk.text("vod.m3u8"));
    assert_eq!(growing.playlist_type, Some(MediaPlaylistType::Event));
    assert_eq!(whole.playlist_type, Some(MediaPlaylistType::Vod));
    assert!(growing.end_list && whole.end_list);
    assert_eq!(growing.segments, whole.segments);
    let sum: i64 = whole.segments.iter().map(millis).sum();
    assert_eq!(playlists.duration.as_millis() as i64, sum);
    let index = master_playlist(&disk.text("index.m3u8"));
    assert_eq!(index.variants[0].uri, "vod.m3u8");
    let mp4 = disk.file(MP4).data.len() as u64;
    assert_eq!((summary.size_bytes, playlists.size_bytes), (mp4, disk.size() - mp4));
    whole
}

/// What the playlists show are the first frames of `stream`, at its times; how many of each track.
fn check_frames(stream: &Stream, packets: &[Packet]) -> [usize; 2] {
    let mut shift = None;
    [TrackId::VIDEO, TrackId::AUDIO].map(|track| {
        let found: Vec<&Packet> = packets.iter().filter(|packet| packet.track == track).collect();
        let sent = stream.track(track.kind);
        assert!(found.len() <= sent.len());
        for (packet, frame) in found.iter().zip(sent) {
            assert!(packet.data == frame.data, "{}: another frame than was sent", stream.name);
            assert_eq!(packet.key, frame.random_access);
            let by = *shift.get_or_insert(packet.pts - frame.pts);
            let off = (packet.pts - frame.pts - by).as_nanos();
            assert!(off.abs() < 1_100_000, "{}: {track:?} is {off} ns off", stream.name);
        }
        found.len()
    })
}

#[test]
fn every_stream_can_be_played_by_ranges_of_its_mp4() {
    for stream in all() {
        let (ops, summary) = record(&stream, true);
        let disk = Disk::after(&ops);
        let whole = check_complete(&disk, &summary);
        let segments = segments(&disk, &whole);
        let counts = check_frames(&stream, &segments.concat());
        let sent = [TrackKind::Video, TrackKind::Audio].map(|kind| stream.track(kind).len());
        assert_eq!(counts, sent, "{}", stream.name);
        let playlists = summary.playlists.clone().unwrap();
        assert_eq!([playlists.pictures, playlists.sounds], sent.map(|count| count as u64));
        if !["one-key-frame", "late-audio", "he-aac-only", "one-sound", "pause"].contains(&stream.name) {
            let begin =
                |segment: &Vec<Packet>| segment.iter().find(|packet| packet.track == TrackId::VIDEO).unwrap().key;
            assert!(segments.iter().all(begin), "{}: a segment begins without a key frame", stream.name);
        }
        let (alone, other) = record(&stream, false);
        assert!(Disk::after(&alone).file(MP4) == disk.file(MP4), "{}: the MP4 is another", stream.name);
        assert_eq!(Summary { playlists: None, ..summary }, other);
    }
}

#[test]
fn segments_are_cut_as_those_that_are_files() {
    for stream in [streams::plain(), streams::b_frames(), streams::video_only(), streams::early_audio()] {
        let lengths = |ops: &[Op]| -> Vec<i64> {
            let playlist = media_playlist(&Disk::after(ops).text("vod.m3u8"));
            playlist.segments.iter().map(millis).collect()
        };
        let (over, files) = (lengths(&record(&stream, true).0), lengths(&stream.record().0));
        assert_eq!(over.len(), files.len(), "{}", stream.name);
        // At the end the sound may be a little longer than the picture.
        let near = |(a, b): (&i64, &i64)| (a - b).abs() <= 30;
        assert!(over.iter().zip(&files).all(near), "{}: {over:?} and {files:?}", stream.name);
    }
}

#[test]
fn a_pause_is_a_discontinuity_and_no_segment_spans_it() {
    let (ops, summary) = record(&streams::pause(), true);
    let whole = check_complete(&Disk::after(&ops), &summary);
    let breaks: Vec<_> = whole.segments.iter().filter(|segment| segment.discontinuity).collect();
    assert_eq!(breaks.len(), 1);
    let at = breaks[0].program_date_time.unwrap().timestamp_millis() - WALL;
    assert!((49_190..=49_230).contains(&at), "it goes on {at} ms after the start");
    assert!(whole.target_duration < 15);
}

#[test]
fn a_publisher_that_comes_back_is_a_discontinuity_at_the_calendars_time() {
    let stream = streams::resumed();
    let breaks = |ops: &[Op]| -> Vec<(i64, i64)> {
        let whole = media_playlist(&Disk::after(ops).text("vod.m3u8"));
        let mut shown = 0;
        let mut breaks = Vec::new();
        for segment in &whole.segments {
            if segment.discontinuity {
                breaks.push((shown, segment.program_date_time.unwrap().timestamp_millis() - WALL));
            }
            shown += millis(segment);
        }
        breaks
    };
    for ops in [stream.record().0, record(&stream, true).0] {
        let [(first, wall), (second, later)] = breaks(&ops)[..] else { panic!("two breaks") };
        assert_eq!((wall, later), (23_300, 84_540));
        // Where a segment ends with its sound, that may be a little longer.
        assert!((3_200..3_230).contains(&first) && (4_400..4_460).contains(&second), "{first} {second}");
    }
}

#[test]
fn while_it_grows_the_playlist_is_only_appended_to_and_lists_what_is_there() {
    for stream in all() {
        let (ops, _) = record(&stream, true);
        let (mut disk, mut before) = (Disk::default(), String::new());
        for op in &ops {
            disk.perform(op);
            if disk.find("media.m3u8").is_some_and(|file| !file.data.is_empty()) {
                let text = disk.text("media.m3u8");
                assert!(text.starts_with(&before), "{}", stream.name);
                if text != before {
                    check_frames(&stream, &segments(&disk, &check_listed(&disk, &text)).concat());
                    before = text;
                }
            }
            if let Some(index) = disk.find("index.m3u8") {
                let index = master_playlist(std::str::from_utf8(&index.data).unwrap());
                assert!(disk.find(&index.variants[0].uri).is_some(), "it leads nowhere");
            }
        }
        assert!(before.ends_with("#EXT-X-ENDLIST\n"));
    }
}

/// A complete MP4 and its playlists hold all of `stream`.
pub(crate) fn check_whole(stream: &Stream, disk: &Disk, summary: &Summary) {
    let playlist = check_complete(disk, summary);
    let counts = check_frames(stream, &segments(disk, &playlist).concat());
    let sent = [TrackKind::Video, TrackKind::Audio].map(|kind| stream.track(kind).len());
    assert_eq!(counts, sent, "{}", stream.name);
}

fn rescue(disk: &Disk) -> Option<(Vec<Op>, Summary)> {
    match salvage(Format::Mp4, disk, WallTime::from_unix_millis(WALL)).unwrap() {
        Salvage::Complete { ops, summary, .. } => Some((ops, summary)),
        Salvage::Empty => None,
    }
}

/// Completes `disk`; crashes in the middle of that as well.
pub(crate) fn check_crashed(stream: &Stream, disk: &Disk) {
    let Some((ops, summary)) = rescue(disk) else { return };
    let mut whole = disk.clone();
    ops.iter().for_each(|op| whole.perform(op));
    let without = |disk: &Disk| {
        let files = disk.files.iter().filter(|(name, _)| name.as_str() == MP4);
        Disk { files: files.map(|(name, file)| (name.clone(), file.clone())).collect() }
    };
    let mut alone = without(disk);
    let (alone_ops, alone_summary) = rescue(&alone).unwrap();
    alone_ops.iter().for_each(|op| alone.perform(op));
    assert!(without(&whole) == alone, "{}: the MP4 is another for its playlists", stream.name);
    assert_eq!(Summary { playlists: None, ..summary.clone() }, alone_summary);
    if summary.playlists.is_some() {
        let playlist = check_complete(&whole, &summary);
        let [pictures, sounds] = check_frames(stream, &segments(&whole, &playlist).concat());
        let frames = summary.playlists.as_ref().map(|playlists| [playlists.pictures, playlists.sounds]);
        assert_eq!(frames, Some([pictures as u64, sounds as u64]));
        if let Some(listed) = disk.find("media.m3u8") {
            // Whole lines stay as they are, so that a player may go on.
            let lines = listed.data.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            assert!(whole.file("media.m3u8").data.starts_with(&listed.data[..lines]), "{}", stream.name);
        }
    } else {
        assert!(disk.find("media.m3u8").is_none_or(|file| file.data.is_empty()));
    }
    for upto in 0..=ops.len() {
        let mut again = disk.clone();
        ops[..upto].iter().for_each(|op| again.perform(op));
        let (rest, second) = rescue(&again).unwrap();
        rest.iter().for_each(|op| again.perform(op));
        assert!(again == whole && second == summary, "{}: another result after a crash at {upto}", stream.name);
        assert!(upto < ops.len() || rest.is_empty(), "{}: {rest:?}", stream.name);
    }
}

#[test]
fn after_a_crash_at_any_operation_the_playlists_are_made_of_what_is_whole() {
    let subjects =
        [streams::b_frames(), streams::late_audio(), streams::pause(), streams::resumed(), streams::one_picture()];
    for mut stream in subjects {
        stream.layout.segment = Duration::from_millis(2_400);
        stream.layout.fragment = Duration::from_millis(1_000);
        let (ops, _) = record(&stream, true);
        for upto in 0..=ops.len() {
            let disk = Disk::after(&ops[..upto]);
            check_crashed(&stream, &disk);
            if let Some(op @ Op::Append { slices, .. }) = ops.get(upto) {
                let len: usize = slices.iter().map(|slice| slice.len()).sum();
                for bytes in [len / 3, len - 1] {
                    let mut torn = disk.clone();
                    torn.perform_torn(op, bytes);
                    check_crashed(&stream, &torn);
                }
            }
        }
    }
}

#[test]
fn an_initialisation_section_that_is_damaged_costs_the_playlists_and_not_the_mp4() {
    let (ops, _) = record(&streams::b_frames(), true);
    let mut disk = Disk::after(&ops[..ops.len() / 2]);
    let init = livetape_mux::FileName::new("init-0.mp4").unwrap();
    *disk.files.get_mut(&init).unwrap().data.last_mut().unwrap() ^= 1;
    let (_, summary) = rescue(&disk).unwrap();
    assert!(summary.playlists.is_none() && summary.video.unwrap().frames > 100);
}

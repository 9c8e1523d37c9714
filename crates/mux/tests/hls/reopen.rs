//! Playlists that a crash tore, and that go on.

use std::time::Duration;

use livetape_media::{Format, Frame, MediaTime, TrackId, TrackKind, WallTime};
use livetape_mux::{Op, Reopened, Salvage, Summary, Torn, reopen, salvage};

use crate::check::{check_complete, check_frames, check_media_playlist};
use crate::disk::Disk;
use crate::over;
use crate::streams::{self, KINDS, Step, Stream, WALL};

fn opened(format: Format, disk: &Disk, stream: &Stream) -> Option<Reopened> {
    let wall_start = WallTime::from_unix_millis(WALL);
    reopen(format, disk, &Torn { start: stream.start(), wall_start, layout: stream.layout.clone() }).unwrap()
}

fn rescued(format: Format, disk: &Disk) -> Option<(Disk, Summary)> {
    match salvage(format, disk, WallTime::from_unix_millis(WALL)).unwrap() {
        Salvage::Empty => None,
        Salvage::Complete { ops, summary, .. } => Some((after(disk, &ops), summary)),
    }
}

fn after(disk: &Disk, ops: &[Op]) -> Disk {
    let mut disk = disk.clone();
    ops.iter().for_each(|op| disk.perform(op));
    disk
}

fn subjects() -> Vec<Stream> {
    let all = [
        streams::b_frames(),
        streams::codec_change(),
        streams::discontinuities(),
        streams::resumed(),
        streams::pause(),
        streams::audio_only(),
        streams::he_aac_only(),
        streams::late_audio(),
        streams::short(),
    ];
    let shorter = all.into_iter().map(|mut stream| {
        stream.layout.segment = Duration::from_millis(2_400);
        stream.layout.fragment = Duration::from_millis(1_000);
        stream
    });
    shorter.collect()
}

/// The frames of `stream` that there are, so many of each track, and again its first ones of a publisher who comes back
/// a while after `ends`.
fn gone_on(stream: &Stream, [pictures, sounds]: [u64; 2], ends: MediaTime) -> (Stream, Vec<Frame>) {
    let kept = [(TrackKind::Video, pictures), (TrackKind::Audio, sounds)];
    let kept = kept.into_iter().flat_map(|(kind, count)| stream.track(kind).into_iter().take(count as usize));
    let kept: Vec<Frame> = kept.cloned().collect();
    let first = stream.frames().map(|frame| frame.dts).min().unwrap();
    let by = MediaTime::from_millis((ends - first).as_millis() + 4_321);
    let more: Vec<Frame> = (stream.frames().take(230))
        .map(|frame| Frame { dts: frame.dts + by, pts: frame.pts + by, ..frame.clone() })
        .collect();
    let steps = kept.into_iter().chain(more.clone()).map(Step::Frame).collect();
    (Stream { steps, ..stream.clone() }, more)
}

fn shown_at(stream: &Stream, frames: &[Frame]) -> MediaTime {
    let leads =
        if stream.tracks.iter().any(|track| track.id == TrackId::VIDEO) { TrackId::VIDEO } else { TrackId::AUDIO };
    let first = frames.iter().find(|frame| frame.track == leads).or(frames.first());
    first.unwrap().pts
}

fn frames_of(summary: &Summary) -> [u64; 2] {
    [summary.video.as_ref().map_or(0, |video| video.frames), summary.audio.as_ref().map_or(0, |audio| audio.frames)]
}

/// But for what is declared where nothing had been.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("#EXT-X-TARGETDURATION")).collect()
}

/// Goes on with what is on `disk`, if that can be gone on with.
fn check(stream: &Stream, disk: &Disk) -> bool {
    let Some(Reopened { mut muxer, ops, ends, delay, .. }) = opened(Format::Hls, disk, stream) else { return false };
    assert!(stream.name != "b-frames" || delay == MediaTime::from_millis(80));
    for upto in 0..ops.len() {
        let halfway = after(disk, &ops[..upto]);
        let again = opened(Format::Hls, &halfway, stream).unwrap();
        assert!(after(&halfway, &again.ops) == after(disk, &ops), "{}: other files", stream.name);
    }
    let cut = after(disk, &ops);
    check_media_playlist(&cut, &cut.text("media.m3u8"));

    // Its publisher stays away.
    let mut done = Vec::new();
    let summary = muxer.end(None, &mut done);
    let ended = after(&cut, &done);
    check_complete(&ended, &summary);
    let (whole, salvaged) = rescued(Format::Hls, disk).unwrap();
    assert_eq!(frames_of(&summary), frames_of(&salvaged), "{}", stream.name);
    assert_eq!((summary.duration, summary.start), (salvaged.duration, salvaged.start), "{}", stream.name);
    assert_eq!(summary.audio, salvaged.audio, "{}", stream.name);
    for name in ["vod.m3u8", "index.m3u8"] {
        assert_eq!(ended.text(name), whole.text(name), "{}", stream.name);
    }
    assert_eq!(lines(&ended.text("media.m3u8")), lines(&whole.text("media.m3u8")), "{}", stream.name);

    // It comes back.
    let Reopened { mut muxer, ops: again, tracks, .. } = opened(Format::Hls, &cut, stream).unwrap();
    assert_eq!(again, [], "{}", stream.name);
    let (composed, more) = gone_on(stream, frames_of(&summary), ends);
    let (at, wall) = (shown_at(stream, &more), WallTime::from_unix_millis(WALL + 600_000));
    let mut ops = Vec::new();
    let mut sent = stream.tracks.clone();
    sent.sort_by_key(|track| track.id);
    match tracks == sent {
        true => muxer.resume(at, wall, &mut ops),
        false => muxer.discontinuity(&sent, at, wall, &mut ops).unwrap(),
    }
    more.iter().for_each(|frame| muxer.frame(frame, &mut ops));
    let growing = ops.len();
    let summary = muxer.end(None, &mut ops);
    let all = after(&cut, &ops);
    let playlist = check_complete(&all, &summary);
    check_frames(&composed, &all, &playlist);
    assert!(all.text("media.m3u8").starts_with(&cut.text("media.m3u8")), "{}: it is only appended to", stream.name);
    let marked = playlist.segments.iter().filter(|segment| segment.discontinuity);
    let times: Vec<i64> = marked.map(|segment| segment.program_date_time.unwrap().timestamp_millis()).collect();
    let off = times.last().unwrap() - wall.as_unix_millis();
    assert!(off.abs() <= 1 || stream.name == "pause", "{off} ms off in {}", stream.name);

    // And that is torn once more.
    let torn = after(&cut, &ops[..growing * 2 / 3]);
    let (found, again) = rescued(Format::Hls, &torn).unwrap();
    check_complete(&found, &again);
    let twice = opened(Format::Hls, &torn, stream).unwrap();
    let twice = after(&torn, &twice.ops);
    assert!(twice.text("media.m3u8").starts_with(&cut.text("media.m3u8")));
    true
}

fn has_ended(disk: &Disk) -> bool {
    disk.find("media.m3u8").is_some_and(|file| file.data.ends_with(b"#EXT-X-ENDLIST\n"))
}

#[test]
fn a_playlist_torn_after_any_operation_goes_on_until_its_end() {
    for stream in subjects().iter().flat_map(|stream| KINDS.map(|kind| stream.of(kind))) {
        let (ops, _) = stream.record();
        let mut disk = Disk::default();
        for op in &ops {
            disk.perform(op);
            let wanted = !has_ended(&disk) && rescued(Format::Hls, &disk).is_some();
            assert_eq!(check(&stream, &disk), wanted, "{} after {op:?}", stream.name);
        }
    }
}

#[test]
fn what_is_not_whole_of_segments_and_playlist_is_cut() {
    for stream in [streams::b_frames(), streams::codec_change(), streams::audio_only()] {
        for mut stream in KINDS.map(|kind| stream.of(kind)) {
            stream.layout.fragment = Duration::from_millis(1_500);
            let (ops, _) = stream.record();
            let mut disk = Disk::default();
            for op in &ops {
                if let Op::Append { slices, .. } = op {
                    let len: usize = slices.iter().map(|slice| slice.len()).sum();
                    for bytes in [1, len / 2, len - 1] {
                        let mut torn = disk.clone();
                        torn.perform_torn(op, bytes);
                        let wanted = !has_ended(&torn) && rescued(Format::Hls, &torn).is_some();
                        assert_eq!(check(&stream, &torn), wanted, "{}", stream.name);
                    }
                }
                disk.perform(op);
            }
        }
    }
}

/// The same of playlists over an MP4.
fn check_over(stream: &Stream, disk: &Disk) -> bool {
    let Some(Reopened { mut muxer, ops, ends, .. }) = opened(Format::Mp4, disk, stream) else { return false };
    for upto in 0..ops.len() {
        let halfway = after(disk, &ops[..upto]);
        let again = opened(Format::Mp4, &halfway, stream).unwrap();
        assert!(after(&halfway, &again.ops) == after(disk, &ops), "{}: other files", stream.name);
    }
    let cut = after(disk, &ops);
    let mut done = Vec::new();
    let summary = muxer.end(None, &mut done);
    let ended = after(&cut, &done);
    let (whole, salvaged) = rescued(Format::Mp4, &cut).unwrap();
    assert_eq!(summary, salvaged, "{}", stream.name);
    assert!(ended == whole, "{}: other files than salvage makes", stream.name);
    if let Some(playlists) = summary.playlists.as_ref().filter(|_| !["pause", "resumed"].contains(&stream.name)) {
        let off = (ends - stream.start()).as_millis() - playlists.duration.as_millis() as i64;
        // A picture that is shown after those that are decoded behind it is the last for longer than its turn.
        let most = if stream.name == "b-frames" { 41 } else { 1 };
        assert!(off.abs() <= most, "{}: it ends {off} ms behind its playlists", stream.name);
    }

    let Reopened { mut muxer, .. } = opened(Format::Mp4, &cut, stream).unwrap();
    let (composed, more) = gone_on(stream, frames_of(&summary), ends);
    let mut ops = Vec::new();
    muxer.resume(shown_at(stream, &more), WallTime::from_unix_millis(WALL + 600_000), &mut ops);
    more.iter().for_each(|frame| muxer.frame(frame, &mut ops));
    let growing = ops.len();
    let summary = muxer.end(None, &mut ops);
    let all = after(&cut, &ops);
    over::check_whole(&composed, &all, &summary);
    if cut.find("media.m3u8").is_some() {
        assert!(all.text("media.m3u8").starts_with(&cut.text("media.m3u8")), "{}", stream.name);
    }
    over::check_crashed(&composed, &after(&cut, &ops[..growing * 2 / 3]));
    true
}

#[test]
fn playlists_over_an_mp4_go_on_with_it() {
    let subjects =
        [streams::plain(), streams::b_frames(), streams::late_audio(), streams::resumed(), streams::one_picture()];
    for mut stream in subjects {
        stream.layout.segment = Duration::from_millis(2_400);
        stream.layout.fragment = Duration::from_millis(1_000);
        let (ops, _) = over::record(&stream, true);
        let is_end = |op: &Op| matches!(op, Op::Append { slices, .. } if slices.concat() == b"#EXT-X-ENDLIST\n");
        let ending = ops.iter().position(is_end).unwrap();
        let mut disk = Disk::default();
        for (number, op) in ops.iter().enumerate() {
            if let Op::Append { slices, .. } = op {
                let len: usize = slices.iter().map(|slice| slice.len()).sum();
                let mut torn = disk.clone();
                torn.perform_torn(op, len * 2 / 3);
                let has_media = opened(Format::Mp4, &disk, &stream).is_some();
                assert_eq!(check_over(&stream, &torn), has_media, "{}", stream.name);
            }
            disk.perform(op);
            let wanted = number < ending && rescued(Format::Mp4, &disk).is_some();
            assert_eq!(check_over(&stream, &disk), wanted, "{}: {number} of {ending}", stream.name);
        }
    }
}

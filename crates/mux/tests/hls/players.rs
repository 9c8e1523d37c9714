//! Real encoders' streams, judged by ffmpeg and ffprobe, which must be installed; `LIVETAPE_FFMPEG`
//! names a further ffmpeg that everything is decoded with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use livetape_flv::{DemuxLimits, Demuxer, TagKind, Tags};
use livetape_media::{Format, Frame, Item, MediaTime, Now, Track, TrackKind, WallTime};
use livetape_mux::{Op, Salvage, SegmentType, salvage};

use crate::check::{check_complete, check_media_playlist};
use crate::disk::Disk;
use crate::streams::{KINDS, Step, Stream};

const PICTURE: &str = "-f lavfi -i testsrc2=size=320x180:rate=30:duration=7";
const TONE: &str = "-f lavfi -i aevalsrc=0.2*sin(2*PI*t*(300+40*t)):s=44100:d=7";
const B_FRAMES: &str = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -g 30 -bf 3 -b:v 400k";

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hls-players").join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// An FLV file made by ffmpeg.
fn clip(name: &str, arguments: &str) -> PathBuf {
    let path = directory(&format!("source-{name}")).join("source.flv");
    let output =
        Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments.split_whitespace()).arg(&path).output();
    let output = output.expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// What a publisher of that FLV file sends.
fn published(flv: &Path) -> (Vec<Track>, Vec<Frame>) {
    let mut demuxer = Demuxer::new(DemuxLimits::default());
    let now = Now { mono: Duration::ZERO, wall: WallTime::from_unix_millis(0) };
    let mut items = Vec::new();
    for tag in Tags::of(fs::read(flv).unwrap().into()).unwrap() {
        let tag = tag.unwrap();
        match tag.kind {
            TagKind::Audio => demuxer.audio(tag.timestamp_ms, tag.body, now, &mut items),
            TagKind::Video => demuxer.video(tag.timestamp_ms, tag.body, now, &mut items),
            TagKind::Script => demuxer.data(tag.timestamp_ms, tag.body, now, &mut items),
        }
    }
    let (mut tracks, mut frames): (Vec<Track>, Vec<Frame>) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Track(track) => tracks.push(track),
            Item::Frame(frame) => frames.push(frame),
            _ => {}
        }
    }
    tracks.sort_by_key(|track| track.id);
    (tracks, frames)
}

/// Segments of 2 s.
fn stream(name: &'static str, flv: &Path) -> Stream {
    let (tracks, frames) = published(flv);
    let mut stream = Stream::new(name, tracks, vec![], vec![]);
    stream.steps = frames.into_iter().map(Step::Frame).collect();
    stream.layout.segment = Duration::from_secs(2);
    stream
}

/// Puts the finished files where a player can load them. A growing playlist gets an end, so that the
/// player does not wait for more.
fn written(name: &str, disk: &Disk) -> PathBuf {
    let directory = directory(name);
    for (file, contents) in &disk.files {
        let path = directory.join(file.as_str());
        if contents.finished {
            fs::write(path, &contents.data).unwrap();
        } else if file.as_str() == "media.m3u8" {
            fs::write(path, [&contents.data[..], b"#EXT-X-ENDLIST\n"].concat()).unwrap();
        }
    }
    directory
}

fn run(program: &str, arguments: &[&str], file: &Path, more: &[&str]) -> String {
    let output = Command::new(program).args(arguments).arg(file).args(more).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{program} {}: {complaint}", file.display());
    String::from_utf8(output.stdout).unwrap()
}

/// Decodes everything; a word of complaint fails. Returns how many pictures there are.
fn decodes(playlist: &Path, more: &[&str]) -> usize {
    let further = std::env::var("LIVETAPE_FFMPEG").ok();
    let counts = ["ffmpeg"].into_iter().chain(further.as_deref()).map(|ffmpeg| {
        let rest = [more, &["-map", "0", "-f", "framemd5", "-"]].concat();
        let text = run(ffmpeg, &["-v", "error", "-xerror", "-i"], playlist, &rest);
        text.lines().filter(|line| line.starts_with("0,")).count()
    });
    let counts: Vec<usize> = counts.collect();
    assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "{counts:?}");
    counts[0]
}

/// Presentation time in seconds and hash of each packet, in an elementary form that containers do not
/// change: start codes, no delimiters and parameter sets, no ADTS.
fn packets(file: &Path, kind: TrackKind, adts: bool) -> Vec<(f64, String)> {
    let filters = match (kind, adts) {
        (TrackKind::Video, _) => ["-map", "0:v", "-bsf:v", "h264_mp4toannexb,filter_units=remove_types=7-9"].as_slice(),
        (TrackKind::Audio, true) => &["-map", "0:a", "-bsf:a", "aac_adtstoasc"],
        (TrackKind::Audio, false) => &["-map", "0:a"],
    };
    let output = ["-c", "copy", "-copyts", "-f", "framehash", "-hash", "sha256", "-"];
    let text = run("ffmpeg", &["-v", "error", "-i"], file, &[filters, &output].concat());
    let base = text.lines().find_map(|line| line.strip_prefix("#tb 0: ")).unwrap();
    let (numerator, denominator) = base.split_once('/').unwrap();
    let tick: f64 = numerator.parse::<f64>().unwrap() / denominator.parse::<f64>().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let fields = lines.map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    fields.map(|fields| (fields[2].parse::<f64>().unwrap() * tick, fields[5].to_owned())).collect()
}

/// Checks that a playlist has the first packets of `source`, shifted by one constant for all tracks.
fn same_packets(playlist: &Path, source: &Path, stream: &Stream, all: bool) {
    let ts = stream.layout.segment_type == SegmentType::Ts;
    let mut shift = None;
    for track in &stream.tracks {
        let kind = track.id.kind;
        let adts = ts && track.config.codec() == livetape_media::Codec::Aac;
        let (found, expected) = (packets(playlist, kind, adts), packets(source, kind, false));
        let enough =
            if all { found.len() == expected.len() } else { found.len() <= expected.len() && !found.is_empty() };
        assert!(enough, "{}: {kind:?} {} of {}", playlist.display(), found.len(), expected.len());
        // ffmpeg gives the second sound of such a playlist the first one's time, in its own as well.
        let mistimed = if ts && stream.tracks.len() == 1 && kind == TrackKind::Audio { 1..4 } else { 0..0 };
        for (number, ((at, hash), (expected_at, expected))) in found.iter().zip(&expected).enumerate() {
            assert_eq!(hash, expected, "{}: {kind:?} at {expected_at}", playlist.display());
            if mistimed.contains(&number) {
                continue;
            }
            let by = *shift.get_or_insert(at - expected_at);
            let off = at - expected_at - by;
            assert!(off.abs() < 0.0011, "{}: {kind:?} {expected_at} is {off} s off", playlist.display());
        }
    }
}

/// Records `stream`, whose packets are those of `source`, and has every stage judged.
fn judge(stream: &Stream, source: &Path) {
    for kind in KINDS {
        let stream = stream.of(kind);
        let name = format!("{}-{kind:?}", stream.name);
        let pictures = stream.track(TrackKind::Video).len();
        let (ops, summary) = stream.record();
        let disk = Disk::after(&ops);
        check_complete(&disk, &summary);
        let directory = written(&name, &disk);
        for playlist in ["index.m3u8", "media.m3u8"] {
            let decoded = decodes(&directory.join(playlist), &[]);
            assert!(pictures == 0 || decoded == pictures, "{decoded} of {pictures} pictures");
            same_packets(&directory.join(playlist), source, &stream, true);
        }

        let listed = |op: &Op| matches!(op, Op::Append { file, .. } if file.as_str() == "media.m3u8");
        for at in (0..ops.len()).filter(|at| listed(&ops[*at])).take(2) {
            let unfinished = Disk::after(&ops[..=at]);
            check_media_playlist(&unfinished, &unfinished.text("media.m3u8"));
            let directory = written(&format!("{name}-growing"), &unfinished);
            for playlist in ["index.m3u8", "media.m3u8"].into_iter().filter(|name| directory.join(name).exists()) {
                decodes(&directory.join(playlist), &[]);
                same_packets(&directory.join(playlist), source, &stream, false);
            }

            // Torn in the middle of a later write, and completed.
            let mut torn = Disk::after(&ops[..(at + 5).min(ops.len() - 6)]);
            let next = &ops[(at + 5).min(ops.len() - 6)];
            if let Op::Append { slices, .. } = next {
                torn.perform_torn(next, slices.iter().map(|slice| slice.len()).sum::<usize>() * 2 / 3);
            }
            let salvaged = salvage(Format::Hls, &torn, WallTime::from_unix_millis(0)).unwrap();
            let Salvage::Complete { ops: rest, summary, .. } = salvaged else { panic!("it holds whole segments") };
            rest.iter().for_each(|op| torn.perform(op));
            check_complete(&torn, &summary);
            let directory = written(&format!("{name}-salvaged"), &torn);
            decodes(&directory.join("index.m3u8"), &[]);
            same_packets(&directory.join("index.m3u8"), source, &stream, false);
        }
    }
}

#[test]
fn an_mp4_and_the_playlists_over_it_play_alike() {
    let source = clip("over", &format!("{PICTURE} {TONE} {B_FRAMES} -c:a aac -b:a 64k"));
    let stream = stream("over", &source);
    let pictures = stream.track(TrackKind::Video).len();
    let (ops, _) = crate::over::record(&stream, true);
    let directory = written("over", &Disk::after(&ops));
    for file in ["recording.mp4", "index.m3u8", "media.m3u8", "vod.m3u8"] {
        assert_eq!(decodes(&directory.join(file), &[]), pictures, "{file}");
        same_packets(&directory.join(file), &source, &stream, true);
    }
    let listed = |op: &Op| matches!(op, Op::Append { file, .. } if file.as_str() == "media.m3u8");
    for at in (0..ops.len()).filter(|at| listed(&ops[*at])).take(2) {
        let unfinished = Disk::after(&ops[..=at]);
        let directory = written(&format!("over-growing-{at}"), &unfinished);
        fs::write(directory.join("recording.mp4"), &unfinished.file("recording.mp4").data).unwrap();
        decodes(&directory.join("media.m3u8"), &[]);
        same_packets(&directory.join("media.m3u8"), &source, &stream, false);
    }
}

#[test]
fn h264_with_b_frames_and_aac() {
    let source = clip("b-frames", &format!("{PICTURE} {TONE} {B_FRAMES} -c:a aac -b:a 64k"));
    judge(&stream("b-frames", &source), &source);
}

#[test]
fn h264_and_mp3() {
    let source = clip("mp3", &format!("{PICTURE} {TONE} {B_FRAMES} -bf 0 -c:a libmp3lame -b:a 64k"));
    judge(&stream("mp3", &source), &source);
}

#[test]
fn sound_alone_and_pictures_alone() {
    let source = clip("sound", &format!("{TONE} -c:a aac -b:a 64k"));
    judge(&stream("sound", &source), &source);
    let source = clip("pictures", &format!("{PICTURE} {B_FRAMES}"));
    judge(&stream("pictures", &source), &source);
}

#[test]
fn one_key_frame_for_long() {
    let source = clip("one-key", &format!("{PICTURE} {TONE} {B_FRAMES} -g 999 -c:a aac -b:a 64k"));
    let mut stream = stream("one-key", &source);
    stream.layout.segment = Duration::from_secs(1);
    stream.layout.segment_overrun = 2;
    judge(&stream, &source);
}

#[test]
fn a_picture_that_changes_its_size() {
    let small = clip("small", &format!("{PICTURE} {TONE} {B_FRAMES} -c:a aac -b:a 64k"));
    let large = "-f lavfi -i testsrc2=size=640x360:rate=30:duration=7";
    let large = clip("large", &format!("{large} {TONE} {B_FRAMES} -preset ultrafast -c:a aac -b:a 64k"));
    let (tracks, mut frames) = published(&large);
    let mut stream = stream("changing", &small);
    let (first_tracks, _) = published(&small);
    let offset = MediaTime::from_millis(7_020);
    for frame in &mut frames {
        (frame.dts, frame.pts) = (frame.dts + offset, frame.pts + offset);
    }
    let at_ms = |frames: &[Frame]| frames.iter().find(|f| f.track.kind == TrackKind::Video).unwrap().pts.as_millis();
    let second = at_ms(&frames);
    stream = stream.then(tracks, second, second, frames.iter().cloned().map(Step::Frame).collect());
    for frame in &mut frames {
        (frame.dts, frame.pts) = (frame.dts + offset, frame.pts + offset);
    }
    // And back, with the first configuration and other pictures.
    let (_, mut again) = published(&small);
    for frame in &mut again {
        (frame.dts, frame.pts) = (frame.dts + offset + offset, frame.pts + offset + offset);
    }
    let third = at_ms(&again);
    stream = stream.then(first_tracks, third, third, again.into_iter().map(Step::Frame).collect());

    for kind in KINDS {
        let stream = stream.of(kind);
        let (ops, summary) = stream.record();
        let disk = Disk::after(&ops);
        check_complete(&disk, &summary);
        let directory = written(&format!("changing-{kind:?}"), &disk);
        let pictures = stream.track(TrackKind::Video).len();
        assert_eq!(decodes(&directory.join("index.m3u8"), &["-fps_mode", "passthrough"]), pictures);
        // A player that begins in the middle of it.
        decodes(&directory.join("index.m3u8"), &["-ss", "11", "-t", "8"]);
    }
}

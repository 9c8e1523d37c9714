//! Real encoders' streams, judged by ffmpeg, ffprobe and MediaInfo. ffmpeg and ffprobe must be installed;
//! `LIVETAPE_FFMPEG` names a further ffmpeg that every file is decoded with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use livetape_flv::{DemuxLimits, Demuxer, TagKind, Tags};
use livetape_media::codec::AacConfig;
use livetape_media::{CodecConfig, Format, Frame, Item, Now, Track, TrackKind, WallTime};
use livetape_mux::object::Fit;
use livetape_mux::{Op, Salvage, Summary, salvage};

use crate::disk::Disk;
use crate::object::{finished_object, growing_object};
use crate::readers::growing;
use crate::streams::Stream;

const PICTURE: &str = "-f lavfi -i testsrc2=size=320x180:rate=30:duration=4";
const TONE: &str = "-f lavfi -i aevalsrc=0.2*sin(2*PI*t*(300+40*t)):s=44100:d=4";
const B_FRAMES: &str = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -g 60 -bf 3";

fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mp4-players");
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// An FLV file made by ffmpeg.
fn clip(name: &str, arguments: &str) -> PathBuf {
    let path = directory().join(format!("{name}.flv"));
    let output =
        Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments.split_whitespace()).arg(&path).output();
    let output = output.expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    path
}

/// What a publisher of that FLV file sends.
fn stream(name: &'static str, flv: &Path) -> Stream {
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
    Stream { frames, ..Stream::new(name, tracks, vec![], vec![]) }
}

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory().join(format!("{name}.mp4"));
    fs::write(&path, bytes).unwrap();
    path
}

/// Decodes everything; a word of complaint fails.
fn decodes(file: &Path) {
    let further = std::env::var("LIVETAPE_FFMPEG").ok();
    for ffmpeg in ["ffmpeg"].into_iter().chain(further.as_deref()) {
        let output = Command::new(ffmpeg)
            .args(["-v", "error", "-xerror", "-i"])
            .arg(file)
            .args(["-f", "null", "-"])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "{ffmpeg} {}: {complaint}", file.display());
    }
}

/// A packet as ffprobe sees it: presentation and decoding time in seconds, hash.
#[derive(Debug)]
struct Packet {
    pts: f64,
    dts: f64,
    hash: String,
}

fn packets(file: &Path, kind: TrackKind) -> Vec<Packet> {
    let (packets, complaint) = packets_and_complaint(file, kind);
    assert!(complaint.is_empty(), "{}: {complaint}", file.display());
    packets
}

fn packets_and_complaint(file: &Path, kind: TrackKind) -> (Vec<Packet>, String) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", if kind == TrackKind::Video { "v" } else { "a" }])
        .args(["-show_packets", "-show_data_hash", "sha256"])
        .args(["-show_entries", "packet=pts_time,dts_time,data_hash"])
        .arg(file)
        .output()
        .expect("ffprobe is installed");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8(output.stdout).unwrap();
    let field = |packet: &str, name: &str| {
        let value = packet.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {name} in {packet}")).to_owned()
    };
    let packet = |text: &str| Packet {
        pts: field(text, "pts_time").parse().unwrap(),
        dts: field(text, "dts_time").parse().unwrap(),
        hash: field(text, "data_hash"),
    };
    (text.split("[PACKET]").skip(1).map(packet).collect(), complaint)
}

/// What a recording was made from: a file without its first pictures and sounds.
struct Source {
    file: PathBuf,
    without: (usize, usize),
}

impl Source {
    fn whole(file: &Path) -> Self {
        Self { file: file.to_owned(), without: (0, 0) }
    }
}

/// Checks that `file` has the first packets of `source`, all but at most `missing` of them, shifted by one
/// constant for both tracks.
fn same_packets(file: &Path, source: &Source, missing: usize) {
    let mut shift = None;
    for (kind, tolerance) in [(TrackKind::Video, 0.000_012), (TrackKind::Audio, 0.001)] {
        let without = if kind == TrackKind::Video { source.without.0 } else { source.without.1 };
        let (found, expected) = (packets(file, kind), packets(&source.file, kind).split_off(without));
        assert!(found.len() + missing >= expected.len(), "{}: {kind:?} {}", file.display(), found.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.hash, expected.hash, "{}: {kind:?} at {}", file.display(), expected.pts);
            let by = *shift.get_or_insert(found.pts - expected.pts);
            let off = found.pts - expected.pts - by;
            assert!(off.abs() < tolerance, "{}: {kind:?} {} is {off} s off", file.display(), expected.pts);
            assert!(found.dts <= found.pts + 1e-9);
        }
    }
}

/// Checks that `file`, which is torn, has the first packets of `whole`, and then at most one of each track that
/// is not whole.
fn begins_as(file: &Path, whole: &Path) {
    let mut all = 0;
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let (mut found, _) = packets_and_complaint(file, kind);
        found.pop();
        all += found.len();
        for (found, expected) in found.iter().zip(packets(whole, kind)) {
            assert_eq!((&found.hash, found.dts), (&expected.hash, expected.dts), "{}: {kind:?}", file.display());
        }
    }
    assert!(all > 0, "{}", file.display());
}

/// One value of `ffprobe -show_entries`.
fn probe(file: &Path, select: &str, entry: &str) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", select, "-show_entries", entry, "-of", "default=nw=1:nk=1"])
        .arg(file)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn is_fragment(op: &Op) -> bool {
    matches!(op, Op::Append { slices, .. } if slices[0].get(4..8) == Some(b"moof"))
}

/// Has the objects judged that the file becomes: whole, after the fragment `at`, and with a part of that.
fn judge_objects(name: &str, ops: &[Op], at: usize, source: &Source) {
    let file = written(&format!("{name}-object"), &finished_object(&Disk::after(ops), Fit::Exact));
    decodes(&file);
    same_packets(&file, source, 0);
    let object = growing_object(&Disk::after(&ops[..=at]), Fit::Exact).unwrap();
    let whole = written(&format!("{name}-object-growing"), &object);
    decodes(&whole);
    same_packets(&whole, source, usize::MAX / 2);
    let Op::Append { slices, .. } = &ops[at] else { panic!("{name}: a fragment") };
    let last: usize = slices.iter().map(|slice| slice.len()).sum();
    begins_as(&written(&format!("{name}-object-torn"), &object[..object.len() - last / 3]), &whole);
}

/// Records `stream`, whose packets are those of `source`, and has every stage judged.
fn judge(stream: &Stream, source: &Source) -> (PathBuf, Summary) {
    let name = stream.name;
    let (ops, summary) = stream.record();
    let whole = written(name, &Disk::after(&ops).bytes());
    decodes(&whole);
    same_packets(&whole, source, 0);

    // From where every track has frames: a decoder complains of one that has none.
    let every_track =
        |at: &usize| growing(&Disk::after(&ops[..=*at]).bytes()).iter().all(|track| !track.packets.is_empty());
    let fragments: Vec<_> =
        (0..ops.len()).filter(|at| is_fragment(&ops[*at])).skip_while(|at| !every_track(at)).collect();
    for at in [&fragments[0], &fragments[fragments.len() / 2], &fragments[fragments.len() - 1]] {
        let unfinished = Disk::after(&ops[..=*at]);
        let file = written(&format!("{name}-growing"), &unfinished.bytes());
        decodes(&file);
        same_packets(&file, source, usize::MAX / 2);

        // Torn in the middle of the next write, and completed.
        let mut torn = unfinished;
        if let Some(next @ Op::Append { slices, .. }) = ops.get(at + 1) {
            torn.perform_torn(next, slices.iter().map(|slice| slice.len()).sum::<usize>() * 2 / 3);
        }
        let Ok(Salvage::Complete { ops: rest, .. }) = salvage(Format::Mp4, &torn, WallTime::from_unix_millis(0)) else {
            panic!("{name}: it holds whole fragments");
        };
        torn.perform_all(&rest);
        let file = written(&format!("{name}-salvaged"), &torn.bytes());
        decodes(&file);
        same_packets(&file, source, usize::MAX / 2);
    }
    judge_objects(name, &ops, fragments[fragments.len() / 2], source);
    let flip = ops.iter().position(|op| matches!(op, Op::Patch { offset: 0, .. })).unwrap();
    let prepared = written(&format!("{name}-prepared"), &Disk::after(&ops[..flip]).bytes());
    decodes(&prepared);
    same_packets(&prepared, source, 0);
    (whole, summary)
}

fn close(found: &str, expected: f64, tolerance: f64) {
    let value: f64 = found.parse().unwrap_or_else(|_| panic!("'{found}' is no number"));
    assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
}

#[test]
fn h264_with_b_frames_and_aac() {
    let source = clip("b-frames", &format!("{PICTURE} {TONE} {B_FRAMES} -c:a aac -b:a 64k"));
    let (file, summary) = judge(&stream("b-frames", &source), &Source::whole(&source));
    close(&probe(&file, "v", "format=duration"), 4.0, 0.05);
    close(&probe(&file, "v", "stream=duration"), 4.0, 0.002);
    assert_eq!(probe(&file, "v", "stream=avg_frame_rate"), "30/1");
    let video = summary.video.unwrap();
    assert_eq!((video.frames, video.frame_rate), (120, 30.0));
    assert_eq!((video.format.width, video.format.height), (320, 180));
    if let Ok(output) =
        Command::new("mediainfo").arg("--Output=General;%IsStreamable%|%Duration%|%FrameRate%").arg(&file).output()
    {
        let text = String::from_utf8(output.stdout).unwrap();
        let fields: Vec<_> = text.trim().split('|').collect();
        assert_eq!((fields[0], fields[2]), ("Yes", "30.000"), "{text}");
        close(fields[1], 4_000.0, 50.0);
    }
}

#[test]
fn h264_and_mp3() {
    let source = clip("mp3", &format!("{PICTURE} {TONE} {B_FRAMES} -bf 0 -c:a libmp3lame -b:a 64k"));
    let (file, _) = judge(&stream("mp3", &source), &Source::whole(&source));
    assert_eq!(probe(&file, "a", "stream=codec_name"), "mp3");
}

#[test]
fn sound_alone_and_pictures_alone() {
    let source = clip("sound", &format!("{TONE} -c:a aac -b:a 64k"));
    let (file, _) = judge(&stream("sound", &source), &Source::whole(&source));
    close(&probe(&file, "a", "format=duration"), 4.0, 0.05);
    let source = clip("pictures", &format!("{PICTURE} {B_FRAMES}"));
    let (file, _) = judge(&stream("pictures", &source), &Source::whole(&source));
    close(&probe(&file, "v", "format=duration"), 4.0, 0.002);
}

#[test]
fn sound_that_begins_before_and_after_the_picture() {
    let file = clip("offsets", &format!("{PICTURE} {TONE} {B_FRAMES} -c:a aac -b:a 64k"));
    // A key frame is every 60 pictures, 2 s; 2 s of sound are 86 frames.
    for (name, video, audio) in [("sound-early", 60, 72), ("sound-very-early", 60, 10), ("sound-late", 0, 30)] {
        let mut stream = stream(name, &file);
        let mut seen = (0, 0);
        stream.frames.retain(|frame| {
            let (count, without) = match frame.track.kind {
                TrackKind::Video => (&mut seen.0, video),
                TrackKind::Audio => (&mut seen.1, audio),
            };
            *count += 1;
            *count > without
        });
        judge(&stream, &Source { file: file.clone(), without: (video, audio) });
    }
}

/// The sound of a core coder alone is a valid HE-AAC stream without enhancement: the decoder doubles its
/// rate, and nothing may double its duration.
#[test]
fn he_aac_lasts_as_long_as_it_is() {
    let source = clip("he-aac", &format!("{TONE} -ar 24000 -ac 1 -c:a aac -b:a 32k"));
    let mut stream = stream("he-aac", &source);
    for track in &mut stream.tracks {
        let record = Bytes::from_static(&[0x2b, 0x09, 0x88, 0x00]);
        track.config = CodecConfig::Aac(AacConfig::parse(record).unwrap());
    }
    let (file, summary) = judge(&stream, &Source::whole(&source));
    assert_eq!(probe(&file, "a", "stream=sample_rate"), "48000");
    close(&probe(&file, "a", "stream=duration"), 4.05, 0.05);
    assert_eq!(summary.audio.unwrap().codec_string, "mp4a.40.5");
}

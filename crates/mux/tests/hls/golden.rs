//! The playlists, segments and operations of small recordings, as text. `UPDATE_GOLDEN=1` rewrites
//! the files.

use std::fmt::Write;
use std::path::Path;

use livetape_media::TrackKind;
use livetape_mux::{Op, SegmentType};

use crate::check::{check, segment_packets};
use crate::streams::{self, Stream};

fn describe(stream: &Stream) -> String {
    let (disk, playlist, summary) = check(stream);
    let mut text = String::new();
    for name in ["media.m3u8", "vod.m3u8", "index.m3u8"] {
        writeln!(text, "== {name}\n{}", disk.text(name)).unwrap();
    }
    writeln!(text, "== segments: bytes; frames, first decoded and shown (ms)").unwrap();
    for (packets, (name, file)) in segment_packets(&disk, &playlist).into_iter().zip(disk.segments()) {
        write!(text, "{name} {:6}", file.data.len()).unwrap();
        for kind in [TrackKind::Video, TrackKind::Audio] {
            let of_kind: Vec<_> = packets.iter().filter(|packet| packet.track.kind == kind).collect();
            if let Some(first) = of_kind.first() {
                let (dts, pts) = (first.dts.as_nanos() as f64 / 1e6, first.pts.as_nanos() as f64 / 1e6);
                let key = if first.key { "key" } else { "no key" };
                write!(text, "; {:4} {}, {dts:.3} {pts:.3} {key}", of_kind.len(), kind.name()).unwrap();
            }
        }
        writeln!(text).unwrap();
    }
    writeln!(text, "\n== operations").unwrap();
    for op in stream.record().0 {
        let line = match op {
            Op::Append { file, slices } => {
                let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
                format!("append {bytes} to {file} in {} slices", slices.len())
            }
            Op::Whole { file, data } => format!("write {file}, {} bytes", data.len()),
            Op::Create { file } => format!("create {file}"),
            Op::Finish { file } => format!("finish {file}"),
            op => format!("{op:?}"),
        };
        writeln!(text, "{line}").unwrap();
    }
    writeln!(text, "\n== summary\n{summary:#?}").unwrap();
    text
}

fn compare(stream: &Stream) {
    let kind = match stream.layout.segment_type {
        SegmentType::Fmp4 => "fmp4",
        SegmentType::Ts => "ts",
    };
    let name = format!("hls-{}-{kind}.txt", stream.name);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = describe(stream);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (expected, found)) in expected.lines().zip(text.lines()).enumerate() {
        assert_eq!(found, expected, "{}: line {}; UPDATE_GOLDEN=1 rewrites", path.display(), number + 1);
    }
    assert!(expected == text, "{}: one is longer; UPDATE_GOLDEN=1 rewrites", path.display());
}

#[test]
fn small_recordings_are_these_files() {
    compare(&streams::b_frames().of(SegmentType::Fmp4));
    compare(&streams::b_frames().of(SegmentType::Ts));
    compare(&streams::codec_change().of(SegmentType::Fmp4));
    compare(&streams::discontinuities().of(SegmentType::Ts));
    compare(&streams::one_key_frame().of(SegmentType::Fmp4));
    compare(&streams::pause().of(SegmentType::Fmp4));
    compare(&streams::audio_only().of(SegmentType::Ts));
}

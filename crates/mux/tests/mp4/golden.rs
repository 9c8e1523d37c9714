//! The boxes and packets of small recordings, as text. `UPDATE_GOLDEN=1` rewrites the files.

use std::fmt::Write;
use std::path::Path;

use livetape_mux::Op;

use crate::disk::Disk;
use crate::readers::{edits, finished, times};
use crate::streams::{self, Stream};
use crate::tree::tree;

fn describe(stream: &Stream) -> String {
    let (ops, summary) = stream.record();
    let first_patch = ops.iter().position(|op| matches!(op, Op::Patch { .. })).unwrap();
    let growing = Disk::after(&ops[..first_patch]).bytes();
    let bytes = Disk::after(&ops).bytes();
    let mut text = String::new();
    writeln!(text, "== growing\n{}", tree(&growing)).unwrap();
    writeln!(text, "== finished\n{}", tree(&bytes)).unwrap();
    writeln!(text, "== packets: decoded and shown (ms), duration (ticks), bytes").unwrap();
    let (movie_timescale, edits) = edits(&bytes);
    for (track, (_, edits)) in finished(&bytes).iter().zip(edits) {
        for (packet, (dts, pts)) in track.packets.iter().zip(times(track, edits, movie_timescale)) {
            let ms = |time: livetape_media::MediaTime| time.as_nanos() as f64 / 1e6;
            let key = if packet.sync { "key" } else { "   " };
            let kind = track.kind.name();
            let (duration, len) = (packet.duration, packet.data.len());
            writeln!(text, "{kind} {key} {:10.3} {:10.3} {duration:6} {len:6}", ms(dts), ms(pts)).unwrap();
        }
    }
    writeln!(text, "\n== operations").unwrap();
    for op in &ops {
        let line = match op {
            Op::Append { slices, .. } => {
                format!("append {} in {} slices", slices.iter().map(|slice| slice.len()).sum::<usize>(), slices.len())
            }
            Op::Patch { offset, data, .. } => format!("patch {} at {offset}", data.len()),
            Op::Reserve { len, .. } => format!("reserve {len}"),
            Op::PunchHole { offset, len, .. } => format!("punch hole of {len} at {offset}"),
            Op::Create { .. } => "create".to_owned(),
            Op::Sync { .. } => "sync".to_owned(),
            Op::Finish { .. } => "finish".to_owned(),
            op => format!("{op:?}"),
        };
        writeln!(text, "{line}").unwrap();
    }
    writeln!(text, "\n== summary\n{summary:#?}").unwrap();
    text
}

fn compare(stream: &Stream) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("mp4-{}.txt", stream.name));
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
fn small_recordings_are_these_bytes() {
    for mut stream in [
        streams::b_frames(),
        streams::late_audio(),
        streams::early_audio(),
        streams::negative_offsets(),
        streams::audio_only(),
    ] {
        stream.frames.truncate(40);
        compare(&stream);
    }
}

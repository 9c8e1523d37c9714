//! Salvage carried out, and held against what it promises of any directory.

use livetape_media::{Format, WallTime};
use livetape_mux::{Salvage, Summary, salvage};

use crate::directory::Directory;

/// A calendar's time, for recordings that do not say when they began.
pub fn wall_start() -> WallTime {
    WallTime::from_unix_millis(1_800_000_000_000)
}

/// Salvages the directory, whatever it holds, as a recording that began at `wall`; what it then holds, when it is
/// one. Salvaging it again changes nothing.
pub fn settle(format: Format, directory: &mut Directory, wall: WallTime) -> Option<Summary> {
    let before = directory.size() as u64;
    let Ok(Salvage::Complete { ops, summary, cut_bytes }) = salvage(format, directory, wall) else {
        return None;
    };
    assert!(cut_bytes <= before, "more is cut than was there");
    ops.iter().for_each(|op| directory.perform(op));
    match salvage(format, directory, wall) {
        Ok(Salvage::Complete { summary: again, cut_bytes, .. }) => {
            assert_eq!(cut_bytes, 0, "nothing more is cut from a salvaged recording");
            assert_eq!(frames(&again), frames(&summary), "salvaged again it holds other frames");
        }
        other => panic!("a salvaged recording stays one: {other:?}"),
    }
    Some(summary)
}

/// Pictures and sounds of a recording.
pub fn frames(summary: &Summary) -> (u64, u64) {
    let pictures = summary.video.as_ref().map_or(0, |video| video.frames);
    (pictures, summary.audio.as_ref().map_or(0, |audio| audio.frames))
}

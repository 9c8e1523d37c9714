//! Little readers of what is recorded: every frame of an MP4 file, an FLV file or an HLS playlist, and
//! whether the file is whole. They share nothing with the program under test.

mod bmff;
mod hls;

use std::path::Path;

use crate::flv::{self, Kind};

/// One frame of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Audio or video.
    pub kind: Kind,
    /// When it is decoded, in microseconds.
    pub dts: i64,
    /// Its bytes, as MP4 and FLV hold them.
    pub data: Vec<u8>,
}

/// Every frame of a finished recording, in the order of the file; an error that says what is not as
/// the format wants it.
pub fn read(file: &Path) -> Result<Vec<Sample>, String> {
    let named = |problem: String| format!("{}: {problem}", file.display());
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "mp4" => bmff::movie(&bytes(file)?).map_err(named),
        "flv" => flv_samples(&bytes(file)?).map_err(named),
        "m3u8" => hls::playlist(file).map_err(named),
        other => Err(named(format!("what is {other}?"))),
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn flv_samples(bytes: &[u8]) -> Result<Vec<Sample>, String> {
    let tags = flv::parse(bytes)?;
    let frames = tags.into_iter().filter(flv::Tag::is_frame);
    Ok(frames
        .map(|mut tag| {
            let head = if tag.kind == Kind::Video { 5 } else { 2 };
            Sample { kind: tag.kind, dts: i64::from(tag.timestamp) * 1000, data: tag.body.split_off(head) }
        })
        .collect())
}

//! Little readers of what is recorded: every frame of an MP4 file, an FLV file or an HLS playlist, and
//! whether the file is whole. They share nothing with the program under test.

mod bmff;
mod hls;
mod ts;

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

/// Every frame of what another program recorded, which may have its own ways: an MP4 file's index may come last, a
/// playlist is that of the media, may be without an end, and lists segments of fMP4 or MPEG-TS. Of frames in MPEG-TS
/// delimiters and parameter sets are left out, and times are those of their packets.
pub fn read_foreign(file: &Path) -> Result<Vec<Sample>, String> {
    let named = |problem: String| format!("{}: {problem}", file.display());
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("mp4") => bmff::media(&bytes(file)?).map_err(named),
        Some("m3u8") => hls::media(file).map_err(named),
        _ => read(file),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::film::{Film, Mark};
    use crate::{clip, ffmpeg};

    /// All frames of a film, each once, bit for bit, however ffmpeg wraps them.
    #[test]
    fn what_others_record_is_read_frame_by_frame() {
        let film = Film::new(&clip::plain());
        let marks: Vec<Mark> = (0..700)
            .map(|index| {
                let (kind, number) = film.nth(index);
                Mark { stream: 3, session: 0, kind, number }
            })
            .collect();
        let tags: Vec<_> = film.headers().iter().cloned().chain(marks.iter().map(|mark| film.tag(*mark))).collect();
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source.flv");
        std::fs::write(&source, flv::file(&tags)).unwrap();
        let hls = ["-hls_time", "4", "-hls_playlist_type", "vod", "-f", "hls"];
        let fmp4 = [&hls[..], &["-hls_segment_type", "fmp4"]].concat();
        let ways: [(&str, &[&str]); 4] = [("a.flv", &[]), ("b.mp4", &[]), ("c.m3u8", &hls), ("d.m3u8", &fmp4)];
        for (name, arguments) in ways {
            let file = directory.path().join(name);
            ffmpeg::remux(&source, &file, arguments);
            let samples = read_foreign(&file).unwrap();
            let mut found: Vec<Mark> = samples
                .iter()
                .map(|sample| {
                    let mark = Mark::read(sample.kind, &sample.data).unwrap_or_else(|| panic!("{name}: {sample:?}"));
                    assert_eq!(film.payload(mark), sample.data, "{name}: {mark:?}");
                    mark
                })
                .collect();
            found.sort();
            let mut wanted = marks.clone();
            wanted.sort();
            assert_eq!(found, wanted, "{name}");
        }
    }
}

//! The bare streams of a file: H.264 NAL units and audio frames, however the container wraps them.
//! For judging MPEG-TS, which adds delimiters and parameter sets and splits frames into packets.

use std::path::Path;

use crate::ffmpeg::Version;
use crate::program::succeed;

/// The bare streams of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elementary {
    /// Its NAL units, without access unit delimiters and parameter sets.
    pub nals: Vec<Vec<u8>>,
    /// Its audio: AAC frames with ADTS headers, or MP3 frames.
    pub audio: Vec<u8>,
}

/// Types of NAL units that a container may add.
pub(crate) const PARAMETERS_AND_DELIMITERS: [u8; 3] = [7, 8, 9];

impl Elementary {
    /// Of any file ffmpeg reads.
    pub fn read(file: &Path) -> Self {
        let annex_b = extract(file, &["-map", "0:v?", "-c", "copy", "-f", "h264"]);
        let mut audio = extract(file, &["-map", "0:a?", "-c", "copy", "-f", "data"]);
        if !audio.is_empty() && !is_framed(&audio) {
            audio = extract(file, &["-map", "0:a", "-c", "copy", "-f", "adts"]);
        }
        let nals = nal_units(&annex_b).filter(|nal| !PARAMETERS_AND_DELIMITERS.contains(&(nal[0] & 0x1f)));
        Self { nals: nals.map(<[u8]>::to_vec).collect(), audio }
    }
}

/// Whether it begins with the sync word of ADTS or MP3.
fn is_framed(audio: &[u8]) -> bool {
    matches!(audio, [0xff, second, ..] if second & 0xe0 == 0xe0)
}

fn extract(file: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = Version::Debian.command();
    command.args(["-v", "fatal", "-i"]).arg(file).args(arguments).arg("pipe:1");
    // A file without the track has nothing to extract, which ffmpeg calls an error.
    let output = command.output().unwrap();
    if output.status.success() { output.stdout } else { no_track(file, arguments) }
}

fn no_track(file: &Path, arguments: &[&str]) -> Vec<u8> {
    let kind = if arguments[1].contains('v') { "video" } else { "audio" };
    let mut probe = std::process::Command::new("ffprobe");
    probe.args(["-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0"]).arg(file);
    let tracks = crate::program::text(&succeed(&mut probe).stdout);
    assert!(!tracks.contains(kind), "{}: ffmpeg cannot extract the {kind}", file.display());
    Vec::new()
}

/// The NAL units between the start codes `00 00 01`, without the zeros that may follow them.
pub(crate) fn nal_units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> =
        annex_b.windows(3).enumerate().filter(|(_, code)| *code == [0, 0, 1]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([annex_b.len()]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| {
        let nal = &annex_b[start + 3..end];
        let length = nal.iter().rposition(|byte| *byte != 0)? + 1;
        Some(&nal[..length])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_are_found_between_start_codes_of_either_length() {
        let stream = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 1, 2, 0, 0, 0, 1, 0x41, 3];
        let nals: Vec<&[u8]> = nal_units(&stream).collect();
        assert_eq!(nals, [&[9, 0xf0][..], &[0x65, 1, 2], &[0x41, 3]]);
    }
}

//! ffmpeg as an RTMP server: it takes one stream, so there is a process for each.

use std::path::Path;
use std::process::Command;

use livetape_testkit::Film;

use super::program::{self, Foreign, Judge, Rest};
use super::tally::{Ending, tally};
use super::{Recorder, Running, Verdict};
use crate::crowd::Outcome;

/// How its recordings are called.
const ENDINGS: &[Ending] = &[("flv", "/recording.flv"), ("mp4", "/recording.mp4"), ("hls", "/index.m3u8")];

/// Debian's ffmpeg.
pub(crate) struct Ffmpeg;

/// What it was told to record.
struct Judged(Vec<Ending>);

impl Recorder for Ffmpeg {
    fn name(&self) -> String {
        "ffmpeg".to_owned()
    }

    fn about(&self) -> String {
        let version = program::first_words(Command::new("ffmpeg").arg("-version")).unwrap_or_default();
        let version = version.split(" Copyright").next().unwrap_or_default();
        format!(
            "{version}, Debian's: a process for each stream, listening, packets copied; MP4 with its index at the end, \
             so that nothing plays before; HLS as fMP4 in segments of 6 s. Every frame is compared, bit for bit. \
             Waits are those of threads that were still there at the goodbye"
        )
    }

    fn missing(&self) -> Option<String> {
        let version = program::first_words(Command::new("ffmpeg").arg("-version"));
        version.is_none().then(|| "install what Debian calls ffmpeg".to_owned())
    }

    fn records(&self, formats: &[&str]) -> bool {
        formats.iter().all(|format| ENDINGS.iter().any(|(known, _)| known == format))
    }

    fn start(&self, directory: &Path, formats: &[&str], streams: u32) -> anyhow::Result<Box<dyn Running>> {
        let rtmp = program::free_addresses(streams as usize)?;
        let mut commands = Vec::new();
        for (stream, address) in rtmp.iter().enumerate() {
            let place = directory.join(format!("{stream:04}"));
            std::fs::create_dir(&place)?;
            let mut command = Command::new("ffmpeg");
            command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-listen", "1", "-f", "flv"]);
            command.arg("-i").arg(format!("rtmp://{address}/live/cam{stream:04}")).current_dir(place);
            for format in formats {
                command.args(["-map", "0", "-c", "copy"]).args(output(format));
            }
            commands.push(command);
        }
        let judged = Judged(ENDINGS.iter().copied().filter(|(format, _)| formats.contains(format)).collect());
        Ok(Box::new(Foreign::start(commands, rtmp, directory, Rest::Ended, judged)?))
    }
}

/// The options and the name of an output.
fn output(format: &str) -> &'static [&'static str] {
    match format {
        "flv" => &["-f", "flv", "recording.flv"],
        "mp4" => &["-f", "mp4", "recording.mp4"],
        _ => &[
            "-f",
            "hls",
            "-hls_time",
            "6",
            "-hls_playlist_type",
            "event",
            "-hls_segment_type",
            "fmp4",
            "-hls_segment_filename",
            "segment-%06d.m4s",
            "index.m3u8",
        ],
    }
}

impl Judge for Judged {
    fn judge(&self, directory: &Path, film: &Film, sent: &Outcome) -> Verdict {
        tally(directory, &self.0, film, sent)
    }
}

//! What stands in a recording's directory and is not the recording's: moved aside, never deleted.

use livetape_disk::{DiskError, Spool};
use livetape_media::Format;
use livetape_mux::FileName;
use livetape_record::RecordingId;
use tracing::warn;

/// Moves everything in the recording's directory that no muxer of its format makes to the
/// quarantine. Nothing happens when the directory is not there. Blocks.
pub(crate) fn set_strangers_aside(spool: &Spool, id: RecordingId) -> Result<(), DiskError> {
    let name = id.to_string();
    if !spool.contains(&name)? {
        return Ok(());
    }
    let strangers = spool.files(&name)?.strangers(|file| is_made(id.format, file)).map_err(|source| DiskError::Io {
        action: "listing the files of",
        path: name.clone().into(),
        source,
    })?;
    for stranger in strangers {
        let path = spool.quarantine_file(&name, &stranger)?;
        warn!(recording = name, path = %path.display(), "a file that is no recording's was moved aside");
    }
    Ok(())
}

/// Whether a muxer of `format` makes files of this name.
fn is_made(format: Format, file: &FileName) -> bool {
    let numbered = |prefix: &str, suffixes: &[&str]| {
        let rest = file.as_str().strip_prefix(prefix);
        let number = rest.and_then(|rest| suffixes.iter().find_map(|suffix| rest.strip_suffix(suffix)));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_playlists =
        || matches!(file.as_str(), "index.m3u8" | "media.m3u8" | "vod.m3u8") || numbered("init-", &[".mp4"]);
    match format {
        // With playlists over it.
        Format::Mp4 => *file == FileName::mp4() || is_playlists(),
        Format::Flv => *file == FileName::flv(),
        Format::Hls => is_playlists() || numbered("segment-", &[".m4s", ".ts"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_knows_its_own_names() {
        let playlists = ["index.m3u8", "media.m3u8", "vod.m3u8", "init-0.mp4"];
        let segments = ["segment-000000.m4s", "segment-1234567.ts"];
        for (formats, names) in [
            (&[Format::Mp4][..], &["recording.mp4"][..]),
            (&[Format::Flv], &["recording.flv"]),
            (&[Format::Mp4, Format::Hls], &playlists),
            (&[Format::Hls], &segments),
        ] {
            for name in names {
                let file = FileName::new(name).unwrap();
                for other in Format::ALL {
                    assert_eq!(is_made(other, &file), formats.contains(&other), "{name} of {other}");
                }
            }
        }
        for name in ["notes.txt", "segment-.ts", "segment-1.mp4", "init-1.m4s", "segment-00x.ts", "a.m3u8"] {
            let file = FileName::new(name).unwrap();
            assert!(!Format::ALL.into_iter().any(|format| is_made(format, &file)), "{name}");
        }
    }
}

//! What the catalog keeps of a finished recording.

use livetape_catalog::{AudioFacts, Facts, PlaylistFacts, VideoFacts};
use livetape_mux::Summary;

/// What the catalog keeps of what a muxer, or salvage, says of a finished recording.
pub fn facts(summary: &Summary) -> Facts {
    Facts {
        size_bytes: summary.size_bytes,
        duration: summary.duration,
        video: summary.video.as_ref().map(|video| VideoFacts {
            codec: video.codec.name().to_owned(),
            width: video.format.width,
            height: video.format.height,
            frame_rate: Some(video.frame_rate),
            frames: video.frames,
        }),
        audio: summary.audio.as_ref().map(|audio| AudioFacts {
            codec: audio.codec.name().to_owned(),
            sample_rate: audio.format.output_sample_rate,
            channels: audio.format.channels,
            frames: audio.frames,
        }),
        playlists: summary.playlists.as_ref().map(|playlists| PlaylistFacts {
            size_bytes: playlists.size_bytes,
            duration: playlists.duration,
            pictures: playlists.pictures,
            sounds: playlists.sounds,
        }),
    }
}

//! What kind of media an object is.

use crate::ObjectKey;

/// The media type a player is told, from the ending of the object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `.mp4`
    Mp4,
    /// `.m4s`: a CMAF segment.
    IsoSegment,
    /// `.ts`
    TransportStream,
    /// `.m3u8`
    Playlist,
    /// `.flv`
    Flv,
    /// `.json`
    Json,
    /// Anything else.
    Bytes,
}

impl ContentType {
    /// What the object named `name` is.
    pub fn of(name: &str) -> Self {
        match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "mp4" => Self::Mp4,
            "m4s" => Self::IsoSegment,
            "ts" => Self::TransportStream,
            "m3u8" => Self::Playlist,
            "flv" => Self::Flv,
            "json" => Self::Json,
            _ => Self::Bytes,
        }
    }

    /// What the object at `key` is.
    pub fn of_key(key: &ObjectKey) -> Self {
        Self::of(key.name())
    }

    /// As HTTP's `Content-Type` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::IsoSegment => "video/iso.segment",
            Self::TransportStream => "video/mp2t",
            Self::Playlist => "application/vnd.apple.mpegurl",
            Self::Flv => "video/x-flv",
            Self::Json => "application/json",
            Self::Bytes => "application/octet-stream",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_decides() {
        for (name, expected) in [
            ("recording.mp4", "video/mp4"),
            ("segment-000000.m4s", "video/iso.segment"),
            ("segment-000000.ts", "video/mp2t"),
            ("index.m3u8", "application/vnd.apple.mpegurl"),
            ("recording.flv", "video/x-flv"),
            ("ts", "application/octet-stream"),
            ("recording.mp4.part", "application/octet-stream"),
        ] {
            assert_eq!(ContentType::of(name).as_str(), expected, "{name}");
        }
    }
}

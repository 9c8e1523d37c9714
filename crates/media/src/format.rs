//! The formats Livetape records to.

use std::fmt;
use std::str::FromStr;

/// The format of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// One MP4 file.
    Mp4,
    /// A playlist and its segments.
    Hls,
    /// One FLV file.
    Flv,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Mp4, Self::Hls, Self::Flv];

    /// Its name in the API, in file names and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Hls => "hls",
            Self::Flv => "flv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| format!("'{text}' is not a format; the formats are mp4, hls and flv"))
    }
}

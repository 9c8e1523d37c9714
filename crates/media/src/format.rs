//! The formats Livetape records to.

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

crate::named!(Format, "a format", "the formats");

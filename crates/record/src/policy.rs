//! How a session is recorded.

use std::time::Duration;

use livetape_media::Format;
use livetape_mux::Layout;

use crate::{Align, Keep, NameTemplate};

/// How a session is recorded in one format.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The format.
    pub format: Format,
    /// How its files are laid out.
    pub layout: Layout,
    /// A recording is cut at the first key frame at which it is at least this long.
    pub max_duration: Duration,
    /// A recording is cut at a key frame after it has become this large, in bytes; `None`: size is no reason.
    pub max_bytes: Option<u64>,
    /// A recording is cut at the first key frame at or after each of these moments of the calendar; `None`: it is not.
    pub align: Option<Align>,
    /// A recording shorter than this is discarded.
    pub min_duration: Duration,
    /// How long to wait, in media time, for the second track before a recording opens without it.
    pub track_wait: Duration,
    /// Object keys.
    pub names: NameTemplate,
    /// MP4: HLS playlists over each recording's fragments are written with it, as a recording of their own.
    pub playlists: bool,
    /// How long recordings are kept.
    pub keep: Keep,
}

impl Policy {
    /// The formats that come of it: with playlists over an MP4, both.
    pub fn formats(&self) -> Vec<Format> {
        let over = self.playlists && self.format == Format::Mp4;
        [self.format].into_iter().chain(over.then_some(Format::Hls)).collect()
    }
}

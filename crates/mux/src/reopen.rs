//! Going on with what a crash left: the writer of a torn recording, as if its publisher had just gone.

use livetape_media::{Format, MediaTime, Track, WallTime};

use crate::{Files, Layout, Muxer, Op, SalvageError, flv, hls, mp4};

/// What is known of a torn recording beside its files.
#[derive(Clone, Debug)]
pub struct Torn {
    /// Where it begins on its session's timeline, to the millisecond.
    pub start: MediaTime,
    /// The calendar's time there.
    pub wall_start: WallTime,
    /// How what follows is laid out. What its files have begun with, they keep.
    pub layout: Layout,
}

/// A torn recording that can go on.
pub struct Reopened {
    /// Its writer, in the state after [`Muxer::pause`].
    pub muxer: Box<dyn Muxer>,
    /// To be performed first: what is not whole is cut. Performing any prefix of them and reopening again, or
    /// salvaging, leads to the same recording.
    pub ops: Vec<Op>,
    /// Its tracks, as far as its files tell.
    pub tracks: Vec<Track>,
    /// Bytes at the ends of files that are not whole and are cut.
    pub cut_bytes: u64,
    /// Where its last picture or sound has been decoded and shown, on its session's timeline.
    pub ends: MediaTime,
    /// How long after its decoding a key frame of it is shown.
    pub delay: MediaTime,
}

/// Goes on with a torn recording of `format`, from its last whole fragment on. `None` when there is nothing to go on
/// with: it holds nothing whole, or its end had begun. [`salvage()`](crate::salvage()) knows what becomes of it then.
///
/// # Errors
/// When a file cannot be read, or is not what a muxer writes.
pub fn reopen(format: Format, files: &dyn Files, torn: &Torn) -> Result<Option<Reopened>, SalvageError> {
    match format {
        Format::Mp4 => mp4::reopen(files, torn),
        Format::Hls => hls::reopen(files, torn),
        Format::Flv => flv::reopen(files, torn),
    }
}

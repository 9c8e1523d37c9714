//! Where segments that are runs of whole fragments begin and end. The rules of [`crate::hls`] for frames, held to
//! by fragments:
//! - a segment ends at the first fragment that begins with a key frame at or after the target;
//! - one that would become too long with the next fragment ends before it, whatever that begins with: longer
//!   than `overrun` times the target or, once it is declared, than what rounds to TARGETDURATION;
//! - a segment that began without a key frame ends at the next one;
//! - a pause that no segment may span ends it where its last frame ends.

use livetape_media::MediaTime;

use super::piece::Piece;
use crate::hls::cut::{HEADROOM, ROUNDING, SHORTEST, declaration};

/// What a fragment does to the open segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It goes into it.
    None,
    /// It begins the next one.
    At,
    /// It begins the next one, long after the open one's last frame ended.
    Pause,
}

/// Watches fragments and decides where segments end.
#[derive(Debug)]
pub(super) struct Cutter {
    target: MediaTime,
    overrun: MediaTime,
    has_video: bool,
    /// TARGETDURATION, once it is declared.
    declared: Option<MediaTime>,
    open: Option<Open>,
    last_key: Option<MediaTime>,
    longest_gop: MediaTime,
}

#[derive(Debug)]
struct Open {
    begins: MediaTime,
    ends: MediaTime,
    /// Whether the first picture is a key frame, once there is one.
    begins_with_key: Option<bool>,
}

impl Cutter {
    pub(super) fn new(target: MediaTime, overrun: u32, has_video: bool) -> Self {
        let target = target.max(MediaTime::from_millis(500));
        let overrun = MediaTime::from_nanos(target.as_nanos().saturating_mul(i64::from(overrun.max(1))));
        Self { target, overrun, has_video, declared: None, open: None, last_key: None, longest_gop: MediaTime::ZERO }
    }

    /// What `piece`, the next one, does to the open segment.
    pub(super) fn decide(&self, piece: &Piece) -> Cut {
        let Some(open) = &self.open else { return Cut::None };
        let length = piece.begins - open.begins;
        let most = self.declared.unwrap_or(self.overrun) + HEADROOM;
        if length > most {
            return Cut::Pause;
        }
        if piece.key == Some(true) || !self.has_video {
            let realign = open.begins_with_key == Some(false) && length >= SHORTEST;
            if realign || length + ROUNDING >= self.target {
                return Cut::At;
            }
        }
        if piece.ends - open.begins > most && length > MediaTime::ZERO { Cut::At } else { Cut::None }
    }

    /// A segment begins at `begins` with the next fragment taken.
    pub(super) fn begin(&mut self, begins: MediaTime) {
        self.open = Some(Open { begins, ends: begins, begins_with_key: None });
    }

    /// `piece` has gone into the open segment.
    pub(super) fn took(&mut self, piece: &Piece) {
        if piece.key == Some(true)
            && let Some(last) = self.last_key.replace(piece.begins)
        {
            self.longest_gop = self.longest_gop.max(piece.begins - last);
        }
        let Some(open) = &mut self.open else { return };
        open.ends = open.ends.max(piece.ends);
        if let Some(key) = piece.key {
            open.begins_with_key.get_or_insert(key);
        }
    }

    /// The open segment is closed. Returns whether it began with a key frame, or held none to begin with.
    pub(super) fn close(&mut self) -> bool {
        self.open.take().is_none_or(|open| open.begins_with_key != Some(false))
    }

    /// Where the last frame of the open segment ends.
    pub(super) fn ends(&self) -> MediaTime {
        self.open.as_ref().map_or(MediaTime::ZERO, |open| open.ends.max(open.begins))
    }

    /// `ends`, or the last moment at which the open segment may end.
    pub(super) fn bounded(&self, ends: MediaTime) -> MediaTime {
        match (self.declared, &self.open) {
            (Some(declared), Some(open)) => ends.min(open.begins + declared + HEADROOM),
            _ => ends,
        }
    }

    /// The first segment, rounded to `first_rounded` seconds, ends at `at`: the TARGETDURATION that will hold for
    /// the recording's whole life.
    pub(super) fn declare(&mut self, at: MediaTime, first_rounded: u32) -> u32 {
        let open_gop = self.last_key.map_or(MediaTime::ZERO, |key| at - key);
        let seconds = declaration(self.target, self.longest_gop.max(open_gop), self.overrun, first_rounded);
        self.declared = Some(MediaTime::from_millis(i64::from(seconds) * 1000));
        seconds
    }
}

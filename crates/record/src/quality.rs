//! Watching the quality of what a publisher sends: items and times in, findings out.
//!
//! Contract: a frame takes constant time and no allocation; what is kept is bounded; a stream that is bad throughout
//! brings a few findings and not one for each frame ([`episode`]). Nothing here changes what is recorded.

mod episode;
mod sign;
#[cfg(test)]
mod tests;

use std::time::Duration;

use livetape_media::{Frame, Item, MediaTime, Metadata, Now, Track, TrackKind, Value};

use crate::measure::{Apart, Gops, Pace};
use episode::Episodes;
pub use episode::Finding;
use sign::Sign;

/// How often what lasts is judged, in media time.
const WINDOW: MediaTime = MediaTime::from_millis(1_000);

/// From when on something is told. Nothing of a kind is told where the value is zero, or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualityLimits {
    /// Jumps of the publisher's clock.
    pub jumps: bool,
    /// Changes of the codec, of its configuration, and of the size of pictures.
    pub changes: bool,
    /// Timestamps of a track that repeat, or run back, in a second of media.
    pub moved: u32,
    /// Between two frames of a track, when that is far longer than usual for it.
    pub gap: Duration,
    /// Pictures and sound that come together may be so far apart ...
    pub apart: Duration,
    /// ... for so long.
    pub apart_for: Duration,
    /// So much of one track without any of the other.
    pub missing: Duration,
    /// Between two key frames.
    pub gop: Duration,
    /// A group of pictures so many times longer or shorter than those before.
    pub gop_ratio: u32,
}

impl Default for QualityLimits {
    fn default() -> Self {
        Self {
            jumps: true,
            changes: true,
            moved: 3,
            gap: Duration::from_millis(500),
            apart: Duration::from_secs(1),
            apart_for: Duration::from_secs(5),
            missing: Duration::from_secs(10),
            gop: Duration::from_secs(15),
            gop_ratio: 8,
        }
    }
}

/// Watches one session: its main tracks.
#[derive(Debug)]
pub struct Quality {
    limits: QualityLimits,
    /// The limit of a gap; beyond all times when there is none.
    gap: MediaTime,
    video: Side,
    audio: Side,
    apart: Apart,
    apart_since: Option<MediaTime>,
    gops: Gops,
    window_end: Option<MediaTime>,
    episodes: Episodes,
    /// What held when it was judged last.
    held: Held,
}

/// One of the two tracks.
#[derive(Debug, Default)]
struct Side {
    track: Option<Track>,
    /// The publisher said there is one, in its description.
    announced: bool,
    pace: Pace,
    /// Where the other track was when this one's last frame came.
    other_then: Option<MediaTime>,
    /// In this window.
    stuck: u64,
    ran_back: u64,
    back: MediaTime,
}

#[derive(Debug, Default)]
struct Held {
    apart: bool,
    no_audio: bool,
    no_video: bool,
    no_key_frame: bool,
}

impl Quality {
    /// A watch that has seen nothing.
    pub fn new(limits: QualityLimits) -> Self {
        let gap = if limits.gap.is_zero() { MediaTime::MAX } else { limits.gap.into() };
        Self {
            limits,
            gap,
            video: Side::default(),
            audio: Side::default(),
            apart: Apart::default(),
            apart_since: None,
            gops: Gops::default(),
            window_end: None,
            episodes: Episodes::default(),
            held: Held::default(),
        }
    }

    /// One more item of the session.
    pub fn push(&mut self, item: &Item, now: Now, out: &mut Vec<Finding>) {
        match item {
            Item::Frame(frame) if frame.track.index == 0 => self.frame(frame, now.mono, out),
            Item::Track(track) if track.id.index == 0 => self.track(track, now.mono, out),
            Item::Moved { track, back } if track.index == 0 => {
                let side = self.side(track.kind);
                if *back > MediaTime::ZERO {
                    side.ran_back += 1;
                    side.back = *back;
                } else {
                    side.stuck += 1;
                }
            }
            Item::Jump { by, direction, .. } if self.limits.jumps => {
                let (by, direction) = (*by, *direction);
                self.episodes.notice(Sign::Jump { by, direction }, 1, now.mono, out);
            }
            Item::Metadata(metadata) => {
                self.video.announced |= announces(metadata, "videocodecid", "hasVideo");
                self.audio.announced |= announces(metadata, "audiocodecid", "hasAudio");
            }
            Item::End(_) => {
                self.judge(now.mono, out);
                self.episodes.finish(now.mono, out);
            }
            _ => {}
        }
    }

    /// When [`Quality::tick`] wants to be called, on the clock of [`Now::mono`].
    pub fn next_tick(&self) -> Option<Duration> {
        self.episodes.due()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now, out: &mut Vec<Finding>) {
        if self.next_tick().is_some_and(|due| now.mono >= due) {
            self.episodes.look(now.mono, out);
        }
    }

    fn side(&mut self, kind: TrackKind) -> &mut Side {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    #[inline]
    fn frame(&mut self, frame: &Frame, now: Duration, out: &mut Vec<Finding>) {
        let (kind, dts) = (frame.track.kind, frame.dts);
        let (side, other) = match kind {
            TrackKind::Video => (&mut self.video, &self.audio),
            TrackKind::Audio => (&mut self.audio, &self.video),
        };
        side.other_then = other.pace.last();
        if let Some(of) = side.pace.frame(dts, self.gap) {
            self.gap(kind, of, now, out);
        }
        if let Some(by) = self.apart.frame(kind, dts) {
            self.second_apart(by, dts, now, out);
        }
        if frame.random_access && kind == TrackKind::Video {
            self.key_frame(dts, now, out);
        }
        if self.window_end.is_none_or(|end| dts >= end) {
            self.window_end = Some(dts + WINDOW);
            self.judge(now, out);
        }
    }

    #[cold]
    #[inline(never)]
    fn gap(&mut self, track: TrackKind, of: MediaTime, now: Duration, out: &mut Vec<Finding>) {
        let was_missing = match track {
            TrackKind::Video => self.held.no_video,
            TrackKind::Audio => self.held.no_audio,
        };
        // That has been told in other words.
        if !was_missing {
            self.episodes.notice(Sign::Gap { track, of }, 1, now, out);
        }
    }

    #[cold]
    #[inline(never)]
    fn second_apart(&mut self, by: MediaTime, at: MediaTime, now: Duration, out: &mut Vec<Finding>) {
        let (limit, lasting) = (MediaTime::from(self.limits.apart), MediaTime::from(self.limits.apart_for));
        let is_far = limit > MediaTime::ZERO && (by > limit || MediaTime::ZERO - by > limit);
        if !is_far {
            self.apart_since = None;
            self.held.apart = false;
            return;
        }
        let since = *self.apart_since.get_or_insert(at - WINDOW);
        if at - since >= lasting {
            let begins = !std::mem::replace(&mut self.held.apart, true);
            self.episodes.notice(Sign::Apart { by }, begins.into(), now, out);
        }
    }

    #[cold]
    #[inline(never)]
    fn key_frame(&mut self, dts: MediaTime, now: Duration, out: &mut Vec<Finding>) {
        let Some(gop) = self.gops.key_frame(dts) else { return };
        let (ratio, length, usual) = (i64::from(self.limits.gop_ratio), gop.length.as_nanos(), gop.usual.as_nanos());
        let is_wild = ratio > 0 && usual > 0 && (length / ratio > usual || usual / ratio > length);
        if is_wild {
            self.episodes.notice(Sign::Gop { length: gop.length, usual: gop.usual }, 1, now, out);
        }
    }

    fn track(&mut self, track: &Track, now: Duration, out: &mut Vec<Finding>) {
        let kind = track.id.kind;
        let other = match kind {
            TrackKind::Video => self.audio.pace.last(),
            TrackKind::Audio => self.video.pace.last(),
        };
        let side = self.side(kind);
        let Some(before) = side.track.replace(track.clone()) else {
            side.other_then = side.other_then.or(other);
            return;
        };
        if !self.limits.changes {
            return;
        }
        let size = |track: &Track| track.config.video().map(|video| (video.width, video.height));
        let (from, to) = (before.config.codec(), track.config.codec());
        let sign = match (size(&before), size(track)) {
            (Some(from), Some(to)) if from != to => Sign::Resolution { from, to },
            _ => Sign::Codec { track: kind, from, to },
        };
        self.episodes.notice(sign, 1, now, out);
        if from != to && matches!(sign, Sign::Resolution { .. }) {
            self.episodes.notice(Sign::Codec { track: kind, from, to }, 1, now, out);
        }
    }

    /// What lasts, and what has gathered in the window that is over.
    #[cold]
    #[inline(never)]
    fn judge(&mut self, now: Duration, out: &mut Vec<Finding>) {
        for track in [TrackKind::Video, TrackKind::Audio] {
            let limit = u64::from(self.limits.moved);
            let side = self.side(track);
            let (stuck, ran_back, by) =
                (std::mem::take(&mut side.stuck), std::mem::take(&mut side.ran_back), side.back);
            if limit > 0 && stuck >= limit {
                self.episodes.notice(Sign::Stuck { track }, stuck, now, out);
            }
            if limit > 0 && ran_back >= limit {
                self.episodes.notice(Sign::RanBack { track, by }, ran_back, now, out);
            }
        }
        let missing = MediaTime::from(self.limits.missing);
        for track in [TrackKind::Video, TrackKind::Audio] {
            let (side, other, held) = match track {
                TrackKind::Video => (&mut self.video, &self.audio, &mut self.held.no_video),
                TrackKind::Audio => (&mut self.audio, &self.video, &mut self.held.no_audio),
            };
            let (Some(other), true) = (other.pace.last(), side.announced || side.track.is_some()) else { continue };
            let since = other - *side.other_then.get_or_insert(other);
            let holds = missing > MediaTime::ZERO && since >= missing;
            let begins = !std::mem::replace(held, holds);
            if holds {
                self.episodes.notice(Sign::Missing { track, since }, begins.into(), now, out);
            }
        }
        let limit = MediaTime::from(self.limits.gop);
        if let (Some(key), Some(last)) = (self.gops.last(), self.video.pace.last()) {
            let holds = limit > MediaTime::ZERO && last - key >= limit;
            let begins = !std::mem::replace(&mut self.held.no_key_frame, holds);
            if holds {
                self.episodes.notice(Sign::NoKeyFrame { since: last - key }, begins.into(), now, out);
            }
        }
    }
}

/// Whether a publisher's description says that it sends such a track: it names a codec, or says so.
fn announces(metadata: &Metadata, codec: &str, flag: &str) -> bool {
    let names = match metadata.field(codec) {
        Some(Value::Number(number)) => *number > 0.0,
        Some(value) => value.as_str().is_some_and(|name| !name.is_empty()),
        None => false,
    };
    let says = matches!(metadata.field(flag), Some(Value::Boolean(true)));
    // What it denies is not taken from the codec it would use.
    (names || says) && !matches!(metadata.field(flag), Some(Value::Boolean(false)))
}

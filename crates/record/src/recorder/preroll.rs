//! Frames that gather until a recording can open.

use std::collections::VecDeque;
use std::time::Duration;

use livetape_media::{Frame, MediaTime, TrackKind, WallTime};

use super::Tracks;

/// How long a publisher with a video track may send only sound before the sound is recorded alone.
pub(super) const KEY_FRAME_WAIT: MediaTime = MediaTime::from_millis(10_000);
/// Frames gather only up to this many bytes; beyond it the recording opens with what there is.
const MAX_BYTES: usize = 32 << 20;

/// Sound from up to `wait` before the first key frame, the key frame, and what follows.
pub(crate) struct Preroll {
    wait: MediaTime,
    frames: VecDeque<Frame>,
    bytes: usize,
    /// The first key frame: where its recording starts.
    key: Option<(MediaTime, WallTime)>,
    /// The first frame of all, also when it has been let go since.
    first: Option<(MediaTime, WallTime)>,
    newest: MediaTime,
    has_sound: bool,
}

/// What a recording opens with.
pub(crate) struct Ready {
    pub(crate) tracks: Tracks,
    pub(crate) start: MediaTime,
    pub(crate) wall: WallTime,
    pub(crate) frames: Vec<Frame>,
}

impl Preroll {
    pub(crate) fn new(wait: Duration) -> Self {
        Self {
            wait: wait.into(),
            frames: VecDeque::new(),
            bytes: 0,
            key: None,
            first: None,
            newest: MediaTime::ZERO,
            has_sound: false,
        }
    }

    /// For sound that has come alone since `first`, though there are pictures to wait for.
    pub(crate) fn after(wait: Duration, first: MediaTime, wall: WallTime) -> Self {
        Self { first: Some((first, wall)), ..Self::new(wait) }
    }

    /// Bytes of the frames that have gathered.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// One more frame. With `video_known`, sound from long before the first key frame is let go.
    pub(crate) fn push(&mut self, frame: &Frame, wall: WallTime, video_known: bool, skipped: &mut u64) {
        self.first.get_or_insert((frame.dts, wall));
        self.newest = self.newest.max(frame.dts);
        match frame.track.kind {
            TrackKind::Video if self.key.is_none() && !frame.random_access => {
                *skipped += 1;
                return;
            }
            TrackKind::Video if self.key.is_none() => self.key = Some((frame.pts, wall)),
            TrackKind::Video => {}
            TrackKind::Audio => self.has_sound = true,
        }
        self.bytes += frame.data.len();
        self.frames.push_back(frame.clone());
        if self.key.is_none() && video_known {
            while self.frames.front().is_some_and(|oldest| self.newest - oldest.dts > self.wait) {
                self.bytes -= self.frames.pop_front().map_or(0, |frame| frame.data.len());
                *skipped += 1;
            }
        }
    }

    /// Whether frames of this kind have gathered.
    pub(crate) fn holds(&self, kind: TrackKind) -> bool {
        match kind {
            TrackKind::Video => self.key.is_some(),
            TrackKind::Audio => self.has_sound,
        }
    }

    /// Whether a recording should open now.
    pub(crate) fn is_ready(&self, tracks: &Tracks) -> bool {
        let Some((first, _)) = self.first else { return false };
        let waited = self.newest - first;
        let enough = waited >= self.wait || self.bytes >= MAX_BYTES;
        match (self.key, tracks.video.is_some()) {
            (Some(_), _) => self.has_sound || enough,
            (None, false) => enough,
            (None, true) => self.has_sound && waited >= KEY_FRAME_WAIT.max(self.wait),
        }
    }

    /// What to open with now, ready or not; `None` if nothing here can be recorded.
    pub(crate) fn take(&mut self, tracks: &Tracks) -> Option<Ready> {
        let sound = self.frames.iter().find(|frame| frame.track.kind == TrackKind::Audio);
        let (start, wall) = match self.key {
            Some(key) => key,
            None => (sound?.pts, self.first?.1),
        };
        let tracks = Tracks {
            video: tracks.video.clone().filter(|_| self.key.is_some()),
            audio: tracks.audio.clone().filter(|_| self.has_sound),
        };
        Some(Ready { tracks, start, wall, frames: std::mem::take(&mut self.frames).into() })
    }
}

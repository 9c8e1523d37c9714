//! Dropping what comes while nothing can be written.

use std::time::Duration;

use livetape_media::{Format, Frame, MediaTime, Now, TrackKind, Warning, WarningKind};

use super::preroll::{KEY_FRAME_WAIT, Preroll};
use super::{Recorder, State};
use crate::effect::Effect;
use crate::report::LeftOut;
use crate::{CutReason, StartReason, StopReason};

/// Since when a recorder drops what comes.
#[derive(Default)]
pub(super) struct Suspension {
    dropped: Option<Dropped>,
    /// It ends at the next key frame.
    ending: bool,
    /// Since it is to end: from when on there has been no picture.
    no_picture_since: Option<MediaTime>,
}

/// What was dropped in a row.
pub(super) struct Dropped {
    frames: u64,
    /// The first frame's decoding time, and where the last one ends.
    from: MediaTime,
    until: MediaTime,
    /// The newest frame's decoding time, of pictures and of sound.
    newest: [Option<MediaTime>; 2],
}

impl Dropped {
    fn new(first: MediaTime) -> Self {
        Self { frames: 0, from: first, until: first, newest: [None; 2] }
    }

    fn take(&mut self, frame: &Frame) {
        let [video, audio] = &mut self.newest;
        let newest = match frame.track.kind {
            TrackKind::Video => video,
            TrackKind::Audio => audio,
        };
        // A frame lasts about as long as the one before it.
        let lasts = newest.replace(frame.dts).map_or(MediaTime::ZERO, |before| frame.dts - before);
        self.frames += 1;
        self.from = self.from.min(frame.dts);
        self.until = self.until.max(frame.dts + lasts.max(MediaTime::ZERO));
    }

    /// How much media it is; never nothing.
    pub(super) fn media(&self) -> Duration {
        (self.until - self.from).to_duration().max(Duration::from_millis(1))
    }

    fn warning(&self, format: Format) -> Warning {
        let (frames, ms) = (self.frames, self.media().as_millis());
        Warning {
            kind: WarningKind::FramesDropped,
            track: None,
            detail: format!("{frames} frames, {ms} ms, are in no {format} recording: the disk was too slow"),
        }
    }
}

impl Recorder {
    /// What a report tells of frames that are in no recording: those since the report before, and what has been
    /// `dropped` after the recording's end.
    pub(super) fn left_out(&mut self, dropped: Option<&Dropped>) -> LeftOut {
        let skipped = self.skipped_frames();
        let before = std::mem::replace(&mut self.reports_told_skipped, skipped);
        LeftOut {
            undecodable_frames: skipped - before,
            disk_slow_frames: dropped.map_or(0, |dropped| dropped.frames),
            disk_slow_ms: dropped.map_or(0, |dropped| u64::try_from(dropped.media().as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// Frames dropped so far because the recorder was suspended.
    pub fn dropped_frames(&self) -> u64 {
        self.dropped
    }

    /// Whether frames are being dropped.
    pub fn is_suspended(&self) -> bool {
        self.suspension.is_some()
    }

    /// From now on frames are dropped. What the open recording has taken is handed out as operations
    /// now, except what its muxer keeps back until the next frame; after that no frame makes any until
    /// the end of the suspension. What gathers for a recording that is not open yet goes on waiting.
    pub fn suspend(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if matches!(self.state, State::Ended) {
            return;
        }
        if let Some(suspension) = &mut self.suspension {
            suspension.ending = false;
            return;
        }
        self.hand_out(now, effects);
        self.suspension = Some(Suspension::default());
    }

    /// Frames can be written again. When none has been dropped, all goes on. Otherwise dropping ends
    /// at the next key frame: the open recording is closed and the next one begins there.
    pub fn resume(&mut self) {
        if let Some(suspension) = &mut self.suspension {
            suspension.ending = true;
            suspension.no_picture_since = None;
            if suspension.dropped.is_none() {
                self.suspension = None;
            }
        }
    }

    /// Whether `frame` is dropped. Ends the suspension when it is to end and this is a key frame.
    pub(super) fn drops(&mut self, frame: &Frame, now: Now, effects: &mut Vec<Effect>) -> bool {
        let has_video = self.tracks.video.is_some();
        let Some(suspension) = &mut self.suspension else { return false };
        let is_picture = frame.track.kind == TrackKind::Video;
        if suspension.ending {
            if is_picture == has_video && frame.random_access {
                self.end_suspension(StopReason::Cut(CutReason::DiskSlow), Some(frame.dts), now, effects);
                return false;
            }
            let since = *suspension.no_picture_since.get_or_insert(frame.dts);
            if is_picture {
                suspension.no_picture_since = Some(frame.dts);
            } else if frame.dts - since >= KEY_FRAME_WAIT {
                // The pictures do not come back: the sound is recorded alone.
                self.end_suspension(StopReason::Cut(CutReason::DiskSlow), Some(frame.dts), now, effects);
                if let State::Waiting(preroll) = &mut self.state {
                    *preroll = Preroll::after(self.policy.track_wait, since, now.wall);
                }
                return false;
            }
        }
        suspension.dropped.get_or_insert_with(|| Dropped::new(frame.dts)).take(frame);
        self.dropped += 1;
        true
    }

    /// Closes what is open, tells what was dropped, and waits for what comes. `next` is the first
    /// frame that is taken again.
    pub(super) fn end_suspension(
        &mut self,
        reason: StopReason,
        next: Option<MediaTime>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Suspension { dropped: Some(mut dropped), .. }) = self.suspension.take() else { return };
        dropped.until = next.unwrap_or(dropped.until);
        self.open_from_preroll(now, effects);
        self.settle(now, effects);
        effects.push(Effect::Warn(dropped.warning(self.policy.format)));
        let waiting = State::Waiting(Preroll::new(self.policy.track_wait));
        if let State::Open(mut open) = std::mem::replace(&mut self.state, waiting) {
            open.release_sound(&mut self.ops);
            self.skipped += open.foreign_sound();
            self.close(*open, reason, None, Some(&dropped), effects);
            self.start_reason = StartReason::Cut(CutReason::DiskSlow);
            self.report_skipped(effects);
        }
    }
}

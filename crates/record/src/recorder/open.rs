//! A recording while it is open: where each frame goes, and when it is cut.

use std::collections::VecDeque;
use std::time::Duration;

use livetape_media::{Frame, MediaTime, TrackKind, WallTime};
use livetape_mux::{Muxer, Op, Progress};

use super::Tracks;
use super::meter::Meter;
use super::reopen::Torn;
use crate::{CutReason, Gap, RecordingId};

/// How long frames wait at a cut for the sound to reach it.
const CUT_WAIT: MediaTime = MediaTime::from_millis(300);
/// How far the sound may be ahead of the pictures and still be held back when a cut is near.
const AHEAD: MediaTime = MediaTime::from_millis(1_000);
/// The most frames of sound that wait for a recording that has their track.
const FOREIGN_SOUND_MAX: usize = 2_000;
/// How long a cut may be due before the missing key frame is reported.
const KEY_FRAME_PATIENCE: MediaTime = MediaTime::from_millis(30_000);

/// An open recording.
pub(super) struct Open {
    pub(super) id: RecordingId,
    pub(super) muxer: Box<dyn Muxer>,
    pub(super) start: MediaTime,
    pub(super) started_at: WallTime,
    pub(super) tracks: Tracks,
    /// What lies between the sessions it is of: one for each time its publisher came back.
    pub(super) gaps: Vec<Gap>,
    /// Where it stood when its publisher went last, in the time of a player.
    pub(super) paused_at: Duration,
    /// A crash tore it.
    pub(super) torn: Option<Torn>,
    /// What its report will say.
    pub(super) meter: Meter,
    /// To be cut at the next key frame, and why.
    pub(super) due: Option<CutReason>,
    /// A cut that somebody asked for: one at which the recording only goes on differently does not do.
    pub(super) wanted: Option<CutReason>,
    /// To be cut at the first key frame that comes at this moment or later.
    pub(super) align_at: Option<WallTime>,
    /// Whether the publisher's tracks still are this recording's.
    video_fits: bool,
    audio_fits: bool,
    /// Since when a cut has been due; reported once.
    due_since: Option<MediaTime>,
    reported: bool,
    /// Sound ahead of the pictures while a cut is near.
    ahead: VecDeque<Frame>,
    /// Sound of a track or configuration that this recording does not have.
    foreign: VecDeque<Frame>,
    cut: Option<Cut>,
}

/// A cut whose key frame has come.
pub(super) struct Cut {
    pub(super) reason: CutReason,
    /// When the next recording's first frame is decoded, and shown.
    pub(super) dts: MediaTime,
    pub(super) pts: MediaTime,
    pub(super) wall: WallTime,
    /// The next recording's first frames.
    pub(super) frames: Vec<Frame>,
}

impl Cut {
    /// What the next recording records: the pictures beyond the cut, and the sound beyond it or
    /// that of the recording `before`, unless the publisher has dropped the track since.
    pub(super) fn tracks(&self, now: &Tracks, before: &Tracks) -> Tracks {
        let has = |kind| self.frames.iter().any(|frame| frame.track.kind == kind);
        Tracks {
            video: now.video.clone().filter(|_| has(TrackKind::Video)),
            audio: now.audio.clone().filter(|_| has(TrackKind::Audio) || before.audio.is_some()),
        }
    }
}

/// What became of a frame.
pub(super) enum Step {
    /// It is in this recording, or waits.
    Goes,
    /// It was left out: nothing could decode it.
    Skipped,
    /// It is in this recording, and a cut has been due for long.
    NoKeyFrame,
    /// The pending cut is to be carried out.
    Cut,
}

impl Open {
    pub(super) fn new(
        id: RecordingId,
        muxer: Box<dyn Muxer>,
        start: MediaTime,
        started_at: WallTime,
        tracks: Tracks,
    ) -> Self {
        Self {
            id,
            muxer,
            start,
            started_at,
            meter: Meter::new(start, started_at, &tracks),
            tracks,
            gaps: Vec::new(),
            paused_at: Duration::ZERO,
            torn: None,
            due: None,
            wanted: None,
            align_at: None,
            video_fits: true,
            audio_fits: true,
            due_since: None,
            reported: false,
            ahead: VecDeque::new(),
            foreign: VecDeque::new(),
            cut: None,
        }
    }

    /// How far it has come. What waits here is in no operation.
    pub(super) fn progress(&self) -> Progress {
        let progress = self.muxer.progress();
        let cut = self.cut.iter().flat_map(|cut| &cut.frames);
        let waiting = cut.chain(&self.ahead).chain(&self.foreign).map(|frame| frame.dts);
        Progress { flushed: waiting.fold(progress.flushed, MediaTime::min), ..progress }
    }

    /// Bytes of its files so far.
    pub(super) fn size_bytes(&self) -> u64 {
        self.muxer.progress().size_bytes
    }

    /// The publisher's tracks are `now` these.
    pub(super) fn compare(&mut self, now: &Tracks) {
        self.video_fits = self.tracks.video == now.video;
        self.audio_fits = self.tracks.audio == now.audio;
    }

    fn fits(&self, kind: TrackKind) -> bool {
        match kind {
            TrackKind::Video => self.video_fits,
            TrackKind::Audio => self.audio_fits,
        }
    }

    /// Its publisher has come back with these tracks, after `gap`.
    pub(super) fn joined(&mut self, tracks: Tracks, at: MediaTime, gap: Gap) {
        if tracks != self.tracks {
            self.meter.configure(&tracks, at);
        }
        self.gaps.push(gap);
        self.tracks = tracks;
        (self.video_fits, self.audio_fits) = (true, true);
        (self.due_since, self.reported) = (None, false);
    }

    /// One more frame. `video_leads` says that the publisher has pictures, so that cuts are made
    /// at theirs and not at any frame of sound.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        wall: WallTime,
        max: MediaTime,
        video_leads: bool,
        ops: &mut Vec<Op>,
    ) -> Step {
        let kind = frame.track.kind;
        if self.cut.is_some() {
            return self.take_at_cut(frame, ops);
        }
        if !self.fits(kind) && self.due != Some(CutReason::CodecChanged) {
            let known = self.tracks.of(kind).is_some();
            self.due = Some(if known { CutReason::CodecChanged } else { CutReason::TrackAdded });
        }
        let leads = (kind == TrackKind::Video) == video_leads;
        if leads && frame.pts - self.start >= max {
            self.due = Some(CutReason::DurationLimit);
        }
        // Never at its first frame: that may have waited for sound until after the moment.
        if leads && frame.pts > self.start && self.align_at.is_some_and(|moment| wall >= moment) {
            self.wanted.get_or_insert(CutReason::Aligned);
        }
        self.due = self.due.or(self.wanted);
        if let Some(reason) = self.due.filter(|_| leads && frame.random_access) {
            return self.begin_cut(reason, frame, wall, ops);
        }
        self.meter.came(frame, wall);
        let late = self.due.is_some() && frame.dts - *self.due_since.get_or_insert(frame.dts) > KEY_FRAME_PATIENCE;
        match kind {
            _ if self.fits(kind) => {}
            TrackKind::Video => return Step::Skipped,
            TrackKind::Audio => {
                self.foreign.push_back(frame.clone());
                if self.foreign.len() > FOREIGN_SOUND_MAX {
                    self.foreign.pop_front();
                    return Step::Skipped;
                }
                return Step::Goes;
            }
        }
        let soon = wall.plus_millis(AHEAD.as_millis());
        let near = self.due.is_some()
            || frame.pts - self.start + AHEAD >= max
            || self.align_at.is_some_and(|moment| soon >= moment);
        if kind == TrackKind::Audio && video_leads && self.video_fits && near {
            self.ahead.push_back(frame.clone());
            self.release_sound_before(frame.pts - AHEAD, ops);
        } else {
            match kind {
                TrackKind::Video => self.release_sound_before(frame.dts, ops),
                // What was held back comes before it, whatever it was held back for.
                TrackKind::Audio => self.release_sound(ops),
            }
            self.give(frame, ops);
        }
        if late && !std::mem::replace(&mut self.reported, true) { Step::NoKeyFrame } else { Step::Goes }
    }

    #[inline]
    fn give(&mut self, frame: &Frame, ops: &mut Vec<Op>) {
        self.meter.took(frame);
        self.muxer.frame(frame, ops);
    }

    fn begin_cut(&mut self, reason: CutReason, frame: &Frame, wall: WallTime, ops: &mut Vec<Op>) -> Step {
        self.due = None;
        self.due_since = None;
        self.reported = false;
        let mut frames = vec![frame.clone()];
        for sound in std::mem::take(&mut self.ahead) {
            if sound.pts < frame.pts {
                self.give(&sound, ops);
            } else {
                frames.push(sound);
            }
        }
        frames.extend(std::mem::take(&mut self.foreign));
        let sound_is_there = frames.iter().any(|frame| frame.track.kind == TrackKind::Audio);
        self.cut = Some(Cut { reason, dts: frame.dts, pts: frame.pts, wall, frames });
        let sound_is_due = self.tracks.audio.is_some() || !self.audio_fits;
        let waits = frame.track.kind == TrackKind::Video && sound_is_due && !sound_is_there;
        if waits { Step::Goes } else { Step::Cut }
    }

    /// A frame while a cut waits for the sound.
    fn take_at_cut(&mut self, frame: &Frame, ops: &mut Vec<Op>) -> Step {
        let Some(cut) = &mut self.cut else { return Step::Goes };
        let sound = frame.track.kind == TrackKind::Audio;
        if sound && self.audio_fits && frame.pts < cut.pts {
            self.give(frame, ops);
            return Step::Goes;
        }
        cut.frames.push(frame.clone());
        if sound || frame.dts - cut.dts >= CUT_WAIT { Step::Cut } else { Step::Goes }
    }

    /// Whether a cut waits for the sound.
    pub(super) fn cut_is_pending(&self) -> bool {
        self.cut.is_some()
    }

    /// The pending cut, to be carried out now.
    pub(super) fn take_cut(&mut self, ops: &mut Vec<Op>) -> Option<Cut> {
        let cut = self.cut.take()?;
        self.release_sound(ops);
        Some(cut)
    }

    /// Lets the sound that was held back into the recording.
    pub(super) fn release_sound(&mut self, ops: &mut Vec<Op>) {
        self.release_sound_before(MediaTime::MAX, ops);
    }

    fn release_sound_before(&mut self, moment: MediaTime, ops: &mut Vec<Op>) {
        while self.ahead.front().is_some_and(|sound| sound.pts < moment) {
            if let Some(sound) = self.ahead.pop_front() {
                self.give(&sound, ops);
            }
        }
    }

    /// Forgets the frames of sound that wait for a recording that has their track, and says how many.
    pub(super) fn forget_foreign_sound(&mut self) -> u64 {
        std::mem::take(&mut self.foreign).len() as u64
    }

    /// How many frames of sound wait for a recording that has their track.
    pub(super) fn foreign_sound(&self) -> u64 {
        self.foreign.len() as u64
    }
}

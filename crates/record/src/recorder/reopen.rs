//! A recording that a crash tore, and that waits for its publisher as if it had gone.

use std::time::Duration;

use livetape_media::{MediaTime, Track, WallTime};
use livetape_mux::Muxer;

use super::open::Open;
use super::{Recorder, State, Tracks};
use crate::report::{Observed, Recovery, TrackReport};
use crate::{Gap, RecordingId, Report};

/// A recording that a crash tore and that can go on.
pub struct Reopening {
    /// Its id.
    pub id: RecordingId,
    /// Its writer, after [`Muxer::pause`].
    pub muxer: Box<dyn Muxer>,
    /// Its tracks.
    pub tracks: Vec<Track>,
    /// Where it begins on its session's timeline, and the calendar's time there.
    pub start: MediaTime,
    /// The calendar's time there.
    pub started_at: WallTime,
    /// What lies between the sessions it is of so far.
    pub gaps: Vec<Gap>,
    /// Where what it holds ends, on its session's timeline.
    pub ends: MediaTime,
    /// Media that had come behind that.
    pub lost: Duration,
    /// Bytes that were not whole.
    pub cut_bytes: u64,
    /// When it was opened again.
    pub at: WallTime,
}

/// What is to be said of a crash in the midst of a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Torn {
    /// Where what it holds from before ends, until its publisher is back.
    pub(super) ends: Option<MediaTime>,
    /// Media that came and is not in it: before crashes that its gaps tell of, and before this one.
    lost: Duration,
    lost_now: Duration,
    cut_bytes: u64,
    at: WallTime,
}

impl Torn {
    /// All that is in no recording.
    pub(super) fn lost(&self) -> Duration {
        self.lost + self.lost_now
    }

    /// What is in no recording since the last gap, which the next one tells of.
    pub(super) fn take_lost(&mut self) -> Duration {
        let lost = std::mem::take(&mut self.lost_now);
        self.lost += lost;
        lost
    }

    /// The report of a recording that ended at `ended_at`, but for what is not known of it.
    pub(super) fn tell(self, report: Report, ended_at: WallTime) -> Report {
        // Of how it grew nothing has been seen before it was opened again.
        let goes_on = self.ends.is_none();
        let observed =
            report.observed.filter(|_| goes_on).map(|observed| Observed { since: Some(self.at), ..observed });
        let unknown = |track: TrackReport| TrackReport { bytes: None, moved: None, ..track };
        Report {
            recovered: true,
            last_at: if goes_on { report.last_at } else { Some(ended_at) },
            video: report.video.map(unknown),
            audio: report.audio.map(unknown),
            observed,
            recovery: Some(self.recovery()),
            ..report
        }
    }

    fn recovery(&self) -> Recovery {
        Recovery {
            reason: livetape_media::EndReason::Crash.name().to_owned(),
            cut_bytes: self.cut_bytes,
            lost_ms: u64::try_from(self.lost().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Recorder {
    /// The same, with a recording open that a crash tore: it is paused, as after [`Recorder::pause`]. Followed by
    /// [`Recorder::join`], or by the end.
    #[must_use]
    pub fn reopened(self, torn: Reopening) -> Self {
        let mut tracks = Tracks::default();
        for track in torn.tracks {
            let kind = track.id.kind;
            *tracks.slot(kind) = Some(track);
        }
        let mut open = Open::new(torn.id, torn.muxer, torn.start, torn.started_at, tracks);
        open.paused_at = open.muxer.progress().duration;
        open.align_at = self.policy.align.map(|align| align.next_after(torn.started_at));
        open.torn = Some(Torn {
            ends: Some(torn.ends),
            lost: torn.gaps.iter().map(|gap| gap.lost).sum(),
            lost_now: torn.lost,
            cut_bytes: torn.cut_bytes,
            at: torn.at,
        });
        open.gaps = torn.gaps;
        Self { state: State::Open(Box::new(open)), ..self }
    }
}

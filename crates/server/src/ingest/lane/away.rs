//! A lane whose publisher is away: it keeps its recording, which another session goes on with.

use std::sync::Arc;
use std::time::Duration;

use livetape_finalize::Writer;
use livetape_media::{MediaTime, Now, WallTime};
use livetape_record::{Join, Numbers, Recorder, Rejoined};

use super::{Context, Lane};
use crate::live::LiveSession;

/// A recording that a process before this one had open.
pub(in crate::ingest) struct Left {
    /// Where it will be in the store.
    pub(in crate::ingest) key: String,
    /// Where it begins.
    pub(in crate::ingest) start: MediaTime,
    /// How much of it are gaps.
    pub(in crate::ingest) gaps: Duration,
    /// Its files.
    pub(in crate::ingest) writer: Writer,
}

impl Lane {
    /// A lane whose recorder has opened a recording again that a process before this one had open: its publisher is
    /// away.
    pub(in crate::ingest) fn reopened(
        recorder: Recorder,
        left: Left,
        live: Arc<LiveSession>,
        context: Arc<Context>,
    ) -> Self {
        let mut lane = Self::new(recorder, live, context);
        lane.writer = Some(left.writer);
        lane.paused = true;
        if let Some((id, progress)) = lane.recorder.progress() {
            lane.account.goes_on(left.start, left.gaps, progress);
            lane.live.recording_began(id, lane.recorder.task(), &left.key, left.start);
            lane.live.recording(id, progress);
        }
        lane.tell();
        lane
    }

    /// The publisher has gone and may come back until `until`.
    pub(in crate::ingest) fn pause(&mut self, until: WallTime, now: Now) {
        let before = self.effects.len();
        self.recorder.pause(until, now, &mut self.effects);
        self.paused = true;
        self.count_from(before);
        self.tell();
    }

    /// Another session, `live`, goes on with it.
    pub(in crate::ingest) fn carry_over(&mut self, live: Arc<LiveSession>, numbers: Numbers) {
        self.live = live;
        self.numbers = numbers;
        // Of the other session.
        self.state.written = Duration::ZERO;
        self.tell();
    }

    /// The session that goes on with it begins to send media.
    pub(in crate::ingest) fn join(&mut self, join: &Join, limit: u32, now: Now) {
        let before = self.effects.len();
        let by = Rejoined { session: self.live.id, numbers: self.numbers.clone(), limit };
        self.recorder.join(join, by, now, &mut self.effects);
        self.paused = false;
        self.count_from(before);
    }

    /// Whether a recording is open.
    pub(in crate::ingest) fn is_recording(&self) -> bool {
        self.recorder.progress().is_some()
    }
}

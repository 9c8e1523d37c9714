//! A lane whose publisher is away: it keeps its recording, which another session goes on with.

use std::sync::Arc;
use std::time::Duration;

use livetape_media::{Now, WallTime};
use livetape_record::{Join, Numbers, Rejoined};

use super::Lane;
use crate::live::LiveSession;

impl Lane {
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

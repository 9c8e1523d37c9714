//! What had arrived when the process died: what its pulse says.

use std::collections::BTreeMap;

use livetape_disk::{Pulse, Spool};
use livetape_media::{MediaTime, WallTime};
use livetape_record::SessionId;
use tracing::warn;

/// What had arrived of each session, as far as it is known.
pub(super) struct Arrived {
    at: WallTime,
    sessions: BTreeMap<SessionId, Option<MediaTime>>,
}

impl Arrived {
    /// What the last pulse in the data directory says; nothing when it says nothing.
    pub(super) fn read(spool: &Spool, now: WallTime) -> Self {
        let pulse = Pulse::read(&**spool.disk(), spool.root()).unwrap_or_else(|error| {
            warn!("how much media had arrived before the crash is not known: {error}");
            None
        });
        let Pulse { at_ms, sessions } = pulse.unwrap_or_default();
        let session = |(id, ms): (String, Option<i64>)| Some((id.parse().ok()?, ms.map(MediaTime::from_millis)));
        // A calendar that was set back since does not put an end into the future.
        let at = WallTime::from_unix_millis(at_ms).min(now);
        Self { at, sessions: sessions.into_iter().filter_map(session).collect() }
    }

    /// The latest moment of the session that had arrived.
    pub(super) fn of(&self, session: &SessionId) -> Option<MediaTime> {
        *self.sessions.get(session)?
    }

    /// Every session that it speaks of: those that were live, and those whose recordings waited.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.sessions.keys()
    }

    /// The last moment at which the session is known to have been live.
    pub(super) fn live_until(&self, session: &SessionId) -> Option<WallTime> {
        self.sessions.contains_key(session).then_some(self.at)
    }
}

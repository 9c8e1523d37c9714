//! Events whose time is over.

use livetape_catalog::{Applied, Change};
use livetape_media::WallTime;

use super::Shared;
use crate::FinalizeError;
use crate::environment::blocking;

/// Events that go with one change: recordings begin and end meanwhile.
const EVENTS: usize = 200;
/// So many times in one round.
const TIMES: usize = 50;

impl Shared {
    /// Has old events go, as far as the calendar was sure of their age in the round before.
    pub(super) async fn prune(&self, seen: Option<WallTime>) -> Result<(), FinalizeError> {
        let (Some(keep), Some(seen)) = (self.policy().keep_events, seen) else { return Ok(()) };
        let now = (self.tools.wall)();
        let sure = seen.min(now);
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let before = WallTime::from_unix_millis(sure.as_unix_millis().saturating_sub(keep_ms));
        for _ in 0..TIMES {
            let catalog = self.tools.catalog.clone();
            let prune = move || Ok(catalog.apply(Change::EventsPruned { before, now, limit: EVENTS })?);
            if blocking::<_, FinalizeError, _>(prune).await? != Applied::Done {
                break;
            }
        }
        Ok(())
    }
}

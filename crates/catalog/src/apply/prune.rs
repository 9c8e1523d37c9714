//! Old events go, with what became of them. Always the first ones, so that those that are left are whole; what is
//! owed still stays, and all that came after it.
//!
//! An event that a wrong calendar has put into the future happened before the one behind it: it goes once an event
//! behind it is old, and holds up nothing until its date has come.

use livetape_media::WallTime;
use rusqlite::{OptionalExtension, params};

use super::Work;
use crate::{Applied, CatalogError};

/// One event that may go: its place, its stream, its number there, and its time.
type Old = (i64, String, i64, i64);

impl Work<'_> {
    pub(super) fn events_pruned(&self, before: WallTime, now: WallTime, limit: usize) -> Result<Applied, CatalogError> {
        let failed = || CatalogError::sqlite("pruning events");
        let old = self.old_events(before, now, limit).map_err(failed())?;
        let (Some(first), Some(last)) = (old.first(), old.last()) else { return Ok(Applied::Already) };
        for (sequence, subject, seq, at_ms) in &old {
            self.connection
                .prepare_cached(
                    "INSERT INTO pruned (subject, seq, sequence, at_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (subject) \
                     DO UPDATE SET seq = max(seq, ?2), sequence = max(sequence, ?3), at_ms = max(at_ms, ?4)",
                )
                .and_then(|mut insert| insert.execute(params![subject, seq, sequence, at_ms]))
                .map_err(failed())?;
        }
        // Attempts go with their deliveries.
        for delete in [
            "DELETE FROM deliveries WHERE event >= ?1 AND event <= ?2",
            "DELETE FROM events WHERE sequence >= ?1 AND sequence <= ?2",
        ] {
            self.connection
                .prepare_cached(delete)
                .and_then(|mut delete| delete.execute([first.0, last.0]))
                .map_err(failed())?;
        }
        Ok(Applied::Done)
    }

    /// The first events, up to one that is too young, or owed still.
    fn old_events(&self, before: WallTime, now: WallTime, limit: usize) -> rusqlite::Result<Vec<Old>> {
        let (before_ms, now_ms) = (before.as_unix_millis(), now.as_unix_millis());
        let mut last_old = None;
        let mut select = self.connection.prepare_cached(
            "SELECT sequence, subject, coalesce(seq, 0), timestamp_ms, EXISTS (SELECT 1 FROM deliveries \
              WHERE deliveries.event = events.sequence AND deliveries.state IN ('waiting', 'head', 'aside')) \
             FROM events ORDER BY sequence LIMIT ?1",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = select.query([limit])?;
        let mut old = Vec::new();
        while let Some(row) = rows.next()? {
            let (sequence, at_ms, owed): (i64, i64, bool) = (row.get(0)?, row.get(3)?, row.get(4)?);
            if owed {
                break;
            }
            if at_ms >= before_ms {
                let last_old = match last_old {
                    Some(known) => known,
                    None => *last_old.insert(self.last_old_event(before_ms)?),
                };
                if at_ms <= now_ms || sequence > last_old {
                    break;
                }
            }
            // What such a date says is not believed in other places either.
            old.push((sequence, row.get(1)?, row.get(2)?, at_ms.min(before_ms)));
        }
        Ok(old)
    }

    /// The place of the latest of all events that happened before this; 0 when there is none.
    fn last_old_event(&self, before_ms: i64) -> rusqlite::Result<i64> {
        let latest = self
            .connection
            .prepare_cached(
                "SELECT sequence FROM events INDEXED BY events_time WHERE timestamp_ms < ?1 \
                 ORDER BY timestamp_ms DESC, sequence DESC LIMIT 1",
            )?
            .query_row([before_ms], |row| row.get(0))
            .optional()?;
        Ok(latest.unwrap_or(0))
    }
}

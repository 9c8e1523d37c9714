//! Recordings that wait for their publisher, and go on.

use std::time::Duration;

use livetape_media::{Format, WallTime};
use livetape_record::{Gap, RecordingId, SessionId};
use rusqlite::params;

use super::Work;
use super::recordings::{conflict, lost_millis};
use crate::{Applied, CatalogError, RecordingRow, RecordingState, gaps};

impl Work<'_> {
    pub(super) fn recording_waits(
        &self,
        id: &RecordingId,
        at: WallTime,
        until: WallTime,
        lost: Duration,
    ) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        if row.state != RecordingState::Recording {
            return Err(CatalogError::Transition { id: *id, from: row.state, change: "having it wait" });
        }
        if row.waiting_until == Some(until) {
            return Ok(Applied::Already);
        }
        let (number, lost_ms) = (row.gaps.len() + 1, lost_millis(lost)?);
        let began = row.waiting_until.is_none();
        self.connection
            .prepare_cached("UPDATE recordings SET waiting_ms = ?2, lost_ms = ?3 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id.to_string(), until.as_unix_millis(), lost_ms]))
            .map_err(CatalogError::sqlite("having a recording wait"))?;
        if began {
            self.recording_event_numbered(id, "waiting", number, at)?;
        }
        Ok(Applied::Done)
    }

    pub(super) fn recording_continued(
        &self,
        id: &RecordingId,
        session: &SessionId,
        gap: &Gap,
    ) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        if row.state != RecordingState::Recording {
            return Err(CatalogError::Transition { id: *id, from: row.state, change: "going on with it" });
        }
        if row.waiting_until.is_none() && row.gaps.last().map(|last| (last.from, last.to)) == Some((gap.from, gap.to)) {
            return Ok(Applied::Already);
        }
        let of = self.session(session)?.ok_or(CatalogError::UnknownSession(*session))?;
        if (&of.app, &of.stream) != (&row.app, &row.stream) {
            return Err(conflict(id, format!("the session that goes on with it is of {}/{}", of.app, of.stream)));
        }
        let mut gaps = row.gaps.clone();
        // A crash came before any media did that was to lie behind the last one: this one takes its place, and its
        // number stays.
        if let Some(last) = gaps.last_mut().filter(|last| !last.lies_within(gap.at)) {
            *last = Gap::nothing(last.from, last.at);
        }
        gaps.push(*gap);
        self.connection
            .prepare_cached("UPDATE recordings SET waiting_ms = NULL, lost_ms = NULL, gaps = ?2 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id.to_string(), gaps::write(&gaps)]))
            .map_err(CatalogError::sqlite("going on with a recording"))?;
        self.recording_event_numbered(id, "continued", gaps.len(), gap.to)?;
        Ok(Applied::Done)
    }

    /// The gaps of a recording that turned out to play so long, as its row has them.
    pub(super) fn gaps_within(row: &RecordingRow, duration: Duration) -> Option<String> {
        let within: Vec<Gap> =
            row.gaps.iter().copied().filter(|gap| gap.lies_within(duration) && !gap.is_nothing()).collect();
        (!row.gaps.is_empty()).then(|| gaps::write(&within))
    }

    /// The gap of an MP4 as the playlists over it, of which this is the row, have it: they go straight on.
    pub(super) fn gap_of_playlists(&self, row: &RecordingRow, gap: &Gap) -> Result<Gap, CatalogError> {
        let media = row.media_of.map(|of| self.known(&of)).transpose()?;
        let before = media.into_iter().flat_map(|media| media.gaps).filter(|other| other.at < gap.at);
        let passed: Duration = before.map(|other| other.length).sum();
        debug_assert_eq!(row.id.format, Format::Hls);
        Ok(Gap { at: gap.at.saturating_sub(passed), length: Duration::ZERO, ..*gap })
    }
}

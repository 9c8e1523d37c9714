//! Playlists over an MP4: an HLS recording without media of its own. Its files lie among the MP4's, and
//! whatever becomes of the MP4's row becomes of its row, in the same transaction: there is no state in
//! which the one is true and the other is not.
//!
//! ```text
//! MP4                     playlists
//! opened                  opened, right after
//! paused, resumed         the same
//! finished                finished with what they list; discarded, when there are none
//! discarded, uploading, ready, failed, evicted         the same, with their own events
//! its deletion begins     theirs begins
//! deleted                 not before they are
//! ```
//!
//! They alone can be deleted; the MP4 stays. A hold on either is one on both.

use std::time::Duration;

use livetape_media::Format;
use livetape_record::RecordingId;

use super::Work;
use super::recordings::conflict;
use crate::{
    Applied, AudioFacts, CatalogError, Change, Facts, Hold, NewRecording, RecordingRow, RecordingState, VideoFacts,
};

impl Work<'_> {
    /// An MP4 that grows gets playlists.
    pub(super) fn playlists_opened(&self, of: &RecordingId, key: &str) -> Result<Applied, CatalogError> {
        let media = self.known(of)?;
        let id = of.playlists();
        if media.state != RecordingState::Recording {
            return Err(CatalogError::Transition { id: *of, from: media.state, change: "opening playlists over it" });
        }
        if self.find(&id)?.is_some_and(|row| row.media_of != Some(*of)) {
            return Err(conflict(&id, "it has media of its own".to_owned()));
        }
        let new = NewRecording {
            id,
            app: media.app.clone(),
            stream: media.stream.clone(),
            task: media.task,
            keep: media.keep,
            key: key.to_owned(),
            started_at: media.started_at,
            start: media.start.unwrap_or_default(),
            start_reason: media.start_reason.clone(),
            video: media.video.clone(),
            audio: media.audio.clone(),
        };
        let applied = self.recording_opened(&new, Some(of))?;
        // Whoever holds the media holds what is made of it.
        if let Some(Hold { at, by, reason }) = &media.hold {
            self.recording_held(&id, *at, by, reason)?;
        }
        Ok(applied)
    }

    /// Makes of the playlists over an MP4 what `change` has made of it.
    pub(super) fn follow(&self, change: &Change) -> Result<(), CatalogError> {
        match change {
            Change::RecordingWaits { id, at, until, lost } => {
                if let Some(row) = self.playlists_over(id)? {
                    self.recording_waits(&row.id, *at, *until, *lost)?;
                }
            }
            Change::RecordingContinued { id, session, gap } => {
                if let Some(row) = self.playlists_over(id)? {
                    let gap = self.gap_of_playlists(&row, gap)?;
                    self.recording_continued(&row.id, session, &gap)?;
                }
            }
            Change::RecordingFinished { id, ended_at, reason, facts, recovered, lost } => {
                let Some(row) = self.playlists_over(id)? else { return Ok(()) };
                let (facts, lost) = match listed(facts, *lost) {
                    (Some(facts), lost) => (facts, lost),
                    (None, lost) => {
                        self.recording_discarded(&row.id, *ended_at, reason, lost)?;
                        return Ok(());
                    }
                };
                self.recording_finished(&row.id, *ended_at, reason, &facts, *recovered, lost)?;
            }
            Change::RecordingDiscarded { id, at, reason, lost } => {
                if let Some(row) = self.playlists_over(id)? {
                    self.recording_discarded(&row.id, *at, reason, *lost)?;
                }
            }
            Change::RecordingPaused { id, at } => {
                if let Some(row) = self.playlists_over(id)? {
                    self.recording_pauses(&row.id, "paused", *at)?;
                }
            }
            Change::RecordingResumed { id, at } => {
                if let Some(row) = self.playlists_over(id)? {
                    self.recording_pauses(&row.id, "resumed", *at)?;
                }
            }
            Change::UploadStarted { id } => {
                if let Some(row) = self.kept_playlists(id)? {
                    self.upload_started(&row.id)?;
                }
            }
            Change::RecordingReady { id, at, store, .. } => {
                if let Some(row) = self.kept_playlists(id)? {
                    self.recording_ready(&row.id, *at, row.size_bytes.unwrap_or(0), *store)?;
                }
            }
            Change::RecordingFailed { id, at, error } => {
                if let Some(row) = self.kept_playlists(id)? {
                    self.recording_failed(&row.id, *at, error)?;
                }
            }
            Change::SpoolEvicted { id } => {
                if let Some(row) = self.playlists_over(id)? {
                    self.spool_evicted(&row.id)?;
                }
            }
            Change::DeletionStarted { id, reason } => {
                if let Some(row) = self.playlists_over(id)?
                    && row.state == RecordingState::Ready
                    && row.deleting.is_none()
                {
                    self.deletion_started(&row.id, *reason)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The row of the playlists over an MP4, if it has some.
    pub(super) fn playlists_over(&self, of: &RecordingId) -> Result<Option<RecordingRow>, CatalogError> {
        if of.format != Format::Mp4 {
            return Ok(None);
        }
        let row = self.find(&of.playlists())?;
        Ok(row.filter(|row| row.media_of == Some(*of)))
    }

    /// The same, unless they were discarded.
    fn kept_playlists(&self, of: &RecordingId) -> Result<Option<RecordingRow>, CatalogError> {
        Ok(self.playlists_over(of)?.filter(|row| row.state != RecordingState::Discarded))
    }

    /// Whether something else still needs the objects of this recording.
    pub(super) fn is_needed(&self, id: &RecordingId) -> Result<bool, CatalogError> {
        Ok(self.playlists_over(id)?.is_some_and(|row| row.state == RecordingState::Ready))
    }
}

/// What playlists hold of an MP4 that holds `facts`, and what of its stream is in none of them; no facts when
/// there are none.
fn listed(facts: &Facts, lost: Duration) -> (Option<Facts>, Duration) {
    let Some(playlists) = facts.playlists else { return (None, lost + facts.duration) };
    let video = facts.video.clone().map(|video| VideoFacts { frames: playlists.pictures, ..video });
    let audio = facts.audio.clone().map(|audio| AudioFacts { frames: playlists.sounds, ..audio });
    // A fragment that a crash has torn.
    let lacks = (&video, &audio) != (&facts.video, &facts.audio);
    let more = if lacks { facts.duration.saturating_sub(playlists.duration) } else { Duration::ZERO };
    let listed =
        Facts { size_bytes: playlists.size_bytes, duration: playlists.duration, video, audio, playlists: None };
    (Some(listed), lost + more)
}

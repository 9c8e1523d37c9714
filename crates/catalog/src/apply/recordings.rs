//! Recordings: from opened to evicted.

use std::time::Duration;

use livetape_media::{MediaTime, WallTime};
use livetape_record::RecordingId;
use rusqlite::{OptionalExtension, params};

use super::outbox::{Told, recording_event_id};
use super::{MAX_TEXT_BYTES, Work};
use crate::columns::{self, bounded, signed};
use crate::{
    Applied, CatalogError, Facts, NewRecording, RecordingRow, RecordingState, RecordingView, StoreRole, VideoFacts,
};

impl Work<'_> {
    /// `media_of`: the recording that has its media, if its own files do not.
    pub(super) fn recording_opened(
        &self,
        new: &NewRecording,
        media_of: Option<&RecordingId>,
    ) -> Result<Applied, CatalogError> {
        let session = self.session(&new.id.session)?.ok_or(CatalogError::UnknownSession(new.id.session))?;
        if let Some(row) = self.find(&new.id)? {
            let same = (&row.app, &row.stream, &row.key, row.started_at, &row.start_reason)
                == (&new.app, &new.stream, &new.key, new.started_at, &new.start_reason);
            return if same { Ok(Applied::Already) } else { Err(conflict(&new.id, format!("its key is {}", row.key))) };
        }
        if (&session.app, &session.stream) != (&new.app, &new.stream) {
            return Err(conflict(&new.id, format!("its session is of {}/{}", session.app, session.stream)));
        }
        let holder: Option<String> = self
            .connection
            .prepare_cached("SELECT id FROM recordings WHERE key = ?1")
            .and_then(|mut select| select.query_row([&new.key], |row| row.get(0)).optional())
            .map_err(CatalogError::sqlite("looking for a key"))?;
        if let Some(holder) = holder {
            return Err(CatalogError::Conflict {
                what: format!("the key {}", new.key),
                detail: format!("it is {holder}'s"),
            });
        }
        let video = new.video.as_ref();
        let audio = new.audio.as_ref();
        let (video_frames, audio_frames) =
            (frames(video.map(|video| video.frames))?, frames(audio.map(|audio| audio.frames))?);
        let retention_ms =
            new.keep.as_millis().map(|millis| signed("how long a recording is kept", millis)).transpose()?;
        self.connection
            .prepare_cached(
                "INSERT INTO recordings (id, session, node, app, stream, subject, format, state, key, started_ms, \
                 start_reason, video_codec, video_width, video_height, video_frame_rate, video_frames, audio_codec, \
                 audio_sample_rate, audio_channels, audio_frames, start_ms, media_of, task, retention_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'recording', ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
                 ?18, ?19, ?20, ?21, ?22, ?23)",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    new.id.to_string(),
                    new.id.session.to_string(),
                    self.node,
                    new.app,
                    new.stream,
                    format!("{}/{}", new.app, new.stream),
                    new.id.format.name(),
                    new.key,
                    new.started_at.as_unix_millis(),
                    new.start_reason,
                    video.map(|video| &video.codec),
                    video.map(|video| video.width),
                    video.map(|video| video.height),
                    video.and_then(frame_rate),
                    video_frames,
                    audio.map(|audio| &audio.codec),
                    audio.map(|audio| audio.sample_rate),
                    audio.map(|audio| audio.channels),
                    audio_frames,
                    new.start.as_millis(),
                    media_of.map(RecordingId::to_string),
                    new.task.map(|task| task.to_string()),
                    retention_ms,
                ])
            })
            .map_err(CatalogError::sqlite("writing a recording"))?;
        self.recording_event(&new.id, "started", new.started_at)
    }

    pub(super) fn recording_finished(
        &self,
        id: &RecordingId,
        ended_at: WallTime,
        reason: &str,
        facts: &Facts,
        recovered: bool,
        lost: Duration,
    ) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        let lost_ms = lost_millis(lost)?;
        let duration_ms = signed("a recording's duration in ms", facts.duration.as_millis())?;
        let size_bytes = signed("a recording's size in bytes", facts.size_bytes)?;
        match row.state {
            RecordingState::Recording => {}
            RecordingState::Finished | RecordingState::Uploading | RecordingState::Ready => {
                return repeated_finish(&row, ended_at, reason, facts, recovered, lost_ms);
            }
            from => return Err(CatalogError::Transition { id: *id, from, change: "finishing it" }),
        }
        let video = facts.video.as_ref();
        let audio = facts.audio.as_ref();
        let (video_frames, audio_frames) =
            (frames(video.map(|video| video.frames))?, frames(audio.map(|audio| audio.frames))?);
        self.connection
            .prepare_cached(
                "UPDATE recordings SET state = 'finished', ended_ms = ?2, end_reason = ?3, size_bytes = ?4, \
                 duration_ms = ?5, video_codec = ?6, video_width = ?7, video_height = ?8, video_frame_rate = ?9, \
                 video_frames = ?10, audio_codec = ?11, audio_sample_rate = ?12, audio_channels = ?13, \
                 audio_frames = ?14, recovered = ?15, lost_ms = ?16, waiting_ms = NULL, gaps = ?17 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![
                    id.to_string(),
                    ended_at.as_unix_millis(),
                    reason,
                    size_bytes,
                    duration_ms,
                    video.map(|video| &video.codec),
                    video.map(|video| video.width),
                    video.map(|video| video.height),
                    video.and_then(frame_rate),
                    video_frames,
                    audio.map(|audio| &audio.codec),
                    audio.map(|audio| audio.sample_rate),
                    audio.map(|audio| audio.channels),
                    audio_frames,
                    recovered,
                    lost_ms,
                    Self::gaps_within(&row, facts.duration),
                ])
            })
            .map_err(CatalogError::sqlite("finishing a recording"))?;
        self.remember_length(&row, ended_at)?;
        self.recording_event(id, "ended", ended_at)
    }

    pub(super) fn recording_discarded(
        &self,
        id: &RecordingId,
        at: WallTime,
        reason: &str,
        lost: Duration,
    ) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        let lost_ms = lost_millis(lost)?;
        match row.state {
            RecordingState::Recording => {}
            RecordingState::Discarded if row.end_reason.as_deref() == Some(reason) => return Ok(Applied::Already),
            RecordingState::Discarded => {
                return Err(conflict(id, format!("the reason was {}", row.end_reason.unwrap_or_default())));
            }
            from => return Err(CatalogError::Transition { id: *id, from, change: "discarding it" }),
        }
        self.connection
            .prepare_cached(
                "UPDATE recordings SET state = 'discarded', ended_ms = ?2, end_reason = ?3, lost_ms = ?4, \
                 waiting_ms = NULL WHERE id = ?1",
            )
            .and_then(|mut update| update.execute(params![id.to_string(), at.as_unix_millis(), reason, lost_ms]))
            .map_err(CatalogError::sqlite("discarding a recording"))?;
        self.remember_length(&row, at)?;
        self.recording_event(id, "discarded", at)
    }

    pub(super) fn upload_started(&self, id: &RecordingId) -> Result<Applied, CatalogError> {
        match self.known(id)?.state {
            RecordingState::Finished => {}
            RecordingState::Uploading => return Ok(Applied::Already),
            from => return Err(CatalogError::Transition { id: *id, from, change: "uploading it" }),
        }
        self.connection
            .prepare_cached("UPDATE recordings SET state = 'uploading' WHERE id = ?1")
            .and_then(|mut update| update.execute([id.to_string()]))
            .map_err(CatalogError::sqlite("noting an upload"))?;
        Ok(Applied::Done)
    }

    pub(super) fn upload_noted(&self, id: &RecordingId, upload: Option<&str>) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        match row.state {
            RecordingState::Recording | RecordingState::Finished | RecordingState::Uploading => {}
            from => return Err(CatalogError::Transition { id: *id, from, change: "noting its upload" }),
        }
        if row.upload.as_deref() == upload {
            return Ok(Applied::Already);
        }
        self.connection
            .prepare_cached("UPDATE recordings SET upload = ?2 WHERE id = ?1")
            .and_then(|mut update| update.execute(params![id.to_string(), upload]))
            .map_err(CatalogError::sqlite("noting an upload"))?;
        Ok(Applied::Done)
    }

    pub(super) fn recording_ready(
        &self,
        id: &RecordingId,
        at: WallTime,
        size_bytes: u64,
        store: StoreRole,
    ) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        match row.state {
            RecordingState::Finished | RecordingState::Uploading => {}
            RecordingState::Ready if (row.size_bytes, row.store) == (Some(size_bytes), store) => {
                return Ok(Applied::Already);
            }
            RecordingState::Ready => {
                let before = row.size_bytes.unwrap_or(0);
                let detail = format!("it was ready with {before} bytes in the {} store, now {size_bytes}", row.store);
                return Err(conflict(id, detail));
            }
            from => return Err(CatalogError::Transition { id: *id, from, change: "making it ready" }),
        }
        let size_bytes = signed("a recording's size in bytes", size_bytes)?;
        let store = (store == StoreRole::Fallback).then_some(store.name());
        self.connection
            .prepare_cached(
                "UPDATE recordings SET state = 'ready', ready_ms = ?2, size_bytes = ?3, store = ?4, upload = NULL \
                 WHERE id = ?1",
            )
            .and_then(|mut update| update.execute(params![id.to_string(), at.as_unix_millis(), size_bytes, store]))
            .map_err(CatalogError::sqlite("making a recording ready"))?;
        self.recording_event(id, "ready", at)
    }

    pub(super) fn recording_failed(
        &self,
        id: &RecordingId,
        at: WallTime,
        error: &str,
    ) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        let error = bounded(error, MAX_TEXT_BYTES);
        match row.state {
            RecordingState::Recording | RecordingState::Finished | RecordingState::Uploading => {}
            RecordingState::Failed if row.error.as_deref() == Some(error) => return Ok(Applied::Already),
            RecordingState::Failed => {
                return Err(conflict(id, format!("it failed because: {}", row.error.unwrap_or_default())));
            }
            from => return Err(CatalogError::Transition { id: *id, from, change: "failing it" }),
        }
        self.connection
            .prepare_cached(
                "UPDATE recordings SET state = 'failed', error = ?3, ended_ms = coalesce(ended_ms, ?2), \
                 waiting_ms = NULL WHERE id = ?1",
            )
            .and_then(|mut update| update.execute(params![id.to_string(), at.as_unix_millis(), error]))
            .map_err(CatalogError::sqlite("failing a recording"))?;
        self.remember_length(&row, row.ended_at.unwrap_or(at))?;
        self.recording_event(id, "failed", at)
    }

    pub(super) fn spool_evicted(&self, id: &RecordingId) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        match row.state {
            RecordingState::Ready | RecordingState::Failed | RecordingState::Discarded => {}
            from => return Err(CatalogError::Transition { id: *id, from, change: "evicting its spool" }),
        }
        if row.spool_evicted {
            return Ok(Applied::Already);
        }
        self.connection
            .prepare_cached("UPDATE recordings SET spool_evicted = 1 WHERE id = ?1")
            .and_then(|mut update| update.execute([id.to_string()]))
            .map_err(CatalogError::sqlite("noting an eviction"))?;
        Ok(Applied::Done)
    }

    /// Tells what became of a recording, as its row is now.
    pub(crate) fn recording_event(&self, id: &RecordingId, verb: &str, at: WallTime) -> Result<Applied, CatalogError> {
        let row = self.known(id)?;
        let start = row.start;
        let data = RecordingView::told(row, self.addresses);
        self.tell_of(id, verb, at, start, data)?;
        Ok(Applied::Done)
    }

    /// The same of what may happen to it more than once.
    pub(super) fn recording_event_numbered(
        &self,
        id: &RecordingId,
        verb: &str,
        number: usize,
        at: WallTime,
    ) -> Result<(), CatalogError> {
        let row = self.known(id)?;
        let session = self.session(&id.session)?.ok_or(CatalogError::UnknownSession(id.session))?;
        let start = row.start;
        let data = RecordingView::new(row, self.addresses);
        let (id, kind) = (recording_event_id(id, &format!("{verb}_{number}")), format!("recording.{verb}"));
        self.emit(session, start, Told { id: &id, kind: &kind, at, data })
    }

    /// Writes the event of a recording that shows `data`.
    pub(super) fn tell_of(
        &self,
        id: &RecordingId,
        verb: &str,
        at: WallTime,
        start: Option<MediaTime>,
        data: RecordingView,
    ) -> Result<(), CatalogError> {
        self.tell(id, verb, verb, at, start, data)
    }

    /// The same of an event whose id ends in something else than its type.
    pub(super) fn tell(
        &self,
        id: &RecordingId,
        end: &str,
        verb: &str,
        at: WallTime,
        start: Option<MediaTime>,
        data: RecordingView,
    ) -> Result<(), CatalogError> {
        let session = self.session(&id.session)?.ok_or(CatalogError::UnknownSession(id.session))?;
        let (id, kind) = (recording_event_id(id, end), format!("recording.{verb}"));
        self.emit(session, start, Told { id: &id, kind: &kind, at, data })
    }

    /// Keeps the bound that searches by time rely on.
    fn remember_length(&self, row: &RecordingRow, ended_at: WallTime) -> Result<(), CatalogError> {
        let length_ms = ended_at.as_unix_millis().saturating_sub(row.started_at.as_unix_millis());
        self.connection
            .prepare_cached("UPDATE meta SET longest_ms = ?1 WHERE longest_ms < ?1")
            .and_then(|mut update| update.execute([length_ms]))
            .map_err(CatalogError::sqlite("noting the longest recording"))?;
        Ok(())
    }

    pub(super) fn known(&self, id: &RecordingId) -> Result<RecordingRow, CatalogError> {
        self.find(id)?.ok_or(CatalogError::UnknownRecording(*id))
    }

    pub(super) fn find(&self, id: &RecordingId) -> Result<Option<RecordingRow>, CatalogError> {
        self.connection
            .prepare_cached(&format!("SELECT {} FROM recordings WHERE id = ?1", columns::RECORDING))
            .and_then(|mut select| select.query_row([id.to_string()], columns::recording).optional())
            .map_err(CatalogError::sqlite("reading a recording"))
    }
}

/// Finishing what is finished: nothing, if it is said in the same words.
fn repeated_finish(
    row: &RecordingRow,
    ended_at: WallTime,
    reason: &str,
    facts: &Facts,
    recovered: bool,
    lost_ms: Option<i64>,
) -> Result<Applied, CatalogError> {
    let video = facts.video.clone().map(|video| VideoFacts { frame_rate: frame_rate(&video), ..video });
    let differs = if row.ended_at != Some(ended_at) || row.end_reason.as_deref() != Some(reason) {
        "its end"
    } else if row.duration.map(|duration| duration.as_millis()) != Some(facts.duration.as_millis()) {
        "its duration"
    } else if row.video != video || row.audio != facts.audio {
        "its tracks"
    } else if row.recovered != recovered {
        "whether it was recovered"
    } else if row.lost.map(lost_millis).transpose()?.flatten() != lost_ms {
        "what is lost"
    } else if row.state != RecordingState::Ready && row.size_bytes != Some(facts.size_bytes) {
        // Of a ready one the size in the store counts.
        "its size"
    } else {
        return Ok(Applied::Already);
    };
    Err(conflict(&row.id, format!("{differs} differs")))
}

/// Lost media as the row has it: nothing, or at least a millisecond.
pub(super) fn lost_millis(lost: Duration) -> Result<Option<i64>, CatalogError> {
    let millis = signed("lost media in ms", lost.as_millis())?;
    Ok((millis > 0).then_some(millis))
}

fn frames(count: Option<u64>) -> Result<Option<i64>, CatalogError> {
    count.map(|count| signed("a track's number of frames", count)).transpose()
}

fn frame_rate(video: &VideoFacts) -> Option<f64> {
    video.frame_rate.filter(|rate| rate.is_finite())
}

pub(super) fn conflict(id: &RecordingId, detail: String) -> CatalogError {
    CatalogError::Conflict { what: id.to_string(), detail }
}

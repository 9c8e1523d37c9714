//! Between rows of the database and rows of this crate.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use livetape_media::{MediaTime, WallTime};
use livetape_record::{Gap, Keep};
use rusqlite::Row;
use rusqlite::types::{Type, ValueRef};

use crate::{AudioFacts, CatalogError, EventRow, Hold, RecordingRow, SessionRow, StoreRole, TaskRow, VideoFacts};

/// What [`recording`] reads, in this order.
pub(crate) const RECORDING: &str = "id, node, app, stream, state, key, started_ms, ended_ms, start_reason, end_reason, \
     size_bytes, duration_ms, video_codec, video_width, video_height, video_frame_rate, video_frames, audio_codec, \
     audio_sample_rate, audio_channels, audio_frames, recovered, error, ready_ms, spool_evicted, start_ms, lost_ms, \
     upload, store, deleting, media_of, held_ms, held_by, held_reason, released_ms, task, waiting_ms, gaps, \
     retention_ms";

/// What [`session`] reads, in this order.
pub(crate) const SESSION: &str = "id, node, app, stream, query, remote_addr, started_ms, ended_ms, end_reason, tc_url, \
     encoder";

/// What [`task`] reads, in this order.
pub(crate) const TASK: &str = "id, app, stream, settings, created_ms, start_ms, stop_ms, paused, ended_ms, end_reason";

/// What [`event`] reads, in this order.
pub(crate) const EVENT: &str =
    "events.sequence, events.id, events.type, events.timestamp_ms, events.subject, events.body, events.seq";

pub(crate) fn recording(row: &Row<'_>) -> rusqlite::Result<RecordingRow> {
    let video = match row.get::<_, Option<String>>(12)? {
        Some(codec) => Some(VideoFacts {
            codec,
            width: row.get(13)?,
            height: row.get(14)?,
            frame_rate: row.get(15)?,
            frames: unsigned(row, 16)?,
        }),
        None => None,
    };
    let audio = match row.get::<_, Option<String>>(17)? {
        Some(codec) => {
            Some(AudioFacts { codec, sample_rate: row.get(18)?, channels: row.get(19)?, frames: unsigned(row, 20)? })
        }
        None => None,
    };
    Ok(RecordingRow {
        id: parsed(row, 0)?,
        node: row.get(1)?,
        app: row.get(2)?,
        stream: row.get(3)?,
        state: parsed(row, 4)?,
        key: row.get(5)?,
        started_at: time(row, 6)?,
        ended_at: optional_time(row, 7)?,
        start_reason: row.get(8)?,
        end_reason: row.get(9)?,
        size_bytes: optional_unsigned(row, 10)?,
        duration: optional_unsigned(row, 11)?.map(Duration::from_millis),
        video,
        audio,
        recovered: row.get(21)?,
        error: row.get(22)?,
        ready_at: optional_time(row, 23)?,
        spool_evicted: row.get(24)?,
        start: row.get::<_, Option<i64>>(25)?.map(MediaTime::from_millis),
        lost: optional_unsigned(row, 26)?.map(Duration::from_millis),
        upload: row.get(27)?,
        store: row.get::<_, Option<String>>(28)?.map_or(StoreRole::Primary, |_| StoreRole::Fallback),
        deleting: optional_parsed(row, 29)?,
        media_of: optional_parsed(row, 30)?,
        hold: hold(row)?,
        released_at: optional_time(row, 34)?,
        task: optional_parsed(row, 35)?,
        waiting_until: optional_time(row, 36)?,
        gaps: gaps(row, 37)?,
        keep: Keep::from_millis(optional_unsigned(row, 38)?),
    })
}

fn hold(row: &Row<'_>) -> rusqlite::Result<Option<Hold>> {
    let Some(at) = optional_time(row, 31)? else { return Ok(None) };
    Ok(Some(Hold { at, by: row.get(32)?, reason: row.get(33)? }))
}

fn gaps(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Gap>> {
    let text: Option<String> = row.get(column)?;
    text.map_or(Ok(Vec::new()), |text| crate::gaps::read(&text))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

pub(crate) fn session(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        id: parsed(row, 0)?,
        node: row.get(1)?,
        app: row.get(2)?,
        stream: row.get(3)?,
        query: row.get(4)?,
        remote_addr: row.get(5)?,
        tc_url: row.get(9)?,
        encoder: row.get(10)?,
        started_at: time(row, 6)?,
        ended_at: optional_time(row, 7)?,
        end_reason: row.get(8)?,
    })
}

pub(crate) fn task(row: &Row<'_>) -> rusqlite::Result<TaskRow> {
    Ok(TaskRow {
        id: parsed(row, 0)?,
        app: row.get(1)?,
        stream: row.get(2)?,
        settings: row.get(3)?,
        created_at: time(row, 4)?,
        start_at: time(row, 5)?,
        stop_at: optional_time(row, 6)?,
        paused: row.get(7)?,
        ended_at: optional_time(row, 8)?,
        end_reason: row.get(9)?,
    })
}

pub(crate) fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        sequence: row.get(0)?,
        id: row.get(1)?,
        kind: row.get(2)?,
        timestamp: time(row, 3)?,
        subject: row.get(4)?,
        body: row.get(5)?,
        seq: row.get(6)?,
    })
}

pub(crate) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<WallTime> {
    row.get(column).map(WallTime::from_unix_millis)
}

pub(crate) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<WallTime>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(WallTime::from_unix_millis))
}

/// A column whose text is one of this program's names.
pub(crate) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: Display,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.to_string().into())
    })
}

/// [`parsed`], where there may be none.
fn optional_parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: FromStr,
    T::Err: Display,
{
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => parsed(row, column).map(Some),
    }
}

pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

pub(crate) fn optional_unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    match row.get::<_, Option<i64>>(column)? {
        Some(_) => unsigned(row, column).map(Some),
        None => Ok(None),
    }
}

/// A count as SQLite holds it.
pub(crate) fn signed(what: &'static str, value: impl TryInto<i64> + Copy + Display) -> Result<i64, CatalogError> {
    value.try_into().map_err(|_| CatalogError::OutOfRange { what, value: value.to_string() })
}

/// `text`, or as much of it as has `max` bytes.
pub(crate) fn bounded(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

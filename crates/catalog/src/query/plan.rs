//! What a deletion by filter would delete, and how far those have come that were asked for.

use livetape_media::{Format, WallTime};
use livetape_record::RecordingId;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};

use super::rows;
use crate::cursor::Cursor;
use crate::{Catalog, CatalogError, RecordingFilter, RecordingRow, columns};

/// Rows looked at in one go.
const PAGE: usize = 5000;
/// Recordings that are named of each kind.
const NAMED: usize = 20;

/// Some recordings: how many, and which are the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How many.
    pub recordings: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// The first of them, newest first.
    pub first: Vec<RecordingId>,
}

/// The last recording that was looked at: its start, and its id.
pub type Looked = (WallTime, RecordingId);

/// What a filter's recordings would come to if they were deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionPlan {
    /// Of when it is.
    pub as_of: WallTime,
    /// Those that would be deleted; with an MP4, the playlists over it.
    pub deletable: Found,
    /// Those that somebody holds.
    pub held: Found,
    /// Those that are being deleted already.
    pub going: Found,
    /// Those that are not ready: they grow, are on their way to the store, or never got there.
    pub not_ready: Found,
    /// A number that other recordings would very likely not have.
    pub digest: u64,
}

/// A deletion by filter, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionRow {
    /// Its number.
    pub id: i64,
    /// Which recordings.
    pub filter: RecordingFilter,
    /// What was not ready then, or was held, is not part of it.
    pub as_of: WallTime,
    /// When it was asked for.
    pub asked_at: WallTime,
    /// By whom.
    pub asked_by: String,
    /// How many recordings the dry run showed.
    pub recordings: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Of how many the deletion has begun.
    pub begun: u64,
    /// How many are gone.
    pub deleted: u64,
    /// All have been looked at.
    pub chosen: bool,
    /// When the last was gone.
    pub ended_at: Option<WallTime>,
    place: Option<Cursor>,
}

const DELETION: &str = "id, filter, as_of_ms, asked_ms, asked_by, recordings, size_bytes, begun, deleted, \
     chosen_ms IS NOT NULL, ended_ms, place_ms, place_id";

impl Found {
    fn take(&mut self, id: RecordingId, size_bytes: Option<u64>) {
        self.recordings += 1;
        self.size_bytes = self.size_bytes.saturating_add(size_bytes.unwrap_or(0));
        if self.first.len() < NAMED {
            self.first.push(id);
        }
    }
}

impl RecordingRow {
    /// Whether a deletion may take it of what was ready, and held by nobody, at this moment.
    pub fn may_go(&self, as_of: WallTime) -> bool {
        self.deleting.is_none()
            && self.hold.is_none()
            && self.ready_at.is_some_and(|ready_at| ready_at <= as_of)
            && self.released_at.is_none_or(|released_at| released_at <= as_of)
    }
}

impl Catalog {
    /// What would be deleted of the recordings of `filter`, whose page and cursor do not count, that were ready at
    /// this moment. Looks at each of them.
    pub fn deletion_plan(&self, filter: &RecordingFilter, as_of: WallTime) -> Result<DeletionPlan, CatalogError> {
        filter.check()?;
        let filter = RecordingFilter { limit: PAGE, cursor: None, ..filter.clone() };
        let nothing = Found::default;
        let mut plan = DeletionPlan {
            as_of,
            deletable: nothing(),
            held: nothing(),
            going: nothing(),
            not_ready: nothing(),
            digest: 0,
        };
        let mut place = None;
        loop {
            let mut page = self.rows_below(&filter, place.as_ref())?;
            let more = page.len() > PAGE;
            page.truncate(PAGE);
            place = page.last().map(place_of);
            // Playlists go with their MP4, whether they are asked for or not.
            let with = if filter.format == Some(Format::Mp4) { self.playlists_of(&page)? } else { Vec::new() };
            page.iter().chain(&with).for_each(|row| plan.take(row));
            if !more {
                return Ok(plan);
            }
        }
    }

    /// The next recordings of a deletion that may go, and the last one that was looked at, `None` when there are no
    /// more. Looks at `limit` at most.
    pub fn deletion_next(
        &self,
        deletion: &DeletionRow,
        limit: usize,
    ) -> Result<(Vec<RecordingRow>, Option<Looked>), CatalogError> {
        let filter = RecordingFilter { limit, cursor: None, ..deletion.filter.clone() };
        let mut page = self.rows_below(&filter, deletion.place.as_ref())?;
        let more = page.len() > limit;
        page.truncate(limit);
        let place = page.last().filter(|_| more).map(|last| (last.started_at, last.id));
        page.retain(|row| row.may_go(deletion.as_of));
        Ok((page, place))
    }

    /// The first deletion of whose recordings not all have been looked at.
    pub fn deletion_open(&self) -> Result<Option<DeletionRow>, CatalogError> {
        self.one_deletion("INDEXED BY deletions_open WHERE chosen_ms IS NULL ORDER BY id LIMIT 1", "")
    }

    /// The deletion with this number.
    pub fn deletion(&self, id: i64) -> Result<Option<DeletionRow>, CatalogError> {
        self.one_deletion("WHERE id = CAST(?1 AS INTEGER)", &id.to_string())
    }

    /// The deletion that was asked for with this token.
    pub fn deletion_of(&self, token: &str) -> Result<Option<DeletionRow>, CatalogError> {
        self.one_deletion("WHERE token = ?1", token)
    }

    /// The first `limit` deletions before the one with this number, the newest first.
    pub fn deletions(&self, before: i64, limit: usize) -> Result<Vec<DeletionRow>, CatalogError> {
        let sql = format!("SELECT {DELETION} FROM deletions WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.readers().with("listing deletions", |connection| rows(connection, &sql, params![before, limit], deletion))
    }

    fn one_deletion(&self, which: &str, value: &str) -> Result<Option<DeletionRow>, CatalogError> {
        self.readers().with("reading a deletion", |connection| {
            let mut select = connection.prepare_cached(&format!("SELECT {DELETION} FROM deletions {which}"))?;
            let values: &[&str] = if select.parameter_count() > 0 { &[value] } else { &[] };
            select.query_row(rusqlite::params_from_iter(values), deletion).optional()
        })
    }

    /// The playlists over those of `page` that are MP4s.
    fn playlists_of(&self, page: &[RecordingRow]) -> Result<Vec<RecordingRow>, CatalogError> {
        let sql = format!("SELECT {} FROM recordings WHERE id = ?1 AND media_of = ?2", columns::RECORDING);
        self.readers().with("looking for playlists", |connection| {
            let mut select = connection.prepare_cached(&sql)?;
            let mut found = Vec::new();
            for row in page.iter().filter(|row| row.id.format == Format::Mp4) {
                let ids = [row.id.playlists().to_string(), row.id.to_string()];
                found.extend(select.query_row(ids, columns::recording).optional()?);
            }
            Ok(found)
        })
    }
}

impl DeletionPlan {
    fn take(&mut self, row: &RecordingRow) {
        let kind = match row {
            row if row.may_go(self.as_of) => {
                self.digest = self.digest.wrapping_add(number_of(&row.id));
                &mut self.deletable
            }
            row if row.deleting.is_some() => &mut self.going,
            // One that was released meanwhile was held when it counted.
            row if row.hold.is_some() || row.released_at.is_some_and(|at| at > self.as_of) => &mut self.held,
            _ => &mut self.not_ready,
        };
        kind.take(row.id, row.size_bytes);
    }
}

fn place_of(row: &RecordingRow) -> Cursor {
    Cursor { started_ms: row.started_at.as_unix_millis(), id: row.id.to_string() }
}

/// FNV-1a of the id, mixed so that sums of several tell them apart. A mix-up is to be noticed, not an attack.
fn number_of(id: &RecordingId) -> u64 {
    let hash = id
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

fn deletion(row: &Row<'_>) -> rusqlite::Result<DeletionRow> {
    let filter: String = row.get(1)?;
    let filter = RecordingFilter::of_conditions(&filter)
        .map_err(|problem| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, problem.into()))?;
    let place = match (row.get(11)?, row.get(12)?) {
        (Some(started_ms), Some(id)) => Some(Cursor { started_ms, id }),
        _ => None,
    };
    Ok(DeletionRow {
        id: row.get(0)?,
        filter,
        as_of: columns::time(row, 2)?,
        asked_at: columns::time(row, 3)?,
        asked_by: row.get(4)?,
        recordings: columns::unsigned(row, 5)?,
        size_bytes: columns::unsigned(row, 6)?,
        begun: columns::unsigned(row, 7)?,
        deleted: columns::unsigned(row, 8)?,
        chosen: row.get(9)?,
        ended_at: columns::optional_time(row, 10)?,
        place,
    })
}

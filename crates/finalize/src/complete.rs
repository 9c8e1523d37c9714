//! Completing a recording that was not written to its end: after a crash, or when the disk failed.
//!
//! ```text
//! files in the spool          row becomes   spool
//! something whole             finished      completed by salvage's operations
//! nothing whole, or nothing   discarded     removed
//! not what a muxer writes     failed        moved to the quarantine, never deleted
//! ```
//!
//! Each step can be repeated: salvage looks at the files as they are, whatever was done to them
//! before. A recording that is shorter than the configured minimum is kept here: it did not end by
//! itself, and what arrived before a crash is not thrown away.

use std::time::Duration;

use livetape_catalog::{Catalog, Change, RecordingRow};
use livetape_disk::{DiskError, Spool};
use livetape_media::WallTime;
use livetape_mux::{Salvage, SalvageError, Summary, salvage};
use tracing::{info, warn};

use crate::evict::{evict, set_aside};
use crate::{FinalizeError, WallClock};

/// What became of a torn recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// It is finished, and waits to be put into the store.
    Finished {
        /// Bytes that were not whole.
        cut_bytes: u64,
    },
    /// It held nothing whole.
    Discarded,
    /// It cannot be completed; its files are in the quarantine.
    Failed,
}

/// Completes the recording of `row`, whose state is `recording` and to which nobody writes. It
/// ended because of `reason`. Blocks.
///
/// # Errors
/// What passes, such as a full disk: the row and the files are then as good as before.
pub(crate) fn complete(
    catalog: &Catalog,
    spool: &Spool,
    wall: &WallClock,
    row: &RecordingRow,
    reason: &str,
) -> Result<Completion, FinalizeError> {
    let id = row.id.to_string();
    if !spool.contains(&id)? {
        return discard(catalog, spool, wall, row, reason);
    }
    // What could not be synced is not trusted before it has been written anew.
    spool.renew(&id)?;
    let files = spool.files(&id)?;
    let unknown = files.unknown().map_err(|source| DiskError::Io {
        action: "listing the files of",
        path: id.clone().into(),
        source,
    })?;
    for name in unknown {
        let path = spool.quarantine_file(&id, &name)?;
        warn!(recording = id, path = %path.display(), "a file that is no recording's was moved aside");
    }
    match salvage(row.id.format, &files, row.started_at) {
        Ok(Salvage::Complete { ops, summary, cut_bytes }) => {
            spool.writer(&id)?.perform(&ops)?;
            let ended_at = end_of(row.started_at, &summary, wall());
            catalog.apply(Change::RecordingFinished {
                id: row.id,
                ended_at,
                reason: reason.to_owned(),
                facts: crate::facts(&summary),
                recovered: true,
                lost: Duration::ZERO,
            })?;
            info!(
                recording = id,
                cut_bytes,
                duration_ms = u64::try_from(summary.duration.as_millis()).unwrap_or(u64::MAX),
                "recording completed after a break"
            );
            Ok(Completion::Finished { cut_bytes })
        }
        Ok(Salvage::Empty) => discard(catalog, spool, wall, row, reason),
        // Of a file that cannot be read it is not known that it is damaged.
        Err(SalvageError::Read { file, source }) if passes(&source) => {
            Err(DiskError::Io { action: "reading", path: spool.path(&id, &file)?, source }.into())
        }
        Err(SalvageError::List(source)) if passes(&source) => {
            Err(DiskError::Io { action: "listing the files of", path: id.into(), source }.into())
        }
        Err(error) => {
            let error = format!("it broke off and cannot be completed: {error}; its files are kept in the quarantine");
            warn!(recording = id, "{error}");
            catalog.apply(Change::RecordingFailed { id: row.id, at: wall(), error })?;
            set_aside(catalog, spool, row.id)?;
            Ok(Completion::Failed)
        }
    }
}

fn discard(
    catalog: &Catalog,
    spool: &Spool,
    wall: &WallClock,
    row: &RecordingRow,
    reason: &str,
) -> Result<Completion, FinalizeError> {
    let (at, reason_text) = (wall(), reason.to_owned());
    catalog.apply(Change::RecordingDiscarded { id: row.id, at, reason: reason_text, lost: Duration::ZERO })?;
    evict(catalog, spool, row.id)?;
    info!(recording = %row.id, reason, "recording discarded: it holds no whole frame");
    Ok(Completion::Discarded)
}

/// A recording that was cut short ended when its last frame did: its start and its length, but not
/// in the future, should the publisher's clock have run fast.
fn end_of(started_at: WallTime, summary: &Summary, now: WallTime) -> WallTime {
    let millis = i64::try_from(summary.duration.as_millis()).unwrap_or(i64::MAX);
    started_at.plus_millis(millis).min(now.max(started_at))
}

/// Whether a failed read says nothing about the file: too many open files, no memory.
fn passes(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    let descriptors = matches!(error.raw_os_error(), Some(23 | 24));
    descriptors || matches!(error.kind(), Kind::OutOfMemory | Kind::Interrupted | Kind::ResourceBusy)
}

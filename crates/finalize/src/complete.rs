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
use livetape_disk::{DiskError, Spool, SpoolFiles};
use livetape_media::{MediaTime, WallTime};
use livetape_mux::{Files, Salvage, SalvageError, Summary, salvage};
use livetape_record::report::Recovery;
use livetape_record::{Gap, Report};
use tracing::{info, warn};

use crate::evict::{evict, set_aside};
use crate::strangers::set_strangers_aside;
use crate::{FinalizeError, WallClock};

/// What the files of a torn recording hold, now that they are complete.
pub(crate) enum Salvaged {
    /// Something; the files will never change again.
    Whole {
        /// What.
        summary: Box<Summary>,
        /// Bytes that were not whole.
        cut_bytes: u64,
    },
    /// No whole frame.
    Nothing,
    /// What a muxer does not write.
    Damaged(String),
}

/// What became of a torn recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// It is finished, and waits to be put into the store.
    Finished {
        /// Bytes that were not whole.
        cut_bytes: u64,
        /// The calendar's time at its end.
        ended_at: WallTime,
    },
    /// It held nothing whole.
    Discarded,
    /// It cannot be completed; its files are in the quarantine.
    Failed,
}

/// Completes the files of the recording of `row`, whose state is `recording` and to which nobody
/// writes. Blocks.
///
/// # Errors
/// What passes, such as a full disk: the files are then as good as before.
pub(crate) fn salvage_files(spool: &Spool, row: &RecordingRow) -> Result<Salvaged, FinalizeError> {
    let id = row.id.to_string();
    if !spool.contains(&id)? {
        return Ok(Salvaged::Nothing);
    }
    // What could not be synced is not trusted before it has been written anew.
    spool.renew(&id)?;
    set_strangers_aside(spool, row.id)?;
    let files = spool.files(&id)?;
    match salvage(row.id.format, &files, row.started_at) {
        Ok(Salvage::Complete { ops, summary, cut_bytes }) => {
            let mut writer = spool.writer(&id)?;
            writer.perform(&ops)?;
            // The names of what was whole already may be in the page cache only.
            writer.sync_growing()?;
            Ok(Salvaged::Whole { summary: Box::new(summary), cut_bytes })
        }
        // A finished segment always holds something. Without the first one it cannot be played, which
        // is no reason to throw it away.
        Ok(Salvage::Empty) if has_finished_segment(&files) => {
            Ok(Salvaged::Damaged("later segments are there, the first is missing".to_owned()))
        }
        Ok(Salvage::Empty) => Ok(Salvaged::Nothing),
        // Of a file that cannot be read it is not known that it is damaged.
        Err(SalvageError::Read { file, source }) if passes(&source) => {
            Err(DiskError::Io { action: "reading", path: spool.path(&id, &file)?, source }.into())
        }
        Err(SalvageError::List(source)) if passes(&source) => {
            Err(DiskError::Io { action: "listing the files of", path: id.into(), source }.into())
        }
        Err(error) => Ok(Salvaged::Damaged(error.to_string())),
    }
}

impl Salvaged {
    /// The moment at which what it holds ends, on its session's timeline.
    pub(crate) fn end(&self, row: &RecordingRow) -> Option<MediaTime> {
        match self {
            Self::Whole { summary, .. } => {
                // What its sessions are apart, and a player does not wait for.
                let passed_over: Duration = row.gaps.iter().map(|gap| gap.apart.saturating_sub(gap.length)).sum();
                // Its publisher was back, and none of what came then is here: only that is lost, not the gap.
                let behind = row.gaps.last().filter(|gap| !gap.lies_within(summary.duration));
                let played = behind.map_or(summary.duration, |gap| summary.duration.max(gap.at + gap.length));
                row.start.map(|start| start.saturating_add(played + passed_over))
            }
            Self::Nothing => row.start,
            Self::Damaged(_) => None,
        }
    }
}

/// Where the next recording of the same kind begins that `row` is of, in its session and format and for its task, on the session's timeline:
/// what arrived from there on is not this one's to lose.
pub(crate) fn following(siblings: &[RecordingRow], row: &RecordingRow) -> Option<MediaTime> {
    let (id, task) = (row.id, row.task);
    let later = |row: &&RecordingRow| row.id.format == id.format && row.task == task && row.id.sequence > id.sequence;
    siblings.iter().filter(later).min_by_key(|row| row.id.sequence)?.start
}

/// Brings the row to what its files turned out to hold. It ended because of `reason`; of its session
/// everything before `arrived` had come. Blocks.
///
/// # Errors
/// What passes: the row and the files are then as good as before.
pub(crate) fn conclude(
    catalog: &Catalog,
    spool: &Spool,
    wall: &WallClock,
    row: &RecordingRow,
    reason: &str,
    salvaged: Salvaged,
    arrived: Option<MediaTime>,
) -> Result<Completion, FinalizeError> {
    let (id, reason) = (row.id, reason.to_owned());
    let end = salvaged.end(row);
    let lost = arrived.zip(end).map_or(Duration::ZERO, |(arrived, end)| (arrived - end).to_duration());
    let ended_at = match &salvaged {
        Salvaged::Whole { summary, .. } => end_of(row, summary, wall()),
        _ => row.started_at,
    };
    // Besides what crashes before this one are known to have cost.
    let lost = before_next(catalog, row, ended_at, lost)? + lost_before(row, &salvaged);
    let lost_ms = u64::try_from(lost.as_millis()).unwrap_or(u64::MAX);
    match salvaged {
        Salvaged::Whole { summary, cut_bytes } => {
            let facts = crate::facts(&summary);
            let recovery = Recovery { reason: reason.clone(), cut_bytes, lost_ms };
            let report = Box::new(Report::recovered(&summary, row.started_at, ended_at, recovery));
            catalog.apply(Change::Reported { id, report })?;
            let duration_ms = u64::try_from(facts.duration.as_millis()).unwrap_or(u64::MAX);
            catalog.apply(Change::RecordingFinished { id, ended_at, reason, facts, recovered: true, lost })?;
            info!(recording = %id, cut_bytes, duration_ms, lost_ms, "recording completed after a break");
            Ok(Completion::Finished { cut_bytes, ended_at })
        }
        Salvaged::Nothing => {
            info!(recording = %id, reason, lost_ms, "recording discarded: it holds no whole frame");
            catalog.apply(Change::RecordingDiscarded { id, at: wall(), reason, lost })?;
            evict(catalog, spool, id)?;
            Ok(Completion::Discarded)
        }
        Salvaged::Damaged(problem) => {
            let error =
                format!("it broke off and cannot be completed: {problem}; its files are kept in the quarantine");
            warn!(recording = %id, "{error}");
            catalog.apply(Change::RecordingFailed { id, at: wall(), error })?;
            set_aside(catalog, spool, id)?;
            Ok(Completion::Failed)
        }
    }
}

/// What is in no recording since crashes before this one. What a row that waits says has in it what its last gap does,
/// if nothing lies behind that.
fn lost_before(row: &RecordingRow, salvaged: &Salvaged) -> Duration {
    let plays = match salvaged {
        Salvaged::Whole { summary, .. } => summary.duration,
        _ => Duration::ZERO,
    };
    let counts = |gap: &&Gap| row.waiting_until.is_none() || gap.lies_within(plays);
    row.gaps.iter().filter(counts).map(|gap| gap.lost).sum::<Duration>() + row.lost.unwrap_or_default()
}

/// How much of `lost` was before the next recording of its stream began. Of one that went on with another session the
/// next is that one's, and is found by the calendar.
fn before_next(
    catalog: &Catalog,
    row: &RecordingRow,
    ended_at: WallTime,
    lost: Duration,
) -> Result<Duration, FinalizeError> {
    if row.gaps.is_empty() || lost.is_zero() {
        return Ok(lost);
    }
    let Some(next) = catalog.next_of_stream(row)? else { return Ok(lost) };
    let between_ms = next.started_at.as_unix_millis().saturating_sub(ended_at.as_unix_millis());
    Ok(lost.min(Duration::from_millis(u64::try_from(between_ms).unwrap_or(0))))
}

/// A recording that was cut short ended when its last frame did, but not in the future, should the publisher's clock
/// have run fast.
fn end_of(row: &RecordingRow, summary: &Summary, now: WallTime) -> WallTime {
    Gap::end_of(&row.gaps, row.started_at, summary.duration).min(now.max(row.started_at))
}

fn has_finished_segment(files: &SpoolFiles) -> bool {
    let listed = files.list().unwrap_or_default();
    listed.iter().any(|(file, growing)| !growing && file.as_str().starts_with("segment-"))
}

/// Whether a failed read says nothing about the file: too many open files, no memory.
fn passes(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    let descriptors = matches!(error.raw_os_error(), Some(23 | 24));
    descriptors || matches!(error.kind(), Kind::OutOfMemory | Kind::Interrupted | Kind::ResourceBusy)
}

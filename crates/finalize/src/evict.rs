//! Taking a recording's files out of the spool: row first, then the files, so that a row never
//! promises files that are gone. What a crash leaves in between is taken out at the next start.

use std::ffi::OsStr;

use livetape_catalog::{Catalog, Change};
use livetape_disk::Spool;
use livetape_record::RecordingId;
use tracing::warn;

use crate::FinalizeError;
use crate::strangers::set_strangers_aside;

/// Removes the files of a recording that is `ready` or `discarded`; what else is in its directory is
/// moved to the quarantine. Blocks.
pub(crate) fn evict(catalog: &Catalog, spool: &Spool, id: RecordingId) -> Result<(), FinalizeError> {
    catalog.apply(Change::SpoolEvicted { id })?;
    set_strangers_aside(spool, id)?;
    Ok(spool.remove(&id.to_string())?)
}

/// Moves the files of a recording that has `failed` to the quarantine. Blocks.
pub(crate) fn set_aside(catalog: &Catalog, spool: &Spool, id: RecordingId) -> Result<(), FinalizeError> {
    catalog.apply(Change::SpoolEvicted { id })?;
    let name = id.to_string();
    if spool.contains(&name)? {
        let path = spool.quarantine(OsStr::new(&name))?;
        warn!(recording = name, path = %path.display(), "the files of a failed recording were moved aside");
    }
    Ok(())
}

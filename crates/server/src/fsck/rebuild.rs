//! `livetape fsck --rebuild`: a whole catalog in place of a damaged or lost one, and a row for every
//! recording in the spool.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use livetape_catalog::{
    Catalog, CatalogError, EndpointId, FoundRow, Inspection, Options, Rebuilt, RecordingState, Use,
};
use livetape_disk::{RealDisk, Spool};
use livetape_finalize::{Adopted, adopt};

use crate::config::Config;
use crate::serve;
use crate::stores::addresses;

/// Rows looked at in one step.
const PAGE: usize = 1000;

/// What was done.
pub(super) struct Done {
    /// The catalog that was made anew, if it had to be.
    pub(super) rebuilt: Option<Rebuilt>,
    /// There was no catalog.
    pub(super) was_missing: bool,
    /// What got a row, or an event.
    pub(super) adopted: Adopted,
}

/// Does it. Blocks. The caller has the data directory to itself.
pub(super) fn rebuild(config: &Config, path: &Path) -> Result<Done, anyhow::Error> {
    let was_missing = !path.exists() && !log_of(path).exists();
    let rebuilt = if !was_missing && is_damaged(path)? { Some(livetape_catalog::rebuild(path)?) } else { None };
    let mut endpoints: Vec<EndpointId> = config.webhooks.iter().map(|webhook| webhook.name.clone()).collect();
    if path.exists() {
        // Nobody who was configured when the recorder ran last loses what is owed to them, should
        // this not have been told of the same configuration.
        let known = Inspection::open(path, Use::Nobody)?.endpoints()?;
        endpoints.extend(known.into_iter().filter(|name| !config.webhooks.iter().any(|webhook| webhook.name == *name)));
    }
    let options = Options { addresses: addresses(config, serve::expected_base(config)), endpoints, gate: None };
    let catalog = Catalog::open(path, options)?;
    let spool = Spool::open(Arc::new(RealDisk), &config.node.data)?;
    let adopted = adopt(&catalog, &spool)?;
    Ok(Done { rebuilt, was_missing, adopted })
}

/// Whether the catalog at `path`, or a row of a recording in it, cannot be read, or an event is
/// missing.
fn is_damaged(path: &Path) -> Result<bool, CatalogError> {
    let check = || {
        let inspection = match Inspection::open(path, Use::Nobody) {
            // Opening it for use brings it up to date.
            Err(CatalogError::Older { .. }) => return Ok(false),
            Err(CatalogError::Io { .. }) if !path.exists() => return Ok(true),
            inspection => inspection?,
        };
        inspection.check(true)?;
        let mut after = String::new();
        loop {
            let page = inspection.recordings(&after, PAGE)?;
            let Some(last) = page.last() else { return Ok(false) };
            after = last.id();
            for found in page {
                match found {
                    FoundRow::Unreadable { .. } => return Ok(true),
                    FoundRow::Whole(row) if row.state != RecordingState::Ready => {}
                    FoundRow::Whole(row) if inspection.announced(&row.id)? => {}
                    FoundRow::Whole(_) => return Ok(true),
                }
            }
        }
    };
    match check() {
        Err(CatalogError::Damaged { .. }) => Ok(true),
        result => result,
    }
}

/// The write-ahead log of the catalog at `path`.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

//! Opening what is on the disk.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use livetape_catalog::{Catalog, EndpointId, Options};
use livetape_disk::{RealDisk, Spool};
use tracing::{error, warn};

use crate::config::Config;
use crate::stores::{Missing, Stores, addresses};

/// What is on the disk, open.
pub(super) struct Opened {
    pub(super) catalog: Catalog,
    pub(super) spool: Spool,
    pub(super) stores: Stores,
}

/// Takes the data directory for this process, and opens, or makes, everything in it.
pub(super) async fn open(config: &Config, public_base: String) -> Result<Opened, anyhow::Error> {
    let data = config.node.data.clone();
    let addresses = addresses(config, public_base);
    let endpoints: Vec<EndpointId> = config.webhooks.iter().map(|webhook| webhook.name.clone()).collect();
    let (catalog, spool) = blocking(move || {
        make_private(&data).with_context(|| format!("making the data directory {}", data.display()))?;
        let disk = Arc::new(RealDisk);
        // Ours until the process ends: a call on the blocking pool may outlive everything else.
        std::mem::forget(livetape_disk::lock(&*disk, &data)?);
        let spool = Spool::open(disk, &data)?;
        let index = data.join("livetape.db");
        refuse_lost_index(&index, &spool)?;
        let catalog = Catalog::open(&index, Options { addresses, endpoints, gate: None })?;
        Ok((catalog, spool))
    })
    .await?;
    let stores = Stores::open(config, Missing::Made).await?;
    Ok(Opened { catalog, spool, stores })
}

/// Makes the directory, for its owner alone. One that is there stays as it is; that others may write to it is told.
fn make_private(path: &Path) -> Result<(), std::io::Error> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    if !path.try_exists()? {
        return std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    }
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        warn!(data = %path.display(), mode = format!("{mode:o}"), "others can write to the data directory; chmod go-w");
    }
    Ok(())
}

/// A new index would know nothing of the recordings in the spool, and recovery would move them aside.
pub(crate) fn refuse_lost_index(index: &Path, spool: &Spool) -> Result<(), anyhow::Error> {
    let recordings = if index.try_exists()? { 0 } else { spool.list()?.recordings.len() };
    if recordings > 0 {
        anyhow::bail!(
            "{} is missing, and {recordings} recordings wait in the spool; nothing was touched: run `livetape fsck \
             --rebuild` to make a new index that has them, or put the old one back",
            index.display()
        );
    }
    Ok(())
}

/// Runs a call that may wait for the disk on the blocking pool.
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, anyhow::Error> + Send + 'static,
) -> Result<T, anyhow::Error> {
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(problem) => {
            error!("a start-up call died: {problem}");
            Err(problem.into())
        }
    }
}

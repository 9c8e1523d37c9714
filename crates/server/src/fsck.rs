//! `livetape fsck`: holds a data directory and its store against the invariants, and says what the
//! next start does about what is not as it should be. Changes nothing unless asked to.
//!
//! Where nobody is at work, it takes the data directory for itself while it looks. Where a recorder
//! is, it reads beside it and waits for nothing.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use livetape_catalog::{Inspection, Use};
use livetape_disk::{DiskError, LockGuard, RealDisk, Spool};
use livetape_finalize::{Finding, InspectOptions, Inspected, Place, inspect};
use livetape_store::{DirectoryStore, ObjectStore};
use serde_json::json;

use crate::config::{Config, LogFormat, StoreKind};
use crate::log::one_line;

/// How long what looks wrong beside a recorder at work may take to come right.
const MOMENT: Duration = Duration::from_secs(1);

/// What to do, and how to tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Read what is in the recordings as well.
    pub deep: bool,
    /// Tell programs: one JSON object a line.
    pub json: bool,
}

/// Looks at everything and prints what is found; whether all is well.
///
/// # Errors
/// When it cannot look: no data directory, a damaged catalog, no store, no standard output.
pub async fn run(config: &Config, wish: Wish) -> Result<bool, anyhow::Error> {
    let (place, used_by, _lock) = open(config, wish)?;
    let options = InspectOptions { used_by, deep: wish.deep, moment: MOMENT };
    let mut unsaid: io::Result<()> = Ok(());
    let (sender, mut found) = tokio::sync::mpsc::channel::<Finding>(64);
    let told = move |finding| {
        // Fails only when printing has failed; then nothing more needs to be said.
        let _ = sender.blocking_send(finding);
    };
    let looking = tokio::spawn(inspect(place, options, told));
    while let Some(finding) = found.recv().await {
        if let Err(problem) = tell(&finding, wish) {
            unsaid = Err(problem);
            break;
        }
    }
    drop(found);
    let inspected = looking.await??;
    unsaid.and_then(|()| sum_up(&inspected, used_by, wish)).context("printing")?;
    Ok(inspected.findings == 0)
}

/// Opens what is there, changing nothing.
fn open(config: &Config, wish: Wish) -> Result<(Place, Use, Option<LockGuard>), anyhow::Error> {
    let data = &config.node.data;
    let catalog_path = catalog_path(data);
    if !catalog_path.exists() && !data.join("spool").is_dir() {
        anyhow::bail!("{} is no data directory: it holds neither livetape.db nor spool/", data.display());
    }
    let disk = Arc::new(RealDisk);
    let (used_by, lock) = match livetape_disk::lock(&*disk, data) {
        Ok(lock) => (Use::Nobody, Some(lock)),
        Err(DiskError::Locked { .. }) => (Use::Others, None),
        Err(error) => return Err(error.into()),
    };
    if !catalog_path.exists() {
        anyhow::bail!(
            "{} is missing: run `livetape fsck --rebuild` before the next start, or the recordings in {} are moved to \
             the quarantine",
            catalog_path.display(),
            data.join("spool").display()
        );
    }
    let catalog = Inspection::open(&catalog_path, used_by)?;
    catalog.check(wish.deep)?;
    let store: Arc<dyn ObjectStore> = match config.store.kind {
        StoreKind::Directory => {
            let path = config.store_path();
            let root = path.canonicalize().with_context(|| format!("opening the store {}", path.display()))?;
            Arc::new(DirectoryStore::existing(disk.clone(), &root)?)
        }
    };
    Ok((Place { catalog, spool: Spool::as_is(disk, data), store }, used_by, lock))
}

/// Where the catalog is.
fn catalog_path(data: &Path) -> PathBuf {
    data.join("livetape.db")
}

fn tell(finding: &Finding, wish: Wish) -> io::Result<()> {
    let Finding { what, subject, detail, remedy } = finding;
    let note = finding.is_note();
    if wish.json {
        return print(
            &json!({ "finding": what.name(), "note": note, "subject": subject, "detail": detail, "remedy": remedy })
                .to_string(),
            wish,
        );
    }
    print(&format!("{}{}: {subject}", if note { "note " } else { "" }, what.name()), wish)?;
    print(&format!("    {detail}"), wish)?;
    print(&format!("    -> {remedy}"), wish)
}

fn sum_up(inspected: &Inspected, used_by: Use, wish: Wish) -> io::Result<()> {
    let live = used_by == Use::Others;
    if wish.json {
        return print(&json!({ "inspected": inspected, "live": live }).to_string(), wish);
    }
    let Inspected { recordings, objects, events, findings, notes } = inspected;
    let circumstances = if live { "a recorder is at work" } else { "nobody is at work" };
    let looked = format!("{recordings} recordings, {objects} objects, {events} events looked at; {circumstances}");
    let verdict = if *findings == 0 { "all is well".to_owned() } else { format!("{findings} findings") };
    let noted = if *notes == 0 { String::new() } else { format!(", {notes} notes") };
    print(&format!("{looked}: {verdict}{noted}"), wish)
}

/// Prints a line that drives no terminal, whatever a stranger called a stream.
fn print(line: &str, wish: Wish) -> io::Result<()> {
    let format = if wish.json { LogFormat::Json } else { LogFormat::Human };
    io::stdout().lock().write_all(one_line(line, format, false).as_bytes())
}

//! `livetape fsck`: holds a data directory and its store against the invariants, and says what the
//! next start does about what is not as it should be. Changes nothing unless asked to.
//!
//! Where nobody is at work, it takes the data directory for itself while it looks. Where a recorder
//! is, it reads beside it and waits for nothing.

mod rebuild;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use livetape_catalog::{Inspection, Rebuilt, Use};
use livetape_disk::{DiskError, LockGuard, RealDisk, Spool};
use livetape_finalize::{Finding, InspectOptions, Inspected, Place, inspect};
use livetape_record::RecordingId;
use serde_json::json;

use crate::config::{Config, LogFormat};
use crate::log::one_line;
use crate::stores::{Missing, Stores};
use rebuild::Done;

/// How long what looks wrong beside a recorder at work may take to come right.
const MOMENT: Duration = Duration::from_secs(1);

/// What to do, and how to tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Read what is in the recordings as well.
    pub deep: bool,
    /// Tell programs: one JSON object a line.
    pub json: bool,
    /// Before that, make a whole catalog and give every recording in the spool a row.
    pub rebuild: bool,
}

/// Looks at everything and prints what is found; whether all is well. After a rebuild all is: what
/// is found then is what the next start does.
///
/// # Errors
/// When it cannot look: no data directory, a damaged catalog, no store, no standard output.
pub async fn run(config: &Config, wish: Wish) -> Result<bool, anyhow::Error> {
    let (used_by, _lock) = take(config, wish)?;
    if wish.rebuild {
        let (owned, path) = (config.clone(), catalog_path(&config.node.data));
        let done = tokio::task::spawn_blocking(move || rebuild::rebuild(&owned, &path)).await??;
        tell_rebuilt(&done, wish).context("printing")?;
    }
    let place = open(config, used_by, wish).await?;
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
    Ok(wish.rebuild || inspected.findings == 0)
}

/// Takes the data directory, if nobody has it.
fn take(config: &Config, wish: Wish) -> Result<(Use, Option<LockGuard>), anyhow::Error> {
    let data = &config.node.data;
    if !catalog_path(data).exists() && !data.join("spool").is_dir() {
        anyhow::bail!("{} is no data directory: it holds neither livetape.db nor spool/", data.display());
    }
    match livetape_disk::lock(&RealDisk, data) {
        Ok(lock) => Ok((Use::Nobody, Some(lock))),
        Err(DiskError::Locked { .. }) if !wish.rebuild => Ok((Use::Others, None)),
        Err(error) => Err(error.into()),
    }
}

/// Opens what is there, changing nothing.
async fn open(config: &Config, used_by: Use, wish: Wish) -> Result<Place, anyhow::Error> {
    let data = &config.node.data;
    let (catalog_path, disk) = (catalog_path(data), Arc::new(RealDisk));
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
    let Stores { primary, fallback } = Stores::open(config, Missing::Refused).await?;
    let fallback = fallback.map(|fallback| fallback.store);
    Ok(Place { catalog, spool: Spool::as_is(disk, data), store: primary, fallback })
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

/// Tells what a rebuild came to.
fn tell_rebuilt(done: &Done, wish: Wish) -> io::Result<()> {
    let Done { rebuilt, was_missing, adopted } = done;
    let ids = |ids: &[RecordingId]| ids.iter().map(RecordingId::to_string).collect::<Vec<_>>();
    let (labelled, unlabelled) = (ids(&adopted.labelled), ids(&adopted.unlabelled));
    if wish.json {
        let index = rebuilt.as_ref().map(|rebuilt| {
            json!({
                "sessions": rebuilt.sessions, "recordings": rebuilt.recordings, "events": rebuilt.events,
                "rejected": rebuilt.rejected, "aside": rebuilt.aside,
            })
        });
        let told = json!({
            "rebuilt": index, "was_missing": was_missing, "from_labels": labelled, "without_label": unlabelled,
        });
        return print(&told.to_string(), wish);
    }
    match rebuilt {
        Some(rebuilt) => {
            let Rebuilt { sessions, recordings, events, rejected, aside, .. } = rebuilt;
            let kept = format!("{recordings} recordings, {sessions} sessions and {events} events");
            print(&format!("the index was made anew with {kept}; {rejected} rows could not be kept"), wish)?;
            for path in aside {
                print(&format!("    the old one is kept: {}", path.display()), wish)?;
            }
        }
        None if *was_missing => print("the index was missing; a new one was made", wish)?,
        None => print("the index is whole and was kept", wish)?,
    }
    for id in labelled {
        print(&format!("{id} got a row, as its label says; the next start completes it"), wish)?;
    }
    for id in unlabelled {
        print(&format!("{id} has no label and got a row; the next start completes it"), wish)?;
    }
    Ok(())
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

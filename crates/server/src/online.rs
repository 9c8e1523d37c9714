//! `livetape check --online`: does once, in small, what the recorder will do with what is configured.
//!
//! Contract: one line for each thing looked at: the data directory, the store, the fallback, who is asked about pushes, each webhook. It says
//! `ok`, or `ERROR`, what went wrong and what to do. No secret is shown. What is written is removed again; directories
//! are not made, webhooks are not called. Every look has a deadline.

use std::io::{self, IoSlice, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Uri;
use livetape_disk::{Disk, EntryKind, RealDisk, Space, read_exact, write_all};
use livetape_store::ObjectStore as _;
use uuid::Uuid;

use crate::config::{ByteSize, Config, FallbackKind, HttpUrl, PushAuthorization, S3Settings, StoreKind};
use crate::stores;

/// How long a disk may take. One that hangs is told, not waited for.
const DISK_DEADLINE: Duration = Duration::from_secs(30);
/// How long a bucket may take for all steps; each request has a deadline and further attempts of its own.
const BUCKET_DEADLINE: Duration = Duration::from_secs(180);
/// How long a name may take.
const NAME_DEADLINE: Duration = Duration::from_secs(10);
/// What the file of a probe holds.
const CONTENTS: &[u8] = b"livetape looks whether this directory works; this file may be deleted\n";
/// Addresses of one host that are shown.
const SHOWN_ADDRESSES: usize = 4;

/// Looks at everything that `config` names and writes a line for each to `out`; whether all is well.
///
/// # Errors
/// When `out` cannot be written.
pub async fn check(config: &Config, out: &mut (dyn Write + Send)) -> io::Result<bool> {
    let mut report = Report { out, well: true };
    let min_free = config.record.min_free;
    report.line("data directory", data_directory(&config.node.data, min_free).await)?;
    report.line(
        "store",
        match config.store.kind {
            StoreKind::Directory => directory(&config.store_path()).await,
            StoreKind::S3 => bucket(&config.s3).await,
        },
    )?;
    match config.fallback.kind {
        FallbackKind::None => {}
        FallbackKind::Directory => report.line("fallback", directory(&config.fallback_path()).await)?,
        FallbackKind::S3 => report.line("fallback", bucket(&config.fallback_s3).await)?,
    }
    if config.push.authorization == PushAuthorization::Http {
        report.line("who may push", host(&config.push.url, "push.url").await)?;
    }
    for webhook in &config.webhooks {
        report.line(&format!("webhook {}", webhook.name), host(&webhook.url, "webhooks.url").await)?;
    }
    Ok(report.well)
}

/// What was found: something for people to read, or what is wrong and what to do.
type Found = Result<String, String>;

struct Report<'a> {
    out: &'a mut (dyn Write + Send),
    well: bool,
}

impl Report<'_> {
    fn line(&mut self, what: &str, found: Found) -> io::Result<()> {
        self.well &= found.is_ok();
        let (mark, text) = match &found {
            Ok(text) => ("ok   ", text),
            Err(text) => ("ERROR", text),
        };
        writeln!(self.out, "{mark}  {what}: {text}")?;
        self.out.flush()
    }
}

async fn data_directory(path: &Path, min_free: ByteSize) -> Found {
    let probed = probe(path).await?;
    let free = probed.space.free_bytes;
    if free < min_free.bytes() {
        return Err(format!(
            "{probed}, and record.min_free is {min_free}: nothing would be recorded; make room, or name another disk in \
             node.data"
        ));
    }
    Ok(format!("{probed}, record.min_free is {min_free}"))
}

async fn directory(path: &Path) -> Found {
    probe(path).await.map(|probed| format!("directory {probed}"))
}

async fn bucket(settings: &S3Settings) -> Found {
    let store = stores::bucket(settings).await.map_err(|error| format!("{error:#}"))?;
    let place = store.describe();
    match tokio::time::timeout(BUCKET_DEADLINE, store.probe()).await {
        Ok(Ok(())) => Ok(format!("{place}: an object was put, fetched and deleted, an upload begun and aborted")),
        Ok(Err(error)) => Err(format!("{place}: {error}")),
        Err(_) => {
            let seconds = BUCKET_DEADLINE.as_secs();
            Err(format!("{place}: it has not answered for {seconds} s; look at the service and the way there"))
        }
    }
}

/// Whether the name of the host in the URL that is `setting` is known. Nothing is sent to it.
async fn host(url: &HttpUrl, setting: &str) -> Found {
    let uri: Uri = url.reveal().parse().map_err(|_| "its URL cannot be read".to_owned())?;
    let host = uri.host().ok_or("its URL names no host")?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let advice = format!("check the name in {setting}, and this machine's resolver");
    let addresses: Vec<SocketAddr> =
        match tokio::time::timeout(NAME_DEADLINE, tokio::net::lookup_host((host.as_str(), port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(format!("the name {host} does not resolve: {error}; {advice}")),
            Err(_) => {
                let seconds = NAME_DEADLINE.as_secs();
                return Err(format!("the name {host} has not been resolved for {seconds} s; {advice}"));
            }
        };
    if addresses.is_empty() {
        return Err(format!("the name {host} has no address; {advice}"));
    }
    let shown: Vec<String> = addresses.iter().take(SHOWN_ADDRESSES).map(|address| address.ip().to_string()).collect();
    Ok(format!("{host} is {} (nothing was sent)", shown.join(", ")))
}

/// What a directory that works is like.
struct Probed {
    path: PathBuf,
    /// Where the file was written instead, when the directory is not there yet.
    instead: Option<PathBuf>,
    space: Space,
}

impl std::fmt::Display for Probed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(instead) = &self.instead {
            write!(f, " is not there yet and will be made in {}", instead.display())?;
        }
        let mebibytes = self.space.free_bytes >> 20;
        write!(f, ": a file was written, synced, read and removed; {mebibytes} MiB are free")
    }
}

/// Writes, syncs, reads and removes a small file in the directory at `path`, or in the nearest one above it that is
/// there.
async fn probe(path: &Path) -> Result<Probed, String> {
    let owned = path.to_owned();
    let look = tokio::task::spawn_blocking(move || probe_on(&RealDisk, &owned));
    match tokio::time::timeout(DISK_DEADLINE, look).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => Err(format!("{}: the look at it was stopped: {error}", path.display())),
        Err(_) => {
            let seconds = DISK_DEADLINE.as_secs();
            Err(format!("{}: the disk has not answered for {seconds} s; look at the disk", path.display()))
        }
    }
}

fn probe_on(disk: &dyn Disk, path: &Path) -> Result<Probed, String> {
    let failed = |action: &str, at: &Path, error: &io::Error| {
        format!("{}: {action} {} failed: {error}; {}", path.display(), at.display(), advice(error.kind()))
    };
    let place = nearest(disk, path).map_err(|(at, error)| failed("looking at", &at, &error))?;
    let file = place.join(format!(".livetape-probe-{}", Uuid::now_v7().simple()));
    write_and_read(disk, &place, &file).map_err(|(action, error)| failed(action, &file, &error))?;
    let space = disk.space(&place).map_err(|error| failed("asking for the room on", &place, &error))?;
    let instead = (place != path).then_some(place);
    Ok(Probed { path: path.to_owned(), instead, space })
}

/// The directory at `path`, or the nearest above it that is there. A symbolic link to a directory is one.
fn nearest(disk: &dyn Disk, path: &Path) -> Result<PathBuf, (PathBuf, io::Error)> {
    let mut at = path;
    loop {
        // Of a relative path with nothing of it there, the working directory.
        let here = if at.as_os_str().is_empty() { Path::new(".") } else { at };
        match disk.stat(here) {
            Ok(Some(stat)) if stat.kind == EntryKind::Directory || here.is_dir() => {
                return Ok(if at == path { path.to_owned() } else { here.to_owned() });
            }
            Ok(Some(_)) => return Err((here.to_owned(), io::ErrorKind::NotADirectory.into())),
            Ok(None) => match at.parent() {
                Some(parent) => at = parent,
                None => return Err((here.to_owned(), io::ErrorKind::NotFound.into())),
            },
            Err(error) => return Err((here.to_owned(), error)),
        }
    }
}

/// The file is removed also after an error, so that nothing is left behind.
fn write_and_read(disk: &dyn Disk, place: &Path, path: &Path) -> Result<(), (&'static str, io::Error)> {
    let file = disk.create_new(path).map_err(|error| ("creating", error))?;
    let written = (|| {
        write_all(&*file, 0, &mut [IoSlice::new(CONTENTS)]).map_err(|error| ("writing", error))?;
        file.sync_data().map_err(|error| ("syncing", error))?;
        disk.sync_dir(place).map_err(|error| ("syncing the name of", error))?;
        let mut found = vec![0; CONTENTS.len()];
        read_exact(&*file, 0, &mut found).map_err(|error| ("reading", error))?;
        match found == CONTENTS {
            true => Ok(()),
            false => {
                Err(("reading", io::Error::new(io::ErrorKind::InvalidData, "it holds something else than was put")))
            }
        }
    })();
    let removed = disk.unlink(path).and_then(|()| disk.sync_dir(place)).map_err(|error| ("removing", error));
    written.and(removed)
}

/// What to do about an error of the disk.
fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => "give the user that the recorder runs as the right to write there",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, or name another place",
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable, or name another place",
        io::ErrorKind::NotADirectory => "name a directory, or move away what is there",
        _ => "look at the disk and the system's log, or name another place",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(directory: &Path) -> Vec<String> {
        let names = std::fs::read_dir(directory).unwrap();
        names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_directory_that_works_is_left_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        let probed = probe_on(&RealDisk, home.path()).unwrap();
        assert!(probed.instead.is_none() && probed.space.free_bytes > 0);
        let later = home.path().join("not/yet");
        let text = probe_on(&RealDisk, &later).unwrap().to_string();
        assert!(text.contains("not/yet is not there yet"), "{text}");
        assert_eq!(read(home.path()), Vec::<String>::new());
    }

    #[test]
    fn a_relative_directory_that_is_missing_will_be_made_here() {
        let place = nearest(&RealDisk, Path::new("no-such-directory/of/ours")).unwrap();
        assert_eq!(place, Path::new("."));
    }

    #[test]
    fn what_is_no_directory_is_an_error_that_says_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = probe_on(&RealDisk, &path).err().unwrap();
            assert!(error.contains("name a directory"), "{error}");
        }
    }
}

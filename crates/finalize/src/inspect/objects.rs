//! The store against the rows: each ready recording's objects, and what has no row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use livetape_catalog::{RecordingRow, Use};
use livetape_disk::DiskError;
use livetape_media::Format;
use livetape_mux::FileName;
use livetape_mux::hls::listed;
use livetape_store::{ContentType, Listed, ObjectKey, ObjectStore};

use super::spool::is_absent;
use super::stored::StoredFiles;
use super::{Eye, Finding, Subject, What, whole};
use crate::FinalizeError;
use crate::companions;
use crate::finalizer::PLAYLIST_MAX_BYTES;

/// Names told of many.
const NAMES: usize = 3;

/// Objects one behind the other that have no row and belong together.
#[derive(Default)]
struct Strays {
    directory: String,
    names: Vec<String>,
    count: u64,
    bytes: u64,
}

impl Eye<'_> {
    /// What is wrong with the objects of a recording that is ready.
    pub(super) fn objects_of(&self, row: &RecordingRow) -> Result<Vec<Finding>, FinalizeError> {
        let key: ObjectKey = row.key.parse()?;
        let (format, id) = (row.id.format, row.id.to_string());
        if let Some(media) = &row.media_of {
            return self.playlists_of_mp4(row, media);
        }
        if format == Format::Hls {
            return self.playlist_of(row, &key);
        }
        let store = self.store_of(row);
        let Some(stored) = self.head(store, &key)? else {
            return Ok(vec![self.missing(row, format!("{key} is not in the store"))?]);
        };
        if let Some(expected) = row.size_bytes.filter(|expected| *expected != stored.size_bytes) {
            let detail = format!("{key} has {} bytes instead of {expected}", stored.size_bytes);
            return Ok(vec![Finding::new(What::ObjectSize, id, detail, self.restore(row)?)]);
        }
        let name = if format == Format::Mp4 { FileName::mp4() } else { FileName::flv() };
        let paths = store.local_path(&key).into_iter().map(|path| (name.clone(), path)).collect();
        self.damage(row, paths)
    }

    /// What is wrong with the objects of a playlist that is ready.
    fn playlist_of(&self, row: &RecordingRow, key: &ObjectKey) -> Result<Vec<Finding>, FinalizeError> {
        let (id, store) = (row.id.to_string(), self.store_of(row));
        let present = self.beside(store, key)?;
        if !present.contains_key(key.name()) {
            return Ok(vec![self.missing(row, format!("{key} is not in the store"))?]);
        }
        let (mut found, known) = self.playlists(row, key, &present)?;
        let bytes: u64 = present.values().sum();
        if let Some(expected) = row.size_bytes.filter(|expected| *expected != bytes && found.is_empty()) {
            let strangers: Vec<&str> =
                present.keys().map(String::as_str).filter(|name| !known.contains(*name)).collect();
            let mut detail = format!("the objects beside {key} have {bytes} bytes instead of {expected}");
            if !strangers.is_empty() {
                detail += &format!("; no playlist lists {}", some(&strangers));
            }
            found.push(Finding::new(What::ObjectSize, id, detail, self.restore(row)?));
        }
        if found.is_empty() {
            let path = |name: &String| {
                let path = store.local_path(&key.sibling(name).ok()?)?;
                Some((FileName::new(name)?, path))
            };
            found = self.damage(row, present.keys().filter_map(path).collect())?;
        }
        Ok(found)
    }

    /// What the playlists of a recording in the store list and is not there, while it is being put.
    pub(super) fn stored_playlists(&self, row: &RecordingRow) -> Result<Vec<Finding>, FinalizeError> {
        let key: ObjectKey = row.key.parse()?;
        let present = self.beside(self.store_of(row), &key)?;
        Ok(self.playlists(row, &key, &present)?.0)
    }

    /// What the playlists among `present` list and is not there; and every name they know of.
    fn playlists(
        &self,
        row: &RecordingRow,
        key: &ObjectKey,
        present: &BTreeMap<String, u64>,
    ) -> Result<(Vec<Finding>, BTreeSet<String>), FinalizeError> {
        let mut found = Vec::new();
        let mut known = BTreeSet::new();
        for name in present.keys().filter(|name| ContentType::of(name) == ContentType::Playlist) {
            known.insert(name.clone());
            let key = key.sibling(name)?;
            let read = self.runtime.block_on(self.store_of(row).read(&key, PLAYLIST_MAX_BYTES as u64))?;
            let Some(text) = read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) else { continue };
            let names: BTreeSet<&str> = listed(&text).collect();
            let missing: Vec<&str> = names.iter().copied().filter(|name| !present.contains_key(*name)).collect();
            if !missing.is_empty() {
                let detail = format!("{name} in the store lists {}, which is not there", some(&missing));
                found.push(Finding::new(What::PlaylistDangling, row.id.to_string(), detail, self.restore(row)?));
            } else if name == "vod.m3u8" && !text.trim_end().ends_with("#EXT-X-ENDLIST") {
                let detail = format!("{name} in the store does not say where it ends");
                found.push(Finding::new(What::ObjectDamaged, row.id.to_string(), detail, self.restore(row)?));
            }
            known.extend(names.into_iter().map(str::to_owned));
        }
        Ok((found, known))
    }

    /// The objects in the directory of `key`, by name, with their sizes, but for what is put beside the recording.
    pub(super) fn beside(
        &self,
        store: &dyn ObjectStore,
        key: &ObjectKey,
    ) -> Result<BTreeMap<String, u64>, FinalizeError> {
        let directory = key.as_str().strip_suffix(key.name()).unwrap_or_default();
        let mut present = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.list(store, directory, after.as_deref())?;
            let names = page.objects.iter().map(|object| (object.key.as_str(), object.size_bytes));
            present.extend(
                names
                    .filter_map(|(key, size)| Some((key.strip_prefix(directory)?.to_owned(), size)))
                    .filter(|(name, _)| !name.contains('/') && !is_sidecar(key, name)),
            );
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(present),
            }
        }
    }

    /// What the structure of a recording's objects shows.
    fn damage(&self, row: &RecordingRow, paths: BTreeMap<FileName, PathBuf>) -> Result<Vec<Finding>, FinalizeError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let files = StoredFiles { disk: self.spool.disk().clone(), paths };
        match whole::problem(row.id.format, &files, row.started_at, self.deep) {
            Ok(None) => Ok(Vec::new()),
            Ok(Some(problem)) => {
                let detail = format!("{}: {problem}", row.key);
                Ok(vec![Finding::new(What::ObjectDamaged, row.id.to_string(), detail, self.restore(row)?)])
            }
            Err(error) if is_absent(&error) => Ok(vec![self.missing(row, format!("{}: a file is gone", row.key))?]),
            Err(source) => Err(DiskError::Io { action: "reading", path: row.key.as_str().into(), source }.into()),
        }
    }

    pub(super) fn missing(&self, row: &RecordingRow, detail: String) -> Result<Finding, FinalizeError> {
        Ok(Finding::new(What::ObjectMissing, row.id.to_string(), detail, self.restore(row)?))
    }

    /// What can be done about an object that is not as it should be.
    pub(super) fn restore(&self, row: &RecordingRow) -> Result<&'static str, FinalizeError> {
        Ok(match self.spool.contains(&row.id.to_string())? {
            true => {
                "its files are still in the spool: copy them before the next start, which removes them; nothing else \
                 mends it"
            }
            false => "nothing here mends it: put a copy in its place",
        })
    }

    pub(super) fn look_at_stores(&mut self) -> Result<(), FinalizeError> {
        let fallback = self.fallback;
        self.look_at_store(self.store)?;
        fallback.map_or(Ok(()), |store| self.look_at_store(store))
    }

    fn look_at_store(&mut self, store: &dyn ObjectStore) -> Result<(), FinalizeError> {
        let mut strays = Strays::default();
        // The directory looked up last, and whether a playlist's recording has it.
        let mut playlist = (String::new(), false);
        let mut after = None;
        loop {
            let page = self.list(store, "", after.as_deref())?;
            for object in page.objects {
                self.counts.objects += 1;
                if !self.has_row(&object.key, &mut playlist)? {
                    self.stray(&mut strays, &object)?;
                }
            }
            for name in page.unknown {
                let found = self.unknown_name(&name);
                self.tell(Subject::Unreadable, found)?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        self.tell_strays(&mut strays)
    }

    /// Whether a recording has the object at `key`.
    pub(super) fn has_row(&self, key: &ObjectKey, playlist: &mut (String, bool)) -> Result<bool, FinalizeError> {
        let directory = key.as_str().strip_suffix(key.name()).unwrap_or_default();
        if playlist.0 != directory || directory.is_empty() {
            *playlist = (directory.to_owned(), self.catalog.holds_key(&format!("{directory}index.m3u8"))?);
        }
        if playlist.1 || self.catalog.holds_key(key.as_str())? {
            return Ok(true);
        }
        for owner in companions::owners(key) {
            if self.catalog.holds_key(&owner)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gathers the files of a playlist; what stands for itself is told at once.
    fn stray(&mut self, strays: &mut Strays, object: &Listed) -> Result<(), FinalizeError> {
        let name = object.key.name();
        let directory = object.key.as_str().strip_suffix(name).unwrap_or_default();
        let gathers = name.starts_with("init-")
            || matches!(
                ContentType::of(name),
                ContentType::IsoSegment | ContentType::TransportStream | ContentType::Playlist
            );
        if strays.directory != directory || !gathers {
            self.tell_strays(strays)?;
            directory.clone_into(&mut strays.directory);
        }
        strays.count += 1;
        strays.bytes += object.size_bytes;
        if strays.names.len() < NAMES {
            strays.names.push(object.key.to_string());
        }
        if gathers { Ok(()) } else { self.tell_strays(strays) }
    }

    fn tell_strays(&mut self, strays: &mut Strays) -> Result<(), FinalizeError> {
        let Strays { directory, names, count, bytes } = std::mem::take(strays);
        let Some(first) = names.first().cloned() else { return Ok(()) };
        let subject = if count == 1 { first.clone() } else { directory };
        let detail = match count {
            1 => format!("no recording has it ({bytes} bytes)"),
            _ => format!("no recording has its {count} objects ({bytes} bytes): {} ...", names.join(", ")),
        };
        let remedy = "it is kept; if it belongs to another node, all is well";
        let finding = Finding::new(What::ObjectWithoutRow, subject, detail, remedy);
        self.tell(Subject::Object(first), vec![finding])
    }

    fn unknown_name(&self, name: &str) -> Vec<Finding> {
        let last = name.rsplit('/').next().unwrap_or(name);
        let (incoming, beside) = (name.starts_with(".incoming/"), last.starts_with(".put-"));
        let (detail, remedy) = match (incoming, beside) {
            (true, _) => ("a copy that was interrupted", "the next start removes it"),
            (_, true) => ("a copy that was interrupted", "the next put of the same object removes it; so may you"),
            _ => {
                let remedy = "nothing looks at it";
                return vec![Finding::new(What::StoreUnknown, name, "it is no object's name", remedy)];
            }
        };
        // While a process is at work it is a copy under way.
        if self.used_by == Use::Others {
            return Vec::new();
        }
        vec![Finding::new(What::StoreTemporary, name, detail, remedy)]
    }
}

/// Whether the object called `name` is what is put beside the recording at `key`, not a part of it.
fn is_sidecar(key: &ObjectKey, name: &str) -> bool {
    name.strip_suffix(".json") == Some(key.name())
}

/// The first few of many names.
fn some(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES).map(|name| name.chars().take(80).collect()).collect();
    let more = if names.len() > NAMES { format!(" and {} more", names.len() - NAMES) } else { String::new() };
    shown.join(", ") + &more
}

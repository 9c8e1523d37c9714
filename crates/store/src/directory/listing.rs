//! What the store holds, a page at a time, in the order of the keys' bytes.
//!
//! A directory sorts as its name with a `/` behind it: `a-1.mp4`, `a.mp4`, `a/b.mp4`.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use livetape_disk::EntryKind;

use super::tree::Tree;
use crate::{Listed, Listing, ObjectKey, StoreError};

/// Names in one page.
const PAGE: usize = 4096;
/// Longer paths are no keys; directories that deep are not entered.
const KEY_MAX_BYTES: usize = 1024;

impl Tree {
    /// The page of what begins with `prefix` and comes after `after`.
    pub(super) fn list(&self, prefix: &str, after: &str) -> Result<Listing, StoreError> {
        let mut walk = Walk { tree: self, prefix, after, page: Listing::default() };
        let _ = walk.enter(self.root(), "")?;
        Ok(walk.page)
    }
}

struct Walk<'a> {
    tree: &'a Tree,
    prefix: &'a str,
    after: &'a str,
    page: Listing,
}

impl Walk<'_> {
    /// Adds what is in `directory`, whose keys begin with `above`. Breaks when the page is full.
    fn enter(&mut self, directory: &Path, above: &str) -> Result<ControlFlow<()>, StoreError> {
        let entries = match self.tree.disk.list_dir(directory) {
            // Removed since its name was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ControlFlow::Continue(())),
            result => {
                result.map_err(|error| StoreError::from_io(|| format!("listing {}", directory.display()), error))?
            }
        };
        let mut names: Vec<_> = entries
            .into_iter()
            .map(|entry| {
                let end = if entry.kind == EntryKind::Directory { "/" } else { "" };
                (format!("{above}{}{end}", entry.name.to_string_lossy()), entry)
            })
            .filter(|(name, _)| self.wanted(name))
            .collect();
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, entry) in names {
            let path = directory.join(&entry.name);
            let flow = match entry.kind {
                EntryKind::Directory if name.len() <= KEY_MAX_BYTES => self.enter(&path, &name)?,
                kind => self.add(&path, name, kind)?,
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether something on this page can have the name, or begin with it where it ends in `/`.
    fn wanted(&self, name: &str) -> bool {
        let holds_prefix = name.ends_with('/') && self.prefix.starts_with(name);
        let holds_after = name.ends_with('/') && self.after.starts_with(name);
        (name.starts_with(self.prefix) || holds_prefix) && (name > self.after || holds_after)
    }

    fn add(&mut self, path: &Path, name: String, kind: EntryKind) -> Result<ControlFlow<()>, StoreError> {
        if self.page.objects.len() + self.page.unknown.len() >= PAGE {
            // Everything on the page comes before the page's end.
            let last = self.page.objects.last().map(|object| object.key.as_str());
            self.page.next = last.max(self.page.unknown.last().map(String::as_str)).map(str::to_owned);
            return Ok(ControlFlow::Break(()));
        }
        match name.parse::<ObjectKey>().ok().filter(|_| kind == EntryKind::File) {
            None => self.page.unknown.push(name),
            Some(key) => match self.tree.look(path)? {
                Some(stat) if stat.kind == EntryKind::File => {
                    self.page.objects.push(Listed { key, size_bytes: stat.size_bytes });
                }
                // Removed or replaced since its name was read.
                _ => {}
            },
        }
        Ok(ControlFlow::Continue(()))
    }
}

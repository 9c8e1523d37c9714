//! Mistakes that a program like this one may hold, put in front of the simulated disk, the store and the
//! receivers: for tests that hold the harness itself against them.

mod disk;
mod sink;
mod store;

use std::sync::Arc;

use livetape_catalog::Catalog;
use livetape_finalize::Report;

pub use disk::Careless;
pub use sink::HastySink;
pub use store::{EarlyEviction, HastyStore};

use crate::catalog::CatalogImage;
use crate::journal::{Delivery, Effect, Journal};
use crate::known::{Known, ready_event};
use crate::world::{ENDPOINTS, Life, OnReport, Plan, scratch};

/// What is done wrong with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Files are not synced.
    NoSync,
    /// Directories are not synced.
    NoDirectorySync,
    /// A file gets its final name before it is synced.
    RenameBeforeSync,
    /// A sync that failed is tried again, and believed.
    FailedSyncBelieved,
    /// What is to be cut off stays.
    NoTruncation,
    /// What is not known is deleted instead of moved aside.
    UnknownDeleted,
}

impl Plan {
    /// The same, with a mistake in front of the disk.
    #[must_use]
    pub fn with_mistake(mut self, mistake: Mistake) -> Self {
        self.wrap_disk = Some(Arc::new(move |inner, _, _| Arc::new(Careless::new(inner, mistake))));
        self
    }

    /// The same, with a store that says yes before it has the object.
    #[must_use]
    pub fn with_hasty_store(mut self) -> Self {
        self.wrap_store = Some(Arc::new(|inner, disk, _| Arc::new(HastyStore::new(inner, Arc::new(disk.clone())))));
        self
    }

    /// The same, with files leaving the spool before the store has them.
    #[must_use]
    pub fn with_early_eviction(mut self) -> Self {
        self.wrap_store = Some(Arc::new(|inner, disk, _| Arc::new(EarlyEviction::new(inner, Arc::new(disk.clone())))));
        self
    }

    /// The same, with deliveries counted as made before they are.
    #[must_use]
    pub fn with_hasty_sinks(mut self) -> Self {
        self.wrap_sink = Some(Arc::new(|inner, _, _| Arc::new(HastySink::new(inner))));
        self
    }

    /// The same, with recordings announced when they are finished, before they are in the store.
    #[must_use]
    pub fn with_early_announcements(mut self) -> Self {
        let announce: OnReport = Arc::new(|report: Report, _: &Catalog, journal: &Journal| {
            if let Report::Finished { id, .. } = report {
                for endpoint in ENDPOINTS {
                    journal.push(Effect::Delivered(Delivery {
                        endpoint: endpoint.to_owned(),
                        event: ready_event(&id),
                        kind: "recording.ready".into(),
                        body: bytes::Bytes::from_static(b"{}"),
                    }));
                }
            }
        });
        self.on_report = Some(announce);
        self
    }
}

impl Life {
    /// The same life, as if rows became `ready` in one transaction, and their events were written in the next.
    #[must_use]
    pub fn with_events_apart(mut self) -> Self {
        let mut entries = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            if let Effect::Commit(number) = entry {
                let (before, after) = (Known::read(&self.images[number - 1]), Known::read(&self.images[number]));
                let new: Vec<&String> = after.events.keys().filter(|id| !before.events.contains_key(*id)).collect();
                if new.iter().any(|id| id.ends_with("_ready")) {
                    self.images.push(without_events(&self.images[number], &new));
                    entries.push(Effect::Commit(self.images.len() - 1));
                }
            }
            entries.push(entry);
        }
        self.entries = entries;
        self
    }
}

fn without_events(image: &CatalogImage, events: &[&String]) -> CatalogImage {
    let place = scratch();
    let path = place.path().join("copy.db");
    std::fs::write(&path, image.as_slice()).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let _: String = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0)).unwrap();
    for id in events {
        let of = "(SELECT sequence FROM events WHERE id = ?1)";
        connection.execute(&format!("DELETE FROM attempts WHERE event = {of}"), [id]).unwrap();
        connection.execute(&format!("DELETE FROM deliveries WHERE event = {of}"), [id]).unwrap();
        connection.execute("DELETE FROM events WHERE id = ?1", [id]).unwrap();
    }
    drop(connection);
    Arc::new(std::fs::read(&path).unwrap())
}

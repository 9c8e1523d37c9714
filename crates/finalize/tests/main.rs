//! The whole path from finished files to announced objects, against a real catalog, real files and
//! real sockets.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "main/adoption.rs"]
mod adoption;
#[path = "main/announcer.rs"]
mod announcer;
#[path = "main/cells.rs"]
mod cells;
#[path = "main/deleting_store.rs"]
mod deleting_store;
#[path = "main/finalizer.rs"]
mod finalizer;
#[path = "main/flaky_store.rs"]
mod flaky_store;
#[path = "main/inspection.rs"]
mod inspection;
#[path = "main/keeping.rs"]
mod keeping;
#[path = "main/kept.rs"]
mod kept;
#[path = "main/lost.rs"]
mod lost;
#[path = "main/outage.rs"]
mod outage;
#[path = "main/receiver.rs"]
mod receiver;
#[path = "main/recovery.rs"]
mod recovery;
#[path = "main/reopened.rs"]
mod reopened;
#[path = "main/retention.rs"]
mod retention;
#[path = "main/torn.rs"]
mod torn;
#[path = "main/watched_disk.rs"]
mod watched_disk;
#[path = "main/webhook.rs"]
mod webhook;
#[path = "main/world.rs"]
mod world;

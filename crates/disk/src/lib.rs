//! The only code that touches media files.
//!
//! [`Disk`] is the handful of effects everything is made of (create, write, sync, rename ...), as a
//! trait so that a simulated disk can stand in and stop at each of them. [`RealDisk`] is the
//! operating system's. [`Spool`] is where recordings grow: `DATA/spool/RECORDING/FILE`, a file
//! named `FILE.part` until it will never change again. [`SpoolWriter`] performs the operations of
//! one recording in order. [`Pulse`] is what a process leaves every moment for the one after it.
//!
//! Contract:
//! - When an operation returns, the files are as [`livetape_mux::Op`] says; what of it is on the
//!   disk after a power cut is what the last sync of the file, and of its directory, covered.
//! - An error says which effect failed, on which path, and why. After a failed append the file is
//!   cut back to its last whole operation. After a failed sync the file is suspect: it is never
//!   synced or written again, because a second sync would report success for data the kernel has
//!   already dropped.
//! - Nothing unknown is ever deleted: it is moved to `DATA/quarantine`.
//! - Symbolic links are not followed below the data directory.

mod copy;
mod disk;
mod error;
mod lock;
mod pulse;
mod real;
mod spool;

pub use copy::{copy_new, read_exact, write_all};
pub use disk::{Disk, DiskFile, Entry, EntryKind, Identity, LockAttempt, Space, Stat};
pub use error::DiskError;
pub use lock::{LockGuard, lock};
pub use pulse::Pulse;
pub use real::RealDisk;
pub use spool::{OpenFile, Spool, SpoolFiles, SpoolListing, SpoolWriter};

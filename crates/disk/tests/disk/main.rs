//! The spool and the real disk, on real directories and through a disk that fails where told.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod directories;
mod failures;
mod faulty;
mod files;
mod fixture;
mod operations;
mod real;

//! MP4 recordings, as other people's readers see them, and after every possible crash.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod cost;
mod crash;
mod disk;
mod golden;
mod large;
mod media;
mod object;
mod players;
mod readers;
mod reopen;
mod streams;
mod tree;

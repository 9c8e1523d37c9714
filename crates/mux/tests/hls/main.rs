//! HLS recordings: playlists and segments, as other people's readers see them, and after every
//! possible crash.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod cost;
mod crash;
mod damage;
mod disk;
mod golden;
mod media;
mod over;
mod players;
mod random;
mod reopen;
mod rules;
mod segments;
mod streams;

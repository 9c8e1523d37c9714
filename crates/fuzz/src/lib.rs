//! Fuzz targets for every parser and state machine: what hostile, torn or unlucky input does to it.
//!
//! Contract: a target takes any bytes and panics exactly when it has found something. Most read them as
//! operations (see [`input`]): messages, frames, pauses, crashes. The binary `fuzz` hands a target to the
//! fuzzer (`cargo xtask fuzz SECONDS [TARGET]`); `corpus/TARGET` keeps inputs that each reach something
//! of their own, with every finding among them, and the ordinary tests replay it and variations of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a finding is a panic")]

pub mod dialogue;
pub mod directory;
pub mod footage;
pub mod hls;
pub mod input;
pub mod publication;
pub mod recordings;
pub mod rules;
pub mod settle;
pub mod target;
pub mod wire;

use std::time::Duration;

use livetape_media::{Now, WallTime};

/// A moment so many milliseconds after the beginning.
pub fn moment(ms: u64) -> Now {
    let wall = WallTime::from_unix_millis(1_800_000_000_000).plus_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    Now { mono: Duration::from_millis(ms), wall }
}

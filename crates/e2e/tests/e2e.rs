//! The program as its users meet it: the real binary, real clients, real files.
//!
//! One module for each matter. Tests of `slow` want a browser or a desktop program and are run by
//! `cargo xtask slow`; those of `soak` take minutes and are run by `cargo xtask soak`.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod access;
mod api;
mod authorization;
mod bucket;
mod clients;
mod clock;
mod codecs;
mod conformance;
mod crash;
mod dialects;
mod documentation;
mod durability;
mod durable;
mod endings;
mod faults;
mod fsck;
mod growing;
mod hostile;
mod judges;
mod keeping;
mod limits;
mod over;
mod packaging;
mod plan;
mod protocol;
mod quality;
mod reload;
mod reopen;
mod resume;
mod rotation;
mod rtmps;
mod shutdown;
mod slow;
mod soak;
mod tasks;
mod webhooks;

/// Every format.
const FORMATS: [&str; 3] = ["mp4", "hls", "flv"];

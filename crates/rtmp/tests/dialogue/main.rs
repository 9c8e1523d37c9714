//! The dialogue as clients lead it: real ones, hand-made ones, broken ones and hostile ones.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod commands;
mod connect;
mod control;
mod ending;
mod foreign;
mod handshake;
mod media;
mod publish;
mod timeouts;

#[path = "../support/peer.rs"]
mod peer;
#[path = "../support/script.rs"]
mod script;
#[path = "../support/wire.rs"]
mod wire;

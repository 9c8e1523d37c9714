//! The whole path from finished files to announced objects, against a real catalog, real files and
//! real sockets.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "main/receiver.rs"]
mod receiver;
#[path = "main/webhook.rs"]
mod webhook;

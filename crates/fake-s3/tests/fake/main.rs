//! The fake server and the proxy, as a foreign client sees them: the SDK of AWS, and bytes on a socket.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod client;
mod dialects;
mod faults;
mod lists;
mod strictness;
mod uploads;

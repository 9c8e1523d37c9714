//! The shell: sockets, tasks, configuration, the HTTP API, metrics, and the program's commands.
//!
//! Contract: everything effectful meets here and nowhere else. What is decided is decided in the
//! crates below; this one reads, calls and writes.

pub mod cli;
pub mod config;
pub mod demo;
pub mod descriptors;
pub mod fsck;
pub mod healthcheck;
pub mod http;
pub mod ingest;
pub mod live;
pub mod log;
pub mod metrics;
pub mod online;
pub mod plans;
pub mod receive;
pub mod serve;
pub mod signals;
pub mod stores;
pub mod token;
pub mod webhooks;

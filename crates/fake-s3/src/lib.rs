//! A strict S3 server inside the test, and a bad network in front of it.
//!
//! [`FakeS3`] keeps buckets in memory and refuses what real servers refuse; a [`Profile`] says which of
//! them it is like. [`FaultProxy`] stands before any S3 server, this one or a real one, and breaks requests
//! as the test says. Both run their own threads, are used from ordinary blocking tests and stop when dropped.
//!
//! Contract: signatures, XML and aws-chunked bodies are those of the `s3s` crate; nothing here knows the
//! project's own client. Nothing is stored of a request that did not arrive whole.
//!
//! Functions panic with a full account when something is not as it should be: they run in tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bucket;
mod checksum;
mod copy;
mod fake;
mod fault;
mod gate;
mod host;
mod listing;
mod log;
mod object;
mod operation;
mod profile;
mod proxy;
mod service;
mod upload;
mod wire;

pub use fake::FakeS3;
pub use fault::{Answer, Fault, Faults, Rule};
pub use log::Request;
pub use object::Object;
pub use operation::Operation;
pub use profile::{Chunked, Condition, Gone, Profile, Repeat};
pub use proxy::FaultProxy;
pub use upload::UploadInfo;

//! An S3 bucket as an object store, on `aws-sdk-s3`.
//!
//! Contract: that of [`livetape_store::ObjectStore`] and [`livetape_store::PartStore`]. What is sent is checked on
//! the way (`Content-MD5`, or a CRC-32) and again by the ETag that comes back, where that is an MD5. Every request
//! has a deadline and is tried a few times; whoever calls tries again after that. Errors say what was being done to
//! which key of which bucket, whose fault it is, and what to do where that is known.
//!
//! No service need be Amazon's. So no request relies on what only some of them do: bodies go out plain and unsigned,
//! never in signed chunks with a checksum behind them (Ceph, Garage, Swift and several clouds refuse or damage those),
//! and no put is conditional (Ceph and Garage ignore the condition on a completion). Keys are unique instead.
//!
//! Nothing but this crate knows the SDK.

mod body;
mod checksum;
mod etag;
mod failure;
mod fetch;
mod options;
mod parts;
mod prefix;
mod probe;
mod put;
mod rate;
mod source;
mod store;
mod trust;

pub use options::{Checksum, Encryption, PathStyle, S3Options};
pub use store::S3Store;

//! The seam of stores that take an object in parts, as S3 does: while a recording grows, what of it
//! will never change is put already, and its end costs one part.
//!
//! ```text
//! begin -> put_part, put_part again, ... -> complete    the object is there, whole
//!                                        -> abort       nothing is
//! ```
//!
//! Contract: every call can be repeated after a time-out, a dropped future or a crash. A part that is
//! put again replaces the one before; what is there when [`PartStore::complete`] returns is made of exactly
//! the parts named. An upload that is neither completed nor aborted stays, and costs room.

use bytes::Bytes;

use crate::{ContentType, ObjectKey, Pending, Stored};

/// How objects are cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRules {
    /// Size of every part but the first and the last.
    pub part_bytes: u64,
    /// The first part must have exactly this size too (Cloudflare R2).
    pub equal: bool,
    /// The most parts an object may have; their numbers begin at 1.
    pub parts_max: u32,
}

/// An object under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Where the object will be.
    pub key: ObjectKey,
    /// The store's name for it. At most [`UPLOAD_ID_MAX_BYTES`] of visible ASCII.
    pub id: String,
}

/// No upload's id is longer.
pub const UPLOAD_ID_MAX_BYTES: usize = 1024;

/// A part that is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its place, from 1.
    pub number: u32,
    /// Its size.
    pub size_bytes: u64,
    /// What the store calls its contents (S3: ETag, without quotes).
    pub tag: String,
}

/// A page of the uploads under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uploads {
    /// Uploads, in the order of their keys' bytes. Those whose key is no [`ObjectKey`] are left out.
    pub uploads: Vec<Upload>,
    /// Where the next page begins; `None` when this is the last.
    pub next: Option<String>,
}

/// A store that takes objects in parts.
pub trait PartStore: Send + Sync {
    /// How objects are to be cut.
    fn rules(&self) -> PartRules;

    /// Begins an object. Each call begins another upload.
    fn begin<'a>(&'a self, key: &'a ObjectKey, content_type: ContentType) -> Pending<'a, Upload>;

    /// Puts part `number`, replacing one that was there; [`crate::StoreError::UploadGone`] when the
    /// store knows no such upload (any more). The contents are checked on the way.
    fn put_part<'a>(&'a self, upload: &'a Upload, number: u32, data: Bytes) -> Pending<'a, Part>;

    /// The parts that are there, by their numbers; `None` when the store knows no such upload (any more).
    fn parts<'a>(&'a self, upload: &'a Upload) -> Pending<'a, Option<Vec<Part>>>;

    /// Makes the object of `parts`, which are in the order of their numbers, and confirms its size and,
    /// where the store's tags allow it, its contents. Success when just that object is there already, by
    /// an attempt whose answer was lost. [`crate::StoreError::UploadGone`] when the store knows neither the
    /// upload nor the object.
    fn complete<'a>(&'a self, upload: &'a Upload, parts: &'a [Part]) -> Pending<'a, Stored>;

    /// Gives an upload and its parts up. Nothing happens when it is not there.
    fn abort<'a>(&'a self, upload: &'a Upload) -> Pending<'a, ()>;

    /// A page of the uploads under way of keys that begin with `prefix`: what comes after `after`, the
    /// [`Uploads::next`] of the page before.
    fn uploads<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Uploads>;

    /// The [`Part::tag`] of a part that holds `data`, as far as that can be told beforehand. Takes time
    /// in proportion to `data`.
    fn tag(&self, data: &[u8]) -> String;
}

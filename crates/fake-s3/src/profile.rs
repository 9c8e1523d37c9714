//! The ways in which S3 servers differ.

use s3s::{S3Error, s3_error};

/// What a server is like. Tests change fields of the constructors' answers:
/// `Profile { min_part_bytes: 1, ..Profile::ceph() }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// For messages.
    pub name: &'static str,
    /// Every part of an object but the last has at least this size, or its completion is refused with
    /// `EntityTooSmall`.
    pub min_part_bytes: u64,
    /// Numbers of parts go from 1 to here.
    pub max_part_number: i32,
    /// Every part of an object but the last has the same size and the last is not longer, or its completion
    /// is refused with `InvalidPart`.
    pub equal_parts: bool,
    /// What a second completion of an upload is answered, after the first succeeded.
    pub repeated_complete: Repeat,
    /// What listing the parts of an upload that is gone is answered.
    pub gone_parts: Gone,
    /// What the completion of an upload that is gone is answered, where it does not succeed as a repeated one.
    pub gone_complete: Gone,
    /// Which aws-chunked bodies it takes.
    pub chunked: Chunked,
    /// What becomes of `If-None-Match` and `If-Match` when an object is put.
    pub put_condition: Condition,
    /// What becomes of them when an upload is completed.
    pub complete_condition: Condition,
    /// An upload that was begun with a checksum algorithm wants one for each part, with the part and again
    /// when it is completed.
    pub part_checksums: bool,
    /// How objects are encrypted that do not say. With `aws:kms` no ETag is the MD5 of what it names,
    /// though it looks like one.
    pub default_sse: Option<&'static str>,
    /// A page of uploads that ends with the last of a key says how the key is called and not the upload.
    pub key_marker_alone: bool,
    /// A page of uploads is in the order of their ids, not of their keys.
    pub uploads_by_id: bool,
    /// The most entries on a page of any list.
    pub page_size: usize,
}

/// How the second of two completions ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// As the first did.
    Succeeds,
    /// 404 `NoSuchUpload`.
    NoSuchUpload,
}

/// How it is said that there is no such upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// 404 `NoSuchUpload`.
    NoSuchUpload,
    /// 404 `NoSuchKey`.
    NoSuchKey,
    /// 500 `InternalError`, that the upload's completion is in progress.
    InProgress,
}

impl Gone {
    pub(crate) fn refusal(self) -> S3Error {
        match self {
            Self::NoSuchUpload => s3_error!(NoSuchUpload, "The specified upload does not exist."),
            Self::NoSuchKey => s3_error!(NoSuchKey),
            Self::InProgress => s3_error!(InternalError, "This multipart completion is already in progress"),
        }
    }
}

/// Which aws-chunked bodies (`x-amz-content-sha256: STREAMING-...`) are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunked {
    /// All.
    Taken,
    /// None: 501 `NotImplemented`.
    Unknown,
    /// None with a trailer: 501 `NotImplemented`.
    TrailerUnknown,
    /// None with a trailer: 400 `XAmzContentSHA256Mismatch`.
    TrailerMismatch,
    /// None with a trailer and signed chunks, which is what clients send over http: 403.
    SignedTrailerForbidden,
}

/// What becomes of a condition on what is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// 412 `PreconditionFailed` unless it holds.
    Honoured,
    /// Nothing: what is there is overwritten.
    Ignored,
    /// 501 `NotImplemented`.
    Unknown,
}

impl Profile {
    /// AWS.
    pub fn aws() -> Self {
        Self {
            name: "aws",
            min_part_bytes: 5 << 20,
            max_part_number: 10_000,
            equal_parts: false,
            repeated_complete: Repeat::NoSuchUpload,
            gone_parts: Gone::NoSuchUpload,
            gone_complete: Gone::NoSuchUpload,
            chunked: Chunked::Taken,
            put_condition: Condition::Honoured,
            complete_condition: Condition::Honoured,
            part_checksums: true,
            default_sse: None,
            key_marker_alone: false,
            uploads_by_id: false,
            page_size: 1000,
        }
    }

    /// Cloudflare R2. Its trailers are as clients reported them; a condition on a completion was not tried.
    pub fn r2() -> Self {
        Self {
            name: "r2",
            equal_parts: true,
            chunked: Chunked::TrailerUnknown,
            complete_condition: Condition::Ignored,
            part_checksums: false,
            ..Self::aws()
        }
    }

    /// Ceph 16, which takes parts of any number.
    pub fn ceph() -> Self {
        Self {
            name: "ceph",
            max_part_number: i32::MAX,
            repeated_complete: Repeat::Succeeds,
            gone_parts: Gone::NoSuchKey,
            gone_complete: Gone::InProgress,
            chunked: Chunked::TrailerMismatch,
            complete_condition: Condition::Ignored,
            part_checksums: false,
            ..Self::aws()
        }
    }

    /// Garage 2.5 over http, which takes parts of any number.
    pub fn garage() -> Self {
        Self {
            name: "garage",
            min_part_bytes: 0,
            max_part_number: i32::MAX,
            key_marker_alone: true,
            uploads_by_id: true,
            chunked: Chunked::SignedTrailerForbidden,
            put_condition: Condition::Ignored,
            complete_condition: Condition::Ignored,
            part_checksums: false,
            ..Self::aws()
        }
    }

    /// Swift 2.30 with s3api.
    pub fn swift() -> Self {
        Self {
            name: "swift",
            max_part_number: 1000,
            repeated_complete: Repeat::Succeeds,
            chunked: Chunked::Unknown,
            put_condition: Condition::Unknown,
            complete_condition: Condition::Unknown,
            part_checksums: false,
            ..Self::aws()
        }
    }
}

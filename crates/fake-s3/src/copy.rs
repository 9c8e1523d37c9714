//! What of an object is copied into a part.

use bytes::Bytes;
use s3s::dto::{CopySource, UploadPartCopyInput};
use s3s::{S3Result, s3_error};

use crate::bucket::{Buckets, Conditions};

/// The bytes that are meant.
pub(crate) fn source(input: &UploadPartCopyInput, buckets: &mut Buckets) -> S3Result<Bytes> {
    let CopySource::Bucket { bucket, key, version_id: None } = &input.copy_source else {
        return Err(s3_error!(NotImplemented, "Only objects in buckets are copied here."));
    };
    if input.copy_source_if_modified_since.is_some() || input.copy_source_if_unmodified_since.is_some() {
        return Err(s3_error!(NotImplemented, "Copies under conditions of time are not implemented here."));
    }
    let object = buckets.bucket(bucket)?.object(key)?;
    let conditions = Conditions {
        if_match: input.copy_source_if_match.clone(),
        if_none_match: input.copy_source_if_none_match.clone(),
    };
    conditions.hold(Some(object))?;
    let Some(range) = &input.copy_source_range else { return Ok(object.data.clone()) };
    let (first, last) = both_ends(range).ok_or_else(|| {
        s3_error!(
            InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
             zero-based offsets of the first and last bytes to copy"
        )
    })?;
    if last >= object.data.len() {
        let size = object.data.len();
        return Err(s3_error!(InvalidArgument, "Range specified is not valid for source object of size: {size}"));
    }
    Ok(object.data.slice(first..=last))
}

fn both_ends(range: &str) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

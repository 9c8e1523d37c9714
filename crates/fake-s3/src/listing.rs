//! Lists of objects, parts and uploads, a page at a time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::dto::{
    ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output,
    ListPartsInput, ListPartsOutput, MultipartUpload, Object as Listed, Part as ListedPart,
};
use s3s::{S3Result, s3_error};

use crate::bucket::Bucket;
use crate::checksum::tell_checksum;
use crate::profile::Profile;
use crate::upload::Upload;

/// How many entries a page has.
fn page(wanted: Option<i32>, profile: &Profile) -> S3Result<usize> {
    let Some(wanted) = wanted else { return Ok(profile.page_size) };
    let wanted = usize::try_from(wanted).map_err(|_| s3_error!(InvalidArgument, "A page of {wanted} entries"))?;
    Ok(wanted.min(profile.page_size))
}

/// The first `size` of them, and whether there are more.
fn cut<T>(entries: impl Iterator<Item = T>, size: usize) -> (Vec<T>, bool) {
    let mut found: Vec<T> = entries.take(size + 1).collect();
    let more = found.len() > size;
    found.truncate(size);
    // Of a page of no entries there is no next one.
    let more = more && size > 0;
    (found, more)
}

fn refuse(delimiter: Option<&String>, encoding: bool) -> S3Result {
    if delimiter.is_some_and(|delimiter| !delimiter.is_empty()) || encoding {
        return Err(s3_error!(NotImplemented, "Lists here have no delimiter and no encoding-type."));
    }
    Ok(())
}

pub(crate) fn objects(bucket: &Bucket, input: ListObjectsV2Input, profile: &Profile) -> S3Result<ListObjectsV2Output> {
    refuse(input.delimiter.as_ref(), input.encoding_type.is_some())?;
    let size = page(input.max_keys, profile)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = match &input.continuation_token {
        Some(token) => {
            let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|key| String::from_utf8(key).ok());
            Some(key.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))?)
        }
        None => input.start_after.clone(),
    };
    let entries = bucket.objects.iter().filter(|(key, _)| {
        key.starts_with(&prefix) && after.as_ref().is_none_or(|after| key.as_str() > after.as_str())
    });
    let (found, more) = cut(entries, size);
    let last = found.last().map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
    let listed = found.into_iter().map(|(key, object)| Listed {
        key: Some(key.clone()),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        size: Some(object.data.len() as i64),
        last_modified: Some(object.modified.into()),
        storage_class: Some(object.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned()).into()),
        ..Listed::default()
    });
    let contents: Vec<Listed> = listed.collect();
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: input.prefix,
        max_keys: i32::try_from(size).ok(),
        key_count: i32::try_from(contents.len()).ok(),
        continuation_token: input.continuation_token,
        start_after: input.start_after,
        is_truncated: Some(more),
        next_continuation_token: last.filter(|_| more),
        contents: Some(contents),
        ..ListObjectsV2Output::default()
    })
}

pub(crate) fn parts(upload: &Upload, input: ListPartsInput, profile: &Profile) -> S3Result<ListPartsOutput> {
    let size = page(input.max_parts, profile)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let (found, more) = cut(upload.parts.iter().filter(|(number, _)| **number > marker), size);
    let last = found.last().map(|(number, _)| **number);
    let listed = found.into_iter().map(|(number, part)| {
        let mut listed = ListedPart {
            part_number: Some(*number),
            e_tag: Some(ETag::Strong(part.etag.clone())),
            size: Some(part.data.len() as i64),
            last_modified: Some(part.modified.into()),
            ..ListedPart::default()
        };
        tell_checksum!(listed, part.checksum.as_ref());
        listed
    });
    let parts = Some(listed.collect());
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        max_parts: i32::try_from(size).ok(),
        part_number_marker: Some(marker),
        next_part_number_marker: last,
        is_truncated: Some(more),
        parts,
        ..ListPartsOutput::default()
    })
}

pub(crate) fn uploads(
    bucket: &Bucket,
    input: ListMultipartUploadsInput,
    profile: &Profile,
) -> S3Result<ListMultipartUploadsOutput> {
    refuse(input.delimiter.as_ref(), input.encoding_type.is_some())?;
    let size = page(input.max_uploads, profile)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = input.key_marker.clone().filter(|marker| !marker.is_empty());
    let id_marker = input.upload_id_marker.clone().filter(|marker| !marker.is_empty());
    let comes = |(key, id): &(String, String)| match (&after, &id_marker) {
        (None, _) => true,
        (Some(after), None) => key > after,
        (Some(after), Some(marker)) => (key, id) > (after, marker),
    };
    let entries = bucket.uploads.iter().filter(|(name, _)| name.0.starts_with(&prefix) && comes(name));
    let (mut found, more) = cut(entries, size);
    let mut last = found.last().filter(|_| more).map(|(name, _)| (*name).clone()).unzip();
    if profile.key_marker_alone && !more_of_key(bucket, &last) {
        last.1 = None;
    }
    if profile.uploads_by_id {
        found.sort_by_key(|(name, _)| &name.1);
    }
    let listed = found.into_iter().map(|((key, id), upload)| MultipartUpload {
        key: Some(key.clone()),
        upload_id: Some(id.clone()),
        initiated: Some(upload.begun.into()),
        ..MultipartUpload::default()
    });
    let uploads = Some(listed.collect());
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: input.prefix,
        key_marker: input.key_marker,
        upload_id_marker: input.upload_id_marker,
        max_uploads: i32::try_from(size).ok(),
        next_key_marker: last.0,
        next_upload_id_marker: last.1,
        is_truncated: Some(more),
        uploads,
        ..ListMultipartUploadsOutput::default()
    })
}

/// Whether there are uploads of this one's key after it.
fn more_of_key(bucket: &Bucket, upload: &(Option<String>, Option<String>)) -> bool {
    let (Some(key), Some(id)) = upload else { return false };
    bucket.uploads.range((key.clone(), id.clone())..).nth(1).is_some_and(|((next, _), _)| next == key)
}

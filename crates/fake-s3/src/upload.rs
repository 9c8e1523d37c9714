//! An object under way, and the rules by which its parts become one.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use s3s::dto::{CompletedMultipartUpload, CompletedPart};
use s3s::{S3Result, s3_error};

use crate::bucket::Conditions;
use crate::checksum::{Algorithm, Checksum, hex, md5};
use crate::object::Attributes;
use crate::profile::Profile;

/// An upload that was neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadInfo {
    /// Where the object will be.
    pub key: String,
    /// The upload's id.
    pub id: String,
    /// The parts that are there, by number.
    pub parts: BTreeMap<i32, Bytes>,
}

#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) attributes: Attributes,
    /// Which checksum every part is to have.
    pub(crate) checksum: Option<Algorithm>,
    pub(crate) parts: BTreeMap<i32, Part>,
    pub(crate) begun: SystemTime,
}

#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) data: Bytes,
    pub(crate) etag: String,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) modified: SystemTime,
}

/// What a completion says.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) parts: Vec<CompletedPart>,
    /// How long the object must become.
    pub(crate) size: Option<i64>,
    pub(crate) conditions: Conditions,
}

impl Completion {
    pub(crate) fn new(upload: Option<CompletedMultipartUpload>, size: Option<i64>, conditions: Conditions) -> Self {
        Self { parts: upload.and_then(|upload| upload.parts).unwrap_or_default(), size, conditions }
    }
}

impl Part {
    pub(crate) fn new(etag: String, data: Bytes, checksum: Option<Checksum>) -> Self {
        Self { data, etag, checksum, modified: SystemTime::now() }
    }
}

impl Upload {
    pub(crate) fn new(attributes: Attributes, checksum: Option<Algorithm>) -> Self {
        Self { attributes, checksum, parts: BTreeMap::new(), begun: SystemTime::now() }
    }

    /// Whether a part with this checksum belongs here.
    pub(crate) fn check_part(&self, checksum: Option<&Checksum>) -> S3Result {
        let (wanted, has) = (self.checksum, checksum.map(|sum| sum.algorithm));
        if wanted.is_some() && wanted != has {
            let (wanted, has) = (wanted.map_or("null", Algorithm::name), has.map_or("null", Algorithm::name));
            return Err(s3_error!(
                InvalidRequest,
                "Checksum Type mismatch occurred, expected checksum Type: {wanted}, actual checksum Type: {has}"
            ));
        }
        Ok(())
    }

    /// The object's bytes and its ETag.
    pub(crate) fn joined(&self, completion: &Completion, profile: &Profile) -> S3Result<(Bytes, String)> {
        let numbers: Vec<i32> = completion.parts.iter().map(|part| part.part_number.unwrap_or(0)).collect();
        if numbers.is_empty() {
            return Err(s3_error!(MalformedXML, "You must specify at least one part"));
        }
        if !numbers.is_sorted_by(|left, right| left < right) {
            return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
        }
        let named = completion.parts.iter().map(|named| self.named(named, profile));
        let parts = named.collect::<S3Result<Vec<&Part>>>()?;
        self.check_sizes(&parts, profile)?;
        let mut data = BytesMut::new();
        let mut digests = Vec::new();
        for part in &parts {
            data.extend_from_slice(&part.data);
            digests.extend_from_slice(&unhex(&part.etag));
        }
        if completion.size.is_some_and(|size| u64::try_from(size) != Ok(data.len() as u64)) {
            return Err(s3_error!(InvalidRequest, "The object has {} bytes, not what was said.", data.len()));
        }
        Ok((data.freeze(), format!("{}-{}", hex(&md5(&digests)), parts.len())))
    }

    /// The part that is meant, if it is what it is said to be.
    fn named(&self, named: &CompletedPart, profile: &Profile) -> S3Result<&Part> {
        let number = named.part_number.unwrap_or(0);
        let invalid = || {
            s3_error!(InvalidPart, "Part {number} was not found, or its entity tag is not that of the part uploaded.")
        };
        let part = self.parts.get(&number).ok_or_else(invalid)?;
        if named.e_tag.as_ref().map(|etag| etag.value()) != Some(&part.etag) {
            return Err(invalid());
        }
        if let Some(algorithm) = self.checksum.filter(|_| profile.part_checksums) {
            let name = algorithm.name();
            let said = algorithm.of_part(named).ok_or_else(|| {
                s3_error!(
                    InvalidRequest,
                    "The upload was created using a {name} checksum. The complete request must include the \
                     checksum for each part. It was missing for part {number} in the request."
                )
            })?;
            if part.checksum.as_ref().map(|sum| &sum.value) != Some(said) {
                return Err(invalid());
            }
        }
        Ok(part)
    }

    fn check_sizes(&self, parts: &[&Part], profile: &Profile) -> S3Result {
        let sizes: Vec<u64> = parts.iter().map(|part| part.data.len() as u64).collect();
        let Some((last, others)) = sizes.split_last() else { return Ok(()) };
        if let Some(small) = others.iter().find(|size| **size < profile.min_part_bytes) {
            let least = profile.min_part_bytes;
            return Err(s3_error!(EntityTooSmall, "A part of {small} bytes is smaller than {least} and not the last."));
        }
        let first = others.first().unwrap_or(last);
        if profile.equal_parts && (others.iter().any(|size| size != first) || last > first) {
            return Err(s3_error!(InvalidPart, "All non-trailing parts must have the same length: {sizes:?}"));
        }
        Ok(())
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

//! Buckets: the objects that are there, the uploads under way, and those that were completed.

use std::collections::BTreeMap;

use bytes::Bytes;
use s3s::dto::ETagCondition;
use s3s::{S3Result, s3_error};

use crate::checksum::{Algorithm, Checksum};
use crate::object::{Attributes, Object};
use crate::profile::{Condition, Gone, Profile, Repeat};
use crate::upload::{Completion, Part, Upload};

/// All buckets.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    pub(crate) all: BTreeMap<String, Bucket>,
    /// How many uploads were ever begun.
    begun: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<String, Object>,
    /// By key, then by id, which is the order they were begun in.
    pub(crate) uploads: BTreeMap<(String, String), Upload>,
    /// What became of uploads that were completed: the object's ETag.
    completed: BTreeMap<(String, String), String>,
}

/// What a request wants of the object that is there before it is overwritten.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl Buckets {
    pub(crate) fn bucket(&mut self, name: &str) -> S3Result<&mut Bucket> {
        self.all.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }

    pub(crate) fn create(&mut self, name: &str) -> S3Result {
        if self.all.contains_key(name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "You made {name} already"));
        }
        self.all.insert(name.to_owned(), Bucket::default());
        Ok(())
    }

    /// Begins an upload; its id.
    pub(crate) fn begin(
        &mut self,
        bucket: &str,
        key: &str,
        attributes: Attributes,
        checksum: Option<Algorithm>,
    ) -> S3Result<String> {
        let number = self.begun + 1;
        // Signs that real ids hold, for clients that forget to encode them.
        let id = format!("2~{number:08}_fake.upload-id+/=");
        let upload = Upload::new(attributes, checksum);
        self.bucket(bucket)?.uploads.insert((key.to_owned(), id.clone()), upload);
        self.begun = number;
        Ok(id)
    }
}

impl Bucket {
    pub(crate) fn object(&self, key: &str) -> S3Result<&Object> {
        self.objects.get(key).ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    pub(crate) fn put(
        &mut self,
        key: &str,
        data: Bytes,
        attributes: Attributes,
        conditions: &Conditions,
        profile: &Profile,
    ) -> S3Result<&Object> {
        self.check(key, conditions, profile.put_condition)?;
        let etag = attributes.etag(&data);
        Ok(self.place(key, attributes.object(data, etag)))
    }

    pub(crate) fn upload(&mut self, key: &str, id: &str) -> S3Result<&mut Upload> {
        self.upload_or(key, id, Gone::NoSuchUpload)
    }

    fn upload_or(&mut self, key: &str, id: &str, gone: Gone) -> S3Result<&mut Upload> {
        self.uploads.get_mut(&(key.to_owned(), id.to_owned())).ok_or_else(|| gone.refusal())
    }

    /// The upload whose parts are to be listed.
    pub(crate) fn listed(&mut self, key: &str, id: &str, profile: &Profile) -> S3Result<&mut Upload> {
        self.upload_or(key, id, profile.gone_parts)
    }

    /// Puts a part; its ETag and how it is encrypted.
    pub(crate) fn put_part(
        &mut self,
        (key, id, number): (&str, &str, i32),
        data: Bytes,
        checksum: Option<Checksum>,
        profile: &Profile,
    ) -> S3Result<(String, Option<String>)> {
        if !(1..=profile.max_part_number).contains(&number) {
            let most = profile.max_part_number;
            return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and {most}, inclusive"));
        }
        let upload = self.upload(key, id)?;
        if profile.part_checksums {
            upload.check_part(checksum.as_ref())?;
        }
        let part = Part::new(upload.attributes.etag(&data), data, checksum);
        let etag = part.etag.clone();
        upload.parts.insert(number, part);
        Ok((etag, upload.attributes.sse.clone()))
    }

    /// Makes the object; its ETag and how it is encrypted.
    pub(crate) fn complete(
        &mut self,
        key: &str,
        id: &str,
        completion: &Completion,
        profile: &Profile,
    ) -> S3Result<(String, Option<String>)> {
        let name = (key.to_owned(), id.to_owned());
        // What an earlier attempt made, unless it was overwritten or deleted since.
        let made = self.completed.get(&name).and_then(|etag| self.objects.get(key).filter(|made| made.etag == *etag));
        if let (Repeat::Succeeds, Some(made)) = (profile.repeated_complete, made) {
            return Ok((made.etag.clone(), made.sse.clone()));
        }
        let (data, etag) = self.upload_or(key, id, profile.gone_complete)?.joined(completion, profile)?;
        self.check(key, &completion.conditions, profile.complete_condition)?;
        let upload = self.uploads.remove(&name).expect("it was there a line ago");
        self.completed.insert(name, etag.clone());
        let object = self.place(key, upload.attributes.object(data, etag));
        Ok((object.etag.clone(), object.sse.clone()))
    }

    fn place(&mut self, key: &str, mut object: Object) -> &Object {
        object.puts += self.objects.get(key).map_or(0, |before| before.puts);
        self.objects.insert(key.to_owned(), object);
        &self.objects[key]
    }

    fn check(&self, key: &str, conditions: &Conditions, what: Condition) -> S3Result {
        if conditions.if_match.is_none() && conditions.if_none_match.is_none() {
            return Ok(());
        }
        match what {
            Condition::Ignored => Ok(()),
            Condition::Unknown => Err(s3_error!(NotImplemented, "Conditional puts are not implemented.")),
            Condition::Honoured => conditions.hold(self.objects.get(key)),
        }
    }
}

impl Conditions {
    /// Holds them against the object that is there.
    pub(crate) fn hold(&self, there: Option<&Object>) -> S3Result {
        let meets = |condition: &ETagCondition| {
            there.is_some_and(|there| condition.as_etag().is_none_or(|etag| etag.value() == there.etag))
        };
        match self {
            Self { if_match: Some(_), .. } if there.is_none() => Err(s3_error!(NoSuchKey)),
            Self { if_match: Some(condition), .. } if !meets(condition) => Err(s3_error!(PreconditionFailed)),
            Self { if_none_match: Some(condition), .. } if meets(condition) => Err(s3_error!(PreconditionFailed)),
            _ => Ok(()),
        }
    }
}

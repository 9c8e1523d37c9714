//! The operations, as `s3s` calls them.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::*;
use s3s::{Body, S3, S3Error, S3Request, S3Response, S3Result, s3_error};

use crate::bucket::{Buckets, Conditions};
use crate::checksum::{self, tell_checksum};
use crate::copy;
use crate::gate::payload_mismatch;
use crate::listing;
use crate::object::{attributes, tell_attributes};
use crate::profile::Profile;
use crate::upload::Completion;

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) buckets: Arc<Mutex<Buckets>>,
    pub(crate) profile: Arc<Profile>,
}

impl Service {
    fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap()
    }

    fn sse(&self, said: Option<String>) -> Option<String> {
        said.or_else(|| self.profile.default_sse.map(str::to_owned))
    }
}

/// The only user.
pub(crate) struct Keys {
    pub(crate) access: &'static str,
    pub(crate) secret: &'static str,
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key != self.access {
            return Err(s3_error!(InvalidAccessKeyId, "The access key id you provided does not exist in our records."));
        }
        Ok(SecretKey::from(self.secret))
    }
}

/// A body, whole and as long as it was said to be.
async fn whole(body: Option<StreamingBlob>, length: Option<i64>) -> S3Result<Bytes> {
    let data = match body {
        Some(body) => Body::from(body).collect().await.map_err(|error| broken(error.as_ref()))?.to_bytes(),
        None => Bytes::new(),
    };
    if length.is_some_and(|length| u64::try_from(length) != Ok(data.len() as u64)) {
        return Err(s3_error!(IncompleteBody, "{} bytes came of {length:?}", data.len()));
    }
    Ok(data)
}

/// The decoders of bodies have errors of private types; their text says what they are.
fn broken(error: &(dyn std::error::Error + Send + Sync)) -> S3Error {
    match error.to_string() {
        text if text.contains("Sha256Mismatch") => payload_mismatch(),
        text if text.contains("SignatureMismatch") => s3_error!(SignatureDoesNotMatch, "{text}"),
        text => s3_error!(IncompleteBody, "{text}"),
    }
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.buckets().create(&req.input.bucket)?;
        let location = Some(format!("/{}", req.input.bucket));
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.buckets().bucket(&req.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let names: Vec<String> = self.buckets().all.keys().cloned().collect();
        let buckets = names.into_iter().map(|name| Bucket { name: Some(name), ..Bucket::default() }).collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() }))
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let data = whole(req.input.body.take(), req.input.content_length).await?;
        let sum = checksum::verify(&data, &req.headers, req.trailing_headers.as_ref())?;
        let input = &mut req.input;
        let mut attributes = attributes!(input);
        attributes.sse = self.sse(attributes.sse);
        let conditions = Conditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        let mut buckets = self.buckets();
        let bucket = buckets.bucket(&input.bucket)?;
        let object = bucket.put(&input.key, data, attributes, &conditions, &self.profile)?;
        let mut output = PutObjectOutput {
            e_tag: Some(ETag::Strong(object.etag.clone())),
            server_side_encryption: object.sse.clone().map(Into::into),
            ..PutObjectOutput::default()
        };
        tell_checksum!(output, sum.as_ref());
        Ok(S3Response::new(output))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let mut buckets = self.buckets();
        let object = buckets.bucket(&req.input.bucket)?.object(&req.input.key)?;
        let conditions = Conditions { if_match: req.input.if_match.clone(), if_none_match: None };
        conditions.hold(Some(object))?;
        let size = object.data.len() as u64;
        let range = req.input.range.map(|range| range.check(size)).transpose()?;
        let data = match &range {
            Some(range) => object.data.slice(range.start as usize..range.end as usize),
            None => object.data.clone(),
        };
        let mut output = GetObjectOutput {
            content_length: Some(data.len() as i64),
            content_range: range.map(|range| format!("bytes {}-{}/{size}", range.start, range.end - 1)),
            body: Some(Body::from(data).into()),
            ..GetObjectOutput::default()
        };
        tell_attributes!(output, object);
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let mut buckets = self.buckets();
        let object = buckets.bucket(&req.input.bucket)?.object(&req.input.key)?;
        let mut output =
            HeadObjectOutput { content_length: Some(object.data.len() as i64), ..HeadObjectOutput::default() };
        tell_attributes!(output, object);
        Ok(S3Response::new(output))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.buckets().bucket(&req.input.bucket)?.objects.remove(&req.input.key);
        Ok(S3Response::with_status(DeleteObjectOutput::default(), hyper::StatusCode::NO_CONTENT))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut buckets = self.buckets();
        let bucket = buckets.bucket(&req.input.bucket)?;
        let Delete { objects, quiet } = req.input.delete;
        if objects.is_empty() || objects.len() > 1000 {
            return Err(s3_error!(MalformedXML, "{} objects to delete: 1 to 1000 are allowed", objects.len()));
        }
        let mut deleted = Vec::new();
        for name in objects {
            bucket.objects.remove(&name.key);
            deleted.push(DeletedObject { key: Some(name.key), ..DeletedObject::default() });
        }
        let told = Some(deleted).filter(|_| quiet != Some(true));
        Ok(S3Response::new(DeleteObjectsOutput { deleted: told, ..DeleteObjectsOutput::default() }))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let mut buckets = self.buckets();
        let bucket = buckets.bucket(&req.input.bucket)?;
        listing::objects(bucket, req.input, &self.profile).map(S3Response::new)
    }

    async fn create_multipart_upload(
        &self,
        mut req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = &mut req.input;
        let mut attributes = attributes!(input);
        attributes.sse = self.sse(attributes.sse);
        let sse = attributes.sse.clone();
        let algorithm = input.checksum_algorithm.clone();
        let known = algorithm.as_ref().and_then(|name| checksum::Algorithm::named(name.as_str()));
        if algorithm.is_some() && known.is_none() {
            return Err(s3_error!(InvalidRequest, "Checksum algorithm provided is unsupported."));
        }
        let id = self.buckets().begin(&input.bucket, &input.key, attributes, known)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(id),
            checksum_algorithm: algorithm,
            server_side_encryption: sse.map(Into::into),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, mut req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let data = whole(req.input.body.take(), req.input.content_length).await?;
        let sum = checksum::verify(&data, &req.headers, req.trailing_headers.as_ref())?;
        let input = &req.input;
        let place = (input.key.as_str(), input.upload_id.as_str(), input.part_number);
        let (etag, sse) = self.buckets().bucket(&input.bucket)?.put_part(place, data, sum.clone(), &self.profile)?;
        let mut output = UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            server_side_encryption: sse.map(Into::into),
            ..UploadPartOutput::default()
        };
        tell_checksum!(output, sum.as_ref());
        Ok(S3Response::new(output))
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = &req.input;
        let mut buckets = self.buckets();
        buckets.bucket(&input.bucket)?.upload(&input.key, &input.upload_id)?;
        let data = copy::source(input, &mut buckets)?;
        let bucket = buckets.bucket(&input.bucket)?;
        let sum = bucket.upload(&input.key, &input.upload_id)?.checksum.map(|algorithm| algorithm.sum(&data));
        let place = (input.key.as_str(), input.upload_id.as_str(), input.part_number);
        let (etag, sse) = bucket.put_part(place, data, sum.clone(), &self.profile)?;
        let mut copied = CopyPartResult {
            e_tag: Some(ETag::Strong(etag)),
            last_modified: Some(std::time::SystemTime::now().into()),
            ..CopyPartResult::default()
        };
        tell_checksum!(copied, sum.as_ref());
        let output = UploadPartCopyOutput {
            copy_part_result: Some(copied),
            server_side_encryption: sse.map(Into::into),
            ..UploadPartCopyOutput::default()
        };
        Ok(S3Response::new(output))
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let mut buckets = self.buckets();
        let bucket = buckets.bucket(&req.input.bucket)?;
        let upload = bucket.listed(&req.input.key, &req.input.upload_id, &self.profile)?;
        listing::parts(upload, req.input, &self.profile).map(S3Response::new)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let mut buckets = self.buckets();
        let bucket = buckets.bucket(&req.input.bucket)?;
        listing::uploads(bucket, req.input, &self.profile).map(S3Response::new)
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput { bucket, key, upload_id, if_match, if_none_match, .. } = req.input;
        let conditions = Conditions { if_match, if_none_match };
        let completion = Completion::new(req.input.multipart_upload, req.input.mpu_object_size, conditions);
        let mut buckets = self.buckets();
        let (etag, sse) = buckets.bucket(&bucket)?.complete(&key, &upload_id, &completion, &self.profile)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{bucket}/{key}")),
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(etag)),
            server_side_encryption: sse.map(Into::into),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let AbortMultipartUploadInput { bucket, key, upload_id, .. } = req.input;
        let mut buckets = self.buckets();
        let bucket = buckets.bucket(&bucket)?;
        bucket.upload(&key, &upload_id)?;
        bucket.uploads.remove(&(key, upload_id));
        Ok(S3Response::with_status(AbortMultipartUploadOutput::default(), hyper::StatusCode::NO_CONTENT))
    }
}

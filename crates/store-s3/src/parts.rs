//! Objects in parts, on S3's multipart uploads.
//!
//! What services do differently:
//!
//! - A completion that is repeated succeeds on Ceph and Swift, and finds no upload on Garage. So when there is
//!   no upload, the object is looked at, and its size and composite ETag decide. Where ETags are no sums (SSE-KMS), the
//!   size and the number of parts do: nobody else puts anything at a recording's key, and certainly not in parts.
//! - To the completion of an upload that is gone, Ceph 16 answers 500, that one is in progress. So after a failure of
//!   the service it is asked for the parts, which tells whether there is an upload.
//! - Of the parts of an upload that is gone, Ceph says `NoSuchKey` and others `NoSuchUpload`.
//! - A page of uploads that ends with the last of a key names, on Garage, only the key that the next begins after; and
//!   what is on a page is not in the order of the keys there.
//! - An abort may miss a part that is just being put, so it is repeated while parts are there.

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use livetape_store::{
    ContentType, ObjectKey, Part, PartRules, PartStore, Pending, StoreError, Stored, UPLOAD_ID_MAX_BYTES, Upload,
    Uploads,
};
use tracing::warn;

use crate::body::body;
use crate::checksum::Sums;
use crate::etag::{ETag, unquote};
use crate::failure::{not_found, service_failed, upload_gone};
use crate::options::Checksum;
use crate::put::cache_control;
use crate::store::{Found, S3Store};

/// How often an upload is aborted whose parts are still there.
const ABORTS_MAX: usize = 3;

/// A part that is in the store, with the checksum the service keeps of it.
struct Kept {
    part: Part,
    checksum_crc32: Option<String>,
}

impl S3Store {
    async fn create(&self, key: &ObjectKey, content_type: ContentType) -> Result<Upload, StoreError> {
        let request = self.about("beginning", key);
        let (encryption, kms_key) = self.encryption();
        let sent = self
            .client
            .create_multipart_upload()
            .bucket(&self.options.bucket)
            .key(self.prefix.name(key)?)
            .content_type(content_type.as_str())
            .cache_control(cache_control(content_type))
            .set_checksum_algorithm((self.options.checksum == Checksum::Crc32).then_some(ChecksumAlgorithm::Crc32))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_storage_class(self.storage_class())
            .send()
            .await;
        let created = sent.map_err(|error| request.failed(&error))?;
        let id = created.upload_id().filter(|id| plausible(id));
        let id =
            id.ok_or_else(|| request.nonsense("the answer holds no id of the upload, or none that can be kept"))?;
        Ok(Upload { key: key.clone(), id: id.to_owned() })
    }

    async fn send_part(&self, upload: &Upload, number: u32, data: Bytes) -> Result<Part, StoreError> {
        let doing = format!("putting part {number} of");
        let request = self.about(&doing, &upload.key);
        let size_bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let sums = Sums::of_body(&data).await;
        let under_way = self.rate.begin(size_bytes);
        let put = self
            .client
            .upload_part()
            .bucket(&self.options.bucket)
            .key(self.prefix.name(&upload.key)?)
            .upload_id(&upload.id)
            .set_part_number(i32::try_from(number).ok())
            .set_content_length(i64::try_from(size_bytes).ok())
            .set_content_md5((self.options.checksum == Checksum::Md5).then(|| sums.content_md5()))
            .set_checksum_crc32((self.options.checksum == Checksum::Crc32).then(|| sums.checksum_crc32()))
            .body(body(&data, &self.rate));
        let patience = self.patience(self.time_for(size_bytes) + under_way.delay_max());
        let sent = put.customize().config_override(patience).send().await;
        let put = match sent {
            Ok(put) => put,
            Err(error) if upload_gone(&error) => return Err(StoreError::UploadGone { key: upload.key.clone() }),
            Err(error) => return Err(request.failed(&error)),
        };
        let tag = put.e_tag().map(unquote).filter(|tag| !tag.is_empty());
        let tag = tag.ok_or_else(|| request.nonsense("the answer holds no ETag of the part"))?;
        let comparable = !self.etags_mean_nothing(put.server_side_encryption(), put.sse_customer_algorithm());
        if comparable && matches!(ETag::parse(tag), ETag::Md5(md5) if md5 != sums.md5) {
            let detail = format!("part {number}: the MD5 sent was {}, the ETag that came back is {tag}", sums.tag());
            return Err(StoreError::ContentsDiffer { key: upload.key.clone(), detail });
        }
        Ok(Part { number, size_bytes, tag: tag.to_owned() })
    }

    /// The parts that are there; `None` when there is no such upload.
    async fn kept(&self, upload: &Upload) -> Result<Option<Vec<Kept>>, StoreError> {
        let request = self.about("listing the parts of", &upload.key);
        let name = self.prefix.name(&upload.key)?;
        let mut kept: Vec<Kept> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let sent = self
                .client
                .list_parts()
                .bucket(&self.options.bucket)
                .key(&name)
                .upload_id(&upload.id)
                .set_part_number_marker(after.clone())
                .set_max_parts(self.page())
                .send()
                .await;
            let page = match sent {
                Ok(page) => page,
                Err(error) if upload_gone(&error) => return Ok(None),
                Err(error) => return Err(request.failed(&error)),
            };
            for part in page.parts() {
                let number = part.part_number().and_then(|number| u32::try_from(number).ok());
                let size = part.size().and_then(|size| u64::try_from(size).ok());
                let (Some(number), Some(size_bytes), Some(tag)) = (number, size, part.e_tag()) else {
                    return Err(request.nonsense("a part is listed without its number, its size or its ETag"));
                };
                let part_there = Part { number, size_bytes, tag: unquote(tag).to_owned() };
                kept.push(Kept { part: part_there, checksum_crc32: part.checksum_crc32().map(str::to_owned) });
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            let next = page.next_part_number_marker().map(str::to_owned);
            if next.is_none() || next == after || page.parts().is_empty() {
                return Err(request.nonsense("a page of parts that is not the last does not lead to the next"));
            }
            after = next;
        }
        kept.sort_by_key(|kept| kept.part.number);
        kept.dedup_by_key(|kept| kept.part.number);
        Ok(Some(kept))
    }

    async fn finish(&self, upload: &Upload, parts: &[Part]) -> Result<Stored, StoreError> {
        let request = self.about("completing", &upload.key);
        if parts.is_empty() || !parts.is_sorted_by(|one, next| one.number < next.number) {
            let detail = "an object is made of at least one part, in the order of their numbers".to_owned();
            return Err(StoreError::ContentsDiffer { key: upload.key.clone(), detail });
        }
        let mut named: Vec<CompletedPart> = Vec::with_capacity(parts.len());
        for part in parts {
            let number = i32::try_from(part.number).ok();
            named.push(CompletedPart::builder().set_part_number(number).e_tag(format!("\"{}\"", part.tag)).build());
        }
        if self.options.checksum == Checksum::Crc32 {
            // An upload that was begun with checksums is completed with them, and the service knows them.
            let Some(kept) = self.kept(upload).await? else {
                return self.finished_before(upload, parts).await;
            };
            for named in &mut named {
                let of_number = |kept: &&Kept| i32::try_from(kept.part.number).ok() == named.part_number;
                named.checksum_crc32 = kept.iter().find(of_number).and_then(|kept| kept.checksum_crc32.clone());
            }
        }
        let complete = self
            .client
            .complete_multipart_upload()
            .bucket(&self.options.bucket)
            .key(self.prefix.name(&upload.key)?)
            .upload_id(&upload.id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(named)).build());
        let patience = self.patience(self.options.complete_timeout);
        match complete.customize().config_override(patience).send().await {
            Ok(_) => self.confirm(upload, parts).await,
            Err(error) if upload_gone(&error) => self.finished_before(upload, parts).await,
            Err(error) if service_failed(&error) && self.kept(upload).await?.is_none() => {
                self.finished_before(upload, parts).await
            }
            Err(error) => Err(request.failed(&error)),
        }
    }

    /// Looks whether the object is what was made of `parts`.
    async fn confirm(&self, upload: &Upload, parts: &[Part]) -> Result<Stored, StoreError> {
        let key = &upload.key;
        let Some(found) = self.look(key).await? else {
            return Err(self.about("completing", key).nonsense("the object is not there after its completion"));
        };
        let expected_bytes = size_of(parts);
        if found.size_bytes != expected_bytes {
            return Err(StoreError::SizeDiffers { key: key.clone(), expected_bytes, found_bytes: found.size_bytes });
        }
        match judge(&found, parts) {
            Contents::Equal | Contents::Alike | Contents::Untold => Ok(Stored { size_bytes: expected_bytes }),
            Contents::Strange => {
                warn!(%key, etag = ?found.etag, parts = parts.len(), "ETag of an unusual kind: only the size was compared");
                Ok(Stored { size_bytes: expected_bytes })
            }
            Contents::Different => {
                let detail = format!("the ETag of the object is not that of its {} parts", parts.len());
                Err(StoreError::ContentsDiffer { key: key.clone(), detail })
            }
        }
    }

    /// There is no such upload: done, when the object made of just these parts is there.
    async fn finished_before(&self, upload: &Upload, parts: &[Part]) -> Result<Stored, StoreError> {
        match self.look(&upload.key).await? {
            Some(found)
                if found.size_bytes == size_of(parts)
                    && matches!(judge(&found, parts), Contents::Equal | Contents::Alike) =>
            {
                Ok(Stored { size_bytes: found.size_bytes })
            }
            _ => Err(StoreError::UploadGone { key: upload.key.clone() }),
        }
    }

    async fn give_up(&self, upload: &Upload) -> Result<(), StoreError> {
        let request = self.about("aborting", &upload.key);
        let name = self.prefix.name(&upload.key)?;
        for _ in 0..ABORTS_MAX {
            let abort = self.client.abort_multipart_upload().bucket(&self.options.bucket).key(&name);
            match abort.upload_id(&upload.id).send().await {
                Ok(_) => {}
                Err(error) if upload_gone(&error) || not_found(&error) => {}
                Err(error) => return Err(request.failed(&error)),
            }
            if self.kept(upload).await?.is_none_or(|kept| kept.is_empty()) {
                return Ok(());
            }
        }
        Err(request.nonsense("parts are still there after several aborts; they are being put by somebody else"))
    }

    async fn page_of_uploads(&self, prefix: &str, after: Option<&str>) -> Result<Uploads, StoreError> {
        let request = self.about_bucket("listing the uploads of");
        // A name may hold spaces; an id does not, and may be missing.
        let (name, id) = after.and_then(|after| after.rsplit_once(' ')).unzip();
        let id = id.filter(|id| !id.is_empty());
        let sent = self
            .client
            .list_multipart_uploads()
            .bucket(&self.options.bucket)
            .prefix(self.prefix.and(prefix))
            .set_key_marker(name.map(str::to_owned))
            .set_upload_id_marker(id.map(str::to_owned))
            .set_max_uploads(self.page())
            .send()
            .await;
        let page = sent.map_err(|error| request.failed(&error))?;
        let mut uploads = Uploads::default();
        for upload in page.uploads() {
            let (Some(name), Some(id)) = (upload.key(), upload.upload_id()) else {
                return Err(request.nonsense("an upload is listed without its key or its id"));
            };
            if let Ok(key) = self.prefix.strip(name)
                && plausible(id)
            {
                uploads.uploads.push(Upload { key, id: id.to_owned() });
            }
        }
        uploads.uploads.sort_by(|one, other| one.key.as_str().cmp(other.key.as_str()));
        if page.is_truncated() == Some(true) {
            let Some(name) = page.next_key_marker().filter(|name| !name.is_empty()) else {
                return Err(request.nonsense("a page of uploads that is not the last does not lead to the next"));
            };
            let next = format!("{name} {}", page.next_upload_id_marker().unwrap_or_default());
            if after == Some(next.as_str()) {
                return Err(request.nonsense("a page of uploads that is not the last leads to itself"));
            }
            uploads.next = Some(next);
        }
        Ok(uploads)
    }
}

/// What an object's ETag says of its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    Equal,
    Different,
    /// That they are of as many parts; its sums mean nothing.
    Alike,
    /// Nothing, as is to be expected: the tags of the parts, or of everything, are no MD5s.
    Untold,
    /// Nothing, though the tags of the parts are MD5s.
    Strange,
}

fn judge(found: &Found, parts: &[Part]) -> Contents {
    match (ETag::of_parts(parts.iter().map(|part| part.tag.as_str())), &found.etag) {
        (_, ETag::Parts(count)) if usize::try_from(*count) == Ok(parts.len()) => Contents::Alike,
        (_, ETag::Parts(_)) => Contents::Strange,
        (None, _) | (_, ETag::Other) => Contents::Untold,
        (Some(expected), there) if expected == *there => Contents::Equal,
        (Some(ETag::Composite(_, count)), ETag::Composite(_, there)) if count == *there => Contents::Different,
        _ => Contents::Strange,
    }
}

fn size_of(parts: &[Part]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.size_bytes))
}

/// Whether an upload's id keeps to [`Upload::id`].
fn plausible(id: &str) -> bool {
    (1..=UPLOAD_ID_MAX_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

impl PartStore for S3Store {
    fn rules(&self) -> PartRules {
        let options = &self.options;
        PartRules { part_bytes: options.part_bytes, equal: options.equal_parts, parts_max: options.parts_max }
    }

    fn begin<'a>(&'a self, key: &'a ObjectKey, content_type: ContentType) -> Pending<'a, Upload> {
        Box::pin(self.create(key, content_type))
    }

    fn put_part<'a>(&'a self, upload: &'a Upload, number: u32, data: Bytes) -> Pending<'a, Part> {
        Box::pin(self.send_part(upload, number, data))
    }

    fn parts<'a>(&'a self, upload: &'a Upload) -> Pending<'a, Option<Vec<Part>>> {
        Box::pin(async move {
            let kept = self.kept(upload).await?;
            Ok(kept.map(|kept| kept.into_iter().map(|kept| kept.part).collect()))
        })
    }

    fn complete<'a>(&'a self, upload: &'a Upload, parts: &'a [Part]) -> Pending<'a, Stored> {
        Box::pin(self.finish(upload, parts))
    }

    fn abort<'a>(&'a self, upload: &'a Upload) -> Pending<'a, ()> {
        Box::pin(self.give_up(upload))
    }

    fn uploads<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> Pending<'a, Uploads> {
        Box::pin(self.page_of_uploads(prefix, after))
    }

    fn tag(&self, data: &[u8]) -> String {
        Sums::of(data).tag()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(tags: &[&str]) -> Vec<Part> {
        let part = |(number, tag): (u32, &&str)| Part { number, size_bytes: 5, tag: (*tag).to_owned() };
        (1..).zip(tags).map(part).collect()
    }

    fn found(tag: &str) -> Found {
        Found { size_bytes: 10, etag: ETag::parse(tag) }
    }

    #[test]
    fn the_composite_tag_tells_the_contents_where_tags_are_sums() {
        let sums = ["900150983cd24fb0d6963f7d28e17f72", "d41d8cd98f00b204e9800998ecf8427e"];
        let composite = "fdf1fdf1567f6942ffe1743f1e72301e";
        for (tags, there, expected) in [
            (&sums[..], format!("{composite}-2"), Contents::Equal),
            (&sums[..], format!("{}-2", sums[0]), Contents::Different),
            (&sums[..], format!("{composite}-3"), Contents::Strange),
            (&sums[..], composite.to_owned(), Contents::Strange),
            (&sums[..], "opaque".to_owned(), Contents::Untold),
            (&["opaque", sums[0]][..], format!("{composite}-2"), Contents::Untold),
        ] {
            assert_eq!(judge(&found(&there), &parts(tags)), expected, "{there}");
        }
        for (tag, expected) in [("-2", Contents::Alike), ("-3", Contents::Strange), ("", Contents::Untold)] {
            let etag = ETag::parse(&format!("{composite}{tag}")).without_sum();
            assert_eq!(judge(&Found { size_bytes: 10, etag }, &parts(&sums)), expected, "{tag}");
        }
        assert_eq!(size_of(&parts(&sums)), 10);
    }

    #[test]
    fn an_id_that_cannot_be_kept_is_refused() {
        for (id, good) in [("2~abc", true), ("", false), ("a b", false), ("é", false), (&"x".repeat(1025), false)] {
            assert_eq!(plausible(id), good, "{id}");
        }
    }
}

//! Putting whole objects, each once.
//!
//! ```text
//! look at the key: nothing there              -> put
//!                  the same object            -> done
//!                  another, and no playlist   -> taken
//! put: at once, up to the size of a part      PutObject, and its ETag compared
//!      in parts, one after another            begin, put_part, ..., complete; abort when one fails
//! ```
//!
//! Two writers of one key could both find nothing there. Keys are made so that there are none.

use bytes::Bytes;
use livetape_store::{ContentType, ObjectKey, PartStore as _, PutFile, StoreError, Stored};
use tracing::warn;

use crate::body::body;
use crate::checksum::Sums;
use crate::etag::{ETag, unquote};
use crate::options::{Checksum, PART_BYTES_MAX};
use crate::source::Source;
use crate::store::{Found, S3Store};

/// As HTTP's `Cache-Control` says it: media never changes, and a playlist may.
pub(crate) const fn cache_control(content_type: ContentType) -> &'static str {
    match content_type {
        ContentType::Playlist => "no-cache",
        _ => "private, max-age=86400, immutable",
    }
}

impl S3Store {
    pub(crate) async fn put_bytes_once(
        &self,
        key: &ObjectKey,
        data: Bytes,
        content_type: ContentType,
    ) -> Result<Stored, StoreError> {
        let source = Source::Bytes(data.clone());
        if let Some(there) = self.settled(key, &source).await? {
            return Ok(there);
        }
        self.put_at_once(key, data, content_type).await
    }

    pub(crate) async fn put_file_once(&self, file: &PutFile) -> Result<Stored, StoreError> {
        let source = Source::file(&file.path).await?;
        if let Some(there) = self.settled(&file.key, &source).await? {
            return Ok(there);
        }
        let size_bytes = source.size_bytes();
        if size_bytes > self.options.part_bytes {
            return self.put_in_parts(file, &source).await;
        }
        let data = source.piece(0, size_bytes).await?;
        self.put_at_once(&file.key, data, file.content_type).await
    }

    /// What is at `key` when nothing needs be put any more; `None` when the source is to be put.
    async fn settled(&self, key: &ObjectKey, source: &Source) -> Result<Option<Stored>, StoreError> {
        if ContentType::of_key(key) == ContentType::Playlist {
            return Ok(None);
        }
        let Some(found) = self.look(key).await? else {
            return Ok(None);
        };
        let (existing_bytes, new_bytes) = (found.size_bytes, source.size_bytes());
        if existing_bytes == new_bytes && self.same(key, &found, source).await? {
            return Ok(Some(Stored { size_bytes: existing_bytes }));
        }
        Err(StoreError::Taken { key: key.clone(), existing_bytes, new_bytes })
    }

    /// Whether the object found, which has the size of `source`, has its contents. Fetches it where its ETag does not
    /// tell.
    async fn same(&self, key: &ObjectKey, found: &Found, source: &Source) -> Result<bool, StoreError> {
        let tags = source.tags(self.part_bytes_for(source.size_bytes())).await?;
        match &found.etag {
            ETag::Md5(md5) => return Ok(*md5 == tags.whole),
            composite @ ETag::Composite(..) if tags.composite.as_ref() == Some(composite) => return Ok(true),
            // Cut otherwise, or encrypted.
            _ => {}
        }
        Ok(self.fetched_md5(key, found.size_bytes).await? == Some(tags.whole))
    }

    /// Puts an object with one request, over whatever is there.
    pub(crate) async fn put_at_once(
        &self,
        key: &ObjectKey,
        data: Bytes,
        content_type: ContentType,
    ) -> Result<Stored, StoreError> {
        let size_bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let sums = Sums::of_body(&data).await;
        let request = self.about("putting", key);
        let under_way = self.rate.begin(size_bytes);
        let (encryption, kms_key) = self.encryption();
        let put = self
            .client
            .put_object()
            .bucket(&self.options.bucket)
            .key(self.prefix.name(key)?)
            .content_type(content_type.as_str())
            .cache_control(cache_control(content_type))
            .set_content_length(i64::try_from(size_bytes).ok())
            .set_content_md5((self.options.checksum == Checksum::Md5).then(|| sums.content_md5()))
            .set_checksum_crc32((self.options.checksum == Checksum::Crc32).then(|| sums.checksum_crc32()))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key)
            .set_storage_class(self.storage_class())
            .body(body(&data, &self.rate));
        let patience = self.patience(self.time_for(size_bytes) + under_way.delay_max());
        let put = put.customize().config_override(patience).send().await.map_err(|error| request.failed(&error))?;
        let comparable = !self.etags_mean_nothing(put.server_side_encryption(), put.sse_customer_algorithm());
        match put.e_tag().map(|tag| ETag::parse(unquote(tag))) {
            Some(ETag::Md5(md5)) if comparable && md5 == sums.md5 => {}
            Some(ETag::Md5(_)) if comparable => {
                let detail = format!("the MD5 sent was {}, the ETag that came back is another", sums.tag());
                return Err(StoreError::ContentsDiffer { key: key.clone(), detail });
            }
            // The ETag says nothing, so at least the size is looked at.
            _ => self.confirm_size(key, size_bytes).await?,
        }
        Ok(Stored { size_bytes })
    }

    async fn confirm_size(&self, key: &ObjectKey, expected_bytes: u64) -> Result<(), StoreError> {
        let found_bytes = self.look(key).await?.map_or(0, |found| found.size_bytes);
        if found_bytes == expected_bytes {
            return Ok(());
        }
        Err(StoreError::SizeDiffers { key: key.clone(), expected_bytes, found_bytes })
    }

    /// The size of the parts of an object that has so many bytes, so that it has no more parts than it may.
    fn part_bytes_for(&self, size_bytes: u64) -> u64 {
        self.options.part_bytes.max(size_bytes.div_ceil(u64::from(self.options.parts_max.max(1))))
    }

    /// Puts a file in parts, one at a time in memory. The upload is given up when a part fails.
    async fn put_in_parts(&self, file: &PutFile, source: &Source) -> Result<Stored, StoreError> {
        let part_bytes = self.part_bytes_for(source.size_bytes());
        if part_bytes > PART_BYTES_MAX {
            let problem = format!(
                "'{}' has {} bytes, too many for {} parts of 1 GiB: roll recordings over earlier",
                file.key,
                source.size_bytes(),
                self.options.parts_max
            );
            return Err(StoreError::Configuration { problem });
        }
        let upload = self.begin(&file.key, file.content_type).await?;
        let put = async {
            let (mut parts, mut offset) = (Vec::new(), 0);
            for number in 1.. {
                let len = part_bytes.min(source.size_bytes() - offset);
                let piece = source.piece(offset, len).await?;
                parts.push(self.put_part(&upload, number, piece).await?);
                offset += len;
                if offset == source.size_bytes() {
                    break;
                }
            }
            self.complete(&upload, &parts).await
        };
        let result = put.await;
        if result.is_err()
            && let Err(error) = self.abort(&upload).await
        {
            warn!(key = %upload.key, %error, "upload that failed is left in the store");
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::S3Options;

    #[tokio::test]
    async fn a_file_is_cut_into_no_more_parts_than_the_service_takes() {
        let options = S3Options { bucket: "media".into(), parts_max: 1000, ..S3Options::default() };
        let store = S3Store::connect(options).await.unwrap();
        let part = store.options.part_bytes;
        for (size, expected) in [(0, part), (part * 1000, part), (part * 1000 + 1, part + 1), (part * 4000, part * 4)] {
            assert_eq!(store.part_bytes_for(size), expected, "{size}");
        }
    }

    #[test]
    fn playlists_are_asked_for_again_and_media_is_kept() {
        assert_eq!(cache_control(ContentType::Playlist), "no-cache");
        assert!(cache_control(ContentType::Flv).contains("immutable"));
    }
}

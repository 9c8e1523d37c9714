//! Getting contents back.

use std::io;

use bytes::{Bytes, BytesMut};
use livetape_store::{ObjectKey, StoreError};
use md5::{Digest as _, Md5};

use crate::failure::not_found;
use crate::store::S3Store;

impl S3Store {
    /// The contents of an object of at most `max_bytes`; `None` when there is none.
    pub(crate) async fn contents(&self, key: &ObjectKey, max_bytes: u64) -> Result<Option<Bytes>, StoreError> {
        let mut contents = BytesMut::new();
        let fetched = self.fetch(key, max_bytes, |chunk| contents.extend_from_slice(chunk)).await?;
        Ok(fetched.then(|| contents.freeze()))
    }

    /// The MD5 of an object of `size_bytes`, fetched whole; `None` when there is none.
    pub(crate) async fn fetched_md5(&self, key: &ObjectKey, size_bytes: u64) -> Result<Option<[u8; 16]>, StoreError> {
        let mut md5 = Md5::new();
        let fetched = self.fetch(key, size_bytes, |chunk| md5.update(chunk)).await?;
        Ok(fetched.then(|| md5.finalize().into()))
    }

    /// Hands an object of at most `max_bytes` to `take`, a piece at a time; returns whether there is one.
    async fn fetch(&self, key: &ObjectKey, max_bytes: u64, take: impl FnMut(&[u8])) -> Result<bool, StoreError> {
        let time = self.time_for(max_bytes);
        let late = || self.broken(key, io::Error::new(io::ErrorKind::TimedOut, format!("not there within {time:?}")));
        tokio::time::timeout(time, self.fetch_in_time(key, max_bytes, take)).await.unwrap_or_else(|_| Err(late()))
    }

    async fn fetch_in_time(
        &self,
        key: &ObjectKey,
        max_bytes: u64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<bool, StoreError> {
        let sent = self.client.get_object().bucket(&self.options.bucket).key(self.prefix.name(key)?).send().await;
        let got = match sent {
            Ok(got) => got,
            Err(error) if not_found(&error) => return Ok(false),
            Err(error) => return Err(self.about("fetching", key).failed(&error)),
        };
        let mut body = got.body;
        let mut fetched_bytes = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| self.broken(key, io::Error::other(error)))?;
            fetched_bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if fetched_bytes > max_bytes {
                let source = io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max_bytes} bytes"));
                return Err(StoreError::Unavailable { doing: self.about("fetching", key).text(), source });
            }
            take(&chunk);
        }
        Ok(true)
    }

    /// The body of an answer broke off.
    fn broken(&self, key: &ObjectKey, source: io::Error) -> StoreError {
        StoreError::Network { doing: self.about("fetching", key).text(), source }
    }
}

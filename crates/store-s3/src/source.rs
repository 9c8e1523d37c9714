//! What becomes an object: bytes in memory, or a file that never changes again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use livetape_store::StoreError;
use md5::{Digest as _, Md5};

use crate::checksum::Sums;
use crate::etag::{ETag, hex};

/// What is read and summed at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What becomes an object.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Bytes(Bytes),
    File { path: PathBuf, size_bytes: u64 },
}

/// What the ETag of a source's object can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tags {
    /// The MD5 of all of it.
    pub(crate) whole: [u8; 16],
    /// That of its parts' MD5s, when it is cut as it would be put.
    pub(crate) composite: Option<ETag>,
}

impl Source {
    /// The file at `path`, as long as it is now.
    pub(crate) async fn file(path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        on_pool(path.clone(), move || {
            let metadata = std::fs::metadata(&path)?;
            if !metadata.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
            }
            Ok(Self::File { path, size_bytes: metadata.len() })
        })
        .await
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Bytes(data) => u64::try_from(data.len()).unwrap_or(u64::MAX),
            Self::File { size_bytes, .. } => *size_bytes,
        }
    }

    /// `len` bytes from `offset` on, which are there.
    pub(crate) async fn piece(&self, offset: u64, len: u64) -> Result<Bytes, StoreError> {
        let path = match self {
            Self::Bytes(data) => {
                let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(data.len());
                return Ok(data.slice(index(offset)..index(offset.saturating_add(len))));
            }
            Self::File { path, .. } => path.clone(),
        };
        on_pool(path.clone(), move || {
            let mut piece = vec![0; usize::try_from(len).map_err(io::Error::other)?];
            File::open(&path)?.read_exact_at(&mut piece, offset)?;
            Ok(Bytes::from(piece))
        })
        .await
    }

    /// What its object's ETag can be, when parts have `part_bytes`. Reads all of it.
    pub(crate) async fn tags(&self, part_bytes: u64) -> Result<Tags, StoreError> {
        let (path, size_bytes) = match self {
            Self::Bytes(data) => {
                return Ok(Tags { whole: Sums::of_body(data).await.md5, composite: None });
            }
            Self::File { path, size_bytes } => (path.clone(), *size_bytes),
        };
        on_pool(path.clone(), move || {
            let file = File::open(&path)?;
            let mut buffer = vec![0; CHUNK_BYTES];
            let (mut whole, mut parts) = (Md5::new(), Vec::new());
            let (mut part, mut offset) = (Md5::new(), 0u64);
            while offset < size_bytes {
                let to_part_end = part_bytes - offset % part_bytes;
                let len = usize::try_from(to_part_end.min(size_bytes - offset)).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
                let chunk = buffer.get_mut(..len).unwrap_or_default();
                file.read_exact_at(chunk, offset)?;
                whole.update(&*chunk);
                part.update(&*chunk);
                offset += u64::try_from(len).unwrap_or(u64::MAX);
                if offset % part_bytes == 0 || offset == size_bytes {
                    parts.push(hex(&part.finalize_reset()));
                }
            }
            let composite = ETag::of_parts(parts.iter().map(String::as_str));
            Ok(Tags { whole: whole.finalize().into(), composite })
        })
        .await
    }
}

/// Runs `call`, which reads the file at `path`, on the blocking pool.
async fn on_pool<T, F>(path: PathBuf, call: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    let result = tokio::task::spawn_blocking(call).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    result.map_err(|source| StoreError::Source { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_cut_and_summed_as_its_bytes_are() {
        let data: Vec<u8> = (0..=250u8).cycle().take(5 * CHUNK_BYTES / 2).collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.mp4");
        std::fs::write(&path, &data).unwrap();
        let source = Source::file(&path).await.unwrap();
        assert_eq!(source.size_bytes(), u64::try_from(data.len()).unwrap());
        assert_eq!(source.piece(10, 1000).await.unwrap(), data[10..1010]);
        for part_bytes in [1000, CHUNK_BYTES, data.len(), data.len() + 1] {
            let tags = source.tags(u64::try_from(part_bytes).unwrap()).await.unwrap();
            assert_eq!(tags.whole, Sums::of(&data).md5);
            let parts: Vec<String> = data.chunks(part_bytes).map(|part| Sums::of(part).tag()).collect();
            assert_eq!(tags.composite, ETag::of_parts(parts.iter().map(String::as_str)), "{part_bytes}");
        }
    }

    #[tokio::test]
    async fn what_is_no_file_is_our_fault() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path().to_owned(), directory.path().join("gone")] {
            let error = Source::file(&path).await.unwrap_err();
            assert!(matches!(error, StoreError::Source { .. }) && !error.retryable(), "{error}");
        }
    }
}

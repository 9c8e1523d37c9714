//! Whether the store works: one small object and one empty upload, there and gone again.

use bytes::Bytes;
use livetape_store::{ContentType, ObjectKey, ObjectStore as _, PartStore as _, StoreError};
use uuid::Uuid;

use crate::store::S3Store;

/// What the object holds.
const CONTENTS: &[u8] = b"livetape looks whether this store works; this object may be deleted\n";

impl S3Store {
    /// Does once what the engine will do: puts, looks at, fetches and deletes an object `livetape-probe-` and a random
    /// name, then begins and aborts an upload of it. Leaves nothing when it succeeds.
    ///
    /// # Errors
    /// The first step's that fails, with what to do.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let name = format!("livetape-probe-{}", Uuid::now_v7().simple());
        let key: ObjectKey = name
            .parse()
            .map_err(|error| StoreError::Configuration { problem: format!("probing the store: {error}") })?;
        let content_type = ContentType::Bytes;
        step(
            "putting an object",
            "s3:PutObject",
            self.put_at_once(&key, Bytes::from_static(CONTENTS), content_type).await,
        )?;
        let rest = self.probe_object(&key).await;
        // Also after an error, so that nothing is left behind.
        let deleted = step("deleting an object", "s3:DeleteObject", self.delete(&key).await);
        rest?;
        deleted?;
        let begun = self.begin(&key, content_type).await;
        let upload = step("beginning an upload", "s3:PutObject", begun)?;
        let rights = "s3:AbortMultipartUpload and s3:ListMultipartUploadParts";
        step("aborting an upload", rights, self.abort(&upload).await)
    }

    async fn probe_object(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let expected = u64::try_from(CONTENTS.len()).unwrap_or_default();
        let found = step("looking at an object", "s3:GetObject and s3:ListBucket", self.head(key).await)?;
        let found_bytes = found.map_or(0, |found| found.size_bytes);
        if found_bytes != expected {
            return Err(StoreError::SizeDiffers { key: key.clone(), expected_bytes: expected, found_bytes });
        }
        let fetched = step("fetching an object", "s3:GetObject", self.read(key, expected).await)?;
        if fetched.as_deref() != Some(CONTENTS) {
            let detail = "what was put a moment ago comes back changed; look for a proxy or a cache before the store";
            return Err(StoreError::ContentsDiffer { key: key.clone(), detail: detail.into() });
        }
        Ok(())
    }
}

/// Says with an error which step of the probe it ended, and what that step needs.
fn step<T>(doing: &str, rights: &str, result: Result<T, StoreError>) -> Result<T, StoreError> {
    let at = |inner: String| format!("probing the store by {doing}: {inner}");
    result.map_err(|error| match error {
        StoreError::Denied { doing, source } => {
            let doing = at(format!("{doing}, which needs {rights}"));
            StoreError::Denied { doing, source }
        }
        StoreError::Configuration { problem } => StoreError::Configuration { problem: at(problem) },
        StoreError::Full { doing, source } => StoreError::Full { doing: at(doing), source },
        StoreError::Unavailable { doing, source } => StoreError::Unavailable { doing: at(doing), source },
        StoreError::Throttled { doing, source } => StoreError::Throttled { doing: at(doing), source },
        StoreError::Network { doing, source } => {
            let doing = at(format!("{doing}; check the endpoint, the name it resolves to and the way there"));
            StoreError::Network { doing, source }
        }
        StoreError::ContentsDiffer { key, detail } => StoreError::ContentsDiffer { key, detail: at(detail) },
        // These name the object of the probe, and nothing else is known.
        other @ (StoreError::Source { .. }
        | StoreError::Taken { .. }
        | StoreError::SizeDiffers { .. }
        | StoreError::UploadGone { .. }) => other,
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_says_which_step_it_ended_and_what_that_needs() {
        let source = || io::Error::from(io::ErrorKind::PermissionDenied);
        let doing = || "putting 'livetape-probe-1' in the bucket 'media'".to_owned();
        for (error, words) in [
            (StoreError::Denied { doing: doing(), source: source() }, "needs s3:PutObject"),
            (StoreError::Network { doing: doing(), source: source() }, "check the endpoint"),
            (StoreError::Unavailable { doing: doing(), source: source() }, "by putting an object"),
            (StoreError::Configuration { problem: "create the bucket".into() }, "by putting an object"),
        ] {
            let text = step::<()>("putting an object", "s3:PutObject", Err(error)).unwrap_err().to_string();
            assert!(text.contains("probing the store") && text.contains(words), "{text}");
        }
    }
}

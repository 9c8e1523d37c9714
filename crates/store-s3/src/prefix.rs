//! What every key begins with in the bucket.

use livetape_store::{ObjectKey, StoreError};

/// S3 takes no longer name.
const NAME_MAX_BYTES: usize = 1024;

/// The part of every name in the bucket that is not part of the key: empty, or ends at a `/`.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(pub(crate) String);

impl Prefix {
    /// The name in the bucket of the object at `key`.
    ///
    /// # Errors
    /// When it is longer than S3 allows.
    pub(crate) fn name(&self, key: &ObjectKey) -> Result<String, StoreError> {
        let name = format!("{}{key}", self.0);
        if name.len() > NAME_MAX_BYTES {
            let problem = format!(
                "'{key}' has {} bytes with the prefix, and S3 takes {NAME_MAX_BYTES} at most: shorten the prefix or the \
                 names of recordings",
                name.len()
            );
            return Err(StoreError::Configuration { problem });
        }
        Ok(name)
    }

    /// `name`, which the service listed, without the prefix: the key, or the text that is none.
    pub(crate) fn strip(&self, name: &str) -> Result<ObjectKey, String> {
        let rest = name.strip_prefix(&self.0).unwrap_or(name);
        rest.parse().map_err(|_| rest.to_owned())
    }

    /// The prefix with `rest` behind it.
    pub(crate) fn and(&self, rest: &str) -> String {
        format!("{}{rest}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_into_the_bucket_and_comes_back() {
        for prefix in ["", "node-1/", "a/b/"] {
            let prefix = Prefix(prefix.into());
            let key: ObjectKey = "live/a%2Fb/x=1.mp4".parse().unwrap();
            let name = prefix.name(&key).unwrap();
            assert!(name.starts_with(&prefix.0));
            assert_eq!(prefix.strip(&name), Ok(key));
        }
    }

    #[test]
    fn a_name_that_is_no_key_comes_back_as_text() {
        let prefix = Prefix("a/".into());
        for (name, text) in [("a/", ""), ("a/b/", "b/"), ("a/.hidden", ".hidden"), ("a/ü", "ü")] {
            assert_eq!(prefix.strip(name), Err(text.to_owned()));
        }
    }

    #[test]
    fn a_name_too_long_for_s3_is_refused_before_it_is_sent() {
        let key: ObjectKey = ["a"; 512].join("/").parse().unwrap();
        Prefix("a".into()).name(&key).unwrap();
        let error = Prefix("ab".into()).name(&key).unwrap_err();
        assert!(matches!(error, StoreError::Configuration { .. }), "{error}");
    }
}

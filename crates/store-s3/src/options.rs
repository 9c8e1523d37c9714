//! What the operator sets, and what is refused of it before anything is sent.

use std::fmt;
use std::time::Duration;

use livetape_store::{ObjectKey, StoreError};

const MIB: u64 = 1 << 20;
/// S3 takes no smaller part but the last.
pub(crate) const PART_BYTES_MIN: u64 = 5 * MIB;
/// Parts are held in memory whole.
pub(crate) const PART_BYTES_MAX: u64 = 1024 * MIB;
/// No service takes more parts.
const PARTS_MAX: u32 = 10_000;
/// No service answers with more names in a page.
const PAGE_MAX: u32 = 1000;

/// How the store is reached, and how objects are put into it.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Options {
    /// The service's address, `https://HOST[:PORT]` or `http://HOST[:PORT]`; `None` is Amazon's, by the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for. Services that have none take `us-east-1`.
    pub region: String,
    /// The bucket. It is not created.
    pub bucket: String,
    /// What every key begins with in the bucket: empty, or components that end at a `/`. Not part of the keys
    /// that are put or listed.
    pub prefix: String,
    /// The access key. Without it, credentials are looked for where Amazon's tools look (environment, profile,
    /// web identity, container, instance), and renewed when they expire.
    pub access_key_id: Option<String>,
    /// The secret of the access key; there exactly when that is.
    pub secret_access_key: Option<String>,
    /// What goes with a temporary access key.
    pub session_token: Option<String>,
    /// Where the bucket's name goes.
    pub path_style: PathStyle,
    /// Size of a part, 5 MiB to 1 GiB. A part is in memory while it is sent.
    pub part_bytes: u64,
    /// Whether the service wants all parts but the last to have one size (Cloudflare R2).
    pub equal_parts: bool,
    /// The most parts the service takes for an object, 1 to 10,000 (Swift: 1,000).
    pub parts_max: u32,
    /// Names, parts or uploads that are asked for at once, 1 to 1,000.
    pub page_max: u32,
    /// What lets the service check what it receives.
    pub checksum: Checksum,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long an attempt may take at least, from its first byte to the answer's.
    pub attempt_timeout: Duration,
    /// An attempt that sends or fetches much has as long as this many bytes a second take.
    pub min_rate_bytes: u64,
    /// How long the service may take to make an object of its parts.
    pub complete_timeout: Duration,
    /// How often a request is tried before its error is returned, from 1.
    pub attempts: u32,
    /// How objects are encrypted by the service.
    pub encryption: Encryption,
    /// The storage class of objects; `None` is the bucket's.
    pub storage_class: Option<String>,
    /// Certificates, in PEM, of authorities that are trusted beside the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// The most that is sent, over all uploads; 0 is no limit.
    pub max_bytes_per_second: u64,
}

impl Default for S3Options {
    /// Everything but the bucket.
    fn default() -> Self {
        Self {
            endpoint: None,
            region: "us-east-1".into(),
            bucket: String::new(),
            prefix: String::new(),
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            path_style: PathStyle::Auto,
            part_bytes: 16 * MIB,
            equal_parts: false,
            parts_max: PARTS_MAX,
            page_max: PAGE_MAX,
            checksum: Checksum::Md5,
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_secs(30),
            min_rate_bytes: 256 << 10,
            complete_timeout: Duration::from_secs(600),
            attempts: 3,
            encryption: Encryption::None,
            storage_class: None,
            ca_pem: None,
            max_bytes_per_second: 0,
        }
    }
}

/// Where the bucket's name goes in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PathStyle {
    /// Into the path exactly when an endpoint is set.
    #[default]
    Auto,
    /// Into the path: `https://HOST/BUCKET/KEY`.
    Always,
    /// Into the host: `https://BUCKET.HOST/KEY`, as Tencent COS and Aliyun OSS want it.
    Never,
}

/// What lets the service check what it receives. The ETag that comes back is compared in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Checksum {
    /// The header `Content-MD5`. Every service knows it.
    #[default]
    Md5,
    /// The header `x-amz-checksum-crc32`, which Amazon keeps with the object.
    Crc32,
    /// Nothing, for a service that refuses both.
    None,
}

/// How the service encrypts objects.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Encryption {
    /// As the bucket says.
    #[default]
    None,
    /// With keys of the service.
    Aes256,
    /// With a key of the key management service. ETags are no MD5s then, and are not compared.
    AwsKms {
        /// Which key; `None` is the account's own.
        key_id: Option<String>,
    },
}

impl S3Options {
    /// Whether the bucket's name goes into the path.
    pub(crate) fn force_path_style(&self) -> bool {
        match self.path_style {
            PathStyle::Auto => self.endpoint.is_some(),
            PathStyle::Always => true,
            PathStyle::Never => false,
        }
    }

    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let problem = |problem: &str| Err(StoreError::Configuration { problem: problem.to_owned() });
        if let Some(Err(wrong)) = self.endpoint.as_deref().map(check_endpoint) {
            return problem(wrong);
        }
        if !visible(&self.region) {
            return problem(
                "the region is empty or holds something else than visible ASCII; 'us-east-1' if there is none",
            );
        }
        if !visible(&self.bucket) || self.bucket.contains('/') {
            return problem("the bucket's name is empty, or is not the name of a bucket");
        }
        let directory = self.prefix.strip_suffix('/');
        if !self.prefix.is_empty() && directory.is_none_or(|directory| directory.parse::<ObjectKey>().is_err()) {
            return problem("the prefix must be empty, or end at a '/' and be made of what keys are made of");
        }
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            return problem("the access key and its secret go together: set both or neither");
        }
        if self.session_token.is_some() && self.access_key_id.is_none() {
            return problem("a session token goes with an access key, and none is set");
        }
        if !(PART_BYTES_MIN..=PART_BYTES_MAX).contains(&self.part_bytes) {
            return problem("the size of a part must be 5 MiB to 1 GiB");
        }
        if !(1..=PARTS_MAX).contains(&self.parts_max) {
            return problem("the most parts of an object must be 1 to 10,000");
        }
        if !(1..=PAGE_MAX).contains(&self.page_max) {
            return problem("a page must hold 1 to 1,000 names");
        }
        if self.connect_timeout.is_zero() || self.attempt_timeout.is_zero() || self.complete_timeout.is_zero() {
            return problem("a time-out is zero, so nothing could ever succeed");
        }
        if self.min_rate_bytes == 0 || self.attempts == 0 {
            return problem("the lowest rate and the number of attempts must be at least 1");
        }
        Ok(())
    }
}

fn visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Credentials in the address would reach logs, and a query would reach nobody.
fn check_endpoint(endpoint: &str) -> Result<(), &'static str> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err("the endpoint must begin with https:// or http://");
    };
    if rest.contains('@') {
        return Err("the endpoint must hold no user name and password; the access key has settings of its own");
    }
    if !visible(rest) || rest.contains(['?', '#']) || rest.starts_with(['/', ':']) {
        return Err("the endpoint must be https://HOST[:PORT] or http://HOST[:PORT]");
    }
    Ok(())
}

impl fmt::Debug for S3Options {
    /// Shows that a secret is set, and never which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "[hidden]");
        f.debug_struct("S3Options")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("access_key_id", &hidden(&self.access_key_id))
            .field("secret_access_key", &hidden(&self.secret_access_key))
            .field("session_token", &hidden(&self.session_token))
            .field("path_style", &self.path_style)
            .field("part_bytes", &self.part_bytes)
            .field("equal_parts", &self.equal_parts)
            .field("parts_max", &self.parts_max)
            .field("page_max", &self.page_max)
            .field("checksum", &self.checksum)
            .field("connect_timeout", &self.connect_timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("min_rate_bytes", &self.min_rate_bytes)
            .field("complete_timeout", &self.complete_timeout)
            .field("attempts", &self.attempts)
            .field("encryption", &self.encryption)
            .field("storage_class", &self.storage_class)
            .field("ca_pem_bytes", &self.ca_pem.as_ref().map(Vec::len))
            .field("max_bytes_per_second", &self.max_bytes_per_second)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> S3Options {
        S3Options { bucket: "media".into(), ..S3Options::default() }
    }

    #[test]
    fn the_defaults_need_a_bucket_and_nothing_else() {
        good().check().unwrap();
        S3Options::default().check().unwrap_err();
    }

    #[test]
    fn what_cannot_work_is_refused() {
        type Change = fn(&mut S3Options);
        let changes: &[Change] = &[
            |options| options.endpoint = Some("s3.example.com".into()),
            |options| options.endpoint = Some("https://".into()),
            |options| options.endpoint = Some("https://key:secret@s3.example.com".into()),
            |options| options.endpoint = Some("https://s3.example.com?x".into()),
            |options| options.endpoint = Some("https://s3 example.com".into()),
            |options| options.region.clear(),
            |options| options.bucket = "a/b".into(),
            |options| options.prefix = "live".into(),
            |options| options.prefix = "/".into(),
            |options| options.prefix = "a//b/".into(),
            |options| options.access_key_id = Some("key".into()),
            |options| options.secret_access_key = Some("secret".into()),
            |options| options.session_token = Some("token".into()),
            |options| options.part_bytes = 5 * MIB - 1,
            |options| options.part_bytes = 1024 * MIB + 1,
            |options| options.parts_max = 0,
            |options| options.parts_max = 10_001,
            |options| options.page_max = 0,
            |options| options.connect_timeout = Duration::ZERO,
            |options| options.min_rate_bytes = 0,
            |options| options.attempts = 0,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut options = good();
            change(&mut options);
            let error = options.check().unwrap_err();
            assert!(matches!(error, StoreError::Configuration { .. }), "{number}: {error}");
            assert!(!error.to_string().contains("secret@"), "{error}");
        }
    }

    #[test]
    fn the_path_holds_the_bucket_exactly_when_there_is_an_endpoint() {
        let endpoint = Some("http://127.0.0.1:9000".to_owned());
        for (endpoint, path_style, expected) in [
            (None, PathStyle::Auto, false),
            (endpoint.clone(), PathStyle::Auto, true),
            (None, PathStyle::Always, true),
            (endpoint, PathStyle::Never, false),
        ] {
            assert_eq!(S3Options { endpoint, path_style, ..good() }.force_path_style(), expected);
        }
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let options = S3Options {
            access_key_id: Some("AKIDSHOWN".into()),
            secret_access_key: Some("SECRETSHOWN".into()),
            session_token: Some("TOKENSHOWN".into()),
            ca_pem: Some(b"PEMSHOWN".to_vec()),
            ..good()
        };
        let shown = format!("{options:?}");
        assert!(!shown.contains("SHOWN") && shown.contains("[hidden]"), "{shown}");
    }
}

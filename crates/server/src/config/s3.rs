//! `[s3]` and `[fallback_s3]`: a bucket of an S3-compatible service.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ByteSize, HttpUrl, Period, Secret};

/// The settings of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3Settings {
    /// Where the service is. Empty: AWS.
    pub endpoint: HttpUrl,
    /// The region.
    pub region: String,
    /// The bucket. It must exist.
    pub bucket: String,
    /// What every object's key begins with.
    pub prefix: String,
    /// Who we are. Empty: the environment, the profile, or the machine's role says it.
    pub access_key_id: String,
    /// The key that requests are signed with.
    pub secret_access_key: Secret,
    /// A file that holds it.
    pub secret_access_key_file: PathBuf,
    /// Whether the bucket is in the path of URLs or in the name of their host.
    pub path_style: PathStyleSetting,
    /// The size of a part.
    pub part_size: ByteSize,
    /// Whether the first part must have that size too.
    pub equal_parts: bool,
    /// The most parts an object may have.
    pub max_parts: u32,
    /// How what is sent is checked by the service.
    pub checksum: ChecksumSetting,
    /// How long a request may take; one that moves much has longer.
    pub request_timeout: Period,
    /// What is sent in a second at most, over all uploads; 0 is no limit.
    pub max_rate: ByteSize,
    /// Where objects can be fetched by everybody: the start of their URLs. Empty: they cannot.
    pub public_base_url: HttpUrl,
    /// How long an address that is handed out is good for.
    pub url_lifetime: Period,
    /// Encryption by the service.
    pub encryption: EncryptionSetting,
    /// Which key of the service encrypts, for `"aws:kms"`. Empty: the bucket's.
    pub kms_key_id: String,
    /// The class objects are kept in. Empty: the bucket's.
    pub storage_class: String,
    /// Certificates of authorities to trust besides the system's, PEM.
    pub ca_file: PathBuf,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            endpoint: HttpUrl::default(),
            region: "us-east-1".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            access_key_id: String::new(),
            secret_access_key: Secret::default(),
            secret_access_key_file: PathBuf::new(),
            path_style: PathStyleSetting::Auto,
            part_size: ByteSize::from_mib(16),
            equal_parts: false,
            max_parts: 10_000,
            checksum: ChecksumSetting::Md5,
            request_timeout: Period::from_secs(30),
            max_rate: ByteSize::from_bytes(0),
            public_base_url: HttpUrl::default(),
            url_lifetime: Period::from_mins(60),
            encryption: EncryptionSetting::None,
            kms_key_id: String::new(),
            storage_class: String::new(),
            ca_file: PathBuf::new(),
        }
    }
}

/// Where URLs have the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathStyleSetting {
    /// In the path where an endpoint is set.
    Auto,
    /// In the path.
    Always,
    /// In the host's name.
    Never,
}

/// How what is sent is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumSetting {
    /// Content-MD5: every service knows it.
    Md5,
    /// `x-amz-checksum-crc32`.
    Crc32,
    /// Not at all, beyond the transport.
    None,
}

/// Encryption by the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EncryptionSetting {
    /// As the bucket is set up.
    #[serde(rename = "none")]
    None,
    /// With keys of the service.
    #[serde(rename = "AES256")]
    Aes256,
    /// With a key of its key management.
    #[serde(rename = "aws:kms")]
    AwsKms,
}

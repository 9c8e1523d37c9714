//! The stores that are configured, opened.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use livetape_catalog::{Addresses, StoreRole};
use livetape_disk::RealDisk;
use livetape_finalize::Fallback;
use livetape_store::{DirectoryStore, ObjectStore};
use livetape_store_s3::{Checksum, Encryption, PathStyle, S3Options, S3Store};

use crate::config::{
    ChecksumSetting, Config, EncryptionSetting, FallbackKind, PathStyleSetting, S3Settings, StoreKind,
};

/// Where finished recordings are.
#[derive(Clone)]
pub struct Stores {
    /// Where they go.
    pub primary: Arc<dyn ObjectStore>,
    /// Where they go when the first one could not take them for long.
    pub fallback: Option<Fallback>,
}

/// Whether directories that are missing are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They are.
    Made,
    /// Nothing is changed.
    Refused,
}

impl Stores {
    /// Opens them; no request is made.
    ///
    /// # Errors
    /// When a directory cannot be opened, or what is set cannot work.
    pub async fn open(config: &Config, missing: Missing) -> Result<Self, anyhow::Error> {
        let primary: Arc<dyn ObjectStore> = match config.store.kind {
            StoreKind::Directory => directory(&config.store_path(), missing)?,
            StoreKind::S3 => Arc::new(bucket(&config.s3).await.context("s3")?),
        };
        let fallback: Option<Arc<dyn ObjectStore>> = match config.fallback.kind {
            FallbackKind::None => None,
            FallbackKind::Directory => Some(directory(&config.fallback_path(), missing)?),
            FallbackKind::S3 => Some(Arc::new(bucket(&config.fallback_s3).await.context("fallback_s3")?)),
        };
        let after = config.fallback.after.duration();
        Ok(Self { primary, fallback: fallback.map(|store| Fallback { store, after }) })
    }

    /// The store with this role; the first one where it is not configured any more.
    pub fn of(&self, role: StoreRole) -> &Arc<dyn ObjectStore> {
        match (role, &self.fallback) {
            (StoreRole::Fallback, Some(fallback)) => &fallback.store,
            _ => &self.primary,
        }
    }
}

/// Where things are reached, when the API is at `api`.
pub fn addresses(config: &Config, api: String) -> Addresses {
    let objects = |used: bool, s3: &S3Settings| {
        if used { s3.public_base_url.reveal().to_owned() } else { String::new() }
    };
    Addresses {
        api,
        objects: objects(config.store.kind == StoreKind::S3, &config.s3),
        fallback_objects: objects(config.fallback.kind == FallbackKind::S3, &config.fallback_s3),
    }
}

fn directory(path: &Path, missing: Missing) -> Result<Arc<dyn ObjectStore>, anyhow::Error> {
    if missing == Missing::Made {
        std::fs::create_dir_all(path).with_context(|| format!("making the store's directory {}", path.display()))?;
    }
    // Below its root the store follows no symbolic link; the root itself may be one.
    let root = path.canonicalize().with_context(|| format!("opening the store's directory {}", path.display()))?;
    Ok(match missing {
        Missing::Made => Arc::new(DirectoryStore::open(Arc::new(RealDisk), &root)?),
        Missing::Refused => Arc::new(DirectoryStore::existing(Arc::new(RealDisk), &root)?),
    })
}

/// The bucket of these settings.
///
/// # Errors
/// When the settings cannot work.
pub async fn bucket(s3: &S3Settings) -> Result<S3Store, anyhow::Error> {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let ca_pem = match s3.ca_file.as_os_str().is_empty() {
        true => None,
        false => Some(std::fs::read(&s3.ca_file).with_context(|| format!("reading ca_file {}", s3.ca_file.display()))?),
    };
    let options = S3Options {
        endpoint: text(s3.endpoint.reveal()),
        region: s3.region.clone(),
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.clone(),
        access_key_id: text(&s3.access_key_id),
        secret_access_key: text(s3.secret_access_key.reveal()),
        path_style: match s3.path_style {
            PathStyleSetting::Auto => PathStyle::Auto,
            PathStyleSetting::Always => PathStyle::Always,
            PathStyleSetting::Never => PathStyle::Never,
        },
        part_bytes: s3.part_size.bytes(),
        equal_parts: s3.equal_parts,
        parts_max: s3.max_parts,
        checksum: match s3.checksum {
            ChecksumSetting::Md5 => Checksum::Md5,
            ChecksumSetting::Crc32 => Checksum::Crc32,
            ChecksumSetting::None => Checksum::None,
        },
        encryption: match s3.encryption {
            EncryptionSetting::None => Encryption::None,
            EncryptionSetting::Aes256 => Encryption::Aes256,
            EncryptionSetting::AwsKms => Encryption::AwsKms { key_id: text(&s3.kms_key_id) },
        },
        storage_class: text(&s3.storage_class),
        ca_pem,
        attempt_timeout: s3.request_timeout.duration(),
        max_bytes_per_second: s3.max_rate.bytes(),
        ..S3Options::default()
    };
    Ok(S3Store::connect(options).await?)
}

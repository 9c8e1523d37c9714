//! `[store]` and `[fallback]`: where finished recordings go.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ByteSize, Period};

/// The settings of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// What kind of store it is.
    pub kind: StoreKind,
    /// The directory store's root. Empty: `media` in the data directory.
    pub path: PathBuf,
    /// Recordings, or parts of them, put into the store at once.
    pub max_uploads: u32,
    /// How long a recording is kept, once it is ready, whose template does not say. 0: for ever.
    pub retention: Period,
    /// Bytes of all recordings in the store that nobody holds; beyond, the oldest are deleted. 0: no bound.
    pub max_size: ByteSize,
    /// Space that is to be free where a directory store is; with less, the oldest recordings are deleted. 0: none.
    pub min_free: ByteSize,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            kind: StoreKind::Directory,
            path: PathBuf::new(),
            max_uploads: 4,
            retention: Period::from_millis(0),
            max_size: ByteSize::from_bytes(0),
            min_free: ByteSize::from_bytes(0),
        }
    }
}

/// Kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A directory of this machine.
    Directory,
    /// A bucket of an S3-compatible service: [`super::S3Settings`].
    S3,
}

/// The settings of the store for what the first one could not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FallbackSettings {
    /// What kind of store it is.
    pub kind: FallbackKind,
    /// The directory store's root. Empty: `fallback` in the data directory.
    pub path: PathBuf,
    /// How long after its end a recording waits for the first store.
    pub after: Period,
}

impl Default for FallbackSettings {
    fn default() -> Self {
        Self { kind: FallbackKind::None, path: PathBuf::new(), after: Period::from_mins(60) }
    }
}

/// Kinds of store to fall back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FallbackKind {
    /// There is none: recordings wait in the spool.
    None,
    /// A directory of this machine.
    Directory,
    /// A bucket.
    S3,
}

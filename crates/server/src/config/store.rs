//! `[store]`: where finished recordings go.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The settings of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// What kind of store it is.
    pub kind: StoreKind,
    /// The directory store's root. Empty: `media` in the data directory.
    pub path: PathBuf,
    /// Recordings put into the store at once.
    pub max_uploads: u32,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { kind: StoreKind::Directory, path: PathBuf::new(), max_uploads: 4 }
    }
}

/// Kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A directory of this machine.
    Directory,
}

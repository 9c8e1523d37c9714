//! `[push]`: who may push.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{AddressRange, HttpUrl, Period, Secret};

/// Who may push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PushSettings {
    /// How it is found out.
    pub authorization: PushAuthorization,
    /// Addresses that may push; empty: all.
    pub allow: Vec<AddressRange>,
    /// Addresses whose connections are closed at once.
    pub deny: Vec<AddressRange>,
    /// The key that push URLs are signed with, when `signed`.
    pub key: Secret,
    /// A file that holds the key.
    pub key_file: PathBuf,
    /// A second key that is good as well.
    pub backup_key: Secret,
    /// A file that holds the second key.
    pub backup_key_file: PathBuf,
    /// By which hash they are signed.
    pub hash: PushHash,
    /// A token that opens the door, when `token`.
    pub token: Secret,
    /// A file of tokens, one a line; any of them is good.
    pub token_file: PathBuf,
    /// Who is asked, when `http`.
    pub url: HttpUrl,
    /// How long the answer may take.
    pub timeout: Period,
    /// How long an answer holds for the same push from the same address.
    pub cache: Period,
    /// Questions under way at once.
    pub max_requests: u32,
    /// Every token that is good, from `token` and `token_file`.
    #[serde(skip)]
    pub tokens: Vec<Secret>,
}

impl Default for PushSettings {
    fn default() -> Self {
        Self {
            authorization: PushAuthorization::Open,
            allow: Vec::new(),
            deny: Vec::new(),
            key: Secret::default(),
            key_file: PathBuf::new(),
            backup_key: Secret::default(),
            backup_key_file: PathBuf::new(),
            hash: PushHash::Md5,
            token: Secret::default(),
            token_file: PathBuf::new(),
            url: HttpUrl::default(),
            timeout: Period::from_secs(5),
            cache: Period::from_millis(0),
            max_requests: 32,
            tokens: Vec::new(),
        }
    }
}

/// How it is found out who may push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushAuthorization {
    /// Everybody may.
    Open,
    /// Whose URL is signed, and has not expired (`txSecret`, `txTime`).
    Signed,
    /// Who brings a token (`?token=`).
    Token,
    /// Whom a server of the operator's allows.
    Http,
}

impl PushAuthorization {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Signed => "signed",
            Self::Token => "token",
            Self::Http => "http",
        }
    }
}

/// The hash of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PushHash {
    /// 32 hexadecimal digits.
    Md5,
    /// 64 hexadecimal digits.
    Sha256,
}

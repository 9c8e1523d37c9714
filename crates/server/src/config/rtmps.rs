//! `[rtmps]`: RTMP over TLS.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ListenAddress;

/// The settings of RTMP over TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RtmpsSettings {
    /// Where encoders push to over TLS; `None`: nowhere.
    #[serde(serialize_with = "to_text", deserialize_with = "from_text")]
    pub listen: Option<ListenAddress>,
    /// The file of the certificate and those between it and its authority (PEM).
    pub certificate: PathBuf,
    /// The file of its key (PEM).
    pub key: PathBuf,
}

fn to_text<S: Serializer>(address: &Option<ListenAddress>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_str(""),
    }
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ListenAddress>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

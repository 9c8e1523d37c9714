//! `[http]`: the API, the files and the metrics.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{AddressRange, HttpUrl, ListenAddress, Period, Secret};

/// The settings of the HTTP side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// Where the API listens. Beyond loopback only with a token.
    pub listen: ListenAddress,
    /// How others reach it: the start of every `url` in the API and in events. Empty: made from
    /// the address listened on.
    pub public_base_url: HttpUrl,
    /// The bearer token that requests must carry. Empty: none.
    pub token: Secret,
    /// A file of tokens, one a line; any of them is good.
    pub token_file: PathBuf,
    /// Whether `/media/` is served without a token.
    pub public_media: bool,
    /// What Tencent's older calls (`/common_access`) are signed with. Empty: there are none.
    pub tencent_key: Secret,
    /// A file that holds the key.
    pub tencent_key_file: PathBuf,
    /// Connections in all.
    pub max_connections: u32,
    /// How long a request's head may take to arrive, and its answer to be made. Sending a file may
    /// take longer.
    pub request_timeout: Period,
    /// Origins whose pages may ask, such as `https://console.example.com`; `*` is every one.
    pub cors_origins: Vec<String>,
    /// Proxies that are believed in `X-Forwarded-For`.
    pub trusted_proxies: Vec<AddressRange>,
    /// Requests a second, of each address and with each token; 0 is no limit.
    pub max_request_rate: u32,
    /// Wrong tokens a minute, of each address; 0 is no limit.
    pub max_failure_rate: u32,
    /// Every token that is good, from `token` and `token_file`.
    #[serde(skip)]
    pub tokens: Vec<Secret>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: ListenAddress::loopback(8080),
            public_base_url: HttpUrl::default(),
            token: Secret::default(),
            token_file: PathBuf::new(),
            public_media: false,
            tencent_key: Secret::default(),
            tencent_key_file: PathBuf::new(),
            max_connections: 1_000,
            request_timeout: Period::from_secs(30),
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            max_request_rate: 200,
            max_failure_rate: 20,
            tokens: Vec::new(),
        }
    }
}

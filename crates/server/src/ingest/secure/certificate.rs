//! The certificate of RTMP over TLS, which is renewed while connections come and go.
//!
//! Contract: a connection gets the certificate that was in force when it came. Files that were changed are read within
//! seconds, or at SIGHUP at once; while they do not fit together the certificate before them stays.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::Signal;
use tracing::{info, warn};

use crate::config::RtmpsSettings;

/// How often it is looked whether the files were changed.
const LOOK: Duration = Duration::from_secs(5);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {what} in PEM: {detail}", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The TLS library refuses them.
    #[error("the certificate and its key cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// The certificate in force. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
}

/// What tells whether files were changed.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// As configured.
    ///
    /// # Errors
    /// When the files cannot be read, or do not fit together.
    pub fn new(settings: &RtmpsSettings) -> Result<Self, CertificateError> {
        let (certificate, key) = (settings.certificate.clone(), settings.key.clone());
        let current = RwLock::new(load(&certificate, &key)?);
        Ok(Self(Arc::new(Inner { certificate, key, current })))
    }

    /// What connections that come now get.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps to what is in the files, until dropped.
    pub async fn follow(self, mut hangups: Signal) {
        let (mut loaded, mut refused) = (self.stamp().await, None);
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                _ = hangups.recv() => true,
            };
            let stamp = self.stamp().await;
            if !asked && (stamp == loaded || Some(stamp) == refused) {
                continue;
            }
            match self.reload().await {
                Ok(()) => {
                    (loaded, refused) = (stamp, None);
                    info!(certificate = %self.0.certificate.display(), "the certificate is read anew");
                }
                Err(problem) => {
                    refused = Some(stamp);
                    warn!("the certificate before stays in force: {problem}");
                }
            }
        }
    }

    async fn reload(&self) -> Result<(), String> {
        let inner = self.0.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&inner.certificate, &inner.key)).await;
        let config = loaded.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    async fn stamp(&self) -> Stamp {
        let inner = self.0.clone();
        let of = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        let stamp = tokio::task::spawn_blocking(move || [of(&inner.certificate), of(&inner.key)]).await;
        stamp.unwrap_or([None; 2])
    }
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, CertificateError> {
    let read = |path: &Path| fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source });
    let pem =
        |path: &Path, what: &'static str, detail: String| CertificateError::Pem { path: path.to_owned(), what, detail };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| pem(certificate, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(pem(certificate, "certificate", "there is none".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| pem(key, "key", error.to_string()))?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Arc::new(config))
}

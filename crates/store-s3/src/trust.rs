//! The HTTP client: which certificates it trusts.
//!
//! TLS is rustls with ring, as everywhere in the process. An authority of one's own is trusted beside the system's.

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use livetape_store::StoreError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tracing::warn;

/// A client that trusts the system's authorities and those in `ca_pem`. Reads the system's files.
///
/// # Errors
/// When `ca_pem` holds no certificate, or one that cannot be read: the SDK would panic at it.
pub(crate) fn http_client(ca_pem: Option<&[u8]>) -> Result<SharedHttpClient, StoreError> {
    // Asked first, since the SDK panics in debug builds where the system has none.
    let mut roots = RootCertStore::empty();
    let (native, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if native == 0 && ca_pem.is_none() {
        warn!("this system has no certificates of authorities, so no https endpoint of S3 is trusted");
    }
    let mut trust = TrustStore::empty().with_native_roots(native > 0);
    if let Some(pem) = ca_pem {
        check(pem)?;
        trust.add_pem_certificate(pem);
    }
    let refused = |error: &dyn std::fmt::Display| StoreError::Configuration { problem: error.to_string() };
    let context = TlsContext::builder().with_trust_store(trust).build().map_err(|error| refused(&error))?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build_https())
}

fn check(pem: &[u8]) -> Result<(), StoreError> {
    let wrong = |detail: String| StoreError::Configuration {
        problem: format!("the file of the store's certificate authorities must hold certificates in PEM: {detail}"),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("there is none in it".into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_an_error_and_no_panic() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for pem in ["", "hello", broken, cut] {
            let error = http_client(Some(pem.as_bytes())).unwrap_err();
            assert!(matches!(error, StoreError::Configuration { .. }), "{pem}: {error}");
        }
    }

    #[test]
    fn an_authority_of_ones_own_is_taken() {
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        http_client(Some(pem.as_bytes())).unwrap();
    }
}

//! Connections to receivers: only to addresses the policy allows, and to exactly those.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::address::AddressPolicy;

/// What one of several addresses is given at least.
const ADDRESS_TIMEOUT_MIN: Duration = Duration::from_millis(1500);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Opens TCP connections to receivers.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) policy: AddressPolicy,
    /// For resolving a name and connecting together.
    pub(super) connect_timeout: Duration,
}

impl Connector {
    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let limit = self.connect_timeout;
        let timeout = || io::Error::new(io::ErrorKind::TimedOut, format!("not connected within {limit:?}"));
        tokio::time::timeout(limit, self.connect_in_time(&uri)).await.unwrap_or_else(|_| Err(timeout()))
    }

    async fn connect_in_time(&self, uri: &Uri) -> io::Result<TokioIo<TcpStream>> {
        let allowed = self.resolve(uri).await?;
        let count = u32::try_from(allowed.len()).unwrap_or(1).max(1);
        let each = (self.connect_timeout / count).max(ADDRESS_TIMEOUT_MIN);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in allowed {
            match tokio::time::timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // One small request, then its answer: nothing to gather.
                    stream.set_nodelay(true)?;
                    return Ok(TokioIo::new(stream));
                }
                Ok(Err(error)) => last = io::Error::new(error.kind(), format!("connecting to {address}: {error}")),
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, format!("{address} does not answer")),
            }
        }
        Err(last)
    }

    /// The allowed addresses of the URL's host, whether it is a name or an address itself.
    async fn resolve(&self, uri: &Uri) -> io::Result<Vec<SocketAddr>> {
        let host = uri.host().unwrap_or("");
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => tokio::net::lookup_host((host, port)).await?.collect(),
        };
        let mut allowed: Vec<SocketAddr> =
            found.iter().copied().filter(|address| self.policy.allows(address.ip())).collect();
        if let (true, Some(refused)) = (allowed.is_empty(), found.first()) {
            let problem = format!(
                "the receiver's address {} may not be called (link-local, metadata or refused by the configuration); \
                 allow it in the configuration if it is meant",
                refused.ip()
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
        allowed.truncate(ADDRESSES_MAX);
        Ok(allowed)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

//! RTMP over TLS.
//!
//! A connection is served as every other, by a socket of its own; what comes over TLS is passed on to the other end of
//! that socket, within this host, and what goes the same way back. That costs a copy, and leaves the way of the others
//! as it is.

pub(super) mod certificate;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::connection::Connection;
use crate::metrics;
use certificate::Certificate;

/// What is passed on at once.
const RELAY_BYTES: usize = 64 << 10;
/// How long the last words may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves `connection`, which came over TLS as `stream`, to its end.
pub(super) async fn serve(
    stream: TcpStream,
    remote: SocketAddr,
    certificate: Certificate,
    handshake_timeout: Duration,
    connection: Connection,
    shutdown: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let handshake = TlsAcceptor::from(certificate.current()).accept(stream);
    let shaken = tokio::select! {
        () = shutdown.cancelled() => return,
        shaken = tokio::time::timeout(handshake_timeout, handshake) => shaken,
    };
    let mut secure = match shaken {
        Ok(Ok(secure)) => secure,
        Ok(Err(problem)) => return refused(remote, &problem.to_string()),
        Err(_) => return refused(remote, "it took too long"),
    };
    let (near, mut far) = match pair().await {
        Ok(pair) => pair,
        Err(problem) => {
            warn!(%remote, "closed: no socket for it: {problem}");
            return;
        }
    };
    let mut relay = pin!(async move {
        if let Err(problem) = copy_bidirectional_with_sizes(&mut secure, &mut far, RELAY_BYTES, RELAY_BYTES).await {
            debug!(%remote, "the TLS connection broke: {problem}");
        }
        // What came before is still read.
        let _ = far.shutdown().await;
        drop((secure, far));
    });
    let mut served = pin!(connection.run(near, shutdown));
    tokio::select! {
        () = &mut served => {
            // A peer that does not go is left.
            let _ = tokio::time::timeout(FAREWELL_TIMEOUT, relay).await;
        }
        () = &mut relay => served.await,
    }
}

fn refused(remote: SocketAddr, problem: &str) {
    metrics::connection_refused("tls_failed");
    debug!(%remote, "the TLS handshake failed: {problem}");
}

/// Two sockets that are each other's ends.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let ours = near.local_addr()?;
    loop {
        // Whoever else of this host has found the port is not listened to.
        let (far, from) = listener.accept().await?;
        if from == ours {
            far.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

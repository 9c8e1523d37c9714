//! Accepting HTTP connections.
//!
//! Contract: no more connections than allowed, none that takes long to send its request, none that
//! outlives the grace after `shutdown`. When the process has no file descriptors left, one connection
//! at a time is still answered: that is when somebody asks how it is.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Peer;
use crate::{descriptors, metrics};

/// How long accepting rests after it failed, as when there are no file descriptors left.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How long connections may take to end after `shutdown`.
const GRACE: Duration = Duration::from_secs(2);
/// The most of a request's head that is read.
const HEAD_MAX_BYTES: usize = 16 << 10;

/// Serves `router` on `listener` until `shutdown`, with at most `max_connections` at once. A
/// request's head must arrive within `head_timeout`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    head_timeout: Duration,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let connections = TaskTracker::new();
    let end = CancellationToken::new();
    let (spare, mut failing, mut by_spare) = (Spare::default(), false, false);
    loop {
        spare.keep();
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => {
                failing = false;
                accepted
            }
            Err(error) => {
                metrics::accept_failed();
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "HTTP connections cannot be accepted");
                }
                by_spare = is_out_of_descriptors(&error) && spare.give();
                if !by_spare {
                    tokio::time::sleep(ACCEPT_REST).await;
                }
                continue;
            }
        };
        // The one that has the spare descriptor is answered.
        if !std::mem::take(&mut by_spare) && descriptors::scarce_for_requests(&stream) {
            metrics::http_connection_refused();
            continue;
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            metrics::http_connection_refused();
            continue;
        };
        let (router, shutdown) = (router.clone().layer(Extension(Peer(remote))), shutdown.clone());
        let (end, spare) = (end.clone(), spare.clone());
        connections.spawn(async move {
            metrics::http_connection_opened();
            tokio::select! {
                () = connection(stream, router, head_timeout, shutdown) => {}
                () = end.cancelled() => {}
            }
            // Its descriptor is free now; somebody else may be waiting for it.
            spare.keep();
            metrics::http_connection_closed();
            drop(place);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        end.cancel();
        connections.wait().await;
    }
}

/// A file descriptor that is kept for when there are no others. Cheap to clone.
#[derive(Clone, Default)]
struct Spare(Arc<Mutex<Option<File>>>);

impl Spare {
    /// Takes one, unless it has one or there is none.
    fn keep(&self) {
        let mut file = self.lock();
        if file.is_none() {
            *file = File::open("/dev/null").ok();
        }
    }

    /// Gives it to whoever opens something next. Whether there was one.
    fn give(&self) -> bool {
        self.lock().take().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this process, or the whole host, has no file descriptors left.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].iter().any(|errno| number == Some(errno.raw_os_error()))
}

async fn connection(stream: TcpStream, router: Router, head_timeout: Duration, shutdown: CancellationToken) {
    // Small answers go at once. A socket that refuses this still works.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.cancelled() => {
            // The request under way is answered, then the connection ends.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

//! RTMP in: accepts connections and runs one task for each.
//!
//! A connection's task owns its socket, its protocol state and the recorders of what is published
//! on it, and calls them in line. It is run by threads that also carry out the batches of operations,
//! one at a time for each recorder (see `pool`). When more is waiting for the disk than allowed, the task stops reading, and TCP
//! slows the encoder down; when that lasts, the recorder that is why drops media (see `lane`).
//!
//! Memory is bounded: what waits for the disk in each recorder and in all of them, and what is held of
//! unfinished messages and fragments by each connection and by all.

mod admission;
mod arrivals;
mod authorization;
mod budget;
mod connection;
mod counts;
mod episode;
mod lane;
mod pool;
mod publication;
pub mod query;
mod secure;
mod socket;
mod space;
mod waiting;
mod warnings;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use livetape_catalog::{Applied, Catalog, CatalogError, Change};
use livetape_finalize::{Destination, Kept};
use livetape_media::{MediaTime, Now, WallTime};
use livetape_record::QualityLimits;
use livetape_rtmp::Limits;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

pub use crate::config::OnConflict;
pub use authorization::Authorization;
pub use budget::Budget;
pub use secure::certificate::{Certificate, CertificateError};

use crate::config::{ByteSize, Config};
use crate::descriptors;
use crate::live::Live;
use crate::metrics;
use crate::plans::Plans;
use connection::Connection;
use counts::Counts;
use episode::Episode;
use pool::Pool;
use publication::{Publication, Resumption};
use space::SpaceProbe;
use waiting::Waiting;
use warnings::Warnings;

/// How long the accept loop rests after it failed, as when there are no file descriptors left.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// Changes of sessions that may wait for the catalog at once. Far below what the catalog lets wait, so
/// that handing one over never waits.
const CHANGES_WAITING: usize = 1024;

/// Recorders of a stream that threads are kept ready for.
const RECORDERS: usize = 6;

/// What all connections share.
pub struct Context {
    /// Bounds of one connection.
    pub limits: Limits,
    /// How long what is published gathers before it is read.
    pub gather: Duration,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address.
    pub max_connections_per_address: usize,
    /// Bytes that may wait for the disk, for each recorder.
    pub max_held_bytes: usize,
    /// Bytes that wait for the disk, of all recorders.
    pub held: Arc<Budget>,
    /// Bytes of unfinished messages and fragments, of all connections.
    pub assembling: Arc<Budget>,
    /// How long a connection is not read because of one recorder before that drops media.
    pub stall_grace: Duration,
    /// How long something that should move may stand still before it is told.
    pub stall_warning: Duration,
    /// From when on the quality of what is sent is told.
    pub quality: QualityLimits,
    /// What happens to a push of a stream that is already live.
    pub on_conflict: OnConflict,
    /// Who may push.
    pub authorization: Arc<Authorization>,
    /// Whether, and how, recordings wait for their publisher.
    resumption: Resumption,
    /// Streams whose recordings do.
    waiting: Waiting,
    /// How each stream is recorded.
    pub plans: Plans,
    /// What is held of each stream for what begins to record it: media before the last key frame, bytes.
    pub preroll: MediaTime,
    /// Bytes of that, for each stream.
    pub max_preroll_bytes: usize,
    /// Bytes of that, of all streams.
    pub prerolls: Arc<Budget>,
    /// Where recordings go.
    pub destination: Arc<Destination>,
    /// Looks whether there is space.
    space: SpaceProbe,
    /// Tells of trouble.
    warnings: Warnings,
    /// Changes that may still be handed to the catalog.
    changes: Arc<Semaphore>,
    /// What is live.
    pub live: Live,
    /// The clocks.
    pub clock: Clock,
    /// Cancelled when no new publish is accepted any more.
    pub draining: CancellationToken,
    /// How many connections there are.
    counts: Arc<Counts>,
    /// Threads that write.
    pool: Pool,
    /// Tasks that outlive their connection: publications being finished.
    pub tasks: TaskTracker,
}

impl Context {
    /// What connections share as `config` wants it.
    pub fn new(
        config: &Config,
        authorization: Arc<Authorization>,
        plans: Plans,
        destination: Arc<Destination>,
        live: Live,
        draining: CancellationToken,
    ) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let bytes = |size: ByteSize| usize::try_from(size.bytes()).unwrap_or(usize::MAX);
        Self {
            limits: config.rtmp.limits(),
            gather: config.rtmp.gather.duration(),
            max_connections: count(config.rtmp.max_connections),
            max_connections_per_address: count(config.rtmp.max_connections_per_address),
            max_held_bytes: bytes(config.record.max_held_size),
            held: Budget::new(bytes(config.record.max_held_total), "waiting"),
            assembling: Budget::new(bytes(config.rtmp.max_total_memory), "assembling"),
            stall_grace: config.record.stall_grace.duration(),
            stall_warning: config.record.stall_warning.duration(),
            quality: config.quality.limits(),
            on_conflict: config.rtmp.on_conflict,
            authorization,
            resumption: Resumption::new(&config.record),
            waiting: Waiting::default(),
            plans,
            preroll: MediaTime::from(config.record.preroll.duration()),
            max_preroll_bytes: bytes(config.record.max_preroll_size),
            prerolls: Budget::new(bytes(config.record.max_preroll_total), "preroll"),
            warnings: Warnings::new(destination.catalog.clone()),
            destination,
            space: SpaceProbe::default(),
            changes: Arc::new(Semaphore::new(CHANGES_WAITING)),
            live,
            clock: Clock::default(),
            draining,
            counts: Arc::default(),
            pool: Pool::new(writing_threads(config)),
            tasks: TaskTracker::new(),
        }
    }

    /// Makes a change of the catalog and waits until it is durable.
    async fn change(&self, change: Change) -> Result<Applied, CatalogError> {
        let Ok(place) = self.changes.clone().acquire_owned().await else { return Err(CatalogError::Closed) };
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.catalog().submit(change, move |result| {
            drop(place);
            // Nobody waits any more when the connection's task was ended.
            let _ = sender.send(result);
        });
        receiver.await.unwrap_or(Err(CatalogError::Closed))
    }

    fn catalog(&self) -> &Catalog {
        &self.destination.catalog
    }
}

/// Two threads for each recorder there can be (what it writes, and the end of what it wrote before): writers that a
/// disk lets hang stand in nobody's way.
fn writing_threads(config: &Config) -> usize {
    let connections = usize::try_from(config.rtmp.max_connections).unwrap_or(usize::MAX);
    connections.saturating_mul(RECORDERS).saturating_mul(2)
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock {
    /// What they show.
    pub fn now(&self) -> Now {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Now { mono: self.origin.elapsed(), wall: WallTime::from_unix_millis(wall) }
    }

    /// When [`Now::mono`] shows this.
    fn instant_of(&self, mono: Option<Duration>) -> Option<tokio::time::Instant> {
        Some(tokio::time::Instant::from_std(self.origin.checked_add(mono?)?))
    }
}

/// Has streams wait for their publishers whose process died. To be called before anything listens, on the runtime.
pub fn wait_on(kept: Vec<Kept>, context: &Arc<Context>) {
    for kept in kept {
        let stream = format!("{}/{}", kept.session.app, kept.session.stream);
        match Publication::reopened(kept, context, context.clock.now()) {
            Some(publication) => drop(context.tasks.spawn(publication.wait_on(context.clock))),
            None => {
                error!(stream, "two publications of one stream were left; the recordings of one wait for a restart")
            }
        }
    }
}

/// Accepts connections until `shutdown`; returns when every connection has ended.
pub async fn run(listener: TcpListener, context: Arc<Context>, shutdown: CancellationToken) {
    accept(listener, None, context, shutdown).await;
}

/// The same over TLS.
pub async fn run_secure(
    listener: TcpListener,
    certificate: Certificate,
    context: Arc<Context>,
    shutdown: CancellationToken,
) {
    accept(listener, Some(certificate), context, shutdown).await;
}

async fn accept(
    listener: TcpListener,
    certificate: Option<Certificate>,
    context: Arc<Context>,
    shutdown: CancellationToken,
) {
    let connections = TaskTracker::new();
    let (mut failures, mut crowded, mut shut_out) = (Episode::default(), Episode::default(), Episode::default());
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            // A listener on every address shows IPv4 clients as ::ffff:192.0.2.1.
            Ok((stream, remote)) => {
                if let Some(failures) = failures.ended() {
                    warn!(failures, "RTMP connections are accepted again");
                }
                (stream, SocketAddr::new(remote.ip().to_canonical(), remote.port()))
            }
            Err(problem) => {
                metrics::accept_failed();
                if let Some(failures) = failures.happened(context.clock.now().mono) {
                    warn!(failures, "RTMP connections cannot be accepted: {problem}");
                }
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        if context.authorization.shuts_out(remote.ip()) {
            metrics::connection_refused("denied_address");
            if let Some(refused) = shut_out.happened(context.clock.now().mono) {
                warn!(%remote, refused, "refused: connections from this address are closed (push.deny)");
            }
            continue;
        }
        if descriptors::scarce_for_connections(&stream) {
            metrics::connection_refused("too_many_files");
            if let Some(refused) = crowded.happened(context.clock.now().mono) {
                warn!(refused, "RTMP connections are refused: half of the files this process may open are open");
            }
            continue;
        }
        let Some(ticket) = context.counts.admit(remote, &context) else {
            continue;
        };
        let connection = Connection::new(context.clone(), remote);
        let shutdown = shutdown.child_token();
        let (certificate, handshake_timeout) = (certificate.clone(), context.limits.handshake_timeout);
        let task = context.pool.spawn(async move {
            match certificate {
                None => connection.run(stream, shutdown).await,
                Some(certificate) => {
                    secure::serve(stream, remote, certificate, handshake_timeout, connection, shutdown).await;
                }
            }
        });
        connections.spawn(async move {
            if task.await.is_err() {
                metrics::task_panicked("connection");
                error!(%remote, "a connection's task died; its recordings are completed at the next start");
            }
            drop(ticket);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
    context.tasks.close();
    context.tasks.wait().await;
}

/// Sleeps until `deadline`; for ever when there is none.
async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

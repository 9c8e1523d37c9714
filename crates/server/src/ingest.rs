//! RTMP in: accepts connections and runs one task for each.
//!
//! A connection's task owns its socket, its protocol state and the recorders of what is published
//! on it, and calls them in line; batches of operations go to the blocking pool, one at a time for
//! each recorder. When more is waiting for the disk than allowed, the task stops reading, and TCP
//! slows the encoder down.

mod admission;
mod connection;
mod lane;
mod publication;
mod query;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use livetape_catalog::{Applied, Catalog, CatalogError, Change};
use livetape_finalize::Destination;
use livetape_media::{Now, WallTime};
use livetape_record::Policy;
use livetape_rtmp::Limits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, warn};

pub use crate::config::OnConflict;

use crate::live::Live;
use crate::metrics;
use connection::Connection;

/// How long the accept loop rests after it failed, as when there are no file descriptors left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What all connections share.
pub struct Context {
    /// Bounds of one connection.
    pub limits: Limits,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections from one address.
    pub max_connections_per_address: usize,
    /// Bytes of media that may wait for the disk, for each connection.
    pub max_held_bytes: usize,
    /// What happens to a push of a stream that is already live.
    pub on_conflict: OnConflict,
    /// How each stream is recorded, one policy for each format.
    pub policies: Vec<Policy>,
    /// Where recordings go.
    pub destination: Arc<Destination>,
    /// What is live.
    pub live: Live,
    /// The clocks.
    pub clock: Clock,
    /// Cancelled when no new publish is accepted any more.
    pub draining: CancellationToken,
    /// Tasks that outlive their connection: publications being finished.
    pub tasks: TaskTracker,
}

impl Context {
    /// Makes a change of the catalog and waits until it is durable.
    async fn change(&self, change: Change) -> Result<Applied, CatalogError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.catalog().submit(change, move |result| {
            // Nobody waits any more when the connection's task was ended.
            let _ = sender.send(result);
        });
        receiver.await.unwrap_or(Err(CatalogError::Closed))
    }

    fn catalog(&self) -> &Catalog {
        &self.destination.catalog
    }

    /// Whether there is space to begin a recording; if not, why.
    async fn check_space(&self) -> Result<(), String> {
        let destination = self.destination.clone();
        let space = tokio::task::spawn_blocking(move || destination.spool.space()).await;
        let min = self.destination.min_free_bytes;
        match space {
            Ok(Ok(space)) if space.free_bytes >= min => Ok(()),
            Ok(Ok(space)) => Err(format!(
                "the recorder's disk is low: {} bytes are free, {min} are wanted (record.min_free)",
                space.free_bytes
            )),
            Ok(Err(problem)) => Err(format!("the recorder's disk cannot be looked at: {problem}")),
            Err(problem) => Err(format!("the recorder's disk cannot be looked at: {problem}")),
        }
    }
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

/// Accepts connections until `shutdown`; returns when every connection has ended.
pub async fn run(listener: TcpListener, context: Arc<Context>, shutdown: CancellationToken) {
    let counts = Arc::new(Counts::default());
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            // A listener on every address shows IPv4 clients as ::ffff:192.0.2.1.
            Ok((stream, remote)) => (stream, SocketAddr::new(remote.ip().to_canonical(), remote.port())),
            Err(problem) => {
                warn!("accepting an RTMP connection: {problem}");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let Some(ticket) = counts.admit(remote, &context) else {
            continue;
        };
        let connection = Connection::new(context.clone(), remote);
        let shutdown = shutdown.child_token();
        let task = connections.spawn(connection.run(stream, shutdown));
        connections.spawn(async move {
            if let Err(problem) = task.await
                && problem.is_panic()
            {
                metrics::task_panicked("connection");
                error!(%remote, "a connection's task died; its recordings are completed at the next start: {problem}");
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

/// How many connections there are, in all and from each address.
#[derive(Default)]
struct Counts {
    by_address: Mutex<BTreeMap<IpAddr, usize>>,
}

/// One connection's place in the count.
struct Ticket {
    counts: Arc<Counts>,
    address: IpAddr,
}

impl Counts {
    fn admit(self: &Arc<Self>, remote: SocketAddr, context: &Context) -> Option<Ticket> {
        let address = remote.ip().to_canonical();
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = by_address.values().sum();
        let here = by_address.get(&address).copied().unwrap_or(0);
        if total >= context.max_connections {
            metrics::connection_refused("too_many");
            warn!(%remote, "refused: {total} connections are open (rtmp.max_connections)");
            return None;
        }
        if here >= context.max_connections_per_address {
            metrics::connection_refused("too_many_from_address");
            warn!(%remote, "refused: {here} connections from this address are open (rtmp.max_connections_per_address)");
            return None;
        }
        by_address.insert(address, here + 1);
        metrics::connection_opened();
        Some(Ticket { counts: self.clone(), address })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut by_address = self.counts.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
        metrics::connection_closed();
    }
}

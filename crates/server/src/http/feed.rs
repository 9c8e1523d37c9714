//! Events as they happen: `text/event-stream`.
//!
//! Contract: every event after the one that is asked for, once and in order, for as long as the client reads. What
//! it does not read waits in the index. A comment every 15 s keeps the connection known to be alive. The number of
//! clients is bounded. All end with the service.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use livetape_catalog::{Catalog, EventRow};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::{Problem, blocking};

/// Clients at once.
const CLIENTS: usize = 64;
/// Bytes that wait for a client.
const BUFFER_BYTES: usize = 64 << 10;
/// Events read at a time.
const BATCH: usize = 100;
/// How often something is said at least.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a client may take for what waits for it.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Tells when there are new events. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    catalog: Catalog,
    news: watch::Receiver<()>,
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Feed {
    /// Of the events of `catalog`, until `shutdown`.
    pub fn new(catalog: &Catalog, shutdown: CancellationToken) -> Self {
        let (sender, news) = watch::channel(());
        catalog.when_events(move || {
            sender.send_replace(());
        });
        Self { catalog: catalog.clone(), news, places: Arc::new(Semaphore::new(CLIENTS)), shutdown }
    }

    /// The events after `sequence`, without end.
    ///
    /// # Errors
    /// When there are too many clients.
    pub(super) fn follow(&self, sequence: i64) -> Result<Response, Problem> {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return Err(Problem::unavailable("too_many_streams", "too many clients follow the events; try again"));
        };
        let (reader, writer) = tokio::io::duplex(BUFFER_BYTES);
        let (feed, shutdown) = (self.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = feed.write(writer, sequence) => {}
                () = shutdown.cancelled() => {}
            }
            drop(place);
        });
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        Ok((headers, Body::from_stream(ReaderStream::new(reader))).into_response())
    }

    /// Ends when the client does, or the index cannot be read: it comes back with the id of the last it had.
    async fn write(mut self, mut client: DuplexStream, mut sequence: i64) {
        if !say(&mut client, ": livetape\n\n").await {
            return;
        }
        loop {
            self.news.borrow_and_update();
            let catalog = self.catalog.clone();
            let Ok(rows) = blocking("reading events", move || catalog.events_after(sequence, BATCH)).await else {
                return;
            };
            for row in &rows {
                if !say(&mut client, &text(row)).await {
                    return;
                }
                sequence = row.sequence;
            }
            if !rows.is_empty() {
                continue;
            }
            match tokio::time::timeout(HEARTBEAT, self.news.changed()).await {
                Ok(Ok(())) => {}
                // The catalog has been closed.
                Ok(Err(_)) => return,
                Err(_) if !say(&mut client, ":\n\n").await => return,
                Err(_) => {}
            }
        }
    }
}

/// Writes `text`; whether the client took it in time.
async fn say(client: &mut DuplexStream, text: &str) -> bool {
    matches!(tokio::time::timeout(READ_TIMEOUT, client.write_all(text.as_bytes())).await, Ok(Ok(())))
}

/// The event: its place is the id to come back with. A body is JSON on one line.
fn text(row: &EventRow) -> String {
    format!("id: {}\nevent: {}\ndata: {}\n\n", row.sequence, row.kind, row.body)
}

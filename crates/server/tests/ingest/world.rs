//! Ingest without HTTP, uploads and webhooks: a listener, a disk that can hang, a catalog.

use std::net::SocketAddr;
use std::sync::Arc;

use livetape_catalog::{Addresses, Catalog, Options, RecordingRow};
use livetape_disk::Spool;
use livetape_finalize::Destination;
use livetape_record::SessionId;
use livetape_server::config::Config;
use livetape_server::ingest::{Authorization, Context, run};
use livetape_server::live::{Live, LiveRecording, StreamView};
use livetape_server::plans::Plans;
use livetape_testkit::deadline::eventually;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::disk::SlowDisk;

pub(crate) struct World {
    pub(crate) disk: SlowDisk,
    pub(crate) live: Live,
    pub(crate) catalog: Catalog,
    pub(crate) context: Arc<Context>,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    runtime: Option<Runtime>,
    _directory: TempDir,
}

impl World {
    /// With settings as a configuration file has them.
    pub(crate) fn new(settings: &str) -> Self {
        let config: Config = toml::from_str(settings).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let disk = SlowDisk::default();
        let options = Options { addresses: Addresses::new("http://tape.test"), ..Options::default() };
        let catalog = Catalog::open(&directory.path().join("livetape.db"), options).unwrap();
        let destination = Destination {
            catalog: catalog.clone(),
            spool: Spool::open(Arc::new(disk.clone()), directory.path()).unwrap(),
            sync_interval: config.record.sync_interval.duration(),
            min_free_bytes: config.record.min_free.bytes(),
            told: Box::new(|_| {}),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (live, stop) = (Live::default(), CancellationToken::new());
        let authorization = Arc::new(Authorization::new(&config.push).unwrap());
        let plans = Plans::open(&config, &catalog, &live).unwrap();
        let context = Context::new(&config, authorization, plans, Arc::new(destination), live.clone(), stop.clone());
        let context = Arc::new(context);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(run(listener, context.clone(), stop.clone()));
        Self { disk, live, catalog, context, address, stop, runtime: Some(runtime), _directory: directory }
    }

    /// A live stream.
    pub(crate) fn stream(&self, name: &str) -> Option<StreamView> {
        self.live.streams().into_iter().find(|stream| stream.stream == name)
    }

    /// The open recording of a stream in one format.
    pub(crate) fn recording(&self, name: &str, format: &str) -> Option<LiveRecording> {
        self.stream(name)?.recordings.into_iter().find(|recording| recording.format == format)
    }

    /// How many bytes a file of a recording has in the spool; none when it is not there.
    pub(crate) fn spooled(&self, id: &str, file: &str) -> u64 {
        let directory = self.context.destination.spool.directory(id).unwrap();
        std::fs::metadata(directory.join(file)).map_or(0, |metadata| metadata.len())
    }

    /// Waits until a stream is recorded in `formats` formats, each on the disk.
    pub(crate) fn wait_recorded(&self, name: &str, formats: usize) -> StreamView {
        eventually(format!("{name} is recorded"), || match self.stream(name) {
            Some(view) if view.recordings.len() == formats && view.durable_until_ms > 0 => Ok(view),
            other => Err(format!("{other:?}")),
        })
    }

    /// Warnings of one kind of a session that have become events, by their details.
    pub(crate) fn warnings(&self, session: &str, kind: &str) -> Vec<String> {
        let events = self.catalog.events_after(0, 10_000).unwrap();
        let bodies = events.iter().filter(|event| event.kind == "recording.warning").map(|event| {
            let body: Value = serde_json::from_str(&event.body).unwrap();
            body["data"].clone()
        });
        let of_kind = bodies.filter(|data| data["kind"] == kind && data["session_id"] == session);
        of_kind.map(|data| data["detail"].as_str().unwrap().to_owned()).collect()
    }

    /// The recordings that events of this type tell of, in order.
    pub(crate) fn told_of(&self, session: &str, kind: &str) -> Vec<String> {
        let events = self.catalog.events_after(0, 10_000).unwrap();
        let bodies = events.iter().filter(|event| event.kind == kind).map(|event| {
            let body: Value = serde_json::from_str(&event.body).unwrap();
            body["data"].clone()
        });
        let of_session = bodies.filter(|data| data["session_id"] == session);
        of_session.map(|data| data["id"].as_str().unwrap().to_owned()).collect()
    }

    /// What is said of a recording's integrity.
    pub(crate) fn report(&self, row: &RecordingRow) -> Value {
        serde_json::from_str(&self.catalog.report(&row.id).unwrap().unwrap()).unwrap()
    }

    /// The rows of a session in one format, in order, once the session has ended.
    pub(crate) fn rows(&self, session: &str, format: &str) -> Vec<RecordingRow> {
        let id: SessionId = session.parse().unwrap();
        eventually("the session has ended", || {
            let ended = self.catalog.session(&id).unwrap().is_some_and(|row| row.ended_at.is_some());
            ended.then_some(()).ok_or_else(|| "it has not".to_owned())
        });
        let mut rows = self.catalog.recordings_of(&id).unwrap();
        rows.retain(|row| row.id.format.name() == format);
        rows.sort_by_key(|row| row.id.sequence);
        rows
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.disk.heal();
        self.stop.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

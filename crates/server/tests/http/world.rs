//! A service without sockets: an index, a spool, a store, and the router over them.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use livetape_catalog::{Addresses, Catalog, Change, Facts, NewRecording, NewSession, Options, StoreRole};
use livetape_disk::{RealDisk, Spool};
use livetape_finalize::{Announcer, Counters, Policy, Retention, Tools, WallClock};
use livetape_media::{Format, MediaTime, WallTime};
use livetape_mux::{FileName, Progress};
use livetape_record::{RecordingId, SessionId, StreamPath};
use livetape_server::config::{Config, Secret, Webhook};
use livetape_server::http::keyring::Keyring;
use livetape_server::http::{Access, Api, EventTail, Feed, UrlLifetime, router};
use livetape_server::live::{Live, LiveSession, Place};
use livetape_server::plans::Plans;
use livetape_server::stores::Stores;
use livetape_server::webhooks::{EndpointMaker, Webhooks};
use livetape_store::{ContentType, DirectoryStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(work)
}

pub(crate) struct World {
    directory: TempDir,
    pub(crate) api: Api,
    router: Router,
    pub(crate) keyring: Keyring,
    /// The task that deletes, which does nothing yet.
    deleting: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

/// The webhook of the configuration, at whose address nobody is.
pub(crate) const CONFIGURED: &str = "configured";

fn config_webhooks() -> Vec<Webhook> {
    vec![Webhook {
        name: CONFIGURED.to_owned(),
        url: "http://127.0.0.1:9/hook?key=hunter2".parse().unwrap(),
        secret: Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        events: vec!["recording.failed".to_owned()],
        ..Webhook::default()
    }]
}

/// What Tencent's older calls are signed with.
pub(crate) const TENCENT_KEY: &str = "testkey123";

/// When everything happens.
pub(crate) const NOW: i64 = 1_795_381_620_000;

pub(crate) fn session(number: u128) -> SessionId {
    SessionId(uuid::Uuid::from_u128(0x7000_8000_0000_0000_0000 + number))
}

impl World {
    pub(crate) fn new() -> Self {
        Self::build(&[], false, 0)
    }

    pub(crate) fn with_tokens(tokens: &[&str], public_media: bool) -> Self {
        Self::build(tokens, public_media, 0)
    }

    /// One that wants so many bytes free.
    pub(crate) fn wanting(min_free_bytes: u64) -> Self {
        Self::build(&[], false, min_free_bytes)
    }

    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<World> = LazyLock::new(World::new);
        &SHARED
    }

    fn build(tokens: &[&str], public_media: bool, min_free_bytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let endpoints = vec![CONFIGURED.to_owned()];
        let options = Options { addresses: Addresses::new("http://tape.test"), endpoints, gate: None };
        let catalog = Catalog::open(&directory.path().join("livetape.db"), options).unwrap();
        let tail = Arc::new(EventTail::new(&catalog).unwrap());
        let store = Arc::new(DirectoryStore::open(Arc::new(RealDisk), &directory.path().join("media")).unwrap());
        let spool = Spool::open(Arc::new(RealDisk), directory.path()).unwrap();
        let tools = Tools {
            catalog: catalog.clone(),
            spool: spool.clone(),
            store: store.clone(),
            fallback: None,
            wall: Arc::new(|| WallTime::from_unix_millis(NOW)),
            counters: Arc::default(),
        };
        let (retention, deleting) = Retention::new(tools, Policy::default(), CancellationToken::new());
        let counters: Arc<Counters> = Arc::default();
        let wall: WallClock = Arc::new(|| WallTime::from_unix_millis(NOW));
        let maker = EndpointMaker::new(&Config::default(), Live::default());
        let configured = config_webhooks();
        let endpoints = maker.all(&configured, &catalog).unwrap();
        let (announcer, announcing) = Announcer::new(&catalog, endpoints, &wall, &counters, CancellationToken::new());
        RUNTIME.spawn(announcing);
        let webhooks = Webhooks::new(catalog.clone(), announcer, configured, maker);
        let live = Live::default();
        let plans = Plans::open(&Config::default(), &catalog, &live).unwrap();
        let api = Api {
            plans,
            feed: Feed::new(&catalog, CancellationToken::new()),
            catalog,
            webhooks,
            wall,
            stores: Stores { primary: store, fallback: None },
            url_lifetime: UrlLifetime { primary: Duration::from_secs(60), fallback: Duration::from_secs(60) },
            spool,
            live,
            tail,
            counters,
            retention,
            draining: CancellationToken::new(),
            min_free_bytes,
        };
        let tokens: Vec<Secret> = tokens.iter().map(|token| Secret::new(token)).collect();
        let keyring = Keyring::new(&tokens, true);
        let access = Access {
            keyring: keyring.clone(),
            public_media,
            tencent_key: Secret::new(TENCENT_KEY),
            request_timeout: Duration::from_secs(30),
            cors_origins: tokens.iter().map(|_| "https://console.example.com".to_owned()).collect(),
            trusted_proxies: Vec::new(),
            max_request_rate: 0,
            max_failure_rate: 0,
        };
        let router = router(api.clone(), &access);
        Self { directory, api, router, keyring, deleting: Mutex::new(Some(Box::pin(deleting))) }
    }

    /// Lets what is being deleted be deleted, for as long as it takes to be gone.
    pub(crate) fn delete_until(&self, gone: impl Fn() -> bool) {
        let mut deleting = self.deleting.lock().unwrap().take().unwrap();
        let look = async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        };
        block_on(async {
            tokio::select! {
                () = &mut deleting => panic!("the task has ended"),
                () = look => {}
            }
        });
        *self.deleting.lock().unwrap() = Some(deleting);
    }

    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

    /// A recording that grows: its rows.
    pub(crate) fn growing(&self, number: u128, stream: &str, format: Format) -> RecordingId {
        let id = RecordingId { session: session(number), format, sequence: 1 };
        let started_at = WallTime::from_unix_millis(NOW);
        let new = NewSession {
            id: id.session,
            app: "live".to_owned(),
            stream: stream.to_owned(),
            query: String::new(),
            remote_addr: "192.0.2.1:5000".to_owned(),
            tc_url: "rtmp://push.test/live".to_owned(),
            encoder: "test".to_owned(),
            started_at,
        };
        self.api.catalog.apply(Change::SessionStarted(new)).unwrap();
        let opened = NewRecording {
            task: None,
            keep: livetape_record::Keep::default(),
            id,
            app: "live".to_owned(),
            stream: stream.to_owned(),
            key: key(number, stream, format),
            started_at,
            start: MediaTime::ZERO,
            start_reason: "publish".to_owned(),
            video: None,
            audio: None,
        };
        self.api.catalog.apply(Change::RecordingOpened(opened)).unwrap();
        id
    }

    /// A recording that is in the store and announced.
    pub(crate) fn ready(&self, number: u128, stream: &str, format: Format, media: &[u8]) -> RecordingId {
        self.ready_at(number, stream, format, media, NOW + 2_500)
    }

    /// The same, since this moment.
    pub(crate) fn ready_at(&self, number: u128, stream: &str, format: Format, media: &[u8], at_ms: i64) -> RecordingId {
        let id = self.growing(number, stream, format);
        self.stored(&key(number, stream, format), media);
        let size_bytes = media.len() as u64;
        let facts = Facts { size_bytes, duration: Duration::from_millis(2_500), ..Facts::default() };
        let ended_at = WallTime::from_unix_millis(NOW + 2_500);
        let reason = "unpublish".to_owned();
        let lost = Duration::ZERO;
        let finished = Change::RecordingFinished { id, ended_at, reason, facts, recovered: false, lost };
        self.api.catalog.apply(finished).unwrap();
        self.api
            .catalog
            .apply(Change::RecordingReady {
                id,
                at: WallTime::from_unix_millis(at_ms),
                size_bytes,
                store: StoreRole::Primary,
            })
            .unwrap();
        self.api.catalog.apply(Change::SpoolEvicted { id }).unwrap();
        id
    }

    /// Puts an object into the store; its path in URLs.
    pub(crate) fn stored(&self, key: &str, media: &[u8]) -> String {
        let parsed = key.parse().unwrap();
        let data = Bytes::copy_from_slice(media);
        let put = self.api.stores.primary.put_bytes(&parsed, data, ContentType::of_key(&parsed));
        block_on(put).unwrap();
        format!("/media/{}", key.replace('%', "%25"))
    }

    /// Writes a file of a recording into the spool, under this name.
    pub(crate) fn spool_file(&self, id: RecordingId, name: &str, contents: &[u8]) {
        let some = FileName::new("media.m3u8").unwrap();
        let path: PathBuf = self.api.spool.path(&id.to_string(), &some).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path.with_file_name(name), contents).unwrap();
    }

    /// The session is live, and its recording has come this far.
    pub(crate) fn live(&self, number: u128, stream: &str, id: RecordingId, size_bytes: u64, millis: u64) -> Place {
        let path = StreamPath { app: "live".to_owned(), name: stream.to_owned() };
        let (close, _) = tokio::sync::mpsc::channel(1);
        let remote = "192.0.2.1:5000".to_owned();
        let new = LiveSession::new(session(number), path, remote, WallTime::from_unix_millis(NOW), close);
        let Ok(place) = self.api.live.enter(new) else { panic!("{stream} is live already") };
        let duration = Duration::from_millis(millis);
        let progress = Progress { size_bytes, duration, ..Progress::default() };
        place.session().recording_began(id, None, &key(number, stream, id.format), MediaTime::ZERO);
        place.session().recording(id, progress);
        place
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        block_on(Answer::of(self.router.clone(), method, path, headers))
    }

    /// A request with a body.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        block_on(Answer::sent(self.router.clone(), method, path, body))
    }

    /// A request with a body and a token.
    pub(crate) fn send_as(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        block_on(Answer::to(self.router.clone(), request.body(Body::from(body.to_owned())).unwrap()))
    }

    /// The router, for requests whose answers have no end.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// One number of `/metrics`; 0 when it is not there yet.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

fn key(number: u128, stream: &str, format: Format) -> String {
    match format {
        Format::Hls => format!("live/{stream}/{number}-hls/index.m3u8"),
        _ => format!("live/{stream}/{number}.{format}"),
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn of(router: Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::to(router, request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn sent(router: Router, method: &str, path: &str, body: &str) -> Self {
        let request = Request::builder().method(method).uri(path);
        Self::to(router, request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn to(router: Router, request: Request<Body>) -> Self {
        let response = router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Self { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    pub(crate) fn is_problem(&self, status: StatusCode, code: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!((&problem["status"], &problem["code"]), (&status.as_u16().into(), &code.into()), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
}

/// Holds `value` against `schema` of an OpenAPI description; members that are not described are
/// mistakes too.
pub(crate) fn conforms(description: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        let target = description.pointer(pointer).unwrap_or_else(|| panic!("{reference} is not described"));
        return conforms(description, target, value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let choice = choices.iter().find(|choice| (choice["type"] == "null") == value.is_null());
        return conforms(description, choice.unwrap_or_else(|| panic!("{place}: {value}")), value, place);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => panic!("{place}: no type in {schema}"),
    };
    let fits = types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
    assert!(fits, "{place}: {value} is not {types:?}");
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{place}: {value} is not in {allowed:?}");
    }
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                conforms(description, &schema["items"], item, &format!("{place}[{at}]"));
            }
        }
        Value::Object(members) => {
            let Some(properties) = schema["properties"].as_object() else { return };
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(name.as_str().unwrap()), "{place}: no {name}");
            }
            for (name, member) in members {
                let property = properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
                conforms(description, property, member, &format!("{place}.{name}"));
            }
        }
        _ => {}
    }
}

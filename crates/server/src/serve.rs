//! `livetape serve`: everything put together, started in order, and stopped in order.
//!
//! Starting: addresses bound (not yet listening), data directory locked, index, spool and store
//! opened, what a crash left recovered, uploads and webhooks resumed, and only then listening.
//!
//! Stopping, at SIGTERM or SIGINT: `/readyz` says no, RTMP stops listening, every recording is
//! finished, uploads and events are flushed, HTTP ends last; all within `shutdown.timeout`. What is
//! left is completed by the next start. A second signal stops at once; so may SIGKILL at any moment.

mod bind;
mod open;
mod policy;
mod pulse;
mod reload;
mod tasks;

use std::future::Future;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use livetape_catalog::{RecordingRow, SessionRow};
use livetape_finalize::{
    Announcer, Counters, Destination, FinalizeError, Finalizer, FinalizerOptions, Keep, Kept, KeptRecording, Recovered,
    Refusal, Report, Retention, Tools, recover_keeping, system_clock,
};
use livetape_record::{Policy, StreamPath};
use livetape_rtmp::Query;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Config, LogFormat};
use crate::demo::{self, Demo};
use crate::descriptors;
use crate::http::keyring::Keyring;
use crate::http::{self, Access, Api, EventTail, Feed, UrlLifetime};
use crate::ingest::{self, Authorization, Certificate, Context};
use crate::live::Live;
use crate::metrics;
use crate::plans::Plans;
use crate::signals::{self, Signals};
use crate::webhooks::{EndpointMaker, Webhooks};

use open::{Opened, blocking, open};
use reload::Changing;
use tasks::Tasks;

pub use bind::{BindError, Bound};
pub(crate) use open::refuse_lost_index;
pub use reload::Reader;

/// How long tasks may take to end once nothing is left for them to do.
const END_GRACE: Duration = Duration::from_secs(2);

/// Where the service can be reached.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Where encoders push to.
    pub rtmp: SocketAddr,
    /// Where the API is.
    pub http: SocketAddr,
    /// The start of every URL.
    pub public_base: String,
}

/// Runs the service until a signal stops it; with a demonstration, until that has ended if it
/// shall. At SIGHUP the configuration is read anew by `reader`.
///
/// # Errors
/// When it cannot start, or a part it cannot do without has ended by a fault of the program.
pub async fn run(config: Config, reader: Reader, demo: Option<Demo>) -> Result<(), anyhow::Error> {
    let mut signals = Signals::install().context("taking over signals")?;
    // From here on: a hangup that comes too early waits.
    let hangups = signals::hangups().context("taking over SIGHUP")?;
    signals::survive_file_size_limit().context("taking over SIGXFSZ")?;
    descriptors::raise().context("raising the limit on open files")?;
    metrics::init();

    let rtmp = Bound::new(config.rtmp.listen).context("rtmp.listen")?;
    let http = Bound::new(config.http.listen).context("http.listen")?;
    let addresses = Addresses {
        rtmp: rtmp.address(),
        http: http.address(),
        public_base: public_base(config.http.public_base_url.reveal(), http.address()),
    };
    let secure = Secure::new(&config)?;
    let opened = open(&config, addresses.public_base.clone()).await?;
    let service = tokio::select! {
        started = Service::start(config, opened, Listeners { rtmp, secure, http }, addresses) => started?,
        signal = signals.next() => {
            info!(signal, "stopped before it was started; the next start goes on from here");
            return Ok(());
        }
    };
    let (mut service, changing) = service;
    service.tasks.spawn("configuration", reload::follow(changing, reader, hangups));
    service.run_until_stopped(signals, demo).await
}

/// Where it will listen.
struct Listeners {
    rtmp: Bound,
    secure: Option<Secure>,
    http: Bound,
}

/// Where it will listen for TLS.
struct Secure {
    bound: Bound,
    certificate: Certificate,
}

impl Secure {
    /// `None`: nowhere.
    fn new(config: &Config) -> Result<Option<Self>, anyhow::Error> {
        let Some(listen) = config.rtmps.listen else { return Ok(None) };
        let bound = Bound::new(listen).context("rtmps.listen")?;
        let certificate = Certificate::new(&config.rtmps).context("rtmps.certificate")?;
        Ok(Some(Self { bound, certificate }))
    }
}

/// The running service.
struct Service {
    config: Config,
    addresses: Addresses,
    opened: Opened,
    live: Live,
    finalizer: Finalizer,
    announcer: Announcer,
    tasks: Tasks,
    /// No new publish is accepted.
    draining: CancellationToken,
    /// RTMP ends.
    stop_rtmp: CancellationToken,
    /// Uploads and webhooks end.
    stop_finalize: CancellationToken,
    /// HTTP ends.
    stop_http: CancellationToken,
}

impl Service {
    async fn start(
        config: Config,
        opened: Opened,
        listeners: Listeners,
        addresses: Addresses,
    ) -> Result<(Self, Changing), anyhow::Error> {
        let Listeners { rtmp, secure, http } = listeners;
        let wall = system_clock();
        let tail = blocking({
            let catalog = opened.catalog.clone();
            move || Ok(EventTail::new(&catalog)?)
        });
        let tail = Arc::new(tail.await?);
        let live = Live::default();
        let plans = blocking({
            let (config, catalog, live) = (config.clone(), opened.catalog.clone(), live.clone());
            move || Ok(Plans::open(&config, &catalog, &live)?)
        });
        let plans = plans.await?;
        plans.tasks.begun_before(wall());
        let (recovered, kept) = recovered(&config, &opened, &plans).await.context("recovering the data directory")?;
        let counters = Arc::new(Counters::default());
        let mut tasks = Tasks::default();

        let stop_finalize = CancellationToken::new();
        let tools = Tools {
            catalog: opened.catalog.clone(),
            spool: opened.spool.clone(),
            store: opened.stores.primary.clone(),
            fallback: opened.stores.fallback.clone(),
            wall: wall.clone(),
            counters: counters.clone(),
        };
        let policy = policy::policy(&config);
        let (retention, deleting) = Retention::new(tools.clone(), policy, stop_finalize.clone());
        tasks.spawn("retention", deleting);
        let transfers = usize::try_from(config.store.max_uploads).unwrap_or(usize::MAX);
        let min_duration = config.record.min_duration.duration();
        let companions = config.record.companions();
        let options = FinalizerOptions { transfers, min_duration, companions, ..FinalizerOptions::default() };
        let stop = stop_finalize.clone();
        let (finalizer, work) = blocking(move || Ok(Finalizer::new(tools, options, stop)?)).await?;
        tasks.spawn("finalizer", work);
        let left = recovered.left.iter().map(|(id, received)| (id.session, *received)).collect();
        recovered.failed.iter().for_each(|id| finalizer.recording_failed(*id));
        recovered.left.into_iter().for_each(|(id, received)| finalizer.recording_broken(id, received));
        for KeptRecording { row, .. } in kept.iter().flat_map(|kept| &kept.recordings) {
            finalizer.recording_reopened(row.id, &row.key, row.upload.as_deref());
        }

        let maker = EndpointMaker::new(&config, live.clone());
        let endpoints = blocking({
            let (maker, configured, catalog) = (maker.clone(), config.webhooks.clone(), opened.catalog.clone());
            move || maker.all(&configured, &catalog)
        });
        let endpoints = endpoints.await?;
        let (announcer, work) = Announcer::new(&opened.catalog, endpoints, &wall, &counters, stop_finalize.clone());
        tasks.spawn("announcer", work);
        let webhooks = Webhooks::new(opened.catalog.clone(), announcer.clone(), config.webhooks.clone(), maker);

        let draining = CancellationToken::new();
        let (stop_rtmp, stop_http) = (CancellationToken::new(), CancellationToken::new());
        let authorization = Arc::new(Authorization::new(&config.push).context("push.url")?);
        let open_to_all = authorization.is_open();
        tasks.spawn("tasks", plans.tasks.clone().follow(system_clock()));
        let context = context(&config, authorization.clone(), &plans, &opened, &live, &finalizer, draining.clone());
        let api = Api {
            catalog: opened.catalog.clone(),
            stores: opened.stores.clone(),
            url_lifetime: UrlLifetime {
                primary: config.s3.url_lifetime.duration(),
                fallback: config.fallback_s3.url_lifetime.duration(),
            },
            spool: opened.spool.clone(),
            live: live.clone(),
            plans,
            tail,
            webhooks,
            feed: Feed::new(&opened.catalog, stop_http.clone()),
            wall: system_clock(),
            counters,
            retention: retention.clone(),
            draining: draining.clone(),
            min_free_bytes: config.record.min_free.bytes(),
        };
        let keyring = keyring(&config, &opened).await?;
        let access = Access {
            keyring: keyring.clone(),
            public_media: config.http.public_media,
            tencent_key: config.http.tencent_key.clone(),
            request_timeout: config.http.request_timeout.duration(),
            cors_origins: config.http.cors_origins.clone(),
            trusted_proxies: config.http.trusted_proxies.clone(),
            max_request_rate: config.http.max_request_rate,
            max_failure_rate: config.http.max_failure_rate,
        };
        tasks.spawn("tokens", keyring.clone().follow(opened.catalog.clone()));
        let max_connections = usize::try_from(config.http.max_connections).unwrap_or(usize::MAX);
        let head_timeout = config.http.request_timeout.duration();

        let context = Arc::new(context);
        ingest::wait_on(kept, &context);
        let spool = opened.spool.clone();
        tasks.spawn("pulse", pulse::run(pulse::Source { live: live.clone(), spool, wall, left }));
        let (rtmp, http) = (rtmp.listen().context("rtmp.listen")?, http.listen().context("http.listen")?);
        info!(rtmp = %addresses.rtmp, http = %addresses.http, data = %config.node.data.display(), "listening");
        if let Some(Secure { bound, certificate }) = secure {
            let rtmps = bound.address();
            let listener = bound.listen().context("rtmps.listen")?;
            info!(%rtmps, "listening for TLS");
            let hangups = signals::hangups().context("taking over SIGHUP")?;
            tasks.spawn("certificate", certificate.clone().follow(hangups));
            tasks.spawn("rtmps", ingest::run_secure(listener, certificate, context.clone(), stop_rtmp.clone()));
        }
        tasks.spawn("rtmp", ingest::run(rtmp, context, stop_rtmp.clone()));
        let router = http::router(api, &access);
        tasks.spawn("http", http::serve(http, router, max_connections, head_timeout, stop_http.clone()));
        let beyond = !addresses.rtmp.ip().to_canonical().is_loopback();
        if open_to_all && (beyond || config.rtmps.listen.is_some_and(|listen| !listen.is_loopback())) {
            let rtmp = addresses.rtmp;
            warn!("everybody who can reach {rtmp} may push streams; set push.authorization, push.allow, or a firewall");
        }
        let changing = Changing { config: config.clone(), authorization, keyring, retention };
        let service = Self {
            config,
            addresses,
            opened,
            live,
            finalizer,
            announcer,
            tasks,
            draining,
            stop_rtmp,
            stop_finalize,
            stop_http,
        };
        Ok((service, changing))
    }

    async fn run_until_stopped(mut self, mut signals: Signals, demo: Option<Demo>) -> Result<(), anyhow::Error> {
        if demo.is_none() && self.config.log.format == LogFormat::Human && std::io::stderr().is_terminal() {
            eprint!("{}", demo::how_to_push(&self.addresses));
        }
        let show =
            demo.map(|demo| demo::run(demo, self.addresses.clone(), self.opened.catalog.clone(), self.live.clone()));
        let mut failure = None;
        tokio::select! {
            signal = signals.next() => info!(signal, "stopping; a second signal stops at once"),
            task = self.tasks.first_fault() => {
                failure = Some(anyhow::anyhow!("the task '{task}' has ended by a fault of the program"));
            }
            shown = run_show(show) => failure = shown.err(),
        }
        tokio::select! {
            () = self.drain() => {}
            signal = signals.next() => warn!(signal, "stopping at once; the next start completes what is left"),
        }
        self.tasks.abort();
        failure.map_or(Ok(()), Err)
    }

    /// Brings everything to its end, within `shutdown.timeout`.
    async fn drain(&mut self) {
        let start = Instant::now();
        let deadline = start + self.config.shutdown.timeout.duration();
        metrics::draining();
        self.draining.cancel();
        self.stop_rtmp.cancel();
        if !self.tasks.ended("rtmp", deadline).await || !self.tasks.ended("rtmps", deadline).await {
            warn!(
                streams = self.live.count(),
                "recordings could not be finished in time; the next start completes them"
            );
        }
        let left = self.finalizer.drain(deadline.saturating_duration_since(Instant::now())).await;
        let told = self.announcer.drain(deadline.saturating_duration_since(Instant::now())).await;
        if left > 0 || !told {
            warn!(
                recordings = left,
                events_tried = told,
                "not everything was uploaded or announced; the next start goes on"
            );
        }
        self.stop_finalize.cancel();
        self.stop_http.cancel();
        let grace = Instant::now() + END_GRACE;
        for task in ["finalizer", "retention", "announcer", "http"] {
            self.tasks.ended(task, grace).await;
        }
        info!(took = ?start.elapsed(), "stopped");
    }
}

/// Waits for the demonstration, for ever when there is none or it shall not end the service.
async fn run_show(show: Option<impl Future<Output = Result<(), anyhow::Error>>>) -> Result<(), anyhow::Error> {
    match show {
        Some(show) => show.await,
        None => std::future::pending().await,
    }
}

fn context(
    config: &Config,
    authorization: Arc<Authorization>,
    plans: &Plans,
    opened: &Opened,
    live: &Live,
    finalizer: &Finalizer,
    draining: CancellationToken,
) -> Context {
    let (finalizer, streams) = (finalizer.clone(), live.clone());
    let destination = Destination {
        catalog: opened.catalog.clone(),
        spool: opened.spool.clone(),
        sync_interval: config.record.sync_interval.duration(),
        min_free_bytes: config.record.min_free.bytes(),
        told: Box::new(move |report| told(&finalizer, &streams, report)),
    };
    Context::new(config, authorization, plans.clone(), Arc::new(destination), live.clone(), draining)
}

/// Brings what a crash left onto the normal path. What is recorded by a plan that still holds, where recordings wait for
/// their publishers, goes on waiting.
async fn recovered(config: &Config, opened: &Opened, plans: &Plans) -> Result<(Recovered, Vec<Kept>), FinalizeError> {
    let stream = |session: &SessionRow| StreamPath { app: session.app.clone(), name: session.stream.clone() };
    let plan = {
        let plans = plans.clone();
        move |session: &SessionRow| plans.of(&stream(session), &Query::new(session.query.clone()))
    };
    let (plans, plan_of, usual) = (plans.clone(), plan.clone(), config.record.resume_window.duration());
    let window = move |session: &SessionRow| plan(session).resume_window.unwrap_or(usual);
    let layout = move |session: &SessionRow, row: &RecordingRow, over: bool| {
        let policies = match row.task {
            None => plan_of(session).policies,
            Some(task) => plans.wanted(&stream(session)).into_iter().find(|wanted| wanted.task == task)?.policies,
        };
        let is = |policy: &Policy| policy.format == row.id.format && (policy.formats().len() > 1) == over;
        policies.into_iter().find(is).map(|policy| policy.layout)
    };
    let keep = Keep { window: Box::new(window), layout: Box::new(layout) };
    recover_keeping(&opened.catalog, &opened.spool, &system_clock(), keep).await
}

/// The tokens of the API. Beyond loopback there must be one.
async fn keyring(config: &Config, opened: &Opened) -> Result<Keyring, anyhow::Error> {
    let listen = config.http.listen;
    let keyring = Keyring::new(&config.http.tokens, listen.is_loopback());
    let catalog = opened.catalog.clone();
    keyring.replace(blocking(move || Ok(catalog.tokens()?)).await?);
    if keyring.is_empty() && !listen.is_loopback() {
        anyhow::bail!(
            "http.listen: {listen} can be reached from other machines and there is no token; make one with `livetape \
             token create`, set http.token or http.token_file, or listen on 127.0.0.1"
        );
    }
    Ok(keyring)
}

/// Passes on what a writer says.
fn told(finalizer: &Finalizer, live: &Live, report: Report) {
    match report {
        Report::Opened { id, key, reason } => {
            metrics::recording_opened(id.format, reason);
            finalizer.recording_opened(id, &key);
        }
        Report::Grew { id } => finalizer.recording_grew(id),
        Report::Finished { id, reason, index_at_end, repaired_frames } => {
            metrics::recording_finished(id.format, reason, index_at_end);
            metrics::frames_repaired("container_time", repaired_frames);
            finalizer.recording_finished(id);
        }
        Report::Broken { id } => finalizer.recording_broken(id, live.received_of(&id.session)),
        Report::Discarded { id } => {
            metrics::recording_discarded(id.format);
            finalizer.recording_discarded(id);
        }
        Report::Refused { why: Refusal::DiskLow, .. } => metrics::recording_refused("disk_low"),
        Report::Refused { why: Refusal::DiskTrouble, .. } => metrics::recording_refused("disk_trouble"),
        Report::Warned { kind } => metrics::warned(kind),
    }
}

/// The start of every URL as far as it is known before anything listens.
pub(crate) fn expected_base(config: &Config) -> String {
    let http = config.http.listen.candidates().last().copied();
    public_base(config.http.public_base_url.reveal(), http.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))))
}

/// The start of every URL: as configured, or made from the address listened on.
fn public_base(configured: &str, http: SocketAddr) -> String {
    if configured.is_empty() {
        format!("http://{}", demo::reachable(http))
    } else {
        configured.trim_end_matches('/').to_owned()
    }
}

/// Binds `address` and listens.
///
/// # Errors
/// When the address is taken or not one of this machine.
pub fn listen(address: crate::config::ListenAddress) -> Result<TcpListener, anyhow::Error> {
    Ok(Bound::new(address)?.listen()?)
}

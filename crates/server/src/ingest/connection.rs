//! One RTMP connection: reads, lets the session decide, writes, and drives its publications.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use livetape_flv::Counters;
use livetape_media::Now;
use livetape_record::{SessionId, StreamPath};
use livetape_rtmp::{CloseReason, Output, PublishId, PublishRequest, Rejection, RejectionCode, Session, SessionError};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::admission::Admission;
use super::authorization::{Denial, Finding, Pending, Push, Verdict};
use super::budget::Share;
use super::publication::Publication;
use super::socket::Socket;
use super::{Context, sleep_until};
use crate::live::{Request, Wanted};
use crate::metrics;

/// How long the last words may take to be sent.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that holds no more than this is never closed for holding too much.
const HARMLESS_BYTES: usize = 256 << 10;

/// One connection.
pub(super) struct Connection {
    context: Arc<Context>,
    remote: SocketAddr,
    session: Session,
    out: BytesMut,
    publications: BTreeMap<PublishId, Publication>,
    /// The publish of which it is being found out whether it may begin.
    asked: Option<Asked>,
    /// What it holds of unfinished messages and fragments, of what all connections may hold.
    share: Share,
    /// What is wanted of a session comes by this channel; its sender is handed out with each place.
    requests: mpsc::Sender<Request>,
    wanted: mpsc::Receiver<Request>,
    /// What the demuxers met, as far as it has been counted in the metrics.
    counted: Counters,
    /// The session has said its last word.
    closed: bool,
}

/// A counter of the metrics: what was counted, and how many more of it.
type Count = fn(&'static str, u64);

/// A publish that waits for the verdict.
struct Asked {
    request: PublishRequest,
    /// What it will be.
    session: SessionId,
    pending: Pending,
}

enum Event {
    Ready,
    Authorized(Verdict),
    SendTimeout,
    Timer,
    Written,
    Wanted(SessionId, Wanted),
    Shutdown,
}

impl Connection {
    /// A connection that was just accepted.
    pub(super) fn new(context: Arc<Context>, remote: SocketAddr) -> Self {
        let (requests, wanted) = mpsc::channel(8);
        let session = Session::new(context.limits, context.clock.now());
        Self {
            share: context.assembling.share(),
            context,
            remote,
            session,
            out: BytesMut::new(),
            publications: BTreeMap::new(),
            asked: None,
            requests,
            wanted,
            counted: Counters::default(),
            closed: false,
        }
    }

    /// Serves it to its end.
    pub(super) async fn run(mut self, stream: TcpStream, shutdown: CancellationToken) {
        if let Err(problem) = stream.set_nodelay(true) {
            debug!(remote = %self.remote, "TCP_NODELAY: {problem}");
        }
        let mut socket = Socket::new(stream, self.context.gather);
        let mut stopping = false;
        let mut send_deadline = None;
        // The peer takes nothing more. What it sent before it went may still wait to be read, its
        // goodbye among it: an encoder that closes without reading our last words resets the connection.
        let mut deaf = false;
        while !self.closed {
            if deaf {
                self.out.clear();
            }
            let now = self.context.clock.now();
            for publication in self.publications.values_mut() {
                // While the socket gathers nobody is woken for what was written.
                let _ = publication.poll_written(&mut std::task::Context::from_waker(Waker::noop()));
                publication.dispatch(now);
            }
            send_deadline = match (self.out.is_empty(), send_deadline) {
                (true, _) => None,
                (false, None) => Some(tokio::time::Instant::now() + self.context.limits.write_timeout),
                (false, deadline) => deadline,
            };
            // While it is being found out whether a publish may begin, nothing is read.
            let takes_more = self.asked.is_none() && self.publications.values().all(Publication::takes_more);
            if !takes_more {
                self.excuse_silence(now);
            }
            let timer = self.context.clock.instant_of(self.next_timeout());
            let reads = takes_more && self.session.wants_input();
            if !self.publications.is_empty()
                && let Err(problem) = socket.begin_to_gather()
            {
                debug!(remote = %self.remote, "the connection cannot be read: {problem}");
                self.session.handle_eof(now);
            }
            // A look is followed by whatever is due then.
            let looks_first = socket.next_look().is_some_and(|look| timer.is_none_or(|timer| look <= timer));
            let event = tokio::select! {
                biased;
                () = shutdown.cancelled(), if !stopping => Event::Shutdown,
                Some((id, wanted)) = self.wanted.recv() => Event::Wanted(id, wanted),
                verdict = verdict(&mut self.asked) => Event::Authorized(verdict),
                () = written(&mut self.publications), if !(reads && socket.pause().is_some()) => Event::Written,
                () = sleep_until(send_deadline) => Event::SendTimeout,
                () = sleep_until(timer), if !(reads && looks_first) => Event::Timer,
                () = socket.ready(reads, !self.out.is_empty()) => Event::Ready,
            };
            let now = self.context.clock.now();
            if !takes_more {
                self.excuse_silence(now);
            }
            match event {
                Event::Ready => {
                    if !self.out.is_empty() {
                        match socket.write(&mut self.out) {
                            Ok(()) => send_deadline = None,
                            Err(error) if passes(&error) => {}
                            Err(problem) => {
                                debug!(remote = %self.remote, "the peer takes nothing more: {problem}");
                                deaf = true;
                            }
                        }
                    }
                    if reads {
                        match socket.read(|input| self.session.handle_input(input, now)) {
                            Ok(0) => self.session.handle_eof(now),
                            Ok(_) => {}
                            Err(error) if passes(&error) => {}
                            Err(problem) => {
                                debug!(remote = %self.remote, "the connection broke: {problem}");
                                self.session.handle_eof(now);
                            }
                        }
                    }
                }
                Event::SendTimeout => {
                    warn!(remote = %self.remote, "closed: the peer has not read for {} s", self.context.limits.write_timeout.as_secs());
                    self.session.handle_eof(now);
                }
                Event::Timer => {
                    self.session.handle_timeout(now);
                    for publication in self.publications.values_mut() {
                        publication.tick(now);
                    }
                }
                Event::Written => {}
                Event::Authorized(verdict) => {
                    if let Some(Asked { request, session, .. }) = self.asked.take() {
                        self.answer(request, session, verdict).await;
                    }
                }
                Event::Wanted(id, wanted) => {
                    let found = self.publications.values_mut().find(|publication| publication.session().id == id);
                    match (found, wanted) {
                        (Some(_), Wanted::Close(reason)) => self.session.close(reason, now),
                        // Whoever asked may have gone.
                        (Some(publication), Wanted::Attend(answer)) => {
                            publication.attend(now);
                            // Whoever asked may have gone.
                            let _ = answer.send(());
                        }
                        (Some(publication), Wanted::Split(answer)) => drop(answer.send(publication.split())),
                        (None, _) => {}
                    }
                }
                Event::Shutdown => {
                    stopping = true;
                    self.session.close(CloseReason::Shutdown, now);
                }
            }
            self.drain(now).await;
            if let Some(pause) = socket.pause() {
                for publication in self.publications.values_mut() {
                    publication.flush_before(now.mono + pause, now);
                }
            }
            self.count();
            self.bound(now).await;
        }
        if deaf {
            self.out.clear();
        }
        socket.finish(std::mem::take(&mut self.out), FAREWELL_TIMEOUT).await;
    }

    /// Does what the session asks for.
    async fn drain(&mut self, mut now: Now) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(bytes) => self.out.extend_from_slice(&bytes),
                Output::Item { publish, item } => {
                    let Some(publication) = self.publications.get_mut(&publish) else { continue };
                    publication.push(&item, now);
                    if publication.has_ended()
                        && let Some(publication) = self.publications.remove(&publish)
                    {
                        self.context.tasks.spawn(publication.finish(self.context.clock));
                    }
                }
                Output::PublishRequested(request) => {
                    self.authorize(request).await;
                    now = self.context.clock.now();
                }
                Output::Close { error } => {
                    self.report(error.as_ref());
                    self.closed = true;
                }
            }
        }
        if self.out.len() > self.context.limits.unsent_bytes && !self.closed {
            warn!(remote = %self.remote, "closed: the peer leaves {} bytes unread", self.out.len());
            self.out.clear();
            self.session.handle_eof(now);
            Box::pin(self.drain(now)).await;
        }
    }

    /// Closes the connection when it holds more than there is room for: reading it no further would not
    /// make it hold less. What it held is free again before anybody else is asked.
    async fn bound(&mut self, now: Now) {
        let held = self.held_bytes();
        self.share.set(held);
        if held > HARMLESS_BYTES && !self.share.may_grow() && !self.session.is_closed() {
            metrics::connection_overloaded();
            warn!(remote = %self.remote, "closed: it holds {held} bytes of unfinished messages and media, and all connections \
                hold {} (rtmp.max_total_memory)", self.context.assembling.held());
            self.session.close(CloseReason::Overload, now);
            self.drain(now).await;
            self.share.set(self.held_bytes());
        }
    }

    /// What it holds of unfinished messages, and of media that is not a whole fragment yet.
    fn held_bytes(&self) -> usize {
        let gathering: usize = self.publications.values().map(Publication::gathering_bytes).sum();
        self.session.held_bytes() + gathering
    }

    /// Nothing has been read: the peer had no way to be heard.
    fn excuse_silence(&mut self, now: Now) {
        self.session.excuse_silence(now);
        for publication in self.publications.values_mut() {
            publication.excuse_silence(now);
        }
    }

    /// Adds to the metrics what was dropped and repaired since the last time.
    fn count(&mut self) {
        let (now, before) = (self.session.counters(), self.counted);
        self.counted = now;
        let changes: [(Count, &'static str, u64, u64); 5] = [
            (metrics::frames_dropped, "no_configuration", now.skipped_frames, before.skipped_frames),
            (metrics::frames_dropped, "unreadable", now.unreadable, before.unreadable),
            (metrics::frames_dropped, "unsupported_codec", now.unsupported, before.unsupported),
            (metrics::frames_repaired, "timestamp", now.repaired_times, before.repaired_times),
            (metrics::frames_repaired, "start_codes", now.converted_frames, before.converted_frames),
        ];
        for (count, what, now, before) in changes {
            if now > before {
                count(what, now - before);
            }
        }
    }

    fn next_timeout(&self) -> Option<Duration> {
        let ticks = self.publications.values().filter_map(Publication::next_tick).min();
        [self.session.poll_timeout(), ticks].into_iter().flatten().min()
    }

    /// Finds out whether a publish may begin, at once or later.
    async fn authorize(&mut self, request: PublishRequest) {
        let session = SessionId(uuid::Uuid::now_v7());
        let push = Push::new(&request, self.remote, session);
        match self.context.authorization.find(push, self.context.clock.now().wall) {
            Finding::Now(verdict) => self.answer(request, session, verdict).await,
            Finding::Later(pending) => self.asked = Some(Asked { request, session, pending }),
        }
    }

    async fn answer(&mut self, request: PublishRequest, session: SessionId, verdict: Verdict) {
        match verdict {
            Ok(()) => self.decide(request, session).await,
            Err(denial) => self.deny(&request, &denial),
        }
    }

    /// Tells the client that it may not publish.
    fn deny(&mut self, request: &PublishRequest, denial: &Denial) {
        let path = StreamPath { app: request.app.clone(), name: request.stream.clone() };
        metrics::publish_answered("denied");
        metrics::push_denied(denial.reason.name());
        warn!(stream = %path, remote = %self.remote, reason = denial.reason.name(), detail = denial.detail, "push denied");
        let rejection = Rejection { code: RejectionCode::Denied, description: denial.reason.description().to_owned() };
        self.session.reject(request.id, &rejection, self.context.clock.now());
    }

    /// Accepts or rejects a publish that is authorized.
    async fn decide(&mut self, request: PublishRequest, session: SessionId) {
        let path = StreamPath { app: request.app.clone(), name: request.stream.clone() };
        let admission = Admission {
            context: &self.context,
            remote: self.remote,
            requests: &self.requests,
            ours: self.publications.values().map(|publication| publication.session().id).collect(),
        };
        match admission.decide(&request, &path, session).await {
            Ok(place) => {
                info!(%session, stream = %path, remote = %self.remote,
                    encoder = request.encoder.as_deref().unwrap_or(""), "stream started");
                let plan = self.context.plans.of(&path, &request.query);
                let previous = self.context.waiting.claim(&path).await;
                let mut publication = Publication::new(place, plan, self.context.clone(), self.context.clock.now());
                if let Some(previous) = previous {
                    publication.take_over(previous);
                }
                self.publications.insert(request.id, publication);
                metrics::publish_answered("accepted");
                self.session.accept(request.id, self.context.clock.now());
            }
            Err(rejection) => {
                metrics::publish_answered("rejected");
                warn!(stream = %path, remote = %self.remote, "publish rejected: {}", rejection.description);
                self.session.reject(request.id, &rejection, self.context.clock.now());
            }
        }
    }

    fn report(&self, error: Option<&SessionError>) {
        match error {
            Some(problem) => {
                warn!(remote = %self.remote, "connection closed: {problem}");
            }
            None => debug!(remote = %self.remote, "connection closed"),
        }
    }
}

/// Whether it says only that nothing can be done now.
fn passes(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

/// Resolves when it is found out whether the publish that waits may begin.
async fn verdict(asked: &mut Option<Asked>) -> Verdict {
    match asked {
        Some(asked) => asked.pending.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Resolves when a batch of some publication has been written.
async fn written(publications: &mut BTreeMap<PublishId, Publication>) {
    poll_fn(|cx| {
        let poll = |publication: &mut Publication| publication.poll_written(cx).is_ready();
        // Every one is polled, so that each can wake this task.
        let count = publications.values_mut().map(poll).filter(|written| *written).count();
        if count > 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

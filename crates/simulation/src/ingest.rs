//! What lies between a publisher's bytes and the engine's writers, as the server does it, without
//! sockets and tasks: connections, and what they publish.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livetape_catalog::{Change, NewSession};
use livetape_disk::Pulse;
use livetape_finalize::Destination;
use livetape_media::{Format, Item, MediaTime};
use livetape_mux::{Layout, SegmentType};
use livetape_record::{GapRule, Keep, NameTemplate, Policy, SessionId, StreamPath};
use livetape_rtmp::{Limits, Output, Session};
use uuid::Uuid;

use crate::clock::SimClock;
use crate::journal::{Effect, Journal};
use crate::publication::Publication;
use crate::publisher::Script;

/// How the workload is recorded: short, so that everything happens. `over`: HLS is playlists over the MP4.
/// `returning`: publishers go and come back, and every frame is kept.
pub fn policies(over: bool, returning: bool) -> Vec<Policy> {
    let longest = |format| match (format, returning) {
        (Format::Hls, false) => 2_600,
        (_, false) => 1_200,
        // FLV alone is cut where a publisher comes back, or soon after.
        (Format::Flv, true) => 2_000,
        (_, true) => 600_000,
    };
    let segment = Duration::from_millis(900);
    let layout = Layout { segment, segment_type: SegmentType::Fmp4, ..Layout::default() };
    let policy = |format| Policy {
        format,
        layout: Layout { mp4_reserve_max_bytes: if returning { 8 << 10 } else { 64 << 20 }, ..layout.clone() },
        max_duration: Duration::from_millis(longest(format)),
        align: None,
        max_bytes: None,
        min_duration: Duration::from_millis(if returning { 0 } else { 300 }),
        track_wait: Duration::from_secs(1),
        names: NameTemplate::default(),
        playlists: over && format == Format::Mp4,
        keep: Keep::default(),
    };
    Format::ALL.into_iter().filter(|format| !over || *format != Format::Hls).map(policy).collect()
}

/// What all connections of a world share.
pub struct Ingest {
    /// Where recordings are written.
    pub to: Arc<Destination>,
    /// The world's clock.
    pub clock: SimClock,
    /// How much has arrived.
    pub received: Received,
    /// HLS is playlists over the MP4.
    pub over: bool,
    /// Whether recordings wait for publishers that go, and what becomes of the time.
    pub returning: Option<GapRule>,
    /// The world's journal.
    pub journal: Journal,
    /// What waits for its publisher.
    pub waiting: Mutex<BTreeMap<StreamPath, Publication>>,
}

impl Ingest {
    /// When [`Ingest::expire`] wants to be called, since the world began.
    pub fn next_expiry(&self) -> Option<Duration> {
        self.waiting.lock().unwrap().values().filter_map(Publication::waits_until).min()
    }

    /// Ends what has waited for long enough.
    pub fn expire(&self) {
        let now = self.clock.now();
        let over = |publication: &mut Publication| publication.waits_until().is_none_or(|until| until <= now.mono);
        let expired: Vec<Publication> =
            self.waiting.lock().unwrap().extract_if(.., |_, publication| over(publication)).map(|(_, p)| p).collect();
        expired.into_iter().for_each(|publication| publication.give_up(now));
    }
}

/// How much of each live session has arrived. Cheap to clone.
#[derive(Clone, Default)]
pub struct Received(Arc<Mutex<BTreeMap<SessionId, Option<MediaTime>>>>);

impl Received {
    /// The last moment of a session's timeline that arrived.
    pub fn of(&self, session: SessionId) -> Option<MediaTime> {
        self.0.lock().unwrap().get(&session).copied().flatten()
    }

    /// What the next process is to know.
    pub fn pulse(&self, at_ms: i64) -> Pulse {
        let sessions = self.0.lock().unwrap();
        let text = |(id, at): (&SessionId, &Option<MediaTime>)| (id.to_string(), at.map(MediaTime::as_millis));
        Pulse { at_ms, sessions: sessions.iter().map(text).collect() }
    }

    /// So much has come of a session.
    pub(crate) fn note(&self, session: SessionId, at: Option<MediaTime>) {
        let mut sessions = self.0.lock().unwrap();
        let last = sessions.entry(session).or_default();
        *last = (*last).max(at);
    }

    /// A session is over.
    pub(crate) fn forget(&self, session: SessionId) {
        self.0.lock().unwrap().remove(&session);
    }
}

/// One connection.
pub struct Connection {
    session: Session,
    id: SessionId,
    stream: u8,
    ingest: Arc<Ingest>,
    publication: Option<Publication>,
}

impl Connection {
    /// A connection that was just opened, for `script`. Its session's id says which it is.
    pub fn open(script: &Script, ingest: Arc<Ingest>) -> Self {
        let number = u128::from(script.visit) << 8 | u128::from(script.stream);
        let id = SessionId(Uuid::from_u128(0x0192_f0c1_0000_7000_8000_0000_0000_0000 + number));
        let session = Session::new(Limits::default(), ingest.clock.now());
        Self { session, id, stream: script.stream, ingest, publication: None }
    }

    /// The peer sent something.
    pub fn input(&mut self, bytes: &[u8]) {
        let now = self.ingest.clock.now();
        self.session.handle_input(bytes, now);
        self.drain();
    }

    /// The peer is gone.
    pub fn vanish(&mut self) {
        let now = self.ingest.clock.now();
        self.session.handle_eof(now);
        self.drain();
    }

    /// When [`Connection::tick`] wants to be called, since the world began.
    pub fn next_tick(&self) -> Option<Duration> {
        self.publication.as_ref().and_then(Publication::next_tick)
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        let now = self.ingest.clock.now();
        self.publication.iter_mut().for_each(|publication| publication.tick(now));
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            let now = self.ingest.clock.now();
            match output {
                Output::Send(_) => {}
                Output::PublishRequested(request) => {
                    let stream = StreamPath { app: request.app, name: request.stream };
                    let begun = self.ingest.to.catalog.apply(Change::SessionStarted(NewSession {
                        id: self.id,
                        app: stream.app.clone(),
                        stream: stream.name.clone(),
                        query: String::new(),
                        remote_addr: "192.0.2.1:40000".into(),
                        tc_url: String::new(),
                        encoder: String::new(),
                        started_at: now.wall,
                    }));
                    begun.unwrap();
                    let before = self.ingest.waiting.lock().unwrap().remove(&stream);
                    self.publication = Some(Publication::new(self.id, stream, self.ingest.clone(), before));
                    self.session.accept(request.id, now);
                }
                Output::Item { item: Item::End(reason), .. } => {
                    let Some(publication) = self.publication.take() else { continue };
                    let waits = publication.over(reason, now);
                    let change = Change::SessionEnded { id: self.id, at: now.wall, reason: reason.name().to_owned() };
                    self.ingest.to.catalog.apply(change).unwrap();
                    if let Some(publication) = waits {
                        self.ingest.waiting.lock().unwrap().insert(publication.stream.clone(), publication);
                        self.ingest.journal.push(Effect::Away(self.stream));
                    }
                }
                Output::Item { item, .. } => {
                    self.publication.iter_mut().for_each(|publication| publication.push(&item, now));
                }
                Output::Close { error } => assert!(error.is_none(), "the scripted publisher was refused: {error:?}"),
            }
        }
    }
}

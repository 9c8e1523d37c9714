//! What lies between a publisher's bytes and the engine's writers, as the server does it, without
//! sockets and tasks: one session, a recorder and a writer for each format.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use livetape_catalog::{Change, NewSession};
use livetape_disk::Pulse;
use livetape_finalize::{Destination, Writer};
use livetape_media::{EndReason, Format, Item, MediaTime, Now};
use livetape_mux::{Layout, SegmentType};
use livetape_record::{Effect, Keep, NameTemplate, Policy, Recorder, SessionId, StreamPath};
use livetape_rtmp::{Limits, Output, Session};
use uuid::Uuid;

use crate::clock::SimClock;

/// How the workload is recorded: short, so that everything happens. `over`: HLS is playlists over the MP4.
pub fn policies(over: bool) -> Vec<Policy> {
    let policy = |format| Policy {
        format,
        layout: Layout { segment: Duration::from_millis(900), segment_type: SegmentType::Fmp4, ..Layout::default() },
        max_duration: Duration::from_millis(if format == Format::Hls { 2_600 } else { 1_200 }),
        align: None,
        max_bytes: None,
        min_duration: Duration::from_millis(300),
        track_wait: Duration::from_secs(1),
        names: NameTemplate::default(),
        playlists: over && format == Format::Mp4,
        keep: Keep::default(),
    };
    Format::ALL.into_iter().filter(|format| !over || *format != Format::Hls).map(policy).collect()
}

/// One connection.
pub struct Connection {
    session: Session,
    id: SessionId,
    to: Arc<Destination>,
    clock: SimClock,
    lanes: Vec<Lane>,
    received: Received,
    over: bool,
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

    fn note(&self, session: SessionId, at: Option<MediaTime>) {
        let mut sessions = self.0.lock().unwrap();
        let last = sessions.entry(session).or_default();
        *last = (*last).max(at);
    }

    fn forget(&self, session: SessionId) {
        self.0.lock().unwrap().remove(&session);
    }
}

struct Lane {
    recorder: Recorder,
    writer: Writer,
}

impl Connection {
    /// A connection that was just opened; its session will have the number `number`.
    pub fn open(number: u8, to: Arc<Destination>, clock: SimClock, received: Received, over: bool) -> Self {
        let id = SessionId(Uuid::from_u128(0x0192_f0c1_0000_7000_8000_0000_0000_0000 + u128::from(number)));
        Self { session: Session::new(Limits::default(), clock.now()), id, to, clock, lanes: Vec::new(), received, over }
    }

    /// The peer sent something.
    pub fn input(&mut self, bytes: &[u8]) {
        let now = self.clock.now();
        self.session.handle_input(bytes, now);
        self.drain();
    }

    /// The peer is gone.
    pub fn vanish(&mut self) {
        let now = self.clock.now();
        self.session.handle_eof(now);
        self.drain();
    }

    /// When [`Connection::tick`] wants to be called, since the world began.
    pub fn next_tick(&self) -> Option<Duration> {
        self.lanes.iter().filter_map(|lane| lane.recorder.next_tick()).min()
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        let now = self.clock.now();
        for lane in &mut self.lanes {
            let mut effects = Vec::new();
            lane.recorder.tick(now, &mut effects);
            lane.perform(effects, now);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            let now = self.clock.now();
            match output {
                Output::Send(_) => {}
                Output::PublishRequested(request) => {
                    let stream = StreamPath { app: request.app, name: request.stream };
                    let begun = self.to.catalog.apply(Change::SessionStarted(NewSession {
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
                    let lane = |policy: Policy| Lane {
                        recorder: Recorder::new(policy, self.id, stream.clone()),
                        writer: Writer::new(self.to.clone(), self.id),
                    };
                    self.lanes = policies(self.over).into_iter().map(lane).collect();
                    self.received.note(self.id, None);
                    self.session.accept(request.id, now);
                }
                Output::Item { item, .. } => self.item(&item, now),
                Output::Close { error } => assert!(error.is_none(), "the scripted publisher was refused: {error:?}"),
            }
        }
    }

    fn item(&mut self, item: &Item, now: Now) {
        if let Item::Frame(frame) = item {
            self.received.note(self.id, Some(frame.dts));
        }
        for lane in &mut self.lanes {
            let mut effects = Vec::new();
            lane.recorder.push(item, now, &mut effects);
            lane.perform(effects, now);
        }
        if let Item::End(reason) = item {
            self.end(*reason, now);
        }
    }

    fn end(&mut self, reason: EndReason, now: Now) {
        self.lanes.clear();
        let change = Change::SessionEnded { id: self.id, at: now.wall, reason: reason.name().to_owned() };
        self.to.catalog.apply(change).unwrap();
        self.received.forget(self.id);
    }
}

impl Lane {
    fn perform(&mut self, effects: Vec<Effect>, now: Now) {
        if effects.is_empty() {
            return;
        }
        let failed = self.writer.perform(effects, now);
        if let Some((id, _)) = self.recorder.progress()
            && failed.contains(&id)
        {
            let mut effects = Vec::new();
            self.recorder.abandon(&mut effects);
            self.writer.perform(effects, now);
        }
    }
}

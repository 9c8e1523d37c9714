//! One accepted publish: its place among the live streams, and a lane for each format.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use livetape_catalog::Change;
use livetape_finalize::Writer;
use livetape_media::{EndReason, Item, JumpDirection, MediaTime, Now, Track, TrackKind, Warning, WarningKind};
use tracing::{error, info};

use super::lane::Lane;
use super::{Clock, Context};
use crate::live::{LiveSession, Place};
use crate::metrics;

/// One accepted publish.
pub(super) struct Publication {
    place: Place,
    context: Arc<Context>,
    lanes: Vec<Lane>,
    received: Received,
    ended: Option<EndReason>,
}

/// What came since the counters were last told.
#[derive(Default)]
struct Received {
    first: Option<MediaTime>,
    latest: MediaTime,
    reported_ms: u64,
    bytes: u64,
    video: u64,
    audio: u64,
}

impl Publication {
    /// A publish that has been accepted and has its stream.
    pub(super) fn new(place: Place, context: Arc<Context>) -> Self {
        let session = place.session().clone();
        let lanes = context
            .policies
            .iter()
            .map(|policy| Lane::new(policy.clone(), session.clone(), context.destination.clone()))
            .collect();
        metrics::session_started();
        Self { place, context, lanes, received: Received::default(), ended: None }
    }

    /// The session.
    pub(super) fn session(&self) -> &Arc<LiveSession> {
        self.place.session()
    }

    /// One more item.
    pub(super) fn push(&mut self, item: &Item, now: Now) {
        match item {
            Item::Frame(frame) => self.received.frame(frame),
            Item::Track(track) => {
                info!(session = %self.session().id, kind = track.id.kind.name(), index = track.id.index,
                    codec = %track.config.codec(), "track");
                if track.id.index == 0 {
                    self.session().track(track);
                } else {
                    self.warn(further_track_warning(track), now);
                }
            }
            Item::Warning(warning) => self.warn(warning.clone(), now),
            Item::Jump { by, direction, .. } => self.warn(jump_warning(*by, *direction), now),
            Item::End(reason) => self.ended = Some(*reason),
            Item::Metadata(_) => {}
        }
        for lane in &mut self.lanes {
            lane.push(item, now);
        }
    }

    /// Begins to write what has gathered.
    pub(super) fn dispatch(&mut self, now: Now) {
        let session = self.place.session();
        self.received.report(session);
        for lane in &mut self.lanes {
            lane.dispatch(now);
        }
    }

    /// When [`Publication::tick`] wants to be called.
    pub(super) fn next_tick(&self) -> Option<Duration> {
        self.lanes.iter().filter_map(Lane::next_tick).min()
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Now) {
        for lane in &mut self.lanes {
            lane.tick(now);
        }
    }

    /// Bytes of media that wait to be written.
    pub(super) fn held_bytes(&self) -> usize {
        self.lanes.iter().map(Lane::held_bytes).max().unwrap_or(0)
    }

    /// Whether its last item has come.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether a batch of some lane has just been written.
    pub(super) fn poll_written(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let written = self.lanes.iter_mut().filter_map(|lane| lane.poll_written(cx).is_ready().then_some(())).count();
        if written > 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Writes the rest, ends the session in the catalog and gives the stream back. Call once it
    /// has ended.
    pub(super) async fn finish(mut self, clock: Clock) {
        loop {
            self.dispatch(clock.now());
            if self.lanes.iter().all(Lane::is_idle) {
                break;
            }
            poll_fn(|cx| self.poll_written(cx)).await;
        }
        let reason = self.ended.unwrap_or(EndReason::Drop).name();
        let id = self.session().id;
        let change = Change::SessionEnded { id, at: clock.now().wall, reason: reason.to_owned() };
        match self.context.change(change).await {
            Ok(_) => info!(session = %id, stream = %self.session().path, reason, "stream ended"),
            Err(problem) => error!(session = %id, "the end of the session is not in the catalog: {problem}"),
        }
        metrics::session_ended(reason);
    }

    fn warn(&self, warning: Warning, now: Now) {
        let writer = Writer::new(self.context.destination.clone(), self.session().id);
        self.context.tasks.spawn_blocking(move || writer.warn(&warning, None, now.wall));
    }
}

impl Received {
    fn frame(&mut self, frame: &livetape_media::Frame) {
        self.first.get_or_insert(frame.dts);
        self.latest = self.latest.max(frame.dts);
        self.bytes += frame.data.len() as u64;
        match frame.track.kind {
            TrackKind::Video => self.video += 1,
            TrackKind::Audio => self.audio += 1,
        }
    }

    fn report(&mut self, session: &LiveSession) {
        if self.video + self.audio == 0 {
            return;
        }
        let (video, audio) = (std::mem::take(&mut self.video), std::mem::take(&mut self.audio));
        let bytes = std::mem::take(&mut self.bytes);
        let span = self.first.map_or(MediaTime::ZERO, |first| self.latest - first);
        let millis = u64::try_from(span.as_millis()).unwrap_or(0);
        let more_ms = millis.saturating_sub(self.reported_ms);
        self.reported_ms = self.reported_ms.max(millis);
        session.frames(video, audio);
        session.received_bytes.fetch_add(bytes, Ordering::Relaxed);
        session.received_ms.fetch_max(millis, Ordering::Relaxed);
        session.latest_ms.fetch_max(self.latest.as_millis(), Ordering::Relaxed);
        metrics::media_received(bytes, Duration::from_millis(more_ms));
        metrics::frames_received(TrackKind::Video, video);
        metrics::frames_received(TrackKind::Audio, audio);
    }
}

fn further_track_warning(track: &Track) -> Warning {
    let (kind, codec) = (track.id.kind.name(), track.config.codec());
    Warning {
        kind: WarningKind::UnsupportedTrack,
        track: Some(track.id),
        detail: format!("{kind} track {} ({codec}) is not recorded; the main tracks are", track.id.index),
    }
}

fn jump_warning(by: MediaTime, direction: JumpDirection) -> Warning {
    let way = match direction {
        JumpDirection::Forward => "forward",
        JumpDirection::Backward => "back",
    };
    Warning {
        kind: WarningKind::TimestampJump,
        track: None,
        detail: format!("the publisher's timestamps jumped {way} by {by}; the recording goes on without the jump"),
    }
}

//! What is being recorded at this moment, for the API and for control.
//!
//! One publisher at a time has a stream: [`Live::enter`] hands out the place, and gives it back when
//! the [`Place`] is dropped, or left while the last of the session is still being written.

mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use livetape_media::{Format, MediaTime, Track, TrackKind, WallTime};
use livetape_mux::Progress;
use livetape_record::{RecordingId, SessionId, StreamPath, TaskId};
use livetape_rtmp::CloseReason;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use view::{LiveAudio, LiveRecording, LiveVideo, StreamView};

/// A request to a connection's task about one of its sessions.
pub type Request = (SessionId, Wanted);

/// What is wanted of a session.
#[derive(Debug)]
pub enum Wanted {
    /// That it ends.
    Close(CloseReason),
    /// That its recordings end at the next key frame and others begin; the answer is which end.
    Split(oneshot::Sender<Vec<RecordingId>>),
    /// That it does what tasks want of it; the answer is that it has.
    Attend(oneshot::Sender<()>),
}

/// Every live stream. Cheap to clone.
#[derive(Clone, Default)]
pub struct Live(Arc<Mutex<Sessions>>);

#[derive(Default)]
struct Sessions {
    streams: BTreeMap<StreamPath, Arc<LiveSession>>,
    /// They have ended, and the last of them is still being written.
    ending: BTreeMap<SessionId, Arc<LiveSession>>,
}

/// A session that has its stream.
pub struct LiveSession {
    /// Its id.
    pub id: SessionId,
    /// The stream.
    pub path: StreamPath,
    /// Where it comes from.
    pub remote: String,
    /// When it was accepted.
    pub started_at: WallTime,
    /// Reaches its connection.
    pub requests: mpsc::Sender<Request>,
    /// Bytes of media received.
    pub received_bytes: AtomicU64,
    /// Media time received, in milliseconds.
    pub received_ms: AtomicU64,
    /// The latest moment received on the session's timeline, in milliseconds; `i64::MIN` before the first.
    pub latest_ms: AtomicI64,
    details: Mutex<Details>,
    gone: CancellationToken,
}

#[derive(Default)]
struct Details {
    /// The first moment received.
    first: Option<MediaTime>,
    tracks: BTreeMap<TrackKind, (Track, u64)>,
    recordings: BTreeMap<RecordingId, OpenRecording>,
    lanes: BTreeMap<LaneKey, LaneState>,
    /// Recordings of tasks, those that are over as well.
    of_tasks: BTreeMap<RecordingId, TaskId>,
    tasks: BTreeMap<TaskId, Attended>,
    /// Media in the store, by format, and announced, by webhook and format.
    stored: BTreeMap<Format, Duration>,
    announced: BTreeMap<String, BTreeMap<Format, Duration>>,
    silent: bool,
    /// Sessions with whose recordings it goes on.
    adopted: BTreeSet<SessionId>,
    /// It has ended, and its recordings wait until then for their publisher.
    waiting_until: Option<WallTime>,
    template: Option<String>,
    /// When the oldest media came that a power cut would cost.
    unsynced_since: Option<Instant>,
}

/// What is recorded: the task, none for what the template says, and the format.
pub type LaneKey = (Option<TaskId>, Format);

/// What is done of what a task wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attended {
    /// The formats that are recorded for it.
    pub records: Vec<Format>,
    /// The formats that are recorded anyway.
    pub covered: Vec<Format>,
}

/// A recording that is open.
struct OpenRecording {
    key: String,
    start: MediaTime,
    progress: Progress,
}

/// How far a session's recording in one format has come. Moments are on the session's timeline.
#[derive(Clone, Debug, Default)]
pub struct LaneState {
    /// A recording has begun.
    pub begun: bool,
    /// Media written to the disk.
    pub written: Duration,
    /// Everything recorded that is decoded before this survives the death of the process.
    pub durable: Option<MediaTime>,
    /// Everything recorded that is decoded before this survives a power cut.
    pub synced: Option<MediaTime>,
    /// Whether what comes reaches the disk.
    pub grows: bool,
}

/// A session's hold on its stream.
pub struct Place {
    live: Live,
    session: Arc<LiveSession>,
    /// The stream has been given back.
    ending: bool,
}

/// The stream has a publisher already.
pub struct Occupied(pub Arc<LiveSession>);

impl Live {
    /// Takes the stream of `session`, unless another session has it.
    pub fn enter(&self, session: LiveSession) -> Result<Place, Occupied> {
        let mut sessions = lock(&self.0);
        if let Some(holder) = sessions.streams.get(&session.path) {
            return Err(Occupied(holder.clone()));
        }
        let session = Arc::new(session);
        sessions.streams.insert(session.path.clone(), session.clone());
        Ok(Place { live: self.clone(), session, ending: false })
    }

    /// How many streams are live.
    pub fn count(&self) -> usize {
        lock(&self.0).streams.len()
    }

    /// The session that has this stream.
    pub fn holder(&self, path: &StreamPath) -> Option<Arc<LiveSession>> {
        lock(&self.0).streams.get(path).cloned()
    }

    /// Every stream that is live or waits for its publisher, by name.
    pub fn streams(&self) -> Vec<StreamView> {
        let (streams, mut ending) = {
            let sessions = lock(&self.0);
            (sessions.streams.clone(), sessions.ending.values().cloned().collect::<Vec<_>>())
        };
        let waits = |session: &Arc<LiveSession>| lock(&session.details).waiting_until.is_some();
        ending.retain(|session| !streams.contains_key(&session.path) && waits(session));
        let mut sessions: Vec<_> = streams.into_values().chain(ending).collect();
        sessions.sort_by(|one, other| one.path.cmp(&other.path));
        sessions.iter().map(|session| session.view()).collect()
    }

    /// The latest moment received of every session that is live or still being written, on its own
    /// timeline.
    pub fn received(&self) -> Vec<(SessionId, Option<MediaTime>)> {
        let ids = |session: &Arc<LiveSession>| {
            let (adopted, latest) = (lock(&session.details).adopted.clone(), session.latest());
            adopted.into_iter().chain([session.id]).map(move |id| (id, latest))
        };
        self.sessions().iter().flat_map(ids).collect()
    }

    /// The latest moment received of a session that is live or still being written, on its own timeline.
    pub fn received_of(&self, id: &SessionId) -> Option<MediaTime> {
        self.session(id)?.latest()
    }

    /// How far a recording that is open has come.
    pub fn progress(&self, id: &RecordingId) -> Option<Progress> {
        let session = self.session(&id.session)?;
        lock(&session.details).recordings.get(id).map(|open| open.progress)
    }

    /// A recording is whole in the store.
    pub fn stored(&self, id: &RecordingId, media: Duration) {
        if let Some(session) = self.session(&id.session) {
            let mut details = lock(&session.details);
            if !details.of_tasks.contains_key(id) {
                *details.stored.entry(id.format).or_default() += media;
            }
        }
    }

    /// A webhook took the event of a recording that is ready.
    pub fn announced(&self, webhook: &str, id: &RecordingId, media: Duration) {
        if let Some(session) = self.session(&id.session) {
            let mut details = lock(&session.details);
            if details.of_tasks.contains_key(id) {
                return;
            }
            *details.announced.entry(webhook.to_owned()).or_default().entry(id.format).or_default() += media;
        }
    }

    /// How long the oldest media has been here that a power cut would cost.
    pub fn oldest_unsynced(&self) -> Duration {
        let since = |session: &Arc<LiveSession>| lock(&session.details).unsynced_since;
        self.sessions().iter().filter_map(since).min().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// When the oldest of all open recordings began.
    pub fn oldest_open(&self) -> Option<WallTime> {
        let oldest = |session: &Arc<LiveSession>| {
            let details = lock(&session.details);
            let start = details.recordings.values().map(|open| open.start).min()?;
            Some(session.started_at.plus_millis((start - details.first.unwrap_or(start)).as_millis()))
        };
        self.sessions().iter().filter_map(oldest).min()
    }

    /// Bytes a second by which all open recordings grow, over their lives so far.
    pub fn growth(&self) -> f64 {
        let of_session = |session: &Arc<LiveSession>| -> f64 {
            let details = lock(&session.details);
            let rates = details.recordings.values().filter_map(|open| {
                let seconds = open.progress.duration.as_secs_f64();
                (seconds > 0.0).then(|| open.progress.size_bytes as f64 / seconds)
            });
            rates.sum()
        };
        self.sessions().iter().map(of_session).sum()
    }

    /// Every session that is live or still being written.
    fn sessions(&self) -> Vec<Arc<LiveSession>> {
        let sessions = lock(&self.0);
        sessions.streams.values().chain(sessions.ending.values()).cloned().collect()
    }

    fn session(&self, id: &SessionId) -> Option<Arc<LiveSession>> {
        let sessions = lock(&self.0);
        let is = |session: &&Arc<LiveSession>| session.id == *id || lock(&session.details).adopted.contains(id);
        let mut all = sessions.streams.values().chain(sessions.ending.values());
        sessions.ending.get(id).or_else(|| all.find(is)).cloned()
    }
}

impl LiveSession {
    /// A session that is about to begin.
    pub fn new(
        id: SessionId,
        path: StreamPath,
        remote: String,
        started_at: WallTime,
        requests: mpsc::Sender<Request>,
    ) -> Self {
        Self {
            id,
            path,
            remote,
            started_at,
            requests,
            received_bytes: AtomicU64::new(0),
            received_ms: AtomicU64::new(0),
            latest_ms: AtomicI64::new(i64::MIN),
            details: Mutex::default(),
            gone: CancellationToken::new(),
        }
    }

    /// The latest moment received, on its timeline.
    pub fn latest(&self) -> Option<MediaTime> {
        Some(self.latest_ms.load(Ordering::Relaxed)).filter(|ms| *ms != i64::MIN).map(MediaTime::from_millis)
    }

    /// Resolves when the session has let its stream go.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// A track began or changed.
    pub fn track(&self, track: &Track) {
        let mut details = lock(&self.details);
        let frames = details.tracks.get(&track.id.kind).map_or(0, |(_, frames)| *frames);
        details.tracks.insert(track.id.kind, (track.clone(), frames));
    }

    /// So many more frames were received; the session began at `first`.
    pub fn frames(&self, video: u64, audio: u64, first: MediaTime) {
        let mut details = lock(&self.details);
        details.first.get_or_insert(first);
        for (kind, more) in [(TrackKind::Video, video), (TrackKind::Audio, audio)] {
            if let Some((_, frames)) = details.tracks.get_mut(&kind) {
                *frames += more;
            }
        }
    }

    /// A recording is open under `key`, from `start` on, perhaps for a task.
    pub fn recording_began(&self, id: RecordingId, task: Option<TaskId>, key: &str, start: MediaTime) {
        let open = OpenRecording { key: key.to_owned(), start, progress: Progress::default() };
        let mut details = lock(&self.details);
        details.of_tasks.extend(task.map(|task| (id, task)));
        details.recordings.insert(id, open);
    }

    /// An open recording has come this far.
    pub fn recording(&self, id: RecordingId, progress: Progress) {
        if let Some(open) = lock(&self.details).recordings.get_mut(&id) {
            open.progress = progress;
        }
    }

    /// A recording is no longer open.
    pub fn recording_ended(&self, id: &RecordingId) {
        lock(&self.details).recordings.remove(id);
    }

    /// How far something of the session has been recorded.
    pub fn lane(&self, key: LaneKey, state: &LaneState) {
        lock(&self.details).lanes.insert(key, state.clone());
    }

    /// It is not recorded any more.
    pub fn lane_ended(&self, key: LaneKey) {
        lock(&self.details).lanes.remove(&key);
    }

    /// What is done of what tasks want.
    pub fn attend(&self, tasks: BTreeMap<TaskId, Attended>) {
        lock(&self.details).tasks = tasks;
    }

    /// The same of one task.
    pub fn attended(&self, task: TaskId) -> Attended {
        lock(&self.details).tasks.get(&task).cloned().unwrap_or_default()
    }

    /// The template it is recorded by; none: it is not.
    pub fn planned(&self, template: Option<String>) {
        lock(&self.details).template = template;
    }

    /// It goes on with the recordings of another session.
    pub fn adopt(&self, other: &Self) {
        let (recordings, of_tasks, mut adopted) = {
            let mut others = lock(&other.details);
            others.waiting_until = None;
            let others = &mut *others;
            let (recordings, of_tasks) = (&mut others.recordings, &mut others.of_tasks);
            (std::mem::take(recordings), std::mem::take(of_tasks), std::mem::take(&mut others.adopted))
        };
        adopted.insert(other.id);
        let mut details = lock(&self.details);
        details.recordings.extend(recordings);
        details.of_tasks.extend(of_tasks);
        details.adopted.extend(adopted);
    }

    /// It had gone on with the recordings of these sessions.
    pub fn adopted(&self, sessions: impl IntoIterator<Item = SessionId>) {
        lock(&self.details).adopted.extend(sessions);
    }

    /// Until when its recordings wait for their publisher, if they do.
    pub fn waits_until(&self, until: Option<WallTime>) {
        lock(&self.details).waiting_until = until;
    }

    /// Whether it is connected and sends no media.
    pub fn silent(&self, silent: bool) {
        lock(&self.details).silent = silent;
    }

    /// When the oldest media came that a power cut would cost.
    pub fn unsynced_since(&self, since: Option<Instant>) {
        lock(&self.details).unsynced_since = since;
    }
}

impl Place {
    /// The session.
    pub fn session(&self) -> &Arc<LiveSession> {
        &self.session
    }

    /// Gives the stream back while the last of the session is still being written. It is forgotten when
    /// what this returns is dropped.
    #[must_use]
    pub fn leave(mut self) -> Self {
        let mut sessions = lock(&self.live.0);
        sessions.streams.remove(&self.session.path);
        sessions.ending.insert(self.session.id, self.session.clone());
        drop(sessions);
        self.ending = true;
        self.session.gone.cancel();
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut sessions = lock(&self.live.0);
        if self.ending {
            sessions.ending.remove(&self.session.id);
        } else {
            sessions.streams.remove(&self.session.path);
        }
        drop(sessions);
        self.session.gone.cancel();
    }
}

/// Nothing panics while it holds one of these locks; were it to, the data would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

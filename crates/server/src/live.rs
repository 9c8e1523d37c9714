//! What is being recorded at this moment, for the API and for control.
//!
//! One publisher at a time has a stream: [`Live::enter`] hands out the place, and gives it back when
//! the [`Place`] is dropped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use livetape_media::{MediaTime, Track, TrackKind, WallTime};
use livetape_mux::Progress;
use livetape_record::{RecordingId, SessionId, StreamPath};
use livetape_rtmp::CloseReason;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A request to a connection's task to end one of its sessions.
pub type CloseRequest = (SessionId, CloseReason);

/// Every live stream. Cheap to clone.
#[derive(Clone, Default)]
pub struct Live {
    streams: Arc<Mutex<BTreeMap<StreamPath, Arc<LiveSession>>>>,
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
    /// Tells its connection to end it.
    pub close: mpsc::Sender<CloseRequest>,
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
    tracks: BTreeMap<TrackKind, (Track, u64)>,
    recordings: BTreeMap<RecordingId, (String, Progress)>,
}

/// A session's hold on its stream.
pub struct Place {
    live: Live,
    session: Arc<LiveSession>,
}

/// The stream has a publisher already.
pub struct Occupied(pub Arc<LiveSession>);

impl Live {
    /// Takes the stream of `session`, unless another session has it.
    pub fn enter(&self, session: LiveSession) -> Result<Place, Occupied> {
        let mut streams = lock(&self.streams);
        if let Some(holder) = streams.get(&session.path) {
            return Err(Occupied(holder.clone()));
        }
        let session = Arc::new(session);
        streams.insert(session.path.clone(), session.clone());
        Ok(Place { live: self.clone(), session })
    }

    /// How many streams are live.
    pub fn count(&self) -> usize {
        lock(&self.streams).len()
    }

    /// Every live stream, by name.
    pub fn streams(&self) -> Vec<StreamView> {
        let sessions: Vec<_> = lock(&self.streams).values().cloned().collect();
        sessions.iter().map(|session| session.view()).collect()
    }

    /// The latest moment received of every live session, on its own timeline.
    pub fn received(&self) -> Vec<(SessionId, Option<MediaTime>)> {
        lock(&self.streams).values().map(|session| (session.id, session.latest())).collect()
    }

    /// The latest moment received of a live session, on its own timeline.
    pub fn received_of(&self, id: &SessionId) -> Option<MediaTime> {
        lock(&self.streams).values().find(|session| session.id == *id)?.latest()
    }

    /// How far a recording that is open has come.
    pub fn progress(&self, id: &RecordingId) -> Option<Progress> {
        let sessions: Vec<_> = lock(&self.streams).values().cloned().collect();
        let session = sessions.iter().find(|session| session.id == id.session)?;
        lock(&session.details).recordings.get(id).map(|(_, progress)| *progress)
    }
}

impl LiveSession {
    /// A session that is about to begin.
    pub fn new(
        id: SessionId,
        path: StreamPath,
        remote: String,
        started_at: WallTime,
        close: mpsc::Sender<CloseRequest>,
    ) -> Self {
        Self {
            id,
            path,
            remote,
            started_at,
            close,
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

    /// So many more frames were received.
    pub fn frames(&self, video: u64, audio: u64) {
        let mut details = lock(&self.details);
        for (kind, more) in [(TrackKind::Video, video), (TrackKind::Audio, audio)] {
            if let Some((_, frames)) = details.tracks.get_mut(&kind) {
                *frames += more;
            }
        }
    }

    /// A recording is open under `key` and has come this far.
    pub fn recording(&self, id: RecordingId, key: Option<&str>, progress: Progress) {
        let mut details = lock(&self.details);
        match details.recordings.get_mut(&id) {
            Some(entry) => entry.1 = progress,
            None => {
                details.recordings.insert(id, (key.unwrap_or_default().to_owned(), progress));
            }
        }
    }

    /// A recording is no longer open.
    pub fn recording_ended(&self, id: &RecordingId) {
        lock(&self.details).recordings.remove(id);
    }

    fn view(&self) -> StreamView {
        let details = lock(&self.details);
        let track = |kind| details.tracks.get(&kind);
        StreamView {
            session_id: self.id.to_string(),
            app: self.path.app.clone(),
            stream: self.path.name.clone(),
            remote_addr: self.remote.clone(),
            started_at: self.started_at.to_string(),
            duration_ms: self.received_ms.load(Ordering::Relaxed),
            received_bytes: self.received_bytes.load(Ordering::Relaxed),
            video: track(TrackKind::Video).and_then(|(track, frames)| {
                let format = track.config.video()?;
                Some(LiveVideo {
                    codec: track.config.codec().name(),
                    width: format.width,
                    height: format.height,
                    frame_rate: format.frame_rate.map(|rate| rate.as_f64()),
                    frames: *frames,
                })
            }),
            audio: track(TrackKind::Audio).and_then(|(track, frames)| {
                let format = track.config.audio()?;
                Some(LiveAudio {
                    codec: track.config.codec().name(),
                    sample_rate: format.output_sample_rate,
                    channels: format.channels,
                    frames: *frames,
                })
            }),
            recordings: details
                .recordings
                .iter()
                .map(|(id, (key, progress))| LiveRecording {
                    id: id.to_string(),
                    format: id.format.name(),
                    key: key.clone(),
                    size_bytes: progress.size_bytes,
                    duration_ms: u64::try_from(progress.duration.as_millis()).unwrap_or(u64::MAX),
                })
                .collect(),
        }
    }
}

impl Place {
    /// The session.
    pub fn session(&self) -> &Arc<LiveSession> {
        &self.session
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.live.streams).remove(&self.session.path);
        self.session.gone.cancel();
    }
}

/// Nothing panics while it holds one of these locks; were it to, the data would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A live stream, as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct StreamView {
    /// The session.
    pub session_id: String,
    /// The application.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// Where it comes from.
    pub remote_addr: String,
    /// When it was accepted (RFC 3339).
    pub started_at: String,
    /// Media time received.
    pub duration_ms: u64,
    /// Bytes of media received.
    pub received_bytes: u64,
    /// Its main video track.
    pub video: Option<LiveVideo>,
    /// Its main audio track.
    pub audio: Option<LiveAudio>,
    /// Its open recordings.
    pub recordings: Vec<LiveRecording>,
}

/// The video track of a live stream.
#[derive(Clone, Debug, Serialize)]
pub struct LiveVideo {
    /// Codec.
    pub codec: &'static str,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Declared frames a second.
    pub frame_rate: Option<f64>,
    /// Frames received.
    pub frames: u64,
}

/// The audio track of a live stream.
#[derive(Clone, Debug, Serialize)]
pub struct LiveAudio {
    /// Codec.
    pub codec: &'static str,
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u16,
    /// Frames received.
    pub frames: u64,
}

/// An open recording of a live stream.
#[derive(Clone, Debug, Serialize)]
pub struct LiveRecording {
    /// Its id.
    pub id: String,
    /// Its format.
    pub format: &'static str,
    /// The key it will have.
    pub key: String,
    /// Bytes so far.
    pub size_bytes: u64,
    /// Media time so far.
    pub duration_ms: u64,
}

//! Live streams as the API shows them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use livetape_media::{Format, MediaTime, TrackKind};
use livetape_record::RecordingId;
use serde::Serialize;

use super::{Details, LaneState, LiveSession, OpenRecording, lock};

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
    /// Media time on the disk, in the format that has least of it.
    pub written_ms: u64,
    /// Media time in the store, in the format that has least of it.
    pub stored_ms: u64,
    /// Media time of which webhooks took the event, of the webhook and the format that have least of it;
    /// nothing before the first was taken.
    pub announced_ms: Option<u64>,
    /// Every recorded frame before this moment, counted from the first frame in decoding time, survives
    /// the death of the process, in every format. What was dropped is told by warnings.
    pub durable_until_ms: u64,
    /// The same of a power cut.
    pub synced_until_ms: u64,
    /// How long the oldest media has been here that a power cut would cost.
    pub oldest_unsynced_ms: u64,
    /// It is connected and has sent no media for long.
    pub silent: bool,
    /// The template it is recorded by; null: no rule has it recorded.
    pub template: Option<String>,
    /// Bytes of media received.
    pub received_bytes: u64,
    /// Its main video track.
    pub video: Option<LiveVideo>,
    /// Its main audio track.
    pub audio: Option<LiveAudio>,
    /// Its publisher is gone, and its recordings wait for it until then (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_until: Option<String>,
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
    /// The task it is for; null: it is recorded by the template.
    pub task_id: Option<String>,
    /// The key it will have.
    pub key: String,
    /// Bytes so far.
    pub size_bytes: u64,
    /// Media time so far.
    pub duration_ms: u64,
    /// Media time from its start that survives the death of the process.
    pub durable_until_ms: u64,
    /// Media time from its start that survives a power cut.
    pub synced_until_ms: u64,
    /// Whether media comes and reaches the disk.
    pub growing: bool,
}

impl LiveSession {
    pub(super) fn view(&self) -> StreamView {
        let details = lock(&self.details);
        let track = |kind| details.tracks.get(&kind);
        let first = details.first.unwrap_or_default();
        // A format that carries nothing of this stream does not count.
        let begun = || details.lanes.iter().filter(|(_, lane)| lane.begun);
        // What a task records began whenever that was.
        let planned = || begun().filter(|((task, _), _)| task.is_none());
        let least = |media: &BTreeMap<Format, Duration>| {
            planned().map(|((_, format), _)| media.get(format).copied().unwrap_or_default()).min().map_or(0, millis)
        };
        let until = |moment: fn(&LaneState) -> Option<MediaTime>| {
            begun()
                .map(|(_, lane)| moment(lane))
                .min()
                .flatten()
                .map_or(0, |moment| millis((moment - first).to_duration()))
        };
        StreamView {
            session_id: self.id.to_string(),
            app: self.path.app.clone(),
            stream: self.path.name.clone(),
            remote_addr: self.remote.clone(),
            started_at: self.started_at.to_string(),
            duration_ms: self.received_ms.load(Ordering::Relaxed),
            written_ms: planned().map(|(_, lane)| lane.written).min().map_or(0, millis),
            stored_ms: least(&details.stored),
            announced_ms: details.announced.values().map(least).min(),
            durable_until_ms: until(|lane| lane.durable),
            synced_until_ms: until(|lane| lane.synced),
            oldest_unsynced_ms: details.unsynced_since.map_or(0, |since| millis(since.elapsed())),
            silent: details.silent,
            template: details.template.clone(),
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
            waiting_until: details.waiting_until.map(|until| until.to_string()),
            recordings: details.recordings.iter().map(|(id, open)| recording(&details, id, open)).collect(),
        }
    }
}

fn recording(details: &Details, id: &RecordingId, open: &OpenRecording) -> LiveRecording {
    let task = details.of_tasks.get(id).copied();
    let lane = details.lanes.get(&(task, id.format));
    let until = |moment: Option<MediaTime>| moment.map_or(0, |moment| millis((moment - open.start).to_duration()));
    LiveRecording {
        id: id.to_string(),
        format: id.format.name(),
        task_id: task.map(|task| task.to_string()),
        key: open.key.clone(),
        size_bytes: open.progress.size_bytes,
        duration_ms: millis(open.progress.duration),
        durable_until_ms: until(lane.and_then(|lane| lane.durable)),
        synced_until_ms: until(lane.and_then(|lane| lane.synced)),
        growing: !details.silent && lane.is_some_and(|lane| lane.grows),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

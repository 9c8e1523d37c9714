//! What lies beside a recording's files and says what it is, so that a lost catalog can be made anew.
//!
//! One JSON object. Nothing of it is needed while the catalog has the row.

use livetape_catalog::{NewRecording, NewSession, SessionRow};
use livetape_media::{MediaTime, WallTime};
use livetape_record::{Keep, RecordingId, SessionId, TaskId};
use serde::{Deserialize, Serialize};

/// What a recording is: what its row, and its session's, began with.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Its session.
    pub session: NewSession,
    /// The recording. Of its tracks the label says nothing: its files do.
    pub recording: NewRecording,
    /// The key of the playlists over it, if there are to be some.
    pub playlists: Option<String>,
}

/// Text that is not a label: torn, or not ours.
#[derive(Debug, thiserror::Error)]
#[error("the recording's label is not whole: {0}")]
pub struct LabelError(String);

/// The JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    id: String,
    app: String,
    stream: String,
    query: String,
    remote_addr: String,
    #[serde(default)]
    tc_url: String,
    #[serde(default)]
    encoder: String,
    session_started_at: String,
    key: String,
    started_at: String,
    start_ms: i64,
    start_reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    playlists: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_ms: Option<u64>,
}

const VERSION: u32 = 1;

impl Label {
    /// The label of a recording that begins.
    pub fn new(session: &SessionRow, recording: &NewRecording, playlists: Option<String>) -> Self {
        let session = NewSession {
            id: session.id,
            app: session.app.clone(),
            stream: session.stream.clone(),
            query: session.query.clone(),
            remote_addr: session.remote_addr.clone(),
            tc_url: session.tc_url.clone(),
            encoder: session.encoder.clone(),
            started_at: session.started_at,
        };
        Self { session, recording: NewRecording { video: None, audio: None, ..recording.clone() }, playlists }
    }

    /// As it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (session, recording) = (&self.session, &self.recording);
        let text = Text {
            version: VERSION,
            id: recording.id.to_string(),
            app: recording.app.clone(),
            stream: recording.stream.clone(),
            query: session.query.clone(),
            remote_addr: session.remote_addr.clone(),
            tc_url: session.tc_url.clone(),
            encoder: session.encoder.clone(),
            session_started_at: session.started_at.to_string(),
            key: recording.key.clone(),
            started_at: recording.started_at.to_string(),
            start_ms: recording.start.as_millis(),
            start_reason: recording.start_reason.clone(),
            playlists: self.playlists.clone(),
            task: recording.task.map(|task| task.to_string()),
            retention_ms: recording.keep.as_millis(),
        };
        // Texts and numbers always have a JSON; without a label the recording is as good.
        serde_json::to_vec(&text).unwrap_or_default()
    }

    /// The label in the directory of the recording `id`.
    ///
    /// # Errors
    /// When it is torn, of a later version, or another recording's.
    pub fn parse(id: &RecordingId, bytes: &[u8]) -> Result<Self, LabelError> {
        let text: Text = serde_json::from_slice(bytes).map_err(|error| LabelError(error.to_string()))?;
        if text.version != VERSION {
            return Err(LabelError(format!("it has version {}, this program knows {VERSION}", text.version)));
        }
        if text.id != id.to_string() {
            return Err(LabelError(format!("it is that of {}", text.id.chars().take(80).collect::<String>())));
        }
        let time = |text: &str| text.parse::<WallTime>().map_err(|error| LabelError(error.to_string()));
        let session: SessionId = id.session;
        let task = text.task.map(|task| task.parse::<TaskId>()).transpose();
        let task = task.map_err(|error| LabelError(error.to_string()))?;
        Ok(Self {
            session: NewSession {
                id: session,
                app: text.app.clone(),
                stream: text.stream.clone(),
                query: text.query,
                remote_addr: text.remote_addr,
                tc_url: text.tc_url,
                encoder: text.encoder,
                started_at: time(&text.session_started_at)?,
            },
            recording: NewRecording {
                id: *id,
                app: text.app,
                stream: text.stream,
                task,
                keep: Keep::from_millis(text.retention_ms),
                key: text.key,
                started_at: time(&text.started_at)?,
                start: MediaTime::from_millis(text.start_ms),
                start_reason: text.start_reason,
                video: None,
                audio: None,
            },
            playlists: text.playlists,
        })
    }
}

#[cfg(test)]
mod tests {
    use livetape_media::Format;

    use super::*;

    fn label() -> Label {
        let session: SessionId = "ses_0192f0c1000070008000000000000001".parse().unwrap();
        let started_at: WallTime = "2026-11-22T21:07:00.123Z".parse().unwrap();
        let (app, stream) = ("live \"\u{202e}".to_owned(), "r\u{0}om/..".to_owned());
        Label {
            session: NewSession {
                id: session,
                app: app.clone(),
                stream: stream.clone(),
                query: "record=mp4".into(),
                remote_addr: "192.0.2.1:40000".into(),
                tc_url: "rtmp://push.example/live".into(),
                encoder: "obs".into(),
                started_at,
            },
            recording: NewRecording {
                id: RecordingId { session, format: Format::Hls, sequence: 3 },
                app,
                stream,
                task: Some(TaskId(session.0)),
                keep: Keep::Ever,
                key: "live/room-3/index.m3u8".into(),
                started_at: started_at.plus_millis(1_800_040),
                start: MediaTime::from_millis(-40),
                start_reason: "duration_limit".into(),
                video: None,
                audio: None,
            },
            playlists: None,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let label = label();
        assert!(!String::from_utf8(label.to_bytes()).unwrap().contains("playlists"));
        let mut common = label.clone();
        common.recording.keep = Keep::AsOthers;
        assert!(!String::from_utf8(common.to_bytes()).unwrap().contains("retention"));
        for label in [Label { playlists: Some("live/room-3/index.m3u8".into()), ..label.clone() }, label, common] {
            assert_eq!(Label::parse(&label.recording.id, &label.to_bytes()).unwrap(), label);
        }
    }

    #[test]
    fn a_torn_one_and_another_recordings_are_refused() {
        let label = label();
        let (id, bytes) = (label.recording.id, label.to_bytes());
        for end in 0..bytes.len() {
            assert!(Label::parse(&id, &bytes[..end]).is_err());
            let zeroed = [&bytes[..end], &vec![0; bytes.len() - end]].concat();
            assert!(Label::parse(&id, &zeroed).is_err());
        }
        let error = Label::parse(&RecordingId { sequence: 4, ..id }, &bytes).unwrap_err();
        assert!(error.to_string().contains(&id.to_string()), "{error}");
        let later = String::from_utf8(bytes).unwrap().replace("\"version\":1", "\"version\":2");
        assert!(Label::parse(&id, later.as_bytes()).is_err());
    }
}

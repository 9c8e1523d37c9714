//! `events/recording-*.json` beside HLS, as Amazon's Interactive Video Service puts them.
//!
//! What it calls the channel is the stream; paths are those of the directory that `events` is in.

use bytes::Bytes;
use livetape_catalog::RecordingRow;
use livetape_media::WallTime;
use livetape_mux::hls;
use livetape_store::ObjectKey;
use serde::{Serialize, Serializer};

use crate::FinalizeError;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It has begun.
    Started,
    /// It is whole in the store.
    Ended,
    /// It could not be completed.
    Failed,
}

impl Status {
    const ALL: [Self; 3] = [Self::Started, Self::Ended, Self::Failed];

    const fn file(self) -> &'static str {
        match self {
            Self::Started => "recording-started.json",
            Self::Ended => "recording-ended.json",
            Self::Failed => "recording-failed.json",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Started => "RECORDING_STARTED",
            Self::Ended => "RECORDING_ENDED",
            Self::Failed => "RECORDING_ENDED_WITH_FAILURE",
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    version: &'static str,
    channel_arn: String,
    #[serde(serialize_with = "time")]
    recording_started_at: Option<WallTime>,
    #[serde(serialize_with = "time", skip_serializing_if = "Option::is_none")]
    recording_ended_at: Option<WallTime>,
    recording_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording_status_message: Option<&'a str>,
    media: Media<'a>,
}

#[derive(Serialize)]
struct Media<'a> {
    hls: Hls<'a>,
}

#[derive(Serialize)]
struct Hls<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    path: &'static str,
    playlist: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte_range_playlist: Option<&'a str>,
    renditions: Vec<Rendition>,
}

#[derive(Serialize)]
struct Rendition {
    path: &'static str,
    playlist: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    byte_range_playlist: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution_height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution_width: Option<u32>,
}

/// Where it is; nowhere when that would be no key. The recording's key is that of its multivariant playlist.
pub(super) fn key(recording: &str, status: Status) -> Option<ObjectKey> {
    let (directory, _) = recording.rsplit_once('/')?;
    format!("{directory}/events/{}", status.file()).parse().ok()
}

/// All of them.
pub(super) fn keys(recording: &str) -> impl Iterator<Item = ObjectKey> {
    Status::ALL.into_iter().filter_map(move |status| key(recording, status))
}

/// The key of the recording that has the object, if it has such a name.
pub(super) fn owner(object: &ObjectKey) -> Option<String> {
    let (directory, file) = object.as_str().rsplit_once("/events/")?;
    Status::ALL.iter().any(|status| status.file() == file).then(|| format!("{directory}/index.m3u8"))
}

/// What it says of the recording of `row`.
pub(super) fn body(node: &str, row: &RecordingRow, status: Status) -> Result<Bytes, FinalizeError> {
    let index = row.key.rsplit('/').next().unwrap_or(&row.key);
    let is_over = status != Status::Started;
    let playlist = if is_over { hls::WHOLE } else { hls::GROWING };
    let ranges = row.media_of.is_some();
    let millis = |length: std::time::Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let body = Body {
        version: "v1",
        channel_arn: format!("arn:livetape:ivs::{node}:channel/{}/{}", row.app, row.stream),
        recording_started_at: Some(row.started_at),
        recording_ended_at: row.ended_at.filter(|_| is_over),
        recording_status: status.name(),
        recording_status_message: row.error.as_deref().filter(|_| status == Status::Failed),
        media: Media {
            hls: Hls {
                duration_ms: is_over.then(|| row.duration.map_or(0, millis)),
                path: ".",
                playlist: index,
                byte_range_playlist: ranges.then_some(index),
                renditions: vec![Rendition {
                    path: ".",
                    playlist,
                    byte_range_playlist: ranges.then_some(playlist),
                    resolution_height: row.video.as_ref().map(|video| video.height),
                    resolution_width: row.video.as_ref().map(|video| video.width),
                }],
            },
        },
    };
    Ok(serde_json::to_vec(&body)?.into())
}

fn time<S: Serializer>(time: &Option<WallTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

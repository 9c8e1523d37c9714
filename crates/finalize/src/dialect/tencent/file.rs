//! Event 100: a recording's file is ready.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Envelope, Tencent, object, split};

/// `callback_ext`, which is text that holds JSON, in this order.
#[derive(Serialize)]
struct Extension {
    #[serde(skip_serializing_if = "Option::is_none")]
    video_codec: Option<String>,
    session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<String>,
}

pub(super) fn body(settings: &Tencent, event: &Envelope) -> Result<Map<String, Value>, serde_json::Error> {
    let data = &event.data;
    let push = event.push_number().to_string();
    let extension = Extension {
        video_codec: data.video.as_ref().map(|video| video.codec.clone()),
        session_id: push.clone(),
        resolution: data.video.as_ref().map(|video| format!("{}x{}", video.width, video.height)),
    };
    let mut body = legacy_body(settings, event);
    body.extend(object(json!({
        "app": event.host(),
        "appname": data.app,
        "callback_ext": serde_json::to_string(&extension)?,
        "end_time_usec": split(data.ended_at).1,
        "media_start_time": event.push.start_ms.unwrap_or(0),
        "record_bps": 0,
        "record_temp_id": "0",
        "start_time_usec": split(data.started_at).1,
        "task_id": event.task_number().map_or(push, |task| task.to_string()),
    })));
    Ok(body)
}

/// With the fields of 2017.
pub(super) fn legacy_body(settings: &Tencent, event: &Envelope) -> Map<String, Value> {
    let data = &event.data;
    let duration_ms = data.duration_ms.unwrap_or(0);
    object(json!({
        "appid": settings.app_id,
        "channel_id": data.stream,
        // To the nearest second; what there is takes at least one.
        "duration": duration_ms.saturating_add(500).div_euclid(1000).max(u64::from(duration_ms > 0)),
        "end_time": split(data.ended_at).0,
        "event_type": 100,
        "file_format": data.format,
        "file_id": data.id,
        "file_size": data.size_bytes.unwrap_or(0),
        "record_file_id": data.id,
        "start_time": split(data.started_at).0,
        "stream_id": data.stream,
        "stream_param": event.push.query,
        "video_id": data.id,
        "video_url": data.url.as_deref().unwrap_or_default(),
    }))
}

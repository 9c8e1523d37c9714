//! Event 332: a recording's state.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Envelope, Tencent, object, split};

/// `record_detail`, which is text that holds JSON, in this order.
#[derive(Serialize)]
struct Detail {
    file_format: u8,
    record_bps: u8,
    start_model: u8,
    record_content: u8,
    source_type: u8,
    codec_temp_id: u8,
}

pub(super) fn body(settings: &Tencent, event: &Envelope) -> Result<Option<Map<String, Value>>, serde_json::Error> {
    let data = &event.data;
    let state = match (event.kind.as_str(), data.kind.as_str()) {
        ("recording.started", _) => "record_start_succeeded",
        ("recording.ended" | "recording.discarded", _) => "record_ended",
        ("recording.waiting", _) => "record_paused",
        ("recording.continued", _) => "record_resumed",
        ("recording.failed", _) => "record_error",
        ("recording.warning", "disk_low") => "record_start_failed",
        ("recording.paused", _) => "record_paused",
        ("recording.resumed", _) => "record_resumed",
        _ => return Ok(None),
    };
    let detail = Detail {
        file_format: match data.format.as_deref() {
            Some("flv") => 1,
            Some("hls") => 2,
            Some("mp4") => 3,
            _ => 0,
        },
        record_bps: 0,
        // From a template or by a task, the original, live.
        start_model: if event.task_number().is_some() { 5 } else { 1 },
        record_content: 1,
        source_type: 1,
        codec_temp_id: 0,
    };
    let mut body = object(json!({
        "appid": settings.app_id,
        "appname": data.app,
        "domain": event.host(),
        "event_time": split(Some(event.timestamp)).0,
        "event_type": 332,
        "record_detail": serde_json::to_string(&detail)?,
        "record_event": state,
        "seq": event.seq.to_string(),
        "session_id": event.push_number().to_string(),
        "stream_id": data.stream,
    }));
    if let Some(task) = event.task_number() {
        body.insert("task_id".to_owned(), task.to_string().into());
    }
    Ok(Some(body))
}

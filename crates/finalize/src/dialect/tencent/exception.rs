//! Event 341: something is wrong with a recording.

use serde_json::{Map, Value, json};

use super::{Envelope, Tencent, object, split};

pub(super) fn body(settings: &Tencent, event: &Envelope) -> Option<Map<String, Value>> {
    let data = &event.data;
    if event.kind != "recording.warning" {
        return None;
    }
    // Those that end a trouble, and those that no type stands for, are not told.
    if data.phase == "ended" || data.kind.ends_with("_resumed") || data.kind.ends_with("_recovered") {
        return None;
    }
    let of = |audio, video| if data.track.as_deref() == Some("audio") { audio } else { video };
    let (level, number) = match data.kind.as_str() {
        "timestamp_jump" => ("info", of(-8, -9)),
        "timestamp_repaired" => ("info", of(-24, -11)),
        "timestamps_stuck" => ("info", of(-22, -23)),
        "timestamp_gap" => ("warning", of(-200, -201)),
        "audio_video_apart" => ("warning", -10),
        "no_audio" => ("warning", -17),
        "no_video" | "stream_silent" => ("warning", -18),
        "resolution_changed" => ("info", -100),
        "disk_trouble" | "recording_stalled" => ("error", -104),
        "codec_changed" => ("info", -120),
        "frames_skipped" | "frames_dropped" | "media_unreadable" | "unsupported_codec" => ("warning", of(-131, -130)),
        "key_frame_missing" | "gop_irregular" => ("warning", -132),
        _ => return None,
    };
    let format = match data.format.as_deref() {
        // What the segments were, when these callbacks were made.
        Some("hls") => "ts",
        other => other.unwrap_or_default(),
    };
    Some(object(json!({
        "appid": settings.app_id,
        "domain": event.host(),
        "event_type": 341,
        "exception": { "desc": data.detail, "occurs": data.count.max(1), "type": number },
        "exception_level": level,
        "file_format": format,
        "interface": "general_callback",
        "path": data.app,
        "session_id": event.push_number().to_string(),
        "stream_id": data.stream,
        "timestamp": split(Some(event.timestamp)).0,
    })))
}

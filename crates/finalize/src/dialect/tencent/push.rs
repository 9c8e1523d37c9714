//! Events 1 and 0: a push began, is over.

use serde_json::{Map, Value, json};

use super::{Envelope, Tencent, object, split};

pub(super) fn body(settings: &Tencent, event: &Envelope) -> Map<String, Value> {
    let data = &event.data;
    let is_end = event.kind == "stream.ended";
    let (code, message) = match data.end_reason.as_deref() {
        _ if !is_end => (0, "ok"),
        Some("unpublish") => (1, "The push client actively stopped the push"),
        Some("drop") => (12, "The connection of the push client was lost"),
        Some("idle_timeout") => (8, "The push client sent no data"),
        Some("protocol_error") => (6, "The push client broke the protocol"),
        Some("disconnect") => (100, "The push was disconnected by the operator"),
        Some("takeover") => (102, "The push was replaced by a new push"),
        _ => (5, "The server stopped"),
    };
    let mut body = object(json!({
        "app": event.host(),
        "appid": settings.app_id,
        "appname": data.app,
        "channel_id": data.stream,
        "errcode": code,
        "errmsg": message,
        "event_time": split(Some(event.timestamp)).0,
        "event_type": if is_end { 0 } else { 1 },
        "height": 0,
        "idc_id": 0,
        "node": event.push.node,
        "sequence": event.push_number().to_string(),
        "set_id": 0,
        "stream_id": data.stream,
        "stream_param": event.push.query,
        "user_ip": event.address(),
        "width": 0,
    }));
    if is_end {
        let started = data.started_at.map_or(event.timestamp.as_unix_millis(), |at| at.as_unix_millis());
        let ended = data.ended_at.unwrap_or(event.timestamp).as_unix_millis();
        body.insert("push_duration".to_owned(), ended.saturating_sub(started).max(0).to_string().into());
    }
    body
}

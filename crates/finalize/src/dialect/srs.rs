//! SRS: the HTTP hooks `on_publish`, `on_unpublish`, `on_dvr` and `on_hls`, told after the fact.
//!
//! SRS sends `on_hls` for each segment; here it is one for the whole recording, and names its playlist.

use serde::Serialize;

use super::envelope::Envelope;
use super::{MediaRoots, Message};

/// A hook; the order is that of SRS.
#[derive(Serialize)]
struct Hook<'a> {
    server_id: String,
    service_id: String,
    action: &'static str,
    client_id: String,
    ip: &'a str,
    vhost: String,
    app: &'a str,
    #[serde(rename = "tcUrl")]
    tc_url: &'a str,
    stream: &'a str,
    param: String,
    stream_url: String,
    stream_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    playlist: Option<Playlist>,
}

#[derive(Serialize)]
struct Playlist {
    url: String,
    m3u8: String,
    m3u8_url: String,
    seq_no: u32,
}

const DEFAULT_VHOST: &str = "__defaultVhost__";

pub(super) fn message(roots: &MediaRoots, event: &Envelope) -> Result<Option<Message>, serde_json::Error> {
    let (data, push) = (&event.data, &event.push);
    let is_hls = data.format.as_deref() == Some("hls");
    let action = match event.kind.as_str() {
        "stream.started" => "on_publish",
        "stream.ended" => "on_unpublish",
        "recording.ready" if is_hls => "on_hls",
        "recording.ready" => "on_dvr",
        _ => return Ok(None),
    };
    let is_file = matches!(action, "on_dvr" | "on_hls");
    let root = roots.of(data.store.as_deref()).filter(|_| is_file);
    // What is in no directory is where its URL says.
    let file = match root {
        Some(_) => format!("./{}", data.key),
        None => data.url.clone().unwrap_or_default(),
    };
    let digits = event.push_number();
    let node: String = push.node.chars().filter(char::is_ascii_hexdigit).collect();
    let last = |count: usize| node.get(node.len().saturating_sub(count)..).unwrap_or_default().to_owned();
    let hook = Hook {
        server_id: format!("vid-{}", last(7)),
        service_id: last(8),
        action,
        client_id: format!("{:08x}", digits & u64::from(u32::MAX)),
        ip: event.address(),
        vhost: vhost(&push.query).unwrap_or_else(|| DEFAULT_VHOST.to_owned()),
        app: &data.app,
        tc_url: &push.tc_url,
        stream: &data.stream,
        param: if push.query.is_empty() { String::new() } else { format!("?{}", push.query) },
        stream_url: format!("{}/{}/{}", event.host(), data.app, data.stream),
        stream_id: format!("vid-{:07x}", (digits >> 32) & 0xfff_ffff),
        duration: data
            .duration_ms
            .filter(|_| is_hls && is_file)
            .map(|ms| std::time::Duration::from_millis(ms).as_secs_f64()),
        cwd: is_file.then(|| root.unwrap_or_default()),
        file: is_file.then(|| file.clone()),
        playlist: (action == "on_hls").then(|| Playlist {
            url: data.key.clone(),
            m3u8: file,
            m3u8_url: data.url.clone().unwrap_or_default(),
            seq_no: data.sequence,
        }),
    };
    Ok(Some(Message::json(serde_json::to_vec(&hook)?)))
}

/// The virtual host that the push URL names.
fn vhost(query: &str) -> Option<String> {
    let named = query.split('&').find_map(|parameter| parameter.strip_prefix("vhost="))?;
    (!named.is_empty()).then(|| named.to_owned())
}

/// `0`, or an object whose `code` is 0. Nothing at all is a refusal.
pub(super) fn accepts(answer: &[u8]) -> Result<(), String> {
    let text = answer.trim_ascii();
    if text.is_empty() {
        return Err("the answer is empty; SRS wants 0, or an object whose code is 0".to_owned());
    }
    let value: serde_json::Value = serde_json::from_slice(text)
        .map_err(|_| "the answer is no JSON; SRS wants 0, or an object whose code is 0".to_owned())?;
    let code = if value.is_object() { value.get("code") } else { Some(&value) };
    match code.and_then(serde_json::Value::as_i64) {
        Some(0) => Ok(()),
        Some(code) => Err(format!("the answer's code is {code}")),
        None => Err("the answer has no code that is a number".to_owned()),
    }
}

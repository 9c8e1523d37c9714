//! nginx-rtmp: the notifications of `on_publish`, `on_publish_done` and `on_record_done`, as forms.

use super::envelope::Envelope;
use super::form;
use super::{MediaRoots, Message};

/// What the server says itself; a publisher's parameters of these names are left out.
const OURS: &[&str] =
    &["app", "flashver", "swfurl", "tcurl", "pageurl", "addr", "clientid", "call", "name", "type", "recorder", "path"];

pub(super) fn message(roots: &MediaRoots, event: &Envelope) -> Option<Message> {
    let data = &event.data;
    let call = match event.kind.as_str() {
        "stream.started" => "publish",
        "stream.ended" => "publish_done",
        "recording.ready" => "record_done",
        _ => return None,
    };
    let mut form = String::new();
    let client = (event.push_number() & u64::from(u32::MAX)).to_string();
    for (name, value) in [
        ("app", data.app.as_str()),
        ("flashver", &event.push.encoder),
        ("swfurl", ""),
        ("tcurl", &event.push.tc_url),
        ("pageurl", ""),
        ("addr", event.address()),
        ("clientid", &client),
        ("call", call),
    ] {
        form::push(&mut form, name, value);
    }
    if call == "record_done" {
        form::push(&mut form, "recorder", data.format.as_deref().unwrap_or_default());
    }
    form::push(&mut form, "name", &data.stream);
    match call {
        "publish" => form::push(&mut form, "type", "live"),
        "record_done" => {
            let path = match roots.of(data.store.as_deref()) {
                Some(root) => format!("{}/{}", root.trim_end_matches('/'), data.key),
                None => data.url.clone().unwrap_or_default(),
            };
            form::push(&mut form, "path", &path);
        }
        _ => {}
    }
    form::push_query(&mut form, &event.push.query, OURS);
    Some(Message { content_type: "application/x-www-form-urlencoded", body: form.into() })
}

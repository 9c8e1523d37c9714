//! The bodies of the messages that go to a client.

use livetape_flv::amf0;
use livetape_media::Value;

/// What the server calls itself; some encoders look for the FMS version they know.
const SERVER_VERSION: &str = "FMS/3,5,7,7009";
/// Enhanced RTMP: whatever the codec, it can be forwarded (recorded) as it comes.
const CAN_FORWARD: f64 = 4.0;
/// Enhanced RTMP `capsEx`: multitrack (2), ModEx (4), nanosecond offsets (8).
const EXTENDED_CAPABILITIES: f64 = 14.0;

/// The level of an `onStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Status,
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Error => "error",
        }
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn object(entries: &[(&str, Value)]) -> Value {
    Value::Object(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn info(level: Level, code: &str, description: &str) -> Value {
    object(&[("level", text(level.name())), ("code", text(code)), ("description", text(description))])
}

fn body(name: &str, transaction: f64, values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    amf0::write(&text(name), &mut out);
    amf0::write(&Value::Number(transaction), &mut out);
    values.iter().for_each(|value| amf0::write(value, &mut out));
    out
}

/// The answer to `connect`, with what the server can do by Enhanced RTMP ("Enhancing NetConnection
/// connect Command").
pub(crate) fn connected(transaction: f64, object_encoding: f64) -> Vec<u8> {
    let any_codec = object(&[("*", Value::Number(CAN_FORWARD))]);
    let properties = object(&[
        ("fmsVer", text(SERVER_VERSION)),
        ("capabilities", Value::Number(31.0)),
        ("mode", Value::Number(1.0)),
        ("fourCcList", Value::Array(vec![text("*")])),
        ("videoFourCcInfoMap", any_codec.clone()),
        ("audioFourCcInfoMap", any_codec),
        ("capsEx", Value::Number(EXTENDED_CAPABILITIES)),
    ]);
    let information = object(&[
        ("level", text("status")),
        ("code", text("NetConnection.Connect.Success")),
        ("description", text("Connection succeeded.")),
        ("objectEncoding", Value::Number(object_encoding)),
    ]);
    body("_result", transaction, &[properties, information])
}

/// A command failed.
pub(crate) fn error(transaction: f64, code: &str, description: &str) -> Vec<u8> {
    body("_error", transaction, &[Value::Null, info(Level::Error, code, description)])
}

/// A command succeeded and this is its result.
pub(crate) fn result(transaction: f64, value: &Value) -> Vec<u8> {
    body("_result", transaction, &[Value::Null, value.clone()])
}

/// Something happened to a stream.
pub(crate) fn on_status(level: Level, code: &str, description: &str) -> Vec<u8> {
    body("onStatus", 0.0, &[Value::Null, info(level, code, description)])
}

/// `onFCPublish` or `onFCUnpublish`, which some encoders wait for.
pub(crate) fn on_fc(name: &str, code: &str, description: &str) -> Vec<u8> {
    body(name, 0.0, &[Value::Null, object(&[("code", text(code)), ("description", text(description))])])
}

//! Commands: what a client asks for (RTMP 1.0, section 7).
//!
//! ```text
//! name: string | transaction: number | command object: object or null | arguments ...
//! ```
//! as AMF0 values; in a message of type 17 a zero byte comes first, and any value may switch to AMF3.

use livetape_flv::{AmfError, Limits, amf0};
use livetape_media::Value;

use crate::message::kind;

/// A command as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    pub(crate) name: String,
    /// Zero when none was given.
    pub(crate) transaction: f64,
    pub(crate) object: Value,
    pub(crate) arguments: Vec<Value>,
}

impl Command {
    /// Reads the body of a command message.
    ///
    /// Only the name must be there. Values behind one that cannot be read are lost, the ones before
    /// it count: an odd extra must not cost a connection.
    pub(crate) fn parse(type_id: u8, body: &[u8]) -> Result<Self, AmfError> {
        let body = match body {
            [0, rest @ ..] if type_id == kind::COMMAND_AMF3 => rest,
            _ => body,
        };
        let mut reader = amf0::Reader::new(body, Limits::default());
        let name = match reader.next_value()? {
            Some(Value::String(name)) => name,
            Some(_) => return Err(AmfError::Truncated { what: "the command's name", at: 0 }),
            None => return Err(AmfError::Truncated { what: "the command's name", at: body.len() }),
        };
        let mut next = || reader.next_value().ok().flatten();
        let transaction = next().and_then(|value| value.as_f64()).filter(|number| number.is_finite()).unwrap_or(0.0);
        let object = next().unwrap_or(Value::Null);
        let arguments = std::iter::from_fn(next).collect();
        Ok(Self { name, transaction, object, arguments })
    }

    /// The first argument behind the command object.
    pub(crate) fn argument(&self) -> &Value {
        self.arguments.first().unwrap_or(&Value::Undefined)
    }

    /// Whether the client waits for an answer. `connect`, `createStream` and `publish` are answered
    /// in any case: some clients number them all 0.
    pub(crate) fn wants_answer(&self) -> bool {
        self.transaction != 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(values: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        values.iter().for_each(|value| amf0::write(value, &mut out));
        out
    }

    fn text(text: &str) -> Value {
        Value::String(text.into())
    }

    #[test]
    fn a_name_alone_is_a_command() {
        let command = Command::parse(kind::COMMAND_AMF0, &body(&[text("closeStream")])).unwrap();
        assert_eq!((command.name.as_str(), command.transaction, &command.object), ("closeStream", 0.0, &Value::Null));
        assert!(!command.wants_answer());
    }

    #[test]
    fn a_zero_byte_before_an_amf3_command_is_skipped_and_its_absence_forgiven() {
        let plain = body(&[text("publish"), Value::Number(4.5), Value::Null, text("key")]);
        let prefixed = [&[0], plain.as_slice()].concat();
        let command = Command::parse(kind::COMMAND_AMF3, &prefixed).unwrap();
        assert_eq!(command, Command::parse(kind::COMMAND_AMF3, &plain).unwrap());
        assert_eq!((command.transaction, command.argument()), (4.5, &text("key")));
    }

    #[test]
    fn an_argument_in_amf3_is_read() {
        let mut bytes = body(&[text("publish"), Value::Number(5.0), Value::Null]);
        bytes.extend_from_slice(&[0x11, 0x06, 0x07, b'k', b'e', b'y']);
        assert_eq!(Command::parse(kind::COMMAND_AMF0, &bytes).unwrap().argument(), &text("key"));
    }

    #[test]
    fn what_follows_an_unreadable_value_is_lost_and_what_precedes_it_counts() {
        let mut bytes = body(&[text("publish"), Value::Number(5.0), Value::Null, text("key")]);
        bytes.extend_from_slice(&[0xFF, 1, 2, 3]);
        let command = Command::parse(kind::COMMAND_AMF0, &bytes).unwrap();
        assert_eq!(command.arguments, [text("key")]);
    }

    #[test]
    fn a_command_without_a_name_is_an_error() {
        for bytes in [vec![], body(&[Value::Number(1.0)]), vec![0x02, 0x00, 0x20, b'c']] {
            assert!(Command::parse(kind::COMMAND_AMF0, &bytes).is_err(), "{bytes:?}");
        }
        let deep: Vec<u8> = [2, 0, 1, b'c'].into_iter().chain([3, 0, 1, b'a'].repeat(4000)).collect();
        assert_eq!(Command::parse(kind::COMMAND_AMF0, &deep).unwrap().name, "c");
    }
}

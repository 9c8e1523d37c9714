//! What a client asks for, and the answers.

use livetape_media::{Now, Value};

use super::control::WINDOW;
use super::{Client, Session};
use crate::command::Command;
use crate::message::{Message, kind};
use crate::name::{Name, printable, without_secrets};
use crate::reply::{self, Level};
use crate::{CloseReason, Query, SessionError};

/// Enough for any reply in one chunk; ffmpeg takes it over as its own.
const CHUNK_SIZE: u16 = 60_000;
/// Enhanced RTMP `capsEx`: the client can be asked to connect again.
const RECONNECT: u32 = 1;

impl Session {
    pub(super) fn handle_command(&mut self, message: &Message, at: u64, now: Now) -> Result<(), SessionError> {
        let command = Command::parse(message.type_id, &message.body)
            .map_err(|error| SessionError::Command { at, problem: error.to_string() })?;
        let stream = message.stream_id;
        match command.name.as_str() {
            "connect" => return self.connect(&command),
            "createStream" => self.create_stream(&command),
            "publish" => return self.publish(&command, stream, now),
            "releaseStream" => {
                self.unpublish_named(command.argument(), now);
                self.answer(&command, &Value::Undefined);
            }
            "FCPublish" => {
                self.answer(&command, &Value::Undefined);
                self.on_fc("onFCPublish", "NetStream.Publish.Start", command.argument());
            }
            "FCUnpublish" => {
                match command.argument() {
                    name @ Value::String(_) => self.unpublish_named(name, now),
                    _ => self.unpublish_only(now),
                }
                self.answer(&command, &Value::Undefined);
                self.on_fc("onFCUnpublish", "NetStream.Unpublish.Success", command.argument());
            }
            "deleteStream" => self.delete_stream(command.argument(), stream, now),
            "closeStream" => self.unpublish_on(stream, now),
            "getStreamLength" => self.answer(&command, &Value::Number(0.0)),
            "_checkbw" => self.answer(&command, &Value::Undefined),
            "play" | "play2" => {
                self.status(stream, Level::Error, "NetStream.Play.Failed", "This server records; it does not play.");
            }
            // Answers to calls the server did not make, and notices that ask for nothing.
            "_result" | "_error" | "onStatus" => {}
            name => {
                if command.wants_answer() {
                    let description = format!("Unknown command '{}'.", printable(name));
                    let body = reply::error(command.transaction, "NetConnection.Call.Failed", &description);
                    self.write(kind::COMMAND_AMF0, stream, &body);
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self, command: &Command) -> Result<(), SessionError> {
        let field = |name| command.object.field(name);
        let text = |name| field(name).and_then(Value::as_str);
        if self.client.is_some() {
            let body = reply::error(command.transaction, "NetConnection.Connect.Failed", "Already connected.");
            self.write(kind::COMMAND_AMF0, 0, &body);
            return Ok(());
        }
        let app = match Name::parse(text("app").unwrap_or_default(), self.limits.name_bytes) {
            Ok(app) => app,
            Err(problem) => {
                let description = format!("The application's name was refused: {problem}.");
                let body = reply::error(command.transaction, "NetConnection.Connect.Rejected", &description);
                self.write(kind::COMMAND_AMF0, 0, &body);
                return Err(SessionError::Name { what: "application's name", problem });
            }
        };
        let capabilities = field("capsEx").and_then(Value::as_f64).unwrap_or(0.0) as u32;
        self.client = Some(Client {
            app: app.name,
            app_query: Query::new(app.query),
            tc_url: text("tcUrl").map(without_secrets),
            encoder: text("flashVer").map(printable),
            reconnects: capabilities & RECONNECT != 0,
        });

        // Some cameras refuse any other order.
        self.write(kind::WINDOW_ACKNOWLEDGEMENT_SIZE, 0, &WINDOW.to_be_bytes());
        let [a, b, c, d] = WINDOW.to_be_bytes();
        let dynamic = 2;
        self.write(kind::SET_PEER_BANDWIDTH, 0, &[a, b, c, d, dynamic]);
        self.writer.set_chunk_size(CHUNK_SIZE, &mut self.unsent);
        let encoding = if field("objectEncoding").and_then(Value::as_f64) == Some(3.0) { 3.0 } else { 0.0 };
        self.write(kind::COMMAND_AMF0, 0, &reply::connected(command.transaction, encoding));
        Ok(())
    }

    fn create_stream(&mut self, command: &Command) {
        let body = if self.client.is_none() {
            reply::error(command.transaction, "NetConnection.Call.Failed", "Connect first.")
        } else if self.message_streams.len() >= self.limits.message_streams {
            reply::error(command.transaction, "NetConnection.Call.Failed", "Too many streams on one connection.")
        } else {
            let id = self.next_message_stream;
            self.next_message_stream += 1;
            self.message_streams.push(id);
            reply::result(command.transaction, &Value::Number(f64::from(id)))
        };
        self.write(kind::COMMAND_AMF0, 0, &body);
    }

    /// `deleteStream` names the stream by number, as it should, by the publish's name (GStreamer), or
    /// not at all.
    fn delete_stream(&mut self, which: &Value, stream: u32, now: Now) {
        match which {
            Value::Number(number) => {
                // Saturates; NaN becomes 0, which nobody creates.
                let id = *number as u32;
                if self.publishes.iter().any(|publish| publish.message_stream == id) {
                    self.unpublish_on(id, now);
                } else if self.publishes.iter().all(|publish| !self.message_streams.contains(&publish.message_stream)) {
                    // It publishes on a stream that it did not create; it can only mean that one.
                    self.unpublish_only(now);
                }
                self.message_streams.retain(|known| *known != id);
            }
            Value::String(_) => self.unpublish_named(which, now),
            _ => {
                self.unpublish_on(stream, now);
                self.message_streams.retain(|known| *known != stream);
            }
        }
    }

    /// Enhanced RTMP: asks a client that can to come back; tells the others that the service stops.
    pub(super) fn announce_shutdown(&mut self) {
        let Some(client) = &self.client else { return };
        let (level, code) = if client.reconnects {
            (Level::Status, "NetConnection.Connect.ReconnectRequest")
        } else {
            (Level::Error, "NetConnection.Connect.AppShutdown")
        };
        self.status(0, level, code, CloseReason::Shutdown.description());
    }

    /// Answers a command, if the client waits for that.
    fn answer(&mut self, command: &Command, value: &Value) {
        if command.wants_answer() {
            self.write(kind::COMMAND_AMF0, 0, &reply::result(command.transaction, value));
        }
    }

    fn on_fc(&mut self, name: &str, code: &str, stream: &Value) {
        let stream = stream.as_str().map(without_secrets).unwrap_or_default();
        self.write(kind::COMMAND_AMF0, 0, &reply::on_fc(name, code, &stream));
    }

    pub(super) fn status(&mut self, stream: u32, level: Level, code: &str, description: &str) {
        self.write(kind::COMMAND_AMF0, stream, &reply::on_status(level, code, description));
    }
}

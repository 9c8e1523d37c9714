//! The life of a publish: asked, answered, ended.

use livetape_flv::Demuxer;
use livetape_media::{EndReason, Now, Value};

use super::{Publish, Session};
use crate::command::Command;
use crate::name::Name;
use crate::reply::Level;
use crate::{CloseReason, Output, PublishId, PublishRequest, Query, Rejection, RejectionCode, SessionError};

impl Session {
    /// Lets the publish that was asked for begin. Reads what was held meanwhile.
    pub fn accept(&mut self, id: PublishId, now: Now) {
        let Some(publish) = self.asked.take_if(|asked| asked.id == id) else { return };
        let stream = publish.message_stream;
        self.publishes.push(publish);
        self.ever_published = true;
        self.stream_begin(stream);
        self.tell_start(stream);
        self.resume(now);
        self.send_gathered();
    }

    /// Refuses the publish that was asked for. The connection is closed unless it publishes something
    /// else.
    pub fn reject(&mut self, id: PublishId, rejection: &Rejection, now: Now) {
        let Some(publish) = self.asked.take_if(|asked| asked.id == id) else { return };
        self.status(publish.message_stream, Level::Error, rejection.code.text(), &rejection.description);
        if self.publishes.is_empty() {
            self.finish(None);
        } else {
            self.resume(now);
        }
        self.send_gathered();
    }

    /// Ends one publish, telling the client why. The connection is closed unless it publishes
    /// something else.
    pub fn end_publish(&mut self, id: PublishId, reason: CloseReason, now: Now) {
        if !self.publishes.iter().any(|publish| publish.id == id) {
            return;
        }
        self.end_by_server(id, reason, now);
        if self.publishes.is_empty() && self.asked.is_none() {
            self.finish(None);
        }
        self.send_gathered();
    }

    pub(super) fn publish(&mut self, command: &Command, stream: u32, now: Now) -> Result<(), SessionError> {
        let sent_name = match command.argument() {
            // `publish(false)` is how the first players stopped.
            Value::Boolean(false) => {
                self.unpublish_on(stream, now);
                return Ok(());
            }
            name => name.as_str().unwrap_or_default(),
        };
        let Some(client) = &self.client else {
            return self.refuse(stream, "Connect first.", "it came before connect");
        };
        let name = match Name::parse(sent_name, self.limits.name_bytes) {
            Ok(name) => name,
            Err(problem) => {
                return self.refuse(stream, &format!("The stream's name was refused: {problem}."), &problem);
            }
        };
        let queries = [client.app_query.expose(), name.query.as_str()];
        let queries: Vec<_> = queries.into_iter().filter(|query| !query.is_empty()).collect();
        let request = PublishRequest {
            id: PublishId(self.next_publish),
            app: client.app.clone(),
            stream: name.name.clone(),
            query: Query::new(queries.join("&")),
            tc_url: client.tc_url.clone(),
            encoder: client.encoder.clone(),
        };

        if let Some(earlier) = self.publishes.iter().find(|publish| publish.message_stream == stream) {
            if earlier.stream == name.name {
                self.tell_start(stream);
                return Ok(());
            }
            self.unpublish_on(stream, now);
        }
        if self.publishes.iter().any(|publish| publish.stream == name.name) {
            return self.refuse(stream, "This connection publishes that stream already.", "it is published already");
        }
        if self.publishes.len() >= self.limits.publishes {
            return self.refuse(stream, "Too many streams on one connection.", "the connection publishes too many");
        }
        self.next_publish += 1;
        self.asked = Some(Publish {
            id: request.id,
            message_stream: stream,
            stream: name.name,
            sent_name: Query::new(sent_name.to_owned()),
            demuxer: Demuxer::new(self.limits.demux),
        });
        self.put(Output::PublishRequested(request));
        Ok(())
    }

    /// Refuses a publish without asking. That ends the connection unless it publishes something else.
    fn refuse(&mut self, stream: u32, description: &str, problem: &str) -> Result<(), SessionError> {
        self.status(stream, Level::Error, RejectionCode::BadName.text(), description);
        if !self.publishes.is_empty() {
            return Ok(());
        }
        Err(SessionError::Name { what: "stream's name", problem: problem.to_owned() })
    }

    /// The client ends the publish on a message stream, or the only one.
    pub(super) fn unpublish_on(&mut self, stream: u32, now: Now) {
        if let Some(index) = self.publish_of(stream) {
            self.unpublish(index, now);
        }
    }

    /// The client ends its only publish.
    pub(super) fn unpublish_only(&mut self, now: Now) {
        if self.publishes.len() == 1 {
            self.unpublish(0, now);
        }
    }

    /// The client ends a publish by its name, with or without the query.
    pub(super) fn unpublish_named(&mut self, name: &Value, now: Now) {
        let Some(text) = name.as_str() else { return };
        let plain = Name::parse(text, self.limits.name_bytes).ok().map(|name| name.name);
        let named = |publish: &Publish| publish.sent_name.expose() == text || plain.as_ref() == Some(&publish.stream);
        if let Some(index) = self.publishes.iter().position(named) {
            self.unpublish(index, now);
        }
    }

    fn unpublish(&mut self, index: usize, now: Now) {
        let publish = self.publishes.remove(index);
        self.unpublished_since = now.mono;
        self.status(
            publish.message_stream,
            Level::Status,
            "NetStream.Unpublish.Success",
            "The stream is no longer published.",
        );
        self.put_end(publish, EndReason::Unpublish);
    }

    pub(super) fn end_by_server(&mut self, id: PublishId, reason: CloseReason, now: Now) {
        if let Some(index) = self.publishes.iter().position(|publish| publish.id == id) {
            let publish = self.publishes.remove(index);
            self.unpublished_since = now.mono;
            self.tell_end(publish.message_stream, reason);
            self.put_end(publish, reason.end());
        }
    }

    fn tell_start(&mut self, stream: u32) {
        self.status(stream, Level::Status, "NetStream.Publish.Start", "The stream is being published.");
    }

    /// Tells the client that the server ends what it publishes or wants to publish.
    pub(super) fn tell_end(&mut self, stream: u32, reason: CloseReason) {
        let code = match reason {
            // A client that has been replaced must not fight its way back.
            CloseReason::Takeover => "NetStream.Publish.BadName",
            CloseReason::Disconnect | CloseReason::Shutdown | CloseReason::Overload => "NetStream.Publish.Rejected",
        };
        self.status(stream, Level::Error, code, reason.description());
    }
}

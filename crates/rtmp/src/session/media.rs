//! Audio, video and data messages, to the publish they belong to.

use livetape_media::{Item, Now, Warning, WarningKind};

use super::Session;
use crate::Output;
use crate::aggregate;
use crate::message::{Message, kind};

impl Session {
    /// Hands a message to its publish. Media of none is left out: it comes behind an unpublish.
    pub(super) fn handle_media(&mut self, message: Message, now: Now) {
        let Some(index) = self.publish_of(message.stream_id) else { return };
        let mut items = std::mem::take(&mut self.items);
        if let Some(publish) = self.publishes.get_mut(index) {
            if message.type_id == kind::AGGREGATE {
                let (messages, whole) = aggregate::unpack(&message);
                for message in messages {
                    publish.demux(message, now, &mut items);
                }
                if !whole {
                    items.push(Item::Warning(Warning {
                        kind: WarningKind::MediaUnreadable,
                        track: None,
                        detail: format!("an aggregate message of {} bytes is torn at its end", message.body.len()),
                    }));
                }
            } else {
                publish.demux(message, now, &mut items);
            }
            let publish = publish.id;
            for item in items.drain(..) {
                self.put(Output::Item { publish, item });
            }
        }
        self.items = items;
    }

    /// The publish on a message stream. Some clients send media on stream 0, or publish on it: then
    /// the only publish is meant, unless both streams were properly created.
    pub(super) fn publish_of(&self, message_stream: u32) -> Option<usize> {
        let found = self.publishes.iter().position(|publish| publish.message_stream == message_stream);
        found.or_else(|| match self.publishes.as_slice() {
            [only] => {
                let created = |stream| self.message_streams.contains(&stream);
                (!created(message_stream) || !created(only.message_stream)).then_some(0)
            }
            _ => None,
        })
    }
}

impl super::Publish {
    fn demux(&mut self, message: Message, now: Now, items: &mut Vec<Item>) {
        let Message { type_id, timestamp, mut body, .. } = message;
        match type_id {
            kind::AUDIO => self.demuxer.audio(timestamp, body, now, items),
            kind::VIDEO => self.demuxer.video(timestamp, body, now, items),
            kind::DATA_AMF0 => self.demuxer.data(timestamp, body, now, items),
            kind::DATA_AMF3 => {
                // The format selector: what follows is AMF0 that may switch to AMF3.
                if body.first() == Some(&0) {
                    body = body.slice(1..);
                }
                self.demuxer.data(timestamp, body, now, items);
            }
            _ => {}
        }
    }
}

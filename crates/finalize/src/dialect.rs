//! Events in the words of other servers, for receivers that were written for those.
//!
//! Contract: a message is a function of the event, the endpoint's settings and the time of the attempt; nothing
//! is looked up. An event that a dialect has no word for is not sent. Secrets of push URLs are in no message:
//! they are taken out of the query before it is kept.
//!
//! ```text
//! event                     tencent    srs            nginx-rtmp
//! stream.started            1          on_publish     on_publish
//! stream.ended              0          on_unpublish   on_publish_done
//! recording.started         332        -              -
//! recording.paused          332        -              -
//! recording.resumed         332        -              -
//! recording.ended           332        -              -
//! recording.discarded       332        -              -
//! recording.failed          332        -              -
//! recording.ready           100        on_dvr, on_hls on_record_done
//! recording.warning         341, 332   -              -
//! recording.deleted         -          -              -
//! ```

mod envelope;
mod form;
mod nginx_rtmp;
mod srs;
mod tencent;

use bytes::Bytes;

use crate::sink::Event;
use envelope::Envelope;

pub use tencent::{Tencent, signature as tencent_signature};

/// What an endpoint's receiver understands.
#[derive(Clone, Debug, Default)]
pub enum Dialect {
    /// This program's own events.
    #[default]
    Native,
    /// The callbacks of Tencent's live service.
    Tencent(Tencent),
    /// The HTTP hooks of SRS.
    Srs(MediaRoots),
    /// The notifications of nginx-rtmp.
    NginxRtmp(MediaRoots),
}

/// Where recordings are in the file system; `None` of a store that is no directory, whose recordings are
/// named by their URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaRoots {
    /// The first store's.
    pub primary: Option<String>,
    /// That of the one to fall back to.
    pub fallback: Option<String>,
}

/// A request's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// The event's body is not one of this program's.
#[derive(Debug, thiserror::Error)]
#[error("the event cannot be put into the receiver's format: {0}")]
pub struct DialectError(#[from] serde_json::Error);

impl Dialect {
    /// What is sent for `event` by an attempt at `now`, in seconds since 1970; `None`: the dialect has no word
    /// for it.
    ///
    /// # Errors
    /// When the event's body is not one of this program's.
    pub fn message(&self, event: &Event, now: i64) -> Result<Option<Message>, DialectError> {
        if let Self::Native = self {
            return Ok(Some(Message::json(event.body.clone())));
        }
        let envelope: Envelope = serde_json::from_slice(&event.body)?;
        Ok(match self {
            Self::Native => None,
            Self::Tencent(tencent) => tencent.message(&envelope, now)?,
            Self::Srs(roots) => srs::message(roots, &envelope)?,
            Self::NginxRtmp(roots) => nginx_rtmp::message(roots, &envelope),
        })
    }

    /// Whether an answer says that the event was taken.
    ///
    /// # Errors
    /// Why it does not.
    pub fn accepts(&self, status: u16, answer: &[u8]) -> Result<(), String> {
        let taken = match self {
            Self::Native | Self::NginxRtmp(_) => (200..300).contains(&status),
            Self::Tencent(_) => status == 200,
            Self::Srs(_) => matches!(status, 200 | 201),
        };
        match self {
            _ if !taken => Err(format!("HTTP {status}")),
            Self::Native | Self::NginxRtmp(_) => Ok(()),
            Self::Tencent(tencent) => tencent.accepts(answer),
            Self::Srs(_) => srs::accepts(answer),
        }
    }
}

impl Message {
    fn json(body: impl Into<Bytes>) -> Self {
        Self { content_type: "application/json", body: body.into() }
    }
}

impl MediaRoots {
    /// The directory that `store` is.
    fn of(&self, store: Option<&str>) -> Option<&str> {
        match store {
            Some("fallback") => self.fallback.as_deref(),
            _ => self.primary.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests;

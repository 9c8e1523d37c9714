//! What a session asks its caller to do.

use bytes::Bytes;
use livetape_media::{EndReason, Item};

use crate::{Query, SessionError};

/// One publish of a connection; no two of a connection are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishId(pub(crate) u32);

/// What the caller is to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send these bytes to the peer.
    Send(Bytes),
    /// Decide: answer with [`accept`](crate::Session::accept) or [`reject`](crate::Session::reject).
    /// Until then nothing more is read.
    PublishRequested(PublishRequest),
    /// Something of an accepted publish. Its last item is [`Item::End`], exactly once.
    Item {
        /// The publish.
        publish: PublishId,
        /// The item.
        item: Item,
    },
    /// Flush what is to be sent, then close the connection. The last output.
    Close {
        /// What went wrong; none when the connection ended in an ordinary way.
        error: Option<SessionError>,
    },
}

/// A client wants to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRequest {
    /// What to answer with.
    pub id: PublishId,
    /// The application, decoded, without its query: at most 255 bytes, no control characters, no
    /// empty, `.` or `..` path components; it may contain slashes.
    pub app: String,
    /// The stream's name, likewise.
    pub stream: String,
    /// The query of the application and that of the stream, joined by `&`.
    pub query: Query,
    /// The URL the client says it connects to (`tcUrl`), without query and user; not trusted.
    pub tc_url: Option<String>,
    /// What the client calls itself (`flashVer`); not trusted.
    pub encoder: Option<String>,
}

/// Why a publish is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What the client is told by code.
    pub code: RejectionCode,
    /// What it is told in words.
    pub description: String,
}

/// The codes of a [`Rejection`]. Clients treat them alike: they give up, and show the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionCode {
    /// `NetStream.Publish.BadName`: the name is taken or not one to publish to.
    BadName,
    /// `NetStream.Publish.Denied`: this client may not.
    Denied,
    /// `NetStream.Publish.Rejected`: not now.
    Rejected,
}

impl RejectionCode {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::BadName => "NetStream.Publish.BadName",
            Self::Denied => "NetStream.Publish.Denied",
            Self::Rejected => "NetStream.Publish.Rejected",
        }
    }
}

/// Why the server ends a publish or a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Another client publishes the same stream.
    Takeover,
    /// An operator wants it gone.
    Disconnect,
    /// The service stops.
    Shutdown,
    /// The client's messages take more memory than there is.
    Overload,
}

impl CloseReason {
    pub(crate) const fn end(self) -> EndReason {
        match self {
            Self::Takeover => EndReason::Takeover,
            Self::Disconnect => EndReason::Disconnect,
            Self::Shutdown => EndReason::Shutdown,
            Self::Overload => EndReason::ProtocolError,
        }
    }

    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Takeover => "Another publisher has taken over this stream.",
            Self::Disconnect => "The stream was disconnected by an operator.",
            Self::Shutdown => "The service is stopping.",
            Self::Overload => "The recorder has no memory left for what this client sends.",
        }
    }
}

//! What a tag is, from the first bytes of its body.

use bytes::Bytes;
use livetape_media::{Codec, CodecConfig};

use crate::body::{self, Coding, Content};
use crate::demux::parse_configuration;
use crate::tag::TagKind;

/// What a tag is.
#[derive(Clone, Debug, PartialEq)]
pub enum Outline {
    /// A sequence header.
    SequenceHeader(Codec),
    /// A frame.
    Frame {
        /// Its codec.
        codec: Codec,
        /// Whether a decoder may start here.
        random_access: bool,
        /// Presentation time less decoding time, in ms.
        composition_ms: i32,
        /// Bytes of the body in front of the frame's own.
        prefix_bytes: usize,
    },
    /// Something else, of another track, or unreadable.
    Other,
}

/// Bytes of a body that always tell what it is.
pub const OUTLINE_BYTES: usize = 16;

/// What the tag of `kind` is whose body begins with `start`: at least [`OUTLINE_BYTES`] of it, or all. Tells
/// tags of the kind [`crate::write`] makes; multitrack bodies are [`Outline::Other`].
pub fn outline(kind: TagKind, start: &Bytes) -> Outline {
    let mut outline = Outline::Other;
    let each = |packet: body::Packet| {
        let Coding::Known(codec) = packet.coding else { return };
        match packet.content {
            Content::Configuration(_) if packet.track == 0 => outline = Outline::SequenceHeader(codec),
            Content::Frame { composition_ms, random_access, data, .. } if packet.track == 0 => {
                let prefix_bytes = start.len() - data.len();
                outline = Outline::Frame { codec, random_access, composition_ms, prefix_bytes };
            }
            _ => {}
        }
    };
    // An unreadable body is something else.
    let _ = match kind {
        TagKind::Video => body::video(start, each),
        TagKind::Audio => body::audio(start, each),
        TagKind::Script => Ok(()),
    };
    outline
}

/// The configuration in the whole body of a tag: of a sequence header, or of a frame that says it itself.
pub fn configuration(kind: TagKind, body: &Bytes) -> Option<CodecConfig> {
    let mut found = None;
    let each = |packet: body::Packet| {
        let Coding::Known(codec) = packet.coding else { return };
        let says_all_in_frames = matches!(codec, Codec::Mp3 | Codec::Ac3 | Codec::Eac3);
        let record = match packet.content {
            Content::Configuration(record) if !says_all_in_frames => record,
            Content::Frame { data, .. } if says_all_in_frames => data,
            _ => return,
        };
        found = parse_configuration(codec, record).ok();
    };
    match kind {
        TagKind::Video => body::video(body, each).ok()?,
        TagKind::Audio => body::audio(body, each).ok()?,
        TagKind::Script => {}
    }
    found
}

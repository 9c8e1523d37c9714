//! From the tag bodies of one publish to items.

use bytes::Bytes;
use livetape_media::{Item, Now};

/// Bounds of a [`Demuxer`].
#[derive(Clone, Copy, Debug, Default)]
pub struct DemuxLimits {
    /// What counts as a jump of the publisher's clock.
    pub timeline: livetape_media::TimelineLimits,
}

/// Turns the audio, video and data messages of one publish into items.
#[derive(Debug)]
pub struct Demuxer {
    limits: DemuxLimits,
}

impl Demuxer {
    /// A demuxer that has seen nothing.
    pub fn new(limits: DemuxLimits) -> Self {
        Self { limits }
    }

    /// An audio message (RTMP type 8) or the body of an FLV audio tag.
    pub fn audio(&mut self, timestamp_ms: u32, body: Bytes, now: Now, items: &mut Vec<Item>) {
        let _ = (timestamp_ms, body, now, items, self.limits);
    }

    /// A video message (RTMP type 9) or the body of an FLV video tag.
    pub fn video(&mut self, timestamp_ms: u32, body: Bytes, now: Now, items: &mut Vec<Item>) {
        let _ = (timestamp_ms, body, now, items, self.limits);
    }

    /// An AMF0 data message (RTMP type 18) or the body of an FLV script tag.
    pub fn data(&mut self, timestamp_ms: u32, body: Bytes, now: Now, items: &mut Vec<Item>) {
        let _ = (timestamp_ms, body, now, items, self.limits);
    }
}

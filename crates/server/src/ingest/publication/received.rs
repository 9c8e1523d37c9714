//! Counting what comes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use livetape_media::{Frame, MediaTime, TrackKind};

use crate::live::LiveSession;
use crate::metrics;

/// What came since the counters were last told.
#[derive(Default)]
pub(super) struct Received {
    first: Option<MediaTime>,
    latest: MediaTime,
    reported_ms: u64,
    bytes: u64,
    video: u64,
    audio: u64,
}

impl Received {
    /// One more frame. Whether it is later than all before it.
    pub(super) fn frame(&mut self, frame: &Frame) -> bool {
        let moved = self.first.is_none() || frame.dts > self.latest;
        self.first.get_or_insert(frame.dts);
        self.latest = self.latest.max(frame.dts);
        self.bytes += frame.data.len() as u64;
        match frame.track.kind {
            TrackKind::Video => self.video += 1,
            TrackKind::Audio => self.audio += 1,
        }
        moved
    }

    /// The newest moment.
    pub(super) fn latest(&self) -> Option<MediaTime> {
        self.first.map(|_| self.latest)
    }

    /// Tells the counters, if anything came. The newest moment then.
    pub(super) fn report(&mut self, session: &LiveSession) -> Option<MediaTime> {
        let first = self.first.filter(|_| self.video + self.audio > 0)?;
        let (video, audio) = (std::mem::take(&mut self.video), std::mem::take(&mut self.audio));
        let bytes = std::mem::take(&mut self.bytes);
        let millis = u64::try_from((self.latest - first).as_millis()).unwrap_or(0);
        let more_ms = millis.saturating_sub(self.reported_ms);
        self.reported_ms = self.reported_ms.max(millis);
        session.frames(video, audio, first);
        session.received_bytes.fetch_add(bytes, Ordering::Relaxed);
        session.received_ms.fetch_max(millis, Ordering::Relaxed);
        session.latest_ms.fetch_max(self.latest.as_millis(), Ordering::Relaxed);
        metrics::media_received(bytes, Duration::from_millis(more_ms));
        metrics::frames_received(TrackKind::Video, video);
        metrics::frames_received(TrackKind::Audio, audio);
        Some(self.latest)
    }
}

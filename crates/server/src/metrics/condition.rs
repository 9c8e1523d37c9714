//! Conditions that last: gauges of how many there are.

use ::metrics::gauge;

use super::ready;

/// Something that is counted for as long as it lasts: until this is dropped.
#[derive(Debug)]
pub struct Raised(Condition);

/// What may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Media comes and nothing of it reaches the disk.
    RecordingStalled,
    /// A publisher is connected and sends no media.
    StreamSilent,
    /// A recorder drops what comes.
    RecordingSuspended,
    /// A publisher is gone, and its recordings wait for it.
    StreamWaiting,
}

impl Condition {
    /// All.
    pub(super) const ALL: [Self; 4] =
        [Self::RecordingStalled, Self::StreamSilent, Self::RecordingSuspended, Self::StreamWaiting];

    pub(super) fn gauge(self) -> ::metrics::Gauge {
        ready();
        match self {
            Self::RecordingStalled => gauge!("livetape_recordings_stalled"),
            Self::StreamSilent => gauge!("livetape_streams_silent"),
            Self::RecordingSuspended => gauge!("livetape_recordings_suspended"),
            Self::StreamWaiting => gauge!("livetape_streams_waiting"),
        }
    }
}

impl Raised {
    /// It begins.
    pub fn new(condition: Condition) -> Self {
        condition.gauge().increment(1.0);
        Self(condition)
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.gauge().decrement(1.0);
    }
}

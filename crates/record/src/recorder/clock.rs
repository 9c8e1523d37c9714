//! What the publisher's clock did.

use livetape_media::{Format, JumpDirection, MediaTime, Now, TrackId};

use super::{Recorder, State};
use crate::CutReason;
use crate::effect::Effect;

impl Recorder {
    /// The publisher's clock jumped.
    pub(super) fn jump(
        &mut self,
        at: MediaTime,
        by: MediaTime,
        direction: JumpDirection,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let format = self.policy.format;
        let cuts = direction == JumpDirection::Backward || format == Format::Hls;
        if cuts {
            // It is of the recording that begins at a pending cut, not of the one before.
            self.settle(now, effects);
        }
        if let State::Open(open) = &mut self.state {
            open.meter.jumped(at, by, direction, format);
            if cuts {
                open.due.get_or_insert(CutReason::TimestampJump);
            }
        }
    }

    /// The time of a track's next frame was moved to keep order.
    pub(super) fn moved(&mut self, track: TrackId) {
        if let State::Open(open) = &mut self.state
            && track.index == 0
        {
            open.meter.moved(track.kind);
        }
    }
}

//! How the frames of a track follow each other.

use livetape_media::MediaTime;

/// Four usual steps are none of the track's own.
const UNUSUAL_SHIFT: u32 = 2;
/// How slowly a usual step follows those that come: by an eighth.
const NEAR_SHIFT: u32 = 3;
/// No step counts as longer: an hour.
const STEP_MAX: i64 = 3_600_000_000_000;
/// Before every moment: no frame has come.
const NEVER: i64 = i64::MIN;

/// The usual step between a track's frames.
#[derive(Debug)]
pub(crate) struct Pace {
    last: i64,
    usual: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { last: NEVER, usual: 0 }
    }
}

impl Pace {
    /// One more frame. The step to it, when that is `limit` at least and far longer than those before: a track that
    /// always has few frames a second lacks none.
    #[inline]
    pub(crate) fn frame(&mut self, dts: MediaTime, limit: MediaTime) -> Option<MediaTime> {
        let dts = dts.as_nanos();
        // Of the first one: the longest there is, which no usual one is known for.
        let step = dts.saturating_sub(self.last).min(STEP_MAX);
        let known = self.last != NEVER;
        self.last = dts;
        let usual = self.usual;
        // One long step is no new habit.
        let far = usual << UNUSUAL_SHIFT;
        if usual == 0 {
            self.usual = if known { step } else { 0 };
            return None;
        }
        self.usual = usual + ((step.min(far) - usual) >> NEAR_SHIFT);
        (step >= far && step >= limit.as_nanos()).then_some(MediaTime::from_nanos(step))
    }

    /// When the last frame is decoded.
    pub(crate) fn last(&self) -> Option<MediaTime> {
        (self.last != NEVER).then_some(MediaTime::from_nanos(self.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(times: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut pace = Pace::default();
        let limit = MediaTime::from_millis(500);
        let found = times.into_iter().filter_map(|ms| pace.frame(MediaTime::from_millis(ms), limit));
        found.map(MediaTime::as_millis).collect()
    }

    #[test]
    fn a_step_far_longer_than_the_usual_ones_is_a_gap() {
        assert_eq!(gaps([0, 40, 80, 120, 1_120, 1_160, 1_200, 1_700]), [1_000, 500]);
        assert_eq!(gaps([0, 40, 80, 120, 400, 440]), [0; 0], "less than the limit");
    }

    #[test]
    fn a_track_of_one_frame_a_second_lacks_none() {
        assert_eq!(gaps((0..100).map(|n| n * 1_000)), [0; 0]);
        // One that changes to it is told of at first only.
        let slower = (0..50).map(|n| n * 40).chain((0..100).map(|n| 2_000 + n * 1_000));
        assert!((1..8).contains(&gaps(slower).len()));
    }
}

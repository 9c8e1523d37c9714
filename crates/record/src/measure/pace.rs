//! How the frames of a track follow each other.

use livetape_media::MediaTime;

/// A step of so many usual ones is none of the track's own.
const UNUSUAL: i64 = 4;

/// The usual step between a track's frames.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<MediaTime>,
    usual_nanos: i64,
}

impl Pace {
    /// One more frame. The step to it, when that is `limit` at least and far longer than those before: a track that
    /// always has few frames a second lacks none.
    #[inline]
    pub(crate) fn frame(&mut self, dts: MediaTime, limit: MediaTime) -> Option<MediaTime> {
        let last = self.last.replace(dts)?;
        let step = dts - last;
        let usual = self.usual_nanos;
        // One long step is no new habit.
        let counted = step.as_nanos().min(usual.saturating_mul(UNUSUAL));
        self.usual_nanos = if usual == 0 { step.as_nanos() } else { usual + (counted - usual) / 8 };
        (step >= limit && usual > 0 && step.as_nanos() / UNUSUAL >= usual).then_some(step)
    }

    /// When the last frame is decoded.
    pub(crate) fn last(&self) -> Option<MediaTime> {
        self.last
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

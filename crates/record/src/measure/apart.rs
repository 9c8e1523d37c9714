//! How far pictures and sound that come together are apart in time.
//!
//! Each picture against the newest sound, at the nearest within each second of media: what the order in which frames are
//! sent adds is left out, up to one frame of sound. Positive: the pictures are ahead.

use livetape_media::{MediaTime, TrackKind};

/// What is judged at once.
const WINDOW: MediaTime = MediaTime::from_millis(1_000);
const MINUTE_NANOS: i64 = 60_000_000_000;
/// Before every moment: nothing has come.
const NEVER: i64 = i64::MIN;

/// Watches pictures and sound together.
#[derive(Debug)]
pub(crate) struct Apart {
    sound: i64,
    /// Whether sound has come in this window.
    heard: bool,
    nearest: Option<MediaTime>,
    window_end: i64,
}

impl Default for Apart {
    fn default() -> Self {
        Self { sound: NEVER, heard: false, nearest: None, window_end: NEVER }
    }
}

impl Apart {
    /// One more frame. How far they were apart in the second that is over now, if both came in it.
    #[inline]
    pub(crate) fn frame(&mut self, kind: TrackKind, dts: MediaTime) -> Option<MediaTime> {
        let at = dts.as_nanos();
        if kind == TrackKind::Audio {
            self.sound = at;
            self.heard = true;
            return None;
        }
        let over = if at >= self.window_end { self.next_window(dts) } else { None };
        if self.sound != NEVER {
            let apart = MediaTime::from_nanos(at.saturating_sub(self.sound));
            if self.nearest.is_none_or(|nearest| size(apart) < size(nearest)) {
                self.nearest = Some(apart);
            }
        }
        over
    }

    #[cold]
    #[inline(never)]
    fn next_window(&mut self, dts: MediaTime) -> Option<MediaTime> {
        let heard = std::mem::take(&mut self.heard);
        self.window_end = (dts + WINDOW).as_nanos();
        self.nearest.take().filter(|_| heard)
    }
}

#[inline]
fn size(apart: MediaTime) -> u64 {
    apart.as_nanos().unsigned_abs()
}

/// The farthest in each minute, or in as many minutes as it takes to stay within [`Curve::POINTS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Curve {
    start: MediaTime,
    /// Minutes of each point.
    pub(crate) minutes: u32,
    /// Milliseconds; `None` where pictures and sound did not both come.
    pub(crate) points: Vec<Option<i64>>,
    /// The farthest of all, and when.
    pub(crate) max: Option<(MediaTime, MediaTime)>,
}

impl Curve {
    /// The most points it has: a day of minutes.
    pub(crate) const POINTS: usize = 1_440;

    /// One that begins at `start`.
    pub(crate) fn new(start: MediaTime) -> Self {
        Self { start, minutes: 1, points: Vec::new(), max: None }
    }

    /// So far apart in the second that was over `at` this moment.
    pub(crate) fn add(&mut self, at: MediaTime, apart: MediaTime) {
        if self.max.is_none_or(|(max, _)| size(apart) > size(max)) {
            self.max = Some((apart, at));
        }
        // The second before it.
        let since = (at - WINDOW - self.start).as_nanos().max(0);
        let mut point = self.point(since);
        while point >= Self::POINTS {
            self.halve();
            point = self.point(since);
        }
        if self.points.len() <= point {
            self.points.resize(point + 1, None);
        }
        if let Some(before) = self.points.get_mut(point) {
            *before = farther(*before, Some(apart.as_nanos() / 1_000_000));
        }
    }

    fn point(&self, since_nanos: i64) -> usize {
        usize::try_from(since_nanos / (MINUTE_NANOS * i64::from(self.minutes.max(1)))).unwrap_or(usize::MAX)
    }

    fn halve(&mut self) {
        let pairs = self.points.chunks(2);
        self.points = pairs.map(|pair| pair.iter().copied().fold(None, farther)).collect();
        self.minutes = self.minutes.saturating_mul(2);
    }
}

fn farther(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) if one.unsigned_abs() >= other.unsigned_abs() => Some(one),
        (one, other) => other.or(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    /// Pictures every 40 ms and sound every 20 ms, `late` behind; what each second shows.
    fn seconds(late: i64) -> Vec<i64> {
        let mut apart = Apart::default();
        let mut found = Vec::new();
        for at in (0..10_000).step_by(20) {
            let sound = apart.frame(TrackKind::Audio, ms(at - late));
            let picture = (at % 40 == 0).then(|| apart.frame(TrackKind::Video, ms(at))).flatten();
            found.extend(sound.or(picture).map(MediaTime::as_millis));
        }
        found
    }

    #[test]
    fn the_order_of_frames_that_are_together_is_not_counted() {
        assert!(seconds(0).iter().all(|apart| *apart == 0), "{:?}", seconds(0));
        for late in [1_500, -700, 90] {
            let found = seconds(late);
            assert!(
                found.len() > 8 && found.iter().skip(1).all(|apart| (late - 40..=late).contains(apart)),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_week_has_no_more_points_than_a_day() {
        let mut curve = Curve::new(ms(5_000));
        for second in 0..7 * 86_400 {
            curve.add(ms(6_000 + second * 1_000), ms(if second == 86_400 { -900 } else { second % 50 }));
        }
        assert_eq!((curve.minutes, curve.points.len()), (8, 1_260));
        assert_eq!(curve.max, Some((ms(-900), ms(86_406_000))));
        assert_eq!(curve.points.iter().filter(|point| **point == Some(-900)).count(), 1);
        assert_eq!(curve.points[180], Some(-900), "the minutes from 1440 on");
    }
}

//! When media came, to tell how old the oldest is that is not safe yet.

use std::collections::VecDeque;
use std::time::Duration;

use livetape_media::MediaTime;

/// How exact it is.
const GRAIN: Duration = Duration::from_millis(100);
/// Media this little beyond what is safe does not count: the last frame of each track always waits for
/// the next one.
const HELD_BACK: MediaTime = MediaTime::from_millis(250);
/// Marks kept at most; beyond it every other one goes.
const MARKS: usize = 512;

/// Moments of the session's timeline, each with the time at which media up to it had come.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    marks: VecDeque<(MediaTime, Duration)>,
}

impl Arrivals {
    /// Media up to `latest` has come.
    pub(super) fn arrived(&mut self, latest: MediaTime, now: Duration) {
        if self.marks.back().is_some_and(|(mark, at)| latest <= *mark || now < *at + GRAIN) {
            return;
        }
        if self.marks.len() >= MARKS {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.marks.push_back((latest, now));
    }

    /// When the oldest media beyond `safe` came. What is safe once stays safe.
    pub(super) fn oldest_beyond(&mut self, safe: Option<MediaTime>) -> Option<Duration> {
        if let Some(safe) = safe {
            while self.marks.front().is_some_and(|(mark, _)| *mark <= safe + HELD_BACK) {
                self.marks.pop_front();
            }
        }
        self.marks.front().map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn the_oldest_media_that_is_not_safe_is_known_by_its_arrival() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.oldest_beyond(None), None);
        for n in 0..100u32 {
            arrivals.arrived(ms(i64::from(n) * 100), Duration::from_millis(u64::from(n) * 100 + 5_000));
        }
        assert_eq!(arrivals.oldest_beyond(None), Some(Duration::from_millis(5_000)));
        assert_eq!(arrivals.oldest_beyond(Some(ms(4_000))), Some(Duration::from_millis(9_300)));
        assert_eq!(arrivals.oldest_beyond(Some(ms(9_700))), None, "a frame held back is not old");
    }

    #[test]
    fn its_memory_is_bounded_and_the_oldest_stays() {
        let mut arrivals = Arrivals::default();
        for n in 0..100_000u32 {
            arrivals.arrived(ms(i64::from(n) * 100), Duration::from_millis(u64::from(n) * 100));
        }
        assert!(arrivals.marks.len() <= MARKS);
        let oldest = arrivals.oldest_beyond(None).unwrap();
        assert!(oldest < Duration::from_millis(200), "{oldest:?}");
    }
}

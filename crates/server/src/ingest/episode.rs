//! Telling of things that come in masses: the first at once, the others by their number.

use std::time::Duration;

/// How often an episode that goes on is told.
const EVERY: Duration = Duration::from_secs(10);

/// One kind of thing that may come in masses. Times are on the clock of [`livetape_media::Now::mono`].
#[derive(Debug, Default)]
pub(super) struct Episode {
    told: Option<Duration>,
    untold: u64,
}

impl Episode {
    /// It happened once more. When that is to be told now: how often it happened since the last time,
    /// this once included.
    pub(super) fn happened(&mut self, now: Duration) -> Option<u64> {
        self.untold += 1;
        if self.told.is_some_and(|told| now < told + EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// It does not happen any more. How often it happened without having been told, if at all.
    pub(super) fn ended(&mut self) -> Option<u64> {
        self.told.take()?;
        Some(std::mem::take(&mut self.untold)).filter(|untold| *untold > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_by_their_number() {
        let mut episode = Episode::default();
        let s = Duration::from_secs;
        assert_eq!(episode.ended(), None);
        assert_eq!(episode.happened(s(1)), Some(1));
        for _ in 0..500 {
            assert_eq!(episode.happened(s(2)), None);
        }
        assert_eq!(episode.happened(s(11)), Some(501));
        assert_eq!(episode.happened(s(12)), None);
        assert_eq!((episode.ended(), episode.ended()), (Some(1), None));
        assert_eq!(episode.happened(s(13)), Some(1));
        assert_eq!(episode.ended(), None, "all were told");
    }
}

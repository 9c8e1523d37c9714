//! Notices when something that should move stands still.
//!
//! Contract: an episode is told once when it has lasted long enough, and once when it ends; one that
//! ends sooner is never told.

use std::time::Duration;

/// Watches one thing. Times are on the clock of [`livetape_media::Now::mono`].
#[derive(Debug)]
pub(super) struct Watch {
    patience: Duration,
    /// Since when it should have moved.
    since: Option<Duration>,
    told: bool,
}

impl Watch {
    /// One that is told after standing still for `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, since: None, told: false }
    }

    /// From now on it should move, unless it should have already.
    pub(super) fn expect(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    /// It moved, and should go on moving if `more`. How long it stood still, when that had been told.
    pub(super) fn moved(&mut self, now: Duration, more: bool) -> Option<Duration> {
        let since = std::mem::replace(&mut self.since, more.then_some(now));
        let told = std::mem::take(&mut self.told);
        since.filter(|_| told).map(|since| now.saturating_sub(since))
    }

    /// When [`Watch::check`] wants to be called.
    pub(super) fn due(&self) -> Option<Duration> {
        self.since.filter(|_| !self.told).map(|since| since + self.patience)
    }

    /// How long it has stood still, when that is to be told now.
    pub(super) fn check(&mut self, now: Duration) -> Option<Duration> {
        let due = self.due()?;
        if now < due {
            return None;
        }
        self.told = true;
        self.since.map(|since| now.saturating_sub(since))
    }

    /// Whether it stands still, and that has been told.
    pub(super) fn stands(&self) -> bool {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_episode_is_told_once_and_once_when_it_ends() {
        let mut watch = Watch::new(s(10));
        assert_eq!((watch.due(), watch.check(s(100))), (None, None), "nothing is expected");
        watch.expect(s(1));
        watch.expect(s(5));
        assert_eq!((watch.due(), watch.check(s(10))), (Some(s(11)), None));
        assert_eq!((watch.check(s(12)), watch.check(s(13)), watch.due()), (Some(s(11)), None, None));
        assert!(watch.stands());
        watch.expect(s(20));
        assert_eq!(watch.moved(s(31), true), Some(s(30)));
        assert!(!watch.stands());
        assert_eq!((watch.due(), watch.moved(s(35), false), watch.due()), (Some(s(41)), None, None));
    }
}

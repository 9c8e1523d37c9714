//! Warnings about what a publisher sends. It could bring forth one with every frame.

use std::time::Duration;

use livetape_media::{Track, Warning, WarningKind};

/// Warnings that may come at once.
const BURST: u32 = 20;
/// In how long there is room for one more.
const REFILL: Duration = Duration::from_secs(3);

/// Lets a bounded number of warnings through.
pub(super) struct Notes {
    room: u32,
    filled: Duration,
    kept_back: u64,
}

impl Notes {
    /// With room for a burst.
    pub(super) fn new(now: Duration) -> Self {
        Self { room: BURST, filled: now, kept_back: 0 }
    }

    /// The warning to be given for `warning`, if there is room for it.
    pub(super) fn admit(&mut self, mut warning: Warning, now: Duration) -> Option<Warning> {
        let since = now.saturating_sub(self.filled);
        let more = u32::try_from(since.as_millis() / REFILL.as_millis()).unwrap_or(u32::MAX);
        if more > 0 {
            self.room = self.room.saturating_add(more).min(BURST);
            self.filled = now;
        }
        if self.room == 0 {
            self.kept_back += 1;
            return None;
        }
        self.room -= 1;
        let before = std::mem::take(&mut self.kept_back);
        if before > 0 {
            warning.detail = format!("{}; before it {before} warnings were kept back", warning.detail);
        }
        Some(warning)
    }
}

/// A track beyond the main ones.
pub(super) fn further_track(track: &Track) -> Warning {
    let (kind, codec) = (track.id.kind.name(), track.config.codec());
    Warning {
        kind: WarningKind::UnsupportedTrack,
        track: Some(track.id),
        detail: format!("{kind} track {} ({codec}) is not recorded; the main tracks are", track.id.index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_warnings_is_held_back_and_told_by_its_number() {
        let mut notes = Notes::new(Duration::ZERO);
        let kind = WarningKind::MediaUnreadable;
        let warning = || Warning { kind, track: None, detail: "video message: it is empty; left out".to_owned() };
        let given = (0..10_000).filter(|_| notes.admit(warning(), Duration::from_millis(10)).is_some()).count();
        assert_eq!(given, 20);
        let next = notes.admit(warning(), Duration::from_secs(4)).unwrap();
        assert!(next.detail.ends_with("before it 9980 warnings were kept back"), "{}", next.detail);
        assert!(notes.admit(warning(), Duration::from_secs(5)).is_none());
    }
}

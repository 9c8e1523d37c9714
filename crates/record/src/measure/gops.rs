//! How far the key frames of a track are apart: its groups of pictures.

use livetape_media::MediaTime;

/// The lengths of groups of pictures; each is known when the next one begins.
#[derive(Debug, Default)]
pub(crate) struct Gops {
    last: Option<MediaTime>,
    /// Whole groups.
    pub(crate) count: u64,
    total_nanos: i64,
    /// The shortest and the longest.
    pub(crate) min: MediaTime,
    pub(crate) max: MediaTime,
    usual_nanos: i64,
}

/// A group of pictures that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gop {
    /// How long it was.
    pub(crate) length: MediaTime,
    /// How long those before it were; nothing for the first one.
    pub(crate) usual: MediaTime,
}

impl Gops {
    /// A key frame.
    pub(crate) fn key_frame(&mut self, dts: MediaTime) -> Option<Gop> {
        let length = dts - self.last.replace(dts)?;
        let nanos = length.as_nanos();
        let usual = MediaTime::from_nanos(self.usual_nanos);
        self.min = if self.count == 0 { length } else { self.min.min(length) };
        self.max = self.max.max(length);
        self.count += 1;
        self.total_nanos = self.total_nanos.saturating_add(nanos);
        let before = if self.usual_nanos == 0 { nanos } else { self.usual_nanos };
        self.usual_nanos = before.saturating_add((nanos - before) / 4);
        Some(Gop { length, usual })
    }

    /// The last key frame.
    pub(crate) fn last(&self) -> Option<MediaTime> {
        self.last
    }

    /// The mean length.
    pub(crate) fn mean(&self) -> MediaTime {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX).max(1);
        MediaTime::from_nanos(self.total_nanos / count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_when_the_next_group_begins() {
        let mut gops = Gops::default();
        let found: Vec<_> = [0, 2_000, 4_000, 5_000].map(|ms| gops.key_frame(MediaTime::from_millis(ms))).into();
        let lengths: Vec<_> = found.into_iter().flatten().map(|gop| gop.length.as_millis()).collect();
        assert_eq!(lengths, [2_000, 2_000, 1_000]);
        let statistics = (gops.count, gops.min.as_millis(), gops.mean().as_millis(), gops.max.as_millis());
        assert_eq!(statistics, (3, 1_000, 1_666, 2_000));
    }
}

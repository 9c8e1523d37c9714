//! How far the operations of a recording follow the frames it has taken.

use livetape_media::{Frame, MediaTime, TrackKind};

/// A track that has sent nothing for so long, in media time, is not waited for.
const SILENT: MediaTime = MediaTime::from_millis(1_000);

/// The newest frame of each track.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flushed {
    video: Option<MediaTime>,
    audio: Option<MediaTime>,
}

/// The frames of one track that have been taken and are in no operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) kind: TrackKind,
    /// The decoding time of the first of them.
    pub(crate) first: MediaTime,
    /// There is but one, whose duration is not known yet.
    pub(crate) lone: bool,
}

impl Flushed {
    /// One more frame has been taken.
    pub(crate) fn took(&mut self, frame: &Frame) {
        self.reached(frame.track.kind, frame.dts);
    }

    /// A track is there, and flushed, up to a frame decoded at `dts`.
    pub(crate) fn reached(&mut self, kind: TrackKind, dts: MediaTime) {
        let newest = match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        *newest = Some(newest.map_or(dts, |before| before.max(dts)));
    }

    /// See [`Progress::flushed`](crate::Progress::flushed). A track that has ended keeps its last
    /// frame back; that frame alone does not count, or nothing after it ever would.
    pub(crate) fn until(&self, start: MediaTime, waiting: impl Iterator<Item = Pending>) -> MediaTime {
        let Some(newest) = self.video.max(self.audio) else { return start };
        let (mut video, mut audio) = (self.video, self.audio);
        let is_silent = |last: Option<MediaTime>| last.is_some_and(|last| newest - last > SILENT);
        let mut until = newest;
        for track in waiting {
            let last = match track.kind {
                TrackKind::Video => video.take(),
                TrackKind::Audio => audio.take(),
            };
            if !(track.lone && is_silent(last)) {
                until = until.min(track.first);
            }
        }
        // Of these nothing waits; what comes next is not decoded before what came last.
        let followed = [video, audio].into_iter().filter(|last| !is_silent(*last)).flatten();
        followed.fold(until, MediaTime::min)
    }
}

#[cfg(test)]
mod tests {
    use livetape_media::TrackId;

    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn flushed(video: &[i64], audio: &[i64]) -> Flushed {
        let mut flushed = Flushed::default();
        for (track, times) in [(TrackId::VIDEO, video), (TrackId::AUDIO, audio)] {
            for time in times {
                let (dts, data) = (ms(*time), bytes::Bytes::new());
                flushed.took(&Frame { track, dts, pts: dts, random_access: true, data });
            }
        }
        flushed
    }

    fn waits(kind: TrackKind, first: i64, lone: bool) -> Pending {
        Pending { kind, first: ms(first), lone }
    }

    #[test]
    fn the_track_that_is_behind_decides() {
        assert_eq!(Flushed::default().until(ms(7), [].into_iter()), ms(7));
        let both = flushed(&[0, 40, 80], &[0, 23, 46]);
        assert_eq!(both.until(ms(0), [].into_iter()), ms(46));
        assert_eq!(both.until(ms(0), [waits(TrackKind::Video, 40, false)].into_iter()), ms(40));
        let waiting = [waits(TrackKind::Video, 40, false), waits(TrackKind::Audio, 23, true)];
        assert_eq!(both.until(ms(0), waiting.into_iter()), ms(23));
    }

    #[test]
    fn a_track_that_has_ended_is_not_waited_for() {
        let both = flushed(&[0, 40, 5_000], &[0, 23]);
        assert_eq!(both.until(ms(0), [].into_iter()), ms(5_000));
        let lone = [waits(TrackKind::Audio, 23, true), waits(TrackKind::Video, 5_000, true)];
        assert_eq!(both.until(ms(0), lone.into_iter()), ms(5_000));
        let several = [waits(TrackKind::Audio, 0, false)];
        assert_eq!(both.until(ms(0), several.into_iter()), ms(0), "more than the last frame is missing");
    }
}

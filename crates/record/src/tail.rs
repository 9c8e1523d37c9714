//! How far a session came, on its timeline and by the calendar, for the one that continues it.

use livetape_media::{Frame, MediaTime, TrackKind, WallTime};

/// How long a frame lasts of which nothing else is known.
const ASSUMED_DURATION: MediaTime = MediaTime::from_millis(20);
/// A longer interval between frames says nothing of how long a frame lasts.
const LONGEST_FRAME: MediaTime = MediaTime::from_millis(1_000);
/// How long the quickest frame counts for how the timeline and the calendar stand to each other.
const LEAD_MS: i64 = 30_000;

/// Where the media of a session ends, and what the calendar shows there.
///
/// Frames arrive late by whatever the network does to them, never early. So the one that was quickest of late
/// says how the two clocks stand to each other.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    video: TrackTail,
    audio: TrackTail,
    lead: Option<Lead>,
}

#[derive(Clone, Copy, Debug, Default)]
struct TrackTail {
    last: Option<MediaTime>,
    /// How long its last frame lasts.
    duration: MediaTime,
    /// Where the last of it stops being shown.
    shown_until: MediaTime,
}

/// How far the timeline is ahead of the calendar, in milliseconds, by the quickest frame since a moment, and by
/// the quickest before that.
#[derive(Clone, Copy, Debug)]
struct Lead {
    since_ms: i64,
    now_ms: i64,
    before_ms: i64,
}

impl Tail {
    /// One more frame came, when the calendar showed `wall`.
    pub fn frame(&mut self, frame: &Frame, wall: WallTime) {
        let track = match frame.track.kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        track.duration = match track.last {
            None => ASSUMED_DURATION,
            Some(last) if frame.dts - last > LONGEST_FRAME => track.duration,
            Some(last) => (frame.dts - last).max(MediaTime::ZERO),
        };
        let shown_until = frame.pts + track.duration;
        track.shown_until = if track.last.is_none() { shown_until } else { track.shown_until.max(shown_until) };
        track.last = track.last.max(Some(frame.dts));

        let wall_ms = wall.as_unix_millis();
        let ahead_ms = frame.dts.as_millis().saturating_sub(wall_ms);
        match &mut self.lead {
            Some(lead) if (0..LEAD_MS).contains(&wall_ms.saturating_sub(lead.since_ms)) => {
                lead.now_ms = lead.now_ms.max(ahead_ms);
            }
            lead => {
                let before_ms = lead.map_or(ahead_ms, |lead| lead.now_ms);
                *lead = Some(Lead { since_ms: wall_ms, now_ms: ahead_ms, before_ms });
            }
        }
    }

    /// Of media that ended at `ends` in a process before this one: a frame decoded then would come when the calendar
    /// shows `comes_at`.
    pub fn reopened(ends: MediaTime, comes_at: WallTime) -> Self {
        let last = Some(ends - ASSUMED_DURATION);
        let track = TrackTail { last, duration: ASSUMED_DURATION, shown_until: ends };
        let since_ms = comes_at.as_unix_millis();
        let ahead_ms = ends.as_millis().saturating_sub(since_ms);
        Self { video: track, audio: track, lead: Some(Lead { since_ms, now_ms: ahead_ms, before_ms: ahead_ms }) }
    }

    /// A session has joined: how the two clocks stand to each other shows anew.
    pub fn joined(&mut self) {
        self.lead = None;
    }

    /// Where the last frame of all ends, decoded and shown; `None` before any.
    pub fn end(&self) -> Option<MediaTime> {
        self.decoded_until().map(|until| until.max(self.shown_until()))
    }

    /// The calendar's time at a moment of the timeline.
    pub fn wall_at(&self, moment: MediaTime) -> Option<WallTime> {
        Some(WallTime::from_unix_millis(moment.as_millis().saturating_sub(self.lead_ms()?)))
    }

    /// The moment of the timeline at which the calendar shows `wall`.
    pub(crate) fn moment_at(&self, wall: WallTime) -> Option<MediaTime> {
        Some(MediaTime::from_millis(wall.as_unix_millis().saturating_add(self.lead_ms()?)))
    }

    /// No frame that follows may be decoded before this.
    pub(crate) fn decoded_until(&self) -> Option<MediaTime> {
        [&self.video, &self.audio].into_iter().filter_map(|track| Some(track.last? + track.duration)).max()
    }

    /// No picture or sound that follows may be heard or shown before this.
    pub(crate) fn shown_until(&self) -> MediaTime {
        self.video.shown_until.max(self.audio.shown_until)
    }

    /// The decoding time of the last frame of a track.
    pub(crate) fn last(&self, kind: TrackKind) -> Option<MediaTime> {
        match kind {
            TrackKind::Video => self.video.last,
            TrackKind::Audio => self.audio.last,
        }
    }

    fn lead_ms(&self) -> Option<i64> {
        self.lead.map(|lead| lead.now_ms.max(lead.before_ms))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use livetape_media::TrackId;

    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn wall(millis: i64) -> WallTime {
        WallTime::from_unix_millis(1_000_000_000 + millis)
    }

    fn take(tail: &mut Tail, track: TrackId, dts: i64, pts: i64, at: i64) {
        let frame = Frame { track, dts: ms(dts), pts: ms(pts), random_access: true, data: Bytes::new() };
        tail.frame(&frame, wall(at));
    }

    #[test]
    fn media_ends_where_its_last_picture_and_sound_do() {
        let mut tail = Tail::default();
        assert_eq!(tail.end(), None);
        for (dts, pts) in [(0, 80), (40, 200), (80, 120), (120, 160)] {
            take(&mut tail, TrackId::VIDEO, dts, pts, dts);
        }
        assert_eq!(tail.end(), Some(ms(240)), "the picture shown last came second");
        take(&mut tail, TrackId::AUDIO, 200, 200, 200);
        take(&mut tail, TrackId::AUDIO, 223, 223, 223);
        assert_eq!((tail.end(), tail.decoded_until()), (Some(ms(246)), Some(ms(246))));
        // A pause is not how long a frame lasts.
        take(&mut tail, TrackId::AUDIO, 9_000, 9_000, 9_000);
        assert_eq!(tail.end(), Some(ms(9_023)));
    }

    #[test]
    fn frames_that_the_network_holds_up_do_not_move_the_calendar() {
        let mut tail = Tail::default();
        for n in 0..100 {
            // Four of five wait for up to 300 ms on the way.
            take(&mut tail, TrackId::AUDIO, n * 20, n * 20, n * 20 + [0, 300, 120, 299, 5][n as usize % 5]);
        }
        assert_eq!(tail.wall_at(ms(2_000)), Some(wall(2_000)));
        assert_eq!(tail.moment_at(wall(7_500)), Some(ms(7_500)));
    }

    #[test]
    fn a_publishers_clock_that_runs_slow_is_followed() {
        let mut tail = Tail::default();
        for second in 0..1_000 {
            take(&mut tail, TrackId::AUDIO, second * 999, second * 999, second * 1_000);
        }
        let off = tail.wall_at(ms(999_000)).unwrap().as_unix_millis() - wall(1_000_000).as_unix_millis();
        assert!((-60..=0).contains(&off), "{off} ms");
    }

    #[test]
    fn a_calendar_that_is_set_back_is_followed_too() {
        let mut tail = Tail::default();
        take(&mut tail, TrackId::AUDIO, 0, 0, 0);
        for n in 1..4_000 {
            take(&mut tail, TrackId::AUDIO, n * 20, n * 20, n * 20 - 600_000);
        }
        assert_eq!(tail.wall_at(ms(80_000)), Some(wall(80_000 - 600_000)));
    }
}

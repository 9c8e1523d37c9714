//! Times of a transport stream: timestamps of 90 kHz, and the programme clock (ISO/IEC 13818-1,
//! 2.4.2, 2.7.2).
//!
//! One constant turns moments of the session into timestamps. The programme clock is told with
//! every frame of the track that carries it, 1.4 s behind the frame's decoding time, and never
//! less often than every 100 ms. A publisher whose pictures are shown before they are decoded
//! gets its decoding times lowered, by as much as has been needed so far; times of showing stay.

use livetape_media::{Frame, MediaTime, TrackKind};

/// Ticks a second.
pub(super) const HZ: u32 = 90_000;
/// The timestamp of the origin: room for sound that begins before it and for the clock's lead.
pub(super) const ORIGIN: i64 = 10 * HZ as i64;
/// How far the programme clock is behind decoding: what a player's buffer may hold.
const LEAD: i64 = 126_000;
/// The clock is told at least this often, with some room to the 100 ms of the standard.
const INTERVAL: i64 = 8_100;
/// How far sound may run ahead of the pictures before it drives the clock.
const SKEW: i64 = HZ as i64;
/// A longer pause is not filled with clock packets.
const PAUSE: i64 = 60 * HZ as i64;

/// The times of one recording's transport stream.
#[derive(Debug)]
pub(super) struct Clock {
    origin: MediaTime,
    /// What decoding times of pictures are lowered by.
    lowered: MediaTime,
    last_video_dts: Option<i64>,
    /// The programme clock as last told.
    told: Option<i64>,
    repaired_frames: u64,
}

impl Clock {
    pub(super) fn new(origin: MediaTime) -> Self {
        Self { origin, lowered: MediaTime::ZERO, last_video_dts: None, told: None, repaired_frames: 0 }
    }

    /// The clock jumps: what was told of it no longer counts.
    pub(super) fn restart(&mut self) {
        self.told = None;
        self.last_video_dts = None;
    }

    /// So many frames have been moved before.
    pub(super) fn go_on(&mut self, repaired_frames: u64) {
        self.repaired_frames = repaired_frames;
    }

    pub(super) fn repaired_frames(&self) -> u64 {
        self.repaired_frames
    }

    /// Looks ahead for pictures that are shown before they are decoded.
    pub(super) fn survey(&mut self, frames: &[Frame]) {
        let pictures = frames.iter().filter(|frame| frame.track.kind == TrackKind::Video);
        let early = pictures.map(|frame| frame.dts - frame.pts).max().unwrap_or(MediaTime::ZERO);
        // More than this is no composition offset but nonsense, which moves only itself.
        let believable = early.min(MediaTime::from_millis(1000));
        self.lowered = self.lowered.max(believable);
    }

    /// When a picture is shown and decoded.
    pub(super) fn video(&mut self, frame: &Frame) -> (i64, i64) {
        let wanted = self.ticks(frame.dts - self.lowered);
        let dts = self.last_video_dts.map_or(wanted, |last| wanted.max(last + 1));
        self.last_video_dts = Some(dts);
        let pts = self.ticks(frame.pts);
        self.repaired_frames += u64::from(pts < dts);
        (pts.max(dts), dts)
    }

    /// When a sound is heard.
    pub(super) fn audio(&self, frame: &Frame) -> i64 {
        self.ticks(frame.pts)
    }

    /// The clock at a frame of the track that carries it, and what must be told before it.
    pub(super) fn reference(&mut self, dts: i64) -> (Vec<i64>, i64) {
        let clock = dts - LEAD;
        let clock = self.told.map_or(clock, |told| clock.max(told + 1));
        let missing = self.fill(clock);
        self.told = Some(clock);
        (missing, clock)
    }

    /// What must be told of the clock when sound has come as far as `pts` and pictures, which
    /// carry the clock, have not come for long.
    pub(super) fn follow(&mut self, pts: i64) -> Vec<i64> {
        let missing = self.fill(pts - LEAD - SKEW);
        self.told = missing.last().copied().or(self.told);
        missing
    }

    fn fill(&self, until: i64) -> Vec<i64> {
        let Some(told) = self.told.filter(|told| until - told <= PAUSE) else { return Vec::new() };
        (1..).map(|n| told + n * INTERVAL).take_while(|clock| *clock < until).collect()
    }

    fn ticks(&self, moment: MediaTime) -> i64 {
        // Far from the limits, so that what is added to it cannot overflow.
        (moment - self.origin).to_ticks(HZ).clamp(i64::MIN / 4, i64::MAX / 4) + ORIGIN
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use livetape_media::TrackId;

    use super::*;

    fn picture(dts: i64, pts: i64) -> Frame {
        let (dts, pts) = (MediaTime::from_millis(dts), MediaTime::from_millis(pts));
        Frame { track: TrackId::VIDEO, dts, pts, random_access: false, data: Bytes::new() }
    }

    #[test]
    fn pictures_shown_before_they_are_decoded_are_decoded_earlier() {
        let mut clock = Clock::new(MediaTime::ZERO);
        let frames = [picture(0, 0), picture(40, 120), picture(80, 40), picture(120, 80)];
        clock.survey(&frames);
        let times: Vec<_> = frames.iter().map(|frame| clock.video(frame)).collect();
        let at = |ms: i64| ORIGIN + ms * 90;
        assert_eq!(times, [(at(0), at(-40)), (at(120), at(0)), (at(40), at(40)), (at(80), at(80))]);
        assert_eq!(clock.repaired_frames(), 0);
    }

    #[test]
    fn decoding_times_keep_their_order_when_they_must_be_lowered_in_the_middle() {
        let mut clock = Clock::new(MediaTime::ZERO);
        clock.survey(&[picture(0, 0)]);
        let first = clock.video(&picture(0, 0));
        let late = picture(40, 0);
        clock.survey(std::slice::from_ref(&late));
        assert_eq!((first, clock.video(&late)), ((ORIGIN, ORIGIN), (ORIGIN + 1, ORIGIN + 1)));
        assert_eq!(clock.repaired_frames(), 1);
    }

    #[test]
    fn a_slow_track_gets_clock_packets_and_a_long_pause_none() {
        let mut clock = Clock::new(MediaTime::ZERO);
        assert_eq!(clock.reference(0), (vec![], -LEAD));
        assert_eq!(clock.reference(20_000), (vec![-LEAD + 8_100, -LEAD + 16_200], 20_000 - LEAD));
        assert!(clock.reference(20_000 + PAUSE + 1).0.is_empty());
        assert_eq!(clock.reference(0).1, 20_000 + PAUSE + 1 - LEAD + 1, "it never runs back");
    }

    #[test]
    fn sound_drives_the_clock_when_pictures_stay_away() {
        let mut clock = Clock::new(MediaTime::ZERO);
        clock.reference(0);
        assert!(clock.follow(SKEW + 8_000).is_empty());
        assert_eq!(clock.follow(SKEW + 8_200), [-LEAD + 8_100]);
        assert!(clock.follow(SKEW + 8_300).is_empty());
    }
}

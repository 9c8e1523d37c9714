//! From a publisher's 32-bit millisecond timestamps to one unwrapped timeline for all tracks.
//!
//! Contract, for whatever timestamps come:
//! - times on each track strictly increase; a timestamp that repeats, or runs back by less than
//!   [`TimelineLimits::max_backward`], is moved just behind its predecessor;
//! - the 32-bit wrap (49.7 days) and the 31-bit one of some encoders are not jumps;
//! - a gap that really passed (the wall clock advanced as well) stays a gap;
//! - any other jump is taken out: the timeline goes on where it was, with another offset between
//!   the publisher's clock and ours. Audio and video do not jump in the same message, so the
//!   offset before a jump stays usable for a while: each frame takes whichever offset puts it
//!   nearest to its own track's last frame.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{JumpDirection, MediaTime, Now, TrackId};

/// What counts as a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineLimits {
    /// Further forward than this, beyond the time that really passed, is a jump.
    pub max_forward: Duration,
    /// Further back than this is a jump.
    pub max_backward: Duration,
}

impl Default for TimelineLimits {
    fn default() -> Self {
        Self { max_forward: Duration::from_secs(10), max_backward: Duration::from_secs(1) }
    }
}

/// Where a frame was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The publisher's timestamp on our timeline; composition offsets count from here.
    pub stamp: MediaTime,
    /// The decoding time: `stamp`, or just behind the track's last frame when that is later.
    pub dts: MediaTime,
    /// How far before the track's furthest timestamp this one is; nothing where it is not.
    pub back: MediaTime,
    /// The clock jumped here: how far and which way.
    pub jump: Option<(MediaTime, JumpDirection)>,
}

impl Placed {
    /// Whether the timestamp had to be moved to keep the track's order.
    pub fn repaired(&self) -> bool {
        self.stamp != self.dts
    }
}

/// The smallest step between frames of a track: one tick of the slowest audio clock (8 kHz), so
/// that times stay distinct in every container's ticks.
const STEP: MediaTime = MediaTime::from_nanos(125_000);
/// How long after a jump the offset before it may still be used.
const OLD_OFFSET_LIFE: MediaTime = MediaTime::from_millis(10_000);
/// The frame duration assumed across a jump when a track has shown none.
const ASSUMED_DURATION: MediaTime = MediaTime::from_millis(20);

/// The timeline of one session.
#[derive(Debug, Default)]
pub struct Timeline {
    limits: TimelineLimits,
    clock: Option<Clock>,
    tracks: BTreeMap<TrackId, TrackClock>,
}

#[derive(Debug)]
struct Clock {
    /// The publisher's last timestamp, unwrapped, in ms.
    unwrapped_ms: i64,
    /// Added to the publisher's time to get ours.
    offset: MediaTime,
    /// The offset before the last jump, and until when it may be used.
    old_offset: Option<(MediaTime, MediaTime)>,
    /// The latest moment of any track.
    latest: MediaTime,
    /// When the last frame came.
    arrived: Duration,
}

#[derive(Debug)]
struct TrackClock {
    last: MediaTime,
    furthest: MediaTime,
    duration: MediaTime,
}

impl Timeline {
    /// A timeline on which nothing has happened yet.
    pub fn new(limits: TimelineLimits) -> Self {
        Self { limits, clock: None, tracks: BTreeMap::new() }
    }

    /// Puts the frame of `track` that carries `timestamp_ms` on the timeline.
    pub fn place(&mut self, track: TrackId, timestamp_ms: u32, now: Now) -> Placed {
        let Some(clock) = &mut self.clock else {
            let dts = MediaTime::from_millis(i64::from(timestamp_ms));
            self.clock = Some(Clock {
                unwrapped_ms: i64::from(timestamp_ms),
                offset: MediaTime::ZERO,
                old_offset: None,
                latest: dts,
                arrived: now.mono,
            });
            self.tracks.insert(track, TrackClock { last: dts, furthest: dts, duration: ASSUMED_DURATION });
            return Placed { stamp: dts, dts, back: MediaTime::ZERO, jump: None };
        };

        let unwrapped_ms = unwrap(clock.unwrapped_ms, timestamp_ms);
        let publisher = MediaTime::from_millis(unwrapped_ms);
        let known = self.tracks.get(&track);
        let last = known.map_or(clock.latest, |track| track.last);
        let passed = now.mono.saturating_sub(clock.arrived);
        let earliest =
            last - MediaTime::from(if known.is_some() { self.limits.max_backward } else { self.limits.max_forward });
        let farthest = clock.latest + MediaTime::from(self.limits.max_forward) + MediaTime::from(passed.mul_f64(1.5));
        if clock.old_offset.is_some_and(|(_, until)| clock.latest > until) {
            clock.old_offset = None;
        }

        let distance = |stamp: MediaTime| (stamp - last).as_nanos().unsigned_abs();
        let nearest = [Some(clock.offset), clock.old_offset.map(|(offset, _)| offset)]
            .into_iter()
            .flatten()
            .map(|offset| publisher + offset)
            .filter(|stamp| (earliest..=farthest).contains(stamp))
            .min_by_key(|stamp| distance(*stamp));

        let mut jump = None;
        let stamp = nearest.unwrap_or_else(|| {
            let target = clock.latest + known.map_or(ASSUMED_DURATION, |track| track.duration);
            let by = publisher + clock.offset - target;
            let direction = if by >= MediaTime::ZERO { JumpDirection::Forward } else { JumpDirection::Backward };
            jump = Some((by, direction));
            clock.old_offset = Some((clock.offset, target + OLD_OFFSET_LIFE));
            clock.offset = target - publisher;
            target
        });
        let dts = if known.is_some() { stamp.max(last + STEP) } else { stamp };

        clock.unwrapped_ms = unwrapped_ms;
        clock.latest = clock.latest.max(dts);
        clock.arrived = now.mono;
        let duration = match known {
            Some(track) if jump.is_some() => track.duration,
            Some(track) => (dts - track.last).min(MediaTime::from_millis(1000)),
            None => ASSUMED_DURATION,
        };
        let furthest = known.map_or(stamp, |track| track.furthest.max(stamp));
        self.tracks.insert(track, TrackClock { last: dts, furthest, duration });
        Placed { stamp, dts, back: furthest - stamp, jump }
    }
}

/// The time nearest to `last_ms` that shows as `timestamp_ms` on a 32-bit clock, or on a 31-bit one
/// when that has just wrapped.
fn unwrap(last_ms: i64, timestamp_ms: u32) -> i64 {
    const HALF: i64 = 1 << 31;
    const NEAR_WRAP_MS: i64 = 60_000;
    let mut delta = i64::from(timestamp_ms) - last_ms.rem_euclid(2 * HALF);
    if delta < -HALF {
        delta += 2 * HALF;
    } else if delta >= HALF {
        delta -= 2 * HALF;
    }
    if (-HALF..=-HALF + NEAR_WRAP_MS).contains(&delta) {
        delta += HALF;
    }
    last_ms.saturating_add(delta)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::WallTime;

    const A: TrackId = TrackId::AUDIO;
    const V: TrackId = TrackId::VIDEO;

    fn at(ms: u64) -> Now {
        Now { mono: Duration::from_millis(ms), wall: WallTime::from_unix_millis(0) }
    }

    /// Places everything at once (no wall time passes) and returns the decoding times in ms.
    fn place(stamps: &[(TrackId, u32)]) -> Vec<i64> {
        let mut timeline = Timeline::default();
        stamps.iter().map(|&(track, ms)| timeline.place(track, ms, at(0)).dts.as_millis()).collect()
    }

    #[test]
    fn ordinary_timestamps_stay_as_they_are() {
        assert_eq!(place(&[(V, 5000), (A, 4990), (V, 5033), (A, 5013)]), [5000, 4990, 5033, 5013]);
    }

    #[test]
    fn a_repeated_timestamp_moves_by_less_than_a_millisecond() {
        let mut timeline = Timeline::default();
        timeline.place(V, 40, at(0));
        let placed = timeline.place(V, 40, at(0));
        assert_eq!(placed.dts - MediaTime::from_millis(40), STEP);
        assert!(placed.repaired());
        assert_eq!(timeline.place(V, 40, at(0)).back, MediaTime::ZERO);
        assert_eq!(timeline.place(V, 15, at(0)).back, MediaTime::from_millis(25));
    }

    #[test]
    fn both_wraps_go_on() {
        assert_eq!(place(&[(V, u32::MAX - 9), (V, 30)]), [i64::from(u32::MAX) - 9, i64::from(u32::MAX) + 31]);
        let half = i64::from(i32::MAX);
        assert_eq!(place(&[(V, i32::MAX as u32 - 9), (V, 30)]), [half - 9, half + 31]);
    }

    #[test]
    fn a_jump_forward_is_taken_out_for_both_tracks() {
        let stamps =
            [(V, 0), (A, 0), (V, 40), (A, 20), (V, 7_200_080), (A, 40), (A, 60), (V, 7_200_120), (A, 7_200_080)];
        assert_eq!(place(&stamps), [0, 0, 40, 20, 80, 40, 60, 120, 80]);
    }

    #[test]
    fn a_jump_backward_keeps_tracks_together() {
        let stamps = [
            (V, 100_000),
            (A, 100_000),
            (V, 100_040),
            (A, 100_020),
            (V, 95_000),
            (A, 100_040),
            (V, 95_040),
            (A, 94_980),
        ];
        assert_eq!(place(&stamps), [100_000, 100_000, 100_040, 100_020, 100_080, 100_040, 100_120, 100_060]);
    }

    #[test]
    fn a_pause_that_really_passed_stays() {
        let mut timeline = Timeline::default();
        timeline.place(V, 0, at(0));
        let placed = timeline.place(V, 30_000, at(30_000));
        assert_eq!((placed.dts.as_millis(), placed.jump), (30_000, None));
    }

    #[test]
    fn a_jump_is_reported_once() {
        let mut timeline = Timeline::default();
        let jumps: Vec<_> = [(V, 0), (A, 0), (V, 3_600_000), (A, 3_600_000), (V, 3_600_040)]
            .into_iter()
            .filter_map(|(track, ms)| timeline.place(track, ms, at(0)).jump)
            .collect();
        assert_eq!(jumps.len(), 1);
        assert_eq!(jumps[0].1, JumpDirection::Forward);
    }

    proptest! {
        #[test]
        fn each_track_strictly_increases_whatever_comes(stamps in proptest::collection::vec((any::<bool>(), any::<u32>(), 0u64..100_000), 1..200)) {
            let mut timeline = Timeline::default();
            let mut last = BTreeMap::new();
            let mut mono = 0;
            for (video, stamp, passed) in stamps {
                mono += passed;
                let track = if video { V } else { A };
                let placed = timeline.place(track, stamp, at(mono));
                if let Some(before) = last.insert(track, placed.dts) {
                    prop_assert!(placed.dts >= before + STEP);
                }
            }
        }

        #[test]
        fn a_regular_stream_passes_unchanged_from_any_start(start: u32, steps in proptest::collection::vec((1u32..500, 1u32..500), 1..200)) {
            let mut timeline = Timeline::default();
            let (mut video, mut audio) = (0u32, 0u32);
            let first = timeline.place(V, start, at(0)).dts;
            for (v, a) in steps {
                video += v;
                audio = (audio + a).clamp(video.saturating_sub(400), video + 400).max(audio + 1);
                for (track, elapsed) in [(V, video), (A, audio)] {
                    let placed = timeline.place(track, start.wrapping_add(elapsed), at(0));
                    prop_assert_eq!(placed.dts - first, MediaTime::from_millis(i64::from(elapsed)));
                    prop_assert_eq!(placed.jump, None);
                }
            }
        }
    }
}

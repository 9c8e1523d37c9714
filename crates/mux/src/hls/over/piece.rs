//! A fragment as far as segments are concerned: when it is shown, and whether a decoder may start there.

use livetape_media::{MediaTime, TrackKind};

use super::is_picture;
use crate::bmff::{Sample, TrackEntry};

/// A longer last frame of a fragment stands before a pause, and says nothing of how long a frame lasts.
const LONGEST_FRAME: MediaTime = MediaTime::from_millis(2_000);
/// How long a picture lasts of which nothing else is known.
const PICTURE: MediaTime = MediaTime::from_millis(33);

/// The frames of one track in a fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FragmentRun<'a> {
    /// `track_ID`.
    pub(crate) number: u32,
    /// Decoding time of the first frame, in the track's ticks.
    pub(crate) dts: u64,
    /// The frames.
    pub(crate) samples: &'a [Sample],
}

/// What of a fragment counts. Moments are times of showing as if every picture were shown when it is its turn,
/// after the fragments' zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) begins: MediaTime,
    /// Where its last frame ends.
    pub(super) ends: MediaTime,
    /// Whether its first picture is a key frame; none without a picture.
    pub(super) key: Option<bool>,
    pub(super) pictures: u64,
    pub(super) sounds: u64,
}

/// Reads fragments, one after the other.
#[derive(Debug)]
pub(super) struct Pieces {
    tracks: Vec<Clock>,
    /// From decoding to showing a key frame.
    delay: Option<MediaTime>,
}

#[derive(Debug)]
struct Clock {
    number: u32,
    kind: TrackKind,
    timescale: u32,
}

impl Pieces {
    pub(super) fn new(tracks: &[TrackEntry]) -> Self {
        let clock =
            |track: &TrackEntry| Clock { number: track.number, kind: track.id.kind, timescale: track.timescale };
        Self { tracks: tracks.iter().map(clock).collect(), delay: None }
    }

    /// What the fragment of these runs comes to; `None` when none is of a known track. `picture` gets each
    /// picture's decoding time.
    pub(super) fn read<'a>(
        &mut self,
        runs: impl Iterator<Item = FragmentRun<'a>>,
        mut picture: impl FnMut(MediaTime),
    ) -> Option<Piece> {
        let mut piece: Option<Piece> = None;
        for run in runs {
            let Some(track) = self.tracks.iter().find(|track| track.number == run.number) else { continue };
            let (Some(first), Some((last, before))) = (run.samples.first(), run.samples.split_last()) else { continue };
            let at = |ticks: i64| MediaTime::from_ticks(ticks, track.timescale);
            let dts = i64::try_from(run.dts).unwrap_or(i64::MAX);
            let delay = match is_picture(track.kind) {
                true => *self.delay.get_or_insert(at(i64::from(first.composition))),
                false => MediaTime::ZERO,
            };
            let mut ticks = dts;
            for sample in run.samples {
                if is_picture(track.kind) {
                    picture(at(ticks));
                }
                ticks = ticks.saturating_add(i64::from(sample.duration));
            }
            let last_begins = ticks.saturating_sub(i64::from(last.duration));
            let lasts = match at(i64::from(last.duration)) {
                long if long > LONGEST_FRAME => before.last().map_or(PICTURE, |frame| at(i64::from(frame.duration))),
                duration => duration,
            };
            let (begins, ends) = (at(dts) + delay, at(last_begins) + delay + lasts);
            let count = run.samples.len() as u64;
            let known = piece.get_or_insert(Piece { begins, ends, key: None, pictures: 0, sounds: 0 });
            known.ends = known.ends.max(ends);
            if is_picture(track.kind) {
                known.begins = begins;
                known.key = Some(first.sync);
                known.pictures += count;
            } else {
                known.sounds += count;
            }
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use livetape_media::TrackKind;

    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn pieces() -> Pieces {
        let entry = |number, kind| TrackEntry::from_file(number, kind, 1_000, Default::default());
        Pieces::new(&[entry(1, TrackKind::Video), entry(2, TrackKind::Audio)])
    }

    fn sample(duration: u32, composition: i32, sync: bool) -> Sample {
        Sample { duration, size: 1, composition, sync }
    }

    #[test]
    fn a_fragment_is_shown_when_its_pictures_are() {
        let mut pieces = pieces();
        let video = [sample(40, 80, true), sample(40, 0, false)];
        let audio = [sample(23, 0, true); 5];
        let runs = [
            FragmentRun { number: 1, dts: 1_000, samples: &video },
            FragmentRun { number: 2, dts: 1_060, samples: &audio },
            FragmentRun { number: 7, dts: 0, samples: &audio },
        ];
        let mut seen = Vec::new();
        let piece = pieces.read(runs.into_iter(), |at| seen.push(at)).unwrap();
        assert_eq!(seen, [ms(1_000), ms(1_040)]);
        let expected = Piece { begins: ms(1_080), ends: ms(1_175), key: Some(true), pictures: 2, sounds: 5 };
        assert_eq!(piece, expected);

        let later = [sample(40, 0, false)];
        let run = FragmentRun { number: 1, dts: 1_080, samples: &later };
        let piece = pieces.read([run].into_iter(), |_| ()).unwrap();
        assert_eq!((piece.begins, piece.key), (ms(1_160), Some(false)), "the first picture's delay holds");
    }

    #[test]
    fn a_frame_before_a_pause_lasts_as_long_as_the_one_before_it() {
        let video = [sample(40, 0, true), sample(60_000, 0, false)];
        let run = FragmentRun { number: 1, dts: 0, samples: &video };
        assert_eq!(pieces().read([run].into_iter(), |_| ()).unwrap().ends, ms(80));
        let alone = FragmentRun { number: 1, dts: 0, samples: &video[1..] };
        assert_eq!(pieces().read([alone].into_iter(), |_| ()).unwrap().ends, PICTURE);
        assert_eq!(pieces().read(std::iter::empty(), |_| ()), None);
    }
}

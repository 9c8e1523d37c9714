//! What a lane has to write: how much memory it takes, how much media it is.

use std::iter::Sum;
use std::ops::Add;
use std::time::Duration;

use bytes::Bytes;
use livetape_media::MediaTime;
use livetape_mux::{Op, Progress};
use livetape_record::{Effect, RecordingId};

/// What a slice takes beside its bytes: its description, and the allocation it is from.
const SLICE_MEMORY: usize = 96;
/// What an effect takes beside what it holds.
const EFFECT_MEMORY: usize = 160;

/// Effects that wait or are being carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// How many.
    pub(super) effects: usize,
    /// Bytes that will be in files.
    pub(super) bytes: usize,
    /// Bytes they take in memory, about.
    pub(super) memory: usize,
}

impl Load {
    /// Of one effect.
    pub(super) fn of(effect: &Effect) -> Self {
        let (bytes, slices) = match effect {
            Effect::Op(Op::Append { slices, .. }) => (slices.iter().map(Bytes::len).sum(), slices.len()),
            Effect::Op(Op::Whole { data, .. } | Op::Patch { data, .. }) => (data.len(), 1),
            _ => (0, 0),
        };
        Self { effects: 1, bytes, memory: bytes + slices * SLICE_MEMORY + EFFECT_MEMORY }
    }
}

impl Add for Load {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { effects: self.effects + more.effects, bytes: self.bytes + more.bytes, memory: self.memory + more.memory }
    }
}

impl Sum for Load {
    fn sum<I: Iterator<Item = Self>>(loads: I) -> Self {
        loads.fold(Self::default(), Add::add)
    }
}

/// How much media has been recorded, and how far along the session's timeline.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Media in recordings that are closed.
    closed: Duration,
    /// Media that has been sent off.
    sent: Duration,
    /// Where the open recording starts.
    start: MediaTime,
    /// How much of it are gaps.
    gaps: Duration,
    begun: bool,
}

impl Account {
    /// Whether any recording has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// A recording is open that has come so far in a process before this one: that counts for nothing here.
    pub(super) fn goes_on(&mut self, start: MediaTime, gaps: Duration, progress: Progress) {
        (self.start, self.gaps, self.begun) = (start, gaps, true);
        self.sent = self.of(progress);
    }

    /// One more effect is to be carried out.
    pub(super) fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Open(opening) => {
                self.start = opening.start;
                self.gaps = Duration::ZERO;
                self.begun = true;
            }
            Effect::Resume(resuming) => self.gaps += resuming.gap.length,
            Effect::Close(closing) => self.closed += closing.summary.duration.saturating_sub(self.gaps),
            _ => {}
        }
    }

    /// The open recording broke, having come so far.
    pub(super) fn abandoned(&mut self, progress: Progress) {
        self.closed += self.of(progress);
    }

    /// All that there is goes off: how much more media it is, and up to which moment everything has
    /// then been sent, if that is known. `end` is the session's last moment, once it has ended.
    pub(super) fn sent(
        &mut self,
        open: Option<(RecordingId, Progress)>,
        end: Option<MediaTime>,
    ) -> (Duration, Option<MediaTime>) {
        let recorded = self.closed + open.map_or(Duration::ZERO, |(_, progress)| self.of(progress));
        let more = recorded.saturating_sub(self.sent);
        self.sent = self.sent.max(recorded);
        // With no recording open, what has come may be waiting for the next.
        let until = open.map(|(_, progress)| progress.flushed).or(end);
        (more, until.filter(|_| self.begun))
    }

    fn of(&self, progress: Progress) -> Duration {
        (progress.flushed - self.start).to_duration().min(progress.duration).saturating_sub(self.gaps)
    }
}

#[cfg(test)]
mod tests {
    use livetape_media::{Format, WallTime};
    use livetape_mux::Summary;
    use livetape_record::{Closing, CutReason, Opening, SessionId, StartReason, StopReason, StreamPath};

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn at(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn id() -> RecordingId {
        RecordingId { session: SessionId(uuid::Uuid::from_u128(1)), format: Format::Mp4, sequence: 1 }
    }

    fn open(account: &mut Account, start: i64) {
        let effect = Effect::Open(Box::new(Opening {
            id: id(),
            session: id().session,
            stream: StreamPath { app: "live".into(), name: "cam".into() },
            task: None,
            keep: livetape_record::Keep::default(),
            format: Format::Mp4,
            key: String::new(),
            playlists: None,
            started_at: WallTime::from_unix_millis(0),
            start: at(start),
            reason: StartReason::Publish,
            tracks: Vec::new(),
        }));
        account.effect(&effect);
    }

    fn close(account: &mut Account, millis: u64) {
        account.effect(&Effect::Close(Box::new(Closing {
            id: id(),
            ended_at: WallTime::from_unix_millis(0),
            reason: StopReason::Cut(CutReason::DiskSlow),
            summary: Summary { duration: ms(millis), ..Summary::default() },
            report: Box::default(),
            lost: ms(700),
        })));
    }

    fn progress(flushed: i64, duration: u64) -> Option<(RecordingId, Progress)> {
        Some((id(), Progress { flushed: at(flushed), duration: ms(duration), ..Progress::default() }))
    }

    #[test]
    fn media_is_counted_once_and_only_when_it_has_been_handed_over() {
        let mut account = Account::default();
        assert_eq!(account.sent(None, None), (ms(0), None));
        open(&mut account, 100);
        assert_eq!(account.sent(progress(500, 800), None), (ms(400), Some(at(500))));
        assert_eq!(account.sent(progress(500, 800), None), (ms(0), Some(at(500))));
        close(&mut account, 900);
        assert_eq!(account.sent(None, None), (ms(500), None), "the next one may have gathered something");
        // What was dropped in between counts for nothing.
        open(&mut account, 1_700);
        assert_eq!(account.sent(progress(2_000, 400), None), (ms(300), Some(at(2_000))));
        close(&mut account, 400);
        assert_eq!(account.sent(None, Some(at(2_060))), (ms(100), Some(at(2_060))));
    }

    #[test]
    fn what_a_process_before_this_one_has_recorded_counts_for_nothing() {
        let mut account = Account::default();
        // From 100 to 9,000, with a gap of 4 s.
        account.goes_on(
            at(100),
            ms(4_000),
            Progress { flushed: at(9_000), duration: ms(8_900), ..Progress::default() },
        );
        assert_eq!(account.sent(progress(9_000, 8_900), None), (ms(0), Some(at(9_000))));
        assert_eq!(account.sent(progress(9_700, 9_600), None), (ms(700), Some(at(9_700))));
        close(&mut account, 10_000);
        assert_eq!(account.sent(None, Some(at(10_100))), (ms(400), Some(at(10_100))));
    }

    #[test]
    fn memory_counts_what_slices_take_beside_their_bytes() {
        let file = livetape_mux::FileName::flv();
        let slices = vec![Bytes::from_static(b"abc"), Bytes::from_static(b"d")];
        let load = Load::of(&Effect::Op(Op::Append { file, slices }));
        assert_eq!(load, Load { effects: 1, bytes: 4, memory: 4 + 2 * SLICE_MEMORY + EFFECT_MEMORY });
        assert_eq!([load, load].into_iter().sum::<Load>(), load + load);
    }
}

//! Sessions through one recorder: what its recordings hold, and whether every effect was possible.

use std::collections::BTreeMap;
use std::time::Duration;

use livetape_media::{Format, Item};
use livetape_mux::{Layout, Op, SegmentType, Summary};
use livetape_record::{Effect, Gap, Keep, NameTemplate, Opening, Policy, RecordingId, SessionId};

use crate::directory::Directory;
use crate::footage::{Mark, Step, marks};
use crate::publication::Publication;
use crate::{moment, settle};

/// A format and what its segments are.
pub const LAYOUTS: [(Format, SegmentType); 4] = [
    (Format::Mp4, SegmentType::Fmp4),
    (Format::Hls, SegmentType::Fmp4),
    (Format::Flv, SegmentType::Fmp4),
    (Format::Hls, SegmentType::Ts),
];

/// One recording, over.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What was said when it began.
    pub opening: Opening,
    /// Everything that was to be done, in order.
    pub ops: Vec<Op>,
    /// Its files.
    pub directory: Directory,
    /// Where it went on after its publisher had gone, and how many frames it had before.
    pub gaps: Vec<(Gap, usize)>,
    /// How it ended.
    pub ending: Ending,
}

/// How a recording ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It is complete.
    Closed(Summary),
    /// It was too short.
    Discarded,
    /// It was given up.
    Abandoned,
}

/// A session recorded in one format.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its recordings, in order.
    pub recordings: Vec<Recording>,
    /// The frames that the format carries.
    pub given: Vec<Mark>,
    /// How many of them were left out because nothing could decode them, as the recorder says.
    pub skipped: u64,
    /// How many were dropped while the disk was too slow, as it says.
    pub dropped: u64,
}

/// How a session is recorded.
pub fn policy((format, segment_type): (Format, SegmentType), max: Duration, min: Duration) -> Policy {
    let layout = Layout {
        segment: Duration::from_secs(2),
        segment_type,
        fragment_max_bytes: 16 << 10,
        mp4_reserve_max_bytes: 4 << 10,
        ..Layout::default()
    };
    Policy {
        format,
        layout,
        max_duration: max,
        max_bytes: None,
        align: None,
        min_duration: min,
        track_wait: Duration::from_secs(1),
        names: NameTemplate::default(),
        playlists: format == Format::Mp4,
        keep: Keep::default(),
    }
}

/// Records sessions; panics where the recorder asks for what cannot be.
pub fn record(policy: Policy, steps: &[Step]) -> Recorded {
    let mut log = Log { format: policy.format, numbers: BTreeMap::new(), open: None, over: Vec::new() };
    let mut publication = Publication::new(policy);
    let mut now = moment(0);
    let mut effects = Vec::new();
    let mut resumed = true;
    for step in steps {
        // Nothing comes at the same instant as something else.
        let mut passed = Duration::from_millis(7);
        if let Step::Pass(time) = step {
            passed += *time;
        }
        now.mono += passed;
        now.wall = now.wall.plus_millis(passed.as_millis() as i64);
        let (joins, mut paused) = (publication.joins, false);
        match step {
            Step::Item(item) => publication.push(item, now, &mut effects),
            Step::Pass(_) => {}
            Step::SetCalendar(by) => now.wall = now.wall.plus_millis(*by),
            Step::Away => paused = publication.go(now, &mut effects),
            Step::Back(rule) => publication.come_back(*rule),
            Step::Split => {
                publication.recorder.split();
            }
            Step::Abandon => publication.recorder.abandon(&mut effects),
            Step::Suspend => publication.recorder.suspend(now, &mut effects),
            Step::Resume => publication.recorder.resume(),
        }
        match step {
            Step::Suspend => resumed = false,
            Step::Resume | Step::Away => resumed = true,
            _ => {}
        }
        let recorder = &mut publication.recorder;
        if let Step::Item(Item::Frame(_)) = step
            && recorder.is_suspended()
            && !resumed
            && joins == publication.joins
        {
            let written = effects.iter().any(|effect| matches!(effect, Effect::Op(_)));
            assert!(!written, "something is written while the disk is too slow");
        }
        recorder.tick(now, &mut effects);
        assert!(recorder.next_tick().is_none_or(|due| due > now.mono), "a tick stays due");
        effects.drain(..).for_each(|effect| log.take(effect));
        assert_eq!(recorder.progress().is_some(), log.open.is_some(), "what is open is told");
        if paused && log.over.iter().all(|recording| matches!(recording.ending, Ending::Closed(_))) {
            let told = recorder.skipped_frames() + recorder.dropped_frames();
            assert_eq!(log.frames() + told, publication.given.len() as u64, "all that was taken is in the files");
        }
    }
    assert!(log.open.is_none(), "the end closes what is open");
    let (skipped, dropped) = (publication.recorder.skipped_frames(), publication.recorder.dropped_frames());
    Recorded { recordings: log.over, given: publication.given, skipped, dropped }
}

struct Log {
    format: Format,
    /// How many recordings each session has begun.
    numbers: BTreeMap<SessionId, u32>,
    open: Option<Begun>,
    over: Vec<Recording>,
}

struct Begun {
    opening: Opening,
    ops: Vec<Op>,
    directory: Directory,
    gaps: Vec<(Gap, usize)>,
    /// It waits for its publisher.
    waits: bool,
}

impl Log {
    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Open(opening) => {
                assert!(self.open.is_none(), "a recording begins before the one before ends");
                let number = self.numbers.entry(opening.session).or_default();
                *number += 1;
                let id = RecordingId { session: opening.session, format: self.format, sequence: *number };
                assert_eq!(opening.id, id, "recordings of a session are numbered from 1");
                let (ops, directory, gaps) = (Vec::new(), Directory::default(), Vec::new());
                self.open = Some(Begun { opening: *opening, ops, directory, gaps, waits: false });
            }
            Effect::Op(op) => {
                assert!(!matches!(op, Op::Truncate { .. } | Op::Remove { .. }), "only salvage does this");
                let open = self.open.as_mut().expect("operations belong to an open recording");
                open.directory.perform(&op);
                open.ops.push(op);
            }
            Effect::Close(closing) => {
                let recording = self.end(closing.id, Ending::Closed(closing.summary));
                assert!(!recording.directory.grows(), "every file of a closed recording is finished");
            }
            Effect::Discard(discarding) => drop(self.end(discarding.id, Ending::Discarded)),
            Effect::Abandon(abandoning) => drop(self.end(abandoning.id, Ending::Abandoned)),
            Effect::Pause(pausing) => {
                let format = self.format;
                let open = self.open(pausing.id);
                assert!(!std::mem::replace(&mut open.waits, true), "it waits already");
                let (mut copy, held) = (open.directory.clone(), marks(&open.directory).len() as u64);
                let salvaged = settle::settle(format, &mut copy, open.opening.started_at);
                let (pictures, sounds) = salvaged.as_ref().map(settle::frames).unwrap_or_default();
                assert_eq!(pictures + sounds, held, "frames that are not whole while it waits");
            }
            Effect::Resume(resuming) => {
                let open = self.open(resuming.id);
                assert!(std::mem::replace(&mut open.waits, false), "it goes on and did not wait");
                open.gaps.push((resuming.gap, marks(&open.directory).len()));
            }
            Effect::Warn(_) => {}
        }
    }

    fn open(&mut self, id: RecordingId) -> &mut Begun {
        let open = self.open.as_mut().expect("a recording is open");
        assert_eq!(open.opening.id, id, "another recording is open");
        open
    }

    fn end(&mut self, id: RecordingId, ending: Ending) -> &Recording {
        self.open(id);
        let Begun { opening, ops, directory, gaps, .. } = self.open.take().expect("what ends is open");
        self.over.push(Recording { opening, ops, directory, gaps, ending });
        self.over.last().expect("it was just put there")
    }

    /// Frames in the files.
    fn frames(&self) -> u64 {
        let open = self.open.iter().map(|open| &open.directory);
        let all = self.over.iter().map(|recording| &recording.directory).chain(open);
        all.map(|directory| marks(directory).len() as u64).sum()
    }
}

impl Recording {
    /// The frames in its files.
    pub fn marks(&self) -> Vec<Mark> {
        marks(&self.directory)
    }
}

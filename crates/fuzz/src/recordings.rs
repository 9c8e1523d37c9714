//! A session through one recorder: what its recordings hold, and whether every effect was possible.

use std::collections::BTreeMap;
use std::time::Duration;

use livetape_media::{Format, Frame, Item, TrackKind};
use livetape_mux::{Layout, Op, SegmentType, Summary, carries};
use livetape_record::{Effect, NameTemplate, Opening, Policy, Recorder, SessionId, StreamPath};

use crate::directory::Directory;
use crate::footage::{Mark, Step, marks};
use crate::moment;

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
    }
}

/// Records a session; panics where the recorder asks for what cannot be.
pub fn record(policy: Policy, steps: &[Step]) -> Recorded {
    let mut log = Log {
        format: policy.format,
        layout: policy.layout.clone(),
        carried: BTreeMap::new(),
        given: Vec::new(),
        open: None,
        over: Vec::new(),
    };
    let stream = StreamPath { app: "live".into(), name: "cam".into() };
    let mut recorder = Recorder::new(policy, SessionId(uuid::Uuid::nil()), stream);
    let mut now = moment(0);
    let mut effects = Vec::new();
    let mut resumed = true;
    for step in steps {
        // Nothing comes at the same instant as something else.
        now.mono += Duration::from_millis(7);
        match step {
            Step::Item(item) => {
                log.given(item);
                recorder.push(item, now, &mut effects);
            }
            Step::Pass(time) => now.mono += *time,
            Step::Split => {
                recorder.split();
            }
            Step::Abandon => recorder.abandon(&mut effects),
            Step::Suspend => {
                recorder.suspend(now, &mut effects);
                resumed = false;
            }
            Step::Resume => {
                recorder.resume();
                resumed = true;
            }
        }
        if let Step::Item(Item::Frame(_)) = step
            && recorder.is_suspended()
            && !resumed
        {
            let written = effects.iter().any(|effect| matches!(effect, Effect::Op(_)));
            assert!(!written, "something is written while the disk is too slow");
        }
        recorder.tick(now, &mut effects);
        assert!(recorder.next_tick().is_none_or(|due| due > now.mono), "a tick stays due");
        effects.drain(..).for_each(|effect| log.take(effect));
        assert_eq!(recorder.progress().is_some(), log.open.is_some(), "what is open is told");
    }
    assert!(log.open.is_none(), "the end closes what is open");
    let (skipped, dropped) = (recorder.skipped_frames(), recorder.dropped_frames());
    Recorded { recordings: log.over, given: log.given, skipped, dropped }
}

struct Log {
    format: Format,
    layout: Layout,
    carried: BTreeMap<TrackKind, bool>,
    given: Vec<Mark>,
    open: Option<(Opening, Vec<Op>, Directory)>,
    over: Vec<Recording>,
}

impl Log {
    fn given(&mut self, item: &Item) {
        match item {
            Item::Track(track) if track.id.index == 0 => {
                let carried = carries(self.format, &self.layout, track.config.codec());
                self.carried.insert(track.id.kind, carried);
            }
            Item::Frame(Frame { track, data, .. }) if self.carried.get(&track.kind) == Some(&true) => {
                self.given.extend(crate::footage::marks_in("", data).into_iter().filter(|_| track.index == 0));
            }
            _ => {}
        }
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Open(opening) => {
                assert!(self.open.is_none(), "a recording begins before the one before ends");
                assert_eq!(opening.id.sequence as usize, self.over.len() + 1, "recordings are numbered from 1");
                self.open = Some((*opening, Vec::new(), Directory::default()));
            }
            Effect::Op(op) => {
                assert!(!matches!(op, Op::Truncate { .. } | Op::Remove { .. }), "only salvage does this");
                let (_, ops, directory) = self.open.as_mut().expect("operations belong to an open recording");
                directory.perform(&op);
                ops.push(op);
            }
            Effect::Close(closing) => {
                let recording = self.end(closing.id, Ending::Closed(closing.summary));
                assert!(!recording.directory.grows(), "every file of a closed recording is finished");
            }
            Effect::Discard(discarding) => drop(self.end(discarding.id, Ending::Discarded)),
            Effect::Abandon(abandoning) => drop(self.end(abandoning.id, Ending::Abandoned)),
            Effect::Pause(_) | Effect::Resume(_) | Effect::Warn(_) => {}
        }
    }

    fn end(&mut self, id: livetape_record::RecordingId, ending: Ending) -> &Recording {
        let (opening, ops, directory) = self.open.take().expect("what ends is open");
        assert_eq!(opening.id, id, "another recording ends than is open");
        self.over.push(Recording { opening, ops, directory, ending });
        self.over.last().expect("it was just put there")
    }
}

impl Recording {
    /// The frames in its files.
    pub fn marks(&self) -> Vec<Mark> {
        marks(&self.directory)
    }
}

//! One recorder through the sessions of a publisher that goes and comes back, as a publication of the server has it.

use std::collections::BTreeMap;
use std::time::Duration;

use livetape_media::{Frame, Item, MediaTime, Now, TrackId, TrackKind};
use livetape_mux::{Layout, carries};
use livetape_record::{
    Effect, GapRule, Join, Numbers, Policy, Recorder, Rejoined, SessionId, Splice, Spliced, StreamPath, Tail,
};
use uuid::Uuid;

use crate::footage::{Mark, marks_in};

/// How often one recording goes on.
const LIMIT: u32 = 3;
/// How long recordings wait, as their rows say.
const WINDOW_MS: i64 = 60_000;

/// A recorder and what stands before it.
pub(crate) struct Publication {
    pub(crate) recorder: Recorder,
    layout: Layout,
    track_wait: Duration,
    tail: Tail,
    splice: Option<Splice>,
    /// The publisher has gone, and no media has come since.
    waits: bool,
    sessions: u128,
    /// Which tracks of the session the format carries.
    carried: BTreeMap<TrackKind, bool>,
    /// The frames it carries that can be recorded, or are counted as left out.
    pub(crate) given: Vec<Mark>,
    /// Those of a session of which nothing could be put behind the one before yet.
    gathering: Vec<Mark>,
    last: BTreeMap<TrackId, MediaTime>,
    /// How often a session has gone on with another.
    pub(crate) joins: u32,
}

impl Publication {
    pub(crate) fn new(policy: Policy) -> Self {
        let stream = StreamPath { app: "live".into(), name: "cam".into() };
        Self {
            layout: policy.layout.clone(),
            track_wait: policy.track_wait,
            recorder: Recorder::new(policy, SessionId(Uuid::nil()), stream),
            tail: Tail::default(),
            splice: None,
            waits: false,
            sessions: 0,
            carried: BTreeMap::new(),
            given: Vec::new(),
            gathering: Vec::new(),
            last: BTreeMap::new(),
            joins: 0,
        }
    }

    /// The publisher says something.
    pub(crate) fn push(&mut self, item: &Item, now: Now, effects: &mut Vec<Effect>) {
        self.heard(item);
        match (item, &mut self.splice) {
            (Item::End(_), _) => {
                self.settle(now, effects);
                self.recorder.push(item, now, effects);
            }
            (_, None) => self.take(item, now, effects),
            (_, Some(splice)) => {
                let mut out = Vec::new();
                splice.push(item, now, &mut out);
                self.spliced(out, now, effects);
            }
        }
    }

    /// It goes. Whether its recordings begin to wait with that.
    pub(crate) fn go(&mut self, now: Now, effects: &mut Vec<Effect>) -> bool {
        self.settle(now, effects);
        assert!(!self.gathering.iter().any(|mark| mark.key), "a key frame came and nothing of its session is recorded");
        self.gathering.clear();
        // One that came back and sent nothing does not wait any longer for that.
        if std::mem::replace(&mut self.waits, true) {
            return false;
        }
        self.recorder.pause(now.wall.plus_millis(WINDOW_MS), now, effects);
        true
    }

    /// It is back.
    pub(crate) fn come_back(&mut self, rule: GapRule) {
        self.sessions += 1;
        self.carried.clear();
        self.splice = Some(Splice::new(self.tail.clone(), rule, self.track_wait));
    }

    fn heard(&mut self, item: &Item) {
        match item {
            Item::Track(track) if track.id.index == 0 => {
                let carried = carries(self.recorder.format(), &self.layout, track.config.codec());
                self.carried.insert(track.id.kind, carried);
            }
            Item::Frame(Frame { track, data, .. })
                if track.index == 0 && self.carried.get(&track.kind) == Some(&true) =>
            {
                let joined = self.splice.as_ref().is_none_or(Splice::has_joined);
                let heard = if joined { &mut self.given } else { &mut self.gathering };
                heard.extend(marks_in("", data));
            }
            _ => {}
        }
    }

    fn settle(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let mut out = Vec::new();
        self.splice.iter_mut().for_each(|splice| splice.settle(&mut out));
        self.spliced(out, now, effects);
    }

    fn spliced(&mut self, out: Vec<Spliced>, now: Now, effects: &mut Vec<Effect>) {
        let frames = out.iter().filter(|spliced| matches!(spliced, Spliced::Item(Item::Frame(_)))).count() as u64;
        for spliced in out {
            match spliced {
                Spliced::Item(item) => self.take(&item, now, effects),
                Spliced::Joined(join) => {
                    assert_eq!(frames + join.skipped, self.gathering.len() as u64, "frames that gathered");
                    self.join(&join, now, effects);
                }
            }
        }
    }

    fn join(&mut self, join: &Join, now: Now, effects: &mut Vec<Effect>) {
        assert!(join.at >= join.ended && join.wall >= join.ended_at, "it begins before what was there ends: {join:?}");
        self.given.append(&mut self.gathering);
        self.joins += 1;
        self.tail.joined();
        self.waits = false;
        let session = SessionId(Uuid::from_u128(self.sessions));
        let by = Rejoined { session, numbers: Numbers::default(), limit: LIMIT };
        self.recorder.join(join, by, now, effects);
    }

    fn take(&mut self, item: &Item, now: Now, effects: &mut Vec<Effect>) {
        if let Item::Frame(frame) = item {
            let last = self.last.insert(frame.track, frame.dts);
            assert!(last.is_none_or(|last| last < frame.dts), "decoding times of {:?} do not grow", frame.track);
            self.tail.frame(frame, now.wall);
        }
        self.recorder.push(item, now, effects);
    }
}

//! A publisher that has come back: its new session's timeline, put behind the one before.
//!
//! The new session's frames gather until there is a key frame and the sound with it, as for a recording that
//! opens. Then one offset is chosen for all of the session: picture and sound stay together, as the publisher
//! sent them. It is a whole number of milliseconds, and no frame comes to lie before the end of what was
//! there. Frames before the key frame, but for sound right before it, are left out and counted.

use std::time::Duration;

use livetape_media::{Format, Frame, Item, MediaTime, Now, Track, TrackKind, WallTime};
use livetape_mux::{Layout, carries};

use crate::Tail;
use crate::recorder::Tracks;
use crate::recorder::preroll::Preroll;

/// What frames of a track are apart at least: one tick of the slowest clock of sound.
const STEP: MediaTime = MediaTime::from_nanos(125_000);

/// What becomes of the time in which nobody published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GapRule {
    /// It stays: what follows is as far away as the calendar says.
    #[default]
    Keep,
    /// What follows begins where what was before ends.
    Collapse,
}

/// Where a session continues another one. Moments are on the timeline that goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// What is published now, as far as frames of it have come.
    pub tracks: Vec<Track>,
    /// Where the media before it ends, and the calendar's time there.
    pub ended: MediaTime,
    /// The calendar's time there.
    pub ended_at: WallTime,
    /// Its first picture is shown, or its first sound heard.
    pub at: MediaTime,
    /// The calendar's time there.
    pub wall: WallTime,
    /// Frames of it that were left out, since no decoder could start from them.
    pub skipped: u64,
}

/// What comes of an item of the new session.
#[derive(Clone, Debug, PartialEq)]
pub enum Spliced {
    /// The new session's media begins.
    Joined(Join),
    /// An item, its times on the timeline that goes on.
    Item(Item),
}

/// Puts one session's items behind those of another.
pub struct Splice {
    rule: GapRule,
    tail: Tail,
    tracks: Tracks,
    state: State,
    /// The last decoding time on each track.
    video: Option<MediaTime>,
    audio: Option<MediaTime>,
}

enum State {
    Gathering { preroll: Preroll, skipped: u64 },
    Joined { offset: MediaTime },
}

impl Splice {
    /// For a session that comes after media that ended as `tail` says. The first frames may wait for others, in
    /// media time, as long as `track_wait`.
    pub fn new(tail: Tail, rule: GapRule, track_wait: Duration) -> Self {
        let (video, audio) = (tail.last(TrackKind::Video), tail.last(TrackKind::Audio));
        let state = State::Gathering { preroll: Preroll::new(track_wait), skipped: 0 };
        Self { rule, tail, tracks: Tracks::default(), state, video, audio }
    }

    /// Whether media of the new session has been put behind the other.
    pub fn has_joined(&self) -> bool {
        matches!(self.state, State::Joined { .. })
    }

    /// Where the media before it ended.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Bytes of frames that gather.
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Gathering { preroll, .. } => preroll.bytes(),
            State::Joined { .. } => 0,
        }
    }

    /// One more item of the new session. Its end is handed on whether it has joined or not.
    pub fn push(&mut self, item: &Item, now: Now, out: &mut Vec<Spliced>) {
        match item {
            Item::Frame(frame) => self.frame(frame, now, out),
            Item::Track(track) => self.track(track, out),
            Item::Jump { at, by, direction } => {
                // Before the join there is nothing that it would be a jump from.
                if let State::Joined { offset } = self.state {
                    out.push(Spliced::Item(Item::Jump { at: *at + offset, by: *by, direction: *direction }));
                }
            }
            Item::End(_) => {
                self.settle(out);
                out.push(Spliced::Item(item.clone()));
            }
            Item::Moved { .. } | Item::Metadata(_) | Item::Warning(_) => out.push(Spliced::Item(item.clone())),
        }
    }

    fn track(&mut self, track: &Track, out: &mut Vec<Spliced>) {
        if track.id.index != 0 {
            out.push(Spliced::Item(Item::Track(track.clone())));
            return;
        }
        let kind = track.id.kind;
        let recorded = Some(track).filter(|track| is_carried(track));
        if let State::Gathering { preroll, .. } = &self.state
            && preroll.holds(kind)
            && self.tracks.of(kind).is_some_and(|before| recorded != Some(before))
        {
            // What has gathered needs the configuration before this one.
            self.settle(out);
        }
        *self.tracks.slot(kind) = recorded.cloned();
        // Until then it says what waits.
        if self.has_joined() || recorded.is_none() {
            out.push(Spliced::Item(Item::Track(track.clone())));
        }
    }

    fn frame(&mut self, frame: &Frame, now: Now, out: &mut Vec<Spliced>) {
        match &mut self.state {
            State::Joined { offset } => {
                let offset = *offset;
                out.push(Spliced::Item(Item::Frame(self.moved(frame.clone(), offset))));
            }
            State::Gathering { preroll, skipped } => {
                if frame.track.index != 0 || self.tracks.of(frame.track.kind).is_none() {
                    return;
                }
                preroll.push(frame, now.wall, self.tracks.video.is_some(), skipped);
                if preroll.is_ready(&self.tracks) {
                    self.settle(out);
                }
            }
        }
    }

    /// Nothing more comes: begins with what has gathered, if anything of it can be decoded.
    pub fn settle(&mut self, out: &mut Vec<Spliced>) {
        let State::Gathering { preroll, skipped } = &mut self.state else { return };
        let Some(ready) = preroll.take(&self.tracks) else { return };
        let Some(earliest) = ready.frames.iter().map(|frame| frame.dts).min() else { return };
        let skipped = *skipped;
        // A picture is shown this much after it has come to be decoded.
        let leads = |frame: &&Frame| ready.tracks.video.is_none() || frame.track.kind == TrackKind::Video;
        let delay = ready.frames.iter().find(leads).map_or(MediaTime::ZERO, |first| ready.start - first.dts);
        let ended = self.tail.end().unwrap_or(earliest);
        let ended_at = self.tail.wall_at(ended - delay).unwrap_or(ready.wall);
        let behind = (self.tail.decoded_until().unwrap_or(earliest) - earliest).max(ended - ready.start);
        let by_the_calendar = self.tail.moment_at(ready.wall).map(|moment| moment + delay - ready.start);
        let offset = match (self.rule, by_the_calendar) {
            (GapRule::Keep, Some(wanted)) => wanted.max(behind),
            _ => behind,
        };
        let offset = MediaTime::from_millis((offset + MediaTime::from_nanos(999_999)).as_millis());
        self.state = State::Joined { offset };
        out.push(Spliced::Joined(Join {
            tracks: ready.tracks.list(),
            ended,
            ended_at,
            at: ready.start + offset,
            wall: ready.wall.max(ended_at),
            skipped,
        }));
        out.extend(self.tracks.list().into_iter().map(|track| Spliced::Item(Item::Track(track))));
        for frame in ready.frames {
            let frame = self.moved(frame, offset);
            out.push(Spliced::Item(Item::Frame(frame)));
        }
    }

    /// On the timeline that goes on, behind the last frame of its track.
    fn moved(&mut self, mut frame: Frame, offset: MediaTime) -> Frame {
        let last = match frame.track.kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        };
        let dts = frame.dts + offset;
        frame.dts = last.map_or(dts, |last| dts.max(last + STEP));
        frame.pts = frame.pts + offset;
        if frame.track.index == 0 {
            *last = Some(frame.dts);
        }
        frame
    }
}

/// Whether a recording of any format holds it.
fn is_carried(track: &Track) -> bool {
    let layout = Layout::default();
    Format::ALL.iter().any(|format| carries(*format, &layout, track.config.codec()))
}

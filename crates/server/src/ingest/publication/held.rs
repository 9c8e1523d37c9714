//! The latest media of a stream, from a key frame on, so that what begins to record it need not wait for the next one.
//!
//! Contract: from a key frame on, whole and in order, or nothing. Bounded in bytes, for each stream and for all; a
//! group of pictures that is larger is not held, nor what comes while there is no room. What is held is shared with
//! whoever has it anyway.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use livetape_media::{Frame, Item, MediaTime, TrackKind, WallTime};

use super::super::budget::{Budget, Share};

/// What is held of one stream.
pub(super) struct Held {
    /// What media there is before the last key frame that is held too.
    preroll: MediaTime,
    max_bytes: usize,
    share: Share,
    tracks: BTreeMap<TrackKind, Item>,
    metadata: Option<Item>,
    frames: VecDeque<(Frame, WallTime)>,
    bytes: usize,
    /// When each group that is held begins, in decoding time and in the order shown.
    groups: VecDeque<(MediaTime, MediaTime)>,
}

impl Held {
    pub(super) fn new(preroll: MediaTime, max_bytes: usize, budget: &Arc<Budget>) -> Self {
        Self {
            preroll,
            max_bytes,
            share: budget.share(),
            tracks: BTreeMap::new(),
            metadata: None,
            frames: VecDeque::new(),
            bytes: 0,
            groups: VecDeque::new(),
        }
    }

    /// One more item, which came at `wall`.
    pub(super) fn take(&mut self, item: &Item, wall: WallTime) {
        match item {
            Item::Track(track) if track.id.index == 0 => {
                // What is held needs the configuration before this one.
                if self.tracks.insert(track.id.kind, item.clone()).is_some_and(|before| before != *item) {
                    self.forget();
                }
            }
            Item::Metadata(_) => self.metadata = Some(item.clone()),
            Item::Jump { .. } | Item::End(_) => self.forget(),
            Item::Frame(frame) if frame.track.index == 0 => self.frame(frame, wall),
            Item::Frame(_) | Item::Track(_) | Item::Moved { .. } | Item::Warning(_) => {}
        }
    }

    /// All of it, in the order it came, with when that was; before the media what says how to read it.
    pub(super) fn items(&self) -> impl Iterator<Item = (Item, Option<WallTime>)> {
        let said = self.metadata.iter().chain(self.tracks.values()).map(|item| (item.clone(), None));
        said.chain(self.frames.iter().map(|(frame, wall)| (Item::Frame(frame.clone()), Some(*wall))))
    }

    fn frame(&mut self, frame: &Frame, wall: WallTime) {
        if self.max_bytes == 0 {
            return;
        }
        let leads = (frame.track.kind == TrackKind::Video) == self.tracks.contains_key(&TrackKind::Video);
        if leads && frame.random_access {
            self.groups.push_back((frame.dts, frame.pts));
            while let Some((next, shown)) = self.groups.get(1).copied()
                && frame.dts - next >= self.preroll
            {
                self.groups.pop_front();
                self.forget_before(next, shown);
            }
        }
        let is_sound = frame.track.kind == TrackKind::Audio;
        // Before the first key frame only sound is held, which may be heard after that.
        if self.groups.is_empty() && !is_sound {
            return;
        }
        self.bytes += frame.data.len();
        self.frames.push_back((frame.clone(), wall));
        if self.groups.is_empty() {
            let oldest = frame.pts - EARLY_SOUND;
            while self.frames.front().is_some_and(|(sound, _)| sound.pts < oldest) {
                self.drop_first();
            }
        }
        self.share.set(self.bytes);
        if self.bytes > self.max_bytes || !self.share.may_grow() {
            self.forget();
        }
    }

    /// Leaves out the pictures before `next` and the sound that is heard before it is `shown`.
    fn forget_before(&mut self, next: MediaTime, shown: MediaTime) {
        let kept = |frame: &Frame| match frame.track.kind {
            TrackKind::Video => frame.dts >= next,
            TrackKind::Audio => frame.pts >= shown,
        };
        self.frames.retain(|(frame, _)| kept(frame));
        self.bytes = self.frames.iter().map(|(frame, _)| frame.data.len()).sum();
    }

    fn drop_first(&mut self) {
        self.bytes -= self.frames.pop_front().map_or(0, |(frame, _)| frame.data.len());
    }

    /// Nothing is held until the next key frame.
    fn forget(&mut self) {
        self.frames = VecDeque::new();
        self.groups.clear();
        self.bytes = 0;
        self.share.set(0);
    }
}

/// How far sound may be ahead of the picture it is heard with.
const EARLY_SOUND: MediaTime = MediaTime::from_millis(1_000);

#[cfg(test)]
mod tests {
    use livetape_media::codec::{AvcConfig, Mp3Config};
    use livetape_media::{AudioFormat, CodecConfig, JumpDirection, Track, TrackId, VideoFormat};

    use super::*;

    fn video(width: u32) -> Item {
        let format = VideoFormat { width, height: 360, frame_rate: None };
        let record = bytes::Bytes::from(width.to_be_bytes().to_vec());
        let config = AvcConfig { record, format, nal_length_size: 4, sps: vec![], pps: vec![] };
        Item::Track(Track { id: TrackId::VIDEO, config: CodecConfig::Avc(config) })
    }

    fn audio() -> Item {
        let format =
            AudioFormat { sample_rate: 48_000, output_sample_rate: 48_000, channels: 2, samples_per_frame: None };
        Item::Track(Track { id: TrackId::AUDIO, config: CodecConfig::Mp3(Mp3Config { format }) })
    }

    fn frame(track: TrackId, ms: i64, key: bool) -> Item {
        let time = MediaTime::from_millis(ms);
        let data = vec![0; 100].into();
        Item::Frame(Frame { track, dts: time, pts: time, random_access: key, data })
    }

    fn held(preroll_ms: i64, max_bytes: usize) -> (Held, Arc<Budget>) {
        let budget = Budget::new(10_000, "test");
        (Held::new(MediaTime::from_millis(preroll_ms), max_bytes, &budget), budget)
    }

    /// `V` and `A` with their times, a `K` behind those of key frames.
    fn shown(held: &Held) -> String {
        let names = held.frames.iter().map(|(frame, _)| {
            let kind = if frame.track == TrackId::VIDEO { "V" } else { "A" };
            let key = if frame.random_access && frame.track == TrackId::VIDEO { "K" } else { "" };
            format!("{kind}{}{key}", frame.dts.as_millis())
        });
        names.collect::<Vec<_>>().join(" ")
    }

    fn take(held: &mut Held, items: &[Item]) {
        items.iter().for_each(|item| held.take(item, WallTime::from_unix_millis(0)));
    }

    fn pictures(from: i64, count: i64) -> Vec<Item> {
        (0..count).map(|n| frame(TrackId::VIDEO, from + n * 40, n == 0)).collect()
    }

    #[test]
    fn the_current_group_is_held_and_the_sound_heard_with_it() {
        let (mut held, budget) = held(0, 5_000);
        take(&mut held, &[video(640), audio(), frame(TrackId::VIDEO, 0, false), frame(TrackId::AUDIO, 10, true)]);
        assert_eq!(shown(&held), "A10");
        take(&mut held, &pictures(40, 2));
        assert_eq!(shown(&held), "A10 V40K V80");
        take(&mut held, &[frame(TrackId::AUDIO, 130, true)]);
        take(&mut held, &pictures(120, 2));
        assert_eq!((shown(&held).as_str(), budget.held()), ("A130 V120K V160", 300));
        assert_eq!(held.items().count(), 5, "the two tracks, and the frames");
        drop(held);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn with_preroll_whole_groups_before_it_are_held_too() {
        let (mut held, _) = held(100, 5_000);
        take(&mut held, &[video(640)]);
        for from in [0, 80, 160, 240] {
            take(&mut held, &pictures(from, 2));
        }
        assert_eq!(shown(&held), "V80K V120 V160K V200 V240K V280");
    }

    #[test]
    fn what_is_too_large_or_of_another_configuration_is_not_held_and_the_next_group_is() {
        let (mut held, budget) = held(0, 500);
        take(&mut held, &[video(640)]);
        take(&mut held, &pictures(0, 6));
        assert_eq!((shown(&held).as_str(), budget.held()), ("", 0));
        take(&mut held, &pictures(240, 2));
        assert_eq!(shown(&held), "V240K V280");
        take(&mut held, &[video(640)]);
        assert_eq!(shown(&held), "V240K V280", "it was only said again");
        take(&mut held, &[video(1280), frame(TrackId::VIDEO, 320, false)]);
        assert_eq!(shown(&held), "");
        take(&mut held, &pictures(360, 1));
        let by = MediaTime::from_millis(10);
        let at = MediaTime::from_millis(370);
        take(&mut held, &[Item::Jump { at, by, direction: JumpDirection::Backward }]);
        assert_eq!(shown(&held), "");
    }

    #[test]
    fn where_nothing_may_be_held_there_is_what_says_how_to_read_it_and_no_more() {
        let (mut held, budget) = held(0, 0);
        take(&mut held, &[video(640), audio()]);
        take(&mut held, &pictures(0, 6));
        assert_eq!((shown(&held).as_str(), budget.held(), held.items().count()), ("", 0, 2));
    }

    #[test]
    fn when_all_hold_much_none_holds_everything() {
        let (mut one, budget) = held(0, 100_000);
        let mut other = Held::new(MediaTime::ZERO, 100_000, &budget);
        for held in [&mut one, &mut other] {
            take(held, &[video(640)]);
            take(held, &pictures(0, 70));
        }
        assert!(budget.held() <= 10_000, "{}", budget.held());
    }

    #[test]
    fn sound_alone_is_held_as_long_as_the_preroll() {
        let (mut held, _) = held(50, 5_000);
        take(&mut held, &[audio()]);
        (0..10).for_each(|n| take(&mut held, &[frame(TrackId::AUDIO, n * 23, true)]));
        assert_eq!(shown(&held), "A138 A161 A184 A207");
    }
}

//! From the tag bodies of one publish to items.
//!
//! Contract:
//! - a track is introduced ([`Item::Track`]) before its frames, and again when its configuration changes: at the
//!   first frame the new one is for, so that what the other track still sends goes with the old one;
//! - only frames are placed on the timeline. Configurations and end markers carry timestamps that mean nothing
//!   (OBS ends AV1 at 0, ffmpeg begins at 0 and goes on elsewhere);
//! - what cannot be understood, or comes before its configuration, costs itself, a count, and a warning now and
//!   then; never the other track;
//! - frames are views into the bodies: nothing is copied, but for publishers that send start codes.

mod lane;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use livetape_media::{
    Frame, Item, MediaTime, Metadata, Now, Timeline, TrackId, TrackKind, Value, Warning, WarningKind,
};

use crate::body::{self, BodyError, Coding, Content, Packet};
use crate::{Limits, amf0};
use lane::Lane;

pub(crate) use lane::parse as parse_configuration;

/// How many tracks of a publisher are looked at. Multitrack publishers send up to about ten.
const MAX_TRACKS: usize = 32;

/// Bounds of a [`Demuxer`].
#[derive(Clone, Copy, Debug, Default)]
pub struct DemuxLimits {
    /// What counts as a jump of the publisher's clock.
    pub timeline: livetape_media::TimelineLimits,
}

/// What a [`Demuxer`] has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames handed on.
    pub frames: u64,
    /// Frames left out because their configuration had not come.
    pub skipped_frames: u64,
    /// Bodies, configurations and frames left out because they could not be read.
    pub unreadable: u64,
    /// Bodies left out because their codec is not known.
    pub unsupported: u64,
    /// Frames whose time had to be moved to keep their track's order.
    pub repaired_times: u64,
    /// Jumps of the publisher's clock that were taken out.
    pub jumps: u64,
    /// Frames that came with start codes and got length prefixes.
    pub converted_frames: u64,
}

impl std::ops::Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            skipped_frames: self.skipped_frames + other.skipped_frames,
            unreadable: self.unreadable + other.unreadable,
            unsupported: self.unsupported + other.unsupported,
            repaired_times: self.repaired_times + other.repaired_times,
            jumps: self.jumps + other.jumps,
            converted_frames: self.converted_frames + other.converted_frames,
        }
    }
}

/// Turns the audio, video and data messages of one publish into items.
#[derive(Debug)]
pub struct Demuxer {
    timeline: Timeline,
    lanes: BTreeMap<TrackId, Lane>,
    /// Codecs that have been warned about.
    unsupported: BTreeSet<(TrackId, Coding)>,
    told_of_tracks: bool,
    metadata: Option<Metadata>,
    /// How much of each kind could not be read.
    unreadable: BTreeMap<TrackKind, u64>,
    unreadable_data: u64,
    counters: Counters,
}

impl Demuxer {
    /// A demuxer that has seen nothing.
    pub fn new(limits: DemuxLimits) -> Self {
        Self {
            timeline: Timeline::new(limits.timeline),
            lanes: BTreeMap::new(),
            unsupported: BTreeSet::new(),
            told_of_tracks: false,
            metadata: None,
            unreadable: BTreeMap::new(),
            unreadable_data: 0,
            counters: Counters::default(),
        }
    }

    /// An audio message (RTMP type 8) or the body of an FLV audio tag.
    pub fn audio(&mut self, timestamp_ms: u32, body: Bytes, now: Now, items: &mut Vec<Item>) {
        let read = body::audio(&body, |packet| self.packet(TrackKind::Audio, timestamp_ms, packet, now, items));
        self.check(TrackKind::Audio, read, items);
    }

    /// A video message (RTMP type 9) or the body of an FLV video tag.
    pub fn video(&mut self, timestamp_ms: u32, body: Bytes, now: Now, items: &mut Vec<Item>) {
        let read = body::video(&body, |packet| self.packet(TrackKind::Video, timestamp_ms, packet, now, items));
        self.check(TrackKind::Video, read, items);
    }

    /// An AMF0 data message (RTMP type 18), the body of an FLV script tag, or an AMF3 data message (RTMP type 15)
    /// less its leading zero.
    ///
    /// `onMetaData`, with `@setDataFrame` before it or without, becomes an item unless it repeats the last one.
    /// Other events are left out.
    pub fn data(&mut self, timestamp_ms: u32, body: Bytes, now: Now, items: &mut Vec<Item>) {
        let _ = (timestamp_ms, now);
        match read_metadata(&body) {
            Ok(Some(metadata)) if self.metadata.as_ref() != Some(&metadata) => {
                self.metadata = Some(metadata.clone());
                items.push(Item::Metadata(metadata));
            }
            Ok(_) => {}
            Err(error) => {
                self.counters.unreadable += 1;
                self.unreadable_data += 1;
                if is_telling(self.unreadable_data) {
                    let detail = format!("data message {} that cannot be read: {error}", self.unreadable_data);
                    items.push(warning(WarningKind::MediaUnreadable, None, detail));
                }
            }
        }
    }

    /// The publish is over: warns of frames that were left out and of which no warning has told yet.
    pub fn finish(&mut self, items: &mut Vec<Item>) {
        for (id, lane) in &mut self.lanes {
            lane.end_of_waiting(*id, "", items);
        }
    }

    /// What has been met so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn check(&mut self, kind: TrackKind, read: Result<(), BodyError>, items: &mut Vec<Item>) {
        if let Err(error) = read {
            let id = TrackId { kind, index: 0 };
            self.unreadable(id, &format!("{} message: {error}", kind.name()), items);
        }
    }

    fn packet(&mut self, kind: TrackKind, timestamp_ms: u32, packet: Packet, now: Now, items: &mut Vec<Item>) {
        let id = TrackId { kind, index: packet.track };
        let Coding::Known(codec) = packet.coding else {
            self.unsupported(id, packet.coding, items);
            return;
        };
        if matches!(packet.content, Content::Other) {
            return;
        }
        if self.lanes.len() >= MAX_TRACKS && !self.lanes.contains_key(&id) {
            self.too_many_tracks(id, items);
            return;
        }
        let lane = self.lanes.entry(id).or_default();
        let result = match packet.content {
            Content::Other => return,
            Content::Configuration(record) => lane.configure(id, codec, record, items),
            Content::Frame { composition_ms, offset_nanos, random_access, data } => {
                match lane.accept(id, codec, data, items) {
                    Ok(Some(data)) => {
                        self.counters.converted_frames += u64::from(data.converted);
                        let frame = Coded { composition_ms, offset_nanos, random_access, data: data.data };
                        self.place(id, timestamp_ms, frame, now, items);
                        return;
                    }
                    Ok(None) => {
                        self.counters.skipped_frames += 1;
                        return;
                    }
                    Err(problem) => Err(problem),
                }
            }
        };
        if let Err(problem) = result {
            self.unreadable(id, &problem, items);
        }
    }

    fn place(&mut self, id: TrackId, timestamp_ms: u32, frame: Coded, now: Now, items: &mut Vec<Item>) {
        let placed = self.timeline.place(id, timestamp_ms, now);
        self.counters.frames += 1;
        if let Some((by, direction)) = placed.jump {
            self.counters.jumps += 1;
            items.push(Item::Jump { at: placed.dts, by, direction });
        }
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        if placed.repaired() {
            self.counters.repaired_times += 1;
            items.push(Item::Moved { track: id, back: placed.back });
        }
        let offset = MediaTime::from_nanos(i64::from(frame.offset_nanos));
        let (dts, pts) = match id.kind {
            TrackKind::Video => {
                (placed.dts, placed.stamp + MediaTime::from_millis(i64::from(frame.composition_ms)) + offset)
            }
            TrackKind::Audio => {
                let dts = lane.after_last(placed.dts + offset);
                (dts, dts)
            }
        };
        items.push(Item::Frame(Frame { track: id, dts, pts, random_access: frame.random_access, data: frame.data }));
    }

    fn too_many_tracks(&mut self, id: TrackId, items: &mut Vec<Item>) {
        self.counters.unsupported += 1;
        if !std::mem::replace(&mut self.told_of_tracks, true) {
            let detail = format!("{} track {} comes after {MAX_TRACKS} others", id.kind.name(), id.index);
            items.push(warning(WarningKind::UnsupportedTrack, Some(id), detail));
        }
    }

    fn unsupported(&mut self, id: TrackId, coding: Coding, items: &mut Vec<Item>) {
        /// A publisher that invents codecs is not listened to for ever.
        const MAX_TOLD: usize = 16;
        self.counters.unsupported += 1;
        if self.unsupported.len() < MAX_TOLD && self.unsupported.insert((id, coding)) {
            let detail = format!("the {} codec {coding} cannot be recorded", id.kind.name());
            items.push(warning(WarningKind::UnsupportedCodec, Some(id), detail));
        }
    }

    fn unreadable(&mut self, id: TrackId, problem: &str, items: &mut Vec<Item>) {
        self.counters.unreadable += 1;
        let count = self.unreadable.entry(id.kind).or_default();
        *count += 1;
        if is_telling(*count) {
            let detail = format!("{problem}; left out ({count} so far)");
            items.push(warning(WarningKind::MediaUnreadable, Some(id), detail));
        }
    }
}

/// A frame on its way to the timeline.
struct Coded {
    composition_ms: i32,
    offset_nanos: u32,
    random_access: bool,
    data: Bytes,
}

fn warning(kind: WarningKind, track: Option<TrackId>, detail: String) -> Item {
    Item::Warning(Warning { kind, track, detail })
}

/// Whether the `count`th of its kind is worth a warning: the first, the tenth, the hundredth ...
fn is_telling(count: u64) -> bool {
    count > 0 && 10u64.pow(count.ilog10()) == count
}

/// The values of `onMetaData`; `None` when the message is of another event.
fn read_metadata(body: &[u8]) -> Result<Option<Metadata>, amf0::AmfError> {
    let mut reader = amf0::Reader::new(body, Limits::default());
    let mut name = reader.next_value()?;
    if name.as_ref().and_then(Value::as_str) == Some("@setDataFrame") {
        name = reader.next_value()?;
    }
    if name.as_ref().and_then(Value::as_str) != Some("onMetaData") {
        return Ok(None);
    }
    while let Some(value) = reader.next_value()? {
        if let Value::Object(entries) = value {
            return Ok(Some(Metadata { entries }));
        }
    }
    Ok(None)
}

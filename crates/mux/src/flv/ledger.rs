//! What an FLV file holds, counted tag by tag: by the muxer as it writes them, by salvage as it finds them.

use livetape_flv::tag::{PREVIOUS_SIZE_BYTES, TAG_HEADER_BYTES};
use livetape_media::{CodecConfig, MediaTime, TrackKind};

use crate::rate::RateMeter;
use crate::{AudioSummary, PRE_ROLL, Summary, VideoSummary};

/// A last frame does not last longer than this because of a pause before it.
const LONGEST_STEP_MS: i64 = 1_000;
/// What the only frame of a track lasts when nothing tells.
const ASSUMED_STEP_MS: i64 = 40;
/// How far apart the entries of an index of sound are.
const SOUND_STEP_MS: u32 = 2_000;

/// What an FLV file holds.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Bytes of the file.
    pub(super) size: u64,
    pub(super) video: Option<TrackLedger>,
    pub(super) audio: Option<TrackLedger>,
    pub(super) index: KeyframeIndex,
    rate: RateMeter,
}

/// What a file holds of one track.
#[derive(Debug)]
pub(super) struct TrackLedger {
    pub(super) config: CodecConfig,
    pub(super) frames: u64,
    /// Bytes of its tags, headers included.
    pub(super) bytes: u64,
    pub(super) last_ms: i64,
    step_ms: Option<i64>,
    /// The presentation time of the first frame, and how long after its decoding that is.
    first_shown_ms: Option<i64>,
    first_delay_ms: i64,
    /// The latest presentation time.
    shown_ms: i64,
}

/// What the header of a frame's tag says.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameFacts {
    pub(super) timestamp_ms: u32,
    pub(super) composition_ms: i32,
    pub(super) random_access: bool,
    /// Bytes of the tag's body.
    pub(super) size: u32,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { size: 0, video: None, audio: None, index: KeyframeIndex::default(), rate: RateMeter::default() }
    }

    fn track(&mut self, kind: TrackKind) -> &mut Option<TrackLedger> {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }

    /// A track is there, coded like this. What was counted stays.
    pub(super) fn configure(&mut self, config: CodecConfig) {
        let track = self.track(config.codec().kind());
        match track {
            Some(track) => track.config = config,
            None => {
                *track = Some(TrackLedger {
                    config,
                    frames: 0,
                    bytes: 0,
                    last_ms: 0,
                    step_ms: None,
                    first_shown_ms: None,
                    first_delay_ms: 0,
                    shown_ms: 0,
                });
            }
        }
    }

    /// What is known of a track.
    pub(super) fn of(&self, kind: TrackKind) -> Option<&TrackLedger> {
        match kind {
            TrackKind::Video => self.video.as_ref(),
            TrackKind::Audio => self.audio.as_ref(),
        }
    }

    /// When the first picture is shown, or the first sound where there are to be none, in ms; `None` before that.
    pub(super) fn first_shown_ms(&self) -> Option<i64> {
        self.video.as_ref().or(self.audio.as_ref())?.first_shown_ms
    }

    /// How long after its decoding the first picture is shown, in ms.
    pub(super) fn first_delay_ms(&self) -> i64 {
        self.video.as_ref().map_or(0, |track| track.first_delay_ms)
    }

    /// Whether it is known how a track is coded.
    pub(super) fn knows(&self, kind: TrackKind) -> bool {
        match kind {
            TrackKind::Video => self.video.is_some(),
            TrackKind::Audio => self.audio.is_some(),
        }
    }

    /// Whether the index is of this track: the pictures, or the sound where there are none.
    fn is_indexed(&self, kind: TrackKind) -> bool {
        kind == TrackKind::Video || self.video.is_none()
    }

    /// A sequence header of `size` bytes follows.
    pub(super) fn sequence_header(&mut self, kind: TrackKind, size: u32) {
        if self.is_indexed(kind) {
            self.index.sequence_header.get_or_insert(self.size);
        }
        self.other(size);
    }

    /// A tag of `size` bytes that is no frame follows.
    pub(super) fn other(&mut self, size: u32) {
        self.size += whole_size(size);
    }

    /// A frame follows.
    pub(super) fn frame(&mut self, kind: TrackKind, frame: FrameFacts) {
        let position = self.size;
        let whole = whole_size(frame.size);
        self.size += whole;
        let at_ms = i64::from(frame.timestamp_ms);
        if kind == TrackKind::Video {
            let at = MediaTime::from_millis(at_ms);
            // A publisher that comes back begins with a key frame.
            if frame.random_access && self.rate.pauses_before(at) {
                self.rate.interrupt();
            }
            self.rate.frame(at);
        }
        if frame.random_access && self.is_indexed(kind) {
            self.index.key_frame(position, frame.timestamp_ms, kind);
        }
        let Some(track) = self.track(kind) else { return };
        if track.frames > 0 {
            track.step_ms = Some(at_ms - track.last_ms);
        }
        track.frames += 1;
        track.bytes += whole;
        track.last_ms = at_ms;
        let shown_ms = at_ms + i64::from(frame.composition_ms);
        if track.first_shown_ms.is_none() {
            track.first_shown_ms = Some(shown_ms);
            track.first_delay_ms = i64::from(frame.composition_ms);
        }
        track.shown_ms = track.shown_ms.max(shown_ms);
    }

    /// Where on the file's own timeline the last picture and the last sound have ended. `next_ms` is the decoding
    /// time of the picture after the last one, where that is known.
    pub(super) fn end(&self, next_ms: Option<i64>) -> MediaTime {
        let video = self.video.as_ref().filter(|track| track.frames > 0).map(|track| {
            let known = next_ms.map(|next| next - track.last_ms).filter(|step| (1..=LONGEST_STEP_MS).contains(step));
            let step = known.unwrap_or_else(|| track.usual_step_ms(self.frame_rate()));
            MediaTime::from_millis(track.shown_ms.max(track.last_ms) + step)
        });
        let audio = self.audio.as_ref().filter(|track| track.frames > 0).map(TrackLedger::end_of_sound);
        video.max(audio).unwrap_or_default()
    }

    /// How long the recording lasts: from the first picture to the end; from the first sound where that comes
    /// long before it, or alone.
    pub(super) fn duration(&self, next_ms: Option<i64>) -> MediaTime {
        let first = |track: &Option<TrackLedger>| Some(MediaTime::from_millis(track.as_ref()?.first_shown_ms?));
        let begin = match (first(&self.video), first(&self.audio)) {
            (Some(picture), Some(sound)) if picture - sound > PRE_ROLL => sound,
            (Some(first), _) | (None, Some(first)) => first,
            (None, None) => MediaTime::ZERO,
        };
        self.end(next_ms) - begin
    }

    /// Frames a second: measured, else declared, else 0.
    pub(super) fn frame_rate(&self) -> f64 {
        let declared = || self.video.as_ref()?.config.video()?.frame_rate;
        match self.rate.frames_per_second() {
            0.0 => declared().map_or(0.0, |rate| rate.as_f64()),
            measured => measured,
        }
    }

    /// The latest timestamp of a tag, in ms.
    pub(super) fn last_ms(&self) -> i64 {
        [&self.video, &self.audio].into_iter().flatten().map(|track| track.last_ms).max().unwrap_or(0)
    }

    /// Whether there is any frame.
    pub(super) fn has_frames(&self) -> bool {
        [&self.video, &self.audio].into_iter().flatten().any(|track| track.frames > 0)
    }

    /// What the finished file holds.
    pub(super) fn summary(&self, start: MediaTime, next_ms: Option<i64>) -> Summary {
        let video = self.video.as_ref().filter(|track| track.frames > 0).and_then(|track| {
            Some(VideoSummary {
                codec: track.config.codec(),
                codec_string: track.config.rfc6381(),
                format: track.config.video()?,
                frames: track.frames,
                frame_rate: self.frame_rate(),
            })
        });
        let audio = self.audio.as_ref().filter(|track| track.frames > 0).and_then(|track| {
            Some(AudioSummary {
                codec: track.config.codec(),
                codec_string: track.config.rfc6381(),
                format: track.config.audio()?,
                frames: track.frames,
            })
        });
        let duration = self.duration(next_ms).to_duration();
        Summary { size_bytes: self.size, duration, start, video, audio, ..Summary::default() }
    }
}

/// Bytes of a tag in the file whose body has `size`.
fn whole_size(size: u32) -> u64 {
    u64::from(size) + (TAG_HEADER_BYTES + PREVIOUS_SIZE_BYTES) as u64
}

impl TrackLedger {
    /// What a frame lasts: as long as the one before, or as the rate has it when that was a pause.
    fn usual_step_ms(&self, frame_rate: f64) -> i64 {
        let by_rate = if frame_rate > 0.0 { (1000.0 / frame_rate).round() as i64 } else { ASSUMED_STEP_MS };
        self.step_ms.filter(|step| (1..=LONGEST_STEP_MS).contains(step)).unwrap_or(by_rate)
    }

    fn end_of_sound(&self) -> MediaTime {
        let last = MediaTime::from_millis(self.last_ms);
        match self.config.audio().and_then(|audio| Some((audio.samples_per_frame?, audio.sample_rate))) {
            Some((samples, rate)) => last + MediaTime::from_ticks(i64::from(samples), rate),
            None => last + MediaTime::from_millis(self.usual_step_ms(0.0)),
        }
    }
}

/// Where decoders may start: the key frames, or a frame of sound now and then. At most so many as there is room for, spread evenly.
#[derive(Debug, Default)]
pub(super) struct KeyframeIndex {
    /// How many entries there is room for, that of the sequence header included.
    pub(super) room: usize,
    /// Where the sequence header is.
    pub(super) sequence_header: Option<u64>,
    /// The last key frame: its place and time in ms.
    pub(super) last: Option<(u64, u32)>,
    seen: u64,
    /// How many key frames are left out between two that are kept.
    skip: u64,
    kept: Vec<(u64, u32)>,
}

impl KeyframeIndex {
    fn key_frame(&mut self, position: u64, timestamp_ms: u32, kind: TrackKind) {
        // Sound could be entered from anywhere.
        let near = self.last.is_some_and(|(_, last)| timestamp_ms.saturating_sub(last) < SOUND_STEP_MS);
        if kind == TrackKind::Audio && near {
            return;
        }
        self.last = Some((position, timestamp_ms));
        let number = self.seen;
        self.seen += 1;
        let room = self.room.saturating_sub(1);
        if room == 0 || !number.is_multiple_of(self.skip + 1) {
            return;
        }
        if self.kept.len() >= room {
            let mut place = 0;
            self.kept.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.skip = 2 * self.skip + 1;
        }
        if number.is_multiple_of(self.skip + 1) {
            self.kept.push((position, timestamp_ms));
        }
    }

    /// Places and times in ms. The first entry is the sequence header: that is how players know the index, and
    /// they leave it out.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u64, u32)> {
        let header = self.sequence_header.filter(|_| self.room > 0 && !self.kept.is_empty());
        header.map(|position| (position, 0)).into_iter().chain(self.kept.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_without_room_for_all_is_thinned_evenly() {
        for room in [0, 1, 2, 3, 8, 9] {
            let mut index = KeyframeIndex { room, sequence_header: Some(7), ..KeyframeIndex::default() };
            for number in 0..1000 {
                index.key_frame(100 + u64::from(number), number, TrackKind::Video);
                let entries: Vec<_> = index.entries().collect();
                assert!(entries.len() <= room);
                let times: Vec<_> = entries.iter().skip(1).map(|(_, time)| *time).collect();
                let step = times.get(1).copied().unwrap_or(1);
                assert!(times.iter().enumerate().all(|(at, time)| *time == at as u32 * step), "{times:?}");
                // As many as there is room for, or half of them.
                assert!(room < 2 || times.len() * 2 >= (room - 1).min(number as usize + 1), "{room} {times:?}");
            }
            assert_eq!(index.last, Some((1099, 999)));
        }
    }
}

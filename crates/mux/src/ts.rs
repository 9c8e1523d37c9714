//! MPEG-2 transport streams (ISO/IEC 13818-1) of one programme: H.264 with AAC or MP3, as HLS
//! segments carry them (RFC 8216, 3.2).
//!
//! Contract: frames gather by reference until [`TsMuxer::close_fragment`], which writes them into
//! one buffer of exactly the size they need: the only copy made of them. Each segment begins with
//! its tables; continuity counters and clocks run on from segment to segment. No PES packet spans
//! two fragments, and the packets of one are never interleaved with others.
//!
//! ```text
//! segment:  PAT | PMT | note | PES.. | PES.. | clock | PES ..
//! time:     timestamp = (moment - origin) + 10 s; the programme clock is 1.4 s behind it
//! ```

mod audio;
mod clock;
mod packet;
mod program;
mod scan;
mod tables;
mod video;

pub(crate) use scan::{SegmentScan, StreamState};
pub(crate) use tables::crc32;

use bytes::Bytes;
use livetape_media::codec::AvcConfig;
use livetape_media::{CodecConfig, Frame, MediaTime, Track, TrackId, TrackKind};

use crate::flushed::Pending;
use audio::Wrapping;
use clock::Clock;
use packet::{Adaptation, PACKET, PesHeader, PesWriter, clock_packet, note_packet, table_packet};
use tables::{AUDIO_PID, PMT_PID, VIDEO_PID};
use video::AccessUnit;

/// The most that fits into the note at the head of a segment.
pub(crate) const NOTE_MAX: usize = packet::BODY;

/// Frames in one audio PES packet at most.
const AUDIO_FRAMES: usize = 7;
/// Bytes in one audio PES packet at most; its length has 16 bits.
const AUDIO_BYTES: usize = 60_000;

/// Writes the frames of one recording as a transport stream.
pub(crate) struct TsMuxer {
    video: Option<AvcConfig>,
    audio: Option<Sound>,
    clock: Clock,
    /// Version of the programme map.
    version: u8,
    counters: Counters,
    /// The note of a segment whose tables have not been written yet.
    head: Option<Vec<u8>>,
    /// The clock jumps before the next frame.
    jump: bool,
    /// The next audio frame is the first of its segment.
    first_audio: bool,
    /// Frames of the open fragment, as they came.
    frames: Vec<Frame>,
}

/// The audio track.
struct Sound {
    config: CodecConfig,
    wrapping: Wrapping,
    /// Samples in a frame, and in a second.
    samples: u32,
    rate: u32,
}

/// Continuity counters: of each packet identifier, the next packet's.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    association: u8,
    map: u8,
    video: u8,
    audio: u8,
}

/// One thing to write, in order.
enum Unit<'a> {
    /// A packet with the clock alone.
    Clock(i64),
    Video {
        header: PesHeader,
        adaptation: Adaptation,
        unit: AccessUnit<'a>,
    },
    /// Frames `from..to` of the fragment's audio frames.
    Audio {
        header: PesHeader,
        adaptation: Adaptation,
        from: usize,
        to: usize,
        first_of_segment: bool,
    },
}

impl TsMuxer {
    /// A transport stream of `tracks`, whose timestamps count from `origin`. Tracks that a
    /// transport stream cannot carry are left out.
    pub(crate) fn new(tracks: &[Track], origin: MediaTime) -> Self {
        let mut muxer = Self {
            video: None,
            audio: None,
            clock: Clock::new(origin),
            version: 0,
            counters: Counters::default(),
            head: None,
            jump: false,
            first_audio: true,
            frames: Vec::new(),
        };
        muxer.configure(tracks);
        muxer
    }

    /// The stream goes on with these tracks after a jump of its clock. The open fragment must
    /// have been closed.
    pub(crate) fn restart(&mut self, tracks: &[Track]) {
        let before = self.map();
        self.configure(tracks);
        if self.map() != before {
            self.version = (self.version + 1) & 0x1f;
        }
        self.interrupt();
    }

    /// Segments have been written before: so their packets counted, and so many frames had been moved. The programme
    /// map is told as another one, since it may be.
    pub(crate) fn go_on(&mut self, state: StreamState, repaired: u64) {
        self.version = (state.version + 1) & 0x1f;
        self.counters = state.counters;
        self.clock.go_on(repaired);
    }

    /// The clock jumps before the next frame. The open fragment must have been closed.
    pub(crate) fn interrupt(&mut self) {
        self.jump = true;
        self.clock.restart();
    }

    /// A segment begins. Its first fragment will begin with the tables and `note`, which is at
    /// most [`NOTE_MAX`] bytes and which players skip. The open fragment must have been closed.
    pub(crate) fn begin_segment(&mut self, note: Vec<u8>) {
        self.head = Some(note);
        self.first_audio = true;
    }

    /// Whether it carries a track's frames.
    pub(crate) fn carries(&self, track: TrackId) -> bool {
        match track {
            TrackId::VIDEO => self.video.is_some(),
            TrackId::AUDIO => self.audio.is_some(),
            _ => false,
        }
    }

    /// One more frame. Frames of tracks that are not carried are left out.
    pub(crate) fn push(&mut self, frame: &Frame) {
        if self.carries(frame.track) {
            self.frames.push(frame.clone());
        }
    }

    /// What waits for the fragment to be closed, of each track.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Pending> + '_ {
        [TrackKind::Video, TrackKind::Audio].into_iter().filter_map(|kind| {
            let first = self.frames.iter().find(|frame| frame.track.kind == kind)?.dts;
            Some(Pending { kind, first, lone: false })
        })
    }

    /// Frames whose times had to be moved.
    pub(crate) fn repaired_frames(&self) -> u64 {
        self.clock.repaired_frames()
    }

    /// Writes every frame taken since the last fragment; `None` when there are none.
    pub(crate) fn close_fragment(&mut self) -> Option<Bytes> {
        if self.frames.is_empty() {
            return None;
        }
        let frames = std::mem::take(&mut self.frames);
        let note = self.head.take();
        let video = self.video.take();
        let audio = self.audio.take();

        let sounds: Vec<&Frame> = frames.iter().filter(|frame| frame.track.kind == TrackKind::Audio).collect();
        let units = self.plan(&frames, video.as_ref(), audio.as_ref());
        let head = if note.is_some() { 3 } else { 0 };
        let packets: usize = units.iter().map(Unit::packets).sum();
        let mut out = Vec::with_capacity((head + packets) * PACKET);

        if let Some(note) = note {
            table_packet(&mut out, 0, &mut self.counters.association, &tables::association());
            let map = tables::map(video.is_some(), audio.as_ref().map(|sound| &sound.config), self.version);
            table_packet(&mut out, PMT_PID, &mut self.counters.map, &map);
            note_packet(&mut out, &note);
        }
        for unit in &units {
            self.write(unit, &sounds, video.is_some(), audio.as_ref(), &mut out);
        }
        debug_assert_eq!(out.len(), (head + packets) * PACKET, "the plan and what was written differ");

        drop((units, sounds));
        (self.video, self.audio) = (video, audio);
        self.frames = frames;
        self.frames.clear();
        Some(out.into())
    }

    fn configure(&mut self, tracks: &[Track]) {
        self.video = tracks.iter().find_map(|track| match &track.config {
            CodecConfig::Avc(config) => Some(config.clone()),
            _ => None,
        });
        self.audio = tracks.iter().find_map(|track| {
            let format = track.config.audio()?;
            Some(Sound {
                wrapping: Wrapping::new(&track.config)?,
                config: track.config.clone(),
                samples: format.samples_per_frame.unwrap_or(1024),
                rate: format.sample_rate.max(1),
            })
        });
        self.frames.clear();
    }

    fn map(&self) -> Vec<u8> {
        tables::map(self.video.is_some(), self.audio.as_ref().map(|sound| &sound.config), self.version)
    }

    /// Decides what becomes of each frame: times, grouping of audio, and where the clock stands.
    fn plan<'a>(&mut self, frames: &'a [Frame], video: Option<&'a AvcConfig>, audio: Option<&Sound>) -> Vec<Unit<'a>> {
        let mut units: Vec<Unit<'a>> = Vec::with_capacity(frames.len());
        // The audio PES packet that may take more frames: its place in `units` and its first frame's time.
        let mut open: Option<(usize, MediaTime)> = None;
        let mut sounds = 0;
        self.clock.survey(frames);
        for frame in frames {
            match (frame.track.kind, video, audio) {
                (TrackKind::Video, Some(config), _) => {
                    let (pts, dts) = self.clock.video(frame);
                    let adaptation = self.reference(dts, frame.random_access, &mut units);
                    let unit = AccessUnit::new(&frame.data, frame.random_access, config);
                    let header = PesHeader { stream_id: 0xe0, pts, dts, payload: unit.len() };
                    units.push(Unit::Video { header, adaptation, unit });
                }
                (TrackKind::Audio, _, Some(sound)) => {
                    let index = sounds;
                    sounds += 1;
                    let first_of_segment = self.first_audio;
                    let Some(len) = sound.wrapping.len(frame, first_of_segment) else {
                        open = None;
                        continue;
                    };
                    self.first_audio = false;
                    if !first_of_segment && join(&mut units, open, frame, len, sound, video.is_none()) {
                        continue;
                    }
                    let pts = self.clock.audio(frame);
                    let adaptation = if video.is_none() {
                        self.reference(pts, first_of_segment, &mut units)
                    } else {
                        self.clock.follow(pts).into_iter().for_each(|clock| units.push(Unit::Clock(clock)));
                        Adaptation::default()
                    };
                    let header = PesHeader { stream_id: 0xc0, pts, dts: pts, payload: len };
                    open = Some((units.len(), frame.pts));
                    units.push(Unit::Audio { header, adaptation, from: index, to: index + 1, first_of_segment });
                }
                _ => {}
            }
        }
        units
    }

    /// The adaptation field of a frame on the track that carries the clock; packets with the clock
    /// alone are put before it where it came too slowly.
    fn reference(&mut self, dts: i64, random_access: bool, units: &mut Vec<Unit<'_>>) -> Adaptation {
        let (missing, clock) = self.clock.reference(dts);
        units.extend(missing.into_iter().map(Unit::Clock));
        Adaptation { discontinuity: std::mem::take(&mut self.jump), random_access, clock: Some(clock) }
    }

    fn write(&mut self, unit: &Unit<'_>, sounds: &[&Frame], video: bool, audio: Option<&Sound>, out: &mut Vec<u8>) {
        match unit {
            Unit::Clock(clock) if video => clock_packet(out, VIDEO_PID, self.counters.video, *clock),
            Unit::Clock(clock) => clock_packet(out, AUDIO_PID, self.counters.audio, *clock),
            Unit::Video { header, adaptation, unit } => {
                unit.write(&mut PesWriter::begin(out, &mut self.counters.video, VIDEO_PID, *adaptation, header));
            }
            Unit::Audio { header, adaptation, from, to, first_of_segment } => {
                let mut pes = PesWriter::begin(out, &mut self.counters.audio, AUDIO_PID, *adaptation, header);
                let mut first = *first_of_segment;
                let group = sounds.get(*from..*to).unwrap_or(&[]);
                for frame in group {
                    if let Some(sound) = audio {
                        sound.wrapping.write(frame, std::mem::take(&mut first), &mut pes);
                    }
                }
            }
        }
    }
}

impl Unit<'_> {
    /// How many transport packets it takes.
    fn packets(&self) -> usize {
        match self {
            Self::Clock(_) => 1,
            Self::Video { header, adaptation, .. } | Self::Audio { header, adaptation, .. } => {
                header.packets(adaptation)
            }
        }
    }
}

/// Adds an audio frame of `len` bytes to the PES packet that is open, if it may go there: only
/// the first frame's time is written, so the others must follow it without a gap.
fn join(
    units: &mut [Unit<'_>],
    open: Option<(usize, MediaTime)>,
    frame: &Frame,
    len: usize,
    sound: &Sound,
    audio_alone: bool,
) -> bool {
    /// Publishers count in milliseconds: so far may a frame be from where the one before it ends.
    const ROUNDING: MediaTime = MediaTime::from_millis(1);
    /// Without video, the audio PES packets carry the clock.
    const SPAN_ALONE: MediaTime = MediaTime::from_millis(90);
    const SPAN: MediaTime = MediaTime::from_millis(180);

    let Some((place, first)) = open else { return false };
    let Some(Unit::Audio { header, from, to, .. }) = units.get_mut(place) else { return false };
    let count = *to - *from;
    let samples = i64::from(sound.samples) * count as i64;
    let expected = first + MediaTime::from_ticks(samples, sound.rate);
    let off = (frame.pts - expected).as_nanos().unsigned_abs();
    let end = expected + MediaTime::from_ticks(i64::from(sound.samples), sound.rate);
    let span = if audio_alone { SPAN_ALONE } else { SPAN };
    let fits = count < AUDIO_FRAMES && header.payload + len <= AUDIO_BYTES && end - first <= span;
    if !fits || off > ROUNDING.as_nanos().unsigned_abs() {
        return false;
    }
    header.payload += len;
    *to += 1;
    true
}

#[cfg(test)]
mod tests;

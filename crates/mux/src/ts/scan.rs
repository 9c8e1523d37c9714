//! Reading a segment that [`TsMuxer`](super::TsMuxer) wrote: how much of it is whole, what it
//! holds, and how to decode it.
//!
//! A segment that was cut off ends, for its reader, with the last PES packet that is whole: either
//! its length is written, or its last transport packet shows it (see [`super::packet`]).

use std::io;

use livetape_media::{MediaTime, Track};

use super::Counters;
use super::audio::{adts_frame_len, count_frames, mp3_frame_len};
use super::clock::{HZ, ORIGIN};
use super::packet::{NULL_PID, PACKET};
use super::tables::{AUDIO_PID, PMT_PID, TYPE_AAC, VIDEO_PID};
use crate::ReadAt;
use crate::rate::RateMeter;

mod config;

use config::{Programme, avc_track, sound_track};

/// Packets read at once.
const CHUNK: usize = 512 * PACKET;
/// Bytes of a picture that are kept in the search for its parameter sets.
const HEAD: usize = 64 * 1024;

/// What a segment holds.
#[derive(Debug, Default)]
pub(crate) struct SegmentScan {
    /// The note at its head; empty when there is none.
    pub(crate) note: Vec<u8>,
    /// Up to here it is whole: the end of its last whole PES packet.
    pub(crate) whole_bytes: u64,
    /// Its pictures.
    pub(crate) video: TrackScan,
    /// Its sounds.
    pub(crate) audio: TrackScan,
    /// Whether its first picture is one a decoder may start at; none without pictures.
    pub(crate) begins_with_key: Option<bool>,
    /// What its packets count, behind the last whole PES packet.
    pub(crate) state: StreamState,
    /// How to decode its tracks, as far as it shows.
    pub(crate) tracks: Vec<Track>,
}

/// What the packets of a stream count from segment to segment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamState {
    /// Version of the programme map.
    pub(super) version: u8,
    pub(super) counters: Counters,
}

/// The frames of one track in a segment.
#[derive(Debug, Default)]
pub(crate) struct TrackScan {
    /// How many are whole.
    pub(crate) frames: u64,
    /// Decoding time of the first, and the end of the last, in ticks since the muxer's origin, of
    /// which 33 bits are known.
    pub(crate) span: Option<(i64, i64)>,
    /// The rate at which they follow each other.
    pub(crate) rate: RateMeter,
    last_duration: i64,
    /// From decoding to showing the first.
    delay: Option<i64>,
}

/// A PES packet being put together.
struct OpenPes {
    video: bool,
    /// Bytes of it that are still to come, when its length is written.
    left: Option<usize>,
    /// It has had a transport packet after its first.
    continued: bool,
    dts: i64,
    /// From decoding to showing it.
    delay: i64,
    random_access: bool,
    /// Data: all of a sound's, the head of a picture's.
    data: Vec<u8>,
}

struct Scanner {
    scan: SegmentScan,
    programme: Programme,
    open: Option<OpenPes>,
    state: StreamState,
    video: Option<Track>,
    audio: Option<Track>,
}

impl SegmentScan {
    /// Reads a whole segment.
    pub(crate) fn read(file: &dyn ReadAt) -> io::Result<Self> {
        Self::read_until(file, |_| false)
    }

    /// How long after its decoding the first picture is shown.
    pub(crate) fn delay(&self) -> MediaTime {
        MediaTime::from_ticks(self.video.delay.unwrap_or(0), HZ)
    }

    /// Reads a segment until the configuration of every track it has is known.
    pub(crate) fn read_head(file: &dyn ReadAt) -> io::Result<Self> {
        Self::read_until(file, |scanner| {
            let wants = &scanner.programme;
            (scanner.video.is_some() || !wants.video) && (scanner.audio.is_some() || wants.audio.is_none())
        })
    }

    fn read_until(file: &dyn ReadAt, done: impl Fn(&Scanner) -> bool) -> io::Result<Self> {
        let mut scanner = Scanner {
            scan: Self::default(),
            programme: Programme::default(),
            open: None,
            state: StreamState::default(),
            video: None,
            audio: None,
        };
        let mut buffer = vec![0; CHUNK];
        let mut at = 0u64;
        'file: while at < file.len() {
            let size = usize::try_from(file.len() - at).unwrap_or(CHUNK).min(CHUNK);
            let chunk = buffer.get_mut(..size).unwrap_or_default();
            file.read_exact_at(at, chunk)?;
            for packet in chunk.as_chunks::<PACKET>().0 {
                at += PACKET as u64;
                if !scanner.packet(packet, at) || (scanner.scan.whole_bytes > 0 && done(&scanner)) {
                    break 'file;
                }
            }
            if size < CHUNK {
                break;
            }
        }
        scanner.scan.tracks = scanner.video.into_iter().chain(scanner.audio).collect();
        Ok(scanner.scan)
    }

    /// A time of this segment on the session's timeline, when the muxer's origin is known and a
    /// moment less than 13 hours from it.
    pub(crate) fn moment(ticks: i64, origin: MediaTime, near: MediaTime) -> MediaTime {
        let expected = (near - origin).to_ticks(HZ);
        origin + MediaTime::from_ticks(expected.saturating_add(nearest(ticks.wrapping_sub(expected))), HZ)
    }
}

impl Scanner {
    /// The next packet, which ends at byte `end`. False when it is none of a whole segment.
    fn packet(&mut self, packet: &[u8; PACKET], end: u64) -> bool {
        let start = packet[1] & 0x40 != 0;
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let has_adaptation = packet[3] & 0x20 != 0;
        let has_payload = packet[3] & 0x10 != 0;
        let from = if has_adaptation { 5 + usize::from(packet[4]) } else { 4 };
        let Some(payload) = packet.get(from..).filter(|_| packet[0] == 0x47) else { return false };
        if has_payload {
            self.count(pid, packet[3]);
        }
        if pid == VIDEO_PID || pid == AUDIO_PID {
            // The clock alone.
            let adaptation = has_adaptation.then_some(packet[5]);
            return !has_payload || self.pes(pid == VIDEO_PID, start, adaptation, payload, end);
        }
        match pid {
            PMT_PID => {
                self.programme = Programme::read(payload);
                self.state.version = self.programme.version;
            }
            NULL_PID if self.scan.note.is_empty() => self.scan.note = payload.to_vec(),
            _ => {}
        }
        self.open.is_none()
    }

    /// A packet of `pid` with a payload has this last byte of its header.
    fn count(&mut self, pid: u16, control: u8) {
        let counters = &mut self.state.counters;
        let next = match pid {
            0 => &mut counters.association,
            PMT_PID => &mut counters.map,
            VIDEO_PID => &mut counters.video,
            AUDIO_PID => &mut counters.audio,
            _ => return,
        };
        *next = ((control & 0x0f) + 1) & 0x0f;
    }

    /// A piece of a PES packet; `adaptation` are the flags of its adaptation field. False when it is
    /// not the next piece of what is open.
    fn pes(&mut self, video: bool, start: bool, adaptation: Option<u8>, payload: &[u8], end: u64) -> bool {
        let random_access = adaptation.is_some_and(|flags| flags & 0x40 != 0);
        let mut open = match (self.open.take(), start) {
            (None, true) => match OpenPes::begin(video, random_access, payload) {
                Some(open) => open,
                None => return false,
            },
            (Some(mut open), false) if open.video == video => {
                open.continued = true;
                open.take(payload);
                open
            }
            _ => return false,
        };
        match open.left {
            Some(0) => {}
            None if open.continued && adaptation.is_some() => {}
            _ => {
                self.open = Some(open);
                return true;
            }
        }
        open.left = None;
        self.whole(open);
        self.scan.whole_bytes = end;
        self.scan.state = self.state;
        true
    }

    /// A PES packet is whole.
    fn whole(&mut self, pes: OpenPes) {
        if pes.video {
            self.scan.video.picture(pes.dts);
            self.scan.video.delay.get_or_insert(pes.delay);
            self.scan.begins_with_key.get_or_insert(pes.random_access);
            if self.video.is_none() {
                self.video = avc_track(&pes.data);
            }
            return;
        }
        let aac = self.programme.audio == Some(TYPE_AAC);
        if self.audio.is_none() {
            self.audio = sound_track(&self.programme, &pes.data);
        }
        let frames = count_frames(&pes.data, if aac { adts_frame_len } else { mp3_frame_len });
        let format = self.audio.as_ref().and_then(|track| track.config.audio());
        let (samples, rate) = format.map_or((1024, 48_000), |f| (f.samples_per_frame.unwrap_or(1024), f.sample_rate));
        let duration = MediaTime::from_ticks(i64::from(samples) * frames as i64, rate).to_ticks(HZ);
        self.scan.audio.sounds(pes.dts, duration, frames);
    }
}

impl OpenPes {
    /// Reads the header of a PES packet.
    fn begin(video: bool, random_access: bool, payload: &[u8]) -> Option<Self> {
        let header = payload.first_chunk::<9>()?;
        let data_at = 9 + usize::from(header[8]);
        let times = payload.get(9..data_at)?;
        if header[..3] != [0, 0, 1] || header[7] & 0x80 == 0 {
            return None;
        }
        let pts = timestamp(times)?;
        let dts = if header[7] & 0x40 != 0 { timestamp(times.get(5..)?)? } else { pts };
        let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let left = (len > 0).then_some(len + 6);
        let (dts, delay, data) = (dts - ORIGIN, nearest(pts - dts), Vec::new());
        let mut open = Self { video, left, continued: false, dts, delay, random_access, data };
        open.left = open.left.map(|left| left.saturating_sub(data_at));
        open.take(payload.get(data_at..)?);
        Some(open)
    }

    fn take(&mut self, data: &[u8]) {
        self.left = self.left.map(|left| left.saturating_sub(data.len()));
        let most = if self.video { HEAD } else { usize::from(u16::MAX) };
        let room = most.saturating_sub(self.data.len());
        self.data.extend_from_slice(data.get(..data.len().min(room)).unwrap_or_default());
    }
}

impl TrackScan {
    fn picture(&mut self, dts: i64) {
        let dts = self.unwrapped(dts);
        self.frames += 1;
        self.rate.frame(MediaTime::from_ticks(dts, HZ));
        let (first, last_start) = self.span.map_or((dts, None), |(first, end)| (first, Some(end - self.last_duration)));
        self.last_duration = last_start.map_or(0, |last| dts - last);
        self.span = Some((first, dts + self.last_duration));
    }

    fn sounds(&mut self, pts: i64, duration: i64, frames: u64) {
        let pts = self.unwrapped(pts);
        self.frames += frames;
        self.last_duration = duration;
        self.span = Some((self.span.map_or(pts, |(first, _)| first), pts + duration));
    }

    fn unwrapped(&self, ticks: i64) -> i64 {
        self.span.map_or(ticks, |(_, end)| end + nearest(ticks - end))
    }
}

/// The distance of least size that looks like `ticks` in 33 bits.
fn nearest(ticks: i64) -> i64 {
    const HALF: i64 = 1 << 32;
    (ticks.wrapping_add(HALF)).rem_euclid(2 * HALF) - HALF
}

fn timestamp(bytes: &[u8]) -> Option<i64> {
    let [a, b, c, d, e] = bytes.first_chunk::<5>()?.map(i64::from);
    Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

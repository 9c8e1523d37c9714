//! A track as a file introduces it: number, clock, sample entry.
//!
//! Sample entries: ISO/IEC 14496-12, 12.1.3 and 12.2.3; `avc1`/`hvc1`: 14496-15; `mp4a`/`esds`:
//! 14496-14, 5.6; `av01`, `vp09`, `Opus`, `fLaC`: the mapping each codec's authors publish.

mod read;
mod write;

use bytes::Bytes;
use livetape_media::{CodecConfig, MediaTime, Track, TrackId, TrackKind};

/// A track as a file introduces it.
///
/// The clock of a video track has 90,000 ticks a second, so that every millisecond is exact. That of
/// an audio track has one tick for every sample of the coded signal. For HE-AAC this is the core
/// coder's rate (half of what is heard): a frame is 1024 ticks, `esds` carries the whole
/// AudioSpecificConfig, in which the doubled rate is signalled, and durations are right both for
/// players that decode the extension and for those that do not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrackEntry {
    /// `track_ID`, from 1.
    pub(crate) number: u32,
    /// Which of the recording's tracks.
    pub(crate) id: TrackId,
    /// Ticks a second.
    pub(crate) timescale: u32,
    /// Pixels across and down; nothing for sound.
    pub(crate) size: (u32, u32),
    /// Ticks from each frame to the next, of an audio track whose frames are all equally long.
    pub(crate) step: Option<u32>,
    /// How many ticks a frame lasts that is alone on its track.
    pub(crate) lone_duration: u32,
    /// The sample entry, a whole box.
    pub(crate) sample_entry: Bytes,
    /// How to decode it; `None` when it was read from a file and could not be understood.
    pub(crate) config: Option<CodecConfig>,
}

impl TrackEntry {
    /// The tracks that can be carried, video first, numbered from 1.
    pub(crate) fn of_all(tracks: &[Track]) -> Vec<Self> {
        let mut tracks: Vec<&Track> = tracks.iter().collect();
        tracks.sort_by_key(|track| track.id);
        let mut entries: Vec<Self> = Vec::with_capacity(tracks.len());
        for track in tracks {
            let number = entries.len() as u32 + 1;
            entries.extend(Self::of(track, number));
        }
        entries
    }

    /// `track` as number `number`; `None` when its codec has no sample entry here.
    pub(crate) fn of(track: &Track, number: u32) -> Option<Self> {
        let sample_entry = write::sample_entry(&track.config)?;
        Some(Self::new(number, track.id, track.timescale(), Some(track.config.clone()), sample_entry))
    }

    /// The track of a file whose `stsd` holds `sample_entry`.
    pub(crate) fn from_file(number: u32, kind: TrackKind, timescale: u32, sample_entry: Bytes) -> Self {
        let id = match kind {
            TrackKind::Video => TrackId::VIDEO,
            TrackKind::Audio => TrackId::AUDIO,
        };
        let config = read::codec_config(&sample_entry);
        let size = if kind == TrackKind::Video { read::visual_size(&sample_entry) } else { None };
        let mut entry = Self::new(number, id, timescale, config, sample_entry);
        entry.size = size.unwrap_or(entry.size);
        entry
    }

    fn new(number: u32, id: TrackId, timescale: u32, config: Option<CodecConfig>, sample_entry: Bytes) -> Self {
        let timescale = timescale.max(1);
        let video = config.as_ref().and_then(CodecConfig::video);
        let audio = config.as_ref().and_then(CodecConfig::audio);
        let step = audio.and_then(|audio| audio.samples_per_frame).filter(|step| *step > 0);
        let lone_duration = match (id.kind, video.and_then(|video| video.frame_rate)) {
            (TrackKind::Audio, _) => step.unwrap_or(timescale / 50),
            (TrackKind::Video, Some(rate)) if (1.0..=240.0).contains(&rate.as_f64()) => {
                (f64::from(timescale) / rate.as_f64()).round() as u32
            }
            (TrackKind::Video, _) => timescale / 30,
        };
        let size = video.map_or((0, 0), |video| (video.width, video.height));
        Self { number, id, timescale, size, step, lone_duration: lone_duration.max(1), sample_entry, config }
    }

    /// Whether it carries pictures.
    pub(crate) fn is_video(&self) -> bool {
        self.id.kind == TrackKind::Video
    }

    /// So many ticks of its clock.
    pub(crate) fn moment(&self, ticks: i64) -> MediaTime {
        MediaTime::from_ticks(ticks, self.timescale)
    }

    /// The four characters of its sample entry.
    pub(crate) fn fourcc(&self) -> &[u8] {
        self.sample_entry.get(4..8).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;

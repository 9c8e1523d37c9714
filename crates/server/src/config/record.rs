//! `[record]`: what is recorded, and how.

use std::time::Duration;

use livetape_finalize::Companions;
use livetape_media::Format;
use livetape_mux::{Layout, SegmentType};
use livetape_record::{Align, GapRule, Keep, NameTemplate, Policy};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{ByteSize, Period, unset};

/// The settings of recordings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordSettings {
    /// The formats every stream is recorded to.
    pub formats: Vec<FormatName>,
    /// The longest an MP4 recording becomes before the next one begins.
    pub mp4_max_duration: Period,
    /// The longest an FLV recording becomes.
    pub flv_max_duration: Period,
    /// The longest an HLS recording becomes.
    pub hls_max_duration: Period,
    /// The size at which a recording is cut; zero: size is no reason.
    pub max_size: ByteSize,
    /// Recordings are cut at multiples of this of the clock.
    #[serde(with = "unset")]
    pub align: Option<Period>,
    /// How far the clock meant is ahead of UTC.
    pub align_offset: String,
    /// A recording shorter than this is discarded.
    pub min_duration: Period,
    /// What an HLS segment should last.
    pub segment_duration: Period,
    /// What HLS segments are made of.
    pub segment_type: SegmentKind,
    /// Where the media of HLS is.
    pub hls_source: HlsSource,
    /// How much media a fragment holds: what the death of the process can cost.
    pub fragment_duration: Period,
    /// The most bytes a fragment holds.
    pub fragment_max_size: ByteSize,
    /// How often growing files are synced: what the death of the machine can cost.
    pub sync_interval: Period,
    /// How long, in media time, a recording waits for the second track before it begins without it.
    pub track_wait: Period,
    /// Bytes of one recording that may wait for a slow disk before its encoder is slowed down.
    pub max_held_size: ByteSize,
    /// Bytes of all recordings together that may wait for a slow disk.
    pub max_held_total: ByteSize,
    /// How long an encoder is slowed down because of one recording before media is dropped from it.
    pub stall_grace: Period,
    /// How long nothing may reach the disk although media comes, or no media come, before it is told.
    pub stall_warning: Period,
    /// How much media before the last key frame is held for tasks that begin.
    pub preroll: Period,
    /// Bytes of one stream that are held for tasks that begin.
    pub max_preroll_size: ByteSize,
    /// Bytes of all streams together.
    pub max_preroll_total: ByteSize,
    /// How the objects of recordings are named.
    pub name: NameSetting,
    /// How long a recording waits for a publisher that went without an end.
    pub resume_window: Period,
    /// What becomes of the time in which nobody published.
    pub gap: GapSetting,
    /// Whether it also waits for one that said that it is done.
    pub resume_on_unpublish: bool,
    /// How often one recording goes on.
    pub resume_limit: u32,
    /// Free space of the data directory's disk below which no recording begins.
    pub min_free: ByteSize,
    /// Puts a description beside each recording in the store.
    pub sidecar: bool,
    /// Puts what Amazon's IVS does beside each HLS recording in the store.
    pub ivs_events: bool,
}

impl Default for RecordSettings {
    fn default() -> Self {
        let layout = Layout::default();
        Self {
            formats: Format::ALL.into_iter().map(FormatName).collect(),
            mp4_max_duration: Period::from_mins(30),
            flv_max_duration: Period::from_mins(30),
            hls_max_duration: Period::from_mins(7 * 24 * 60),
            max_size: ByteSize::from_bytes(0),
            align: None,
            align_offset: "UTC".to_owned(),
            min_duration: Period::from_secs(1),
            segment_duration: Period::from_secs(6),
            segment_type: SegmentKind::Fmp4,
            hls_source: HlsSource::Segments,
            fragment_duration: Period::from_millis(350),
            fragment_max_size: ByteSize::from_bytes(layout.fragment_max_bytes as u64),
            sync_interval: Period::from_secs(5),
            track_wait: Period::from_secs(1),
            max_held_size: ByteSize::from_mib(16),
            max_held_total: ByteSize::from_mib(512),
            stall_grace: Period::from_secs(5),
            stall_warning: Period::from_secs(10),
            preroll: Period::from_millis(0),
            max_preroll_size: ByteSize::from_mib(4),
            max_preroll_total: ByteSize::from_mib(128),
            name: NameSetting(NameTemplate::DEFAULT.to_owned()),
            resume_window: Period::from_millis(0),
            gap: GapSetting::Keep,
            resume_on_unpublish: false,
            resume_limit: 50,
            min_free: ByteSize::from_mib(1024),
            sidecar: false,
            ivs_events: false,
        }
    }
}

impl RecordSettings {
    /// The longest a recording of `format` becomes.
    pub fn max_duration(&self, format: Format) -> Duration {
        match format {
            Format::Mp4 => self.mp4_max_duration,
            Format::Hls => self.hls_max_duration,
            Format::Flv => self.flv_max_duration,
        }
        .duration()
    }

    /// What is put beside recordings.
    pub fn companions(&self) -> Companions {
        Companions { sidecar: self.sidecar, ivs_events: self.ivs_events }
    }

    /// How files are laid out.
    pub fn layout(&self) -> Layout {
        Layout {
            fragment: self.fragment_duration.duration(),
            fragment_max_bytes: usize::try_from(self.fragment_max_size.bytes()).unwrap_or(usize::MAX),
            segment: self.segment_duration.duration(),
            segment_type: match self.segment_type {
                SegmentKind::Fmp4 => SegmentType::Fmp4,
                SegmentKind::Ts => SegmentType::Ts,
            },
            ..Layout::default()
        }
    }

    /// How a stream is recorded in one format, by itself.
    pub(super) fn policy(&self, format: Format) -> Policy {
        let align = |period: Period| Align::new(period.duration(), self.align_offset.parse().ok()?).ok();
        Policy {
            format,
            layout: self.layout(),
            max_duration: self.max_duration(format),
            max_bytes: Some(self.max_size.bytes()).filter(|bytes| *bytes > 0),
            // It has been found good when it was read, and so have the names.
            align: self.align.and_then(align),
            min_duration: self.min_duration.duration(),
            track_wait: self.track_wait.duration(),
            names: self.name.0.parse().unwrap_or_default(),
            playlists: false,
            keep: Keep::default(),
        }
    }
}

/// Formats, each once, in the order they are written.
pub(super) fn distinct(names: &[FormatName]) -> Vec<Format> {
    let mut formats = Vec::new();
    for FormatName(format) in names {
        if !formats.contains(format) {
            formats.push(*format);
        }
    }
    formats
}

/// A format's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatName(pub Format);

impl Serialize for FormatName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for FormatName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

/// What HLS segments are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SegmentKind {
    /// Fragmented MP4 (CMAF).
    Fmp4,
    /// MPEG-2 transport stream.
    Ts,
}

/// Where the media of HLS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HlsSource {
    /// In segments, each a file of its own.
    Segments,
    /// In the file of the MP4 recording: the playlists list ranges of its bytes.
    Mp4,
}

/// What becomes of the time in which nobody published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GapSetting {
    /// It stays.
    Keep,
    /// It is left out.
    Collapse,
}

impl GapSetting {
    /// As recorders know it.
    pub fn rule(self) -> GapRule {
        match self {
            Self::Keep => GapRule::Keep,
            Self::Collapse => GapRule::Collapse,
        }
    }
}

/// A name template, as written; it has been found good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameSetting(String);

impl<'de> Deserialize<'de> for NameSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<NameTemplate>() {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(de::Error::custom(error)),
        }
    }
}

//! `[[templates]]`: ways of recording, and what `[record]` and the stores add to them.

use livetape_media::Format;
use livetape_record::plan::{
    Bucket, DEFAULT, Template, check_max_bytes, check_max_duration, check_name, check_segment,
};
use livetape_record::{Align, Keep, Policy, UtcOffset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::record::distinct;
use super::{
    ByteSize, Config, FallbackKind, FormatName, HlsSource, NameSetting, Period, RecordSettings, S3Settings,
    SegmentKind, StoreKind, unset,
};

/// The longest a recording is kept, unless it is for ever.
pub(super) const MAX_RETENTION: Period = Period::from_mins(10 * 365 * 24 * 60);

/// The longest a recording waits for its publisher.
pub(super) const MAX_RESUME_WINDOW: Period = Period::from_mins(30);

/// A way of recording. What is empty is as `[record]` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateSettings {
    /// What rules and tasks call it.
    pub name: String,
    /// The formats it records to: `mp4`, `hls`, `flv`.
    #[schema(value_type = Vec<String>)]
    pub formats: Vec<FormatName>,
    /// The longest an MP4 recording becomes, such as `30min`.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub mp4_max_duration: Option<Period>,
    /// The longest an FLV recording becomes.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub flv_max_duration: Option<Period>,
    /// The longest an HLS recording becomes.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub hls_max_duration: Option<Period>,
    /// The size at which a recording is cut, such as `2GiB`.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub max_size: Option<ByteSize>,
    /// Recordings are cut at multiples of this of the clock, such as `1h`.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub align: Option<Period>,
    /// How far the clock meant is ahead of UTC, such as `+08:00`.
    pub align_offset: String,
    /// A recording shorter than this is discarded, unless a crash cut it off.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub min_duration: Option<Period>,
    /// How long a recording waits for a publisher that went without an end; `0s`: not at all.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub resume_window: Option<Period>,
    /// What an HLS segment should last.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub segment_duration: Option<Period>,
    /// What HLS segments are made of: `fmp4` or `ts`.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub segment_type: Option<SegmentKind>,
    /// Where the media of HLS is: `segments` or `mp4`.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub hls_source: Option<HlsSource>,
    /// How recordings are named.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub recording_name: Option<NameSetting>,
    /// How long a recording is kept once it is ready, such as `30d`; `0s`: for ever. Empty: as `store.retention` says, at
    /// any moment.
    #[serde(with = "unset")]
    #[schema(value_type = String)]
    pub retention: Option<Period>,
}

impl TemplateSettings {
    /// What `record` says, as a template.
    pub(crate) fn of(name: &str, record: &RecordSettings) -> Self {
        Self {
            name: name.to_owned(),
            formats: record.formats.clone(),
            mp4_max_duration: Some(record.mp4_max_duration),
            flv_max_duration: Some(record.flv_max_duration),
            hls_max_duration: Some(record.hls_max_duration),
            max_size: Some(record.max_size),
            align: record.align,
            align_offset: record.align_offset.clone(),
            min_duration: Some(record.min_duration),
            resume_window: Some(record.resume_window),
            segment_duration: Some(record.segment_duration),
            segment_type: Some(record.segment_type),
            hls_source: Some(record.hls_source),
            recording_name: Some(record.name.clone()),
            // What `[store]` says may change while recordings are kept.
            retention: None,
        }
    }

    /// What is wrong with it: the settings and what is to be said of each.
    pub(crate) fn problems(&self, record: &RecordSettings) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut tell = |setting, result: Result<(), livetape_record::plan::LimitError>| {
            problems.extend(result.err().map(|error| (setting, error.to_string())));
        };
        tell("name", check_name(&self.name));
        for (setting, format, value) in [
            ("mp4_max_duration", Format::Mp4, self.mp4_max_duration),
            ("flv_max_duration", Format::Flv, self.flv_max_duration),
            ("hls_max_duration", Format::Hls, self.hls_max_duration),
        ] {
            tell(setting, value.map_or(Ok(()), |value| check_max_duration(format, value.duration())));
        }
        tell("max_size", self.max_size.map_or(Ok(()), |size| check_max_bytes(size.bytes())));
        tell("segment_duration", self.segment_duration.map_or(Ok(()), |length| check_segment(length.duration())));
        let merged = self.over(record);
        problems.extend(align_problems(merged.align, &merged.align_offset));
        if self.min_duration.is_some_and(|min| min > Period::from_mins(60)) {
            problems.push(("min_duration", "it must be between 0s and 1h".to_owned()));
        }
        if self.resume_window.is_some_and(|window| window > MAX_RESUME_WINDOW) {
            problems.push(("resume_window", format!("it must be between 0s and {MAX_RESUME_WINDOW}")));
        }
        if self.retention.is_some_and(|keep| keep > MAX_RETENTION) {
            problems.push(("retention", format!("it must be between 0s, which is for ever, and {MAX_RETENTION}")));
        }
        problems.extend(over_problems(&merged, ["hls_source", "formats", "segment_type"]));
        problems
    }

    /// `record` with what is set here in its place.
    pub(crate) fn over(&self, record: &RecordSettings) -> RecordSettings {
        let set = record.clone();
        RecordSettings {
            formats: if self.formats.is_empty() { set.formats } else { self.formats.clone() },
            mp4_max_duration: self.mp4_max_duration.unwrap_or(set.mp4_max_duration),
            flv_max_duration: self.flv_max_duration.unwrap_or(set.flv_max_duration),
            hls_max_duration: self.hls_max_duration.unwrap_or(set.hls_max_duration),
            max_size: self.max_size.unwrap_or(set.max_size),
            align: self.align.or(set.align),
            align_offset: if self.align_offset.is_empty() { set.align_offset } else { self.align_offset.clone() },
            min_duration: self.min_duration.unwrap_or(set.min_duration),
            resume_window: self.resume_window.unwrap_or(set.resume_window),
            segment_duration: self.segment_duration.unwrap_or(set.segment_duration),
            segment_type: self.segment_type.unwrap_or(set.segment_type),
            hls_source: self.hls_source.unwrap_or(set.hls_source),
            name: self.recording_name.clone().unwrap_or(set.name),
            ..set
        }
    }

    /// How long recordings are kept.
    fn keep(&self) -> Keep {
        Keep::from_millis(self.retention.map(|keep| u64::try_from(keep.duration().as_millis()).unwrap_or(u64::MAX)))
    }
}

/// What is wrong with when recordings are cut by the clock.
pub(super) fn align_problems(align: Option<Period>, offset: &str) -> Vec<(&'static str, String)> {
    match (offset.parse::<UtcOffset>(), align) {
        (Err(error), _) => vec![("align_offset", error.to_string())],
        (Ok(offset), Some(period)) => match Align::new(period.duration(), offset) {
            Ok(_) => Vec::new(),
            Err(error) => vec![("align", error.to_string())],
        },
        (Ok(_), None) => Vec::new(),
    }
}

/// What is wrong with HLS over an MP4; the settings are called `source`, `formats` and `segments`.
pub(super) fn over_problems(record: &RecordSettings, names: [&'static str; 3]) -> Vec<(&'static str, String)> {
    let [source, formats, segments] = names;
    let mut problems = Vec::new();
    if record.hls_source == HlsSource::Mp4 && record.formats.contains(&FormatName(Format::Hls)) {
        if !record.formats.contains(&FormatName(Format::Mp4)) {
            let message = format!("there is no MP4 to play HLS from: {formats} must have both mp4 and hls");
            problems.push((source, message));
        }
        if record.segment_type == SegmentKind::Ts {
            problems.push((source, format!("what an MP4 holds is no MPEG-TS: {segments} must be \"fmp4\"")));
        }
    }
    problems
}

impl Config {
    /// The template that `settings` are, whatever is wrong with them left as it is by default.
    pub(crate) fn template(&self, settings: &TemplateSettings) -> Template {
        let record = settings.over(&self.record);
        Template {
            name: settings.name.clone(),
            formats: distinct(&record.formats),
            each: Format::ALL.map(|format| Policy { keep: settings.keep(), ..record.policy(format) }).into(),
            over: record.hls_source == HlsSource::Mp4,
            resume_window: record.resume_window.duration(),
            buckets: self.buckets(),
        }
    }

    /// How each stream is recorded that no rule names, one policy for each format, as the store can take it.
    pub fn policies(&self) -> Vec<Policy> {
        let settings = TemplateSettings { name: DEFAULT.to_owned(), ..TemplateSettings::default() };
        let template = self.template(&settings);
        template.policies(&template.formats)
    }

    fn buckets(&self) -> Vec<Bucket> {
        let bucket = |s3: &S3Settings| Bucket {
            part_bytes: s3.part_size.bytes(),
            max_parts: s3.max_parts,
            equal_parts: s3.equal_parts,
        };
        let used =
            [(self.store.kind == StoreKind::S3, &self.s3), (self.fallback.kind == FallbackKind::S3, &self.fallback_s3)];
        used.into_iter().filter(|(used, _)| *used).map(|(_, s3)| bucket(s3)).collect()
    }
}

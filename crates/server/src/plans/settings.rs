//! What the API is sent of rules and tasks, and what the index keeps.

use std::collections::BTreeMap;

use livetape_media::{Format, WallTime};
use livetape_record::plan::{PatternError, Rule, Template};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PlanError;
use crate::config::{Config, FormatName, Period, RecordSettings, RuleSettings, SettingProblem, TemplateSettings};

/// The longest a file of a task becomes, unless it says something else.
const TASK_MAX_DURATION: Period = Period::from_mins(120);

/// Reads JSON: an object, and nothing that is not known.
///
/// # Errors
/// What is wrong with it.
pub fn parse<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T, PlanError> {
    // A list would do for a structure.
    if !json.trim_start().starts_with('{') {
        return Err(PlanError::Settings(vec![SettingProblem::body("it is no JSON object")]));
    }
    serde_json::from_str(json).map_err(|error| PlanError::Settings(vec![SettingProblem::body(error.to_string())]))
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleRequest {
    /// Its place among the rules made by the API: the lowest is asked first, after those of the configuration. Of
    /// equal ones the name decides.
    #[schema(minimum = 0)]
    pub order: u32,
    /// The streams, `APP/STREAM` with `*` and `?`.
    pub streams: String,
    /// The template they are recorded by.
    pub template: String,
    /// They are not recorded, unless the push asks for it.
    pub off: bool,
    /// The formats that the query of a push may ask for.
    #[schema(value_type = Vec<String>)]
    pub from_query: Vec<FormatName>,
}

impl Default for RuleRequest {
    fn default() -> Self {
        Self::of(&RuleSettings::default(), 1_000)
    }
}

impl RuleRequest {
    /// A rule of the configuration.
    pub(super) fn of(settings: &RuleSettings, order: usize) -> Self {
        let RuleSettings { streams, template, off, from_query, .. } = settings.clone();
        Self { order: u32::try_from(order).unwrap_or(u32::MAX), streams, template, off, from_query }
    }

    pub(super) fn rule(&self, name: &str) -> Result<Rule, PatternError> {
        let Self { streams, template, off, from_query, .. } = self.clone();
        RuleSettings { name: name.to_owned(), streams, template, off, from_query }.rule()
    }
}

/// How a task records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSettings {
    /// The template; empty: what `recording` says.
    pub template: String,
    /// What is set here in place of MP4 files of two hours.
    pub recording: TemplateSettings,
    /// It records also what the stream's template, or another task, records already.
    pub beside: bool,
}

impl TaskSettings {
    /// What is wrong with it.
    pub(super) fn problems(&self, record: &RecordSettings) -> Vec<(&'static str, String)> {
        if !self.template.is_empty() {
            let idle = self.recording != TemplateSettings::default();
            let message = "give either a template or what to record, not both".to_owned();
            return if idle { vec![("recording", message)] } else { Vec::new() };
        }
        if self.recording.resume_window.is_some() {
            let message = "how long recordings wait for their publisher says the template of the stream, not a task";
            return vec![("recording", message.to_owned())];
        }
        self.inline().problems(record).into_iter().map(|(_, message)| ("recording", message)).collect()
    }

    /// The template it records by. One that is gone from the configuration is no reason to record nothing.
    pub(super) fn template(&self, config: &Config, templates: &BTreeMap<String, Template>) -> Template {
        if let Some(template) = templates.get(&self.template) {
            return template.clone();
        }
        if !self.template.is_empty() {
            tracing::warn!(template = self.template, "a task's template is gone; MP4 files of two hours are recorded");
        }
        config.template(&self.inline())
    }

    fn inline(&self) -> TemplateSettings {
        let mut settings = TemplateSettings { name: "task".to_owned(), ..self.recording.clone() };
        if settings.formats.is_empty() {
            settings.formats = vec![FormatName(Format::Mp4)];
        }
        settings.mp4_max_duration.get_or_insert(TASK_MAX_DURATION);
        settings.flv_max_duration.get_or_insert(TASK_MAX_DURATION);
        settings
    }
}

/// A task that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRequest {
    /// The application of the stream.
    pub app: String,
    /// The stream's name.
    pub stream: String,
    /// How it records.
    pub settings: TaskSettings,
    /// From when on; `None`: now.
    pub start_at: Option<WallTime>,
    /// Until when; `None`: until somebody says so.
    pub stop_at: Option<WallTime>,
    /// How long after its start, in place of `stop_at`.
    pub stop_after: Option<Period>,
}

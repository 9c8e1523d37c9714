//! `[[rules]]`: which streams are recorded by which template.

use livetape_record::plan::{DEFAULT, Pattern, Rule};
use serde::{Deserialize, Serialize};

use super::FormatName;
use super::record::distinct;

/// Says of some streams how they are recorded. The first one that names a stream decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// What it is called. Empty: made from its place among the others.
    pub name: String,
    /// The streams, `APP/STREAM` with `*` and `?`.
    pub streams: String,
    /// The template they are recorded by.
    pub template: String,
    /// They are not recorded, unless the push asks for it.
    pub off: bool,
    /// The formats that the query of a push may ask for.
    pub from_query: Vec<FormatName>,
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            streams: String::new(),
            template: DEFAULT.to_owned(),
            off: false,
            from_query: Vec::new(),
        }
    }
}

impl RuleSettings {
    /// The rule, unless its pattern is none.
    pub(crate) fn rule(&self) -> Result<Rule, livetape_record::plan::PatternError> {
        let streams: Pattern = self.streams.parse()?;
        let (name, template) = (self.name.clone(), self.template.clone());
        Ok(Rule { name, streams, template, off: self.off, from_query: distinct(&self.from_query) })
    }
}

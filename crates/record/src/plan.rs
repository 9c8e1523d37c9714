//! Which streams are recorded, and how: rules name streams and the template by which they are recorded.
//!
//! Contract: the first rule whose pattern fits decides. What no rule names is recorded by the template
//! [`DEFAULT`]: what is not recorded has been said to be so. What the query of a push asks for counts where the
//! rule allows it; a wish that cannot be met is told and changes nothing.

mod glob;
mod limits;
mod template;
mod wish;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use livetape_media::Format;

use crate::{Policy, StreamPath};

pub use glob::{Pattern, PatternError};
pub use limits::{LimitError, check_max_bytes, check_max_duration, check_name, check_segment};
pub use template::{Bucket, Template};
use wish::Wish;

/// The template of streams that no rule names.
pub const DEFAULT: &str = "default";

/// Which streams are recorded by which template.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// The streams it is about.
    pub streams: Pattern,
    /// The name of the template.
    pub template: String,
    /// They are not recorded, unless the push asks for it.
    pub off: bool,
    /// The formats that the query of a push may ask for.
    pub from_query: Vec<Format>,
}

/// How one push is recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The name of the rule that decided; `None`: there was none that fits.
    pub rule: Option<String>,
    /// The name of the template; `None`: it is not recorded.
    pub template: Option<String>,
    /// One policy for each recorder.
    pub policies: Vec<Policy>,
    /// How long recordings wait for a publisher that went without an end; `None`: no template says it.
    pub resume_window: Option<Duration>,
    /// What could not be done as it was wished, in words.
    pub problems: Vec<String>,
}

/// How a push of `stream` is recorded that has these parameters in its query.
pub fn plan<'q>(
    stream: &StreamPath,
    query: impl Iterator<Item = (Cow<'q, str>, Cow<'q, str>)>,
    rules: &[Rule],
    templates: &BTreeMap<String, Template>,
) -> Plan {
    let rule = rules.iter().find(|rule| rule.streams.fits(stream));
    let mut problems = Vec::new();
    let allowed = rule.map_or(&[][..], |rule| &rule.from_query);
    let wish = Wish::read(query, allowed, &mut problems);
    let name = rule.map_or(DEFAULT, |rule| &rule.template);
    let template = templates.get(name).or_else(|| {
        problems.push(format!("there is no template '{name}'; the stream is recorded by the template '{DEFAULT}'"));
        templates.get(DEFAULT)
    });
    let formats = match &wish.formats {
        Some(formats) => Some(&formats[..]),
        None if rule.is_some_and(|rule| rule.off) => None,
        None => template.map(|template| &template.formats[..]),
    };
    let rule = rule.map(|rule| rule.name.clone());
    let (Some(template), Some(formats)) = (template, formats) else {
        return Plan { rule, problems, ..Plan::default() };
    };
    let mut policies = template.policies(formats);
    if let Some(interval) = wish.interval {
        for policy in &mut policies {
            match check_max_duration(policy.format, interval) {
                Ok(()) => policy.max_duration = interval,
                Err(error) => problems.push(format!("record_interval is not used: {error}")),
            }
        }
    }
    let resume_window = Some(template.resume_window);
    Plan { rule, template: Some(template.name.clone()), policies, resume_window, problems }
}

#[cfg(test)]
mod tests;

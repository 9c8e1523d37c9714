//! Which streams are recorded, and how: whether templates and rules fit together.

use std::collections::BTreeSet;

use livetape_record::plan::{DEFAULT, check_name};

use super::{Findings, HOUR};
use crate::config::{Config, Period};

/// More than nothing, which is for ever.
const SOON: Period = Period::from_millis(1);

pub(super) fn plan(config: &Config, findings: &mut Findings<'_>) {
    let mut templates = BTreeSet::new();
    for (index, template) in config.templates.iter().enumerate() {
        let setting = |key: &str| format!("templates.{index}.{key}");
        for (key, message) in template.problems(&config.record) {
            findings.problem(setting(key), message);
        }
        if let Some(keep) = template.retention.filter(|keep| (SOON..HOUR).contains(keep)) {
            let message = format!("recordings are deleted {keep} after they are ready; 1h or more is usual");
            findings.warning(setting("retention"), message);
        }
        if template.name == DEFAULT {
            findings.problem(setting("name"), "the template 'default' is what [record] says; choose another name");
        } else if !template.name.is_empty() && !templates.insert(template.name.as_str()) {
            let message = format!("two templates are called '{}'; give each a name of its own", template.name);
            findings.problem(setting("name"), message);
        }
    }
    let mut names = BTreeSet::new();
    for (index, rule) in config.rules.iter().enumerate() {
        let setting = |key: &str| format!("rules.{index}.{key}");
        if let Err(error) = check_name(&rule.name) {
            findings.problem(setting("name"), error.to_string());
        } else if !names.insert(&rule.name) {
            findings.problem(setting("name"), format!("two rules are called '{}'", rule.name));
        }
        if let Err(error) = rule.rule() {
            findings.problem(setting("streams"), error.to_string());
        }
        if rule.template != DEFAULT && !templates.contains(rule.template.as_str()) {
            let message = format!("there is no template '{}' in this configuration", rule.template);
            findings.problem(setting("template"), message);
        }
        if index + 1 < config.rules.len() && rule.streams == "*/*" {
            let message = "no rule after this one decides anything: it names every stream";
            findings.warning(setting("streams"), message);
        }
    }
}

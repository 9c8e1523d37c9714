//! One configuration out of the defaults, a file, the environment and the command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::problem::FilePlace;
use super::{Config, ConfigError, Place, Problem};

/// Variables of the environment that begin with this are settings.
const PREFIX: &str = "LIVETAPE__";

/// Where values come from, beside the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The command line.
    pub flags: Vec<Flag>,
}

/// A setting given on the command line.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag, as the user writes it: `--http`.
    pub flag: &'static str,
    /// The setting: `http.listen`.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
}

/// A configuration and where its values come from.
pub(super) struct Merged {
    pub(super) config: Config,
    file: Option<(PathBuf, String)>,
    /// Where each setting that is not from the file comes from.
    origins: BTreeMap<String, Place>,
}

impl Merged {
    /// Where `setting` got its value.
    pub(super) fn place(&self, setting: &str) -> Place {
        if let Some(origin) = self.origins.get(setting) {
            return origin.clone();
        }
        let in_file =
            self.file.as_ref().and_then(|(path, text)| Some(FilePlace::new(path, text, span_of(text, setting)?)));
        in_file.map_or_else(|| Place::Setting(setting.to_owned()), Place::File)
    }
}

pub(super) fn merge(sources: &Sources) -> Result<Merged, ConfigError> {
    let (file, mut table) = match &sources.file {
        Some(path) => {
            let (text, table) = read_file(path)?;
            (Some((path.clone(), text)), table)
        }
        None => (None, Table::new()),
    };
    let mut problems = Vec::new();
    let mut origins = BTreeMap::new();
    // Sorted, so that `WEBHOOKS__0` comes before `WEBHOOKS__1`, and the same mistakes read the same.
    let mut variables: Vec<_> = sources.environment.iter().collect();
    variables.sort();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let place = Place::Variable(name.to_owned());
        let Some(value) = value.to_str() else {
            problems.push(Problem { place, message: "its value is not UTF-8".to_owned() });
            continue;
        };
        let setting = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace("__", ".");
        match with(&table, &setting, value) {
            Ok(with_it) => {
                table = with_it;
                origins.insert(setting, place);
            }
            Err(message) => problems.push(Problem { place, message }),
        }
    }
    for Flag { flag, setting, value } in &sources.flags {
        let place = Place::Flag((*flag).to_owned());
        match with(&table, setting, value) {
            Ok(with_it) => {
                table = with_it;
                origins.insert((*setting).to_owned(), place);
            }
            Err(message) => problems.push(Problem { place, message }),
        }
    }
    if !problems.is_empty() {
        return Err(ConfigError::Invalid(problems));
    }
    // Every step above has been tried, so this cannot fail; if it does, it is said, not hidden.
    let config = Config::deserialize(Value::Table(table)).map_err(|error| {
        let place = Place::Setting("configuration".to_owned());
        ConfigError::Invalid(vec![Problem { place, message: error.message().to_owned() }])
    })?;
    Ok(Merged { config, file, origins })
}

/// The file's text and its table, which has been found to be of the right types.
fn read_file(path: &Path) -> Result<(String, Table), ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let invalid = |error: toml::de::Error| {
        let place = Place::File(FilePlace::new(path, &text, error.span().unwrap_or(0..0)));
        ConfigError::Invalid(vec![Problem { place, message: error.message().trim_end().replace('\n', "; ") }])
    };
    toml::from_str::<Config>(&text).map_err(invalid)?;
    let table = text.parse::<Table>().map_err(invalid)?;
    Ok((text, table))
}

/// `table` with `setting` set to `value`: as text, else as TOML writes it, else as a list with
/// commas, whichever the setting takes.
fn with(table: &Table, setting: &str, value: &str) -> Result<Table, String> {
    let as_toml = format!("v = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
    let as_list = Value::Array(value.split(',').map(|part| Value::String(part.trim().to_owned())).collect());
    let attempt = |value: Value| {
        let mut with_it = table.clone();
        set(&mut with_it, setting, value)?;
        let result = Config::deserialize(Value::Table(with_it.clone()));
        result.map(|_| with_it).map_err(|error| error.message().trim_end().replace('\n', "; "))
    };
    let error = match attempt(Value::String(value.to_owned())) {
        Ok(with_it) => return Ok(with_it),
        Err(error) => error,
    };
    let error = match as_toml.map(attempt) {
        Some(Ok(with_it)) => return Ok(with_it),
        Some(Err(error)) => error,
        None => error,
    };
    attempt(as_list).map_err(|_| error)
}

/// Sets `setting`, a path with dots, to `value`. A number is a place in a list; one beyond its end
/// by one makes it longer.
fn set(table: &mut Table, setting: &str, value: Value) -> Result<(), String> {
    let Some((head, rest)) = setting.split_once('.') else {
        table.insert(setting.to_owned(), value);
        return Ok(());
    };
    let is_list = rest.split('.').next().is_some_and(|part| part.parse::<usize>().is_ok());
    let entry = table
        .entry(head.to_owned())
        .or_insert_with(|| if is_list { Value::Array(Vec::new()) } else { Value::Table(Table::new()) });
    match entry {
        Value::Table(inner) => set(inner, rest, value),
        Value::Array(list) => {
            let (index, rest) = rest.split_once('.').unwrap_or((rest, ""));
            let index: usize = index.parse().map_err(|_| format!("{head} is a list; write {head}.0 and so on"))?;
            if index == list.len() {
                list.push(Value::Table(Table::new()));
            }
            match list.get_mut(index) {
                Some(Value::Table(inner)) if !rest.is_empty() => set(inner, rest, value),
                Some(_) => Err(format!("{head}.{index} is not a setting")),
                None => Err(format!("{head}.{index} comes before {head}.{}", list.len())),
            }
        }
        _ => Err(format!("{head} has no settings of its own")),
    }
}

/// Which bytes of `text` are the value of `setting`, or of the innermost table around where it would be.
fn span_of(text: &str, setting: &str) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut found = None;
    let mut parts = setting.split('.');
    while let Some(part) = parts.next() {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == part) else { break };
        found = Some(match value.get_ref() {
            DeValue::Table(_) | DeValue::Array(_) => key.span(),
            _ => value.span(),
        });
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            DeValue::Array(list) => {
                let Some(index) = parts.next() else { break };
                let element = list.get(index.parse::<usize>().ok()?)?;
                found = Some(element.span());
                match element.get_ref() {
                    DeValue::Table(inner) => table = inner,
                    _ => break,
                }
            }
            _ => break,
        }
    }
    found
}

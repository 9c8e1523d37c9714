//! The documents say what the settings are.

use super::*;

#[test]
fn every_type_of_event_has_a_schema() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events");
    let found: BTreeSet<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "common")
        .collect();
    assert_eq!(found, EVENT_TYPES.into_iter().map(str::to_owned).collect());
}

/// The defaults, with one of each thing that there may be several of.
fn with_one_of_each() -> Config {
    let (templates, rules) = (vec![TemplateSettings::default()], vec![RuleSettings::default()]);
    Config { templates, rules, webhooks: vec![Webhook::default()], ..Config::default() }
}

/// The paths of all settings, `webhooks.url` and so on for each webhook's.
fn all_settings() -> BTreeSet<String> {
    fn walk(prefix: &str, value: &toml::Value, paths: &mut BTreeSet<String>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    walk(&path, value, paths);
                }
            }
            toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
                list.iter().for_each(|value| walk(prefix, value, paths));
            }
            _ => {
                paths.insert(prefix.to_owned());
            }
        }
    }
    let config = with_one_of_each();
    let mut paths = BTreeSet::new();
    walk("", &toml::Value::try_from(config).unwrap(), &mut paths);
    paths
}

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_reference_file_parses_to_the_defaults_and_names_every_setting() {
    let reference = document("livetape.toml");
    assert_eq!(load_text(&reference, &[], &[]).unwrap().config, Config::default());

    // Every setting is there behind `#`, with its default.
    let uncommented: String = reference
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with([' ', '#']) && !setting.is_empty() => setting,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    let table: toml::Table = uncommented.parse().unwrap();
    let config = Config::deserialize(toml::Value::Table(table.clone())).unwrap();
    let (templates, rules) = (config.templates.clone(), config.rules.clone());
    let expected = Config { templates, rules, webhooks: config.webhooks.clone(), ..Config::default() };
    assert_eq!(config, expected);
    let mut named = BTreeSet::new();
    for (section, value) in &table {
        let tables = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        for table in tables {
            named.extend(table.as_table().unwrap().keys().map(|key| format!("{section}.{key}")));
        }
    }
    assert_eq!(named, all_settings());
}

#[test]
fn the_documentation_has_every_setting_with_its_default() {
    // Rows look like: | `rtmp.listen` | `":1935"` | ... |
    let text = document("configuration.md");
    let mut documented = toml::Table::new();
    let mut named = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let setting = cells.next().unwrap().trim_matches('`').to_owned();
        let default = cells.next().unwrap().trim_matches('`');
        let value = format!("v = {default}").parse::<toml::Table>().unwrap_or_else(|_| panic!("{line}"));
        assert!(cells.next().is_some_and(|meaning| meaning.len() > 10), "{line}");
        let (section, key) = setting.split_once('.').unwrap();
        assert!(named.insert(setting.clone()), "{setting} is there twice");
        let table = documented.entry(section).or_insert_with(|| toml::Table::new().into());
        table.as_table_mut().unwrap().insert(key.to_owned(), value["v"].clone());
    }
    assert_eq!(named, all_settings());
    for several in ["templates", "rules", "webhooks"] {
        let one = documented.remove(several).unwrap();
        documented.insert(several.to_owned(), toml::Value::Array(vec![one]));
    }
    let config = Config::deserialize(toml::Value::Table(documented)).unwrap();
    assert_eq!(config, with_one_of_each());
}

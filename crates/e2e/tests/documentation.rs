//! What the documentation tells people to do, done.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use livetape_testkit::place;
use livetape_testkit::program::{succeed, text};

/// README.md and everything in `docs` that is written in Markdown.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![place::root().join("README.md"), place::root().join("fixtures/README.md")];
    let docs = fs::read_dir(place::root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The lines of every code block of this kind.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<Vec<&'a str>> {
    let mut blocks = Vec::new();
    let mut open: Option<Vec<&str>> = None;
    let mut wanted = false;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take().filter(|_| wanted)),
            (Some(lines), None) => lines.push(line),
            (None, Some(found)) => {
                wanted = found == kind;
                open = Some(Vec::new())
            }
            _ => {}
        }
    }
    blocks
}

#[test]
fn every_link_leads_somewhere() {
    for (path, page) in pages() {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let elsewhere = link.is_empty() || link.contains("://") || link.starts_with("mailto:");
            let target = path.parent().unwrap().join(link);
            assert!(elsewhere || target.exists(), "{}: {link}", path.display());
        }
    }
}

#[test]
fn every_setting_that_is_named_is_one() {
    let reference = fs::read_to_string(place::root().join("docs/configuration.md")).unwrap();
    let sections: Vec<&str> =
        reference.lines().filter_map(|line| Some(line.strip_prefix("## `[")?.trim_start_matches('['))).collect();
    let mut seen = 0;
    for (path, page) in pages() {
        // Between backticks, outside of blocks.
        let text: String = page.split("```").step_by(2).collect();
        for word in text.split('`').skip(1).step_by(2) {
            let Some((section, key)) = word.split_once('.') else { continue };
            let is_section = sections.iter().any(|line| line.starts_with(&format!("{section}]")));
            if is_section && !key.is_empty() && !key.contains(|c: char| !matches!(c, 'a'..='z' | '0'..='9' | '_')) {
                seen += 1;
                assert!(reference.contains(&format!("| `{word}` |")), "{}: there is no setting {word}", path.display());
            }
        }
    }
    assert!(seen >= 50, "{seen} settings found");
}

#[test]
fn every_command_is_one_the_program_knows() {
    let mut seen = 0;
    for (path, page) in pages() {
        for line in blocks(&page, "sh").into_iter().flatten() {
            let line = line.trim();
            let ours = ["livetape ", "cargo run --release -- "].iter().find_map(|prefix| line.strip_prefix(prefix));
            let Some(arguments) = ours else { continue };
            seen += 1;
            // With --help at its end, a command line is read in full and nothing is started.
            let known = succeed(Command::new(place::livetape()).args(["--help"]));
            let verb = arguments.split_whitespace().next().unwrap();
            assert!(text(&known.stdout).contains(&format!("  {verb}")), "{}: {line}", path.display());
            let help_of =
                |words: &[&str]| text(&succeed(Command::new(place::livetape()).args(words).arg("--help")).stdout);
            let help = match (help_of(&[verb]), arguments.split_whitespace().nth(1)) {
                (help, Some(inner)) if help.contains("\nCommands:") => {
                    assert!(help.contains(&format!("  {inner}")), "{}: {line}", path.display());
                    help_of(&[verb, inner])
                }
                (help, _) => help,
            };
            for flag in arguments.split_whitespace().filter(|word| word.starts_with("--")) {
                assert!(help.contains(flag), "{}: {line}: no {flag} in\n{help}", path.display());
            }
        }
    }
    assert!(seen >= 3, "{seen} commands found");
}

#[test]
fn every_configuration_is_valid() {
    let home = tempfile::tempdir().unwrap();
    let check = |name: &str, configuration: &str| {
        let file = home.path().join("livetape.toml");
        fs::write(&file, configuration).unwrap();
        let output = Command::new(place::livetape()).arg("check").arg(&file).output().unwrap();
        assert!(output.status.success(), "{name}: {}\n{configuration}", text(&output.stderr));
    };
    check("docs/livetape.toml", &fs::read_to_string(place::root().join("docs/livetape.toml")).unwrap());
    for (path, page) in pages() {
        for block in blocks(&page, "toml") {
            check(&path.display().to_string(), &block.join("\n"));
        }
    }
}

#[test]
fn the_chores_are_those_the_documentation_names() {
    let readme = fs::read_to_string(place::root().join("README.md")).unwrap();
    assert!(readme.contains("cargo run --release -- demo"));
    assert!(readme.contains("cargo xtask test"));
    let script = fs::read_to_string(place::root().join(".ci/run")).unwrap();
    assert!(script.lines().any(|line| line.trim() == "exec cargo xtask test"), "{script}");
}

//! The structure of the workspace, held against the rules it is built by (docs/architecture.md).
//!
//! The crates' edges and what they may depend on come from `cargo metadata`; the rest from the
//! files git knows.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of them uses: all there are. `a: [b]` means that `a` uses `b`.
const EDGES: &[(&str, &[&str])] = &[
    ("media", &[]),
    ("flv", &["media"]),
    ("rtmp", &["media", "flv"]),
    ("mux", &["media", "flv"]),
    ("record", &["media", "mux"]),
    ("disk", &["mux"]),
    ("catalog", &["media", "record"]),
    ("store", &["disk"]),
    ("store-s3", &["store"]),
    ("finalize", &["media", "mux", "record", "catalog", "disk", "store"]),
    ("server", &["media", "flv", "rtmp", "mux", "record", "catalog", "disk", "store", "store-s3", "finalize"]),
];

/// For development only: what they use is their own affair, but nothing above uses them.
const DEVELOPMENT: &[&str] = &["testkit", "fake-s3", "simulation", "e2e", "benches", "load", "fuzz"];

/// Ordinary code: no sockets, tasks or timers, so nothing that brings them.
const WITHOUT_RUNTIME: &[&str] = &["media", "flv", "rtmp", "mux", "record", "disk", "catalog"];
const RUNTIMES: &[&str] = &["tokio", "mio", "async-std", "smol", "async-io"];

/// Longest source file, and the ones allowed to be longer, each with its reason.
const MAX_LINES: usize = 500;
const LONGER: &[(&str, &str)] = &[];

const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".config",
    ".dockerignore",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "benches",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docker-compose.yml",
    "docs",
    "fixtures",
    "rustfmt.toml",
    "xtask",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn output(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Every file git knows and the work tree holds, by its path from the root.
fn files() -> Vec<String> {
    let listed = String::from_utf8(output("git", &["ls-files", "-z"])).unwrap();
    let names = listed.split('\0').filter(|name| !name.is_empty());
    names.filter(|name| root().join(name).is_file()).map(str::to_owned).collect()
}

fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|name| name.ends_with(".rs"));
    rust.map(|name| (fs::read_to_string(root().join(&name)).unwrap(), name)).map(|(text, name)| (name, text)).collect()
}

struct Metadata(Value);

impl Metadata {
    fn load() -> Self {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        // Only what this platform compiles, so that no other platform's crates are downloaded.
        let version = String::from_utf8(output("rustc", &["-vV"])).unwrap();
        let platform = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let json = output(&cargo, &["metadata", "--format-version", "1", "--locked", "--filter-platform", platform]);
        Self(serde_json::from_slice(&json).unwrap())
    }

    /// The packages of the workspace that are ours, by short name.
    fn members(&self) -> BTreeMap<String, &Value> {
        let ids: BTreeSet<&str> =
            (self.0["workspace_members"].as_array().unwrap().iter()).map(|id| id.as_str().unwrap()).collect();
        let packages = self.0["packages"].as_array().unwrap().iter();
        packages
            .filter(|package| ids.contains(package["id"].as_str().unwrap()))
            .filter_map(|package| Some((package["name"].as_str()?.strip_prefix("livetape-")?.to_owned(), package)))
            .collect()
    }

    /// The short names of our crates that `package` names among its normal dependencies.
    fn edges(package: &Value) -> BTreeSet<String> {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str()?.strip_prefix("livetape-").map(str::to_owned))
            .collect()
    }

    /// The name of every package that building `package` for use compiles in.
    fn normal_tree(&self, package: &Value) -> BTreeSet<String> {
        let nodes: BTreeMap<&str, &Value> =
            self.0["resolve"]["nodes"].as_array().unwrap().iter().map(|n| (n["id"].as_str().unwrap(), n)).collect();
        let names: BTreeMap<&str, &str> = (self.0["packages"].as_array().unwrap().iter())
            .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
            .collect();
        let mut seen = BTreeSet::new();
        let mut waiting = vec![package["id"].as_str().unwrap()];
        while let Some(id) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            for dependency in nodes[id]["deps"].as_array().unwrap() {
                if dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null()) {
                    waiting.push(dependency["pkg"].as_str().unwrap());
                }
            }
        }
        seen.into_iter().map(|id| names[id].to_owned()).collect()
    }
}

#[test]
fn crates_use_each_other_as_drawn_and_in_no_other_way() {
    let metadata = Metadata::load();
    let members = metadata.members();
    let drawn: BTreeSet<&str> = EDGES.iter().map(|(name, _)| *name).chain(DEVELOPMENT.iter().copied()).collect();
    assert_eq!(members.keys().map(String::as_str).collect::<BTreeSet<_>>(), drawn, "the crates there are");
    for (name, uses) in EDGES {
        let uses: BTreeSet<String> = uses.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(Metadata::edges(members[*name]), uses, "what {name} uses");
    }
}

#[test]
fn nothing_but_its_fuzzer_uses_the_server() {
    for (name, package) in Metadata::load().members().into_iter().filter(|(name, _)| name != "fuzz") {
        assert!(!Metadata::edges(package).contains("server"), "{name} uses server");
    }
}

#[test]
fn the_ordinary_crates_do_not_know_an_async_runtime() {
    let metadata = Metadata::load();
    let members = metadata.members();
    for name in WITHOUT_RUNTIME {
        let tree = metadata.normal_tree(members[*name]);
        let runtimes: Vec<&&str> = RUNTIMES.iter().filter(|runtime| tree.contains(**runtime)).collect();
        assert!(runtimes.is_empty(), "{name} depends on {runtimes:?}");
    }
    assert!(metadata.normal_tree(members["server"]).contains("tokio"), "the walk of the tree finds nothing");
}

#[test]
fn no_crate_but_the_s3_store_compiles_the_aws_sdk() {
    let metadata = Metadata::load();
    for (name, package) in metadata.members() {
        let tree = metadata.normal_tree(package);
        let above = tree.contains("livetape-store-s3");
        let aws = tree.iter().find(|name| name.starts_with("aws-"));
        assert!(above || aws.is_none(), "{name} depends on {aws:?}");
    }
}

#[test]
fn every_crate_takes_the_workspaces_lints() {
    for name in files().iter().filter(|name| name.ends_with("/Cargo.toml")) {
        let text = fs::read_to_string(root().join(name)).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{name} does not take the workspace's lints");
    }
}

#[test]
fn no_source_file_is_too_long() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        let listed = LONGER.iter().any(|(longer, _)| *longer == name);
        assert!(listed || lines <= MAX_LINES, "{name} has {lines} lines: one noun a file, {MAX_LINES} lines at most");
        assert!(!listed || lines > MAX_LINES, "{name} is listed as longer than {MAX_LINES} lines and is not");
    }
}

#[test]
fn every_module_says_what_it_is() {
    let modules = sources().into_iter().filter(|(name, _)| name.contains("/src/") && !name.ends_with("/tests.rs"));
    for (name, text) in modules {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        assert!(first.starts_with("//!"), "{name} does not begin with a //! comment");
    }
}

#[test]
fn files_are_named_after_what_is_in_them() {
    for name in files() {
        let stem = Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
        let banned = ["util", "utils", "common", "helper", "helpers", "misc", "manager", "mod"];
        assert!(!name.ends_with(".rs") || !banned.contains(&stem.as_str()), "{name} says nothing of what it holds");
    }
}

#[test]
fn the_tree_speaks_of_the_project_only() {
    // Written in halves, so that this file passes.
    let banned = [
        concat!("/wo", "rk/"),
        concat!("/tm", "p/livetape"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("an A", "I "),
        concat!("language mo", "del"),
    ];
    for name in files() {
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = banned.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{name}:{}: '{}'", number + 1, found.unwrap());
        }
    }
}

#[test]
fn the_top_level_holds_what_it_should_and_no_more() {
    for name in files() {
        let top = name.split('/').next().unwrap();
        assert!(TOP_LEVEL.contains(&top), "{top} does not belong to the top level");
    }
}

#[test]
fn every_dependency_has_its_reason_written_down() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let reasons = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let table = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names = table.lines().filter_map(|line| line.split_once(" = ").map(|(name, _)| name));
    let outside: Vec<&str> = names.filter(|name| !name.starts_with("livetape-")).collect();
    assert!(outside.len() > 10, "{outside:?}");
    let silent: Vec<&&str> = outside.iter().filter(|name| !reasons.contains(&format!("`{name}`"))).collect();
    assert!(silent.is_empty(), "docs/dependencies.md says nothing of {silent:?}");
}

#[test]
fn fixtures_are_small_and_are_what_their_table_says() {
    let table = fs::read_to_string(root().join("fixtures/README.md")).unwrap();
    let media = files().into_iter().filter(|name| name.starts_with("fixtures/") && !name.ends_with(".md"));
    for name in media.filter(|name| !name.ends_with(".sh")) {
        let size = fs::metadata(root().join(&name)).unwrap().len();
        assert!(size <= 1 << 20, "{name} has {size} bytes");
        let sum = String::from_utf8(output("sha256sum", &[&name])).unwrap();
        let (hash, file) = (sum.split_whitespace().next().unwrap(), name.rsplit('/').next().unwrap());
        let row = table.lines().find(|line| line.contains(&format!("`{file}`"))).unwrap_or_else(|| panic!("no {file}"));
        assert!(row.contains(hash), "the table's hash of {file} is not {hash}");
    }
}

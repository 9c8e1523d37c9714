//! The demo, the command line, and what the project is shipped in.

use std::collections::BTreeSet;
use std::process::Command;

use livetape_testkit::place;
use livetape_testkit::program::{succeed, text};

#[test]
fn the_demo_shows_a_recording_being_made() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = Command::new(place::livetape());
    demo.args(["demo", "--exit", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]).arg(home.path());
    let printed = text(&succeed(&mut demo).stdout);
    for word in ["live/", "mp4", "hls", "flv", "recording.ready", "/media/", "http://", "rtmp://", "ffmpeg", "OBS"] {
        assert!(printed.contains(word), "no '{word}' in\n{printed}");
    }
    let media = livetape_testkit::livetape::files_below(&home.path().join("media"));
    for ending in ["mp4", "flv", "m3u8"] {
        let name = |file: &&std::path::PathBuf| file.file_name().unwrap().to_string_lossy().into_owned();
        let file = media.iter().find(|file| name(file).ends_with(ending) && !name(file).starts_with("init"));
        livetape_testkit::ffmpeg::assert_decodes_silently(file.unwrap_or_else(|| panic!("no {ending}: {media:?}")));
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("livetape.toml");
    std::fs::write(&file, "[http]\nlisten = \"127.0.0.1:0\"\n\n[record]\nformat = [\"mp4\"]\n").unwrap();
    for arguments in [&["check"][..], &["serve", "--config"]] {
        let output = Command::new(place::livetape()).args(arguments).arg(&file).current_dir(&home).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.contains("livetape.toml:5") && said.contains("format"), "{said}");
    }
    std::fs::write(&file, "[record]\nformats = [\"mp4\"]\n").unwrap();
    succeed(Command::new(place::livetape()).arg("check").arg(&file));
}

#[test]
fn the_receiver_prints_what_it_verified() {
    let mut receive = Command::new(place::livetape());
    receive.args(["receive", "--listen", "127.0.0.1:0", "--secret", livetape_testkit::receiver::SECRET, "--json"]);
    let mut child = receive.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let listening = lines.next().unwrap().unwrap();
    let url =
        listening.split_whitespace().find(|word| word.contains("127.0.0.1:")).unwrap_or_else(|| panic!("{listening}"));
    assert!(!url.ends_with(":0"), "{listening}");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The text of a file of the project.
fn source(path: &str) -> String {
    std::fs::read_to_string(place::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names that docker-compose.yml does not start without.
fn wanted_secrets() -> BTreeSet<String> {
    let compose = source("docker-compose.yml");
    compose.split("${").skip(1).map(|rest| rest.split(":?").next().unwrap().to_owned()).collect()
}

#[test]
fn the_unit_and_the_image_set_the_c_librarys_memory_alike() {
    let of = |path, key| -> Vec<String> {
        let text = source(path);
        let lines = text.lines().filter_map(|line| line.strip_prefix(key));
        lines.filter(|line| line.starts_with("MALLOC_")).map(str::to_owned).collect()
    };
    assert_eq!(of("docs/livetape.service", "Environment="), of("Dockerfile", "ENV "));
    assert_eq!(of("Dockerfile", "ENV ").len(), 1);
}

#[test]
fn the_compose_file_is_valid() {
    let mut compose = Command::new("docker-compose");
    compose.args(["--file", "docker-compose.yml", "config"]).current_dir(place::root());
    let without_secrets = compose.output().unwrap();
    assert!(!without_secrets.status.success(), "it starts without a token");
    for secret in wanted_secrets() {
        compose.env(secret, "0123456789abcdef");
    }
    let output = succeed(&mut compose);
    let printed = text(&output.stdout);
    for service in ["livetape:", "check:", "object-store:", "receiver:", "prometheus:", "grafana:"] {
        assert!(printed.contains(&format!("\n  {service}\n")), "{service} {printed}");
    }
}

#[test]
fn the_compose_file_opens_one_port_to_others_and_holds_no_secret() {
    let compose = source("docker-compose.yml");
    let mut ports = 0;
    for line in compose.lines().map(str::trim) {
        let item = line.strip_prefix("- ").unwrap_or_default().trim_matches('"');
        if item.ends_with(|c: char| c.is_ascii_digit()) && item.contains(':') {
            ports += 1;
            assert!(item == "1935:1935" || item.starts_with("127.0.0.1:"), "{line}");
        }
        if let Some(mounted) = item.strip_prefix("./") {
            let file = mounted.split(':').next().unwrap();
            assert!(place::root().join(file).is_file(), "{file} is not there");
            assert!(mounted.ends_with(":ro"), "{line}");
        }
        if let Some((name, value)) = line.split_once(": ").filter(|_| !line.starts_with('#')) {
            let secret = ["TOKEN", "SECRET", "PASSWORD", "KEY"].iter().any(|word| name.contains(word));
            assert!(!secret || value.starts_with("\"${"), "{line}");
        }
    }
    assert!(ports >= 5, "the search for ports finds {ports}");
}

#[test]
fn the_script_makes_every_secret_that_the_compose_file_wants() {
    let home = tempfile::tempdir().unwrap();
    let script = place::root().join("docs/compose/secrets.sh");
    let run = || Command::new("sh").arg(&script).current_dir(&home).output().unwrap();
    assert!(run().status.success());
    let file = home.path().join("data/compose.env");
    let made = std::fs::read_to_string(&file).unwrap();
    let names: BTreeSet<String> = made.lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect();
    assert_eq!(names, wanted_secrets());
    assert!(!run().status.success(), "it overwrites secrets that are in use");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), made);

    // With them, the recorder's configuration is valid; without, it listens for everybody and is not.
    let mut check = Command::new(place::livetape());
    check.arg("check").arg(place::root().join("docs/compose/livetape.toml"));
    assert_eq!(check.output().unwrap().status.code(), Some(2));
    let secret =
        |name: &str| made.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap().to_owned();
    for line in source("docker-compose.yml").lines().map(str::trim).filter(|line| line.starts_with("LIVETAPE__")) {
        let (setting, value) = line.split_once(": ").unwrap();
        let name = value.split("${").nth(1).unwrap().split(":?").next().unwrap();
        check.env(setting, secret(name));
    }
    succeed(&mut check);
}

#[test]
fn dashboard_and_alerts_ask_for_what_is_counted() {
    let names = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.filter(|word| word.starts_with("livetape_")).map(str::to_owned).collect()
    };
    let known = names(&source("crates/server/src/metrics/names.rs"));
    let exported = |name: &str| {
        known.contains(name)
            || ["_bucket", "_sum", "_count"]
                .iter()
                .any(|of| name.strip_suffix(of).is_some_and(|name| known.contains(name)))
    };
    let dashboard = source("docs/compose/grafana/livetape.json");
    let json: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = json["panels"].as_array().unwrap();
    let rows: Vec<&str> =
        panels.iter().filter(|panel| panel["type"] == "row").map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(rows, ["Ingest", "Recordings", "Store", "Webhooks", "Disk", "Errors"]);
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            assert!(!names(target["expr"].as_str().unwrap()).is_empty(), "{target}");
        }
    }
    let alerts = source("docs/compose/alerts.yml");
    for (file, text) in [("dashboard", &dashboard), ("alerts", &alerts)] {
        let asked = names(text);
        assert!(asked.len() >= 10, "{file}: {asked:?}");
        let unknown: Vec<&String> = asked.iter().filter(|name| !exported(name)).collect();
        assert!(unknown.is_empty(), "{file}: nothing exports {unknown:?}");
    }
}

#[test]
fn what_is_configured_is_tried() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("livetape.toml");
    let check = |configuration: &str| {
        std::fs::write(&file, configuration).unwrap();
        Command::new(place::livetape()).args(["check", "--online"]).arg(&file).current_dir(&home).output().unwrap()
    };
    let well = check("");
    let said = text(&well.stdout);
    assert!(well.status.success() && said.contains("ok     data directory") && said.contains("ok     store"), "{said}");
    let wrong = check("[store]\npath = \"/dev/null\"\n");
    let said = text(&wrong.stdout);
    assert!(wrong.status.code() == Some(1) && said.contains("ERROR  store: /dev/null"), "{said}");
}

#[test]
fn the_service_unit_is_valid() {
    let unit = std::fs::read_to_string(place::root().join("docs/livetape.service")).unwrap();
    for line in ["ExecStart=/usr/bin/livetape serve", "StateDirectory=livetape", "NoNewPrivileges=yes"] {
        assert!(unit.contains(line), "{line}");
    }
    if Command::new("systemd-analyze").arg("--version").output().is_ok() {
        let output =
            Command::new("systemd-analyze").arg("verify").arg(place::root().join("docs/livetape.service")).output();
        let said = text(&output.unwrap().stderr);
        // Where it is not installed, it cannot be executed.
        let wrong: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("livetape.service:") && !line.contains("is not executable"))
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}

#[test]
fn a_healthy_program_is_called_healthy() {
    let mut livetape = livetape_testkit::Livetape::start(&livetape_testkit::livetape::Settings::new());
    let ask =
        |address: String| Command::new(place::livetape()).args(["healthcheck", "--http", &address]).status().unwrap();
    let address = livetape.http_address.to_string();
    assert!(ask(address.clone()).success());
    livetape.stop();
    assert!(!ask(address).success());
}

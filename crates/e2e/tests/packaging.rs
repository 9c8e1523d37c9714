//! The demo, the command line, and what the project is shipped in.

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

#[test]
fn the_compose_file_is_valid() {
    let mut compose = Command::new("docker-compose");
    compose.args(["--file", "docker-compose.yml", "config"]).current_dir(place::root());
    let without_secrets = compose.output().unwrap();
    assert!(!without_secrets.status.success(), "it starts without a token");
    compose
        .env("LIVETAPE_TOKEN", "0123456789abcdef")
        .env("LIVETAPE_WEBHOOK_SECRET", livetape_testkit::receiver::SECRET);
    let output = succeed(&mut compose);
    let printed = text(&output.stdout);
    for service in ["livetape:", "receiver:"] {
        assert!(printed.contains(service), "{printed}");
    }
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

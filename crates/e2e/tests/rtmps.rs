//! RTMP over TLS: real clients, certificates that are renewed, and peers that speak no TLS.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::Settings;
use livetape_testkit::program::{Running, text};
use livetape_testkit::{Livetape, Publisher, clip};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::FORMATS;

/// A certificate for this host, in files.
struct Files {
    home: TempDir,
}

impl Files {
    fn new(name: &str) -> Self {
        let files = Self { home: tempfile::tempdir().unwrap() };
        files.renew(name);
        files
    }

    /// Another certificate and key, for `name` besides 127.0.0.1.
    fn renew(&self, name: &str) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), name.to_owned()]).unwrap();
        fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        fs::write(self.certificate(), made.cert.pem()).unwrap();
    }

    fn certificate(&self) -> PathBuf {
        self.home.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.home.path().join("key.pem")
    }

    fn settings(&self) -> Settings {
        let quoted = |path: &Path| format!("{path:?}");
        Settings::new()
            .set("rtmps.listen", "\"127.0.0.1:0\"")
            .set("rtmps.certificate", &quoted(&self.certificate()))
            .set("rtmps.key", &quoted(&self.key()))
    }
}

/// Where it listens for TLS.
fn address(livetape: &Livetape) -> SocketAddr {
    eventually("the log says where it listens for TLS", || {
        let entries =
            livetape.log().into_iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(&line).ok());
        let mut found = entries.filter_map(|entry| entry["rtmps"].as_str()?.parse().ok());
        found.next().ok_or_else(|| livetape.log().join("\n"))
    })
}

/// The names in the certificate that a new connection is shown.
fn shown(address: SocketAddr) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string(), "-showcerts"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut reader = Command::new("openssl");
    reader.args(["x509", "-noout", "-ext", "subjectAltName"]).stdin(client.stdout.take().unwrap());
    let output = reader.output().unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    text(&output.stdout)
}

#[test]
fn real_clients_are_recorded_over_tls_frame_by_frame() {
    let files = Files::new("tape.example");
    let livetape = Livetape::start(&files.settings());
    let rtmps = address(&livetape);
    for version in Version::ALL {
        let stream = format!("secure-{version:?}");
        let url = format!("rtmps://{rtmps}/live/{stream}");
        // The newer one checks the certificate.
        let mut push = ffmpeg::command(version, &clip::plain(), &url, Pace::Fast);
        Running::start(push.env("SSL_CERT_FILE", files.certificate())).succeed(Duration::from_secs(60));
        let recordings = livetape.wait_ready(&stream, &FORMATS, 1);
        assert_recorded(&livetape, &recordings, &clip::plain());
        for recording in recordings {
            assert_eq!(recording.text("end_reason"), "unpublish");
        }
    }
    // Beside them, as ever.
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("plain"));
    assert_recorded(&livetape, &livetape.wait_ready("plain", &FORMATS, 1), &clip::plain());
}

#[test]
fn a_certificate_is_renewed_while_a_stream_goes_on() {
    let files = Files::new("first.example");
    let mut livetape = Livetape::start(&files.settings().formats(&["mp4"]));
    let rtmps = address(&livetape);
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &format!("rtmps://{rtmps}/live/long"), Pace::Loop);
    livetape.wait_live("long", 1.0);
    assert!(shown(rtmps).contains("first.example"), "{}", shown(rtmps));
    let wait_shown = |name: &str| {
        eventually(format!("the certificate of {name} is shown"), || match shown(rtmps) {
            names if names.contains(name) => Ok(()),
            names => Err(names),
        });
    };
    files.renew("second.example");
    livetape.signal(Signal::HUP);
    wait_shown("second.example");
    // By itself, too.
    files.renew("third.example");
    wait_shown("third.example");
    // What does not fit together changes nothing.
    fs::write(files.key(), "no key").unwrap();
    livetape.signal(Signal::HUP);
    eventually("it is told", || {
        let told = livetape.log().iter().any(|line| line.contains("the certificate before stays in force"));
        if told { Ok(()) } else { Err(livetape.log().join("\n")) }
    });
    wait_shown("third.example");
    assert_eq!(livetape.of_stream("long").len(), 1, "the stream was interrupted");
    // A publisher on TLS is told when the service stops, and its recording is whole.
    livetape.stop();
    drop(push);
    files.renew("fourth.example");
    livetape.start_again();
    let recordings = livetape.wait_ready("long", &["mp4"], 1);
    assert_eq!(recordings[0].text("end_reason"), "shutdown");
}

#[test]
fn whoever_speaks_no_tls_costs_a_connection_and_no_more() {
    let files = Files::new("tape.example");
    let livetape = Livetape::start(&files.settings().set("rtmp.handshake_timeout", "\"1s\""));
    let rtmps = address(&livetape);
    assert!(Publisher::try_publish(rtmps, "live", "plain").is_err());
    for first in [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", &[0; 5_000]] {
        let mut stream = TcpStream::connect(rtmps).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(first).unwrap();
        let mut answer = Vec::new();
        // An alert perhaps, and then the end.
        let ended = stream.read_to_end(&mut answer);
        assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
        assert!(answer.len() < 100, "{answer:?}");
    }
    let failed = "livetape_rtmp_connections_total{result=\"tls_failed\"} 5";
    eventually("they are counted", || match livetape.metrics() {
        metrics if metrics.contains(failed) => Ok(()),
        metrics => Err(metrics),
    });
    ffmpeg::push_all(Version::Debian, &clip::plain(), &format!("rtmps://{rtmps}/live/good"));
    assert_recorded(&livetape, &livetape.wait_ready("good", &FORMATS, 1), &clip::plain());
}

#[test]
fn files_that_do_not_fit_together_are_told_at_the_start() {
    let (files, other) = (Files::new("tape.example"), Files::new("other.example"));
    let start = |settings: &Settings| {
        let file = files.home.path().join("livetape.toml");
        fs::write(&file, settings.to_toml()).unwrap();
        let mut command = Command::new(livetape_testkit::place::livetape());
        command.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--config"]).arg(&file);
        let output = command.arg("--data").arg(files.home.path().join("data")).output().unwrap();
        assert!(!output.status.success());
        text(&output.stderr)
    };
    let mixed = start(&files.settings().set("rtmps.key", &format!("{:?}", other.key())));
    assert!(mixed.contains("the certificate and its key cannot be used"), "{mixed}");
    let missing = start(&files.settings().set("rtmps.certificate", "\"/nonexistent.pem\""));
    assert!(missing.contains("cannot read /nonexistent.pem"), "{missing}");
    let swapped = start(&files.settings().set("rtmps.certificate", &format!("{:?}", files.key())));
    assert!(swapped.contains("holds no certificate in PEM"), "{swapped}");
}

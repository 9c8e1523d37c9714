//! Whoever connects and whatever they send, the streams of the others are recorded to the last
//! frame.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::flv;
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::{Settings, files_below, path_of};
use livetape_testkit::publisher::{Publisher, amf, chunk, kind};
use livetape_testkit::{Livetape, clip};

use crate::FORMATS;

/// A stream that is recorded while the test does its worst; then it must be whole.
struct Bystander {
    publisher: Publisher,
    tags: Vec<flv::Tag>,
}

impl Bystander {
    fn begin(livetape: &Livetape) -> Self {
        let tags = flv::tags(&clip::plain());
        let mut publisher = Publisher::publish(livetape.rtmp, "live", "bystander");
        publisher.tags(&tags[..tags.len() / 2]);
        Self { publisher, tags }
    }

    fn end(self, livetape: &Livetape) {
        self.end_of(livetape, &FORMATS);
    }

    fn end_of(mut self, livetape: &Livetape, formats: &[&str]) {
        self.publisher.tags(&self.tags[self.tags.len() / 2..]);
        self.publisher.finish("bystander");
        assert_recorded(livetape, &livetape.wait_ready("bystander", formats, 1), &clip::plain());
        assert_eq!(livetape.http.get("/healthz").status, 200);
        let broken = livetape.log().iter().find(|line| line.contains("panic")).cloned();
        assert_eq!(broken, None);
    }
}

fn dial(livetape: &Livetape) -> TcpStream {
    let stream = TcpStream::connect(livetape.rtmp).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Whether the server closes the connection, whatever it says before.
fn is_closed(mut stream: TcpStream) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A sequence of bytes that looks random and is always the same.
fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn bytes_that_are_not_rtmp_are_refused() {
    let livetape = Livetape::start(&Settings::new());
    let bystander = Bystander::begin(&livetape);
    let tls = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    for first in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"POST /open/1 HTTP/1.1\r\n\r\n", &tls, b"SSH-2.0-x\r\n"] {
        let mut stream = dial(&livetape);
        stream.write_all(first).unwrap();
        assert!(is_closed(stream), "{first:?}");
    }
    for seed in 0..40 {
        let mut stream = dial(&livetape);
        // The server may close before all is sent.
        let _ = stream.write_all(&noise(seed, 20_000));
        let _ = stream.shutdown(Shutdown::Write);
        assert!(is_closed(stream), "noise {seed}");
    }
    eventually("all of them are in the log", || {
        let told = livetape.log().iter().filter(|line| line.contains("connection closed")).count();
        if told >= 44 { Ok(()) } else { Err(format!("{told} of 44")) }
    });
    bystander.end(&livetape);
}

#[test]
fn noise_after_the_handshake_is_refused() {
    let livetape = Livetape::start(&Settings::new());
    let bystander = Bystander::begin(&livetape);
    for seed in 0..60 {
        let mut publisher = Publisher::greet(livetape.rtmp);
        if seed % 3 > 0 {
            publisher.connect("live");
        }
        if seed % 3 > 1 {
            publisher.message_stream = publisher.create_stream();
            publisher.ask_to_publish(&format!("noise{seed}"));
        }
        let _ = publisher.try_write(&noise(seed, 30_000));
        publisher.close();
    }
    bystander.end(&livetape);
}

#[test]
fn a_torn_handshake_costs_nothing() {
    let livetape = Livetape::start(&Settings::new().set("rtmp.handshake_timeout", "\"1s\""));
    let bystander = Bystander::begin(&livetape);
    for length in [0, 1, 2, 9, 1000, 1536] {
        let mut stream = dial(&livetape);
        stream.write_all(&vec![3; length]).unwrap();
        // Says no more, and does not hang up: the server does.
        assert!(is_closed(stream), "after {length} bytes");
    }
    bystander.end(&livetape);
}

#[test]
fn a_hundred_half_open_connections_keep_nobody_out() {
    let livetape = Livetape::start(&Settings::new());
    let bystander = Bystander::begin(&livetape);
    let silent: Vec<TcpStream> = (0..100)
        .map(|n| {
            let mut stream = dial(&livetape);
            stream.write_all(&vec![3; n * 10]).unwrap();
            stream
        })
        .collect();
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("late"));
    assert_recorded(&livetape, &livetape.wait_ready("late", &FORMATS, 1), &clip::plain());
    bystander.end(&livetape);
    drop(silent);
}

#[test]
fn one_address_cannot_take_every_connection() {
    let livetape = Livetape::start(&Settings::new().set("rtmp.max_connections_per_address", "5"));
    let held: Vec<TcpStream> = (0..5).map(|_| dial(&livetape)).collect();
    assert!(is_closed(dial(&livetape)), "a sixth connection is served");
    drop(held);
    eventually("a place is free again", || {
        let mut stream = dial(&livetape);
        stream.write_all(&[3; 1537]).unwrap();
        let mut answer = [0; 1537];
        stream.read_exact(&mut answer).map_err(|error| error.to_string())
    });
}

#[test]
fn messages_that_lie_about_their_length_hold_no_memory() {
    let livetape = Livetape::start(&Settings::new());
    let bystander = Bystander::begin(&livetape);
    let resident = |livetape: &Livetape| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", livetape.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let before = resident(&livetape);
    let liars: Vec<Publisher> = (0..20)
        .map(|n| {
            let mut publisher = Publisher::publish(livetape.rtmp, "live", &format!("liar{n}"));
            for csid in 10..40 {
                let header = chunk::Header { csid, kind: kind::VIDEO, timestamp: 0, message_stream: 1 };
                let mut first = chunk::full(header, 0xff_ffff);
                first.extend_from_slice(&[0; 128]);
                let _ = publisher.try_write(&first);
            }
            publisher
        })
        .collect();
    for mut liar in liars {
        // Either it was sent away, or it still answers; in neither case is the memory held.
        let _ = liar.try_write(&[]);
        drop(liar);
    }
    let grown = resident(&livetape).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} kB more are held");
    bystander.end(&livetape);
}

#[test]
fn deep_and_long_values_are_refused() {
    let livetape = Livetape::start(&Settings::new());
    let bystander = Bystander::begin(&livetape);
    let command = chunk::Header { csid: 3, kind: kind::COMMAND, timestamp: 0, message_stream: 0 };
    let deep = [amf::encode(&[amf::string("connect"), amf::Amf::Number(1.0)]), [3, 0, 1, b'a'].repeat(20_000)].concat();
    let long = amf::encode(&[amf::string(&"x".repeat(1 << 20)), amf::Amf::Number(1.0)]);
    let array = [amf::encode(&[amf::string("connect")]), vec![10, 0xff, 0xff, 0xff, 0xff]].concat();
    for payload in [deep, long, array, vec![], vec![2], vec![0xff; 300]] {
        let mut publisher = Publisher::greet(livetape.rtmp);
        publisher.announce_chunk_size(60_000);
        let bytes = chunk::message(command, &payload, 60_000).concat();
        let _ = publisher.try_write(&bytes);
        publisher.close();
    }
    bystander.end(&livetape);
}

#[test]
fn names_never_become_paths() {
    let livetape = Livetape::start(&Settings::new().formats(&["mp4"]));
    let bystander = Bystander::begin(&livetape);
    let long = "n".repeat(10_000);
    let names = [
        ("live", ".."),
        ("..", "x"),
        ("live", "../../../../etc/passwd"),
        ("live", "a/b/c"),
        ("live", "/etc/passwd"),
        ("live", "a\\b"),
        ("live", "."),
        ("live", ".hidden"),
        ("live", "line\nbreak\r\tand\u{0}nul"),
        ("live", "\u{202e}gnp.exe"),
        ("live", "Ünïcödé 日本"),
        ("live", "%2e%2e%2fup"),
        ("live", "<script>alert(1)</script>"),
        ("live", "'; drop table recordings; --"),
        ("live", "con"),
        ("a/../../b", "x"),
        ("live", &long),
        (&long, "x"),
    ];
    let mut accepted = 0;
    for (app, name) in names {
        let mut publisher = Publisher::greet(livetape.rtmp);
        let Some(reply) = publisher.ask_to_connect(app) else { continue };
        if reply.code() != "NetConnection.Connect.Success" {
            assert_eq!(reply.level(), "error", "{reply:?}");
            continue;
        }
        publisher.message_stream = publisher.create_stream();
        let reply = publisher.ask_to_publish(name);
        if reply.code() == "NetStream.Publish.Start" {
            accepted += 1;
            publisher.tags(&flv::tags(&clip::plain()));
            publisher.unpublish(name);
        } else {
            assert_eq!(reply.level(), "error", "{reply:?}");
        }
        publisher.close();
    }
    bystander.end_of(&livetape, &["mp4"]);
    let recordings = eventually("all are ready", || {
        let recordings = livetape.recordings();
        let ready = recordings.iter().all(|recording| recording.text("state") == "ready");
        if ready && recordings.len() == accepted + 1 { Ok(recordings) } else { Err(format!("{recordings:#?}")) }
    });
    let media = livetape.data().join("media").canonicalize().unwrap();
    for recording in &recordings {
        let file = livetape.file(recording);
        assert!(file.canonicalize().unwrap().starts_with(&media), "{}", file.display());
        for part in recording.text("key").split('/') {
            let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-%".contains(&byte));
            assert!(plain && !part.starts_with('.') && !part.is_empty() && part.len() <= 255, "{part}");
        }
        let served = livetape.http.get(path_of(&recording.text("url")));
        assert_eq!((served.status, served.body.len() as i64), (200, recording.number("size_bytes")), "{recording:?}");
    }
    // Nothing has been written anywhere else.
    let home = livetape.data().parent().unwrap().to_owned();
    let stray = files_below(&home).into_iter().filter(|file| {
        let data = livetape.data();
        !["media", "spool", "lock", "pulse", ".pulse.new"].iter().any(|name| file.starts_with(data.join(name)))
            && !file.starts_with(data.join("livetape.db"))
            && !file.file_name().unwrap().to_string_lossy().starts_with("livetape.")
    });
    assert_eq!(stray.collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
    // A log line is a line, whatever a stream is called.
    for line in livetape.log() {
        let entry: Result<serde_json::Value, _> = serde_json::from_str(&line);
        assert!(entry.is_ok(), "{line}");
        assert!(!line.contains('\u{202e}'), "{line}");
    }
}

#[test]
fn secrets_in_push_addresses_stay_out_of_the_log() {
    let livetape = Livetape::start(&Settings::new().formats(&["mp4"]).set("log.level", "\"debug\""));
    let url = format!("{}?token=hunter2secret&txSecret=0123deadbeef", livetape.url("quiet"));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &url);
    livetape.wait_ready("quiet", &["mp4"], 1);
    let log = livetape.log().join("\n");
    assert!(!log.contains("hunter2secret") && !log.contains("0123deadbeef"), "{log}");
}

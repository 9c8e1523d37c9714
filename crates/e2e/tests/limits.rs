//! Those who hold connections without using them lose them; those who only pause do not; and when there
//! are too many, the program says so once and goes on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use livetape_testkit::deadline::{eventually, within};
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Launch, Livetape, Publisher, clip, flv};

/// How long the server lets a connection live that is made by `connect`, and on which `drip` is sent now and
/// then. Counted from before it is made, so that it is never less than what the server grants.
fn life(connect: impl FnOnce() -> TcpStream, drip: Option<u8>) -> Duration {
    let begun = Instant::now();
    let mut stream = connect();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut buffer = [0; 4096];
    within(Duration::from_secs(30), "the server closes", || {
        if let Some(byte) = drip
            && stream.write_all(&[byte]).is_err()
        {
            return Ok(());
        }
        match stream.read(&mut buffer) {
            Ok(0) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(()),
            _ => Err("open".to_owned()),
        }
    });
    begun.elapsed()
}

/// A handshake as a client shakes hands, of which nothing follows.
fn shaken(server: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(server).unwrap();
    let mut hello = vec![3];
    hello.resize(1 + 1536, 0);
    stream.write_all(&hello).unwrap();
    let mut reply = vec![0; 1 + 2 * 1536];
    stream.read_exact(&mut reply).unwrap();
    stream.write_all(&reply[1..1 + 1536]).unwrap();
    stream
}

#[test]
fn connections_that_are_held_without_use_are_closed_at_every_stage() {
    let settings = Settings::new()
        .set("rtmp.handshake_timeout", "\"1s\"")
        .set("rtmp.publish_timeout", "\"2s\"")
        .set("rtmp.idle_timeout", "\"1h\"");
    let livetape = Livetape::start(&settings);
    let rtmp = livetape.rtmp;
    let connected = move || TcpStream::connect(rtmp).unwrap();
    let lives = [
        ("nothing", thread::spawn(move || life(connected, None)), 1),
        ("a handshake byte by byte", thread::spawn(move || life(connected, Some(3))), 1),
        ("nothing after the handshake", thread::spawn(move || life(|| shaken(rtmp), None)), 2),
        // It becomes a header that makes no sense before the time is up.
        ("a message byte by byte", thread::spawn(move || life(|| shaken(rtmp), Some(2))), 0),
    ];
    for (what, life, seconds) in lives {
        let life = life.join().unwrap();
        println!("{what}: closed after {life:?}");
        assert!(life >= Duration::from_secs(seconds), "{what}: {life:?}");
    }
}

#[test]
fn an_encoder_that_pauses_is_waited_for_and_one_that_never_comes_back_is_not() {
    let settings = Settings::new().set("rtmp.idle_timeout", "\"10s\"").set("record.stall_warning", "\"1s\"");
    let livetape = Livetape::start(&settings);
    let tags = flv::tags(&clip::plain());
    let half = tags.len() / 2;
    let mut paused = Publisher::publish(livetape.rtmp, "live", "paused");
    paused.tags(&tags[..half]);
    let mut gone = Publisher::publish(livetape.rtmp, "live", "gone");
    gone.tags(&tags[..half]);
    let silent = |wanted: usize| {
        let streams = livetape.http.json("/v1/streams");
        let items = streams["items"].as_array().unwrap();
        let silent = items.iter().filter(|stream| stream["silent"] == true).count();
        if silent == wanted { Ok(()) } else { Err(format!("{streams:#}")) }
    };
    eventually("both are told to be silent", || silent(2));
    paused.tags(&tags[half..]);
    paused.finish("paused");
    eventually("the silent one that never came back is gone", || silent(0));
    let ended = |stream: &str| livetape.wait_ready(stream, &crate::FORMATS, 1)[0].text("end_reason");
    assert_eq!((ended("paused").as_str(), ended("gone").as_str()), ("unpublish", "idle_timeout"));
}

#[test]
fn connections_refused_in_masses_are_logged_by_their_number() {
    let livetape = Livetape::start(&Settings::new().set("rtmp.max_connections_per_address", "4"));
    let kept: Vec<TcpStream> = (0..4).map(|_| shaken(livetape.rtmp)).collect();
    for _ in 0..300 {
        life(|| TcpStream::connect(livetape.rtmp).unwrap(), None);
    }
    let lines = eventually("the refusals are in the log", || {
        let log = livetape.log();
        let lines = log.iter().filter(|line| line.contains("rtmp.max_connections_per_address")).count();
        if lines > 0 { Ok(lines) } else { Err(log.join("\n")) }
    });
    assert!(lines <= 5, "{lines} lines for 300 connections");
    let metrics = livetape.metrics();
    let refused = "livetape_rtmp_connections_total{result=\"too_many_from_address\"} 300";
    assert!(metrics.contains(refused), "{metrics}");
    drop(kept);
}

/// What the server says of its health, on a connection of its own.
fn health(http: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(http)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn health_is_answered_while_publishers_have_taken_all_descriptors_they_may() {
    let settings = Settings::new().set("rtmp.handshake_timeout", "\"60s\"");
    let livetape = Livetape::start_as(&settings, Launch::default().by(["prlimit", "--nofile=64"]));
    let http: SocketAddr = livetape.http_address;
    let crowd: Vec<TcpStream> = (0..120).filter_map(|_| TcpStream::connect(livetape.rtmp).ok()).collect();
    eventually("publishers have taken what they may", || {
        let log = livetape.log();
        let told = log.iter().filter(|line| line.contains("RTMP connections are refused")).count();
        if told == 1 { Ok(()) } else { Err(format!("told {told} times")) }
    });
    let answered = (0..20).filter(|_| health(http).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))).count();
    println!("{answered} of 20 were answered with {} connections in the way", crowd.len());
    assert_eq!(answered, 20);
    drop(crowd);
    eventually("publishers are taken again", || Publisher::try_publish(livetape.rtmp, "live", "late")).close();
}

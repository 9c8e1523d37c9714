//! Signed push URLs, made by Python as an operator's server would.

use std::process::Command;

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::program::{succeed, text};
use livetape_testkit::{Livetape, Publisher, clip};

use super::{DENIED, STARTED, answered, denials, denied, is_refused, settings};
use crate::FORMATS;

const KEY: &str = "FVHd8gSwTnkTvXvZ8g2a";
const BACKUP_KEY: &str = "pLw0sX9cQ2mK7rBn4tYe";

/// The name and query of a URL that is good for so many seconds, signed with another hash library than ours.
fn signed(hash: &str, key: &str, stream: &str, seconds: i64, digits: char) -> String {
    let program = format!(
        "import hashlib, time\n\
         expiry = format(int(time.time()) + {seconds}, '08{digits}')\n\
         print('{stream}?txSecret=' + hashlib.{hash}(('{key}' + '{stream}' + expiry).encode()).hexdigest() + '&txTime=' + expiry)"
    );
    let printed = text(&succeed(Command::new("python3").args(["-c", &program])).stdout);
    printed.trim().to_owned()
}

fn start(hash: &str) -> Livetape {
    let settings = settings("signed").set("push.key", &format!("\"{KEY}\"")).set("push.hash", &format!("\"{hash}\""));
    Livetape::start(&settings.set("push.backup_key", &format!("\"{BACKUP_KEY}\"")))
}

#[test]
fn urls_signed_by_another_program_are_good_for_real_clients() {
    for hash in ["md5", "sha256"] {
        let livetape = start(hash);
        let ways = [(KEY, 'X', Version::Debian), (BACKUP_KEY, 'x', Version::Current)];
        for (number, (key, digits, version)) in ways.into_iter().enumerate() {
            let stream = format!("signed{number}");
            let url = livetape.url(&signed(hash, key, &stream, 600, digits));
            ffmpeg::push_all(version, &clip::plain(), &url);
            assert_recorded(&livetape, &livetape.wait_ready(&stream, &FORMATS, 1), &clip::plain());
            is_refused(&livetape, version, &signed(hash, key, &stream, -60, digits));
            for other in [
                stream.clone(),
                signed(hash, "another-key-another-key", &stream, 600, digits),
                signed(hash, key, "another", 600, digits).replace("another", &stream),
            ] {
                assert_eq!(answered(&livetape, &other).0, DENIED, "{other}");
            }
        }
        assert_eq!((denied(&livetape, "missing"), denied(&livetape, "wrong"), denied(&livetape, "expired")), (2, 4, 2));
        assert_eq!(denials(&livetape, 8).len(), 8, "one line each");
    }
}

#[test]
fn a_stream_goes_on_when_its_url_expires_and_the_url_is_good_no_more() {
    let livetape = start("md5");
    let key = signed("md5", KEY, "long", 5, 'X');
    let push = ffmpeg::push(Version::Debian, &clip::plain(), &livetape.url(&key), Pace::Loop);
    livetape.wait_live("long", 1.0);
    eventually("the URL expires", || if expired(&key) { Ok(()) } else { Err("not yet".to_owned()) });
    // Asked for on the same name: one that is refused must not take over.
    let (code, description) = answered(&livetape, &key);
    assert_eq!((code.as_str(), description.as_str()), (DENIED, "the URL has expired"));
    let before = livetape.of_stream("long")[0].number("duration_ms");
    eventually("the stream goes on", || {
        let recordings = livetape.of_stream("long");
        assert_eq!(recordings.len(), FORMATS.len(), "it was interrupted");
        let now = recordings[0].number("duration_ms");
        if now > before + 2_000 { Ok(()) } else { Err(format!("{before} ms, then {now} ms")) }
    });
    assert_eq!(answered(&livetape, &signed("md5", KEY, "other", 60, 'X')).0, STARTED);
    push.kill();
    livetape.wait_ready("long", &FORMATS, 1);
}

/// Whether the URL's time is over, for a clock that may be a second off.
fn expired(key: &str) -> bool {
    let time = key.rsplit_once('=').unwrap().1;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    now > u64::from_str_radix(time, 16).unwrap() + 1
}

#[test]
fn hostile_signatures_are_refused_and_not_in_the_log() {
    let livetape = start("md5");
    let good = signed("md5", KEY, "cam", 600, 'X');
    let (secret, time) = good.split_once("txSecret=").unwrap().1.split_once("&txTime=").unwrap();
    let hostile = [
        format!("cam?txSecret={}&txTime={time}", "0".repeat(32)),
        format!("cam?txSecret={secret}&txTime={}", time.to_lowercase() + "0"),
        format!("cam?txSecret={secret}&txTime=FFFFFFFFFFFFFFFFFFFF"),
        format!("cam?txSecret={secret}&txTime={time}&txTime=FFFFFFFF"),
        format!("cam?txSecret={secret}&txTime=%00{time}"),
        format!("cam?txSecret={}&txTime={time}", "f".repeat(60_000)),
        format!("cam?txSecret=&txTime={time}"),
        "cam?txSecret&txTime".to_owned(),
        "cam?".to_owned(),
        format!("cam%00?txSecret={secret}&txTime={time}"),
    ];
    for key in &hostile {
        let let_in = Publisher::try_publish(livetape.rtmp, "live", key).is_ok();
        assert!(!let_in, "{}", &key[..key.len().min(200)]);
    }
    assert_eq!(answered(&livetape, &good).0, STARTED);
    let log = livetape.log().join("\n");
    assert!(!log.contains(secret) && !log.contains(KEY) && !log.contains("ffffffff"), "{log}");
}

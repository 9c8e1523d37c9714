//! Writes inputs that reach far at once into `DIRECTORY/TARGET/`: captures of real clients, the sample's
//! tags, files as the muxers write them. `cargo run --package livetape-fuzz --example seeds DIRECTORY`

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use livetape_flv::{TagKind, Tags};
use livetape_fuzz::footage;
use livetape_fuzz::recordings::{LAYOUTS, policy, record};

fn main() {
    let into = PathBuf::from(std::env::args().nth(1).expect("the directory to write to"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let media = sessions(root).into_iter().chain(tags(root)).chain(scripts()).chain(files());
    for (target, name, input) in media.chain(texts(root)) {
        let directory = into.join(target);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(name), input).unwrap();
    }
}

type Seed = (&'static str, String, Vec<u8>);

/// What real clients sent, let in at once or after all of it.
fn sessions(root: &Path) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for capture in fs::read_dir(root.join("crates/rtmp/tests/captures")).unwrap().map(Result::unwrap) {
        let name = capture.file_name().into_string().unwrap();
        let bytes = fs::read(capture.path()).unwrap();
        for piece in [bytes.len(), 1_000].into_iter().filter(|_| name.ends_with(".bin")) {
            let mut input = vec![0, 40];
            for piece in bytes.chunks(piece) {
                input.push(0);
                input.extend((piece.len() as u16).to_be_bytes());
                input.extend_from_slice(piece);
                input.push(11);
            }
            seeds.push(("session", format!("seed-{name}-{piece}"), input));
        }
    }
    seeds
}

/// The sample's shorter tags.
fn tags(root: &Path) -> Vec<Seed> {
    let sample = Bytes::from(fs::read(root.join("fixtures/sample.flv")).unwrap());
    let mut input = Vec::new();
    for tag in Tags::of(sample).unwrap().map(Result::unwrap).take(120) {
        let kind = match tag.kind {
            TagKind::Audio => 0,
            TagKind::Video => 1,
            TagKind::Script => 2,
        };
        let body = tag.body.get(..200).unwrap_or(&tag.body);
        let [.., high, low] = tag.timestamp_ms.to_be_bytes();
        input.extend([kind, high, low, body.len() as u8]);
        input.extend_from_slice(body);
    }
    input.chunks(4_000).enumerate().map(|(number, part)| ("tags", format!("seed-{number}"), part.to_vec())).collect()
}

/// A few seconds at 25 pictures and 47 sounds a second, with the trouble there is.
fn scripts() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, trouble) in [
        ("plain", &[][..]),
        ("split", &[0x0f, 0]),
        ("suspended", &[0x4f, 0]),
        ("resumed", &[0x7f, 0]),
        ("given-up", &[0x3f, 0]),
        ("changed", &[0x0c, 31]),
        ("jumped", &[0x0d, 200]),
        ("back", &[0x1d, 200]),
        ("mp3", &[0x6c, 0]),
        ("opus", &[0x7c, 0]),
        ("paused", &[0x4e, 90]),
        ("away", &[0xef, 0x20]),
        ("away-and-collapsed", &[0xff, 0x20]),
        ("away-on-the-same-clock", &[0xef, 0x52]),
        ("back-with-other-pictures", &[0xef, 0x21]),
        ("back-with-other-sound", &[0xff, 0x24]),
        ("back-and-away-again", &[0xef, 0x10, 0x07, 21, 0xff, 0x10]),
        ("split-while-away", &[0xef, 0x10, 0x0f, 0]),
        ("given-up-while-away", &[0xef, 0x10, 0x3f, 0]),
        ("suspended-while-away", &[0xef, 0x10, 0x4f, 0, 0x20, 40, 0x7f, 0]),
        ("calendar-set-while-away", &[0xef, 0x10, 0xce, 90]),
        ("back-with-opus", &[0xef, 0x10, 0x7c, 0]),
    ] {
        let script = script(trouble);
        for limits in [0, 1, 3] {
            seeds.push(("recorder", format!("seed-{name}-{limits}"), [&[limits][..], &script].concat()));
        }
        for layout in 0..4u8 {
            let head = [layout, 0xb0, 0x17, 0x80, 0, 0x40, 0, 0, 0, 0];
            seeds.push(("salvage", format!("seed-{name}-{layout}"), [&head[..], &script].concat()));
        }
    }
    let gone = [&script(&[])[..200], &[0xef, 0x20]].concat();
    seeds.push(("recorder", "seed-never-back".to_owned(), [&[3][..], &gone].concat()));
    for layout in 4..8u8 {
        for done in 0..8u8 {
            let head = [layout, done * 32 + 31, 0x17, 0x80, 0, 0x40, 0, 0, 0, 0];
            seeds.push(("salvage", format!("seed-sample-{layout}-{done}"), head.to_vec()));
        }
    }
    seeds
}

fn script(trouble: &[u8]) -> Vec<u8> {
    let mut script = Vec::new();
    for picture in 0..120 {
        script.extend([if picture % 25 == 0 { 0x10 } else { 0x20 }, 40, 0x07, 21]);
        if picture % 2 == 0 {
            script.extend([0x07, 21, 0x0e, 40]);
        }
        if picture % 40 == 30 {
            script.extend_from_slice(trouble);
        }
    }
    script
}

/// Files as they are when a recording is over, and when it is not.
fn files() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (number, selector) in [(0, 0), (2, 1)] {
        let recorded =
            record(policy(LAYOUTS[number], Duration::from_secs(9), Duration::ZERO), &footage::read(&script(&[])));
        for part in [4, 3, 2, 1] {
            let recording = &recorded.recordings[0];
            let mut directory = livetape_fuzz::directory::Directory::default();
            recording.ops[..recording.ops.len() * part / 4].iter().for_each(|op| directory.perform(op));
            for (_, entry) in directory.entries() {
                let head = [selector | if entry.growing { 0 } else { 0x80 }];
                seeds.push(("scan", format!("seed-{number}-{part}"), [&head[..], &entry.bytes].concat()));
            }
        }
    }
    seeds
}

/// Requests, settings and signatures as they should be, or nearly.
fn texts(root: &Path) -> Vec<Seed> {
    let reference = fs::read_to_string(root.join("docs/livetape.toml")).unwrap();
    // Defaults stand there as comments: `#listen = ...`
    let setting =
        |line| str::strip_prefix(line, "#").filter(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase()));
    let settings: Vec<&str> = reference.lines().map(|line| setting(line).unwrap_or(line)).collect();
    let settings = settings.join("\n");
    let configs: [(u8, &str); 16] = [
        (0, &settings),
        (
            0,
            "[[webhooks]]\nurl = \"https://example.org/hook?k=v\"\nsecret = \"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n",
        ),
        (
            0,
            "[record]\nformats = [\"mp4\", \"hls\"]\nsegment = \"2s\"\nname = \"{app}/{stream}-{start}-{sequence}.{ext}\"\n",
        ),
        (1, "HTTP__LISTEN=127.0.0.1:8080\nRECORD__FORMATS=mp4,flv\nLOG__LEVEL=debug\nRTMP__MAX_CONNECTIONS=7"),
        (2, "64 MiB"),
        (2, "1.5GB"),
        (3, "1h30m"),
        (3, "250ms"),
        (4, "[::]:1935"),
        (4, ":8080"),
        (5, "https://user@example.org:8443/hook?x=1"),
        (5, "http://[::1]/"),
        (6, "live\ncaf\u{e9} ../\u{202e}%2e"),
        (6, "..\n.hidden"),
        (7, "{app}/{stream}/{yyyy}-{mm}-{dd}/{stream}-{start}-{sequence}.{ext}"),
        (7, "{session}/{hh}{stream}{format}{sequence}.{ext}"),
    ];
    let requests = [
        (0u8, "stream=caf%C3%A9+1&limit=5&from=2026-11-22T22:07:00+01:00&format=mp4&limit=0&colour=red"),
        (0, "id=rec_00000000000000000000000000000000_mp4_1&session=ses_00000000000000000000000000000000"),
        (1, "100%25%zz%4"),
        (2, "bytes=0-499"),
        (2, "9500-99999999999999999999999"),
        (2, "-500"),
        (3, "W/\"0-0\", *\nThu, 01 Jan 1970 00:00:00 GMT"),
        (4, "AQAAAAAAAAAAAAAAAAAAAAByZWNfMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDBfbXA0XzE"),
    ];
    let counted = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
    let message =
        [counted("evt_1"), counted("1800000000"), counted("v1,AAAA v1a,BBBB v2,CCCC"), b"{}".to_vec()].concat();
    let secrets = [
        (0u8, message),
        (1, b"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_vec()),
        (2, b"record=mp4&txSecret=abc&txTime=658D3AEE&&x".to_vec()),
    ];
    let mut seeds = Vec::new();
    for (number, (kind, text)) in configs.into_iter().enumerate() {
        seeds.push(("config", format!("seed-{number}"), [&[kind][..], text.as_bytes()].concat()));
    }
    for (number, (kind, text)) in requests.into_iter().enumerate() {
        seeds.push(("http", format!("seed-{number}"), [&[kind, 0, 0, 0x27, 0x10][..], text.as_bytes()].concat()));
    }
    for (number, (kind, bytes)) in secrets.into_iter().enumerate() {
        seeds.push(("secrets", format!("seed-{number}"), [&[kind][..], &bytes].concat()));
    }
    seeds
}

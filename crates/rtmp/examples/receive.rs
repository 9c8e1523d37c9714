//! A server that takes pushes and says what came: the smallest shell around a session.
//!
//! ```text
//! cargo run -p livetape-rtmp --example receive -- 127.0.0.1:1935 [capture-directory]
//! ffmpeg -re -i clip.mp4 -c copy -f flv rtmp://127.0.0.1:1935/live/clip
//! ```
//! A stream called `refused` is refused. With a directory, what each connection received is kept in it
//! byte for byte: the seeds of the hostile-input tests are made that way.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use livetape_media::{Item, Now, WallTime};
use livetape_rtmp::{Limits, Output, PublishId, Rejection, RejectionCode, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:1935".to_owned());
    let directory = arguments.next().map(PathBuf::from);
    let listener = TcpListener::bind(&address)?;
    println!("listening on {}", listener.local_addr()?);
    for (number, stream) in listener.incoming().enumerate() {
        let (stream, directory) = (stream?, directory.clone());
        std::thread::spawn(move || {
            if let Err(error) = serve(stream, number, directory) {
                println!("#{number} {error}");
            }
        });
    }
    Ok(())
}

#[derive(Default)]
struct Tally {
    tracks: Vec<String>,
    frames: BTreeMap<&'static str, u64>,
    bytes: u64,
    metadata: u64,
    warnings: Vec<String>,
}

fn serve(mut stream: TcpStream, number: usize, directory: Option<PathBuf>) -> Result<(), Box<dyn Error>> {
    let origin = Instant::now();
    let now = || {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { mono: origin.elapsed(), wall: WallTime::from_unix_millis(unix.as_millis() as i64) }
    };
    let mut capture = match directory {
        Some(path) => {
            let path = path.join(format!("connection-{number}.bin"));
            Some(OpenOptions::new().write(true).create_new(true).open(path)?)
        }
        None => None,
    };
    stream.set_nodelay(true)?;
    let mut session = Session::new(Limits::default(), now());
    let mut tallies: BTreeMap<PublishId, Tally> = BTreeMap::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        while let Some(output) = session.poll_output() {
            match output {
                // The peer may be gone already; what it said last still counts.
                Output::Send(bytes) => drop(stream.write_all(&bytes)),
                Output::PublishRequested(request) => {
                    println!(
                        "#{number} {}/{} query {:?} from {:?} to {:?}",
                        request.app, request.stream, request.query, request.encoder, request.tc_url
                    );
                    if request.stream == "refused" {
                        let description = "This stream is refused.".to_owned();
                        session.reject(request.id, &Rejection { code: RejectionCode::Denied, description }, now());
                    } else {
                        session.accept(request.id, now());
                    }
                }
                Output::Item { publish, item } => note(number, tallies.entry(publish).or_default(), item),
                Output::Close { error } => {
                    println!("#{number} closed: {error:?}");
                    return Ok(());
                }
            }
        }
        let wait = session.poll_timeout().map(|due| due.saturating_sub(now().mono).max(Duration::from_millis(1)));
        stream.set_read_timeout(wait)?;
        match stream.read(&mut buffer) {
            Ok(0) => session.handle_eof(now()),
            Ok(count) => {
                let data = buffer.get(..count).unwrap_or_default();
                if let Some(capture) = &mut capture {
                    capture.write_all(data)?;
                }
                session.handle_input(data, now());
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                session.handle_timeout(now());
            }
            Err(_) => session.handle_eof(now()),
        }
    }
}

fn note(number: usize, tally: &mut Tally, item: Item) {
    match item {
        Item::Track(track) => tally.tracks.push(track.config.rfc6381()),
        Item::Frame(frame) => {
            *tally.frames.entry(frame.track.kind.name()).or_default() += 1;
            tally.bytes += frame.data.len() as u64;
        }
        Item::Metadata(_) => tally.metadata += 1,
        Item::Jump { by, .. } => tally.warnings.push(format!("jump by {by}")),
        Item::Moved { back, .. } => tally.warnings.push(format!("{back} back")),
        Item::Warning(warning) => tally.warnings.push(warning.detail),
        Item::End(reason) => {
            let Tally { tracks, frames, bytes, metadata, warnings } = tally;
            println!(
                "#{number} end: {}; tracks {tracks:?} frames {frames:?} ({bytes} bytes) metadata {metadata} warnings {warnings:?}",
                reason.name()
            );
        }
    }
}

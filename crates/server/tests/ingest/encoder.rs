//! An encoder on a thread of its own, at the pace of the clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use livetape_testkit::flv::{Kind, Tag};
use livetape_testkit::publisher::Publisher;

/// High profile, 320x180, 25 frames a second.
const AVC: &[u8] = b"\x01\x64\x00\x0c\xff\xe1\x00\x1a\x67\x64\x00\x0c\xac\xd9\x41\x41\x9f\x9f\x01\x10\x00\x00\
    \x03\x00\x10\x00\x00\x03\x03\x20\xf1\x42\x99\x60\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

/// Pushes until it is told to stop.
pub(crate) struct Encoder {
    stop: Arc<AtomicBool>,
    pause: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// Pictures 40 ms apart with a key frame each second, `bytes` each.
fn picture(number: u32, bytes: usize) -> Tag {
    let key = number.is_multiple_of(25);
    let mut nal = vec![if key { 0x65 } else { 0x41 }];
    nal.resize(bytes.max(16), 0x80 | number as u8);
    let head = [if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    let body = [&head[..], &(nal.len() as u32).to_be_bytes(), &nal].concat();
    Tag { kind: Kind::Video, timestamp: number * 40, body }
}

/// The decoder's configuration.
pub(crate) fn configuration() -> Tag {
    Tag { kind: Kind::Video, timestamp: 0, body: [&[0x17, 0, 0, 0, 0], AVC].concat() }
}

impl Encoder {
    /// Pushes `live/NAME`, pictures of `bytes` each.
    pub(crate) fn start(server: SocketAddr, name: &str, bytes: usize) -> Self {
        let mut publisher = Publisher::publish(server, "live", name);
        publisher.announce_chunk_size(60_000);
        publisher.tag(&configuration());
        let (stop, pause, sent) =
            (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let name = name.to_owned();
        let (stopped, paused, count) = (stop.clone(), pause.clone(), sent.clone());
        let thread = std::thread::spawn(move || {
            let mut begun = Instant::now();
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                let due = begun + Duration::from_millis(u64::from(number) * 40);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if paused.load(Ordering::Relaxed) {
                    begun += Duration::from_millis(40);
                    continue;
                }
                publisher.tag(&picture(number, bytes));
                number += 1;
                count.store(u64::from(number), Ordering::Relaxed);
            }
            publisher.unpublish(&name);
        });
        Self { stop, pause, sent, thread: Some(thread) }
    }

    /// Stops sending without closing, or goes on.
    pub(crate) fn pause(&self, pause: bool) {
        self.pause.store(pause, Ordering::Relaxed);
    }

    /// Ends the publish; how many pictures were sent.
    pub(crate) fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

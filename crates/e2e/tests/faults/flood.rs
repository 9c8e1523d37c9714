//! Everything at once that strangers send, and publishers faster than any disk: memory stays within
//! what is configured, and those who behave lose nothing.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use livetape_testkit::deadline::within;
use livetape_testkit::fleet::{SessionLog, rush};
use livetape_testkit::livetape::Settings;
use livetape_testkit::publisher::{chunk, kind};
use livetape_testkit::{Census, Dice, Film, Fleet, Livetape, Publisher, Receiver, clip, machine};

/// What the configuration allows for media that waits for the disk, and as much again for messages
/// that are not whole yet.
const ALLOWED_MIB: u64 = 64;
/// What the program needs besides: its caches, its threads, what the allocator keeps.
const BESIDES_MIB: u64 = 96;

/// What a flood did.
pub struct Flooded {
    /// Memory in KiB: before, and the most.
    pub resident_kib: [u64; 2],
    /// Connections of strangers.
    pub strangers: u64,
    /// Sessions of publishers in a hurry.
    pub rushed: usize,
    /// What is in the recordings afterwards.
    pub census: Census,
}

/// Connections that are left open for a while, the oldest closed first.
struct Held(Vec<TcpStream>);

impl Held {
    fn keep(&mut self, stream: TcpStream) {
        self.0.push(stream);
        if self.0.len() > 40 {
            self.0.remove(0);
        }
    }
}

/// One stranger's manners, round after round.
fn misbehave(server: SocketAddr, dice: &mut Dice, held: &mut Held) {
    match dice.below(5) {
        // Noise.
        0 => {
            if let Ok(mut stream) = TcpStream::connect(server) {
                let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
                let length = dice.below(60_000) as usize;
                let _ = stream.write_all(&dice.bytes(length));
            }
        }
        // Half a handshake.
        1 => {
            if let Ok(mut stream) = TcpStream::connect(server) {
                let length = dice.below(1537) as usize;
                let _ = stream.write_all(&vec![3; length]);
                held.keep(stream);
            }
        }
        // A publisher whose messages are never whole, on as many chunk streams as it gets.
        2 => {
            let name = format!("liar{}", dice.below(1_000_000));
            if let Ok(mut publisher) = Publisher::try_publish(server, "live", &name) {
                for csid in 10..40 {
                    let header = chunk::Header { csid, kind: kind::VIDEO, timestamp: 0, message_stream: 1 };
                    let mut first = chunk::full(header, 7 << 20);
                    first.extend_from_slice(&[0; 128]);
                    let more = [chunk::basic(3, csid), vec![0; 128]].concat().repeat(dice.below(400) as usize);
                    if publisher.try_write(&[first, more].concat()).is_err() {
                        break;
                    }
                }
                held.keep(publisher.into_stream());
            }
        }
        // Many that come and go.
        3 => (0..20).for_each(|_| drop(TcpStream::connect(server))),
        // Noise after the handshake.
        _ => {
            if let Ok(publisher) = Publisher::try_publish(server, "live", &format!("noise{}", dice.below(1_000_000))) {
                let mut stream = publisher.into_stream();
                let _ = stream.write_all(&dice.bytes(30_000));
            }
        }
    }
}

/// Floods the program for `length`.
pub fn flood(length: Duration) -> Flooded {
    let receiver = Receiver::start();
    let settings = Settings::new()
        .webhook(&receiver)
        .set("rtmp.max_total_memory", &format!("\"{ALLOWED_MIB}MiB\""))
        .set("record.max_held_total", &format!("\"{ALLOWED_MIB}MiB\""))
        .set("record.max_held_size", "\"8MiB\"")
        .set("log.level", "\"error\"");
    // Where it listens is said at a lower level.
    let settings = settings.set("log.level", "\"error,livetape_server::serve=info\"");
    let livetape = Livetape::start(&settings);
    let film = Film::new(&clip::plain());
    let fleet = Fleet::start(livetape.rtmp, &film, 2);
    fleet.wait_all_live(Duration::from_secs(1));
    let before = machine::resident_kib(livetape.pid());
    let (over, strangers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let server = livetape.rtmp;
    let seed = Dice::thrown().throw();
    let attackers: Vec<_> = (0..4)
        .map(|number| {
            let (over, strangers) = (over.clone(), strangers.clone());
            thread::spawn(move || {
                let (mut dice, mut held) = (Dice::new(seed ^ number), Held(Vec::new()));
                while !over.load(Ordering::Relaxed) {
                    misbehave(server, &mut dice, &mut held);
                    strangers.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let hurried: Vec<_> = (0..4)
        .map(|number| {
            let (over, film) = (over.clone(), film.clone());
            thread::spawn(move || {
                let mut logs: Vec<SessionLog> = Vec::new();
                for session in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    // Half a minute of film at once, and again every other second.
                    let begun = Instant::now();
                    logs.extend(rush(server, &film, 100 + number, session, Duration::from_secs(30)));
                    while begun.elapsed() < Duration::from_secs(2) && !over.load(Ordering::Relaxed) {
                        thread::sleep(Duration::from_millis(20));
                    }
                }
                logs
            })
        })
        .collect();
    let (begun, mut most, mut told) = (Instant::now(), before, Instant::now());
    within(length + Duration::from_secs(60), "the flood is over", || {
        most = most.max(machine::resident_kib(livetape.pid()));
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            println!("{:?}: {} strangers, at most {most} KiB", begun.elapsed(), strangers.load(Ordering::Relaxed));
        }
        if begun.elapsed() > length { Ok(()) } else { Err(String::new()) }
    });
    over.store(true, Ordering::Relaxed);
    attackers.into_iter().for_each(|thread| thread.join().unwrap());
    let mut sessions: Vec<SessionLog> = hurried.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let rushed = sessions.len();
    assert!(fleet.crew().ended.is_empty(), "those who behave were sent away");
    sessions.extend(fleet.finish());
    let census = Census::take(&livetape, &film, &sessions, &receiver);
    Flooded { resident_kib: [before, most], strangers: strangers.load(Ordering::Relaxed), rushed, census }
}

/// Panics if more memory was held than is allowed.
pub fn assert_within_budget(flooded: &Flooded) {
    let [before, most] = flooded.resident_kib;
    let allowed = (2 * ALLOWED_MIB + BESIDES_MIB) * 1024;
    println!(
        "{} strangers, {} sessions in a hurry: {before} KiB before, at most {most} KiB, {allowed} KiB are allowed",
        flooded.strangers, flooded.rushed
    );
    assert!(most <= allowed, "{most} KiB were held, {allowed} KiB are allowed");
}

#[test]
fn a_flood_stays_within_the_memory_that_is_allowed_and_costs_the_others_nothing() {
    let flooded = flood(Duration::from_secs(8));
    assert_within_budget(&flooded);
    flooded.census.assert_sound();
    assert!(flooded.strangers > 50 && flooded.rushed > 4, "{} strangers, {} rushed", flooded.strangers, flooded.rushed);
}

//! The program dies, or its disk fails, at the n-th call of a kind: over opening, cutting, finishing,
//! putting into the store and announcing.

use std::time::Duration;

use livetape_testkit::livetape::Settings;
use livetape_testkit::{Census, Film, Launch, Livetape, Receiver, Strace, clip, fleet};

use crate::FORMATS;

/// The calls by which the program changes its disk, and `write`, by which it also speaks to others.
pub const CALLS: [&str; 12] = [
    "write",
    "pwritev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat2",
    "linkat",
    "unlink",
    "mkdir",
    "ftruncate",
    "openat",
];

/// What one fault came to.
pub enum Outcome {
    /// The program never made so many of these calls.
    Unreached,
    /// It happened; how much media is missing between recordings, in milliseconds.
    Survived(Vec<u32>),
}

/// Two streams are pushed, each cut once, while the fault waits; then another session goes well, after
/// a restart where the program died. Panics unless everything is whole.
pub fn try_fault(fault: &str) -> Outcome {
    let receiver = Receiver::start();
    let settings = FORMATS.iter().fold(Settings::new().webhook(&receiver), |settings, format| {
        settings.set(&format!("record.{format}_max_duration"), "\"2s\"")
    });
    let settings = settings.set("record.segment_duration", "\"2s\"").set("record.sync_interval", "\"100ms\"");
    let mut livetape = Livetape::start_as(&settings, Launch::default().at_fixed_addresses());
    let film = Film::new(&clip::plain());
    let strace = Strace::inject(&livetape, fault);
    let media = Duration::from_millis(5_300);
    let mut sessions: Vec<_> =
        (0..2).filter_map(|stream| fleet::rush(livetape.rtmp, &film, stream, 0, media)).collect();
    // How much of them is missing is not asked here: they come faster than any encoder's.
    sessions.iter_mut().for_each(|session| session.reached = None);
    let died = loop {
        if livetape.ended().is_some() {
            break true;
        }
        let waiting = livetape.http.try_get("/v1/recordings?state=ready&limit=20", &[]);
        let ready = waiting.map_or(0, |answer| answer.json()["items"].as_array().map_or(0, Vec::len));
        if ready >= 12 && receiver.deliveries().iter().filter(|told| told.kind() == "stream.ended").count() >= 2 {
            break false;
        }
        if strace.injected() > 0 && fault.contains("error=") && receiver.deliveries().len() > 4 {
            break false;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let injected = strace.detach().contains("(INJECTED)");
    if !died && !injected {
        return Outcome::Unreached;
    }
    if died {
        livetape.wait_ended();
    } else {
        // What could not be done, such as taking files out of the spool, is done at the next start.
        livetape.stop();
    }
    livetape.start_again();
    sessions.extend((0..2).filter_map(|stream| fleet::rush(livetape.rtmp, &film, stream, 1, media)));
    let census = Census::take_with_gaps(&livetape, &film, &sessions, &receiver);
    assert!(census.problems.is_empty(), "after {fault}:\n{}", census.problems.join("\n"));
    assert!(census.ready >= 12, "after {fault}: the second session is not recorded: {census:?}");
    Outcome::Survived(census.gaps)
}

#[test]
fn a_death_or_a_failure_at_any_call_leaves_nothing_torn_lost_or_doubled() {
    // One of each kind; `soak` goes through all of them.
    for fault in [
        "pwritev:signal=KILL:when=4",
        "fdatasync:signal=KILL:when=5",
        "renameat2:signal=KILL:when=1",
        "linkat:signal=KILL:when=1",
        "pwrite64:signal=KILL:when=20",
        "fsync:error=EIO:when=3",
        "pwritev:error=ENOSPC:when=3",
    ] {
        try_fault(fault);
    }
}

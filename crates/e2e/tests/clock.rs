//! Publishers whose clock jumps, stands still, runs back or wraps.

use livetape_testkit::ffmpeg;
use livetape_testkit::flv::{self, Kind, Tag};
use livetape_testkit::judge::assert_holds;
use livetape_testkit::livetape::{Recording, Settings, of_format};
use livetape_testkit::{Livetape, Publisher, Receiver, Reel, Tape, clip};

use crate::FORMATS;

/// Pushes the plain clip, each frame at the time `at` gives it.
fn push(livetape: &Livetape, stream: &str, at: impl Fn(&Tag) -> u32) {
    let mut publisher = Publisher::publish(livetape.rtmp, "live", stream);
    for tag in flv::tags(&clip::plain()) {
        publisher.tag(&tag.at(at(&tag)));
    }
    publisher.finish(stream);
}

fn frames(recordings: &[Recording], kind: &str) -> i64 {
    recordings.iter().map(|recording| recording.0[kind]["frames"].as_i64().unwrap_or(0)).sum()
}

/// Every frame of the clip is there, times run forward, and all of it plays.
fn assert_forward(livetape: &Livetape, recordings: &[Recording]) {
    for format in FORMATS {
        let these = of_format(recordings, format);
        assert_eq!(frames(&these, "video"), 250, "pictures in {format}: {these:#?}");
        for recording in &these {
            ffmpeg::assert_decodes_unsteady(&livetape.file(recording));
            let reel = Reel::read(&livetape.file(recording));
            for packets in [&reel.stored.video, &reel.stored.audio] {
                let forward = packets.windows(2).all(|pair| pair[0].dts < pair[1].dts);
                assert!(forward, "times run back in {recording:?}");
            }
        }
    }
}

#[test]
fn a_clock_that_wraps_is_unwrapped() {
    let livetape = Livetape::start(&Settings::new());
    push(&livetape, "wrap", |tag| tag.timestamp.wrapping_sub(5_000));
    let recordings = livetape.wait_ready("wrap", &FORMATS, 1);
    assert_holds(&livetape, &recordings, &Tape::read(&clip::plain()));
}

#[test]
fn times_beyond_the_24_bits_of_a_chunk_header_are_read() {
    let livetape = Livetape::start(&Settings::new());
    push(&livetape, "late", |tag| tag.timestamp + 0xff_ffff - 5_000);
    let recordings = livetape.wait_ready("late", &FORMATS, 1);
    assert_holds(&livetape, &recordings, &Tape::read(&clip::plain()));
}

#[test]
fn a_jump_ahead_is_told_and_does_not_stretch_a_picture() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver));
    push(&livetape, "ahead", |tag| if tag.timestamp < 6_000 { tag.timestamp } else { tag.timestamp + 3_600_000 });
    let warnings = receiver.wait_for("recording.warning", 1);
    assert_eq!(warnings[0]["data"]["kind"], "timestamp_jump", "{warnings:#?}");
    let recordings = livetape.wait_settled("ahead");
    assert_forward(&livetape, &recordings);
    for format in FORMATS {
        let total: i64 = of_format(&recordings, format).iter().map(|recording| recording.number("duration_ms")).sum();
        assert!((9_500..=14_000).contains(&total), "{format} lasts {total} ms");
    }
}

#[test]
fn a_clock_that_begins_again_begins_again_in_the_recording() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver));
    push(&livetape, "back", |tag| if tag.timestamp < 6_000 { tag.timestamp + 100_000 } else { tag.timestamp - 6_000 });
    let warnings = receiver.wait_for("recording.warning", 1);
    assert_eq!(warnings[0]["data"]["kind"], "timestamp_jump", "{warnings:#?}");
    let recordings = livetape.wait_settled("back");
    assert_forward(&livetape, &recordings);
    for format in FORMATS {
        let total: i64 = of_format(&recordings, format).iter().map(|recording| recording.number("duration_ms")).sum();
        assert!((9_500..=11_000).contains(&total), "{format} lasts {total} ms");
    }
}

#[test]
fn times_that_repeat_cost_no_frame() {
    let livetape = Livetape::start(&Settings::new());
    // Pictures come in pairs with one time.
    push(&livetape, "repeat", |tag| match tag.kind {
        Kind::Video => tag.timestamp / 80 * 80,
        _ => tag.timestamp,
    });
    let recordings = livetape.wait_ready("repeat", &FORMATS, 1);
    assert_forward(&livetape, &recordings);
    assert!(recordings.iter().all(|recording| (9_800..=10_200).contains(&recording.number("duration_ms"))));
}

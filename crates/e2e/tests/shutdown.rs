//! SIGTERM: recordings are finished and announced before the program ends.

use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::{Settings, of_format};
use livetape_testkit::{Livetape, Receiver, Reel, clip, place};

use crate::FORMATS;

#[test]
fn recordings_are_finished_and_announced_before_the_program_ends() {
    let receiver = Receiver::start();
    let mut livetape = Livetape::start(&Settings::new().webhook(&receiver));
    let pushes: Vec<_> = (0..3)
        .map(|n| ffmpeg::push(Version::ALL[n % 2], &place::sample(), &livetape.url(&format!("s{n}")), Pace::Loop))
        .collect();
    for n in 0..3 {
        livetape.wait_live(&format!("s{n}"), 2.0);
    }
    livetape.stop();
    // Delivered before it ended: nothing to wait for.
    let ready = receiver.deliveries().iter().filter(|delivery| delivery.kind() == "recording.ready").count();
    assert_eq!(ready, 9, "{:#?}", receiver.deliveries());
    let ended = receiver.deliveries().iter().filter(|delivery| delivery.kind() == "stream.ended").count();
    assert_eq!(ended, 3);
    drop(pushes);
    livetape.start_again();
    for n in 0..3 {
        let recordings = livetape.wait_ready(&format!("s{n}"), &FORMATS, 1);
        let counts: Vec<usize> = FORMATS
            .iter()
            .map(|format| {
                let recording = &of_format(&recordings, format)[0];
                assert_eq!(recording.text("end_reason"), "shutdown");
                assert_eq!(recording.0["recovered"], false);
                ffmpeg::assert_decodes_silently(&livetape.file(recording));
                Reel::read(&livetape.file(recording)).stored.video.len()
            })
            .collect();
        assert!(counts.iter().all(|count| *count == counts[0]), "the formats end at the same frame: {counts:?}");
    }
    let again = receiver.deliveries().iter().filter(|delivery| delivery.kind() == "recording.ready").count();
    assert_eq!(again, 9, "announced again after the restart");
}

#[test]
fn without_a_stream_the_program_ends_at_once() {
    let mut livetape = Livetape::start(&Settings::new());
    let begun = std::time::Instant::now();
    livetape.stop();
    assert!(begun.elapsed().as_secs_f64() < 5.0, "{:?}", begun.elapsed());
}

#[test]
fn a_receiver_that_is_down_does_not_keep_the_program_from_ending() {
    let receiver = Receiver::answering(|_| livetape_testkit::receiver::Reply::Status(503));
    let settings = Settings::new().webhook(&receiver).set("shutdown.timeout", "\"3s\"");
    let mut livetape = Livetape::start(&settings);
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("owed"));
    livetape.wait_ready("owed", &FORMATS, 1);
    livetape.stop();
    receiver.answer(|_| livetape_testkit::receiver::Reply::Status(204));
    livetape.start_again();
    receiver.wait_for("recording.ready", 3);
}

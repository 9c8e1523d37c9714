//! The judges themselves: they accept what ffmpeg makes of a clip, and clips are what they claim.

use std::path::Path;

use livetape_testkit::elementary::Elementary;
use livetape_testkit::mediainfo::MediaInfo;
use livetape_testkit::packets::{Check, assert_same};
use livetape_testkit::{Reel, Tape, clip, ffmpeg, place};

#[test]
fn files_that_ffmpeg_rewraps_hold_the_same_frames() {
    let scratch = tempfile::tempdir().unwrap();
    for clip in [place::sample(), clip::plain(), clip::b_frames()] {
        let pushed = Tape::read(&clip);
        let mp4 = scratch.path().join("copy.mp4");
        ffmpeg::remux(&clip, &mp4, &[]);
        assert_same(&pushed, &[Reel::read(&mp4)], Check::Everything);
        ffmpeg::assert_decodes_silently(&mp4);
        let ts = scratch.path().join("copy.ts");
        ffmpeg::remux(&clip, &ts, &[]);
        assert_eq!(Elementary::read(&clip), Elementary::read(&ts));
        assert_same(&pushed, &[Reel::read(&ts)], Check::Times);
    }
}

#[test]
fn clips_are_what_they_claim_to_be() {
    let count = |clip: &Path| {
        let tape = Tape::read(clip);
        (tape.video.len(), tape.audio.len())
    };
    assert_eq!(count(&clip::plain()).0, 250);
    assert_eq!(count(&clip::larger()).0, 250);
    assert_eq!(count(&clip::long()).0, 3750);
    assert_eq!(count(&clip::slow_audio()).0, 250);
    assert_eq!(count(&clip::flash_and_click()).0, 250);
    assert_eq!(count(&clip::video_only()), (250, 0));
    assert_eq!(count(&clip::audio_only()).0, 0);
    let b_frames = Tape::read(&clip::b_frames());
    assert!(b_frames.video.iter().any(|packet| packet.pts > packet.dts), "no picture is shown out of order");
    let hashes: std::collections::BTreeSet<_> = b_frames.audio.iter().map(|packet| &packet.hash).collect();
    assert_eq!(hashes.len(), b_frames.audio.len(), "audio frames are alike");
    let apart = ffmpeg::flashes_to_clicks(&clip::flash_and_click());
    assert_eq!(apart.len(), 5);
    assert!(apart.iter().all(|seconds| seconds.abs() < 0.06), "{apart:?}");
    assert_eq!(MediaInfo::read(&clip::mp3()).field("Audio", "Format"), Some("MPEG Audio"));
}

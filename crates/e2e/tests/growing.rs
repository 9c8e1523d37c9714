//! A recording can be played while it grows.

use std::fs;
use std::path::Path;

use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::{Settings, files_below};
use livetape_testkit::{Livetape, Tape, place};

/// Copies the growing recording of `format` as it is at this moment; its main file.
fn copy(livetape: &Livetape, format: &str, to: &Path) -> std::path::PathBuf {
    let recordings = livetape.of_stream("growing");
    let id = recordings.iter().find(|recording| recording.text("format") == format).unwrap().text("id");
    let spool = livetape.data().join("spool").join(id);
    fs::create_dir_all(to).unwrap();
    // The playlist first: what it lists is there when the segments are copied.
    let mut files = files_below(&spool);
    files.sort_by_key(|file| !file.to_string_lossy().contains("m3u8"));
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let copy = to.join(name.trim_end_matches(".part"));
        fs::copy(&file, &copy).unwrap();
        if name.starts_with("media.m3u8") {
            // Without this a player waits for more, as it should.
            let mut playlist = fs::read_to_string(&copy).unwrap();
            assert!(!playlist.contains("#EXT-X-ENDLIST"), "{playlist}");
            playlist.push_str("#EXT-X-ENDLIST\n");
            fs::write(&copy, playlist).unwrap();
        }
    }
    let main = ["recording.mp4", "recording.flv", "media.m3u8"].iter().map(|name| to.join(name));
    main.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("no {format} in {}", spool.display()))
}

#[test]
fn a_copy_taken_at_any_moment_decodes_without_a_word() {
    let livetape = Livetape::start(&Settings::new().set("record.segment_duration", "\"2s\""));
    let push = ffmpeg::push(Version::Debian, &place::sample(), &livetape.url("growing"), Pace::Loop);
    let mut before = [0usize; 2];
    for (round, seconds) in [2.5, 4.7, 6.3].into_iter().enumerate() {
        // A segment beyond what the last copy held, however long looking at that took.
        let held = before[1] as f64 / 30.0;
        livetape.wait_live("growing", f64::max(seconds, held + 2.6));
        for (format, before) in ["mp4", "hls"].into_iter().zip(&mut before) {
            let main = copy(&livetape, format, &livetape.scratch().join(format!("{format}-{round}")));
            ffmpeg::assert_decodes_silently(&main);
            let pictures = Tape::read(&main).video.len();
            assert!(pictures > *before, "{format} has not grown past {before} pictures");
            *before = pictures;
        }
    }
    assert!(before[0] as f64 >= 6.3 * 30.0 * 0.9, "the MP4 holds {} pictures", before[0]);
    push.signal(rustix::process::Signal::INT);
    livetape.wait_ready("growing", &crate::FORMATS, 1);
}

#[test]
fn what_was_received_half_a_second_ago_is_on_the_disk() {
    let livetape = Livetape::start(&Settings::new());
    let push = ffmpeg::push(Version::Debian, &place::sample(), &livetape.url("growing"), Pace::Loop);
    livetape.wait_live("growing", 3.0);
    let begun = std::time::Instant::now();
    let first = copy(&livetape, "mp4", &livetape.scratch().join("first"));
    let first = Tape::read(&first).video.len();
    // 30 pictures a second arrive; whenever we look, no more than half a second of them is missing.
    livetape.wait_live("growing", 6.0);
    let main = copy(&livetape, "mp4", &livetape.scratch().join("second"));
    let elapsed = begun.elapsed().as_secs_f64();
    let pictures = Tape::read(&main).video.len() - first;
    assert!(pictures as f64 >= (elapsed - 1.0) * 30.0, "{pictures} pictures more in {elapsed} s");
    push.kill();
}

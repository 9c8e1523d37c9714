//! Whether finished recordings are what was pushed, and whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::elementary::Elementary;
use crate::ffmpeg;
use crate::livetape::{Livetape, Recording, names_in, of_format};
use crate::mediainfo::MediaInfo;
use crate::packets::{Check, Packet, Reel, Tape, assert_same};

/// Panics unless the recordings of each format, put together, are the frames of the file `pushed`,
/// bit for bit and with their times; decode without a word; and are what the API says of them.
pub fn assert_recorded(livetape: &Livetape, recordings: &[Recording], pushed: &Path) {
    assert_holds(livetape, recordings, &Tape::read(pushed));
    let ts = of_format(recordings, "hls").into_iter().filter(|recording| is_ts(livetape, recording));
    for recording in ts {
        // The container adds what is needed to play it; without that, it must be the same.
        assert_eq!(Elementary::read(&livetape.file(&recording)), Elementary::read(pushed), "{:#}", recording.0);
    }
}

/// As [`assert_recorded`], for frames that are in no file.
pub fn assert_holds(livetape: &Livetape, recordings: &[Recording], pushed: &Tape) {
    let formats: BTreeSet<String> = recordings.iter().map(|recording| recording.text("format")).collect();
    assert!(!formats.is_empty(), "no recordings");
    for format in formats {
        let these = of_format(recordings, &format);
        let reels: Vec<Reel> = these.iter().map(|recording| Reel::read(&livetape.file(recording))).collect();
        let ts = these.iter().any(|recording| is_ts(livetape, recording));
        assert_same(pushed, &reels, if ts { Check::Times } else { Check::Everything });
        for (recording, reel) in these.iter().zip(&reels) {
            assert_sound(livetape, recording, reel);
        }
    }
}

/// Panics unless the file decodes without a word and is what the API says of it.
pub fn assert_sound(livetape: &Livetape, recording: &Recording, reel: &Reel) {
    let file = livetape.file(recording);
    ffmpeg::assert_decodes_silently(&file);
    let about = format!("{:#}", recording.0);
    for (kind, packets) in [("video", &reel.stored.video), ("audio", &reel.stored.audio)] {
        let frames = recording.0[kind]["frames"].as_u64().unwrap_or(0);
        assert_eq!(frames, packets.len() as u64, "{kind} frames in {about}");
    }
    let duration_ms = recording.number("duration_ms");
    // Sound before the first picture counts in the formats that play it.
    let spans_ms = spans(&reel.played).map(|span| span / 1000);
    let near = spans_ms.iter().any(|span_ms| (span_ms - duration_ms).abs() <= 120);
    assert!(near, "duration: {duration_ms} ms said, {spans_ms:?} ms found in {about}");
    match recording.text("format").as_str() {
        "mp4" => {
            let info = MediaInfo::read(&file);
            assert_eq!(info.field("General", "IsStreamable"), Some("Yes"), "index at the front of {about}");
            assert_duration(&info, spans_ms[0], &about);
            assert_frame_rate(&info, recording, &about);
            assert_size(fs::metadata(&file).unwrap().len(), recording);
        }
        "flv" => {
            assert_duration(&MediaInfo::read(&file), spans_ms[0], &about);
            assert_size(fs::metadata(&file).unwrap().len(), recording);
        }
        _ => {
            let directory = file.parent().unwrap();
            let sizes = names_in(directory).into_iter().map(|name| fs::metadata(directory.join(name)).unwrap().len());
            assert_size(sizes.sum(), recording);
        }
    }
}

fn assert_size(found: u64, recording: &Recording) {
    assert_eq!(found, recording.number("size_bytes") as u64, "bytes of {:#}", recording.0);
}

fn assert_duration(info: &MediaInfo, span_ms: i64, about: &str) {
    let seconds = info.number("General", "Duration");
    let played = span_ms as f64 / 1000.0;
    assert!((seconds - played).abs() <= 0.12, "mediainfo finds {seconds} s, {played} s are played in {about}");
}

fn assert_frame_rate(info: &MediaInfo, recording: &Recording, about: &str) {
    let Some(said) = recording.0["video"]["frame_rate"].as_f64() else { return };
    let found = info.number("Video", "FrameRate");
    assert!((found - said).abs() <= 0.5, "mediainfo finds {found} frames a second in {about}");
}

/// From the first moment of either track, and from the first picture, to the end of the last frame,
/// in microseconds.
fn spans(tape: &Tape) -> [i64; 2] {
    let first = |packets: &[Packet]| packets.first().map(|packet| packet.pts);
    let (video, audio) = (first(&tape.video), first(&tape.audio));
    let end = [&tape.video, &tape.audio].into_iter().filter_map(|packets| {
        let mut times: Vec<i64> = packets.iter().map(|packet| packet.pts).collect();
        times.sort_unstable();
        let last = *times.last()?;
        let step = if times.len() > 1 { last - times[times.len() - 2] } else { 0 };
        Some(last + step)
    });
    let end = end.max().unwrap_or(0);
    [[video, audio].into_iter().flatten().min(), video.or(audio)].map(|begin| end - begin.unwrap_or(0))
}

fn is_ts(livetape: &Livetape, recording: &Recording) -> bool {
    recording.text("format") == "hls"
        && names_in(livetape.file(recording).parent().unwrap()).iter().any(|name| name.ends_with(".ts"))
}

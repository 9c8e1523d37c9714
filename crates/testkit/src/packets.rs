//! What is in a file, packet by packet, as ffprobe sees it; and whether what was pushed is what was
//! recorded.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{succeed, text};

/// One packet: a picture or an audio frame. Times are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Shown at.
    pub pts: i64,
    /// Decoded at.
    pub dts: i64,
    /// A decoder may start here.
    pub key: bool,
    /// SHA-256 of its bytes.
    pub hash: String,
}

/// The packets of a file, by track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape {
    /// Of its first video track.
    pub video: Vec<Packet>,
    /// Of its first audio track.
    pub audio: Vec<Packet>,
}

impl Tape {
    /// What a player is given: edit lists are obeyed.
    pub fn read(file: &Path) -> Self {
        Self::probe(file, &[])
    }

    /// Of a file whose end may be torn, about which ffprobe complains.
    pub fn read_torn(file: &Path) -> Self {
        Self::probe(file, &["-v", "quiet"])
    }

    fn probe(file: &Path, options: &[&str]) -> Self {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error"]).args(options).args(["-show_packets", "-show_data_hash", "sha256"]);
        command.args(["-show_entries", "packet=codec_type,pts_time,dts_time,flags,data_hash", "-of", "json"]);
        let output = succeed(command.arg(file));
        assert!(output.stderr.is_empty(), "ffprobe {}: {}", file.display(), text(&output.stderr));
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut tape = Self::default();
        for packet in listed["packets"].as_array().into_iter().flatten() {
            let field = |name: &str| packet[name].as_str().unwrap_or_default();
            let time = |name: &str| {
                microseconds(field(name))
                    .unwrap_or_else(|| panic!("{}: a packet without {name}: {packet}", file.display()))
            };
            let kind = field("codec_type").to_owned();
            let packet = Packet {
                pts: time("pts_time"),
                dts: time("dts_time"),
                key: field("flags").starts_with('K'),
                hash: field("data_hash").to_owned(),
            };
            match kind.as_str() {
                "video" => tape.video.push(packet),
                "audio" => tape.audio.push(packet),
                _ => {}
            }
        }
        tape
    }

    /// The moment the first picture is shown, or the first sound is heard.
    fn begin(&self) -> i64 {
        self.video.first().or(self.audio.first()).map_or(0, |packet| packet.pts)
    }
}

/// `12.345678` as microseconds.
fn microseconds(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (seconds, fraction) = digits.split_once('.')?;
    Some(sign * (seconds.parse::<i64>().ok()? * 1_000_000 + format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?))
}

/// A file as it is stored and as it is played. They differ in MP4, where an edit list may keep the
/// first sounds from being played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reel {
    /// Every packet in the file.
    pub stored: Tape,
    /// Those a player is given, with the times it is given.
    pub played: Tape,
}

impl Reel {
    /// Of this file.
    pub fn read(file: &Path) -> Self {
        let played = Tape::read(file);
        let mp4 = file.extension().is_some_and(|extension| extension == "mp4");
        let stored = if mp4 { Tape::probe(file, &["-ignore_editlist", "1"]) } else { played.clone() };
        Self { stored, played }
    }
}

impl From<Tape> for Reel {
    fn from(tape: Tape) -> Self {
        Self { stored: tape.clone(), played: tape }
    }
}

/// How far a recorded time may be from the pushed one. Video times are exact, but ffprobe prints
/// microseconds and some containers count in 90,000ths.
const VIDEO_TOLERANCE_US: i64 = 30;
/// Sound may be put on its sample grid.
const AUDIO_TOLERANCE_US: i64 = 999;

/// Panics unless `recorded`, put together, holds every frame of `pushed` from the first key frame
/// on exactly once, unchanged and in order, with times that differ from the pushed ones by one
/// constant for each file.
pub fn assert_same(pushed: &Tape, recorded: &[Reel], check: Check) {
    let first = pushed.video.iter().position(|packet| packet.key).unwrap_or(0);
    let mut video = pushed.video.get(first..).unwrap_or_default();
    let mut audio = heard_from(pushed, video, recorded, check);
    for (number, reel) in recorded.iter().enumerate() {
        let (these_video, later_video) = split(video, reel.stored.video.len(), number, "video");
        let (these_audio, later_audio) = split(audio, reel.stored.audio.len(), number, "audio");
        if check == Check::Everything {
            assert_hashes(these_video, &reel.stored.video, number, "video");
            assert_hashes(these_audio, &reel.stored.audio, number, "audio");
        }
        if let Some(packet) = reel.stored.video.first() {
            assert!(packet.key, "recording {number} does not begin with a key frame");
        }
        assert_times(these_video, these_audio, reel, number);
        if let (Some(next), Some(last)) = (later_video.first(), these_audio.last()) {
            assert!(last.pts < next.pts, "recording {number} holds sound from after the cut: {last:?}, {next:?}");
        }
        // A recording that began before the sound came cannot hold any; the next one has it all.
        let silent = reel.stored.audio.is_empty();
        if let (Some(next), Some(heard), false) = (later_video.first(), later_audio.first(), silent) {
            assert!(heard.pts >= next.pts, "recording {number} lacks sound from before the cut: {heard:?}, {next:?}");
        }
        (video, audio) = (later_video, later_audio);
    }
    assert!(video.is_empty(), "{} pictures are missing at the end, from {:?} on", video.len(), video[0]);
    assert!(audio.is_empty(), "{} audio frames are missing at the end, from {:?} on", audio.len(), audio[0]);
}

/// What [`assert_same`] compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Bytes and times.
    Everything,
    /// Counts and times, for containers that wrap frames.
    Times,
}

/// The pushed sound from where the recordings have it. What comes before the first picture may be
/// left out.
fn heard_from<'a>(pushed: &'a Tape, video: &[Packet], recorded: &[Reel], check: Check) -> &'a [Packet] {
    let shown = video.first().map_or(i64::MIN, |packet| packet.pts);
    let count: usize = recorded.iter().map(|reel| reel.stored.audio.len()).sum();
    let skipped = match (recorded.iter().find_map(|reel| reel.stored.audio.first()), check) {
        (Some(heard), Check::Everything) => pushed.audio.iter().position(|packet| packet.hash == heard.hash),
        _ => pushed.audio.len().checked_sub(count),
    };
    let skipped = skipped.unwrap_or_else(|| panic!("{count} audio frames recorded that nobody pushed"));
    if let Some(lost) = skipped.checked_sub(1).and_then(|last| pushed.audio.get(last)) {
        assert!(lost.pts < shown, "the first {skipped} audio frames are missing, up to {lost:?}");
    }
    &pushed.audio[skipped..]
}

fn split<'a>(pushed: &'a [Packet], count: usize, number: usize, kind: &str) -> (&'a [Packet], &'a [Packet]) {
    let left = pushed.len();
    pushed.split_at_checked(count).unwrap_or_else(|| {
        panic!("recording {number} holds {count} {kind} frames, but only {left} are left of what was pushed")
    })
}

fn assert_hashes(pushed: &[Packet], recorded: &[Packet], number: usize, kind: &str) {
    for (index, (pushed, recorded)) in pushed.iter().zip(recorded).enumerate() {
        assert_eq!(
            pushed.hash, recorded.hash,
            "{kind} frame {index} of recording {number} is another: pushed {pushed:?}, recorded {recorded:?}"
        );
    }
}

fn assert_times(video: &[Packet], audio: &[Packet], reel: &Reel, number: usize) {
    let begin = video.first().or(audio.first()).map_or(0, |packet| packet.pts);
    let offset = reel.played.begin() - begin;
    assert_eq!(reel.played.video.len(), video.len(), "recording {number} keeps pictures from being played");
    let unheard = audio.len() - reel.played.audio.len();
    if let Some(last) = unheard.checked_sub(1).and_then(|last| audio.get(last)) {
        assert!(last.pts < begin, "recording {number} keeps {unheard} sounds from being played, up to {last:?}");
    }
    for (kind, pushed, played, tolerance) in [
        ("video", video, &reel.played.video, VIDEO_TOLERANCE_US),
        ("audio", &audio[unheard..], &reel.played.audio, AUDIO_TOLERANCE_US),
    ] {
        for (index, (pushed, played)) in pushed.iter().zip(played).enumerate() {
            let (pts, dts) = (played.pts - pushed.pts - offset, played.dts - pushed.dts - offset);
            assert!(
                pts.abs() <= tolerance && dts.abs() <= tolerance,
                "{kind} frame {index} of recording {number} is {pts} us (decoding {dts} us) off: \
                 pushed {pushed:?}, played {played:?}, offset {offset} us"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn packet(ms: i64, key: bool, name: &str) -> Packet {
        Packet { pts: ms * 1000, dts: ms * 1000, key, hash: name.to_owned() }
    }

    fn tape() -> Tape {
        let video = (0..20).map(|n| packet(n * 40, n % 5 == 0, &format!("v{n}"))).collect();
        let audio = (0..40).map(|n| packet(n * 20 - 60, true, &format!("a{n}"))).collect();
        Tape { video, audio }
    }

    /// Cut before the pictures and sounds with these numbers, each part's times from 1 s on.
    fn parts(tape: &Tape, video: usize, audio: usize) -> Vec<Tape> {
        let late = |packets: &[Packet], by: i64| -> Vec<Packet> {
            packets.iter().map(|p| Packet { pts: p.pts + by, dts: p.dts + by, ..p.clone() }).collect()
        };
        let one = Tape { video: late(&tape.video[..video], 1_000_000), audio: late(&tape.audio[..audio], 1_000_000) };
        let two = Tape { video: late(&tape.video[video..], -400_000), audio: late(&tape.audio[audio..], -400_000) };
        vec![one, two]
    }

    fn differs(pushed: &Tape, recorded: Vec<Tape>) -> bool {
        let pushed = pushed.clone();
        let recorded: Vec<Reel> = recorded.into_iter().map(Reel::from).collect();
        catch_unwind(move || assert_same(&pushed, &recorded, Check::Everything)).is_err()
    }

    #[test]
    fn two_recordings_cut_at_a_key_frame_are_the_same() {
        let tape = tape();
        assert!(!differs(&tape, parts(&tape, 10, 23)));
        assert!(!differs(&tape, vec![tape.clone()]));
    }

    #[test]
    fn every_kind_of_difference_is_found() {
        let tape = tape();
        let change = |change: fn(&mut Vec<Tape>)| {
            let mut recorded = parts(&tape, 10, 23);
            change(&mut recorded);
            recorded
        };
        assert!(differs(&tape, parts(&tape, 9, 23)), "not at a key frame");
        assert!(differs(&tape, parts(&tape, 10, 25)), "sound after the cut in the first");
        assert!(differs(&tape, parts(&tape, 10, 21)), "sound before the cut in the second");
        assert!(differs(&tape, change(|recorded| drop(recorded[0].video.remove(3)))), "a picture is lost");
        assert!(differs(&tape, change(|recorded| drop(recorded[1].audio.pop()))), "the last sound is lost");
        assert!(differs(&tape, change(|recorded| drop(recorded[0].audio.drain(..4)))), "the first sounds are lost");
        assert!(differs(&tape, change(|recorded| recorded[0].video[3].hash.push('x'))), "other bytes");
        assert!(differs(&tape, change(|recorded| recorded[0].video[3].pts += 1000)), "another time");
        assert!(differs(&tape, change(|recorded| recorded[1].audio[3].pts += 1000)), "the sound drifts");
        assert!(
            differs(
                &tape,
                change(|recorded| {
                    let twice = recorded[0].video[9].clone();
                    recorded[0].video.push(twice);
                })
            ),
            "a picture is doubled"
        );
    }

    #[test]
    fn sound_before_the_first_picture_may_be_left_out() {
        let tape = tape();
        let mut recorded = tape.clone();
        recorded.audio.drain(..3);
        assert!(!differs(&tape, vec![recorded]));
    }

    #[test]
    fn times_are_read_to_the_microsecond() {
        assert_eq!(microseconds("-1.500000"), Some(-1_500_000));
        assert_eq!(microseconds("12.345678"), Some(12_345_678));
        assert_eq!(microseconds("N/A"), None);
    }
}

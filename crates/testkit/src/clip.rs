//! Clips that are pushed: made by ffmpeg's test sources when first asked for, kept in
//! `target/media`, named after what they hold.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::place;
use crate::program::succeed;

/// Frames a second of every clip with a picture, unless its own words say otherwise.
pub const FRAME_RATE: u32 = 25;

/// A picture of `size` for `seconds`.
fn picture(size: &str, seconds: u32) -> String {
    format!("-f lavfi -i testsrc2=size={size}:rate={FRAME_RATE}:duration={seconds}")
}

/// A tone that changes all the time, so that no two audio frames are alike.
fn tone(rate: u32, seconds: u32) -> String {
    let sweep = "0.2*sin(2*PI*t*(300+40*t))+0.05*sin(2*PI*997*t)";
    format!("-f lavfi -i aevalsrc={sweep}:s={rate}:d={seconds}")
}

/// H.264 with a key frame every two seconds.
const AVC: &str = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -g 50 -keyint_min 50 -sc_threshold 0 -bf 0";
const AAC: &str = "-c:a aac -b:a 64k -ac 2";

/// 10 s of H.264 and AAC without B-frames.
pub fn plain() -> PathBuf {
    made("plain", &format!("{} {} {AVC} {AAC}", picture("320x180", 10), tone(48_000, 10)))
}

/// 10 s of H.264 of twice the size, and AAC.
pub fn larger() -> PathBuf {
    made("larger", &format!("{} {} {AVC} {AAC}", picture("640x360", 10), tone(48_000, 10)))
}

/// 12 s of H.264 at 20 Mbit/s, and AAC.
pub fn heavy() -> PathBuf {
    let noise = format!("{},noise=alls=60:allf=t+u", picture("640x360", 12));
    let avc = AVC.replace("veryfast", "ultrafast");
    made("heavy", &format!("{noise} {} {avc} -b:v 20M -maxrate 20M -bufsize 20M {AAC}", tone(48_000, 12)))
}

/// 10 s of H.264 at 2.5 Mbit/s, and AAC: what a stream of many is like.
pub fn usual() -> PathBuf {
    let noise = format!("{},noise=alls=30:allf=t+u", picture("640x360", 10));
    let avc = format!("{AVC} -b:v 2500k -minrate 2500k -maxrate 2500k -bufsize 1000k -nal-hrd cbr");
    made("usual", &format!("{noise} {} {avc} {}", tone(48_000, 10), AAC.replace("64k", "128k")))
}

/// 150 s of H.264 and AAC.
pub fn long() -> PathBuf {
    made("long", &format!("{} {} {AVC} -b:v 150k {AAC}", picture("320x180", 150), tone(48_000, 150)))
}

/// 10 s of H.264 with three B-frames in a pyramid, and AAC at 44.1 kHz.
pub fn b_frames() -> PathBuf {
    let avc = AVC.replace("-bf 0", "-bf 3 -b_strategy 0 -x264-params b-pyramid=normal");
    made("b-frames", &format!("{} {} {avc} {AAC}", picture("320x180", 10), tone(44_100, 10)))
}

/// 10 s of H.264 and MP3 at 44.1 kHz.
pub fn mp3() -> PathBuf {
    let sound = "-c:a libmp3lame -b:a 96k -ac 2";
    made("mp3", &format!("{} {} {AVC} {sound}", picture("320x180", 10), tone(44_100, 10)))
}

/// 10 s of H.264 alone.
pub fn video_only() -> PathBuf {
    made("video-only", &format!("{} {AVC}", picture("320x180", 10)))
}

/// 10 s of AAC alone.
pub fn audio_only() -> PathBuf {
    made("audio-only", &format!("{} {AAC}", tone(48_000, 10)))
}

/// 10 s of H.264, and AAC at 24 kHz, one channel: the core of HE-AAC.
pub fn slow_audio() -> PathBuf {
    made("slow-audio", &format!("{} {} {AVC} -c:a aac -b:a 32k -ac 1", picture("320x180", 10), tone(24_000, 10)))
}

/// 10 s in which one picture in fifty is white, and a click sounds at the same moment.
pub fn flash_and_click() -> PathBuf {
    let flash = format!(
        "-f lavfi -i color=black:size=320x180:rate={FRAME_RATE}:duration=10,geq=lum='if(eq(mod(N,50),25),235,16)':cb=128:cr=128"
    );
    let click = "-f lavfi -i aevalsrc='if(lt(abs(mod(t,2)-1.0025),0.0025),0.8*sin(2*PI*2000*t),0)':s=48000:d=10";
    made("flash-and-click", &format!("{flash} {click} {AVC} {AAC}"))
}

/// The pictures of a clip without its sound.
pub fn pictures_of(clip: &Path) -> PathBuf {
    let name = format!("pictures-of-{}", clip.file_stem().unwrap().to_string_lossy());
    made(&name, &format!("-copyts -i {} -map 0:v -c copy", clip.display()))
}

/// Makes the FLV file `name` with these arguments unless it is there.
fn made(name: &str, arguments: &str) -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let words = words(arguments);
    let path = place::clips().join(format!("{name}-{:08x}.flv", checksum(&words)));
    if path.exists() {
        return path;
    }
    fs::create_dir_all(place::clips()).unwrap();
    // Tests run beside each other: each makes its own, the last rename wins, all are alike.
    let unique = format!(".{}-{}.flv", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let growing = path.with_extension(unique.trim_start_matches('.'));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-y"]).args(&words);
    ffmpeg.args(["-shortest", "-fflags", "+bitexact", "-threads", "1", "-f", "flv"]).arg(&growing);
    succeed(&mut ffmpeg);
    fs::rename(&growing, &path).unwrap();
    path
}

/// Splits at spaces outside single quotes; the quotes stay, ffmpeg's filters want them.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            ' ' if !quoted => words.push(String::new()),
            _ => {
                quoted ^= letter == '\'';
                words.last_mut().unwrap().push(letter);
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// FNV-1a: other arguments make another file.
fn checksum(words: &[String]) -> u32 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

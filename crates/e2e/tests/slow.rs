//! What takes a desktop program or a browser: OBS pushes, Chromium plays.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use livetape_testkit::deadline::within;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::judge::assert_sound;
use livetape_testkit::livetape::{Recording, Settings, of_format, path_of};
use livetape_testkit::packets::{Check, Packet, assert_same};
use livetape_testkit::program::{Running, succeed, text};
use livetape_testkit::proxy::{Proxy, Weather};
use livetape_testkit::{Livetape, Reel, clip, place};

use crate::FORMATS;

/// OBS with a private home: one scene, a coloured background and a clip that loops.
struct Obs {
    obs: Running,
    screen: Running,
}

impl Obs {
    fn start(home: &Path, server: &str, key: &str) -> Self {
        let settings = home.join(".config/obs-studio");
        for directory in [settings.join("basic/profiles/Rec"), settings.join("basic/scenes"), home.join("run")] {
            fs::create_dir_all(directory).unwrap();
        }
        let write = |name: &str, text: String| fs::write(settings.join(name), text).unwrap();
        write("global.ini", GLOBAL.to_owned());
        write("basic/profiles/Rec/basic.ini", PROFILE.to_owned());
        let service = serde_json::json!({
            "settings": {"bwtest": false, "key": key, "server": server, "use_auth": false}, "type": "rtmp_custom"
        });
        write("basic/profiles/Rec/service.json", service.to_string());
        write("basic/scenes/Rec.json", scene(&clip::larger()).to_string());
        let display = format!(":{}", 100 + std::process::id() % 800);
        let mut screen = Command::new("Xvfb");
        screen.args([&display, "-screen", "0", "1280x720x24", "+extension", "GLX", "-nolisten", "tcp"]);
        let screen = Running::start(&mut screen);
        let socket = format!("/tmp/.X11-unix/X{}", &display[1..]);
        livetape_testkit::deadline::eventually("the screen is there", || {
            if Path::new(&socket).exists() { Ok(()) } else { Err(socket.clone()) }
        });
        let mut obs = Command::new("obs");
        obs.args(["--multi", "--startstreaming", "--profile", "Rec", "--collection", "Rec", "--scene", "Scene"]);
        obs.args(["--disable-missing-files-check", "--minimize-to-tray"]);
        obs.env("HOME", home).env("XDG_CONFIG_HOME", home.join(".config")).env("XDG_RUNTIME_DIR", home.join("run"));
        obs.env("DISPLAY", &display).env("LIBGL_ALWAYS_SOFTWARE", "1").env("GALLIUM_DRIVER", "llvmpipe");
        obs.env("LP_NUM_THREADS", "2").env("QT_QPA_PLATFORM", "xcb").env("NO_AT_BRIDGE", "1");
        Self { obs: Running::start(&mut obs), screen }
    }

    /// Ends it as its user does.
    fn stop(self) {
        self.obs.signal(rustix::process::Signal::INT);
        self.obs.end(Duration::from_secs(30));
        self.screen.kill();
    }
}

const GLOBAL: &str = "[General]
FirstRun=true
LastVersion=486539266
Pre19Defaults=false
Pre21Defaults=false
Pre23Defaults=false
Pre24.1Defaults=false
EnableAutoUpdates=false
ConfirmOnExit=false
InfoIncrement=0

[BasicWindow]
SysTrayEnabled=false
WarnBeforeStartingStream=false
WarnBeforeStoppingStream=false

[Basic]
Profile=Rec
ProfileDir=Rec
SceneCollection=Rec
SceneCollectionFile=Rec
ConfigOnNewProfile=true
";

const PROFILE: &str = "[General]
Name=Rec

[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=0
FPSCommon=30

[Audio]
SampleRate=48000
ChannelSetup=Stereo

[Output]
Mode=Simple
Reconnect=true
RetryDelay=2
MaxRetries=25

[SimpleOutput]
StreamEncoder=x264
Preset=ultrafast
VBitrate=1000
ABitrate=128
UseAdvanced=true
x264Settings=keyint=60
";

fn scene(clip: &Path) -> serde_json::Value {
    let item = |name: &str, id: u32| serde_json::json!({"name": name, "id": id, "visible": true});
    serde_json::json!({
        "name": "Rec",
        "current_scene": "Scene",
        "current_program_scene": "Scene",
        "scene_order": [{"name": "Scene"}],
        "sources": [
            {"id": "color_source_v3", "name": "Colour", "settings": {"color": 4_282_549_480_u32, "width": 640, "height": 360}},
            {"id": "ffmpeg_source", "name": "Clip", "mixers": 255,
             "settings": {"local_file": clip, "looping": true, "is_local_file": true, "restart_on_activate": false}},
            {"id": "scene", "name": "Scene",
             "settings": {"id_counter": 2, "items": [item("Colour", 1), item("Clip", 2)]}},
        ],
    })
}

#[test]
#[ignore = "starts OBS under Xvfb; run by `cargo xtask slow`"]
fn obs_is_recorded_and_says_goodbye() {
    let livetape = Livetape::start(&Settings::new());
    let home = livetape.scratch().join("obs");
    let obs = Obs::start(&home, &format!("rtmp://{}/live", livetape.rtmp), "obs");
    livetape.wait_live("obs", 8.0);
    obs.stop();
    let recordings = livetape.wait_ready("obs", &FORMATS, 1);
    let reels: Vec<Reel> =
        FORMATS.iter().map(|format| Reel::read(&livetape.file(&of_format(&recordings, format)[0]))).collect();
    // FLV keeps the publisher's own times: the others must agree with it, frame by frame.
    let flv = &reels[2];
    assert!(flv.stored.video.len() > 200 && flv.stored.audio.len() > 300);
    for (format, reel) in FORMATS.iter().zip(&reels) {
        assert_same(&flv.stored, std::slice::from_ref(reel), Check::Everything);
        let recording = &of_format(&recordings, format)[0];
        assert_sound(&livetape, recording, reel);
        assert_eq!(recording.text("end_reason"), "unpublish");
        assert_eq!((&recording.0["video"]["width"], &recording.0["video"]["height"]), (&640.into(), &360.into()));
    }
}

#[test]
#[ignore = "starts OBS under Xvfb; run by `cargo xtask slow`"]
fn obs_that_dies_is_told_apart() {
    let livetape = Livetape::start(&Settings::new());
    let obs = Obs::start(&livetape.scratch().join("obs"), &format!("rtmp://{}/live", livetape.rtmp), "obs");
    livetape.wait_live("obs", 3.0);
    let Obs { obs, screen } = obs;
    obs.kill();
    screen.kill();
    for recording in livetape.wait_ready("obs", &FORMATS, 1) {
        assert_eq!(recording.text("end_reason"), "drop");
        ffmpeg::assert_decodes_silently(&livetape.file(&recording));
    }
}

/// Pushes with OBS through a network that `trouble` befalls once; OBS connects again by itself, and is stopped. What
/// is recorded is one MP4, one FLV and one playlist, with one gap.
fn obs_comes_back(settings: Settings, trouble: impl Fn(&Proxy, &Obs)) {
    let livetape = Livetape::start(&settings.set("record.resume_window", "\"60s\""));
    let network = Proxy::start(livetape.rtmp);
    let obs = Obs::start(&livetape.scratch().join("obs"), &format!("rtmp://{}/live", network.address), "obs");
    livetape.wait_live("obs", 6.0);
    trouble(&network, &obs);
    let gaps = |recording: &Recording| recording.0["gaps"].as_array().map_or(0, Vec::len);
    within(Duration::from_secs(90), "OBS is back, and its recordings go on", || {
        let recordings = livetape.of_stream("obs");
        let on = recordings.iter().filter(|recording| gaps(recording) == 1).count();
        if on == FORMATS.len() { Ok(()) } else { Err(format!("{recordings:?}")) }
    });
    livetape.wait_live("obs", 5.0);
    obs.stop();
    let recordings = livetape.wait_ready("obs", &FORMATS, 1);
    let reels: Vec<Reel> =
        FORMATS.iter().map(|format| Reel::read(&livetape.file(&of_format(&recordings, format)[0]))).collect();
    // FLV keeps the publisher's own times: the others must agree with it, frame by frame, also after the gap.
    let flv = &reels[2];
    for (format, reel) in FORMATS.iter().zip(&reels) {
        assert_same(&flv.stored, std::slice::from_ref(reel), Check::Everything);
        let recording = &of_format(&recordings, format)[0];
        let about = format!("{:#}", recording.0);
        assert_eq!((recording.text("end_reason"), gaps(recording)), ("unpublish".to_owned(), 1), "{about}");
        for (kind, packets) in [("video", &reel.stored.video), ("audio", &reel.stored.audio)] {
            assert_eq!(recording.0[kind]["frames"], packets.len(), "{about}");
        }
        // The longest time without a picture is the gap, at the place that the gap map says.
        let pictures = &reel.played.video;
        let apart = |pair: &[Packet]| (pair[1].dts - pair[0].dts) / 1000;
        let (at, longest) =
            pictures.windows(2).map(|pair| (pair[0].dts / 1000, apart(pair))).max_by_key(|(_, apart)| *apart).unwrap();
        let gap = &recording.0["gaps"][0];
        let number = |name: &str| gap[name].as_i64().unwrap();
        let begins = pictures[0].dts / 1000;
        assert!((at - begins - number("at_ms")).abs() < 300, "{at} ms: {about}");
        if *format != "hls" {
            assert!((longest - number("length_ms")).abs() < 300, "{longest} ms: {about}");
        }
        ffmpeg::assert_decodes_unsteady(&livetape.file(recording));
    }
}

#[test]
#[ignore = "starts OBS under Xvfb; run by `cargo xtask slow`"]
fn obs_that_is_cut_off_comes_back_into_the_same_recordings() {
    obs_comes_back(Settings::new(), |network, _| network.set(0, Weather::Broken));
}

#[test]
#[ignore = "starts OBS under Xvfb; run by `cargo xtask slow`"]
fn obs_that_freezes_comes_back_into_the_same_recordings() {
    obs_comes_back(Settings::new().set("rtmp.idle_timeout", "\"3s\""), |_, obs| {
        obs.obs.signal(rustix::process::Signal::STOP);
        std::thread::sleep(Duration::from_secs(6));
        obs.obs.signal(rustix::process::Signal::CONT);
    });
}

#[test]
#[ignore = "starts OBS under Xvfb; run by `cargo xtask slow`"]
fn obs_whose_old_connection_is_half_open_comes_back_into_the_same_recordings() {
    obs_comes_back(Settings::new(), |network, _| network.set(0, Weather::HalfOpen));
}

#[test]
#[ignore = "starts Chromium; run by `cargo xtask slow`"]
fn a_browser_plays_mp4_and_hls() {
    let clips = [("plain", clip::plain()), ("b", clip::b_frames())];
    assert_played(&Settings::new().set("record.segment_duration", "\"2s\""), &clips);
}

#[test]
#[ignore = "starts Chromium; run by `cargo xtask slow`"]
fn a_browser_plays_hls_over_an_mp4() {
    assert_played(&crate::over::over(Settings::new()), &[("plain", clip::plain())]);
}

/// What the browser says of playing these to their ends, which it does without an error.
fn played(livetape: &Livetape, paths: &[String]) -> Vec<serde_json::Value> {
    let mut node = Command::new("node");
    node.arg(place::root().join("crates/e2e/browser/play.mjs"));
    node.arg(place::root().join("target/tools/browser/node_modules"));
    node.arg(format!("http://{}", livetape.http_address)).args(paths).stdin(Stdio::null());
    let printed = text(&succeed(&mut node).stdout);
    let played: Vec<serde_json::Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(played.len(), paths.len(), "{printed}");
    for result in &played {
        assert!(result["failed"].is_null(), "{result:#}");
        assert_eq!(result["errors"].as_array().unwrap().len(), 0, "{result:#}");
    }
    played
}

#[test]
#[ignore = "starts Chromium; run by `cargo xtask slow`"]
fn a_browser_plays_through_a_gap() {
    for rule in ["keep", "collapse"] {
        let settings = crate::resume::window("30s").set("record.gap", &format!("{rule:?}"));
        let livetape = Livetape::start(&settings);
        crate::resume::record_twice(&livetape, "gap");
        let recordings = livetape.wait_ready("gap", &FORMATS, 1);
        for format in ["mp4", "hls"] {
            let recording = &of_format(&recordings, format)[0];
            let result = &played(&livetape, &[path_of(&recording.text("url")).to_owned()])[0];
            let number = |name: &str| result[name].as_f64().unwrap_or_else(|| panic!("no {name} in {result:#}"));
            let length = recording.number("duration_ms") as f64 / 1000.0;
            let about = format!("{rule} {format}, {length} s: {result:#}");
            assert!((number("duration") - length).abs() < 2.5 && number("at") > number("duration") - 0.2, "{about}");
            assert!(number("pictures") > 280.0 && number("sound") > 10_000.0, "{about}");
        }
    }
}

/// Pushes clips, and has the browser play what is recorded of them.
fn assert_played(settings: &Settings, clips: &[(&str, PathBuf)]) {
    let livetape = Livetape::start(settings);
    let mut paths = Vec::new();
    for (stream, clip) in clips {
        ffmpeg::push_all(Version::Debian, clip, &livetape.url(stream));
        let recordings = livetape.wait_ready(stream, &FORMATS, 1);
        for format in ["mp4", "hls"] {
            paths.push(path_of(&of_format(&recordings, format)[0].text("url")).to_owned());
        }
    }
    for result in played(&livetape, &paths) {
        let number = |name: &str| result[name].as_f64().unwrap_or_else(|| panic!("no {name} in {result:#}"));
        assert!((number("duration") - 10.0).abs() < 0.15, "{result:#}");
        assert!(number("at") > 9.9, "{result:#}");
        assert!((number("sought") - 5.0).abs() < 0.2, "{result:#}");
        assert!(number("pictures") > 200.0 && number("sound") > 10_000.0, "{result:#}");
        assert_eq!((number("width") as u32, number("height") as u32), (320, 180));
    }
}

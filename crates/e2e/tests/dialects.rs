//! Receivers that were written for other servers get what they expect, judged by a program in another language; and
//! what is sent natively is what its schemas say.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::judge::assert_recorded;
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Livetape, Receiver, clip, place};
use serde_json::Value;

use crate::FORMATS;

/// The judge. Ends with the test.
struct Judge {
    child: Child,
    port: u16,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Judge {
    fn start() -> Self {
        let script = place::root().join("crates/e2e/tests/dialects/receiver.py");
        let mut child =
            Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
        let keep = seen.clone();
        thread::spawn(move || read(lines, &keep));
        Self { child, port: port.trim().parse().unwrap(), seen }
    }

    /// A webhook of this format, with further settings.
    fn webhook(&self, path: &str, format: &str, more: &str) -> String {
        format!(
            "[[webhooks]]\nname = \"{path}\"\nurl = \"http://127.0.0.1:{}/{path}\"\nformat = \"{format}\"\n{more}\n",
            self.port
        )
    }

    /// What came at `path` and was taken, without repetitions.
    fn taken(&self, path: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap().clone();
        seen.into_iter().filter(|one| one["path"] == format!("/{path}") && one["first"] == false).collect()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn read(lines: BufReader<ChildStdout>, keep: &Mutex<Vec<Value>>) {
    for line in lines.lines().map_while(Result::ok) {
        keep.lock().unwrap().push(serde_json::from_str(&line).unwrap());
    }
}

#[test]
fn receivers_of_three_other_servers_find_nothing_wrong() {
    let judge = Judge::start();
    let settings = Settings::new()
        .webhook_as(&judge.webhook("tencent", "tencent", "secret = \"testkey123\"\ntencent_app_id = 1250000000"))
        .webhook_as(&judge.webhook("srs", "srs", ""))
        .webhook_as(&judge.webhook("nginx", "nginx-rtmp", ""));
    let livetape = Livetape::start(&settings);
    let query = "?colour=red&token=hunter2&call=publish_done&txSecret=hunter2&txTime=658D3AEE";
    ffmpeg::push_all(Version::Debian, &clip::plain(), &format!("{}{query}", livetape.url("tongues")));
    let recordings = livetape.wait_ready("tongues", &FORMATS, 1);
    // Two for the push, three for each format: it began, it is over, it is ready.
    for (path, count) in [("tencent", 11), ("srs", 5), ("nginx", 5)] {
        eventually(format!("{count} at {path}"), || {
            let taken = judge.taken(path);
            if taken.len() >= count { Ok(()) } else { Err(format!("{taken:#?}")) }
        });
    }
    let all = judge.seen.lock().unwrap().clone();
    for one in &all {
        assert_eq!(one["wrong"], Value::Array(Vec::new()), "{one:#}");
        assert!(!one.to_string().contains("hunter2"), "{one:#}");
    }
    let firsts: Vec<&Value> = all.iter().filter(|one| one["first"] == true).collect();
    assert_eq!(firsts.len(), 3, "each was refused once");
    for first in firsts {
        let again = all.iter().filter(|one| one["path"] == first["path"] && one["id"] == first["id"]);
        assert_eq!(again.count(), 2, "and tried again with its id");
    }

    let field = |path: &str, name: &str| -> Vec<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        judge.taken(path).iter().map(|one| text(&one["fields"][name])).collect()
    };
    let count = |values: &[String], wanted: &str| values.iter().filter(|value| *value == wanted).count();
    let types = field("tencent", "event_type");
    assert_eq!([1, 0, 100, 332].map(|kind| count(&types, &kind.to_string())), [1, 1, 3, 6], "{types:?}");
    let ended = judge.taken("tencent").into_iter().find(|one| one["fields"]["event_type"] == 0).unwrap();
    assert_eq!((&ended["fields"]["errcode"], &ended["fields"]["appid"]), (&1.into(), &1_250_000_000.into()));
    let files: Vec<Value> =
        judge.taken("tencent").into_iter().filter(|one| one["fields"]["event_type"] == 100).collect();
    for recording in &recordings {
        let file = files.iter().find(|file| file["fields"]["file_id"] == recording.text("id").as_str()).unwrap();
        assert_eq!(file["fields"]["file_size"], recording.number("size_bytes"));
        assert_eq!(file["fields"]["video_url"], recording.text("url").as_str());
    }
    let actions = field("srs", "action");
    let expected = [("on_publish", 1), ("on_unpublish", 1), ("on_dvr", 2), ("on_hls", 1)];
    assert_eq!(expected.map(|(action, _)| (action, count(&actions, action))), expected, "{actions:?}");
    let calls = field("nginx", "call");
    let expected = [("publish", 1), ("publish_done", 1), ("record_done", 3)];
    assert_eq!(expected.map(|(call, _)| (call, count(&calls, call))), expected, "{calls:?}");
    assert!(field("nginx", "colour").iter().all(|colour| colour == "red"));
}

/// Makes one of Tencent's older calls by a program in another language; what is answered.
fn call(livetape: &Livetape, interface: &str, parameters: &[&str]) -> Value {
    let script = place::root().join("crates/e2e/tests/dialects/caller.py");
    let base = format!("http://{}", livetape.http_address);
    let mut caller = Command::new("python3");
    caller.arg(script).args([base.as_str(), "testkey123", interface]).args(parameters);
    let output = caller.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_program_that_has_streams_recorded_by_tencents_calls_finds_their_files() {
    let judge = Judge::start();
    let off = "[[rules]]\nstreams = \"*/*\"\noff = true\n";
    let settings = Settings::new()
        .set("http.tencent_key", "\"testkey123\"")
        .webhook_as(off)
        .webhook_as(&judge.webhook("tencent", "tencent", "secret = \"testkey123\"\ntencent_app_id = 1250000000"));
    let livetape = Livetape::start(&settings);
    let channel = "Param.s.channel_id=8888_room";
    let start = ["Param.n.task_sub_type=1", "Param.s.file_format=mp4", "Param.s.record_type=video", channel];
    let begun = call(&livetape, "Live_Tape_Start", &start);
    assert_eq!(begun["ret"], 0, "{begun}");
    let task = begun["output"]["task_id"].as_u64().unwrap().to_string();
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("8888_room"));
    let recordings = livetape.wait_ready("8888_room", &["mp4"], 1);
    assert_recorded(&livetape, &recordings, &clip::plain());
    let stop = [channel, &format!("Param.s.task_id={task}"), "Param.n.task_sub_type=1"];
    assert_eq!(call(&livetape, "Live_Tape_Stop", &stop)["ret"], 0);
    assert_ne!(call(&livetape, "Live_Tape_Stop", &stop)["ret"], 0, "it is over");
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("8888_room"));
    let files = call(&livetape, "Live_Tape_GetFilelist", &[channel]);
    assert_eq!(files["output"]["all_count"], 1, "{files}");
    assert_eq!(files["output"]["file_list"][0]["file_id"], recordings[0].text("id").as_str());
    // Two pushes that began and ended, one recording that began, is over, is ready.
    eventually("7 callbacks", || {
        let taken = judge.taken("tencent");
        if taken.len() >= 7 { Ok(()) } else { Err(format!("{taken:#?}")) }
    });
    let all = judge.seen.lock().unwrap().clone();
    assert!(all.iter().all(|one| one["wrong"] == Value::Array(Vec::new())), "{all:#?}");
    let of_recording =
        judge.taken("tencent").into_iter().filter(|one| one["fields"]["event_type"].as_i64() >= Some(100));
    let tasks: Vec<Value> = of_recording.map(|one| one["fields"]["task_id"].clone()).collect();
    assert_eq!(tasks, [task.as_str(); 3]);
}

/// Runs the schemas' judge over these events; the types it has seen.
fn judged(events: &[Value]) -> String {
    let judge = place::root().join("crates/catalog/tests/catalog/validate.py");
    let mut judge = Command::new("python3")
        .arg(judge)
        .arg(place::root().join("docs/events"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    judge.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = judge.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn what_is_delivered_is_what_the_schemas_say_and_without_a_gap() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&Settings::new().webhook(&receiver));
    for _ in 0..2 {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("schema"));
    }
    let deliveries = receiver.wait("all", |deliveries| deliveries.len() >= 22);
    let events: Vec<Value> = deliveries.into_iter().map(|delivery| delivery.body).collect();
    let said = judged(&events);
    for kind in ["stream.started", "stream.ended", "recording.started", "recording.ended", "recording.ready"] {
        assert!(said.contains(kind), "{said}");
    }
    let numbers: Vec<i64> = events.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>(), "in order, each once");
}

#[test]
fn the_examples_of_the_documentation_are_events() {
    let page = std::fs::read_to_string(place::root().join("docs/events.md")).unwrap();
    let examples: Vec<Value> = page
        .split("```json\n")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap())
        .collect();
    let said = judged(&examples);
    let kinds: Vec<&str> = examples.iter().map(|example| example["type"].as_str().unwrap()).collect();
    assert_eq!(said.split_whitespace().count(), kinds.len(), "one of each type: {kinds:?}");
    for kind in kinds {
        assert!(page.contains(&format!("### {kind}\n")), "{kind} has no heading");
    }
}

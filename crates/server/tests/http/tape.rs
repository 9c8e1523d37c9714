//! `GET /common_access`: Tencent's older calls.

use axum::http::StatusCode;
use livetape_finalize::dialect::tencent_signature;
use livetape_media::{Format, WallTime};
use livetape_record::StreamPath;
use livetape_server::live::LiveSession;
use serde_json::{Value, json};

use crate::world::{NOW, TENCENT_KEY, World, session};

fn call(world: &World, more: &str) -> Value {
    let t = (NOW / 1000 + 60).to_string();
    let sign = tencent_signature(TENCENT_KEY, &t);
    let interface = "appid=1&interface=Live_Tape_GetFilelist";
    let answer = world.get(&format!("/common_access?{interface}&t={t}&sign={sign}&Param.s.channel_id=cam{more}"));
    assert_eq!(answer.status, StatusCode::OK);
    answer.json()
}

fn ids(answer: &Value) -> Vec<String> {
    let files = answer["output"]["file_list"].as_array().unwrap();
    files.iter().map(|file| file["file_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn files_of_a_stream_are_listed_in_pages_and_in_chinas_time() {
    let world = World::with_tokens(&["a token that is not asked for here"], false);
    let all: Vec<String> = (1..=5).map(|n| world.ready(n, "cam", Format::Mp4, b"media").to_string()).collect();
    world.ready(6, "other", Format::Mp4, b"media");
    world.growing(7, "cam", Format::Mp4);
    let answer = call(&world, "");
    assert_eq!((&answer["ret"], &answer["output"]["all_count"]), (&json!(0), &json!(5)));
    assert_eq!(ids(&answer), all);
    let file = json!({
        "vid": all[0], "file_id": all[0], "start_time": "2026-11-23 05:07:00", "end_time": "2026-11-23 05:07:02",
        "record_file_url": "http://tape.test/media/live/cam/1.mp4",
    });
    assert_eq!(answer["output"]["file_list"][0], file);
    let page = call(&world, "&Param.n.page_no=2&Param.n.page_size=2&Param.s.sort_type=desc");
    assert_eq!((ids(&page), &page["output"]["all_count"]), (vec![all[2].clone(), all[1].clone()], &json!(5)));
    assert_eq!(ids(&call(&world, "&Param.n.page_no=9")), [""; 0]);
    for (times, count) in [
        ("&Param.s.start_time=2026-11-23+05:07:00&Param.s.end_time=2026-11-23%2005:07:00", 5),
        ("&Param.s.start_time=2026-11-23 05:07:01", 0),
        ("&Param.s.end_time=2026-11-23 05:06:59", 0),
    ] {
        assert_eq!(call(&world, &times.replace(' ', "%20"))["output"]["all_count"], count, "{times}");
    }
}

#[test]
fn whoever_does_not_sign_or_signs_the_past_or_asks_nonsense_is_told_so() {
    let world = World::new();
    let ask = |t: &str, sign: &str, more: &str| {
        let answer = world.get(&format!("/common_access?t={t}&sign={sign}&Param.s.channel_id=cam{more}"));
        let answer = answer.json();
        assert!(answer.get("output").is_none() && !answer["message"].as_str().unwrap().is_empty(), "{answer}");
        answer["ret"].as_i64().unwrap()
    };
    let (past, good) = ((NOW / 1000 - 1).to_string(), (NOW / 1000).to_string());
    let list = "&interface=Live_Tape_GetFilelist";
    let signed = |t: &str| tencent_signature(TENCENT_KEY, t);
    assert_eq!(ask(&good, "", list), 1);
    assert_eq!(ask(&good, &signed(&past), list), 1);
    assert_eq!(ask(&good, &tencent_signature("otherkey", &good), list), 1);
    assert_eq!(ask("", &signed(""), list), 2);
    assert_eq!(ask(&past, &signed(&past), list), 2);
    assert_eq!(ask("soon", &signed("soon"), list), 2);
    assert_eq!(ask(&good, &signed(&good), "&interface=Live_Tape_Pause"), 3);
    assert_eq!(ask(&good, &signed(&good), ""), 3);
    for wrong in ["&Param.n.page_no=0", "&Param.n.page_size=101", "&Param.s.sort_type=up", "&Param.s.start_time=now"] {
        assert_eq!(ask(&good, &signed(&good).to_uppercase(), &format!("{list}{wrong}")), 4, "{wrong}");
    }
}

/// A call of `interface` for the channel `cam`.
fn demand(world: &World, interface: &str, more: &str) -> Value {
    let t = (NOW / 1000 + 60).to_string();
    let sign = tencent_signature(TENCENT_KEY, &t);
    let call = format!("/common_access?appid=1&interface={interface}&t={t}&sign={sign}&Param.s.channel_id=cam{more}");
    let answer = world.get(&call.replace(' ', "%20"));
    assert_eq!(answer.status, StatusCode::OK);
    answer.json()
}

#[test]
fn a_task_is_made_and_ended_by_its_number() {
    let world = World::new();
    // 21:07:00 in UTC is 05:07:00 there.
    let times = "&Param.s.start_time=2026-11-23 05:08:00&Param.s.end_time=2026-11-23 06:08:00";
    let timed =
        demand(&world, "Live_Tape_Start", &format!("{times}&Param.s.file_format=mp4&Param.s.record_type=video"));
    assert_eq!((&timed["ret"], &timed["message"]), (&json!(0), &json!("ok")), "{timed}");
    let number = timed["output"]["task_id"].as_u64().unwrap();
    let task = world.get("/v1/tasks").json()["items"][0].clone();
    assert_eq!((&task["number"], &task["state"]), (&json!(number), &json!("scheduled")));
    assert_eq!((&task["app"], &task["stream"], &task["beside"]), (&json!("live"), &json!("cam"), &json!(true)));
    assert_eq!(task["recording"]["formats"], json!(["mp4"]));
    assert_eq!(
        (&task["start_at"], &task["stop_at"]),
        (&json!("2026-11-22T21:08:00.000Z"), &json!("2026-11-22T22:08:00.000Z"))
    );
    for stop in [format!("&Param.n.task_id={number}"), format!("&Param.s.task_id={number}&Param.n.task_sub_type=0")] {
        let first = demand(&world, "Live_Tape_Stop", &stop);
        let over = stop.starts_with("&Param.s");
        assert_eq!((&first["ret"], first.get("output")), (&json!(if over { 5 } else { 0 }), None), "{first}");
    }

    let at_once = demand(&world, "Live_Tape_Start", "&Param.n.task_sub_type=1&Param.s.end_time=2026-11-23 07:00:00");
    assert_eq!(at_once["ret"], 0, "{at_once}");
    let task = world.get("/v1/tasks?ended=false").json()["items"][0].clone();
    assert_eq!(
        (&task["recording"]["formats"], &task["stop_at"]),
        (&json!(["flv"]), &json!("2026-11-22T21:37:00.000Z"))
    );
}

#[test]
fn the_task_of_a_live_stream_is_of_its_application() {
    let world = World::new();
    let path = StreamPath { app: "court".to_owned(), name: "cam".to_owned() };
    let (requests, _) = tokio::sync::mpsc::channel(1);
    let at = WallTime::from_unix_millis(NOW);
    let session = LiveSession::new(session(1), path, "192.0.2.1:5000".to_owned(), at, requests);
    let Ok(_place) = world.api.live.enter(session) else { panic!("it is live already") };
    assert_eq!(demand(&world, "Live_Tape_Start", "&Param.n.task_sub_type=1")["ret"], 0);
    assert_eq!(world.get("/v1/tasks").json()["items"][0]["app"], "court");
}

#[test]
fn a_task_that_makes_no_sense_is_refused_in_words() {
    let world = World::new();
    let times = "&Param.s.start_time=2026-11-23 05:08:00&Param.s.end_time=2026-11-23 06:08:00";
    for (interface, more, ret) in [
        ("Live_Tape_Start", String::new(), 4),
        ("Live_Tape_Start", times.replace("end_time", "x"), 4),
        ("Live_Tape_Start", times.replace("06:08:00", "soon"), 4),
        ("Live_Tape_Start", times.replace("06:08", "05:06"), 4),
        ("Live_Tape_Start", format!("{times}&Param.n.task_sub_type=2"), 4),
        ("Live_Tape_Start", format!("{times}&Param.s.file_format=aac"), 4),
        ("Live_Tape_Start", format!("{times}&Param.s.record_type=audio"), 4),
        ("Live_Tape_Stop", String::new(), 4),
        ("Live_Tape_Stop", "&Param.n.task_id=1".to_owned(), 5),
        ("Live_Tape_Stop", "&Param.s.task_id=x".to_owned(), 5),
    ] {
        let answer = demand(&world, interface, &more);
        assert_eq!(answer["ret"], ret, "{interface} {more}: {answer}");
        assert!(answer.get("output").is_none() && !answer["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(world.get("/v1/tasks").json()["items"], json!([]));
}

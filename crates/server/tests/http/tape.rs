//! `GET /common_access`: Tencent's older calls.

use axum::http::StatusCode;
use livetape_finalize::dialect::tencent_signature;
use livetape_media::Format;
use serde_json::{Value, json};

use crate::world::{NOW, TENCENT_KEY, World};

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
    assert_eq!(ask(&good, &signed(&good), "&interface=Live_Tape_Start"), 3);
    assert_eq!(ask(&good, &signed(&good), ""), 3);
    for wrong in ["&Param.n.page_no=0", "&Param.n.page_size=101", "&Param.s.sort_type=up", "&Param.s.start_time=now"] {
        assert_eq!(ask(&good, &signed(&good).to_uppercase(), &format!("{list}{wrong}")), 4, "{wrong}");
    }
}

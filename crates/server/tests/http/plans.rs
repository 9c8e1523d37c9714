//! `/v1/templates`, `/v1/rules` and `/v1/tasks`: made, shown, changed and refused.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::world::{Answer, World, block_on};

fn items(world: &World, path: &str, field: &str) -> Vec<String> {
    let answer = world.get(path);
    assert_eq!(answer.status, StatusCode::OK);
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

fn code(world: &World, method: &str, path: &str, body: &str) -> (u16, String) {
    let answer = world.send(method, path, body);
    let status = answer.status.as_u16();
    (status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_template_is_made_shown_changed_and_removed() {
    let world = World::new();
    let default = world.get("/v1/templates/default").json();
    assert_eq!((&default["source"], &default["mp4_max_duration"]), (&json!("configuration"), &json!("30min")));
    let made = world.send("PUT", "/v1/templates/court", r#"{"formats":["mp4"],"align":"1h","align_offset":"+08:00"}"#);
    assert_eq!(made.status, StatusCode::CREATED);
    let shown = made.json();
    assert_eq!((&shown["name"], &shown["formats"], &shown["align"]), (&json!("court"), &json!(["mp4"]), &json!("1h")));
    assert_eq!((&shown["source"], &shown["max_size"]), (&json!("api"), &json!("")));
    let changed = world.send("PUT", "/v1/templates/court", r#"{"formats":["flv"],"retention":"30d"}"#);
    assert_eq!((changed.status, &changed.json()["retention"]), (StatusCode::OK, &json!("30d")));
    let wrong = world.send("PUT", "/v1/templates/court", r#"{"retention":"3651d"}"#);
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["parameter"]), (StatusCode::BAD_REQUEST, &json!("retention")));
    assert_eq!(items(&world, "/v1/templates", "name"), ["default", "court"]);

    assert_eq!(
        world.send("PUT", "/v1/rules/r", r#"{"streams":"court/*","template":"court"}"#).status,
        StatusCode::CREATED
    );
    assert_eq!(code(&world, "DELETE", "/v1/templates/court", ""), (409, "needed".to_owned()));
    assert_eq!(world.send("DELETE", "/v1/rules/r", "").status, StatusCode::NO_CONTENT);
    assert_eq!(world.send("DELETE", "/v1/templates/court", "").status, StatusCode::NO_CONTENT);
    assert_eq!(code(&world, "DELETE", "/v1/templates/court", ""), (404, "not_found".to_owned()));
    assert_eq!(code(&world, "GET", "/v1/templates/court", ""), (404, "not_found".to_owned()));
    for method in ["PUT", "DELETE"] {
        assert_eq!(code(&world, method, "/v1/templates/default", "{}"), (409, "configured".to_owned()));
    }
}

#[test]
fn rules_are_asked_in_their_order_and_each_needs_a_pattern_and_a_template() {
    let world = World::new();
    for (name, order) in [("c", 1), ("a", 2), ("b", 1)] {
        let body = json!({"order": order, "streams": "live/*", "off": true, "from_query": ["mp4"]}).to_string();
        assert_eq!(world.send("PUT", &format!("/v1/rules/{name}"), &body).status, StatusCode::CREATED);
    }
    assert_eq!(items(&world, "/v1/rules", "name"), ["b", "c", "a"]);
    let shown = world.get("/v1/rules/a").json();
    let expected = json!({"name": "a", "source": "api", "order": 2, "streams": "live/*", "template": "default",
        "off": true, "from_query": ["mp4"]});
    assert_eq!(shown, expected);
    let wrong = world.send("PUT", "/v1/rules/a%20b", r#"{"streams":"live","template":"gone"}"#);
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let named: Vec<Value> = wrong.json()["errors"].as_array().unwrap().iter().map(|e| e["parameter"].clone()).collect();
    assert_eq!(named, ["name", "streams", "template"]);
    for bad in ["", "[]", "{\"streams\":1}", "{\"stream\":\"*/*\"}", "{\"from_query\":[\"avi\"]}"] {
        assert_eq!(code(&world, "PUT", "/v1/rules/x", bad), (400, "bad_parameter".to_owned()), "{bad}");
    }
    assert_eq!(code(&world, "PUT", "/v1/rules/x", &" ".repeat(70_000)), (413, "too_large".to_owned()));
    assert_eq!(code(&world, "DELETE", "/v1/rules/x", ""), (404, "not_found".to_owned()));
}

#[test]
fn a_task_is_made_for_a_stream_to_come_paused_resumed_stopped_and_forgotten() {
    let world = World::new();
    let made = world.send("POST", "/v1/tasks", r#"{"app":"live","stream":"cam","stop_after":"2h"}"#);
    assert_eq!(made.status, StatusCode::CREATED);
    let task = made.json();
    let id = task["id"].as_str().unwrap();
    assert_eq!((&task["state"], &task["start_at"]), (&json!("waiting"), &json!("2026-11-22T21:07:00.000Z")));
    assert_eq!((&task["stop_at"], &task["template"]), (&json!("2026-11-22T23:07:00.000Z"), &Value::Null));
    assert!(task["number"].as_u64().unwrap() < 1 << 53);
    let path = format!("/v1/tasks/{id}");
    assert_eq!(world.get(&path).json(), task);
    let after = |verb: &str| world.send("POST", &format!("{path}/{verb}"), "").json()["state"].clone();
    assert_eq!([after("pause"), after("pause"), after("resume")], ["paused", "paused", "waiting"]);
    let later = r#"{"app":"live","stream":"other","start_at":"2026-11-23T08:00:00+08:00","template":"default"}"#;
    let later = world.send("POST", "/v1/tasks", later).json();
    assert_eq!((&later["state"], &later["start_at"]), (&json!("scheduled"), &json!("2026-11-23T00:00:00.000Z")));
    assert_eq!((&later["template"], &later["recording"]), (&json!("default"), &Value::Null));
    assert_eq!([after("stop"), after("stop")], ["ended", "ended"]);
    assert_eq!(code(&world, "POST", &format!("{path}/pause"), ""), (409, "over".to_owned()));
    assert_eq!(items(&world, "/v1/tasks?ended=true", "id"), [id]);
    assert_eq!(items(&world, "/v1/tasks?ended=false", "stream"), ["other"]);
    assert_eq!(items(&world, "/v1/tasks?app=live&stream=cam", "id"), [id]);
    let page = world.get("/v1/tasks?limit=1").json();
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(items(&world, &format!("/v1/tasks?limit=1&cursor={next}"), "id").len(), 1);
    assert_eq!(code(&world, "GET", "/v1/tasks?cursor=x", ""), (400, "bad_parameter".to_owned()));
    assert_eq!(world.send("DELETE", &path, "").status, StatusCode::NO_CONTENT);
    for (method, path) in [("DELETE", path.as_str()), ("GET", &path), ("POST", "/v1/tasks/task_1/stop")] {
        assert_eq!(code(&world, method, path, ""), (404, "not_found".to_owned()));
    }
}

#[test]
fn a_task_that_makes_no_sense_is_refused_with_the_reasons() {
    let world = World::new();
    for (body, parameter) in [
        ("{}", "app"),
        (r#"{"app":"a","stream":"b","start_at":"soon"}"#, "start_at"),
        (r#"{"app":"a","stream":"b","stop_at":"2026-11-22T21:06:59Z"}"#, "stop_at"),
        (r#"{"app":"a","stream":"b","stop_after":"long"}"#, "stop_after"),
        (r#"{"app":"a","stream":"b","template":"gone"}"#, "template"),
        (r#"{"app":"a","stream":"b","recording":{"mp4_max_duration":"13h"}}"#, "recording"),
        (r#"{"app":"a","stream":"b","recording":{"resume_window":"1min"}}"#, "recording"),
        (r#"{"app":"a","stream":"b","colour":"red"}"#, "body"),
    ] {
        let answer = world.send("POST", "/v1/tasks", body);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter, "{body}");
    }
}

#[test]
fn a_change_that_nobody_waits_for_any_more_is_put_in_force_all_the_same() {
    let world = World::new();
    let body = r#"{"app":"live","stream":"cam"}"#;
    let mut making = Box::pin(Answer::sent(world.router(), "POST", "/v1/tasks", body));
    // It begins, and whoever asked goes.
    let _ = block_on(poll_fn(|cx| Poll::Ready(making.as_mut().poll(cx).is_ready())));
    drop(making);
    let patience = Instant::now() + Duration::from_secs(10);
    while world.api.catalog.open_tasks().unwrap().is_empty() {
        assert!(Instant::now() < patience, "it is not in the index");
    }
    let task = world.get("/v1/tasks").json()["items"][0]["id"].as_str().unwrap().to_owned();
    let pause = || world.send("POST", &format!("/v1/tasks/{task}/pause"), "").status;
    while pause() != StatusCode::OK {
        assert!(Instant::now() < patience, "it is in the index, and not in force");
    }
}

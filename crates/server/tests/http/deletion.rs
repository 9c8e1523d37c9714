//! `DELETE /v1/recordings/{id}`.

use axum::http::StatusCode;
use livetape_catalog::{Change, DeletionReason};
use livetape_media::Format;
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_recording_that_is_ready_is_deleted_and_then_it_is_not_there() {
    let world = World::new();
    let id = world.ready(1, "cam", Format::Mp4, b"media");
    let other = world.ready(2, "cam", Format::Mp4, b"media");
    let path = format!("/v1/recordings/{id}");
    let before = world.metric("livetape_deleted_bytes_total{reason=\"request\"}");
    for _ in 0..2 {
        let answer = world.ask("DELETE", &path, &[]);
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::NO_CONTENT, ""));
    }
    let recording = world.get(&path).json();
    assert_eq!((&recording["url"], &recording["deletion_reason"]), (&Value::Null, &json!("request")));
    world.delete_until(|| world.api.catalog.recording(&id).unwrap().is_none());
    world.get(&path).is_problem(StatusCode::NOT_FOUND, "not_found");
    world.get("/media/live/cam/1.mp4").is_problem(StatusCode::NOT_FOUND, "not_found");
    world.ask("DELETE", &path, &[]).is_problem(StatusCode::NOT_FOUND, "not_found");
    let event = world.get("/v1/events").json()["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&event["type"], &event["data"]["state"]), (&json!("recording.deleted"), &json!("deleted")));
    assert_eq!((&event["data"]["id"], &event["data"]["url"]), (&json!(id.to_string()), &Value::Null));
    assert_eq!(world.get("/v1/recordings").json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.get(&format!("/v1/recordings/{other}")).status, StatusCode::OK);
    let after = world.metric("livetape_deleted_bytes_total{reason=\"request\"}");
    assert!((after - before - 5.0).abs() < 0.5, "{before} {after}");
}

#[test]
fn one_that_is_deleted_already_for_another_reason_is_none_the_less_deleted() {
    let world = World::new();
    let id = world.ready(1, "cam", Format::Flv, b"media");
    world.api.catalog.apply(Change::DeletionStarted { id, reason: DeletionReason::Quota }).unwrap();
    assert_eq!(world.ask("DELETE", &format!("/v1/recordings/{id}"), &[]).status, StatusCode::NO_CONTENT);
}

#[test]
fn one_that_is_not_ready_is_a_conflict_and_one_that_is_not_there_is_missing() {
    let world = World::new();
    let id = world.growing(1, "cam", Format::Mp4);
    let answer = world.ask("DELETE", &format!("/v1/recordings/{id}"), &[]);
    answer.is_problem(StatusCode::CONFLICT, "not_ready");
    assert_eq!(world.get(&format!("/v1/recordings/{id}")).json()["state"], "recording");
    for missing in ["rec_00000000000070008000000000000009_mp4_1", "rec_0", "..%2f.."] {
        let answer = world.ask("DELETE", &format!("/v1/recordings/{missing}"), &[]);
        answer.is_problem(StatusCode::NOT_FOUND, "not_found");
    }
    let answer = world.ask("DELETE", &format!("/v1/recordings/{id}?force=1"), &[]);
    answer.is_problem(StatusCode::BAD_REQUEST, "bad_parameter");
}

#[test]
fn it_takes_the_token() {
    let world = World::with_tokens(&["first-token-first-token"], true);
    let id = world.ready(1, "cam", Format::Mp4, b"media");
    let path = format!("/v1/recordings/{id}");
    for headers in [&[][..], &[("authorization", "Bearer first-token-first-tokem")]] {
        world.ask("DELETE", &path, headers).is_problem(StatusCode::UNAUTHORIZED, "unauthorized");
    }
    world
        .ask("DELETE", "/v1/recordings", &[("authorization", "Bearer first-token-first-token")])
        .is_problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    assert_eq!(
        world.ask("DELETE", &path, &[("authorization", "Bearer first-token-first-token")]).status,
        StatusCode::NO_CONTENT
    );
}

//! `/v1/recordings/{id}/hold`.

use axum::http::StatusCode;
use livetape_catalog::{TokenRow, TokenScope};
use livetape_media::{Format, WallTime};
use livetape_server::http::keyring;
use serde_json::{Value, json};

use crate::world::{NOW, World, conforms};

#[test]
fn a_recording_is_held_shown_as_held_not_deleted_and_released() {
    let world = World::new();
    let id = world.ready(1, "cam", Format::Mp4, b"media");
    let other = world.ready(2, "cam", Format::Mp4, b"media");
    let (path, hold) = (format!("/v1/recordings/{id}"), format!("/v1/recordings/{id}/hold"));
    let answer = world.send("PUT", &hold, r#"{ "reason": "case 7", "by": "the court" }"#);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let at = WallTime::from_unix_millis(NOW).to_string();
    assert_eq!(answer.json()["hold"], json!({ "at": at, "by": "the court", "reason": "case 7" }));
    let description = world.get("/openapi.json").json();
    conforms(&description, &json!({ "$ref": "#/components/schemas/Recording" }), &answer.json(), "held");

    world.ask("DELETE", &path, &[]).is_problem(StatusCode::CONFLICT, "held");
    assert!(world.ask("DELETE", &path, &[]).text().contains("the court: case 7"));
    let ids = |query: &str| {
        let items = world.get(&format!("/v1/recordings?{query}")).json()["items"].clone();
        items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((ids("held=true"), ids("held=false&app=live")), (vec![id.to_string()], vec![other.to_string()]));
    assert!(world.get("/v1/recordings?held=true").text().contains("case 7"));
    assert!(!world.get("/v1/events").text().contains("case 7"), "nobody's business");

    for _ in 0..2 {
        assert_eq!(world.ask("DELETE", &hold, &[]).status, StatusCode::NO_CONTENT);
    }
    assert_eq!(world.get(&path).json().get("hold"), None);
    assert_eq!(world.ask("DELETE", &path, &[]).status, StatusCode::NO_CONTENT);
    world.send("PUT", &hold, r#"{ "reason": "too late" }"#).is_problem(StatusCode::CONFLICT, "being_deleted");
}

#[test]
fn who_holds_is_the_name_of_the_token_and_reading_is_not_enough() {
    let world = World::with_tokens(&["first-token-first-token"], false);
    let row = |name: &str, scope, token| TokenRow {
        name: name.to_owned(),
        scope,
        hash: keyring::hash(token),
        created_at: WallTime::from_unix_millis(0),
    };
    world.keyring.replace(vec![row("archive", TokenScope::Write, "a"), row("viewer", TokenScope::Read, "v")]);
    let id = world.growing(1, "cam", Format::Mp4);
    let hold = format!("/v1/recordings/{id}/hold");
    world.send("PUT", &hold, r#"{ "reason": "x" }"#).is_problem(StatusCode::UNAUTHORIZED, "unauthorized");
    world.send_as("v", "PUT", &hold, r#"{ "reason": "x" }"#).is_problem(StatusCode::FORBIDDEN, "forbidden");
    world.send_as("v", "DELETE", &hold, "").is_problem(StatusCode::FORBIDDEN, "forbidden");
    let held = world.send_as("a", "PUT", &hold, r#"{ "reason": "x" }"#).json();
    assert_eq!(held["hold"]["by"], "archive", "one that grows can be held too: {held}");
}

#[test]
fn a_hold_that_says_nothing_or_of_nothing_is_refused() {
    let world = World::new();
    let id = world.ready(1, "cam", Format::Mp4, b"media");
    let hold = format!("/v1/recordings/{id}/hold");
    let long = json!({ "reason": "x".repeat(251) }).to_string();
    for (body, parameter) in [
        ("", "body"),
        ("{}", "body"),
        ("[]", "body"),
        (r#"{ "reason": "x", "until": "tomorrow" }"#, "body"),
        (r#"{ "reason": "" }"#, "reason"),
        (r#"{ "reason": " \n " }"#, "reason"),
        (r#"{ "reason": "a\nb" }"#, "reason"),
        (r#"{ "reason": "x", "by": "" }"#, "by"),
        (long.as_str(), "reason"),
    ] {
        let answer = world.send("PUT", &hold, body);
        answer.is_problem(StatusCode::BAD_REQUEST, "bad_parameter");
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter, "{body}");
    }
    let huge = "x".repeat(1 << 20);
    world.send("PUT", &hold, &huge).is_problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large");
    assert_eq!(world.get(&format!("/v1/recordings/{id}")).json().get("hold"), None);
    let nobody = "/v1/recordings/rec_00000000000070008000000000000009_mp4_1/hold";
    world.send("PUT", nobody, r#"{ "reason": "x" }"#).is_problem(StatusCode::NOT_FOUND, "not_found");
    world.ask("DELETE", nobody, &[]).is_problem(StatusCode::NOT_FOUND, "not_found");
    assert_ne!(world.get("/v1/recordings").json()["items"], Value::Null);
}

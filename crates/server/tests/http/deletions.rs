//! `/v1/deletions`: a dry run, and the deletion of what it showed.

use axum::http::StatusCode;
use livetape_catalog::{Change, DeletionReason};
use livetape_media::{Format, WallTime};
use serde_json::{Value, json};

use crate::world::{Answer, NOW, World, conforms};

const QUERY: &str = "prefix=live/cam";

fn dry_run(world: &World, query: &str) -> Value {
    let answer = world.ask("POST", &format!("/v1/deletions?{query}"), &[]);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

fn delete(world: &World, query: &str, shown: &Value) -> Answer {
    world.ask("POST", &format!("/v1/deletions?{query}&token={}", shown["token"].as_str().unwrap()), &[])
}

/// Recordings that are ready at [`NOW`]. The clock of the service stands still there.
fn ready(world: &World, numbers: std::ops::RangeInclusive<u128>) -> Vec<String> {
    numbers.map(|number| world.ready_at(number, "cam", Format::Mp4, b"media", NOW).to_string()).collect()
}

#[test]
fn what_the_dry_run_shows_is_deleted_and_nothing_else() {
    let world = World::new();
    let ids = ready(&world, 1..=4);
    world.ready(9, "other", Format::Mp4, b"media");
    world.growing(5, "cam", Format::Flv);
    let hold = world.send("PUT", &format!("/v1/recordings/{}/hold", ids[0]), r#"{ "reason": "case 7" }"#);
    assert_eq!(hold.status, StatusCode::OK);

    let shown = dry_run(&world, QUERY);
    assert_eq!((&shown["recordings"], &shown["size_bytes"]), (&json!(3), &json!(15)));
    let newest: Vec<&String> = ids[1..].iter().rev().collect();
    assert_eq!(shown["first"], json!(newest));
    assert_eq!(shown["held"], json!({ "recordings": 1, "size_bytes": 5, "first": [ids[0]] }));
    assert_eq!((&shown["not_ready"]["recordings"], &shown["being_deleted"]["recordings"]), (&json!(1), &json!(0)));
    assert_eq!(shown["expires_at"], WallTime::from_unix_millis(NOW + 600_000).to_string());
    assert_eq!(world.get("/v1/recordings").json()["items"].as_array().unwrap().len(), 6, "nothing was deleted");

    // What is ready later is not part of it.
    world.ready(6, "cam", Format::Mp4, b"later");
    let answer = delete(&world, QUERY, &shown);
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let location = answer.header("location").unwrap().to_owned();
    let deletion = answer.json();
    assert_eq!(location, format!("/v1/deletions/{}", deletion["id"].as_str().unwrap()));
    assert_eq!((&deletion["state"], &deletion["recordings"]), (&json!("choosing"), &json!(3)));
    assert_eq!((&deletion["filter"]["prefix"], &deletion["asked_by"]), (&json!("live/cam"), &json!("unknown")));
    // The same again is the same.
    assert_eq!(delete(&world, QUERY, &shown).json(), deletion);
    let description = world.get("/openapi.json").json();
    for (schema, value) in
        [("DryRun", &shown), ("Deletion", &deletion), ("DeletionList", &world.get("/v1/deletions").json())]
    {
        conforms(&description, &json!({ "$ref": format!("#/components/schemas/{schema}") }), value, schema);
    }

    world.delete_until(|| world.api.catalog.deletion(1).unwrap().unwrap().ended_at.is_some());
    let done = world.get(&location).json();
    assert_eq!((&done["begun"], &done["deleted"]), (&json!(3), &json!(3)));
    let left: Vec<Value> = world.get("/v1/recordings").json()["items"].as_array().unwrap().clone();
    assert_eq!(left.len(), 4, "the held one, the one that grows, the other and the later one");
    assert_eq!(world.get("/v1/deletions").json()["items"][0], done);
}

#[test]
fn what_has_changed_since_the_dry_run_is_not_deleted() {
    let world = World::new();
    let ids = ready(&world, 1..=3);
    let conflict =
        |query: &str, shown: &Value| delete(&world, query, shown).is_problem(StatusCode::CONFLICT, "changed");
    let shown = dry_run(&world, QUERY);
    conflict("prefix=live", &shown);
    conflict("prefix=live/cam&format=mp4", &shown);
    let mut forged = shown.clone();
    let token = shown["token"].as_str().unwrap();
    forged["token"] = json!(format!("{}{}", &token[..32], "0".repeat(64)));
    conflict(QUERY, &forged);
    world.send("PUT", &format!("/v1/recordings/{}/hold", ids[1]), r#"{ "reason": "case 7" }"#);
    conflict(QUERY, &shown);
    let shown = dry_run(&world, QUERY);
    let id = ids[0].parse().unwrap();
    world.api.catalog.apply(Change::DeletionStarted { id, reason: DeletionReason::Quota }).unwrap();
    conflict(QUERY, &shown);
    assert_eq!(dry_run(&world, QUERY)["recordings"], 1);
    assert_eq!(world.get("/v1/deletions").json()["items"], json!([]));
}

#[test]
fn whoever_does_not_say_which_or_brings_a_token_that_is_none_is_refused() {
    let world = World::new();
    ready(&world, 1..=1);
    for (query, parameter) in [
        ("", "app"),
        ("format=mp4&state=ready", "app"),
        ("app=&prefix=", "app"),
        ("app=live&token=yes", "token"),
        ("app=live&limit=5", "limit"),
        ("app=live&state=gone", "state"),
    ] {
        let answer = world.ask("POST", &format!("/v1/deletions?{query}"), &[]);
        answer.is_problem(StatusCode::BAD_REQUEST, "bad_parameter");
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter, "{query}");
    }
    // One that was good until a moment ago.
    let past = format!("{:016x}{:016x}{}", NOW - 600_001, NOW - 1, "0".repeat(64));
    let answer = world.ask("POST", &format!("/v1/deletions?app=live&token={past}"), &[]);
    answer.is_problem(StatusCode::CONFLICT, "expired");
    for missing in ["del_1", "del_", "1", "del_x", "..%2f"] {
        world.get(&format!("/v1/deletions/{missing}")).is_problem(StatusCode::NOT_FOUND, "not_found");
    }
    let read_only = World::with_tokens(&["first-token-first-token"], true);
    read_only.ask("POST", "/v1/deletions?app=live", &[]).is_problem(StatusCode::UNAUTHORIZED, "unauthorized");
}

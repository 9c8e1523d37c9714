//! `/v1/webhooks` and `/v1/deliveries`: made, changed, disabled, removed, and told again.

use axum::http::StatusCode;
use livetape_catalog::Change;
use livetape_finalize::signature::{Secret, Signed, verify};
use livetape_media::{Format, WallTime};
use serde_json::{Value, json};

use crate::receiver::{Received, Receiver, eventually};
use crate::world::{CONFIGURED, NOW, World};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEWER: &str = "a newer secret, as text";

fn settings(receiver: &Receiver, more: Value) -> String {
    let mut settings = json!({ "url": receiver.url, "secret": SECRET, "timeout": "2s" });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings.to_string()
}

/// Whether the request bears a signature by `secret`.
fn signed_by(received: &Received, secret: &str) -> bool {
    let signed = Signed {
        id: received.header("webhook-id"),
        timestamp: received.header("webhook-timestamp"),
        signature: received.header("webhook-signature"),
    };
    let now = WallTime::from_unix_millis(signed.timestamp.parse::<i64>().unwrap() * 1000);
    let secret: Secret = secret.parse().unwrap();
    verify(&[secret], signed, received.body.as_bytes(), now, std::time::Duration::from_secs(1)).is_ok()
}

fn states(world: &World, query: &str) -> Vec<String> {
    let items = world.get(&format!("/v1/deliveries?{query}")).json()["items"].clone();
    items.as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_webhook_is_made_changed_and_removed_and_its_secrets_never_shown() {
    let (world, receiver) = (World::new(), Receiver::answering(200, "thanks"));
    let made = world.send("PUT", "/v1/webhooks/made", &settings(&receiver, json!({ "events": ["stream.started"] })));
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let shown = made.json();
    assert_eq!((&shown["name"], &shown["source"], &shown["signed"]), (&json!("made"), &json!("api"), &json!(true)));
    assert_eq!(
        (&shown["format"], &shown["timeout"], &shown["concurrency"]),
        (&json!("native"), &json!("2s"), &json!(8))
    );
    world.growing(1, "cam", Format::Mp4);
    let came = receiver.wait(1);
    assert!(came[0].json()["type"] == "stream.started" && signed_by(&came[0], SECRET));
    eventually("both outcomes", || states(&world, "webhook=made&state=pending").is_empty());
    assert_eq!(states(&world, "webhook=made"), ["filtered", "delivered"]);
    let delivery = world.get("/v1/deliveries?webhook=made&state=delivered").json()["items"][0].clone();
    let attempt = &delivery["log"][0];
    assert_eq!(
        (&attempt["status"], &attempt["answer"], &attempt["error"]),
        (&json!(200), &json!("thanks"), &Value::Null)
    );
    assert!(attempt["took_ms"].as_u64().is_some_and(|took| took < 2_000), "{attempt}");
    assert_eq!(world.get(&format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap())).json(), delivery);

    // A secret is changed: deliveries bear a signature of each, then of the new one.
    let both = json!({ "secret": NEWER, "old_secret": SECRET });
    assert_eq!(world.send("PUT", "/v1/webhooks/made", &settings(&receiver, both)).status, StatusCode::OK);
    world.growing(2, "other", Format::Mp4);
    assert!(receiver.wait(3)[1..].iter().all(|received| signed_by(received, SECRET) && signed_by(received, NEWER)));
    let only_new = json!({ "url": receiver.url, "old_secret": "" }).to_string();
    let answer = world.send("PUT", "/v1/webhooks/made", &only_new).json();
    assert_eq!((&answer["signed"], &answer["changing_secret"]), (&json!(true), &json!(false)));
    world.growing(3, "third", Format::Mp4);
    assert!(receiver.wait(5)[3..].iter().all(|received| !signed_by(received, SECRET) && signed_by(received, NEWER)));

    let all = world.get("/v1/webhooks").text();
    assert!(!all.contains("whsec_") && !all.contains("newer") && !all.contains("hunter2"), "{all}");
    assert_eq!(world.ask("DELETE", "/v1/webhooks/made", &[]).status, StatusCode::NO_CONTENT);
    world.ask("DELETE", "/v1/webhooks/made", &[]).is_problem(StatusCode::NOT_FOUND, "not_found");
    world.growing(4, "fourth", Format::Mp4);
    assert_eq!(world.get("/v1/webhooks").json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(receiver.came().len(), 5);
}

#[test]
fn a_webhook_of_the_configuration_is_shown_and_changed_there() {
    let (world, receiver) = (World::new(), Receiver::answering(200, ""));
    let path = format!("/v1/webhooks/{CONFIGURED}");
    let shown = world.get(&path).json();
    assert_eq!((&shown["source"], &shown["url"]), (&json!("configuration"), &json!("http://127.0.0.1:9/hook?***")));
    world.send("PUT", &path, &settings(&receiver, json!({}))).is_problem(StatusCode::CONFLICT, "configured");
    world.ask("DELETE", &path, &[]).is_problem(StatusCode::CONFLICT, "configured");
}

#[test]
fn wrong_settings_are_named_one_by_one() {
    let (world, receiver) = (World::new(), Receiver::answering(200, ""));
    let named = |path: &str, body: &str| -> Vec<String> {
        let answer = world.send("PUT", path, body);
        answer.is_problem(StatusCode::BAD_REQUEST, "bad_parameter");
        let errors = answer.json()["errors"].clone();
        errors.as_array().unwrap().iter().map(|error| error["parameter"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(named("/v1/webhooks/x", "not json"), ["body"]);
    assert_eq!(named("/v1/webhooks/x", "{}"), ["url", "secret"]);
    assert_eq!(
        named("/v1/webhooks/a%20b", &settings(&receiver, json!({ "concurrency": 65 }))),
        ["name", "concurrency"]
    );
    assert_eq!(named("/v1/webhooks/x", &settings(&receiver, json!({ "format": "xml" }))), ["body"]);
    assert_eq!(named("/v1/webhooks/x", &settings(&receiver, json!({ "events": ["stream.exploded"] }))), ["events"]);
    let large = format!("{{\"url\":\"{}\"}}", "x".repeat(100_000));
    world.send("PUT", "/v1/webhooks/x", &large).is_problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large");
    world.get("/v1/webhooks/x").is_problem(StatusCode::NOT_FOUND, "not_found");
}

#[test]
fn one_that_answers_gone_is_disabled_until_it_is_enabled_and_gets_the_rest_on_request() {
    let (world, receiver) = (World::new(), Receiver::answering(410, ""));
    world.send("PUT", "/v1/webhooks/made", &settings(&receiver, json!({})));
    world.growing(1, "cam", Format::Mp4);
    let shown = || world.get("/v1/webhooks/made").json();
    eventually("it is disabled", || shown()["disabled_reason"].is_string());
    assert!(shown()["disabled_reason"].as_str().unwrap().contains("410") && shown()["disabled_at"].is_string());
    let again = format!("/v1/webhooks/made/redeliver?since={}", WallTime::from_unix_millis(NOW));
    world.ask("POST", &again, &[]).is_problem(StatusCode::CONFLICT, "disabled");
    world.growing(2, "meanwhile", Format::Mp4);
    receiver.answer(200, "");
    assert_eq!(receiver.came().len(), 1);

    assert_eq!(world.ask("POST", "/v1/webhooks/made/enable", &[]).status, StatusCode::NO_CONTENT);
    assert_eq!((shown()["disabled_reason"].clone(), receiver.came().len()), (Value::Null, 1));
    world.growing(3, "after", Format::Mp4);
    receiver.wait(3);
    let answer = world.ask("POST", &again, &[]);
    assert_eq!((answer.status, answer.json()), (StatusCode::ACCEPTED, json!({ "events": 6, "next_after": null })));
    let came = receiver.wait(9);
    let ids: Vec<String> = came[3..].iter().map(|received| received.header("webhook-id").to_owned()).collect();
    for event in world.get("/v1/events").json()["items"].as_array().unwrap() {
        assert_eq!(ids.iter().filter(|id| **id == event["id"]).count(), 1, "{event}");
    }
    world.ask("POST", "/v1/webhooks/none/enable", &[]).is_problem(StatusCode::NOT_FOUND, "not_found");
    world.ask("POST", "/v1/webhooks/made/redeliver", &[]).is_problem(StatusCode::BAD_REQUEST, "bad_parameter");
}

#[test]
fn one_event_is_sent_again_with_its_id() {
    let (world, receiver) = (World::new(), Receiver::answering(200, ""));
    world.growing(1, "cam", Format::Mp4);
    world.send("PUT", "/v1/webhooks/made", &settings(&receiver, json!({})));
    let event = world.get("/v1/events").json()["items"][0]["id"].as_str().unwrap().to_owned();
    // It never was owed to this one: it is all the same.
    for count in 1..=2 {
        let answer = world.ask("POST", &format!("/v1/deliveries/{event}.made/redeliver"), &[]);
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
        let came = receiver.wait(count);
        assert_eq!(came[count - 1].header("webhook-id"), event);
        eventually("it is noted", || states(&world, "webhook=made&state=pending").is_empty());
    }
    let delivery = world.get(&format!("/v1/deliveries/{event}.made")).json();
    assert_eq!((&delivery["attempts"], &delivery["state"]), (&json!(2), &json!("delivered")));
    assert!(delivery["again_at"].is_string());
    for missing in
        ["/v1/deliveries/evt_0.made/redeliver", "/v1/deliveries/none/redeliver", "/v1/deliveries/./redeliver"]
    {
        world.ask("POST", missing, &[]).is_problem(StatusCode::NOT_FOUND, "not_found");
    }
    let unknown = format!("/v1/deliveries/{event}.other/redeliver");
    world.ask("POST", &unknown, &[]).is_problem(StatusCode::NOT_FOUND, "not_found");
    world.get(&format!("/v1/deliveries/{event}.other")).is_problem(StatusCode::NOT_FOUND, "not_found");
    for (query, parameter) in
        [("state=lost", "state"), ("cursor=x", "cursor"), ("limit=0", "limit"), ("colour=red", "colour")]
    {
        let answer = world.get(&format!("/v1/deliveries?{query}"));
        answer.is_problem(StatusCode::BAD_REQUEST, "bad_parameter");
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter);
    }
}

#[test]
fn a_receiver_of_another_servers_events_gets_those_and_its_refusals_count() {
    let (world, receiver) = (World::new(), Receiver::answering(200, ""));
    world.send("PUT", "/v1/webhooks/srs", &json!({ "url": receiver.url, "format": "srs" }).to_string());
    let id = world.growing(1, "cam", Format::Mp4);
    let came = receiver.wait(1);
    assert_eq!((&came[0].json()["action"], &came[0].json()["stream"]), (&json!("on_publish"), &json!("cam")));
    eventually("its refusal", || world.get("/v1/deliveries?webhook=srs").json()["items"][1]["log"][0].is_object());
    let first = world.get("/v1/deliveries?webhook=srs").json()["items"][1].clone();
    assert!(first["log"][0]["error"].as_str().unwrap().contains("empty"), "{first}");
    assert_eq!((&first["state"], &first["log"][0]["status"]), (&json!("head"), &json!(200)));
    receiver.answer(200, "0");
    let path = format!("/v1/deliveries/{}/redeliver", first["id"].as_str().unwrap());
    assert_eq!(world.ask("POST", &path, &[]).status, StatusCode::ACCEPTED);
    eventually("both", || states(&world, "webhook=srs") == ["filtered", "delivered"]);
    let failed = Change::RecordingFailed { id, at: WallTime::from_unix_millis(NOW), error: "as it must".to_owned() };
    world.api.catalog.apply(failed).unwrap();
    eventually("all three", || states(&world, "webhook=srs") == ["filtered", "filtered", "delivered"]);
    assert_eq!(receiver.came().len(), 2);
}

#[test]
fn an_address_that_hands_out_credentials_is_not_called() {
    let world = World::new();
    let settings = json!({ "url": "http://169.254.169.254/latest/meta-data/", "secret": SECRET }).to_string();
    assert_eq!(world.send("PUT", "/v1/webhooks/metadata", &settings).status, StatusCode::CREATED);
    world.growing(1, "cam", Format::Mp4);
    let first = || world.get("/v1/deliveries?webhook=metadata&state=head").json()["items"][0]["log"][0].clone();
    eventually("its failure", || first().is_object());
    let error = first()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("169.254.169.254 may not be called") && !error.contains("meta-data"), "{error}");
}

//! Events that were deleted because they are old: whoever reads on from before is told where to go on.

use axum::http::StatusCode;
use livetape_catalog::{Applied, Change};
use livetape_media::{Format, WallTime};
use serde_json::json;

use crate::world::{NOW, World};

fn prune(world: &World, limit: usize) {
    let before = WallTime::from_unix_millis(NOW + 1_000_000);
    // The webhook of the configuration wants none of these.
    let filtered =
        |event: &str| Change::DeliveryFiltered { event: event.to_owned(), endpoint: "configured".to_owned() };
    for event in world.api.catalog.events_after(0, limit).unwrap() {
        let _ = world.api.catalog.apply(filtered(&event.id));
    }
    assert_eq!(world.api.catalog.apply(Change::EventsPruned { before, now: before, limit }).unwrap(), Applied::Done);
}

#[test]
fn a_cursor_that_is_too_old_is_told_where_to_go_on() {
    let world = World::new();
    world.ready(1, "cam", Format::Mp4, b"media");
    let first = world.get("/v1/events").json()["items"][0]["id"].as_str().unwrap().to_owned();
    prune(&world, 3);
    for after in ["1", "2", first.as_str(), "evt_never"] {
        let answer = world.get(&format!("/v1/events?after={after}"));
        answer.is_problem(StatusCode::GONE, "pruned");
        assert_eq!(answer.json()["next_after"], 3, "{after}");
        let stream = world.ask("GET", &format!("/v1/events?after={after}"), &[("accept", "text/event-stream")]);
        stream.is_problem(StatusCode::GONE, "pruned");
    }
    for begin in ["", "?after=0", "?after=3"] {
        assert_eq!(world.get(&format!("/v1/events{begin}")).json()["items"][0]["sequence"], 4, "{begin}");
    }
    world.get("/v1/events?after=x").is_problem(StatusCode::BAD_REQUEST, "bad_parameter");
    prune(&world, 100);
    assert_eq!(world.get("/v1/events").json()["items"], json!([]));
    world.get("/v1/events?after=3").is_problem(StatusCode::GONE, "pruned");
    assert_eq!(world.get("/v1/events?after=4").json()["items"], json!([]));
    world.growing(2, "cam", Format::Mp4);
    let next = world.get("/v1/events?after=4").json()["items"][0].clone();
    assert_eq!((&next["sequence"], &next["seq"]), (&json!(5), &json!(5)), "numbers go on");
}

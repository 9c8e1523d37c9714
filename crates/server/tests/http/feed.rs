//! `GET /v1/events` as a stream.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use livetape_media::Format;
use tower::ServiceExt as _;

use crate::world::{World, block_on};

/// Follows the events; more headers may be given.
fn follow(world: &World, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::get(path).header("accept", "text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    block_on(world.router().oneshot(request.body(Body::empty()).unwrap())).unwrap()
}

/// Reads until so many events have come: their places.
fn read(stream: &mut Response, count: usize) -> (Vec<i64>, String) {
    use http_body_util::BodyExt as _;
    let mut text = String::new();
    let ids = |text: &str| -> Vec<i64> {
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        whole.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect()
    };
    while ids(&text).len() < count {
        let frame = block_on(async { tokio::time::timeout(Duration::from_secs(20), stream.body_mut().frame()).await });
        let frame = frame.unwrap_or_else(|_| panic!("no more than {text:?}")).unwrap().unwrap();
        text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
    (ids(&text), text)
}

#[test]
fn events_are_told_as_they_happen_and_a_client_that_comes_back_misses_none() {
    let world = World::new();
    world.growing(1, "cam", Format::Mp4);
    let mut now = follow(&world, "/v1/events", &[]);
    assert_eq!(now.status(), StatusCode::OK);
    assert_eq!(now.headers()["content-type"], "text/event-stream");
    let mut all = follow(&world, "/v1/events?after=0", &[]);
    assert_eq!(read(&mut all, 2).0, [1, 2]);
    world.growing(2, "other", Format::Mp4);
    let (ids, text) = read(&mut now, 2);
    assert_eq!(ids, [3, 4], "nothing from before it was asked");
    assert_eq!(read(&mut all, 2).0, [3, 4]);
    let line = text.lines().find(|line| line.starts_with("data: ")).unwrap();
    let event: serde_json::Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((&event["type"], &event["seq"]), (&"stream.started".into(), &1.into()));
    assert!(text.contains("event: stream.started\n"), "{text}");
    let mut back = follow(&world, "/v1/events?after=0", &[("last-event-id", "3")]);
    assert_eq!(read(&mut back, 1).0, [4]);
    let wrong = follow(&world, "/v1/events", &[("last-event-id", "yesterday")]);
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn there_are_so_many_clients_and_no_more_and_those_that_left_make_room() {
    let world = World::new();
    let streams: Vec<Response> = (0..64).map(|_| follow(&world, "/v1/events", &[])).collect();
    assert!(streams.iter().all(|stream| stream.status() == StatusCode::OK));
    assert_eq!(follow(&world, "/v1/events", &[]).status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(streams);
    // Each is noticed when something is to be said to it.
    world.growing(1, "cam", Format::Mp4);
    crate::receiver::eventually("room", || follow(&world, "/v1/events", &[]).status() == StatusCode::OK);
}

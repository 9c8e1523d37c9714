//! The HTTP API, called without a socket.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod access;
mod connections;
mod deletion;
mod deletions;
mod feed;
mod holds;
mod plans;
mod pruned;
mod receiver;
mod reference;
mod tape;
mod webhooks;
mod world;

use axum::http::StatusCode;
use livetape_catalog::Change;
use livetape_media::{Format, WallTime};
use proptest::prelude::*;
use serde_json::{Value, json};

use world::{Answer, World, block_on};

#[test]
fn recordings_are_listed_filtered_and_paged() {
    let world = World::new();
    for (session, stream) in [(1, "cam-1"), (2, "cam-2"), (3, "cam-1")] {
        for format in Format::ALL {
            world.ready(session, stream, format, b"media");
        }
    }
    let count = |query: &str| world.get(&format!("/v1/recordings?{query}")).json()["items"].as_array().unwrap().len();
    assert_eq!(count(""), 9);
    assert_eq!(count("app=live&stream=cam-1"), 6);
    assert_eq!(count("stream=nobody"), 0);
    assert_eq!(count("prefix=live/cam-2&format=hls"), 1);
    assert_eq!(count("state=ready"), 9);
    assert_eq!(count("state=recording"), 0);
    assert_eq!(count("from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z"), 0);
    assert_eq!(count("from=2001-01-01T00:00:00%2B01:00&to=2999-01-01T00:00:00Z"), 9);

    let mut seen = Vec::new();
    let mut cursor = String::new();
    for expected in [4, 4, 1] {
        let page = world.get(&format!("/v1/recordings?limit=4&cursor={cursor}")).json();
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), expected);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(cursor, "");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9);
}

#[test]
fn one_recording_is_shown_by_its_id() {
    let world = World::new();
    let id = world.ready(1, "cam", Format::Mp4, b"media");
    let answer = world.get(&format!("/v1/recordings/{id}"));
    assert_eq!(answer.status, StatusCode::OK);
    let recording = answer.json();
    assert_eq!(recording["id"], id.to_string());
    assert_eq!(recording["state"], "ready");
    assert_eq!(recording["url"], "http://tape.test/media/live/cam/1.mp4");
    assert_eq!(recording["size_bytes"], 5);
    assert_eq!(world.get("/v1/recordings").json()["items"][0], recording);
    for missing in ["rec_00000000000070008000000000000009_mp4_1", "rec_0", "x", "%00", "..%2f..", &"9".repeat(3000)] {
        let answer = world.get(&format!("/v1/recordings/{missing}"));
        answer.is_problem(StatusCode::NOT_FOUND, "not_found");
    }
}

#[test]
fn a_recording_that_grows_shows_how_far_it_has_come() {
    let world = World::new();
    let id = world.growing(1, "cam", Format::Hls);
    let before = world.get(&format!("/v1/recordings/{id}")).json();
    assert_eq!((&before["state"], &before["size_bytes"]), (&json!("recording"), &Value::Null));
    let _place = world.live(1, "cam", id, 12_345, 6_789);
    let recording = world.get(&format!("/v1/recordings/{id}")).json();
    assert_eq!((&recording["size_bytes"], &recording["duration_ms"]), (&json!(12_345), &json!(6_789)));
    assert_eq!(world.get("/v1/recordings?state=recording").json()["items"][0], recording);
}

#[test]
fn streams_show_what_is_live() {
    let world = World::new();
    assert_eq!(world.get("/v1/streams").json(), json!({"items": [], "next_cursor": null}));
    let id = world.growing(1, "cam", Format::Mp4);
    let _place = world.live(1, "cam", id, 10, 400);
    let stream = &world.get("/v1/streams").json()["items"][0];
    assert_eq!((&stream["app"], &stream["stream"]), (&json!("live"), &json!("cam")));
    assert_eq!(stream["recordings"][0]["id"], id.to_string());
    assert_eq!(stream["recordings"][0]["size_bytes"], 10);
}

#[test]
fn events_are_read_on_from_any_of_them() {
    let world = World::new();
    for session in 1..=3 {
        world.ready(session, "cam", Format::Flv, b"media");
    }
    let all = world.get("/v1/events").json();
    assert_eq!(all["next_cursor"], Value::Null);
    let items = all["items"].as_array().unwrap();
    let kinds: Vec<&str> = items.iter().take(3).map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["stream.started", "recording.started", "recording.ended"]);
    assert_eq!(items.len(), 12);
    let numbers: Vec<i64> = items.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>(), "of one stream");

    let third = &items[2];
    for after in [third["sequence"].to_string(), third["id"].as_str().unwrap().to_owned()] {
        let rest = world.get(&format!("/v1/events?after={after}")).json();
        assert_eq!(rest["items"].as_array().unwrap()[..], items[3..], "{after}");
    }
    let mut read = Vec::new();
    let mut after = "0".to_owned();
    loop {
        let page = world.get(&format!("/v1/events?limit=4&after={after}")).json();
        read.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next_cursor"].as_str() else { break };
        after = next.to_owned();
    }
    assert_eq!(&read, items);
    let nothing = world.get(&format!("/v1/events?after={}", items[11]["sequence"])).json();
    assert_eq!(nothing, json!({"items": [], "next_cursor": null}));
}

#[test]
fn every_mistake_is_a_problem_that_names_it() {
    let world = World::new();
    for (path, parameter) in [
        ("/v1/recordings?limit=none", "limit"),
        ("/v1/recordings?limit=0", "limit"),
        ("/v1/recordings?limit=501", "limit"),
        ("/v1/recordings?colour=red", "colour"),
        ("/v1/recordings?format=avi", "format"),
        ("/v1/recordings?state=lost", "state"),
        ("/v1/recordings?from=yesterday", "from"),
        ("/v1/recordings?to=2026-13-01T00:00:00Z", "to"),
        ("/v1/recordings?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("/v1/recordings?cursor=%00", "cursor"),
        ("/v1/recordings?app=a&app=b", "app"),
        ("/v1/events?after=x", "after"),
        ("/v1/events?after=-1", "after"),
        ("/v1/streams?x=1", "x"),
        ("/v1/recordings?held=maybe", "held"),
        ("/v1/deletions?cursor=0", "cursor"),
    ] {
        let answer = world.get(path);
        answer.is_problem(StatusCode::BAD_REQUEST, "bad_parameter");
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter, "{path}");
    }
    world.get("/v1/nothing").is_problem(StatusCode::NOT_FOUND, "not_found");
    world.get("//").is_problem(StatusCode::NOT_FOUND, "not_found");
    let answer = world.ask("POST", "/v1/recordings", &[]);
    answer.is_problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    world.ask("BREW", "/v1/recordings", &[]).is_problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
}

#[test]
fn a_token_is_needed_for_everything_but_health() {
    let world = World::with_tokens(&["first-token-first-token", "second-token-second-token"], false);
    world.ready(1, "cam", Format::Mp4, b"media");
    let paths =
        ["/", "/v1/streams", "/v1/recordings", "/v1/events", "/metrics", "/openapi.json", "/media/live/cam/1.mp4"];
    for path in paths {
        let answer = world.get(path);
        answer.is_problem(StatusCode::UNAUTHORIZED, "unauthorized");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        let wrong = world.ask("GET", path, &[("authorization", "Bearer first-token-first-tokem")]);
        assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
        let good = world.ask("GET", path, &[("authorization", "Bearer second-token-second-token")]);
        assert_eq!(good.status, StatusCode::OK, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(world.get(path).status, StatusCode::OK, "{path}");
    }
    let public = World::with_tokens(&["first-token-first-token"], true);
    public.ready(1, "cam", Format::Mp4, b"media");
    assert_eq!(public.get("/media/live/cam/1.mp4").status, StatusCode::OK);
    assert_eq!(public.get("/v1/recordings").status, StatusCode::UNAUTHORIZED);
}

#[test]
fn readiness_ends_with_draining_and_with_a_full_disk() {
    let world = World::new();
    let ready = world.get("/readyz").json();
    assert_eq!(ready["status"], "ready");
    world.api.draining.cancel();
    world.get("/readyz").is_problem(StatusCode::SERVICE_UNAVAILABLE, "draining");
    assert_eq!(world.get("/healthz").json()["status"], "ok");

    let full = World::wanting(u64::MAX);
    full.get("/readyz").is_problem(StatusCode::SERVICE_UNAVAILABLE, "disk_low");
}

#[test]
fn metrics_count_what_became_ready_once() {
    let world = World::new();
    let before = world.metric("livetape_stored_bytes_total{format=\"flv\"}");
    world.ready(1, "zebra", Format::Flv, b"12345678");
    for _ in 0..2 {
        let after = world.metric("livetape_stored_bytes_total{format=\"flv\"}");
        assert!((after - before - 8.0).abs() < 0.5, "{before} {after}");
    }
    let text = world.get("/metrics").text();
    for line in ["livetape_disk_free_bytes ", "livetape_recordings{state=\"ready\"} ", "livetape_http_requests_total{"]
    {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("zebra"), "a stream's name is a label:\n{text}");
}

#[test]
fn the_front_page_says_what_this_is() {
    let world = World::new();
    let answer = world.get("/");
    assert!(answer.text().starts_with("Livetape "));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
}

#[test]
fn finished_files_are_served_with_tags_and_ranges() {
    let world = World::new();
    let media: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    world.ready(1, "cam", Format::Mp4, &media);
    let path = "/media/live/cam/1.mp4";
    let whole = world.get(path);
    assert_eq!((whole.status, &whole.body), (StatusCode::OK, &media));
    assert_eq!(whole.header("content-type"), Some("video/mp4"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("content-length"), Some("100000"));
    let etag = whole.header("etag").unwrap().to_owned();

    let head = world.ask("HEAD", path, &[]);
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (StatusCode::OK, 0, Some("100000")));

    let part = world.ask("GET", path, &[("range", "bytes=500-999")]);
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &media[500..1000]));
    assert_eq!(part.header("content-range"), Some("bytes 500-999/100000"));

    let same = world.ask("GET", path, &[("range", "bytes=-1"), ("if-range", &etag)]);
    assert_eq!((same.status, same.body.len()), (StatusCode::PARTIAL_CONTENT, 1));
    let changed = world.ask("GET", path, &[("range", "bytes=-1"), ("if-range", "\"other\"")]);
    assert_eq!((changed.status, changed.body.len()), (StatusCode::OK, 100_000));

    let beyond = world.ask("GET", path, &[("range", "bytes=100000-")]);
    beyond.is_problem(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable");
    assert_eq!(beyond.header("content-range"), Some("bytes */100000"));

    let known = world.ask("GET", path, &[("if-none-match", &etag)]);
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let date = whole.header("last-modified").unwrap().to_owned();
    assert_eq!(world.ask("GET", path, &[("if-modified-since", &date)]).status, StatusCode::NOT_MODIFIED);
    world.ask("PUT", path, &[]).is_problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
}

#[test]
fn growing_files_are_served_as_far_as_they_have_come() {
    let world = World::new();
    let mp4 = world.growing(1, "cam", Format::Mp4);
    world.spool_file(mp4, "recording.mp4.part", b"fragments so far");
    let answer = world.get("/media/live/cam/1.mp4");
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, "fragments so far"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("etag"), None);
    let part = world.ask("GET", "/media/live/cam/1.mp4", &[("range", "bytes=10-")]);
    assert_eq!((part.status, part.text().as_str()), (StatusCode::PARTIAL_CONTENT, "so far"));

    let hls = world.growing(1, "cam", Format::Hls);
    let directory = "/media/live/cam/1-hls";
    world.get(&format!("{directory}/media.m3u8")).is_problem(StatusCode::NOT_FOUND, "not_found");
    world.spool_file(hls, "media.m3u8.part", b"#EXTM3U\n");
    world.spool_file(hls, "segment-000000.m4s", b"segment");
    let playlist = world.get(&format!("{directory}/media.m3u8"));
    assert_eq!(playlist.text(), "#EXTM3U\n");
    assert_eq!(playlist.header("content-type"), Some("application/vnd.apple.mpegurl"));
    let segment = world.get(&format!("{directory}/segment-000000.m4s"));
    assert_eq!((segment.text().as_str(), segment.header("content-type")), ("segment", Some("video/iso.segment")));
    let index = world.get(&format!("{directory}/index.m3u8"));
    assert_eq!((index.status, index.header("location")), (StatusCode::TEMPORARY_REDIRECT, Some("media.m3u8")));
    for private in ["..", "livetape.db", "..%2frecording.mp4", "media.m3u8.part", "%2e%2e"] {
        let answer = world.get(&format!("{directory}/{private}"));
        assert!(answer.status == StatusCode::NOT_FOUND || private.ends_with(".part"), "{private}");
        assert!(!answer.text().contains("fragments"), "{private}");
    }
}

#[test]
fn a_name_full_of_escapes_is_found_by_its_url() {
    let world = World::new();
    let id = world.ready(1, "caf%C3%A9%2F..", Format::Flv, b"media");
    let url = world.get(&format!("/v1/recordings/{id}")).json()["url"].as_str().unwrap().to_owned();
    assert_eq!(url, "http://tape.test/media/live/caf%25C3%25A9%252F../1.flv");
    let path = url.strip_prefix("http://tape.test").unwrap();
    assert_eq!(world.get(path).text(), "media");
}

#[test]
fn no_path_leads_out_of_the_store() {
    let world = World::new();
    world.ready(1, "cam", Format::Mp4, b"media");
    std::fs::write(world.data().join("secret.mp4"), "secret").unwrap();
    let long = format!("/media/{}", "a".repeat(5_000));
    let deep = format!("/media/{}", "../".repeat(300));
    for path in [
        "/media/",
        "/media",
        "/media/../secret.mp4",
        "/media/..%2fsecret.mp4",
        "/media/%2e%2e/secret.mp4",
        "/media/%2e%2e%2fsecret.mp4",
        "/media/live/..%2f..%2f..%2fsecret.mp4",
        "/media//etc/passwd",
        "/media/%2fetc%2fpasswd",
        "/media/live/cam/1.mp4%00",
        "/media/live/cam/1.mp4%00.flv",
        "/media/live%5c..%5csecret.mp4",
        "/media/live/cam/",
        "/media/live/cam",
        "/media/live/./cam/1.mp4",
        "/media/%ff%fe",
        "/media/C:/secret.mp4",
        &long,
        &deep,
    ] {
        let answer = world.get(path);
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path:.60}: {}", answer.text());
        assert!(!answer.text().contains("secret\n"), "{path:.60}");
    }
}

#[test]
fn the_description_is_the_committed_one_and_names_every_route() {
    let described = livetape_server::http::openapi_json();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &described).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == described, "docs/openapi.json is not current: run this test with UPDATE_GOLDEN=1");
    let world = World::new();
    assert_eq!(world.get("/openapi.json").text(), described);
    let paths = world.get("/openapi.json").json()["paths"].as_object().unwrap().clone();
    for path in paths.keys() {
        let concrete = path.replace("{id}", "rec_0").replace("{key}", "none.mp4").replace("{name}", "none");
        let answer = world.get(&concrete);
        let unknown = answer.status == StatusCode::NOT_FOUND && !path.contains('{');
        assert!(!unknown, "{path} is described but does not exist");
    }
    assert_eq!(paths.len(), 31);
}

#[test]
fn answers_have_the_shapes_that_are_described() {
    let world = World::new();
    let id = world.growing(1, "cam", Format::Mp4);
    let _place = world.live(1, "cam", id, 10, 400);
    world.ready(2, "other", Format::Hls, b"#EXTM3U\n");
    let change = Change::Warning {
        session: world::session(1),
        recording: Some(id),
        kind: "timestamp_jump".to_owned(),
        detail: "it jumped".to_owned(),
        at: WallTime::from_unix_millis(0),
    };
    world.api.catalog.apply(change).unwrap();
    let description: Value = world.get("/openapi.json").json();
    for (path, schema) in [
        ("/v1/recordings".to_owned(), "RecordingList"),
        (format!("/v1/recordings/{id}"), "Recording"),
        ("/v1/streams".to_owned(), "StreamList"),
        ("/v1/templates".to_owned(), "TemplateList"),
        ("/v1/templates/default".to_owned(), "Template"),
        ("/v1/rules".to_owned(), "RuleList"),
        ("/v1/tasks".to_owned(), "TaskList"),
        ("/v1/events".to_owned(), "EventList"),
        ("/v1/deliveries".to_owned(), "DeliveryList"),
        ("/v1/webhooks".to_owned(), "WebhookList"),
        ("/v1/webhooks/configured".to_owned(), "Webhook"),
        ("/healthz".to_owned(), "Health"),
        ("/readyz".to_owned(), "Readiness"),
        ("/v1/nothing".to_owned(), "Problem"),
        ("/v1/events?after=x".to_owned(), "Problem"),
    ] {
        let answer = world.get(&path).json();
        world::conforms(&description, &json!({"$ref": format!("#/components/schemas/{schema}")}), &answer, &path);
    }
}

#[test]
fn a_panic_is_a_problem_and_costs_nothing_else() {
    let router = axum::Router::new().route("/boom", axum::routing::get(boom));
    let router = livetape_server::http::wrap(router, std::time::Duration::from_secs(5));
    for _ in 0..2 {
        let answer = block_on(Answer::of(router.clone(), "GET", "/boom", &[]));
        answer.is_problem(StatusCode::INTERNAL_SERVER_ERROR, "internal");
    }
}

async fn boom() -> &'static str {
    panic!("as the test wants")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_range_is_the_slice(len in 0usize..5_000, first in 0usize..6_000, extra in 0usize..6_000) {
        let media: Vec<u8> = (0..len).map(|at| (at * 7 % 251) as u8).collect();
        let world = World::shared();
        let path = world.stored(&format!("any-{len}.flv"), &media);
        let last = first + extra;
        let answer = world.ask("GET", &path, &[("range", &format!("bytes={first}-{last}"))]);
        if first < len {
            prop_assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
            prop_assert_eq!(&answer.body[..], &media[first..=last.min(len - 1)]);
        } else {
            prop_assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE);
        }
        let suffix = world.ask("GET", &path, &[("range", &format!("bytes=-{first}"))]);
        if first > 0 && len > 0 {
            prop_assert_eq!(&suffix.body[..], &media[len.saturating_sub(first)..]);
        }
    }
}

//! What tokens open, and which pages may ask.

use axum::http::StatusCode;
use livetape_catalog::{TokenRow, TokenScope};
use livetape_media::{Format, WallTime};
use livetape_server::http::keyring::hash;

use crate::world::World;

#[test]
fn a_token_that_may_read_reads_everything_and_changes_nothing() {
    let world = World::with_tokens(&["configured-token"], false);
    let row = |name: &str, scope| TokenRow {
        name: name.to_owned(),
        scope,
        hash: hash(&format!("{name}-token")),
        created_at: WallTime::from_unix_millis(0),
    };
    world.keyring.replace(vec![row("reader", TokenScope::Read), row("writer", TokenScope::Write)]);
    let id = world.ready(1, "cam", Format::Mp4, b"media");
    let path = format!("/v1/recordings/{id}");
    let ask = |method: &str, path: &str, token: &str| {
        world.ask(method, path, &[("authorization", &format!("Bearer {token}"))])
    };
    for path in ["/", "/v1/streams", "/v1/recordings", &path, "/v1/events", "/metrics", "/media/live/cam/1.mp4"] {
        for token in ["reader-token", "writer-token", "configured-token"] {
            assert_eq!(ask("GET", path, token).status, StatusCode::OK, "{path} {token}");
        }
        assert_eq!(ask("HEAD", path, "reader-token").status, StatusCode::OK, "{path}");
    }
    ask("DELETE", &path, "reader-token").is_problem(StatusCode::FORBIDDEN, "forbidden");
    ask("DELETE", &path, "reader").is_problem(StatusCode::UNAUTHORIZED, "unauthorized");
    assert_eq!(ask("DELETE", &path, "writer-token").status, StatusCode::NO_CONTENT);
}

#[test]
fn pages_may_ask_whose_origin_is_configured_and_no_others() {
    let world = World::with_tokens(&["configured-token"], false);
    let allowed = "access-control-allow-origin";
    let ask = |method: &str, origin: &str| {
        let fields = [
            ("origin", origin),
            ("access-control-request-method", "DELETE"),
            ("access-control-request-headers", "authorization"),
        ];
        world.ask(method, "/v1/recordings", &fields)
    };
    let preflight = ask("OPTIONS", "https://console.example.com");
    assert_eq!(preflight.status, StatusCode::OK, "a browser asks this without a token");
    assert_eq!(preflight.header(allowed), Some("https://console.example.com"));
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("DELETE"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("authorization"));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
    let answer = ask("GET", "https://console.example.com");
    assert_eq!(
        (answer.status, answer.header(allowed)),
        (StatusCode::UNAUTHORIZED, Some("https://console.example.com"))
    );
    for origin in
        ["https://evil.example", "https://console.example.com.evil.example", "null", "http://console.example.com"]
    {
        assert_eq!(ask("OPTIONS", origin).header(allowed), None, "{origin}");
        assert_eq!(ask("GET", origin).header(allowed), None, "{origin}");
    }
}

#[test]
fn by_default_no_page_of_another_origin_may_ask() {
    let world = World::new();
    let fields = [("origin", "https://console.example.com"), ("access-control-request-method", "GET")];
    for method in ["OPTIONS", "GET"] {
        let answer = world.ask(method, "/v1/streams", &fields);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{method}");
    }
}

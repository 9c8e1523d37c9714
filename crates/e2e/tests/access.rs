//! Who may ask, and who may change something: tokens made and revoked beside the running program.

use std::fs;
use std::process::{Command, Output};

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::http::Answer;
use livetape_testkit::livetape::{Settings, files_below};
use livetape_testkit::program::text;
use livetape_testkit::{Livetape, clip, place};

/// `livetape token ...` on the data directory of the running program.
fn token(livetape: &Livetape, arguments: &[&str]) -> Output {
    let mut command = Command::new(place::livetape());
    command.arg("token").args(arguments).arg("--data").arg(livetape.data());
    command.output().unwrap()
}

fn create(livetape: &Livetape, name: &str, scope: &str) -> String {
    let output = token(livetape, &["create", "--name", name, "--scope", scope]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

fn get(livetape: &Livetape, path: &str, token: &str) -> Answer {
    livetape.http.get_with(path, &[("authorization", &format!("Bearer {token}"))])
}

fn delete(livetape: &Livetape, path: &str, token: &str) -> Answer {
    livetape.http.delete_with(path, &[("authorization", &format!("Bearer {token}"))])
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// Waits until a request is answered with this status.
fn wait_status(what: &str, status: u16, ask: impl Fn() -> Answer) {
    eventually(what, || match ask() {
        answer if answer.status == status => Ok(()),
        answer => Err(format!("{}: {}", answer.status, answer.text())),
    });
}

#[test]
fn tokens_are_made_and_revoked_while_streams_are_recorded() {
    let mut livetape = Livetape::start(&Settings::new().formats(&["mp4"]));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("kept"));
    let recording = livetape.wait_ready("kept", &["mp4"], 1)[0].clone();
    let path = format!("/v1/recordings/{}", recording.text("id"));
    assert_eq!(livetape.http.get("/v1/streams").status, 200, "on loopback and without tokens everybody may");

    let (reader, writer) = (create(&livetape, "reader", "read"), create(&livetape, "writer", "write"));
    wait_status("the tokens count", 401, || livetape.http.get("/v1/streams"));
    wait_status("the reader's too", 200, || get(&livetape, "/v1/streams", &reader));
    wait_status("the writer's too", 200, || get(&livetape, "/v1/streams", &writer));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(livetape.http.get(path).status, 200, "{path} is open");
    }
    let refused = livetape.http.get("/v1/recordings");
    assert_eq!(code(&refused), (401, "unauthorized".to_owned()));
    assert!(refused.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
    assert_eq!(get(&livetape, &path, &reader).status, 200);
    assert_eq!(code(&delete(&livetape, &path, &reader)), (403, "forbidden".to_owned()));
    assert_eq!(code(&livetape.http.delete(&path)), (401, "unauthorized".to_owned()));
    assert_eq!(get(&livetape, &path, &reader).status, 200, "it is still there");
    assert_eq!(delete(&livetape, &path, &writer).status, 204);

    let listed = text(&token(&livetape, &["list"]).stdout);
    let shown: Vec<&str> = listed.lines().filter_map(|line| line.rsplit_once('\t')).map(|(shown, _)| shown).collect();
    assert_eq!(shown, ["reader\tread", "writer\twrite"]);
    assert!(token(&livetape, &["revoke", "writer"]).status.success());
    wait_status("the writer's token is refused", 401, || get(&livetape, "/v1/streams", &writer));
    assert_eq!(get(&livetape, "/v1/streams", &reader).status, 200);
    let again = token(&livetape, &["revoke", "writer"]);
    assert!(!again.status.success() && text(&again.stderr).contains("there is no token called 'writer'"));

    let audit: Vec<(String, String, u64)> = livetape
        .log()
        .iter()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|entry| entry["message"] == "API write")
        .map(|entry| {
            assert_eq!((&entry["target"], &entry["method"]), (&"audit".into(), &"DELETE".into()), "{entry}");
            assert_eq!((&entry["path"], &entry["address"]), (&path.as_str().into(), &"127.0.0.1".into()), "{entry}");
            (entry["token"].as_str().unwrap().to_owned(), path.clone(), entry["status"].as_u64().unwrap())
        })
        .collect();
    let expected = [("reader", 403), ("none", 401), ("writer", 204)];
    assert_eq!(audit, expected.map(|(token, status)| (token.to_owned(), path.clone(), status)));

    // They outlive the process, and are nowhere in clear.
    livetape.stop();
    for file in files_below(&livetape.data()) {
        let bytes = fs::read(&file).unwrap_or_default();
        let found =
            [&reader, &writer].iter().any(|token| bytes.windows(token.len()).any(|part| part == token.as_bytes()));
        assert!(!found, "{}", file.display());
    }
    let log = livetape.log().join("\n");
    assert!(!log.contains(&reader) && !log.contains(&writer), "{log}");
    livetape.start_again();
    assert_eq!(livetape.http.get("/v1/streams").status, 401);
    assert_eq!(get(&livetape, "/v1/streams", &reader).status, 200);
    livetape.stop();
    livetape.fsck().unwrap();
}

#[test]
fn tokens_of_the_configuration_may_write_and_their_writes_are_told() {
    let settings = Settings::new().set("http.token", "\"configured-token-configured\"");
    let livetape = Livetape::start(&settings);
    let missing = "/v1/recordings/rec_01920000000070008000000000000001_mp4_1";
    assert_eq!(delete(&livetape, missing, "configured-token-configured").status, 404);
    assert_eq!(delete(&livetape, missing, "another-token-another").status, 401);
    let told = |token: &str, status: u16| {
        let log = livetape.log();
        let of_token = log.iter().filter(|line| line.contains("API write") && line.contains(token));
        of_token.filter(|line| line.contains(&format!("\"status\":{status}"))).count()
    };
    eventually("both are in the log", || match (told("configuration", 404), told("unknown", 401)) {
        (1, 1) => Ok(()),
        other => Err(format!("{other:?}\n{}", livetape.log().join("\n"))),
    });
    assert!(!livetape.log().join("\n").contains("configured-token"));
}

#[test]
fn beyond_loopback_the_service_starts_only_with_a_token() {
    let home = tempfile::tempdir().unwrap();
    let serve = || {
        let mut command = Command::new("timeout");
        command.args(["--signal=TERM", "6"]).arg(place::livetape()).args(["serve", "--rtmp", "127.0.0.1:0"]);
        text(&command.args(["--http", "0.0.0.0:0", "--data"]).arg(home.path()).output().unwrap().stderr)
    };
    let refused = serve();
    assert!(refused.contains("can be reached from other machines and there is no token"), "{refused}");
    assert!(!refused.contains("listening"), "{refused}");
    let mut command = Command::new(place::livetape());
    command.args(["token", "create", "--name", "ops", "--scope", "read", "--data"]).arg(home.path());
    assert!(command.output().unwrap().status.success());
    let started = serve();
    assert!(started.contains("listening") && started.contains("stopped"), "{started}");
}

#[test]
fn guessing_tokens_and_asking_without_end_is_answered_with_wait() {
    let settings = Settings::new()
        .set("http.token", "\"configured-token-configured\"")
        .set("http.max_failure_rate", "5")
        .set("http.trusted_proxies", "[\"127.0.0.1\"]");
    let livetape = Livetape::start(&settings);
    let ask = |from: &str, token: &str| {
        let fields = [("x-forwarded-for", from), ("authorization", &format!("Bearer {token}"))];
        livetape.http.get_with("/v1/streams", &fields)
    };
    for guess in 0..5 {
        assert_eq!(ask("192.0.2.1", &format!("guess-{guess}")).status, 401);
    }
    let waits = ask("192.0.2.1", "guess-5");
    assert_eq!(code(&waits), (429, "too_many_failures".to_owned()));
    let seconds: u64 = waits.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=12).contains(&seconds), "{seconds} s");
    // A guess that is right is not told from one that is wrong; another address has done nothing.
    assert_eq!(ask("192.0.2.1", "configured-token-configured").status, 429);
    assert_eq!(ask("192.0.2.2", "configured-token-configured").status, 200);
    assert_eq!(livetape.http.get("/healthz").status, 200);

    let livetape = Livetape::start(&Settings::new().set("http.max_request_rate", "2"));
    let statuses: Vec<u16> = (0..40).map(|_| livetape.http.get("/v1/streams").status).collect();
    let answered = statuses.iter().filter(|status| **status == 200).count();
    assert!((10..=20).contains(&answered), "{statuses:?}");
    assert_eq!(code(&livetape.http.get("/v1/streams")), (429, "too_many_requests".to_owned()));
    assert_eq!(livetape.http.get("/healthz").status, 200);
}

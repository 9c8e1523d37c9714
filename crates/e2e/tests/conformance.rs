//! The API is held against its own description by a tool that was not made for it: Schemathesis makes requests of what
//! `/openapi.json` says, good ones and bad ones, always the same, and looks at every answer.

use std::process::Command;

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Version};
use livetape_testkit::livetape::Settings;
use livetape_testkit::program::{succeed, text};
use livetape_testkit::{Livetape, clip, place};

use crate::FORMATS;

/// What is looked at. Not whether everything is refused that does not fit the description: a parameter without a value
/// counts as none, and Tencent's calls are refused in words of their own.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,missing_required_header";
const TOKEN: &str = "conformance-conformance-1";

/// A program with something of everything in its index: recordings, one that is held, events, webhooks of both kinds at
/// whose addresses nobody is, and deliveries.
fn filled(settings: Settings, token: &str) -> Livetape {
    let hook = "[[webhooks]]\nname = \"configured\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\"\n";
    // The tool asks more often than anybody.
    let settings = settings.set("http.max_request_rate", "0").set("http.max_failure_rate", "0").webhook_as(hook);
    let livetape = Livetape::start(&settings);
    let ask = |method: &str, path: &str, body: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--request", method, "--data", body]);
        curl.args(["--header", &format!("Authorization: Bearer {token}")]);
        succeed(curl.arg(format!("http://{}{path}", livetape.http_address)))
    };
    ask("PUT", "/v1/webhooks/made", r#"{ "url": "http://127.0.0.1:9/", "secret": "a secret of some length" }"#);
    for stream in ["one", "two"] {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url(stream));
    }
    let fields = [("authorization", format!("Bearer {token}"))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let ready = || livetape.http.get_with("/v1/recordings?state=ready", &fields).json()["items"].clone();
    eventually("two streams in every format", || match ready() {
        found if found.as_array().is_some_and(|found| found.len() == 2 * FORMATS.len()) => Ok(()),
        found => Err(found.to_string()),
    });
    let held = ready()[0]["id"].as_str().unwrap().to_owned();
    ask("PUT", &format!("/v1/recordings/{held}/hold"), r#"{ "reason": "case 7" }"#);
    livetape
}

/// Where it finds something, beside what it makes up itself.
fn known(livetape: &Livetape, token: &str) -> String {
    let fields = [("authorization", format!("Bearer {token}"))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let first = |path: &str| {
        let items = livetape.http.get_with(path, &fields).json()["items"].clone();
        items[0]["id"].as_str().unwrap_or("none").to_owned()
    };
    let (held, delivery) = (first("/v1/recordings?held=true"), first("/v1/deliveries"));
    let mut toml = String::new();
    for (path, name, value) in [
        ("/v1/recordings/{id}", "id", &*held),
        ("/v1/recordings/{id}/hold", "id", &held),
        ("/v1/deliveries/{id}", "id", &delivery),
        ("/v1/deliveries/{id}/redeliver", "id", &delivery),
        ("/v1/webhooks/{name}", "name", "made"),
        ("/v1/webhooks/{name}/enable", "name", "made"),
    ] {
        toml += &format!("[[operations]]\ninclude-path = \"{path}\"\nparameters = {{ {name} = \"{value}\" }}\n\n");
    }
    toml
}

/// Runs the tool with what it makes up, or with what is `known` to be there.
fn conforms(livetape: &Livetape, token: &str, phases: &str, examples: u32, known: &str) {
    let tools = place::tools().join("schemathesis");
    std::fs::write(livetape.scratch().join("schemathesis.toml"), known).unwrap();
    let mut tool = Command::new("python3");
    tool.env("PYTHONPATH", &tools).current_dir(livetape.scratch()).args(["-m", "schemathesis.cli", "run"]);
    let base = format!("http://{}", livetape.http_address);
    match token.starts_with("wrong") {
        // With that it is not told; a test holds the file against what is told.
        true => tool.arg(place::root().join("docs/openapi.json")).args(["--url", &base]),
        false => tool.arg(format!("{base}/openapi.json")),
    };
    tool.args(["--seed", "20261122", "--max-examples", &examples.to_string(), "--request-timeout", "20"]);
    tool.args(["--phases", phases, "--checks", CHECKS, "--suppress-health-check", "all"]);
    tool.args(["--generation-database", "none", "--continue-on-failure", "--no-color", "--warnings", "off"]);
    tool.args(["--header", &format!("Authorization: Bearer {token}")]);
    let output = tool.output().unwrap_or_else(|error| panic!("{error}: is python3 there?"));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(!said.contains("No module named"), "run `cargo xtask setup`: {said}");
    assert!(output.status.success(), "{said}");
    let line = said.lines().find(|line| line.contains("generated"));
    let cases = line.and_then(|line| line.split_whitespace().find_map(|word| word.parse::<u32>().ok()));
    assert!(cases.is_some_and(|cases| cases > 50), "it did not look: {said}");
}

#[test]
fn every_answer_is_one_that_the_description_has() {
    let livetape = filled(Settings::new().set("http.tencent_key", "\"testkey123\""), "none");
    conforms(&livetape, "none", "coverage,fuzzing", 10, "");
    let known = known(&livetape, "none");
    conforms(&livetape, "none", "fuzzing", 10, &known);
}

#[test]
fn every_answer_is_one_that_the_description_has_where_there_are_tokens() {
    let settings = Settings::new().set("http.token", &format!("\"{TOKEN}\""));
    let livetape = filled(settings, TOKEN);
    conforms(&livetape, TOKEN, "fuzzing", 6, "");
    // Without a good one there is nothing to be had, and that is described as well.
    conforms(&livetape, "wrong-wrong-wrong-wrong", "fuzzing", 4, "");
}

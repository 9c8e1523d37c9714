//! `docs/api.md`: the API's description for people, made of `/openapi.json` and of real answers.
//!
//! `UPDATE_GOLDEN=1 cargo nextest run -p livetape-server -E 'test(the_reference)'` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use livetape_media::Format;
use serde_json::{Map, Value, json};

use crate::world::{NOW, World, conforms};

const HEAD: &str = "# API\n\n\
    Made of [openapi.json](openapi.json), which a recorder serves at `/openapi.json`; the examples are answers of one.\n\
    What events say is in [events.md](events.md), who may ask in [security.md](security.md).\n\n\
    Errors are `application/problem+json` (RFC 9457): `code` is a word for programs, `detail` says what to do. Times are\n\
    RFC 3339 in UTC. Lists are pages: `next_cursor` of one is the `cursor` of the next (of events the `after`), and null\n\
    behind the last one. Rows that come and go between two pages double nothing, and nothing that is there all along is\n\
    left out. A parameter that is not known is an error.\n";

/// An example: the method, the path, the body, and the schema of the answer.
type Example = (&'static str, &'static str, &'static str, &'static str);

const EXAMPLES: [Example; 7] = [
    ("GET", "/v1/recordings?prefix=live/cam&limit=1", "", "RecordingList"),
    ("PUT", "/v1/recordings/FIRST/hold", r#"{ "reason": "case 7", "by": "the court" }"#, "Recording"),
    ("DELETE", "/v1/recordings/FIRST", "", "Problem"),
    ("POST", "/v1/deletions?prefix=live/cam", "", "DryRun"),
    ("POST", "/v1/deletions?prefix=live/cam&token=TOKEN", "", "Deletion"),
    ("GET", "/v1/events?after=3&limit=1", "", "EventList"),
    ("GET", "/v1/recordings?limit=0", "", "Problem"),
];

#[test]
fn the_reference_is_current_and_its_examples_are_answers_of_a_real_service() {
    let world = World::new();
    let ids: Vec<String> =
        (1..=2).map(|number| world.ready_at(number, "cam", Format::Mp4, b"media", NOW).to_string()).collect();
    let description = world.get("/openapi.json").json();
    let mut text = HEAD.to_owned();
    examples(&world, &description, &ids[0], &mut text);
    operations(&description, &mut text);
    schemas(&description, &mut text);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/api.md is not current: run this test with UPDATE_GOLDEN=1");
    // Every block that says it is JSON is JSON, and of the schema that is named above it.
    let blocks: Vec<&str> =
        committed.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), EXAMPLES.len());
    for (block, (_, path, _, schema)) in blocks.into_iter().zip(EXAMPLES) {
        let value: Value = serde_json::from_str(block).unwrap_or_else(|error| panic!("{path}: {error}\n{block}"));
        conforms(&description, &json!({ "$ref": format!("#/components/schemas/{schema}") }), &value, path);
    }
}

fn examples(world: &World, description: &Value, first: &str, text: &mut String) {
    text.push_str("\n## Examples\n");
    let mut token = String::new();
    for (method, path, body, schema) in EXAMPLES {
        let real = path.replace("FIRST", first).replace("TOKEN", &token);
        let answer = world.send(method, &real, body);
        let mut value = answer.json();
        conforms(description, &json!({ "$ref": format!("#/components/schemas/{schema}") }), &value, path);
        // A token is another one each time.
        if let Some(given) = value.get("token").and_then(Value::as_str).map(str::to_owned) {
            token = given;
            value["token"] = json!("TOKEN");
        }
        // So is a node's name.
        if let Some(node) = value.pointer_mut("/items/0/push/node") {
            *node = json!("0192f0c1-0000-7000-8000-00000000000a");
        }
        let data = if body.is_empty() { String::new() } else { format!(" --data '{body}'") };
        let asked = path.replace("FIRST", first);
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let status = answer.status.as_u16();
        writeln!(text, "\n```sh\ncurl --request {method}{data} 'http://127.0.0.1:8080{asked}'\n```").unwrap();
        writeln!(text, "\n{status}, [{schema}](#{}):\n\n```json\n{pretty}\n```", schema.to_lowercase()).unwrap();
    }
}

fn operations(description: &Value, text: &mut String) {
    text.push_str("\n## Operations\n");
    for (path, item) in object(&description["paths"]) {
        for (method, operation) in object(item) {
            writeln!(text, "\n### `{} {path}`\n", method.to_uppercase()).unwrap();
            let said: Vec<String> =
                ["summary", "description"].iter().filter_map(|key| operation[key].as_str()).map(one_line).collect();
            writeln!(text, "{}", said.join(" ")).unwrap();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            if !parameters.is_empty() {
                text.push_str("\n| parameter | in | type | meaning |\n| --- | --- | --- | --- |\n");
            }
            for one in &parameters {
                let word = |key: &str| one[key].as_str().unwrap_or_default();
                let needed = if one["required"] == true && word("in") != "path" { " (needed)" } else { "" };
                let (kind, meaning) = (kind(&one["schema"]), one_line(word("description")));
                writeln!(text, "| `{}` | {} | {kind} | {meaning}{needed} |", word("name"), word("in")).unwrap();
            }
            if let Some(body) = operation["requestBody"]["content"].as_object() {
                let kinds: Vec<String> = body.values().map(|content| kind(&content["schema"])).collect();
                writeln!(text, "\nBody: {}", kinds.join(", ")).unwrap();
            }
            text.push_str("\n| answer | meaning | body |\n| --- | --- | --- |\n");
            for (status, response) in object(&operation["responses"]) {
                let content = response["content"].as_object().cloned().unwrap_or_default();
                let kinds: Vec<String> = content.iter().map(|(media, content)| body(media, content)).collect();
                let meaning = one_line(response["description"].as_str().unwrap_or_default());
                writeln!(text, "| {status} | {meaning} | {} |", kinds.join(", ")).unwrap();
            }
        }
    }
}

fn schemas(description: &Value, text: &mut String) {
    text.push_str("\n## Shapes\n");
    for (name, schema) in object(&description["components"]["schemas"]) {
        writeln!(text, "\n### {name}\n").unwrap();
        writeln!(text, "{}", one_line(schema["description"].as_str().unwrap_or_default())).unwrap();
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<String> = values.iter().map(|value| format!("`{}`", value.as_str().unwrap())).collect();
            writeln!(text, "\nOne of {}.", values.join(", ")).unwrap();
        }
        let Some(properties) = schema["properties"].as_object() else { continue };
        text.push_str("\n| member | type | meaning |\n| --- | --- | --- |\n");
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in properties {
            let absent = if required.contains(&json!(name)) { "" } else { ", may be missing" };
            let meaning = one_line(property["description"].as_str().unwrap_or_default());
            writeln!(text, "| `{name}` | {}{absent} | {meaning} |", kind(property)).unwrap();
        }
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// What an answer's body is.
fn body(media: &str, content: &Value) -> String {
    match kind(&content["schema"]).as_str() {
        shape if shape.starts_with('[') => shape.to_owned(),
        _ => format!("`{media}`"),
    }
}

/// A schema in a word: its type, or a link to what it refers to.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let of_items = || format!("array of {}", kind(&schema["items"]));
    match &schema["type"] {
        Value::String(kind) if kind == "array" => of_items(),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<String> = kinds
                .iter()
                .filter_map(Value::as_str)
                .map(|kind| if kind == "array" { of_items() } else { kind.to_owned() })
                .collect();
            kinds.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

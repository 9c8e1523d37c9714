//! Who may push is let in by any client, and who may not is told so and disturbs nobody.

mod addresses;
mod asked;
mod signed;
mod token;

use std::time::Duration;

use livetape_testkit::deadline::eventually;
use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Livetape, Publisher, clip};

/// How a publish was answered.
fn answered(livetape: &Livetape, key: &str) -> (String, String) {
    let mut publisher = Publisher::greet(livetape.rtmp);
    publisher.connect("live");
    publisher.message_stream = publisher.create_stream();
    let reply = publisher.ask_to_publish(key);
    let description = reply.values.iter().find_map(|value| value.field("description")?.as_str());
    (reply.code().to_owned(), description.unwrap_or_default().to_owned())
}

const DENIED: &str = "NetStream.Publish.Denied";
const STARTED: &str = "NetStream.Publish.Start";

/// Pushes with ffmpeg, which must fail and say what it was told.
fn is_refused(livetape: &Livetape, version: Version, key: &str) {
    let push = ffmpeg::push(version, &clip::plain(), &livetape.url(key), Pace::Fast);
    let (status, printed) = push.end(Duration::from_secs(30));
    assert!(!status.success(), "{version:?} {key} was let in");
    assert!(!printed.is_empty(), "{version:?} says nothing");
}

/// How many pushes were denied for this reason.
fn denied(livetape: &Livetape, reason: &str) -> u64 {
    let metrics = livetape.metrics();
    let name = format!("livetape_pushes_denied_total{{reason=\"{reason}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
}

/// The lines of the log that say that a push was denied, once there are so many.
fn denials(livetape: &Livetape, count: usize) -> Vec<String> {
    eventually(format!("{count} denials are in the log"), || {
        let lines: Vec<String> = livetape.log().into_iter().filter(|line| line.contains("push denied")).collect();
        if lines.len() >= count { Ok(lines) } else { Err(livetape.log().join("\n")) }
    })
}

fn settings(authorization: &str) -> Settings {
    Settings::new().set("push.authorization", &format!("\"{authorization}\""))
}

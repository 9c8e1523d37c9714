//! What publishers send that is not as it should be: told in a few events, and written down in each recording's report.

mod companions;
mod report;

use livetape_testkit::flv::{self, Kind, Tag};
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Livetape, Publisher, Receiver, clip};

/// Pushes `tags` as fast as they go.
fn push(livetape: &Livetape, stream: &str, tags: &[Tag]) {
    let mut publisher = Publisher::publish(livetape.rtmp, "live", stream);
    publisher.tags(tags);
    publisher.finish(stream);
}

fn plain() -> Vec<Tag> {
    flv::tags(&clip::plain())
}

fn within(tag: &Tag, from: u32, until: u32) -> bool {
    (from..until).contains(&tag.timestamp) && tag.is_frame()
}

/// What is told of the stream, `KIND TRACK PHASE` each.
fn told(receiver: &Receiver, stream: &str) -> Vec<String> {
    let of = |delivery: &livetape_testkit::receiver::Delivery| {
        let body = delivery.body.clone();
        (body["data"]["stream"] == stream).then_some(body)
    };
    let all = receiver.wait("the end of the stream", |deliveries| {
        deliveries.iter().any(|delivery| delivery.kind() == "stream.ended" && of(delivery).is_some())
    });
    let warnings = all.iter().filter(|delivery| delivery.kind() == "recording.warning").filter_map(of);
    let word = |body: &serde_json::Value, name: &str| body["data"][name].as_str().unwrap_or("-").to_owned();
    warnings.map(|body| ["kind", "track", "phase"].map(|name| word(&body, name)).join(" ")).collect()
}

fn settings() -> Settings {
    Settings::new()
        .set("quality.missing_track", "\"3s\"")
        .set("quality.apart_for", "\"2s\"")
        .set("quality.gop_max", "\"4s\"")
        .formats(&["flv"])
}

#[test]
fn every_trouble_of_a_publisher_is_told_when_it_begins_and_when_it_is_over() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&settings().webhook(&receiver));
    let keep = |what: fn(&Tag) -> bool| plain().into_iter().filter(what).collect::<Vec<_>>();
    let shift = |at: fn(&Tag) -> u32| plain().iter().map(|tag| tag.at(at(tag))).collect::<Vec<_>>();
    let larger = |tag: &Tag| tag.at(tag.timestamp + 10_000);
    let both = plain().into_iter().chain(flv::tags(&clip::larger()).iter().map(larger)).collect();
    let cases: [(&str, Vec<Tag>, &[&str]); 10] = [
        ("good", plain(), &[]),
        (
            "silent",
            keep(|tag| tag.kind != Kind::Audio || !within(tag, 3_000, 8_000)),
            &["no_audio audio began", "no_audio audio ended"],
        ),
        (
            "blind",
            keep(|tag| tag.kind != Kind::Video || tag.is_header()),
            &["no_video video began", "no_video video ended"],
        ),
        (
            "apart",
            shift(|tag| tag.timestamp + if tag.kind == Kind::Audio && tag.timestamp > 3_000 { 2_000 } else { 0 }),
            &["timestamp_gap audio once", "audio_video_apart - began", "audio_video_apart - ended"],
        ),
        (
            "stuck",
            shift(|tag| if tag.kind == Kind::Video { tag.timestamp / 80 * 80 } else { tag.timestamp }),
            &["timestamps_stuck video began", "timestamps_stuck video ended"],
        ),
        (
            "back",
            shift(|tag| match tag.kind {
                Kind::Video if tag.timestamp / 40 % 5 == 4 => tag.timestamp - 60,
                _ => tag.timestamp,
            }),
            &["timestamp_repaired video began", "timestamp_repaired video ended"],
        ),
        (
            "jump",
            shift(|tag| if tag.timestamp < 6_000 { tag.timestamp } else { tag.timestamp + 3_600_000 }),
            &["timestamp_jump - once"],
        ),
        ("gap", keep(|tag| !within(tag, 4_000, 5_000)), &["timestamp_gap video once", "timestamp_gap audio once"]),
        (
            "keyless",
            keep(|tag| !tag.is_key() || tag.timestamp < 1_000),
            &["gop_irregular video began", "gop_irregular video ended"],
        ),
        ("resized", both, &["resolution_changed video once"]),
    ];
    for (stream, tags, expected) in cases {
        push(&livetape, stream, &tags);
        let mut found = told(&receiver, stream);
        found.retain(|line| !line.starts_with("frames_skipped"));
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{stream}");
    }
}

#[test]
fn what_is_turned_off_is_not_told() {
    let receiver = Receiver::start();
    let mut settings = settings().webhook(&receiver).set("quality.jumps", "false").set("quality.changes", "false");
    for setting in ["gap", "apart", "missing_track", "gop_max"] {
        settings = settings.set(&format!("quality.{setting}"), "\"0s\"");
    }
    for setting in ["moved_timestamps", "gop_ratio"] {
        settings = settings.set(&format!("quality.{setting}"), "0");
    }
    let livetape = Livetape::start(&settings);
    let jumping = plain().into_iter().map(|tag| {
        let later = if tag.timestamp < 6_000 { 0 } else { 3_600_000 };
        tag.at(if tag.kind == Kind::Video { tag.timestamp / 80 * 80 } else { tag.timestamp } + later)
    });
    push(&livetape, "off", &jumping.filter(|tag| !within(tag, 2_000, 5_000)).collect::<Vec<_>>());
    assert_eq!(told(&receiver, "off"), [""; 0]);
}

#[test]
fn a_publisher_whose_clock_trembles_brings_a_few_events_and_not_one_for_each_frame() {
    let receiver = Receiver::start();
    let livetape = Livetape::start(&settings().webhook(&receiver));
    let tags = plain();
    let mut publisher = Publisher::publish(livetape.rtmp, "live", "trembling");
    publisher.announce_chunk_size(60_000);
    publisher.tags(tags.iter().filter(|tag| !tag.is_frame()));
    let picture = tags.iter().find(|tag| tag.is_key()).unwrap();
    let sound = tags.iter().find(|tag| tag.kind == Kind::Audio && tag.is_frame()).unwrap();
    // Half of all times run back, and every thousandth by an hour.
    for n in 0..40_000_u32 {
        let away = if n % 1_000 == 999 { 3_600_000 } else { 0 };
        publisher.tag(&sound.at(n * 20 + 100 * (n % 2) + away));
        if n % 50 == 0 {
            publisher.tag(&picture.at(n * 20));
        }
    }
    publisher.finish("trembling");
    let told = told(&receiver, "trembling");
    assert!((2..20).contains(&told.len()), "{told:#?}");
    let has = |line: &str| told.iter().any(|told| told == line);
    assert!(has("timestamp_repaired audio began") && has("timestamp_repaired audio ended"), "{told:#?}");
    let ended = receiver.deliveries().into_iter().filter_map(|delivery| {
        let data = &delivery.body["data"];
        (data["kind"] == "timestamp_repaired" && data["phase"] == "ended").then(|| data["count"].as_u64())
    });
    let counted: u64 = ended.flatten().sum();
    assert!(counted > 10_000, "{counted} were counted");
}

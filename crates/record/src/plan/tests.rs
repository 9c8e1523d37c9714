use std::slice;
use std::time::Duration;

use livetape_mux::Layout;

use super::*;
use crate::NameTemplate;

const MINUTE: Duration = Duration::from_secs(60);

fn template(name: &str, formats: &[Format], minutes: u32) -> Template {
    let each = Format::ALL.map(|format| Policy {
        format,
        layout: Layout::default(),
        max_duration: minutes * MINUTE,
        max_bytes: None,
        align: None,
        min_duration: Duration::ZERO,
        track_wait: Duration::ZERO,
        names: NameTemplate::default(),
        playlists: false,
        keep: crate::Keep::default(),
    });
    let resume_window = minutes * Duration::from_secs(1);
    let (name, formats) = (name.to_owned(), formats.to_vec());
    Template { name, formats, each: each.into(), over: false, resume_window, buckets: Vec::new() }
}

fn rule(streams: &str, template: &str) -> Rule {
    Rule {
        name: format!("to-{template}"),
        streams: streams.parse().unwrap(),
        template: template.to_owned(),
        off: false,
        from_query: Vec::new(),
    }
}

fn planned(stream: &str, query: &[(&str, &str)], rules: &[Rule]) -> Plan {
    let (app, name) = stream.split_once('/').unwrap();
    let stream = StreamPath { app: app.to_owned(), name: name.to_owned() };
    let templates = [template(DEFAULT, &Format::ALL, 30), template("long", &[Format::Mp4], 120)];
    let templates = templates.into_iter().map(|template| (template.name.clone(), template)).collect();
    let query = query.iter().map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value)));
    plan(&stream, query, rules, &templates)
}

fn summary(plan: &Plan) -> Vec<(&'static str, u64)> {
    plan.policies.iter().map(|policy| (policy.format.name(), policy.max_duration.as_secs() / 60)).collect()
}

#[test]
fn without_rules_and_where_none_fits_a_stream_is_recorded_by_default() {
    for rules in [&[][..], &[rule("court/*", "long")]] {
        let plan = planned("live/cam1", &[], rules);
        assert_eq!((plan.rule.as_deref(), plan.template.as_deref()), (None, Some("default")));
        assert_eq!(plan.policies.len(), 3);
        assert!(plan.problems.is_empty());
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let off = Rule { off: true, ..rule("live/test-*", "default") };
    let rules = [off, rule("live/*", "long"), rule("*/*", "default")];
    assert_eq!(summary(&planned("live/cam1", &[], &rules)), [("mp4", 120)]);
    assert_eq!(planned("x/cam1", &[], &rules).policies.len(), 3);
    let nothing = planned("live/test-1", &[], &rules);
    assert_eq!((nothing.policies.len(), nothing.template, nothing.rule.as_deref()), (0, None, Some("to-default")));
}

#[test]
fn a_rule_for_a_template_that_is_gone_falls_back_and_says_so() {
    let plan = planned("live/cam1", &[], &[rule("live/*", "gone")]);
    assert_eq!((plan.template.as_deref(), plan.policies.len()), (Some("default"), 3));
    assert!(plan.problems[0].contains("no template 'gone'"), "{:?}", plan.problems);
}

#[test]
fn a_push_asks_for_formats_and_lengths_where_the_rule_allows_it() {
    let asking = Rule { from_query: vec![Format::Mp4, Format::Hls], ..rule("live/*", "long") };
    let rules = [Rule { off: true, ..asking.clone() }];
    let plan = planned("live/cam1", &[("x", "y"), ("record", "HLS|mp4"), ("record_interval", "3600")], &rules);
    assert_eq!(summary(&plan), [("hls", 60), ("mp4", 60)]);
    assert_eq!(plan.problems, [""; 0]);
    assert_eq!(planned("live/cam1", &[], &rules).policies.len(), 0, "it is off unless asked for");
    assert_eq!(
        summary(&planned("live/cam1", &[("record_interval", "7200")], slice::from_ref(&asking))),
        [("mp4", 120)]
    );

    let plan =
        planned("live/cam1", &[("record", "flv|hls|aac\u{1}"), ("record_interval", "300")], slice::from_ref(&asking));
    assert_eq!(summary(&plan), [("hls", 120)], "HLS may not be so short");
    let words = ["record=flv is not used", "record=\"aac\" is not used", "record_interval is not used"];
    for word in words {
        assert!(plan.problems.iter().any(|problem| problem.contains(word)), "{word}: {:?}", plan.problems);
    }
    let plan = planned("live/cam1", &[("record", "flv"), ("record_interval", "soon")], &[asking]);
    assert_eq!((summary(&plan), plan.problems.len()), (vec![("mp4", 120)], 2), "nothing of it is allowed");

    let plan = planned("live/cam1", &[("record", "hls"), ("record_interval", "60")], &[rule("*/*", "long")]);
    assert_eq!((summary(&plan), plan.problems.len()), (vec![("mp4", 120)], 2));
}

#[test]
fn hls_is_over_the_mp4_only_where_both_are_recorded() {
    let over = Template { over: true, ..template("x", &Format::ALL, 30) };
    let shape = |formats: &[Format]| {
        over.policies(formats).iter().map(|policy| (policy.format.name(), policy.playlists)).collect::<Vec<_>>()
    };
    assert_eq!(shape(&Format::ALL), [("mp4", true), ("flv", false)]);
    assert_eq!(shape(&[Format::Hls]), [("hls", false)]);
    assert_eq!(shape(&[Format::Mp4]), [("mp4", false)]);
}

#[test]
fn what_a_bucket_wants_bounds_every_file_and_never_loosens_a_bound() {
    let bucket = Bucket { part_bytes: 10 << 20, max_parts: 100, equal_parts: true };
    let mut bounded = Template { buckets: vec![bucket], ..template("x", &Format::ALL, 30) };
    let most = (10 << 20) * 100 / 10 * 9;
    let sizes = |template: &Template| -> Vec<_> {
        template.policies(&[Format::Mp4, Format::Hls]).iter().map(|policy| policy.max_bytes).collect()
    };
    assert_eq!(sizes(&bounded), [Some(most), None]);
    assert!(bounded.policies(&[Format::Mp4])[0].layout.mp4_reserve_max_bytes <= 5 << 20);
    bounded.each.iter_mut().for_each(|policy| policy.max_bytes = Some(7));
    assert_eq!(sizes(&bounded), [Some(7), Some(7)]);
}

//! Templates and rules.

use livetape_catalog::{Catalog, Options};
use livetape_record::plan::Plan;
use livetape_record::{Keep, StreamPath};
use livetape_rtmp::Query;

use super::*;
use crate::live::Live;
use crate::plans::Plans;

fn planned(text: &str, stream: &str, query: &str) -> Plan {
    let config = load_text(text, &[], &[]).unwrap().config;
    let (app, name) = stream.split_once('/').unwrap();
    let stream = StreamPath { app: app.to_owned(), name: name.to_owned() };
    let directory = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&directory.path().join("livetape.db"), Options::default()).unwrap();
    let plans = Plans::open(&config, &catalog, &Live::default()).unwrap();
    plans.of(&stream, &Query::new(query.to_owned()))
}

const COURT: &str = r#"
[record]
formats = ["hls", "flv"]
mp4_max_duration = "20s"
[[templates]]
name = "court"
formats = ["mp4", "hls"]
hls_source = "mp4"
align = "1h"
align_offset = "+08:00"
max_size = "2GiB"
resume_window = "10min"
retention = "30d"
[[rules]]
streams = "court/*"
template = "court"
[[rules]]
name = "asked"
streams = "test/*"
off = true
from_query = ["mp4"]
"#;

#[test]
fn what_a_template_does_not_say_is_as_the_record_section_says() {
    let plan = planned(COURT, "court/3", "record=flv");
    assert_eq!((plan.rule.as_deref(), plan.template.as_deref()), (Some("configured-1"), Some("court")));
    let [mp4] = &plan.policies[..] else { panic!("{:?}", plan.policies) };
    assert!(mp4.playlists && mp4.align.is_some());
    assert_eq!((mp4.max_duration.as_secs(), mp4.max_bytes), (20, Some(2 << 30)));
    assert_eq!(plan.resume_window, Some(std::time::Duration::from_secs(600)));
    assert_eq!(planned(COURT, "live/cam", "").resume_window, Some(std::time::Duration::ZERO));
    assert_eq!(planned(COURT, "test/cam", "").resume_window, None, "no template is asked");
    assert_eq!(mp4.keep, Keep::For(std::time::Duration::from_secs(30 * 86_400)));
    assert_eq!(plan.problems.len(), 1, "{:?}", plan.problems);
    let for_ever = COURT.replace("30d", "0s");
    assert_eq!(planned(&for_ever, "court/3", "").policies[0].keep, Keep::Ever);

    let others = planned(COURT, "live/cam", "").policies;
    assert!(others.iter().all(|policy| policy.keep == Keep::AsOthers));
    let others: Vec<_> = others.iter().map(|policy| policy.format.name()).collect();
    assert_eq!(others, ["hls", "flv"]);
    assert_eq!(planned(COURT, "test/cam", "").template, None);
    let asked = planned(COURT, "test/cam", "record=mp4&record_interval=90");
    assert_eq!((asked.policies.len(), asked.policies[0].max_duration.as_secs()), (1, 90));
}

#[test]
fn templates_and_rules_are_checked() {
    for (lines, expected) in [
        ("[[templates]]\nformats = [\"mp4\"]", "a name must be 1 to 64"),
        ("[[templates]]\nname = \"default\"", "the template 'default' is what [record] says"),
        ("[[templates]]\nname = \"a\"\n[[templates]]\nname = \"a\"", "two templates are called 'a'"),
        ("[[templates]]\nname = \"a\"\nmp4_max_duration = \"20s\"", "must be allowed to last between 1min and 12h"),
        ("[[templates]]\nname = \"a\"\nhls_max_duration = \"8d\"", "between 10min and 7d"),
        ("[[templates]]\nname = \"a\"\nsegment_duration = \"1s\"", "between 2s and 30s"),
        ("[[templates]]\nname = \"a\"\nmax_size = \"1KiB\"", "1MiB or more"),
        ("[[templates]]\nname = \"a\"\nalign = \"7min\"", "whole number of these periods"),
        ("[[templates]]\nname = \"a\"\nalign_offset = \"CST\"", "'CST' is no offset"),
        ("[[templates]]\nname = \"a\"\nmin_duration = \"2h\"", "between 0s and 1h"),
        (
            "[[templates]]\nname = \"a\"\nformats = [\"hls\"]\nhls_source = \"mp4\"",
            "formats must have both mp4 and hls",
        ),
        ("[[templates]]\nname = \"a\"\nhls_source = \"tape\"", "unknown variant"),
        ("[[templates]]\nname = \"a\"\nrecording_name = \"x\"", "must end in .{ext}"),
        ("[[templates]]\nname = \"a\"\nresume_window = \"31min\"", "between 0s and 30min"),
        ("[[templates]]\nname = \"a\"\nretention = \"3651d\"", "between 0s, which is for ever, and 3650d"),
        ("[record]\nalign = \"7min\"", "whole number of these periods"),
        ("[record]\nalign_offset = \"\"", "no offset from UTC"),
        ("[record]\nmax_size = 10", "1MiB or more"),
        ("[[rules]]\nstreams = \"live\"", "'live' is no pattern of streams"),
        ("[[rules]]\nstreams = \"*/*\"\ntemplate = \"b\"", "there is no template 'b' in this configuration"),
        ("[[rules]]\nstreams = \"*/*\"\nname = \"a b\"", "a name must be 1 to 64"),
        ("[[rules]]\nstreams = \"*/*\"\nfrom_query = [\"aac\"]", "from_query"),
    ] {
        let error = load_text(&format!("{lines}\n"), &[], &[]).unwrap_err();
        assert!(error.contains(expected), "{lines}: {error}");
    }
    let brief = load_text("[[templates]]\nname = \"a\"\nretention = \"5min\"\n", &[], &[]).unwrap().warnings;
    assert!(brief[0].message.contains("recordings are deleted 5min after"), "{brief:?}");
    let shadowed = "[[rules]]\nstreams = \"*/*\"\n[[rules]]\nstreams = \"live/*\"\n";
    let warnings = load_text(shadowed, &[], &[]).unwrap().warnings;
    assert!(warnings[0].message.contains("no rule after this one"), "{warnings:?}");
}

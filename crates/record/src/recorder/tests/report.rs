//! What the report of a recording says of its making.

use livetape_media::JumpDirection;

use super::*;
use crate::Report;
use crate::report::{Gap, Jump, LeftOut, Listed, Repair};

/// The reports of the recordings that these items make, as they come.
fn reports(format: Format, max_ms: u64, items: impl IntoIterator<Item = (i64, Item)>) -> Vec<Report> {
    let mut recorder = recorder(policy(format, max_ms));
    let mut effects = Vec::new();
    for (ms, item) in items {
        recorder.push(&item, now(ms), &mut effects);
    }
    let closed = effects.into_iter().filter_map(|effect| match effect {
        Effect::Close(closing) => Some(*closing.report),
        _ => None,
    });
    closed.collect()
}

/// Pictures and sound every 40 ms, a key frame every second.
fn stream(from: i64, until: i64) -> impl Iterator<Item = (i64, Item)> {
    let frames = |ms| [(ms, picture(ms, ms % 1_000 == 0)), (ms, sound(ms))];
    (from..until).step_by(40).flat_map(frames)
}

fn headers() -> Vec<(i64, Item)> {
    vec![(0, video(640)), (0, audio(48_000))]
}

fn end(ms: i64) -> [(i64, Item); 1] {
    [(ms, Item::End(EndReason::Unpublish))]
}

#[test]
fn each_recording_has_a_report_of_its_own() {
    let items = headers().into_iter().chain(stream(0, 2_000)).chain(stream(3_000, 6_000)).chain(end(6_000));
    let reports = reports(Format::Mp4, 4_000, items);
    let observed: Vec<_> = reports.iter().map(|report| report.observed.as_ref().unwrap()).collect();
    let gaps = |track| Gap { track, at_ms: 1_960 - 80, length_ms: 1_040 };
    let both = vec![gaps(TrackKind::Video), gaps(TrackKind::Audio)];
    assert_eq!(observed[0].gaps, Listed { total: 2, first: both });
    assert_eq!(observed[1].gaps.total, 0);
    let gops: Vec<_> = observed.iter().map(|observed| observed.gops.as_ref().unwrap()).collect();
    assert_eq!((gops[0].count, gops[0].min_ms, gops[0].max_ms), (2, 1_000, 2_000));
    assert_eq!((gops[1].count, gops[1].mean_ms), (1, 1_000));
    let [first, second] = &reports[..] else { panic!("{reports:#?}") };
    assert_eq!((first.last_at, second.first_at), (Some(now(3_960).wall), Some(now(4_000).wall)));
    assert_eq!(second.last_at, Some(now(5_960).wall));
}

#[test]
fn frames_before_the_first_key_frame_are_left_out_of_the_first_recording_only() {
    let early = (0..5).map(|n| (n * 40, picture(n * 40 - 400, false)));
    let items = headers().into_iter().chain(early).chain(stream(1_000, 4_000)).chain(end(4_000));
    let left_out = reports(Format::Mp4, 1_000, items).into_iter().map(|report| report.observed.unwrap().left_out);
    let frames: Vec<u64> = left_out.map(|left_out: LeftOut| left_out.undecodable_frames).collect();
    assert_eq!(frames, [5, 0, 0]);
}

#[test]
fn of_many_jumps_the_first_are_kept_and_all_are_counted() {
    let jump = |at: i64, direction| Item::Jump {
        at: MediaTime::from_millis(at),
        by: MediaTime::from_millis(90_000),
        direction,
    };
    let jumps = (0..1_000).map(|n| (n, jump(n, JumpDirection::Forward)));
    let items: Vec<_> = headers().into_iter().chain(stream(0, 2_000)).chain(jumps).chain(end(2_000)).collect();
    let jumps = reports(Format::Flv, 60_000, items.clone()).remove(0).observed.unwrap().jumps;
    assert_eq!((jumps.total, jumps.first.len()), (1_000, Listed::<Jump>::MOST));
    assert_eq!(jumps.first[7], Jump { at_ms: 7 - 80, by_ms: 90_000, repair: Repair::TakenOut });
    let hls = reports(Format::Hls, 60_000, items).remove(0).observed.unwrap().jumps;
    assert_eq!(hls.first[7].repair, Repair::Discontinuity);
}

#[test]
fn a_configuration_is_listed_where_the_recording_goes_on_with_it() {
    let larger = [(2_000, video(1_280))];
    let items: Vec<_> = headers()
        .into_iter()
        .chain(stream(0, 2_000))
        .chain(larger)
        .chain(stream(2_000, 4_000))
        .chain(end(4_000))
        .collect();
    let widths = |report: &Report| -> Vec<(i64, Option<u32>)> {
        let first = report.observed.as_ref().unwrap().configurations.first.iter();
        first.filter(|one| one.track == TrackKind::Video).map(|one| (one.at_ms, one.width)).collect()
    };
    let hls = reports(Format::Hls, 60_000, items.clone());
    assert_eq!(hls.iter().map(widths).collect::<Vec<_>>(), [[(0, Some(640)), (2_000, Some(1_280))]]);
    let mp4 = reports(Format::Mp4, 60_000, items);
    assert_eq!(mp4.iter().map(widths).collect::<Vec<_>>(), [[(0, Some(640))], [(0, Some(1_280))]]);
}

#[test]
fn a_report_is_json_with_times_as_text() {
    let items = headers().into_iter().chain(stream(0, 2_000)).chain(end(2_000));
    let report = reports(Format::Mp4, 60_000, items).remove(0);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["recovered"], &json["recovery"]), (&false.into(), &serde_json::Value::Null));
    assert_eq!(json["last_at"], now(1_960).wall.to_string());
    assert_eq!(json["observed"]["configurations"]["first"][1]["track"], "audio");
    assert_eq!(json["observed"]["apart"]["curve_ms"], serde_json::json!([40]));
}

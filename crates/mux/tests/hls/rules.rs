//! The rules of segments and playlists, one by one.

use livetape_media::{MediaTime, TrackKind};
use livetape_mux::{Op, SegmentType};
use m3u8_rs::MediaPlaylist;

use crate::check::{check, cuts, master_playlist, media_playlist, millis, segment_packets};
use crate::disk::Disk;
use crate::media::{aac, avc, picture};
use crate::streams::{self, KINDS, Step, Stream, WALL, interleaved, pictures, sounds};

fn durations(playlist: &MediaPlaylist) -> Vec<i64> {
    playlist.segments.iter().map(millis).collect()
}

/// Pictures at 25 frames a second with key frames where `keys_ms` says.
fn with_keys(keys_ms: &[i64], until_ms: i64) -> Stream {
    let times = (0..until_ms).step_by(40).enumerate();
    let pictures = times.map(|(n, at)| picture(n, at, at, keys_ms.contains(&at), 100)).collect();
    Stream::new("keys", vec![avc(), aac()], pictures, sounds(0, 48_000, until_ms - 30))
}

/// The declared TARGETDURATION and the durations of the segments.
fn segmented(keys_ms: &[i64], until_ms: i64) -> (u64, Vec<i64>) {
    let (disk, playlist, _) = check(&with_keys(keys_ms, until_ms));
    (media_playlist(&disk.text("media.m3u8")).target_duration, durations(&playlist))
}

#[test]
fn every_recording_keeps_its_frames_and_its_promises() {
    for stream in streams::all() {
        for kind in KINDS {
            check(&stream.of(kind));
        }
    }
}

#[test]
fn segments_begin_at_the_same_frames_whatever_they_are_made_of() {
    for stream in streams::all() {
        let [fmp4, ts] = KINDS.map(|kind| {
            let (disk, playlist, _) = check(&stream.of(kind));
            (cuts(&disk, &playlist), durations(&playlist))
        });
        assert!(fmp4 == ts, "{}", stream.name);
    }
}

#[test]
fn a_segment_ends_at_the_first_key_frame_at_or_after_the_target() {
    assert_eq!(segmented(&[0, 2000, 4000, 6000, 8000, 10_000], 12_000).1, [6000, 6000]);
    assert_eq!(segmented(&[0, 5000, 7000], 12_000).1, [7000, 5000]);
}

#[test]
fn a_key_frame_that_rounding_put_just_before_the_target_is_at_it() {
    let mut stream = with_keys(&[0, 2000, 4000, 6000, 8000], 9_960);
    for step in &mut stream.steps {
        let Step::Frame(frame) = step else { continue };
        if frame.track.kind == TrackKind::Video && frame.dts > MediaTime::ZERO {
            (frame.dts, frame.pts) = (frame.dts - MediaTime::from_millis(1), frame.pts - MediaTime::from_millis(1));
        }
    }
    assert_eq!(durations(&check(&stream).1)[0], 5999);
}

#[test]
fn the_target_duration_leaves_room_for_the_longest_group_seen() {
    // A target of 6 s and half of it again; with groups of 8.4 s, their length more.
    assert_eq!(segmented(&[0, 2000, 4000, 6000, 8000, 10_000, 12_000], 14_000).0, 9);
    assert_eq!(segmented(&[0, 8400, 16_800], 20_000), (15, vec![8400, 8400, 3200]));
}

#[test]
fn a_group_longer_than_the_playlist_has_declared_is_cut_and_the_next_key_frame_begins_a_segment() {
    let (target, durations) = segmented(&[0, 2000, 4000, 6000, 8000, 20_000, 22_000, 26_000], 30_000);
    assert_eq!(target, 9);
    // 6.0 key; 15.0 forced; 20.0 the next key; 26.0 key.
    assert_eq!(durations, [6000, 9000, 5000, 6000, 4000]);
    let (disk, playlist, _) = check(&with_keys(&[0, 2000, 4000, 6000, 8000, 20_000], 30_000));
    assert!(!playlist.independent_segments);
    assert!(!disk.text("index.m3u8").contains("INDEPENDENT"));
}

#[test]
fn without_further_key_frames_segments_are_cut_at_the_overrun() {
    let mut stream = streams::one_key_frame();
    stream.layout.segment_overrun = 2;
    assert_eq!(durations(&check(&stream).1), [12_000, 12_000, 12_000, 12_000, 12_010]);
}

#[test]
fn slow_pictures_never_break_the_target_duration() {
    for interval in [400, 900, 1000, 1900, 3000, 7000] {
        let pictures = (0..60).map(|n| picture(n, n as i64 * interval, n as i64 * interval, n % 7 == 0, 100)).collect();
        let mut stream = Stream::new("slow", vec![avc()], pictures, vec![]);
        stream.layout.segment_overrun = 2;
        check(&stream);
    }
}

#[test]
fn durations_add_up_to_the_length_of_the_stream() {
    for stream in [streams::plain(), streams::b_frames(), streams::negative_offsets(), streams::video_only()] {
        let (_, playlist, summary) = check(&stream);
        let pictures = stream.track(TrackKind::Video);
        let truth = pictures.len() as i64 * 40;
        let sum: i64 = durations(&playlist).iter().sum();
        assert!((sum - truth).abs() <= 40, "{}: {sum} of {truth}", stream.name);
        assert_eq!(summary.video.unwrap().frame_rate, 25.0);
    }
}

#[test]
fn the_end_is_believed_when_it_can_be() {
    let mut stream = streams::video_only();
    let sum = |stream: &Stream| durations(&check(stream).1).iter().sum::<i64>();
    assert_eq!(sum(&stream), 333 * 40 + 7);
    for nonsense in [Some(0), Some(i64::MAX / 2_000_000), Some(332 * 40), None] {
        stream.end_ms = nonsense;
        assert_eq!(sum(&stream), 333 * 40);
    }
}

#[test]
fn sound_alone_is_cut_by_time() {
    let (_, playlist, summary) = check(&streams::audio_only());
    // MP3 frames of 24 ms.
    assert_eq!(durations(&playlist), [6000, 6000, 6000, 1200]);
    assert!(playlist.independent_segments && summary.video.is_none());
}

#[test]
fn the_calendar_is_told_where_it_is_not_known() {
    let (_, playlist, _) = check(&streams::codec_change());
    let told: Vec<_> = playlist.segments.iter().map(|segment| segment.program_date_time).collect();
    let millis: Vec<_> = told.iter().map(|time| time.map(|time| time.timestamp_millis() - WALL)).collect();
    assert_eq!(millis, [Some(0), None, Some(69_200), None]);
}

#[test]
fn a_changed_picture_gets_its_own_init_section_and_parameter_sets_in_the_stream() {
    let (disk, playlist, summary) = check(&streams::codec_change());
    let maps: Vec<_> = playlist.segments.iter().map(|s| s.map.as_ref().map(|map| map.uri.as_str())).collect();
    assert_eq!(maps, [Some("init-0.mp4"), None, Some("init-1.mp4"), None]);
    let sps = b"\x67\x64\x00\x1e\xac\xd9\x40\xa0";
    let repeated: Vec<bool> = disk.segments().iter().map(|(_, file)| file.data.windows(8).any(|w| w == sps)).collect();
    assert_eq!(repeated, [false, false, true, true]);
    let index = master_playlist(&disk.text("index.m3u8"));
    assert_eq!(index.variants[0].codecs.as_deref(), Some("avc1.64000c,mp4a.40.2,avc1.64001e"));
    assert_eq!(index.variants[0].resolution.map(|size| (size.width, size.height)), Some((640, 360)));
    assert_eq!(summary.video.unwrap().format.width, 320, "the summary describes the beginning");
}

#[test]
fn a_jump_of_the_clock_keeps_the_init_section() {
    let first = Stream::new("jump", vec![avc(), aac()], pictures(0, 50, 200), sounds(0, 48_000, 8_000));
    let stream = first.then(vec![avc(), aac()], 8_000, 8_000, interleaved(pictures(8_000, 50, 50), vec![]));
    let (disk, playlist, _) = check(&stream);
    assert_eq!(playlist.segments.last().unwrap().map.as_ref().unwrap().uri, "init-0.mp4");
    assert!(disk.find("init-1.mp4").is_none());
    assert_eq!(durations(&playlist), [6000, 2000, 2000]);
}

#[test]
fn a_pause_longer_than_any_segment_is_a_discontinuity() {
    let (_, playlist, _) = check(&streams::pause());
    assert_eq!(durations(&playlist), [6000, 3215, 800, 6000, 6000, 2000]);
    let pause = &playlist.segments[2];
    assert!(pause.discontinuity);
    assert_eq!(pause.program_date_time.unwrap().timestamp_millis() - WALL, 49_200);
}

#[test]
fn playlists_appear_with_the_first_finished_segment() {
    let mut disk = Disk::default();
    let mut seen = Vec::new();
    streams::plain().record_with(|ops| {
        for op in ops {
            disk.perform(&op);
            let index = disk.find("index.m3u8").map(|_| disk.text("index.m3u8"));
            let finished = disk.segments().iter().filter(|(_, file)| file.finished).count();
            let state = (finished, disk.find("media.m3u8").is_some(), index.is_some());
            if seen.last() != Some(&state) {
                seen.push(state);
            }
            if let (Some(index), None) = (index, disk.find("vod.m3u8")) {
                assert_eq!(master_playlist(&index).variants[0].uri, "media.m3u8");
            }
        }
    });
    assert_eq!(
        seen,
        [
            (0, false, false),
            (1, false, false),
            (1, true, false),
            (1, true, true),
            (2, true, true),
            (3, true, true),
            (4, true, true)
        ]
    );
}

#[test]
fn a_flush_leaves_at_most_one_frame_of_each_track() {
    for kind in KINDS {
        let mut stream = streams::b_frames().of(kind);
        stream.layout.fragment = std::time::Duration::from_secs(60);
        stream.steps.truncate(111);
        stream.steps.push(Step::Flush);
        let mut disk = Disk::default();
        stream.record_with(|ops| {
            // What comes after the flush is the end.
            if !ops.iter().any(|op| matches!(op, Op::Finish { .. })) {
                ops.iter().for_each(|op| disk.perform(op));
            }
        });
        let list = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"init-0.mp4\"\n#EXTINF:1,\n";
        let map = kind == SegmentType::Fmp4;
        let list = if map { list.to_owned() } else { list.replace("#EXT-X-MAP:URI=\"init-0.mp4\"\n", "") };
        let playlist = media_playlist(&format!("{list}{}\n", disk.segments()[0].0));
        let packets = segment_packets(&disk, &playlist).concat();
        let held_back = 111 - packets.len();
        assert!(if map { (1..=2).contains(&held_back) } else { held_back == 0 }, "{held_back} frames are held back");
    }
}

#[test]
fn progress_counts_what_was_handed_over() {
    for kind in KINDS {
        let stream = streams::plain().of(kind);
        let mut ops = Vec::new();
        let mut disk = Disk::default();
        let mut muxer = livetape_mux::open(livetape_media::Format::Hls, stream.begin(), &mut ops);
        for (number, frame) in stream.frames().enumerate() {
            muxer.frame(frame, &mut ops);
            ops.drain(..).for_each(|op| disk.perform(&op));
            let progress = muxer.progress();
            assert_eq!(progress.size_bytes, disk.size(), "after frame {number}");
            let ends = frame.pts + MediaTime::from_millis(40) - stream.start();
            let off = (progress.duration.as_millis() as i64 - ends.as_millis()).abs();
            assert!(off <= 41, "{:?} at {ends}", progress.duration);
            let finished = disk.segments().iter().filter(|(_, file)| file.finished).count() as u64;
            assert_eq!(progress.segments, finished);
        }
    }
}

#[test]
fn the_same_stream_gives_the_same_bytes() {
    for stream in [streams::codec_change(), streams::discontinuities()] {
        for kind in KINDS {
            assert!(stream.of(kind).record() == stream.of(kind).record());
        }
    }
}

#[test]
fn transport_streams_are_conformant_from_their_first_segment_to_their_last() {
    for stream in streams::all() {
        let (disk, ..) = check(&stream.of(SegmentType::Ts));
        let bytes = disk.segments().iter().flat_map(|(_, file)| file.data.clone()).collect::<Vec<u8>>();
        let report = oxideav_mpegts::validate_ts(&bytes);
        assert!(report.is_conformant() && report.packets > 3, "{}: {report:#?}", stream.name);
    }
}

#[test]
fn mp3_goes_into_transport_streams_whatever_was_asked_for() {
    let mut stream = streams::audio_only();
    stream.layout.segment_type = SegmentType::Fmp4;
    let disk = Disk::after(&stream.record().0);
    assert!(disk.segments().iter().all(|(name, _)| name.ends_with(".ts")) && disk.find("init-0.mp4").is_none());
}

#[test]
fn pictures_that_are_not_carried_do_not_decide_where_sound_is_cut() {
    let mut stream = streams::plain().of(SegmentType::Ts);
    let record = bytes::Bytes::from_static(&[0x81, 0x00, 0x0c, 0x00]);
    stream.tracks[0].config =
        livetape_media::CodecConfig::Av1(livetape_media::codec::Av1Config::parse(record).unwrap());
    let mut disk = Disk::default();
    let summary = stream.record_with(|ops| ops.iter().for_each(|op| disk.perform(op)));
    let playlist = crate::check::check_complete(&disk, &summary);
    assert!(summary.video.is_none());
    assert_eq!(playlist.segments.len(), 4, "{playlist:?}");
}

#[test]
fn tracks_that_are_not_carried_are_left_out() {
    // ER AAC ELD has no place in a transport stream.
    let eld = livetape_media::codec::AacConfig::parse(bytes::Bytes::from_static(&[0xf8, 0xee, 0x50, 0x00])).unwrap();
    let mut stream = streams::plain().of(SegmentType::Ts);
    stream.tracks[1].config = livetape_media::CodecConfig::Aac(eld);
    let mut disk = Disk::default();
    let summary = stream.record_with(|ops| ops.iter().for_each(|op| disk.perform(op)));
    assert!(summary.audio.is_none());
    assert_eq!(summary.video.as_ref().unwrap().frames, 500);
    crate::check::check_complete(&disk, &summary);
}

#[test]
fn a_recording_without_a_frame_lists_nothing() {
    for kind in KINDS {
        let mut stream = streams::plain().of(kind);
        stream.steps.clear();
        let (ops, summary) = stream.record();
        assert!(ops.iter().all(|op| matches!(op, Op::Whole { file, .. } if file.as_str() == "init-0.mp4")));
        assert_eq!(summary.duration.as_millis(), 0);
    }
}

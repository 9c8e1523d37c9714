//! A crash after every operation and within every append: what is left can be completed, with
//! nothing lost but what was torn.

use livetape_media::{Format, TrackId, WallTime};
use livetape_mux::{Op, Salvage, Summary, salvage};

use crate::check::{check_complete, check_media_playlist, segment_packets};
use crate::disk::Disk;
use crate::segments::Packet;
use crate::streams::{self, KINDS, Stream, WALL};

fn salvaged(disk: &Disk) -> Salvage {
    salvage(Format::Hls, disk, WallTime::from_unix_millis(WALL)).unwrap()
}

/// Completes what a crash left. `None` when there is nothing to complete.
fn complete(disk: &Disk) -> Option<(Disk, Vec<Op>, Summary)> {
    match salvaged(disk) {
        Salvage::Empty => None,
        Salvage::Complete { ops, summary, .. } => {
            let mut disk = disk.clone();
            ops.iter().for_each(|op| disk.perform(op));
            Some((disk, ops, summary))
        }
    }
}

/// Streams short enough to be killed at every operation.
fn subjects() -> Vec<Stream> {
    let all = [
        streams::b_frames(),
        streams::codec_change(),
        streams::discontinuities(),
        streams::resumed(),
        streams::pause(),
        streams::audio_only(),
        streams::late_audio(),
        streams::short(),
        streams::one_key_frame(),
    ];
    let shorter = all.into_iter().map(|mut stream| {
        stream.layout.segment = std::time::Duration::from_millis(2_400);
        stream.layout.fragment = std::time::Duration::from_millis(1_000);
        stream
    });
    shorter.flat_map(|stream| KINDS.map(|kind| stream.of(kind))).collect()
}

fn frames(packets: &[Packet], track: TrackId) -> Vec<&[u8]> {
    packets.iter().filter(|packet| packet.track == track).map(|packet| packet.data.as_slice()).collect()
}

/// The packets in all segments, of which each ends with a whole fragment.
fn all_packets(disk: &Disk) -> Vec<Packet> {
    // Every init section of one stream describes the same clocks.
    let init = disk.find("init-0.mp4").map(|file| file.data.as_slice());
    let segments = disk.segments().into_iter().filter(|(_, file)| !file.data.is_empty());
    segments.flat_map(|(name, file)| crate::segments::packets(name, &file.data, init)).collect()
}

/// Holds a salvaged recording against the frames that had been written before.
fn check_salvaged(stream: &Stream, before: &[Packet], disk: &Disk, summary: &Summary) {
    let playlist = check_complete(disk, summary);
    let after = segment_packets(disk, &playlist).concat();
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let (before, after) = (frames(before, track), frames(&after, track));
        assert!(before.len() <= after.len(), "{} of {} frames are left", after.len(), before.len());
        let sent: Vec<&[u8]> = stream.track(track.kind).into_iter().map(|frame| &frame.data[..]).collect();
        assert!(sent.starts_with(&after), "other frames than were sent, or in another order");
    }
    let count = |track| frames(&after, track).len() as u64;
    assert_eq!(summary.video.as_ref().map_or(0, |video| video.frames), count(TrackId::VIDEO));
    assert_eq!(summary.audio.as_ref().map_or(0, |audio| audio.frames), count(TrackId::AUDIO));
    assert_eq!(summary.start, stream.start());
    // Everything that is shown is counted: from the first picture to the end of the last.
    let pictures: Vec<&Packet> = after.iter().filter(|packet| packet.track == TrackId::VIDEO).collect();
    if let (Some(first), Some(last), true) = (pictures.first(), pictures.last(), stream.name == "b-frames") {
        let shown = (last.dts - first.dts).as_millis() + 40;
        let off = summary.duration.as_millis() as i64 - shown;
        // Sound may have come a little further.
        assert!((0..=100).contains(&off), "{:?} of {shown}", summary.duration);
    }
}

#[test]
fn a_crash_after_any_operation_loses_nothing() {
    for stream in subjects() {
        let (ops, summary) = stream.record();
        let mut disk = Disk::default();
        for (number, op) in ops.iter().enumerate() {
            disk.perform(op);
            let before = all_packets(&disk);
            match complete(&disk) {
                None => assert!(before.is_empty(), "{} frames are given up at {number}", before.len()),
                Some((disk, _, summary)) => check_salvaged(&stream, &before, &disk, &summary),
            }
        }
        let (salvaged_disk, _, again) = complete(&disk).unwrap();
        let rate = |summary: &Summary| summary.video.as_ref().map(|video| (video.frame_rate * 10.0).round());
        assert_eq!((again.duration, again.repaired_frames), (summary.duration, summary.repaired_frames));
        assert_eq!(
            (again.video.as_ref().map(|v| v.format), rate(&again)),
            (summary.video.as_ref().map(|v| v.format), rate(&summary))
        );
        assert_eq!(again.audio, summary.audio, "{}", stream.name);
        let text = |disk: &Disk| ["media.m3u8", "vod.m3u8"].map(|name| disk.text(name));
        assert_eq!(text(&salvaged_disk), text(&disk), "completing what is complete changes nothing");
    }
}

#[test]
fn a_crash_within_any_append_loses_only_what_was_torn() {
    for stream in subjects() {
        let (ops, _) = stream.record();
        let mut disk = Disk::default();
        for op in &ops {
            if let Op::Append { slices, .. } = op {
                let len: usize = slices.iter().map(|slice| slice.len()).sum();
                let before = all_packets(&disk);
                for bytes in [1, 7, len / 3, len / 2, len.saturating_sub(200), len - 1].into_iter().filter(|n| *n < len)
                {
                    let mut torn = disk.clone();
                    torn.perform_torn(op, bytes);
                    match complete(&torn) {
                        None => assert!(before.is_empty()),
                        Some((disk, _, summary)) => check_salvaged(&stream, &before, &disk, &summary),
                    }
                }
            }
            disk.perform(op);
        }
    }
}

#[test]
fn salvage_itself_may_crash_anywhere() {
    for stream in subjects() {
        let (ops, _) = stream.record();
        for prefix in (0..=ops.len()).step_by(11) {
            let mut torn = Disk::after(&ops[..prefix]);
            if let Some(op @ Op::Append { slices, .. }) = ops.get(prefix) {
                torn.perform_torn(op, slices.iter().map(|slice| slice.len()).sum::<usize>() * 2 / 3);
            }
            let Some((expected, ops, summary)) = complete(&torn) else { continue };
            let mut disk = torn;
            for op in &ops {
                let mut states = vec![disk.clone()];
                if let Op::Append { slices, .. } = op {
                    let len: usize = slices.iter().map(|slice| slice.len()).sum();
                    for bytes in [1, len / 2, len - 1] {
                        states.push(disk.clone());
                        states.last_mut().unwrap().perform_torn(op, bytes);
                    }
                }
                for state in states {
                    let (found, _, again) = complete(&state).unwrap();
                    assert!(found == expected, "{}: other files", stream.name);
                    assert_eq!(again, summary);
                }
                disk.perform(op);
            }
        }
    }
}

/// The lines from byte `from` on; a transport stream tells the last sound's time to a millisecond, so
/// the last duration is rounded.
fn lines(text: &str, from: usize) -> Vec<String> {
    let mut lines: Vec<String> = text[from..].lines().map(str::to_owned).collect();
    let last = lines.iter().rposition(|line| line.starts_with("#EXTINF:")).unwrap();
    let seconds: f64 = lines[last][8..].trim_end_matches(',').parse().unwrap();
    lines[last] = format!("{:.2}", seconds - 0.004);
    lines
}

#[test]
fn a_playlist_that_lost_any_of_its_end_is_completed() {
    for stream in subjects() {
        let (ops, _) = stream.record();
        let end = ops.iter().rposition(|op| matches!(op, Op::Append { .. })).unwrap();
        let disk = Disk::after(&ops[..end]);
        let complete_text = disk.text("media.m3u8") + "#EXT-X-ENDLIST\n";
        let media = livetape_mux::FileName::new("media.m3u8").unwrap();
        for len in (0..complete_text.len()).step_by(9) {
            let mut torn = disk.clone();
            torn.files.get_mut(&media).unwrap().data.truncate(len);
            let (found, _, summary) = complete(&torn).unwrap();
            check_complete(&found, &summary);
            // What had been declared stays; if nothing had, what is needed is.
            let header = complete_text.find("#EXT-X-PROGRAM").unwrap();
            let from = if len >= header { 0 } else { header };
            assert_eq!(lines(&found.text("media.m3u8"), from), lines(&complete_text, from), "cut at {len}");
        }
        let mut torn = disk.clone();
        torn.files.remove(&media);
        let (found, _, summary) = complete(&torn).unwrap();
        check_complete(&found, &summary);
    }
}

#[test]
fn what_was_listed_stays_as_it_was_listed() {
    let (ops, _) = streams::codec_change().record();
    for prefix in 0..ops.len() {
        let disk = Disk::after(&ops[..prefix]);
        let listed = disk.find("media.m3u8").map(|file| String::from_utf8(file.data.clone()).unwrap());
        let Some((found, ..)) = complete(&disk) else { continue };
        if let Some(listed) = listed.filter(|text| !text.is_empty()) {
            assert!(found.text("media.m3u8").starts_with(&listed));
            check_media_playlist(&found, &found.text("media.m3u8"));
        }
    }
}

#[test]
fn files_of_somebody_else_are_no_recording() {
    let mut disk = Disk::default();
    assert_eq!(salvaged(&disk), Salvage::Empty);
    let name = livetape_mux::FileName::new("segment-000000.ts").unwrap();
    for (data, finished) in [(vec![], false), (vec![0; 1000], false), (vec![0x47; 1880], false)] {
        disk.files.insert(name.clone(), crate::disk::File { data, finished });
        assert_eq!(salvaged(&disk), Salvage::Empty);
    }
    disk.files.insert(name, crate::disk::File { data: vec![0x47; 1880], finished: true });
    let error = salvage(Format::Hls, &disk, WallTime::default()).unwrap_err();
    assert!(error.to_string().starts_with("segment-000000.ts is damaged at byte 0"), "{error}");
}

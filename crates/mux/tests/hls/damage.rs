//! Damage that no crash does: salvage says so, or mends it, and never takes media for nothing.

use livetape_media::{Format, WallTime};
use livetape_mux::{FileName, Op, Salvage, SegmentType, salvage};

use crate::disk::Disk;
use crate::streams::{self, WALL};

fn file<'a>(disk: &'a mut Disk, name: &str) -> &'a mut Vec<u8> {
    &mut disk.files.get_mut(&FileName::new(name).unwrap()).unwrap().data
}

#[test]
fn an_initialisation_section_that_names_other_tracks_does_not_make_media_nothing() {
    let (ops, _) = streams::plain().of(SegmentType::Fmp4).record();
    let media = ops.iter().position(|op| matches!(op, Op::Append { slices, .. } if slices.len() > 1)).unwrap();
    let mut disk = Disk::after(&ops[..=media]);
    let init = file(&mut disk, "init-0.mp4");
    // `track_ID` stands 12 bytes behind the version of the track header.
    let headers: Vec<usize> =
        init.windows(4).enumerate().filter(|(_, box_type)| box_type == b"tkhd").map(|(at, _)| at).collect();
    headers.iter().for_each(|at| init[at + 4 + 12] ^= 0x40);
    let error = salvage(Format::Hls, &disk, WallTime::from_unix_millis(WALL)).unwrap_err();
    assert!(error.to_string().contains("names none of the tracks in segment-000000.m4s"), "{error}");
}

#[test]
fn what_a_hand_added_behind_the_end_of_a_finished_playlist_goes_away() {
    let (ops, _) = streams::plain().record();
    let whole = Disk::after(&ops);
    let mut disk = whole.clone();
    file(&mut disk, "media.m3u8").extend_from_slice(b"segment-999999.m4s\n");
    let salvaged = salvage(Format::Hls, &disk, WallTime::from_unix_millis(WALL)).unwrap();
    let Salvage::Complete { ops, .. } = salvaged else { panic!("{salvaged:?}") };
    ops.iter().for_each(|op| disk.perform(op));
    assert_eq!(disk.text("media.m3u8"), whole.text("media.m3u8"));
}

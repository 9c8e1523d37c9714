//! The `moov` of a finished file, and the headers it shares with that of a growing one
//! (ISO/IEC 14496-12, 8.2 to 8.6).

use std::time::Duration;

use livetape_media::{MediaTime, TrackKind, WallTime};

use super::init::origin;
use super::tables::{size_hint, stbl};
use super::{BoxWriter, TrackEntry, TrackIndex};
use crate::PRE_ROLL;

/// The type of the box that holds the session's time of decoding time 0.
pub(super) const ORIGIN_UUID: [u8; 16] =
    [0x7d, 0xf1, 0x0b, 0x06, 0xe2, 0x92, 0x45, 0x64, 0x95, 0xbb, 0x05, 0x32, 0x9a, 0x5c, 0x26, 0xc7];

/// Ticks a second of the movie's own clock: fine enough for the offset between picture and sound.
const TIMESCALE: u32 = 90_000;
/// From 1904-01-01, where the format's calendar begins, to 1970-01-01.
const EPOCH_1904_SECONDS: i64 = 2_082_844_800;

/// When a finished file plays what.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Movie {
    /// Where it begins, after the fragments' zero.
    pub(crate) start: MediaTime,
    /// How long it plays.
    pub(crate) duration: Duration,
    tracks: Vec<TrackTimes>,
}

/// The times in the headers of one track.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TrackTimes {
    /// In the movie's ticks.
    movie_duration: u64,
    /// In the track's ticks.
    media_duration: u64,
    edits: Option<Edits>,
}

/// An edit list: nothing for a while, then the media from `media_time` on.
#[derive(Clone, Debug, PartialEq)]
struct Edits {
    /// In the movie's ticks.
    nothing: u64,
    /// In the track's ticks.
    media_time: u64,
    /// In the movie's ticks.
    duration: u64,
}

impl Movie {
    /// Works out when the tracks are played so that all keep their true relation.
    pub(crate) fn of(tracks: &[(&TrackEntry, &TrackIndex)]) -> Self {
        let shown: Vec<_> = tracks.iter().map(|(entry, index)| Shown::of(entry, index)).collect();
        let find = |kind| tracks.iter().zip(&shown).find(|((entry, _), _)| entry.id.kind == kind).map(|(_, s)| *s);
        let start = match (find(TrackKind::Video), find(TrackKind::Audio)) {
            (Some(video), Some(audio)) if video.from - audio.from > PRE_ROLL || audio.until <= video.from => audio.from,
            (Some(first), _) | (None, Some(first)) => first.from,
            (None, None) => MediaTime::ZERO,
        };
        let tracks: Vec<_> = tracks
            .iter()
            .zip(shown)
            .map(|((entry, index), shown)| TrackTimes::of(entry, index, shown, start))
            .collect();
        let ticks = tracks.iter().map(|track| track.movie_duration).max().unwrap_or(0);
        let duration = MediaTime::from_ticks(i64::try_from(ticks).unwrap_or(i64::MAX), TIMESCALE).to_duration();
        Self { start, duration, tracks }
    }
}

/// From when until when a track is shown, after the fragments' zero.
#[derive(Clone, Copy)]
struct Shown {
    from: MediaTime,
    until: MediaTime,
}

impl Shown {
    fn of(entry: &TrackEntry, index: &TrackIndex) -> Self {
        let first = i64::try_from(index.first_dts()).unwrap_or(i64::MAX);
        let at = |ticks: i64| MediaTime::from_ticks(first.saturating_add(ticks), entry.timescale);
        Self { from: at(i64::from(index.first_composition())), until: at(index.shown_until()) }
    }
}

impl TrackTimes {
    fn of(entry: &TrackEntry, index: &TrackIndex, shown: Shown, start: MediaTime) -> Self {
        let nothing = (shown.from - start).max(MediaTime::ZERO).to_ticks(TIMESCALE).unsigned_abs();
        let left_out = (start - shown.from).max(MediaTime::ZERO).to_ticks(entry.timescale);
        let first = i64::from(index.first_composition());
        let played = (index.shown_until() - first - left_out).max(0).unsigned_abs();
        // Rounded up: an edit that ends within a frame would take the frame away.
        let duration = (u128::from(played) * u128::from(TIMESCALE)).div_ceil(u128::from(entry.timescale));
        let duration = u64::try_from(duration).unwrap_or(u64::MAX);
        let media_time = (left_out + first + index.raise()).max(0).unsigned_abs();
        Self {
            movie_duration: nothing.saturating_add(duration),
            media_duration: index.duration(),
            edits: (nothing > 0 || media_time > 0).then_some(Edits { nothing, media_time, duration }),
        }
    }
}

/// The `moov` of a finished file. `zero` is the moment of the session's timeline that decoding time 0 of
/// its fragments was, `movie` what [`Movie::of`] said of the same tracks.
///
/// ```text
/// moov
///   mvhd
///   trak  one for each track
///     tkhd
///     edts  elst      where the track does not simply begin with its first frame's decoding
///     mdia  mdhd hdlr minf { vmhd|smhd dinf { dref { url } } stbl }
///   udta  meta { hdlr ilst { ©too } }
///   uuid  as in the fragmented head
/// ```
pub(crate) fn progressive(
    movie: &Movie,
    tracks: &[(&TrackEntry, &TrackIndex)],
    wall_start: WallTime,
    zero: MediaTime,
) -> Vec<u8> {
    let size: usize = tracks.iter().map(|(entry, index)| size_hint(entry, index)).sum();
    let mut writer = BoxWriter::with_capacity(size + 1024);
    writer.boxed(b"moov", |w| {
        let duration = movie.tracks.iter().map(|track| track.movie_duration).max().unwrap_or(0);
        let last_track = tracks.iter().map(|(entry, _)| entry.number).max().unwrap_or(0);
        mvhd(w, wall_start, duration, last_track);
        for ((entry, index), times) in tracks.iter().zip(&movie.tracks) {
            trak(w, entry, wall_start, times, |w| stbl(w, entry, index));
        }
        udta(w);
        origin(w, zero);
    });
    writer.into_bytes()
}

/// ```text
/// mvhd  creation modification timescale:u32 duration  rate:16.16=1 volume:8.8=1 0:10 matrix:36 0:24 next_track_ID:u32
/// ```
pub(super) fn mvhd(writer: &mut BoxWriter, wall_start: WallTime, duration: u64, last_track: u32) {
    let made = seconds_since_1904(wall_start);
    let wide = needs_wide(made, duration);
    writer.full(b"mvhd", u8::from(wide), 0, |w| {
        w.u32_or_u64(wide, made);
        w.u32_or_u64(wide, made);
        w.u32(TIMESCALE);
        w.u32_or_u64(wide, duration);
        w.u32(0x0001_0000);
        w.u16(0x0100);
        w.zeros(10);
        unity_matrix(w);
        w.zeros(24);
        w.u32(last_track + 1);
    });
}

/// One track's `trak`; `tables` writes its `stbl`.
pub(super) fn trak(
    writer: &mut BoxWriter,
    entry: &TrackEntry,
    wall_start: WallTime,
    times: &TrackTimes,
    tables: impl FnOnce(&mut BoxWriter),
) {
    writer.boxed(b"trak", |w| {
        tkhd(w, entry, wall_start, times.movie_duration);
        if let Some(edits) = &times.edits {
            w.boxed(b"edts", |w| elst(w, edits));
        }
        w.boxed(b"mdia", |w| {
            mdhd(w, entry, wall_start, times.media_duration);
            hdlr(w, entry);
            w.boxed(b"minf", |w| {
                if entry.is_video() {
                    w.full(b"vmhd", 0, 1, |w| w.zeros(8));
                } else {
                    w.full(b"smhd", 0, 0, |w| w.zeros(4));
                }
                // The media is in this file: a reference with flag 1 and no address.
                w.boxed(b"dinf", |w| {
                    w.full(b"dref", 0, 0, |w| {
                        w.u32(1);
                        w.full(b"url ", 0, 1, |_| {});
                    });
                });
                tables(w);
            });
        });
    });
}

/// ```text
/// tkhd  flags 3 (enabled, in the movie)  creation modification track_ID:u32 0:4 duration
///       0:8 layer:i16 alternate_group:i16 volume:8.8 0:2 matrix:36 width:16.16 height:16.16
/// ```
fn tkhd(writer: &mut BoxWriter, entry: &TrackEntry, wall_start: WallTime, duration: u64) {
    let made = seconds_since_1904(wall_start);
    let wide = needs_wide(made, duration);
    writer.full(b"tkhd", u8::from(wide), 3, |w| {
        w.u32_or_u64(wide, made);
        w.u32_or_u64(wide, made);
        w.u32(entry.number);
        w.zeros(4);
        w.u32_or_u64(wide, duration);
        w.zeros(12);
        w.u16(if entry.is_video() { 0 } else { 0x0100 });
        w.zeros(2);
        unity_matrix(w);
        w.u32(entry.size.0.min(0xffff) << 16);
        w.u32(entry.size.1.min(0xffff) << 16);
    });
}

/// `elst  entry_count:u32 { segment_duration media_time rate:16.16=1 }...`; a media time of -1 plays
/// nothing.
fn elst(writer: &mut BoxWriter, edits: &Edits) {
    let wide = [edits.nothing, edits.duration].iter().any(|value| u32::try_from(*value).is_err())
        || i32::try_from(edits.media_time).is_err();
    writer.full(b"elst", u8::from(wide), 0, |w| {
        w.u32(1 + u32::from(edits.nothing > 0));
        if edits.nothing > 0 {
            w.u32_or_u64(wide, edits.nothing);
            w.u32_or_u64(wide, if wide { u64::MAX } else { u64::from(u32::MAX) });
            w.u32(0x0001_0000);
        }
        w.u32_or_u64(wide, edits.duration);
        w.u32_or_u64(wide, edits.media_time);
        w.u32(0x0001_0000);
    });
}

/// `mdhd  creation modification timescale:u32 duration language:u16="und" 0:2`
fn mdhd(writer: &mut BoxWriter, entry: &TrackEntry, wall_start: WallTime, duration: u64) {
    let made = seconds_since_1904(wall_start);
    let wide = needs_wide(made, duration);
    writer.full(b"mdhd", u8::from(wide), 0, |w| {
        w.u32_or_u64(wide, made);
        w.u32_or_u64(wide, made);
        w.u32(entry.timescale);
        w.u32_or_u64(wide, duration);
        w.u16(0x55c4);
        w.zeros(2);
    });
}

/// `hdlr  0:4 handler_type:4 0:12 name:zero-terminated`
fn hdlr(writer: &mut BoxWriter, entry: &TrackEntry) {
    let (kind, name): (&[u8], &[u8]) =
        if entry.is_video() { (b"vide", b"Livetape video\0") } else { (b"soun", b"Livetape audio\0") };
    writer.full(b"hdlr", 0, 0, |w| {
        w.zeros(4);
        w.raw(kind);
        w.zeros(12);
        w.raw(name);
    });
}

/// `udta { meta { hdlr("mdir") ilst { ©too { data } } } }`: the program that made the file.
fn udta(writer: &mut BoxWriter) {
    writer.boxed(b"udta", |w| {
        w.full(b"meta", 0, 0, |w| {
            w.full(b"hdlr", 0, 0, |w| {
                w.zeros(4);
                w.raw(b"mdirappl");
                w.zeros(9);
            });
            w.boxed(b"ilst", |w| {
                w.boxed(b"\xa9too", |w| {
                    w.boxed(b"data", |w| {
                        // Type 1: UTF-8; no locale.
                        w.u32(1);
                        w.u32(0);
                        w.raw(concat!("Livetape ", env!("CARGO_PKG_VERSION")).as_bytes());
                    });
                });
            });
        });
    });
}

fn unity_matrix(writer: &mut BoxWriter) {
    for value in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] {
        writer.u32(value);
    }
}

fn seconds_since_1904(time: WallTime) -> u64 {
    let seconds = time.as_unix_millis().div_euclid(1000) + EPOCH_1904_SECONDS;
    u64::try_from(seconds).unwrap_or(0)
}

/// The calendar's time that a header's creation time means.
pub(super) fn wall_time(seconds_since_1904: u64) -> WallTime {
    let seconds = i64::try_from(seconds_since_1904).unwrap_or(0) - EPOCH_1904_SECONDS;
    WallTime::from_unix_millis(seconds.saturating_mul(1000))
}

/// Whether a header needs its version 1, with 64-bit times.
fn needs_wide(made: u64, duration: u64) -> bool {
    u32::try_from(made).is_err() || u32::try_from(duration).is_err()
}

//! Heads of files and initialisation sections: `ftyp`, and the `moov` of a fragmented file.

use bytes::Bytes;
use livetape_media::{MediaTime, WallTime};

use super::movie::{ORIGIN_UUID, TrackTimes, mvhd, trak};
use super::tables::stsd;
use super::{BoxWriter, TrackEntry};

/// What `ftyp` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brands {
    /// The specification to read the file by.
    pub(crate) major: [u8; 4],
    /// Its version, informative.
    pub(crate) minor: u32,
    /// What else it conforms to.
    pub(crate) compatible: &'static [[u8; 4]],
}

impl Brands {
    /// A growing MP4. No brand older than `iso5`: fragments use `default-base-is-moof`.
    pub(crate) const RECORDING: Self =
        Self { major: *b"iso6", minor: 512, compatible: &[*b"iso6", *b"iso5", *b"mp41"] };
    /// A finished MP4.
    pub(crate) const FINISHED: Self = Self { major: *b"isom", minor: 512, compatible: &[*b"isom", *b"iso2", *b"mp41"] };

    /// The whole box.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut writer = BoxWriter::with_capacity(32);
        self.write(&mut writer);
        writer.into_bytes()
    }

    /// `ftyp  major_brand:4 minor_version:u32 compatible_brands:4...`
    pub(crate) fn write(&self, writer: &mut BoxWriter) {
        writer.boxed(b"ftyp", |w| {
            w.raw(&self.major);
            w.u32(self.minor);
            self.compatible.iter().for_each(|brand| w.raw(brand));
        });
    }
}

/// The head of a fragmented file, or an HLS initialisation section: `ftyp` and `moov`. `wall_start` is
/// the calendar's time at the recording's start, `zero` the moment of the session's timeline that
/// decoding time 0 of the fragments is.
///
/// ```text
/// ftyp
/// moov
///   mvhd            duration 0: told by the fragments
///   trak            one for each track, empty tables
///     tkhd
///     mdia  mdhd hdlr minf { vmhd|smhd dinf { dref { url } } stbl { stsd stts stsc stsz stco } }
///   mvex  trex      one for each track
///   uuid            the zero on the session's timeline, for completing and joining files
/// ```
pub(crate) fn init_section(brands: Brands, tracks: &[TrackEntry], wall_start: WallTime, zero: MediaTime) -> Bytes {
    let mut writer = BoxWriter::with_capacity(2048);
    brands.write(&mut writer);
    writer.boxed(b"moov", |w| {
        mvhd(w, wall_start, 0, tracks.iter().map(|entry| entry.number).max().unwrap_or(0));
        for entry in tracks {
            trak(w, entry, wall_start, &TrackTimes::default(), |w| {
                w.boxed(b"stbl", |w| {
                    stsd(w, entry);
                    w.full(b"stts", 0, 0, |w| w.u32(0));
                    w.full(b"stsc", 0, 0, |w| w.u32(0));
                    w.full(b"stsz", 0, 0, |w| w.zeros(8));
                    w.full(b"stco", 0, 0, |w| w.u32(0));
                });
            });
        }
        w.boxed(b"mvex", |w| {
            for entry in tracks {
                // track_ID, sample description 1, no defaults: every fragment says its own.
                w.full(b"trex", 0, 0, |w| {
                    w.u32(entry.number);
                    w.u32(1);
                    w.zeros(12);
                });
            }
        });
        origin(w, zero);
    });
    writer.into_bytes().into()
}

/// `uuid  extended type:16  nanoseconds on the session's timeline of decoding time 0:i64`
pub(super) fn origin(writer: &mut BoxWriter, zero: MediaTime) {
    writer.boxed(b"uuid", |w| {
        w.raw(&ORIGIN_UUID);
        w.u64(zero.as_nanos() as u64);
    });
}

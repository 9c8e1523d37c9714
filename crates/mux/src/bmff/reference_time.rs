//! The calendar's time at a fragment (`prft`, ISO/IEC 14496-12, 8.16.5).

use bytes::Bytes;
use livetape_media::WallTime;

use super::BoxWriter;
use super::reader::Reader;

/// From 1900-01-01, where NTP counts from, to 1970-01-01, in seconds.
const NTP_EPOCH: i64 = 2_208_988_800;
/// The two moments belong together in an arbitrary but consistent way.
const ASSOCIATED: u32 = 8;
/// Bytes of the box, header and all.
pub(crate) const PRFT_LEN: u64 = 32;

/// `prft  reference_track_ID:u32 ntp_timestamp:u64 media_time:u64`, which stands before a fragment of which `track`
/// begins at the decoding time `dts`, when the calendar shows `wall`.
pub(crate) fn prft(track: u32, dts: u64, wall: WallTime) -> Bytes {
    let millis = wall.as_unix_millis();
    let seconds = millis.div_euclid(1000).saturating_add(NTP_EPOCH).rem_euclid(1 << 32) as u64;
    // Rounded up, so that it is found again by rounding down.
    let fraction = ((millis.rem_euclid(1000) as u64) << 32).div_ceil(1000);
    let mut writer = BoxWriter::with_capacity(32);
    writer.full(b"prft", 1, ASSOCIATED, |w| {
        w.u32(track);
        w.u64(seconds << 32 | fraction);
        w.u64(dts);
    });
    writer.into_bytes().into()
}

/// The calendar's time that the body of a `prft` says. NTP's seconds begin again in 2036; what is before 1970 by
/// that count is after it.
pub(crate) fn read_prft(body: &[u8]) -> Option<WallTime> {
    let mut reader = Reader(body);
    reader.skip(8)?;
    let ntp = reader.u64()?;
    let seconds = (ntp >> 32) as i64 - NTP_EPOCH;
    let seconds = if seconds < 0 { seconds + (1 << 32) } else { seconds };
    let millis = ((ntp & 0xffff_ffff) * 1000) >> 32;
    Some(WallTime::from_unix_millis(seconds * 1000 + millis as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_calendars_time_comes_back_to_the_millisecond(millis in 0i64..4_000_000_000_000, track: u32, dts: u64) {
            let bytes = prft(track, dts, WallTime::from_unix_millis(millis));
            prop_assert_eq!(bytes.len() as u64, PRFT_LEN);
            prop_assert_eq!(read_prft(&bytes[8..]), Some(WallTime::from_unix_millis(millis)));
        }

        #[test]
        fn whatever_the_bytes_nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..40)) {
            read_prft(&body);
        }
    }
}

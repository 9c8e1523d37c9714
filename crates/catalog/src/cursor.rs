//! Where a page ended: opaque to callers, bound to its filter.
//!
//! ```text
//! base64url( 0x01 | filter 8 bytes | started_ms 8 bytes, signed | id as text )     big-endian
//! ```
//!
//! A page goes on below (started_ms, id) of the last row of the page before, so rows that come in
//! above do not shift it.

use livetape_record::RecordingId;

use crate::{CatalogError, RecordingFilter};

const VERSION: u8 = 1;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// No cursor is longer, so neither is what is decoded.
const MAX_TEXT_BYTES: usize = 200;

/// The last row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) started_ms: i64,
    pub(crate) id: String,
}

impl Cursor {
    pub(crate) fn encode(&self, filter: &RecordingFilter) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(fingerprint(filter).to_be_bytes());
        bytes.extend(self.started_ms.to_be_bytes());
        bytes.extend(self.id.bytes());
        encode_base64(&bytes)
    }

    pub(crate) fn decode(text: &str, filter: &RecordingFilter) -> Result<Self, CatalogError> {
        const MALFORMED: CatalogError = CatalogError::Cursor("is not one this server gave");
        let bytes = decode_base64(text).ok_or(MALFORMED)?;
        let (version, rest) = bytes.split_first().ok_or(MALFORMED)?;
        let (of_filter, rest) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let (started_ms, id) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let id = std::str::from_utf8(id).map_err(|_| MALFORMED)?;
        if *version != VERSION || id.parse::<RecordingId>().is_err() {
            return Err(MALFORMED);
        }
        if u64::from_be_bytes(*of_filter) != fingerprint(filter) {
            return Err(CatalogError::Cursor("belongs to a listing with other filters"));
        }
        Ok(Self { started_ms: i64::from_be_bytes(*started_ms), id: id.to_owned() })
    }
}

/// FNV-1a over the conditions of `filter`. A mix-up is to be noticed, not an attack: a cursor
/// gives access to nothing.
fn fingerprint(filter: &RecordingFilter) -> u64 {
    let time = |time: Option<livetape_media::WallTime>| time.map(|time| time.to_string());
    let conditions = [
        filter.app.clone(),
        filter.stream.clone(),
        filter.prefix.clone(),
        filter.format.map(|format| format.to_string()),
        filter.state.map(|state| state.to_string()),
        filter.held.map(|held| held.to_string()),
        time(filter.from),
        time(filter.to),
    ];
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut take = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for condition in conditions {
        match condition {
            None => take(0),
            Some(text) => {
                take(1);
                (text.len() as u64).to_be_bytes().into_iter().chain(text.bytes()).for_each(&mut take);
            }
        }
    }
    hash
}

/// RFC 4648 section 5, without padding.
fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let value = group.iter().enumerate().fold(0u32, |value, (at, byte)| value | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..=group.len() {
            let index = (value >> (18 - 6 * digit)) & 63;
            text.extend(ALPHABET.get(index as usize).copied().map(char::from));
        }
    }
    text
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_TEXT_BYTES || text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut value = 0u32;
        for (at, digit) in group.iter().enumerate() {
            let index = ALPHABET.iter().position(|known| known == digit)?;
            value |= u32::try_from(index).ok()? << (18 - 6 * at);
        }
        let [_, first, second, third] = value.to_be_bytes();
        bytes.extend([first, second, third].into_iter().take(group.len() - 1));
    }
    // Bits behind the last byte must be zero, so that each cursor has one spelling.
    (encode_base64(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "rec_0192f0c1000070008000000000000001_mp4_1";

    #[test]
    fn base64url_is_that_of_the_rfc() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encode_base64(bytes.as_bytes()), text);
            assert_eq!(decode_base64(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(encode_base64(&[0xfb, 0xff]), "-_8");
        for bad in ["Z", "Zh", "Zm9", "Zg==", "Z+", "Zm9v\n"] {
            assert_eq!(decode_base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_cursor_serves_only_the_filter_it_was_given_for() {
        let filter = RecordingFilter { app: Some("live".into()), ..Default::default() };
        let cursor = Cursor { started_ms: -5, id: ID.to_owned() };
        let text = cursor.encode(&filter);
        assert_eq!(Cursor::decode(&text, &filter).unwrap(), cursor);
        let larger = RecordingFilter { limit: 500, ..filter.clone() };
        assert_eq!(Cursor::decode(&text, &larger).unwrap(), cursor);
        for other in [
            RecordingFilter { app: None, ..filter.clone() },
            RecordingFilter { app: None, stream: Some("live".into()), ..filter.clone() },
            RecordingFilter { format: Some(livetape_media::Format::Hls), ..filter },
        ] {
            assert!(Cursor::decode(&text, &other).unwrap_err().to_string().contains("other filters"));
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused_and_never_panics(text in "\\PC*") {
            prop_assert!(Cursor::decode(&text, &RecordingFilter::default()).is_err());
        }

        #[test]
        fn a_changed_cursor_is_refused_or_another_place(at in 0usize..80, to in "[A-Za-z0-9_-]") {
            let filter = RecordingFilter::default();
            let text = Cursor { started_ms: 1_700_000_000_000, id: ID.to_owned() }.encode(&filter);
            let mut changed = text.clone();
            let at = at % text.len();
            changed.replace_range(at..=at, &to);
            if let Ok(cursor) = Cursor::decode(&changed, &filter) {
                prop_assert!(cursor.id.parse::<RecordingId>().is_ok());
                prop_assert_eq!(cursor.encode(&filter), changed);
            }
        }

        #[test]
        fn base64url_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode_base64(&encode_base64(&bytes)), Some(bytes));
        }
    }
}

//! Byte ranges (RFC 9110, section 14) and the conditions that go with them.

use std::time::SystemTime;

/// Which bytes of a representation a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// All of them: 200.
    Whole,
    /// `first..=last`: 206.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte, at least `first`, less than the length.
        last: u64,
    },
    /// There are none such: 416.
    Unsatisfiable,
}

/// What the header `Range: header` asks of a representation of `len` bytes.
///
/// A header that is malformed, of another unit, or of several ranges is not heeded, as the
/// specification allows: the answer is the whole.
pub fn parse(header: &str, len: u64) -> ByteRange {
    let Some((unit, ranges)) = header.split_once('=') else { return ByteRange::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return ByteRange::Whole;
    }
    let Some((first, last)) = ranges.trim().split_once('-') else { return ByteRange::Whole };
    match (number(first), number(last)) {
        (Number::Absent, Number::Is(suffix)) => {
            if suffix == 0 || len == 0 {
                ByteRange::Unsatisfiable
            } else {
                ByteRange::Part { first: len.saturating_sub(suffix), last: len - 1 }
            }
        }
        (Number::Is(first), last) => {
            let last = match last {
                Number::Absent => u64::MAX,
                Number::Is(last) if last >= first => last,
                Number::Is(_) | Number::Bad => return ByteRange::Whole,
            };
            if first >= len { ByteRange::Unsatisfiable } else { ByteRange::Part { first, last: last.min(len - 1) } }
        }
        _ => ByteRange::Whole,
    }
}

enum Number {
    Absent,
    Is(u64),
    Bad,
}

fn number(text: &str) -> Number {
    match text.trim() {
        "" => Number::Absent,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            // A number beyond 64 bits is beyond every length.
            Number::Is(digits.parse().unwrap_or(u64::MAX))
        }
        _ => Number::Bad,
    }
}

/// What identifies a version of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators {
    /// A strong entity tag, in quotes.
    pub etag: String,
    /// `Last-Modified`.
    pub last_modified: String,
}

impl Validators {
    /// Of a file that never changes while it has this size and this time.
    pub fn of_file(len: u64, modified: SystemTime) -> Self {
        let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { etag: format!("\"{len:x}-{:x}\"", since.as_nanos()), last_modified: http_date(since.as_secs()) }
    }

    /// Whether a range may be answered as one: there is no `If-Range`, or it names this version.
    /// A date is matched as text, which is exact.
    pub fn allow_range(&self, if_range: Option<&str>) -> bool {
        if_range.is_none_or(|wanted| wanted == self.etag || wanted == self.last_modified)
    }

    /// Whether the client has this version already. `If-None-Match` goes before
    /// `If-Modified-Since`.
    pub fn not_modified(&self, if_none_match: Option<&str>, if_modified_since: Option<&str>) -> bool {
        match if_none_match {
            Some(tags) => tags.split(',').map(str::trim).any(|tag| {
                // The weak comparison: W/"x" matches "x".
                tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag
            }),
            None => if_modified_since == Some(self.last_modified.as_str()),
        }
    }
}

/// IMF-fixdate (RFC 9110, section 5.6.7) of seconds since the Unix epoch.
fn http_date(unix_s: u64) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let millis = i64::try_from(unix_s).unwrap_or(i64::MAX).saturating_mul(1000);
    let t = livetape_media::WallTime::from_unix_millis(millis).to_utc();
    let day = DAYS.get(usize::from(t.weekday().number_days_from_monday())).copied().unwrap_or_default();
    let month = MONTHS.get(usize::from(u8::from(t.month())) - 1).copied().unwrap_or_default();
    format!("{day}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT", t.day(), t.year(), t.hour(), t.minute(), t.second())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_mean_what_rfc_9110_says() {
        let part = |first, last| ByteRange::Part { first, last };
        for (header, expected) in [
            ("bytes=0-499", part(0, 499)),
            ("bytes=500-999", part(500, 999)),
            ("bytes=-500", part(9_500, 9_999)),
            ("bytes=9500-", part(9_500, 9_999)),
            ("bytes=0-0", part(0, 0)),
            ("bytes=-1", part(9_999, 9_999)),
            ("bytes=-20000", part(0, 9_999)),
            ("bytes=0-20000", part(0, 9_999)),
            ("BYTES=1-2", part(1, 2)),
            ("bytes=9999-99999999999999999999999", part(9_999, 9_999)),
            ("bytes=10000-", ByteRange::Unsatisfiable),
            ("bytes=99999999999999999999999-", ByteRange::Unsatisfiable),
            ("bytes=-0", ByteRange::Unsatisfiable),
            ("bytes=2-1", ByteRange::Whole),
            ("bytes=0-1,3-4", ByteRange::Whole),
            ("bytes=", ByteRange::Whole),
            ("bytes=-", ByteRange::Whole),
            ("bytes=a-b", ByteRange::Whole),
            ("bytes=+1-2", ByteRange::Whole),
            ("seconds=1-2", ByteRange::Whole),
            ("", ByteRange::Whole),
        ] {
            assert_eq!(parse(header, 10_000), expected, "{header}");
        }
        assert_eq!(parse("bytes=0-", 0), ByteRange::Unsatisfiable);
        assert_eq!(parse("bytes=-5", 0), ByteRange::Unsatisfiable);
    }

    #[test]
    fn dates_are_written_as_the_specification_does() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn a_condition_names_a_version_by_its_tag_or_its_date() {
        let ours = Validators::of_file(10, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777));
        assert!(ours.allow_range(None));
        assert!(ours.allow_range(Some(&ours.etag)));
        assert!(ours.allow_range(Some("Sun, 06 Nov 1994 08:49:37 GMT")));
        assert!(!ours.allow_range(Some("\"other\"")));
        assert!(!ours.allow_range(Some(&format!("W/{}", ours.etag))), "a weak tag cannot put bytes together");
        assert!(ours.not_modified(Some(&format!("\"a\", W/{}", ours.etag)), None));
        assert!(ours.not_modified(Some("*"), None));
        assert!(!ours.not_modified(Some("\"a\""), Some(&ours.last_modified)));
        assert!(ours.not_modified(None, Some(&ours.last_modified)));
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_whole(header in "bytes=[0-9]{0,5}-[0-9]{0,5}", len in 0u64..70_000) {
            if let ByteRange::Part { first, last } = parse(&header, len) {
                prop_assert!(first <= last && last < len);
            }
        }

        #[test]
        fn no_header_panics(header in ".*", len: u64) {
            let _ = parse(&header, len);
        }
    }
}

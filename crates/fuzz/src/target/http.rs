//! What a request says in its URL and headers: parameters, percent escapes, ranges, conditions, the
//! cursor of a listing.
//!
//! ```text
//! input  kind u8 | number u32 | text
//! ```

use std::fmt::Write;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use livetape_catalog::{Catalog, CatalogError, Options, RecordingFilter};
use livetape_media::Format;
use livetape_record::{RecordingId, SessionId};
use livetape_server::http::query::{Query, percent_decode};
use livetape_server::http::range::{self, ByteRange, Validators};

use crate::input::Input;

/// Reads the input as a part of a request.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (kind, number) = (input.u8(), input.u32());
    let text = String::from_utf8_lossy(input.rest()).into_owned();
    match kind % 5 {
        0 => parameters(&text),
        1 => escapes(&text),
        2 => byte_range(&text, u64::from(number) << (kind >> 3)),
        3 => conditions(&text, u64::from(number)),
        _ => cursor(&text),
    }
}

fn parameters(text: &str) {
    let mut query = Query::parse(Some(text));
    let limit = query.take_number("limit", 1, 500);
    assert!(limit.is_none_or(|limit| (1..=500).contains(&limit)));
    let from = query.take_time("from");
    assert!(from.is_none_or(|from| from.to_string().parse() == Ok(from)), "a time that is not read again");
    let format: Option<Format> = query.take("format");
    assert!(format.is_none_or(|format| text.contains(format.name()) || text.contains('%')));
    let id: Option<RecordingId> = query.take("id");
    assert!(id.is_none_or(|id| id.to_string().parse() == Ok(id)));
    let session: Option<SessionId> = query.take("session");
    assert!(session.is_none_or(|session| session.to_string().parse() == Ok(session)));
    let name: Option<String> = query.take("stream");
    assert!(name.is_none_or(|name| !name.is_empty() && name.len() <= 3 * text.len()));
    if let Err(problem) = query.finish() {
        assert!((1..=20).contains(&problem.errors.len()), "{} errors", problem.errors.len());
        assert!(problem.errors.iter().all(|error| error.parameter.chars().count() <= 64));
        assert_eq!(problem.status, 400);
    }
}

fn escapes(text: &str) {
    let decoded = percent_decode(text);
    assert!(decoded.len() <= text.len());
    assert!(text.contains('%') || decoded == text.as_bytes());
    let mut escaped = String::new();
    text.bytes().for_each(|byte| write!(escaped, "%{byte:02x}").unwrap());
    assert_eq!(percent_decode(&escaped), text.as_bytes(), "what is escaped does not come back");
}

fn byte_range(text: &str, len: u64) {
    if let ByteRange::Part { first, last } = range::parse(text, len) {
        assert!(first <= last && last < len, "{text}: {first}-{last} of {len}");
    }
    if let ByteRange::Part { first, last } = range::parse(&format!("bytes={text}"), len) {
        assert!(first <= last && last < len, "{text}: {first}-{last} of {len}");
        let again = range::parse(&format!("bytes={first}-{last}"), len);
        assert_eq!(again, ByteRange::Part { first, last });
    }
}

fn conditions(text: &str, number: u64) {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(number << 16);
    let ours = Validators::of_file(number, modified);
    let (one, other) = text.split_once('\n').unwrap_or((text, ""));
    if ours.allow_range(Some(one)) {
        assert!(one == ours.etag || one == ours.last_modified);
    }
    let named = one.contains(&ours.etag) || one.split(',').any(|tag| tag.trim() == "*");
    assert!(named || !ours.not_modified(Some(one), Some(other)));
    assert!(ours.not_modified(Some(&format!("{one},{}", ours.etag)), None));
}

/// A cursor that nobody was given is refused; it never leads to another filter's page.
fn cursor(text: &str) {
    let filter = RecordingFilter { cursor: Some(text.to_owned()), ..RecordingFilter::default() };
    match catalog().recordings(&filter) {
        Ok(page) => assert!(page.items.is_empty() && page.next_cursor.is_none()),
        Err(CatalogError::Cursor(_)) => {}
        Err(other) => panic!("{other}"),
    }
}

/// An index of nothing, for as long as the process lives.
fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let place = std::env::temp_dir().join(format!("livetape-fuzz-{}.db", std::process::id()));
        let catalog = Catalog::open(&place, Options::default()).unwrap();
        catalog.recordings(&RecordingFilter::default()).unwrap();
        // All its files are open; nobody needs their names.
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", place.display()));
        }
        catalog
    })
}

//! What the fuzz targets share: a clock that stands still unless told, and a connection driven to
//! its end.

use std::time::Duration;

use livetape_media::{Item, Now, WallTime};
use livetape_rtmp::{Limits, Output, Session};

/// A moment so many milliseconds after the beginning.
pub fn moment(ms: u64) -> Now {
    Now { mono: Duration::from_millis(ms), wall: WallTime::from_unix_millis(1_800_000_000_000 + ms as i64) }
}

/// What a publisher says before its first chunk: C0, C1, and a C2 nobody checks.
pub fn greeting() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.resize(1 + 2 * 1536, 0);
    bytes
}

/// Feeds a connection `pieces`, accepts whatever it asks, and collects the items. Panics where the
/// session breaks its contract: each publish ends exactly once, nothing comes after the close.
pub fn items_of(pieces: &[&[u8]]) -> Vec<Item> {
    let mut session = Session::new(Limits::default(), moment(0));
    let mut items = Vec::new();
    let mut open = std::collections::BTreeSet::new();
    let mut closed = false;
    let mut drain = |session: &mut Session| {
        while let Some(output) = session.poll_output() {
            assert!(!closed, "something comes after the close");
            match output {
                Output::Send(_) => {}
                Output::PublishRequested(request) => {
                    session.accept(request.id, moment(0));
                    open.insert(request.id);
                }
                Output::Item { publish, item } => {
                    assert!(open.contains(&publish), "an item of a publish that is not open");
                    if matches!(item, Item::End(_)) {
                        open.remove(&publish);
                    }
                    items.push(item);
                }
                Output::Close { .. } => closed = true,
            }
        }
    };
    for piece in pieces {
        session.handle_input(piece, moment(0));
        drain(&mut session);
    }
    session.handle_eof(moment(0));
    drain(&mut session);
    assert!(session.is_closed() && closed);
    assert!(open.is_empty(), "a publish did not end");
    items
}

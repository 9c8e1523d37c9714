//! How long the index takes for what is asked of it, with so many recordings in it.
//!
//! The rows are written straight into the database of a catalog that was just made: a recording a second and more, over
//! 1,000 streams of 20 applications, nearly all of them ready, with one event, one delivery and one attempt for each.
//! What is asked goes through the catalog, as the API asks it.
//!
//! `cargo run --release -p livetape-benches --bin index [-- RECORDINGS]`; the index goes to `TMPDIR`.

use std::time::{Duration, Instant};

use livetape_catalog::{
    Catalog, Change, Deletable, DeliveryFilter, Options, RecordingFilter, RecordingState, Selected, StoreRole,
    TapeFilter,
};
use livetape_media::{Format, WallTime};
use rusqlite::Connection;

/// So often each question is asked; half of the answers took no longer than what is shown.
const TIMES: usize = 21;
/// When the first recording begins.
const BEGIN_MS: i64 = 1_760_000_000_000;

fn main() -> anyhow::Result<()> {
    let count: i64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("livetape.db");
    let options = || Options { endpoints: vec!["hook".to_owned()], ..Options::default() };
    drop(Catalog::open(&path, options())?);
    let begun = Instant::now();
    fill(&path, count)?;
    println!("{count} recordings written in {:?}", begun.elapsed());
    let begun = Instant::now();
    let catalog = Catalog::open(&path, options())?;
    let megabytes = std::fs::metadata(&path)?.len() / 1_000_000;
    println!("opened in {:?}, all of it checked; {megabytes} MB\n", begun.elapsed());
    println!("| what is asked | ms, half | ms, worst | found |\n| --- | --- | --- | --- |");
    recordings(&catalog, count)?;
    events(&catalog, count)?;
    deletion(&catalog, count)?;
    Ok(())
}

fn at(count: i64, share: f64) -> WallTime {
    // A share of the rows, as a place among them.
    #[allow(clippy::as_conversions)]
    let offset = (count as f64 * share) as i64 * 1000;
    WallTime::from_unix_millis(BEGIN_MS + offset)
}

fn recordings(catalog: &Catalog, count: i64) -> anyhow::Result<()> {
    let all = RecordingFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let span = |from, to| RecordingFilter { from: Some(at(count, from)), to: Some(at(count, to)), ..all() };
    let cases = [
        ("the newest", all()),
        ("a page of 500", RecordingFilter { limit: 500, ..all() }),
        ("an application", RecordingFilter { app: text("app7"), ..all() }),
        ("a stream", RecordingFilter { app: text("app7"), stream: text("cam907"), ..all() }),
        ("a stream's name", RecordingFilter { stream: text("cam907"), ..all() }),
        ("a prefix of one stream", RecordingFilter { prefix: text("app7/cam907"), ..all() }),
        ("a prefix of 50 streams", RecordingFilter { prefix: text("app7/"), ..all() }),
        ("a prefix of all streams", RecordingFilter { prefix: text("app"), ..all() }),
        ("a prefix of none", RecordingFilter { prefix: text("nobody/"), ..all() }),
        ("a span of an hour in the middle", span(0.5, 0.5 + 3600.0 / 1e6)),
        ("the oldest hour", span(0.0, 3600.0 / 1e6)),
        ("a prefix in a span", RecordingFilter { prefix: text("app7/"), ..span(0.3, 0.31) }),
        ("a format", RecordingFilter { format: Some(Format::Flv), ..all() }),
        ("ready", RecordingFilter { state: Some(RecordingState::Ready), ..all() }),
        ("failed (few)", RecordingFilter { state: Some(RecordingState::Failed), ..all() }),
        ("held (few)", RecordingFilter { held: Some(true), ..all() }),
        ("held, of one stream", RecordingFilter { held: Some(true), prefix: text("app7/cam907"), ..all() }),
    ];
    for (what, filter) in cases {
        ask(what, || Ok(catalog.recordings(&filter)?.items.len()))?;
    }
    let mut pages = RecordingFilter { limit: 500, ..all() };
    for _ in 0..100 {
        pages.cursor = catalog.recordings(&pages)?.next_cursor;
    }
    ask("the hundredth page of 500", || Ok(catalog.recordings(&pages)?.items.len()))?;
    let tape = |offset| TapeFilter {
        stream: "cam907".to_owned(),
        from: None,
        to: None,
        oldest_first: true,
        offset,
        limit: 100,
    };
    ask("GetFilelist of a stream, first page", || Ok(catalog.tape(&tape(0))?.1.len()))?;
    ask("GetFilelist of a stream, ninth page", || Ok(catalog.tape(&tape(800))?.1.len()))?;
    ask("the numbers of /metrics", || Ok(catalog.counts()?.recordings.len()))
}

fn events(catalog: &Catalog, count: i64) -> anyhow::Result<()> {
    ask("events after one in the middle", || Ok(catalog.events_after(count / 2, 50)?.len()))?;
    ask("the first event", || Ok(usize::from(catalog.first_event()? > 0)))?;
    let all = DeliveryFilter::default;
    let stream = || Some("app7/cam907".to_owned());
    let one = |state| Some(Selected::One(state));
    let cases = [
        ("the newest deliveries", all()),
        ("deliveries of a stream", DeliveryFilter { stream: stream(), ..all() }),
        (
            "deliveries of a stream to a webhook",
            DeliveryFilter { stream: stream(), endpoint: Some("hook".to_owned()), ..all() },
        ),
        ("deliveries of a stream that has none", DeliveryFilter { stream: Some("a/none".to_owned()), ..all() }),
        ("pending deliveries", DeliveryFilter { state: Some(Selected::Pending), ..all() }),
        ("deliveries given up (few)", DeliveryFilter { state: one(livetape_catalog::DeliveryState::GivenUp), ..all() }),
    ];
    for (what, filter) in cases {
        ask(what, || Ok(catalog.delivery_page(&filter)?.items.len()))?;
    }
    Ok(())
}

fn deletion(catalog: &Catalog, count: i64) -> anyhow::Result<()> {
    let stream = RecordingFilter { prefix: Some("app7/cam907".to_owned()), ..RecordingFilter::default() };
    let as_of = at(count, 2.0);
    let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    ask("a dry run of a deletion: one stream", || {
        Ok(size(catalog.deletion_plan(&stream, as_of)?.deletable.recordings))
    })?;
    let begun = Instant::now();
    let everything = RecordingFilter { prefix: Some("app".to_owned()), ..RecordingFilter::default() };
    let found = catalog.deletion_plan(&everything, as_of)?.deletable.recordings;
    println!("| the same: everything (once) | {:.0} | | {found} |", begun.elapsed().as_secs_f64() * 1000.0);
    let before = at(count, 0.5);
    for (what, which) in [
        ("100 to be deleted: for room", Deletable::Oldest),
        ("the same by store.retention", Deletable::ReadyBefore(before)),
        ("the same by their templates", Deletable::ExpiredBefore(before)),
    ] {
        ask(what, || Ok(catalog.deletable(which, StoreRole::Primary, 100)?.len()))?;
    }
    ask("200 events pruned", || {
        catalog.apply(Change::EventsPruned { before, now: before, limit: 200 })?;
        Ok(200)
    })
}

/// Asks several times and prints how long it took.
fn ask(what: &str, mut question: impl FnMut() -> anyhow::Result<usize>) -> anyhow::Result<()> {
    let mut took: Vec<Duration> = Vec::with_capacity(TIMES);
    let mut found = 0;
    for _ in 0..TIMES {
        let begun = Instant::now();
        found = question()?;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
    println!("| {what} | {:.2} | {:.2} | {found} |", ms(took.get(TIMES / 2)), ms(took.last()));
    Ok(())
}

fn fill(path: &std::path::Path, count: i64) -> anyhow::Result<()> {
    let connection = Connection::open(path)?;
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; PRAGMA foreign_keys = OFF; BEGIN")?;
    let rows = "WITH RECURSIVE row (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM row WHERE n < ?1)";
    connection.execute(
        &format!(
            "{rows} INSERT INTO sessions (id, node, app, stream, query, remote_addr, started_ms, ended_ms, end_reason) \
             SELECT printf('ses_0192f0c1000070008%015x', n), 'node', 'app' || (n * 7 % 1000 % 20), \
             'cam' || (n * 7 % 1000), '', '192.0.2.1:5000', {BEGIN_MS} + n * 1000, {BEGIN_MS} + n * 1000 + 600000, \
             'unpublish' FROM row"
        ),
        [count],
    )?;
    connection.execute(
        &format!(
            "{rows} INSERT INTO recordings (id, session, node, app, stream, subject, format, state, key, started_ms, \
             ended_ms, start_reason, end_reason, size_bytes, duration_ms, video_codec, video_width, video_height, \
             video_frame_rate, video_frames, audio_codec, audio_sample_rate, audio_channels, audio_frames, error, \
             ready_ms, spool_evicted, start_ms, held_ms, held_by, held_reason, retention_ms) \
             SELECT printf('rec_0192f0c1000070008%015x_%s_1', n, format), printf('ses_0192f0c1000070008%015x', n), \
             'node', 'app' || (cam % 20), 'cam' || cam, 'app' || (cam % 20) || '/cam' || cam, format, state, \
             printf('app%d/cam%d/%d.%s', cam % 20, cam, n, format), {BEGIN_MS} + n * 1000, \
             {BEGIN_MS} + n * 1000 + 600000, 'publish', 'unpublish', 180000000, 600000, 'h264', 1920, 1080, 25.0, 15000, \
             'aac', 48000, 2, 28125, CASE state WHEN 'failed' THEN 'the disk' END, \
             CASE state WHEN 'ready' THEN {BEGIN_MS} + n * 1000 + 600500 END, 1, 0, \
             CASE WHEN n % 1999 = 7 THEN {BEGIN_MS} END, CASE WHEN n % 1999 = 7 THEN 'court' END, \
             CASE WHEN n % 1999 = 7 THEN 'case 7' END, CASE n / 3 % 3 WHEN 1 THEN 0 WHEN 2 THEN 86400000 END \
             FROM (SELECT n, n * 7 % 1000 AS cam, CASE n % 3 WHEN 0 THEN 'mp4' WHEN 1 THEN 'hls' ELSE 'flv' END AS format, \
             CASE WHEN n % 1000 = 5 THEN 'failed' ELSE 'ready' END AS state FROM row)"
        ),
        [count],
    )?;
    connection.execute(
        &format!(
            "{rows} INSERT INTO events (id, type, subject, timestamp_ms, body, seq) \
             SELECT printf('evt_%032x_ready', n), 'recording.ready', 'app' || (cam % 20) || '/cam' || cam, \
             {BEGIN_MS} + n * 1000, printf('{{\"id\":\"evt_%032x_ready\",\"data\":\"%s\"}}', n, hex(zeroblob(400))), \
             1 + n / 1000 FROM (SELECT n, n * 7 % 1000 AS cam FROM row)"
        ),
        [count],
    )?;
    connection.execute_batch(
        "INSERT INTO deliveries (endpoint, event, subject, state, attempts, created_ms, next_ms) \
         SELECT 'hook', sequence, subject, CASE WHEN sequence % 5000 = 9 THEN 'given_up' ELSE 'delivered' END, 1, \
         timestamp_ms, 0 FROM events; \
         INSERT INTO attempts (endpoint, event, attempt, at_ms, status, error) \
         SELECT 'hook', sequence, 1, timestamp_ms, 200, NULL FROM events; \
         UPDATE meta SET longest_ms = 600000; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)",
    )?;
    Ok(())
}

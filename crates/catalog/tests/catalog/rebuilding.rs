//! Damaged catalogs: each is found out, and a new one is made of what is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use livetape_catalog::{
    Applied, Attempt, Catalog, CatalogError, Change, NewRecording, NewSession, Rebuilt, RecordingFilter,
    RecordingState, rebuild,
};
use tempfile::TempDir;

use crate::fixture::{
    at, discarded, dump, evicted, failed, finished, options, ready, recording, recording_id, session, session_id,
    uploading,
};

/// Sessions, and recordings, of the catalog that is damaged.
const SESSIONS: u128 = 20;

/// In memory where that is possible: what a sync costs on a disk is nothing these tests ask.
fn directory() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A catalog with recordings in every state, of long and of short names, and deliveries in every
/// state; open.
fn filled(path: &Path) -> Catalog {
    let catalog = Catalog::open(path, options(&["a", "b"])).unwrap();
    let done = |change: Change| assert_eq!(catalog.apply(change.clone()).unwrap(), Applied::Done, "{change:?}");
    for n in 0..SESSIONS {
        let stream = if n % 20 == 7 { "long".repeat(700) } else { format!("s{}", n % 9) };
        done(Change::SessionStarted(NewSession { stream: stream.clone(), ..session(n) }));
        done(Change::RecordingOpened(NewRecording { stream, ..recording(n) }));
        let warned = Change::Warning {
            session: session_id(n),
            recording: Some(recording_id(n)),
            kind: "frames_skipped".to_owned(),
            detail: "x".repeat(300),
            at: at(2),
        };
        if n % 5 == 0 {
            done(warned);
        }
        match n % 10 {
            0 => continue,
            1 => done(finished(n)),
            2 => [finished(n), uploading(n)].into_iter().for_each(done),
            3 => done(discarded(n)),
            4 => done(failed(n)),
            5 => [finished(n), ready(n)].into_iter().for_each(done),
            _ => [finished(n), ready(n), evicted(n)].into_iter().for_each(done),
        }
        done(Change::SessionEnded { id: session_id(n), at: at(20), reason: "unpublish".to_owned() });
    }
    for round in 0..12 {
        for due in catalog.deliveries_due("a", at(60), 100).unwrap() {
            let (event, endpoint) = (due.event.id, "a".to_owned());
            let (number, took) = (due.attempts + 1, Duration::from_millis(7));
            let attempt = Attempt { number, at: at(60), took, status: Some(204), answer: "ok".to_owned() };
            done(if round % 4 == 1 && due.attempts == 0 {
                let (error, retry_at) = ("refused".to_owned(), Some(at(61)));
                Change::DeliveryFailed { event, endpoint, attempt, error, retry_at }
            } else {
                Change::DeliverySucceeded { event, endpoint, attempt }
            });
        }
    }
    catalog
}

/// A copy of the files of a catalog, with another one still open over them if it is.
fn copied(from: &Path) -> (TempDir, PathBuf) {
    let directory = directory();
    let to = directory.path().join("livetape.db");
    for suffix in ["", "-wal"] {
        let name = format!("livetape.db{suffix}");
        if from.with_file_name(&name).exists() {
            fs::copy(from.with_file_name(&name), to.with_file_name(&name)).unwrap();
        }
    }
    (directory, to)
}

fn opened(path: &Path) -> Catalog {
    Catalog::open(path, options(&["a", "b"])).unwrap()
}

fn contents(path: &Path) -> String {
    drop(opened(path));
    dump(&rusqlite::Connection::open(path).unwrap())
}

/// Everything that can be read of a catalog is read.
fn read_all(catalog: &Catalog) -> Result<usize, CatalogError> {
    let mut filter = RecordingFilter::default();
    loop {
        let page = catalog.recordings(&filter)?;
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => break,
        }
    }
    catalog.counts()?;
    catalog.sessions_open()?;
    catalog.spooled()?;
    let rows = catalog.recordings_in(&RecordingState::ALL)?;
    for row in &rows {
        catalog.session(&row.id.session)?;
        catalog.recordings_of(&row.id.session)?;
    }
    for event in catalog.events_after(0, usize::MAX)?.iter().step_by(7) {
        catalog.deliveries(&event.id)?;
    }
    catalog.deliveries_due("a", at(10_000), 1000)?;
    catalog.deliveries_due("b", at(10_000), 1000)?;
    Ok(rows.len())
}

/// A rebuilt catalog is whole, keeps its promises and goes on.
fn assert_usable(path: &Path, case: &str) -> Catalog {
    let catalog = Catalog::open(path, options(&["a", "b"])).unwrap_or_else(|error| panic!("{case}: {error}"));
    read_all(&catalog).unwrap_or_else(|error| panic!("{case}: {error}"));
    let last = catalog.events_after(0, usize::MAX).unwrap().last().map_or(0, |event| event.sequence);
    for change in [Change::SessionStarted(session(9_999)), Change::RecordingOpened(recording(9_999))] {
        assert_eq!(catalog.apply(change).unwrap(), Applied::Done, "{case}");
    }
    assert!(catalog.events_after(last, 10).unwrap().len() == 2, "{case}");
    // An event that is told of is owed to everybody or was delivered.
    for row in catalog.recordings_in(&[RecordingState::Ready]).unwrap() {
        let event = row.id.to_string().replace("rec_", "evt_") + "_ready";
        assert!(catalog.event(&event).unwrap().is_some(), "{case}: {event}");
    }
    let counts = catalog.counts().unwrap();
    for endpoint in &counts.endpoints {
        let connection = rusqlite::Connection::open(path).unwrap();
        let count = |sql: &str| -> u64 {
            connection.query_row(sql, [&endpoint.id], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
        };
        let pending = "SELECT count(*) FROM deliveries WHERE endpoint = ?1 AND state IN ('waiting', 'head', 'aside')";
        assert_eq!(endpoint.pending, count(pending), "{case}");
        let stuck = "SELECT count(*) FROM deliveries AS one WHERE endpoint = ?1 AND state = 'waiting' AND NOT EXISTS \
                     (SELECT 1 FROM deliveries AS other WHERE other.endpoint = one.endpoint \
                      AND other.subject = one.subject AND other.state = 'head' AND other.event < one.event)";
        assert_eq!(count(stuck), 0, "{case}: a queue without its head");
    }
    catalog
}

fn ids(catalog: &Catalog) -> BTreeSet<(String, RecordingState)> {
    catalog
        .recordings_in(&RecordingState::ALL)
        .unwrap()
        .into_iter()
        .map(|row| (row.id.to_string(), row.state))
        .collect()
}

#[test]
fn a_sound_catalog_is_rebuilt_as_it_was() {
    let directory = directory();
    let path = directory.path().join("livetape.db");
    drop(filled(&path));
    let before = contents(&path);
    let rebuilt = rebuild(&path).unwrap();
    let kept = Rebuilt {
        sessions: SESSIONS as usize,
        recordings: SESSIONS as usize,
        events: rebuilt.events,
        deliveries: rebuilt.events * 2,
        aside: vec![directory.path().join("livetape.db.damaged-1")],
        ..Rebuilt::default()
    };
    assert_eq!(rebuilt, kept);
    assert_eq!(contents(&path), before);
    assert_eq!(contents(&directory.path().join("livetape.db.damaged-1")), before, "the old one is kept as it was");
    // Once more; nothing is written over.
    let again = rebuild(&path).unwrap();
    assert_eq!(again.aside, [directory.path().join("livetape.db.damaged-2")]);
    assert_eq!(contents(&path), before);
}

#[test]
fn what_only_the_log_holds_is_kept() {
    let directory = directory();
    let original = directory.path().join("livetape.db");
    let catalog = filled(&original);
    let (_one, expected) = copied(&original);
    let (_other, path) = copied(&original);
    drop(catalog);
    let wal_bytes = fs::metadata(path.with_file_name("livetape.db-wal")).unwrap().len();
    assert!(wal_bytes > 100_000, "{wal_bytes}");
    let rebuilt = rebuild(&path).unwrap();
    assert_eq!(rebuilt.recordings, SESSIONS as usize);
    let aside: Vec<_> = rebuilt.aside.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(aside, ["livetape.db.damaged-1-wal", "livetape.db.damaged-1"]);
    assert_eq!(contents(&path), contents(&expected));
}

#[test]
fn whatever_is_destroyed_a_usable_catalog_comes_of_the_rest() {
    type Damage = fn(&mut Vec<u8>);
    // Of how many recordings something must be left.
    let damages: [(&str, Damage, usize); 7] = [
        ("header", |bytes| bytes[..100].fill(0xff), 20),
        ("first page", |bytes| bytes[..4096].fill(0), 20),
        ("second half", |bytes| bytes.truncate(bytes.len() / 2), 1),
        ("half a page", |bytes| bytes.truncate(bytes.len() - 2048), 15),
        ("every fifth page", |bytes| bytes.chunks_mut(4096).skip(2).step_by(5).for_each(|page| page.fill(0x5a)), 10),
        ("nothing left", |bytes| bytes.clear(), 0),
        ("noise", |bytes| bytes.fill(0xa5), 0),
    ];
    let origin = directory();
    drop(filled(&origin.path().join("livetape.db")));
    let known = ids(&opened(&origin.path().join("livetape.db")));
    for (case, damage, at_least) in damages {
        let (_directory, path) = copied(&origin.path().join("livetape.db"));
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let error = Catalog::open(&path, options(&["a", "b"])).err().unwrap_or_else(|| panic!("{case}: it opens"));
        assert!(matches!(error, CatalogError::Damaged { .. }), "{case}: {error}");
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains("fsck --rebuild"), "{text}");
        let rebuilt = rebuild(&path).unwrap();
        assert!(rebuilt.recordings >= at_least, "{case}: {rebuilt:?}");
        assert_eq!(fs::read(&rebuilt.aside[0]).unwrap(), bytes, "{case}: the old file is kept");
        let catalog = assert_usable(&path, case);
        let found = ids(&catalog);
        let invented: Vec<_> =
            found.difference(&known).filter(|(id, _)| *id != recording_id(9_999).to_string()).collect();
        assert!(invented.is_empty(), "{case}: {invented:?}");
    }
}

#[test]
fn a_missing_file_with_or_without_its_log_is_made_anew() {
    let directory = directory();
    let original = directory.path().join("livetape.db");
    let catalog = filled(&original);
    let (_log, with_log) = copied(&original);
    drop(catalog);
    fs::remove_file(&with_log).unwrap();
    assert!(matches!(Catalog::open(&with_log, options(&[])), Err(CatalogError::Damaged { .. })));
    assert!(rebuild(&with_log).unwrap().recordings > 0, "the log holds the pages written last");
    assert_usable(&with_log, "only the log");

    let empty = directory.path().join("empty.db");
    assert_eq!(rebuild(&empty).unwrap(), Rebuilt::default());
    assert_usable(&empty, "nothing at all");
}

#[test]
fn a_rebuilding_that_was_interrupted_goes_on_when_the_catalog_is_opened() {
    let origin = directory();
    let original = origin.path().join("livetape.db");
    drop(filled(&original));
    let before = contents(&original);
    let (_new, rebuilt) = copied(&original);
    // As if stopped after each step of putting the new file in place.
    for step in 0..=4 {
        let (directory, path) = copied(&original);
        let name = |name: &str| directory.path().join(name);
        fs::write(name("livetape.db.rebuilding"), "half of it").unwrap();
        if step > 0 {
            fs::write(&path, "damaged").unwrap();
            fs::write(name("livetape.db-wal"), "its log").unwrap();
            fs::copy(&rebuilt, name("livetape.db.rebuilt")).unwrap();
        }
        if step > 1 {
            fs::rename(name("livetape.db-wal"), name("livetape.db.damaged-1-wal")).unwrap();
        }
        if step > 2 {
            fs::rename(&path, name("livetape.db.damaged-1")).unwrap();
        }
        if step > 3 {
            fs::rename(name("livetape.db.rebuilt"), &path).unwrap();
        }
        assert_eq!(contents(&path), before, "step {step}");
        assert!(!name("livetape.db.rebuilt").exists());
        if step > 0 {
            assert_eq!(fs::read_to_string(name("livetape.db.damaged-1-wal")).unwrap(), "its log", "step {step}");
            assert_eq!(fs::read_to_string(name("livetape.db.damaged-1")).unwrap(), "damaged", "step {step}");
        }
    }
}

#[test]
fn a_ready_recording_whose_event_is_lost_is_told_of_again_to_everybody() {
    let directory = directory();
    let path = directory.path().join("livetape.db");
    drop(filled(&path));
    let id = recording_id(8);
    let event = id.to_string().replace("rec_", "evt_") + "_ready";
    let catalog = opened(&path);
    let (body, last) =
        (catalog.event(&event).unwrap().unwrap().body, catalog.events_after(0, usize::MAX).unwrap().len());
    drop(catalog);
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(&format!(
            "PRAGMA foreign_keys = ON; CREATE TEMP TABLE gone AS SELECT sequence FROM events WHERE id = '{event}';
             DELETE FROM attempts WHERE event IN (SELECT sequence FROM gone);
             DELETE FROM deliveries WHERE event IN (SELECT sequence FROM gone);
             DELETE FROM events WHERE id = '{event}';"
        ))
        .unwrap();
    let rebuilt = rebuild(&path).unwrap();
    assert_eq!((rebuilt.events_again, rebuilt.deliveries_again), (1, 0));
    let catalog = assert_usable(&path, "told again");
    let again = catalog.event(&event).unwrap().unwrap();
    assert_eq!(again.body, body, "in the same words, with the same id");
    assert_eq!(again.sequence, last as i64 + 1, "behind all that readers may have seen");
    let views = catalog.deliveries(&event).unwrap();
    assert_eq!(views.iter().map(|view| view.endpoint.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(views.iter().all(|view| view.state.pending() && view.attempts == 0), "{views:?}");
}

#[test]
fn rows_that_are_lost_are_made_of_what_others_say() {
    let directory = directory();
    let path = directory.path().join("livetape.db");
    let mut catalog = filled(&path);
    let row = |catalog: &Catalog, n| catalog.recording_row(&recording_id(n)).unwrap();
    let (was_ready, was_failed) = (row(&catalog, 8).unwrap(), row(&catalog, 4).unwrap());
    let pending = catalog.counts().unwrap().endpoints[1].pending;
    drop(catalog);
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(&format!(
            "PRAGMA foreign_keys = OFF;
             DELETE FROM recordings WHERE id IN ('{}', '{}', '{}');
             DELETE FROM sessions WHERE id = '{}';
             DELETE FROM deliveries WHERE endpoint = 'b' AND event BETWEEN 10 AND 30;",
            recording_id(8),
            recording_id(4),
            recording_id(0),
            session_id(6),
        ))
        .unwrap();
    let rebuilt = rebuild(&path).unwrap();
    assert_eq!((rebuilt.recordings_inferred, rebuilt.sessions_inferred, rebuilt.deliveries_again), (2, 1, 21));
    catalog = assert_usable(&path, "inferred");
    let inferred = row(&catalog, 8).unwrap();
    // When it was taken from the spool is not in its event; where it begins neither.
    let expected = livetape_catalog::RecordingRow {
        spool_evicted: false,
        start: None,
        video: inferred.video.clone(),
        ready_at: inferred.ready_at,
        ..was_ready.clone()
    };
    assert_eq!(inferred, expected);
    assert_eq!(inferred.ready_at, was_ready.ready_at);
    assert_eq!(inferred.video.unwrap().frames, was_ready.video.unwrap().frames);
    let failed = row(&catalog, 4).unwrap();
    assert_eq!((failed.state, failed.error), (RecordingState::Failed, was_failed.error));
    // Of one that was being recorded its files say more.
    assert_eq!(row(&catalog, 0), None);
    assert!(catalog.session(&session_id(6)).unwrap().unwrap().ended_at.is_none(), "recovery ends it");
    assert_eq!(catalog.counts().unwrap().endpoints[1].pending, pending + 2);
}

/// A generator of numbers: the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn every_flipped_byte_is_found_out_or_harmless_and_a_rebuilding_always_works() {
    let origin = directory();
    let original = origin.path().join("livetape.db");
    let catalog = filled(&original);
    let known: BTreeSet<String> = ids(&catalog).into_iter().map(|(id, _)| id).collect();
    let (_live, with_log) = copied(&original);
    drop(catalog);
    let mut numbers = Numbers(20_261_122);
    let (mut found_out, mut least) = (0, usize::MAX);
    for round in 0..200 {
        // Four in five in a file without a log, one in five in the log.
        let in_log = round % 5 == 4;
        let (_directory, path) = copied(if in_log { &with_log } else { &original });
        let target = if in_log { path.with_file_name("livetape.db-wal") } else { path.clone() };
        let mut bytes = fs::read(&target).unwrap();
        // The header more often than its share.
        let at = if round % 10 == 0 { numbers.below(100) } else { numbers.below(bytes.len()) };
        let flip = 1 + numbers.below(255) as u8;
        bytes[at] ^= flip;
        fs::write(&target, &bytes).unwrap();
        let case = format!("round {round}: byte {at} of {} ^ {flip:#x}", target.display());
        match Catalog::open(&path, options(&["a", "b"])).and_then(|catalog| read_all(&catalog)) {
            Ok(rows) => assert_eq!(rows, known.len(), "{case}: rows are gone and nobody noticed"),
            Err(error) => {
                found_out += 1;
                let clear = matches!(error, CatalogError::Damaged { .. } | CatalogError::Newer { .. });
                assert!(clear && error.to_string().contains("livetape.db"), "{case}: {error}");
            }
        }
        let rebuilt = rebuild(&path).unwrap_or_else(|error| panic!("{case}: {error}"));
        least = least.min(rebuilt.recordings);
        let catalog = assert_usable(&path, &case);
        let found: BTreeSet<String> = ids(&catalog).into_iter().map(|(id, _)| id).collect();
        assert!(known.difference(&found).count() <= 4, "{case}: {rebuilt:?}");
    }
    println!("{found_out} of 200 were found out; of {} recordings never fewer than {least} were left", known.len());
    assert!(found_out > 20, "{found_out}");
}

#[test]
fn a_log_that_a_power_cut_tore_is_no_damage_and_one_with_a_hole_is() {
    const FRAME: usize = 24 + 4096;
    let origin = directory();
    let original = origin.path().join("livetape.db");
    let catalog = filled(&original);
    let (_live, with_log) = copied(&original);
    drop(catalog);
    let wal = fs::read(with_log.with_file_name("livetape.db-wal")).unwrap();
    let frames = (wal.len() - 32) / FRAME;
    assert!(frames > 100, "{frames}");
    let with = |bytes: &[u8]| {
        let (directory, path) = copied(&with_log);
        fs::write(path.with_file_name("livetape.db-wal"), bytes).unwrap();
        let opened = Catalog::open(&path, options(&["a", "b"])).and_then(|catalog| read_all(&catalog));
        drop(directory);
        opened
    };
    // Cut off anywhere, or its last frame torn: what was committed before it is there.
    for keep in [0, 31, 32, 32 + FRAME * 90 + 1000, wal.len() - 4000, wal.len()] {
        with(&wal[..keep]).unwrap_or_else(|error| panic!("{keep} bytes: {error}"));
    }
    let mut torn = wal.clone();
    *torn.last_mut().unwrap() ^= 1;
    with(&torn).unwrap();
    // A hole before commits that came later.
    for at in [4, 20, 32 + 24 + 7, 32 + FRAME * 3 + 8, 32 + FRAME * 50 + 4000] {
        let mut holed = wal.clone();
        holed[at] ^= 0x10;
        let error = with(&holed).unwrap_err();
        assert!(
            matches!(error, CatalogError::Damaged { .. }) && error.to_string().contains("-wal"),
            "byte {at}: {error}"
        );
        let (_directory, path) = copied(&with_log);
        fs::write(path.with_file_name("livetape.db-wal"), holed).unwrap();
        assert_eq!(rebuild(&path).unwrap().recordings, SESSIONS as usize, "byte {at}");
    }
}

//! What is refused when a catalog is opened, and that it is left as it was.

use std::fs;

use livetape_catalog::{Catalog, CatalogError, Change};

use crate::fixture::{Fixture, finished, options, ready, recording, session};

/// A closed catalog's directory with some rows in it.
fn closed() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let catalog = Catalog::open(&path, options(&[])).unwrap();
    for n in 0..50 {
        catalog.apply(Change::SessionStarted(session(n))).unwrap();
        catalog.apply(Change::RecordingOpened(recording(n))).unwrap();
        catalog.apply(finished(n)).unwrap();
    }
    catalog.apply(ready(1)).unwrap();
    drop(catalog);
    (directory, path)
}

fn refused(path: &std::path::Path) -> CatalogError {
    let before = fs::read(path).ok();
    let error = Catalog::open(path, options(&[])).err().expect("it opens");
    assert_eq!(fs::read(path).ok(), before, "it was changed: {error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    error
}

#[test]
fn a_catalog_keeps_its_node_and_its_rows() {
    let fixture = Fixture::new();
    fixture.done(Change::SessionStarted(session(1)));
    let node = fixture.catalog.node().to_owned();
    let fixture = fixture.reopened(&[]);
    assert_eq!(fixture.catalog.node(), node);
    assert_eq!(fixture.catalog.sessions_open().unwrap()[0].node, node);
    assert_ne!(Fixture::new().catalog.node(), node);
}

#[test]
fn the_database_is_as_durable_and_strict_as_it_should_be() {
    let fixture = Fixture::new();
    let connection = fixture.raw();
    let pragma = |name: &str| -> String {
        connection.pragma_query_value(None, name, |row| row.get_ref(0).map(|value| format!("{value:?}"))).unwrap()
    };
    assert_eq!(pragma("journal_mode"), format!("{:?}", rusqlite::types::ValueRef::Text(b"wal")));
    assert_eq!(pragma("application_id"), "Integer(1280590160)");
    assert_eq!(pragma("user_version"), "Integer(11)");
    assert!(connection.execute("INSERT INTO tallies VALUES ('x', 'many')", []).is_err(), "tables are strict");
    assert!(rusqlite::version_number() >= 3_051_003);
}

#[test]
fn every_column_has_a_comment() {
    let schema = include_str!("../../src/schema/1.sql");
    let mut inside = false;
    for line in schema.lines() {
        let text = line.trim();
        if text.starts_with("CREATE TABLE") {
            inside = true;
        } else if text.starts_with(')') {
            inside = false;
        }
        let column = inside
            && line.starts_with("    ")
            && !line.starts_with("     ")
            && text.split(' ').next().is_some_and(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        if column {
            let next = schema.lines().skip_while(|other| *other != line).nth(1).unwrap();
            assert!(line.contains("-- ") || next.contains("-- "), "{line}");
        }
    }
    let later = [
        include_str!("../../src/schema/2.sql"),
        include_str!("../../src/schema/3.sql"),
        include_str!("../../src/schema/4.sql"),
        include_str!("../../src/schema/5.sql"),
        include_str!("../../src/schema/6.sql"),
        include_str!("../../src/schema/7.sql"),
        include_str!("../../src/schema/8.sql"),
        include_str!("../../src/schema/9.sql"),
        include_str!("../../src/schema/10.sql"),
        include_str!("../../src/schema/11.sql"),
    ];
    for (before, line) in later.iter().flat_map(|steps| steps.lines().zip(steps.lines().skip(1))) {
        assert!(!line.contains("ADD COLUMN") || before.starts_with("-- "), "{line}");
    }
}

#[test]
fn a_damaged_file_is_refused_with_what_to_do() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 5] = [
        |bytes| bytes.clear(),
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| bytes[..16].fill(0xff),
        |bytes| bytes.fill(0),
        // The interior of the second page.
        |bytes| bytes[4096..8192].fill(0x5a),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let (_directory, path) = closed();
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let error = refused(&path);
        assert!(matches!(error, CatalogError::Damaged { .. }), "damage {number}: {error}");
        assert!(error.to_string().contains("livetape fsck --rebuild"), "{error}");
    }
}

#[test]
fn a_log_without_its_file_is_damage_not_a_new_catalog() {
    let (_directory, path) = closed();
    fs::rename(&path, path.with_extension("db-wal")).unwrap();
    assert!(matches!(refused(&path), CatalogError::Damaged { .. }));
    assert!(!path.exists());
}

#[test]
fn a_later_version_and_other_programs_files_are_refused() {
    let (_directory, path) = closed();
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 12).unwrap();
    assert!(matches!(refused(&path), CatalogError::Newer { found: 12, known: 11, .. }));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(matches!(refused(&path), CatalogError::Foreign { found: 0, .. }));

    let path = directory.path().join("text.db");
    fs::write(&path, "not a database at all, but long enough to be looked at. ".repeat(20)).unwrap();
    assert!(matches!(refused(&path), CatalogError::Damaged { .. }));
}

#[test]
fn a_creation_that_was_interrupted_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    fs::write(directory.path().join("livetape.db.new"), "half a header").unwrap();
    fs::write(directory.path().join("livetape.db.new-journal"), "half a journal").unwrap();
    drop(Catalog::open(&path, options(&[])).unwrap());
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["livetape.db"], "nothing is left beside a catalog that was closed");
}

#[test]
fn nobody_else_can_read_it_however_it_was_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("livetape.db");
    let beside = ["livetape.db-wal", "livetape.db-shm"].map(|name| directory.path().join(name));
    for made_by_an_older_version in [false, true] {
        if made_by_an_older_version {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let catalog = Catalog::open(&path, options(&[])).unwrap();
        catalog.apply(Change::SessionStarted(session(u128::from(made_by_an_older_version)))).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(beside.each_ref().map(|path| mode(path)), [0o600; 2]);
    }
}

#[test]
fn a_directory_that_is_missing_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing").join("livetape.db");
    assert!(Catalog::open(&path, options(&[])).is_err());
    assert!(!path.exists());
}

#[test]
fn no_flipped_byte_makes_opening_or_listing_panic() {
    let (_directory, path) = closed();
    let whole = fs::read(&path).unwrap();
    let mut detected = 0;
    for step in 0..60 {
        let mut bytes = whole.clone();
        let at = step * bytes.len() / 60 + step;
        bytes[at] ^= 1 << (step % 8);
        fs::write(&path, bytes).unwrap();
        match Catalog::open(&path, options(&[])) {
            Err(_) => detected += 1,
            Ok(catalog) => {
                let listed = catalog.recordings(&Default::default()).and_then(|_| catalog.counts());
                detected += usize::from(listed.is_err());
            }
        }
        let _ = fs::remove_file(path.with_extension("db-wal"));
        let _ = fs::remove_file(path.with_extension("db-shm"));
    }
    assert!(detected > 0);
}

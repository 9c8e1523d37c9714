//! The spool as a whole: recordings, strangers, the quarantine, the lock.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use livetape_disk::{DiskError, RealDisk, Spool, lock};

use crate::fixture::{Fixture, ID, append, create, names};

#[test]
fn a_spool_can_be_opened_again_and_lists_what_it_holds() {
    let fixture = Fixture::new();
    let spool = Spool::open(Arc::new(RealDisk), fixture.root()).unwrap();
    drop(spool.create_recording("rec_x_hls_2", b"").unwrap());
    let inside = fixture.root().join("spool");
    fs::write(inside.join("rec_file"), "not a directory").unwrap();
    fs::create_dir(inside.join("lost+found")).unwrap();
    fs::create_dir(inside.join("rec_UPPER")).unwrap();
    symlink("/tmp", inside.join("rec_link")).unwrap();
    fs::write(inside.join(OsStr::from_bytes(b"\xff\xfe")), "").unwrap();
    let listing = spool.list().unwrap();
    assert_eq!(listing.recordings, [ID, "rec_x_hls_2"]);
    let unknown: Vec<_> = listing.unknown.iter().map(|name| name.as_bytes()).collect();
    assert_eq!(unknown, [&b"lost+found"[..], b"rec_UPPER", b"rec_file", b"rec_link", b"\xff\xfe"]);
    assert!(spool.contains(ID).unwrap());
    assert!(!spool.contains("rec_other").unwrap());
}

#[test]
fn names_that_are_no_recordings_reach_no_path() {
    let fixture = Fixture::new();
    let long = format!("rec_{}", "x".repeat(100));
    for bad in ["", "rec_", "..", "rec_../x", "rec_a/b", "rec_a\0", "REC_A", "rec_A", "rec_a.b", "spool", &long] {
        for error in [
            fixture.spool.directory(bad).err(),
            fixture.spool.create_recording(bad, b"").err(),
            fixture.spool.remove(bad).err(),
            fixture.spool.files(bad).err(),
        ] {
            assert!(matches!(error, Some(DiskError::RecordingName { .. })), "{bad}");
        }
    }
    for bad in ["", ".", "..", "a/b", "/etc", "x/", "./x"] {
        assert!(fixture.spool.quarantine(OsStr::new(bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_recording_is_removed_with_all_its_files_and_twice_is_no_error() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create("a.ts"), append("a.ts", &["x"])]).unwrap();
    let outside = fixture.root().join("outside");
    fs::write(&outside, "stays").unwrap();
    symlink(&outside, fixture.path("link")).unwrap();
    fixture.spool.remove(ID).unwrap();
    fixture.spool.remove(ID).unwrap();
    assert_eq!(names(&fixture.root().join("spool")), [""; 0]);
    assert_eq!(fs::read(outside).unwrap(), b"stays");
}

#[test]
fn a_recording_with_a_strange_directory_is_left_alone() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create("a.ts")]).unwrap();
    fs::create_dir(fixture.path("directory")).unwrap();
    assert!(matches!(fixture.spool.remove(ID), Err(DiskError::WrongKind { .. })));
    assert_eq!(fixture.names(), ["a.ts.part", "directory"]);
    // Moved aside, it is in nobody's way.
    let moved = fixture.spool.quarantine_file(ID, OsStr::new("directory")).unwrap();
    assert!(moved.is_dir() && moved.ends_with(format!("{ID}.directory")));
    fixture.spool.remove(ID).unwrap();
}

#[test]
fn a_link_in_a_recordings_place_is_not_followed() {
    let fixture = Fixture::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("precious.ts"), "x").unwrap();
    symlink(elsewhere.path(), fixture.root().join("spool/rec_link")).unwrap();
    assert!(matches!(fixture.spool.writer("rec_link"), Err(DiskError::WrongKind { .. })));
    assert!(matches!(fixture.spool.remove("rec_link"), Err(DiskError::WrongKind { .. })));
    assert_eq!(names(elsewhere.path()), ["precious.ts"]);
    fixture.spool.quarantine(OsStr::new("rec_link")).unwrap();

    let root = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), root.path().join("spool")).unwrap();
    assert!(matches!(Spool::open(Arc::new(RealDisk), root.path()), Err(DiskError::WrongKind { .. })));
}

#[test]
fn strangers_are_moved_aside_under_names_of_their_own() {
    let fixture = Fixture::new();
    let inside = fixture.root().join("spool");
    let long = "x".repeat(255);
    let mut moved = Vec::new();
    for contents in ["first", "second", "third"] {
        for stranger in ["stranger", &long] {
            fs::write(inside.join(stranger), contents).unwrap();
            moved.push((fixture.spool.quarantine(OsStr::new(stranger)).unwrap(), contents));
        }
    }
    for (path, contents) in &moved {
        assert_eq!(fs::read(path).unwrap(), contents.as_bytes());
        assert!(path.starts_with(fixture.root().join("quarantine")));
    }
    assert_eq!(names(&fixture.root().join("quarantine")).len(), 6);
    assert_eq!(names(&inside), [ID]);
    let missing = fixture.spool.quarantine(OsStr::new("stranger")).unwrap_err();
    assert!(missing.to_string().contains("stranger"), "{missing}");
}

#[test]
fn the_second_to_lock_a_directory_learns_who_has_it() {
    let root = tempfile::tempdir().unwrap();
    let guard = lock(&RealDisk, root.path()).unwrap();
    let error = lock(&RealDisk, root.path()).unwrap_err();
    assert!(matches!(&error, DiskError::Locked { pid: Some(pid), .. } if *pid == std::process::id()), "{error}");
    let text = error.to_string();
    assert!(text.contains(root.path().to_str().unwrap()) && text.contains(&std::process::id().to_string()), "{text}");
    drop(guard);
    drop(lock(&RealDisk, root.path()).unwrap());
    // A holder that left no number.
    fs::write(root.path().join("lock"), "someone\n").unwrap();
    drop(lock(&RealDisk, root.path()).unwrap());
    assert_eq!(fs::read_to_string(root.path().join("lock")).unwrap(), format!("{}\n", std::process::id()));
}

#[test]
fn a_link_in_the_locks_place_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let other = root.path().join("other");
    fs::write(&other, "precious").unwrap();
    symlink(&other, root.path().join("lock")).unwrap();
    assert!(matches!(lock(&RealDisk, root.path()), Err(DiskError::Io { .. })));
    assert_eq!(fs::read(other).unwrap(), b"precious");
}

#[test]
fn a_recording_keeps_its_label_beside_its_files() {
    let fixture = Fixture::new();
    assert_eq!(fixture.spool.label(ID).unwrap(), None, "this one was given none");
    let id = "rec_x_hls_2";
    let mut writer = fixture.spool.create_recording(id, b"{\"id\":1}").unwrap();
    writer.perform(&[create("a.ts")]).unwrap();
    assert_eq!(fixture.spool.label(id).unwrap().as_deref(), Some(&b"{\"id\":1}"[..]));
    let files = fixture.spool.files(id).unwrap();
    // A copy that is to take the place of a growing file, left by a crash or a disk that went on failing.
    fs::write(fixture.spool.directory(id).unwrap().join(".a.ts.part.new"), b"half").unwrap();
    assert!(files.unknown().unwrap().is_empty());
    assert_eq!(livetape_mux::Files::list(&files).unwrap().len(), 1);

    let directory = fixture.spool.directory(id).unwrap();
    fs::write(directory.join(".label.json"), vec![b'x'; 100_000]).unwrap();
    assert!(fixture.spool.label(id).is_err(), "no label is that long");
    fs::remove_file(directory.join(".label.json")).unwrap();
    symlink("/etc/passwd", directory.join(".label.json")).unwrap();
    assert!(fixture.spool.label(id).is_err(), "links are not followed");
    assert_eq!(fixture.spool.files(id).unwrap().unknown().unwrap(), [".label.json"]);
    fixture.spool.remove(id).unwrap();
    assert!(!directory.exists());
}

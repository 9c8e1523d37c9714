//! The operating system's disk keeps what the trait promises.

use std::fs;
use std::io::{ErrorKind, IoSlice};
use std::os::unix::fs::symlink;
use std::process::Command;

use livetape_disk::{Disk, EntryKind, RealDisk, copy_new};

use crate::faulty::Faulty;

#[test]
fn no_call_opens_a_link_a_directory_or_a_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("file"), "x").unwrap();
    symlink(path("file"), path("link")).unwrap();
    fs::create_dir(path("directory")).unwrap();
    assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    for name in ["link", "directory", "pipe"] {
        assert!(RealDisk.open(&path(name)).is_err(), "{name}");
        assert!(RealDisk.open_read(&path(name)).is_err(), "{name}");
        assert_eq!(RealDisk.create_new(&path(name)).err().unwrap().kind(), ErrorKind::AlreadyExists);
        let kind = RealDisk.stat(&path(name)).unwrap().unwrap().kind;
        assert_eq!(kind, if name == "directory" { EntryKind::Directory } else { EntryKind::Other });
    }
    assert_eq!(RealDisk.stat(&path("none")).unwrap(), None);
    let listed: Vec<_> = RealDisk.list_dir(directory.path()).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(listed, ["directory", "file", "link", "pipe"]);
}

#[test]
fn renaming_replaces_only_when_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("a"), "a").unwrap();
    fs::write(path("b"), "b").unwrap();
    assert_eq!(RealDisk.rename_new(&path("a"), &path("b")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(path("b")).unwrap(), b"b");
    RealDisk.rename_new(&path("a"), &path("c")).unwrap();
    RealDisk.rename_over(&path("c"), &path("b")).unwrap();
    assert_eq!(fs::read(path("b")).unwrap(), b"a");
    assert_eq!(RealDisk.rename_new(&path("a"), &path("d")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_link_is_another_name_and_never_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("a"), "a").unwrap();
    RealDisk.hard_link(&path("a"), &path("b")).unwrap();
    let identity = |name: &str| RealDisk.stat(&path(name)).unwrap().unwrap().identity;
    assert_eq!(identity("a"), identity("b"));
    fs::copy(path("a"), path("copy")).unwrap();
    assert_ne!(identity("a"), identity("copy"));
    RealDisk.unlink(&path("a")).unwrap();
    assert_eq!(fs::read(path("b")).unwrap(), b"a");
    fs::write(path("c"), "c").unwrap();
    assert_eq!(RealDisk.hard_link(&path("b"), &path("c")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    RealDisk.sync_dir(directory.path()).unwrap();
}

#[test]
fn positions_are_the_callers_and_the_end_reads_as_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = RealDisk.create_new(&directory.path().join("a")).unwrap();
    assert_eq!(file.write_at(3, &[IoSlice::new(b"de"), IoSlice::new(b"f")]).unwrap(), 3);
    assert_eq!(file.write_at(0, &[IoSlice::new(b"abc")]).unwrap(), 3);
    assert_eq!(file.size().unwrap(), 6);
    let mut buffer = [0; 4];
    assert_eq!(file.read_at(4, &mut buffer).unwrap(), 2);
    assert_eq!(file.read_at(6, &mut buffer).unwrap(), 0);
    file.set_len(2).unwrap();
    file.sync_data().unwrap();
    assert_eq!(fs::read(directory.path().join("a")).unwrap(), b"ab");
}

#[test]
fn space_is_that_of_the_filesystem() {
    let space = RealDisk.space(std::path::Path::new("/")).unwrap();
    assert!(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
}

#[test]
fn a_copy_has_the_same_bytes_is_synced_and_never_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let bytes: Vec<u8> = (0..3_000_001u32).map(|n| (n * 7) as u8).collect();
    fs::write(path("from"), &bytes).unwrap();
    let (disk, plan) = Faulty::new();
    assert_eq!(copy_new(&*disk, &path("from"), &path("to")).unwrap(), bytes.len() as u64);
    assert_eq!(fs::read(path("to")).unwrap(), bytes);
    assert_eq!(plan.lock().unwrap().log.last().unwrap(), "sync to");
    assert!(copy_new(&*disk, &path("from"), &path("to")).is_err());
    fs::write(path("empty"), "").unwrap();
    assert_eq!(copy_new(&*disk, &path("empty"), &path("copied")).unwrap(), 0);
}

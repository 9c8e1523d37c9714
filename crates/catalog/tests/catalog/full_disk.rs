//! A disk without room: changes fail as a whole, and go on when there is room.

use std::fs;
use std::path::Path;
use std::process::Command;

use livetape_catalog::{Applied, Catalog, Change};

use crate::fixture::{options, session};

/// A small filesystem of its own, unmounted when dropped.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    /// `None` when this process may not mount.
    fn mount(path: &'a Path, size: &str) -> Option<Self> {
        let option = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "livetape-test"]).arg(path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(path)),
            _ => {
                eprintln!("SKIPPED: a full disk needs the right to mount a tmpfs (run as root)");
                None
            }
        }
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn changes_fail_while_the_disk_is_full_and_go_on_when_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = Tmpfs::mount(directory.path(), "3m") else { return };
    let catalog = Catalog::open(&directory.path().join("livetape.db"), options(&["a"])).unwrap();
    catalog.apply(Change::SessionStarted(session(0))).unwrap();

    let ballast = directory.path().join("ballast");
    let mut room = vec![0u8; 4 << 20];
    while let Err(error) = fs::write(&ballast, &room) {
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        room.truncate(room.len() - 4096);
    }
    let mut made = 0;
    let error = loop {
        match catalog.apply(Change::SessionStarted(session(made + 1))) {
            Ok(applied) => assert_eq!(applied, Applied::Done),
            Err(error) => break error,
        }
        made += 1;
    };
    assert!(error.is_full(), "{error}");
    assert!(!error.is_refusal());
    // Reading goes on.
    assert_eq!(catalog.sessions_open().unwrap().len() as u128, made + 1);

    fs::remove_file(&ballast).unwrap();
    assert_eq!(catalog.apply(Change::SessionStarted(session(made + 1))).unwrap(), Applied::Done);
    let sequences: Vec<i64> = catalog.events_after(0, 10_000).unwrap().iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=made as i64 + 2).collect::<Vec<_>>());
    drop(catalog);
    drop(disk);
}

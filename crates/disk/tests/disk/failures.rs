//! A full disk, failing writes, failing syncs.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use livetape_disk::{DiskError, RealDisk, Spool};
use livetape_mux::Op;
use rustix::io::Errno;

use crate::faulty::Faulty;
use crate::fixture::{Fixture, ID, append, create, finish, name, patch, sync, whole};

const FILE: &str = "recording.flv";
const PART: &str = "recording.flv.part";

#[test]
fn an_append_that_does_not_fit_leaves_the_file_at_its_last_whole_operation() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    fixture.writer.perform(&[create(FILE), append(FILE, &["whole"])]).unwrap();
    plan.lock().unwrap().room = Some(3);
    let error = fixture.writer.perform(&[append(FILE, &["does ", "not fit"])]).unwrap_err();
    assert!(matches!(&error, DiskError::AppendUndone { wanted: 12, whole: 5, .. }), "{error}");
    assert!(error.is_full());
    let text = error.to_string();
    assert!(text.contains(PART) && text.contains("cut back to 5 whole bytes"), "{text}");
    assert_eq!(fixture.read(PART), b"whole");
    // With room again it goes on, and can be finished meanwhile.
    plan.lock().unwrap().room = None;
    fixture.writer.perform(&[append(FILE, &["!"]), finish(FILE)]).unwrap();
    assert_eq!(fixture.read(FILE), b"whole!");
}

#[test]
fn a_file_that_cannot_be_cut_back_takes_nothing_more() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    fixture.writer.perform(&[create(FILE), append(FILE, &["whole"])]).unwrap();
    plan.lock().unwrap().room = Some(3);
    plan.lock().unwrap().failing = vec![("set-len", Errno::IO)];
    let error = fixture.writer.perform(&[append(FILE, &["does not fit"])]).unwrap_err();
    assert!(matches!(error, DiskError::AppendTorn { whole: 5, .. }) && error.is_full(), "{error}");
    *plan.lock().unwrap() = Default::default();
    for op in [append(FILE, &["x"]), patch(FILE, 0, "x"), sync(FILE), finish(FILE)] {
        assert!(matches!(fixture.writer.perform(&[op]), Err(DiskError::Unusable { .. })));
    }
    assert_eq!(fixture.read(PART), b"wholedoe");
    fixture.writer.sync_growing().unwrap();
    let log = plan.lock().unwrap().log.clone();
    assert!(log.iter().all(|effect| effect.starts_with("sync-dir ")), "{log:?}");
}

#[test]
fn after_a_failed_sync_a_file_is_never_synced_again() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    fixture.writer.perform(&[create(FILE), append(FILE, &["x"]), create("b.ts"), append("b.ts", &["y"])]).unwrap();
    plan.lock().unwrap().failing = vec![("sync recording", Errno::IO)];
    let error = fixture.writer.sync_growing().unwrap_err();
    assert!(!error.is_full());
    assert_eq!(error.to_string(), format!("syncing {}: Input/output error (os error 5)", fixture.path(PART).display()));
    plan.lock().unwrap().failing.clear();
    plan.lock().unwrap().log.clear();
    for op in [append(FILE, &["z"]), sync(FILE), finish(FILE)] {
        let error = fixture.writer.perform(&[op]).unwrap_err();
        assert!(matches!(&error, DiskError::Unusable { .. }) && error.to_string().contains("sync"), "{error}");
    }
    // Opening it again does not help: the kernel has forgotten what it lost.
    let mut again = fixture.spool.writer(ID).unwrap();
    assert!(matches!(again.perform(&[finish(FILE)]), Err(DiskError::Unusable { .. })));
    fixture.writer.sync_growing().unwrap();
    again.perform(&[finish("b.ts")]).unwrap();
    let syncs: Vec<String> =
        plan.lock().unwrap().log.iter().filter(|line| line.starts_with("sync recording")).cloned().collect();
    assert_eq!(syncs, [""; 0]);
    fixture.spool.remove(ID).unwrap();
}

#[test]
fn a_file_whose_sync_failed_is_copied_before_it_is_trusted_again() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    fixture.writer.perform(&[create(FILE), append(FILE, &["x"]), create("b.ts"), append("b.ts", &["y"])]).unwrap();
    plan.lock().unwrap().failing = vec![("sync recording", Errno::IO)];
    fixture.writer.sync_growing().unwrap_err();
    // While the disk goes on failing so does this, and nothing is lost by it.
    plan.lock().unwrap().failing = vec![("sync .recording", Errno::IO)];
    fixture.spool.renew(ID).unwrap_err();
    assert!(matches!(fixture.spool.writer(ID).unwrap().perform(&[sync(FILE)]), Err(DiskError::Unusable { .. })));
    plan.lock().unwrap().failing.clear();
    plan.lock().unwrap().log.clear();
    fixture.spool.renew(ID).unwrap();
    let synced = format!("sync-dir {ID}");
    let effects = [
        "unlink .recording.flv.part.new",
        "open-read recording.flv.part",
        "create .recording.flv.part.new",
        "read recording.flv.part",
        "write .recording.flv.part.new",
        "read recording.flv.part",
        "sync .recording.flv.part.new",
        "rename-over .recording.flv.part.new",
        &synced,
    ];
    assert_eq!(plan.lock().unwrap().log, effects);
    fixture.spool.renew(ID).unwrap();
    assert_eq!(plan.lock().unwrap().log.len(), effects.len(), "nothing is suspect any more");
    fixture.spool.writer(ID).unwrap().perform(&[append(FILE, &["z"]), finish(FILE)]).unwrap();
    assert_eq!(fixture.read(FILE), b"xz");
    assert_eq!(fixture.names(), ["b.ts.part", FILE]);
}

#[test]
fn a_file_whose_last_sync_fails_is_not_finished() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    fixture.writer.perform(&[create(FILE), append(FILE, &["x"])]).unwrap();
    plan.lock().unwrap().failing = vec![("sync recording", Errno::IO)];
    assert!(fixture.writer.perform(&[finish(FILE)]).is_err());
    assert_eq!(fixture.names(), [PART]);
}

#[test]
fn a_small_file_that_cannot_be_written_leaves_the_old_one_and_no_rest() {
    for (failing, error) in [("write", Errno::NOSPC), ("sync", Errno::IO), ("create", Errno::DQUOT)] {
        let (disk, plan) = Faulty::new();
        let mut fixture = Fixture::on(disk);
        fixture.writer.perform(&[whole("index.m3u8", "old")]).unwrap();
        plan.lock().unwrap().failing = vec![(failing, error)];
        let failure = fixture.writer.perform(&[whole("index.m3u8", "new")]).unwrap_err();
        assert_eq!(failure.is_full(), error != Errno::IO);
        assert_eq!(fixture.names(), ["index.m3u8"]);
        assert_eq!(fixture.read("index.m3u8"), b"old");
    }
}

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
fn a_disk_that_is_really_full_costs_the_last_operation_only() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mounted) = Tmpfs::mount(directory.path(), "1m") else { return };
    let spool = Spool::open(Arc::new(RealDisk), directory.path()).unwrap();
    assert!(spool.space().unwrap().total_bytes <= 1 << 20);
    let mut writer = spool.create_recording(ID, b"").unwrap();
    writer.perform(&[create(FILE)]).unwrap();
    let slices = vec![Bytes::from(vec![1; 50_000]), Bytes::from(vec![2; 50_000])];
    let mut whole = 0;
    let error = loop {
        match writer.perform(&[Op::Append { file: name(FILE), slices: slices.clone() }]) {
            Ok(()) => whole += 100_000,
            Err(error) => break error,
        }
    };
    assert!(error.is_full(), "{error}");
    assert!(whole >= 800_000);
    let part = directory.path().join("spool").join(ID).join(PART);
    assert_eq!(std::fs::metadata(&part).unwrap().len(), whole);
    writer.perform(&[finish(FILE)]).unwrap();
    assert_eq!(std::fs::read(part.with_extension("")).unwrap().len() as u64, whole);
    drop(writer);
    drop(mounted);
}

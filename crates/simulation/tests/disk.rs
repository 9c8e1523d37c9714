//! The simulated disk held against the real one, and what its crashes leave.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use livetape_disk::{Disk, DiskError, DiskFile, LockAttempt, RealDisk, Spool};
use livetape_mux::{FileName, Op};
use livetape_simulation::disk::Faults;
use livetape_simulation::{Cut, Effect, Fault, Journal, Random, SimClock, SimDisk, Volume};

const ROOT: &str = "/data";

fn disk() -> (SimDisk, Journal) {
    let journal = Journal::default();
    (SimDisk::new(Volume::with_directory(Path::new(ROOT)), journal.clone(), None), journal)
}

fn write(file: &dyn DiskFile, offset: u64, data: &[u8]) {
    assert_eq!(file.write_at(offset, &[IoSlice::new(data)]).unwrap(), data.len());
}

fn bytes(volume: &Volume, path: &str) -> Option<Vec<u8>> {
    volume.find(Path::new(path)).and_then(|inode| volume.bytes(inode)).map(<[u8]>::to_vec)
}

const POWER: [Cut; 5] =
    [Cut::PowerAllLost, Cut::PowerLastTorn, Cut::PowerDataLost, Cut::PowerZeros, Cut::PowerNamesLost];

fn power_cuts() -> impl Iterator<Item = Cut> {
    POWER.into_iter().chain((0..50).map(Cut::PowerAny))
}

/// Does something that `random` chooses and says what came of it, so that two disks can be compared.
fn step(disk: &dyn Disk, root: &Path, random: &mut Random) -> String {
    let mut path = || {
        let mut path: PathBuf = root.to_owned();
        if random.coin() {
            path.push(["d", "e"][random.below(2) as usize]);
        }
        path.join(["a", "b", "d"][random.below(3) as usize])
    };
    let (one, other) = (path(), path());
    let (offset, len) = (random.below(2000), random.below(1500));
    let said = |result: std::io::Result<String>| result.unwrap_or_else(|error| format!("{:?}", error.kind()));
    let on_file =
        |act: &dyn Fn(&dyn DiskFile) -> std::io::Result<String>| said(disk.open(&one).and_then(|file| act(&*file)));
    match random.below(14) {
        0 | 1 => said(disk.create_new(&one).and_then(|file| Ok(format!("{}", file.size()?)))),
        2 | 3 => on_file(&|file| {
            let data = vec![(offset % 251) as u8; len as usize];
            Ok(format!("{}", file.write_at(offset, &[IoSlice::new(&data[..]), IoSlice::new(b"end")])?))
        }),
        4 => on_file(&|file| file.set_len(offset).map(|()| String::new())),
        5 => on_file(&|file| file.punch_hole(offset, len + 1).map(|done| done.to_string())),
        6 => on_file(&|file| {
            let mut buffer = vec![0; 4000];
            let taken = file.read_at(offset / 2, &mut buffer)?;
            file.sync_data()?;
            Ok(format!("{:?} of {}", &buffer[..taken], file.size()?))
        }),
        7 => said(disk.rename_new(&one, &other).map(|()| String::new())),
        8 => said(disk.rename_over(&one, &other).map(|()| String::new())),
        9 => said(disk.hard_link(&one, &other).map(|()| String::new())),
        10 => said(disk.unlink(&one).map(|()| String::new())),
        11 => said(disk.create_dir(&one).map(|()| String::new())),
        12 => said(disk.remove_dir(&one).map(|()| String::new())),
        _ => {
            let listed = said(disk.list_dir(&one).map(|entries| format!("{entries:?}")));
            let looked = disk
                .stat(&one)
                .map_err(|error| error.kind())
                .map(|stat| stat.map(|stat| (stat.kind, if listed.starts_with("Not") { stat.size_bytes } else { 0 })));
            format!("{looked:?} {listed}")
        }
    }
}

#[test]
fn every_call_does_what_the_real_disk_does() {
    for seed in 0..60 {
        let real = tempfile::tempdir().unwrap();
        let (sim, _) = disk();
        let (mut left, mut right) = (Random::new(seed), Random::new(seed));
        for number in 0..80 {
            let expected = step(&RealDisk, real.path(), &mut left);
            let found = step(&sim, Path::new(ROOT), &mut right);
            assert_eq!(found, expected, "seed {seed}, step {number}");
        }
    }
}

#[test]
fn what_was_synced_outlasts_every_power_cut_and_nothing_else_is_promised() {
    let (disk, _) = disk();
    let file = disk.create_new(Path::new("/data/a")).unwrap();
    write(&*file, 0, b"safe");
    file.sync_data().unwrap();
    disk.sync_dir(Path::new(ROOT)).unwrap();
    write(&*file, 4, &[7; 3000]);
    let other = disk.create_new(Path::new("/data/b")).unwrap();
    write(&*other, 0, b"unnamed");
    other.sync_data().unwrap();
    let volume = disk.volume();
    let (mut lengths, mut named) = (std::collections::BTreeSet::new(), 0);
    for cut in power_cuts() {
        let left = cut.of(&volume, None).unwrap();
        let a = bytes(&left, "/data/a").unwrap();
        assert_eq!(a[..4], *b"safe", "{cut:?}");
        lengths.insert(a.len());
        named += usize::from(bytes(&left, "/data/b").is_some_and(|b| b == b"unnamed"));
    }
    assert!(lengths.contains(&4) && lengths.contains(&3004), "{lengths:?}");
    assert!(named > 5 && named < 50, "the second name is kept in {named} of 55");
    assert_eq!(bytes(&Cut::Kill.of(&volume, None).unwrap(), "/data/a").unwrap().len(), 3004);
}

#[test]
fn power_cuts_tear_at_sectors_lose_data_under_names_and_leave_holes() {
    let (disk, _) = disk();
    let file = disk.create_new(Path::new("/data/a")).unwrap();
    disk.sync_dir(Path::new(ROOT)).unwrap();
    write(&*file, 0, &[1; 2048]);
    let volume = disk.volume();
    let after = |cut: Cut| bytes(&cut.of(&volume, None).unwrap(), "/data/a").unwrap();
    assert_eq!(after(Cut::PowerLastTorn), [1; 1024]);
    assert!(after(Cut::PowerDataLost).is_empty());
    assert_eq!(after(Cut::PowerZeros), [0; 2048]);
    let holes = (0..50).map(|seed| after(Cut::PowerAny(seed))).filter(|bytes| {
        let sectors: Vec<u8> = bytes.chunks(512).map(|sector| sector[0]).collect();
        sectors.windows(2).any(|pair| pair == [0, 1])
    });
    assert!(holes.count() > 3, "no later sector outlasted an earlier one");
}

#[test]
fn a_rename_is_never_halved_and_a_synced_one_stays() {
    let (disk, _) = disk();
    let (from, to) = (Path::new("/data/d/a"), Path::new("/data/a"));
    disk.create_dir(Path::new("/data/d")).unwrap();
    disk.sync_dir(Path::new(ROOT)).unwrap();
    disk.create_new(from).unwrap();
    disk.sync_dir(Path::new("/data/d")).unwrap();
    disk.rename_new(from, to).unwrap();
    let places = |volume: &Volume| (volume.find(from).is_some(), volume.find(to).is_some());
    let volume = disk.volume();
    let found: std::collections::BTreeSet<_> =
        power_cuts().map(|cut| places(&cut.of(&volume, None).unwrap())).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [(false, true), (true, false)]);
    disk.sync_dir(Path::new(ROOT)).unwrap();
    let volume = disk.volume();
    assert!(power_cuts().all(|cut| places(&cut.of(&volume, None).unwrap()) == (false, true)));
}

#[test]
fn a_kill_within_a_write_leaves_its_beginning() {
    let (disk, journal) = disk();
    let file = disk.create_new(Path::new("/data/a")).unwrap();
    let before = disk.volume();
    write(&*file, 0, &[5; 1000]);
    let Some(Effect::Disk(write)) = journal.entries().pop() else { panic!("no effect") };
    let torn = Cut::KillTorn(30).of(&before, Some(&write)).unwrap();
    assert_eq!(bytes(&torn, "/data/a").unwrap(), [5; 300]);
    assert!(Cut::KillTorn(30).of(&before, None).is_none());
}

#[test]
fn the_journal_rebuilds_the_disk_of_every_moment() {
    let (disk, journal) = disk();
    let base = disk.volume();
    let mut random = Random::new(3);
    let mut seen = vec![];
    for _ in 0..200 {
        step(&disk, Path::new(ROOT), &mut random);
        let print = |volume: &Volume| {
            let mut hasher = std::hash::DefaultHasher::new();
            volume.fingerprint(&mut hasher);
            std::hash::Hasher::finish(&hasher)
        };
        seen.push((journal.entries().len(), print(&disk.volume())));
        let mut rebuilt = base.clone();
        for effect in journal.entries() {
            let Effect::Disk(effect) = effect else { panic!("{effect:?}") };
            rebuilt.apply(&effect);
        }
        assert_eq!(print(&rebuilt), seen.last().unwrap().1);
    }
    assert!(seen.last().unwrap().0 > 20);
}

#[test]
fn a_failed_sync_loses_what_was_written_though_the_next_one_succeeds() {
    let (disk, _) = disk();
    let file = disk.create_new(Path::new("/data/a")).unwrap();
    disk.sync_dir(Path::new(ROOT)).unwrap();
    write(&*file, 0, b"gone");
    disk.plan(Faults::at(disk.calls(), Fault::FailedSync));
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
    file.sync_data().unwrap();
    let mut buffer = [0; 4];
    assert_eq!((file.read_at(0, &mut buffer).unwrap(), &buffer), (4, b"gone"), "it can still be read");
    let left = Cut::PowerLastTorn.of(&disk.volume(), None).unwrap();
    assert_eq!(bytes(&left, "/data/a").unwrap(), b"");
}

#[test]
fn the_spool_meets_the_faults_that_are_planned() {
    let (disk, _) = disk();
    let spool = Spool::open(Arc::new(disk.clone()), Path::new(ROOT)).unwrap();
    let mut writer = spool.create_recording("rec_1", b"{}").unwrap();
    let file = FileName::flv();
    let append = |len: usize| Op::Append { file: file.clone(), slices: vec![vec![1; len].into()] };
    writer.perform(&[Op::Create { file: file.clone() }, append(100)]).unwrap();
    disk.plan(Faults::at(disk.calls(), Fault::ShortWrite));
    writer.perform(&[append(100)]).unwrap();
    disk.plan(Faults::at(disk.calls(), Fault::ShortThenNoSpace));
    let error = writer.perform(&[append(100)]).unwrap_err();
    assert!(matches!(error, DiskError::AppendUndone { whole: 200, .. }) && error.is_full(), "{error}");
    let full = disk.calls()..disk.calls() + 2;
    disk.plan(Faults::full(full));
    assert_eq!(spool.space().unwrap().free_bytes, 0);
    assert!(writer.perform(&[append(100)]).unwrap_err().is_full());
    assert!(spool.space().unwrap().free_bytes > 0, "the disk is healed");
    writer.perform(&[append(100), Op::Finish { file: file.clone() }]).unwrap();
    assert_eq!(bytes(&disk.volume(), "/data/spool/rec_1/recording.flv").unwrap().len(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_lets_time_pass() {
    let clock = SimClock::begin(Duration::ZERO);
    let disk = SimDisk::new(Volume::with_directory(Path::new(ROOT)), Journal::default(), Some(clock.clone()));
    disk.plan(Faults::at(0, Fault::Slow(Duration::from_secs(30))));
    disk.create_dir(Path::new("/data/d")).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(clock.elapsed(), Duration::from_secs(32));
}

#[test]
fn a_lock_is_held_by_one_until_it_is_dropped() {
    let (disk, _) = disk();
    let path = Path::new("/data/lock");
    let held = disk.try_lock(path, "1\n").unwrap();
    assert!(matches!(disk.try_lock(path, "2\n").unwrap(), LockAttempt::Taken(text) if text == "1\n"));
    drop(held);
    assert!(matches!(disk.try_lock(path, "2\n").unwrap(), LockAttempt::Held(_)));
}

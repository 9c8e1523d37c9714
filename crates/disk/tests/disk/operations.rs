//! What each operation leaves on the disk, and in which order its effects happen.

use bytes::Bytes;
use livetape_disk::DiskError;
use livetape_mux::Op;
use proptest::prelude::*;

use crate::faulty::Faulty;
use crate::fixture::{Fixture, ID, append, create, finish, name, patch, punch, remove, reserve, sync, truncate, whole};

const FILE: &str = "recording.mp4";
const PART: &str = "recording.mp4.part";

#[test]
fn a_file_grows_under_its_temporary_name_and_is_finished_under_its_own() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create(FILE), append(FILE, &["he", "", "llo"]), append(FILE, &[" world"])]).unwrap();
    assert_eq!(fixture.names(), [PART]);
    assert_eq!(fixture.read(PART), b"hello world");
    fixture.writer.perform(&[sync(FILE), finish(FILE)]).unwrap();
    assert_eq!(fixture.names(), [FILE]);
    assert_eq!(fixture.read(FILE), b"hello world");
}

#[test]
fn bytes_are_overwritten_reserved_and_cut_where_they_are() {
    let mut fixture = Fixture::new();
    fixture
        .writer
        .perform(&[create(FILE), append(FILE, &["head"]), reserve(FILE, 8), append(FILE, &["tail"])])
        .unwrap();
    assert_eq!(fixture.read(PART), b"head\0\0\0\0\0\0\0\0tail");
    fixture.writer.perform(&[patch(FILE, 6, "free"), patch(FILE, 0, "H"), patch(FILE, 16, "")]).unwrap();
    assert_eq!(fixture.read(PART), b"Head\0\0free\0\0tail");
    fixture.writer.perform(&[truncate(FILE, 5), append(FILE, &["!"])]).unwrap();
    assert_eq!(fixture.read(PART), b"Head\0!");
}

#[test]
fn a_reserved_range_and_a_punched_hole_take_no_room() {
    use std::os::unix::fs::MetadataExt;
    let mut fixture = Fixture::new();
    let blocks = |fixture: &Fixture| std::fs::metadata(fixture.path(PART)).unwrap().blocks() * 512;
    fixture.writer.perform(&[create(FILE), reserve(FILE, 16 << 20), append(FILE, &["x"])]).unwrap();
    assert!(blocks(&fixture) < 1 << 20);
    let data = Bytes::from(vec![7; 1 << 20]);
    fixture.writer.perform(&[Op::Patch { file: name(FILE), offset: 0, data }, sync(FILE)]).unwrap();
    let filled = blocks(&fixture);
    fixture.writer.perform(&[punch(FILE, 4096, (1 << 20) - 4096), punch(FILE, 0, 0), sync(FILE)]).unwrap();
    let bytes = fixture.read(PART);
    assert_eq!(bytes.len(), (16 << 20) + 1);
    assert_eq!((bytes[4095], bytes[16 << 20]), (7, b'x'));
    if blocks(&fixture) < filled {
        assert!(bytes[4096..1 << 20].iter().all(|byte| *byte == 0));
    } else {
        eprintln!("SKIPPED: this filesystem cannot punch holes");
        assert_eq!(bytes[4096], 7);
    }
}

#[test]
fn a_small_file_is_replaced_as_a_whole() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[whole("index.m3u8", "first"), whole("index.m3u8", "second")]).unwrap();
    assert_eq!(fixture.names(), ["index.m3u8"]);
    assert_eq!(fixture.read("index.m3u8"), b"second");
    // What a crash in the middle of it leaves is in nobody's way.
    std::fs::write(fixture.path(".index.m3u8.new"), "half of the thi").unwrap();
    fixture.writer.perform(&[whole("index.m3u8", "")]).unwrap();
    assert_eq!(fixture.names(), ["index.m3u8"]);
    assert_eq!(fixture.read("index.m3u8"), b"");
}

#[test]
fn a_file_is_removed_whether_it_grows_or_not_and_twice_is_no_error() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create("a.ts"), append("a.ts", &["x"]), create("b.ts"), finish("b.ts")]).unwrap();
    fixture.writer.perform(&[remove("a.ts"), remove("b.ts"), remove("b.ts"), remove("c.ts")]).unwrap();
    assert_eq!(fixture.names(), [""; 0]);
    fixture.writer.perform(&[create("a.ts")]).unwrap();
}

#[test]
fn what_is_there_is_never_created_again() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create(FILE), append(FILE, &["precious"])]).unwrap();
    assert!(matches!(fixture.writer.perform(&[create(FILE)]), Err(DiskError::Exists { .. })));
    fixture.writer.perform(&[finish(FILE)]).unwrap();
    assert!(matches!(fixture.writer.perform(&[create(FILE)]), Err(DiskError::Exists { .. })));
    assert_eq!(fixture.read(FILE), b"precious");
    assert!(matches!(fixture.spool.create_recording(ID, b""), Err(DiskError::Exists { .. })));
}

#[test]
fn a_file_that_appears_under_the_final_name_is_not_replaced() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create(FILE)]).unwrap();
    std::fs::write(fixture.path(FILE), "somebody's").unwrap();
    let error = fixture.writer.perform(&[finish(FILE)]).unwrap_err();
    assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fixture.read(FILE), b"somebody's");
}

#[test]
fn operations_on_files_that_do_not_grow_are_refused() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create(FILE), append(FILE, &["x"]), finish(FILE)]).unwrap();
    for op in [append(FILE, &["y"]), patch(FILE, 0, "y"), truncate(FILE, 0), sync(FILE), finish(FILE)] {
        assert!(matches!(fixture.writer.perform(&[op]), Err(DiskError::NotGrowing { .. })));
    }
    assert_eq!(fixture.read(FILE), b"x");
    for op in [create("x.part"), whole("x.part", "y"), remove("x.part")] {
        assert!(matches!(fixture.writer.perform(&[op]), Err(DiskError::FileName { .. })));
    }
}

#[test]
fn operations_beyond_the_end_are_refused_and_change_nothing() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create(FILE), append(FILE, &["12345678"])]).unwrap();
    for op in [
        patch(FILE, 7, "xy"),
        patch(FILE, u64::MAX, "x"),
        punch(FILE, 8, 1),
        punch(FILE, u64::MAX, u64::MAX),
        truncate(FILE, 9),
        reserve(FILE, u64::MAX),
    ] {
        assert!(matches!(fixture.writer.perform(&[op]), Err(DiskError::OutOfRange { .. })));
    }
    assert_eq!(fixture.read(PART), b"12345678");
}

#[test]
fn operations_before_the_failing_one_are_performed_and_none_after_it() {
    let mut fixture = Fixture::new();
    let ops = [create(FILE), append(FILE, &["a"]), patch(FILE, 5, "x"), append(FILE, &["b"])];
    assert!(fixture.writer.perform(&ops).is_err());
    assert_eq!(fixture.read(PART), b"a");
}

#[test]
fn another_writer_goes_on_where_a_crash_left_a_file() {
    let mut fixture = Fixture::new();
    fixture.writer.perform(&[create(FILE), append(FILE, &["abc"])]).unwrap();
    let mut writer = fixture.spool.writer(ID).unwrap();
    writer.perform(&[append(FILE, &["def"]), truncate(FILE, 4), finish(FILE)]).unwrap();
    assert_eq!(fixture.read(FILE), b"abcd");
}

#[test]
fn more_slices_than_one_call_takes_are_all_written() {
    let mut fixture = Fixture::new();
    let slices: Vec<Bytes> = (0..5000u32).map(|n| Bytes::from(n.to_be_bytes().to_vec())).collect();
    let all: Vec<u8> = slices.concat();
    fixture.writer.perform(&[create(FILE), Op::Append { file: name(FILE), slices }]).unwrap();
    assert_eq!(fixture.read(PART), all);
}

#[test]
fn effects_come_in_the_order_that_makes_names_and_bytes_durable() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    let opened = ["create-dir spool", "create-dir quarantine"];
    assert_eq!(plan.lock().unwrap().log[..2], opened);
    assert_eq!(plan.lock().unwrap().log[3..], [format!("create-dir {ID}")]);
    plan.lock().unwrap().log.clear();
    let ops = [create(FILE), append(FILE, &["a", "b"]), sync(FILE), append(FILE, &["c"]), finish(FILE)];
    fixture.writer.perform(&ops).unwrap();
    fixture.writer.perform(&[whole("index.m3u8", "x")]).unwrap();
    let synced = format!("sync-dir {ID}");
    assert_eq!(
        plan.lock().unwrap().log,
        [
            "create recording.mp4.part",
            "write recording.mp4.part",
            "sync recording.mp4.part",
            &synced,
            "sync-dir spool",
            "write recording.mp4.part",
            "sync recording.mp4.part",
            "rename-new recording.mp4.part",
            &synced,
            "create .index.m3u8.new",
            "write .index.m3u8.new",
            "sync .index.m3u8.new",
            "rename-over .index.m3u8.new",
            &synced,
        ]
    );
}

#[test]
fn names_are_made_durable_with_the_first_bytes_and_only_when_they_are_new() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    fixture.writer.perform(&[create("a.ts"), append("a.ts", &["x"])]).unwrap();
    plan.lock().unwrap().log.clear();
    fixture.writer.sync_growing().unwrap();
    let synced = format!("sync-dir {ID}");
    assert_eq!(plan.lock().unwrap().log, ["sync a.ts.part", &synced, "sync-dir spool"]);
    plan.lock().unwrap().log.clear();
    fixture.writer.sync_growing().unwrap();
    fixture.writer.perform(&[create("b.ts")]).unwrap();
    fixture.writer.sync_growing().unwrap();
    assert_eq!(plan.lock().unwrap().log, ["create b.ts.part", &synced]);
}

#[test]
fn only_growing_files_with_news_are_synced() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    fixture.writer.perform(&[create("a.ts"), create("b.ts"), create("c.ts"), append("a.ts", &["x"])]).unwrap();
    fixture.writer.perform(&[append("b.ts", &["x"]), append("c.ts", &["x"]), finish("c.ts")]).unwrap();
    plan.lock().unwrap().log.clear();
    fixture.writer.sync_growing().unwrap();
    fixture.writer.sync_growing().unwrap();
    fixture.writer.perform(&[append("b.ts", &["y"])]).unwrap();
    fixture.writer.sync_growing().unwrap();
    let log = plan.lock().unwrap().log.clone();
    assert_eq!(log, ["sync a.ts.part", "sync b.ts.part", "write b.ts.part", "sync b.ts.part"]);
}

proptest! {
    #[test]
    fn appends_arrive_whole_however_little_each_write_takes(
        appends in proptest::collection::vec(proptest::collection::vec("[a-z]{0,9}", 0..8), 1..8),
        write_limit in 1usize..7,
        interrupts: bool,
    ) {
        let (disk, plan) = Faulty::new();
        let mut fixture = Fixture::on(disk);
        fixture.writer.perform(&[create(FILE)]).unwrap();
        plan.lock().unwrap().write_limit = Some(write_limit);
        plan.lock().unwrap().interrupts = interrupts;
        for slices in &appends {
            let slices: Vec<&str> = slices.iter().map(String::as_str).collect();
            fixture.writer.perform(&[append(FILE, &slices)]).unwrap();
        }
        prop_assert_eq!(fixture.read(PART), appends.concat().concat().into_bytes());
    }
}

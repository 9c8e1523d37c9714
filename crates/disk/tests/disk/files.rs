//! Reading a recording's files back.

use std::io::ErrorKind;

use livetape_mux::Files;

use crate::faulty::Faulty;
use crate::fixture::{Fixture, ID, append, create, finish, name, whole};

#[test]
fn files_are_listed_by_their_final_names_with_whether_they_grow() {
    let mut fixture = Fixture::new();
    fixture
        .writer
        .perform(&[
            create("segment-000000.ts"),
            append("segment-000000.ts", &["done"]),
            finish("segment-000000.ts"),
            create("segment-000001.ts"),
            append("segment-000001.ts", &["grows"]),
            whole("index.m3u8", "#EXTM3U"),
        ])
        .unwrap();
    std::fs::write(fixture.path(".vod.m3u8.new"), "left over").unwrap();
    std::fs::write(fixture.path("Notes.txt"), "somebody's").unwrap();
    std::fs::create_dir(fixture.path("directory")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", fixture.path("link.ts")).unwrap();

    let files = fixture.spool.files(ID).unwrap();
    let listed: Vec<(String, bool)> =
        files.list().unwrap().into_iter().map(|(file, growing)| (file.to_string(), growing)).collect();
    let expected = [("index.m3u8", false), ("segment-000000.ts", false), ("segment-000001.ts", true)];
    assert_eq!(listed, expected.map(|(file, growing)| (file.to_owned(), growing)));
    assert_eq!(files.unknown().unwrap(), ["Notes.txt", "directory", "link.ts"]);

    for (file, contents) in [("segment-000000.ts", "done"), ("segment-000001.ts", "grows")] {
        let opened = files.open(&name(file)).unwrap();
        assert_eq!(opened.len(), contents.len() as u64);
        let mut buffer = vec![0; contents.len() - 1];
        opened.read_exact_at(1, &mut buffer).unwrap();
        assert_eq!(buffer, &contents.as_bytes()[1..]);
        let error = opened.read_exact_at(2, &mut buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains(&format!("byte {}", contents.len())), "{error}");
    }
    assert!(files.open(&name("link.ts")).is_err());
    assert_eq!(files.open(&name("missing.ts")).err().unwrap().kind(), ErrorKind::NotFound);
}

#[test]
fn a_file_that_is_finished_and_grows_at_once_is_an_error() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("a.ts"), "x").unwrap();
    std::fs::write(fixture.path("a.ts.part"), "y").unwrap();
    let error = fixture.spool.files(ID).unwrap().list().unwrap_err();
    assert!(error.to_string().contains("a.ts.part"), "{error}");
}

#[test]
fn reads_are_whole_however_little_each_one_gives() {
    let (disk, plan) = Faulty::new();
    let mut fixture = Fixture::on(disk);
    fixture.writer.perform(&[create("a.ts"), append("a.ts", &["a longer text than one read"])]).unwrap();
    plan.lock().unwrap().write_limit = Some(3);
    let files = fixture.spool.files(ID).unwrap();
    let mut buffer = [0; 11];
    files.open(&name("a.ts")).unwrap().read_exact_at(2, &mut buffer).unwrap();
    assert_eq!(&buffer, b"longer text");
}

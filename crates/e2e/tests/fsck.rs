//! `livetape fsck`: what is well is well, what is not is named, and nothing is changed by looking.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use livetape_testkit::ffmpeg::{self, Pace, Version};
use livetape_testkit::livetape::{Settings, files_below};
use livetape_testkit::program::{succeed, text};
use livetape_testkit::{Livetape, Receiver, Reel, clip, judge, place};
use serde_json::Value;

use crate::FORMATS;

/// What a look at a data directory came to.
struct Look {
    code: i32,
    /// Kind and subject of each finding, in order of both; notes left out.
    found: Vec<(String, String)>,
    output: String,
}

fn fsck(data: &Path, flags: &[&str]) -> Look {
    let mut command = Command::new(place::livetape());
    let output = command.args(["fsck", "--json", "--data"]).arg(data).args(flags).output().unwrap();
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut found: Vec<(String, String)> = lines
        .iter()
        .filter(|line| line["note"] == false)
        .map(|line| (line["finding"].as_str().unwrap().to_owned(), line["subject"].as_str().unwrap().to_owned()))
        .collect();
    found.sort();
    let output_text = format!("{}{}", text(&output.stdout), text(&output.stderr));
    Look { code: output.status.code().unwrap(), found, output: output_text }
}

#[track_caller]
fn assert_well(data: &Path, flags: &[&str]) {
    let look = fsck(data, flags);
    assert_eq!(look.code, 0, "{}", look.output);
    assert!(look.found.is_empty(), "{}", look.output);
}

/// A copy of a data directory, every file of its own.
fn copy_of(data: &Path, to: &Path) -> PathBuf {
    succeed(Command::new("cp").arg("-r").arg(data).arg(to));
    to.to_owned()
}

/// Changes the index behind the program's back.
fn forge(data: &Path, sql: &str) {
    let index = data.join("livetape.db");
    let changes = succeed(Command::new("sqlite3").arg(index).arg(format!("{sql}; SELECT changes()")));
    assert_ne!(text(&changes.stdout).trim(), "0", "{sql}");
}

/// Every file's contents but the index's log and the lock.
fn contents(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let passing = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name == "lock" || name == "pulse" || name.ends_with("-wal") || name.ends_with("-shm")
    };
    let files = files_below(data).into_iter().filter(|path| !passing(path));
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_directory_is_well_while_it_is_recorded_into_and_after() {
    let mut livetape = Livetape::start(&Settings::new());
    let push = ffmpeg::push(Version::Current, &place::sample(), &livetape.url("well"), Pace::Loop);
    livetape.wait_live("well", 1.0);
    for round in 0..6 {
        ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url(&format!("short{round}")));
        // The recordings of the push are on their way to the store.
        assert_well(&livetape.data(), if round % 2 == 0 { &[] } else { &["--deep"] });
    }
    drop(push);
    livetape.wait_settled("well");
    assert_well(&livetape.data(), &["--deep"]);
    livetape.stop();
    let before = contents(&livetape.data());
    assert_well(&livetape.data(), &[]);
    assert_well(&livetape.data(), &["--deep"]);
    assert_eq!(contents(&livetape.data()), before, "looking changes nothing");
}

#[test]
fn what_a_crash_left_is_named_and_the_next_start_makes_it_well() {
    let mut livetape = Livetape::start(&Settings::new());
    let push = ffmpeg::push(Version::Debian, &place::sample(), &livetape.url("crash"), Pace::Loop);
    livetape.wait_live("crash", 2.0);
    livetape.kill();
    drop(push);
    let before = contents(&livetape.data());
    let look = fsck(&livetape.data(), &["--deep"]);
    let kinds: Vec<&str> = look.found.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!((look.code, kinds), (1, vec!["recording_torn", "recording_torn", "recording_torn", "session_cut_off"]));
    assert_eq!(look.output.matches("the next start completes it with ").count(), 3, "{}", look.output);
    assert_eq!(contents(&livetape.data()), before);

    livetape.start_again();
    let torn: BTreeSet<String> = livetape.wait_ready("crash", &FORMATS, 1).iter().map(|r| r.text("id")).collect();
    let named: BTreeSet<String> = look.found.into_iter().take(3).map(|(_, subject)| subject).collect();
    assert_eq!(named, torn);
    assert_well(&livetape.data(), &["--deep"]);
    livetape.stop();
    assert_well(&livetape.data(), &["--deep"]);
}

#[test]
fn whatever_is_done_to_a_directory_by_hand_is_named() {
    let mut livetape = Livetape::start(&Settings::new());
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("hand"));
    let recordings = livetape.wait_ready("hand", &FORMATS, 1);
    livetape.wait_empty("spool");
    livetape.stop();
    let of = |format: &str| recordings.iter().find(|recording| recording.text("format") == format).unwrap();
    let (mp4, flv, hls) = (of("mp4").text("id"), of("flv").text("id"), of("hls").text("id"));
    let key = |format: &str| Path::new("media").join(of(format).text("key"));
    let event = mp4.replace("rec_", "evt_") + "_ready";
    let stray = mp4.replace("_mp4_1", "_mp4_9");
    type Damage<'a> = Box<dyn Fn(&Path) + 'a>;
    let cases: Vec<(Damage<'_>, Vec<(&str, &str)>)> = vec![
        (Box::new(|data| fs::remove_file(data.join(key("mp4"))).unwrap()), vec![("object_missing", &mp4)]),
        (
            Box::new(|data| {
                let file = fs::OpenOptions::new().write(true).open(data.join(key("flv"))).unwrap();
                file.set_len(file.metadata().unwrap().len() - 1).unwrap();
            }),
            vec![("object_size", &flv)],
        ),
        (
            Box::new(|data| fs::remove_file(data.join(key("hls")).with_file_name("segment-000000.m4s")).unwrap()),
            vec![("playlist_dangling", &hls), ("playlist_dangling", &hls)],
        ),
        (
            Box::new(|data| {
                fs::create_dir(data.join("spool").join(&stray)).unwrap();
                fs::write(data.join("spool").join(&stray).join("recording.mp4.part"), "media").unwrap();
            }),
            vec![("spool_without_row", &stray)],
        ),
        (
            Box::new(|data| forge(data, &format!("DELETE FROM recordings WHERE id = '{mp4}'"))),
            vec![
                ("event_unfounded", &event),
                ("object_without_row", key("mp4").to_str().unwrap()[6..].to_owned().leak()),
            ],
        ),
        (
            Box::new(|data| {
                let columns = "type, subject, timestamp_ms, body";
                let copy = format!("SELECT 'evt_forged', {columns} FROM events WHERE id = '{event}'");
                forge(data, &format!("INSERT INTO events (id, {columns}) {copy}"));
            }),
            vec![("event_forged", "evt_forged")],
        ),
        (
            Box::new(|data| forge(data, &format!("DELETE FROM events WHERE id = '{event}'"))),
            vec![("event_missing", &mp4)],
        ),
    ];
    for (number, (damage, expected)) in cases.iter().enumerate() {
        let data = copy_of(&livetape.data(), &livetape.scratch().join(number.to_string()));
        assert_well(&data, &["--deep"]);
        damage(&data);
        let look = fsck(&data, &[]);
        let expected: Vec<_> = expected.iter().map(|(kind, subject)| (kind.to_string(), subject.to_string())).collect();
        assert_eq!((look.code, look.found), (1, expected), "{number}: {}", look.output);
        // For people, the same.
        let mut command = Command::new(place::livetape());
        let told = command.args(["fsck", "--data"]).arg(&data).output().unwrap();
        let line = format!("{}: {}", cases[number].1[0].0, cases[number].1[0].1);
        assert!(text(&told.stdout).lines().any(|told| told == line), "{line}:\n{}", text(&told.stdout));
        if cases[number].1[0].0 == "event_missing" {
            assert_eq!(fsck(&data, &["--rebuild"]).code, 0);
            assert_well(&data, &["--deep"]);
        }
    }
}

#[test]
fn where_there_is_nothing_to_look_at_it_says_so_and_makes_nothing() {
    let home = tempfile::tempdir().unwrap();
    for flags in [&[] as &[&str], &["--rebuild"]] {
        let look = fsck(home.path(), flags);
        assert!(look.code == 2 && look.output.contains("is no data directory"), "{}", look.output);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}

/// Overwrites pages in the middle of the index, so that it is damaged for certain.
fn damage_index(data: &Path) {
    // What is in the log only would mend the pages.
    succeed(Command::new("sqlite3").arg(data.join("livetape.db")).arg("PRAGMA wal_checkpoint(TRUNCATE)"));
    let page = succeed(
        Command::new("sqlite3")
            .arg(data.join("livetape.db"))
            .arg("SELECT rootpage FROM sqlite_schema WHERE name = 'recordings'"),
    );
    let page: u64 = text(&page.stdout).trim().parse().unwrap();
    let index = fs::OpenOptions::new().write(true).open(data.join("livetape.db")).unwrap();
    index.write_all_at(&[0x5a; 4096], (page - 1) * 4096).unwrap();
}

#[test]
fn a_damaged_index_is_refused_with_what_to_do_and_made_anew_with_every_recording() {
    let receiver = Receiver::start();
    let mut livetape = Livetape::start(&Settings::new().webhook(&receiver));
    ffmpeg::push_all(Version::Debian, &clip::plain(), &livetape.url("before"));
    let before = livetape.wait_ready("before", &FORMATS, 1);
    receiver.wait_for("recording.ready", 3);
    let push = ffmpeg::push(Version::Debian, &place::sample(), &livetape.url("during"), Pace::Loop);
    livetape.wait_live("during", 3.0);
    let during: BTreeSet<String> = livetape.of_stream("during").iter().map(|recording| recording.text("id")).collect();
    livetape.kill();
    drop(push);
    damage_index(&livetape.data());

    let advice = "run `livetape fsck --rebuild`";
    let index = livetape.data().join("livetape.db");
    let look = fsck(&livetape.data(), &[]);
    assert!(look.code == 2 && look.output.contains(advice), "{}", look.output);
    assert!(look.output.contains(index.to_str().unwrap()), "{}", look.output);
    let damaged = fs::read(&index).unwrap();
    let mut serve = Command::new(place::livetape());
    let refused = serve.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]);
    let refused = refused.arg(livetape.data()).output().unwrap();
    assert!(!refused.status.success() && text(&refused.stderr).contains(advice), "{}", text(&refused.stderr));
    assert_eq!(fs::read(&index).unwrap(), damaged, "nothing touches it");

    let rebuilt = fsck(&livetape.data(), &["--rebuild"]);
    assert_eq!(rebuilt.code, 0, "{}", rebuilt.output);
    assert!(during.iter().all(|id| rebuilt.output.contains(id)), "{}", rebuilt.output);
    let aside = files_below(&livetape.data()).into_iter().filter(|path| fs::read(path).unwrap() == damaged).count();
    assert_eq!(aside, 1, "the damaged one is kept");

    livetape.start_again();
    let recordings = livetape.wait_ready("during", &FORMATS, 1);
    assert_eq!(recordings.iter().map(|recording| recording.text("id")).collect::<BTreeSet<_>>(), during);
    for recording in &recordings {
        judge::assert_sound(&livetape, recording, &Reel::read(&livetape.file(recording)));
        assert_eq!(recording.text("end_reason"), "crash");
    }
    receiver.wait("the recordings are announced under the ids they always had", |deliveries| {
        let ids: BTreeSet<&str> = deliveries.iter().map(|delivery| delivery.id()).collect();
        during.iter().all(|id| ids.contains(&*(id.replace("rec_", "evt_") + "_ready")))
    });
    // What was announced before is what it was: its events say enough for its rows.
    for (then, now) in before.iter().zip(livetape.wait_ready("before", &FORMATS, 1)) {
        assert_eq!((now.text("id"), now.text("key")), (then.text("id"), then.text("key")));
        assert!(livetape.file(&now).exists(), "{now:?}");
    }
    let mut announced: Vec<String> = Vec::new();
    receiver
        .each(|delivery| announced.extend((delivery.kind() == "recording.ready").then(|| delivery.id().to_owned())));
    assert_eq!(announced.iter().collect::<BTreeSet<_>>().len(), 6, "{announced:?}");
    livetape.wait_empty("spool");
    livetape.stop();
    assert_well(&livetape.data(), &["--deep"]);
}

#[test]
fn an_index_that_is_gone_is_made_anew_from_what_lies_in_the_spool() {
    let mut livetape = Livetape::start(&Settings::new());
    let push = ffmpeg::push(Version::Debian, &place::sample(), &livetape.url("gone"), Pace::Loop);
    livetape.wait_live("gone", 2.0);
    let ids: BTreeSet<String> = livetape.recordings().iter().map(|recording| recording.text("id")).collect();
    let busy = fsck(&livetape.data(), &["--rebuild"]);
    assert!(busy.code == 2 && busy.output.contains("stop it"), "{}", busy.output);
    livetape.kill();
    drop(push);
    for name in ["livetape.db", "livetape.db-wal", "livetape.db-shm"] {
        let _ = fs::remove_file(livetape.data().join(name));
    }
    let look = fsck(&livetape.data(), &[]);
    assert!(look.code == 2 && look.output.contains("livetape fsck --rebuild"), "{}", look.output);
    let mut serve = Command::new(place::livetape());
    serve.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]).arg(livetape.data());
    let refused = serve.output().unwrap();
    let said = text(&refused.stderr) + &text(&refused.stdout);
    assert!(!refused.status.success() && said.contains("livetape fsck --rebuild"), "{said}");
    assert!(!livetape.data().join("livetape.db").exists());
    let rebuilt = fsck(&livetape.data(), &["--rebuild"]);
    assert_eq!(rebuilt.code, 0, "{}", rebuilt.output);
    livetape.start_again();
    let recordings = livetape.wait_ready("gone", &FORMATS, 1);
    assert_eq!(recordings.iter().map(|recording| recording.text("id")).collect::<BTreeSet<_>>(), ids);
    for recording in &recordings {
        judge::assert_sound(&livetape, recording, &Reel::read(&livetape.file(recording)));
    }
    livetape.stop();
    assert_well(&livetape.data(), &["--deep"]);
}

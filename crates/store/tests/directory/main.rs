//! The directory store against a real file system.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod effects;
mod listing;
mod watched_disk;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use livetape_disk::RealDisk;
use livetape_store::{ContentType, DirectoryStore, Fault, ObjectKey, ObjectStore, PutFile, StoreError};
use tempfile::TempDir;

struct Place {
    directory: TempDir,
    store: DirectoryStore,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = DirectoryStore::open(Arc::new(RealDisk), &directory.path().join("media")).unwrap();
        Self { directory, store }
    }

    fn spool(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    fn media(&self, key: &str) -> PathBuf {
        self.directory.path().join("media").join(key)
    }

    async fn put(&self, name: &str, path: &Path) -> Result<u64, StoreError> {
        let file = PutFile { key: key(name), path: path.into(), content_type: ContentType::of(name) };
        Ok(self.store.put_file(&file).await?.size_bytes)
    }

    async fn put_bytes(&self, name: &str, data: &'static [u8]) -> Result<u64, StoreError> {
        Ok(self.store.put_bytes(&key(name), Bytes::from_static(data), ContentType::of(name)).await?.size_bytes)
    }
}

fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[tokio::test]
async fn a_file_is_linked_not_copied_and_survives_the_removal_of_the_spool() {
    let place = Place::new();
    let spool = place.spool("recording.mp4", b"media");
    assert_eq!(place.put("live/x/2026-11-22/x-1.mp4", &spool).await.unwrap(), 5);
    let object = place.media("live/x/2026-11-22/x-1.mp4");
    assert_eq!(inode(&object), inode(&spool));
    fs::remove_file(&spool).unwrap();
    assert_eq!(fs::read(&object).unwrap(), b"media");
}

#[tokio::test]
async fn a_put_that_is_repeated_succeeds_with_the_same_object() {
    let place = Place::new();
    let spool = place.spool("a", b"media");
    for _ in 0..3 {
        assert_eq!(place.put("x/a.mp4", &spool).await.unwrap(), 5);
    }
    let copy = place.spool("b", b"media");
    assert_eq!(place.put("x/a.mp4", &copy).await.unwrap(), 5, "another file of equal contents");
    assert_eq!(inode(&place.media("x/a.mp4")), inode(&spool));
}

#[tokio::test]
async fn another_object_at_the_key_is_an_error_that_no_retry_mends_and_nothing_is_overwritten() {
    let place = Place::new();
    place.put("x/a.mp4", &place.spool("a", b"media")).await.unwrap();
    for other in [&b"MEDIA"[..], b"longer media", b""] {
        let error = place.put("x/a.mp4", &place.spool("b", other)).await.unwrap_err();
        assert!(matches!(error, StoreError::Taken { .. }), "{error}");
        assert_eq!((error.fault(), error.retryable()), (Fault::Ours, false));
        assert!(error.to_string().contains("x/a.mp4"), "{error}");
    }
    assert_eq!(fs::read(place.media("x/a.mp4")).unwrap(), b"media");
}

#[tokio::test]
async fn a_playlist_is_replaced() {
    let place = Place::new();
    place.put("x/index.m3u8", &place.spool("a", b"#EXTM3U")).await.unwrap();
    assert_eq!(place.put("x/index.m3u8", &place.spool("b", b"#EXTM3U\nmore")).await.unwrap(), 12);
    assert_eq!(fs::read(place.media("x/index.m3u8")).unwrap(), b"#EXTM3U\nmore");
    assert_eq!(place.put_bytes("x/index.m3u8", b"third").await.unwrap(), 5);
    assert_eq!(fs::read(place.media("x/index.m3u8")).unwrap(), b"third");
    assert_eq!(fs::read_dir(place.media("x")).unwrap().count(), 1, "no temporary file is left");
}

#[tokio::test]
async fn bytes_follow_the_same_rules() {
    let place = Place::new();
    assert_eq!(place.put_bytes("a/b.mp4", b"media").await.unwrap(), 5);
    assert_eq!(place.put_bytes("a/b.mp4", b"media").await.unwrap(), 5);
    assert!(matches!(place.put_bytes("a/b.mp4", b"other").await.unwrap_err(), StoreError::Taken { .. }));
    assert_eq!(fs::read_dir(place.media("a")).unwrap().count(), 1, "no temporary file is left");
}

#[tokio::test]
async fn a_spool_on_another_file_system_is_copied() {
    let place = Place::new();
    let Ok(elsewhere) = TempDir::new_in("/dev/shm") else {
        eprintln!("skipped: there is no second file system at /dev/shm");
        return;
    };
    if fs::metadata(elsewhere.path()).unwrap().dev() == fs::metadata(place.directory.path()).unwrap().dev() {
        eprintln!("skipped: /dev/shm is the same file system");
        return;
    }
    let contents: Vec<u8> = (0..3_000_001u32).map(|i| i.to_le_bytes()[0]).collect();
    let spool = elsewhere.path().join("a");
    fs::write(&spool, &contents).unwrap();
    for _ in 0..2 {
        assert_eq!(place.put("x/a.mp4", &spool).await.unwrap(), 3_000_001);
    }
    assert_eq!(fs::read(place.media("x/a.mp4")).unwrap(), contents);
    assert_ne!(inode(&place.media("x/a.mp4")), inode(&spool));
    fs::write(&spool, &contents[1..]).unwrap();
    assert!(matches!(place.put("x/a.mp4", &spool).await.unwrap_err(), StoreError::Taken { .. }));
    assert_eq!(fs::read_dir(place.media("x")).unwrap().count(), 1, "no temporary file is left");
}

#[tokio::test]
async fn a_file_that_is_gone_is_our_fault_and_not_retried() {
    let place = Place::new();
    let error = place.put("x/a.mp4", &place.directory.path().join("nothing")).await.unwrap_err();
    assert!(matches!(error, StoreError::Source { .. }), "{error}");
    assert_eq!((error.fault(), error.retryable()), (Fault::Ours, false));
    let error = place.put("x/a.mp4", place.directory.path()).await.unwrap_err();
    assert_eq!((error.fault(), error.retryable()), (Fault::Ours, false), "a directory is no file");
}

#[tokio::test]
async fn many_files_are_put_in_one_call() {
    let place = Place::new();
    let files: Vec<PutFile> = (0..20)
        .map(|i| PutFile {
            key: key(&format!("x/{}/segment-{i}.m4s", i % 3)),
            path: place.spool(&format!("s{i}"), format!("segment {i}").as_bytes()),
            content_type: ContentType::IsoSegment,
        })
        .collect();
    let stored = place.store.put_files(&files).await.unwrap();
    assert_eq!(stored.len(), 20);
    assert_eq!(stored[19].size_bytes, 10);
    for file in &files {
        assert_eq!(fs::read(place.media(file.key.as_str())).unwrap(), fs::read(&file.path).unwrap());
    }
    assert!(place.store.put_files(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn head_and_delete_see_objects_only() {
    let place = Place::new();
    place.put("x/a.mp4", &place.spool("a", b"media")).await.unwrap();
    assert_eq!(place.store.head(&key("x/a.mp4")).await.unwrap().map(|stored| stored.size_bytes), Some(5));
    for absent in ["x", "x/b.mp4", "y/a.mp4", "x/a.mp4/b"] {
        assert_eq!(place.store.head(&key(absent)).await.unwrap(), None, "{absent}");
        assert_eq!(place.store.local_path(&key(absent)), None, "{absent}");
        assert!(!place.store.delete(&key(absent)).await.unwrap(), "{absent}");
    }
    assert!(place.store.local_path(&key("x/a.mp4")).unwrap().ends_with("media/x/a.mp4"));
    assert!(place.store.delete(&key("x/a.mp4")).await.unwrap());
    assert!(!place.store.delete(&key("x/a.mp4")).await.unwrap());
}

#[tokio::test]
async fn a_directory_goes_with_its_last_object_and_the_root_stays() {
    let place = Place::new();
    for name in ["live/room/1.mp4", "live/room/day/2.mp4", "live/room/day/3.mp4", "live/other/4.mp4", "5.mp4"] {
        place.put(name, &place.spool(&name.replace('/', "-"), b"media")).await.unwrap();
    }
    place.store.delete_all(&[key("live/room/day/2.mp4"), key("live/room/day/3.mp4"), key("none")]).await.unwrap();
    assert!(!place.media("live/room/day").exists() && place.media("live/room/1.mp4").exists());
    assert!(place.store.delete(&key("live/room/1.mp4")).await.unwrap());
    assert!(!place.media("live/room").exists() && place.media("live/other/4.mp4").exists());
    // Whatever else is in it keeps a directory.
    fs::write(place.media("live/other/notes.txt"), "mine").unwrap();
    place.store.delete_all(&[key("live/other/4.mp4"), key("5.mp4")]).await.unwrap();
    assert!(place.media("live/other/notes.txt").exists());
    fs::remove_dir_all(place.media("live")).unwrap();
    assert!(place.media("").exists());
    // What was known to be durable is made again.
    place.put("live/room/day/6.mp4", &place.spool("six", b"media")).await.unwrap();
    assert!(place.media("live/room/day/6.mp4").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_directory_that_is_taken_away_under_a_put_is_made_again() {
    let place = std::sync::Arc::new(Place::new());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4 {
        let place = place.clone();
        tasks.spawn(async move {
            for round in 0..100 {
                let name = format!("live/room/{task}.mp4");
                place.put(&name, &place.spool(&format!("{task}-{round}"), b"media")).await.unwrap();
                assert!(place.store.delete(&key(&name)).await.unwrap());
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert!(!place.media("live").exists());
}

#[tokio::test]
async fn a_symbolic_link_out_of_the_store_is_neither_served_nor_followed() {
    let place = Place::new();
    let secret = place.spool("secret.mp4", b"secret");
    fs::create_dir(place.media("x")).unwrap();
    symlink(&secret, place.media("x/link.mp4")).unwrap();
    symlink(place.directory.path(), place.media("out")).unwrap();
    assert_eq!(place.store.local_path(&key("x/link.mp4")), None);
    assert_eq!(place.store.local_path(&key("out/secret.mp4")), None);
    let error = place.put("out/new.mp4", &place.spool("a", b"media")).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Configuration, "{error}");
    assert!(!place.directory.path().join("new.mp4").exists());
    assert!(matches!(
        place.put("x/link.mp4", &place.spool("b", b"other!")).await.unwrap_err(),
        StoreError::Taken { .. }
    ));
    assert!(place.store.delete(&key("out/secret.mp4")).await.is_err());
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
}

#[tokio::test]
async fn a_symbolic_link_within_the_store_is_not_followed_either() {
    let place = Place::new();
    place.put("real/a.mp4", &place.spool("a", b"media")).await.unwrap();
    symlink("real", place.media("alias")).unwrap();
    let error = place.put("alias/b.mp4", &place.spool("b", b"media")).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Configuration, "{error}");
    assert!(error.to_string().contains("symbolic links are not followed"), "{error}");
    assert!(!place.media("real/b.mp4").exists());
    assert_eq!(place.store.local_path(&key("alias/a.mp4")), None);
    assert!(place.store.head(&key("alias/a.mp4")).await.is_err());
}

#[tokio::test]
async fn a_file_where_a_directory_should_be_is_a_matter_of_configuration() {
    let place = Place::new();
    fs::write(place.media("x"), b"in the way").unwrap();
    let error = place.put("x/a.mp4", &place.spool("a", b"media")).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Configuration, "{error}");
    let error = DirectoryStore::open(Arc::new(RealDisk), &place.media("x")).err().unwrap();
    assert!(error.to_string().contains("media/x"), "{error}");
}

#[tokio::test]
async fn a_directory_that_vanished_is_made_again() {
    let place = Place::new();
    let spool = place.spool("a", b"media");
    place.put("x/y/a.mp4", &spool).await.unwrap();
    fs::remove_dir_all(place.media("x")).unwrap();
    assert_eq!(place.put("x/y/a.mp4", &spool).await.unwrap(), 5);
}

#[tokio::test]
async fn puts_of_one_key_at_once_all_succeed_and_leave_one_whole_object() {
    let place = Place::new();
    let data = Bytes::from(vec![7; 2 << 20]);
    let puts: Vec<_> = (0..12)
        .map(|_| {
            let (store, data) = (place.store.clone(), data.clone());
            tokio::spawn(async move { store.put_bytes(&key("x/a.mp4"), data, ContentType::Mp4).await })
        })
        .collect();
    for put in puts {
        assert_eq!(put.await.unwrap().unwrap().size_bytes, 2 << 20);
    }
    assert_eq!(fs::read(place.media("x/a.mp4")).unwrap(), data);
    assert_eq!(fs::read_dir(place.media("x")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(place.media(".incoming")).unwrap().count(), 0);
}

mod any_key {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_a_file_below_the_root(text in "[a-z./%\\\\~ ]{0,24}") {
            let place = Place::new();
            if let Ok(key) = text.parse::<ObjectKey>() {
                let root = fs::canonicalize(place.media("")).unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(place.store.put_bytes(&key, Bytes::from_static(b"x"), ContentType::Bytes)).unwrap();
                prop_assert!(place.store.local_path(&key).unwrap().starts_with(root));
            }
        }
    }
}

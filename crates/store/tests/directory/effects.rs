//! In which order a put changes the disk, and that it may stop at any of the changes.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use livetape_store::{ContentType, DirectoryStore, Fault, ObjectStore, PutFile, StoreError};
use tempfile::TempDir;

use crate::key;
use crate::watched_disk::{Plan, WatchedDisk};

struct World {
    directory: TempDir,
    disk: WatchedDisk,
}

impl World {
    fn new(plan: Plan) -> Self {
        let disk = WatchedDisk::default();
        *disk.0.lock().unwrap() = plan;
        Self { directory: TempDir::new().unwrap(), disk }
    }

    fn spool(&self, name: &str, contents: &[u8]) -> PutFile {
        let path = self.directory.path().join(name);
        fs::write(&path, contents).unwrap();
        PutFile { key: key(&format!("live/room/{name}")), path, content_type: ContentType::of(name) }
    }

    fn open(&self) -> Result<DirectoryStore, StoreError> {
        DirectoryStore::open(Arc::new(self.disk.clone()), &self.directory.path().join("media"))
    }

    async fn put(&self, files: &[PutFile]) -> Result<(), StoreError> {
        let stored = self.open()?.put_files(files).await?;
        assert_eq!(stored.len(), files.len());
        Ok(())
    }

    fn object(&self, file: &PutFile) -> Vec<u8> {
        fs::read(self.directory.path().join("media").join(file.key.as_str())).unwrap()
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.disk.0.lock().unwrap().log)
    }

    fn allow(&self, changes: Option<usize>) {
        self.disk.0.lock().unwrap().left = changes;
    }

    /// Everything in the store but `.incoming`, by path, in order.
    fn names(&self) -> Vec<String> {
        fn walk(root: &Path, at: &Path, names: &mut Vec<String>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(root, &path, names),
                    false => names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
                }
            }
        }
        let mut names = Vec::new();
        let root = self.directory.path().join("media");
        walk(&root, &root, &mut names);
        names.sort();
        names
    }
}

#[tokio::test]
async fn a_link_is_durable_before_the_put_returns_and_directories_are_synced_once() {
    let world = World::new(Plan::default());
    let files = [world.spool("a.m4s", b"a"), world.spool("b.m4s", b"b"), world.spool("c.m4s", b"c")];
    world.put(&files).await.unwrap();
    let root = world.directory.path().file_name().unwrap().to_str().unwrap();
    let expected = [
        "mkdir media".to_owned(),
        format!("sync {root}/"),
        "mkdir live".into(),
        "mkdir room".into(),
        "sync media/".into(),
        "sync live/".into(),
        "link a.m4s a.m4s".into(),
        "link b.m4s b.m4s".into(),
        "link c.m4s c.m4s".into(),
        "sync room/".into(),
    ];
    assert_eq!(world.log(), expected);
}

#[tokio::test]
async fn a_copy_is_synced_before_it_gets_its_name() {
    let world = World::new(Plan { no_links: true, ..Plan::default() });
    let store = world.open().unwrap();
    world.log();
    store.put_file(&world.spool("a.mp4", b"media")).await.unwrap();
    let log = world.log();
    let number = log.iter().find_map(|line| line.strip_prefix("create ")).unwrap().to_owned();
    let changes = |lines: &[&str]| lines.iter().map(|line| line.replace('#', &number)).collect::<Vec<_>>();
    let expected = ["mkdir live", "mkdir room", "sync media/", "sync live/", "mkdir .incoming", "unlink #"];
    let copied = ["create #", "write #", "sync #", "rename # a.mp4", "sync room/"];
    assert_eq!(log, changes(&[expected.as_slice(), &copied].concat()));

    store.put_file(&world.spool("index.m3u8", b"#EXTM3U")).await.unwrap();
    world.log();
    store.put_file(&world.spool("index.m3u8", b"#EXTM3U\nmore")).await.unwrap();
    let log = world.log();
    let position = |start: &str| log.iter().position(|line| line.starts_with(start)).unwrap();
    assert!(position("sync ") < position("replace "), "{log:?}");
    assert_eq!(log.last().unwrap(), "sync room/");
}

/// Stops the store at each of its changes, and then puts everything once more.
async fn stops_anywhere(plan: impl Fn() -> Plan) {
    let files = |world: &World| [world.spool("a.mp4", &vec![7; 3 << 20]), world.spool("index.m3u8", b"#EXTM3U\nnew")];
    let prepare = async |world: &World| {
        world.put(&[world.spool("index.m3u8", b"#EXTM3U")]).await.unwrap();
        // Other files of the same names, as a muxer replaces them.
        fs::remove_file(world.directory.path().join("index.m3u8")).unwrap();
        world.log();
    };
    let world = World::new(plan());
    prepare(&world).await;
    world.put(&files(&world)).await.unwrap();
    let changes = world.log().len();
    assert!(changes > 6, "{changes}");
    for left in 0..changes {
        let world = World::new(plan());
        prepare(&world).await;
        let files = files(&world);
        world.allow(Some(left));
        let error = world.put(&files).await.err().unwrap();
        assert!(error.retryable() && error.fault() != Fault::Configuration, "{left}: {error}");
        let playlist = world.object(&files[1]);
        assert!(playlist == b"#EXTM3U" || playlist == b"#EXTM3U\nnew", "{left}: a playlist is replaced at one stroke");
        world.allow(None);
        world.put(&files).await.unwrap();
        assert_eq!(world.object(&files[0]), vec![7; 3 << 20]);
        assert_eq!(world.object(&files[1]), b"#EXTM3U\nnew");
        assert_eq!(world.names(), ["live/room/a.mp4", "live/room/index.m3u8"], "{left}: nothing is left over");
    }
}

#[tokio::test]
async fn a_put_that_links_may_stop_anywhere() {
    stops_anywhere(Plan::default).await;
}

#[tokio::test]
async fn a_put_that_copies_may_stop_anywhere() {
    stops_anywhere(|| Plan { no_links: true, ..Plan::default() }).await;
}

#[tokio::test]
async fn a_put_onto_another_file_system_within_the_store_may_stop_anywhere() {
    for tells_device in [true, false] {
        stops_anywhere(|| Plan { elsewhere: Some("room"), tells_device, ..Plan::default() }).await;
    }
}

#[tokio::test]
async fn what_an_interrupted_copy_left_is_removed_when_the_store_is_opened() {
    let world = World::new(Plan { no_links: true, ..Plan::default() });
    drop(world.open().unwrap());
    // As after a power cut: the program had no time to clear up.
    let incoming = world.directory.path().join("media/.incoming");
    fs::create_dir(&incoming).unwrap();
    fs::write(incoming.join("0123456789abcdef"), b"half a copy").unwrap();
    let store = world.open().unwrap();
    assert!(world.names().is_empty());
    store.put_file(&world.spool("a.mp4", b"media")).await.unwrap();
    assert_eq!(world.names(), ["live/room/a.mp4"]);
}

#[tokio::test]
async fn looking_at_a_store_changes_nothing() {
    let world = World::new(Plan::default());
    let root = world.directory.path().join("media");
    let look = || DirectoryStore::existing(Arc::new(world.disk.clone()), &root);
    assert!(look().err().unwrap().to_string().contains("media does not exist"));
    fs::create_dir_all(root.join(".incoming")).unwrap();
    fs::write(root.join(".incoming/0123456789abcdef"), b"half a copy").unwrap();
    fs::write(root.join("a.mp4"), b"media").unwrap();
    let store = look().unwrap();
    assert_eq!(store.head(&key("a.mp4")).await.unwrap().unwrap().size_bytes, 5);
    let listing = store.list("", None).await.unwrap();
    assert_eq!(listing.unknown, [".incoming/0123456789abcdef"]);
    assert!(world.log().is_empty());
}

//! `livetape check --online`, against a server in this process and directories that work or do not.

#![allow(missing_docs, clippy::unwrap_used)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use livetape_fake_s3::{FakeS3, Profile};
use livetape_server::config::{self, Sources};
use livetape_server::{cli, online};
use tempfile::TempDir;

/// What the configuration of a bucket may differ in.
struct Bucket<'a> {
    endpoint: String,
    bucket: &'a str,
    access_key: &'a str,
    secret_key: &'a str,
}

impl<'a> Bucket<'a> {
    fn of(server: &'a FakeS3) -> Self {
        Self {
            endpoint: server.endpoint(),
            bucket: server.bucket(),
            access_key: server.access_key(),
            secret_key: server.secret_key(),
        }
    }

    fn settings(&self, table: &str) -> String {
        let Self { endpoint, bucket, access_key, secret_key } = self;
        format!(
            "[{table}]\nendpoint = \"{endpoint}\"\nbucket = \"{bucket}\"\naccess_key_id = \"{access_key}\"\n\
             secret_access_key = \"{secret_key}\"\n"
        )
    }

    fn store(&self) -> String {
        format!("[store]\nkind = \"s3\"\n{}", self.settings("s3"))
    }
}

/// A configuration with a data directory of its own.
struct Configured {
    home: TempDir,
    file: PathBuf,
}

impl Configured {
    fn new(settings: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("livetape.toml");
        let data = home.path().join("data");
        std::fs::write(&file, format!("[node]\ndata = \"{}\"\n{settings}", data.display())).unwrap();
        Self { home, file }
    }

    /// What is said, and whether all is well.
    fn check(&self) -> (String, bool) {
        let sources = Sources { file: Some(self.file.clone()), environment: Vec::new(), flags: Vec::new() };
        let loaded = config::load(&sources).unwrap();
        let mut said = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let well = runtime.block_on(online::check(&loaded.config, &mut said)).unwrap();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(well, !said.contains("ERROR"), "{said}");
        assert!(said.lines().all(|line| line.starts_with("ok ") || line.starts_with("ERROR ")), "{said}");
        (said, well)
    }

    fn fails(&self, words: &[&str]) -> String {
        let (said, well) = self.check();
        assert!(!well, "{said}");
        for word in words {
            assert!(said.contains(word), "no '{word}' in {said}");
        }
        said
    }
}

#[test]
fn a_bucket_that_works_is_ok_and_is_left_empty() {
    for profile in [Profile::aws(), Profile::r2(), Profile::ceph(), Profile::garage(), Profile::swift()] {
        let name = profile.name;
        let server = FakeS3::start(profile);
        let configured = Configured::new(&Bucket::of(&server).store());
        let (said, well) = configured.check();
        assert!(well && said.contains("ok     store: s3 bucket recordings"), "{name}: {said}");
        assert!(!said.contains(server.secret_key()) && !said.contains(server.access_key()), "{name}: {said}");
        assert!(server.count("PutObject") > 0 && server.count("CreateMultipartUpload") > 0, "{name}");
        assert!(server.objects().is_empty() && server.uploads().is_empty(), "{name}");
    }
}

#[test]
fn both_stores_are_looked_at() {
    let (first, second) = (FakeS3::start(Profile::aws()), FakeS3::start(Profile::ceph()));
    let wrong = Bucket { bucket: "nowhere", ..Bucket::of(&second) };
    let configured = Configured::new(&format!(
        "{}[fallback]\nkind = \"s3\"\n{}",
        Bucket::of(&first).store(),
        wrong.settings("fallback_s3")
    ));
    configured.fails(&["ok     store: ", "ERROR  fallback: s3 bucket nowhere", "create the bucket"]);
}

#[test]
fn a_wrong_secret_is_an_error_and_is_not_shown() {
    let server = FakeS3::start(Profile::aws());
    let wrong = Bucket { secret_key: "not/the+secret/of+this/server", ..Bucket::of(&server) };
    let said = Configured::new(&wrong.store()).fails(&["ERROR  store: ", "check the secret of the access key"]);
    assert!(!said.contains(wrong.secret_key) && !said.contains(server.secret_key()), "{said}");
    let unknown = Bucket { access_key: "NOBODY", ..Bucket::of(&server) };
    let said = Configured::new(&unknown.store()).fails(&["ERROR  store: ", "check the access key"]);
    assert!(!said.contains(server.secret_key()), "{said}");
}

#[test]
fn a_missing_bucket_is_an_error_that_says_to_create_it() {
    let server = FakeS3::start(Profile::aws());
    let missing = Bucket { bucket: "nowhere", ..Bucket::of(&server) };
    Configured::new(&missing.store())
        .fails(&["ERROR  store: s3 bucket nowhere at http://127.0.0.1:", "create the bucket"]);
}

#[test]
fn an_endpoint_where_nobody_listens_is_an_error_that_names_it() {
    let server = FakeS3::start(Profile::aws());
    let (endpoint, secret) = (server.endpoint(), server.secret_key());
    let settings = Bucket::of(&server).store();
    drop(server);
    let said =
        Configured::new(&settings).fails(&["ERROR  store: ", &endpoint, "cannot be reached", "check the endpoint"]);
    assert!(!said.contains(secret), "{said}");
}

#[test]
fn directories_are_tried_and_none_is_made() {
    let configured = Configured::new("");
    let (said, well) = configured.check();
    assert!(well && said.contains("ok     data directory: ") && said.contains("ok     store: directory "), "{said}");
    let left: Vec<_> = std::fs::read_dir(configured.home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, std::slice::from_ref(&configured.file));
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = |path: &Path| Configured::new(&format!("[store]\npath = \"{}\"\n", path.display()));
    store(file.path()).fails(&["ok     data directory", "ERROR  store: ", "name a directory"]);
    // Nobody creates files there, root neither.
    if Path::new("/proc/sys").is_dir() {
        store(Path::new("/proc/sys")).fails(&["ok     data directory", "ERROR  store: /proc/sys: creating"]);
    }
}

#[test]
fn too_little_room_is_an_error() {
    Configured::new("[record]\nmin_free = \"1000000TiB\"\n").fails(&["ERROR  data directory: ", "make room"]);
}

#[test]
fn the_names_of_webhooks_are_resolved_and_their_addresses_not_shown_in_full() {
    let webhook = |name: &str, url: &str| {
        format!("[[webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret = \"hunter2hunter2hunter2\"\n")
    };
    let known = webhook("here", "http://localhost:9000/hook?token=hunter3");
    let address = webhook("six", "http://[::1]:9000/");
    let unknown = webhook("gone", "https://livetape.invalid/hook?token=hunter3");
    let (said, well) = Configured::new(&format!("{known}{address}")).check();
    assert!(well && said.contains("ok     webhook here: localhost is ") && said.contains("127.0.0.1"), "{said}");
    assert!(said.contains("ok     webhook six: ::1 is ::1"), "{said}");
    let said = Configured::new(&format!("{known}{unknown}")).fails(&[
        "ok     webhook here",
        "ERROR  webhook gone: the name livetape.invalid",
        "webhooks.url",
    ]);
    assert!(!said.contains("hunter"), "{said}");
}

#[test]
fn the_exit_code_says_what_was_found() {
    let code = |file: &Path| {
        let arguments = ["livetape", "check", file.to_str().unwrap(), "--online"];
        format!("{:?}", cli::run(arguments.iter().map(OsString::from)))
    };
    let is = |code: u8| format!("{:?}", ExitCode::from(code));
    assert_eq!(code(&Configured::new("").file), is(0));
    assert_eq!(code(&Configured::new("[store]\npath = \"/dev/null\"\n").file), is(1));
    assert_eq!(code(&Configured::new("[store]\nkind = \"s3\"\n").file), is(2));
}

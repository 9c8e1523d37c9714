//! Recordings go into a bucket while they grow, whatever the network and the service do.

mod companions;
mod faults;
mod fetch;
mod growing;
mod whole;

use std::time::{Duration, Instant};
use std::{fs, thread};

use livetape_fake_s3::{FakeS3, FaultProxy, Profile};
use livetape_testkit::livetape::Settings;
use livetape_testkit::{Livetape, Publisher, clip, flv};

/// Pushes the heavy clip four times as fast as it plays, so that parts fill while it is recorded, and says
/// goodbye.
fn push(livetape: &Livetape, stream: &str) {
    const SPEED: u32 = 4;
    let begun = Instant::now();
    let mut publisher = Publisher::publish(livetape.rtmp, "live", stream);
    for tags in flv::tags(&clip::heavy()).chunks(50) {
        let due = Duration::from_millis(u64::from(tags[0].timestamp / SPEED));
        thread::sleep(due.saturating_sub(begun.elapsed()));
        publisher.tags(tags);
    }
    publisher.finish(stream);
}

/// Settings for a program that keeps recordings in `bucket`, reached at `endpoint`.
fn settings(bucket: &FakeS3, endpoint: &str) -> Settings {
    let text = |text: &str| format!("\"{text}\"");
    Settings::new()
        .set("store.kind", "\"s3\"")
        .set("s3.endpoint", &text(endpoint))
        .set("s3.region", &text(bucket.region()))
        .set("s3.bucket", &text(bucket.bucket()))
        .set("s3.access_key_id", &text(bucket.access_key()))
        .set("s3.secret_access_key", &text(bucket.secret_key()))
        .set("s3.part_size", "\"5MiB\"")
        .set("s3.request_timeout", "\"2s\"")
        // What is safe is put at once.
        .set("record.sync_interval", "\"200ms\"")
}

/// Settings for a program that keeps recordings in a real service, where the environment names one.
pub fn real() -> Option<Settings> {
    let of =
        |name: &str, otherwise: &str| format!("\"{}\"", std::env::var(name).unwrap_or_else(|_| otherwise.to_owned()));
    let endpoint = std::env::var("LIVETAPE_TEST_S3").ok()?;
    Some(
        Settings::new()
            .set("store.kind", "\"s3\"")
            .set("s3.endpoint", &format!("\"{endpoint}\""))
            .set("s3.bucket", &of("LIVETAPE_TEST_S3_BUCKET", "livetape-test"))
            .set("s3.access_key_id", &of("LIVETAPE_TEST_S3_KEY", "test"))
            .set("s3.secret_access_key", &of("LIVETAPE_TEST_S3_SECRET", "testtest12"))
            .set("s3.prefix", &format!("\"e2e-{}/\"", std::process::id())),
    )
}

/// A bucket behind a network that can be broken.
pub struct Cloud {
    pub bucket: FakeS3,
    pub network: FaultProxy,
}

impl Cloud {
    pub fn new(profile: Profile) -> Self {
        let bucket = FakeS3::start(profile);
        let network = FaultProxy::start(&bucket.endpoint());
        Self { bucket, network }
    }

    pub fn settings(&self) -> Settings {
        settings(&self.bucket, &self.network.endpoint())
    }

    /// Fetches every object to where `livetape`'s finished files are looked for.
    pub fn fetch(&self, livetape: &mut Livetape) {
        let media = livetape.scratch().join("bucket");
        for (key, object) in self.bucket.objects() {
            let path = media.join(&key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &object.data).unwrap();
        }
        livetape.look_in(media);
    }

    /// Panics unless no upload is under way.
    pub fn assert_no_uploads(&self) {
        let left: Vec<String> = self.bucket.uploads().into_iter().map(|upload| upload.key).collect();
        assert!(left.is_empty(), "uploads are still under way: {left:?}");
    }

    /// Panics unless no upload is under way, and every object is one of a recording.
    pub fn assert_nothing_else(&self, livetape: &Livetape) {
        self.assert_no_uploads();
        let keys: Vec<String> = livetape.recordings().iter().map(|recording| recording.text("key")).collect();
        for key in self.bucket.objects().into_keys() {
            let of_playlist = || key.rsplit_once('/').map(|(directory, _)| format!("{directory}/index.m3u8"));
            assert!(keys.contains(&key) || keys.contains(&of_playlist().unwrap()), "{key} is nobody's");
        }
    }
}

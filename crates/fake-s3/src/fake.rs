//! The server as tests see it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use s3s::service::S3ServiceBuilder;

use crate::bucket::Buckets;
use crate::gate::Gate;
use crate::host::Host;
use crate::log::{Log, Request};
use crate::object::Object;
use crate::profile::Profile;
use crate::service::{Keys, Service};
use crate::upload::UploadInfo;

const BUCKET: &str = "recordings";
const KEYS: Keys = Keys { access: "FAKES3ACCESSKEY", secret: "fake/secret+key" };

/// An S3 server on this machine, of one user. Stops when dropped.
pub struct FakeS3 {
    host: Host,
    buckets: Arc<Mutex<Buckets>>,
    log: Arc<Mutex<Log>>,
}

impl FakeS3 {
    /// Listens; the bucket is there and empty.
    pub fn start(profile: Profile) -> Self {
        let profile = Arc::new(profile);
        let (buckets, log): (Arc<Mutex<Buckets>>, Arc<Mutex<Log>>) = Default::default();
        buckets.lock().unwrap().create(BUCKET).unwrap();
        let mut builder =
            S3ServiceBuilder::new(Service { buckets: Arc::clone(&buckets), profile: Arc::clone(&profile) });
        builder.set_auth(KEYS);
        let gate = Gate { inner: builder.build(), log: Arc::clone(&log), profile };
        let host = Host::start("fake-s3", |place, listener| async move {
            gate.serve(listener).await;
            drop(place);
        });
        Self { host, buckets, log }
    }

    /// `http://` and the address. Buckets are in the path.
    pub fn endpoint(&self) -> String {
        self.host.endpoint()
    }

    /// The user's access key.
    pub fn access_key(&self) -> &'static str {
        KEYS.access
    }

    /// The user's secret key.
    pub fn secret_key(&self) -> &'static str {
        KEYS.secret
    }

    /// The region; any other does as well.
    pub fn region(&self) -> &'static str {
        "us-east-1"
    }

    /// The bucket that is there from the beginning.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// What is in that bucket, by key.
    pub fn objects(&self) -> BTreeMap<String, Object> {
        self.objects_in(BUCKET)
    }

    /// What is in a bucket, by key. Panics if there is no such bucket.
    pub fn objects_in(&self, bucket: &str) -> BTreeMap<String, Object> {
        self.buckets.lock().unwrap().bucket(bucket).unwrap_or_else(|error| panic!("{bucket}: {error}")).objects.clone()
    }

    /// The uploads under way in that bucket, by key, then in the order they were begun.
    pub fn uploads(&self) -> Vec<UploadInfo> {
        let mut buckets = self.buckets.lock().unwrap();
        let uploads = buckets.bucket(BUCKET).unwrap().uploads.iter();
        let told = uploads.map(|((key, id), upload)| UploadInfo {
            key: key.clone(),
            id: id.clone(),
            parts: upload.parts.iter().map(|(number, part)| (*number, part.data.clone())).collect(),
        });
        told.collect()
    }

    /// Puts away an upload as a lifecycle rule or an operator would. Panics if there is no such upload.
    pub fn expire(&self, key: &str, id: &str) {
        let mut buckets = self.buckets.lock().unwrap();
        let gone = buckets.bucket(BUCKET).unwrap().uploads.remove(&(key.to_owned(), id.to_owned()));
        assert!(gone.is_some(), "no upload {id} of {key}");
    }

    /// The last 100,000 requests, in the order they came.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().kept()
    }

    /// How many requests there were of an operation, `UploadPart` for example, however they were answered.
    pub fn count(&self, operation: &str) -> u64 {
        self.log.lock().unwrap().count(operation)
    }
}

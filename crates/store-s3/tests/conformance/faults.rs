//! What a bad network and a bad service do to a put: it ends in an error of the right kind, in time, or in success;
//! and in either case the same call succeeds later and leaves just the one right object.

use std::time::{Duration, Instant};

use bytes::Bytes;
use livetape_fake_s3::{Answer, Fault, FaultProxy, Faults};
use livetape_store::{
    ContentType, Fault as Blame, ObjectKey, ObjectStore as _, Part, PartStore, PutFile, StoreError, Stored, Upload,
};
use livetape_store_s3::S3Store;

use crate::target::{MIB, PART, Target, check_only, key, noise, size};

const FOR_EVER: Duration = Duration::from_secs(3600);
/// What one attempt may take here.
const ATTEMPT: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 2;
/// What a call may take: its attempts, the pause between them, and what a busy machine adds.
const CALL_MAX: Duration = Duration::from_secs(8);
/// The lowest rate here. A part has five seconds.
const MIN_RATE: usize = MIB;

/// A target behind a proxy.
struct World {
    proxy: FaultProxy,
    /// Has little patience.
    store: S3Store,
    /// Has as much as is usual.
    patient: S3Store,
}

impl World {
    async fn new(target: &Target) -> Self {
        let proxy = FaultProxy::start(target.endpoint());
        let behind = target.behind(&proxy);
        let hasty = behind.with(|options| {
            options.attempts = ATTEMPTS;
            options.attempt_timeout = ATTEMPT;
            options.complete_timeout = ATTEMPT;
            options.min_rate_bytes = size(MIN_RATE);
        });
        Self { store: hasty.store().await, patient: behind.store_as_it_is().await, proxy }
    }
}

/// The three calls that bring bytes into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Object,
    Part,
    Completion,
}

const PUTS: [Put; 3] = [Put::Object, Put::Part, Put::Completion];

impl Put {
    const fn operation(self) -> &'static str {
        match self {
            Self::Object => "PutObject",
            Self::Part => "UploadPart",
            Self::Completion => "CompleteMultipartUpload",
        }
    }
}

/// An object that is put by one of these calls: all before it has been done.
struct Case {
    put: Put,
    key: ObjectKey,
    data: Bytes,
    upload: Option<Upload>,
    parts: Vec<Part>,
}

impl Case {
    async fn new(world: &World, put: Put) -> Self {
        let (key, data) = (key("live/a.mp4"), noise(300_000, 1));
        let (mut upload, mut parts) = (None, Vec::new());
        if put != Put::Object {
            upload = Some(world.patient.begin(&key, ContentType::Mp4).await.unwrap());
        }
        if let Some(upload) = upload.as_ref().filter(|_| put == Put::Completion) {
            parts.push(world.patient.put_part(upload, 1, data.clone()).await.unwrap());
        }
        Self { put, key, data, upload, parts }
    }

    async fn call(&self, store: &S3Store) -> Result<(), StoreError> {
        match (self.put, &self.upload) {
            (Put::Part, Some(upload)) => store.put_part(upload, 1, self.data.clone()).await.map(drop),
            (Put::Completion, Some(upload)) => store.complete(upload, &self.parts).await.map(drop),
            _ => store.put_bytes(&self.key, self.data.clone(), ContentType::Mp4).await.map(drop),
        }
    }

    /// After the call succeeded: the object is there as it should be, and goes.
    async fn check(self, store: &S3Store) {
        if let (Put::Part, Some(upload)) = (self.put, &self.upload) {
            let parts = PartStore::parts(store, upload).await.unwrap().unwrap();
            assert_eq!(parts.len(), 1);
            store.complete(upload, &parts).await.unwrap();
        }
        check_only(store, &self.key, &self.data).await;
        assert!(store.delete(&self.key).await.unwrap());
    }
}

/// Runs a call that must end in time.
async fn in_time<T>(call: impl Future<Output = T>, most: Duration) -> T {
    tokio::time::timeout(most, call).await.unwrap_or_else(|_| panic!("not given up within {most:?}"))
}

/// A fault that lasts ends the call with an error of this kind, after this many attempts.
async fn lasting(world: &World, put: Put, faults: Faults, blame: Blame, attempts: Option<u32>) {
    let case = Case::new(world, put).await;
    let struck = world.proxy.struck(put.operation());
    world.proxy.set(faults);
    let error = in_time(case.call(&world.store), CALL_MAX).await.unwrap_err();
    assert_eq!((error.fault(), error.retryable()), (blame, true), "{put:?}: {error}");
    if let Some(attempts) = attempts {
        assert_eq!(world.proxy.struck(put.operation()) - struck, u64::from(attempts), "{put:?}");
    }
    world.proxy.heal();
    case.call(&world.patient).await.unwrap_or_else(|error| panic!("{put:?} after the fault: {error}"));
    case.check(&world.patient).await;
}

/// A fault that strikes one attempt is made good by the next.
async fn passing(world: &World, put: Put, fault: Fault) {
    let case = Case::new(world, put).await;
    let struck = world.proxy.struck(put.operation());
    world.proxy.set(fault.on(put.operation()).once());
    in_time(case.call(&world.store), CALL_MAX).await.unwrap_or_else(|error| panic!("{put:?}: {error}"));
    assert_eq!(world.proxy.struck(put.operation()) - struck, 1, "{put:?}");
    case.check(&world.patient).await;
}

/// `fault` on each of the calls: for ever, then once.
async fn on_every_put(target: &Target, fault: Fault, blame: Blame) {
    let world = World::new(target).await;
    for put in PUTS {
        lasting(&world, put, fault.clone().on(put.operation()).into(), blame, Some(ATTEMPTS)).await;
        passing(&world, put, fault.clone()).await;
    }
}

pub(crate) async fn connections_that_are_refused(target: &Target) {
    let world = World::new(target).await;
    for put in PUTS {
        lasting(&world, put, Faults::refused(), Blame::Network, None).await;
    }
}

pub(crate) async fn connections_that_hang(target: &Target) {
    on_every_put(target, Fault::Hang(FOR_EVER), Blame::Network).await;
}

pub(crate) async fn requests_that_are_swallowed(target: &Target) {
    on_every_put(target, Fault::Swallow, Blame::Network).await;
}

pub(crate) async fn connections_that_are_reset_in_the_middle(target: &Target) {
    on_every_put(target, Fault::Reset { after_bytes: 100_000 }, Blame::Network).await;
}

pub(crate) async fn answers_that_are_lost(target: &Target) {
    on_every_put(target, Fault::LoseAnswer, Blame::Network).await;
}

pub(crate) async fn answers_that_come_too_late(target: &Target) {
    on_every_put(target, Fault::Late(FOR_EVER), Blame::Network).await;
}

pub(crate) async fn a_service_that_fails(target: &Target) {
    on_every_put(target, Fault::Reply(Answer::InternalError), Blame::Store).await;
}

pub(crate) async fn a_service_that_asks_to_slow_down(target: &Target) {
    on_every_put(target, Fault::Reply(Answer::SlowDown), Blame::Throttled).await;
}

pub(crate) async fn a_service_that_does_not_allow_it(target: &Target) {
    let world = World::new(target).await;
    for put in PUTS {
        let denied = Fault::Reply(Answer::AccessDenied).on(put.operation());
        lasting(&world, put, denied.into(), Blame::Denied, Some(1)).await;
    }
}

pub(crate) async fn a_completion_that_fails_behind_200(target: &Target) {
    let world = World::new(target).await;
    let fault = Fault::Reply(Answer::ErrorIn200);
    let operation = Put::Completion.operation();
    lasting(&world, Put::Completion, fault.clone().on(operation).into(), Blame::Store, Some(ATTEMPTS)).await;
    passing(&world, Put::Completion, fault).await;
}

pub(crate) async fn calls_without_a_body_that_are_throttled_by_the_service(target: &Target) {
    let world = World::new(target).await;
    let (store, case) = (&world.store, Case::new(&world, Put::Completion).await);
    let (key, upload) = (&case.key, case.upload.as_ref().unwrap());
    // HEAD has no body, so there is no code, and 503 alone does not say that it is for too many requests.
    for (operation, blame) in [
        ("HeadObject", Blame::Store),
        ("ListObjectsV2", Blame::Throttled),
        ("GetObject", Blame::Throttled),
        ("ListParts", Blame::Throttled),
        ("ListMultipartUploads", Blame::Throttled),
        ("CreateMultipartUpload", Blame::Throttled),
        ("AbortMultipartUpload", Blame::Throttled),
    ] {
        let call = async || match operation {
            "HeadObject" => store.head(key).await.map(drop),
            "ListObjectsV2" => store.list("", None).await.map(drop),
            "GetObject" => store.read(key, 1).await.map(drop),
            "ListParts" => PartStore::parts(store, upload).await.map(drop),
            "ListMultipartUploads" => store.uploads("", None).await.map(drop),
            "CreateMultipartUpload" => store.abort(&store.begin(key, ContentType::Mp4).await?).await,
            _ => store.abort(&Upload { key: key.clone(), id: "2~never".into() }).await,
        };
        world.proxy.set(Fault::Reply(Answer::SlowDown).on(operation));
        let error = in_time(call(), CALL_MAX).await.unwrap_err();
        assert_eq!((error.fault(), error.retryable()), (blame, true), "{operation}: {error}");
        world.proxy.set(Fault::Reply(Answer::SlowDown).on(operation).once());
        in_time(call(), CALL_MAX).await.unwrap_or_else(|error| panic!("{operation}: {error}"));
    }
    world.proxy.heal();
    case.call(store).await.unwrap();
    case.check(&world.patient).await;
}

/// What a part may take at the lowest rate, over all its attempts.
const PART_MAX: Duration = Duration::from_secs((PART / MIN_RATE) as u64 * ATTEMPTS as u64 + 5);

pub(crate) async fn an_upload_below_the_lowest_rate_is_given_up_in_time(target: &Target) {
    let world = World::new(target).await;
    let upload = world.patient.begin(&key("live/a.mp4"), ContentType::Mp4).await.unwrap();
    world.proxy.set(Fault::Throttle { bytes_per_second: size(MIN_RATE / 4) }.on("UploadPart"));
    let begun = Instant::now();
    let put = world.store.put_part(&upload, 1, noise(PART, 1));
    let error = in_time(put, PART_MAX).await.unwrap_err();
    assert_eq!((error.fault(), error.retryable()), (Blame::Network, true), "{error}");
    assert!(begun.elapsed() >= Duration::from_secs(10), "given up before its time: {:?}", begun.elapsed());
    world.proxy.heal();
    world.patient.abort(&upload).await.unwrap();
    assert_eq!(PartStore::parts(&world.patient, &upload).await.unwrap(), None);
}

pub(crate) async fn an_upload_above_the_lowest_rate_is_left_alone(target: &Target) {
    let world = World::new(target).await;
    let (key, data) = (key("live/a.mp4"), noise(PART, 1));
    let upload = world.patient.begin(&key, ContentType::Mp4).await.unwrap();
    world.proxy.set(Fault::Throttle { bytes_per_second: size(3 * MIN_RATE) }.on("UploadPart"));
    let begun = Instant::now();
    let part = world.store.put_part(&upload, 1, data.clone()).await.unwrap();
    assert!(begun.elapsed() > ATTEMPT, "longer than a small body may take: {:?}", begun.elapsed());
    assert_eq!(world.proxy.struck("UploadPart"), 1);
    world.proxy.heal();
    world.patient.complete(&upload, &[part]).await.unwrap();
    check_only(&world.patient, &key, &data).await;
}

pub(crate) async fn a_download_below_the_lowest_rate_is_given_up_in_time(target: &Target) {
    let world = World::new(target).await;
    let (key, data) = (key("live/a.mp4"), noise(PART, 1));
    world.patient.put_bytes(&key, data.clone(), ContentType::Mp4).await.unwrap();
    // So slowly that it may as well stand still.
    for bytes_per_second in [size(MIN_RATE / 8), 50] {
        world.proxy.set(Fault::Throttle { bytes_per_second }.on("GetObject"));
        let error = in_time(world.store.read(&key, size(PART)), PART_MAX).await.unwrap_err();
        assert_eq!((error.fault(), error.retryable()), (Blame::Network, true), "{error}");
    }
    world.proxy.heal();
    assert!(world.patient.read(&key, size(PART)).await.unwrap() == Some(data));
}

pub(crate) async fn an_answer_that_begins_late_is_waited_for(target: &Target) {
    let world = World::new(target).await;
    for put in PUTS {
        let case = Case::new(&world, put).await;
        let struck = world.proxy.struck(put.operation());
        world.proxy.set(Fault::Late(ATTEMPT).on(put.operation()));
        case.call(&world.patient).await.unwrap();
        assert_eq!(world.proxy.struck(put.operation()) - struck, 1, "{put:?}: one attempt is enough");
        world.proxy.heal();
        case.check(&world.patient).await;
    }
}

pub(crate) async fn a_file_whose_part_fails_leaves_no_upload(target: &Target) {
    let world = World::new(target).await;
    let directory = tempfile::tempdir().unwrap();
    let (path, data) = (directory.path().join("a.mp4"), noise(2 * PART + 1000, 1));
    std::fs::write(&path, &data).unwrap();
    let file = PutFile { key: key("live/a.mp4"), path, content_type: ContentType::Mp4 };
    world.proxy.set(Fault::Reply(Answer::AccessDenied).on("UploadPart").nth(3..=3));
    let error = world.patient.put_file(&file).await.unwrap_err();
    assert_eq!(error.fault(), Blame::Denied, "{error}");
    assert_eq!(world.patient.uploads("", None).await.unwrap().uploads, []);
    world.proxy.set(Fault::Reset { after_bytes: size(MIB) }.on("UploadPart").nth(2..=2));
    let stored = Stored { size_bytes: size(data.len()) };
    assert_eq!(world.patient.put_file(&file).await.unwrap(), stored);
    check_only(&world.patient, &file.key, &data).await;
}

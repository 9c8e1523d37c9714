//! The store against a service that is there: every operation, and what services do differently.
//!
//! Runs when `LIVETAPE_TEST_S3` is set to an endpoint (`http://127.0.0.1:7480`), with the access key in
//! `LIVETAPE_TEST_S3_KEY` and `LIVETAPE_TEST_S3_SECRET` (`test` and `testtest12` without them) and the bucket in
//! `LIVETAPE_TEST_S3_BUCKET` (`livetape-test`), which is created. Each test works under a prefix of its own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use livetape_store::{
    ContentType, Fault, Listing, ObjectKey, ObjectStore, Part, PartStore, PutFile, StoreError, Stored, Upload,
};
use livetape_store_s3::{Checksum, S3Options, S3Store};
use uuid::Uuid;

const MIB: usize = 1 << 20;
const PART: usize = 5 * MIB;

fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.into())
}

/// The options of the service, or `None` when there is none to test with.
fn options() -> Option<S3Options> {
    let Ok(endpoint) = std::env::var("LIVETAPE_TEST_S3") else {
        eprintln!("LIVETAPE_TEST_S3 is not set: nothing is tested");
        return None;
    };
    Some(S3Options {
        endpoint: Some(endpoint),
        bucket: variable("LIVETAPE_TEST_S3_BUCKET", "livetape-test"),
        prefix: format!("test-{}/", Uuid::now_v7().simple()),
        access_key_id: Some(variable("LIVETAPE_TEST_S3_KEY", "test")),
        secret_access_key: Some(variable("LIVETAPE_TEST_S3_SECRET", "testtest12")),
        part_bytes: u64::try_from(PART).unwrap(),
        ..S3Options::default()
    })
}

/// A client of the SDK itself: for what the store does not do.
fn client(options: &S3Options) -> aws_sdk_s3::Client {
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    let (id, secret) = (options.access_key_id.clone().unwrap(), options.secret_access_key.clone().unwrap());
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(options.region.clone()))
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .force_path_style(true);
    config.set_endpoint_url(options.endpoint.clone());
    aws_sdk_s3::Client::from_conf(config.build())
}

async fn connect(options: S3Options) -> S3Store {
    // Refused when it is there already.
    let _ = client(&options).create_bucket().bucket(&options.bucket).send().await;
    S3Store::connect(options).await.unwrap()
}

fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

/// Bytes that differ from place to place and by `seed`.
fn noise(len: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(len).collect()
}

async fn fetch(store: &S3Store, key: &ObjectKey) -> (Vec<u8>, Vec<(String, String)>) {
    let address = store.presigned(key, Duration::from_secs(60)).await.unwrap().unwrap();
    tokio::task::spawn_blocking(move || {
        let mut answer = ureq::get(&address).call().unwrap();
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        (answer.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap(), headers)
    })
    .await
    .unwrap()
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
}

async fn put_all(store: &S3Store, upload: &Upload, parts: &[(u32, Bytes)]) -> Vec<Part> {
    let mut put = Vec::new();
    for (number, data) in parts {
        let part = store.put_part(upload, *number, data.clone()).await.unwrap();
        assert_eq!(part, Part { number: *number, size_bytes: data.len().try_into().unwrap(), tag: store.tag(data) });
        put.push(part);
    }
    put
}

fn joined(parts: &[(u32, Bytes)]) -> Vec<u8> {
    parts.iter().flat_map(|(_, data)| data.to_vec()).collect()
}

#[tokio::test]
async fn the_probe_succeeds_and_leaves_nothing() {
    let Some(options) = options() else { return };
    let store = connect(options).await;
    store.probe().await.unwrap();
    assert_eq!(store.list("", None).await.unwrap(), Listing::default());
    assert!(store.uploads("", None).await.unwrap().uploads.is_empty());
}

#[tokio::test]
async fn an_object_is_put_once_looked_at_fetched_and_deleted() {
    let Some(options) = options() else { return };
    let store = connect(options).await;
    for (name, len) in [("live/a.mp4", 100_000), ("live/empty.ts", 0), ("live/b.flv", PART)] {
        let (key, data) = (key(name), noise(len, 1));
        assert_eq!(store.head(&key).await.unwrap(), None);
        assert!(!store.delete(&key).await.unwrap());
        let stored = Stored { size_bytes: len.try_into().unwrap() };
        for _ in 0..2 {
            assert_eq!(store.put_bytes(&key, data.clone(), ContentType::of_key(&key)).await.unwrap(), stored);
        }
        assert_eq!(store.head(&key).await.unwrap(), Some(stored));
        let (fetched, headers) = fetch(&store, &key).await;
        assert_eq!(fetched, data);
        assert_eq!(store.read(&key, stored.size_bytes).await.unwrap(), Some(data.clone()));
        assert!(len == 0 || store.read(&key, stored.size_bytes - 1).await.is_err(), "larger than allowed");
        assert_eq!(header(&headers, "content-type"), ContentType::of_key(&key).as_str());
        assert!(header(&headers, "cache-control").contains("immutable"), "{headers:?}");
        let other = store.put_bytes(&key, noise(len + 1, 2), ContentType::of_key(&key)).await.unwrap_err();
        assert!(matches!(other, StoreError::Taken { .. }), "{other}");
        if len > 0 {
            let other = store.put_bytes(&key, noise(len, 2), ContentType::of_key(&key)).await.unwrap_err();
            assert!(matches!(other, StoreError::Taken { .. }), "{other}");
        }
        assert!(store.delete(&key).await.unwrap());
        assert_eq!(store.head(&key).await.unwrap(), None);
        assert_eq!(store.read(&key, 1).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_playlist_is_replaced() {
    let Some(options) = options() else { return };
    let store = connect(options).await;
    let key = key("live/index.m3u8");
    for text in ["#EXTM3U\n", "#EXTM3U\n#EXT-X-ENDLIST\n"] {
        store.put_bytes(&key, text.into(), ContentType::Playlist).await.unwrap();
        let (fetched, headers) = fetch(&store, &key).await;
        assert_eq!(fetched, text.as_bytes());
        assert_eq!(header(&headers, "cache-control"), "no-cache");
    }
}

#[tokio::test]
async fn files_are_put_at_once_or_in_parts_and_only_once() {
    let Some(options) = options() else { return };
    let prefix = options.prefix.clone();
    let store = connect(options.clone()).await;
    let directory = tempfile::tempdir().unwrap();
    for (name, len) in [("small.mp4", 1000), ("whole.mp4", PART), ("large.mp4", 3 * PART + 12_345)] {
        let (path, data) = (directory.path().join(name), noise(len, 3));
        std::fs::write(&path, &data).unwrap();
        let file = PutFile { key: key(name), path: path.clone(), content_type: ContentType::Mp4 };
        for _ in 0..2 {
            assert_eq!(store.put_file(&file).await.unwrap(), Stored { size_bytes: len.try_into().unwrap() });
        }
        assert_eq!(fetch(&store, &file.key).await.0, data);
        // Cut otherwise, so that the ETag does not tell: fetched and compared.
        let part_bytes = u64::try_from(6 * MIB).unwrap();
        let other = connect(S3Options { prefix: prefix.clone(), part_bytes, ..options.clone() }).await;
        other.put_file(&file).await.unwrap();
        std::fs::write(&path, noise(len, 4)).unwrap();
        for store in [&store, &other] {
            let error = store.put_file(&file).await.unwrap_err();
            assert!(matches!(error, StoreError::Taken { .. }), "{error}");
        }
    }
    assert!(store.uploads("", None).await.unwrap().uploads.is_empty());
    let gone = PutFile { key: key("x.mp4"), path: directory.path().join("gone"), content_type: ContentType::Mp4 };
    assert!(matches!(store.put_file(&gone).await.unwrap_err(), StoreError::Source { .. }));
}

#[tokio::test]
async fn listing_goes_page_by_page_through_keys_of_every_character() {
    let Some(options) = options() else { return };
    let sdk = client(&options);
    let (bucket, prefix) = (options.bucket.clone(), options.prefix.clone());
    let store = connect(S3Options { page_max: 3, ..options }).await;
    let mut names =
        ["live/a%2Fb/1.mp4", "live/+x.ts", "live/=@~,-_.flv", "live/%25.m3u8", "live-2/a", "z", "Z/%20+%2B"];
    for name in names {
        store.put_bytes(&key(name), Bytes::from(name), ContentType::Bytes).await.unwrap();
        assert_eq!(fetch(&store, &key(name)).await.0, name.as_bytes());
    }
    for name in [".hidden", "live/ü and space", "live//x"] {
        sdk.put_object().bucket(&bucket).key(format!("{prefix}{name}")).send().await.unwrap();
    }
    names.sort_unstable();
    let (mut keys, mut unknown, mut after, mut pages) = (Vec::new(), Vec::new(), None, 0);
    loop {
        let page = store.list("", after.as_deref()).await.unwrap();
        keys.extend(page.objects.iter().map(|object| object.key.as_str().to_owned()));
        assert!(
            page.objects.iter().all(|object| object.size_bytes == u64::try_from(object.key.as_str().len()).unwrap())
        );
        unknown.extend(page.unknown);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(keys, names);
    assert_eq!(unknown, [".hidden", "live//x", "live/ü and space"]);
    assert_eq!(pages, 4);
    let some = store.list("live-", None).await.unwrap();
    assert_eq!(some.objects.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["live-2/a"]);
    let rest = store.list("", Some("live/")).await.unwrap();
    assert_eq!(rest.objects.len() + rest.unknown.len(), 3);
    for object in keys {
        assert!(store.delete(&key(&object)).await.unwrap());
    }
}

#[tokio::test]
async fn three_parts_become_one_object_and_completing_twice_succeeds() {
    let Some(options) = options() else { return };
    for checksum in [Checksum::Md5, Checksum::Crc32, Checksum::None] {
        let store = connect(S3Options { checksum, ..options.clone() }).await;
        let key = key(&format!("live/{checksum:?}%2F+=@~,.mp4"));
        let upload = store.begin(&key, ContentType::Mp4).await.unwrap();
        let parts = [(1, noise(PART, 1)), (2, noise(PART, 2)), (3, noise(1234, 3))];
        let put = put_all(&store, &upload, &parts).await;
        assert_eq!(store.head(&key).await.unwrap(), None, "not before it is complete");
        assert_eq!(PartStore::parts(&store, &upload).await.unwrap(), Some(put.clone()));
        let size_bytes = joined(&parts).len().try_into().unwrap();
        for _ in 0..2 {
            assert_eq!(store.complete(&upload, &put).await.unwrap(), Stored { size_bytes });
        }
        let (fetched, headers) = fetch(&store, &key).await;
        assert_eq!(fetched, joined(&parts));
        assert_eq!(header(&headers, "content-type"), "video/mp4");
        assert!(header(&headers, "cache-control").contains("immutable"));
        let size_bytes = put[0].size_bytes;
        let other = [Part { number: 1, size_bytes, tag: store.tag(b"other") }];
        let error = store.complete(&upload, &other).await.unwrap_err();
        assert!(!matches!(error, StoreError::Taken { .. }), "{error}");
    }
}

#[tokio::test]
async fn the_first_part_is_put_again_at_the_end_and_the_old_one_is_refused() {
    let Some(options) = options() else { return };
    let store = connect(options).await;
    let key = key("live/a.flv");
    let upload = store.begin(&key, ContentType::Flv).await.unwrap();
    let old = store.put_part(&upload, 1, noise(PART, 1)).await.unwrap();
    let second = store.put_part(&upload, 2, noise(PART, 2)).await.unwrap();
    let new = store.put_part(&upload, 1, noise(PART + 77, 9)).await.unwrap();
    assert_eq!(PartStore::parts(&store, &upload).await.unwrap(), Some(vec![new.clone(), second.clone()]));
    let error = store.complete(&upload, &[old, second.clone()]).await.unwrap_err();
    assert!(matches!(error, StoreError::ContentsDiffer { .. }), "{error}");
    assert_eq!(store.head(&key).await.unwrap(), None);
    store.complete(&upload, &[new, second]).await.unwrap();
    assert_eq!(fetch(&store, &key).await.0, joined(&[(1, noise(PART + 77, 9)), (2, noise(PART, 2))]));
}

#[tokio::test]
async fn parts_with_holes_between_their_numbers_are_joined_in_order() {
    let Some(options) = options() else { return };
    let store = connect(S3Options { page_max: 2, ..options }).await;
    let key = key("live/sparse.ts");
    let upload = store.begin(&key, ContentType::TransportStream).await.unwrap();
    let parts = [
        (9_999, noise(10, 5)),
        (3, noise(PART, 1)),
        (700, noise(PART, 3)),
        (40, noise(PART, 2)),
        (701, noise(PART, 4)),
    ];
    let mut put = put_all(&store, &upload, &parts).await;
    put.sort_by_key(|part| part.number);
    assert_eq!(PartStore::parts(&store, &upload).await.unwrap().unwrap(), put, "over three pages");
    store.complete(&upload, &put).await.unwrap();
    let mut parts = parts.to_vec();
    parts.sort_by_key(|(number, _)| *number);
    assert_eq!(fetch(&store, &key).await.0, joined(&parts));
}

#[tokio::test]
async fn an_aborted_upload_is_gone_for_every_call() {
    let Some(options) = options() else { return };
    let store = connect(options).await;
    let key = key("live/gone.mp4");
    let upload = store.begin(&key, ContentType::Mp4).await.unwrap();
    let part = store.put_part(&upload, 1, noise(1000, 1)).await.unwrap();
    for _ in 0..2 {
        store.abort(&upload).await.unwrap();
        assert_eq!(PartStore::parts(&store, &upload).await.unwrap(), None);
    }
    let put = store.put_part(&upload, 2, noise(1000, 1)).await.unwrap_err();
    let completed = store.complete(&upload, std::slice::from_ref(&part)).await.unwrap_err();
    for error in [put, completed] {
        assert!(matches!(error, StoreError::UploadGone { .. }), "{error}");
    }
    // The object that somebody else put there, of the same size, is not taken for this one.
    store.put_bytes(&key, noise(1000, 1), ContentType::Mp4).await.unwrap();
    let error = store.complete(&upload, &[part]).await.unwrap_err();
    assert!(matches!(error, StoreError::UploadGone { .. }), "{error}");
    let never = Upload { key: key.clone(), id: "2~never".into() };
    store.abort(&never).await.unwrap();
    assert_eq!(PartStore::parts(&store, &never).await.unwrap(), None);
}

#[tokio::test]
async fn uploads_are_found_by_the_beginning_of_their_keys() {
    let Some(options) = options() else { return };
    let store = connect(S3Options { page_max: 2, ..options }).await;
    let mut begun = Vec::new();
    for name in ["a/1.mp4", "a/2%2F+x.mp4", "a/2%2F+x.mp4", "a/3.mp4", "a/4.mp4", "b/1.mp4"] {
        begun.push(store.begin(&key(name), ContentType::Mp4).await.unwrap());
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.uploads("a/", after.as_deref()).await.unwrap();
        found.extend(page.uploads);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(found.is_sorted_by_key(|upload| upload.key.clone()), "{found:?}");
    let order = |upload: &Upload| (upload.key.clone(), upload.id.clone());
    found.sort_by_key(order);
    let mut expected = begun[..5].to_vec();
    expected.sort_by_key(order);
    assert_eq!(found, expected);
    for upload in begun {
        store.abort(&upload).await.unwrap();
    }
    assert!(store.uploads("", None).await.unwrap().uploads.is_empty());
}

#[tokio::test]
async fn an_upload_that_cannot_be_completed_says_so() {
    let Some(options) = options() else { return };
    let store = connect(options).await;
    let upload = store.begin(&key("live/small.mp4"), ContentType::Mp4).await.unwrap();
    let put = put_all(&store, &upload, &[(1, noise(1000, 1)), (2, noise(1000, 2))]).await;
    let error = store.complete(&upload, &put).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Configuration, "parts of 1,000 bytes: {error}");
    let mut wrong = put.clone();
    wrong.reverse();
    for parts in [&wrong[..], &[]] {
        let error = store.complete(&upload, parts).await.unwrap_err();
        assert!(matches!(error, StoreError::ContentsDiffer { .. }), "{error}");
    }
    store.abort(&upload).await.unwrap();
}

#[tokio::test]
async fn settings_that_are_wrong_are_told_from_one_another() {
    let Some(options) = options() else { return };
    let wrong = |name: &str| Some(name.to_owned());
    let unused = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (change, fault, words) in [
        (
            S3Options { bucket: "no-such-bucket-here".into(), ..options.clone() },
            Fault::Configuration,
            "create the bucket",
        ),
        (S3Options { secret_access_key: wrong("wrong"), ..options.clone() }, Fault::Denied, "SignatureDoesNotMatch"),
        (S3Options { access_key_id: wrong("nobody"), ..options.clone() }, Fault::Denied, "InvalidAccessKeyId"),
        (S3Options { endpoint: Some(format!("http://{}", unused())), ..options.clone() }, Fault::Network, "probing"),
    ] {
        let store = S3Store::connect(change).await.unwrap();
        let error = store.probe().await.unwrap_err();
        assert_eq!(error.fault(), fault, "{error}");
        let text = error.to_string();
        assert!(text.contains(words) && !text.contains("testtest12"), "{text}");
        eprintln!("{text}");
    }
}

#[tokio::test]
async fn uploads_share_the_limit() {
    let Some(options) = options() else { return };
    let limit = u64::try_from(2 * MIB).unwrap();
    let store = connect(S3Options { max_bytes_per_second: limit, ..options }).await;
    let begun = Instant::now();
    let put = |name: &str, seed| {
        let (store, key) = (store.clone(), key(name));
        async move { store.put_bytes(&key, noise(3 * MIB, seed), ContentType::Mp4).await.unwrap() }
    };
    tokio::join!(put("a.mp4", 1), put("b.mp4", 2));
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(2_500) && took < Duration::from_secs(6), "6 MiB at 2 MiB/s: {took:?}");
}

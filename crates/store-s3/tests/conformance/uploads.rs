//! Objects in parts.

use livetape_store::{ContentType, Fault, ObjectStore as _, Part, PartStore, StoreError, Stored, Upload};
use livetape_store_s3::Checksum;

use crate::target::{PART, Target, fetch, header, joined, key, noise, size};

pub(crate) async fn three_parts_become_one_object_and_completing_twice_succeeds(target: &Target) {
    for checksum in [Checksum::Md5, Checksum::Crc32, Checksum::None] {
        let store = target.with(|options| options.checksum = checksum).store().await;
        let key = key(&format!("live/{checksum:?}%2F+=@~,.mp4"));
        let upload = store.begin(&key, ContentType::Mp4).await.unwrap();
        let parts = [(1, noise(PART, 1)), (2, noise(PART, 2)), (3, noise(1234, 3))];
        let put = target.put_all(&store, &upload, &parts).await;
        assert_eq!(store.head(&key).await.unwrap(), None, "not before it is complete");
        assert_eq!(PartStore::parts(&store, &upload).await.unwrap(), Some(put.clone()));
        let size_bytes = size(joined(&parts).len());
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

pub(crate) async fn the_first_part_is_put_again_at_the_end_and_the_old_one_is_refused(target: &Target) {
    let store = target.store().await;
    let key = key("live/a.flv");
    let upload = store.begin(&key, ContentType::Flv).await.unwrap();
    let first = noise(target.first_part(), 9);
    let old = store.put_part(&upload, 1, noise(PART, 1)).await.unwrap();
    let second = store.put_part(&upload, 2, noise(PART, 2)).await.unwrap();
    let new = store.put_part(&upload, 1, first.clone()).await.unwrap();
    assert_eq!(PartStore::parts(&store, &upload).await.unwrap(), Some(vec![new.clone(), second.clone()]));
    let error = store.complete(&upload, &[old, second.clone()]).await.unwrap_err();
    assert!(matches!(error, StoreError::ContentsDiffer { .. }), "{error}");
    assert_eq!(store.head(&key).await.unwrap(), None);
    store.complete(&upload, &[new, second]).await.unwrap();
    assert_eq!(fetch(&store, &key).await.0, joined(&[(1, first), (2, noise(PART, 2))]));
}

pub(crate) async fn parts_with_holes_between_their_numbers_are_joined_in_order(target: &Target) {
    let store = target.with(|options| options.page_max = 2).store().await;
    let key = key("live/sparse.ts");
    let upload = store.begin(&key, ContentType::TransportStream).await.unwrap();
    let parts = [
        (target.options.parts_max, noise(10, 5)),
        (3, noise(PART, 1)),
        (700, noise(PART, 3)),
        (40, noise(PART, 2)),
        (701, noise(PART, 4)),
    ];
    let mut put = target.put_all(&store, &upload, &parts).await;
    put.sort_by_key(|part| part.number);
    assert_eq!(PartStore::parts(&store, &upload).await.unwrap().unwrap(), put, "over three pages");
    store.complete(&upload, &put).await.unwrap();
    let mut parts = parts.to_vec();
    parts.sort_by_key(|(number, _)| *number);
    assert_eq!(fetch(&store, &key).await.0, joined(&parts));
}

pub(crate) async fn an_aborted_upload_is_gone_for_every_call(target: &Target) {
    let store = target.store().await;
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

pub(crate) async fn uploads_are_found_by_the_beginning_of_their_keys(target: &Target) {
    let store = target.with(|options| options.page_max = 2).store().await;
    let mut begun = Vec::new();
    for name in ["a/3.mp4", "a/1.mp4", "a/4.mp4", "a/2%2F+x.mp4", "a/2%2F+x.mp4", "b/1.mp4"] {
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

pub(crate) async fn parts_out_of_order_and_no_parts_are_refused(target: &Target) {
    let store = target.store().await;
    let upload = store.begin(&key("live/order.mp4"), ContentType::Mp4).await.unwrap();
    let mut put = target.put_all(&store, &upload, &[(1, noise(PART, 1)), (2, noise(1000, 2))]).await;
    put.reverse();
    for parts in [&put[..], &[]] {
        let error = store.complete(&upload, parts).await.unwrap_err();
        assert!(matches!(error, StoreError::ContentsDiffer { .. }), "{error}");
    }
    store.abort(&upload).await.unwrap();
}

pub(crate) async fn small_parts_before_the_last_are_refused_where_the_service_does(target: &Target) {
    let store = target.store().await;
    let upload = store.begin(&key("live/small.mp4"), ContentType::Mp4).await.unwrap();
    let put = target.put_all(&store, &upload, &[(1, noise(1000, 1)), (2, noise(1000, 2))]).await;
    let completed = store.complete(&upload, &put).await;
    if target.dialect.small_parts {
        assert_eq!(completed.unwrap(), Stored { size_bytes: 2000 });
    } else {
        let error = completed.unwrap_err();
        assert_eq!(error.fault(), Fault::Configuration, "parts of 1,000 bytes: {error}");
        store.abort(&upload).await.unwrap();
    }
}

pub(crate) async fn a_part_beyond_the_last_number_is_refused_where_the_service_does(target: &Target) {
    let store = target.store().await;
    let upload = store.begin(&key("live/long.mp4"), ContentType::Mp4).await.unwrap();
    let parts_max = target.options.parts_max;
    store.put_part(&upload, parts_max, noise(1000, 1)).await.unwrap();
    let beyond = store.put_part(&upload, parts_max + 1, noise(1000, 1)).await;
    if target.dialect.any_number {
        beyond.unwrap();
    } else {
        let error = beyond.unwrap_err();
        assert!(error.fault() == Fault::Configuration && error.to_string().contains("parts_max"), "{error}");
    }
    store.abort(&upload).await.unwrap();
}

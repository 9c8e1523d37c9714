//! Whole objects: put, looked at, fetched, listed and deleted.

use std::time::{Duration, Instant};

use bytes::Bytes;
use livetape_store::{ContentType, ObjectStore as _, PartStore as _, PutFile, StoreError, Stored};

use crate::target::{MIB, PART, Target, fetch, header, key, noise, size};

pub(crate) async fn an_object_is_put_once_looked_at_fetched_and_deleted(target: &Target) {
    let store = target.store().await;
    for (name, len) in [("live/a.mp4", 100_000), ("live/empty.ts", 0), ("live/b.flv", PART)] {
        let (key, data) = (key(name), noise(len, 1));
        assert_eq!(store.head(&key).await.unwrap(), None);
        assert!(!store.delete(&key).await.unwrap());
        let stored = Stored { size_bytes: size(len) };
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

pub(crate) async fn a_playlist_is_replaced(target: &Target) {
    let store = target.store().await;
    let key = key("live/index.m3u8");
    for text in ["#EXTM3U\n", "#EXTM3U\n#EXT-X-ENDLIST\n"] {
        store.put_bytes(&key, text.into(), ContentType::Playlist).await.unwrap();
        let (fetched, headers) = fetch(&store, &key).await;
        assert_eq!(fetched, text.as_bytes());
        assert_eq!(header(&headers, "cache-control"), "no-cache");
    }
}

pub(crate) async fn files_are_put_at_once_or_in_parts_and_only_once(target: &Target) {
    let store = target.store().await;
    // Cut otherwise, so that the ETag does not tell: fetched and compared.
    let other = target.with(|options| options.part_bytes = size(6 * MIB)).store().await;
    let directory = tempfile::tempdir().unwrap();
    for (name, len) in [("small.mp4", 1000), ("whole.mp4", PART), ("large.mp4", 3 * PART + 12_345)] {
        let (path, data) = (directory.path().join(name), noise(len, 3));
        std::fs::write(&path, &data).unwrap();
        let file = PutFile { key: key(name), path: path.clone(), content_type: ContentType::Mp4 };
        for _ in 0..2 {
            assert_eq!(store.put_file(&file).await.unwrap(), Stored { size_bytes: size(len) });
        }
        assert_eq!(fetch(&store, &file.key).await.0, data);
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

pub(crate) async fn listing_goes_page_by_page_through_keys_of_every_character(target: &Target) {
    let sdk = target.client();
    let (bucket, prefix) = (&target.options.bucket, &target.options.prefix);
    let store = target.with(|options| options.page_max = 3).store().await;
    let mut names =
        ["live/a%2Fb/1.mp4", "live/+x.ts", "live/=@~,-_.flv", "live/%25.m3u8", "live-2/a", "z", "Z/%20+%2B"];
    for name in names {
        store.put_bytes(&key(name), Bytes::from(name), ContentType::Bytes).await.unwrap();
        assert_eq!(fetch(&store, &key(name)).await.0, name.as_bytes());
    }
    for name in [".hidden", "live/ü and space", "live//x"] {
        sdk.put_object().bucket(bucket).key(format!("{prefix}{name}")).send().await.unwrap();
    }
    names.sort_unstable();
    let (mut keys, mut unknown, mut after, mut pages) = (Vec::new(), Vec::new(), None, 0);
    loop {
        let page = store.list("", after.as_deref()).await.unwrap();
        keys.extend(page.objects.iter().map(|object| object.key.as_str().to_owned()));
        assert!(page.objects.iter().all(|object| object.size_bytes == size(object.key.as_str().len())));
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

pub(crate) async fn uploads_share_the_limit(target: &Target) {
    let store = target.with(|options| options.max_bytes_per_second = size(2 * MIB)).store().await;
    let begun = Instant::now();
    let put = |name: &str, seed| {
        let (store, key) = (store.clone(), key(name));
        async move { store.put_bytes(&key, noise(3 * MIB, seed), ContentType::Mp4).await.unwrap() }
    };
    tokio::join!(put("a.mp4", 1), put("b.mp4", 2));
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(2_500) && took < Duration::from_secs(10), "6 MiB at 2 MiB/s: {took:?}");
}

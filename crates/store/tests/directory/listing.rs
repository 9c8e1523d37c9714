//! What a store holds.

use std::fs;
use std::os::unix::fs::symlink;

use livetape_store::{Listing, ObjectStore};

use crate::Place;

async fn pages(place: &Place, prefix: &str) -> Vec<Listing> {
    let mut pages: Vec<Listing> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page.next.clone());
        let page = place.store.list(prefix, after.as_deref()).await.unwrap();
        assert!(page.objects.len() + page.unknown.len() <= 5000, "a page is bounded");
        let last = page.next.is_none();
        pages.push(page);
        if last {
            return pages;
        }
    }
}

async fn keys(place: &Place, prefix: &str) -> Vec<String> {
    pages(place, prefix).await.into_iter().flat_map(|page| page.objects).map(|object| object.key.to_string()).collect()
}

fn write(place: &Place, key: &str) {
    let path = place.media(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, key).unwrap();
}

#[tokio::test]
async fn objects_come_in_the_order_of_their_keys_with_their_sizes() {
    let place = Place::new();
    assert_eq!(pages(&place, "").await, [Listing::default()]);
    let mut all =
        ["a/b.mp4", "a-b/c.mp4", "a.mp4", "a0/x.mp4", "a/b/c.mp4", "a/b-1.mp4", "z.mp4", "live/x%2Fy/1.flv", "A"];
    all.iter().for_each(|key| write(&place, key));
    all.sort();
    let listed = pages(&place, "").await.remove(0).objects;
    assert_eq!(listed.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), all);
    assert!(listed.iter().all(|object| object.size_bytes == object.key.as_str().len() as u64));
}

#[tokio::test]
async fn a_prefix_is_the_beginning_of_a_key_whether_or_not_a_component_ends_there() {
    let place = Place::new();
    let all = ["a/b.mp4", "a/bc/d.mp4", "a/c.mp4", "ab/b.mp4"];
    all.iter().for_each(|key| write(&place, key));
    for (prefix, expected) in [
        ("a", &all[..]),
        ("a/", &all[..3]),
        ("a/b", &all[..2]),
        ("a/bc/d.mp4", &all[1..2]),
        ("a/bc/d.mp4/", &[]),
        ("b", &[]),
        ("a/b.mp", &all[..1]),
    ] {
        assert_eq!(keys(&place, prefix).await, expected, "{prefix}");
    }
}

#[tokio::test]
async fn every_object_is_on_one_page_however_many_there_are() {
    let place = Place::new();
    let mut all: Vec<String> =
        (0..9500).map(|i| format!("live/room-{}/segment-{i:06}.m4s", i / 3300)).chain(["live/z.mp4".into()]).collect();
    all.iter().for_each(|key| write(&place, key));
    all.sort();
    assert_eq!(pages(&place, "").await.len(), 3);
    assert_eq!(keys(&place, "").await, all);
    let third: Vec<_> = all.iter().filter(|key| key.starts_with("live/room-1/")).cloned().collect();
    assert_eq!(keys(&place, "live/room-1/").await, third);
}

#[tokio::test]
async fn what_is_no_object_is_told_apart() {
    let place = Place::new();
    write(&place, "live/a.mp4");
    write(&place, "live/.put-0123456789abcdef");
    write(&place, "live/two words.mp4");
    write(&place, ".incoming/0123456789abcdef");
    symlink(place.media("live"), place.media("link")).unwrap();
    fs::create_dir(place.media("empty")).unwrap();
    let listing = pages(&place, "").await.remove(0);
    assert_eq!(listing.objects.len(), 1);
    let unknown = [".incoming/0123456789abcdef", "link", "live/.put-0123456789abcdef", "live/two words.mp4"];
    assert_eq!(listing.unknown, unknown);
}

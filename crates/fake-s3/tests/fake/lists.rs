//! Lists, in pages.

use livetape_fake_s3::{FakeS3, Profile};

use crate::client::Client;

#[test]
fn objects_are_listed_in_the_order_of_their_bytes_page_after_page() {
    let fake = FakeS3::start(Profile { page_size: 2, ..Profile::aws() });
    let client = Client::of(&fake);
    for key in ["a/b", "a/é", "a/B", "a/z 1", "b", "a/c"] {
        client.put(key, b"x").unwrap();
    }
    let list = |token: Option<String>| {
        let listing = client.s3.list_objects_v2().bucket(&client.bucket).prefix("a/").set_continuation_token(token);
        client.wait(listing.send()).unwrap()
    };
    let (mut found, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let page = list(token);
        found.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        pages += 1;
        token = page.next_continuation_token;
        assert_eq!(page.is_truncated, Some(token.is_some()));
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, ["a/B", "a/b", "a/c", "a/z 1", "a/é"]);
    assert_eq!(pages, 3);
}

#[test]
fn a_list_begins_after_a_key_and_is_no_longer_than_wanted() {
    let fake = FakeS3::start(Profile::aws());
    let client = Client::of(&fake);
    for key in ["a", "b", "c", "d"] {
        client.put(key, b"x").unwrap();
    }
    let listing = client.s3.list_objects_v2().bucket(&client.bucket).start_after("a").max_keys(2);
    let page = client.wait(listing.send()).unwrap();
    let keys: Vec<_> = page.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!((keys, page.is_truncated), (vec!["b", "c"], Some(true)));
    let wrong = client.s3.list_objects_v2().bucket(&client.bucket).continuation_token("?");
    assert_eq!(client.wait(wrong.send()).map(drop).unwrap_err(), "400 InvalidArgument");
}

#[test]
fn parts_are_listed_by_number_page_after_page() {
    let fake = FakeS3::start(Profile { page_size: 2, ..Profile::aws() });
    let client = Client::of(&fake);
    let id = client.begin("k");
    for number in [11, 2, 10, 1, 9] {
        client.part("k", &id, number, &vec![0; number as usize]).unwrap();
    }
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let listing = client.s3.list_parts().bucket(&client.bucket).key("k").upload_id(&id);
        let page = client.wait(listing.set_part_number_marker(marker).send()).unwrap();
        found.extend(page.parts().iter().map(|part| (part.part_number.unwrap(), part.size.unwrap())));
        if page.is_truncated != Some(true) {
            break;
        }
        assert_eq!(page.parts().len(), 2);
        marker = page.next_part_number_marker;
    }
    assert_eq!(found, [(1, 1), (2, 2), (9, 9), (10, 10), (11, 11)]);
}

#[test]
fn uploads_are_listed_by_key_and_then_by_age_page_after_page() {
    let fake = FakeS3::start(Profile { page_size: 2, ..Profile::aws() });
    let client = Client::of(&fake);
    let keys = ["n/b", "n/a", "n/b", "m", "n/b", "n/c"];
    let ids: Vec<String> = keys.iter().map(|key| client.begin(key)).collect();
    let (mut found, mut markers) = (Vec::new(), (None, None));
    loop {
        let listing = client.s3.list_multipart_uploads().bucket(&client.bucket).prefix("n/");
        let listing = listing.set_key_marker(markers.0).set_upload_id_marker(markers.1);
        let page = client.wait(listing.send()).unwrap();
        found.extend(page.uploads().iter().map(|upload| upload.upload_id().unwrap().to_owned()));
        if page.is_truncated != Some(true) {
            break;
        }
        markers = (page.next_key_marker, page.next_upload_id_marker);
    }
    assert_eq!(found, [1, 0, 2, 4, 5].map(|place: usize| ids[place].clone()));

    let after = client.s3.list_multipart_uploads().bucket(&client.bucket).key_marker("n/b");
    let page = client.wait(after.send()).unwrap();
    assert_eq!(page.uploads().iter().map(|upload| upload.key().unwrap()).collect::<Vec<_>>(), ["n/c"]);
}
